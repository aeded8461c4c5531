"""Web addresses: their normal form, and the record of a tool that one names."""

import base64
import re
from itertools import islice
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit, urlunsplit

MAX_ADDRESS = 2_000
"""Longer addresses are not kept: browsers and mail gateways cut them as well."""
MAX_WRAPPED = 4_000
"""In longer ones nothing is looked for: neither the record that one shows, nor what a mail gateway wrapped in it."""

ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,29}-[1-9][0-9]{0,8}")
"""An issue key in its normal form: a project key of at least two characters and a number without leading zeros."""

_TRACKING = re.compile(
    r"utm_.*|_hs.*|hs[a-z]*tracking|__hs.*|mc_[ce]id|[gy]clid|fbclid|msclkid|dclid|igshid|wbraid|gbraid|mkt_tok",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}

# Jira: /browse/KEY below any context path, the project's issue view, a service desk's portal, its agents' view and
# queues (/queues/custom/12/KEY, /queues/issue/KEY).
_JIRA_PATH = re.compile(
    r"/(?:browse|issues?|portal/[0-9]+|queues/custom/[0-9]+)/([A-Za-z][A-Za-z0-9_]{1,29}-[1-9][0-9]{0,8})/?$"
)

# HubSpot record pages: /contacts/<portal>/deal/<id>, /contacts/<portal>/record/<object type>/<id>, and the help desk's
# /help-desk/<portal>/view/<view>/ticket/<id>.
_HUBSPOT_PATH = re.compile(
    r"/[a-z-]+/([0-9]{1,20})/(?:view/[a-z0-9-]{1,40}/)?(deal|ticket|record/0-3|record/0-5)/([0-9]{1,20})(?:/|$)"
)
_HUBSPOT_KINDS = {
    "deal": "hubspot.deal",
    "record/0-3": "hubspot.deal",
    "ticket": "hubspot.ticket",
    "record/0-5": "hubspot.ticket",
}


# What is logged on a record has a page as well. No text is searched for these: only who looks something up pastes them.
_LOGGED_PATH = re.compile(r"/[a-z-]+/[0-9]{1,20}/record/0-(46|49)/([0-9]{1,20})(?:/|$)")
_LOGGED_KINDS = {"46": "hubspot.note", "49": "hubspot.email"}


def logged_in(address: str) -> tuple[str, str] | None:
    """(kind, value) of the note or logged e-mail that an address of HubSpot shows."""
    try:
        found = _LOGGED_PATH.search(urlsplit(address).path)
    except ValueError:
        return None
    return (_LOGGED_KINDS[found.group(1)], found.group(2)) if found else None


# A request's page in the hub, its parts, and where the API has it; behind a proxy below any path. Ids are unique in
# all hubs, so that no host is looked at. No text is searched for these either.
_REQUEST_PATH = re.compile(r"/requests/(R-[A-Z2-7]{12})(?:/|$)", re.IGNORECASE)


def request_in(address: str) -> tuple[str, str] | None:
    """(kind, value) of the request that a page of the hub, or its API, shows at an address."""
    try:
        found = _REQUEST_PATH.search(urlsplit(address).path)
    except ValueError:
        return None
    return ("request", found.group(1).upper()) if found else None


def scope_of(address: str) -> str:
    """Whose values an address names: its host in lower case, with the port where it is not the scheme's own.

    "" for what is no web address. Two tools on one host are told apart by their ports.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    if ":" in host:
        host = f"[{host}]"
    return host if port in {None, _DEFAULT_PORTS.get(parts.scheme.lower())} else f"{host}:{port}"


def normal_address(address: str) -> str | None:
    """The address with scheme and host in lower case, without user name, fragment and tracking parameters.

    None for what is no http or https address or is longer than MAX_ADDRESS.
    """
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return None
    scope = scope_of(address)
    if parts.scheme.lower() not in _DEFAULT_PORTS or not scope or len(address) > MAX_ADDRESS:
        return None
    return urlunsplit((parts.scheme.lower(), scope, parts.path or "/", _without_tracking(parts.query), ""))


def _without_tracking(query: str) -> str:
    kept = [pair for pair in query.split("&") if pair and not _TRACKING.fullmatch(unquote(pair.partition("=")[0]))]
    return "&".join(kept)


def record_in(address: str) -> tuple[str, str, str] | None:
    """(kind, scope, value) of the record that an address shows; None if it shows none that is known by its shape.

    The host does not matter for the shape: tools stand behind proxies and own domains. Whose record it is follows
    from the scope: a Jira's host, a HubSpot portal (`hubspot:4711`).
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if found := _HUBSPOT_PATH.search(parts.path):
        portal, sort, number = found.groups()
        return _HUBSPOT_KINDS[sort], f"hubspot:{portal}", number
    scope = scope_of(address)
    key = _issue_key(parts.path, parts.query)
    return ("jira.key", scope, key) if scope and key else None


def _issue_key(path: str, query: str) -> str | None:
    if found := _JIRA_PATH.search(path):
        return found.group(1).upper()
    for selected in parse_qs(query).get("selectedIssue", []):
        if ISSUE_KEY.fullmatch(selected.upper()):
            return selected.upper()
    return None


_SAFELINKS = (".safelinks.protection.outlook.com", ".safelinks.protection.office365.us")
_URLDEFENSE = frozenset({"urldefense.com", "urldefense.us", "urldefense.proofpoint.com"})
_WRAPPED_IN = {"www.google.com": "q", "google.com": "q", "linkprotect.cudasvc.com": "a"}
"""Hosts whose page /url leads to what a parameter of this name holds."""
_LAYERS = 3
"""Gateways, one behind the other, wrap what the one before has wrapped."""


def unwrapped(address: str) -> str:
    """The address that mail gateways or a search engine wrapped in one of theirs; any other as it is."""
    for _ in range(_LAYERS):
        inner = _once_unwrapped(address)
        if inner == address:
            break
        address = inner
    return address


def _once_unwrapped(address: str) -> str:
    scope = scope_of(address)
    if scope.endswith(_SAFELINKS):
        return _inner(address, "url")
    if scope in _WRAPPED_IN and urlsplit(address).path == "/url":
        return _inner(address, _WRAPPED_IN[scope])
    if scope in _URLDEFENSE:
        return _defended(address)
    return address


def _defended(address: str) -> str:
    """Proofpoint's three ways to wrap an address (its "URL Decoder" API and script)."""
    if "/v3/__" in address:
        inner, _, rest = address.split("/v3/__", 1)[1].partition("__;")
        inner = _restored(inner, rest.partition("!")[0])
        return re.sub(r"^(https?:/)(?=[^/])", r"\1/", inner, flags=re.IGNORECASE)
    if urlsplit(address).path == "/v2/url":
        wrapped = dict(parse_qsl(urlsplit(address).query)).get("u", "")
        inner = unquote(wrapped.replace("-", "%").replace("_", "/"))
        return inner if _is_web(inner) else address
    return _inner(address, "u")


_RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _restored(inner: str, letters: str) -> str:
    """With the signs beside it (in Base64) put back for its stars: one for `*`, two and more for `**A` and on."""
    try:
        signs = iter(base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4)).decode())
    except ValueError:
        return inner

    def signs_for(star: re.Match[str]) -> str:
        return "".join(islice(signs, _RUNS.index(star[1]) + 2 if star[1] else 1))

    return re.sub(r"\*(?:\*([A-Za-z0-9_-]))?", signs_for, inner) if letters else inner


def _inner(address: str, name: str) -> str:
    inner = dict(parse_qsl(urlsplit(address).query)).get(name, "")
    return inner if _is_web(inner) else address


def _is_web(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))
