import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.vendors.compreface.simulator import ComprefaceSimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ComprefaceSimulator() as simulator:
            yield simulator
