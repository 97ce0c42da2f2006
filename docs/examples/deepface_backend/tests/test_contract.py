"""The rules that every backend keeps, against the simulator."""

from collections.abc import Iterator

import pytest
from facematch_core.testing import BackendContract

from facematch_deepface._simulator import DeepfaceSimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self) -> Iterator[DeepfaceSimulator]:
        with DeepfaceSimulator() as simulator:
            yield simulator
