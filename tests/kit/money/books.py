"""Double entry: what a client writes down of each call, held against the vendors' own books.

`Books` is a world and a client of it. Each method is one thing that happens; when it has happened,
both sides are compared. A failing test prints such calls as a script.
"""

import collections
import datetime as dt
import gc
import random

import attrs
from kit.fakes import picture
from kit.money.lines import PAID, TwoVendors

import facematch_core as fm
from facematch_core.cli.budget import look, open_in
from facematch_core.resilience import Budget, CircuitBreaker, Period, RateLimiter, RateWindow, Retry
from facematch_core.store import BudgetKey, MemoryStore, SqlStore
from facematch_core.store.records import LEASE_S
from facematch_mock_server import Fault

PROBE, REFERENCE = picture(), picture((20, 30, 40))
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


class Books:
    """A client of two vendors, its budgets, and both vendors' books.

    `version` is that of Deepvue's face match. `breaker` and `pacing` come before each vendor, and
    `limited` vendors take only `PER_MINUTE` calls in a minute. `cap` is that of each budget.
    `store` is an address for `SqlStore`; None for memory.
    """

    def __init__(
        self,
        *,
        version="v1",
        retries=0,
        breaker=False,
        pacing=False,
        limited=False,
        cap=25,
        store=None,
    ):
        rates = {"didit": {"write_limit": PER_MINUTE}, "deepvue": {"minute_limit": PER_MINUTE}}
        self.world = TwoVendors(version=version, switches=rates if limited else None)
        self.store = MemoryStore() if store is None else SqlStore(store)
        self.policies = {"breaker": breaker, "pacing": pacing, "retries": retries}
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

    make_process = Process

    # What happens

    def verify(self, through="didit", *, call="match", keep=False, deadline_s=None):
        """One call; `through` is a vendor, or "failover"; `call` is match, liveness or live."""
        asked = {"retention": fm.Retention.KEEP if keep else fm.Retention.MINIMAL}
        self._one(through, call, {**asked, "deadline_s": deadline_s})

    def crash(self, at, how, through="didit", *, call="match", keep=False):
        """The same, broken off: `at` a moment of `Line`, `Process` or `WorldClock`, or at an event.

        `how` is "interrupt" for a Ctrl-C, after which the process goes on, or "kill".
        """
        self.armed = (at, how)
        self.verify(through, call=call, keep=keep)
        self.armed = None
        self.check()

    def fault(self, stage, kind, path, **more):
        self.world.mock.control.add_fault(Fault(stage=stage, kind=kind, path=path, **more))
        self.check()

    def cut(self, path, times=1):
        self.world.line.cut[path] = times
        self.check()

    def garble(self, path):
        self.world.line.garbled[path] = 1
        self.check()

    def revoke(self):
        self.world.control("deepvue").tokens.revoke()
        self.check()

    def credit(self, vendor, balance):
        self.world.control(vendor).set_balance(balance)
        if balance:
            for gate in self.members[vendor].policies:
                if isinstance(gate, CircuitBreaker):
                    gate.reset()
        self.check()

    def advance(self, seconds):
        self.world.mock.control.advance(seconds)
        self.check()

    def reconcile(self):
        """Look for everything that is unknown; whatever is left has a name and a reason."""
        now = self.world.clock.now()
        looked = look(self.left_over(), self.failover, now)
        for one in looked:
            entry = one.reservation
            charged = self.truth[entry.call.id]
            assert one.reason, "a reason for a person"
            if one.outcome == "resolved":
                assert charged, "a record was found of a call that was not charged"
                self.counted[entry.call.backend] += 1
            elif one.outcome == "not_yet":
                assert not charged, "no record of a call that was charged"
                if now - entry.call.started_at > SURELY_LATE:
                    assert self.store.finalize(entry, fm.Charged.NO, at=now)
            elif one.outcome == "cannot_know":
                assert not entry.call.kept, "a vendor that was asked to keep it can tell"
            else:
                assert one.outcome in ("error", "skipped")
        left = {entry.call.id for entry in self.store.open_reservations()}
        named = {one.reservation.call.id for one in looked}
        assert left <= named, "what is unknown has a name"
        self.check()

    def invoice(self):
        """A person finishes what no record says, by the vendor's invoice; all books are even."""
        now = self.world.clock.now()
        for _, entry in self.left_over():
            charged = self.truth[entry.call.id]
            assert self.store.finalize(entry, fm.Charged.YES if charged else fm.Charged.NO, at=now)
            self.counted[entry.call.backend] += charged
        self.check()
        for vendor in PAID:
            assert self.spent(vendor) == len(self.world.charges(vendor))

    def left_over(self):
        """What is open, as it stands when the lease of whatever was killed is over."""
        late = self.world.clock.now() + dt.timedelta(seconds=LEASE_S)
        return open_in({self.store: LEASE_S}, late)

    # Both sides

    def check(self):
        """The client's books, the vendors' books and the events tell the same."""
        for vendor in PAID:
            entries = self.store.open_reservations(_key(vendor))
            lost = [self.truth[entry.call.id] for entry in entries]
            charged = len(self.world.charges(vendor))
            spent = self.spent(vendor)
            assert spent + sum(lost) == charged, (vendor, "client", spent, lost, "vendor", charged)
            assert spent == self.counted[vendor], (vendor, "budget", spent, dict(self.counted))
            standing = self.store.budget(_key(vendor))
            if standing is not None:
                assert len(lost) == standing.reserved + standing.unknown
                assert spent + len(lost) <= self.cap
            assert charged <= self.cap

    def spent(self, vendor):
        standing = self.store.budget(_key(vendor))
        return 0 if standing is None else standing.spent

    def close(self):
        self.world.close()
        self.store.close()

    # One call

    def _one(self, through, call, options):
        charged = self._charged()
        self.heard = {}
        error = self._asked(through, call, options)
        more = self._charged() - charged
        for operation in set(OPERATIONS.values()):
            times = sum(count for (_, kind), count in more.items() if kind is operation)
            assert times <= 1, f"{times} charges for one {operation}"
        for attempt_id, tries in self.heard.items():
            self._settle(attempt_id, tries, more.pop((tries.vendor, tries.operation), 0))
        assert not +more, f"charges of calls that nobody heard of: {more}"
        if isinstance(error, ProcessGone):
            self._open()
        self.check()

    def _asked(self, through, call, options):
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
        entries = self.store.open_reservations(_key(tries.vendor))
        mine = [entry for entry in entries if entry.call.id == attempt_id]
        word, vendor = tries.word, tries.vendor
        if mine:
            assert len(mine) == 1, "of all tries of a call one at most is unknown"
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
        self.process = self.make_process(self.store, self._moment)
        self.members = {vendor: self._verifier(vendor) for vendor in PAID}
        self.failover = fm.Failover(self.members, clock=self.world.clock)

    def _verifier(self, vendor):
        clock = self.world.clock
        gates = [Budget(self.cap, name=vendor, store=self.process, clock=clock)]
        if self.policies["breaker"]:
            gates.append(CircuitBreaker(failures=2, open_s=30, clock=clock))
        if self.policies["pacing"]:
            gates.append(RateLimiter([RateWindow(PER_MINUTE, 60.0)], max_wait_s=120, clock=clock))
        return fm.FaceVerifier(
            self.world.backend(vendor),
            threshold=30,
            policies=gates,
            retry=self.retries(),
            on_event=self._event,
            clock=clock,
        )

    def retries(self):
        times = self.policies["retries"]
        return Retry(times=times, chance=random.Random(1)) if times else None

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
        how, self.armed = self.armed[1], None
        if how == "kill":
            self.process.lives = False
            raise ProcessGone
        raise KeyboardInterrupt


def _key(vendor):
    return BudgetKey(
        name=vendor, currency=None, environment=fm.Environment.PRODUCTION, period=Period.TOTAL
    )


# Clients that lose money, each in one way: what the machine has to find.


class Stubborn(Retry):
    """Repeats whatever failed."""

    def wait_s(self, error, passage):
        return 1.0 if passage.number <= self.times else None


class Repeating(Books):
    """A client that makes a call again whose answer was lost."""

    def retries(self):
        return Stubborn(times=1)


@attrs.define
class Hopeful(Process):
    """Takes a call for free whose charge is not known."""

    def finalize(self, entry, billed, **about):
        free = billed is fm.Charged.UNKNOWN
        return super().finalize(entry, fm.Charged.NO if free else billed, **about)


class Forgetting(Books):
    """A client whose budget forgets what is unknown."""

    make_process = Hopeful
