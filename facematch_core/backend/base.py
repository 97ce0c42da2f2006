"""`Backend`, the base class of all backends, and `Capabilities`, which it declares."""

from __future__ import annotations

import abc
import datetime as dt
import enum
import functools
import logging
import math
import os
import re
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, ParamSpec, TypeVar

import attrs

from facematch_core import errors, models
from facematch_core.base.addresses import check_base_url, without_api_path
from facematch_core.base.deadline import NO_DEADLINE, Deadline, RateWindow
from facematch_core.base.frames import clears_frames
from facematch_core.base.masking import QUOTES, Secret
from facematch_core.images.image import Image, ImageLimits
from facematch_core.models import LivenessResult, MatchResult

from .kinds import AcceptedTypes, accepted_types, describe_type, describe_value, type_hints
from .requests import (
    DeleteKeptRequest,
    DeleteRequest,
    LivenessRequest,
    MatchRequest,
    PictureRequest,
    ReadRequest,
    Request,
    StartRequest,
)
from .session_types import Deletion, SessionCapabilities, SessionHint, SessionReading
from .shapes import texts_in_code

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("facematch")

#: Hooks for tests, called with each exception from a plug-in's own code. The error that callers
#: receive omits the exception's text, because it may contain a key.
fault_listeners: list[Callable[[BaseException], None]] = []


def is_reconcilable(backend: Backend, request: Request | models.CallRecord) -> bool:
    """Return whether `reconcile` can find a call; False for sessions, which are read instead."""
    if not isinstance(request, PictureRequest | models.CallRecord):
        return False
    if request.operation is models.Operation.SESSION:
        return False
    if type(backend).reconcile is Backend.reconcile:
        return False  # the default finds nothing
    can_be_found = guard(backend.reconcilable, request)
    if isinstance(can_be_found, HookFailed):
        return False
    return bool(can_be_found)


@attrs.frozen
class HookFailed:
    """The failure of a plug-in's method.

    Attributes:
        fault: Class, file and line of the exception, without its message.
    """

    fault: str


def guard(hook: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | HookFailed:
    """Call a plug-in's method; return `HookFailed` if it raises, because a reply must not be lost.

    The exception is passed to `fault_listeners`, and its message is dropped: it may contain a key.
    """
    try:
        return hook(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
        return HookFailed(report_fault(error))


def report_fault(error: BaseException) -> str:
    """Pass a plug-in's exception to `fault_listeners`; return a description without secrets.

    The log gets the plug-in's own lines at DEBUG.
    """
    for listen in tuple(fault_listeners):
        listen(error)
    if _log.isEnabledFor(logging.DEBUG):
        # As text: a record with the exception would show its frames, and these hold the response.
        _log.debug("facematch: a plug-in failed: %s", _trace_fault(error))
    return describe_fault(error)


def _trace_fault(error: BaseException) -> str:
    """Return an exception's class and the lines of the plug-in that raised it.

    Its message may quote the response, so only the key of a `KeyError` is shown, if the plug-in's
    file contains that key.
    """
    lines = []
    module = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_globals.get("__name__", "")
        # The first file outside the core is the plug-in's.
        if name == module or (not module and not name.startswith("facematch_core.")):
            module = name
            lines.append(f"{name}:{line} in {frame.f_code.co_name}")
    shown = type(error).__name__
    if isinstance(error, KeyError) and str(error) in map(repr, texts_in_code(module)):
        shown += f"({error})"
    return f"{shown}, {', '.join(lines) or 'outside its own file'}"


def describe_fault(error: BaseException) -> str:
    """Return the class, file and line of a plug-in's exception, without its message."""
    location = "at an unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = os.path.basename(frame.f_code.co_filename)  # noqa: PTH119 - no pathlib at every start
        location = f"in {file}, line {line}"
    return f"{type(error).__name__} {location}"


#: Version of the plug-in interface in this release.
API_VERSION = 1

#: The key under which a backend stores our call id in the vendor's records, next to the caller's
#: `metadata`, so that `reconcile` can find the call. Reserved: callers may not use it.
CALL_ID_KEY = "facematch_attempt_id"


@attrs.frozen(kw_only=True)
class Capabilities:
    """The features of a backend. Requests for other features raise before anything is sent.

    Attributes:
        operations: The supported operations: `MATCH`, `LIVENESS`.
        retention: The supported retentions; only MINIMAL if the vendor does not document retention.
        sends_caller_ref, sends_metadata: Whether the vendor receives it. Results always have both.
        options: The attrs class of the backend's own options, or None.
        threshold_rule: How scores are compared with the threshold.
        default_threshold, default_liveness_threshold: The documented default, 0-100. If None, the
            vendor's verdict decides a call without a threshold.
        score_scale, liveness_scale: Names of the score scales; None if there are no scores.
        image_limits: The vendor's limits for pictures.
        reference_limits: The limits for references, or None for the same limits.
        billed_operations: The operations that cost money.
        rate_windows: The rate limits that the vendor publishes; empty if none. If they depend on
            the plan, the backend may declare them per instance.
        reports_faces: Whether results contain the positions of faces.
        takes_s3: Whether the pictures of a `MatchRequest` may be an `S3Picture` instead of an
            `Image`: bucket, key and version of a picture that the vendor reads itself. Mask them,
            and report an object that cannot be read as an error, never as "no face".
        private_keys: Keys in the response body whose values are never shown, such as picture URLs
            or details of other people. ``age``, ``gender`` and ``race`` are never shown either.
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
    takes_s3: bool = False
    private_keys: frozenset[str] = frozenset()


class Backend(abc.ABC):
    """The base class of all backends, for vendors and for engines on this machine.

    Settings are the constructor's arguments. If they are ``kw_only`` attrs fields, they can also
    come from a configuration file, and are checked against their annotations: ``region: str`` is
    enough. Strings are converted to a `Secret`, a path or an enum if the annotation requires it. A
    secret must not be empty, and a number whose name ends in ``_s`` must be above 0. A class with
    its own ``__attrs_post_init__`` must call the inherited one first. A setting must not have the
    name of an argument of `FaceVerifier`.

    Attributes:
        api_version: The version of this interface for which the backend was written.
        name: Name in results and errors; also the name of the entry point.
        capabilities: The features of the backend.
        session_capabilities: The features of its hosted sessions; None if it has none. Sessions use
            the following settings if declared, each a tuple of exact host names: `return_hosts`, to
            which the person may be redirected; `handoff_hosts`, allowed in links in addition to the
            vendor's hosts; `media_hosts`, from which portraits may be fetched.
        environment_variables: Names of environment variables by setting, mainly for keys.
        allowed_hosts: Hosts allowed in `base_url` without ``allow_base_url``, in lower case; ``*``
            matches exactly one label: ``vision.*.acme.example``. Empty if the backend sends
            nothing, or only to the caller's server (with ``allow_base_url``).
        reports_sent: Whether the backend calls `Request.on_sent` before the first byte is sent. If
            not, a billed call is treated as sent once it begins.
        keeps_deadline: Whether each call returns by `Request.deadline` and leaves nothing
            running. If not, the call runs in its own thread, which is abandoned at the deadline. At
            most 8 such calls run at once; further calls wait, at most until their own deadline.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    session_capabilities: ClassVar[SessionCapabilities | None] = None
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()
    reports_sent: ClassVar[bool] = False
    keeps_deadline: ClassVar[bool] = False

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        # The frame of a constructor that refuses a setting holds the key as it was passed.
        if "__init__" in vars(cls):
            cls.__init__ = clears_frames(cls.__init__)  # type: ignore[method-assign]

    def __attrs_post_init__(self) -> None:
        _check_settings(self)

    @property
    def environment(self) -> models.Environment | None:
        """The configured environment, or None.

        If it is MOCK, no real vendor may be called.
        """
        return None

    @property
    def environments(self) -> frozenset[models.Environment]:
        """The environments that results can come from; empty if not known before a call."""
        return frozenset() if self.environment is None else frozenset({self.environment})

    @property
    def session_environments(self) -> frozenset[models.Environment]:
        """The environments that sessions can come from."""
        return self.environments

    @abc.abstractmethod
    def match(self, request: MatchRequest) -> MatchResult:
        """Compare two faces.

        Raises:
            VendorError: no result; `billing` says whether it was charged.
        """

    def check_liveness(self, request: LivenessRequest) -> LivenessResult:
        """Check one picture for a live face.

        Raises:
            Unsupported: by default.
            VendorError: no result; `billing` says whether it was charged.
        """
        raise errors.Unsupported.of_operation(self.name, models.Operation.LIVENESS)

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The settings that affect a session's verdict (for example `workflow`), normalised.

        `plan` stores them in the record; `start` raises if they differ.
        """
        return {}

    @property
    def session_page(self) -> Mapping[str, str]:
        """The `SessionAccess.page` of each session, beside a token that a store has kept."""
        return {}

    def start_session(self, request: StartRequest) -> SessionReading:
        """Start a session. The core checks the arguments before and the link after this call.

        Raises:
            VendorError: no session was started, or the outcome is unknown; see `billing`.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def read_session(self, request: ReadRequest) -> SessionReading:
        """Read a session from the vendor. The core compares it with the record and judges it.

        Raises:
            SessionNotFound: the vendor never had the session, or no longer has it.
            VendorError: the session could not be read.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def delete_session(self, request: DeleteRequest) -> Deletion:
        """Delete a session; errors: see `read_session`."""
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def delete_kept(self, request: DeleteKeptRequest) -> Deletion:
        """Delete what the vendor stored of a call with `Retention.KEEP`.

        Raises:
            Unsupported: by default.
            VendorError: it could not be deleted.
        """
        raise errors.Unsupported(
            f"The backend {self.name} cannot delete a stored call.",
            backend=self.name,
            what="delete",
        )

    def receive_session(
        self, body: bytes, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Verify a webhook's signature and age; return the sessions to read, without a verdict.

        Nothing is sent. Names of `headers` are in lower case. `now` is the current time in UTC, to
        compute the age of the delivery.

        Raises:
            WebhookRefused: the delivery is not signed by the vendor, too old, or unreadable.
            Unsupported: by default.
        """
        raise errors.Unsupported(
            f"The backend {self.name} does not receive webhooks.", backend=self.name, what="receive"
        )

    def fetch_portrait(self, portrait_url: Secret, request: ReadRequest) -> Image:
        """Fetch the picture at the URL in `SessionCheck.portrait`, without sending any key.

        Raises:
            VendorError: the URL could not be fetched, or does not contain a picture.
        """
        raise errors.Unsupported.of_operation(self.name, request.operation)

    def reconcile(
        self, call: models.CallRecord, *, deadline: Deadline = NO_DEADLINE
    ) -> models.Reconciliation:
        """Look for a call in the vendor's records. Free of charge.

        The default returns `CANNOT_KNOW` without a request. To override it, either look up
        `CallRecord.vendor_id`, or store `Request.call_id` under `CALL_ID_KEY` in the vendor's
        record of each call with KEEP, and compare it.

        Args:
            call: A `reconcilable` call.
            deadline: The deadline for the entire search.

        Raises:
            VendorError: the records could not be read; `billing` is NO.
        """
        return models.Reconciliation(
            outcome=models.Reconciled.CANNOT_KNOW,
            call=call,
            reason=f"The backend {self.name} cannot search its vendor's records.",
        )

    def reconcilable(self, request: PictureRequest | models.CallRecord) -> bool:
        """Return whether a call can be looked up later; by default, if its retention is KEEP.

        An asynchronous vendor may find a job by `vendor_id`, whatever the retention.
        """
        return request.retention is models.Retention.KEEP

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Release the backend's resources. May be called more than once."""

    def diagnose(self) -> Mapping[str, Any]:
        """Return details for `facematch doctor`, such as versions and files, without secrets."""
        return {}


#: Characters allowed in a key that is sent in an HTTP header.
_SENDABLE = re.compile(r"[!-~\xa1-\xff]+")


def _check_settings(backend: Backend) -> None:
    """Check every setting against its annotation; errors never include the value."""
    cls = type(backend)
    try:
        hints = type_hints(cls)
    except NameError:
        return  # a class defined in a function: its annotations cannot be resolved
    for field in attrs.fields(cls):  # type: ignore[arg-type]  # only attrs calls it
        annotation = hints.get(field.name)
        if annotation is None or not field.init:
            continue
        value = getattr(backend, field.name)
        checked = _check_setting(backend, field.alias or field.name, value, annotation)
        if checked is not value:
            object.__setattr__(backend, field.name, checked)  # the class may be frozen


def _check_setting(backend: Backend, name: str, value: object, annotation: object) -> Any:
    """Return a setting's value, converted to what its annotation accepts; raise if it is not."""
    accepted = accepted_types(annotation)
    if accepted is None:
        return value  # a type that cannot be checked
    if value is None and type(None) in typing.get_args(annotation):
        return None
    setting = _convert_setting(value, accepted)
    if setting is attrs.NOTHING:
        raise errors.ConfigurationError(
            f"{name} must be {describe_type(annotation)}, not {describe_value(value)}."
        )
    if isinstance(setting, Secret):
        return _clean_key(backend, name, setting)
    if isinstance(setting, (int, float)):
        _check_number(name, setting)
    return setting


def _check_number(name: str, number: float) -> None:
    """Raise if a number is not finite, or if it is a time in seconds and not above 0."""
    is_time = name.endswith("_s")
    if is_time and not 0 < number < math.inf:
        raise errors.ConfigurationError(f"{name} must be a number of seconds above 0.")
    if not math.isfinite(number):
        raise errors.ConfigurationError(f"{name} must be a finite number.")


def _clean_key(backend: Backend, name: str, secret: Secret) -> Secret:
    """Return a key without white space around it; raise if more than the key was pasted."""
    # No variable holds the text of the key, because an error keeps this frame alive.
    if not secret.reveal().strip():
        variable = backend.environment_variables.get(name)
        if variable is None:
            raise errors.ConfigurationError(f"{name} is empty: leave it out.")
        raise errors.ConfigurationError(
            f"{name} is empty: set the environment variable {variable}."
        )
    if not isinstance(backend, RemoteBackend):
        return secret
    mistake = _find_paste_mistake(secret.reveal().strip())
    if mistake:
        example = f'{name}="KEY"'
        if secret.origin.startswith("$"):
            example = f"{secret.origin.removeprefix('$')}=KEY"
        raise errors.ConfigurationError(
            f"{name} (from {secret.origin}) {mistake}: write only the key, as in {example}."
        )
    if secret.reveal() == secret.reveal().strip():
        return secret
    return Secret(secret.reveal().strip(), origin=secret.origin)


def _find_paste_mistake(key: str) -> str:
    """Return what is wrong with a pasted key, as the end of a sentence, or ""."""
    if key.startswith(QUOTES):
        return "is in quotes"
    if key.lower().startswith("bearer "):
        return "begins with Bearer"
    if not _SENDABLE.fullmatch(key):
        return "contains a space, a line break or a character that a header cannot contain"
    return ""


def _convert_setting(value: object, accepted: AcceptedTypes) -> Any:
    """Return a value as one of the accepted types; `attrs.NOTHING` if that is ambiguous."""
    classes = accepted.classes
    if str in classes and hasattr(value, "scheme") and hasattr(value, "host"):
        value = str(value)  # a URL object of pydantic, yarl or httpx
    for literal in accepted.literals:
        # Types are compared, because True == 1.
        if type(value) is type(literal) and value == literal:
            return value
    if _is_instance(value, classes):
        return value
    if Secret in classes and (isinstance(value, str) or hasattr(value, "get_secret_value")):
        return Secret(value)
    if isinstance(value, str):
        return _convert_text(value, classes)
    return attrs.NOTHING


def _convert_text(text: str, classes: tuple[type, ...]) -> Any:
    """Return a text as a path or as a member of an enum; `attrs.NOTHING` if it is neither."""
    for cls in classes:
        if issubclass(cls, os.PathLike):
            return cls(text)  # type: ignore[call-arg]  # a Path
        if issubclass(cls, enum.Enum):
            for member in cls:
                if member.value == text:
                    return member
    return attrs.NOTHING


def _is_instance(value: object, classes: tuple[type, ...]) -> bool:
    """Return whether a value is of one of the classes: an int is also a float, a bool no number."""
    if isinstance(value, bool):
        return bool in classes
    if isinstance(value, int) and float in classes:
        return True
    return isinstance(value, classes)


#: Ready-made warnings. Use `attrs.evolve` to add the vendor's tag or text.
NO_FACE = models.ResultWarning(
    code=models.WarningCode.NO_FACE,
    severity=models.Severity.ERROR,
    text="no face was found in one of the pictures",
)
MULTIPLE_FACES = models.ResultWarning(
    code=models.WarningCode.MULTIPLE_FACES, text="a picture shows more than one face"
)
SMALLER_FACE_MATCHED = models.ResultWarning(
    code=models.WarningCode.SMALLER_FACE_MATCHED,
    text="a face matches; the one that decides, the largest if boxes tell it, does not",
)
SCORE_UNAVAILABLE = models.ResultWarning(
    code=models.WarningCode.SCORE_UNAVAILABLE, text="the response has no score"
)


def decide_by_threshold(
    score: models.Score | None, threshold: models.Threshold | None
) -> models.Decision:
    """Return the decision by score, for vendors and engines that return no verdict.

    Not for a backend with `ThresholdRule.VENDOR`, which returns its vendor's verdict alone: the
    core makes a match below the caller's threshold a REVIEW, with `THRESHOLD_CONFLICT`.

    Returns:
        INCONCLUSIVE without a score; REVIEW without a threshold; else MATCH or NO_MATCH.

    Raises:
        ValueError: the threshold has a value, and its rule is `ThresholdRule.VENDOR`.
    """
    if threshold is None or threshold.value is None:
        return models.Decision.INCONCLUSIVE if score is None else models.Decision.REVIEW
    if threshold.rule is models.ThresholdRule.VENDOR:
        raise ValueError(
            "decide_by_threshold cannot apply ThresholdRule.VENDOR: return the vendor's verdict "
            "alone; the core makes a match below the caller's threshold a REVIEW."
        )
    if score is None:
        return models.Decision.INCONCLUSIVE
    return models.Decision.MATCH if threshold.passes(score.value) else models.Decision.NO_MATCH


def find_largest(faces: Sequence[models.Face]) -> Sequence[models.Face]:
    """Return the faces of a picture that may be the largest: all of them if one has no box."""
    if any(face.box is None for face in faces):
        return faces
    size = max(face.area for face in faces)
    return [face for face in faces if face.area == size]


#: Stands for the face of a picture of which the vendor compares one face, and does not list it.
_UNLISTED_FACE = models.Face()


@attrs.frozen(kw_only=True, eq=False)
class FacePair:
    """A face of the probe and a face of the reference.

    Attributes:
        probe, reference: The faces. Omit one if the vendor does not list the faces of its picture.
        similarity: The vendor's similarity of the two; None if they were not compared.
    """

    probe: models.Face = _UNLISTED_FACE
    reference: models.Face = _UNLISTED_FACE
    similarity: models.Score | None


@attrs.frozen(kw_only=True)
class LargestPairDecision:
    """The decision about pictures whose faces were each compared with those of the other picture.

    Attributes:
        decision: The largest faces'; REVIEW if it would be NO_MATCH and a smaller face matches.
        pair: The pair that decides: the largest face of each picture.
        warnings: `SMALLER_FACE_MATCHED` if a smaller face matches and the largest do not.
    """

    decision: models.Decision
    pair: FacePair
    warnings: tuple[models.ResultWarning, ...]


def decide_by_largest_pair(
    pairs: Sequence[FacePair], threshold: models.Threshold | None
) -> LargestPairDecision:
    """Decide by the largest face of each picture, for vendors that score every two faces.

    A person who holds somebody else's document before the camera shows two faces, and the smaller
    one matches: this turns NO_MATCH into REVIEW, and INCONCLUSIVE stays. Of pairs of equal size,
    the least similar one decides. If one of several faces of a picture has no box, any of them may
    be the largest, so the least similar one decides there, too.

    Args:
        pairs: At least one pair. The one of the largest faces must be among them.
        threshold: The threshold of the call.

    Raises:
        ValueError: as `decide_by_threshold`.
    """

    def likeness(pair: FacePair) -> float:
        # A pair that was not compared counts as less similar than any, whose score is 0 to 100.
        return -1.0 if pair.similarity is None else pair.similarity.value

    probes = find_largest([pair.probe for pair in pairs])
    references = find_largest([pair.reference for pair in pairs])
    candidates = []
    for pair in pairs:
        if pair.probe in probes and pair.reference in references:
            candidates.append(pair)
    largest = min(candidates or pairs, key=likeness)
    decision = decide_by_threshold(largest.similarity, threshold)
    if decision is models.Decision.MATCH:
        return LargestPairDecision(decision=decision, pair=largest, warnings=())
    for pair in pairs:
        if decide_by_threshold(pair.similarity, threshold) is models.Decision.MATCH:
            if decision is models.Decision.NO_MATCH:
                decision = models.Decision.REVIEW
            return LargestPairDecision(
                decision=decision, pair=largest, warnings=(SMALLER_FACE_MATCHED,)
            )
    return LargestPairDecision(decision=decision, pair=largest, warnings=())


@attrs.frozen(kw_only=True)
class LargestFaceDecision:
    """The decision about a picture whose faces were each compared with the other picture's face.

    Attributes:
        decision: The largest face's; REVIEW if it would be NO_MATCH and a smaller face matches.
        score: The largest face's similarity; None if it was not compared.
        faces: All faces, in the vendor's order; the largest is `compared`.
        warnings: `SMALLER_FACE_MATCHED` if a smaller face matches and the largest does not.
    """

    decision: models.Decision
    score: models.Score | None
    faces: tuple[models.Face, ...]
    warnings: tuple[models.ResultWarning, ...]


def decide_by_largest_face(
    faces: Sequence[models.Face], threshold: models.Threshold | None
) -> LargestFaceDecision:
    """Decide by the largest face, for vendors that return a similarity for each face of a picture.

    The rule is that of `decide_by_largest_pair`, with one face in the other picture.

    Args:
        faces: The faces of the picture, with `box` and `similarity`; None for a similarity means
            that the face was not compared. Without faces, the decision is INCONCLUSIVE.
        threshold: The threshold of the call.
    """
    pairs = []
    for face in faces or [_UNLISTED_FACE]:
        pairs.append(FacePair(probe=face, similarity=face.similarity))
    by_pair = decide_by_largest_pair(pairs, threshold)
    return LargestFaceDecision(
        decision=by_pair.decision,
        score=by_pair.pair.similarity,
        faces=tuple(attrs.evolve(face, compared=face is by_pair.pair.probe) for face in faces),
        warnings=by_pair.warnings,
    )


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class RemoteBackend(Backend):
    """A backend that sends requests to a URL.

    Args:
        base_url: The URL from the settings, as written there. Each backend has a default: the
            vendor's URL, or empty if that depends on other settings; then `vendor_url` is used.
        allow_base_url: Whether a host outside `allowed_hosts` may receive the key and faces.
        allow_insecure: Whether the key and faces may be sent to another machine without TLS.

    Attributes:
        api_path: Regular expression for the paths of the vendor's API, as portals and documents
            show them after the host: ``/v3(/.*)?``. `service_url` omits such a path, and a vendor's
            host with another path raises. On a host that is neither the vendor's nor this machine
            (if there are `allowed_hosts`), every path is kept. None: every path is kept anywhere.
    """

    api_path: ClassVar[str | None] = None

    base_url: str = ""
    allow_base_url: bool = False
    allow_insecure: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if isinstance(self.base_url, str):
            # A pasted value may end with a space or a line break.
            object.__setattr__(self, "base_url", self.base_url.strip())
        if self.configured_url:
            self.service_url  # noqa: B018 - raise now, not in the first call

    def vendor_url(self) -> str:
        """Return the URL to use if `base_url` is empty: a vendor's, that depends on its region."""
        return ""

    @property
    def configured_url(self) -> str:
        """The URL that `service_url` checks: `base_url`, or else `vendor_url`. May be empty."""
        return self.base_url or self.vendor_url()

    @functools.cached_property
    def service_url(self) -> str:
        """The base URL of every request: checked, and without a trailing slash.

        Raises:
            ConfigurationError: there is no URL, or its host is not allowed.
        """
        url = check_base_url(
            self.configured_url,
            allowed_hosts=self.allowed_hosts,
            allow_base_url=self.allow_base_url,
            allow_insecure=self.allow_insecure,
        )
        if self.api_path is None:
            return url
        return without_api_path(url, self.api_path, allowed_hosts=self.allowed_hosts)
