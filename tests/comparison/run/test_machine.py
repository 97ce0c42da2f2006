import itertools
import tempfile
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kit.attempts import new_record
from kit.comparison.studies import CHARGED_BY_STATE, enter_system, pair_outcome

from facematch_comparison import PairState, RunDatabase
from facematch_core import Charged, ConfigurationError, Retention
from facematch_core.batch.records import UNDER_WAY, WITHOUT_ANSWER
from facematch_core.testing import ManualClock

PAIRS = 5


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.database = self.opened()
        self.database.lock()
        self.system = enter_system(self.database, PAIRS)
        # As the database should have them; `maybe_charged` counts calls.
        free = {"state": PairState.FREE, "call_id": None, "maybe_charged": 0}
        self.pairs = [SimpleNamespace(**free) for _ in range(PAIRS)]
        self.numbers = itertools.count(1)
        #: Calls whose pair was taken back, with its number.
        self.stale = []

    def opened(self):
        return RunDatabase(f"sqlite:///{self.folder.name}/study.sqlite3", clock=ManualClock())

    def teardown(self):
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    def numbers_of(self, *states):
        return [number for number, pair in enumerate(self.pairs) if pair.state in states]

    def calls_of(self, state):
        return {self.pairs[number].call_id for number in self.numbers_of(state)}

    def draw_pair(self, data, *states):
        number = data.draw(st.sampled_from(self.numbers_of(*states)))
        return number, self.pairs[number]

    @precondition(lambda self: self.numbers_of(PairState.FREE))
    @rule(data=st.data(), asks=st.booleans())
    def call(self, data, asks):
        assert self.database.free(self.system.number) == self.numbers_of(PairState.FREE)
        number, pair = self.draw_pair(data, PairState.FREE)
        record = new_record(id=f"attempt {next(self.numbers)}", retention=Retention.KEEP)
        self.database.begin(self.system.number, number, record)
        pair.state = PairState.BEGUN
        pair.call_id = record.id
        if asks:
            self.ask(number, pair)

    def ask(self, number, pair):
        self.database.ask(self.system.number, number, pair.call_id)
        pair.state = PairState.ASKED
        pair.maybe_charged += 1

    @precondition(lambda self: self.numbers_of(PairState.BEGUN))
    @rule(data=st.data())
    def send(self, data):
        self.ask(*self.draw_pair(data, PairState.BEGUN))

    @precondition(lambda self: self.numbers_of(PairState.ASKED))
    @rule(data=st.data())
    def repeat(self, data):
        number, pair = self.draw_pair(data, PairState.ASKED)
        self.database.repeat(self.system.number, number, pair.call_id)
        pair.state = PairState.BEGUN
        pair.maybe_charged -= 1

    @precondition(lambda self: self.numbers_of(*UNDER_WAY))
    @rule(data=st.data(), state=st.sampled_from(list(CHARGED_BY_STATE)))
    def end(self, data, state):
        """A call ends; nobody reported that it was written: it is written again."""
        number, pair = self.draw_pair(data, *UNDER_WAY)
        if CHARGED_BY_STATE[state] is not Charged.NO and pair.state is PairState.BEGUN:
            state = PairState.FAILED
        for _ in range(2):
            self.database.end(self.system.number, number, pair_outcome(state, pair.call_id))
        if CHARGED_BY_STATE[state] is Charged.NO:
            pair.maybe_charged = 0
        pair.state = state

    @rule()
    def start(self):
        """Whoever held it is gone: what it had begun is recovered, and what failed is free."""
        another = self.opened()
        with pytest.raises(ConfigurationError, match="is in use by process"):
            another.lock()
        self.database.close()
        self.database = another
        another.lock()
        expected = {
            Charged.NO: self.calls_of(PairState.BEGUN),
            Charged.UNKNOWN: self.calls_of(PairState.ASKED),
        }
        for number in self.numbers_of(PairState.BEGUN, PairState.FAILED):
            self.free(number)
        for number in self.numbers_of(PairState.ASKED):
            self.pairs[number].state = PairState.UNRESOLVED
        reported = {}
        another.recover_from_dead_run(
            self.system, lambda calls, billed: reported.update({billed: set(calls)})
        )
        assert reported == expected
        enter_system(another, PAIRS)

    def free(self, number):
        pair = self.pairs[number]
        self.stale.append((number, pair.call_id))
        pair.state = PairState.FREE

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), state=st.sampled_from(list(CHARGED_BY_STATE)))
    def wake_up(self, data, state):
        """A call that lost its pair sends nothing, and changes nothing of whose it is now."""
        number, call_id = data.draw(st.sampled_from(self.stale))
        for step in (self.database.ask, self.database.repeat):
            with pytest.raises(ConfigurationError):
                step(self.system.number, number, call_id)
        if self.pairs[number].state is not PairState.FREE:
            with pytest.raises(ConfigurationError):
                self.database.end(self.system.number, number, pair_outcome(state, call_id))

    @precondition(lambda self: self.numbers_of(PairState.UNRESOLVED))
    @rule(data=st.data(), charged=st.booleans())
    def resolve(self, data, charged):
        number, pair = self.draw_pair(data, PairState.UNRESOLVED)
        billed = Charged.YES if charged else Charged.NO
        assert self.database.resolve(self.system.number, pair.call_id, billed)
        assert not self.database.resolve(self.system.number, pair.call_id, billed)
        pair.maybe_charged = int(charged)
        if charged:
            pair.state = PairState.NO_RESPONSE
        else:
            self.free(number)

    @precondition(lambda self: self.numbers_of(*WITHOUT_ANSWER))
    @rule(data=st.data())
    def find(self, data):
        """The vendor's records have it."""
        charge = data.draw(st.sampled_from(self.database.unresolved(self.system)))
        pair = self.pairs[charge.pair]
        answer = pair_outcome(PairState.ANSWERED, pair.call_id)
        for _ in range(2):
            assert self.database.answer_late(charge, answer)
        pair.state = PairState.ANSWERED

    @invariant()
    def agree(self):
        rows = self.database.answers(self.system.number, range(PAIRS))
        assert [row.state for row in rows] == [pair.state for pair in self.pairs]
        charges = {charge.pair: charge for charge in self.database.unresolved(self.system)}
        assert [*charges] == self.numbers_of(*WITHOUT_ANSWER)
        for number, charge in charges.items():
            assert charge.call.id == self.pairs[number].call_id
        progress = self.database.progress(self.system.number)
        assert progress.pairs == PAIRS
        assert progress.left == len(self.numbers_of("free", "begun", "failed"))
        for pair in self.pairs:
            assert pair.maybe_charged <= (0 if pair.state == "free" else 1)


#: A file is slower than a memory; the long suite tries more.
STORIES = settings().max_examples // 25
TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=max(STORIES, 2), stateful_step_count=30)
