import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.conformance import ComprefaceSimulator


@pytest.mark.slow
class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ComprefaceSimulator() as simulator:
            yield simulator
