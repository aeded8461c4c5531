"""The contract every connector passes, with HubSpot's dated API, with v3, and with properties that the admin names."""

from tests.connectors.contract import ConnectorContract
from tests.connectors.hubspot.custom import CustomRig
from tests.connectors.hubspot.rig import HubSpotRig


class TestContract(ConnectorContract):
    rig_type = HubSpotRig


class LegacyRig(HubSpotRig):
    version = "v3"


class TestLegacyContract(ConnectorContract):
    rig_type = LegacyRig


class TestCustomContract(ConnectorContract):
    rig_type = CustomRig
