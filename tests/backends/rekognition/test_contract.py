"""The backend `rekognition` conforms to the contract of every plug-in."""

import pytest

from facematch_core.testing import BackendContract
from facematch_mock_server.vendors.rekognition.simulator import RekognitionSimulator


class TestContract(BackendContract):
    """With the mock server in the place of Rekognition."""

    @pytest.fixture
    def simulator(self):
        with RekognitionSimulator() as simulator:
            yield simulator


class WithQuality(RekognitionSimulator):
    """Each call detects the faces of the reference first."""

    steps = 2

    def keys(self):
        return {**super().keys(), "reference_quality": True}


@pytest.mark.long
class TestContractInTwoRequests(BackendContract):
    """With DetectFaces before each comparison."""

    @pytest.fixture
    def simulator(self):
        with WithQuality() as simulator:
            yield simulator
