"""Results of calls and their parts, as immutable classes that are the same for every vendor.

The module defines, in this order: enums, scores and thresholds, warnings and faces, billing and
ids, results, and call records. Invalid values raise `ValueError` or `TypeError`.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, NoReturn, Self

import attrs

from .documents import DECISIVE_WORDS, HARMLESS_WORDS, Document

#: True for mypy only, which would not report some mistakes if it saw the methods that raise for
#: them at run time: `if result:` (`truthy-bool`; after a `__bool__` that returns NoReturn, it would
#: even skip the code that follows) and `result != Decision.NO_MATCH` (`comparison-overlap`).
MYPY = False


class _DecisionEnum(enum.StrEnum):
    """The base class of decisions. Comparing a decision with a whole result raises TypeError."""

    if not MYPY:

        def __eq__(self, other: object) -> bool:
            if isinstance(other, NoTruth):
                raise TypeError(
                    f"A {type(other).__name__} is not a decision: compare its decision, as in "
                    f"`result.decision == {type(self).__name__}.{self.name}`, or use .{other.door}."
                )
            return str.__eq__(self, other)

        def __ne__(self, other: object) -> bool:
            return not self == other

        __hash__ = str.__hash__


class Decision(_DecisionEnum):
    """The decision of a face comparison."""

    MATCH = "match"
    NO_MATCH = "no_match"
    #: A person should decide: the vendor requests a review, or `review_threshold` applies.
    REVIEW = "review"
    #: No pair of faces could be scored, so this is neither a match nor a mismatch.
    INCONCLUSIVE = "inconclusive"


class LivenessDecision(_DecisionEnum):
    """The decision of a passive liveness check of one picture."""

    LIVE = "live"
    NOT_LIVE = "not_live"
    #: A person should decide, for example because the vendor declined for a different reason.
    REVIEW = "review"
    #: No face could be judged.
    INCONCLUSIVE = "inconclusive"


PASSES = frozenset({Decision.MATCH, LivenessDecision.LIVE})
#: The liveness decision with the same meaning.
LIVENESS_DECISIONS = {
    Decision.MATCH: LivenessDecision.LIVE,
    Decision.NO_MATCH: LivenessDecision.NOT_LIVE,
    Decision.REVIEW: LivenessDecision.REVIEW,
    Decision.INCONCLUSIVE: LivenessDecision.INCONCLUSIVE,
}


class LiveMatchDecision(_DecisionEnum):
    """The joint decision of a liveness check and a comparison. Members are sorted, best first."""

    #: The face is live and a match.
    VERIFIED = "verified"
    REVIEW = "review"
    INCONCLUSIVE = "inconclusive"
    NO_MATCH = "no_match"
    #: The face is not live. The comparison was not made and not charged.
    NOT_LIVE = "not_live"


class WarningCode(enum.StrEnum):
    """The subject of a warning; `OTHER` if no code fits."""

    LOW_SIMILARITY = "low_similarity"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
    #: A smaller face passes the threshold, and the largest face does not: never a match.
    SMALLER_FACE_MATCHED = "smaller_face_matched"
    LOW_LIVENESS = "low_liveness"
    PRESENTATION_ATTACK = "presentation_attack"
    BLOCKLISTED = "blocklisted"
    POSSIBLY_BLOCKLISTED = "possibly_blocklisted"
    DUPLICATE = "duplicate"
    POSSIBLE_DUPLICATE = "possible_duplicate"
    LOW_QUALITY = "low_quality"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    SCORE_UNAVAILABLE = "score_unavailable"
    SCORE_NOT_SIMILARITY = "score_not_similarity"
    SCALE_ASSUMED = "scale_assumed"
    SCALE_SUSPICIOUS = "scale_suspicious"
    THRESHOLD_UNKNOWN = "threshold_unknown"
    THRESHOLD_CONFLICT = "threshold_conflict"
    #: The vendor sent fields in another form than documented, which decide nothing: they are None.
    UNREADABLE_DETAIL = "unreadable_detail"
    OTHER = "other"


class Severity(enum.StrEnum):
    """The severity of a warning, as rated by the vendor."""

    INFORMATION = "information"
    WARNING = "warning"
    #: The vendor declined because of this warning.
    ERROR = "error"
    #: The vendor returned a severity that we do not know; treated like `ERROR`.
    UNKNOWN = "unknown"

    @property
    def is_grave(self) -> bool:
        """Whether a warning of this severity turns a pass into REVIEW."""
        return self in (Severity.ERROR, Severity.UNKNOWN)


class Advice(enum.StrEnum):
    """Advice that an application can give its user about a warning."""

    RETAKE_PHOTO = "retake_photo"
    BETTER_LIGHT = "better_light"
    ONE_FACE_ONLY = "one_face_only"
    #: For the application, not for its user.
    POSSIBLE_FRAUD = "possible_fraud"
    REVIEW = "review"


#: Advice by warning code. A code without an entry has no advice.
ADVICE: dict[WarningCode, Advice] = {
    WarningCode.NO_FACE: Advice.RETAKE_PHOTO,
    WarningCode.MULTIPLE_FACES: Advice.ONE_FACE_ONLY,
    WarningCode.SMALLER_FACE_MATCHED: Advice.ONE_FACE_ONLY,
    WarningCode.LOW_LIVENESS: Advice.RETAKE_PHOTO,
    WarningCode.PRESENTATION_ATTACK: Advice.POSSIBLE_FRAUD,
    WarningCode.BLOCKLISTED: Advice.POSSIBLE_FRAUD,
    WarningCode.POSSIBLY_BLOCKLISTED: Advice.POSSIBLE_FRAUD,
    WarningCode.DUPLICATE: Advice.REVIEW,
    WarningCode.POSSIBLE_DUPLICATE: Advice.REVIEW,
    WarningCode.LOW_QUALITY: Advice.BETTER_LIGHT,
    WarningCode.TOO_DARK: Advice.BETTER_LIGHT,
    WarningCode.TOO_BRIGHT: Advice.BETTER_LIGHT,
}


class Charged(enum.StrEnum):
    """Whether the vendor charged for a call, as far as a client can know."""

    YES = "yes"
    NO = "no"
    #: The call may have been executed and charged. It is never retried automatically.
    UNKNOWN = "unknown"


class Environment(enum.StrEnum):
    """The environment that a result came from."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    MOCK = "mock"
    LOCAL = "local"


class Retention(enum.StrEnum):
    """How much of a call the vendor is asked to store."""

    #: Store nothing, if the vendor offers that option.
    MINIMAL = "minimal"
    #: Store a record of the call, including its pictures, that can be read later.
    KEEP = "keep"


class ThresholdRule(enum.StrEnum):
    """The rule that compares a score with a threshold."""

    #: A pass if score > threshold.
    ABOVE = "above"
    #: A pass if score >= threshold.
    AT_LEAST = "at_least"
    #: The vendor's rule or value is unknown, so only the vendor's verdict is used.
    VENDOR = "vendor"


class ThresholdSource(enum.StrEnum):
    """The origin of a threshold."""

    CALLER = "caller"
    PROFILE = "profile"
    #: The backend's documented default.
    DEFAULT = "default"
    #: The vendor's own threshold, not set by us.
    VENDOR = "vendor"


class ScaleSource(enum.StrEnum):
    """The source of a vendor's score scale."""

    DOCUMENTED = "documented"
    #: The scale is set in the configuration.
    CONFIGURED = "configured"
    #: The scale is neither documented nor configured: the setting's default was used.
    ASSUMED = "assumed"


class Operation(enum.StrEnum):
    """The operation of a call."""

    #: Compare two faces.
    MATCH = "match"
    #: Check one picture for a live face.
    LIVENESS = "liveness"
    #: Verify a person in a hosted session, on the vendor's own page; see `Sessions`.
    SESSION = "session"


class Reconciled(enum.StrEnum):
    """The outcome of a search in the vendor's records."""

    #: The call was executed and charged; its result is attached.
    FOUND = "found"
    #: The call is not in the records, but may still appear.
    NOT_YET = "not_yet"
    #: The records cannot show whether the call was executed.
    CANNOT_KNOW = "cannot_know"


# Read from a document of a later version.
HARMLESS_WORDS.update(
    {
        WarningCode: WarningCode.OTHER,
        Advice: None,
        Charged: Charged.UNKNOWN,
        ThresholdSource: ThresholdSource.VENDOR,
        ScaleSource: ScaleSource.ASSUMED,
    }
)
DECISIVE_WORDS.update(
    {
        Decision: Decision.REVIEW,
        LivenessDecision: LivenessDecision.REVIEW,
        LiveMatchDecision: LiveMatchDecision.REVIEW,
        Severity: Severity.UNKNOWN,
        Environment: None,
        ThresholdRule: ThresholdRule.VENDOR,
    }
)


# Validators and converters, as plain functions because type checkers lose generic types.


def percentage(value: float, name: str = "value") -> float:
    """Return a number from 0 to 100 as a float; raise TypeError or ValueError for other values."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number from 0 to 100, not {type(value).__name__}.")
    # This also rejects NaN. Convert afterwards, because an int may be too large for a float.
    if not 0 <= value <= 100:
        raise ValueError(f"{name} must be between 0 and 100, not {str(value).removesuffix('.0')}.")
    return float(value)


#: Rejects infinity and NaN, which JSON does not have.
_FINITE = attrs.validators.optional(
    [attrs.validators.ge(-sys.float_info.max), attrs.validators.le(sys.float_info.max)]
)


def check_aware(_: object, attribute: attrs.Attribute[Any], value: dt.datetime | None) -> None:
    """Raise ValueError unless the time is timezone-aware or None. An attrs validator."""
    if value is not None and value.utcoffset() is None:
        raise ValueError(f"{attribute.name} must be timezone-aware.")


def check_date(record: object, attribute: attrs.Attribute[Any], value: dt.datetime | None) -> None:
    """Raise ValueError unless the time is None, or aware and in 1901-8999. An attrs validator."""
    check_aware(record, attribute, value)
    if value is not None and not 1900 < value.year < 9000:
        raise ValueError(f"{attribute.name} must be in the years from 1901 to 8999.")


@functools.total_ordering
@attrs.frozen(order=False)
class Score:
    """The similarity of two faces, or the liveness of one face, on a named scale.

    Scores on the same scale can be compared and subtracted. For scores on different scales, `==` is
    False, and `<` and `-` raise `TypeError`: 90 from one vendor is not 90 from another.

    Attributes:
        value: 0 to 100; a higher score means more similar (or more live). Not a probability.
        scale: The vendor and its model or method, for example ``local/sface-2021dec``.
        raw: The vendor's own number; None if it equals `value` or was not returned. Not compared.
        raw_name: The vendor's name for `raw`, or None. Not compared.
        source: The source of the scale, or None. Not compared.

    Example:
        >>> first, second = Score(96, "didit/face-match"), Score(90.5, "didit/face-match")
        >>> first - second
        5.5
        >>> first == Score(96, "local/sface-2021dec")
        False
    """

    value: float = attrs.field(converter=percentage)
    scale: str = attrs.field(validator=attrs.validators.min_len(1))
    raw: float | None = attrs.field(
        default=None, validator=_FINITE, eq=False, repr=False, kw_only=True
    )
    raw_name: str | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)
    source: ScaleSource | None = attrs.field(
        default=ScaleSource.DOCUMENTED, eq=False, repr=False, kw_only=True
    )

    @classmethod
    def from_fraction(
        cls,
        fraction: float,
        scale: str,
        *,
        raw_name: str | None = None,
        source: ScaleSource | None = ScaleSource.DOCUMENTED,
    ) -> Score:
        """Create a score of 0 to 100 from a vendor's number of 0 to 1, which is stored as `raw`.

        The conversion is decimal: 0.57 becomes exactly 57, although 0.57 * 100 < 57 as floats.

        Raises:
            TypeError: `fraction` is not a number.
            ValueError: `fraction` is below 0 or above 1.
        """
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)):
            raise TypeError(f"a fraction must be a number, not {type(fraction).__name__}")
        if not 0 <= fraction <= 1:
            raise ValueError("a fraction must be between 0 and 1")
        value = float(Decimal(repr(float(fraction))).scaleb(2))
        return cls(value, scale, raw=float(fraction), raw_name=raw_name, source=source)

    def __str__(self) -> str:
        return f"{self.value:g} ({self.scale})"

    def __lt__(self, other: object) -> bool:
        return self - other < 0

    def __sub__(self, other: object) -> float:
        """Return the difference of two scores of one scale; raise TypeError for anything else."""
        if not isinstance(other, Score):
            raise TypeError(
                f"A Score cannot be compared with {type(other).__name__}: use its value, as in "
                "`result.score.value > 80`, or use `result.is_match`."
            )
        if self.scale != other.scale:
            raise TypeError(
                f"Scores of {self.scale} and {other.scale} cannot be compared: "
                "give each backend its own threshold."
            )
        return self.value - other.value


@attrs.frozen
class Threshold:
    """The threshold for a pass, on the backend's scale.

    A plain number up to 1 is rejected as a mistake; pass ``Threshold(0.5)`` if you mean it.

    Attributes:
        value: 0 to 100; None if the vendor does not publish its threshold.
        rule: The rule that compares a score with the threshold.
        source: The origin of the threshold.

    Example:
        >>> threshold = verifier.verify(selfie, document, threshold=80).threshold
        >>> print(threshold.value, threshold.rule, threshold.source)
        80.0 above caller
    """

    value: float | None = attrs.field(converter=attrs.converters.optional(percentage))
    rule: ThresholdRule = ThresholdRule.VENDOR
    source: ThresholdSource = ThresholdSource.CALLER

    def __attrs_post_init__(self) -> None:
        if self.value is None and self.rule is not ThresholdRule.VENDOR:
            raise ValueError(f"A threshold with the rule {self.rule} needs a value.")

    def passes(self, score: float | None) -> bool | None:
        """Return whether `score` (0-100) passes; None if the rule or the score is unknown."""
        if score is None or self.value is None or self.rule is ThresholdRule.VENDOR:
            return None
        if self.rule is ThresholdRule.ABOVE:
            return score > self.value
        return score >= self.value


#: The tag of the warning in the placeholder for an item that the vendor did not report.
NOT_REPORTED = "not_reported"
#: The tag of the warning on an item that passed in a session which its vendor has not approved.
NOT_APPROVED = "not_approved"


@attrs.frozen(kw_only=True)
class ResultWarning:
    """A warning about a result, from the vendor, the local engine or this library.

    Attributes:
        code: The subject of the warning; `OTHER` if no code fits.
        severity: The severity, as rated by the vendor.
        tag: The vendor's own tag, unchanged; None for a warning from this library.
        text: The vendor's own text, unchanged, or a text from this library. Never branch on it.
        advice: Advice that the application can give its user, or None.

    Example:
        >>> for warning in verifier.verify(no_face, document).warnings:
        ...     print(warning.code, warning.advice)
        no_face retake_photo
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
    """The bounding box of a face.

    Attributes:
        left, top, right, bottom: The edges, in pixels or as fractions of the picture's size (see
            `unit`). The origin is the top left corner of the upright picture.
        unit: ``px`` or ``ratio``.
        of_width, of_height: Size in pixels of the picture that the edges refer to (a vendor may
            resize or rotate a picture); None if the vendor does not return it.
    """

    left: float
    top: float
    right: float
    bottom: float
    unit: str = attrs.field(default="px", validator=attrs.validators.in_(("px", "ratio")))
    of_width: int | None = None
    of_height: int | None = None


@attrs.frozen(kw_only=True)
class Face:
    """A face that the vendor found in a picture.

    Attributes:
        box: The bounding box; None if the vendor does not return it.
        confidence: The detector's confidence that this is a face, on the vendor's own scale (Didit:
            0-1; local: YuNet's, 0.6-1). Not a similarity.
        rotation: The rotation of the picture that showed the face: 0, 90, 180 or 270 degrees, or
            None if the vendor does not return it. Clockwise; Didit documents no direction.
        similarity: The score of this face against the other picture's face, or None.
        compared: Whether the result refers to this face; None if unknown.
        quality: The vendor's quality measures, keyed by its names for them, or None.
    """

    box: Box | None = None
    confidence: float | None = None
    rotation: int | None = None
    similarity: Score | None = None
    compared: bool | None = None
    quality: Mapping[str, float] | None = attrs.field(default=None, hash=False, repr=False)

    @property
    def area(self) -> float:
        """The area of `box`, in the square of its unit; 0 without a box."""
        box = self.box
        return 0.0 if box is None else (box.right - box.left) * (box.bottom - box.top)


#: The default of `Billing.charges`, by `charged`.
_CHARGES: dict[Charged, int | None] = {Charged.YES: 1, Charged.NO: 0, Charged.UNKNOWN: None}


@attrs.frozen
class Billing:
    """The charge for a call, as far as a client can know.

    Attributes:
        charged: Whether the vendor charged for the call.
        ground: A short reason for `charged`, or None.
        charges: Number of charges: 0 for NO, 1 or more for YES; None if unknown.

    Example:
        >>> billing = verifier.verify(selfie, document).billing
        >>> print(billing.charged, billing.charges)
        yes 1
    """

    charged: Charged = Charged.UNKNOWN
    ground: str | None = None
    charges: int | None = attrs.field(
        default=attrs.Factory(lambda self: _CHARGES[self.charged], takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        is_known = self.charges is not None and self.charged is not Charged.UNKNOWN
        if is_known and (self.charged is Charged.YES) is not bool(self.charges):
            raise ValueError(f"{self.charges} charges contradict charged={self.charged}.")


@attrs.frozen(kw_only=True)
class Ids:
    """The ids of one call.

    Attributes:
        call: Our id for the call, a UUID; None until the verifier sets it.
        vendor: The vendor's id for the call, or None.
        session: The vendor's id for the record that it stored, or None.
        caller: The caller's own reference, unchanged, or None. Not in `repr`.
    """

    call: str | None = None
    vendor: str | None = None
    session: str | None = None
    caller: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Skipped:
    """A member of a failover or a share that did not answer.

    Attributes:
        backend: Name of the member.
        reason: Class name of the error, for example ``RateLimited``.
        message: The error's message.
    """

    backend: str
    reason: str
    message: str


@attrs.frozen(kw_only=True)
class Route:
    """The members of a failover or a share that were tried for one call.

    Attributes:
        answered_by: Name of the member that answered; None if no member did.
        skipped: The members tried before that one, in order; on an error, all members tried. If the
            chosen member of a share is a failover, the failover's members stand before it.
    """

    answered_by: str | None = None
    skipped: tuple[Skipped, ...] = ()


class NoTruth:
    """Base class of objects without a truth value or items.

    `bool()` and ``result["verified"]`` raise, and type checkers report them.
    """

    __slots__ = ()

    #: The attribute to use instead.
    door: ClassVar[str]

    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise TypeError(
                f"A {type(self).__name__} has no truth value: REVIEW, INCONCLUSIVE and CANNOT_KNOW "
                f"are neither yes nor no. Use .{self.door}, or `is not None` to test for a result."
            )

        # With `__getitem__` alone, an object would be iterable.
        __iter__ = None

        # Other libraries return a dict: deepface has `result["verified"]`.
        def __getitem__(self, key: object) -> NoReturn:
            raise TypeError(f"A {type(self).__name__} has no item [{key!r:.60}]: use .{self.door}.")


@attrs.frozen(kw_only=True)
class Result(NoTruth, Document):
    """The base class of results.

    As JSON: ``json.dumps(result.to_dict())``. In FastAPI, annotate the handler: ``-> MatchResult``.

    Attributes:
        score: 0-100 on a named scale; None (never 0) if the vendor returned no score.
        threshold: The threshold for a pass; None if it is neither returned nor set.
        review_threshold: The score up to which a pass became REVIEW; None if not set.
        warnings: Warnings, in the vendor's order.
        vendor_status: The vendor's own status, unchanged, or None.
        backend: Name of the backend that answered.
        model: Model or version of the vendor's engine; None if the vendor does not return it.
        environment: The environment that the response states, else the configured one, or None.
        probe_faces: Faces found in the probe, in the vendor's order: () if there are none, None if
            the vendor does not return faces.
        billing: The charge for the call.
        ids: The ids of the call: ours, the vendor's and the caller's.
        route: The members that were tried; None outside a failover or a share.
        metadata: The caller's metadata, even if it was not sent to the vendor. Not in `repr`.
        created_at: Time of the response, UTC, by the vendor's clock; None if not returned.
        elapsed_s: Seconds from the call to the result, including preparation; at least 0.
        raw: The response body without pictures, secrets, age, gender and race. Not in `repr`.

    Example:
        >>> import json
        >>> row = json.dumps(verifier.verify(selfie, document).to_dict())
        >>> result = MatchResult.from_dict(json.loads(row))
        >>> print(result.backend, result.billing.charged)
        didit yes
    """

    score: Score | None = None
    threshold: Threshold | None = None
    review_threshold: Threshold | None = None
    warnings: tuple[ResultWarning, ...] = attrs.field(
        default=(), converter=tuple[ResultWarning, ...]
    )
    vendor_status: str | None = None
    backend: str
    model: str | None = None
    environment: Environment | None = None
    probe_faces: tuple[Face, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(tuple[Face, ...])
    )
    billing: Billing = attrs.field(factory=Billing)
    ids: Ids = attrs.field(factory=Ids)
    route: Route | None = None
    metadata: Mapping[str, Any] | None = attrs.field(default=None, hash=False, repr=False)
    created_at: dt.datetime | None = attrs.field(default=None, validator=check_aware)
    elapsed_s: float = 0.0
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    def __str__(self) -> str:
        """Return one line: decision, score, threshold, environment, warning codes."""
        verdict = str(getattr(self, "decision", type(self).__name__))
        if self.score is not None:
            verdict += f" {self.score}"
        parts = [verdict]
        if self.threshold is not None and self.threshold.value is not None:
            parts.append(f"threshold {self.threshold.value:g}")
        if self.environment not in (None, Environment.PRODUCTION):
            parts.append(f"from {self.environment}")
        parts.extend(str(warning.code) for warning in self.warnings)
        return _one_line(", ".join(parts))


@attrs.frozen(kw_only=True)
class MatchResult(Result):
    """The result of comparing two faces.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` if no pair of faces could be scored.
        reference_faces: Faces found in the reference; see `probe_faces`.

    Example:
        >>> result = verifier.verify(selfie, document)
        >>> print(result.decision, result.score)
        match 95.4663 (didit/face-match)
        >>> result.is_match
        True
    """

    kind = "match"
    door = "is_match or .decision"

    decision: Decision
    reference_faces: tuple[Face, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(tuple[Face, ...])
    )

    @property
    def is_match(self) -> bool:
        """True only for `Decision.MATCH`."""
        return self.decision is Decision.MATCH

    def without_pass(self) -> Self:
        """Return the result; a match becomes REVIEW."""
        return attrs.evolve(self, decision=Decision.REVIEW) if self.is_match else self


@attrs.frozen(kw_only=True)
class LivenessResult(Result):
    """The result of a passive liveness check of one picture.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` if no face could be judged.
        method: The vendor's name for the method (``PASSIVE``), or None.
        quality: Quality of the face picture, 0-100, higher is better, or None.
        luminance: Brightness of the face, 0-100, higher is brighter, or None.

    Example:
        >>> result = verifier.check_liveness(selfie)
        >>> print(result.decision, result.score)
        live 97 (didit/passive-liveness)
    """

    kind = "liveness"
    door = "is_live or .decision"

    decision: LivenessDecision
    method: str | None = None
    quality: float | None = None
    luminance: float | None = None

    @property
    def is_live(self) -> bool:
        """True only for `LivenessDecision.LIVE`."""
        return self.decision is LivenessDecision.LIVE

    def without_pass(self) -> Self:
        """Return the result; a live face becomes REVIEW."""
        return attrs.evolve(self, decision=LivenessDecision.REVIEW) if self.is_live else self


#: The result of a verifier's call.
Answer = MatchResult | LivenessResult


@attrs.frozen(kw_only=True)
class LiveMatchResult(NoTruth, Document):
    """The result of `verify_live`: a liveness check, usually followed by a comparison.

    The liveness check and the comparison are separate calls. Each has its own ids and charge and,
    with `Retention.KEEP`, its own record at the vendor.

    Attributes:
        decision: `VERIFIED` only if live and a match; otherwise the worse of the two decisions.
        liveness: The result of the liveness check.
        match: The result of the comparison; None if it was not made (and not charged), because the
            probe is not live or has no face that could be judged.

    Raises:
        ValueError: `decision` does not follow from the two results.

    Example:
        >>> result = verifier.verify_live(selfie, document)
        >>> print(result.decision, result.liveness.decision, result.match.decision)
        verified live match
    """

    kind = "live_match"
    door = "is_verified or .decision"

    decision: LiveMatchDecision
    liveness: LivenessResult
    match: MatchResult | None = None

    @classmethod
    def of(cls, liveness: LivenessResult, match: MatchResult | None) -> Self:
        """Combine a liveness result with a match result, or with None."""
        return cls(decision=_worse_decision(liveness, match), liveness=liveness, match=match)

    def __attrs_post_init__(self) -> None:
        if self.decision is not _worse_decision(self.liveness, self.match):
            raise ValueError(
                f"{self.decision} does not follow from {self.liveness.decision} and "
                f"{'no comparison' if self.match is None else self.match.decision}."
            )

    @property
    def ids(self) -> Ids:
        """The ids of the last call: of the comparison if it was made, else of the liveness check.

        To find or delete both records at the vendor, use `liveness.ids` and `match.ids`.
        """
        return self.liveness.ids if self.match is None else self.match.ids

    @property
    def route(self) -> Route | None:
        """The route of the last call; None outside a failover or a share."""
        return self.liveness.route if self.match is None else self.match.route

    @property
    def warnings(self) -> tuple[ResultWarning, ...]:
        """The warnings of the liveness check, followed by the comparison's."""
        return self.liveness.warnings + (() if self.match is None else self.match.warnings)

    @property
    def is_verified(self) -> bool:
        """True only for `LiveMatchDecision.VERIFIED`."""
        return self.decision is LiveMatchDecision.VERIFIED

    def without_pass(self) -> Self:
        """Return the result; each half that passed becomes REVIEW."""
        match = None if self.match is None else self.match.without_pass()
        return type(self).of(self.liveness.without_pass(), match)

    def __str__(self) -> str:
        """Return one line: the decision and both results."""
        match = "not compared" if self.match is None else str(self.match)
        return _one_line(f"{self.decision}: liveness {self.liveness}; match {match}")


def ends_early(liveness: LivenessResult) -> bool:
    """Return whether `verify_live` skips the comparison (not live, or no face to judge)."""
    return liveness.decision in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)


def _worse_decision(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchDecision:
    # StrEnum members of different enums can be equal, so check the types.
    if type(liveness) is not LivenessResult or not (match is None or type(match) is MatchResult):
        raise ValueError("A LiveMatchResult consists of a LivenessResult and a MatchResult.")
    if match is None and not ends_early(liveness):
        raise ValueError("Without a comparison only NOT_LIVE and INCONCLUSIVE are possible.")
    joint = joint_decision(liveness.decision)
    if match is None:
        return joint
    return max(joint, joint_decision(match.decision), key=_RANKS.__getitem__)


def joint_decision(decision: Decision | LivenessDecision) -> LiveMatchDecision:
    """Return what a decision means for both calls together, if the other call passes."""
    return LiveMatchDecision.VERIFIED if decision in PASSES else LiveMatchDecision(decision.value)


def rank_of(decision: Decision | LivenessDecision) -> int:
    """Return how bad a decision is: 0 for a pass, and 4 for the worst."""
    return _RANKS[joint_decision(decision)]


#: The rank of each joint decision: 0 for the best.
_RANKS = {decision: rank for rank, decision in enumerate(LiveMatchDecision)}


#: Maximum length of `str(result)`, because a vendor may return hundreds of warnings.
_LINE_CHARS = 500


def _one_line(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LINE_CHARS else f"{text[: _LINE_CHARS - 1].rstrip()}…"


@attrs.frozen(kw_only=True)
class CallRecord(Document):
    """The record of a call, used to find the call in the vendor's records later.

    Errors and events contain it as `call`. To survive a crash, persist the records from STARTED and
    SENT events. Contains no picture and no key.

    Attributes:
        id: Our id for the call, a UUID; the vendor's record contains it with `Retention.KEEP`.
        operation: The operation.
        backend: Name of the backend.
        started_at: Start time of the call, UTC, by this machine's clock.
        retention: How much the vendor was asked to store. With KEEP, its records contain the call.
        caller_ref: The caller's own reference, or None; shortens the search. Always None in events,
            which contain none of the caller's data. Not in `repr`.
        threshold, review_threshold: The call's thresholds, to be applied to a result found later.
        vendor_id: The vendor's id for the call, or None if not received.

    Example:
        >>> import json
        >>> row = json.dumps(error.call.to_dict())  # `error` is an `OutcomeUnknown`
        >>> call = CallRecord.from_dict(json.loads(row))
        >>> print(verifier.reconcile(call).outcome)
        found
    """

    kind = "call"

    id: str
    operation: Operation
    backend: str
    started_at: dt.datetime = attrs.field(validator=check_date)
    retention: Retention
    caller_ref: str | None = attrs.field(default=None, repr=False)
    threshold: Threshold | None = None
    review_threshold: Threshold | None = None
    vendor_id: str | None = None


@attrs.frozen(kw_only=True)
class Reconciliation(NoTruth):
    """The outcome of a search for a call in the vendor's records.

    Attributes:
        outcome: Whether the call was found.
        call: The record of the call.
        reason: An explanation and advice, for people.
        result: The result of the call; None unless `FOUND`.

    Raises:
        ValueError: `outcome` and `result` contradict each other.

    Example:
        >>> found = verifier.reconcile(error)  # an `OutcomeUnknown`
        >>> print(found.outcome, found.result.decision, found.result.billing.charged)
        found match yes
    """

    door = "outcome"

    outcome: Reconciled
    call: CallRecord
    reason: str
    result: Answer | None = None

    def __attrs_post_init__(self) -> None:
        if (self.outcome is Reconciled.FOUND) is (self.result is None):
            raise ValueError(f"{self.outcome} contradicts the result {type(self.result).__name__}.")
