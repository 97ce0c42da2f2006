"""The contract of every plug-in, with photographs that decide what happens.

Situations of a vendor's server (a refused key, a lost answer) do not apply.
"""

import pytest
from simulators.local import LocalSimulator

from facematch_core.testing import BackendContract


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        class WithSmallCache(LocalSimulator):
            """R28 fills the cache, to see that it stops growing."""

            def backend(self, **settings):
                return super().backend(**{"cached_pictures": 4} | settings)

        with WithSmallCache() as simulator:
            yield simulator
