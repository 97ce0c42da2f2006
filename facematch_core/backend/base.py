"""The class that every backend is, what it declares, and how a score becomes a decision."""

from __future__ import annotations

import abc
import datetime as dt
import enum
import functools
import math
import os
import re
import traceback
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from facematch_core import errors, models
from facematch_core.base.addresses import check_base_url
from facematch_core.base.clock import RateWindow
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret
from facematch_core.images.image import Image, ImageLimits
from facematch_core.models import LivenessResult, MatchResult

from .calls import Call, DeleteRequest, LivenessCall, MatchCall, ReadRequest, Request, StartRequest
from .kinds import describe, kind_words, kinds_of, type_hints
from .session_types import Deletion, SessionCapabilities, SessionHint, SessionReading

#: Called with each exception of a plug-in's own code that becomes an error without its text, which
#: may hold a key: for tests, whose keys are invented.
plugin_faults: list[Callable[[BaseException], None]] = []


def can_be_sought(backend: Backend, call: Request | models.CallRecord) -> bool:
    """Whether `reconcile` of a backend can find a call. A session is read, which is more."""
    if (
        not isinstance(call, Call | models.CallRecord)
        or type(backend).reconcile is Backend.reconcile
    ):
        return False
    try:
        return bool(backend.reconcilable(call))
    except Exception as error:  # noqa: BLE001 - a plug-in's bug takes the place of no other error
        report_fault(error)
        return False


def report_fault(error: BaseException) -> str:
    """Report a plug-in's exception to its tests; return a description without secrets."""
    for listen in tuple(plugin_faults):
        listen(error)
    return describe_fault(error)


def describe_fault(error: BaseException) -> str:
    """Class, file and line of what a plug-in's code raised, never its data."""
    place = "at an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = os.path.basename(frame.f_code.co_filename)  # noqa: PTH119 - no pathlib at every start
        place = f"in {file}, line {line}"
    return f"{type(error).__name__} {place}"


#: Version of the plug-in interface that this release speaks.
API_VERSION = 1

#: Under this name a backend puts our id of a kept call into the vendor's records, beside the
#: caller's `metadata`, so that `reconcile` can find it again. Callers may not use it.
CALL_ID_KEY = "facematch_attempt_id"


@attrs.frozen(kw_only=True)
class Capabilities:
    """The abilities of a backend; other requests are refused before anything is sent.

    Attributes:
        operations: `MATCH`, `LIVENESS`.
        retention: What it can ask its vendor to keep; MINIMAL alone if that promises nothing.
        sends_caller_ref, sends_metadata: Whether the vendor receives them; a result keeps both.
        options: The attrs class of its own options; None if it has none.
        threshold_rule: How scores are compared with the threshold.
        default_threshold, default_liveness_threshold: The documented default, 0-100; None if there
            is none (then a call without a threshold leaves the verdict to the vendor).
        score_scale, liveness_scale: The scales of its scores; None if it gives none.
        image_limits: What its vendor takes.
        reference_limits: The same of a reference; None if there is no difference.
        billed_operations: The operations that cost money.
        rate_windows: Rate limits that the vendor publishes; empty if it publishes none. Where that
            depends on the plan, the backend may declare it per object.
        reports_faces: Whether results say where the faces are.
        private_keys: Keys of the vendor's body whose values are never shown, beside ``age``,
            ``gender`` and ``race``: addresses of pictures, details of other people.
    """

    operations: frozenset[models.Operation] = frozenset({models.Operation.MATCH})
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
    private_keys: frozenset[str] = frozenset()

    def default_for(self, operation: models.Operation) -> float | None:
        """The documented default threshold of `operation`, 0-100, or None."""
        if operation is models.Operation.MATCH:
            return self.default_threshold
        return self.default_liveness_threshold

    def limits_for(self, picture: str) -> ImageLimits:
        """Return the vendor's limits for a picture: ``probe`` or ``reference``."""
        return (picture == "reference" and self.reference_limits) or self.image_limits


class Backend(abc.ABC):
    """A vendor, or an engine on this machine.

    Settings are the arguments of the class. Those of an attrs class with ``kw_only`` fields can
    also come from a configuration file, and are checked against their annotations whoever sets
    them: a plain ``region: str`` is enough. A text becomes a `Secret`, a path or the value of an
    enum where one is declared; a secret may not be empty, and a number whose name ends in
    ``_s`` must be above 0. A class with an ``__attrs_post_init__`` of its own calls this one first.
    No setting may bear the name of an argument of `FaceVerifier`.

    Attributes:
        api_version: Version of this interface that the backend was written for.
        name: Its name in results and errors; that of its entry point.
        capabilities: What it can do.
        session_capabilities: What its hosted sessions can do; None if it has none. Of one that has,
            these settings are heeded, if it has them: `return_hosts`, where a person may be sent
            afterwards; `handoff_hosts`, where a link may lead besides the vendor's own hosts;
            `media_hosts`, from where portraits may be fetched: each a tuple of exact names.
        environment_variables: Environment variables by setting, for keys above all.
        allowed_hosts: Hosts that `base_url` may name without ``allow_base_url``, in small letters;
            ``*`` stands for exactly one label: ``vision.*.acme.example``. Empty if the backend
            sends nothing, or to a server of the caller's own: beyond this machine that needs
            ``allow_base_url``.
        reports_sent: Whether it calls `Call.on_sent` before the first byte may leave. A billed
            call of a backend that does not counts as sent as soon as it begins.
        keeps_deadline: Whether each of its calls ends by itself when `Call.deadline` is over, and
            leaves nothing running. A call of a backend that does not is made on a thread of its
            own, and left behind there when its time is over.
        most_at_once: How many calls with a deadline may run at a time if it does not keep
            deadlines, those that were left behind included. A further one waits for its own
            deadline, and is then refused unsent.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    session_capabilities: ClassVar[SessionCapabilities | None] = None
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()
    reports_sent: ClassVar[bool] = False
    keeps_deadline: ClassVar[bool] = False
    most_at_once: ClassVar[int] = 8

    def __attrs_post_init__(self) -> None:
        _check_settings(self)

    @property
    def environment(self) -> models.Environment | None:
        """The configured environment, or None.

        MOCK, if a setting says so: then no real vendor may be called, nor pass for a mock.
        """
        return None

    @property
    def environments(self) -> frozenset[models.Environment]:
        """The environments that answers can come from, if certain before a call."""
        return frozenset() if self.environment is None else frozenset({self.environment})

    @property
    def session_environments(self) -> frozenset[models.Environment]:
        """The environments that answers about sessions can come from."""
        return self.environments

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
        raise errors.Unsupported.of_operation(self.name, models.Operation.LIVENESS)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The settings on which the verdict of a session depends, in one spelling: `workflow`, say.

        They are fixed in a record when it is planned: a start by other ones is refused.
        """
        return {}

    def start_session(self, request: StartRequest) -> SessionReading:
        """Make a session. The core has checked the arguments, and checks the link.

        Raises:
            VendorError: there is none, or nobody knows; `billing` says which.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def read_session(self, request: ReadRequest) -> SessionReading:
        """Read a session from the vendor. The core compares it with the record and judges it.

        Raises:
            SessionNotFound: the vendor has none, or none any more.
            VendorError: nobody can tell.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def delete_session(self, request: DeleteRequest) -> Deletion:
        """Delete a session; errors as `read_session`."""
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Check the signature of a webhook; return the sessions that it is about, and no verdict.

        Nothing is sent. The age of the delivery is counted until `now`, in UTC.

        Raises:
            WebhookRefused: it is not signed by the vendor, too old, or cannot be read.
            Unsupported: by default.
        """
        raise errors.Unsupported(
            f"The backend {self.name} receives no webhooks.", backend=self.name, what="receive"
        )

    def fetch_portrait(self, address: Secret, request: ReadRequest) -> Image:
        """The picture at an address that a `SessionCheck.portrait` gave, without sending any key.

        Raises:
            VendorError: it could not be fetched, or is no picture.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def reconcile(
        self, call: models.CallRecord, *, deadline: Deadline = NO_DEADLINE
    ) -> models.Reconciliation:
        """Look for a kept call of this backend in the vendor's records, without any charge.

        By default nothing is looked at, and the answer is `CANNOT_KNOW`. A backend that overrides
        this puts `Call.call_id` into the vendor's record of each kept call, under `CALL_ID_KEY`,
        and compares it, or asks by `CallRecord.vendor_id`: nothing else proves that a record is
        this call's.

        Args:
            call: One that is `reconcilable`.
            deadline: When the whole search must be over.

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
        """Return facts for `facematch doctor`: versions, files. No secrets."""
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
        annotation = hints.get(field.name)
        kinds = kinds_of(annotation)
        if annotation is None or kinds is None or not field.init:
            continue
        name, value = field.alias or field.name, getattr(backend, field.name)
        if value is None and type(None) in typing.get_args(annotation):
            continue
        read = _convert_setting(value, *kinds)
        if read is attrs.NOTHING:
            raise errors.ConfigurationError(
                f"{name} must be {kind_words(annotation)}, not {describe(value)}."
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


def _convert_setting(value: Any, kinds: tuple[type, ...], words: tuple[Any, ...]) -> Any:
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


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class RemoteBackend(Backend):
    """A backend that sends to an address.

    Args:
        base_url: Where the vendor is; a backend sets its own default. Empty for `vendor_url`.
        allow_base_url: Whether a host outside `allowed_hosts` may receive key and faces.
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
        """Return the vendor's address if `base_url` is not set."""
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
