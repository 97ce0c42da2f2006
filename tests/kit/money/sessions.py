"""Faults at the start and at a reading of a hosted session: what comes of them, and has to come.

In an outcome, the first of two values is that of the call, the second that after the same again.
"""

from kit import canaries
from kit.front import MockAdapter
from kit.money import faults
from kit.money.faults import NO_FAULT, NOBODY_LISTENS, REFUSALS, UNREADABLE, CallOutcome
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
from facematch_stripe import StripeBackend
from facematch_sumsub import SumsubBackend
from facematch_veriff import VeriffBackend

SUBJECT = "canary-subject-5b1e"
PURPOSE = "canary-purpose-90c2"
ABOUT = "canary-about-77aa"
WORKFLOW = "11111111-2222-3333-4444-555555555555"
#: Veriff's API keys are UUIDs.
VERIFF_KEY = "0ca11ab1-e5e3-4f9a-877c-15e3f9a77c10"
#: An app token of Sumsub begins with its environment.
SUMSUB_TOKEN = f"prd:{canaries.CLIENT_ID}"
#: Stripe shows a date of birth to a restricted key alone.
STRIPE_KEY = f"rk_{canaries.API_KEY}"
#: Opens a vendor's backend, with more settings: of an address, for example.
BACKENDS = {
    "didit": lambda **settings: DiditBackend(
        api_key=canaries.API_KEY,
        workflow_id=WORKFLOW,
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **settings,
    ),
    "persona": lambda **settings: PersonaBackend(
        api_key=canaries.API_KEY,
        template_id="itmpl_OfTheShop",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **settings,
    ),
    "rekognition": lambda **settings: RekognitionBackend(
        region="eu-west-1",
        access_key_id=canaries.CLIENT_ID,
        secret_access_key=canaries.CLIENT_SECRET,
        # With an address no session of botocore is opened, which takes 50 ms.
        **{"base_url": "https://rekognition.eu-west-1.amazonaws.com", **settings},
    ),
    "azure": lambda **settings: AzureBackend(
        api_key=canaries.API_KEY,
        **{"base_url": "https://contoso.cognitiveservices.azure.com", **settings},
    ),
    "onfido": lambda **settings: OnfidoBackend(
        api_token=canaries.API_KEY,
        workflow_id=WORKFLOW,
        face_output="selfie",
        document_output="doc",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **settings,
    ),
    "stripe": lambda **settings: StripeBackend(
        api_key=STRIPE_KEY,
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **settings,
    ),
    "sumsub": lambda **settings: SumsubBackend(
        app_token=SUMSUB_TOKEN,
        secret_key=canaries.CLIENT_SECRET,
        level_name="basic",
        webhook_secrets=canaries.WEBHOOK_SECRET,
        **settings,
    ),
    "veriff": lambda **settings: VeriffBackend(
        api_key=VERIFF_KEY,
        shared_secret=canaries.CLIENT_SECRET,
        solution="document_selfie",
        **{"base_url": "https://stationapi.veriff.com", **settings},
    ),
}

#: Identifies the client to the vendor, beside the secret; the other vendors have one key.
CLIENTS = {
    "rekognition": canaries.CLIENT_ID,
    "sumsub": SUMSUB_TOKEN,
    "veriff": VERIFF_KEY,
}
_DOCUMENT = {"compared_with": "document"}
_LIVENESS = {"expects": ["liveness"]}
#: What a session is to show, as settings of `Sessions`: no start brings a picture.
RELIED_ON = {
    "didit": _DOCUMENT,
    "onfido": _DOCUMENT,
    "persona": _DOCUMENT,
    # It does not say that it checks liveness.
    "stripe": {**_DOCUMENT, "expects": ["match"]},
    "sumsub": _DOCUMENT,
    "veriff": _DOCUMENT,
    "azure": _LIVENESS,
    "rekognition": _LIVENESS,
}
#: The secret that signs webhooks, by vendor; Azure and Rekognition send none.
WEBHOOK_SECRETS = {
    "didit": canaries.WEBHOOK_SECRET,
    "onfido": canaries.WEBHOOK_SECRET,
    "persona": canaries.WEBHOOK_SECRET,
    "stripe": canaries.WEBHOOK_SECRET,
    "sumsub": canaries.WEBHOOK_SECRET,
    "veriff": canaries.CLIENT_SECRET,
}


def prepare_account(control, vendor):
    """Give a mock's account the keys and the workflow that `BACKENDS` opens a backend with."""
    key = STRIPE_KEY if vendor == "stripe" else canaries.API_KEY
    key = canaries.CLIENT_SECRET if vendor in CLIENTS else key
    control.add_key(key=key, client=CLIENTS.get(vendor))
    if vendor == "didit":
        control.sessions.workflow(WORKFLOW, kind="kyc")


def open_sessions(vendor, backend, **options):
    """Open `Sessions` of a backend, with options of the verifier."""
    # Azure gives no score of a live face; AWS no verdict.
    liveness_threshold = 80 if vendor == "rekognition" else None
    verifier = fm.FaceVerifier(backend, liveness_threshold=liveness_threshold, **options)
    return fm.Sessions(verifier, **RELIED_ON[vendor])


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
        prepare_account(self.control, vendor)
        self.events = []
        self.line = MockLine(MockAdapter(self.mock.app, sleep=virtual.advance))
        if on_wire:
            settings.setdefault("base_url", self.mock.start().url)
        self.settings = settings
        self.gates = gates
        self.cap = cap
        self.store = MemoryStore()
        self.sessions = self.opened()

    def opened(self):
        """Open the vendor's sessions, which have only the mock and the budget in common."""
        backend = BACKENDS[self.vendor](**self.settings)
        backend.client.clock = self.clock
        if "base_url" not in self.settings:
            backend.client.mount("https://", self.line)
        policies = {
            "budget": Budget(self.cap, name=self.vendor, store=self.store, clock=self.clock),
            "pacing": RateLimiter(RateWindow(1, 1.0), clock=self.clock),
        }
        return open_sessions(
            self.vendor,
            backend,
            policies=[policies[name] for name in self.gates if name in policies],
            retry=Retry(times=2) if "retries" in self.gates else None,
            on_event=self.events.append,
            clock=self.clock,
        )

    def plan(self, subject=SUBJECT, *, purpose=PURPOSE, about=ABOUT, **options):
        return self.sessions.plan(subject, purpose=purpose, about=about, **options)

    def counted(self):
        """Return what the events count, in their order; the budget must say the same."""
        counts = {fm.EventKind.CHARGED: "spent", fm.EventKind.UNKNOWN: "unknown"}
        counted = [counts[event.kind] for event in self.events if event.kind in counts]
        for budget in self.store.budgets():
            assert budget.spent == counted.count("spent")
            assert budget.unknown == counted.count("unknown")
            assert budget.reserved == 0
        return " ".join(counted)

    def struck_by(self, operation, case):
        if case is NOBODY_LISTENS:
            self.line.cut[""] = 1
        elif case is not NO_FAULT:
            call = None if case.stage == "connect" else operation
            fault = Fault(stage=case.stage, kind=case.kind, call=call, **case.settings)
            self.control.add_fault(fault)
        return self

    def once(self, ask, record):
        """Return the answer, and then the mock's sessions, what is counted, the requests sent."""
        sent_before = len(self.line.sent)
        try:
            answer = ask(record)
        except fm.VendorError as error:
            answer = error
        sessions = len(self.control.sessions.all())
        return answer, sessions, self.counted(), len(self.line.sent) - sent_before

    def close(self):
        self.sessions.close()
        self.mock.stop()


def session_outcome(vendor, operation, setting, case):
    """Return what comes of a fault at the start or a reading of a session, then of a second one."""
    world = SessionWorld(vendor, GATES[setting])
    try:
        record = world.plan()
        ask = world.sessions.start
        if operation == "read":
            record = world.sessions.start(record).record
            ask = world.sessions.read
        world.struck_by(f"session_{operation}", case)
        answer, charges, counted, requests = world.once(ask, record)
        second_answer, second_charges, second_counted, second_requests = world.once(ask, record)
        assert isinstance(second_answer, Exception) is _is_replayed(vendor, operation, case)
        if isinstance(answer, Exception):
            end = type(answer).__name__
        elif operation == "start":
            end = "SESSION"
        else:
            end = answer.state.name
        return CallOutcome(
            error=end,
            billed=answer.billing.charged.name,
            charges=(charges, second_charges),
            counted=(counted, second_counted),
            requests=(requests, requests + second_requests if operation == "start" else 0),
        )
    finally:
        world.close()


def _is_replayed(vendor, operation, case):
    """Return whether a start gets its refusal again; if it was carried out, it is found instead."""
    return vendor == "stripe" and operation == "start" and str(case) in REPLAYED


def expected_session_outcome(vendor, operation, setting, case):
    """Return what has to come of it."""
    if operation == "read":
        return _expected_of_reading(vendor, case)
    return _expected_of_start(vendor, setting, case)


def _end_of(vendor, operation, case):
    """Return the end of the call that the fault strikes, without a retry."""
    is_start = operation == "start"
    if case is NO_FAULT:
        return "SESSION" if is_start else "PENDING"
    if case is NOBODY_LISTENS:
        return "VendorUnavailable"
    if case in UNREADABLE:
        return "UnexpectedResponse"
    if case.stage == "answer" and case.answer in REFUSALS:
        return ENDS_BY_VENDOR.get((vendor, operation, case.answer)) or REFUSALS[case.answer]
    return "OutcomeUnknown" if is_start else "VendorUnavailable"


def _expected_of_reading(vendor, case):
    requests = 0 if case is NOBODY_LISTENS else 1
    if case is NO_FAULT and vendor in READS_TWICE:
        requests += 1
    end = _end_of(vendor, "read", case)
    return CallOutcome(end, "NO", (1, 1), ("spent", "spent"), (requests, 0))


def _expected_of_start(vendor, setting, case):
    """Return what has to come of a start. The pairs are for it and for the same start again."""
    is_look = vendor in LOOK_FIRST
    look_requests = 1 if is_look else 0
    creation_requests = CREATION_REQUESTS.get(vendor, 1)
    if is_look and (case is NOBODY_LISTENS or case.stage == "connect"):
        # The fault strikes the look, so nothing is created.
        requests = 0 if case is NOBODY_LISTENS else 1
        again = look_requests + creation_requests
        if vendor == "sumsub":
            again += 2  # the link and the token
        return CallOutcome(
            "VendorUnavailable", "NO", (0, 1), ("", "spent"), (requests, requests + again)
        )

    end = _end_of(vendor, "start", case)
    requests = 0 if case is NOBODY_LISTENS else creation_requests
    created = 1 if case.executed else 0
    if setting == "retries" and end in faults.REPEATED:
        end = "SESSION"
        requests += creation_requests
        created = 1
    if vendor == "sumsub" and end == "SESSION":
        requests += 2  # the link and the token
    requests += look_requests

    counted = COUNTED.get(end, "")
    charge = "UNKNOWN" if counted else "NO"
    if end == "UnexpectedResponse":
        charge = "YES"

    if is_look and created:
        # The look of the second start finds the session, which is not counted again.
        second_counted = counted
        second_requests = 2  # a list and a reading
    else:
        second_counted = f"{counted} spent".strip()
        second_requests = look_requests + creation_requests
    if vendor == "persona" and created:
        second_requests += 1  # the link of a session that is there
    if vendor == "sumsub":
        # Two readings, or a look and an applicant; then a link and a token.
        second_requests = 4
    second_created = created + 1 if vendor in STARTS_ANOTHER else 1
    if _is_replayed(vendor, "start", case):
        second_counted = f"{counted} unknown"
        second_created = created
    return CallOutcome(
        error=end,
        billed=charge,
        charges=(created, second_created),
        counted=(counted, second_counted),
        requests=(requests, requests + second_requests),
    )


OPERATIONS = ("start", "read")
#: The policies before the call.
GATES = {"no gate": (), "budget": ("budget",), "retries": ("budget", "pacing", "retries")}
#: A start that looks first, for nothing, whether the session is there.
LOOK_FIRST = ("didit", "onfido", "persona", "stripe", "sumsub")
#: Stripe gives its own 500, or 503, again to the idempotency key of the record.
REPLAYED = {
    *("answer-status-500", "answer-json-500", "answer-json-503"),
    *("answer-wrong_json-500", "answer-wrong_json-503"),
}
#: The same start again makes a second session.
STARTS_ANOTHER = ("azure", "veriff")
#: The requests that make a session, if not one: Onfido's first one, the applicant, is free.
CREATION_REQUESTS = {"onfido": 2}
#: At Veriff the attempts say how far a session without a decision is; at Onfido the applicant says
#: in which environment; at Sumsub the steps are read apart.
READS_TWICE = ("onfido", "sumsub", "veriff")
#: How a start counts whose session, or whose answer, nobody has seen to be none.
COUNTED = {"SESSION": "spent", "UnexpectedResponse": "spent", "OutcomeUnknown": "unknown"}
#: Where a refusal ends in another error, as vendors word it in the mock.
ENDS_BY_VENDOR = {}
for _vendor in ("didit", "onfido", "persona", "stripe", "sumsub", "veriff"):
    ENDS_BY_VENDOR[_vendor, "read", ("status", 404)] = "SessionNotFound"
for _operation in OPERATIONS:
    ENDS_BY_VENDOR["azure", _operation, ("status", 404)] = "SessionNotFound"
    for _vendor in ("azure", "onfido", "persona", "rekognition", "stripe", "sumsub", "veriff"):
        ENDS_BY_VENDOR[_vendor, _operation, ("status", 403)] = "PermissionDenied"
