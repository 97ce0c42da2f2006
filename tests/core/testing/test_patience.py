"""No run of the kit waits for ever."""

import threading

import attrs
import pytest
from mutants.reference import HttpReference, HttpReferenceSimulator

from facematch_core import Operation
from facematch_core.testing import bench
from facematch_core.testing.simulator import Situation

ENDED = threading.Event()


@attrs.define(kw_only=True, eq=False, slots=False)
class AsksAgain(HttpReference):
    """Asks until the vendor has another word than "no"."""

    def steps(self, call):
        reply = yield self.build(call)
        if "verdict" not in reply.json():
            ENDED.wait(30)
        return self.parse(call, reply)


def test_a_call_that_does_not_end_fails_its_rule(monkeypatch):
    monkeypatch.setattr(bench, "ENDS_S", 0.1)
    with HttpReferenceSimulator(AsksAgain) as simulator:
        asked = bench.Bench(simulator)
        with pytest.raises(AssertionError, match="did not end in 0 s: does it try again"):
            asked.ask_directly(Operation.MATCH, Situation.UNREADABLE_200)
        ENDED.set()
        asked.close()
