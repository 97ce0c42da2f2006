"""The contract for backends that compare two pictures, with the vendors' documented bodies."""

import pytest
from simulators.facepp import DocumentedFacepp
from simulators.regula import DocumentedRegula

from facematch_core.testing import BackendContract


class TestFacepp(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedFacepp() as simulator:
            yield simulator


class TestRegula(BackendContract):
    @pytest.fixture
    def simulator(self):
        with DocumentedRegula() as simulator:
            yield simulator
