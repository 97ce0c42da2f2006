"""The backend `simulated` keeps the contract that every plug-in keeps."""

import pytest

from facematch_core.comparison.simulation._double import SimulatedDouble
from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def double(self):
        with SimulatedDouble() as double:
            yield double
