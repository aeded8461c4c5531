"""Old ids lead on for ever: after merges, splits and removals of what they were named after, by every way of asking."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import Deciding, Wish
from pipelines.ingest import Ingest
from pipelines.recompute import Recompute
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from schemas.access import THIS_MACHINE
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from services import migrations
from services.admin.audit import note
from services.admin.removal import Removal, ask
from services.cli.installation import Installation
from services.cli.lookup import lookup
from services.cli.terminal import EXIT_NOT_FOUND, Screen
from services.query.app import create_app
from services.web.site import create_site
from tests.pipelines.memos import map_memo, memo
from tests.services.cli.conftest import environment
from tests.services.query.conftest import BASE, NOW, fill
from tests.services.web.test_site import As

PAPER, NOTE, MEMO, OTHER = "papers/memo/1", "notes/memo/2", "memos/memo/3", "memos/memo/4"
"""The oldest first: each opens a request by itself."""
FIRST, SECOND, THIRD, FOURTH = map(request_id, (PAPER, NOTE, MEMO, OTHER))


@dataclass
class Hub:
    """The API, the pages and the command over one database."""

    engine: AsyncEngine
    http: httpx2.AsyncClient
    made: Installation

    async def told(self, artifact: str) -> None:
        """Read one thing, and publish what that changes."""
        connection, _, number = artifact.split("/")
        await fill(self.engine, [memo(int(number), connection=connection)])

    async def decided(self, kind: DecisionKind, left: str = "", right: str = "", undoes: int | None = None) -> int:
        """Take a decision, and publish what it changes."""
        wish = Wish(kind, "Anna Berg", left=(left,) if left else (), right=(right,) if right else (), undoes=undoes)
        outcome = await Deciding(self.engine, lambda: NOW).decide(wish)
        await self.settled()
        return outcome.decision.number

    async def removed(self, name: str, *, noted: bool = False) -> None:
        """Remove a connection with what it brought. noted: as a person does it."""
        async with writing(self.engine) as connection:
            await ask(connection, name, NOW)
            if noted:
                action = "connection.removed with what it brought"
                await note(connection, THIS_MACHINE, action, f"connection {name}", None, {}, NOW, None)
        telling = Ingest(self.engine, {"memo": map_memo}, lambda: NOW, "removal").telling
        assert await Removal(self.engine, telling, lambda: NOW, "removal").once()
        await self.settled()

    async def settled(self) -> None:
        """Compute what is left to compute, and publish it."""
        while await Recompute(self.engine, lambda: NOW, "recompute").once():
            pass
        await fill(self.engine, [])


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Hub]:
    """Three connections, of which the first two go later."""
    engine = open_engine(database_url)
    await migrations.upgrade(engine)
    async with writing(engine) as connection:
        for name in ("papers", "notes", "memos"):
            await write(connection, name, ConnectionConfiguration("jira", frozenset({name.upper()})))
    api = create_app(engine, lambda: NOW, access=As(THIS_MACHINE), keep_seconds=0)
    site = httpx2.ASGITransport(create_site(api, As(THIS_MACHINE), lambda: NOW))
    async with httpx2.AsyncClient(transport=site, base_url=BASE) as http:
        made = Hub(engine, http, Installation.of(environment(tmp_path, database_url)))
        for artifact in (PAPER, NOTE, MEMO, OTHER):
            await made.told(artifact)
        yield made
    await engine.dispose()


async def leads(hub: Hub, old: str, to: str) -> None:
    """Every way of asking for an id leads to that request."""
    assert await ways(hub, old) == {
        "id": to, "look-up": to, "why": to, "feed": to, "command": to, "page": to, "words": to,
    }, f"{old} should lead to {to}"  # fmt: skip


async def ways(hub: Hub, old: str) -> dict[str, str]:
    whole = await hub.http.get(f"/v1/requests/{old}", follow_redirects=True)
    assert {one.status_code for one in whole.history} <= {308}
    looked = (await hub.http.get("/v1/lookup", params={"reference": old})).json()["items"][0]
    page = await hub.http.get(f"/requests/{old}", follow_redirects=True, headers={"Accept": "text/html"})
    words = await hub.http.get("/find", params={"q": old}, follow_redirects=True, headers={"Accept": "text/html"})
    why = await hub.http.get("/v1/why", params={"from": old, "with": old})
    return {
        "id": whole.json()["request"]["id"],
        "look-up": " ".join(looked["requests"]),
        "why": why.json()["request"],
        "feed": await followed(hub, old),
        "command": await commanded(hub, old),
        "page": page.url.path.removeprefix("/requests/"),
        "words": words.url.path.removeprefix("/requests/"),
    }


async def followed(hub: Hub, name: str) -> str:
    """Where the feed, read from its beginning, says that an id leads."""
    told = (await hub.http.get("/v1/changes", params={"limit": 1000})).json()["items"]
    newest = {one["request"]: one["merged_into"] for one in told}
    while newest.get(name):
        name = newest[name]
    return name


async def commanded(hub: Hub, name: str) -> str:
    paper = io.StringIO()
    assert await lookup(hub.made, name, NOW, Screen(file=paper, width=100), as_json=False, as_of=None) == 0
    text = paper.getvalue()
    return next(word for word in text.removeprefix(f"{name} is part of").split() if word.startswith("R-"))


async def test_an_id_leads_on_over_everything_that_becomes_of_it(hub: Hub) -> None:
    """Merged twice in a row; what it leads to is removed, and what that leads to; both come back; all is undone."""
    low = await hub.decided(DecisionKind.MERGE, SECOND, THIRD)
    await leads(hub, THIRD, SECOND)
    high = await hub.decided(DecisionKind.MERGE, FIRST, SECOND)
    for old in (FIRST, SECOND, THIRD):
        await leads(hub, old, FIRST)

    await hub.removed("papers")
    for old in (FIRST, SECOND, THIRD):
        await leads(hub, old, SECOND)
    await hub.removed("notes")
    for old in (FIRST, SECOND, THIRD):
        await leads(hub, old, THIRD)

    await hub.told(NOTE)
    for old in (FIRST, SECOND, THIRD):
        await leads(hub, old, SECOND)
    await hub.told(PAPER)
    for old in (FIRST, SECOND, THIRD):
        await leads(hub, old, FIRST)

    await hub.decided(DecisionKind.UNDO, undoes=high)
    await leads(hub, FIRST, FIRST)
    await leads(hub, THIRD, SECOND)
    await hub.decided(DecisionKind.UNDO, undoes=low)
    await leads(hub, THIRD, THIRD)


async def test_a_split_leaves_the_id_with_the_older_part_and_what_went_leads_to_it(hub: Hub) -> None:
    await fill(hub.engine, [memo(4, version=2, parent=3)])
    await hub.decided(DecisionKind.MERGE, FIRST, THIRD)
    await leads(hub, FOURTH, FIRST)
    await hub.decided(DecisionKind.SPLIT, OTHER, FIRST)
    await leads(hub, FOURTH, FOURTH)
    await leads(hub, THIRD, FIRST)
    await hub.removed("papers")
    await leads(hub, FIRST, THIRD)
    await leads(hub, FOURTH, FOURTH)


async def test_an_id_of_which_nothing_is_left_says_what_became_of_it(hub: Hub) -> None:
    """With the change that told it, the removed connection and the decisions that name it; by every way of asking."""
    await hub.decided(DecisionKind.MERGE, FIRST, SECOND)
    await hub.removed("papers")
    await hub.removed("notes")
    changes = (await hub.http.get("/v1/changes", params={"limit": 1000})).json()["items"]
    ended = [one for one in changes if one["request"] == SECOND][-1]
    led = [one for one in changes if one["request"] == FIRST][-1]
    for old, last, says in (
        (SECOND, ended, "It was a request until 1 April 2026 (change {}); nothing of it is stored any more"),
        (FIRST, led, f"It became part of {SECOND} on 1 April 2026 (change {{}}), and nothing of that is stored any "
         "more either"),
    ):  # fmt: skip
        said = f"{says.format(last['number'])}; decision 1 names it"
        answer = await hub.http.get(f"/v1/requests/{old}")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:throughline:problem:unknown-request")
        assert answer.json()["detail"] == f"Nothing that is read so far has this request id. {said}."
        gone = answer.json()["gone"]
        assert (gone["change"], gone["at"], gone["merged_into"]) == (last["number"], last["at"], last["merged_into"])
        assert gone["decisions"] == [1]
        looked = (await hub.http.get("/v1/lookup", params={"reference": old})).json()["items"][0]
        assert (looked["outcome"], looked["requests"], looked["gone"]) == ("not found", [], gone)
        why = (await hub.http.get("/v1/why", params={"from": old, "with": OTHER})).json()
        assert why["detail"].endswith(f" {said}.")
        wish = {"kind": "link", "a": old, "b": OTHER, "by": "Anna Berg"}
        linked = (await hub.http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})).json()
        assert (linked["type"], linked["gone"]) == ("urn:throughline:problem:unresolved", gone)
        assert linked["detail"] == f"body.a names nothing that is read so far: {said[0].lower()}{said[1:]}."
        for path in (f"/requests/{old}", f"/find?q={old}"):
            page = await hub.http.get(path, follow_redirects=True, headers={"Accept": "text/html"})
            assert said in page.text, path
        assert said in " ".join((await words(hub, old)).split())


async def test_a_thing_whose_connection_was_removed_says_so(hub: Hub) -> None:
    await hub.decided(DecisionKind.LINK, PAPER, NOTE)
    await hub.removed("papers", noted=True)
    said = (
        "Nothing of it is stored any more; the connection papers was removed on 1 April 2026 with what it brought; "
        "decision 1 names it"
    )
    looked = (await hub.http.get("/v1/lookup", params={"reference": PAPER})).json()["items"][0]
    assert looked["gone"] == {"said": said, "at": None, "change": None, "merged_into": None, "decisions": [1]}
    assert f"{said}." in " ".join((await words(hub, PAPER)).split())
    other = (await hub.http.get("/v1/lookup", params={"reference": "papers/memo/77"})).json()["items"][0]
    assert other["gone"]["said"] == said.removesuffix("; decision 1 names it")
    never = (await hub.http.get("/v1/lookup", params={"reference": "letters/memo/77"})).json()["items"][0]
    assert never["gone"] is None


async def test_an_id_that_was_never_known_says_what_one_looks_like_and_what_is_read(hub: Hub) -> None:
    answer = (await hub.http.get("/v1/requests/R-AAAAAAAAAAAA")).json()
    assert answer["detail"] == "Nothing that is read so far has this request id."
    assert answer["mend"].startswith("A request id is R- and twelve capital letters and digits from 2 to 7, such as R-")
    assert "gone" not in answer
    assert "such as R-MZXW6YTBOI3D.\n" in await words(hub, "R-12")
    assert "gone" not in (await hub.http.get("/v1/why", params={"from": "R-AAAAAAAAAAAA", "with": OTHER})).json()


async def words(hub: Hub, name: str) -> str:
    """What the command says of what is not found."""
    paper = io.StringIO()
    screen = Screen(file=paper, width=100)
    assert await lookup(hub.made, name, NOW, screen, as_json=False, as_of=None) == EXIT_NOT_FOUND
    return paper.getvalue()
