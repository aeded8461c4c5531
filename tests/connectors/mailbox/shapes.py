"""Own recordings: one mail of every kind and shape that mapping must tell apart."""

from email.message import EmailMessage

from tests.connectors.mailbox.letters import letter


def _html() -> bytes:
    mail = EmailMessage()
    mail["From"] = "=?utf-8?q?J=C3=BCrgen=2C_Einkauf?= <Juergen@Example.COM>"
    mail["Subject"] = "=?utf-8?b?w4RuZGVydW5nIFBBWS0xMg==?="
    mail["Message-ID"] = "<html-1@example.com>"
    mail["Date"] = "Mon, 02 Mar 2026 13:00:00 +0100"
    mail.set_content(
        '<style>p{}</style><div style="display:none">Preheader OPS-9</div><p>Bitte wie in <a href="https://acme.example/'
        'browse/PAY-12">hier</a>.</p><blockquote>Alt: PAY-99</blockquote>',
        subtype="html",
    )
    return mail.as_bytes()


def _forward() -> bytes:
    mail = letter("Fwd: Login broken", "FYI, see below.\n", 11)
    mail.add_attachment(letter("Login broken", "It says error 5.\n", 10, sender="Customer <c@customer.example>"))
    return mail.as_bytes()


BOUNCE = b"""From: MAILER-DAEMON@mx.example.com
To: anna@example.com
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Mar 2026 12:05:00 +0000
Message-ID: <bounce1@mx.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I am sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; nobody@customer.example
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

From: anna@example.com
Subject: Offer
Message-ID: <m1@EXAMPLE.com>

--b--
"""

SHAPES: dict[str, bytes] = {
    "person": letter("PAY-12: new export", "Hello,\n\nplease do PAY-13.\n\n-- \nAnna, ACC-1\n", 1).as_bytes(),
    "reply": letter("Re: PAY-12: new export",
                    "Yes.\n\nOn Mon, 2 Mar 2026 at 12:00, Anna Berg wrote:\n> please do PAY-13\n", 2,
                    In_Reply_To="<m1@EXAMPLE.com>", References="<m0@example.com> <m1@example.com>").as_bytes(),
    "away": letter("Automatic reply: New export", "I am out of office.\n", 3, Auto_Submitted="auto-replied").as_bytes(),
    "receipt": letter("We got your request", "Ticket 5.\n", 4, Auto_Submitted="auto-replied").as_bytes(),
    "list": letter("[team] lunch", "Pizza?\n", 5, List_Id="<team.example.com>").as_bytes(),
    "digest": letter("team Digest, Vol 3, Issue 7", "PAY-1 PAY-2\n", 6, List_Id="<team.example.com>").as_bytes(),
    "notice": letter("Build failed", "PAY-5\n", 7, sender="noreply@ci.example.com").as_bytes(),
    "private": letter("Salary", "Secret.\n", 8, Sensitivity="Private").as_bytes(),
    "bounce": BOUNCE,
    "forward": _forward(),
    "html": _html(),
    "broken": b"Subject: \xff\xfe =?x-none?q?=ZZ?=\nFrom: <<>>, @\nDate: yesterday\nContent-Type: multipart/mixed"
              b"\n\n\x00\xffhi",
    "empty": b"",
}  # fmt: skip
