"""What a dead letter says if it is read now: by this release, edited or not. Changes nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.contract import Connector
from pipelines.ingest import Ingest, place_of
from pipelines.store.dead_letters import sentence
from pipelines.store.facts import Telling
from schemas.artifacts import Evidence
from schemas.errors import BadRecord
from schemas.events import Undecodable, from_kafka
from services.admin.masking import masked
from services.feed import letters
from services.feed.letters import Letter

SAMPLE, SAMPLE_BYTES, SAMPLE_SECONDS = 200, 10_000_000, 3.0
"""Letters that are tried at most, how much of them, and how long."""
REFERENCES = 20
"""That are told of a letter."""
_STRONG = (Evidence.IDENTITY, Evidence.EXPLICIT, Evidence.TITLE)


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one letter."""

    problem: str | None
    """Why it still cannot be used; None: it can."""
    cause: str = ""
    """Of the problem."""
    telling: Telling | None = None

    @property
    def sentence(self) -> str:
        """The problem without ids and numbers."""
        return sentence(self.cause, self.problem or "")


@dataclass(slots=True)
class TriedAll:
    """What became of several."""

    looked: int = 0
    understood: int = 0
    fails: Counter[str] = field(default_factory=Counter)
    """Sentence to how many letters."""

    def add(self, one: Tried) -> None:
        """Count one more."""
        self.looked += 1
        if one.problem is None:
            self.understood += 1
        else:
            self.fails[one.sentence] += 1


class Trying:
    """Reads letters as ingest does, by the mappings of this release."""

    def __init__(self, engine: AsyncEngine, catalogue: Mapping[str, Connector], now: Callable[[], datetime]) -> None:
        mappings = {name: one.map for name, one in catalogue.items()}
        self._telling = Ingest(engine, mappings, now, "trying").telling

    def read(self, raw: bytes) -> Tried:
        """What one says."""
        try:
            return Tried(None, telling=self._telling(from_kafka(raw, ())))
        except (Undecodable, BadRecord) as error:
            return Tried(str(error), "bad record")
        except Exception as error:  # noqa: BLE001 - as in ingest: a fault of a mapping is told, and stops nothing
            return Tried(f"{place_of(error)}, a fault of this release", f"failed: {place_of(error)}")


async def try_all(connection: AsyncConnection, trying: Trying, those: Sequence[Letter]) -> TriedAll:
    """Try the first of these, within SAMPLE, SAMPLE_BYTES and SAMPLE_SECONDS."""
    found, clock = TriedAll(), asyncio.get_running_loop().time
    until, size = clock() + SAMPLE_SECONDS, 0
    for one in [each for each in those if each.replayable][:SAMPLE]:
        if size > SAMPLE_BYTES or clock() > until:
            break
        held = await letters.content(connection, one.id)
        if held is not None:
            raw = held[1] if held[1] is not None else held[0]
            size += len(raw)
            found.add(await asyncio.to_thread(trying.read, raw))
    return found


def yields(telling: Telling) -> dict[str, Any]:
    """What it would add, as JSON values, secrets masked."""
    mapped = telling.mapped
    status = mapped.fields.get("status")
    references = [one for part in telling.references.values() for one in part]
    told = {
        "artifact": mapped.artifact,
        "connection": mapped.connection,
        "kind": mapped.kind,
        **{name: _text(mapped.fields.get(name)) for name in ("title", "natural_key", "type", "url")},
        "status": _text(status.get("label")) if isinstance(status, Mapping) else None,
        "fields": sorted(mapped.fields),
        "activities": len(mapped.activities),
        "people": len(mapped.identities),
        "references": [
            {"kind": one.kind, "value": one.value, "evidence": one.evidence.value, "relation": one.relation}
            for one in references[:REFERENCES]
        ],
        "more_references": max(0, len(references) - REFERENCES),
    }
    return dict(masked(told))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def meets(telling: Telling) -> Sequence[str]:
    """The values by which it may join what is there."""
    every = (one for part in telling.references.values() for one in part)
    return sorted({one.key for one in every if one.evidence in _STRONG})[:REFERENCES]
