"""Both editions pass the contract."""

from tests.connectors.contract import ConnectorContract
from tests.connectors.jira.rigs import CloudRig, DataCenterRig


class TestCloud(ConnectorContract):
    rig_type = CloudRig


class TestDataCenter(ConnectorContract):
    rig_type = DataCenterRig
