"""Results and their parts, in the same terms for every vendor: immutable values without I/O.

In this order: enums, score and threshold, warnings and faces, billing and ids, results, and the
record of a call. A value out of range raises `ValueError` or `TypeError`.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, NoReturn

import attrs

from .documents import Document


class _DecisionEnum(enum.StrEnum):
    """A decision. Comparing it with a whole result raises TypeError."""

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
    #: A person should look: the vendor says so, or the score lies between two thresholds.
    REVIEW = "review"
    #: No pair of faces could be scored. Neither a match nor a mismatch.
    INCONCLUSIVE = "inconclusive"


class LivenessDecision(_DecisionEnum):
    """The decision of a passive liveness check of one picture."""

    LIVE = "live"
    NOT_LIVE = "not_live"
    #: A person should look, for example because the vendor declined for another reason.
    REVIEW = "review"
    #: No face could be judged.
    INCONCLUSIVE = "inconclusive"


PASSES = frozenset({Decision.MATCH, LivenessDecision.LIVE})


class LiveMatchDecision(_DecisionEnum):
    """The decision of liveness check and comparison together, from best to worst."""

    #: Live, and a match.
    VERIFIED = "verified"
    REVIEW = "review"
    INCONCLUSIVE = "inconclusive"
    NO_MATCH = "no_match"
    #: Not live. The comparison was not made, so it was not paid for.
    NOT_LIVE = "not_live"


class WarningCode(enum.StrEnum):
    """The subject of a warning; `OTHER` if there is no code for it."""

    LOW_SIMILARITY = "low_similarity"
    NO_FACE = "no_face"
    MULTIPLE_FACES = "multiple_faces"
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
    OTHER = "other"


class Severity(enum.StrEnum):
    """The severity of a warning, as the vendor rates it."""

    INFORMATION = "information"
    WARNING = "warning"
    #: The vendor declines because of it.
    ERROR = "error"
    #: The vendor used a word we do not know; treated like `ERROR`.
    UNKNOWN = "unknown"

    @property
    def is_grave(self) -> bool:
        """Whether a pass with such a warning becomes REVIEW."""
        return self in (Severity.ERROR, Severity.UNKNOWN)


class Advice(enum.StrEnum):
    """Advice that an application can give its user about a warning."""

    RETAKE_PHOTO = "retake_photo"
    BETTER_LIGHT = "better_light"
    ONE_FACE_ONLY = "one_face_only"
    #: The application must act, not its user.
    POSSIBLE_FRAUD = "possible_fraud"
    REVIEW = "review"


#: Advice by warning code. A code without an entry has no advice.
ADVICE: dict[WarningCode, Advice] = {
    WarningCode.NO_FACE: Advice.RETAKE_PHOTO,
    WarningCode.MULTIPLE_FACES: Advice.ONE_FACE_ONLY,
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
    """The data about a call that the vendor is asked to keep."""

    #: Keep nothing, if the vendor has an option for it.
    MINIMAL = "minimal"
    #: Keep the call, pictures included, as a record that can be read later.
    KEEP = "keep"


class ThresholdRule(enum.StrEnum):
    """The rule that compares a score with a threshold."""

    #: Passes if score > threshold.
    ABOVE = "above"
    #: Passes if score >= threshold.
    AT_LEAST = "at_least"
    #: The vendor's rule or value is unknown: only the vendor's verdict counts.
    VENDOR = "vendor"


class ThresholdSource(enum.StrEnum):
    """The origin of a threshold."""

    CALLER = "caller"
    PROFILE = "profile"
    #: The backend's documented default.
    DEFAULT = "default"
    #: The vendor's own, not set by us.
    VENDOR = "vendor"


class ScaleSource(enum.StrEnum):
    """How we know a vendor's scale."""

    DOCUMENTED = "documented"
    #: Set in the configuration.
    CONFIGURED = "configured"
    #: Neither: a setting's default was used.
    ASSUMED = "assumed"


class Operation(enum.StrEnum):
    """The operation of a call."""

    #: Compare two faces.
    MATCH = "match"
    #: Check one picture for a live face.
    LIVENESS = "liveness"
    #: Verify a person on the vendor's own page. `Sessions` starts and reads hosted sessions.
    SESSION = "session"


class Reconciled(enum.StrEnum):
    """The outcome of a search in the vendor's records."""

    #: The call was executed and charged; its result is attached.
    FOUND = "found"
    #: The call is not in the records, or not yet.
    NOT_YET = "not_yet"
    #: The records cannot show whether the call was executed.
    CANNOT_KNOW = "cannot_know"


# Validators and converters of fields, one typed function each: type checkers lose generic ones.


def percentage(value: float, name: str = "value") -> float:
    """Return `value` as a float; TypeError or ValueError unless it is a number from 0 to 100."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number from 0 to 100, not {type(value).__name__}.")
    # False for NaN, and no conversion: an int may be too large for a float.
    if not 0 <= value <= 100:
        raise ValueError(f"{name} must be between 0 and 100.")
    return float(value)


#: Rejects infinity and NaN, which JSON does not have.
_FINITE = attrs.validators.optional(
    [attrs.validators.ge(-sys.float_info.max), attrs.validators.le(sys.float_info.max)]
)


def check_aware(_: Any, attribute: attrs.Attribute[Any], value: dt.datetime | None) -> None:
    """Validator: the time is timezone-aware, or None."""
    if value is not None and value.utcoffset() is None:
        raise ValueError(f"{attribute.name} must be timezone-aware.")


def check_date(record: Any, attribute: attrs.Attribute[Any], value: dt.datetime | None) -> None:
    """Validator: a timezone-aware time in the years 1901-8999, so that date arithmetic is safe."""
    check_aware(record, attribute, value)
    if value is not None and not 1900 < value.year < 9000:
        raise ValueError(f"{attribute.name} must be in the years from 1901 to 8999.")


def _points(items: Mapping[str, Iterable[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(point) for name, point in items.items()}


@functools.total_ordering
@attrs.frozen(order=False)
class Score:
    """The similarity of two faces, or the liveness of one, on a named scale.

    Scores of the same scale can be compared and subtracted. Across scales `==` is False, and `<`
    and `-` raise `TypeError`: 90 from one vendor is not 90 from another.

    Attributes:
        value: 0 to 100, higher is more alike (more live). Not a probability.
        scale: Vendor and model or method, for example ``local/sface-2021dec``.
        raw: The vendor's own number; None if it equals `value` or was not returned. Not compared.
        raw_name: The vendor's name for `raw`, or None. Not compared.
        source: How we know the scale, or None. Not compared.
    """

    value: float = attrs.field(converter=percentage)
    scale: str = attrs.field(validator=attrs.validators.min_len(1))
    raw: float | None = attrs.field(
        default=None, validator=_FINITE, eq=False, repr=False, kw_only=True
    )
    raw_name: str | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)
    source: ScaleSource | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)

    @classmethod
    def from_fraction(
        cls,
        fraction: float,
        scale: str,
        *,
        raw_name: str | None = None,
        source: ScaleSource | None = ScaleSource.DOCUMENTED,
    ) -> Score:
        """Return the score for a vendor's number from 0 to 1; `raw` keeps that number.

        Decimal, not binary: 0.57 becomes 57, but 0.57 * 100 is a little less than 57.

        Raises:
            TypeError: `fraction` is not a number.
            ValueError: `fraction` lies outside 0 to 1.
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
        if not isinstance(other, Score):
            raise TypeError(
                f"A Score does not compare with a {type(other).__name__}: use its value, as in "
                "`result.score.value > 80`, or ask `result.is_match`."
            )
        if self.scale != other.scale:
            raise TypeError(
                f"Scores of {self.scale} and {other.scale} cannot be compared: "
                "give each backend its own threshold."
            )
        return self.value - other.value


@attrs.frozen
class Threshold:
    """The score where a pass begins, on the backend's scale.

    Pass ``Threshold(0.5)`` to a call to confirm so small a number.

    Attributes:
        value: 0 to 100; None if the vendor does not publish its threshold.
        rule: How a score is compared with the threshold.
        source: Who set the threshold.
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


@attrs.frozen(kw_only=True)
class ResultWarning:
    """A warning from the vendor (or the local engine).

    Attributes:
        code: The subject of the warning; `OTHER` if there is no code for it.
        severity: The severity, as the vendor rates it.
        tag: The vendor's own tag, unchanged; None for a warning of ours.
        text: The vendor's own text, unchanged, or our sentence. Never branch on it.
        advice: Advice that the application can give its user, or None.
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
    """The position of a face.

    Attributes:
        left, top, right, bottom: Edges, in pixels or as 0-1 of the picture's sides (see `unit`).
            The origin is the top left corner of the upright picture.
        unit: ``px`` or ``ratio``.
        of_width, of_height: Size in pixels of the picture that the edges refer to (a vendor may
            resize or rotate a picture); None if the vendor does not say.
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
        box: The position; None if the vendor does not say.
        confidence: The detector's confidence that this is a face, on the vendor's own scale (Didit:
            0-1; local: YuNet's, 0.6-1). Not a similarity.
        rotation: Degrees (0, 90, 180, 270) of the clockwise turn that showed the face, or None.
        similarity: The score of this face against the other picture's, or None.
        compared: Whether the result is about this face; None if the vendor does not say.
        landmarks: Points by the vendor's own names, each ``(x, y)`` in the unit of `box`, or None.
        pose: Degrees by the vendor's own names (``yaw``, ``pitch``, ``roll``), or None.
        quality: The vendor's own measures by the vendor's own names, or None.
    """

    box: Box | None = None
    confidence: float | None = None
    rotation: int | None = None
    similarity: Score | None = None
    compared: bool | None = None
    landmarks: Mapping[str, tuple[float, ...]] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_points), hash=False, repr=False
    )
    pose: Mapping[str, float] | None = attrs.field(default=None, hash=False, repr=False)
    quality: Mapping[str, float] | None = attrs.field(default=None, hash=False, repr=False)


#: The default of `Billing.charges`.
_CHARGES: dict[Charged, int | None] = {Charged.YES: 1, Charged.NO: 0, Charged.UNKNOWN: None}


@attrs.frozen
class Billing:
    """The charge for a call, as far as a client can know.

    Attributes:
        charged: Whether the vendor charged.
        ground: How we know, in a few words, or None.
        charges: Number of charges: 0 for NO, 1 or more for YES; None if unknown.
    """

    charged: Charged = Charged.UNKNOWN
    ground: str | None = None
    charges: int | None = attrs.field(
        default=attrs.Factory(lambda self: _CHARGES[self.charged], takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        is_known = self.charges is not None and self.charged is not Charged.UNKNOWN
        if is_known and (self.charged is Charged.YES) is not bool(self.charges):
            raise ValueError(f"{self.charges} charges do not go with charged={self.charged}.")


@attrs.frozen(kw_only=True)
class Ids:
    """The ids of one call.

    Attributes:
        call: Our id of the call, a UUID; None only until the verifier fills it in.
        vendor: The vendor's id of the call; None if there is none.
        session: The vendor's id of the record that it kept; None if it kept none.
        caller: The caller's own reference, unchanged; not in `repr`.
    """

    call: str | None = None
    vendor: str | None = None
    session: str | None = None
    caller: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Skipped:
    """A failover member that did not answer.

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
    """The members that a failover tried for one call.

    Attributes:
        answered_by: Name of the member that answered; None if none did.
        skipped: The members tried before, in order; for an error, all members tried.
    """

    answered_by: str | None = None
    skipped: tuple[Skipped, ...] = ()


#: True for mypy only. A `__bool__` that returns NoReturn would make mypy skip the code after
#: `if result:` silently; without `__bool__` it reports `truthy-bool`.
MYPY = False


class NoTruth:
    """An object without a truth value: `bool()` raises `TypeError`, and type checkers report it."""

    #: The attribute to use instead.
    door: ClassVar[str]

    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise TypeError(
                f"A {type(self).__name__} has no truth value: REVIEW, INCONCLUSIVE and CANNOT_KNOW "
                f"are neither yes nor no. Use .{self.door}, or `is not None` to test for a result."
            )


@attrs.frozen(kw_only=True)
class Result(NoTruth, Document):
    """The common part of all results.

    Attributes:
        score: 0-100 on a named scale; None if the vendor returned none (never 0 instead).
        threshold: The score where a pass begins; None if the vendor states none and none was set.
        review_threshold: A pass with a score not above this became REVIEW; None if not set.
        warnings: Warnings, in the vendor's order.
        vendor_status: The vendor's own status, unchanged, or None.
        backend: Name of the backend that answered.
        model: Model or version of the vendor's engine; None if the vendor does not say.
        environment: The environment in the response, else in the backend's setting, or None.
        probe_faces: Faces found in the probe, in the vendor's order; None if the vendor does not
            say, () if it found none.
        billing: The charge for the call.
        ids: The ids of the call: ours, the vendor's and the caller's.
        route: The members that were tried; None outside a failover.
        metadata: The caller's metadata, whether sent to the vendor or not; not in `repr`.
        created_at: The vendor's own time of the answer, UTC; None if the vendor does not say.
        elapsed_s: Seconds from the call to the result, preparation included; at least 0.
        raw: The body without pictures, secrets and guesses about the person; not in `repr`.
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
        words = [f"{getattr(self, 'decision', type(self).__name__)}"]
        if self.score is not None:
            words[0] += f" {self.score}"
        if self.threshold is not None and self.threshold.value is not None:
            words.append(f"threshold {self.threshold.value:g}")
        if self.environment not in (None, Environment.PRODUCTION):
            words.append(f"from {self.environment}")
        words += [f"{warning.code}" for warning in self.warnings]
        return _one_line(", ".join(words))


@attrs.frozen(kw_only=True)
class MatchResult(Result):
    """The result of a comparison of two faces.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` if no pair of faces could be scored.
        reference_faces: Like `probe_faces`, for the reference.
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


@attrs.frozen(kw_only=True)
class LivenessResult(Result):
    """The result of a passive liveness check of one picture.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` if no face could be judged.
        method: The vendor's name of the method (``PASSIVE``), or None.
        quality: Quality of the face picture, 0-100, higher is better, or None.
        luminance: Brightness of the face, 0-100, higher is brighter, or None.
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


#: The result of a verifier's call.
Answer = MatchResult | LivenessResult


@attrs.frozen(kw_only=True)
class LiveMatchResult(NoTruth, Document):
    """The result of a liveness check and, unless the check ends the call, of the comparison.

    Liveness check and comparison are separate calls, each with its own ids, charge and, with
    `Retention.KEEP`, record at the vendor: `verify_live` then leaves two records.

    Attributes:
        decision: `VERIFIED` only if live and a match; else the worse of the two.
        liveness: The liveness check, always made first.
        match: The comparison; None if it was not made (and so not paid for) because the probe is
            not live or has no face that could be judged.

    Raises:
        ValueError: `decision` does not follow from the two results.
    """

    kind = "live_match"
    door = "is_verified or .decision"

    decision: LiveMatchDecision
    liveness: LivenessResult
    match: MatchResult | None = None

    @classmethod
    def of(cls, liveness: LivenessResult, match: MatchResult | None) -> LiveMatchResult:
        """Return both results as one."""
        return cls(decision=_worse_decision(liveness, match), liveness=liveness, match=match)

    def __attrs_post_init__(self) -> None:
        if self.decision is not _worse_decision(self.liveness, self.match):
            raise ValueError(
                f"{self.decision} does not follow from {self.liveness.decision} and "
                f"{'no comparison' if self.match is None else self.match.decision}."
            )

    @property
    def ids(self) -> Ids:
        """The ids of the last call: the comparison's if it was made, else the liveness check's.

        To find or delete all that the vendor kept, use `liveness.ids` and `match.ids`.
        """
        return self.liveness.ids if self.match is None else self.match.ids

    @property
    def route(self) -> Route | None:
        """The members that answered and were skipped in the last call; None outside a failover."""
        return self.liveness.route if self.match is None else self.match.route

    @property
    def warnings(self) -> tuple[ResultWarning, ...]:
        """The warnings of both calls, the liveness check's first."""
        return self.liveness.warnings + (() if self.match is None else self.match.warnings)

    @property
    def is_verified(self) -> bool:
        """True only for `LiveMatchDecision.VERIFIED`."""
        return self.decision is LiveMatchDecision.VERIFIED

    def __str__(self) -> str:
        """Return one line: the decision and both results."""
        match = "not asked" if self.match is None else str(self.match)
        return _one_line(f"{self.decision}: liveness {self.liveness}; match {match}")


def ends_early(liveness: LivenessResult) -> bool:
    """Return whether `verify_live` ends without a comparison: not live, or no face judged."""
    return liveness.decision in (LivenessDecision.NOT_LIVE, LivenessDecision.INCONCLUSIVE)


def _worse_decision(liveness: LivenessResult, match: MatchResult | None) -> LiveMatchDecision:
    # StrEnum members of different enums can be equal, so check the types.
    if type(liveness) is not LivenessResult or not (match is None or type(match) is MatchResult):
        raise ValueError("Only a LivenessResult and a MatchResult make one LiveMatchResult.")
    if match is None and not ends_early(liveness):
        raise ValueError("Without a comparison only NOT_LIVE and INCONCLUSIVE are possible.")
    words = {answer.decision.value for answer in (liveness, match) if answer is not None}
    passed = {Decision.MATCH.value, LivenessDecision.LIVE.value}
    decisions = [LiveMatchDecision(word) for word in words - passed]
    return max(decisions, key=[*LiveMatchDecision].index, default=LiveMatchDecision.VERIFIED)


#: Enough for two results with some warnings; a vendor may send hundreds of warnings.
_LINE_CHARS = 500


def _one_line(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LINE_CHARS else f"{text[: _LINE_CHARS - 1].rstrip()}…"


@attrs.frozen(kw_only=True)
class CallRecord(Document):
    """The record of a call, to find it in the vendor's records later.

    Errors and the events STARTED and SENT carry it as `call`: persist the events' records to
    survive a crash. Contains no picture and no key.

    Attributes:
        id: Our id of the call, a UUID; it is in the vendor's records if the call was kept.
        operation: The operation.
        backend: Name of the backend.
        started_at: When the call began, UTC, by this machine's clock.
        kept: Whether the vendor was asked to keep the call. If not, it cannot be found.
        caller_ref: The caller's own reference, or None; shortens the search. None in events, which
            contain none of the caller's data. Not in `repr`.
        threshold, review_threshold: The call's thresholds, to judge a result that is found later.
        vendor_id: The vendor's own id of the call, if it came before the call was lost.
    """

    kind = "call"

    id: str
    operation: Operation
    backend: str
    started_at: dt.datetime = attrs.field(validator=check_date)
    kept: bool
    caller_ref: str | None = attrs.field(default=None, repr=False)
    threshold: Threshold | None = None
    review_threshold: Threshold | None = None
    vendor_id: str | None = None

    @property
    def retention(self) -> Retention:
        """The retention that was requested."""
        return Retention.KEEP if self.kept else Retention.MINIMAL


@attrs.frozen(kw_only=True)
class Reconciliation(NoTruth):
    """The outcome of a search for a call in the vendor's records.

    Attributes:
        outcome: `FOUND` only with a result.
        call: The call that was looked for.
        reason: A sentence for people: why, and what to do.
        result: The result of the call; None unless `FOUND`.

    Raises:
        ValueError: `outcome` and `result` contradict each other.
    """

    door = "outcome"

    outcome: Reconciled
    call: CallRecord
    reason: str
    result: Answer | None = None

    def __attrs_post_init__(self) -> None:
        if (self.outcome is Reconciled.FOUND) is (self.result is None):
            raise ValueError(f"{self.outcome} does not go with {type(self.result).__name__}.")
