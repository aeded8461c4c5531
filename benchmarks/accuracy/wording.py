"""How people of a company write: subjects, sentences, quoting, signatures.

This family may be looked at and tuned on; the one kept for reporting only is in `holdout`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypeAlias

Quote: TypeAlias = Callable[[str, str, datetime, str], str]
"""(name, address, time, text) → the text as a client quotes it, with the line that introduces it."""
Forward: TypeAlias = Callable[[str, str, datetime, str, str], str]
"""(name, address, time, subject, text) → the text as a client forwards it."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language and its habits. Templates take {key}, {name}, {topic}, {number} by name."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    verbs: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    topic_form: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    naming: tuple[str, ...]
    """Sentences that name {key} or its {url}."""
    subjects_with_key: tuple[str, ...]
    reply_prefixes: tuple[str, ...]
    forward_prefixes: tuple[str, ...]
    quotes: tuple[Quote, ...]
    forwards: tuple[Forward, ...]
    signatures: tuple[str, ...]
    template_subjects: tuple[str, ...]
    forward_notes: tuple[str, ...]

    def topic(self, chance: Random) -> str:
        """What a request is about."""
        verb, thing, place = (chance.choice(some) for some in (self.verbs, self.things, self.places))
        return self.topic_form.format(verb=verb, thing=thing, place=place)

    def name(self, chance: Random) -> str:
        """A person's name."""
        return f"{chance.choice(self.given)} {chance.choice(self.family)}"

    def text(self, chance: Random, topic: str, name: str, *more: str) -> str:
        """A mail that asks for something, with further sentences."""
        return "\n\n".join([chance.choice(self.asks).format(topic=topic), *more, self.signature(chance, name)])

    def answer(self, chance: Random, name: str, *more: str) -> str:
        """A mail that answers, without what it quotes."""
        return "\n\n".join([chance.choice(self.answers), *more, self.signature(chance, name)])

    def names(self, chance: Random, key: str, url: str) -> str:
        """A sentence that names a key, or the address where it is read."""
        return chance.choice(self.naming).format(key=key, url=url)

    def subject(self, chance: Random, key: str, topic: str) -> str:
        """A subject that names a key."""
        return chance.choice(self.subjects_with_key).format(key=key, topic=topic)

    def reply(self, chance: Random, subject: str) -> str:
        """The subject of an answer."""
        start = tuple(self.reply_prefixes)
        return subject if subject.startswith(start) else f"{chance.choice(start)} {subject}"

    def forward(self, chance: Random, subject: str) -> str:
        """The subject of a forward."""
        return f"{chance.choice(self.forward_prefixes)} {subject}"

    def signature(self, chance: Random, name: str) -> str:
        """How a mail ends."""
        return chance.choice(self.signatures).format(name=name, number=chance.randint(100, 999))


def angled(text: str) -> str:
    """Quoted as most clients do: each line after `>`."""
    return "\n".join(f"> {line}" if line else ">" for line in text.splitlines())


def gmail(name: str, address: str, at: datetime, text: str) -> str:
    """Gmail's quote."""
    return f"On {at:%a, %b} {at.day}, {at:%Y at %I:%M %p} {name} <{address}> wrote:\n\n{angled(text)}"


def apple(name: str, address: str, at: datetime, text: str) -> str:
    """Apple Mail's quote."""
    return f"On {at.day} {at:%b %Y, at %H:%M}, {name} <{address}> wrote:\n\n{angled(text)}"


def outlook(name: str, address: str, at: datetime, text: str) -> str:
    """Outlook's: a block of headers, nothing marked."""
    sent = f"{at:%A, %B} {at.day}, {at:%Y %I:%M %p}"
    return f"-----Original Message-----\nFrom: {name} <{address}>\nSent: {sent}\nSubject: Re\n\n{text}"


def gmail_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    """Gmail's forward."""
    day = f"{at:%a, %b} {at.day}, {at:%Y at %I:%M %p}"
    head = f"From: {name} <{address}>\nDate: {day}\nSubject: {subject}\nTo: <requests@acme.example>"
    return f"---------- Forwarded message ---------\n{head}\n\n\n{text}"


def apple_forward(name: str, address: str, at: datetime, subject: str, text: str) -> str:
    """Apple Mail's forward."""
    head = f"From: {name} <{address}>\nSubject: {subject}\nDate: {at.day} {at:%B %Y at %H:%M:%S} CET"
    return "Begin forwarded message:\n\n" + angled(f"{head}\nTo: requests@acme.example\n\n{text}")


ENGLISH = Wording(
    given=("Anna", "Ben", "Carla", "Dev", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Lena", "Marco",
           "Nadia", "Oscar", "Paula", "Quinn", "Rosa", "Sam", "Tara", "Uma", "Victor", "Wendy", "Yusuf", "Zoe"),
    family=("Adler", "Brooks", "Chen", "Diaz", "Evans", "Fischer", "Garcia", "Hughes", "Ivanova", "Jansen", "Kern",
            "Lopez", "Moreau", "Novak", "Okafor", "Patel", "Quist", "Rossi", "Singh", "Turner", "Ueda", "Vega",
            "Walsh", "Young", "Ziegler"),
    verbs=("Add", "Change", "Speed up", "Fix", "Replace", "Extend", "Remove", "Rework", "Automate", "Migrate",
           "Translate", "Archive", "Review", "Split", "Simplify"),
    things=("the refund button", "the invoice export", "single sign-on", "the price list", "the order history",
            "the monthly report", "the customer search", "the address check", "the stock alert", "the contract archive",
            "the delivery note", "the password reset", "the tax calculation", "the discount rules", "the audit log",
            "the payment reminder", "the product catalogue", "the return label", "the approval step", "the dashboard"),
    places=("for the partner portal", "in the web shop", "for the warehouse", "in the mobile app", "for the sales team",
            "for France", "in the back office", "for the call centre", "for resellers", "in the data warehouse",
            "for the auditors", "before the summer sale", "for the new branch", "in the staging system",
            "for key accounts", "at the checkout", "for Spain", "in the supplier portal", "for the board", "at night"),
    topic_form="{verb} {thing} {place}",
    asks=("Hello,\n\nwe would need the following: {topic}. Could you tell us what it takes?",
          "Hi team,\n\n{topic}, please. It has been on our list for a while.",
          "Good morning,\n\ncan somebody look into this? {topic}. Our people lose an hour a day over it.",
          "Dear all,\n\nas discussed in our last meeting: {topic}. Please confirm the date."),
    answers=("Thanks, we will look into it.", "Understood. I come back to you tomorrow.", "Any news on this?",
             "Sounds good to us, please go ahead.", "Could you send a screenshot?", "It works now, thank you!",
             "Friday suits us. Who joins from your side?", "We have tested it: two things are still open."),
    naming=("This is tracked as {key}.", "See {key} for the details.", "We follow it up in {key}.",
            "For your reference: {key}.", "{key} covers this.",
            "Progress is visible at {url}"),
    subjects_with_key=("[{key}] {topic}", "{key}: {topic}", "{topic} ({key})", "{topic} - {key}"),
    reply_prefixes=("Re:", "RE:"),
    forward_prefixes=("Fwd:", "FW:"),
    quotes=(gmail, apple, outlook),
    forwards=(gmail_forward, apple_forward),
    signatures=("-- \n{name}\nPhone +44 20 7946 0{number}", "Best regards\n{name}", "Kind regards,\n\n{name}",
                "Thanks\n{name}\n\nSent from my iPhone", "--\n{name} | Operations | +1 555 0{number}"),
    template_subjects=("Request for quotation", "New order", "Access request", "Change request", "Support needed"),
    forward_notes=("FYI, see below.", "Please take care of this one.", "This came in today."),
)  # fmt: skip
"""The family used for tuning."""
