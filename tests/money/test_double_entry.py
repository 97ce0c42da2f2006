"""Whatever happens, in whatever order: the client's books and the vendors' tell the same.

Kept out: a vendor that charges for an answer of which it says that it is free, and one that does
not charge for an answer 200. No client can know; see docs/maintain/decisions.md.
"""

import collections
import contextlib
import datetime as dt
import gc
import io
import random
import sys
import tempfile

import attrs
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from kit.attempts import budget_key, sums
from kit.fakes import picture
from kit.money.faults import FAULTS, Breakage
from kit.money.lines import LOGIN, PAID, TwoVendors

import facematch_core as fm
from facematch_core.cli.budget import expire_and_list_open_calls, resolve_found
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore, SqlStore
from facematch_core.store.records import LEASE_S
from facematch_mock_server import Fault

PROBE = picture()
REFERENCE = picture((20, 30, 40))
#: How the vendors' books name what the client asked for.
OPERATIONS = {
    "FACE_MATCH": fm.Operation.MATCH,
    "facematch": fm.Operation.MATCH,
    "PASSIVE_LIVENESS": fm.Operation.LIVENESS,
    "liveness-check": fm.Operation.LIVENESS,
}
#: As long as a record may be missing because the vendor still works on the call.
SURELY_LATE = dt.timedelta(minutes=15)
#: What a minute has room for, at both vendors, if it is limited.
PER_MINUTE = 6


class ProcessGone(BaseException):
    """The process is no more: nothing that it holds is written down any further."""


@attrs.define
class Process:
    """What a client process is for its store, which outlives it: whether it lives."""

    store: object
    #: Called with "reserved" and "settling" at those moments.
    at: object
    lives: bool = True

    def reserve(self, entry, cap, **about):
        full = self.store.reserve(entry, cap, **about)
        self.at("reserved")
        return full

    def finalize(self, entry, billed, **about):
        if not self.lives:
            raise ProcessGone
        self.at("settling")
        return self.store.finalize(entry, billed, **about)

    def __getattr__(self, name):
        return getattr(self.store, name)


@attrs.define
class Tries:
    """What the events tell of one attempt: its last word, None if there is none."""

    vendor: str
    operation: fm.Operation
    word: type | None = None


MATCH = PAID["didit"][0]
THROUGH = st.sampled_from(["didit", "deepvue", "failover", "failover"])
CALLS = st.sampled_from(["match", "match", "liveness", "live"])
PATHS = st.sampled_from([*PAID["didit"], *PAID["deepvue"], LOGIN])
MOMENTS = st.sampled_from(
    [
        "before",
        "sent",
        "executed",
        "reserved",
        "settling",
        "sleeping",
        "Started",
        "Sent",
        "Repeated",
        "Answered",
        "Charged",
        "Refused",
        "Unknown",
    ]
)
HOWS = st.sampled_from(["interrupt", "kill"])
DEADLINES = st.sampled_from([None, 20.0])


class Books(RuleBasedStateMachine):
    """A client of two vendors, its budgets, and both vendors' books."""

    process_class = Process
    on_disk = False

    @initialize(
        version=st.sampled_from(["v1", "v2"]),
        retries=st.sampled_from([0, 2]),
        breaker=st.booleans(),
        pacing=st.booleans(),
        limited=st.booleans(),
        cap=st.sampled_from([3, 25]),
    )
    def begin(self, *, version="v1", retries=0, breaker=False, pacing=False, limited=False, cap=25):
        """Open both vendors and the client.

        `version` is that of Deepvue's face match. `breaker` and `pacing` come before each vendor,
        and `limited` vendors take only `PER_MINUTE` calls in a minute. `cap` is that of each
        budget.
        """
        # What is there by now stays: collections while the story runs need not look at it.
        gc.collect()
        gc.freeze()
        self.world = TwoVendors(version=version)
        for vendor, scope in (("didit", "write"), ("deepvue", "minute")) if limited else ():
            self.world.control(vendor).set_limit(scope, PER_MINUTE)
        self.folder = tempfile.TemporaryDirectory()
        address = f"sqlite:///{self.folder.name}/attempts.sqlite3"
        self.store = SqlStore(address) if self.on_disk else MemoryStore()
        self.breaker = breaker
        self.pacing = pacing
        self.retries = retries
        self.cap = cap
        #: What really became of the attempts that the client does not know: charged or not.
        self.truth = {}
        #: What the client's events and its looks into the records add up to, by vendor.
        self.counted = collections.Counter()
        self.heard = {}
        self.armed = None
        self.world.line.at = self._moment
        self.world.clock.at = self._moment
        self._open()

    # What happens

    @rule(through=THROUGH, call=CALLS, keep=st.booleans(), deadline_s=DEADLINES)
    def verify(self, through="didit", call="match", keep=False, deadline_s=None):
        """One call; `through` is a vendor, or "failover"; `call` is match, liveness or live."""
        options = {"retention": fm.Retention.KEEP if keep else fm.Retention.MINIMAL}
        self._call_once(through, call, {**options, "deadline_s": deadline_s})

    @rule(at=MOMENTS, how=HOWS, through=THROUGH, call=CALLS, keep=st.booleans())
    def crash(self, at, how, through="didit", call="match", keep=False):
        """The same, broken off: `at` a moment of `Line`, `Process` or `WorldClock`, or at an event.

        `how` is "interrupt" for a Ctrl-C, after which the process goes on, or "kill".
        """
        self.armed = (at, how)
        self.verify(through, call=call, keep=keep)
        self.armed = None

    @rule(fault=st.sampled_from(FAULTS), path=PATHS, times=st.sampled_from([1, 1, 2]))
    def fault(self, fault, path, times=1):
        path = None if fault.stage == "connect" else path
        self.world.mock.control.add_fault(
            Fault(stage=fault.stage, kind=fault.kind, path=path, times=times, **fault.settings)
        )

    @rule(path=PATHS, times=st.sampled_from([1, 3]))
    def cut(self, path, times):
        self.world.line.cut[path] = times

    @rule(path=PATHS)
    def garble(self, path):
        self.world.line.garbled[path] = 1

    @rule()
    def revoke(self):
        self.world.control("deepvue").tokens.revoke()

    @rule(vendor=st.sampled_from(sorted(PAID)), balance=st.sampled_from(["0", "0.04", "5"]))
    def credit(self, vendor, balance):
        self.world.control(vendor).set_balance(balance)
        if balance:
            for gate in self.members[vendor].policies:
                if isinstance(gate, CircuitBreaker):
                    gate.reset()

    @rule(seconds=st.sampled_from([0.5, 31, 61, 1200, 90_000]))
    def advance(self, seconds):
        self.world.mock.control.advance(seconds)

    @rule()
    def reconcile(self):
        """Look for everything that is unknown; whatever is left has a name and a reason."""
        now = self.world.clock.now()
        looked = [*resolve_found(self.left_over(), self.failover, now)]
        for answer in looked:
            entry = answer.reservation
            outcome = answer.outcome
            charged = self.truth[entry.call.id]
            assert answer.reason, "a reason for a person"
            if outcome == "resolved":
                assert charged, "a record was found of a call that was not charged"
                self.counted[entry.call.backend] += 1
            elif outcome == "not_yet":
                assert not charged, "no record of a call that was charged"
                if now - entry.call.started_at > SURELY_LATE:
                    assert self.store.finalize(entry, fm.Charged.NO, at=now)
            elif outcome == "cannot_know":
                assert entry.call.retention is fm.Retention.MINIMAL, (
                    "a vendor that was asked to keep it can tell"
                )
            else:
                assert outcome in ("error", "skipped")
        open_ids = {entry.call.id for entry in self.store.open_reservations()}
        named = {answer.reservation.call.id for answer in looked}
        assert open_ids <= named, "what is unknown has a name"

    @rule()
    def invoice(self):
        """A person finishes what no record says, by the vendor's invoice; all books are even."""
        now = self.world.clock.now()
        for call in self.left_over():
            entry = call.reservation
            charged = self.truth[entry.call.id]
            assert self.store.finalize(entry, fm.Charged.YES if charged else fm.Charged.NO, at=now)
            self.counted[entry.call.backend] += charged
        self.check()
        for vendor in PAID:
            assert self.spent(vendor) == len(self.world.charges(vendor))

    def left_over(self):
        """What is open, as it stands when the lease of whatever was killed is over."""
        late = self.world.clock.now() + dt.timedelta(seconds=LEASE_S)
        return expire_and_list_open_calls([self.store], late)

    # Both sides

    @invariant()
    def check(self):
        """The client's books, the vendors' books and the events tell the same."""
        for vendor in PAID:
            entries = self.store.open_reservations(budget_key(vendor))
            lost = [self.truth[entry.call.id] for entry in entries]
            charged = len(self.world.charges(vendor))
            spent = self.spent(vendor)
            assert spent + sum(lost) == charged, (vendor, "client", spent, lost, "vendor", charged)
            assert spent == self.counted[vendor], (vendor, "budget", spent, dict(self.counted))
            standing = self.store.budget(budget_key(vendor))
            if standing is not None:
                assert len(lost) == standing.reserved + standing.unknown
                assert spent + len(lost) <= self.cap
            assert charged <= self.cap

    def spent(self, vendor):
        standing = self.store.budget(budget_key(vendor))
        return 0 if standing is None else standing.spent

    def teardown(self):
        if not hasattr(self, "members"):
            return
        try:
            if sys.exception() is None:
                self.invoice()
        finally:
            self.world.close()
            self.store.close()
            self.folder.cleanup()

    # One call

    def _call_once(self, through, call, options):
        charged = self._charged()
        self.heard = {}
        error = self._ask(through, call, options)
        more = self._charged() - charged
        for operation in set(OPERATIONS.values()):
            times = sum(count for (_, kind), count in more.items() if kind is operation)
            assert times <= 1, f"{times} charges for one {operation}"
        for attempt_id, tries in self.heard.items():
            self._settle(attempt_id, tries, more.pop((tries.vendor, tries.operation), 0))
        assert not +more, f"charges of calls that nobody heard of: {more}"
        if isinstance(error, ProcessGone):
            self._open()

    def _ask(self, through, call, options):
        verifier = self.members.get(through, self.failover)
        try:
            if call == "match":
                verifier.verify(PROBE, REFERENCE, **options)
            elif call == "liveness":
                verifier.check_liveness(PROBE, **options)
            else:
                verifier.verify_live(PROBE, REFERENCE, **options)
        except (fm.VendorError, fm.BudgetExceeded, fm.Unsupported) as error:
            return error
        except fm.FaceMatchError as error:
            raise AssertionError(f"not an error of this world: {error!r}") from error
        except (KeyboardInterrupt, ProcessGone) as error:
            return error
        return None

    def _settle(self, attempt_id, tries, charged):
        """What the client wrote down of one attempt, against what the vendor did."""
        entries = self.store.open_reservations(budget_key(tries.vendor))
        mine = [entry for entry in entries if entry.call.id == attempt_id]
        word = tries.word
        vendor = tries.vendor
        if mine:
            assert len(mine) == 1, "of all attempts of a call one at most is unknown"
            assert word in (fm.EventKind.UNKNOWN, None), "unknown to the budget, not in the events"
            self.truth[attempt_id] = bool(charged)
            return
        assert word is not fm.EventKind.UNKNOWN, "unknown in the events, known to the budget"
        if word is None:
            # Broken off, after the budget had heard of the end or before it was asked.
            self.counted[vendor] += charged
            return
        assert (word is fm.EventKind.CHARGED) == charged, f"{word}, and charged {charged} times"
        self.counted[vendor] += charged

    def _charged(self):
        return collections.Counter(
            (vendor, OPERATIONS[charge.what])
            for vendor in PAID
            for charge in self.world.charges(vendor)
        )

    # The client process

    def _open(self):
        """A new process: nothing of the one before but its store."""
        self.world.close()
        self.members = self.failover = None
        # Backends share a token as long as one of them is there, and a story must be repeatable.
        gc.collect()
        self.process = self.process_class(self.store, self._moment)
        self.members = {vendor: self._verifier(vendor) for vendor in PAID}
        self.failover = fm.Failover(self.members, clock=self.world.clock)

    def _verifier(self, vendor):
        clock = self.world.clock
        gates = [Budget(self.cap, name=vendor, store=self.process, clock=clock)]
        if self.breaker:
            gates.append(CircuitBreaker(failures=2, open_s=30, clock=clock))
        if self.pacing:
            gates.append(RateLimiter(RateWindow(PER_MINUTE, 60.0), max_wait_s=120, clock=clock))
        return fm.FaceVerifier(
            self.world.backend(vendor),
            threshold=30,
            policies=gates,
            retry=self.make_retry(),
            on_event=self._event,
            clock=clock,
        )

    def make_retry(self):
        return Retry(times=self.retries, chance=random.Random(1)) if self.retries else None

    def _event(self, event):
        if not self.process.lives:
            raise ProcessGone
        tries = self.heard.setdefault(event.call_id, Tries(event.backend, event.operation))
        if event.kind in (fm.EventKind.CHARGED, fm.EventKind.REFUSED, fm.EventKind.UNKNOWN):
            tries.word = event.kind
        is_repeated = event.kind is fm.EventKind.RETRYING
        self._moment("Repeated" if is_repeated else event.kind.name.title())

    def _moment(self, moment, path=None):
        """Break the call off here, if that was asked for."""
        if path is not None and not path.startswith((*PAID["didit"], *PAID["deepvue"])):
            return
        if self.armed is None or self.armed[0] != moment:
            return
        how = self.armed[1]
        self.armed = None
        if how == "kill":
            self.process.lives = False
            raise ProcessGone
        raise KeyboardInterrupt


def times(number, steps=40, long=None):
    examples = max(50, settings().max_examples)
    many = max(1, examples * (long if long and examples > 100 else number) // 100)
    return settings(
        max_examples=many, stateful_step_count=steps, print_blob=True, report_multiple_bugs=False
    )


class OnDisk(Books):
    on_disk = True


TestInMemory = Books.TestCase
TestInMemory.settings = times(50, long=200)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = times(8, steps=25, long=25)


def standing(books, vendor="didit"):
    books.check()
    return *sums(books.store, budget_key(vendor)), len(books.world.charges(vendor))


def test_scripted_calls_balance_with_the_mocks_charges():
    """What the machine may do, step by step, so that nobody need believe that it does."""
    books = Books()
    books.begin(retries=2)
    books.verify()
    assert standing(books) == (1, 0, 0, 1)
    books.fault(Breakage("mid_body", "reset"), MATCH)
    books.verify(keep=True)
    assert standing(books) == (1, 0, 1, 2)
    books.reconcile()
    assert standing(books) == (2, 0, 0, 2)
    books.fault(Breakage("after_upload", "reset", {"executed": False}), MATCH)
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
    busy = {"status": 429, "executed": False}
    books.fault(Breakage("answer", "status", busy), MATCH, times=2)
    books.credit("didit", 5)
    books.verify()
    assert standing(books) == (5, 0, 0, 5)
    books.teardown()


class Stubborn(Retry):
    """Repeats whatever failed."""

    def wait_s(self, error, passage):
        return 1.0 if passage.number <= self.times else None


class Repeating(Books):
    """A client that makes a call again whose answer was lost."""

    def make_retry(self):
        return Stubborn(times=1)


@attrs.define
class Hopeful(Process):
    """Takes a call for free whose charge is not known."""

    def finalize(self, entry, billed, **about):
        free = billed is fm.Charged.UNKNOWN
        return super().finalize(entry, fm.Charged.NO if free else billed, **about)


class Forgetting(Books):
    """A client whose budget forgets what is unknown."""

    process_class = Hopeful


@pytest.mark.parametrize("machine", [Repeating, Forgetting])
def test_a_client_that_loses_money_is_detected(machine):
    # Not made shorter: that takes a minute.
    quickly = settings(times(100), database=None, print_blob=False, phases=[Phase.generate])
    with contextlib.redirect_stdout(io.StringIO()), pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=quickly)
