"""An account with properties of its own, and a connection that names them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors.hubspot.options import Options
from schemas.events import SourceEvent
from tests.connectors.hubspot.rig import HubSpotRig

NAMED: dict[str, Any] = {
    "properties": ("erp_order", "region", "remark"),
    "due_property": "golive",
    "unit_property": "division",
}


class CustomRig(HubSpotRig):
    """Each deal may hold them all."""

    named: Mapping[str, Any] = NAMED
    evidence: ClassVar[Sequence[str]] = (*HubSpotRig.evidence, "property")

    def __init__(self) -> None:
        super().__init__()
        for kind in ("deal", "ticket"):
            self.account.add_property(kind, "erp_order", "ERP order")
        self.account.add_property("deal", "region", "Region", n="North", s="South")
        self.account.add_property("deal", "remark", "Remark")
        self.account.add_property("deal", "golive", "Go-live", "date")
        self.account.add_property("deal", "division", "Division", pay="Payments", fx="Foreign exchange")

    def options(self, **more: Any) -> Options:
        return super().options(**({**self.named} | more))

    def deal_with(self, **properties: str) -> str:
        return self.account.create_deal("Export", None, self.owner, **properties)

    def add_evidence(self, kind: str, artifact: str) -> str:
        if kind != "property":
            return super().add_evidence(kind, artifact)
        self.account.set("deal", self.deal(artifact), None, None, erp_order="PAY-12")
        return "field|PAY-12"

    def remove_evidence(self, kind: str, artifact: str) -> None:
        if kind == "property":
            self.account.set("deal", self.deal(artifact), None, None, erp_order="")
        else:
            super().remove_evidence(kind, artifact)

    @classmethod
    def recordings(cls) -> Sequence[SourceEvent]:
        return [_with_properties(event) for event in super().recordings() if event.kind in ("deal", "associations")]


def _with_properties(event: SourceEvent) -> SourceEvent:
    """The recording as this connection would have told it."""
    payload = dict(event.payload)
    if event.kind == "associations":
        return event.model_copy(update={"payload": payload | {"around": {**payload["around"], "unit": True}}})
    held = payload["object"]["properties"] | {"erp_order": "4500012345", "golive": "2026-12-01", "division": "pay"}
    custom = {
        "erp_order": {"label": "ERP order", "type": "string"},
        "golive": {"label": "Go-live", "type": "date"},
        "division": {"label": "Division", "type": "enumeration", "choices": {"pay": "Payments"}},
    }
    around = payload["around"] | {"custom": custom, "roles": {"due": "golive", "unit": "division"}}
    changed = {"object": payload["object"] | {"properties": held}, "around": around}
    return event.model_copy(update={"payload": payload | changed})
