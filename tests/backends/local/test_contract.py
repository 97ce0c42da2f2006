"""The contract of every plug-in, with photographs that decide what happens.

What only a vendor can do (refuse a key, lose an answer) does not apply.
"""

import hashlib

import pytest

from facematch_core.testing import BackendContract, Situation
from facematch_local import recognition
from facematch_local.simulator import LocalSimulator


@pytest.fixture(scope="module", autouse=True)
def _seen():
    """What was found in each picture, for all rules: each opens backends that remember nothing."""
    seen, cut = {}, recognition.Parts.cut

    def cut_once(parts, data, *, rotate):
        # R28 counts whoever holds a picture: these are their digests.
        picture = hashlib.sha256(data).digest(), rotate
        if picture not in seen:
            seen[picture] = cut(parts, data, rotate=rotate)
        return seen[picture]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition.Parts, "cut", cut_once)
        yield


def test_every_situation_is_met_or_has_a_reason():
    simulator = LocalSimulator
    assert {*simulator.situations, *simulator.cannot_happen} == set(Situation)
    assert simulator.situations.isdisjoint(simulator.cannot_happen)


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self):
        class Remembering(LocalSimulator):
            """With a memory of few pictures: R28 fills it, to see that it has an end."""

            def backend(self, **settings):
                return super().backend(**{"cached_pictures": 4} | settings)

        with Remembering() as simulator:
            yield simulator
