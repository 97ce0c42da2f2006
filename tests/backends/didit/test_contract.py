import pytest
from simulators.didit import DiditSimulator

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DiditSimulator() as simulator:
            yield simulator
