"""Every fault, once for each vendor and setting of the gates: what comes of one call."""

import collections
import itertools

import attrs
from kit.fakes import picture
from kit.money.lines import PAID, World
from kit.money.stories import FAULTS, UNREADABLE, Breakage

from facematch_core import Charged, EventKind, FaceMatchError, FaceVerifier, Failover, VendorError
from facematch_core.http import HttpRequest
from facematch_core.models import Environment
from facematch_core.resilience import Budget, CircuitBreaker, Period, RateLimiter, RateWindow, Retry
from facematch_core.store import BudgetKey, MemoryStore
from facematch_mock_server import Fault

PROBE, REFERENCE = picture(), picture((20, 30, 40))

#: The versions of each vendor's face match.
VERSIONS = {"didit": ("v3",), "deepvue": ("v1", "v2")}
#: What stands before the call; `open` is a breaker that opened before it, and `used up` a budget
#: without room.
SETTINGS = {
    "no gate": (),
    "budget": ("budget",),
    "budget used up": ("budget", "used up"),
    "breaker closed": ("breaker",),
    "breaker open": ("breaker", "open"),
    "pacing": ("pacing",),
    "retries": ("retries",),
    "all gates": ("budget", "breaker", "pacing", "retries"),
    "failover": ("budget", "failover"),
}
#: The connection is not made at all, which no fault of the mock can do.
NOBODY = Breakage("no connection", "nobody listens")
NOTHING = Breakage("nothing breaks", "")
CASES = (NOTHING, NOBODY, *FAULTS, *UNREADABLE)


@attrs.frozen(order=True)
class Outcome:
    """What came of one call.

    Attributes:
        error: Class name of the error; the decision if there is a result.
        billed: What it says of the charge.
        charges: In the books of the vendor that was meant, and of the one behind it.
        counted: What the client counts, at each: "spent", "unknown", "" for nothing.
        requests: How many paid calls were sent to each.
    """

    error: str
    billed: str
    charges: tuple
    counted: tuple
    requests: tuple


def outcome(vendor, version, setting, case):
    """What comes of one call of `vendor` with these gates, if `case` strikes its first request."""
    world = World(version=version) if vendor == "deepvue" else World()
    path = PAID[vendor][1 if version == "v2" else 0]
    order = (vendor, *(other for other in PAID if other != vendor))
    asked = Asked(world, order, SETTINGS[setting])
    asked.log_in(vendor)
    struck(world, case, path)
    try:
        return asked.once()
    finally:
        world.close()


def struck(world, case, path):
    """Let `case` strike the next request to a path."""
    if case is NOBODY:
        world.line.cut[path] = 1
    elif case is not NOTHING:
        where = None if case.stage == "connect" else path
        fault = Fault(stage=case.stage, kind=case.kind, path=where, **case.more)
        world.mock.control.add_fault(fault)


class Asked:
    """One client, and the two vendors' books.

    Args:
        world: The vendors.
        order: Whom it asks first.
        gates: Names of what stands before each call.
    """

    def __init__(self, world, order, gates):
        self.world = world
        self.order = order
        self.policies = gates
        self.store = MemoryStore()
        self.words = collections.Counter()
        self.members = {vendor: self._verifier(vendor) for vendor in order}

    def log_in(self, vendor):
        """Let a fault meet the call, and not the login before it nor its connection."""
        if vendor == "deepvue":
            # Backends of one client share its token.
            other = self.world.backend(vendor)
            other.sign(HttpRequest(url=other.address), call=None)

    def once(self):
        """One call."""
        verifier = self.members[self.order[0]]
        if "failover" in self.policies:
            verifier = Failover(self.members, clock=self.world.clock)
        try:
            result = verifier.verify(PROBE, REFERENCE)
        except FaceMatchError as error:
            ended, billed = (
                type(error).__name__,
                (error.billing.charged if isinstance(error, VendorError) else Charged.NO),
            )
        else:
            ended, billed = result.decision.name, result.billing.charged
        return Outcome(
            error=ended,
            billed=billed.name,
            charges=tuple(len(self.world.charges(vendor)) for vendor in self.order),
            counted=tuple(self._counted(vendor) for vendor in self.order),
            requests=tuple(self.world.line.paid(vendor) for vendor in self.order),
        )

    def _verifier(self, vendor):
        clock = self.world.clock
        cap = 0 if "used up" in self.policies else 10
        made = {
            "budget": lambda: Budget(cap, name=vendor, store=self.store, clock=clock),
            "breaker": self._breaker,
            "pacing": lambda: RateLimiter([RateWindow(1, 1.0)], clock=clock),
        }
        return FaceVerifier(
            self.world.backend(vendor),
            threshold=30,
            policies=[made[name]() for name in self.policies if name in made],
            retry=Retry(times=2) if "retries" in self.policies else None,
            on_event=self._event,
            clock=clock,
        )

    def _breaker(self):
        breaker = CircuitBreaker(clock=self.world.clock)
        if "open" in self.policies:
            breaker._open(0.0)
        return breaker

    def _event(self, event):
        if event.kind in (EventKind.CHARGED, EventKind.UNKNOWN):
            self.words[
                event.backend, "spent" if event.kind is EventKind.CHARGED else "unknown"
            ] += 1

    def _counted(self, vendor):
        """By the events; by the budget too, if there is one, which must say the same."""
        words = [word for word in ("spent", "unknown") if self.words[vendor, word]]
        if "budget" in self.policies:
            standing = self.store.budget(
                BudgetKey(
                    name=vendor,
                    currency=None,
                    environment=Environment.PRODUCTION,
                    period=Period.TOTAL,
                )
            )
            kept = [word for word in ("spent", "unknown") if standing and getattr(standing, word)]
            assert kept == words, (vendor, kept, words)
            assert not standing or (standing.reserved, standing.spent + standing.unknown <= 1) == (
                0,
                1,
            )
        return " ".join(words)


def all_outcomes():
    """The outcome of everything, by (vendor, version, setting, case)."""
    return {
        (vendor, version, setting, case): outcome(vendor, version, setting, case)
        for vendor, versions in VERSIONS.items()
        for version, setting, case in itertools.product(versions, SETTINGS, CASES)
    }
