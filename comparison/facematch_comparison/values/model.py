"""What a comparison says: plain values, no computation and no file.

`Evaluation` is what report, gate and JSON print every number of, and no other. Rates and shares are
0-1, thresholds and scores on the scale of the system, times in seconds, money in the currency that
is beside it.

Words, after ISO/IEC 19795-1:2021: a *mated* pair shows one person, a *non-mated* pair two. FMR is
the share of non-mated pairs that pass a threshold (false matches), FNMR the share of mated pairs
that do not (false non-matches), both of pairs in which two faces could be compared. FTA, failure
to acquire, is the share of pairs in which they could not. FRR is the share of mated pairs that are
turned away for either reason, FAR the share of non-mated pairs that get in.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

import attrs

from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, ThresholdRule

if TYPE_CHECKING:
    from cattrs import Converter
    from pandas import DataFrame


#: Version of the JSON form; 0 until facematch 1.0: it may change with a minor release.
SCHEMA: Final = 0


@attrs.frozen(kw_only=True)
class WrongPair:
    """A pair that a system got wrong at one threshold.

    Attributes:
        kind: ``false match``, ``false non-match``, or ``failure to acquire`` of a mated pair.
        pair: Its place in the test set, from 0.
        probe, reference: The pictures, as the test set or the file of scores names them, if it
            does.
        person_1, person_2: Who they show, likewise.
        score: None without one.
        threshold: None for the system's own decision.
    """

    system: str
    kind: str
    pair: int
    probe: str | None
    reference: str | None
    person_1: str
    person_2: str
    score: float | None
    threshold: float | None


class Method(enum.StrEnum):
    """Method of an interval."""

    #: Clopper and Pearson's, for independent pairs.
    EXACT = "exact"
    #: Variation between people: pairs that share a person are not independent.
    CLUSTERED = "clustered"
    #: The wider, careful way for few errors or few people.
    CONSERVATIVE = "conservative"
    #: People drawn again, with replacement.
    BOOTSTRAP = "bootstrap"


@attrs.frozen(kw_only=True)
class Interval:
    """A confidence interval for a true value.

    Attributes:
        low, high: Its ends, both included.
        confidence: How often such an interval holds the true value: 0-1, for example 0.95.
        method: How it was made.
        effective: The effective sample size: how many independent pairs would say as much about a
            rate; None for what is no rate.
        freedom: Degrees of freedom of the variance behind it; None if it was not estimated.
    """

    low: float
    high: float
    confidence: float
    method: Method
    effective: float | None = None
    freedom: float | None = None

    def widened(self, other: Interval) -> Interval:
        """Return this interval, made no narrower than the other."""
        return attrs.evolve(self, low=min(self.low, other.low), high=max(self.high, other.high))


@attrs.frozen(kw_only=True)
class Rate:
    """An error rate: `errors` of `trials`.

    Attributes:
        subjects: How many people are behind the trials; None if that is not known.
        interval: For the true rate; None without a trial, and for what is only counted.
    """

    errors: int
    trials: int
    subjects: int | None = None
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """`errors` / `trials`, 0-1; None without a trial."""
        return self.errors / self.trials if self.trials else None


@attrs.frozen(kw_only=True)
class Estimate:
    """A number that is no share of pairs: what was seen, and the interval for the true value."""

    value: float
    interval: Interval


@attrs.frozen(kw_only=True)
class Evidence:
    """The data of an evaluation, with their digest and the options to make it again.

    Attributes:
        file: Name of the file of scores, or of the run database, without its folder.
        sha256: Of the file of scores, in hex; of a run database, `digest_answers` of its answers.
        options: Of the command, those that were given and bear on a number: ``--fmr`` to the words
            after it, none for a switch; folders are left out.
    """

    file: str
    sha256: str
    options: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SampleSize:
    """Numbers of pairs and people: ``pairs`` is the sum of ``mated`` and ``non_mated``."""

    pairs: int
    mated: int
    non_mated: int
    subjects: int


@attrs.frozen(kw_only=True)
class StudySummary:
    """The test set.

    Attributes:
        digest: SHA-256 of pairs, groups and pictures, in hex; None for a file of scores.
        calibration: Whom thresholds were chosen on; None if the set was not split.
        evaluation: Whom they are judged on; the whole if it was not split.
        groups: Column to group to its pairs within the group.
        people_known: Whether it was said who is in the pictures; see `Answers`.
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
    """Rates of a system at one threshold.

    Attributes:
        threshold: None for the vendor's own decisions.
        chosen_on: ``calibration`` (other people than those it is judged on), ``evaluation`` (the
            same pairs; the interval of `fmr` is then that of an order statistic, and its upper end
            holds), ``default``: the threshold of the run, or ``fixed``: one that was named.
        fmr: False matches among non-mated pairs that were acquired.
        fnmr: False non-matches among mated pairs that were acquired.
        far, frr: The same among all that were answered, where a failure to acquire counts as an
            error of a mated pair, and as a rightful rejection of a non-mated one. `frr` is the
            number to decide by.
        calibration_fmr: `fmr` on the pairs that the threshold was chosen on; None for the others.
        frr_at_fmr, fnmr_at_fmr: Where the true FRR and FNMR lie at the FMR that the threshold was
            chosen for, whatever threshold that takes: people drawn again, and thresholds chosen
            anew. No narrower than the intervals of `frr` and `fnmr`, which hold at this threshold
            alone. None where no threshold was chosen, and below five expected false matches.
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
        """A rate by its name, with the interval at the FMR where there is one: as pages show it."""
        at_threshold: Rate = getattr(self, rate)
        at_fmr = getattr(self, f"{rate}_at_fmr", None)
        return attrs.evolve(at_threshold, interval=at_fmr) if at_fmr else at_threshold


@attrs.frozen(kw_only=True)
class Curve:
    """A DET curve, thinned for a page; one value for each of K thresholds, rising.

    Attributes:
        fmr, fnmr, frr: Rates as of an `OperatingPoint`; ``_low`` and ``_high`` are the ends of the
            interval of each.
        confidence: Of these intervals, each for itself.
        eer: The equal error rate: where FMR equals FNMR, between two steps by a straight line. No
            headline: nobody uses that threshold.
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
    """Counts of scores of mated and non-mated pairs.

    Attributes:
        edges: K + 1 of them, from the lowest score to the highest, of bins of one width. A score on
            an edge is in the bin above it, the highest in the last one.
        mated, non_mated: K counts of the pairs that are judged.
    """

    edges: tuple[float, ...]
    mated: tuple[int, ...]
    non_mated: tuple[int, ...]


@attrs.frozen(kw_only=True)
class Transactions:
    """Rates if a person may try several times: the best attempt counts.

    Attributes:
        attempts: How many of each transaction count, its first ones. One that failed to acquire
            counts, and does not pass.
        size: How many transactions the whole test set has, as its ``pairs``, and of how many
            people.
        at_required, at_default: Rates of transactions at the thresholds of the system, which are
            chosen on attempts; None where it has none.
        curve: Of transactions at other thresholds; None without scores.
    """

    attempts: int
    size: SampleSize
    at_required: OperatingPoint | None
    at_default: OperatingPoint | None
    curve: Curve | None = None


@attrs.frozen(kw_only=True)
class Concentration:
    """Dependence of an FMR, or of the threshold for it, on few people.

    At the threshold for a required FMR the pairs are those that set it: the highest non-mated ones,
    one more than may pass, and all that score as high as the last of them. At the system's own
    threshold they are its false matches.

    Attributes:
        pairs: How many non-mated pairs these are.
        people: How many people are in one of them, on either side.
        worst_person: Share of the pairs that the person with the most is in, 0-1.
        person: What the file of scores calls the person with the most; None if it names nobody.
        threshold_without: What the threshold would be without the pairs of that person; None where
            there would be none, or where the threshold is the system's own.
    """

    pairs: int
    people: int
    worst_person: float
    person: str | None = None
    threshold_without: float | None = None


@attrs.frozen(kw_only=True)
class PointAt:
    """A system at one of the false match rates that reports have in common.

    Attributes:
        fmr: The false match rate that is asked for: 0.01, 0.001 or 0.0001.
        point: At the threshold for it, chosen as that of `System.at_required`; None if it cannot be
            had, or fewer than five false matches are expected.
        why_not: Why there is no `point`, in a sentence.
        pairs_needed: How many non-mated pairs it takes, where there are too few; else None.
    """

    fmr: float
    point: OperatingPoint | None
    why_not: str | None = None
    pairs_needed: int | None = None


@attrs.frozen(kw_only=True)
class GroupCell:
    """A group at the system's threshold for the required FMR, or at its own.

    Attributes:
        fmr: Of non-mated pairs within the group.
        frr: Of mated pairs of the group, failures to acquire among the errors.
        fta: Failures to acquire among the mated pairs of the group.
        fmr_ratio, frr_ratio: To the rate of all pairs within a group of the column, with an
            interval that allows for the number of groups; a group without errors has the ratio 0
            and an upper end. None where no group has an error, or this cell is too small.
        too_few: Why nothing is concluded of this cell, in a sentence; None if it is large enough.
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
    """Difference of the groups of one column in one rate (ISO/IEC 19795-10).

    Attributes:
        rate: ``fmr`` or ``frr``.
        worst, best: The groups with the highest and the lowest rate, of those that are large
            enough.
        ratio: Highest over lowest rate; None where the lowest is 0: then `at_least` says what is
            shown.
        differential: The highest rate over the geometric mean of the rates of all groups that are
            large enough; None where one of them has no error.
        at_least: The ratio that the true one lies above, with the confidence of the evaluation and
            allowance for the choice of the two groups; at least 1.
        p_value: How often groups that are alike differ so much, adjusted for all columns, rates
            and systems (Holm); None where it cannot be said.
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
        calls: Pairs that were to be asked.
        answered: Of them, how many were answered; its errors are those that were not. Without an
            interval: an outage takes many calls at once.
        not_answered: Number of unanswered calls by error name, ``unknown`` or ``not asked``.
        acquisition: Failures to acquire among the answered. Without an interval: a picture fails in
            all of its pairs.
        latency_s: Percentile (``50``, ``90``, ``95``, ``99``) to seconds; empty if not measured.
        timed: How many calls the percentiles are of. A percentile is given where at least one call
            lies beyond it.
        cost: What was charged, as far as is known, in `currency`; None if there is no price.
        price: Of one comparison; None if nobody said.
        cost_per_verified: `cost` of the mated pairs over how many of them matched at the threshold
            of the run; None if none did, or there is no price.
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
        backend, model, scale: As its results say; None where they do not, or differ.
        environment: Where its answers came from; None for a file of scores.
        kind: ``scores``, or ``decisions``: then it is one point and has no curve.
        without_score: Acquired pairs that have no score: at a threshold they count as turned away
            in FRR and FAR, and neither in FMR nor in FNMR.
        at_required: At the threshold for the required FMR, or at the one that was named in its
            place; None if it cannot be had.
        at_default: At the threshold of the run.
        why_not: Why there is no `at_required`, in a sentence.
        curve: None without scores, and if they run the wrong way.
        pairs_needed: How many non-mated pairs it takes, where there are too few; else None.
        score_range: The lowest and the highest score; None without any.
        histogram: Of the scores; None without any.
        at_fmrs: At the false match rates that reports have in common, the highest first; empty
            without scores.
        concentration: Of the pairs that set the threshold of `at_required`, else of the false
            matches at `at_default`; None without any.
        groups: Cells of each column.
        group_differences: Of each column and rate.
        privacy: What is known of what the vendor keeps, in a sentence.
        transactions: The same of transactions of several attempts; None if nobody said which pair
            is an attempt of which. All other rates are of attempts.
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

    def __repr__(self) -> str:
        at = self.point
        rates = "no rates" if at is None else f"FRR {at.frr.value}, FMR {at.fmr.value}"
        return f"<System {self.name}: {rates}>"

    @property
    def point(self) -> OperatingPoint | None:
        """The operating point to judge: `at_required`, else `at_default`."""
        return self.at_required or self.at_default


@attrs.frozen(kw_only=True)
class Difference:
    """Two systems on the same pairs, each at its threshold for the required FMR.

    Attributes:
        pairs: Mated pairs that both answered, with a score or a failure to acquire of each.
        subjects: How many people are behind them.
        errors_first, errors_second: Of the pairs, how many this one turned away.
        only_first, only_second: How many only this one turned away.
        frr: FRR of the first less that of the second, on these pairs, -1 to 1; its interval is the
            paired bootstrap by person, thresholds drawn again with the pairs, and no narrower than
            `exact`. None without a pair or a threshold, and where too few false matches are
            expected at the required FMR to place the thresholds.
        exact: The interval at fixed thresholds (Agresti and Min), beside it; None likewise.
        p_value: Two-sided, 0-1, of the same bootstrap, and no smaller than `p_exact`, for the
            bootstrap sees no more than the few errors that there are; None likewise.
        p_exact: McNemar's at fixed thresholds, people with several pairs as one (Durkalski).
        p_adjusted: `p_value` after Holm, over all differences.
        is_real: Whether `p_adjusted` is below 1 - confidence: the one rule by which sentence, table
            and gate say "not chance".
        better: The name of the one with the lower FRR if `is_real`, else None.
        beyond: Names of those that are shown to exceed the required FMR at their
            thresholds: their FRR looks better than it is.
        sentence: In words; why nothing is compared, where `frr` is None.
    """

    first: str
    second: str
    pairs: int
    subjects: int
    errors_first: int = 0
    errors_second: int = 0
    only_first: int = 0
    only_second: int = 0
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
    """Something that this comparison cannot show.

    Attributes:
        code: For programs, for example ``fmr_floor``.
        systems: Whom it is about; empty for the whole comparison.
        text: One or two sentences, with the numbers; the names of the systems are in it.
    """

    code: str
    systems: tuple[str, ...]
    text: str


@attrs.frozen(kw_only=True, repr=False)
class Evaluation:
    """A whole comparison.

    Attributes:
        headline: The verdict in one sentence.
        limit: The most important limit of the headline, in one sentence; None if there is no rate.
        required_fmr: The FMR that systems are compared at.
        confidence: Of every interval.
        systems: In the order given; `differences` has an entry for every two of them.
        evidence: None if nobody said.
        caveats: What cannot be concluded: of single systems first, then of all.
        made_at: UTC.
        version: Of facematch.
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

    #: Form in a notebook; `evaluation` sets it, because values import no page.
    _repr_html_: ClassVar[Callable[[Evaluation], str]]

    def __repr__(self) -> str:
        return f"<Evaluation {self.study.name}: {self.headline}>"

    def to_frame(self) -> DataFrame:
        """The rates of every system as a pandas DataFrame, a row for each operating point.

        Columns: ``system``; ``at`` (``required``, ``default`` for the threshold of the run, or
        ``fmr 0.01`` and so on for the rates that reports have in common); ``threshold``, NaN for
        the vendor's own decisions; for each of ``fmr``, ``fnmr``, ``far`` and ``frr`` the rate
        (0-1), the ends of its interval (``fmr_low``, ``fmr_high``; of FRR and FNMR those at the
        FMR, where there are), its errors and trials
        (``fmr_errors``, ``fmr_trials``), NaN where there is none.
        """
        import pandas as pd  # not above: values are read without it

        rows = []
        for system in self.systems:
            points = [("required", system.at_required), ("default", system.at_default)]
            points += [(f"fmr {each.fmr:g}", each.point) for each in system.at_fmrs]
            for name, at in points:
                if at is None:
                    continue
                row: dict[str, Any] = {"system": system.name, "at": name, "threshold": at.threshold}
                for kind in ("fmr", "fnmr", "far", "frr"):
                    rate = at.shown(kind)
                    ends = rate.interval
                    row |= {kind: rate.value, f"{kind}_low": ends and ends.low}
                    row |= {f"{kind}_high": ends and ends.high}
                    row |= {f"{kind}_errors": rate.errors, f"{kind}_trials": rate.trials}
                rows.append(row)
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (``"schema": 0``, ``"kind": "comparison"``) with every number in
        full."""
        return {"schema": SCHEMA, "kind": "comparison", **as_json(self)}


def as_json(thing: Any) -> dict[str, Any]:
    document: dict[str, Any] = _converter().unstructure(thing)
    return document


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter  # not above: a command that fails early need not load it
    from cattrs.gen import make_dict_unstructure_fn

    converter = Converter(forbid_extra_keys=False, detailed_validation=False)
    converter.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    converter.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    converter.register_unstructure_hook(float, _finite)
    converter.register_unstructure_hook(Decimal, "{:f}".format)
    plain = make_dict_unstructure_fn(Rate, converter)
    # Spare readers the division.
    converter.register_unstructure_hook(Rate, lambda rate: plain(rate) | {"value": rate.value})
    return converter


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise InvalidRequest("A comparison holds a number that JSON does not know: report this.")
    return number
