"""Whether a browser's page asks by itself for what its person is known by.

A browser sends cookies along whoever made it ask. What changes something must therefore come from our own pages, as
the browser itself says: in Sec-Fetch-Site, or, where it sends none (plain HTTP beyond loopback), in Origin. Whoever
sends an Authorization header is no page of somebody else: a browser adds that to nothing by itself.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from services.query.refused import Refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(scope: Scope, public: str | None = None, *, known: bool = False) -> None:
    """Raises Refused for a change that a page of another origin asks for.

    public: address under which people reach the hub; None: what they call it by (Host). known: whether something that
    browsers send by themselves says who asks.
    """
    headers = Headers(scope=scope)
    if scope["method"] in SAFE or "authorization" in headers:
        return
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise _foreign()
        return
    origin = headers.get("origin")
    if origin is None:
        if known:
            raise _foreign()
        return
    if _host(origin) != (_host(public) if public else headers.get("host", "").lower()):
        raise _foreign()


def _host(origin: str) -> str:
    """Host and port, without a port that goes without saying."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(usual) if usual else ""


def _foreign() -> Refused:
    return Refused(
        403, "origin", "A page of another origin asks for this.",
        "Use the hub's own pages, at the address that THROUGHLINE_SITE_URL names; a program sends an API token.",
    )  # fmt: skip
