"""The rules that every backend must meet, against the simulator."""

from collections.abc import Iterator

import pytest
from facematch_core.testing import BackendContract

from facematch_acme._simulator import AcmeSimulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self) -> Iterator[AcmeSimulator]:
        with AcmeSimulator() as simulator:
            yield simulator
