"""One request's page of a record that has everything in it, of one that has nothing, and of a very large one."""

import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.access import THIS_MACHINE
from schemas.records import (
    Amount,
    ArtifactView,
    Current,
    Dependency,
    Expected,
    Holder,
    LastSaid,
    LifecycleRecord,
    LinkView,
    NotMapped,
    Outcome,
    PersonView,
    Piece,
    Programme,
    Progress,
    Span,
    StageView,
    StatedDate,
    Timeline,
    TimelineEntry,
    UnmappedStatus,
)
from services.web.site import create_site
from tests.services.query.conftest import BASE, NOW
from tests.services.web.test_site import As

ID = "R-MZXW6YTBOI3D"
DAY = timedelta(days=1)


def person(number: int, **more: Any) -> PersonView:
    told = {"name": f"Person {number}", "address": f"p{number}@example.com", "roles": ("assignee",)} | more
    return PersonView(id=f"mail/address/p{number}@example.com", **told)


def artifact(number: int, **more: Any) -> ArtifactView:
    told: dict[str, Any] = {
        "title": f"A part of the whole <{number}>", "type": "Story", "status": "In Progress", "stage": "development",
        "state": "active", "mapped_by": "A story is built", "entered": NOW - 10 * DAY, "history": "complete",
        "assignee": person(1).id, "created_at": NOW - 40 * DAY, "why": f"PAY-{number} is part of PAY-1",
        "url": f"https://acme.example/browse/PAY-{number}", "natural_key": f"PAY-{number}",
    } | more  # fmt: skip
    told |= {"connection": "jira-acme", "connector": "jira", "kind": "issue", "native_id": str(number)}
    return ArtifactView(id=f"jira-acme/issue/{number}", **told)


def stage(name: str, *spans: Span, standing: Any = "left") -> StageView:
    return StageView(
        stage=name, gate="any", standing=standing, entered=spans[0].entered if spans else None,
        left=spans[-1].left if spans else None, rounds=len(spans), active_seconds=0, waiting_seconds=0, spans=spans,
    )  # fmt: skip


def span(number: int, begin: int | None, end: int | None, *, waiting: bool = False, is_open: bool = False) -> Span:
    """From so many days ago until so many days ago."""
    entered = NOW - begin * DAY if begin is not None else None
    left = NOW - end * DAY if end is not None else None
    piece = Piece(entered=entered, left=left, open=is_open, state="waiting" if waiting else "active")
    return Span(round=number, entered=entered, left=left, open=is_open, active_seconds=0, waiting_seconds=0,
                pieces=(piece,), pieces_total=1)  # fmt: skip


def entry(number: int) -> TimelineEntry:
    return TimelineEntry(
        key=f"k{number}", kind="status changed", at=NOW - 40 * DAY + number * timedelta(hours=1),
        artifact="jira-acme/issue/1", words=f"Person 1 moved PAY-1 from one status to the next one, number {number}",
    )  # fmt: skip


def record(**more: Any) -> LifecycleRecord:
    """Of which nothing is known but that it is there."""
    told: dict[str, Any] = {
        "id": ID, "title": None, "requester": None, "holder": None, "stages": (stage("alignment", standing="current"),),
        "current": Current(stage="alignment", stage_since=None, state=None, state_since=None), "artifacts": (),
        "timeline": Timeline(total=0), "expected": Expected(what="unknown", words="Nobody knows", stage=None),
        "progress": Progress(done=0, total=0), "not_mapped": NotMapped(artifacts=0, of=0), "created_at": None,
        "changed_at": None,
    } | more  # fmt: skip
    return LifecycleRecord(**told)


def everything() -> LifecycleRecord:
    said = LastSaid(at=NOW - DAY, by=None, by_name="Person 1", artifact="m", words="We are on it")
    waits = Dependency(artifact="jira-acme/issue/1", other="jira-acme/issue/9", other_key="PAY-9", other_title="Rates",
                       other_url="https://acme.example/browse/PAY-9", other_state="active", open=True,
                       since=NOW - 5 * DAY)  # fmt: skip
    over = waits.model_copy(update={"other_key": "PAY-8", "open": False})
    return record(
        title="Payroll <portal>", requester=person(2), people=(person(1), person(2), person(3, machine=True)),
        holder=Holder(person=person(1), since=NOW - 3 * DAY, artifact="jira-acme/issue/1"), business_unit="Finance",
        current=Current(stage="development", stage_since=NOW - 20 * DAY, state="waiting", state_since=NOW - 5 * DAY,
                        waiting="blocked", round=2, reopened=1),
        stages=(
            stage("alignment", span(1, 40, 35)), stage("requirements", span(1, None, 30)),
            stage("development", span(1, 30, 25), span(2, 20, None, waiting=True, is_open=True), standing="current"),
            stage("change", span(1, 25, 20)), stage("improvement", standing="ahead"),
        ),
        timeline=Timeline(entries=tuple(map(entry, range(30))), total=31), artifacts=(artifact(1), artifact(2)),
        links=(LinkView(left="jira-acme/issue/1", right="jira-acme/issue/2", relation="parent", effect="joins",
                        evidence="explicit", why="PAY-2 is part of PAY-1"),),
        blocked_by=(waits, over), blocks=(waits.model_copy(update={"other_key": "PAY-7"}),),
        programmes=(Programme(artifact="e", natural_key="PAY-100", title="One platform", url=None),),
        dates=(StatedDate(meaning="due", value="2026-03-01", artifact="jira-acme/issue/1"),
               StatedDate(meaning="target", value="2026-05-01", artifact="jira-acme/issue/2")),
        priority="High", amount=Amount(value="12000.00", currency="EUR"), last_said=said,
        not_mapped=NotMapped(artifacts=1, of=2, statuses=(
            UnmappedStatus(connection="jira-acme", kind="issue", type="Story", status="Parked", artifacts=1),)),
        created_at=NOW - 40 * DAY, changed_at=NOW - DAY,
    )  # fmt: skip


def site_of(told: LifecycleRecord, **more: Any) -> httpx2.AsyncClient:
    """The site around an API that has one request."""

    async def answer(request: Request) -> Response:
        fresh = {"connection": "jira-acme", "connector": "jira", "state": "reading", "problem": None,
                 "true_up_to": "2026-04-01T11:58:00Z", "first_read_done": True}  # fmt: skip
        body = {"request": told.model_dump(mode="json"), "etag": "e", "change": 1, "problem": None,
                "summary": "In development (round 2)", "freshness": [fresh]} | more  # fmt: skip
        return JSONResponse(body)

    async def changes(_: Request) -> Response:
        return JSONResponse({"items": [], "next": 0, "latest": 1})

    api = Starlette(routes=[Route("/v1/requests/{id}", answer), Route("/v1/changes", changes)])
    site = create_site(api, As(THIS_MACHINE), lambda: NOW)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=BASE)


async def page_of(told: LifecycleRecord, query: str = "", **more: Any) -> str:
    async with site_of(told, **more) as http:
        answer = await http.get(f"/requests/{ID}{query}")
    assert answer.status_code == 200
    return answer.text


def text_of(page: str) -> str:
    """Without tags."""
    return re.sub(r"<[^>]*>", "", page)


async def test_everything_that_is_known_is_shown() -> None:
    page = await page_of(everything(), problem="The mapping failed")
    for words in (
        "Payroll &lt;portal&gt;", "In development (round 2)", "is blocked", "The mapping failed", "Parked",
        "2 rounds", "length not known", "when it began is not known", "Person 1, for 3 days",
        "PAY-9 Rates", "since 27 Mar", "PAY-7", "1 Mar", ", over", "1 May", "says PAY-2", "High", "Finance",
        "12\u202f000 EUR", "One platform", "We are on it", "All that happened (31)", "PAY-2 is part of PAY-1",
        "A part of the whole &lt;1&gt;", "People (2)", "1 time", "In it (2)",
    ):  # fmt: skip
        assert words in text_of(page), words
    assert 'fill="url(#hatch-development)"' in page
    assert "PAY-8" not in page  # it is done: nothing waits for it any more


async def test_of_what_nothing_is_known_nothing_is_claimed() -> None:
    page = await page_of(record())
    for words in ("Nothing that may be shown has a title", "Nobody knows", "nobody is assigned", "no state",
                  "Nothing is known to have happened"):  # fmt: skip
        assert words in page, words
    assert "Due" not in page


async def test_how_it_ended() -> None:
    ended = everything().model_copy(update={
        "outcome": Outcome(result="cancelled", reason="Won't do", at=NOW - DAY, artifact="x"), "holder": None,
        "current": Current(stage="development", stage_since=None, state="cancelled", state_since=NOW - DAY),
    })  # fmt: skip
    page = await page_of(ended)
    assert "cancelled: Won&#39;t do, 31 Mar" in text_of(page)
    assert "nobody: it is cancelled" in page
    assert ", over" not in page


@pytest.mark.parametrize("zoom", ["life", "30", "7", "nonsense"])
async def test_a_part_of_its_life(zoom: str) -> None:
    page = await page_of(everything(), f"?show={zoom}")
    shown = page.count('class="mark step"') - 1  # one more explains it
    assert (shown > 0) is (zoom not in ("30", "7"))
    assert ("Nothing happened in this time, " in page) is (zoom in ("30", "7"))


async def test_one_goes_along_its_life_part_by_part() -> None:
    newest = await page_of(everything(), "?show=7")
    earlier = re.search(r'href="\?show=7&amp;to=([\d-]+)#life" rel="prev"', newest)
    assert earlier
    assert earlier[1] == (NOW - 7 * DAY).date().isoformat()
    assert 'rel="next"' not in newest
    oldest = await page_of(everything(), f"?show=7&to={(NOW - 300 * DAY).date()}")
    assert 'rel="prev"' not in oldest
    assert 'rel="next"' in oldest
    assert oldest.count('class="mark step"') > 1
    assert "number 29" in oldest  # the list tells the same part
    assert "number 29" not in await page_of(everything(), "?show=7&to=someday")


async def test_a_very_large_one_stays_a_page() -> None:
    many = 3_000
    parts = tuple(artifact(number) for number in range(many))
    links = tuple(
        LinkView(left=parts[0].id, right=one.id, relation="parent", effect=effect, evidence="explicit", why=one.why)
        for one in parts
        for effect in ("joins", "mentions")
    )
    people = tuple(person(number) for number in range(500))
    entries = Timeline(entries=tuple(map(entry, range(200))), total=90_000)
    large = everything().model_copy(update={"artifacts": parts, "links": links, "people": people, "timeline": entries})
    page = await page_of(large)
    assert len(page.encode()) < 100_000
    assert "The other 2960" in page
    assert "and 460 more" in page
