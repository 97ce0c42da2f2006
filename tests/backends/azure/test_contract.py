"""The backend `azure` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.vendors.azure.simulator import AzureSimulator


class TestContract(BackendContract):
    """With the mock server in the place of a resource of Azure AI Face."""

    @pytest.fixture
    def simulator(self):
        with AzureSimulator() as simulator:
            yield simulator
