"""The steps of "can this Jira be read?", each with words for an admin, up to the first that fails."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import HubError, Misconfigured, Step
from connectors.jira.options import JiraOptions
from connectors.jira.session import Session
from connectors.jira.shapes import moment, obj, rows, word
from connectors.transport import NotFound, Refused

_SKEW = timedelta(minutes=2)


async def steps(session: Session, options: JiraOptions, now: Callable[[], datetime]) -> AsyncIterator[Step]:
    """Ask step by step. Never raises HubError."""
    asks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("edition", lambda: _address(session, options)),
        ("sign-in", lambda: _sign_in(session)),
        *((f"project {key}", _project(session, key)) for key in options.projects),
        ("issues", lambda: _issues(session, options)),
        ("clock", lambda: _clock(session, now)),
    ]
    for name, ask in asks:
        step = await _step(name, ask)
        yield step
        if not step.ok:
            return


async def _step(name: str, ask: Callable[[], Awaitable[str]]) -> Step:
    try:
        return Step(name, True, await ask())
    except NotFound:
        return Step(name, False, "Jira has nothing there. Look whether the address and the keys are right")
    except Refused as refusal:
        return Step(
            name, False, f"Jira refuses the question (HTTP {refusal.status}). Look at projects and further filter"
        )
    except HubError as error:
        return Step(name, False, str(error))


async def _address(session: Session, options: JiraOptions) -> str:
    info = obj(await session.get("serverInfo"))
    kind = word(info.get("deploymentType")) or "Server"
    if (kind == "Cloud") != (options.edition == "cloud"):
        raise Misconfigured(f"This is Jira {kind}", "Choose the other edition", "edition")
    return f"Jira {kind} {word(info.get('version')) or ''} answers".replace("  ", " ")


async def _sign_in(session: Session) -> str:
    me = obj(await session.get("myself"))
    name = word(me.get("displayName")) or "an account without a name"
    return f"Signed in as {name}; time zone {word(me.get('timeZone')) or 'not stated'}"


def _project(session: Session, key: str) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        try:
            project = obj(await session.get(f"project/{key}"))
        except NotFound:
            raise Misconfigured(
                f"There is no project {key}, or this account may not see it",
                "Correct the key, or give the account the permission Browse Projects",
                "projects",
            ) from None
        return f"May read {word(project.get('name')) or key}"

    return ask


async def _issues(session: Session, options: JiraOptions) -> str:
    """One issue of the filter, with its history."""
    scope = options.scope_jql or "updated >= 0"
    if options.edition == "datacenter":
        order = f"{options.scope_jql} ORDER BY updated DESC".strip()
        answer = await session.get("search", jql=order, maxResults=1, fields="id", expand="changelog")
        found = list(rows(obj(answer).get("issues")))
        return (
            "Sees issues and their history" if found and "changelog" in found[0] else "Sees no issue in the filter yet"
        )
    body: dict[str, Any] = {"jql": f"{scope} ORDER BY updated DESC", "maxResults": 1, "fields": ["id"]}
    answered = rows(obj(await session.post("search/jql", body)).get("issues"))
    found = [issue for issue in answered if word(issue.get("id"))]
    if not found:
        return "Sees no issue in the filter yet"
    await session.post("changelog/bulkfetch", {"issueIdsOrKeys": [str(found[0]["id"])], "maxResults": 1})
    return "Sees issues and their history"


async def _clock(session: Session, now: Callable[[], datetime]) -> str:
    theirs = moment(obj(await session.get("serverInfo")).get("serverTime"))
    if theirs is None:
        return "Jira does not tell its time"
    skew = abs(theirs - now())
    if skew > _SKEW:
        raise Misconfigured(
            f"Jira's clock and this machine's differ by {int(skew.total_seconds())} s",
            "Set the clock that is wrong (NTP)",
        )
    return f"Clocks agree: {skew.total_seconds():.0f} s apart"
