"""The rule of the deadline: a machine that stalls once is no fault of the backend's."""

import time

import pytest

from facematch_core import DeadlineExceeded
from facematch_core.testing import BackendContract
from facematch_core.testing._contract._bench import DEADLINE_S, Bench
from facematch_core.testing._saboteurs import ParagonBackend, ParagonDouble

#: Seconds that are clearly too late.
LATE_S = 4 * DEADLINE_S


class Late(ParagonBackend):
    """Ends the first calls long after their deadline, and the others in time."""

    late = 1

    def exchange(self, call):
        answer = super().exchange(call)
        if isinstance(answer[2], DeadlineExceeded) and self.late:
            self.late -= 1
            time.sleep(LATE_S)
        return answer


class AlwaysLate(Late):
    """The same, of all calls."""

    late = 99


def judge(backend):
    """Run the rule against a backend."""
    bench = Bench(ParagonDouble(backend))
    BackendContract().test_r19_deadline_holds(bench)
    bench.close()


def test_one_late_call_is_asked_again():
    """The backend kept its time when it was given it."""
    judge(Late)


def test_what_is_always_late_is_told():
    """With the seconds that it took."""
    with pytest.raises(AssertionError, match=r"a call with 0\.25 s to go ended after 1\.\d\d s"):
        judge(AlwaysLate)
