import pytest
from simulators.azure import AzureSimulator

from facematch_core.testing import BackendContract


@pytest.mark.slow
class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with AzureSimulator() as simulator:
            yield simulator
