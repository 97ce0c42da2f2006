import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.conformance import DiditSimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DiditSimulator() as simulator:
            yield simulator
