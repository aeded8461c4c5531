"""Can this HubSpot account be read? One step per thing that may be missing, each with how to mend it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.contract import HubError, Misconfigured, Step
from connectors.hubspot import custom
from connectors.hubspot.client import HubSpot
from connectors.hubspot.options import Options
from connectors.hubspot.reading import text_at
from connectors.transport import Forbidden, NotFound, Refused

_GRANT = {
    "service key": "HubSpot, Settings, Integrations, Service Keys, your key, Edit scopes",
    "project app": "the app's app-hsmeta.json (requiredScopes), then upload and install it again",
    "private app": "HubSpot, Settings, Integrations, Legacy Apps, your app, Scopes",
}
SCOPES = {
    "deal": "crm.objects.deals.read",
    "ticket": "crm.objects.tickets.read",
    "company": "crm.objects.companies.read",
    "contact": "crm.objects.contacts.read",
    "note": "crm.objects.contacts.read",
    "email": "sales-email-read",
}
_CLOCK = timedelta(minutes=2)
_NAMED = "further properties"


@dataclass(frozen=True, slots=True)
class _Trial:
    name: str
    scope: str
    attempt: Callable[[], Awaitable[str]]


async def steps(hubspot: HubSpot, options: Options, now: Callable[[], datetime]) -> AsyncIterator[Step]:
    """Each step, ending at the first that fails."""
    for trial in _trials(hubspot, options, now):
        step = await _tried(trial, options)
        yield replace(step, of_fields=trial.name == _NAMED)
        if not step.ok:
            return


async def _tried(trial: _Trial, options: Options) -> Step:
    try:
        return Step(trial.name, True, await trial.attempt())
    except Forbidden:
        where = _GRANT[options.token_kind]
        return Step(trial.name, False, f"The token lacks the scope {trial.scope}. Grant it: {where}")
    except NotFound:
        says = f"{options.base_url} does not answer as HubSpot {options.api_version} does. Look at address and version"
        return Step(trial.name, False, says)
    except Refused as error:
        return Step(trial.name, False, f"HubSpot refuses the request (HTTP {error.status}). Look at the API version")
    except HubError as error:
        return Step(trial.name, False, str(error))


def _trials(hubspot: HubSpot, options: Options, now: Callable[[], datetime]) -> list[_Trial]:
    async def signed_in() -> str:
        portal = text_at(await hubspot.account(), "portalId")
        if options.portal and portal != str(options.portal):
            raise Misconfigured(
                f"The token belongs to account {portal}, not to {options.portal}", "Give the other account's token"
            )
        return f"Signed in to HubSpot account {portal}"

    async def owners() -> str:
        return f"{len(await hubspot.owners())} owners"

    async def properties() -> str:
        there = {text_at(one, "name") or "" for kind in options.objects for one in await hubspot.properties(kind)}
        return custom.all_there(custom.nowhere(there, options), options)

    async def clock() -> str:
        await hubspot.account()
        heard = hubspot.answered_at
        if heard is None:
            return "HubSpot tells no time; overlaps cover a small difference"
        skew = abs(now() - heard)
        if skew > _CLOCK:
            raise Misconfigured(
                f"This machine's clock differs from HubSpot's by {skew.total_seconds():.0f} seconds",
                "Set it by a time server; webhook signatures are checked against it",
            )
        return f"This machine's clock agrees with HubSpot's: {skew.total_seconds():.0f} s apart"

    readable = [*options.kinds, "contact", "company"]
    return [
        _Trial("sign-in", "oauth", signed_in),
        *(_Trial(f"{kind} records", SCOPES[kind], _search(hubspot, kind)) for kind in readable),
        *(_Trial(f"{kind} pipelines", SCOPES[kind], _pipelines(hubspot, kind)) for kind in options.objects),
        *([_Trial(_NAMED, SCOPES[options.objects[0]], properties)] if options.named_properties else []),
        _Trial("owners", "crm.objects.owners.read", owners),
        _Trial("clock", "", clock),
    ]


def _search(hubspot: HubSpot, kind: str) -> Callable[[], Awaitable[str]]:
    async def attempt() -> str:
        modified = "lastmodifieddate" if kind == "contact" else "hs_lastmodifieddate"
        filters = [{"propertyName": modified, "operator": "GTE", "value": "0"}]
        await hubspot.search(kind, filters, modified, 1)
        return f"May search and read {kind} records"

    return attempt


def _pipelines(hubspot: HubSpot, kind: str) -> Callable[[], Awaitable[str]]:
    async def attempt() -> str:
        names = [f"{text_at(each, 'label')} ({text_at(each, 'id')})" for each in await hubspot.pipelines(kind)]
        return f"{len(names)} pipeline{'' if len(names) == 1 else 's'}: {', '.join(names)}"

    return attempt
