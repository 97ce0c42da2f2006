"""A backend that conforms, and the invented vendor behind it, in the forms that backends have.

What is asked and what an answer means is written once, in `Mapping`, as small pure methods: a
mutant replaces one of them. `ReferenceBackend` asks a vendor in this process, so that hundreds of
mutants are tried in seconds. The others ask the same vendor through a loopback socket, where an
answer is bytes: `HttpReference`, which has settings, and `LoginReference`, which logs in.
"""

import base64
import functools
import itertools
import threading
from typing import ClassVar

import attrs

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import (
    SCORE_UNAVAILABLE,
    Backend,
    Capabilities,
    ImageFormat,
    ImageLimits,
    decide_by_largest_face,
    json_object,
    nonempty_text,
    read_or_none,
)
from facematch_core.backend.fields import json_list
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.http import (
    ApiKeyBackend,
    HttpRequest,
    IssuedToken,
    LoginToken,
    as_secret,
)
from facematch_core.testing import HttpSimulator, SimulatorReply, Situation, VendorSimulator, noise

KEY = "reference-key-5d41402abc4b2a76"
HOST = "api.reference.example"
LIMITS = ImageLimits(
    formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=400_000, max_side_px=400
)
PLACES = ("probe", "reference")
PASS = {fm.Operation.MATCH: fm.Decision.MATCH, fm.Operation.LIVENESS: fm.LivenessDecision.LIVE}
VERDICTS = {
    "yes": (fm.Decision.MATCH, fm.LivenessDecision.LIVE),
    "no": (fm.Decision.NO_MATCH, fm.LivenessDecision.NOT_LIVE),
    "look": (fm.Decision.REVIEW, fm.LivenessDecision.REVIEW),
}
CODES = {"NO_FACE": fm.WarningCode.NO_FACE, "MANY_FACES": fm.WarningCode.MULTIPLE_FACES}
WEIGHTS = {"low": models.Severity.INFORMATION, "high": models.Severity.ERROR}
ERRORS = {
    400: fm.RequestRejected,
    401: fm.AuthenticationFailed,
    402: fm.InsufficientCredit,
    429: fm.RateLimited,
    503: fm.VendorUnavailable,
}


def stranger():
    return noise(3, (96, 96))


@attrs.frozen
class ReferenceOptions:
    """Options of its own."""

    note: str = "-"


def in_base64(data):
    return base64.b64encode(data).decode()


def box_of(edges):
    left, top, right, bottom = edges
    if any(type(edge) is not float for edge in edges):
        raise TypeError("Edges are fractions.")
    return models.Box(left=left, top=top, right=right, bottom=bottom, unit="ratio")


class Mapping:
    """What is asked of the vendor, and what its answer means."""

    name = "reference"
    capabilities = Capabilities(
        operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        retention=frozenset(fm.Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        options=ReferenceOptions,
        threshold_rule=models.ThresholdRule.ABOVE,
        default_threshold=50.0,
        default_liveness_threshold=40.0,
        score_scale="reference/match",
        liveness_scale="reference/liveness",
        image_limits=LIMITS,
        billed_operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        reports_faces=True,
    )

    def request(self, call):
        pictures = self.pictures(call).items()
        return {
            **{place: in_base64(data) for place, data in pictures},
            "threshold": self.threshold(call),
            "retention": call.retention,
            "caller_ref": call.caller_ref,
            "metadata": call.metadata,
            "options": getattr(call.options, "note", None),
        }

    def pictures(self, call):
        places = PLACES if call.operation is fm.Operation.MATCH else PLACES[:1]
        return {place: getattr(call, place).data for place in places}

    def threshold(self, call):
        return call.threshold.value  # the caller's, or the default that is declared

    def result(self, call, body):
        match = call.operation is fm.Operation.MATCH
        warnings = self.warnings(body)
        score = self.score(call, body["score"])
        decision = self.decision(call, body, score)
        if score is None:
            decision = self.unscored(call, decision)
            warnings = (*warnings, *self.unsaid())
        probe_faces = self.faces(body, "probe")
        if any(face.similarity for face in probe_faces):
            by_face = self.by_face(call, probe_faces)
            decision = by_face.decision
            score = by_face.score
            probe_faces = by_face.faces
            warnings += by_face.warnings
        return (fm.MatchResult if match else fm.LivenessResult)(
            decision=decision,
            score=score,
            warnings=warnings,
            backend=self.name,
            vendor_status=body["verdict"],
            ids=models.Ids(vendor=self.id_of(body), session=self.session(call, body)),
            billing=fm.Billing(self.charged(call), "the vendor charges every answer"),
            probe_faces=probe_faces,
            raw=self.raw(call, body),
            **({"reference_faces": self.faces(body, "reference")} if match else {}),
        )

    def id_of(self, body):
        return read_or_none(nonempty_text, body.get("id"), "id")

    def score(self, call, number):
        if number is None:
            return None
        match = call.operation is fm.Operation.MATCH
        scale = self.capabilities.score_scale if match else self.capabilities.liveness_scale
        return fm.Score(number, scale, raw=number, raw_name="score")

    def decision(self, call, body, score):
        match, live = VERDICTS.get(body["verdict"], VERDICTS["look"])
        return match if call.operation is fm.Operation.MATCH else live

    def unscored(self, call, decision):
        return type(decision).INCONCLUSIVE

    def unsaid(self):
        return (SCORE_UNAVAILABLE,)

    def warnings(self, body):
        return tuple(self.warning(tag, text, weight) for tag, text, weight in body["warnings"])

    def warning(self, tag, text, weight):
        return fm.ResultWarning(
            code=CODES.get(tag, fm.WarningCode.OTHER),
            severity=WEIGHTS.get(weight, models.Severity.UNKNOWN),
            tag=tag,
            text=text,
        )

    def faces(self, body, place):
        return tuple(
            models.Face(
                box=read_or_none(self.edges_to_box, edges, "faces", place),
                similarity=self.likeness(edges),
            )
            for edges in self.listed(body, place)
        )

    def listed(self, body, place):
        """The faces in a picture; the verdict is the vendor's, so their number decides nothing."""
        faces = read_or_none(json_object, body.get("faces"), "faces") or {}
        return read_or_none(json_list, faces.get(place), "faces", place) or ()

    def edges_to_box(self, edges):
        return self.box(edges[:4])

    def likeness(self, edges):
        """A face's own similarity, which the vendor writes after its edges if there are several."""
        number = next(iter(edges[4:]), None) if isinstance(edges, list | tuple) else None
        return None if number is None else fm.Score(number, self.capabilities.score_scale)

    def by_face(self, call, faces):
        return decide_by_largest_face(faces, call.threshold)

    def box(self, edges):
        return box_of(edges)

    def session(self, call, body):
        return self.id_of(body) if call.retention is fm.Retention.KEEP else None

    def charged(self, call):
        return fm.Charged.YES

    def raw(self, call, body):
        return dict(body)

    def refusal(self, status):
        error = ERRORS.get(status, fm.OutcomeUnknown)
        return error(f"The vendor answered {status}.", status_code=status)

    def diagnose(self):
        return {"vendor": "invented", "key": "set"}


def can(**changes):
    return attrs.evolve(Mapping.capabilities, **changes)


class ReferenceBackend(Mapping, Backend):
    """Conforms; asks a vendor in this process."""

    reports_sent = keeps_deadline = True

    def __init__(self, vendor, key=KEY):
        self.vendor = vendor
        self.key = as_secret(key)

    def match(self, request):
        return self.answer(request)

    def check_liveness(self, request):
        return self.answer(request)

    def answer(self, call):
        status, body, problem = self.exchange(call)
        if problem is None and status != 200:
            problem = self.refusal(status)
        if problem is None:
            try:
                return self.result(call, body)
            except (KeyError, TypeError, ValueError):
                problem = self.unreadable(call)
        # The frame that raises lives on with the error, and the body may echo the key.
        del body
        problem.backend = self.name
        raise problem

    def exchange(self, call):
        try:
            self.vendor.connect()
        except ConnectionRefusedError:
            return None, None, fm.VendorUnavailable("The vendor cannot be reached.")
        call.on_sent()
        try:
            words = {"key": self.key.reveal(), **self.request(call)}
            return (*self.vendor.ask(words, call.deadline.timeout_s()), None)
        except TimeoutError:
            return None, None, self.late(call)
        except ConnectionResetError:
            return None, None, self.lost()

    def late(self, call):
        return fm.DeadlineExceeded("The vendor did not answer in time.")

    def lost(self):
        return fm.OutcomeUnknown("The answer is lost.")

    def unreadable(self, call):
        return fm.UnexpectedResponse("An answer in another form.", status_code=200)


#: What is declared over HTTP, where nobody looks into the vendor's records.
KEEPS_NOTHING = attrs.evolve(Mapping.capabilities, retention=frozenset({fm.Retention.MINIMAL}))


@attrs.define(kw_only=True, eq=False, slots=False)
class HttpReference(Mapping, ApiKeyBackend):
    """Conforms; asks over HTTP, and has settings."""

    name = Mapping.name
    capabilities = KEEPS_NOTHING
    allowed_hosts: ClassVar = frozenset({HOST})

    base_url: str = f"https://{HOST}"
    patience_s: float = 30.0

    def build(self, request):
        return self.post(str(request.operation), json=self.request(request))

    def post(self, path, **body):
        headers = {"X-Api-Key": self.api_key}
        return HttpRequest(url=f"{self.service_url}/{path}", headers=headers, **body)

    def parse(self, request, reply):
        return self.result(request, self.body(reply))

    def body(self, reply):
        return reply.json()


class LoginReference(HttpReference):
    """Conforms; its vendor issues a token at a login, and takes it in the query."""

    @functools.cached_property
    def login_token(self):
        login = self.post("login", json={}, charges=0)
        return LoginToken(backend=self, request=login, read=self.read_login)

    def read_login(self, reply):
        return IssuedToken(reply.json()["token"], reply.json()["lasts_s"])

    def sign(self, http_request, request, *, deadline=NO_DEADLINE):
        return attrs.evolve(http_request, params={"token": self.token(request, deadline)})

    def token(self, call, deadline):
        return self.login_token.get(call, deadline)

    def should_relogin(self, http_request, reply):
        if reply.status != 401:
            return False
        self.login_token.forget(http_request)
        return True

    def close(self):
        super().close()
        self.login_token.close()


#: By which the vendor decides if it is sent none.
OWN_THRESHOLD = 25.0
REFUSALS = {
    Situation.REJECTED: 400,
    Situation.BAD_KEY: 401,
    Situation.NO_CREDIT: 402,
    Situation.THROTTLED: 429,
    Situation.OUTAGE: 503,
}
LOW = (Situation.DIFFERENT_PEOPLE, Situation.SPOOF)
STALLS = (Situation.SLOW, Situation.DRIPPING)
#: Where the faces are, in parts of a picture's sides: of each picture somewhere else.
EDGES = {"probe": (0.25, 0.125, 0.625, 0.75), "reference": (0.375, 0.25, 0.875, 0.8125)}
#: What is another thing than usual in the answer, by situation.
ANSWERS = {
    Situation.NO_FACE: {
        "verdict": "no",
        "score": None,
        "warnings": [["NO_FACE", "No face.", "high"]],
        "faces": {},
    },
    Situation.TWO_FACES: {
        "warnings": [["MANY_FACES", "Two faces.", "low"]],
        "faces": {"probe": [EDGES["probe"], EDGES["reference"]], "reference": [EDGES["reference"]]},
    },
    # The first face is the larger one.
    Situation.SMALLER_FACE_MATCHES: {
        "verdict": "no",
        "score": 7.25,
        "warnings": [["MANY_FACES", "Two faces.", "low"]],
        "faces": {
            "probe": [(*EDGES["reference"], 7.25), (*EDGES["probe"], 93.5)],
            "reference": [EDGES["reference"]],
        },
    },
    Situation.NULL_SCORE: {"verdict": "yes", "score": None},
    Situation.IMPOSSIBLE_SCORE: {"score": 250.0},
}


class Vendor:
    """The other side of both forms: what it answers, and what it understood."""

    situations = frozenset(Situation)
    secrets = (KEY,)
    limits = LIMITS
    faces: ClassVar = {place: (box_of(edges),) for place, edges in EDGES.items()}

    def __init__(self, backend_class):
        super().__init__()
        self.backend_class = backend_class
        self.words = {}
        self._numbers = itertools.count(1)

    def pictures(self):
        return noise(1, (96, 96)), noise(2, (96, 96))

    def pictures_for(self, situation):
        probe, reference = self.pictures()
        return probe, stranger() if situation is Situation.DIFFERENT_PEOPLE else reference

    def other_options(self, declared):
        return [ReferenceOptions(note="+")]

    @property
    def received(self):
        sent = [place for place in PLACES if place in self.words]
        decoded = {place: base64.b64decode(self.words[place]) for place in sent}
        return {**self.words, **decoded, "retention": fm.Retention(self.words["retention"])}

    def answered(self, words, key, situation, score):
        self.words = words
        if situation in REFUSALS:
            return REFUSALS[situation], {"error": f"no, {key}"}
        if situation is Situation.UNREADABLE_200:
            return 200, {"hello": "world"}
        unlike = words.get("reference") == base64.b64encode(stranger().data).decode()
        if situation is not Situation.SCORE:
            score = 7.25 if situation in LOW or unlike else 93.5
        passes = score > words.get("threshold", OWN_THRESHOLD)
        body = {
            "verdict": "yes" if passes else "no",
            "score": score,
            "warnings": [],
            "faces": {place: [EDGES[place]] for place in PLACES if place in words},
        }
        return 200, {**body, "id": f"call-{next(self._numbers)}", **ANSWERS.get(situation, {})}


class ReferenceSimulator(Vendor, VendorSimulator):
    """The vendor in this process: asked by calling it, as a socket would be."""

    requests_seen = charges = 0

    def __init__(self, backend_class=ReferenceBackend):
        super().__init__(backend_class)
        self.situation = self.score = None
        self._lock = threading.Lock()

    def backend(self, **settings):
        return self.backend_class(self, **settings)

    def set_situation(self, situation, *, score=None, step=None):
        self.situation = situation
        self.score = score

    def connect(self):
        if self.situation is Situation.UNREACHABLE:
            raise ConnectionRefusedError

    def ask(self, words, timeout_s):
        with self._lock:
            self.requests_seen += 1
        if self.situation in STALLS:
            raise TimeoutError if timeout_s is not None else ConnectionResetError
        if self.situation is Situation.GATEWAY_ERROR:
            status = 502
            body = None
        else:
            words = dict(words)
            status, body = self.answered(words, words.pop("key"), self.situation, self.score)
        with self._lock:
            self.charges += status == 200
        if self.situation in (Situation.LOST_ANSWER, Situation.BROKEN_ANSWER):
            raise ConnectionResetError
        return status, body


class HttpReferenceSimulator(Vendor, HttpSimulator):
    """The vendor behind a loopback socket, for every form that sends."""

    vendor_hosts = frozenset({HOST})

    def __init__(self, backend_class=HttpReference):
        super().__init__(backend_class)

    def backend(self, **settings):
        return self.backend_class(**{"api_key": KEY, "base_url": self.url} | settings)

    def answer(self, request, situation, score):
        key = request.headers["X-Api-Key"]
        status, body = self.answered(request.json(), key, situation, score)
        return SimulatorReply(body=body, status=status)


TOKEN = "reference-token-b20e95f7"


class LoginSimulator(HttpReferenceSimulator):
    """The vendor, who wants the token of a login in the query."""

    secrets = (KEY, TOKEN)

    def __init__(self, backend_class=LoginReference):
        super().__init__(backend_class)

    def counts(self, request):
        return not request.path.startswith("/login")

    def answer(self, request, situation, score):
        if self.counts(request):
            is_known = request.path.endswith(f"?token={TOKEN}")
            situation = situation if is_known else Situation.BAD_KEY
            return super().answer(request, situation, score)
        if situation is Situation.BAD_KEY:
            return SimulatorReply(status=401, body={"error": "no"})
        return SimulatorReply(body={"token": TOKEN, "lasts_s": 3600.0})
