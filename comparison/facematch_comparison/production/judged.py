"""The compared calls with their labels, and the errors and the money that the candidate saves.

Net errors are summed by person. If only some disagreements are labelled, which are then a random
sample of those in the same files, each stands for several; the unlabelled ones count as zero, so
that the interval includes the error of this sampling.

Money adds false matches and false rejects at their costs. Its interval is recovered from the two
intervals (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a
general approach", Statistics in Medicine 27, 2008), because a sum would take its width from the few
false matches that were seen: with none at all it would not allow for any.

Three differences are tested: of both kinds of errors, and of each. If two of them are 0, so is the
third, so each is significant by a closed test (R. Marcus, E. Peritz and K. R. Gabriel, "On closed
testing procedures with special reference to ordered analysis of variance", Biometrika 63, 1976):
its own p-value must be low, and that of all three being 0 (R. J. Simes, "An improved Bonferroni
procedure for multiple tests of significance", Biometrika 73, 1986). So of equal systems at most 5
in 100 are called different, by whichever of the three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import attrs
import numpy as np
from scipy.special import ndtri

from facematch_comparison.stats import Paired, Term, weighted_sum
from facematch_comparison.stats.rates import Bools, Floats, Ints
from facematch_comparison.values.model import Costs, Estimate

from .labels.sensitivity import (
    ALLOWED_SHARE,
    LabelledDifferences,
    WrongLabels,
    find_turn,
    is_beyond_zero,
)

#: Net errors are stated for so many calls.
PER: Final = 1000
#: The share of studies of a given size that find a difference which exists.
POWER: Final = 0.8
#: If a log would have to be this many times longer, no number of calls is stated.
_MOST_GROWTH: Final = 1000


@attrs.frozen(kw_only=True)
class NetErrors:
    """The errors of one kind that the candidate would have saved.

    Attributes:
        kind: ``false_match``, ``false_reject`` or ``error`` (both kinds).
        only_answered: Labelled calls that only the answering system got wrong.
        only_candidate: Labelled calls that only the candidate got wrong.
        saved: Errors saved per 1,000 compared calls; below 0 the candidate makes more.
        p_value: McNemar's test, exact or by person, whichever is higher.
        p_adjusted: That of a closed test of all kinds, so that chance shows a difference of any
            kind as rarely as of one.
        wrong_labels: What a few wrong labels make of `saved`.
        is_real: Whether the difference is significant: by `p_adjusted`; by an interval without 0,
            also if 1 label in 10 is wrong; and only if 1 wrong label in 20 does not turn the sign.
        more_calls: About how many further calls would show the difference in 4 of 5 logs if it is
            as large as `saved`; None if it is shown, or if `saved` is next to 0.
    """

    kind: str
    only_answered: int
    only_candidate: int
    saved: Estimate
    p_value: float
    p_adjusted: float = 1.0
    wrong_labels: WrongLabels
    is_real: bool = False
    more_calls: int | None = None


@attrs.frozen(kw_only=True)
class Money:
    """The money that the candidate would have saved per 1,000 compared calls.

    Attributes:
        currency: The currency of all amounts.
        cost_false_match, cost_false_reject: What an error costs.
        saved_errors: Saved by fewer errors.
        saved_prices: Saved by a lower price of a call, if every compared call is charged; None if a
            price is not given.
        saved: The sum of both.
        wrong_labels: What a few wrong labels make of `saved`.
        is_real: Whether the interval does not contain 0, also if 1 label in 10 is wrong, and 1
            wrong label in 20 does not turn the sign.
        more_calls: As in `NetErrors`.
    """

    currency: str
    cost_false_match: float
    cost_false_reject: float
    saved_errors: Estimate
    saved_prices: float | None
    saved: Estimate
    wrong_labels: WrongLabels
    is_real: bool
    more_calls: int | None


@attrs.frozen(kw_only=True)
class Judged:
    """The compared calls of a review's question, and their labels. All arrays are (N,).

    Attributes:
        answered_accepts, candidate_accepts: Whether each call is accepted: bool.
        is_labelled, is_genuine: Whether each call has a label, and is genuine: bool.
        persons: The number of each call's person.
        file_set: The number of the set of review files that list each call; -1 for none.
    """

    answered_accepts: Bools
    candidate_accepts: Bools
    is_labelled: Bools
    is_genuine: Bools
    persons: Ints
    file_set: Ints

    def take(self, rows: Bools) -> Judged:
        """Return the calls at `rows`."""
        return Judged(**{name: values[rows] for name, values in attrs.asdict(self).items()})

    @cached_property
    def disagrees(self) -> Bools:
        different: Bools = self.answered_accepts ^ self.candidate_accepts
        return different

    @cached_property
    def is_judged(self) -> Bools:
        """Whether each call is a labelled disagreement."""
        judged: Bools = self.disagrees & self.is_labelled
        return judged

    @cached_property
    def weights(self) -> Floats:
        """Return how many disagreements each labelled one stands for; 0 for all other calls.

        It stands for those in the same files. Disagreements of files without any label are shared
        by all.
        """
        weights = np.zeros(len(self.disagrees))
        represented = 0
        for number in np.unique(self.file_set[self.is_judged]):
            of_files = self.file_set == number
            labelled = of_files & self.is_judged
            disagreements = int(np.count_nonzero(of_files & self.disagrees))
            weights[labelled] = disagreements / np.count_nonzero(labelled)
            represented += disagreements
        if represented:
            weights *= np.count_nonzero(self.disagrees) / represented
        return weights

    def differences(self, kind: str) -> LabelledDifferences:
        """Return what each call says about errors of one kind, or of both (``error``)."""
        # 1 where the candidate alone accepts, which is right for genuine people.
        towards = np.where(self.candidate_accepts, 1.0, -1.0) * self.weights
        nothing = np.zeros(len(towards))
        if_genuine = nothing if kind == "false_match" else towards
        if_impostor = nothing if kind == "false_reject" else -towards
        labelled = int(np.count_nonzero(self.is_judged))
        return LabelledDifferences(
            written=np.where(self.is_genuine, if_genuine, if_impostor),
            other=np.where(self.is_genuine, if_impostor, if_genuine),
            persons=self.persons,
            scale=float(np.count_nonzero(self.disagrees)) / labelled if labelled else 1.0,
        )

    def net(self, confidence: float) -> tuple[NetErrors, ...]:
        """Return the errors that the candidate saves, of both kinds together and of each.

        Below 0 the candidate makes more.
        """
        calls_of_kind = {
            "error": self.is_judged,
            "false_reject": self.is_judged & self.is_genuine,
            "false_match": self.is_judged & ~self.is_genuine,
        }
        net: list[NetErrors] = []
        for kind, counted in calls_of_kind.items():
            paired = Paired(
                counted & (self.answered_accepts != self.is_genuine),
                counted & (self.candidate_accepts != self.is_genuine),
                self.persons,
            )
            differences = self.differences(kind)
            saved = differences.saved(PER, confidence)
            net.append(
                NetErrors(
                    kind=kind,
                    only_answered=paired.only_first,
                    only_candidate=paired.only_second,
                    saved=saved,
                    p_value=paired.mcnemar(),
                    wrong_labels=find_turn(saved.value, differences.both_labels(PER)),
                )
            )
        p_of_all = simes([of_kind.p_value for of_kind in net])
        verdicts = []
        for of_kind in net:
            adjusted = attrs.evolve(of_kind, p_adjusted=max(of_kind.p_value, p_of_all))
            verdicts.append(self._with_verdict(adjusted, confidence))
        return tuple(verdicts)

    def _with_verdict(self, net: NetErrors, confidence: float) -> NetErrors:
        """Return net errors with what is significant, or how many calls would show it."""
        corrected = self.differences(net.kind).saved(PER, confidence, wrong_share=ALLOWED_SHARE)
        is_real = (
            net.p_adjusted < 1 - confidence
            and is_beyond_zero(net.saved, corrected)
            and not net.wrong_labels.is_turned
        )
        return attrs.evolve(
            net,
            is_real=is_real,
            more_calls=None if is_real else find_more_calls(net.saved, len(self.persons)),
        )

    def money(
        self, costs: Costs, prices: Mapping[str, float], sides: Sequence[str], confidence: float
    ) -> Money:
        """Return the money that the candidate would have saved per 1,000 compared calls.

        Args:
            costs: What errors cost.
            prices: The price of one call, by system.
            sides: The names of the answering system and of the candidate.
            confidence: The level of the intervals, which are recovered from those of both kinds.
        """
        cost_of_kind = {"false_match": costs.false_match, "false_reject": costs.false_reject}
        terms = []
        corrected_terms = []
        both_labels = 0.0
        for kind, cost in cost_of_kind.items():
            differences = self.differences(kind)
            corrected = differences.saved(PER, confidence, wrong_share=ALLOWED_SHARE)
            terms.append(Term(cost, differences.saved(PER, confidence)))
            corrected_terms.append(Term(cost, corrected))
            both_labels += cost * differences.both_labels(PER)
        saved_errors = weighted_sum(terms, confidence)
        saved_prices = None
        answered, candidate = sides
        if answered in prices and candidate in prices:
            saved_prices = PER * (prices[answered] - prices[candidate])
        shift = saved_prices or 0.0
        saved = saved_errors.plus(shift)
        with_wrong_labels = weighted_sum(corrected_terms, confidence).plus(shift)
        wrong_labels = find_turn(saved_errors.value, both_labels, shift)
        is_real = is_beyond_zero(saved, with_wrong_labels) and not wrong_labels.is_turned
        return Money(
            currency=costs.currency,
            cost_false_match=costs.false_match,
            cost_false_reject=costs.false_reject,
            saved_errors=saved_errors,
            saved_prices=saved_prices,
            saved=saved,
            wrong_labels=wrong_labels,
            is_real=is_real,
            more_calls=None if is_real else find_more_calls(saved, len(self.persons)),
        )


def simes(p_values: Sequence[float]) -> float:
    """Return the p-value of the hypothesis that all hypotheses with these p-values are true."""
    ranked = enumerate(sorted(p_values), start=1)
    return min(len(p_values) / rank * p_value for rank, p_value in ranked)


def find_more_calls(saved: Estimate, calls: int) -> int | None:
    """Return about how many further calls would show a difference as large as the estimate.

    An interval's half width falls with the square root of the number of calls. None if the
    estimate is next to 0, or if so many calls should have shown it already.
    """
    if not saved.value:
        return None
    ends = saved.interval
    to_zero = saved.value - ends.low if saved.value > 0 else ends.high - saved.value
    confident = float(ndtri((1 + ends.confidence) / 2))
    growth = ((1 + float(ndtri(POWER)) / confident) * to_zero / abs(saved.value)) ** 2
    return math.ceil(calls * (growth - 1)) if 1 < growth < _MOST_GROWTH else None
