"""The backend `compreface` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.vendors.compreface.simulator import ComprefaceDouble


class TestContract(BackendContract):
    """With the mock server in the place of a CompreFace server."""

    @pytest.fixture
    def double(self):
        with ComprefaceDouble() as double:
            yield double
