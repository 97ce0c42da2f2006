"""For plug-in authors: what a backend is, and what it declares.

A backend only translates. The rules that are the same for every vendor (thresholds, review,
limits, options, events) live once in `FaceVerifier`, which hands over one prepared call as data.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from ._calls import Call, LivenessCall, MatchCall
from ._enums import Environment, Operation, Retention, ThresholdRule
from ._images import Image, ImageFormat, ImageLimits
from ._private import without_private
from ._results import LivenessResult, MatchResult
from ._secrets import Secret
from .errors import UnsupportedCapability

__all__ = [
    "API_VERSION",
    "Backend",
    "Call",
    "Capabilities",
    "Image",
    "ImageFormat",
    "ImageLimits",
    "LivenessCall",
    "MatchCall",
    "Secret",
    "without_private",
]

#: Version of the plug-in interface that this release speaks.
API_VERSION = 1


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
        reports_faces: Whether results tell where the faces are.
        demographic_keys: Keys of the vendor's body that tell age, gender or race.
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
    reports_faces: bool = False
    demographic_keys: frozenset[str] = frozenset({"age", "gender", "race"})
    media_keys: frozenset[str] = frozenset()

    def default_for(self, operation: Operation) -> float | None:
        """The documented default threshold of `operation`, 0-100, or None."""
        if operation is Operation.LIVENESS:
            return self.default_liveness_threshold
        return self.default_threshold


class Backend(abc.ABC):
    """One vendor, or one engine on this machine.

    Settings are the arguments of the class. An attrs class with ``kw_only`` settings can also be
    opened from a configuration file and is checked there.

    Attributes:
        api_version: Version of this interface that the backend was written for.
        name: Its name in results and errors; that of its entry point.
        capabilities: What it can do.
        environment: What it is set to answer from.
        environment_variables: Setting to environment variable, for settings that may come from
            the environment (keys, above all).
        allowed_hosts: Hosts that `base_url` may name without ``allow_base_url``; empty if the
            backend sends nothing.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()

    @property
    def environment(self) -> Environment:
        """Where its answers come from; PRODUCTION unless the backend knows better."""
        return Environment.PRODUCTION

    @property
    def environments(self) -> frozenset[Environment]:
        """Where its answers can come from; `environment` alone, unless only an answer can tell."""
        return frozenset({self.environment})

    @abc.abstractmethod
    def match(self, call: MatchCall) -> MatchResult:
        """Compare two faces.

        Raises:
            VendorError: no result; `billed` says whether it was charged.
        """

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        """Check one picture for a live face.

        Raises:
            UnsupportedCapability: by default.
            VendorError: no result; `billed` says whether it was charged.
        """
        raise UnsupportedCapability(
            f"The backend {self.name} has no liveness check.",
            backend=self.name,
            capability=Operation.LIVENESS,
        )

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Give back what the backend holds. May be called more than once."""

    def diagnose(self) -> Mapping[str, Any]:
        """What `facematch doctor` shows beside the settings: versions, files. No secrets."""
        return {}
