"""Issues that Jira lists and does not show: passed over once that is certain, so that the others are read.

For one damaged issue Jira may answer 500 for ever, or not in time. It is asked for again after the usual pauses; when
that failed often enough, and alone, while the same is shown of another issue, it is set aside until it changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import RetryLater, SetAside
from connectors.jira.reading import NotShown
from connectors.jira.shapes import obj, word
from schemas.canonical import canonical_json

ASKED = 5
"""So often an issue is asked for: with the pauses between, it takes more than a minute."""
_KINDS = {"comment": "the comments of ", "remotelink": "the remote links of ", "changelog": "the history of ", "": ""}


def others(issues: Sequence[dict[str, Any]], bad: str, doubts: Mapping[str, int]) -> list[str]:
    """The other issues of a page, those first that are in no doubt; each time it begins with other ones. None with a
    security level: their content stays in Jira."""
    found = [str(one["id"]) for one in issues if not obj(one.get("fields")).get("security")]
    found = sorted((one for one in found if one != bad), key=lambda one: one in doubts)
    first = max(0, doubts.get(bad, 0) - ASKED) % max(1, len(found))
    return found[first:] + found[:first]


def named(issue: dict[str, Any]) -> str:
    """The issue's key, or its id."""
    return word(issue.get("key")) or str(issue["id"])


def again(error: NotShown, issue: dict[str, Any], times: int) -> RetryLater:
    """Why reading stops here for now."""
    of = f"time {times} of {ASKED}, then it is set aside"
    if times >= ASKED:
        of = f"time {times}, and not over it alone: Jira is waited for"
    return RetryLater(f"{error.reason} over issue {named(issue)} ({of})", error.after)


def alone(error: RetryLater, issue: dict[str, Any]) -> RetryLater:
    """Why a search stops at one issue, and how to go on without it."""
    key = named(issue)
    return RetryLater(
        f"{error.reason} over issue {key}, which it lists, in a search for it alone. If that stays so, leave it out: "
        f"add `key != {key}` to the further filter (extra_jql)",
        error.after,
    )


def passed_over(error: NotShown, issue: dict[str, Any]) -> SetAside:
    """An issue that is certain not to be shown."""
    reason = (
        f"Jira answers, but does not show {_KINDS[error.kind]}this issue, asked {ASKED} times. Once Jira shows it, its "
        "next change brings it, or `connections reread` does"
    )
    raw = canonical_json({"id": issue["id"], "updated": word(obj(issue.get("fields")).get("updated"))})
    return SetAside(str(issue["id"]), reason, raw)
