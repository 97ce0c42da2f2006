from typing import ClassVar

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.conformance import RekognitionSimulator


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
