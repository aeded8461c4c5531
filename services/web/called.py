"""What requests and artifacts are called: a page shows names, never bare ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.web.api import Api

_AT_ONCE = 100
"""References that one look-up takes."""


@dataclass(frozen=True, slots=True)
class Called:
    """Names by id. What is not known is called by its id."""

    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def artifact(self, name: str) -> str:
        """A thing in a tool, as people call it."""
        known = self.artifacts.get(name)
        if known is None:
            return name
        key = known["natural_key"] or known["native_id"]
        return str(key) if known["kind"] == "issue" else f"the {known['kind']} {key}"

    def url(self, name: str) -> str | None:
        """Where a thing is in its tool."""
        known = self.artifacts.get(name)
        return known["url"] if known else None

    def request(self, name: str) -> str:
        """A request by its title."""
        known = self.requests.get(name)
        return str(known["title"] or name) if known else name


async def called(api: Api, names: Iterable[str]) -> Called:
    """What these ids of requests and artifacts are called; at most the first 200 are looked up."""
    wanted = list(dict.fromkeys(names))[: 2 * _AT_ONCE]
    artifacts: dict[str, Mapping[str, Any]] = {}
    requests: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        told = await api.get("/v1/lookup", reference=wanted[start : start + _AT_ONCE])
        requests |= told["requests"]
        for item in told["items"]:
            artifacts |= {one["id"]: one for one in item["artifacts"]}
    return Called(artifacts, requests)
