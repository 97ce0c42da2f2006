import pytest
from simulators.compreface import ComprefaceSimulator

from facematch_core.testing import BackendContract


@pytest.mark.slow
class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ComprefaceSimulator() as simulator:
            yield simulator
