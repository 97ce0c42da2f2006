"""The backend `local` keeps the contract that every plug-in keeps, with its memory of pictures.

There is no vendor behind it, so the photographs decide what happens; what only a vendor can do
(refuse a key, lose an answer) does not apply. On its card every picture goes to the engine anew.
"""

import pytest

from facematch_core.testing import BackendContract
from facematch_local._parts import Parts
from facematch_local._simulator import LocalSimulator


class RememberingSimulator(LocalSimulator):
    """With a memory of few pictures: R28 fills it, to see that it has an end."""

    def backend(self, **settings):
        return super().backend(**{"cached_pictures": 4} | settings)


@pytest.fixture(scope="module", autouse=True)
def _seen():
    """What was found in each picture, for all rules: each opens backends that remember nothing."""
    seen, cut = {}, Parts.cut

    def cut_once(parts, data, *, rotate):
        if (data, rotate) not in seen:
            seen[data, rotate] = cut(parts, data, rotate=rotate)
        return seen[data, rotate]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parts, "cut", cut_once)
        yield


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        with RememberingSimulator() as simulator:
            yield simulator
