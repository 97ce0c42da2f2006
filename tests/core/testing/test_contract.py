"""The contract against a backend that keeps every rule: all pass, none is skipped."""

import pytest

from facematch_core.testing import BackendContract
from facematch_core.testing._saboteurs import ParagonDouble


class TestContract(BackendContract):
    @pytest.fixture
    def double(self):
        with ParagonDouble() as double:
            yield double
