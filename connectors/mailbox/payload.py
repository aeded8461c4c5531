"""The shape of a mail's source event: what `message` and `pull` write and `mapping` reads."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connectors.contract import BadRecord
from connectors.keeping import Keep
from connectors.mailbox.headers import first, message_ids

Pair = tuple[str, str]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)


class TextPart(_Strict):
    """A text of the mail, decoded."""

    path: str = ""
    within: str = ""
    """Path of the attached mail that holds it; "" for the mail's own."""
    type: str
    text: str = ""
    size: int = 0
    cut: bool = False


class AttachedFile(_Strict):
    """An attachment: never its content."""

    name: str
    type: str
    size: int


class AttachedMail(_Strict):
    """A mail attached to this one, or reported on by it."""

    path: str = ""
    headers: list[Pair]


class KeptWords(_Strict):
    """What is kept of a mail's texts, told apart before the rest was left out; see `body.Body`."""

    written: str = ""
    quoted: str = ""
    footer: str = ""
    attached: str = ""
    forwarded: dict[str, str] = Field(default_factory=dict)
    reported: list[str] = Field(default_factory=list)
    undelivered: list[str] | None = None


class MailPayload(_Strict):
    """A mail as the server gave it, or (with `words` and `kind`) what is kept of it."""

    headers: list[Pair]
    """Unfolded, RFC 2047 words not decoded."""
    internal_date: AwareDatetime | None = None
    """When the server received it."""
    folder: str = ""
    texts: list[TextPart] = Field(default_factory=list)
    attachments: list[AttachedFile] = Field(default_factory=list)
    mails: list[AttachedMail] = Field(default_factory=list)
    own: bool = False
    """Sent by one of the mailbox's own addresses, as the connection lists them."""
    keep: Keep = "excerpt"
    """What the connection keeps of the content."""
    words: KeptWords | None = None
    """None: the texts stand whole in `texts`."""
    kind: str | None = None
    """What kind of mail it is (see `kinds`), where the headers that say so are left out."""


def read_payload(payload: dict[str, Any]) -> MailPayload:
    """The payload, typed. Raises BadRecord naming the first field that is wrong, never its content."""
    try:
        return MailPayload.model_validate(payload)
    except (ValidationError, RecursionError) as error:
        place = "payload"
        if isinstance(error, ValidationError):
            first = error.errors(include_input=False, include_context=False, include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"]) or place
        raise BadRecord(f"{place} is not as the mailbox connector writes it") from None


def message_id_of(payload: dict[str, Any]) -> str:
    """The Message-ID in a payload, in its normal form; "" where it has none."""
    pairs = [(str(name), str(value)) for name, value in payload.get("headers", ())]
    return next(iter(message_ids(first(pairs, "Message-ID"))), "")
