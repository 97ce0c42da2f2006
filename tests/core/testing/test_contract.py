"""The contract against a backend that keeps every rule: all pass, none is skipped."""

import pytest
from mutants.reference import ReferenceSimulator

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with ReferenceSimulator() as simulator:
            yield simulator
