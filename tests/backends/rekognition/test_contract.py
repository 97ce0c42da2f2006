from typing import ClassVar

import pytest
from simulators.rekognition import RekognitionSimulator

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with RekognitionSimulator() as simulator:
            yield simulator


class WithQuality(RekognitionSimulator):
    """Each call detects the faces of the reference first."""

    steps = 2

    keys: ClassVar = {**RekognitionSimulator.keys, "reference_quality": True}


@pytest.mark.slow
class TestContractInTwoRequests(BackendContract):
    @pytest.fixture
    def simulator(self):
        with WithQuality() as simulator:
            yield simulator
