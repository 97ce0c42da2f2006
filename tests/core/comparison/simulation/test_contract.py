"""The backend `simulated` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.comparison.simulation._simulator import SimulatedSimulator
from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with SimulatedSimulator() as simulator:
            yield simulator
