"""What a comparison says, as data: the report prints nothing that is not here.

Rates are 0-1, thresholds and scores on the scale of the contender, times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from facematch_core.models import Environment, ThresholdRule

from .metrics._values import Interval, Rate


@attrs.frozen(kw_only=True)
class Part:
    """The pairs of a study, or of one part of it.

    Attributes:
        pairs, mated, non_mated: How many; the first is the sum of the others.
        subjects: How many people.
    """

    pairs: int
    mated: int
    non_mated: int
    subjects: int


@attrs.frozen(kw_only=True)
class StudySummary:
    """Who was tested.

    Attributes:
        name: What the study is called.
        digest: SHA-256 of its pairs, groups and pictures, in hex; None for a file of scores.
        whole: All of it.
        development: The part that thresholds were chosen on; None if it was not divided.
        test: The part that they are judged on; the whole if it was not divided.
        groups: Column to group to its pairs within the group.
    """

    name: str
    digest: str | None
    whole: Part
    development: Part | None
    test: Part
    groups: Mapping[str, Mapping[str, Part]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class OperatingPoint:
    """How a contender does at one threshold.

    Attributes:
        threshold: None for the vendor's own decisions.
        rule: How a score is compared with it.
        chosen_on: ``development``, ``test`` (then its rates flatter), or ``default``: the threshold
            of the run.
        fmr: False matches among non-mated pairs that were acquired.
        fnmr: False non-matches among mated pairs that were acquired.
        far, frr: The same among all that were answered, where a failure to acquire counts as an
            error of a mated pair, and as a rightful refusal of a non-mated one. `frr` is the
            number to decide by.
        dev_fmr: `fmr` on the part that the threshold was chosen on; None for ``default``.
    """

    threshold: float | None
    rule: ThresholdRule
    chosen_on: str
    fmr: Rate
    fnmr: Rate
    far: Rate
    frr: Rate
    dev_fmr: Rate | None = None

    def is_beyond(self, fmr: float) -> bool:
        """Whether it is shown to let in more than `fmr`."""
        found = self.fmr.interval
        return found is not None and found.low > fmr


@attrs.frozen(kw_only=True)
class Curve:
    """A DET curve, thinned for a page; one value for each of K thresholds, rising.

    Attributes:
        thresholds: K of them.
        fmr, frr: Rates at each; failures to acquire are among the refusals.
        fmr_low, fmr_high, frr_low, frr_high: Ends of the interval of each.
        confidence: Of these intervals, each for itself.
        eer: Where both rates meet, 0-1; None if they never do. No headline.
    """

    thresholds: tuple[float, ...]
    fmr: tuple[float, ...]
    frr: tuple[float, ...]
    fmr_low: tuple[float, ...]
    fmr_high: tuple[float, ...]
    frr_low: tuple[float, ...]
    frr_high: tuple[float, ...]
    confidence: float
    eer: float | None


@attrs.frozen(kw_only=True)
class Histogram:
    """How scores are spread.

    Attributes:
        edges: B + 1 of them, rising.
        mated, non_mated: How many scores lie between each edge and the next; the last bin holds
            both of its edges.
    """

    edges: tuple[float, ...]
    mated: tuple[int, ...]
    non_mated: tuple[int, ...]


@attrs.frozen(kw_only=True)
class GroupCell:
    """One group at the contender's threshold.

    Attributes:
        column, group: Which.
        fmr: Of non-mated pairs within the group.
        frr: Of mated pairs of the group, failures among the errors.
        fmr_ratio, frr_ratio: To the geometric mean over the groups of the column; None where the
            rate of any of them is 0, or this cell is too small.
        too_few: Why nothing is concluded of this cell, in a sentence; None if it is large enough.
    """

    column: str
    group: str
    fmr: Rate
    frr: Rate
    fmr_ratio: float | None = None
    frr_ratio: float | None = None
    too_few: str | None = None


@attrs.frozen(kw_only=True)
class Service:
    """How the service behaved.

    Attributes:
        calls: Pairs that were to be asked.
        answered: Of them, how many were answered; its errors are those that were not. Without an
            interval: an outage takes many calls at once.
        not_answered: Name of the error, or ``unknown``, ``not asked``, to how many.
        acquisition: Failures to acquire among the answered. Without an interval: a picture fails in
            all of its pairs.
        latency_s: Percentile (``50``, ``90``, ``95``, ``99``) to seconds; empty if not measured.
        cost: What was charged, as far as is known, in `currency`; None if there is no price.
        price: Of one comparison; None if nobody said.
        currency: Three letters, or None.
        cost_per_verified: `cost` of the mated pairs over how many of them were let in at the
            threshold of the run; None if no
            one was, or there is no price.
    """

    calls: int
    answered: Rate
    not_answered: Mapping[str, int]
    acquisition: Rate
    latency_s: Mapping[str, float] = attrs.field(factory=dict)
    cost: float | None = None
    price: float | None = None
    currency: str | None = None
    cost_per_verified: float | None = None


@attrs.frozen(kw_only=True)
class Contender:
    """One vendor in one study.

    Attributes:
        name: Of the backend or profile.
        backend, model, scale: As its results say; None where they do not, or differ.
        environment: Where its answers came from; None for a file of scores.
        kind: ``scores``, or ``decisions``: then it is one point and has no curve.
        at_required: At the threshold for the required FMR; None if it cannot be had.
        at_default: At the threshold of the run.
        why_not: Why there is no `at_required`, in a sentence.
        privacy: What is known of what the vendor keeps, in a sentence.
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
    histogram: Histogram | None
    groups: tuple[GroupCell, ...]
    service: Service
    privacy: str


@attrs.frozen(kw_only=True)
class Paired:
    """Two contenders on the same pairs, each at its threshold for the required FMR.

    Attributes:
        first, second: Their names.
        pairs: Mated pairs that both answered.
        only_first, only_second: Of them, how many only this one refused.
        difference: FRR of the first less that of the second, on these pairs.
        interval: For the true difference.
        p_value: McNemar's, two-sided, and no smaller than where people with several pairs
            count once; None without a pair.
        p_adjusted: After Holm, over all pairs of contenders.
        is_real: Whether `p_adjusted` is below 1 - confidence.
        sentence: The same in words.
    """

    first: str
    second: str
    pairs: int
    only_first: int
    only_second: int
    difference: float | None
    interval: Interval | None
    p_value: float | None
    p_adjusted: float | None
    is_real: bool
    sentence: str


@attrs.frozen(kw_only=True)
class Limit:
    """Something that this study cannot show.

    Attributes:
        code: For programs, for example ``fmr_floor``.
        contender: Whom it is about; None for all.
        text: One or two sentences, with the numbers.
    """

    code: str
    contender: str | None
    text: str


@attrs.frozen(kw_only=True)
class Evaluation:
    """A whole comparison.

    Attributes:
        study: Who was tested.
        required_fmr: The FMR that contenders are compared at.
        confidence: Of every interval.
        contenders: In the order in which they were named.
        paired: Every two of them.
        limits: What cannot be concluded.
        made_at: When, UTC.
        version: Of facematch.
    """

    study: StudySummary
    required_fmr: float
    confidence: float
    contenders: tuple[Contender, ...]
    paired: tuple[Paired, ...]
    limits: tuple[Limit, ...]
    made_at: datetime
    version: str
