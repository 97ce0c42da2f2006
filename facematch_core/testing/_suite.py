"""The contract over whatever `_running` hands in as `subject`; collected by nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from facematch_core.testing import BackendContract, VendorDouble


class TestContract(BackendContract):
    """Every rule, once for each subject."""

    @pytest.fixture
    def double(self, subject: Callable[[], VendorDouble]) -> Iterator[VendorDouble]:
        """A fresh double for each case of each rule."""
        with subject() as double:
            yield double
