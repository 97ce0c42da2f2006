"""Infrastructure for the rules: the simulator, call counting, and one-line failure messages."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock
from urllib.parse import urlsplit

import attrs
import pytest

import facematch_core as fm
from facematch_core import Operation, models
from facematch_core import backend as backends
from facematch_core.backend import Backend, MatchRequest, PictureRequest, Secret
from facematch_core.backend.base import describe_fault, plugin_faults
from facematch_core.base.deadline import Deadline
from facematch_core.base.masking import without_secrets
from facematch_core.base.threads import HelperThreads, StillRunning
from facematch_core.call.run import picture_limits
from facematch_core.call.verdict import default_threshold
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.http.messages import encode_request

from . import simulator as simulators
from .simulator import AIMED, BAD, GOOD, OPERATION_OF, STALLS, Situation, VendorSimulator

Result = fm.MatchResult | fm.LivenessResult
Pair = tuple[fm.Image, fm.Image]
#: Pairs of a request and its reply.
Steps = list[tuple[HttpRequest, HttpReply]]
#: Prefixes of skip reasons.
NOT_TESTED, DOES_NOT_APPLY, BECAUSE_OF = "not tested: ", "does not apply: ", "because of "
#: Prefixes of failure reasons, which name the side at fault.
PLUG_IN_FAILED, SIMULATOR_FAILED = "the plug-in failed: ", "the simulator failed: "
#: The accepting decision and the other decisions, by operation.
_MATCH, _LIVE = Operation.MATCH, Operation.LIVENESS
PASS = {_MATCH: fm.Decision.MATCH, _LIVE: fm.LivenessDecision.LIVE}
FAIL = {_MATCH: fm.Decision.NO_MATCH, _LIVE: fm.LivenessDecision.NOT_LIVE}
REVIEW = {_MATCH: fm.Decision.REVIEW, _LIVE: fm.LivenessDecision.REVIEW}
INCONCLUSIVE = {_MATCH: fm.Decision.INCONCLUSIVE, _LIVE: fm.LivenessDecision.INCONCLUSIVE}
RESULTS = {Operation.MATCH: fm.MatchResult, Operation.LIVENESS: fm.LivenessResult}
#: A score near the middle of the scale, with enough digits to detect rounding.
MIDDLE = 61.23
#: Deadline of a call whose response never completes, in seconds.
DEADLINE_S = 0.25
#: Deadline of any other call, in seconds.
ENDS_S = 15.0
#: Start time of a new clock: a date in the past, so that tests detect a use of today's date.
START = datetime(2020, 1, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """A fake `facematch_core.base.deadline.Clock`: `sleep` advances it and returns at once.

    Args:
        start: Initial time, timezone-aware.

    Attributes:
        slept: Durations of all `sleep` calls so far, in seconds, in order.
    """

    def __init__(self, start: datetime = START) -> None:
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


def judge_parts(subject: Any, *parts: Callable[[Any], None]) -> None:
    """Run every part of a rule; skip the rule if a part was not tested, or if none applies."""
    apart, untested = list[str](), list[str]()
    for part in parts:
        try:
            part(subject)
        except pytest.skip.Exception as skipped:
            kind, _, reason = str(skipped).partition(": ")
            (apart if f"{kind}: " == DOES_NOT_APPLY else untested).append(reason)
    if untested:
        pytest.skip(NOT_TESTED + " ".join(dict.fromkeys(untested)))
    if len(apart) == len(parts):
        pytest.skip(DOES_NOT_APPLY + " ".join(dict.fromkeys(apart)))


def same(what: str, actual: object, *due: object) -> None:
    """Assert that a value equals the expected value, or one of several."""
    assert actual in due, f"{what} is {actual}, not {' or '.join(map(str, due))}"


@attrs.frozen
class Outcome:
    """The outcome of a call: result or error, events, and the vendor's requests and charges."""

    result: Any
    error: fm.FaceMatchError | None
    requests: int
    charges: int
    events: tuple[fm.CallEvent, ...] = ()

    @property
    def summary(self) -> str:
        if self.result is not None:
            return f"the result {self.result.decision}"
        return f"{type(self.error).__name__} ({self.error})"

    @property
    def answer(self) -> Any:
        """Return the result, or raise the error."""
        if self.result is None:
            raise self.error or LookupError("the call has neither a result nor an error")
        return self.result


def tell_fault(error: BaseException) -> str:
    """Describe an unexpected exception: its type, its location and the side at fault."""
    if isinstance(error, SimulatorMistake):
        return f"{SIMULATOR_FAILED}{error}"
    steps = [*traceback.walk_tb(error.__traceback__)]
    by_authors = [frame for frame, _ in steps if simulators.author_of(frame) is not None]
    author = simulators.author_of(by_authors[-1]) if by_authors else None
    # All modules of the author's package, because a class may leave its work to another module.
    packages = {cls.__module__.partition(".")[0] for cls in type(author).__mro__}
    packages -= {"facematch_core", "builtins", "abc"}
    names = [str(frame.f_globals.get("__name__")) for frame, _ in steps]
    own = [
        step for step, name in zip(steps, names, strict=True) if name.partition(".")[0] in packages
    ]
    text = ": ".join(filter(None, (type(error).__name__, str(error))))
    for frame, line in (own or steps)[-1:]:
        text += f" ({Path(frame.f_code.co_filename).name}, line {line})"
    if author is None:
        return f"{PLUG_IN_FAILED}the kit could not read its output: {text}"
    if issubclass(type(author), Backend):
        return f"{PLUG_IN_FAILED}its own code raised {text}"
    frame = by_authors[-1]
    reason = f"{SIMULATOR_FAILED}{text} in {type(author).__name__}.{frame.f_code.co_name}"
    for value in frame.f_locals.values():
        if isinstance(value, simulators.SimulatorRequest):
            path = value.path.partition("?")[0]
            return f"{reason}, at {value.method} {path}: did the plug-in send what it should?"
    return reason


class Bench:
    """Makes calls with a simulator and its backend; counts their requests and charges."""

    def __init__(self, simulator: VendorSimulator) -> None:
        self.simulator = simulator
        #: The clock for all calls (its waits are fake), and the waits of the last call.
        self.clock, self.waits = RunningClock(), tuple[float, ...]()
        #: Full descriptions of the plug-in's exceptions, keyed by the core's short ones.
        self.faults: dict[str, str] = {}
        #: Description of the last call, used in failure messages.
        self.at = ""
        self._requests: dict[Operation, list[HttpRequest]] = {}
        self._stack = contextlib.ExitStack()
        self._stack.callback(plugin_faults.remove, self._note_fault)
        plugin_faults.append(self._note_fault)

    @functools.cached_property
    def backend(self) -> Backend:
        """The backend under test. Opened on first use, because opening can be slow."""
        problem = simulators.check_declared(self.simulator)
        self.sound_if(not problem, problem)
        return self.open_backend()

    @property
    def can(self) -> backends.Capabilities:
        return self.backend.capabilities

    @property
    def sends_itself(self) -> bool:
        """Whether the plug-in sends requests or logs in with its own HTTP code."""
        cls = type(self.backend)
        own = ("run_call", "match", "check_liveness", "sign", "should_relogin")
        is_http = issubclass(cls, HttpBackend)
        return not is_http or any(
            getattr(cls, name) is not getattr(HttpBackend, name) for name in own
        )

    def close(self) -> None:
        self._stack.close()

    def _note_fault(self, error: BaseException) -> None:
        self.faults.setdefault(describe_fault(error), tell_fault(error))

    def reason(self, error: BaseException) -> str:
        """Return the reason for a failure in one line, cause first, without secrets."""
        problem, self.simulator.problem = self.simulator.problem, None  # report it only once
        text, reason = str(error), tell_fault(problem or error)
        if problem is None and not reason.startswith(SIMULATOR_FAILED):
            if isinstance(error, (AssertionError, pytest.fail.Exception)) and text:
                reason = f"{self.at}: {text}".removeprefix(": ").partition("\n")[0]
            elif isinstance(error, fm.FaceMatchError):
                reason = f"{type(error).__name__}: {text}"
        # The core's errors only name the file and line at which the plug-in's code raised.
        reason = next((each for place, each in self.faults.items() if place in reason), reason)
        if not reason.startswith((PLUG_IN_FAILED, SIMULATOR_FAILED)):
            reason = f"{PLUG_IN_FAILED}{reason}"
        secrets = tuple(map(Secret, self.simulator.secrets))
        reason = " ".join(without_secrets(reason, secrets).split())
        return reason if len(reason) <= 600 else f"{reason[:600]}..."

    def applies_if(self, condition: object, otherwise: str) -> None:
        """Skip the rule as not applicable to the backend or its vendor, unless `condition`."""
        if not condition:
            pytest.skip(f"{DOES_NOT_APPLY}{self.backend.name} {otherwise}.")

    def tested_if(self, condition: object, otherwise: str) -> None:
        """Skip the rule as not testable with this simulator, unless `condition`."""
        if not condition:
            pytest.skip(f"{NOT_TESTED}{type(self.simulator).__name__} {otherwise}.")

    def sound_if(self, condition: object, otherwise: str) -> None:
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
        is_plain = self.can.operations or self.backend.session_capabilities is None
        self.applies_if(is_plain, "only has hosted sessions, and accepts no pictures")
        return [operation for operation in GOOD if operation in self.can.operations]

    def scale(self, operation: Operation) -> str | None:
        return self.can.score_scale if operation is Operation.MATCH else self.can.liveness_scale

    def scaled(self) -> list[Operation]:
        """The operations with a score scale; skips the part if there are none."""
        scaled = [operation for operation in self.operations if self.scale(operation)]
        self.applies_if(scaled, "declares no score scale")
        return scaled

    def secrets(self) -> list[tuple[str, str]]:
        """Return the name and text of every `Secret` among the backend's attributes."""
        cls, names = type(self.backend), {*getattr(self.backend, "__dict__", ())}
        # The fields of an attrs class with slots are not in `__dict__`.
        names |= {field.name for field in attrs.fields(cls)} if attrs.has(cls) else set()
        values = [(name, getattr(self.backend, name, None)) for name in sorted(names)]
        return [(name, value.reveal()) for name, value in values if isinstance(value, Secret)]

    def _name_secret(self, secret: str) -> str:
        """Return the backend's name for one of the simulator's secrets, or its place there."""
        for name, text in self.secrets():
            if text == secret:
                return f"`{name}`"
        place = [*self.simulator.secrets].index(secret)
        return f"`secrets[{place}]` of {type(self.simulator).__name__}"

    def threshold(self, operation: Operation, value: float | None) -> fm.Threshold | None:
        """Return the threshold that the verifier would pass: the caller's, or the default."""
        source = models.ThresholdSource.DEFAULT if value is None else models.ThresholdSource.CALLER
        value = default_threshold(self.can, operation) if value is None else value
        return None if value is None else fm.Threshold(value, self.can.threshold_rule, source)

    def judge_unreadable(self, operation: Operation, error: fm.FaceMatchError) -> None:
        """Assert that the error for an unreadable 200 response reports the vendor's charge."""
        assert isinstance(error, fm.UnexpectedResponse), f"the call raised {error!r}"
        may_be_free = [fm.Charged.NO] * (operation not in self.can.billed_operations)
        charged = error.billing.charged
        same("`charged` in the error for a 200 response", charged, fm.Charged.YES, *may_be_free)

    def wishes(self, operation: Operation) -> Iterator[dict[str, Any]]:
        """Yield each option that the backend declares for a call, as keyword arguments."""
        can, simulator = self.can, self.simulator
        if fm.Retention.KEEP in can.retention:
            yield {"retention": fm.Retention.KEEP}
        if can.options is not None:
            for options in (simulator.options(can.options), *simulator.other_options(can.options)):
                yield {"options": options}

    def need(self, *situations: Situation) -> None:
        """Skip the rule, with the reason, unless the simulator can produce all of `situations`."""
        missing = [each for each in situations if each not in self.simulator.situations]
        if reasons := [*filter(None, map(self.why_not, missing))]:
            pytest.skip(DOES_NOT_APPLY + reasons[0])
        names = " or ".join(situation.name for situation in missing)
        self.tested_if(not missing, f"cannot produce {names}")

    def why_not(self, situation: Situation) -> str | None:
        """Return why a situation cannot occur (declared, or inferred from results), or None."""
        name, reason = self.backend.name, self.simulator.cannot_happen.get(situation)
        if situation is Situation.NO_CREDIT and not self.can.billed_operations:
            return reason or f"{name} declares no billed operation."
        if reason or situation not in (Situation.UNKNOWN_STATUS, Situation.UNKNOWN_WARNING):
            return reason
        # A rejection that becomes a result (no face) has a warning tagged with the error code.
        cases = self.cases((*GOOD.values(), *BAD.values(), Situation.TWO_FACES))
        results = [result for case in cases if (result := self.ask(*case).result) is not None]
        what, seen = "`vendor_status`", {result.vendor_status for result in results}
        if situation is Situation.UNKNOWN_WARNING:
            what, seen = "warning tag", {w.tag for result in results for w in result.warnings}
        return f"No result of {name} has a {what}." if results and not seen - {None} else None

    def meets(self, operation: Operation, situation: Situation) -> bool:
        if situation is Situation.SPOOF and Operation.LIVENESS not in self.operations:
            return operation in self.operations
        return OPERATION_OF.get(situation, operation) is operation

    def operations_for(self, situation: Situation) -> list[Operation]:
        """The declared operations in which `situation` can occur; skips the rule if none."""
        operations = [each for each in self.operations if self.meets(each, situation)]
        self.applies_if(operations, f"declares no {OPERATION_OF.get(situation)} call")
        self.need(situation)
        return operations

    def known(self, *situations: Situation) -> list[Situation]:
        """Return the situations among these that the simulator can produce."""
        return [each for each in situations if each in self.simulator.situations]

    def cases(self, situations: Iterable[Situation]) -> Iterator[tuple[Operation, Situation]]:
        """Yield each available situation with every operation in which it can occur."""
        for situation in self.known(*situations):
            for operation in self.operations:
                if self.meets(operation, situation):
                    yield operation, situation

    def find_score(self, operation: Operation) -> tuple[Situation, float | None, float]:
        """Return a situation, its `score` argument, and the score (0-100) that they produce."""
        if Situation.SCORE in self.simulator.situations:
            return Situation.SCORE, MIDDLE, MIDDLE
        situation = GOOD[operation]
        score = self.ask(operation, situation).answer.score
        assert score is not None, f"{operation}: a pass has no score, but a scale is declared"
        text = f"{situation.name} scores {score.value}: use pictures that score between 1 and 99"
        self.sound_if(1 <= score.value <= 99, text)
        return situation, None, score.value

    def steps(self, operation: Operation) -> int:
        steps = self.simulator.steps
        return steps if isinstance(steps, int) else steps[operation]

    def each_step(self, operation: Operation, situation: Situation) -> list[int | None]:
        """Return the steps of a call that `situation` can affect, or [None] for the whole call."""
        several = range(1, self.steps(operation) + 1)
        if situation is Situation.BAD_KEY:
            return [None, *several[1:]]
        return [*several] if len(several) > 1 and situation in AIMED else [None]

    def ask(self, operation: Operation, situation: Situation, **options: Any) -> Outcome:
        """Make a call as an application would; `verifier` and `images` replace the defaults."""
        self._begin(operation, situation, options)
        if situation in STALLS:
            options.setdefault("deadline_s", DEADLINE_S)
        events: list[fm.CallEvent] = []
        images = options.pop("images", None) or self.simulator.pictures_for(situation)
        verifier = options.pop("verifier", None)
        if verifier is None:
            verifier = fm.FaceVerifier(self.backend, on_event=events.append, clock=self.clock)
        call = application_call(verifier, operation, images, **options)
        return attrs.evolve(self.count(call, RESULTS[operation]), events=tuple(events))

    def ask_directly(self, operation: Operation, situation: Situation, **fields: Any) -> Outcome:
        """Call the backend without the verifier, whose checks could hide a bug in the backend."""
        self._begin(operation, situation, fields)
        if situation in STALLS:
            fields.setdefault("deadline", Deadline.after(DEADLINE_S, self.clock))
        return self.make_call(self.call(operation, situation, **fields))

    def _begin(self, operation: Operation, situation: Situation, how: dict[str, Any]) -> None:
        score, step = how.pop("score", None), how.pop("step", None)
        aim = {} if step is None else {"step": step}
        self.simulator.set_situation(situation, score=score, **aim)
        self.at = f"{operation}, {situation.name}" + (f" at step {step}" if step else "")

    def call(self, operation: Operation, situation: Situation, **fields: Any) -> PictureRequest:
        """Return a call as the verifier would pass it, by default with the default threshold."""
        probe, reference = self.fit(self.simulator.pictures_for(situation))
        limit = self.threshold(operation, fields.pop("threshold", None))
        fields = {"clock": self.clock, "probe": probe, "threshold": limit, **fields}
        if operation is Operation.LIVENESS:
            return backends.LivenessRequest(**fields)
        return MatchRequest(reference=reference, **fields)

    def fit(self, images: Iterable[fm.Image]) -> list[fm.Image]:
        limits = picture_limits(self.can).values()
        return [image.prepared(limit) for image, limit in zip(images, limits, strict=True)]

    def make_call(self, request: PictureRequest) -> Outcome:
        backend: Any = self.backend
        ask = backend.match if isinstance(request, MatchRequest) else backend.check_liveness
        return self.count(lambda: ask(request), RESULTS[request.operation])

    def count(self, ask: Callable[[], Any], due: type | None = None) -> Outcome:
        """Return the outcome of a call, with its requests and charges; assert the result class."""
        simulator, slept = self.simulator, len(self.clock.slept)
        requests, charges = simulator.requests_seen, simulator.charges
        result, error = None, None
        try:
            result = HelperThreads(1, "facematch-kit").run(ask, Deadline.after(ENDS_S))
        except StillRunning:
            ends = "a call without a deadline does not end: does it retry or poll forever?"
            raise AssertionError(ends) from None
        except fm.FaceMatchError as failure:
            error = failure
        self.waits = tuple(self.clock.slept[slept:])
        requests, charges = simulator.requests_seen - requests, simulator.charges - charges
        if error is None and due is not None:
            same("the class of the result", type(result), due)
        return Outcome(result, error, requests, charges)

    @contextlib.contextmanager
    def overhear(
        self, answer: Any = None, *, every: bool = False, **changes: Any
    ) -> Iterator[Steps]:
        """Collect each step (or every request) and its reply, edited by `answer` or `changes`."""
        steps: Steps = []
        if not isinstance(self.backend, HttpBackend):
            yield steps
            return
        client: Any = self.backend.client
        send = client.send

        def hear(request: HttpRequest, **options: Any) -> HttpReply:
            # A call passes `on_sent`, a login does not.
            is_of_call = "on_sent" in options
            sent = f"{request.url} {request.params} {encode_request(request)}"
            masked = {secret.reveal() for secret in request.secrets}
            for text in self.simulator.secrets:
                if text in sent and text not in masked:
                    where = f"{request.method} {urlsplit(request.url).path}"
                    raise AssertionError(
                        f"{where} sends {self._name_secret(text)} as plain text: use a `Secret`, "
                        "and put it into `masked`, too, if the value that is sent is longer"
                    )
            is_login = "deadline" in options and not request.charges
            assert is_of_call or is_login, "a login needs `charges=0` and its call's `deadline`"
            reply: HttpReply = send(request, **options)
            if every or (is_of_call and not request.is_cleanup):
                reply = answer(request, reply) if answer else attrs.evolve(reply, **changes)
                if steps and steps[-1][1].status == 401 and steps[-1][0].url == request.url:
                    steps.pop()  # the token was renewed: this repeats the step
                steps.append((request, reply))
            return reply

        with mock.patch.object(client, "send", hear):
            yield steps

    @contextlib.contextmanager
    def redirect_logins(self, url: str) -> Iterator[None]:
        """Send each login to `url` instead."""
        backend: Any = self.backend
        send = backend.client.send

        def redirect(request: HttpRequest, **options: Any) -> HttpReply:
            # A call passes `on_sent`, a login does not.
            is_login = "on_sent" not in options
            reply: HttpReply = send(
                attrs.evolve(request, url=url) if is_login else request, **options
            )
            return reply

        with mock.patch.object(backend.client, "send", redirect):
            yield

    def request_at(self, operation: Operation, step: int | None) -> HttpRequest:
        """Return the request at a step of a passing call, or a placeholder if none was observed."""
        if operation not in self._requests:
            with self.overhear() as steps:
                self.ask_directly(operation, GOOD[operation])
            self._requests[operation] = [request for request, _ in steps]
        sent = self._requests[operation][(step or 1) - 1 :]
        return sent[0] if sent else HttpRequest(url="https://vendor.example")


def application_call(verifier: Any, operation: Operation, pair: Pair, **options: Any) -> Any:
    if operation is Operation.MATCH:
        return lambda: verifier.verify(*pair, **options)
    return lambda: verifier.check_liveness(pair[0], **options)


def rule(*causes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a test as a rule, whose failure is reported in one sentence, cause first.

    The rule depends on the rules in `causes` (numbers), and is skipped if one of them has failed.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        number = test.__name__.split("_")[1].upper()

        @functools.wraps(test)
        def judge(self: Rules, bench: Bench, **parameters: Any) -> None:
            failures = type(self).failures
            cause = next((each for each in failures.values() if each in causes), None)
            if cause is None:
                try:
                    return test(self, bench, **parameters)
                except (Exception, SystemExit, pytest.fail.Exception) as error:  # noqa: BLE001 - a plug-in may raise anything
                    reason = bench.reason(error)
                cause = failures.setdefault(reason, number)
                if cause == number:
                    pytest.fail(reason, pytrace=False)
            pytest.skip(f"{BECAUSE_OF}{cause}")

        return judge

    return decorate


class Rules:
    """Base class of a contract: its fixtures, and the rules that have failed."""

    #: The first rule that failed for each reason, keyed by the reason.
    failures: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def simulator(self) -> Iterator[VendorSimulator]:
        """A new simulator of the vendor for each rule. Override this fixture."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `simulator`.")

    @pytest.fixture
    def bench(self, simulator: VendorSimulator) -> Iterator[Bench]:
        with contextlib.closing(Bench(simulator)) as bench:
            yield bench

    def __init_subclass__(cls, **rest: Any) -> None:
        """Raise TypeError for a subclass that overrides a rule without an xfail mark."""
        super().__init_subclass__(**rest)
        cls.failures = {}
        kit = [vars(base) for base in cls.__mro__ if base.__module__.startswith(__package__)]
        for name in (name for name in dir(cls) if name.startswith(("test_r", "_r"))):
            original = next((members[name] for members in kit if name in members), None)
            test = getattr(cls, name)
            marks = [m for m in getattr(test, "pytestmark", ()) if m.name != "parametrize"]
            expected = any(m.name == "xfail" and m.kwargs.get("reason") for m in marks)
            # A test that the kit does not define is the author's own.
            is_changed = original is not None and (test is not original or marks)
            if is_changed and (test is original or not expected):
                text = "Mark it as expected to fail instead: @pytest.mark.xfail(reason='...')."
                raise TypeError(f"{cls.__name__} changes the rule {name}. {text}")
