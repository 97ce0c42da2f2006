"""Every fault of the mock, by vendor and policies: the outcome of one call, and what it must be."""

import itertools
from functools import partial

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
    stage: str
    kind: str
    more: dict = attrs.field(factory=dict, hash=False)

    def __str__(self):
        words = [self.stage, self.kind, self.more.get("status")]
        done = "executed" if self.more.get("executed") else None
        return "-".join(str(word) for word in (*words, done) if word)

    @property
    def executed(self):
        return CARRIED_OUT.get(self.stage, self.more.get("executed", self is NO_FAULT))


#: No byte comes for so long that nobody waits for it.
LONG_SILENCE = {"seconds": 60}
#: JSON in the form in which both vendors report their own faults.
OWN_FAULT = {"detail": "A sentence of the vendor's."}
#: What an answer of each kind and status ends in. By those of the first table a request is refused
#: before any work, whoever refuses it.
REFUSALS = {
    **dict.fromkeys((("status", status) for status in (400, 404, 413, 422)), "RequestRejected"),
    **dict.fromkeys((("html", 404), ("html", 413)), "RequestRejected"),
    **dict.fromkeys((("status", 401), ("status", 403), ("html", 401)), "AuthenticationFailed"),
    ("status", 402): "InsufficientCredit",
    **dict.fromkeys((("status", 429), ("html", 429)), "RateLimited"),
}
LOST = [
    *(("status", status) for status in (408, 500, 502, 503, 504)),
    *(("wrong_json", status) for status in (500, 503)),
    *(("html", status) for status in (302, 400, 500, 502, 503, 504)),
]
#: By vendor, where they differ. Only Didit's word for an outage of its own says that it was free.
#: Deepvue's refusal of a token is followed by a new one, and the call is made again.
OWN_WORDS = {
    "didit": {
        **dict.fromkeys((("json", 500), ("json", 503)), "VendorUnavailable"),
        **dict.fromkeys((("html", 200), ("wrong_json", 200), ("json", 200)), "UnexpectedResponse"),
    },
    "deepvue": {
        **dict.fromkeys((("json", 500), ("json", 503)), "OutcomeUnknown"),
        **dict.fromkeys((("status", 401), ("status", 403), ("html", 401)), "MATCH"),
        **dict.fromkeys((("wrong_json", 200), ("json", 200)), "NoVerdict"),
        ("html", 200): "UnexpectedResponse",
    },
}
#: What each end says of the charge; all others are free.
BILLED = {
    "MATCH": "YES",
    "UnexpectedResponse": "YES",
    "NoVerdict": "YES",
    "OutcomeUnknown": "UNKNOWN",
    "DeadlineExceeded": "UNKNOWN",
}
#: What may be made again, and what another vendor may be asked after.
AGAIN = {"VendorUnavailable", "RateLimited"}
ELSEWHERE = AGAIN | {"InsufficientCredit"}

#: The connection is not made at all, which no fault of the mock can do.
NOBODY_LISTENS = Breakage("no connection", "nobody listens")
NO_FAULT = Breakage("nothing breaks", "")


def _on_the_wire():
    for stage, kinds in POSSIBLE.items():
        for kind in sorted(kinds) if stage is not Stage.ANSWER else ():
            more = dict(LONG_SILENCE) if kind in ("delay", "dribble") else {}
            for executed in (False, True) if stage is Stage.AFTER_UPLOAD else (None,):
                done = {} if executed is None else {"executed": executed}
                yield Breakage(stage.value, kind.value, more | done)


def _answers():
    """Yield each answer that is not the vendor's usual one, executed or not where either can be."""
    free = [(*end, False) for end in REFUSALS if end[0] == "status"]
    lost = [(*end, executed) for end in LOST for executed in (False, True)]
    pages = [(*end, False) for end in REFUSALS if end[0] == "html"]
    own_words = [("json", status, False) for status in (500, 503)]
    for kind, status, executed in (*free, *lost, *pages, *own_words):
        body = {"body": OWN_FAULT} if kind == "json" else {}
        yield Breakage("answer", kind, {"status": status, "executed": executed, **body})


#: Everything that the mock can break, except what no client can know.
FAULTS = (*_on_the_wire(), *_answers())
#: Answers 200 in the place of those to calls that were carried out. They strike a call that was
#: refused as well, and then it is not charged: no client can know that either.
UNREADABLE = tuple(
    Breakage("answer", kind, {"status": 200, "executed": True, **more})
    for kind, more in {"html": {}, "wrong_json": {}, "json": {"body": OWN_FAULT}}.items()
)
CASES = (NO_FAULT, NOBODY_LISTENS, *FAULTS, *UNREADABLE)

#: The versions of each vendor's face match.
VERSIONS = {"didit": ("v3",), "deepvue": ("v1", "v2")}
#: What comes before the call; `open` is a breaker that opened before it, and `used up` a budget
#: without room.
GATES = {
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

#: What refuses a call before anything is sent, and how.
REFUSING = {"breaker open": "BreakerOpen", "budget used up": "BudgetExceeded"}


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


def ends_in(vendor, case):
    if case is NO_FAULT:
        return "MATCH"
    if case is NOBODY_LISTENS:
        return "VendorUnavailable"
    met = (case.kind, case.more.get("status"))
    if case.stage != "answer" or met in LOST:
        return "OutcomeUnknown"
    return OWN_WORDS[vendor].get(met) or REFUSALS[met]


def expected_outcome(vendor, setting, case):
    """What has to come of it: a gate changes nothing, refuses everything, or helps what is free."""
    if setting in REFUSING:
        return CallOutcome(REFUSING[setting], "NO", (0, 0), ("", ""), (0, 0))
    end = ends_in(vendor, case)
    sent = 0 if case is NOBODY_LISTENS else 1
    if setting in ("retries", "all gates") and end in AGAIN:
        return CallOutcome("MATCH", "YES", (1, 0), ("spent", ""), (sent + 1, 0))
    if setting == "failover" and end in ELSEWHERE:
        return CallOutcome("MATCH", "YES", (0, 1), ("", "spent"), (sent, 1))
    again = end == "MATCH" and case is not NO_FAULT
    billed = BILLED.get(end, "NO")
    counted = {"YES": "spent", "UNKNOWN": "unknown", "NO": ""}[billed]
    charges = int(again or case.executed)
    return CallOutcome(end, billed, (charges, 0), (counted, ""), (sent + again, 0))


def call_once(verifier, events=(), *, liveness=False):
    try:
        if liveness:
            return verifier.check_liveness(picture())
        return verifier.verify(picture(), picture((20, 30, 40)))
    except FaceMatchError as error:
        return error


def call_outcome(vendor, version, setting, case, *, by=call_once, liveness=False):
    world = TwoVendors(version=version) if vendor == "deepvue" else TwoVendors()
    by = partial(call_once, liveness=True) if liveness else by
    try:
        client = FaultClient(world, vendor, GATES[setting], liveness=liveness)
        return client.struck_by(case).once(by)
    finally:
        world.close()


def all_outcomes():
    return {
        (vendor, version, setting, case): call_outcome(vendor, version, setting, case)
        for vendor, versions in VERSIONS.items()
        for version, setting, case in itertools.product(versions, GATES, CASES)
    }


class FaultClient:
    """A client of two vendors that calls one of them, whose answer a fault strikes.

    `gates` is a value of `GATES`: the policies before each vendor, and what is special about them.
    """

    def __init__(self, world, vendor, gates=(), *, liveness=False):
        self.world = world
        self.order = (vendor, *(other for other in PAID if other != vendor))
        self.gates = gates
        which = 1 if world.version == "v2" and vendor == "deepvue" else 0
        self.path = PAID[vendor][-1 if liveness else which]
        self.store = MemoryStore()
        self.events = []
        self.members = {name: self._verifier(name) for name in self.order}
        if vendor == "deepvue":
            # A fault is to meet the call, not the login before it; one client's backends share it.
            other = world.backend(vendor)
            other.sign(HttpRequest(url=other.service_url), request=None)
        if "open" in gates:
            world.line.cut[self.path] = 1
            call_once(self.members[vendor])

    def struck_by(self, case):
        if case is NOBODY_LISTENS:
            self.world.line.cut[self.path] = 1
        elif case is not NO_FAULT:
            where = None if case.stage == "connect" else self.path
            fault = Fault(stage=case.stage, kind=case.kind, path=where, **case.more)
            self.world.mock.control.add_fault(fault)
        return self

    def once(self, by=call_once):
        """One call, as `by` makes it with a verifier and the list of its events."""
        verifier = self.members[self.order[0]]
        if "failover" in self.gates:
            verifier = Failover(self.members, clock=self.world.clock)
        ended = by(verifier, self.events)
        if isinstance(ended, FaceMatchError):
            error = type(ended).__name__
            billed = ended.billing.charged if isinstance(ended, VendorError) else Charged.NO
        else:
            error, billed = ended.decision.name, ended.billing.charged
        return CallOutcome(
            error=error,
            billed=billed.name,
            charges=tuple(len(self.world.charges(vendor)) for vendor in self.order),
            counted=tuple(self._counted(vendor) for vendor in self.order),
            requests=tuple(self.world.line.paid(vendor) for vendor in self.order),
        )

    def _verifier(self, vendor):
        clock = self.world.clock
        cap = 0 if "used up" in self.gates else 10
        policies = {
            "budget": lambda: Budget(cap, name=vendor, store=self.store, clock=clock),
            "breaker": lambda: CircuitBreaker(failures=1 if "open" in self.gates else 5),
            "pacing": lambda: RateLimiter(RateWindow(1, 1.0), clock=clock),
        }
        return FaceVerifier(
            self.world.backend(vendor),
            threshold=30,
            policies=[policies[name]() for name in self.gates if name in policies],
            retry=Retry(times=2) if "retries" in self.gates else None,
            on_event=self.events.append,
            clock=clock,
        )

    def _counted(self, vendor):
        """By the events; by the budget too, if there is one, which must say the same."""
        words = {EventKind.CHARGED: "spent", EventKind.UNKNOWN: "unknown"}
        kinds = [event.kind for event in self.events if event.backend == vendor]
        words = [words[kind] for kind in kinds if kind in words]
        standing = self.store.budget(budget_key(vendor))
        if "budget" in self.gates and standing:
            kept = [word for word in ("spent", "unknown") if getattr(standing, word)]
            assert kept == words, (vendor, kept, words)
            assert standing.reserved == 0
            assert standing.spent + standing.unknown <= 1
        elif "budget" in self.gates:
            assert not words
        return " ".join(words)
