"""For plug-in authors: what a backend is, and what it declares.

A backend only translates. The rules that are the same for every vendor (thresholds, review,
limits, options, money, events) live once in `FaceVerifier`, which hands over one prepared call as
data. A vendor over HTTP is written with `facematch_core.http.HttpBackend`.
"""

from __future__ import annotations

import abc
import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

import attrs

from ._basics import RateWindow, Secret
from .errors import Unsupported
from .images import Image, ImageFormat, ImageLimits
from .models import (
    CallRecord,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
    Retention,
    Threshold,
    ThresholdRule,
)

__all__ = [
    "API_VERSION",
    "CALL_ID_KEY",
    "Backend",
    "Call",
    "Capabilities",
    "Image",
    "ImageFormat",
    "ImageLimits",
    "LivenessCall",
    "MatchCall",
    "RateWindow",
    "Secret",
    "without_private",
]

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
        call_id: Our id of this call, a UUID.
        on_sent: To be called once, just before the first byte may leave this machine. If it
            raises, nothing may be sent.
    """

    probe: Image
    threshold: Threshold | None = None
    rotate: bool = False
    retention: Retention = Retention.MINIMAL
    caller_ref: str | None = None
    metadata: Mapping[str, Any] | None = None
    options: Any = None
    deadline_s: float | None = None
    call_id: str = attrs.field(factory=new_call_id)
    on_sent: Callable[[], None] = attrs.field(default=_nothing, repr=False, eq=False)

    operation = Operation.MATCH


@attrs.frozen(kw_only=True)
class MatchCall(Call):
    """Compare the probe with the reference.

    Attributes:
        reference: The face to compare with, already prepared for this backend.
    """

    reference: Image

    operation = Operation.MATCH


@attrs.frozen(kw_only=True)
class LivenessCall(Call):
    """Check whether the probe shows a live face."""

    operation = Operation.LIVENESS


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
        billed_operations: The operations that cost money.
        rate_windows: How many calls its vendor takes, as published; empty if nothing is. Where
            that depends on the plan, the backend may declare it per object.
        reports_faces: Whether results say where the faces are.
        demographic_keys: Keys of the vendor's body that hold age, gender or race.
        media_keys: Keys of the vendor's body whose values are addresses of pictures.
    """

    operations: frozenset[Operation] = frozenset({Operation.MATCH})
    rotate: bool = False
    retention: frozenset[Retention] = frozenset({Retention.MINIMAL})
    sends_caller_ref: bool = False
    sends_metadata: bool = False
    options: type | None = None
    threshold_rule: ThresholdRule = ThresholdRule.AT_LEAST
    default_threshold: float | None = None
    default_liveness_threshold: float | None = None
    score_scale: str | None = None
    liveness_scale: str | None = None
    image_limits: ImageLimits = attrs.field(factory=ImageLimits)
    billed_operations: frozenset[Operation] = frozenset()
    rate_windows: tuple[RateWindow, ...] = ()
    reports_faces: bool = False
    demographic_keys: frozenset[str] = frozenset({"age", "gender", "race"})
    media_keys: frozenset[str] = frozenset()

    def default_for(self, operation: Operation) -> float | None:
        """The documented default threshold of `operation`, 0-100, or None."""
        if operation is Operation.MATCH:
            return self.default_threshold
        return self.default_liveness_threshold if operation is Operation.LIVENESS else None


class Backend(abc.ABC):
    """One vendor, or one engine on this machine.

    Settings are the arguments of the class. An attrs class with ``kw_only`` settings can also be
    opened from a configuration file and is checked there. No setting may bear the name of an
    argument of `FaceVerifier`: `open_verifier` takes both as keywords.

    Attributes:
        api_version: Version of this interface that the backend was written for.
        name: Its name in results and errors; that of its entry point.
        capabilities: What it can do.
        environment: What it is set to answer from.
        environment_variables: Setting to environment variable, for settings that may come from
            the environment (keys, above all).
        allowed_hosts: Hosts that `base_url` may name without ``allow_base_url``; empty if the
            backend sends nothing, or to a server of the caller's own: beyond this machine that
            needs ``allow_base_url``.
        reports_sent: Whether it calls `Call.on_sent` before the first byte may leave. A billed
            call of a backend that does not is taken as sent as soon as it was asked.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()
    reports_sent: ClassVar[bool] = False

    @property
    def environment(self) -> Environment | None:
        """What it is set to answer from; None if no setting says so.

        MOCK, if a setting says so: no real vendor may be asked, nor be taken for a mock.
        """
        return None

    @property
    def environments(self) -> frozenset[Environment]:
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
        raise Unsupported(
            f"The backend {self.name} has no liveness check.",
            backend=self.name,
            what=Operation.LIVENESS,
        )

    def reconcile(self, call: CallRecord, *, deadline_s: float | None = None) -> Reconciliation:
        """Look for a kept call of this backend in the vendor's records, without any charge.

        By default nothing is looked at, and the answer is `CANNOT_KNOW`. A backend that overrides
        this puts `Call.call_id` into the vendor's record of each kept call, under `CALL_ID_KEY`,
        and compares it: nothing else proves that a record is this call's.

        Args:
            call: One that the vendor was asked to keep.
            deadline_s: Seconds for the whole search, above 0; None for no limit.

        Raises:
            VendorError: the vendor could not be asked; `billing` says NO.
        """
        return Reconciliation(
            outcome=Reconciled.CANNOT_KNOW,
            call=call,
            reason=f"The backend {self.name} cannot look into its vendor's records.",
        )

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether the vendor's records can tell later what became of `call`; by default if kept."""
        return call.retention is Retention.KEEP

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Give back what the backend holds. May be called more than once."""

    def diagnose(self) -> Mapping[str, Any]:
        """What `facematch doctor` shows beside the settings: versions, files. No secrets."""
        return {}


#: What stands in place of an address that leads to a picture.
_MASKED = "(address removed)"

#: Deeper than this no vendor's body is; what lies below is left out.
MAX_DEPTH = 64

#: Of exactly these types a value is JSON as it is. (A float may be NaN.)
_PLAIN = frozenset({str, int, bool, type(None)})


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

    def copied(value: Any, depth: int) -> Any:
        # Most values, and before the question for a Mapping, which is slow to answer.
        if type(value) in _PLAIN:
            return value
        if type(value) is float:
            return _leaf(value)
        if isinstance(value, (dict, list, tuple, Mapping)) and depth == MAX_DEPTH:
            return "(left out: too deep)"
        if isinstance(value, (dict, Mapping)):
            return {
                str(key): _MASKED
                if key in media_keys and item is not None
                else copied(item, depth + 1)
                for key, item in value.items()
                if key not in demographic_keys
            }
        if isinstance(value, (list, tuple)):
            return [copied(item, depth + 1) for item in value]
        return _leaf(value)

    return copied(body, 0)


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return f"(left out: {type(value).__name__})"
