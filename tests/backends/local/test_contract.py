"""The backend `local` keeps the contract that every plug-in keeps, with its memory of pictures.

There is no vendor behind it, so the photographs decide what happens; what only a vendor can do
(refuse a key, lose an answer) does not apply. On its card every picture goes to the engine anew.
"""

import pytest

from facematch_core.testing import BackendContract
from facematch_local._simulator import LocalSimulator


class RememberingSimulator(LocalSimulator):
    """With the settings as they are by default."""

    def backend(self, **settings):
        return super().backend(**{"cached_pictures": 1000} | settings)


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with RememberingSimulator() as simulator:
            yield simulator
