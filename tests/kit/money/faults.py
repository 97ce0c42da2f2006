"""Every fault of the mock, by vendor and policies: the outcome of one call, and what it must be."""

import attrs
from kit.attempts import budget_key
from kit.fakes import picture
from kit.money.lines import PAID, TwoVendors

from facematch_core import Charged, EventKind, FaceMatchError, FaceVerifier, Failover, VendorError
from facematch_core.http import HttpRequest
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore
from facematch_mock_server import Fault
from facematch_mock_server.world.faults import CARRIED_OUT, POSSIBLE, Stage


@attrs.frozen
class Breakage:
    """A fault that strikes one request, or its answer.

    Attributes:
        stage, kind: Where the exchange breaks, and how; as those of `Fault`.
        settings: The other fields of `Fault`: `status`, `body`, `seconds`, `executed`.
    """

    stage: str
    kind: str
    settings: dict = attrs.field(factory=dict, hash=False)

    def __str__(self):
        parts = [self.stage, self.kind]
        if "status" in self.settings:
            parts.append(str(self.settings["status"]))
        if self.settings.get("executed"):
            parts.append("executed")
        return "-".join(part for part in parts if part)

    @property
    def executed(self):
        """Whether the vendor carries out the call, and charges for it."""
        if self is NO_FAULT:
            return True
        return CARRIED_OUT.get(self.stage, self.settings.get("executed", False))

    @property
    def answer(self):
        """The kind and status of the answer, as the tables below have them."""
        return (self.kind, self.settings.get("status"))


#: No byte comes for so long that nobody waits for it.
LONG_SILENCE_S = 60
#: JSON in the form in which both vendors report their own faults.
VENDORS_FAULT = {"detail": "A sentence of the vendor's."}

#: The end of a call, by kind and status of an answer that refuses it before any work.
REFUSALS = {
    ("status", 400): "RequestRejected",
    ("status", 404): "RequestRejected",
    ("status", 413): "RequestRejected",
    ("status", 422): "RequestRejected",
    ("html", 404): "RequestRejected",
    ("html", 413): "RequestRejected",
    ("status", 401): "AuthenticationFailed",
    ("status", 403): "AuthenticationFailed",
    ("html", 401): "AuthenticationFailed",
    ("status", 402): "InsufficientCredit",
    ("status", 429): "RateLimited",
    ("html", 429): "RateLimited",
}
#: Kind and status of the answers that do not say whether the call was carried out.
LOST = [
    *(("status", status) for status in (408, 500, 502, 503, 504)),
    *(("wrong_json", status) for status in (500, 503)),
    *(("html", status) for status in (302, 400, 500, 502, 503, 504)),
]
#: The ends that differ from the tables above, by vendor.
ENDS_BY_VENDOR = {
    "didit": {
        # Only Didit's word for an outage of its own says that it was free.
        ("json", 500): "VendorUnavailable",
        ("json", 503): "VendorUnavailable",
        ("html", 200): "UnexpectedResponse",
        ("wrong_json", 200): "UnexpectedResponse",
        ("json", 200): "UnexpectedResponse",
    },
    "deepvue": {
        ("json", 500): "OutcomeUnknown",
        ("json", 503): "OutcomeUnknown",
        # A refusal of the token is followed by a new one, and the call is made again.
        ("status", 401): "MATCH",
        ("status", 403): "MATCH",
        ("html", 401): "MATCH",
        ("html", 200): "UnexpectedResponse",
        ("wrong_json", 200): "NoVerdict",
        ("json", 200): "NoVerdict",
    },
}
#: What each end says of the charge; all others are free.
CHARGED_BY_END = {
    "MATCH": "YES",
    "UnexpectedResponse": "YES",
    "NoVerdict": "YES",
    "OutcomeUnknown": "UNKNOWN",
    "DeadlineExceeded": "UNKNOWN",
}
#: How the client counts a call, by what its end says of the charge.
COUNTED_BY_CHARGE = {"YES": "spent", "UNKNOWN": "unknown", "NO": ""}
#: The ends after which a call may be repeated.
REPEATED = {"VendorUnavailable", "RateLimited"}
#: The ends after which another vendor may be asked.
FAILED_OVER = {"VendorUnavailable", "RateLimited", "InsufficientCredit"}

#: The connection is not made at all, which no fault of the mock can do.
NOBODY_LISTENS = Breakage("no connection", "nobody listens")
NO_FAULT = Breakage("nothing breaks", "")


def _breakages_of_connections():
    """Yield each fault of the connection, executed or not where either can be."""
    for stage, kinds in POSSIBLE.items():
        if stage is Stage.ANSWER:
            continue
        for kind in sorted(kinds):
            settings = {}
            if kind in ("delay", "dribble"):
                settings["seconds"] = LONG_SILENCE_S
            if stage is Stage.AFTER_UPLOAD:
                yield Breakage(stage.value, kind.value, {**settings, "executed": False})
                yield Breakage(stage.value, kind.value, {**settings, "executed": True})
            else:
                yield Breakage(stage.value, kind.value, settings)


def _breakages_of_answers():
    """Yield each answer that is not the vendor's usual one, executed or not where either can be."""
    refusals = [answer for answer in REFUSALS if answer[0] == "status"]
    pages = [answer for answer in REFUSALS if answer[0] == "html"]
    for kind, status in refusals:
        yield Breakage("answer", kind, {"status": status, "executed": False})
    for kind, status in LOST:
        yield Breakage("answer", kind, {"status": status, "executed": False})
        yield Breakage("answer", kind, {"status": status, "executed": True})
    for kind, status in pages:
        yield Breakage("answer", kind, {"status": status, "executed": False})
    for status in (500, 503):
        settings = {"status": status, "executed": False, "body": VENDORS_FAULT}
        yield Breakage("answer", "json", settings)


#: Everything that the mock can break, except what no client can know.
FAULTS = (*_breakages_of_connections(), *_breakages_of_answers())
#: Answers 200 in the place of those to calls that were carried out. They strike a call that was
#: refused as well, and then it is not charged: no client can know that either.
UNREADABLE = (
    Breakage("answer", "html", {"status": 200, "executed": True}),
    Breakage("answer", "wrong_json", {"status": 200, "executed": True}),
    Breakage("answer", "json", {"status": 200, "executed": True, "body": VENDORS_FAULT}),
)
CASES = (NO_FAULT, NOBODY_LISTENS, *FAULTS, *UNREADABLE)

#: The versions of each vendor's face match.
VERSIONS = {"didit": ("v3",), "deepvue": ("v1", "v2")}
#: What comes before the call. What refuses it there is tested in `tests/core/resilience`.
GATES = {
    "no gate": (),
    "budget": ("budget",),
    "breaker": ("breaker",),
    "pacing": ("pacing",),
    "retries": ("retries",),
    "all gates": ("budget", "breaker", "pacing", "retries"),
    "failover": ("budget", "failover"),
}

#: The gates that are policies of a verifier.
POLICIES = ("budget", "breaker", "pacing")


@attrs.frozen(order=True)
class CallOutcome:
    #: Class name of the error; the decision if there is a result.
    error: str
    #: What it says of the charge.
    billed: str
    #: In both vendors' books.
    charges: tuple
    #: What the client counts: "spent", "unknown", "" for nothing.
    counted: tuple
    #: How many paid calls were sent.
    requests: tuple


def end_of(vendor, case):
    """Return how a call ends that a fault strikes: the decision, or the error's class name."""
    if case is NO_FAULT:
        return "MATCH"
    if case is NOBODY_LISTENS:
        return "VendorUnavailable"
    if case.stage != "answer" or case.answer in LOST:
        return "OutcomeUnknown"
    if case.answer in ENDS_BY_VENDOR[vendor]:
        return ENDS_BY_VENDOR[vendor][case.answer]
    return REFUSALS[case.answer]


def expected_outcome(vendor, setting, case):
    """Return what has to come of it: a gate changes nothing, or helps what is free."""
    end = end_of(vendor, case)
    sent = 0 if case is NOBODY_LISTENS else 1
    if setting in ("retries", "all gates") and end in REPEATED:
        return CallOutcome("MATCH", "YES", (1, 0), ("spent", ""), (sent + 1, 0))
    if setting == "failover" and end in FAILED_OVER:
        return CallOutcome("MATCH", "YES", (0, 1), ("", "spent"), (sent, 1))
    is_charged = case.executed
    if end == "MATCH" and case is not NO_FAULT:
        # The backend has sent it a second time, with a new token.
        is_charged = True
        sent += 1
    charge = CHARGED_BY_END.get(end, "NO")
    counted = COUNTED_BY_CHARGE[charge]
    return CallOutcome(end, charge, (int(is_charged), 0), (counted, ""), (sent, 0))


def call_once(verifier, events=()):
    try:
        return verifier.verify(picture(), picture((20, 30, 40)))
    except FaceMatchError as error:
        return error


def call_outcome(vendor, version, setting, case, *, by=call_once):
    world = TwoVendors(version=version) if vendor == "deepvue" else TwoVendors()
    try:
        return FaultClient(world, vendor, GATES[setting]).struck_by(case).once(by)
    finally:
        world.close()


class FaultClient:
    """A client of two vendors that calls one of them, whose answer a fault strikes.

    `gates` is a value of `GATES`: the policies before each vendor.
    """

    def __init__(self, world, vendor, gates=()):
        self.world = world
        other_vendors = [name for name in PAID if name != vendor]
        self.vendors = [vendor, *other_vendors]
        self.gates = gates
        self.path = PAID[vendor][0]
        if (vendor, world.version) == ("deepvue", "v2"):
            self.path = PAID[vendor][1]
        self.store = MemoryStore()
        self.events = []
        self.members = {name: self._open_verifier(name) for name in self.vendors}
        if vendor == "deepvue":
            # A fault is to meet the call, not the login before it; one client's backends share it.
            backend = world.backend(vendor)
            backend.sign(HttpRequest(url=backend.service_url), request=None)

    def struck_by(self, case):
        if case is NOBODY_LISTENS:
            self.world.line.cut[self.path] = 1
        elif case is not NO_FAULT:
            path = None if case.stage == "connect" else self.path
            fault = Fault(stage=case.stage, kind=case.kind, path=path, **case.settings)
            self.world.mock.control.add_fault(fault)
        return self

    def once(self, by=call_once):
        """Make one call, as `by` makes it with a verifier and the list of its events."""
        if "failover" in self.gates:
            verifier = Failover(self.members, clock=self.world.clock)
        else:
            verifier = self.members[self.vendors[0]]
        answer = by(verifier, self.events)
        if not isinstance(answer, FaceMatchError):
            end = answer.decision.name
            charged = answer.billing.charged
        else:
            end = type(answer).__name__
            charged = answer.billing.charged if isinstance(answer, VendorError) else Charged.NO
        return CallOutcome(
            error=end,
            billed=charged.name,
            charges=tuple(len(self.world.charges(vendor)) for vendor in self.vendors),
            counted=tuple(self._counted(vendor) for vendor in self.vendors),
            requests=tuple(self.world.line.paid(vendor) for vendor in self.vendors),
        )

    def _open_verifier(self, vendor):
        return FaceVerifier(
            self.world.backend(vendor),
            threshold=30,
            policies=[self._policy(name, vendor) for name in self.gates if name in POLICIES],
            retry=Retry(times=2) if "retries" in self.gates else None,
            on_event=self.events.append,
            clock=self.world.clock,
        )

    def _policy(self, name, vendor):
        clock = self.world.clock
        if name == "budget":
            return Budget(10, name=vendor, store=self.store, clock=clock)
        if name == "breaker":
            return CircuitBreaker(failures=5)
        return RateLimiter(RateWindow(1, 1.0), clock=clock)

    def _counted(self, vendor):
        """Return what the events count; the budget, if there is one, must say the same."""
        counts = {EventKind.CHARGED: "spent", EventKind.UNKNOWN: "unknown"}
        counted = []
        for event in self.events:
            if event.backend == vendor and event.kind in counts:
                counted.append(counts[event.kind])
        if "budget" in self.gates:
            standing = self.store.budget(budget_key(vendor))
            assert counted == _counted_by_budget(standing), vendor
        return " ".join(counted)


def _counted_by_budget(standing):
    if not standing:
        return []
    assert standing.reserved == 0
    assert standing.spent + standing.unknown <= 1
    return [name for name in ("spent", "unknown") if getattr(standing, name)]
