"""The backend `compreface` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.vendors.compreface.simulator import ComprefaceSimulator


class TestContract(BackendContract):
    """With the mock server in the place of a CompreFace server."""

    @pytest.fixture
    def simulator(self):
        with ComprefaceSimulator() as simulator:
            yield simulator
