"""Infrastructure for the rules: the simulator, call counting, and one-line failure messages.

Words: a rule is a test of the contract, and has parts; a case is a `Situation` of the vendor for an
operation; an exchange is a request of the plug-in with its reply; a step is the number of a request
in its call, from 1; the outcome of a call is its result or error, with what the vendor counted.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, NoReturn
from unittest import mock
from urllib.parse import urlsplit

import attrs
import pytest

import facematch_core as fm
from facematch_core import Operation, models
from facematch_core import backend as backends
from facematch_core.backend import Backend, MatchRequest, PictureRequest, Secret
from facematch_core.backend.base import describe_fault, fault_listeners
from facematch_core.base.deadline import Deadline
from facematch_core.base.masking import without_secrets
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.call.run import picture_limits
from facematch_core.call.verdict import default_threshold
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.http.messages import encode_request

from . import simulator as simulators
from .simulator import (
    AT_ONE_REQUEST,
    OPERATION_OF,
    PASSING,
    STALLS,
    Refusal,
    Situation,
    VendorSimulator,
)

Result = fm.MatchResult | fm.LivenessResult
#: A probe and a reference.
Pair = tuple[fm.Image, fm.Image]
#: Prefixes of skip reasons.
NOT_TESTED = "not tested: "
DOES_NOT_APPLY = "does not apply: "
BECAUSE_OF = "because of "
#: Prefixes of failure reasons, which name the side at fault.
PLUG_IN_FAILED = "the plug-in failed: "
SIMULATOR_FAILED = "the simulator failed: "
#: Either may be wrong: the author compares both with the vendor's documents.
DIFFER = "the plug-in and the simulator differ: "
#: The accepting decision and the other decisions, by operation.
PASS = {Operation.MATCH: fm.Decision.MATCH, Operation.LIVENESS: fm.LivenessDecision.LIVE}
FAIL = {Operation.MATCH: fm.Decision.NO_MATCH, Operation.LIVENESS: fm.LivenessDecision.NOT_LIVE}
REVIEW = {Operation.MATCH: fm.Decision.REVIEW, Operation.LIVENESS: fm.LivenessDecision.REVIEW}
INCONCLUSIVE = {
    Operation.MATCH: fm.Decision.INCONCLUSIVE,
    Operation.LIVENESS: fm.LivenessDecision.INCONCLUSIVE,
}
#: A score near the middle of the scale, with enough digits to detect rounding.
MIDDLE_SCORE = 61.23
#: Deadline of a call whose response never completes, in seconds.
SHORT_DEADLINE_S = 0.25
#: Deadline of any other call, in seconds.
CALL_LIMIT_S = 15.0
#: Start time of a new clock: a date in the past, so that tests detect a use of today's date.
CLOCK_START = datetime(2020, 1, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """A fake `facematch_core.base.deadline.Clock`: `sleep` advances it and returns at once.

    Args:
        start: Initial time, timezone-aware.

    Attributes:
        slept: Durations of all `sleep` calls so far, in seconds, in order.
    """

    def __init__(self, start: datetime = CLOCK_START) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be timezone-aware, for example tzinfo=UTC.")
        self._start = start.astimezone(UTC)
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the seconds since this clock was created."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Record the duration, then advance the clock by it."""
        self.advance(seconds)
        self.slept.append(seconds)

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds`, which must be 0 or more."""
        # `not >=` instead of `<` also rejects NaN.
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}.")
        with self._lock:
            self._passed += seconds


class RunningClock(ManualClock):
    """The system clock with fake waits: `sleep` advances it and returns at once."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC))
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return super().monotonic() + time.monotonic() - self._began


class SimulatorMistake(Exception):
    """Raised for a simulator that contradicts itself; the message explains how."""


class Difference(Exception):
    """Raised if the plug-in and the simulator differ, and either may be wrong."""


def run_parts(subject: object, *parts: Callable[[Any], None]) -> None:
    """Run every part of a rule; skip the rule if a part was not tested, or if none applies."""
    inapplicable = list[str]()
    untested = list[str]()
    for part in parts:
        try:
            part(subject)
        except pytest.skip.Exception as skip:
            text = str(skip)
            if text.startswith(DOES_NOT_APPLY):
                inapplicable.append(text.removeprefix(DOES_NOT_APPLY))
            elif text.startswith(NOT_TESTED):
                untested.append(text.removeprefix(NOT_TESTED))
            else:
                raise
    if untested:
        pytest.skip(NOT_TESTED + " ".join(dict.fromkeys(untested)))
    if len(inapplicable) == len(parts):
        pytest.skip(DOES_NOT_APPLY + " ".join(dict.fromkeys(inapplicable)))


def assert_equal(name: str, actual: object, expected: object) -> None:
    """Assert that a value equals the expected value."""
    assert actual == expected, f"{name} is {actual}, not {expected}"


def check_charge(name: str, error: fm.VendorError, allowed: Iterable[fm.Charged]) -> None:
    """Assert that the charge of an error is allowed; say what to do about an unknown one."""
    charged = error.billing.charged
    advice = ""
    # A refusal is a known outcome, even if its price is not documented.
    if charged is fm.Charged.UNKNOWN and not isinstance(error, fm.OutcomeUnknown):
        advice = (
            f" for a {type(error).__name__}: raise OutcomeUnknown if the call may have been "
            "executed; name the situation, such as REJECTED, in the simulator's `price_unknown` "
            "if the vendor does not document the charge of this refusal"
        )
    allowed_charges = sorted(allowed)
    expected = " or ".join(allowed_charges)
    assert charged in allowed_charges, f"{name} is {charged}, not {expected}{advice}"


def assert_among(name: str, actual: object, allowed: Iterable[object]) -> None:
    """Assert that a value is one of the allowed values."""
    allowed_values = list(allowed)
    texts = sorted(map(str, allowed_values))
    assert actual in allowed_values, f"{name} is {actual}, not {' or '.join(texts)}"


@attrs.frozen(kw_only=True)
class CallOutcome:
    """The outcome of a call.

    Attributes:
        result: The result; None after an error.
        error: The error; None after a result.
        requests: Number of requests that the vendor saw.
        charges: Number of charges that the vendor would bill.
        events: The events of the call; empty without a verifier.
    """

    result: Any
    error: fm.FaceMatchError | None
    requests: int
    charges: int
    events: tuple[fm.CallEvent, ...] = ()

    @property
    def summary(self) -> str:
        """The result's decision or the error, in words."""
        if self.result is not None:
            return f"the result {self.result.decision}"
        return f"{type(self.error).__name__} ({self.error})"

    def require_result(self) -> Any:
        """Return the result, or raise the error."""
        if self.result is None:
            raise self.error or LookupError("the call has neither a result nor an error")
        return self.result


@attrs.frozen
class ObservedExchange:
    """A request of the plug-in and its reply."""

    request: HttpRequest
    reply: HttpReply

    def is_sent_again_after_401_by(self, request: HttpRequest) -> bool:
        """Return whether this one was answered with 401, and `request` repeats it after a login."""
        return self.reply.status == 401 and self.request.url == request.url


@attrs.frozen(kw_only=True)
class ScoredCase:
    """A situation whose score is known.

    Attributes:
        situation: The situation.
        score_to_set: The `score` argument of `set_situation`; None if the pictures decide.
        score: The score that the vendor returns, 0-100.
    """

    situation: Situation
    score_to_set: float | None
    score: float


def describe_failure(error: BaseException) -> str:
    """Describe an unexpected exception: its type, its location and the side at fault."""
    if isinstance(error, SimulatorMistake):
        return f"{SIMULATOR_FAILED}{error}"
    if isinstance(error, simulators.WrongRequest):
        return f"{DIFFER}{error}"
    author: object = None
    author_frame = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        frame_author = simulators.author_of(frame)
        if frame_author is not None:
            author = frame_author
            author_frame = frame
    text = f"{type(error).__name__}: {error}".removesuffix(": ") + _location_of(error, author)
    if author_frame is None:
        return f"{PLUG_IN_FAILED}the kit could not read its output: {text}"
    if issubclass(type(author), Backend):
        return f"{PLUG_IN_FAILED}its own code raised {text}"
    method = f"{type(author).__name__}.{author_frame.f_code.co_name}"
    return f"{SIMULATOR_FAILED}{text} in {method}{_hint_at_request(author_frame)}"


def _location_of(error: BaseException, author: object) -> str:
    """Return the last place of an error in the author's code, or else anywhere."""
    # All modules of the author's package, because a class may leave its work to another module.
    packages = {cls.__module__.partition(".")[0] for cls in type(author).__mro__}
    packages -= {"facematch_core", "builtins", "abc"}
    location = author_location = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        location = f" ({Path(frame.f_code.co_filename).name}, line {line})"
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package in packages:
            author_location = location
    return author_location or location


def _hint_at_request(frame: FrameType) -> str:
    """Return a hint at the request that a simulator's method was handling; "" if none."""
    for value in frame.f_locals.values():
        if isinstance(value, simulators.SimulatorRequest):
            path = value.path.partition("?")[0]
            return f", at {value.method} {path}: did the plug-in send what it should?"
    return ""


class Bench:
    """Makes calls with a simulator and its backend; counts their requests and charges."""

    def __init__(self, simulator: VendorSimulator) -> None:
        """Listen to faults of the plug-in until the bench is closed."""
        self.simulator = simulator
        #: The clock for all calls; its waits are fake.
        self.clock = RunningClock()
        #: Full descriptions of the plug-in's exceptions, keyed by the core's short ones.
        self.faults: dict[str, str] = {}
        #: Description of the last call, used in failure messages.
        self.context = ""
        self._requests_by_operation: dict[Operation, list[HttpRequest]] = {}
        self._stack = contextlib.ExitStack()
        self._stack.callback(fault_listeners.remove, self._note_fault)
        fault_listeners.append(self._note_fault)

    @functools.cached_property
    def backend(self) -> Backend:
        """The backend under test. Opened on first use, because opening can be slow."""
        return self.open_backend()

    @property
    def capabilities(self) -> backends.Capabilities:
        return self.backend.capabilities

    @property
    def bypasses_core_sender(self) -> bool:
        """Whether the plug-in sends or logs in without the core.

        It is an engine, uses a vendor's library, or has HTTP code of its own.
        """
        backend_class = type(self.backend)
        if not issubclass(backend_class, HttpBackend):
            return True
        methods = ("run_call", "match", "check_liveness", "sign", "should_relogin")
        return any(
            getattr(backend_class, name) is not getattr(HttpBackend, name) for name in methods
        )

    def close(self) -> None:
        self._stack.close()

    def _note_fault(self, error: BaseException) -> None:
        self.faults.setdefault(describe_fault(error), describe_failure(error))

    def failure_reason(self, error: BaseException) -> str:
        """Return the reason for a failure in one line, cause first, without secrets."""
        simulator_error = self.simulator.problem
        self.simulator.problem = None  # report it only once
        if simulator_error is not None:
            reason = describe_failure(simulator_error)
        else:
            reason = self._reason_of_rule(error)
        # The core's errors only name the file and line at which the plug-in's code raised.
        for short_description, full_description in self.faults.items():
            if short_description in reason:
                reason = full_description
                break
        if not reason.startswith((PLUG_IN_FAILED, SIMULATOR_FAILED, DIFFER)):
            reason = f"{PLUG_IN_FAILED}{reason}"
        secrets = tuple(Secret(text) for text in self.simulator.secrets)
        reason = " ".join(without_secrets(reason, secrets).split())
        return reason if len(reason) <= 600 else f"{reason[:600]}..."

    def _reason_of_rule(self, error: BaseException) -> str:
        """Return the sentence of a failed check; for other exceptions, where they were raised."""
        description = describe_failure(error)
        text = str(error)
        if description.startswith((SIMULATOR_FAILED, DIFFER)):
            return description
        if isinstance(error, Difference):
            return DIFFER + f"{self.context}: {text}".removeprefix(": ")
        if isinstance(error, (AssertionError, pytest.fail.Exception)) and text:
            # pytest appends its own lines to the text of an assertion.
            return f"{self.context}: {text}".removeprefix(": ").partition("\n")[0]
        if isinstance(error, fm.FaceMatchError):
            return f"{type(error).__name__}: {text}"
        return description

    def skip_unless_applicable(self, condition: object, otherwise: str) -> None:
        """Skip the rule as not applicable to the backend or its vendor, unless `condition`."""
        if not condition:
            pytest.skip(f"{DOES_NOT_APPLY}{self.backend.name} {otherwise}.")

    def skip_unless_testable(self, condition: object, otherwise: str) -> None:
        """Skip the rule as not testable with this simulator, unless `condition`."""
        if not condition:
            pytest.skip(f"{NOT_TESTED}{type(self.simulator).__name__} {otherwise}.")

    def require_of_simulator(self, condition: object, otherwise: str) -> None:
        """Raise `SimulatorMistake` with the text `otherwise`, unless `condition`."""
        if not condition:
            raise SimulatorMistake(otherwise)

    def open_backend(self, **settings: Any) -> Backend:
        """Open another backend and close it at the end of the test."""
        backend = self.simulator.backend(**settings)
        self._stack.callback(backend.close)
        return backend

    def open_verifier(self, **options: Any) -> fm.FaceVerifier:
        return fm.FaceVerifier(self.open_backend(), **{"clock": self.clock, **options})

    @property
    def operations(self) -> list[Operation]:
        """The declared operations; skips the rule if the backend only has hosted sessions."""
        declared = self.capabilities.operations
        takes_pictures = declared or self.backend.session_capabilities is None
        self.skip_unless_applicable(
            takes_pictures, "only has hosted sessions, and accepts no pictures"
        )
        return [operation for operation in PASSING if operation in declared]

    def score_scale(self, operation: Operation) -> str | None:
        if operation is Operation.MATCH:
            return self.capabilities.score_scale
        return self.capabilities.liveness_scale

    def scored_operations(self) -> list[Operation]:
        """The operations with a score scale; skips the part if there are none."""
        scored = [operation for operation in self.operations if self.score_scale(operation)]
        self.skip_unless_applicable(scored, "declares no score scale")
        return scored

    def backend_secrets(self) -> dict[str, str]:
        """Return the text of every `Secret` among the backend's attributes, by the name."""
        names = set(getattr(self.backend, "__dict__", ()))
        backend_class: Any = type(self.backend)
        if attrs.has(backend_class):
            # The fields of an attrs class with slots are not in `__dict__`.
            names |= {field.name for field in attrs.fields(backend_class)}
        secrets = {}
        for name in sorted(names):
            value = getattr(self.backend, name, None)
            if isinstance(value, Secret):
                secrets[name] = value.reveal()
        return secrets

    def _name_secret(self, secret: str) -> str:
        """Return the backend's name for one of the simulator's secrets, or its place there."""
        for name, text in self.backend_secrets().items():
            if text == secret:
                return f"`{name}`"
        index = list(self.simulator.secrets).index(secret)
        return f"`secrets[{index}]` of {type(self.simulator).__name__}"

    def expected_threshold(
        self, operation: Operation, callers_value: float | None
    ) -> fm.Threshold | None:
        """Return the threshold that the verifier would pass: the caller's, or the default."""
        value = callers_value
        source = models.ThresholdSource.CALLER
        if value is None:
            value = default_threshold(self.capabilities, operation)
            source = models.ThresholdSource.DEFAULT
        if value is None:
            return None
        return fm.Threshold(value, self.capabilities.threshold_rule, source)

    def check_unreadable(self, operation: Operation, error: fm.FaceMatchError | None) -> None:
        """Assert that the error for an unreadable 200 response reports the vendor's charge."""
        assert isinstance(error, fm.UnexpectedResponse), f"the call raised {error!r}"
        expected = {fm.Charged.YES}
        if operation not in self.capabilities.billed_operations:
            expected.add(fm.Charged.NO)
        charged = error.billing.charged
        assert_among("`charged` in the error for a 200 response", charged, expected)

    def check_retry(self, error: Any) -> None:
        """Assert that what may be charged is not retryable, and that the wait is one."""
        charged = error.billing.charged
        is_paid_twice = error.retryable and charged is not fm.Charged.NO
        assert not is_paid_twice, f"the error is retryable, but `charged` is {charged}"
        wait_s = getattr(error, "retry_after_s", None)
        assert wait_s is None or 0 <= wait_s < math.inf, f"`retry_after_s` is {wait_s}"

    def check_wait(self, error: Any, refusal: Refusal, label: str) -> None:
        """Assert that an error has the documented wait of its refusal, if there is one."""
        if "Retry-After" in refusal.headers:
            wait_s = float(refusal.headers["Retry-After"])
            assert_equal(f"`retry_after_s` of {label}", error.retry_after_s, wait_s)

    def option_sets(self, operation: Operation) -> Iterator[dict[str, Any]]:
        """Yield each option that the backend takes in a call, as keyword arguments."""
        if fm.Retention.KEEP in self.capabilities.retention:
            yield {"retention": fm.Retention.KEEP}
        options_class = self.capabilities.options
        if options_class is None:
            return
        usual_options = self.simulator.options(options_class)
        for options in (usual_options, *self.simulator.other_options(options_class)):
            if not self.refuses_options(operation, options):
                yield {"options": options}

    def refuses_options(self, operation: Operation, options: object) -> bool:
        """Return whether a call with these options of the backend raises `Unsupported` at once.

        A vendor may take them in one operation only.
        """
        outcome = self.call_verifier(operation, PASSING[operation], options=options)
        return isinstance(outcome.error, fm.Unsupported) and not outcome.requests

    def skip_unless_available(self, *situations: Situation) -> None:
        """Skip the rule, with the reason, unless the simulator can produce all of `situations`."""
        missing = [each for each in situations if each not in self.simulator.situations]
        for situation in missing:
            reason = self.why_impossible(situation)
            if reason:
                pytest.skip(DOES_NOT_APPLY + reason)
        names = " or ".join(situation.name for situation in missing)
        self.skip_unless_testable(not missing, f"cannot produce {names}")

    def why_impossible(self, situation: Situation) -> str | None:
        """Return why a situation cannot occur with this vendor, or None."""
        reason = self.simulator.cannot_happen.get(situation)
        if reason:
            return reason
        if situation is Situation.NO_CREDIT and not self.capabilities.billed_operations:
            return f"{self.backend.name} declares no billed operation."
        return None

    def can_occur(self, operation: Operation, situation: Situation) -> bool:
        """Return whether `situation` is about this operation of the backend."""
        if situation is Situation.SPOOF and Operation.LIVENESS not in self.operations:
            return operation in self.operations
        return OPERATION_OF.get(situation, operation) is operation

    def operations_for(self, situation: Situation) -> list[Operation]:
        """The declared operations in which `situation` can occur; skips the rule if none."""
        operations = [each for each in self.operations if self.can_occur(each, situation)]
        self.skip_unless_applicable(operations, f"declares no {OPERATION_OF.get(situation)} call")
        self.skip_unless_available(situation)
        return operations

    def available(self, situations: Iterable[Situation]) -> list[Situation]:
        """Return the situations among these that the simulator can produce."""
        return [each for each in situations if each in self.simulator.situations]

    def available_cases(
        self, situations: Iterable[Situation]
    ) -> Iterator[tuple[Operation, Situation]]:
        """Yield each available situation with every operation in which it can occur."""
        for situation in self.available(situations):
            for operation in self.operations:
                if self.can_occur(operation, situation):
                    yield operation, situation

    def find_scored_case(self, operation: Operation) -> ScoredCase:
        """Return a situation with a known score; fails if a pass has none."""
        if Situation.SCORE in self.simulator.situations:
            return ScoredCase(
                situation=Situation.SCORE, score_to_set=MIDDLE_SCORE, score=MIDDLE_SCORE
            )
        situation = PASSING[operation]
        score = self.call_verifier(operation, situation).require_result().score
        assert score is not None, f"{operation}: a pass has no score, but a scale is declared"
        self.require_of_simulator(
            1 <= score.value <= 99,
            f"{situation.name} scores {score.value}: use pictures that score between 1 and 99",
        )
        return ScoredCase(situation=situation, score_to_set=None, score=score.value)

    def request_count(self, operation: Operation) -> int:
        """Return the number of requests of a call."""
        steps = self.simulator.steps
        return steps if isinstance(steps, int) else steps[operation]

    def steps_to_fail(self, operation: Operation, situation: Situation) -> list[int | None]:
        """Return the steps of a call that `situation` can affect, or [None] for the whole call."""
        steps: list[int | None] = list(range(1, self.request_count(operation) + 1))
        if situation is Situation.BAD_KEY:
            return [None, *steps[1:]]
        if len(steps) > 1 and situation in AT_ONE_REQUEST:
            return steps
        return [None]

    def call_verifier(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        step: int | None = None,
        images: Pair | None = None,
        verifier: fm.FaceVerifier | None = None,
        **options: Any,
    ) -> CallOutcome:
        """Make a call as an application would; `verifier` and `images` replace the defaults."""
        self._set_situation(operation, situation, score=score, step=step)
        if situation in STALLS:
            options.setdefault("deadline_s", SHORT_DEADLINE_S)
        events: list[fm.CallEvent] = []
        images = images or self.simulator.pictures_for(situation)
        if verifier is None:
            verifier = fm.FaceVerifier(self.backend, on_event=events.append, clock=self.clock)
        outcome = self.observe(application_call(verifier, operation, images, **options))
        return attrs.evolve(outcome, events=tuple(events))

    def call_backend(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        step: int | None = None,
        **fields: Any,
    ) -> CallOutcome:
        """Call the backend without the verifier, whose checks could hide a bug in the backend.

        `fields` replace fields of the request.
        """
        self._set_situation(operation, situation, score=score, step=step)
        if situation in STALLS:
            fields.setdefault("deadline", Deadline.after(SHORT_DEADLINE_S, self.clock))
        return self.run_request(self.make_request(operation, situation, **fields))

    def _set_situation(
        self, operation: Operation, situation: Situation, *, score: float | None, step: int | None
    ) -> None:
        self.context = f"{operation}, {situation.name}"
        if step is None:  # a simulator need not take a step
            self.simulator.set_situation(situation, score=score)
            return
        self.simulator.set_situation(situation, score=score, step=step)
        self.context = f"{self.context} at step {step}"

    def make_request(
        self, operation: Operation, situation: Situation, **fields: Any
    ) -> PictureRequest:
        """Return a request as the verifier would pass it, by default with the default threshold."""
        probe, reference = self.prepare(self.simulator.pictures_for(situation))
        threshold = self.expected_threshold(operation, fields.pop("threshold", None))
        fields = {"clock": self.clock, "probe": probe, "threshold": threshold, **fields}
        if operation is Operation.LIVENESS:
            return backends.LivenessRequest(**fields)
        return MatchRequest(reference=reference, **fields)

    def prepare(self, images: Pair) -> Pair:
        """Return a probe and a reference as the verifier sends them."""
        limits = picture_limits(self.capabilities)
        probe, reference = images
        return probe.prepared(limits["probe"]), reference.prepared(limits["reference"])

    def run_request(self, request: PictureRequest) -> CallOutcome:
        """Pass a request to the backend; return the outcome."""
        backend: Any = self.backend
        method = backend.check_liveness
        if request.operation is Operation.MATCH:
            method = backend.match
        return self.observe(functools.partial(method, request))

    def observe(self, call: Callable[[], Any]) -> CallOutcome:
        """Return the outcome of a call, with its requests and charges."""
        requests_before = self.simulator.requests_seen
        charges_before = self.simulator.charges
        result = error = None
        try:
            result = HelperThreads(1, "facematch-kit").run(call, Deadline.after(CALL_LIMIT_S))
        except StillRunning:
            raise AssertionError(
                f"a call does not end within {CALL_LIMIT_S:g} s: does it retry or poll forever, or "
                "ignore its deadline?"
            ) from None
        except fm.FaceMatchError as failure:
            error = failure
        return CallOutcome(
            result=result,
            error=error,
            requests=self.simulator.requests_seen - requests_before,
            charges=self.simulator.charges - charges_before,
        )

    @contextlib.contextmanager
    def record_exchanges(
        self,
        edit: Callable[[HttpRequest, HttpReply], HttpReply] | None = None,
        **changes: Any,
    ) -> Iterator[list[ObservedExchange]]:
        """Collect the exchange of each step of a call, without logins.

        `edit`, or `changes` of their attributes, replace the replies. Empty for a backend that is
        not an `HttpBackend`.
        """
        exchanges: list[ObservedExchange] = []
        if not isinstance(self.backend, HttpBackend):
            yield exchanges
            return
        client: Any = self.backend.client
        send = client.send

        def send_and_note(request: HttpRequest, **options: Any) -> HttpReply:
            """Send a request, and note it with its edited reply unless it is a login."""
            self._check_masked(request)
            is_of_call = _is_request_of_call(options)
            is_login = "deadline" in options and not request.charges
            assert is_of_call or is_login, "a login needs `charges=0` and its call's `deadline`"
            reply: HttpReply = send(request, **options)
            if not is_of_call:
                return reply
            reply = edit(request, reply) if edit else attrs.evolve(reply, **changes)
            # Refused with a 401, and sent again with a new token: keep the second.
            if exchanges and exchanges[-1].is_sent_again_after_401_by(request):
                exchanges.pop()
            exchanges.append(ObservedExchange(request, reply))
            return reply

        with mock.patch.object(client, "send", send_and_note):
            yield exchanges

    def _check_masked(self, request: HttpRequest) -> None:
        """Assert that each secret in a request is declared in it, so that an echo is masked."""
        sent_text = f"{request.url} {request.params} {encode_request(request)}"
        masked = {secret.reveal() for secret in request.secrets}
        for text in self.simulator.secrets:
            if text in sent_text and text not in masked:
                raise AssertionError(
                    f"{request.method} {urlsplit(request.url).path} sends "
                    f"{self._name_secret(text)} as plain text: use a `Secret`, and put it into "
                    "`masked`, too, if the value that is sent is longer"
                )

    def request_at(self, operation: Operation, step: int | None) -> HttpRequest:
        """Return the request at a step of a passing call, or a placeholder if none was observed.

        Without a step, the first request. The first use makes a passing call.
        """
        if operation not in self._requests_by_operation:
            with self.record_exchanges() as exchanges:
                self.call_backend(operation, PASSING[operation])
            self._requests_by_operation[operation] = [each.request for each in exchanges]
        requests = self._requests_by_operation[operation]
        index = (step or 1) - 1
        if index >= len(requests):
            return HttpRequest(url="https://vendor.example")
        return requests[index]


def _is_request_of_call(send_options: dict[str, Any]) -> bool:
    """Return whether a request is one of a call: a call passes `on_sent`, a login does not."""
    return "on_sent" in send_options


def application_call(
    verifier: fm.FaceVerifier, operation: Operation, images: Pair, **options: Any
) -> Callable[[], Result]:
    """Return a function that makes a call of the verifier."""
    if operation is Operation.MATCH:
        return functools.partial(verifier.verify, *images, **options)
    probe, _ = images
    return functools.partial(verifier.check_liveness, probe, **options)


def rule(*causes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a test as a rule, whose failure is reported in one sentence, cause first.

    The rule depends on the rules in `causes` (numbers), and is skipped if one of them has failed.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        """Return the rule, with its number from the name of its test."""
        number = test.__name__.split("_")[1].upper()  # R51 of `test_r51_good_call_is_answered`

        @functools.wraps(test)
        def run_rule(self: Rules, bench: Bench, **parameters: Any) -> None:
            """Run the rule, unless a cause of its failure has failed.

            Of several rules that fail for one reason only the first fails, and the others are
            skipped.
            """
            failed_rule_by_reason = type(self).failed_rule_by_reason
            for failed_rule in failed_rule_by_reason.values():
                if failed_rule in causes:
                    pytest.skip(f"{BECAUSE_OF}{failed_rule}")
            try:
                return test(self, bench, **parameters)
            except pytest.skip.Exception as skip:
                reason = str(skip)
                if not reason.startswith(NOT_TESTED):
                    raise
            except (Exception, SystemExit, pytest.fail.Exception) as error:  # noqa: BLE001 - a plug-in may raise anything
                reason = bench.failure_reason(error)
            if reason.startswith(NOT_TESTED):
                self.end_untested(number, reason)
            first_failed_rule = failed_rule_by_reason.setdefault(reason, number)
            if first_failed_rule == number:
                pytest.fail(reason, pytrace=False)
            # Another rule has failed for the same reason.
            pytest.skip(f"{BECAUSE_OF}{first_failed_rule}")

        return run_rule

    return decorate


class Rules:
    """Base class of a contract: its fixtures, and the rules that have failed.

    Attributes:
        not_tested: Why a rule cannot be tested, by its number; of R60, ``R60 liveness`` is the part
            about one operation. Any other rule that is not tested fails.
    """

    not_tested: ClassVar[Mapping[str, str]] = {}
    #: The first rule that failed for each reason.
    failed_rule_by_reason: ClassVar[dict[str, str]] = {}

    def end_untested(self, number: str, reason: str) -> NoReturn:
        """Skip a rule that is not tested if `not_tested` says why; else fail it."""
        known_reason = self.not_tested.get(number)
        if reason.removeprefix(NOT_TESTED) in self.not_tested.values():
            pytest.skip(reason)
        if known_reason is not None:
            pytest.skip(f"{NOT_TESTED}{known_reason}")
        pytest.fail(
            f"{reason} Change the simulator, or say why not in `not_tested` of "
            f'{type(self).__name__}: {{"{number}": "..."}}.',
            pytrace=False,
        )

    @pytest.fixture
    def simulator(self) -> Iterator[VendorSimulator]:
        """A new simulator of the vendor for each rule. Override this fixture."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `simulator`.")

    @pytest.fixture
    def bench(self, simulator: VendorSimulator) -> Iterator[Bench]:
        with contextlib.closing(Bench(simulator)) as bench:
            yield bench

    def __init_subclass__(cls, **options: Any) -> None:
        """Raise TypeError for a subclass that overrides a rule without an xfail mark.

        Also for one whose `not_tested` names no rule, or gives no reason.
        """
        super().__init_subclass__(**options)
        cls.failed_rule_by_reason = {}
        for number, reason in cls.not_tested.items():
            test_name = f"test_{number.partition(' ')[0].lower()}_"
            is_rule = any(name.startswith(test_name) for name in dir(cls))
            if not is_rule or not str(reason or "").strip():
                raise TypeError(
                    f"{cls.__name__}.not_tested has {{{number!r}: {reason!r:.80}}}; write the "
                    'number of a rule and why: {"R14": "no page says which face is compared"}.'
                )
        for name in dir(cls):
            if name.startswith(("test_r", "_r")) and _breaks_rule(cls, name):
                raise TypeError(
                    f"{cls.__name__} changes the rule {name}. "
                    "Mark it as expected to fail instead: @pytest.mark.xfail(reason='...')."
                )


def _breaks_rule(cls: type[Rules], name: str) -> bool:
    """Return whether a class changes a rule of the kit without expecting it to fail.

    A test that the kit does not define is the author's own.
    """
    kit_classes = [base for base in cls.__mro__ if base.__module__.startswith(__package__)]
    original = next((vars(base)[name] for base in kit_classes if name in vars(base)), None)
    if original is None:
        return False
    test = getattr(cls, name)
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name != "parametrize"]
    if test is original:
        # A mark on the kit's own function would apply to every contract.
        return bool(marks)
    return not any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
