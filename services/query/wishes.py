"""What a person wants decided, with references as people give them; and what these mean."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.deciding import ANY, MOST, Noted, Wish
from pipelines.store import decisions
from pipelines.store.bulk import Bulk
from schemas.canonical import canonical_json, digest
from schemas.decisions import DecisionKind
from services.query import identities
from services.query.finding import LONGEST, Found, find
from services.query.gone import Gone

LONGEST_REASON = 1_000
LONGEST_NAME = 200
NEWEST = 2**63 - 1
"""What the database can count to."""
_SHOWN = 10

_LINE = r"^[^\x00-\x1f\x7f]*$"

Reference = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Number = Annotated[int, Field(strict=True, ge=1, le=NEWEST)]

Ends = tuple[tuple[str, ...], tuple[str, ...]]
"""The two sides of a wish."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=_LINE)
    ] = Field(
        default_factory=str, examples=["Anna Berg"],
        description="Who decides, in one line: whoever asks, if it is left out. Another name may only be given where "
        "the hub is open to its own machine",
    )  # fmt: skip
    reason: Annotated[str, StringConstraints(max_length=LONGEST_REASON)] = Field(
        default="", description="Why, for whoever asks later", examples=["Agreed on the phone"]
    )


class Link(_Said):
    """Two things belong together."""

    kind: Literal["link"]
    a: Reference = Field(
        description="A key, an address, a Message-ID, a number or an artifact's id", examples=["PAY-12"]
    )
    b: Reference = Field(description="The other, likewise", examples=["https://acme.example/browse/PAY-31"])


class Unlink(_Said):
    """Two things do not belong together."""

    kind: Literal["unlink"]
    a: Reference = Field(examples=["PAY-12"])
    b: Reference = Field(examples=["PAY-31"])


class Merge(_Said):
    """Two requests are one."""

    kind: Literal["merge"]
    requests: list[Reference] = Field(
        min_length=2, max_length=2, description="Their ids, or references of what is in them",
        examples=[["R-MZXW6YTBOI3D", "R-GEZDGNBVGY3T"]],
    )  # fmt: skip


class Split(_Said):
    """Some of a request's artifacts belong together, and not to the others."""

    kind: Literal["split"]
    request: Reference = Field(examples=["R-MZXW6YTBOI3D"])
    artifacts: list[Reference] = Field(min_length=1, max_length=MOST, description="What leaves it",
                                       examples=[["PAY-31"]])  # fmt: skip


class NoRequest(_Said):
    """These are no request and part of none."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["artifacts"]}, {"required": ["request"]}]})

    kind: Literal["no request"]
    artifacts: list[Reference] = Field(
        default_factory=list, min_length=1, max_length=MOST, examples=[["<news.7@shop.example>"]]
    )
    request: Reference = Field(default_factory=str, description="All that is in it now", examples=["R-MZXW6YTBOI3D"])

    @model_validator(mode="after")
    def _one(self) -> "NoRequest":
        if bool(self.artifacts) is bool(self.request):
            raise PydanticCustomError("one_of", "either")
        return self


class _People(_Said):
    identities: list[Reference] = Field(
        min_length=2, max_length=2, description="Ids of identities, e-mail addresses, or connection:address",
        examples=[["jira-acme/account/5b10a2", "mail/address/anna@home.example"]],
    )  # fmt: skip


class SamePerson(_People):
    """Two identities are of one person."""

    kind: Literal["same person"]


class OtherPerson(_People):
    """Two identities are of two people."""

    kind: Literal["other person"]


class Undo(_Said):
    """An earlier decision no longer holds; an undo can be undone too."""

    kind: Literal["undo"]
    decision: Number = Field(description="Its number", examples=[1])


Asked = Annotated[
    Link | Unlink | Merge | Split | NoRequest | SamePerson | OtherPerson | Undo, Field(discriminator="kind")
]


class Unresolved(Exception):
    """A reference that does not lead to the one thing that is needed.

    candidates: what it may mean. choices: these, each as it may be given, with what it is. missing: there is no such
    thing; gone: what is known of one that there was.
    """

    def __init__(
        self, field: str, what: str, mend: str, candidates: Sequence[str] = (), *, choices: Sequence[str] = (),
        missing: bool = False, gone: Gone | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{field} {what}. {mend}")
        self.missing = missing
        self.gone = gone
        self.field = field
        self.what = what
        self.mend = mend
        self.candidates = tuple(candidates)
        self.choices = tuple(choices)


async def resolved(connection: AsyncConnection, asked: Asked) -> Ends:
    """The two sides of the wish, as Wish takes them. Raises Unresolved; takes a fixed number of statements."""
    if isinstance(asked, Undo):
        return (), ()
    if isinstance(asked, _People):
        one, other = await _identities(connection, asked.identities, joins=isinstance(asked, SamePerson))
        return (one,), (other,)
    fields = list(_references(asked))
    found = dict(zip([name for name, _ in fields], await find(connection, [text for _, text in fields]), strict=True))
    return _sides(asked, found)


def _references(asked: Asked) -> Iterable[tuple[str, str]]:
    """(field, reference) of everything that the wish names."""
    if isinstance(asked, Link | Unlink):
        return [("a", asked.a), ("b", asked.b)]
    if isinstance(asked, Merge):
        return _listed("requests", asked.requests)
    assert isinstance(asked, Split | NoRequest)
    whole = [("request", asked.request)] if asked.request else []
    return [*whole, *_listed("artifacts", asked.artifacts)]


def _listed(field: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"{field}.{place}", text) for place, text in enumerate(texts)]


def _sides(asked: Asked, found: Mapping[str, Found]) -> Ends:
    if isinstance(asked, Link | Unlink):
        return (_artifact("a", found["a"]),), (_artifact("b", found["b"]),)
    if isinstance(asked, Merge):
        one, other = (_request(name, each) for name, each in found.items())
        if one == other:
            raise Unresolved("requests", "are one request already", "Name two different requests")
        return (one,), (other,)
    whole = _request("request", found["request"]) if "request" in found else None
    artifacts = [_artifact(name, each, whole) for name, each in found.items() if name != "request"]
    return tuple(dict.fromkeys(artifacts)), (whole,) if whole else ()


def _artifact(field: str, found: Found, request: str | None = None) -> str:
    """The one artifact meant: one of this request, if any is."""
    known = [one for one in found.artifacts if request and one.request == request] or list(found.artifacts)
    if len(known) == 1:
        return known[0].artifact
    if not known:
        raise _unread(field, found.gone)
    names = [one.artifact for one in known]
    raise Unresolved(field, f"may mean {len(names)} things", f"Give the id of one: {_some(names)}", names)


def _request(field: str, found: Found) -> str:
    if not found.artifacts:
        raise _unread(field, found.gone)
    requests = sorted({one.request for one in found.artifacts if one.request})
    if len(requests) == 1:
        return requests[0]
    if not requests:
        raise Unresolved(field, "is in no request", "Name something that is in one, or link it", missing=True)
    raise Unresolved(field, f"leads to {len(requests)} requests", f"Give the id of one: {_some(requests)}", requests)


def _unread(field: str, gone: Gone | None) -> Unresolved:
    mend = "Give a key, an address, a Message-ID, a number or an artifact's id"
    became = f": {gone.said[0].lower()}{gone.said[1:]}" if gone else ""
    return Unresolved(field, f"names nothing that is read so far{became}", mend, missing=True, gone=gone)


async def concerned(
    connection: AsyncConnection, request: str | None, artifact: str | None, identity: str | None
) -> tuple[list[str] | None, str | None]:
    """What filters of decisions mean: names (None: no matter which), and a request. Raises Unresolved."""
    names: set[str] | None = None
    if identity is not None:
        (found,) = await identities.named(connection, [identity])
        names = {*found, identity}
    if artifact is not None:
        (lead,) = await find(connection, [artifact])
        # What a person said about a thing stays, also where nothing else is known of it any more.
        artifacts = {one.artifact for one in lead.artifacts} | {artifact}
        names = artifacts if names is None else names & artifacts
    return None if names is None else sorted(names), await _filter_request(connection, request)


async def _filter_request(connection: AsyncConnection, reference: str | None) -> str | None:
    if reference is None:
        return None
    (lead,) = await find(connection, [reference])
    requests = sorted({one.request for one in lead.artifacts if one.request})
    if len(requests) > 1:
        told = f"Give the id of one: {_some(requests)}"
        raise Unresolved("request", f"leads to {len(requests)} requests", told, requests)
    return requests[0] if requests else reference


async def _identities(connection: AsyncConnection, texts: Sequence[str], *, joins: bool) -> list[str]:
    """The identity that each text names. joins: of several that bear an address the first stands for all, since they
    are one person already, unless a decision says otherwise."""
    found = []
    for place, names in enumerate(await identities.named(connection, texts)):
        field = f"identities.{place}"
        if not names:
            told = "Give the id of an identity, its e-mail address, or connection:address"
            raise Unresolved(field, "is nobody that is read so far", told, missing=True)
        if len(names) > 1 and not (joins and await _one_person(connection, names)):
            choices = await identities.told(connection, texts[place], names)
            what = f"is the address of {len(names)} identities"
            raise Unresolved(field, what, "Say which is meant", names, choices=choices)
        found.append(names[0])
    if len(set(found)) == 1:
        raise Unresolved("identities", "are one identity", "Name two different ones")
    return found


async def _one_person(connection: AsyncConnection, names: Sequence[str]) -> bool:
    held = (await decisions.load(Bulk(connection), names)).held
    return not any(any(one.parted) for one in held)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def wish_of(
    asked: Asked, ends: Ends, made_on: frozenset[str] = frozenset({ANY}), key: str | None = None,
    noted: Noted | None = None,
) -> Wish:  # fmt: skip
    """The wish, on what its references lead to."""
    return Wish(
        DecisionKind(asked.kind), asked.by, asked.reason, *ends, asked.decision if isinstance(asked, Undo) else None,
        made_on, key, digest_of(asked), noted,
    )  # fmt: skip


def digest_of(asked: Asked) -> str:
    """What was asked, for telling whether the same is asked again."""
    return digest(canonical_json(asked.model_dump()))
