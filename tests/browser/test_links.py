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


@pytest.mark.timeout(240)
async def test_no_link_leads_nowhere(hub: str) -> None:
    waiting, seen, wrong = deque(["/"]), {"/"}, []
    kinds: dict[str, int] = {}
    async with httpx2.AsyncClient(base_url=hub, timeout=30) as http:
        while waiting and len(kinds) < _MOST:
            path = waiting.popleft()
            answer = await http.get(path)
            if answer.status_code not in (200, 303, 308, 405):  # 405: where a form is sent to
                wrong.append((path, answer.status_code))
            if "html" not in answer.headers.get("content-type", ""):
                continue
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
