"""Small tools on this machine that tests connect to."""

from datetime import timedelta
from typing import Any

from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from tests.services.admin.conftest import NOW


def hubspot_server() -> HubSpotServer:
    """An account with two deals, and a ticket that belongs to the first and names an issue."""
    account = Account(lambda: NOW, lag=timedelta(0))
    begun = NOW - timedelta(days=5)
    owner = account.create_owner("Olga", "Owner", "olga@vendor.example", begun)
    deal = account.create_deal("Payroll rollout", begun + timedelta(hours=1), owner)
    ticket = account.create_ticket("Rollout fails on PAY-12", begun + timedelta(hours=2), owner)
    account.associate(("deal", deal), ("ticket", ticket), begun + timedelta(hours=2))
    account.create_deal("Printer", begun + timedelta(hours=3), owner)
    return HubSpotServer(account, limits=Limits(on=False))


def sales(server: HubSpotServer, **options: Any) -> dict[str, Any]:
    """What a form sends to connect it."""
    return {"connector": "hubspot", "name": "sales",
            "options": {"base_url": server.url, "token": server.token, "share": "1", **options}}  # fmt: skip
