"""What of a request is compared with another: a few of its artifacts, each as the words, people and times it shows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from pipelines.correlate.evidence import bare_subject
from pipelines.search import terms
from schemas.artifacts import EVIDENCE_ORDER, Evidence, Reference
from schemas.canonical import digest

FACES = 6
"""Artifacts of a request that are compared, oldest first; further ones with the same title and people add nothing."""
TITLE_TERMS, TEXT_TERMS, PEOPLE, MARKS, NAMED = 12, 60, 10, 8, 10
"""The most that is kept of one artifact."""
DIGEST = 5
"""A text that names more things than this says nothing about any of them."""

_KEY = re.compile(r"\[?\(?\b[A-Z][A-Z0-9_]+-[0-9]+\b\)?\]?")
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]{4,60})[\"”“»]")
_NUMBER = re.compile(r"(?<![\w-])#?([0-9]{4,12})(?![\w-])")
_NAME = re.compile(r"\b[A-ZÀ-ÞА-Я][\w'-]+(?: (?:[A-ZÀ-ÞА-Я][\w'-]+|[0-9]{1,6}))+")
_YEARS = range(1980, 2100)
_KINDS_NAMED = ("jira.key", "hubspot.deal", "hubspot.ticket")


@dataclass(frozen=True, slots=True)
class Told:
    """An artifact as it is stored. fields: by name; people: identity id to the keys by which the person is known."""

    id: str
    connector: str
    kind: str
    fields: Mapping[str, Any]
    references: Sequence[Reference] = ()


@dataclass(frozen=True, slots=True)
class Face:
    """One artifact, as it is compared. Words are `search.terms`; people are keys of persons (see `people.keys`)."""

    artifact: str
    connector: str
    kind: str
    at: int | None
    """Minutes since 1970; None: its tool does not say."""
    title: tuple[str, ...] = ()
    """Without prefixes of answers and forwards, and without keys."""
    answers: bool = False
    """The title begins as that of an answer or a forward does."""
    automatic: bool = False
    """Written by a machine, or sent to a list."""
    requesters: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Everybody else on it."""
    company: str = ""
    """The business unit, or the domain of the requester's address."""
    text: tuple[str, ...] = ()
    """Words of its own text."""
    marks: tuple[str, ...] = ()
    """Numbers and quoted words."""
    names: tuple[str, ...] = ()
    """Capitalised words that stand side by side in its text, two by two."""
    known_as: tuple[str, ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    """(value, evidence) of what it names."""
    forwarded_from: tuple[str, ...] = ()
    forwarded: tuple[str, ...] = ()
    """The title of the mail that it passes on in its text."""
    forwarded_at: str = ""
    """The time of that mail, as it stands there."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A request, or an artifact that is in none."""

    name: str
    """The request's id, or the artifact's."""
    size: int
    kinds: tuple[str, ...]
    """Kinds of artifacts that it holds and that stand on their own feet: issue, deal, ticket, mail."""
    connectors: tuple[str, ...]
    begun: str
    """When its oldest artifact was created; `~` where no tool says."""
    faces: tuple[Face, ...]
    decided: tuple[int, ...] = ()
    """Numbers of the decisions that name something of it: what follows for it changes with them."""

    def told(self) -> dict[str, Any]:
        """As JSON values, without what is empty."""
        faces = [{key: value for key, value in asdict(face).items() if value not in ((), "", None)}
                 for face in self.faces]  # fmt: skip
        return {"name": self.name, "size": self.size, "kinds": self.kinds, "connectors": self.connectors,
                "begun": self.begun, "decided": self.decided, "faces": faces}  # fmt: skip

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Unit":
        """What `told` gave, through JSON."""
        faces = tuple(Face(**{"at": None} | {key: _tuple(value) for key, value in face.items()})
                      for face in told["faces"])  # fmt: skip
        return cls(told["name"], told["size"], tuple(told["kinds"]), tuple(told["connectors"]), told["begun"], faces,
                   tuple(told["decided"]))  # fmt: skip


def _tuple(value: Any) -> Any:
    return tuple(_tuple(each) for each in value) if isinstance(value, list | tuple) else value


def unit(
    name: str, size: int, members: Iterable[Told], people: Mapping[str, tuple[str, ...]], decided: Iterable[int] = ()
) -> Unit | None:
    """A unit of its oldest members; None where nothing of it can be compared.

    people: identity id to the person's keys; of machines none.
    """
    stand = [one for one in members if not one.fields.get("merged_into") and not one.fields.get("deleted")]
    stand.sort(key=lambda one: (one.fields.get("created_at") or "~", one.id))
    faces: dict[tuple[Any, ...], Face] = {}
    for one in stand:
        made = face(one, people)
        if made.title or made.requesters or made.named:
            faces.setdefault((made.kind, made.title, made.requesters, made.forwarded), made)
    if not faces:
        return None
    kinds = {_kind(one) for one in stand} - {""}
    connectors = {one.connector for one in stand}
    begun = stand[0].fields.get("created_at") or "~"
    return Unit(
        name, size, tuple(sorted(kinds)), tuple(sorted(connectors)), begun, tuple(faces.values())[:FACES],
        tuple(sorted(decided)),
    )  # fmt: skip


def _kind(told: Told) -> str:
    if told.kind == "issue" and (told.fields.get("type_level") or 0) != 0:
        return ""
    return told.kind if told.kind in {"issue", "deal", "ticket", "mail"} else ""


def face(told: Told, people: Mapping[str, tuple[str, ...]]) -> Face:
    """One artifact as it is compared."""
    fields = told.fields
    title, text = fields.get("title") or "", fields.get("excerpt") or ""
    requesters = people.get(fields.get("requester") or "", ())
    others = _others(fields, people)
    passed_on = fields.get("forwarded") or {}
    known_as, named = _named(told.references)
    return Face(
        artifact=told.id,
        connector=told.connector,
        kind=told.kind,
        at=_minutes(fields.get("created_at")),
        title=title_terms(title),
        answers=bare_subject(title) != " ".join(title.lower().split()),
        automatic=told.kind == "mail" and fields.get("type") not in {None, "", "person"},
        requesters=requesters,
        people=tuple(sorted(others - set(requesters)))[:PEOPLE],
        company=_company(fields, requesters),
        text=tuple(terms(text, TEXT_TERMS)),
        marks=_marks(f"{title}\n{text}"),
        names=_names(text),
        known_as=known_as,
        named=named,
        forwarded_from=tuple(sorted(_keys(fields, people, {"forwarded"})))[:2],
        forwarded=title_terms(passed_on.get("subject") or ""),
        forwarded_at=(passed_on.get("sent") or "")[:80],
    )


def title_terms(title: str) -> tuple[str, ...]:
    """The words of a title without the prefixes of answers and forwards, and without keys."""
    return tuple(terms(bare_subject(_KEY.sub(" ", title)), TITLE_TERMS))


def _others(fields: Mapping[str, Any], people: Mapping[str, tuple[str, ...]]) -> set[str]:
    return _keys(fields, people, None) | set(people.get(fields.get("assignee") or "", ()))


def _keys(fields: Mapping[str, Any], people: Mapping[str, tuple[str, ...]], roles: set[str] | None) -> set[str]:
    """Keys of who takes part: in these roles; None: in any but as the writer of what is passed on."""
    rows = fields.get("participants")
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    chosen = (row for row in named if (row.get("role") in roles if roles else row.get("role") != "forwarded"))
    return {key for row in chosen for key in people.get(row.get("identity") or "", ())}


def _company(fields: Mapping[str, Any], requesters: Sequence[str]) -> str:
    if fields.get("business_unit"):
        return " ".join(terms(str(fields["business_unit"])))
    return next((key.rpartition("@")[2] for key in requesters if "@" in key), "")


def _minutes(at: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(at).timestamp() // 60) if isinstance(at, str) else None
    except (ValueError, OverflowError):
        return None


def _marks(text: str) -> tuple[str, ...]:
    numbers = [found for found in _NUMBER.findall(text) if int(found) not in _YEARS]
    quoted = [" ".join(terms(found)) for found in _QUOTED.findall(text)]
    return tuple(dict.fromkeys(one for one in [*numbers, *quoted] if one))[:MARKS]


def _names(text: str) -> tuple[str, ...]:
    runs = [terms(found) for found in _NAME.findall(text)]
    return tuple(dict.fromkeys(f"{one} {other}" for run in runs for one, other in pairwise(run)))[:MARKS]


def _named(references: Iterable[Reference]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """What an artifact is known as, and what it names with the strongest evidence of each; nothing of a digest."""
    known: set[str] = set()
    named: dict[str, Evidence] = {}
    for one in references:
        if one.kind not in _KINDS_NAMED or one.evidence is Evidence.WITHDRAWN:
            continue
        if one.evidence is Evidence.IDENTITY:
            known.add(one.key)
        elif one.key not in named or EVIDENCE_ORDER[one.evidence] < EVIDENCE_ORDER[named[one.key]]:
            named[one.key] = one.evidence
    told = tuple((key, named[key].value) for key in sorted(named) if key not in known)
    return tuple(sorted(known))[:NAMED], told if len(told) <= DIGEST else ()


def hashed(*texts: str) -> str:
    """A short stand-in for texts."""
    return digest(*texts)[:20]
