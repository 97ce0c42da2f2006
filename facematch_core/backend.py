"""For plug-in authors: what a backend is, and what it declares.

A backend only translates. The rules that are the same for every vendor (thresholds, review,
limits, options, money, deadlines, events) live once in `FaceVerifier`, which hands over one
prepared call as data. There are three kinds:

- a vendor over HTTP: `facematch_core.http.HttpBackend`;
- a vendor whose own library does the sending: `SdkBackend`;
- an engine on this machine: `EngineBackend`.
"""

from __future__ import annotations

import abc
import contextlib
import contextvars
import datetime as dt
import decimal
import enum
import functools
import logging
import math
import os
import re
import threading
import traceback
import typing
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import attrs

from . import errors, models
from ._cancellation import CANCELLATION, Cancellation
from .addresses import check_base_url
from .clock import Clock, RateWindow, SystemClock
from .images import Image, ImageFormat, ImageLimits
from .kinds import described, is_union, kind_words, kinds_of, type_hints
from .masking import Secret, masker, quotable, without_pieces
from .models import Billing, Charged, LivenessResult, MatchResult

__all__ = [
    "API_VERSION", "CALL_ID_KEY", "MULTIPLE_FACES", "NO_FACE", "SCORE_UNAVAILABLE", "Backend",
    "Call", "Capabilities", "Compared", "EngineBackend", "Image", "ImageFormat", "ImageLimits",
    "LivenessCall", "MatchCall", "RateWindow", "RemoteBackend", "SdkBackend", "Secret",
    "decide_by_threshold", "guarded_call", "muted", "number", "without_private",
]  # fmt: skip

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=models.Result)

#: Called with each exception of a plug-in's own code that becomes an error without its text, which
#: may hold a key: for tests, whose keys are invented.
plugin_faults: list[Callable[[BaseException], None]] = []


def tell_fault(error: BaseException) -> None:
    """Let whoever tests a plug-in see what its code raised."""
    for hear in tuple(plugin_faults):
        hear(error)


#: Version of the plug-in interface that this release speaks.
API_VERSION = 1

#: Under this name a backend puts our id of a kept call into the vendor's records, beside the
#: caller's `metadata`, so that `reconcile` can find it again. Callers may not use it. (The word is
#: that of facematch 0.1, so that its records are found as well.)
CALL_ID_KEY = "facematch_attempt_id"


def new_call_id() -> str:
    """A fresh id of ours for one call: a random UUID."""
    return str(uuid.uuid4())


def _nothing() -> None:
    pass


def _unheard(_: str | None, __: Billing) -> None:
    pass


@attrs.frozen(kw_only=True)
class Call:
    """One request, as data: what every call carries. New fields break no plug-in.

    Attributes:
        probe: The live or candidate face, already prepared for this backend.
        threshold: Where a pass begins; its rule is the backend's. None if the caller set none and
            the backend has no default: then the vendor's own verdict counts alone.
        rotate: Try the four quarter turns. False for a backend that declares it cannot.
        retention: What the vendor is asked to keep. MINIMAL for a backend that cannot keep.
        caller_ref: The caller's own reference, for the vendor if it takes one.
        metadata: The caller's own JSON object, for the vendor if it takes one.
        options: The backend's own typed options, or None.
        deadline_s: Seconds that are left for this call, counted from now; None for no limit.
        send_within_s: Seconds from now within which the first byte must have left, or nothing may
            be sent any more (`VendorUnavailable`); None for no limit but `deadline_s`. A failover
            sets it, so that time is left for its next member.
        call_id: Our id of this call, a UUID.
        vendor_id: The vendor's id of it; None until an answer has given one.
        clock: The verifier's, on which waits and the deadline are counted.
        on_sent: To be called once, just before the first byte may leave this machine. If it
            raises, nothing may be sent.
        on_accepted: To be called with the vendor's id, or None, and with what was charged so far,
            when an answer says more of either: it is what is known if the call is broken off.
    """

    probe: Image
    threshold: models.Threshold | None = None
    rotate: bool = False
    retention: models.Retention = models.Retention.MINIMAL
    caller_ref: str | None = None
    metadata: Mapping[str, Any] | None = None
    options: Any = None
    deadline_s: float | None = None
    send_within_s: float | None = None
    call_id: str = attrs.field(factory=new_call_id)
    vendor_id: str | None = None
    clock: Clock = attrs.field(factory=SystemClock, repr=False, eq=False)
    on_sent: Callable[[], None] = attrs.field(default=_nothing, repr=False, eq=False)
    on_accepted: Callable[[str | None, Billing], None] = attrs.field(
        default=_unheard, repr=False, eq=False
    )

    operation = models.Operation.MATCH


@attrs.frozen(kw_only=True)
class MatchCall(Call):
    """Compare the probe with the reference.

    Attributes:
        reference: The face to compare with, already prepared for this backend.
    """

    reference: Image

    operation = models.Operation.MATCH


@attrs.frozen(kw_only=True)
class LivenessCall(Call):
    """Check whether the probe shows a live face."""

    operation = models.Operation.LIVENESS


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a backend can do, so that what it cannot do is refused before anything is sent.

    Attributes:
        operations: What it can be asked: `MATCH`, `LIVENESS`.
        rotate: Whether it can try quarter turns.
        retention: What it can ask its vendor to keep. A backend whose vendor promises nothing
            declares MINIMAL alone.
        sends_caller_ref, sends_metadata: Whether the vendor receives them. They are kept in the
            result in any case.
        options: The attrs class of its own options; None if it has none.
        threshold_rule: How scores are compared with the threshold.
        default_threshold, default_liveness_threshold: The documented default, 0-100; None if there
            is none (then a call without a threshold leaves the verdict to the vendor).
        score_scale, liveness_scale: The scales of its scores; None if it gives none.
        image_limits: What its vendor takes.
        reference_limits: The same of a reference, where that differs; None if it does not.
        billed_operations: The operations that cost money.
        rate_windows: How many calls its vendor takes, as published; empty if nothing is. Where
            that depends on the plan, the backend may declare it per object.
        reports_faces: Whether results say where the faces are.
        demographic_keys: Keys of the vendor's body that hold age, gender or race.
        media_keys: Keys of the vendor's body whose values are addresses of pictures.
    """

    operations: frozenset[models.Operation] = frozenset({models.Operation.MATCH})
    rotate: bool = False
    retention: frozenset[models.Retention] = frozenset({models.Retention.MINIMAL})
    sends_caller_ref: bool = False
    sends_metadata: bool = False
    options: type | None = None
    threshold_rule: models.ThresholdRule = models.ThresholdRule.AT_LEAST
    default_threshold: float | None = None
    default_liveness_threshold: float | None = None
    score_scale: str | None = None
    liveness_scale: str | None = None
    image_limits: ImageLimits = attrs.field(factory=ImageLimits)
    reference_limits: ImageLimits | None = None
    billed_operations: frozenset[models.Operation] = frozenset()
    rate_windows: tuple[RateWindow, ...] = ()
    reports_faces: bool = False
    demographic_keys: frozenset[str] = frozenset({"age", "gender", "race"})
    media_keys: frozenset[str] = frozenset()

    def default_for(self, operation: models.Operation) -> float | None:
        """The documented default threshold of `operation`, 0-100, or None."""
        if operation is models.Operation.MATCH:
            return self.default_threshold
        return self.default_liveness_threshold

    def limits_for(self, picture: str) -> ImageLimits:
        """What its vendor takes as this picture: ``probe`` or ``reference``."""
        return (picture == "reference" and self.reference_limits) or self.image_limits


class Backend(abc.ABC):
    """One vendor, or one engine on this machine.

    Settings are the arguments of the class. Those of an attrs class with ``kw_only`` fields can
    also come from a configuration file, and are checked against their annotations whoever sets
    them: a plain ``region: str`` is enough. A text becomes a `Secret`, a path or the value of an
    enum where one is declared; a secret may not be empty, and a number whose name ends in
    ``_s`` must be above 0. A class with an ``__attrs_post_init__`` of its own calls this one first.
    No setting may bear the name of an argument of `FaceVerifier`: `open_verifier` takes both as
    keywords.

    Attributes:
        api_version: Version of this interface that the backend was written for.
        name: Its name in results and errors; that of its entry point.
        capabilities: What it can do.
        environment: What it is set to answer from.
        environment_variables: Setting to environment variable, for settings that may come from
            the environment (keys, above all).
        allowed_hosts: Hosts that `base_url` may name without ``allow_base_url``, in small letters;
            ``*`` stands for exactly one label: ``vision.*.acme.example``. Empty if the backend
            sends nothing, or to a server of the caller's own: beyond this machine that needs
            ``allow_base_url``.
        reports_sent: Whether it calls `Call.on_sent` before the first byte may leave. A billed
            call of a backend that does not counts as sent as soon as it begins.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()
    reports_sent: ClassVar[bool] = False
    keeps_deadline: ClassVar[bool] = False

    def __attrs_post_init__(self) -> None:
        _check_settings(self)

    @property
    def environment(self) -> models.Environment | None:
        """What it is set to answer from; None if no setting says so.

        MOCK, if a setting says so: then no real vendor may be called, nor pass for a mock.
        """
        return None

    @property
    def environments(self) -> frozenset[models.Environment]:
        """Where its answers can come from, as far as that is certain before it is asked."""
        return frozenset() if self.environment is None else frozenset({self.environment})

    @abc.abstractmethod
    def match(self, call: MatchCall) -> MatchResult:
        """Compare two faces.

        Raises:
            VendorError: no result; `billing` says whether it was charged.
        """

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        """Check one picture for a live face.

        Raises:
            Unsupported: by default.
            VendorError: no result; `billing` says whether it was charged.
        """
        raise errors.Unsupported(
            f"The backend {self.name} has no liveness check.",
            backend=self.name,
            what=models.Operation.LIVENESS,
        )

    def reconcile(
        self, call: models.CallRecord, *, deadline_s: float | None = None
    ) -> models.Reconciliation:
        """Look for a kept call of this backend in the vendor's records, without any charge.

        By default nothing is looked at, and the answer is `CANNOT_KNOW`. A backend that overrides
        this puts `Call.call_id` into the vendor's record of each kept call, under `CALL_ID_KEY`,
        and compares it, or asks by `CallRecord.vendor_id`: nothing else proves that a record is
        this call's.

        Args:
            call: One that is `reconcilable`.
            deadline_s: Seconds for the whole search, above 0; None for no limit.

        Raises:
            VendorError: the vendor could not be asked; `billing` says NO.
        """
        return models.Reconciliation(
            outcome=models.Reconciled.CANNOT_KNOW,
            call=call,
            reason=f"The backend {self.name} cannot look into its vendor's records.",
        )

    def reconcilable(self, call: Call | models.CallRecord) -> bool:
        """Whether the vendor can later say what became of `call`; by default if it was kept.

        A vendor that answers later may know a job by `vendor_id`, whatever it was asked to keep.
        """
        return call.retention is models.Retention.KEEP

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Give back what the backend holds. May be called more than once."""

    def diagnose(self) -> Mapping[str, Any]:
        """What `facematch doctor` shows beside the settings: versions, files. No secrets."""
        return {}


#: What a key of a vendor's is made of.
_SENDABLE = re.compile(r"[!-~\xa1-\xff]+")


def _check_settings(backend: Backend) -> None:
    """Hold every setting against its annotation; `ConfigurationError` names it, never its value."""
    cls = type(backend)
    try:
        hints = type_hints(cls)
    except NameError:
        return  # a class inside a function: only its own module knows what it names
    for field in attrs.fields(cls):  # type: ignore[arg-type]  # only attrs calls it
        wanted = hints.get(field.name)
        kinds = kinds_of(wanted)
        if wanted is None or kinds is None or not field.init:
            continue
        name, value = field.alias or field.name, getattr(backend, field.name)
        if value is None and is_union(wanted) and type(None) in typing.get_args(wanted):
            continue
        read = _as_declared(value, *kinds)
        if read is attrs.NOTHING:
            raise errors.ConfigurationError(
                f"{name} must be {kind_words(wanted)}, not {described(value)}."
            )
        if isinstance(read, Secret):
            _check_key(backend, name, read)
        elif isinstance(read, (int, float)):
            of_time = name.endswith("_s")
            if not math.isfinite(read) or (of_time and read <= 0):
                kind = "number of seconds above 0" if of_time else "finite number"
                raise errors.ConfigurationError(f"{name} must be a {kind}.")
        if read is not value:
            object.__setattr__(backend, field.name, read)  # frozen classes forbid the usual way


def _check_key(backend: Backend, name: str, secret: Secret) -> None:
    if not secret.reveal():
        variable = backend.environment_variables.get(name)
        hint = f"set the environment variable {variable}" if variable else "leave it out"
        raise errors.ConfigurationError(f"{name} is empty: {hint}.")
    if isinstance(backend, RemoteBackend) and not _SENDABLE.fullmatch(secret.reveal()):
        raise errors.ConfigurationError(
            f"{name} (from {secret.origin}) holds a space, a line break or another character "
            "that no header can carry: give the key alone."
        )


def _as_declared(value: Any, kinds: tuple[type, ...], words: tuple[Any, ...]) -> Any:
    """`value` as one of the types, converted where that can only mean one thing; else NOTHING."""
    if any(type(value) is type(word) and value == word for word in words):
        return value
    number = isinstance(value, int) and float in kinds
    if (isinstance(value, kinds) or number) and (not isinstance(value, bool) or bool in kinds):
        return value
    if isinstance(value, str):
        if Secret in kinds:
            return Secret(value)
        for kind in kinds:
            if issubclass(kind, os.PathLike):
                return kind(value)  # type: ignore[call-arg]  # a Path
            if issubclass(kind, enum.Enum):
                return next((member for member in kind if member.value == value), attrs.NOTHING)
    return attrs.NOTHING


# What most vendors and engines have in common.

#: Ready-made warnings. `attrs.evolve` gives one the vendor's tag or text.
NO_FACE = models.ResultWarning(
    code=models.WarningCode.NO_FACE,
    severity=models.Severity.ERROR,
    text="no face was found in one of the pictures",
)
MULTIPLE_FACES = models.ResultWarning(
    code=models.WarningCode.MULTIPLE_FACES, text="a picture shows more than one face"
)
SCORE_UNAVAILABLE = models.ResultWarning(
    code=models.WarningCode.SCORE_UNAVAILABLE, text="the answer has no score"
)


def number(value: object) -> float:
    """A number that a vendor's body must hold; true, null and "0.9" are none.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{type(value).__name__}, not a number")
    return float(value)


def decide_by_threshold(
    score: models.Score | None, threshold: models.Threshold | None
) -> models.Decision:
    """The decision where the score alone decides: for vendors and engines without a verdict.

    Returns:
        INCONCLUSIVE without a score; REVIEW with a score but no threshold; else MATCH
        or NO_MATCH by the threshold's own rule.
    """
    if score is None:
        return models.Decision.INCONCLUSIVE
    if threshold is None or threshold.value is None:
        return models.Decision.REVIEW
    return models.Decision.MATCH if threshold.passes(score.value) else models.Decision.NO_MATCH


# An engine on this machine.


@attrs.frozen(kw_only=True)
class Compared:
    """What an engine found in two pictures.

    Attributes:
        score: How alike the faces are, 0-100; None if no pair of faces could be compared.
        raw_score, raw_name: The engine's own number (a distance, say) and what it is called.
        probe_faces, reference_faces: The faces of each picture; None if they are not known. None
            found is ``()``: then there is no score, and the result says so.
        warnings: What is worth saying. NO_FACE and MULTIPLE_FACES follow from the faces where they
            are not said here.
        model: Name and version of what was asked.
        raw: What else there is, as JSON.
    """

    score: float | None
    raw_score: float | None = None
    raw_name: str | None = None
    probe_faces: Sequence[models.Face] | None = None
    reference_faces: Sequence[models.Face] | None = None
    warnings: Sequence[models.ResultWarning] = ()
    model: str | None = None
    raw: Mapping[str, Any] = attrs.field(factory=dict)


class EngineBackend(Backend):
    """An engine on this machine: nothing leaves it, and nothing is charged.

    What remains to be written is `compare`, and what the engine declares: `score_scale` and
    `default_threshold` above all.
    """

    @property
    def environment(self) -> models.Environment:
        """Always LOCAL."""
        return models.Environment.LOCAL

    @abc.abstractmethod
    def compare(self, call: MatchCall) -> Compared:
        """Compare the faces of `call.probe` and `call.reference`.

        Raises:
            InvalidImage: a picture cannot be read. Any other exception is a fault of the engine's,
                and becomes `BackendUnavailable` with file and line.
        """

    def match(self, call: MatchCall) -> MatchResult:
        found = self.compare(call)
        faces = (found.probe_faces, found.reference_faces)
        counts = [len(some) for some in faces if some is not None]
        score = None
        if found.score is not None and 0 not in counts:
            scale = self.capabilities.score_scale or self.name
            score = models.Score(
                found.score,
                scale,
                raw=found.raw_score,
                raw_name=found.raw_name,
                source=models.ScaleSource.DOCUMENTED,
            )
        seen = ((NO_FACE, 0 in counts), (MULTIPLE_FACES, max(counts, default=0) > 1))
        said = {warning.code for warning in found.warnings}
        more = [warning for warning, shown in seen if shown and warning.code not in said]
        return MatchResult(
            decision=decide_by_threshold(score, call.threshold),
            score=score,
            threshold=call.threshold,
            warnings=[*found.warnings, *more],
            probe_faces=found.probe_faces,
            reference_faces=found.reference_faces,
            backend=self.name,
            model=found.model,
            environment=models.Environment.LOCAL,
            billing=Billing(Charged.NO, "runs on this machine"),
            raw=found.raw,
        )


# A vendor that is somewhere else.


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class RemoteBackend(Backend):
    """What all backends have in common that send to an address.

    Args:
        base_url: Where the vendor is; a backend sets its own default. Empty for `vendor_url`.
        allow_base_url: Whether another host than `allowed_hosts` and this machine may receive key
            and faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
    """

    base_url: str = ""
    allow_base_url: bool = False
    allow_insecure: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.base_url or self.vendor_url():
            self.address  # noqa: B018 - refused now, and not by the first call

    def vendor_url(self) -> str:
        """Where the vendor is if `base_url` is not set: for one that depends on other settings."""
        return ""

    @functools.cached_property
    def address(self) -> str:
        """The address to ask, checked, without a slash at its end.

        Raises:
            ConfigurationError: there is none, or it may not be sent to.
        """
        return check_base_url(
            self.base_url or self.vendor_url(),
            allowed_hosts=self.allowed_hosts,
            allow_base_url=self.allow_base_url,
            allow_insecure=self.allow_insecure,
        )


# A vendor whose own library does the sending, and every call that cannot end itself.


class OutOfTime(Exception):
    """The time of `run_within` is over; what was asked goes on by itself and is not heard."""

    def __init__(self, running: Future[Any]) -> None:
        super().__init__()
        self.running = running  # done when that has ended


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError:
        raise errors.VendorUnavailable(
            "No thread could be started for the call. Nothing was sent.",
            billing=Billing(Charged.NO, "no thread could be started"),
        ) from None


def run_within(
    seconds: float | None,
    ask: Callable[[Callable[[], None]], T],
    on_sent: Callable[[], None],
    *,
    send_within_s: float | None = None,
) -> T:
    """The value of `ask`, or `OutOfTime`: then what was not sent yet is never sent.

    `ask` runs on a thread of its own if there is a limit. It calls what it is handed as `on_sent`;
    if the first byte was let go at the very end, `on_sent` is called in this thread, perhaps again.
    """
    if seconds is None and send_within_s is None:
        return ask(on_sent)
    gate = Cancellation()
    running: Future[T] = Future()

    def sent() -> None:
        if not gate.sent:
            gate.commit()
        on_sent()

    def work(running: Future[T]) -> None:
        try:
            running.set_result(ask(sent))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            running.set_exception(error)
        finally:
            del running  # a frame that holds its own error lives until the garbage collector

    run = contextvars.copy_context().run
    # A daemon: a vendor that never answers must not keep the program from ending.
    _start(threading.Thread(target=run, args=(work, running), daemon=True, name="facematch-call"))
    try:
        over = not wait([running], seconds if send_within_s is None else send_within_s).done
        if over and send_within_s is not None and not gate.cancel():
            over = not wait([running], seconds and seconds - send_within_s).done
        if over:
            raise OutOfTime(running)
    finally:
        if not gate.cancel() and not running.done():
            on_sent()
        if not running.done() and (cancellation := CANCELLATION.get()) is not None:
            cancellation.left_behind.append(running)
    try:
        return running.result()
    finally:
        del running  # likewise


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class SdkBackend(RemoteBackend):
    """A vendor whose own library (an SDK) does the sending, through `guarded_call`.

    What remains to be written is `ask` and `parse`, and `translate` for the library's exceptions.

    Attributes:
        mute: Loggers of the library that are silent during a call, with all below them.
    """

    reports_sent: ClassVar[bool] = True
    keeps_deadline: ClassVar[bool] = True
    mute: ClassVar[Sequence[str]] = ()

    @abc.abstractmethod
    def ask(self, call: Any) -> Any:
        """The library's answer to `call`: everything that one call asks, without retries."""

    @abc.abstractmethod
    def parse(self, call: Any, answer: Any) -> MatchResult | LivenessResult:
        """The result in the library's answer; any exception means that it cannot be read."""

    def translate(
        self, error: Exception
    ) -> errors.VendorError | MatchResult | LivenessResult | None:
        """What an exception of the library means; None for one that no document names.

        An error, or the result where the library raises an answer ("no face").
        """
        return None

    def match(self, call: MatchCall) -> MatchResult:
        return typing.cast(MatchResult, self._guarded(call))

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        if models.Operation.LIVENESS not in self.capabilities.operations:
            return super().check_liveness(call)
        return typing.cast(LivenessResult, self._guarded(call))

    def _guarded(self, call: Call) -> MatchResult | LivenessResult:
        settings = [getattr(self, field.name) for field in attrs.fields(type(self))]
        return guarded_call(
            call,
            lambda: self.ask(call),
            lambda answer: self.parse(call, answer),
            backend=self.name,
            billed=call.operation in self.capabilities.billed_operations,
            mute=self.mute,
            translate=self.translate,
            secrets=[one for one in settings if isinstance(one, Secret)],
        )


def guarded_call(
    call: Call,
    ask: Callable[[], T],
    read: Callable[[T], R],
    *,
    backend: str,
    billed: bool = True,
    mute: Iterable[str] = (),
    translate: Callable[[Exception], errors.VendorError | R | None] | None = None,
    secrets: Iterable[Secret] = (),
) -> R:
    """Let a vendor's own library (an SDK) ask, and keep what the library cannot promise.

    - `call.on_sent` is called before it begins: from then on the request may have left.
    - The call ends when `call.deadline_s` is over, whatever the library's own time-outs are.
    - Nothing of it is logged: such libraries write requests and keys into their debug logs.
    - What it raises becomes one of our errors, without the library's own exception behind it, which
      may hold pictures and keys. Unless `translate` knows better the outcome is unknown, because
      the request may have left.

    Turn the library's own retries off: they would pay twice. Everything that one call asks belongs
    into one `ask`.

    Args:
        call: What the backend was handed.
        ask: Asks the library, and returns its answer.
        read: Makes the result of that answer.
        backend: Name of the backend.
        billed: Whether an answer costs money.
        mute: Loggers that are silent meanwhile, with all below them: ``"botocore"``. Other threads
            are still heard.
        translate: The error for an exception of the library, or the result where the exception is
            an answer ("no face"); None for one that it does not know.
        secrets: Masked wherever a result or an error repeats them.

    Raises:
        DeadlineExceeded: the deadline is over; the library goes on by itself, and is not heard.
        OutcomeUnknown: an exception that `translate` does not know.
        UnexpectedResponse: `read` raised something else than a `VendorError`: the answer cannot be
            read, and counts as charged.
        VendorError: what `translate` made of it.
    """
    outcome = _outcome_of(
        call, ask, read, silent=tuple(mute), translate=translate, backend=backend, billed=billed
    )
    hidden = tuple(secrets)
    if isinstance(outcome, models.Result):
        return typing.cast(R, mask_result(outcome, hidden))
    if not isinstance(outcome, errors.VendorError):
        return outcome
    mask_error(outcome, hidden)
    outcome.backend = outcome.backend or backend
    outcome.ids = attrs.evolve(outcome.ids, call=outcome.ids.call or call.call_id)
    # The frame of a function that raises stays alive with the error.
    del call, ask, read
    try:
        raise outcome from None
    finally:
        outcome.__context__ = None
        del outcome


def _outcome_of(
    call: Call,
    ask: Callable[[], T],
    read: Callable[[T], R],
    *,
    silent: tuple[str, ...],
    translate: Callable[[Exception], errors.VendorError | R | None] | None,
    backend: str,
    billed: bool,
) -> R | errors.VendorError:
    """The result of the library's answer, or our error for what became of it."""

    def quietly(_: Callable[[], None]) -> T:
        with muted(*silent):
            return ask()

    call.on_sent()
    try:
        value = run_within(call.deadline_s, quietly, _nothing)
    except OutOfTime:
        return errors.DeadlineExceeded(
            f"The request was handed to {backend}, and the deadline ran out before an answer came. "
            "It may have been executed and charged.",
            billing=Billing(Charged.UNKNOWN, "no answer within the deadline"),
        )
    except errors.VendorError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - whatever a library raises
        known = _translated(error, translate, backend)
        for link in (error, error.__cause__, error.__context__):
            if link is not None:
                traceback.clear_frames(link.__traceback__)
        return known
    try:
        return read(value)
    except errors.VendorError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that
        tell_fault(error)
        problem = f"{type(error).__name__} {where_raised(error.__traceback__)}"
        billing = Billing(Charged.YES, "an answer is taken as charged")
        if not billed:
            billing = Billing(Charged.NO, "nothing is charged for it")
        return unreadable(f"{backend} answered", problem, billing)


def unreadable(
    answered: str, problem: str, billing: Billing, **about: Any
) -> errors.UnexpectedResponse:
    """The error for a success that a plug-in cannot read; `answered` says who spoke, and how."""
    counts = "It is not charged" if billing.charged is Charged.NO else "It counts as charged"
    return errors.UnexpectedResponse(
        f"{answered} in a form that cannot be read ({problem}). {counts}; please report it.",
        billing=billing,
        **about,
    )


def mask_error(error: errors.VendorError, secrets: tuple[Secret, ...]) -> None:
    """Take secrets, and pieces of the picture that is wrong, out of a vendor's own words."""
    masked = masker(secrets)
    error.message = without_pieces(masked(error.message))
    error.args = (error.message,)
    if error.ids.vendor is not None:
        error.ids = attrs.evolve(error.ids, vendor=without_pieces(masked(error.ids.vendor)))
    if isinstance(error, errors.RequestRejected):
        fields: dict[str, tuple[str, ...]] = {}
        for name, texts in error.field_errors.items():
            # Names that are alike by now share an entry.
            place = quotable(name, masked)
            fields[place] = (*fields.get(place, ()), *(quotable(text, masked) for text in texts))
        error.field_errors = fields


def mask_result(
    result: K,
    secrets: tuple[Secret, ...],
    source: models.Environment | None = None,
    *,
    billing: Billing | None = None,
    vendor_id: str | None = None,
) -> K:
    """`result` without secrets and pieces of pictures in the texts that come from the vendor.

    Where the answer says that it came from, what it cost and its id are filled in, if given.
    """
    masked = masker(secrets)

    def text(said: str) -> str:
        return without_pieces(masked(said))

    def quoted(thing: Any, *names: str) -> dict[str, Any]:
        values = {name: getattr(thing, name) for name in names}
        return {name: _plain(said, text) for name, said in values.items() if said}

    def quoted_face(face: models.Face) -> models.Face:
        said = quoted(face, "landmarks", "pose", "quality")
        if face.demographics is not None:
            guesses = quoted(face.demographics, "gender", "race")
            said["demographics"] = attrs.evolve(face.demographics, **guesses)
        return attrs.evolve(face, **said) if said else face

    known = quoted(result, "model", "vendor_status", "raw")
    for name in ("probe_faces", "reference_faces"):
        if faces := getattr(result, name, None):
            known[name] = [quoted_face(face) for face in faces]
    if vendor_id and not result.ids.vendor:
        result = attrs.evolve(result, ids=attrs.evolve(result.ids, vendor=vendor_id))
    return attrs.evolve(
        result,
        ids=attrs.evolve(result.ids, **quoted(result.ids, "vendor", "session")),
        warnings=[attrs.evolve(one, **quoted(one, "tag", "text")) for one in result.warnings],
        environment=source or result.environment,
        billing=billing or result.billing,
        **known,
    )


def _translated(
    error: Exception,
    translate: Callable[[Exception], errors.VendorError | R | None] | None,
    backend: str,
) -> errors.VendorError | R:
    problem = f"{type(error).__name__} {where_raised(error.__traceback__)}"
    try:
        known = None if translate is None else translate(error)
    except Exception as fault:  # noqa: BLE001 - a plug-in's mapping, whose fault is named
        tell_fault(fault)
        known = None
        problem += (
            f"; its own mapping failed with {type(fault).__name__} "
            f"{where_raised(fault.__traceback__)}"
        )
    if isinstance(known, errors.VendorError):
        known.__cause__ = None
        return known.with_traceback(None)
    if known is not None:
        return known
    return errors.OutcomeUnknown(
        f"The library of {backend} failed ({problem}) after the request was handed to it. It may "
        "have been executed and charged.",
        billing=Billing(Charged.UNKNOWN, "the library does not say whether the request had left"),
    )


def where_raised(traceback: TracebackType | None) -> str:
    """File and line of the innermost frame: of the plug-in's code, never of the data."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "at an unknown place"
    file = os.path.basename(traceback.tb_frame.f_code.co_filename)  # noqa: PTH119 - no pathlib at every start
    return f"in {file}, line {traceback.tb_lineno}"


#: The loggers that are silent in this thread, by the beginnings of their names.
_SILENT: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar(
    "facematch_silent", default=()
)


def _is_heard(record: logging.LogRecord) -> bool:
    return not record.name.startswith(_SILENT.get())  # no text begins with one of none


@contextlib.contextmanager
def muted(*prefixes: str) -> Iterator[None]:
    """Let a library work without a word in this thread: other threads are still heard.

    For what a library does outside `guarded_call`: to look for credentials, say.

    Args:
        *prefixes: Loggers that are silent meanwhile, with all below them: ``"botocore"``.
    """
    # A filter counts for its own logger alone, so each one below needs it. It stays there: other
    # threads may be asking, and what it costs is one look at a variable.
    manager = logging.getLogger().manager
    for name in (*prefixes, *[n for n in list(manager.loggerDict) if n.startswith(prefixes)]):
        logger = logging.getLogger(name)
        if prefixes and _is_heard not in logger.filters:
            logger.addFilter(_is_heard)
    token = _SILENT.set(prefixes)
    try:
        yield
    finally:
        _SILENT.reset(token)


#: What is in place of an address that leads to a picture.
_MASKED = "(address removed)"

#: Deeper than this no vendor's body is; what lies below is left out.
MAX_DEPTH = 64


def without_private(
    body: Any,
    *,
    demographic_keys: Collection[str] = frozenset({"age", "gender", "race"}),
    media_keys: Collection[str] = (),
) -> Any:
    """A copy of a decoded body as plain JSON, without demographics, media addresses masked.

    What is no JSON (bytes, NaN, an object of a vendor's library) is replaced by a text that names
    its type, except that times and decimals are written out.

    Args:
        body: Any decoded value; it is not changed.
        demographic_keys: Keys to leave out, at any depth.
        media_keys: Keys whose values are replaced, at any depth.
    """
    return _plain(body, str, demographic_keys, media_keys)


def _plain(
    value: Any,
    text: Callable[[str], str],
    left_out: Collection[str] = (),
    masked: Collection[str] = (),
    depth: int = 0,
) -> Any:
    """A copy of `value` as plain JSON, each text as `text` gives it."""
    plain: Any
    if isinstance(value, str):
        plain = text(value)
    elif isinstance(value, (int, type(None))) or (
        isinstance(value, float) and math.isfinite(value)
    ):
        plain = value
    elif isinstance(value, (dict, list, tuple, Mapping)) and depth == MAX_DEPTH:
        plain = "(left out: too deep)"
    elif isinstance(value, (list, tuple)):
        plain = [_plain(item, text, left_out, masked, depth + 1) for item in value]
    elif isinstance(value, (dict, Mapping)):
        plain = {
            text(str(key)): _MASKED
            if key in masked and item is not None
            else _plain(item, text, left_out, masked, depth + 1)
            for key, item in value.items()
            if key not in left_out
        }
    elif isinstance(value, (dt.date, dt.time)):
        plain = value.isoformat()
    elif isinstance(value, decimal.Decimal):
        plain = str(value)
    else:
        plain = f"(left out: {type(value).__name__})"
    return plain
