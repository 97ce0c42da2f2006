"""The contract over whatever `running` hands in as `subject`; collected by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from facematch_core.testing import BackendContract, VendorSimulator


class TestContract(BackendContract):
    """Every rule, once for each subject."""

    @pytest.fixture
    def simulator(self, subject: Callable[[], VendorSimulator]) -> Iterator[VendorSimulator]:
        """A fresh simulator for each case of each rule."""
        with subject() as simulator:
            yield simulator
