"""The results of a comparison: plain values without computation or files.

Rates and shares are 0-1, thresholds and scores are on the scale of the system, times are in
seconds, and money is in the currency in the field beside it.

Terms, after ISO/IEC 19795-1:2021: a *mated* pair shows one person, a *non-mated* pair two. FMR is
the share of non-mated pairs that pass a threshold (false matches), FNMR the share of mated pairs
that do not (false non-matches), both among pairs with two faces to compare. FTA, failure to
acquire, is the share of the other pairs. FRR is the share of mated pairs that are rejected for
either reason, FAR the share of non-mated pairs that are accepted.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attr
import attrs

from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, ThresholdRule

#: Version of the JSON schema; 0 until facematch 1.0: it may change in a minor release.
SCHEMA: Final = 0


class Method(enum.StrEnum):
    """The method of an interval."""

    #: Clopper-Pearson interval, for independent pairs.
    EXACT = "exact"
    #: Clustered by person, because pairs that share a person are not independent.
    CLUSTERED = "clustered"
    #: Wider interval for few errors or few people.
    CONSERVATIVE = "conservative"
    #: Bootstrap over people.
    BOOTSTRAP = "bootstrap"


@attrs.frozen(kw_only=True)
class Interval:
    """A confidence interval for a true value.

    Attributes:
        low, high: Bounds, inclusive.
        confidence: Confidence level, for example 0.95.
        effective: Number of independent pairs with the same information; None if it is not a rate.
        freedom: Degrees of freedom of the estimated variance; None if it was not estimated.
    """

    low: float
    high: float
    confidence: float
    method: Method
    effective: float | None = None
    freedom: float | None = None

    def widened(self, other: Interval) -> Interval:
        """Return this interval, extended to contain the other."""
        return attrs.evolve(self, low=min(self.low, other.low), high=max(self.high, other.high))


@attrs.frozen(kw_only=True)
class Rate:
    """An error rate: `errors` of `trials`.

    Attributes:
        subjects: Number of people in the trials; None if unknown.
        interval: Interval for the true rate; None without trials, and for plain counts.
    """

    errors: int
    trials: int
    subjects: int | None = None
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """`errors` / `trials`; None without a trial."""
        return self.errors / self.trials if self.trials else None


@attrs.frozen(kw_only=True)
class Estimate:
    """An observed value other than a rate, and the interval for the true value."""

    value: float
    interval: Interval


@attrs.frozen(kw_only=True)
class Evidence:
    """The source of an evaluation's answers, and the options to reproduce it.

    Attributes:
        file: Name of the file of scores, or of the run database, without its folder.
        sha256: SHA-256 of the file of scores, in hex; for a run database, its `digest_answers`.
        options: The command-line options that affect a number: arguments by option (``--fmr``),
            with file names but no folders. A flag has no arguments.
    """

    file: str
    sha256: str
    options: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SampleSize:
    """Numbers of pairs and people. ``pairs`` is the sum of ``mated`` and ``non_mated``."""

    pairs: int
    mated: int
    non_mated: int
    subjects: int


@attrs.frozen(kw_only=True)
class StudySummary:
    """The test set.

    Attributes:
        digest: SHA-256 of pairs, groups and pictures, in hex; None for a file of scores.
        calibration, evaluation: The parts on which thresholds are chosen and judged. Without a
            split, None and the whole test set.
        groups: Size of each group, counting pairs within the group, by column and group.
        people_known: Whether the data name the people in the pictures; see `Answers`.
    """

    name: str
    digest: str | None
    whole: SampleSize
    calibration: SampleSize | None
    evaluation: SampleSize
    groups: Mapping[str, Mapping[str, SampleSize]] = attrs.field(factory=dict)
    people_known: bool = True


@attrs.frozen(kw_only=True)
class OperatingPoint:
    """The rates of a system at one threshold.

    Attributes:
        threshold: The threshold; None for the vendor's own decisions.
        chosen_on: ``calibration`` (other people than the judged ones), ``evaluation`` (the judged
            pairs; the interval of `fmr` is then that of an order statistic, and its upper end
            holds), ``default`` (the threshold of the run) or ``fixed`` (a given threshold).
        fmr, fnmr: False matches and false non-matches among pairs that were acquired.
        far, frr: The same among all answered pairs. A failure to acquire counts as an error of a
            mated pair, and as a correct rejection of a non-mated pair. Decide by `frr`.
        calibration_fmr: `fmr` on the pairs for which the threshold was chosen, or None.
        frr_at_fmr, fnmr_at_fmr: Intervals at the FMR for which the threshold was chosen, from a
            bootstrap over people with new thresholds. They contain the intervals of `frr` and
            `fnmr`, which hold only at this threshold. None below five expected false matches.
    """

    threshold: float | None
    rule: ThresholdRule
    chosen_on: str
    fmr: Rate
    fnmr: Rate
    far: Rate
    frr: Rate
    calibration_fmr: Rate | None = None
    frr_at_fmr: Interval | None = None
    fnmr_at_fmr: Interval | None = None

    def shown(self, rate: str) -> Rate:
        """Return a rate as pages show it: with the interval at the FMR if there is one."""
        at_threshold: Rate = getattr(self, rate)
        at_fmr = getattr(self, f"{rate}_at_fmr", None)
        return attrs.evolve(at_threshold, interval=at_fmr) if at_fmr else at_threshold


@attrs.frozen(kw_only=True)
class Curve:
    """A DET curve, thinned for a page: rates and the bounds of their intervals at K thresholds.

    Attributes:
        confidence: Confidence of each interval by itself.
        eer: The equal error rate, interpolated linearly where FMR equals FNMR. It is not a headline
            number, because no application uses that threshold.
    """

    thresholds: tuple[float, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    frr: tuple[float, ...]
    fmr_low: tuple[float, ...]
    fmr_high: tuple[float, ...]
    fnmr_low: tuple[float, ...]
    fnmr_high: tuple[float, ...]
    frr_low: tuple[float, ...]
    frr_high: tuple[float, ...]
    confidence: float
    eer: float | None


@attrs.frozen(kw_only=True)
class Histogram:
    """Histograms of the scores of mated and non-mated judged pairs.

    Attributes:
        edges: Edges of equally wide bins, from the lowest to the highest score. A score on an edge
            is in the bin above it; the highest score is in the last bin.
    """

    edges: tuple[float, ...]
    mated: tuple[int, ...]
    non_mated: tuple[int, ...]


@attrs.frozen(kw_only=True)
class Transactions:
    """Rates if a person may try several times: the best attempt counts.

    Attributes:
        attempts: Number of first attempts that count. A failure to acquire counts as one.
        size: Number of transactions in the whole test set (``pairs``), and of people.
        at_required, at_default: Rates of transactions at the thresholds of the system, which are
            chosen on attempts.
    """

    attempts: int
    size: SampleSize
    at_required: OperatingPoint | None
    at_default: OperatingPoint | None
    curve: Curve | None = None


@attrs.frozen(kw_only=True)
class Concentration:
    """Dependence of an FMR, or of the threshold for it, on few people.

    For a threshold that was chosen for a required FMR, the pairs are the non-mated pairs that set
    it: the highest ones, one more than may pass, and ties with the last of them. For the system's
    own threshold, they are its false matches.

    Attributes:
        people: Number of people in the pairs, on either side.
        worst_person: Share of the pairs with the most frequent person.
        person: Name of that person in the file of scores; None without names.
        threshold_without: The chosen threshold without the pairs of that person, or None.
    """

    pairs: int
    people: int
    worst_person: float
    person: str | None = None
    threshold_without: float | None = None


@attrs.frozen(kw_only=True)
class PointAt:
    """A system's operating point at one of the FMRs that all reports show.

    Attributes:
        fmr: The required FMR: 0.01, 0.001 or 0.0001.
        point: Rates at the threshold for it; None if no threshold is possible, or fewer than five
            false matches are expected.
        why_not: The reason why there is no `point`, as a sentence.
        pairs_needed: Number of non-mated pairs needed, if there are too few; else None.
    """

    fmr: float
    point: OperatingPoint | None
    why_not: str | None = None
    pairs_needed: int | None = None


@attrs.frozen(kw_only=True)
class GroupCell:
    """A group at the system's threshold for the required FMR, or at its own.

    Attributes:
        fmr: FMR of non-mated pairs within the group.
        frr, fta: FRR and failures to acquire of mated pairs of the group.
        fmr_ratio, frr_ratio: Ratio to the rate of all pairs within groups of the column, with an
            interval corrected for the number of groups. A group without errors has the ratio 0
            and an upper bound. None if no group has an error, or this cell is too small.
        too_few: The reason why this cell is too small, as a sentence; else None.
    """

    column: str
    group: str
    fmr: Rate
    frr: Rate
    fta: Rate = Rate(errors=0, trials=0)
    fmr_ratio: Estimate | None = None
    frr_ratio: Estimate | None = None
    too_few: str | None = None


@attrs.frozen(kw_only=True)
class GroupDifference:
    """The difference between groups of one column in one rate (ISO/IEC 19795-10).

    Attributes:
        rate: ``fmr`` or ``frr``.
        worst, best: The groups with the highest and the lowest rate among large enough groups.
        ratio: Highest over lowest rate; None if the lowest is 0.
        differential: Highest rate over the geometric mean of all rates; None if a rate is 0.
        at_least: Lower bound of the true ratio at the confidence of the evaluation, corrected for
            the selection of the two groups; at least 1.
        p_value: Adjusted for all columns, rates and systems (Holm); None if it is not computable.
        is_real: Whether `p_value` is below 1 - confidence.
    """

    column: str
    rate: str
    worst: str
    best: str
    ratio: float | None
    differential: float | None
    at_least: float
    p_value: float | None
    is_real: bool
    sentence: str


@attrs.frozen(kw_only=True)
class Service:
    """Availability, latency and cost of a service.

    Attributes:
        calls: Number of pairs to compare.
        answered, acquisition: Unanswered calls, and failures to acquire among answered pairs. They
            have no interval: an outage affects many calls, and a picture fails in all of its pairs.
        not_answered: Number of unanswered calls by error name, ``unknown`` or ``not asked``.
        latency_s: Seconds by percentile (``50``, ``90``, ``95``, ``99``), each only if at least one
            of the `timed` calls lies beyond it.
        cost: Cost of all calls that were charged, or may have been; None without a price.
        price: Price of one comparison, or None.
        cost_per_verified: `cost` of the mated pairs divided by the number of them that matched in
            the run; None if none did, or without a price.
    """

    calls: int
    answered: Rate
    not_answered: Mapping[str, int]
    acquisition: Rate
    latency_s: Mapping[str, float] = attrs.field(factory=dict)
    timed: int = 0
    cost: float | None = None
    price: float | None = None
    currency: str | None = None
    cost_per_verified: float | None = None


@attrs.frozen(kw_only=True, repr=False)
class System:
    """A vendor, model or configuration in a comparison.

    Attributes:
        backend, model, scale: Values in the system's results; None if missing or not unique.
        environment: Origin of the answers; None for a file of scores.
        kind: ``scores``, or ``decisions`` for a single operating point without a curve.
        at_required: Rates at the threshold for the required FMR, or at the fixed threshold.
        at_default: Rates at the threshold of the run.
        why_not: The reason why there is no `at_required`, as a sentence.
        curve, score_range, histogram: None without scores. Reversed scores have no curve.
        privacy: What is known about data kept by the vendor, as a sentence.
        without_score: Number of acquired pairs without a score. At any threshold, FRR and FAR
            count them as rejected; FMR and FNMR leave them out.
        pairs_needed: Number of non-mated pairs needed, if there are too few; else None.
        at_fmrs: Rates at the FMRs that all reports show, highest FMR first; empty without scores.
        concentration: How few people bring the pairs that set the threshold of `at_required`;
            without it, the false matches at `at_default`. None if there are no such pairs.
        transactions: Rates per transaction of several attempts, if the data define any. All other
            rates are per attempt.
    """

    name: str
    backend: str | None
    model: str | None
    scale: str | None
    environment: Environment | None
    kind: str
    at_required: OperatingPoint | None
    at_default: OperatingPoint | None
    why_not: str | None
    curve: Curve | None
    score_range: tuple[float, float] | None
    service: Service
    privacy: str
    without_score: int = 0
    pairs_needed: int | None = None
    at_fmrs: tuple[PointAt, ...] = ()
    concentration: Concentration | None = None
    groups: tuple[GroupCell, ...] = ()
    group_differences: tuple[GroupDifference, ...] = ()
    transactions: Transactions | None = None
    histogram: Histogram | None = None

    @property
    def point(self) -> OperatingPoint | None:
        """The operating point to judge: `at_required`, or else `at_default`."""
        return self.at_required or self.at_default


@attrs.frozen(kw_only=True)
class Difference:
    """The comparison of two systems on the same pairs, each at its threshold for the required FMR.

    Systems are not compared without common pairs or thresholds, or below five expected false
    matches. All numbers from `errors_first` to `p_adjusted` are then None.

    Attributes:
        pairs: Number of mated pairs that both systems answered.
        errors_first, errors_second: Number of these pairs that the system rejected.
        only_first, only_second: Number of these pairs that only this system rejected.
        frr: FRR of the first minus FRR of the second, on these pairs. Its interval is from a paired
            bootstrap by person with new thresholds, and no narrower than `exact`.
        exact: The interval at fixed thresholds (Agresti and Min).
        p_value: Two-sided p-value of the same bootstrap, and at least `p_exact`, because a
            bootstrap repeats only the few observed errors.
        p_exact: The p-value of McNemar's test at fixed thresholds, clustered by person (Durkalski).
        p_adjusted: `p_value` after Holm's correction over all differences.
        is_real: Whether `p_adjusted` is below 1 - confidence: the one rule of sentences and tables.
        better: The name of the system with the lower FRR if `is_real`, else None.
        beyond: Names of systems whose FMR is significantly above the required one, so that their
            FRR looks better than it is.
        sentence: The result in words, or the reason why they are not compared.
    """

    first: str
    second: str
    pairs: int
    subjects: int
    errors_first: int | None = None
    errors_second: int | None = None
    only_first: int | None = None
    only_second: int | None = None
    frr: Estimate | None = None
    exact: Interval | None = None
    p_value: float | None = None
    p_exact: float | None = None
    p_adjusted: float | None = None
    is_real: bool = False
    better: str | None = None
    beyond: tuple[str, ...] = ()
    sentence: str = ""


@attrs.frozen(kw_only=True)
class Caveat:
    """A limitation of a comparison.

    Attributes:
        code: Code for programs, for example ``fmr_floor``.
        systems: Names of the systems concerned; empty for the whole comparison.
        text: One or two sentences, including the numbers and the names of the systems.
    """

    code: str
    systems: tuple[str, ...]
    text: str


@attrs.frozen(kw_only=True, repr=False)
class Evaluation:
    """The results of a comparison.

    Attributes:
        headline: The verdict in one sentence.
        limit: The most important caveat to the headline, in one sentence; None if every FMR is
            shown to be within the required one, or if there is no rate.
        required_fmr: The FMR at which systems are compared.
        confidence: Confidence level of every interval.
        differences: One entry for each two of the `systems`, in the order of `systems`.
        caveats: What cannot be concluded: for single systems first, then for all.
        made_at: Time of the evaluation, UTC.
        version: Version of facematch.
    """

    headline: str
    study: StudySummary
    required_fmr: float
    confidence: float
    systems: tuple[System, ...]
    differences: tuple[Difference, ...]
    caveats: tuple[Caveat, ...]
    made_at: datetime
    version: str
    limit: str | None = None
    seed: int = 0
    evidence: Evidence | None = None

    def __repr__(self) -> str:
        return f"<Evaluation {self.study.name}: {self.headline}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (``"schema": 0``, ``"kind": "comparison"``), unrounded."""
        return {"schema": SCHEMA, "kind": "comparison", **as_json(self)}


def as_json(thing: Any) -> dict[str, Any]:
    """Return a value of this package as values that `json` can encode."""
    # The function of this name in `attrs` keeps tuples.
    return attr.asdict(thing, value_serializer=_json_value)


def _json_value(_owner: Any, _field: Any, value: Any) -> Any:
    if isinstance(value, Rate):
        # Spare readers the division.
        return attrs.asdict(value, recurse=False) | {"value": value.value}
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest("A comparison has a number that JSON cannot encode: report this.")
    return value
