"""The contract against a backend that keeps every rule: all pass, none is skipped."""

import pytest
from core.testing.paragon import ParagonDouble

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def double(self):
        with ParagonDouble() as double:
            yield double
