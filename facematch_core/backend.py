"""For plug-in authors: what a backend is, and what it declares.

A backend only translates. The rules that are the same for every vendor (thresholds, review,
limits, options, events) live once in `FaceVerifier`, which hands over one prepared call as data.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from ._age import AgeResult
from ._calls import ATTEMPT_KEY, AgeCall, Call, LivenessCall, MatchCall, SearchCall
from ._enums import Environment, Operation, Reconciled, Retention, SearchMode, ThresholdRule
from ._images import Image, ImageFormat, ImageLimits
from ._private import without_private
from ._rates import RateWindow
from ._reconcile import Attempt, Reconciliation
from ._results import LivenessResult, MatchResult
from ._search import SearchResult
from ._secrets import Secret
from .errors import UnsupportedCapability

__all__ = [
    "API_VERSION",
    "ATTEMPT_KEY",
    "AgeCall",
    "Backend",
    "Call",
    "Capabilities",
    "Image",
    "ImageFormat",
    "ImageLimits",
    "LivenessCall",
    "MatchCall",
    "RateWindow",
    "SearchCall",
    "Secret",
    "without_private",
]

#: Version of the plug-in interface that this release speaks.
API_VERSION = 1


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a backend can do, so that what it cannot do is refused before anything is sent.

    Attributes:
        operations: What it can be asked: `MATCH`, `LIVENESS`, `SEARCH`, `AGE`.
        rotate: Whether it can try quarter turns.
        retention: What it can ask its vendor to keep. A backend whose vendor promises nothing
            declares MINIMAL alone.
        sends_caller_ref, sends_metadata: Whether the vendor receives them. They are kept in the
            result in any case.
        options: The attrs class of its own options; None if it has none.
        threshold_rule: How scores are compared with the threshold.
        default_threshold, default_liveness_threshold: The documented default, 0-100; None if there
            is none (then a call without a threshold leaves the verdict to the vendor).
        default_minimum_age: The documented default of an estimation of age, in whole years; None if
            there is none (then a call without one gives an age and no verdict on it).
        search_modes: Which of the vendor's faces it can search.
        score_scale, liveness_scale, search_scale: The scales of its scores; None if it gives none.
            That of liveness is also that of an estimation of age.
        image_limits: What its vendor takes.
        billed_operations: The operations that cost money.
        rate_windows: How many calls its vendor takes, as published; empty if nothing is. Where
            that depends on the plan, the backend may declare it per object.
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
    default_minimum_age: int | None = None
    search_modes: frozenset[SearchMode] = frozenset()
    score_scale: str | None = None
    liveness_scale: str | None = None
    search_scale: str | None = None
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
        # A search has no threshold; an estimation of age has that of liveness.
        return None if operation is Operation.SEARCH else self.default_liveness_threshold


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
            backend sends nothing, or to a server of the caller's own: beyond this machine that
            needs ``allow_base_url``.
    """

    api_version: ClassVar[int] = API_VERSION
    name: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    environment_variables: ClassVar[Mapping[str, str]] = {}
    allowed_hosts: ClassVar[frozenset[str]] = frozenset()

    @property
    def environment(self) -> Environment:
        """Where its answers come from; PRODUCTION unless the backend knows better.

        MOCK, if a setting says so: no real vendor may be asked, nor be taken for a mock.
        """
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
        raise self._lacks(Operation.LIVENESS, "liveness check")

    def search_faces(self, call: SearchCall) -> SearchResult:
        """Look for faces like the probe's among those that the vendor keeps.

        Raises:
            UnsupportedCapability: by default.
            VendorError: no result; `billed` says whether it was charged.
        """
        raise self._lacks(Operation.SEARCH, "face search")

    def estimate_age(self, call: AgeCall) -> AgeResult:
        """Estimate how old the person in one picture looks.

        Raises:
            UnsupportedCapability: by default.
            VendorError: no result; `billed` says whether it was charged.
        """
        raise self._lacks(Operation.AGE, "estimation of age")

    def reconcile(self, attempt: Attempt, *, deadline_s: float | None = None) -> Reconciliation:
        """Look for a kept call of this backend in the vendor's records, without any charge.

        By default nothing is looked at, and the answer is `CANNOT_KNOW`. A backend that overrides
        this puts `Call.attempt_id` into the vendor's record of each kept call, under
        `ATTEMPT_KEY`, and compares it: nothing else proves that a record is this call's.

        Args:
            attempt: Of a call that the vendor was asked to keep.
            deadline_s: Seconds for the whole search, above 0; None for no limit.

        Raises:
            VendorError: the vendor could not be asked; `billed` is NO.
        """
        return Reconciliation(
            outcome=Reconciled.CANNOT_KNOW,
            attempt=attempt,
            reason=f"The backend {self.name} cannot look into its vendor's records.",
        )

    def _lacks(self, operation: Operation, what: str) -> UnsupportedCapability:
        return UnsupportedCapability(
            f"The backend {self.name} has no {what}.", backend=self.name, capability=operation
        )

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Give back what the backend holds. May be called more than once."""

    def diagnose(self) -> Mapping[str, Any]:
        """What `facematch doctor` shows beside the settings: versions, files. No secrets."""
        return {}
