"""The rules that every backend must meet, against the simulator."""

from collections.abc import Iterator

import pytest
from facematch_core.testing import BackendContract

from facematch_latterly._simulator import LatterlySimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self) -> Iterator[LatterlySimulator]:
        with LatterlySimulator() as simulator:
            yield simulator
