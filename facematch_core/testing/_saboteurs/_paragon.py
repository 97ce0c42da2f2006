"""A backend that keeps every rule, over an invented vendor that knows every situation.

In memory and without a socket, so that the contract can be run against it many times. The methods
are small on purpose: each saboteur replaces one.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from facematch_core import (
    AuthenticationFailed,
    Billing,
    Charged,
    DeadlineExceeded,
    Decision,
    Demographics,
    Face,
    Ids,
    ImageFormat,
    InsufficientCredit,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    OutcomeUnknown,
    RateLimited,
    Reconciled,
    Reconciliation,
    RequestRejected,
    ResultWarning,
    Retention,
    ScaleSource,
    Score,
    Secret,
    Severity,
    ThresholdRule,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
    WarningCode,
)
from facematch_core.backend import Backend, Capabilities, ImageLimits
from facematch_core.testing._double import VendorDouble
from facematch_core.testing._pictures import noise
from facematch_core.testing._situations import Situation

from ._vendor import Vendor, stranger

KEY = "paragon-key-5d41402abc4b2a76"
LIMITS = ImageLimits(
    formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=400_000, max_pixels=160_000
)


@attrs.frozen
class ParagonOptions:
    """Options of its own."""

    note: str = "-"


PASS = {Operation.MATCH: Decision.MATCH, Operation.LIVENESS: LivenessDecision.LIVE}
VERDICTS = {
    "yes": (Decision.MATCH, LivenessDecision.LIVE),
    "no": (Decision.NO_MATCH, LivenessDecision.NOT_LIVE),
    "look": (Decision.REVIEW, LivenessDecision.REVIEW),
}
CODES = {"NO_FACE": WarningCode.NO_FACE, "MANY_FACES": WarningCode.MULTIPLE_FACES}
WEIGHTS = {"low": Severity.INFORMATION, "high": Severity.ERROR}
ERRORS = {
    400: (RequestRejected, Charged.NO),
    401: (AuthenticationFailed, Charged.NO),
    402: (InsufficientCredit, Charged.NO),
    429: (RateLimited, Charged.NO),
    503: (VendorUnavailable, Charged.NO),
}


class ParagonBackend(Backend):
    """Keeps every rule."""

    name = "paragon"
    reports_sent = True
    capabilities = Capabilities(
        operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
        rotate=True,
        retention=frozenset(Retention),
        sends_caller_ref=True,
        sends_metadata=True,
        options=ParagonOptions,
        threshold_rule=ThresholdRule.ABOVE,
        default_threshold=50.0,
        default_liveness_threshold=40.0,
        score_scale="paragon/match",
        liveness_scale="paragon/liveness",
        image_limits=LIMITS,
        billed_operations=frozenset({Operation.MATCH, Operation.LIVENESS}),
    )

    def __init__(self, vendor, key=KEY):
        self.vendor = vendor
        self.key = Secret(key)

    def match(self, call):
        return self.answer(call)

    def check_liveness(self, call):
        return self.answer(call)

    def answer(self, call):
        status, body, problem = self.exchange(call)
        if problem is None and status != 200:
            problem = self.refusal(status)
        if problem is None:
            try:
                result = self.result(call, body)
                self.keep(call, result)
                return result
            except (KeyError, TypeError, ValueError):
                problem = UnexpectedResponse("Paragon answered in another form.", status_code=200)
        # The frame that raises lives on with the error, and the body may echo the key.
        del body
        raise problem

    def keep(self, call, result):
        """Stands for the vendor's records: what was kept, by our id of the call."""
        if call.retention is Retention.KEEP:
            kept = attrs.evolve(result, ids=attrs.evolve(result.ids, call=call.call_id))
            self.vendor.records[call.call_id] = kept

    def diagnose(self):
        return {"vendor": "invented", "key": "set"}

    def record(self, attempt):
        return self.vendor.records.get(attempt.id)

    def reconcile(self, attempt, *, deadline_s=None):
        record = self.record(attempt)
        return Reconciliation(
            outcome=Reconciled.NOT_YET if record is None else Reconciled.FOUND,
            call=attempt,
            result=record,
            reason="So Paragon's records say.",
        )

    def request(self, call):
        return {
            "key": self.key.reveal(),
            **self.pictures(call),
            "threshold": self.threshold(call),
            "rotate": call.rotate,
            "retention": call.retention,
            "caller_ref": call.caller_ref,
            "metadata": call.metadata,
            "options": call.options,
        }

    def pictures(self, call):
        """What is sent of the pictures, by place."""
        places = ("probe", "reference") if call.operation is Operation.MATCH else ("probe",)
        return {place: getattr(call, place).data for place in places}

    def threshold(self, call):
        default = self.capabilities.default_for(call.operation) or 0.0
        return default if call.threshold is None else call.threshold.value

    def exchange(self, call):
        """Status, body and error; nothing is raised from where the request is a local variable."""
        try:
            self.vendor.connect()
        except ConnectionRefusedError:
            return None, None, VendorUnavailable("Paragon cannot be reached.")
        call.on_sent()
        try:
            return (*self.vendor.ask(self.request(call), call.deadline_s), None)
        except TimeoutError:
            return None, None, DeadlineExceeded("Paragon did not answer in time.")
        except ConnectionResetError:
            return None, None, self.lost()

    def lost(self):
        return OutcomeUnknown("Paragon's answer is lost.")

    def refusal(self, status) -> VendorError:
        error, billed = ERRORS.get(status, (OutcomeUnknown, Charged.UNKNOWN))
        return error(f"Paragon answered {status}.", billing=Billing(billed), status_code=status)

    def result(self, call, body):
        return self.verdict(call, body)

    def verdict(self, call, body):
        kind = MatchResult if call.operation is Operation.MATCH else LivenessResult
        warnings = self.warnings(body)
        score = self.score(call, body["score"])
        decision = self.decision(call, body, score)
        if score is None:
            decision = self.unscored(call, decision)
        return kind(
            decision=decision,
            score=score,
            warnings=warnings,
            backend=self.name,
            vendor_status=body["verdict"],
            ids=Ids(vendor=body["id"], session=self.session(call, body)),
            billing=Billing(self.charged(call), "Paragon charges every answer"),
            probe_faces=self.faces(body),
            raw=self.raw(call, body),
        )

    def score(self, call, number):
        if number is None:
            return None
        match = call.operation is Operation.MATCH
        scale = self.capabilities.score_scale if match else self.capabilities.liveness_scale
        return Score(number, scale, raw=number, raw_name="score", source=ScaleSource.DOCUMENTED)

    def decision(self, call, body, score):
        match, live = VERDICTS.get(body["verdict"], VERDICTS["look"])
        return match if call.operation is Operation.MATCH else live

    def unscored(self, call, decision):
        return type(decision).INCONCLUSIVE

    def warnings(self, body):
        return tuple(
            ResultWarning(
                code=CODES.get(tag, WarningCode.OTHER),
                severity=WEIGHTS.get(weight, Severity.UNKNOWN),
                tag=tag,
                text=text,
            )
            for tag, text, weight in body["warnings"]
        )

    def faces(self, body):
        return tuple(
            Face(demographics=Demographics(age=guess["age"], gender=guess["gender"]))
            for guess in body.get("guesses", ())
        )

    def session(self, call, body):
        """The id of the record, if there is one."""
        return body["id"] if call.retention is Retention.KEEP else None

    def charged(self, call):
        return Charged.YES

    def raw(self, call, body):
        return {**body, "warnings": [list(warning) for warning in body["warnings"]]}


class ParagonDouble(VendorDouble):
    """The vendor, told what to do."""

    situations = frozenset(Situation)
    secrets = (KEY,)
    limits = LIMITS
    demographics: ClassVar = {"age": 41.75, "gender": "guessed-gender"}

    def __init__(self, backend_class=ParagonBackend):
        self.vendor = Vendor()
        self.backend_class = backend_class

    @property
    def requests_seen(self):
        return self.vendor.seen

    @property
    def charges(self):
        return self.vendor.charged

    @property
    def received(self):
        return self.vendor.last

    def pictures(self):
        return noise(1, (96, 96)), noise(2, (96, 96))

    def pictures_for(self, situation):
        probe, reference = self.pictures()
        return probe, stranger() if situation is Situation.DIFFERENT_PEOPLE else reference

    def backend(self, **settings):
        return self.backend_class(self.vendor, **settings)

    def other_options(self, declared):
        return [ParagonOptions(note="+")]

    def prepare(self, situation, *, score=None):
        self.vendor.situation, self.vendor.score = situation, score
