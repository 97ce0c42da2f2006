"""The backend `simulated` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.simulation.simulator import SimulatedSimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with SimulatedSimulator() as simulator:
            yield simulator
