"""The results of a comparison as plain values.

Rates and shares range from 0 to 1. Thresholds and scores are on the system's scale, times are in
seconds, and prices and costs are in the `currency` of the same object.

Terms follow ISO/IEC 19795-1:2021. A *mated* pair shows one person, a *non-mated* pair two different
people. A pair is *acquired* if its faces could be compared. FMR is the share of acquired non-mated
pairs that match, FNMR the share of acquired mated pairs that do not. FTA (failure to acquire) is
the share of pairs that are not acquired. FRR is the share of mated pairs that are rejected because
they do not match or are not acquired. FAR is the share of non-mated pairs that are accepted.
"""

from __future__ import annotations

import enum
import html
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import attr
import attrs

from facematch_core.batch.records import check_currency
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, ThresholdRule

#: Version of the JSON schema. It stays 0 until facematch 1.0: minor releases may change the schema.
SCHEMA: Final = 0


class Method(enum.StrEnum):
    """The method by which an interval was computed."""

    #: Clopper-Pearson interval, for independent pairs.
    EXACT = "exact"
    #: Clustered by person, because pairs that share a person are not independent.
    CLUSTERED = "clustered"
    #: Wider than `CLUSTERED`, for few errors or few people.
    CONSERVATIVE = "conservative"
    #: By the influence of each pair, also on the threshold, clustered by person.
    INFLUENCE = "influence"
    #: Bootstrap over people, with a new threshold in each resample.
    BOOTSTRAP = "bootstrap"


@attrs.frozen(kw_only=True)
class Interval:
    """A confidence interval for a true value.

    Attributes:
        low, high: Bounds, inclusive.
        confidence: Confidence level, for example 0.95.
        effective: Effective sample size: the number of independent pairs that carry the same
            information. None if the value is not a rate.
        freedom: Degrees of freedom of the estimated variance; None if it was not estimated.
    """

    low: float
    high: float
    confidence: float
    method: Method
    effective: float | None = None
    freedom: float | None = None

    @property
    def width(self) -> float:
        """`high` - `low`."""
        return self.high - self.low

    def times(self, factor: float) -> Interval:
        """Return the interval for `factor` times the value; the factor is at least 0."""
        return attrs.evolve(self, low=self.low * factor, high=self.high * factor)

    def widened(self, interval: Interval) -> Interval:
        """Return this interval, widened to contain the other one."""
        return attrs.evolve(
            self, low=min(self.low, interval.low), high=max(self.high, interval.high)
        )


@attrs.frozen(kw_only=True)
class Rate:
    """An error rate: `errors` out of `trials`.

    Attributes:
        subjects: Number of people in the trials; None if unknown.
        interval: Interval for the true rate; None without trials, and for the rates of a `Service`.
    """

    errors: int
    trials: int
    subjects: int | None = None
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """`errors` / `trials`; None without trials."""
        return self.errors / self.trials if self.trials else None


@attrs.frozen(kw_only=True)
class Estimate:
    """An observed value other than a rate, with an interval for the true value."""

    value: float
    interval: Interval

    @property
    def opposite(self) -> Estimate:
        """The estimate with the other sign: what is saved becomes what is lost."""
        ends = self.interval
        return Estimate(
            value=-self.value, interval=attrs.evolve(ends, low=-ends.high, high=-ends.low)
        )

    def plus(self, amount: float) -> Estimate:
        """Return the estimate, moved by a number that is known."""
        ends = self.interval
        moved = attrs.evolve(ends, low=ends.low + amount, high=ends.high + amount)
        return Estimate(value=self.value + amount, interval=moved)


@attrs.frozen(kw_only=True)
class Costs:
    """What errors cost, in `currency`.

    Attributes:
        false_match, false_reject: The cost of one error of this kind.
    """

    false_match: float
    false_reject: float
    currency: str = attrs.field(validator=check_currency)


@attrs.frozen(kw_only=True)
class Traffic:
    """The calls of a year in production, as the caller expects them.

    Attributes:
        calls_per_year: Number of calls in a year.
        impostors: Share of these calls that are made by impostors.
        costs: What errors cost; None if the caller did not say.
    """

    calls_per_year: int
    impostors: float
    costs: Costs | None = None


@attrs.frozen(kw_only=True)
class Year:
    """The errors that a system is expected to make in a year of `Traffic`, and their cost.

    Impostors are taken to pass as often as non-mated pairs do, and genuine people to be rejected as
    often as mated pairs are.

    Attributes:
        false_matches: Impostors who pass: FAR times their calls.
        false_rejects: Genuine people who are rejected: FRR times their calls.
        cost_of_errors: Cost of both kinds, in the currency of the costs; None without costs.
        cost_of_calls: Price of all calls, in the currency of the `Service`; None without a price.
        cost: Cost of errors and of calls; None if one is unknown, or if their currencies differ.
        sentence: The year in words.
    """

    false_matches: Estimate
    false_rejects: Estimate
    cost_of_errors: Estimate | None = None
    cost_of_calls: float | None = None
    cost: Estimate | None = None
    sentence: str = ""


@attrs.frozen(kw_only=True)
class Share:
    """A share of calls, 0-1.

    Attributes:
        count, of: The number that counts, and of all.
        interval: The interval for the true share, by person; None if `of` is 0.
    """

    count: int
    of: int
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """`count` / `of`; None if `of` is 0."""
        return self.count / self.of if self.of else None


@attrs.frozen(kw_only=True)
class ReviewersAgree:
    """How far two reviewers agree about the calls that both labelled yes or no.

    Attributes:
        first, second: The names of their files.
        agreement: The share with the same label.
        kappa: Cohen's kappa, -1 to 1; None if both gave all calls the same label.
        wrong_share: The share of wrong labels, 0-0.5, of two reviewers who err as often as each
            other and independently; None if they contradict each other in half of the labels.
    """

    first: str
    second: str
    agreement: Share
    kappa: Estimate | None
    wrong_share: float | None


@attrs.frozen(kw_only=True)
class Evidence:
    """The source of the answers in an evaluation, and the options that reproduce it.

    Attributes:
        file: Name of the score file or run database, without its folder.
        sha256: SHA-256 of the score files, in hex; for a run database, its `digest_answers`.
        options: Arguments of the command-line options that affect the results, by option
            (``--fmr``); empty for a flag. File names are without their folders.
        notes: Notes on the score files, for example on skipped columns.
    """

    file: str
    sha256: str
    options: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class SampleSize:
    """The number of pairs and people. ``pairs`` is the sum of ``mated`` and ``non_mated``."""

    pairs: int
    mated: int
    non_mated: int
    subjects: int


@attrs.frozen(kw_only=True)
class StudySummary:
    """A summary of the test set.

    Attributes:
        digest: SHA-256 of pairs, groups and pictures, in hex; None for a score file.
        groups: Size of each group, by column and group name. Only pairs within the group count.
        people_known: Whether the data name the people in the pictures; see `Answers`.
    """

    name: str
    digest: str | None
    size: SampleSize
    groups: Mapping[str, Mapping[str, SampleSize]] = attrs.field(factory=dict)
    people_known: bool = True


@attrs.frozen(kw_only=True)
class OperatingPoint:
    """The error rates of a system at one threshold.

    Attributes:
        threshold: The threshold; None for the vendor's own decisions.
        chosen_on: ``evaluation`` if the threshold was chosen on the judged pairs; the upper bound
            of `fmr` accounts for that. ``default`` is the threshold of the run, ``fixed`` one that
            the caller passed.
        fmr, fnmr: False matches and false non-matches among acquired pairs.
        far, frr: False acceptances and false rejections among all answered pairs; a failure to
            acquire is treated as a rejection. Compare systems by `frr`.
        frr_at_fmr, fnmr_at_fmr: Intervals of `frr` and `fnmr` at the required FMR. They account for
            the choice of the threshold (`INFLUENCE`, or `BOOTSTRAP`), and contain the intervals of
            the two rates, which are valid only at this threshold. None at other FMRs, and below
            five expected false matches.
    """

    threshold: float | None
    rule: ThresholdRule
    chosen_on: str
    fmr: Rate
    fnmr: Rate
    far: Rate
    frr: Rate
    frr_at_fmr: Interval | None = None
    fnmr_at_fmr: Interval | None = None

    def shown(self, rate: str) -> Rate:
        """Return a rate by name, with its interval at the required FMR if there is one."""
        at_threshold: Rate = getattr(self, rate)
        at_fmr = getattr(self, f"{rate}_at_fmr", None)
        return attrs.evolve(at_threshold, interval=at_fmr) if at_fmr else at_threshold


@attrs.frozen(kw_only=True)
class Curve:
    """A DET curve, thinned for display: rates and the bounds of their intervals at K thresholds.

    Attributes:
        confidence: Confidence level of each single interval, not of the whole curve.
        eer: Equal error rate, where FMR equals FNMR, by linear interpolation. The headline does
            not show it, because no application uses that threshold. Its interval is recovered from
            those of both rates.
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
    eer: Estimate


@attrs.frozen(kw_only=True)
class Histogram:
    """Histograms of the scores of the judged pairs, mated and non-mated.

    Attributes:
        edges: Edges of bins of equal width, from the lowest to the highest score. A score on an
            edge belongs to the bin above it; the highest score belongs to the last bin.
    """

    edges: tuple[float, ...]
    mated: tuple[int, ...]
    non_mated: tuple[int, ...]


@attrs.frozen(kw_only=True)
class Concentration:
    """How much an FMR, or the threshold for it, depends on a few people.

    If the threshold was chosen for a required FMR at which k pairs may pass, `pairs` counts the k +
    1 non-mated pairs with the highest scores, and ties with the last of these. For any other
    threshold, `pairs` counts the false matches.

    Attributes:
        worst_person: Share of these pairs that show the most frequent person.
        person: Name of that person in the score file; None without names.
    """

    pairs: int
    worst_person: float
    person: str | None = None


@attrs.frozen(kw_only=True)
class PointAt:
    """The operating point of a system at one of the FMRs that all reports show.

    Attributes:
        fmr: The required FMR: 0.01, 0.001, and so on to 0.000001.
        point: Rates at the threshold for that FMR; None if there is no such threshold, or if fewer
            than five false matches are expected.
        why_not: A sentence that explains why `point` is None.
        pairs_needed: Number of non-mated pairs needed, if there are too few; else None.
    """

    fmr: float
    point: OperatingPoint | None
    why_not: str | None = None
    pairs_needed: int | None = None


@attrs.frozen(kw_only=True)
class GroupCell:
    """Error rates of one group, at the threshold for the required FMR or else at the system's own.

    Attributes:
        fmr: FMR of non-mated pairs within the group.
        frr, fta: FRR and FTA of the group's mated pairs.
        fmr_ratio, frr_ratio: Ratio of the group's rate to the rate of all pairs within groups, with
            an interval corrected for the number of groups. A group without errors has the ratio 0
            and an upper bound. None if no group has errors, or if this group is too small.
        too_few: A sentence that explains why the group is too small; else None.
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
class CrossGroupCell:
    """FMR of the non-mated pairs of a probe of one group and a reference of another or the same.

    Attributes:
        too_few: A sentence that explains why the people are too few; else None.
    """

    column: str
    probe_group: str
    reference_group: str
    fmr: Rate
    too_few: str | None = None


@attrs.frozen(kw_only=True)
class GroupDifference:
    """The difference in one rate between the groups of one column (ISO/IEC 19795-10).

    Attributes:
        rate: ``fmr`` or ``frr``.
        worst, best: Groups with the highest and the lowest rate; small groups are left out.
        ratio: Highest rate divided by the lowest; None if the lowest is 0.
        differential: Highest rate divided by the geometric mean of all; None if a rate is 0.
        at_least: Lower bound of the true ratio, corrected for the selection of the two groups; 1
            if the difference is not significant.
        p_value: p-value after Holm's correction over all columns, rates and systems, or None.
        is_real: Whether the difference is significant: `p_value` is below 1 - confidence.
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
        answered, acquisition: Rates of unanswered calls, and of failures to acquire among answered
            ones. They have no interval: an outage affects many calls, a bad picture every pair.
        not_answered: Number of unanswered calls by reason: an error name, ``not asked``, and so on.
        latency_s: Latency in seconds by percentile (``50``, ``90``, ``95``, ``99``). A percentile
            is missing if none of the `timed` calls is beyond it.
        cost: Cost of all calls that were charged, or may have been; None without a price.
        price: Price of one comparison, or None.
        cost_per_verified: `cost` of the mated pairs divided by the number of mated pairs that
            matched in the run; None if no pair matched, or without a price.
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


@attrs.frozen(kw_only=True)
class Separation:
    """How far the scores of mated pairs lie above those of the others.

    Attributes:
        auc: Share of all couples of a mated and a non-mated pair in which the mated pair scores
            higher; equal scores count as half.
        at_most: Upper bound of `auc`, with 95 % confidence.
    """

    auc: float
    at_most: float


@attrs.frozen(kw_only=True, repr=False)
class System:
    """A vendor, model or configuration in a comparison.

    Attributes:
        backend, model, scale: Values in the system's results; None if missing or not unique.
        environment: Environment that returned the answers; None if a score file does not name it.
        kind: ``scores``; or ``decisions``, which give one operating point and no curve.
        at_required: Rates at the threshold for the required FMR, or at the fixed threshold.
        at_default: Rates at the threshold of the run.
        why_not: A sentence that explains why `at_required` is None.
        curve, score_range, histogram: None without scores. Reversed scores have no curve.
        without_score: Number of acquired pairs without a score. At any threshold, FRR and FAR
            count them as rejected; FMR and FNMR leave them out.
        pairs_needed: Number of non-mated pairs needed, if there are too few; else None.
        at_fmrs: Rates at the FMRs that all reports show, highest FMR first; empty without scores.
        concentration: How much `at_required`, or else `at_default`, depends on a few people. None
            if no pair determines the threshold, or if there are no false matches.
        separation: How far scores of mated pairs lie above the others; None without scores of both.
        cross_groups: The FMR between every two groups of a column; empty if no two different groups
            have enough people.
        year: Expected errors and their cost, at the threshold of `point`; None without `Traffic`,
            or if a rate is unknown.
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
    without_score: int = 0
    pairs_needed: int | None = None
    at_fmrs: tuple[PointAt, ...] = ()
    concentration: Concentration | None = None
    groups: tuple[GroupCell, ...] = ()
    cross_groups: tuple[CrossGroupCell, ...] = ()
    group_differences: tuple[GroupDifference, ...] = ()
    histogram: Histogram | None = None
    year: Year | None = None
    separation: Separation | None = None

    @property
    def point(self) -> OperatingPoint | None:
        """The operating point by which to judge: `at_required`, or else `at_default`."""
        return self.at_required or self.at_default


@attrs.frozen(kw_only=True)
class Difference:
    """The comparison of two systems on the same pairs, each at its threshold for the required FMR.

    Systems are not compared if they have no pair in common, if one has no threshold, or if fewer
    than five false matches are expected. `errors_first` to `p_adjusted` are then None.

    Attributes:
        pairs: Number of mated pairs that both systems answered.
        errors_first, errors_second: Number of these pairs that the system rejected.
        only_first, only_second: Number of these pairs that only this system rejected.
        frr: FRR of the first system minus FRR of the second, on these pairs. Its interval
            accounts for the choice of the thresholds (`INFLUENCE`, or `BOOTSTRAP`), and is widened
            to contain `exact`.
        exact: The interval at fixed thresholds (Agresti and Min).
        p_value: Two-sided p-value by the same method, or `p_exact` if that is higher, because a
            bootstrap repeats only the few observed errors.
        p_exact: p-value of McNemar's test at fixed thresholds, clustered by person (Durkalski).
        p_adjusted: `p_value` after Holm's correction over all differences.
        is_real: Whether the difference is significant: `p_adjusted` is below 1 - confidence, and
            the interval of `frr` does not contain 0.
        better: Name of the system with the lower FRR if `is_real`, else None.
        beyond: Names of systems whose FMR is significantly above the required one, which makes
            their FRR look better than it is.
        both_scored: Number of pairs, mated or not, that both systems scored.
        same_scores: Number of these pairs to which both gave the same score.
        sentence: The result in words, or the reason why the systems are not compared.
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
    both_scored: int | None = None
    same_scores: int | None = None
    sentence: str = ""

    @property
    def worse(self) -> str | None:
        """Name of the other system than `better`, or None."""
        if self.better is None:
            return None
        return self.second if self.better == self.first else self.first


@attrs.frozen(kw_only=True)
class Caveat:
    """A limitation of a comparison.

    Attributes:
        code: Machine-readable code, for example ``fmr_floor``.
        systems: Names of the systems concerned; empty if it concerns the whole comparison.
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
        limit: What limits the verdict: scores that hardly tell mated pairs from others, and the
            highest upper bound of an FMR; None if no bound is above the required FMR.
        required_fmr: The FMR at which systems are compared.
        confidence: Confidence level of every interval.
        differences: One entry for every two systems, in the order of `systems`.
        caveats: Limitations of single systems, then of the whole comparison.
        made_at: Time of the evaluation, UTC.
        version: Version of facematch.
        traffic: The calls of a year, for each system's `Year`; None if the caller named none.
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
    evidence: Evidence | None = None
    traffic: Traffic | None = None

    def __repr__(self) -> str:
        return f"<Evaluation {self.study.name}: {self.headline}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.headline)}</p>"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document (``"schema": 0``, ``"kind": "comparison"``), unrounded."""
        return {"schema": SCHEMA, "kind": "comparison", **as_json(self)}

    def to_rows(self) -> list[dict[str, Any]]:
        """Return every number of the JSON document as a row of one table, unrounded.

        `system` is None for a number of the whole comparison. `number` is its name in the document
        (``at_required.frr``). `case` tells apart rows with one name: an FMR, a group, two systems,
        or an index. A rate or an estimate is one row with its `value`, counts, and interval.
        """
        document = as_json(self)
        rows = []
        for system in document.pop("systems"):
            rows += [{**row, "system": system["name"]} for row in _rows_of(system)]
        return [*rows, *_rows_of(document)]


#: The keys that tell apart the objects of a list.
_CASES: Final = ("column", "group", "probe_group", "reference_group", "rate", "first", "second")


def _rows_of(value: Any, number: str = "", case: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row for each number in a part of a JSON document; a text has none."""
    if isinstance(value, (int, float)):
        value = {"value": float(value)}
    if isinstance(value, list):
        for index, part in enumerate(value):
            own_case = str(index)
            if isinstance(part, dict):
                names = [part[key] for key in _CASES if key in part]
                own_case = " / ".join(names) or str(part.get("fmr", index))
            yield from _rows_of(part, number, own_case)
    elif isinstance(value, dict):
        # A group may be called `value` or `method`, too: it is an object.
        if isinstance(value.get("method", value.get("value", value)), dict):
            for key, part in value.items():
                yield from _rows_of(part, f"{number}.{key}".lstrip("."), case)
        else:
            interval = value.pop("interval", None) or {}
            yield {"system": None, "number": number, "case": case, **value, **interval}


def as_json(value: Any) -> dict[str, Any]:
    """Return a value of this package as a dictionary that `json` can encode."""
    # `attrs.asdict` would keep tuples.
    return attr.asdict(value, value_serializer=_json_value)


def _json_value(_owner: Any, _field: Any, value: Any) -> Any:
    """Return a value as `attr.asdict` writes it, which calls this for each one."""
    if isinstance(value, Rate):
        rate = value
        # Add the quotient, so that readers need not divide.
        return attrs.asdict(rate, recurse=False) | {"value": rate.value}
    if isinstance(value, enum.StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest("A comparison has a number that JSON cannot encode: report this bug.")
    return value
