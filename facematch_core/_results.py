"""What a call answers, in the same terms for every vendor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from ._enums import (
    ADVICE,
    Advice,
    Billed,
    Decision,
    Environment,
    LiveMatchDecision,
    LivenessDecision,
    ScaleSource,
    Severity,
    WarningCode,
)
from ._scores import Score, Threshold
from .errors import InvalidRequest


@attrs.frozen(kw_only=True)
class ResultWarning:
    """Something the vendor (or the local engine) noticed.

    Attributes:
        code: What it is about, in our words; `OTHER` if no code names it.
        severity: How much it weighs, in the vendor's words.
        tag: The vendor's own tag, untouched; None for a warning of ours.
        text: The vendor's own text, untouched, or our sentence. Prose: never branch on it.
        advice: What the application can tell its user; None if there is nothing to do.
    """

    code: WarningCode
    severity: Severity = Severity.WARNING
    tag: str | None = None
    text: str | None = None
    advice: Advice | None = attrs.field(
        default=attrs.Factory(lambda self: ADVICE.get(self.code), takes_self=True)
    )


@attrs.frozen(kw_only=True)
class Box:
    """Where a face is.

    Attributes:
        left, top, right, bottom: Edges; in pixels, or 0-1 of the picture's sides, as `unit` says.
            The origin is the upper left corner of the upright picture.
        unit: ``px`` or ``ratio``.
        of_width, of_height: Size in pixels of the picture that the edges refer to (a vendor may
            shrink or turn what it was sent); None if the vendor does not tell it.
    """

    left: float
    top: float
    right: float
    bottom: float
    unit: str = attrs.field(default="px", validator=attrs.validators.in_(("px", "ratio")))
    of_width: int | None = None
    of_height: int | None = None


@attrs.frozen(kw_only=True)
class Demographics:
    """A vendor's guesses about a person. They never change a decision; dropped by default.

    Attributes:
        age: Years; None if not told.
        gender, race: The vendor's own word; None if not told.
    """

    age: float | None = None
    gender: str | None = None
    race: str | None = None


@attrs.frozen(kw_only=True)
class Face:
    """One face that the vendor found in a picture.

    Attributes:
        box: Where it is; None if not told.
        confidence: How sure the detector is that this is a face, on the vendor's own scale (Didit:
            0-1; local: dlib's detection score, no fixed range). Says nothing about who it is.
        rotation: Degrees (0, 90, 180, 270) by which the picture was turned clockwise to find it;
            None if not told.
        demographics: None unless the verifier was opened with ``keep_demographics=True``.
    """

    box: Box | None = None
    confidence: float | None = None
    rotation: int | None = None
    demographics: Demographics | None = None


@attrs.frozen(kw_only=True)
class Skipped:
    """A member of a failover that did not answer.

    Attributes:
        backend: Its name.
        reason: Class name of the error, for example ``RateLimited``.
        message: The error's sentence.
    """

    backend: str
    reason: str
    message: str


def _no_truth(result: object) -> TypeError:
    return TypeError(
        f"A {type(result).__name__} has no truth value: REVIEW and INCONCLUSIVE are not yes or no. "
        "Ask for .is_match, .is_live, .is_verified or .decision."
    )


# One typed function per field: type checkers cannot follow a generic converter.


def _warnings(items: Iterable[ResultWarning]) -> tuple[ResultWarning, ...]:
    return tuple(items)


def _skips(items: Iterable[Skipped]) -> tuple[Skipped, ...]:
    return tuple(items)


def _faces(items: Iterable[Face] | None) -> tuple[Face, ...] | None:
    return None if items is None else tuple(items)


def finite(_: Any, attribute: attrs.Attribute[Any], value: float | None) -> None:
    """A validator: a number that is neither NaN nor infinite, or None."""
    if value is not None and not (_is_number(value) and math.isfinite(value)):
        raise InvalidRequest(f"{attribute.name} must be a finite number or None.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def aware(_: Any, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    """A validator: a time that says its offset from UTC, or None."""
    if value is not None and value.utcoffset() is None:
        raise InvalidRequest(f"{attribute.name} must say its offset from UTC.")


@attrs.frozen(kw_only=True)
class Result:
    """What all calls answer in the same way.

    Attributes:
        score: 0-100 on a named scale; None when the vendor gave none (never 0 instead).
        raw_score, raw_score_name: The vendor's own number and what the vendor calls it.
        scale_source: How we know what the number means; None without a scale.
        threshold: Where a pass began; None if the vendor told none and none was set.
        review_threshold: A pass whose score was not above it became REVIEW; None if not set.
        warnings: In the vendor's order.
        backend: Name of the backend that answered.
        model: Model or edition of the vendor's engine; None if not told.
        vendor_status: The vendor's own status word, untouched; None if it has none.
        request_id: The vendor's id of the call; None if it gives none.
        session_id: The vendor's id of the record that was kept; None when nothing was kept.
        attempt_id: Our id of the call, a UUID.
        caller_ref, metadata: As the caller gave them, sent to the vendor or not; not in `repr`.
        created_at: When the vendor answered by its own clock, UTC; None if not told.
        elapsed_s: Seconds from the call to the result, preparation included; at least 0.
        billed, billed_ground: Whether the vendor charged for it, and how we know.
        environment: Where the answer came from.
        answered_by: Name of the member of a failover that answered; None outside a failover.
        skipped: The members that were tried before it, in order.
        probe_faces: Faces found in the probe, in the vendor's order; None if the vendor does not
            tell, () if it found none.
        raw: The decoded body without pictures, secrets and demographics; not in `repr`.
    """

    score: Score | None = None
    raw_score: float | None = attrs.field(default=None, validator=finite)
    raw_score_name: str | None = None
    scale_source: ScaleSource | None = None
    threshold: Threshold | None = None
    review_threshold: Threshold | None = None
    warnings: tuple[ResultWarning, ...] = attrs.field(default=(), converter=_warnings)
    backend: str
    model: str | None = None
    vendor_status: str | None = None
    request_id: str | None = None
    session_id: str | None = None
    attempt_id: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(default=None, hash=False, repr=False)
    created_at: datetime | None = attrs.field(default=None, validator=aware)
    elapsed_s: float = 0.0
    billed: Billed = Billed.UNKNOWN
    billed_ground: str | None = None
    environment: Environment = Environment.PRODUCTION
    answered_by: str | None = None
    skipped: tuple[Skipped, ...] = attrs.field(default=(), converter=_skips)
    probe_faces: tuple[Face, ...] | None = attrs.field(default=None, converter=_faces)
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    def __bool__(self) -> bool:
        raise _no_truth(self)

    def to_dict(self, *, minimal: bool = False) -> dict[str, Any]:
        """The JSON form (``"schema": 0``), described by ``docs/reference/result.schema.json``.

        Args:
            minimal: Only decision, score and ids: what a database should keep.
        """
        from ._json import to_dict

        return to_dict(self, minimal=minimal)


@attrs.frozen(kw_only=True)
class MatchResult(Result):
    """One comparison of two faces.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no pair of faces could be scored.
        reference_faces: Like `probe_faces`, for the reference.
    """

    decision: Decision
    reference_faces: tuple[Face, ...] | None = attrs.field(default=None, converter=_faces)

    @property
    def is_match(self) -> bool:
        """True only for `Decision.MATCH`."""
        return self.decision is Decision.MATCH

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> MatchResult:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)


@attrs.frozen(kw_only=True)
class LivenessResult(Result):
    """One passive liveness check of one picture.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no face could be judged.
        method: How it was checked, in the vendor's word (``PASSIVE``); None if not told.
        quality: Quality of the face picture, 0-100, higher is better; None if not told.
        luminance: Brightness of the face, 0-100, higher is brighter; None if not told.
    """

    decision: LivenessDecision
    method: str | None = None
    quality: float | None = None
    luminance: float | None = None

    @property
    def is_live(self) -> bool:
        """True only for `LivenessDecision.LIVE`."""
        return self.decision is LivenessDecision.LIVE

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LivenessResult:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)


@attrs.frozen(kw_only=True)
class LiveMatchResult:
    """Liveness of the probe and, if that did not end it, its comparison with the reference.

    Attributes:
        decision: `VERIFIED` only if live and a match; `NOT_LIVE` if not live; else the worse of
            the two.
        liveness: The liveness check, always made first.
        match: The comparison; None if it was not asked for (and so not paid for) because the
            probe is not live or has no face that could be judged.

    Raises:
        InvalidRequest: the decision does not follow from the two.
    """

    decision: LiveMatchDecision
    liveness: LivenessResult
    match: MatchResult | None = None

    def __attrs_post_init__(self) -> None:
        from ._rules import worse

        if self.decision is not worse(self.liveness, self.match):
            raise InvalidRequest(
                f"{self.decision} does not follow from {self.liveness.decision} and "
                f"{self.match.decision if self.match else 'no comparison'}."
            )

    @property
    def is_verified(self) -> bool:
        """True only for `LiveMatchDecision.VERIFIED`."""
        return self.decision is LiveMatchDecision.VERIFIED

    def __bool__(self) -> bool:
        raise _no_truth(self)

    def to_dict(self, *, minimal: bool = False) -> dict[str, Any]:
        """The JSON form; see `Result.to_dict`."""
        from ._json import to_dict

        return to_dict(self, minimal=minimal)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LiveMatchResult:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)
