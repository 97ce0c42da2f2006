"""Whatever happens, in whatever order: the client's books and the vendors' tell the same.

Kept out: a vendor that charges for an answer of which it says that it is free, and one that does
not charge for an answer 200. No client can know; see docs/evidence/faults-and-money.md.
"""

import contextlib
import io
import tempfile

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from kit.money import books as kinds
from kit.money.faults import FAULTS
from kit.money.lines import LOGIN, PAID
from kit.money.stories import Story

from facematch_core import Environment
from facematch_core.resilience import Period
from facematch_core.store import BudgetKey

MATCH = PAID["didit"][0]
OF_ALL = {"currency": None, "environment": Environment.PRODUCTION, "period": Period.TOTAL}
THROUGH = st.sampled_from(["didit", "deepvue", "failover", "failover"])
CALLS = st.sampled_from(["match", "match", "liveness", "live"])
PATHS = st.sampled_from([*PAID["didit"], *PAID["deepvue"], LOGIN])
MOMENTS = [
    *("before", "sent", "executed", "reserved", "settling", "sleeping"),
    *("Started", "Sent", "Repeated", "Answered", "Charged", "Refused", "Unknown"),
]


class Machine(RuleBasedStateMachine):
    kind = kinds.Books
    on_disk = False

    @initialize(
        version=st.sampled_from(["v1", "v2"]),
        retries=st.sampled_from([0, 2]),
        breaker=st.booleans(),
        pacing=st.booleans(),
        limited=st.booleans(),
        cap=st.sampled_from([3, 25]),
    )
    def begin(self, **arguments):
        self.folder = tempfile.TemporaryDirectory() if self.on_disk else None
        if self.on_disk:
            arguments["store"] = f"sqlite:///{self.folder.name}/attempts.sqlite3"
        self.story = Story(self.kind, arguments)

    @rule(through=THROUGH, call=CALLS, keep=st.booleans(), late=st.booleans())
    def verify(self, through, call, keep, late):
        self.story.tell("verify", through, call=call, keep=keep, deadline_s=20.0 if late else None)

    @rule(
        at=st.sampled_from(MOMENTS),
        how=st.sampled_from(["interrupt", "kill"]),
        through=THROUGH,
        call=CALLS,
        keep=st.booleans(),
    )
    def crash(self, at, how, through, call, keep):
        self.story.tell("crash", at, how, through, call=call, keep=keep)

    @rule(fault=st.sampled_from(FAULTS), path=PATHS, times=st.sampled_from([1, 1, 2]))
    def fault(self, fault, path, times):
        where = None if fault.stage == "connect" else path
        self.story.tell("fault", fault.stage, fault.kind, where, times=times, **fault.more)

    @rule(path=PATHS, times=st.sampled_from([1, 3]))
    def cut(self, path, times):
        self.story.tell("cut", path, times)

    @rule(path=PATHS)
    def garble(self, path):
        self.story.tell("garble", path)

    @rule(vendor=st.sampled_from(sorted(PAID)), balance=st.sampled_from(["0", "0.04", "5"]))
    def credit(self, vendor, balance):
        self.story.tell("credit", vendor, balance)

    @rule(seconds=st.sampled_from([0.5, 31, 61, 1200, 90_000]))
    def advance(self, seconds):
        self.story.tell("advance", seconds)

    @rule()
    def revoke(self):
        self.story.tell("revoke")

    @rule()
    def reconcile(self):
        self.story.tell("reconcile")

    @rule()
    def invoice(self):
        self.story.tell("invoice")

    def teardown(self):
        try:
            if hasattr(self, "story"):
                self.story.end()
        finally:
            if getattr(self, "folder", None):
                self.folder.cleanup()


class OnDisk(Machine):
    on_disk = True


class Repeating(Machine):
    kind = kinds.Repeating


class Forgetting(Machine):
    kind = kinds.Forgetting


def times(number, steps=40, long=None):
    examples = settings().max_examples
    many = max(1, examples * (long if long and examples > 100 else number) // 100)
    return settings(
        max_examples=many, stateful_step_count=steps, print_blob=True, report_multiple_bugs=False
    )


TestInMemory = Machine.TestCase
TestInMemory.settings = times(25, long=200)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = times(4, long=25)


def standing(books, vendor="didit"):
    state = books.store.budget(BudgetKey(name=vendor, **OF_ALL))
    return state.spent, state.reserved, state.unknown, len(books.world.charges(vendor))


def test_a_story_by_hand():
    """What the machine may do, step by step, so that nobody need believe that it does."""
    books = kinds.Books(retries=2)
    books.verify()
    assert standing(books) == (1, 0, 0, 1)
    books.fault("mid_body", "reset", MATCH)
    books.verify(keep=True)
    assert standing(books) == (1, 0, 1, 2)
    books.reconcile()
    assert standing(books) == (2, 0, 0, 2)
    books.fault("after_upload", "reset", MATCH, executed=False)
    books.verify(keep=True)
    books.reconcile()
    # A record may still come.
    assert standing(books) == (2, 0, 1, 2)
    books.advance(1200)
    books.reconcile()
    assert standing(books) == (2, 0, 0, 2)
    books.crash("executed", "kill")
    assert standing(books) == (2, 1, 0, 3)
    books.crash("executed", "interrupt")
    assert standing(books) == (2, 1, 1, 4)
    books.reconcile()
    # Nothing was kept of either: they have a name, and an invoice has to tell.
    assert standing(books) == (2, 0, 2, 4)
    books.invoice()
    assert standing(books) == (4, 0, 0, 4)
    books.credit("didit", 0)
    books.verify("failover")
    assert (standing(books), standing(books, "deepvue")) == ((4, 0, 0, 4), (1, 0, 0, 1))
    books.fault("answer", "status", MATCH, status=429, executed=False, times=2)
    books.credit("didit", 5)
    books.verify()
    assert standing(books) == (5, 0, 0, 5)
    books.close()


@pytest.mark.parametrize("machine", [Repeating, Forgetting])
def test_a_client_that_loses_money_is_found_with_a_script_that_shows_it(machine):
    # Not made shorter: that takes a minute.
    quickly = settings(times(100), database=None, print_blob=False, phases=[Phase.generate])
    with contextlib.redirect_stdout(io.StringIO()), pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=quickly)
    notes = [note for note in caught.value.__notes__ if note.startswith("Run from")]
    script = notes[0].partition("\n\n")[2]
    with pytest.raises(AssertionError) as again:
        exec(script, {})
    assert str(again.value) == str(caught.value)
