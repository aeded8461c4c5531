"""What kind of mail it is, by its headers first (RFC 3834, RFC 3464, RFC 2369, RFC 2919), by words only where programs
are known to send no header."""

import re

from connectors.mailbox.headers import Headers, addresses, decoded, first, values

PERSON = "person"
AUTO_REPLY = "auto-reply"
OUT_OF_OFFICE = "out-of-office"
BOUNCE = "bounce"
LIST = "list"
DIGEST = "digest"
AUTOMATIC = "automatic"
"""Sent by a program unasked (a tracker's notification, a monitor): no answer to anything."""

MACHINES = {AUTO_REPLY, OUT_OF_OFFICE, BOUNCE, DIGEST, AUTOMATIC}
"""Kinds whose text nobody wrote as a message of their own."""

_DAEMON = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mdaemon)@")
_NO_REPLY = re.compile(r"^(?:no-?_?reply|do-?not-?reply|bounces?|notifications?|automailer)\b[^@]*@")
_AWAY = re.compile(
    r"out of (?:the )?office|\booo\b|on (?:vacation|holiday|leave)|automatic reply|abwesen|nicht im (?:büro|haus)|"
    r"automatische antwort|réponse automatique|absen(?:ce|t du bureau)|"
    r"fuera de (?:la )?oficina|respuesta automática|"
    r"resposta automática|fora do escritório|ausência|risposta automatica|fuori (?:sede|ufficio)|afwezig|"
    r"automatisch antwoord|"
    r"frånvaro|autosvar|fravær|nieobecno|odpowiedź automatyczna|nepřítomn|автоответ|автоматическ|вне офиса|в отпуске|"
    r"автоматична відповідь|відпуст|不在|自动回复",
    re.IGNORECASE,
)
# Outlook's own prefix: a colon directly after the fixed words, at the beginning.
_AWAY_PREFIX = re.compile(
    r"^(?:automatic reply|automatische antwort|réponse automatique|respuesta automática|resposta automática|"
    r"risposta automatica|automatisch antwoord|autosvar|odpowiedź automatyczna|автоответ|автоматическая? ответ|"
    r"автоматична відповідь|out of office(?: autoreply)?)\s?[:：]",
    re.IGNORECASE,
)
_DIGEST = re.compile(
    r"\bdigest\b.{0,30}\b(?:vol|issue|#)|\b(?:daily|weekly|monthly)\b.{0,30}\b(?:digest|summary)\b|zusammenfassung",
    re.IGNORECASE,
)
_BOUNCE = re.compile(
    r"^(?:undeliver(?:able|ed)|delivery status notification|mail delivery (?:failed|failure)|returned mail|"
    r"failure notice|unzustellbar)",
    re.IGNORECASE,
)


def kind_of(headers: Headers) -> str:
    """One of the kinds above."""
    content = first(headers, "Content-Type").lower()
    subject = decoded(first(headers, "Subject")).strip()
    if _is_bounce(headers, content, subject):
        return BOUNCE
    automatic = _automatic(headers, content, subject)
    if automatic:
        return automatic
    if content.startswith("multipart/digest") or _is_list(headers):
        return DIGEST if content.startswith("multipart/digest") or _DIGEST.search(subject) else LIST
    sender = next(iter(addresses(headers, "From")), None)
    if sender and no_person(sender.address):
        return DIGEST if _DIGEST.search(subject) else AUTOMATIC
    return PERSON


def no_person(address: str) -> bool:
    """Whether the address says itself that nobody reads there."""
    return bool(_NO_REPLY.match(address) or _DAEMON.match(address))


def _is_bounce(headers: Headers, content: str, subject: str) -> bool:
    if content.startswith("multipart/report"):
        return "delivery-status" in content or "report-type" not in content
    if values(headers, "X-Failed-Recipients"):
        return True
    sender = next(iter(addresses(headers, "From")), None)
    nobody = first(headers, "Return-Path").strip() == "<>"
    return bool(_BOUNCE.match(subject) and (nobody or (sender and _DAEMON.match(sender.address))))


def _automatic(headers: Headers, content: str, subject: str) -> str:
    """The kind of an automatic mail that is neither bounce nor list; "" for what a person sent."""
    submitted = first(headers, "Auto-Submitted").lower().split(";")[0].strip()
    precedence = first(headers, "Precedence").lower().strip()
    rules_agent = "mailbox rules agent" in first(headers, "X-MS-Exchange-Generated-Message-Source").lower()
    replies = (
        submitted.startswith("auto-replied")
        or precedence == "auto_reply"
        or rules_agent
        or any(
            values(headers, name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From")
        )
    )
    if replies or _AWAY_PREFIX.match(subject):
        return OUT_OF_OFFICE if _AWAY.search(subject) else AUTO_REPLY
    if "disposition-notification" in content and content.startswith("multipart/report"):
        return AUTO_REPLY  # a read receipt
    if submitted and submitted != "no":
        return DIGEST if _DIGEST.search(subject) else AUTOMATIC
    return ""


def _is_list(headers: Headers) -> bool:
    named = any(
        values(headers, name) for name in ("List-Id", "List-Post", "List-Unsubscribe", "Mailing-List", "X-Mailing-List")
    )
    return named or first(headers, "Precedence").lower().strip() in {"bulk", "list", "junk"}
