"""The database against a plain list: whatever happens to the processes, in whatever order."""

import contextlib
import itertools
import tempfile

import attrs
from attempts import attempt
from core.comparison.run.studies import entered
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from facematch_core import Charged, Decision, Environment
from facematch_core.comparison.run import PairState, RunDatabase
from facematch_core.comparison.run.schema import Claim, Outcome
from facematch_core.store import Owner
from facematch_core.testing import ManualClock

PAIRS = 5
BEGUN = (PairState.CLAIMED, PairState.ASKED)
#: Ends of a call, with what may be charged for it.
ENDS = {
    PairState.ANSWERED: Charged.YES,
    PairState.FAILED: Charged.NO,
    PairState.UNRESOLVED: Charged.UNKNOWN,
    PairState.NO_RESPONSE: Charged.YES,
    PairState.FREE: Charged.NO,
}


@attrs.define(eq=False)
class Process:
    """One client process, as the list knows it.

    Attributes:
        owner: How the database sees it; one of another machine cannot be asked whether it lives.
        lives: Whether it does anything any more.
        far: Whether it is of another machine.
        ours: Whether it is this process, which looks for what the others left.
    """

    owner: Owner
    far: bool
    lives: bool = True
    ours: bool = False


@attrs.define(eq=False)
class Pair:
    """One pair, as the list knows it.

    Attributes:
        state: As the database should have it.
        claim, process: Whose it is.
        call_id: Of its call.
        since: Seconds on the clock when it was claimed or asked.
        is_left: Whether a thread of this process failed and does nothing more with it.
        sent: How many calls of it may have been charged and were not declared free.
    """

    state: PairState = PairState.FREE
    claim: object = None
    process: object = None
    call_id: str | None = None
    since: float = 0.0
    is_left: bool = False
    sent: int = 0

    @property
    def is_gone(self):
        """Whether its process is, as far as that can be told; None where only time can."""
        if self.process.ours:
            return self.is_left
        return None if self.process.far else True


class Machine(RuleBasedStateMachine):
    """`database` and the plain list `pairs` agree after each step."""

    def opened(self):
        """The database, as another process finds it."""
        raise NotImplementedError

    @initialize()
    def begin(self):
        """Every pair is free; there are two processes here, one elsewhere, and this one."""
        self.clock = ManualClock()
        self.database = self.opened()
        self.system = entered(self.database, PAIRS)
        self.pairs = [Pair() for _ in range(PAIRS)]
        self.numbers = itertools.count(1)
        self.processes = [self.born(far=far) for far in (False, False, True)]
        self.processes.append(Process(Owner.here(), far=False, ours=True))
        #: Claims that were taken from processes that live, each with its call.
        self.stale = []
        self.failed_at = {}

    def born(self, *, far):
        number = next(self.numbers)
        host = f"elsewhere-{number}" if far else Owner.here().host
        # A number that no process of this machine can have.
        owner = Owner(host=host, pid=2**22 + number, run=f"run {number}@")
        return Process(owner, far)

    def alive(self):
        return st.sampled_from([one for one in self.processes if one.lives])

    def begun(self, *wanted):
        return [
            (number, pair)
            for number, pair in enumerate(self.pairs)
            if pair.claim is not None and pair.process.lives and pair.state in wanted
        ]

    @rule(data=st.data(), count=st.integers(1, 3), first=st.integers(0, PAIRS))
    def claim(self, data, count, first):
        """A process takes the first free pairs, and no other."""
        process = data.draw(self.alive())
        claims = self.claimed(process, count, first)
        free = [n for n, pair in enumerate(self.pairs) if pair.state == "free" and n >= first]
        assert [one.pair for one in claims] == free[:count]
        for one in claims:
            self.pairs[one.pair] = attrs.evolve(
                self.pairs[one.pair],
                state=PairState.CLAIMED,
                claim=one,
                process=process,
                call_id=None,
                since=self.clock.monotonic(),
                is_left=False,
            )

    def claimed(self, process, count, first):
        here = Owner.here
        Owner.here = staticmethod(lambda: process.owner)
        try:
            return self.database.claim(self.system.number, count, first=first)
        finally:
            Owner.here = here

    @precondition(lambda self: self.begun(PairState.CLAIMED))
    @rule(data=st.data(), asks=st.booleans())
    def call(self, data, asks):
        """A call begins, and perhaps its first byte leaves."""
        _, pair = data.draw(st.sampled_from(self.begun(PairState.CLAIMED)))
        made = attempt(id=f"attempt {next(self.numbers)}", kept=True)
        assert self.database.begin(pair.claim, made)
        pair.call_id = made.id
        if asks:
            assert self.database.ask(pair.claim)
            pair.state, pair.since = PairState.ASKED, self.clock.monotonic()
            pair.sent += 1

    @precondition(lambda self: self.begun(PairState.ASKED))
    @rule(data=st.data())
    def repeat(self, data):
        """A try was not charged; the next one has not begun to leave."""
        _, pair = data.draw(st.sampled_from(self.begun(PairState.ASKED)))
        assert self.database.hold(pair.claim)
        pair.state = PairState.CLAIMED
        pair.sent -= 1

    @precondition(lambda self: self.begun(*BEGUN))
    @rule(data=st.data(), state=st.sampled_from(list(ENDS)))
    def end(self, data, state):
        """A call ends."""
        number, pair = data.draw(st.sampled_from(self.begun(*BEGUN)))
        if ENDS[state] is not Charged.NO and pair.state is PairState.CLAIMED:
            state = PairState.FAILED
        assert self.database.end([(pair.claim, ended(state, pair.call_id))]) == [True]
        if ENDS[state] is Charged.NO:
            pair.sent = 0
        pair.state, pair.claim = state, None
        self.failed_at[number] = self.clock.now()

    @precondition(lambda self: self.begun(PairState.CLAIMED))
    @rule(data=st.data())
    def release(self, data):
        """A process gives back what it has not asked."""
        _, pair = data.draw(st.sampled_from(self.begun(PairState.CLAIMED)))
        assert self.database.release([pair.claim]) == 1
        pair.state, pair.claim = PairState.FREE, None

    @rule(data=st.data())
    def die(self, data):
        """A process ends in the middle, and another one is born."""
        process = data.draw(self.alive().filter(lambda one: not one.ours))
        process.lives = False
        self.processes.append(self.born(far=process.far))

    @precondition(lambda self: any(pair.process.ours for _, pair in self.begun(*BEGUN)))
    @rule(data=st.data())
    def leave(self, data):
        """A thread of this process fails, and leaves what it was at."""
        ours = [pair for _, pair in self.begun(*BEGUN) if pair.process.ours]
        pair = data.draw(st.sampled_from(ours))
        pair.is_left = True
        # Claims that were made together are left together.
        self.database.let_go([pair.claim])
        for other in self.pairs:
            if other.claim is not None and other.claim.token == pair.claim.token:
                other.is_left = True

    @rule(hours=st.sampled_from([0.25, 0.75, 2]))
    def time_passes(self, hours):
        """No call takes longer than an hour."""
        self.clock.advance(hours * 3600)

    @rule()
    def restart(self):
        """What is gone is recovered, and what failed is free again."""
        self.database = self.opened()
        recovered = self.database.recover(self.system.number)
        freed, unknown, not_sent = 0, 0, set()
        for pair in self.pairs:
            if pair.state not in BEGUN:
                continue
            # Numbers of no process are gone; of another machine only time can tell.
            late = self.clock.monotonic() - pair.since > 3600
            if not (late if pair.is_gone is None else pair.is_gone):
                continue
            if pair.state is PairState.ASKED:
                pair.state, unknown = PairState.UNRESOLVED, unknown + 1
            else:
                self.take_away(pair)
                pair.state, freed = PairState.FREE, freed + 1
                not_sent |= {pair.call_id} - {None}
        assert (len(recovered.taken), recovered.unresolved) == (freed, unknown)
        assert set(recovered.not_sent) == not_sent
        assert self.database.release(recovered.taken) == freed
        self.database.let_go(recovered.taken)
        self.database.release_failed(self.system.number, self.clock.now())
        for pair in self.pairs:
            if pair.state is PairState.FAILED:
                pair.state = PairState.FREE

    def take_away(self, pair):
        """A pair is free, though the process that had it may not know."""
        if pair.claim is not None and pair.process.lives:
            self.stale.append((pair.claim, pair.call_id))
        pair.claim = None

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), state=st.sampled_from(list(ENDS)))
    def wake_up(self, data, state):
        """Whose claim was taken meanwhile sends nothing and changes nothing, whoever has it now."""
        claim, call_id = data.draw(st.sampled_from(self.stale))
        self.stale.remove((claim, call_id))
        assert not self.database.begin(claim, attempt(id="too late"))
        assert not self.database.ask(claim)
        assert not self.database.hold(claim)
        assert self.database.release([claim], held_back=True) == 0
        assert self.database.end([(claim, ended(state, call_id or "too late"))]) == [False]

    def given_up(self):
        wanted = (PairState.UNRESOLVED, PairState.NO_RESPONSE)
        return [
            pair
            for pair in self.pairs
            if pair.claim is not None and pair.process.lives and pair.state in wanted
        ]

    @precondition(lambda self: self.given_up())
    @rule(data=st.data())
    def answer_late(self, data):
        """An answer that comes after all is taken."""
        pair = data.draw(st.sampled_from(self.given_up()))
        late = ended(PairState.ANSWERED, pair.call_id)
        # Nobody told that it was written: it is written again.
        for _ in range(2):
            assert self.database.end([(pair.claim, late)]) == [True]
        pair.state, pair.claim = PairState.ANSWERED, None

    @precondition(lambda self: any(pair.state == "unresolved" for pair in self.pairs))
    @rule(data=st.data(), charged=st.booleans())
    def settle(self, data, charged):
        """Somebody says what became of it, once."""
        pair = data.draw(st.sampled_from([p for p in self.pairs if p.state == "unresolved"]))
        billed = Charged.YES if charged else Charged.NO
        said = self.system.number, pair.call_id, billed
        assert self.database.resolve(*said)
        assert not self.database.resolve(*said)
        pair.state = PairState.NO_RESPONSE if charged else PairState.FREE
        if not charged:
            self.take_away(pair)
        pair.sent = int(charged)

    @precondition(lambda self: any(p.state in ("unresolved", "no response") for p in self.pairs))
    @rule(data=st.data())
    def find(self, data):
        """The vendor's records have it."""
        left = self.database.unresolved(self.system)
        one = data.draw(st.sampled_from(left))
        pair = self.pairs[one.pair]
        answer = ended(PairState.ANSWERED, pair.call_id)
        assert self.database.found(one, answer)
        assert not self.database.found(one, answer)
        pair.state, pair.claim = PairState.ANSWERED, None

    @invariant()
    def agree(self):
        """Each pair is where the list has it, and was paid for once at the most."""
        rows = self.database.answers(self.system.number)
        assert [row.state for row in rows] == [pair.state for pair in self.pairs]
        left = {one.pair: one for one in self.database.unresolved(self.system)}
        assert set(left) == {
            n for n, pair in enumerate(self.pairs) if pair.state in ("unresolved", "no response")
        }
        for number, one in left.items():
            assert one.call.id == self.pairs[number].call_id
        standing = self.database.progress(self.system.number)
        assert standing.pairs == PAIRS
        assert standing.left == sum(pair.state in ("free", "failed") for pair in self.pairs)
        assert all(pair.sent <= 1 for pair in self.pairs)
        free = [pair for pair in self.pairs if pair.state == "free"]
        assert all(pair.sent == 0 for pair in free)


def ended(state, call_id):
    """What a call ended in."""
    answered = state is PairState.ANSWERED
    return Outcome(
        state=state,
        billed=ENDS[state],
        decision=Decision.MATCH if answered else None,
        score=80.0 if answered else None,
        environment=Environment.PRODUCTION if answered else None,
        error=None if answered else "AnError",
        call_id=call_id,
    )


class SqliteMachine(Machine):
    """In a file."""

    def opened(self):
        """The file of before."""
        if not hasattr(self, "folder"):
            self.at_end = contextlib.ExitStack()
            self.folder = self.at_end.enter_context(tempfile.TemporaryDirectory())
        address = f"sqlite:///{self.folder}/study.sqlite3"
        database = RunDatabase(address, clock=self.clock)
        return self.at_end.enter_context(contextlib.closing(database))

    def teardown(self):
        """Close and take away."""
        if hasattr(self, "folder"):
            self.at_end.close()


TestSqlite = SqliteMachine.TestCase
# A file is slower than a memory.
TestSqlite.settings = settings(max_examples=settings().max_examples // 8, stateful_step_count=30)


def test_a_claim_is_only_its_own(database):
    """Another process cannot move what it did not claim."""
    system = entered(database)
    (mine,) = database.claim(system.number)
    other = Claim(system=mine.system, pair=mine.pair, token="other")
    assert not database.begin(other, attempt())
    assert database.begin(mine, attempt())


def test_an_answer_that_comes_after_all_counts(database, monkeypatch):
    """Its process was thought gone; whose pair was asked anew meanwhile is too late."""
    system = entered(database)
    late, later = database.claim(system.number, 2)
    calls = [attempt(), attempt()]
    for claim, call in zip((late, later), calls, strict=True):
        assert database.begin(claim, call)
        assert database.ask(claim)
    mine = Owner.here()
    other = attrs.evolve(mine, run="other")
    monkeypatch.setattr(Owner, "here", staticmethod(lambda: other))
    assert database.recover(system.number).unresolved == 2
    assert database.resolve(system.number, calls[1].id, Charged.NO)
    (again,) = database.claim(system.number, first=1)
    assert again.pair == later.pair
    answers = [ended(PairState.ANSWERED, call.id) for call in calls]
    assert database.end(list(zip((late, later), answers, strict=True))) == [True, False]
    rows = database.answers(system.number)
    assert [row.state for row in rows[:2]] == ["answered", "claimed"]
