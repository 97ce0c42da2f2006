import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.conformance import AzureSimulator


@pytest.mark.slow
class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with AzureSimulator() as simulator:
            yield simulator
