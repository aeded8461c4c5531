"""Every link of every page leads somewhere."""

import re
from collections import deque
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

_LINK = re.compile(r'(?:href|src|action)="([^"]*)"')
_MOST = 250
"""Pages that are looked at: every kind among them, since those of one kind come one after the other."""


def needs_a_script(page: str) -> list[str]:
    """What on a page does nothing without one: a button outside a form, a form that says not where it goes or cannot
    be sent, a link that leads nowhere."""
    forms = re.findall(r"<form\b.*?</form>", page, re.DOTALL)
    found = [one[:80] for one in forms if " action=" not in one.partition(">")[0] or "<button" not in one]
    outside = re.sub(r"<form\b.*?</form>", "", page, flags=re.DOTALL)
    found += re.findall(r"<button[^>]*>", outside)
    return found + re.findall(r'href="(?:#|javascript:[^"]*)"| on\w+="[^"]*"', page)


@pytest.mark.timeout(240)
async def test_no_link_leads_nowhere(hub: str) -> None:
    waiting, seen = deque(["/"]), {"/"}
    wrong: list[tuple[str, int | str]] = []
    kinds: dict[str, int] = {}
    async with httpx2.AsyncClient(base_url=hub, timeout=30) as http:
        while waiting and len(kinds) < _MOST:
            path = waiting.popleft()
            answer = await http.get(path)
            if answer.status_code not in (200, 303, 308, 405):  # 405: where a form is sent to
                wrong.append((path, answer.status_code))
            if "html" not in answer.headers.get("content-type", ""):
                continue
            wrong += [(path, fault) for fault in needs_a_script(answer.text)]
            for found in _LINK.findall(answer.text):
                there = urlsplit(urljoin(path, unescape(found)))
                to = there.path + (f"?{there.query}" if there.query else "")
                kind = re.sub(r"R-\w+|S-\w+|\d+|[0-9a-f]{12,}", "*", to.split("cursor=")[0])
                kinds[kind] = kinds.get(kind, 0) + 1
                # Three of a kind say as much as all of them.
                if not there.netloc and to not in seen and kinds[kind] <= 3 and not to.startswith("/v1/changes"):
                    seen.add(to)
                    waiting.append(to)
    assert wrong == []
    assert len(seen) > 40
