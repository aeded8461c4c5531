"""The contract every connector passes, with HubSpot's dated API and with v3."""

from tests.connectors.contract import ConnectorContract
from tests.connectors.hubspot.rig import HubSpotRig


class TestContract(ConnectorContract):
    rig_type = HubSpotRig


class LegacyRig(HubSpotRig):
    version = "v3"


class TestLegacyContract(ConnectorContract):
    rig_type = LegacyRig
