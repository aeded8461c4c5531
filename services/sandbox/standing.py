"""What a sandbox keeps on disk, so that the same company is there again after a restart: a few numbers and times.

The tools hold everything in memory. The company is made anew from its seed and the moment it began, and what happened
live since then is played again at the times it had.
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from schemas.errors import Misconfigured

TOOLS = ("jira", "hubspot", "mail")


@dataclass(frozen=True, slots=True)
class Standing:
    """One sandbox. ports: by tool; those of the last start, so that addresses stay."""

    began: str
    seed: int = 7
    requests: int = 40
    months: int = 6
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def began_at(self) -> datetime:
        """When it was first started: everything before is its past."""
        return datetime.fromisoformat(self.began)


class Folder:
    """Where it lies. Only one sandbox at a time may hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._company, self._lived = path / "company.json", path / "lived.jsonl"

    @classmethod
    @contextlib.contextmanager
    def held(cls, path: Path) -> Iterator[Self]:
        """The folder, made if it is not there. Raises Misconfigured where another sandbox holds it."""
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Misconfigured(
                    "Another sandbox runs on this data", "Stop it first, or set THROUGHLINE_DATA_DIR to another folder"
                ) from None
            yield cls(path)

    def load(self, otherwise: Standing) -> Standing:
        """The sandbox that was here before, or `otherwise`. Raises Misconfigured for a damaged file."""
        try:
            found = Standing(**json.loads(self._company.read_text("utf-8")))
            datetime.fromisoformat(found.began)
        except FileNotFoundError:
            return otherwise
        except (ValueError, TypeError):
            raise _damaged(self._company) from None
        return found

    def keep(self, standing: Standing, ports: dict[str, int]) -> None:
        """Write it down, as a whole or not at all."""
        beside = self._company.with_suffix(".new")
        beside.write_text(json.dumps(asdict(replace(standing, ports=ports))), "utf-8")
        beside.replace(self._company)

    def answer(self, requests: dict[str, list[str]]) -> None:
        """Keep the true answer as it is at the start, for who wants to compare."""
        (self.path / "truth.json").write_text(json.dumps(requests, indent=1, ensure_ascii=False), "utf-8")

    def lived(self) -> list[datetime]:
        """When each of the happenings after the beginning took place, in their order. Raises Misconfigured."""
        try:
            text = self._lived.read_text("utf-8")
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a crash cut the last line off: it did not take place
            self._lived.write_text(whole, "utf-8")
        try:
            return [datetime.fromisoformat(line) for line in whole.splitlines()]
        except ValueError:
            raise _damaged(self._lived) from None

    def live(self, at: datetime) -> bool:
        """Note the time of the next happening, before it takes place. False: there is no room for it now."""
        line = f"{at.isoformat()}\n".encode()
        with self._lived.open("ab", buffering=0) as file:
            before = file.tell()
            with contextlib.suppress(OSError):
                if file.write(line) == len(line):
                    return True
            with contextlib.suppress(OSError):
                file.truncate(before)
        return False


def _damaged(path: Path) -> Misconfigured:
    return Misconfigured(
        f"The sandbox's file {path} is damaged", f"Remove the folder {path.parent}: a new company begins there"
    )
