"""Faults at the start and at a reading of a hosted session: what comes of them, and has to come.

In an outcome, what is behind the first number is that after the same start again.
"""

import itertools

from kit import canaries
from kit.front import MockAdapter
from kit.money import faults
from kit.money.faults import CASES, NO_FAULT, NOBODY_LISTENS, REFUSALS, UNREADABLE, CallOutcome
from kit.money.lines import START, MockLine, WorldClock

import facematch_core as fm
from facematch_azure import AzureBackend
from facematch_core.resilience import Budget, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer
from facematch_mock_server.world.clock import VirtualClock
from facematch_onfido import OnfidoBackend
from facematch_persona import PersonaBackend
from facematch_rekognition import RekognitionBackend
from facematch_sumsub import SumsubBackend
from facematch_veriff import VeriffBackend

SUBJECT, PURPOSE, ABOUT = "canary-subject-5b1e", "canary-purpose-90c2", "canary-about-77aa"
WORKFLOW = "11111111-2222-3333-4444-555555555555"
#: Veriff's API keys are UUIDs.
VERIFF_KEY = "0ca11ab1-e5e3-4f9a-877c-15e3f9a77c10"
#: An app token of Sumsub begins with its environment.
SUMSUB_TOKEN = f"prd:{canaries.CLIENT_ID}"
#: By vendor: its backend, on a mock at that address or, with None, at the vendor's own.
BACKENDS = {
    "didit": lambda where: DiditBackend(
        api_key=canaries.API_KEY,
        workflow_id=WORKFLOW,
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **where,
    ),
    "persona": lambda where: PersonaBackend(
        api_key=canaries.API_KEY,
        template_id="itmpl_OfTheShop",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **where,
    ),
    "rekognition": lambda where: RekognitionBackend(
        region="eu-west-1",
        access_key_id=canaries.CLIENT_ID,
        secret_access_key=canaries.CLIENT_SECRET,
        # With an address no session of botocore is opened, which takes 50 ms.
        **{"base_url": "https://rekognition.eu-west-1.amazonaws.com", **where},
    ),
    "azure": lambda where: AzureBackend(
        api_key=canaries.API_KEY,
        **{"base_url": "https://contoso.cognitiveservices.azure.com", **where},
    ),
    "onfido": lambda where: OnfidoBackend(
        api_token=canaries.API_KEY,
        workflow_id=WORKFLOW,
        face_output="selfie",
        document_output="doc",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **where,
    ),
    "sumsub": lambda where: SumsubBackend(
        app_token=SUMSUB_TOKEN,
        secret_key=canaries.CLIENT_SECRET,
        level_name="basic",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **where,
    ),
    "veriff": lambda where: VeriffBackend(
        api_key=VERIFF_KEY,
        shared_secret=canaries.CLIENT_SECRET,
        solution="document_selfie",
        **{"base_url": "https://stationapi.veriff.com", **where},
    ),
}

#: On what: no start brings a picture.
RELIED_ON = {
    **{
        vendor: {"compared_with": "document"}
        for vendor in ("didit", "onfido", "persona", "sumsub", "veriff")
    },
    **{vendor: {"expects": ["liveness"]} for vendor in ("azure", "rekognition")},
}

#: The secret that signs webhooks, by vendor; Azure and Rekognition send none.
WEBHOOK_SECRETS = {
    **dict.fromkeys(("didit", "onfido", "persona", "sumsub"), canaries.WEBHOOK_SECRET),
    "veriff": canaries.CLIENT_SECRET,
}


class SessionWorld:
    """One vendor of sessions, and a client of it with these gates.

    With `on_wire` over a socket; else everything is in this process.
    """

    def __init__(self, vendor, gates=(), *, on_wire=False, cap=10, **settings):
        virtual = VirtualClock(START)
        self.vendor = vendor
        self.mock = MockServer(vendor=vendor, clock=virtual, seed=1)
        self.clock = WorldClock(virtual)
        self.control = self.mock.control
        key, client = canaries.API_KEY, {}
        if vendor == "rekognition":
            key, client = canaries.CLIENT_SECRET, {"client": canaries.CLIENT_ID}
        if vendor == "sumsub":
            key, client = canaries.CLIENT_SECRET, {"client": SUMSUB_TOKEN}
        if vendor == "veriff":
            key, client = canaries.CLIENT_SECRET, {"client": VERIFF_KEY}
        self.control.add_key(key=key, **client)
        if vendor == "didit":
            self.control.sessions.workflow(WORKFLOW, kind="kyc")
        self.events, self.line = [], MockLine(MockAdapter(self.mock.app, sleep=virtual.advance))
        where = {"base_url": self.mock.start().url} if on_wire else {}
        backend = BACKENDS[vendor]({**where, **settings})
        backend.client.clock = self.clock
        if not on_wire:
            backend.client.mount("https://", self.line)
        self.store = MemoryStore()
        policies = {
            "budget": Budget(cap, name=vendor, store=self.store, clock=self.clock),
            "pacing": RateLimiter(RateWindow(1, 1.0), clock=self.clock),
        }
        verifier = fm.FaceVerifier(
            backend,
            policies=[policies[name] for name in gates if name in policies],
            retry=Retry(times=2) if "retries" in gates else None,
            # Azure gives no score of a live face; AWS no verdict.
            liveness_threshold=80 if vendor == "rekognition" else None,
            on_event=self.events.append,
            clock=self.clock,
        )
        self.sessions = fm.Sessions(verifier, **RELIED_ON[vendor])

    def plan(self, subject=SUBJECT, **more):
        return self.sessions.plan(subject, **{"purpose": PURPOSE, "about": ABOUT, **more})

    def counted(self):
        """What the events count, in their order; the budget must say the same."""
        words = {fm.EventKind.CHARGED: "spent", fm.EventKind.UNKNOWN: "unknown"}
        counted = [words[event.kind] for event in self.events if event.kind in words]
        for budget in self.store.budgets():
            sums = budget.spent, budget.unknown, budget.reserved
            assert sums == (counted.count("spent"), counted.count("unknown"), 0)
        return " ".join(counted)

    def struck_by(self, operation, case):
        if case is NOBODY_LISTENS:
            self.line.cut[""] = 1
        elif case is not NO_FAULT:
            where = {} if case.stage == "connect" else {"call": operation}
            self.control.add_fault(Fault(stage=case.stage, kind=case.kind, **where, **case.more))
        return self

    def once(self, ask, record):
        """The result or error, both sides' books after it, and how much was sent for it."""
        sent = len(self.line.sent)
        try:
            ended = ask(record)
        except fm.VendorError as error:
            ended = error
        count = len(self.control.sessions.all())
        return ended, count, self.counted(), len(self.line.sent) - sent

    def close(self):
        self.sessions.close()
        self.mock.stop()


def session_outcome(vendor, what, setting, case):
    world = SessionWorld(vendor, GATES[setting])
    try:
        record, ask = world.plan(), world.sessions.start
        if what == "read":
            record, ask = ask(record).record, world.sessions.read
        world.struck_by(f"session_{what}", case)
        ended, *first = world.once(ask, record)
        again, *second = world.once(ask, record)
        assert not isinstance(again, Exception), again
        word = type(ended).__name__
        if not isinstance(ended, Exception):
            word = "SESSION" if what == "start" else ended.state.name
        charges, counted, requests = zip(first, second, strict=True)
        requests = requests[0], sum(requests) if what == "start" else 0
        return CallOutcome(word, ended.billing.charged.name, charges, counted, requests)
    finally:
        world.close()


def expected_session_outcome(vendor, what, setting, case):
    """What has to come of it. Azure and Veriff make a second session for the same start.

    At Didit, Onfido, Persona and Sumsub each start looks first, for nothing, and a session that is
    there is not counted again. At Onfido a start has two requests, of which the first is free; at
    Sumsub the second is, the link; at Persona the link to a session that is there is one request
    more.
    """
    met, sent = (case.kind, case.more.get("status")), int(case is not NOBODY_LISTENS)
    is_start, count = what == "start", int(case.executed)
    end = "OutcomeUnknown" if is_start else "VendorUnavailable"
    if case is NO_FAULT:
        end = "SESSION" if is_start else "PENDING"
    elif case is NOBODY_LISTENS:
        end = "VendorUnavailable"
    elif case in UNREADABLE:
        end = "UnexpectedResponse"
    elif case.stage == "answer" and met in REFUSALS:
        end = OWN_WORDS.get((vendor, what, met)) or REFUSALS[met]
    steps = 2 if vendor == "onfido" else 1
    if not is_start:
        # At Veriff the attempts say how far a session without a decision is; at Onfido the
        # applicant says in which environment; at Sumsub the steps are read apart.
        sent += vendor in ("onfido", "sumsub", "veriff") and case is NO_FAULT
        return CallOutcome(end, "NO", (1, 1), ("spent", "spent"), (sent, 0))
    is_look = vendor in ("didit", "onfido", "persona", "sumsub")
    if is_look and (case is NOBODY_LISTENS or case.stage == "connect"):  # it strikes the look
        both = sent, sent + 1 + steps + (vendor == "sumsub")
        return CallOutcome("VendorUnavailable", "NO", (0, 1), ("", "spent"), both)
    sent *= steps
    if setting == "retries" and end in faults.AGAIN:
        end, sent, count = "SESSION", sent + steps, 1
    counted = COUNTED.get(end, "")
    billed = {"UnexpectedResponse": "YES"}.get(end, "UNKNOWN" if counted else "NO")
    charges = count, count + 1 if vendor in ("azure", "veriff") else 1
    both = counted, counted if is_look and count else f"{counted} spent".strip()
    # Either finds the session by a list and a reading, or has to look and start again.
    again = 2 if count else 1 + steps
    if count and vendor == "persona":
        again += 1
    if vendor == "sumsub":
        again = 3  # two readings and a link, or a look, an applicant and a link
        sent += end == "SESSION"
    requests = (sent + 1, sent + 1 + again) if is_look else (sent, sent + 1)
    return CallOutcome(end, billed, charges, both, requests)


def all_session_outcomes():
    return {
        (f"{vendor} {what}", "", setting, case): session_outcome(vendor, what, setting, case)
        for vendor, what, setting, case in itertools.product(BACKENDS, REQUESTS, GATES, CASES)
    }


REQUESTS = ("start", "read")
#: What comes before it.
GATES = {"no gate": (), "budget": ("budget",), "retries": ("budget", "pacing", "retries")}
#: How a start counts whose session, or whose answer, nobody has seen to be none.
COUNTED = {"SESSION": "spent", "UnexpectedResponse": "spent", "OutcomeUnknown": "unknown"}
#: Where a refusal ends in another error, as vendors word it in the mock.
OWN_WORDS = {
    **{
        (vendor, "read", ("status", 404)): "SessionNotFound"
        for vendor in ("didit", "onfido", "persona", "sumsub", "veriff")
    },
    **{
        (vendor, what, ("status", 403)): "PermissionDenied"
        for vendor in ("onfido", "persona")
        for what in REQUESTS
    },
    **{("azure", what, ("status", 404)): "SessionNotFound" for what in REQUESTS},
    **{
        (vendor, what, ("status", 403)): "PermissionDenied"
        for vendor in ("azure", "sumsub", "veriff")
        for what in REQUESTS
    },
    **{("rekognition", what, ("status", 403)): "PermissionDenied" for what in REQUESTS},
}
