"""Compare the two sides of a call log: agreement, and with labels who makes fewer errors.

Where both systems accept or both reject, both are right or both are wrong: the *difference* of
their errors lies in the disagreements alone. So labels of the disagreements suffice for it, and
give a far narrower interval than as many labels of any calls.

Net errors are summed by person (`Paired`). If only some disagreements are labelled, which are then
a random sample, sums and intervals are scaled up; the unlabelled ones count as zero, so that the
interval includes the error of this sampling.

Money adds false matches and false rejects at their costs. Its interval is recovered from the two
intervals (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a
general approach", Statistics in Medicine 27, 2008), because a sum would take its width from the few
false matches that were seen: with none at all it would not allow for any.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
from pandas import DataFrame

from facematch_comparison.stats import Paired, Term, holm, weighted_sum
from facematch_comparison.stats.rates import Bools, Ints
from facematch_comparison.values.model import Costs, Estimate, Interval
from facematch_core._version import __version__
from facematch_core.call_log import Side
from facematch_core.documents import written
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Operation

from .calls import (
    ACCEPTED,
    REVIEW,
    Selection,
    Share,
    accepts,
    choose_system,
    count_practice,
    count_values,
    digest_of,
    people_of,
    select,
    share_of,
)
from .review import Labels, Question

#: Version of the JSON form, as of a report's: minor releases may change it until 1.0.
SCHEMA: Final = 0
#: Net errors are stated for so many calls.
PER: Final = 1000
#: The percentiles of durations that are shown.
_PERCENTILES: Final = (50, 95, 99)


@attrs.frozen(kw_only=True)
class SideSummary:
    """What one side did in all its calls, compared or not.

    Attributes:
        name: The system.
        calls: Number of calls; for the candidate, of drawn calls.
        answered: Number of calls with a result.
        errors: How many calls ended with which error; ``Unfinished`` if the process ended before
            the answer came, or if the call was under way.
        not_asked: How many drawn calls were not made, and why; empty for the answering side.
        decisions: How many results have which decision.
        charged: How many calls were charged, by ``yes``, ``no`` and ``unknown``.
        charges_per_call: The mean number of charges of a call that was charged (Azure: 3
            transactions); None if no call was charged, or without a number of charges.
        price: The price of one call, with all its charges; None if not given.
        cost: The price of all calls that were certainly charged; None if not given. Those in
            `charged` under ``unknown`` come on top if they were.
        elapsed_s: Percentiles of the duration of calls with a result, in seconds.
        models, thresholds: How many results have which model and which threshold.
    """

    name: str
    calls: int
    answered: int
    errors: Mapping[str, int]
    not_asked: Mapping[str, int]
    decisions: Mapping[str, int]
    charged: Mapping[str, int]
    charges_per_call: float | None
    price: float | None
    cost: float | None
    elapsed_s: Mapping[str, float]
    models: Mapping[str, int]
    thresholds: Mapping[str, int]


@attrs.frozen(kw_only=True)
class NetErrors:
    """The errors of one kind that the candidate would have saved.

    Attributes:
        kind: ``false_match``, ``false_reject`` or ``error`` (both kinds).
        only_answered: Labelled calls that only the answering system got wrong.
        only_candidate: Labelled calls that only the candidate got wrong.
        saved: Errors saved per 1,000 compared calls; below 0 the candidate makes more.
        p_value: McNemar's test, exact or by person, whichever is higher.
        p_adjusted: The same after Holm's correction for the two kinds; None for both kinds.
        is_real: Whether the difference is significant by `p_adjusted` (both kinds: `p_value`).
    """

    kind: str
    only_answered: int
    only_candidate: int
    saved: Estimate
    p_value: float
    p_adjusted: float | None = None
    is_real: bool = False


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
    """

    currency: str
    cost_false_match: float
    cost_false_reject: float
    saved_errors: Estimate
    saved_prices: float | None
    saved: Estimate

    @property
    def is_real(self) -> bool:
        """Whether the interval does not contain 0."""
        return self.saved.interval.low > 0 or self.saved.interval.high < 0


@attrs.frozen(kw_only=True)
class Reviewed:
    """What was labelled.

    Attributes:
        file: The name of the review file.
        disagreements, labelled: The disagreements of the question, and those with a label.
        genuine: The labelled disagreements that are genuine.
        unclear: The disagreements that nobody could label; they count as unlabelled.
        both_wrong: The labelled agreements in which both were wrong; None if none were labelled.
        later: Compared calls that do not count: later than the file, or disagreements that it does
            not list.
        gone: Calls of the file that are not among the compared calls.
    """

    file: str
    disagreements: int
    labelled: int
    genuine: int
    unclear: int
    both_wrong: Share | None
    later: int
    gone: int

    @property
    def is_complete(self) -> bool:
        """Whether every disagreement was labelled or found unclear."""
        return self.labelled + self.unclear >= self.disagreements


@attrs.frozen(kw_only=True)
class ShadowComparison:
    """The comparison of a log's two sides.

    Attributes:
        log, digest: The name of the log, and the SHA-256 of the selected rows.
        selection: The part of the log.
        review_is_accepted: Whether REVIEW counts as accepted.
        confidence: The level of every interval.
        answered, candidate: The two sides.
        drawn: Number of calls about which the candidate was to be asked.
        compared: Number of calls with a result of both.
        people: Number of people in the compared calls.
        without_person: Compared calls without a `caller_ref`; each counts as a person of its own.
        decisions: Number of compared calls by the answer's decision and the candidate's.
        agreement: The share of compared calls that both accept or both reject.
        only_answered_accepts, only_candidate_accepts: The disagreements of each kind.
        practice_answers: Answers from a mock or a sandbox, which prove nothing about a vendor.
        reviewed: The labels; None without a review file.
        net: Net errors of each kind and of both; empty without labels of disagreements.
        money: None without labels or costs.
    """

    log: str
    digest: str
    selection: Selection
    review_is_accepted: bool
    confidence: float
    made_at: dt.datetime
    answered: SideSummary
    candidate: SideSummary
    drawn: int
    compared: int
    people: int
    without_person: int
    decisions: Mapping[str, Mapping[str, int]]
    agreement: Share
    only_answered_accepts: int
    only_candidate_accepts: int
    practice_answers: int
    reviewed: Reviewed | None = None
    net: tuple[NetErrors, ...] = ()
    money: Money | None = None
    headline: str = ""
    caveats: tuple[str, ...] = ()
    version: str = __version__

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, "kind": "shadow comparison", **written(self)}

    def net_of(self, kind: str) -> NetErrors | None:
        """Return the net errors of a kind, or None without labels."""
        return next((net for net in self.net if net.kind == kind), None)


@attrs.frozen(kw_only=True)
class Sides:
    """The rows of a log that belong to one question.

    Attributes:
        question: What a review file of these calls is about.
        selected: All selected rows of the log.
        answered: The answering system's rows, shadowed or not.
        drawn: The candidate's rows.
        compared: A row for each call with two results: the answer's columns, and the candidate's
            with the suffix ``_candidate``. In the order of time.
        answered_accepts, candidate_accepts: Whether each compared call is accepted: bool, (N,).
    """

    question: Question
    selected: DataFrame
    answered: DataFrame
    drawn: DataFrame
    compared: DataFrame
    answered_accepts: Bools
    candidate_accepts: Bools

    @property
    def disagrees(self) -> Bools:
        """Whether the systems disagree about each compared call: bool, (N,)."""
        different: Bools = self.answered_accepts ^ self.candidate_accepts
        return different


def find_sides(
    table: DataFrame,
    selection: Selection,
    *,
    answered: str | None = None,
    candidate: str | None = None,
    review_is_accepted: bool = False,
) -> Sides:
    """Return the rows of the two systems to compare.

    Raises:
        InvalidRequest: there is no shadowed call, or a system must be named.
    """
    selected = select(table, selection)
    shadows = selected[selected["side"] == Side.SHADOW.value]
    if shadows.empty:
        raise InvalidRequest(
            "The log has no shadowed call: it was not written by a Shadow, or its fraction is 0."
        )
    candidate = choose_system(shadows["system"], candidate, "--candidate")
    shadows = shadows[shadows["system"] == candidate]
    answers = selected[selected["side"] == Side.ANSWERED.value]
    shadowed = answers[answers["call_id"].isin(shadows["call_id"])]
    if shadowed.empty:
        raise InvalidRequest("The log has no answer to any shadowed call: its rows were lost.")
    answered = choose_system(shadowed["system"], answered, "--answered")
    answers = answers[answers["system"] == answered]
    drawn = shadows[shadows["call_id"].isin(answers["call_id"])]
    compared = answers.merge(drawn, on="call_id", suffixes=("", "_candidate"))
    compared = compared[compared["decision"].notna() & compared["decision_candidate"].notna()]
    compared = compared.sort_values(["at", "call_id"], ignore_index=True)
    if compared.empty:
        raise InvalidRequest(
            f"{candidate} returned no result in {len(drawn):,} drawn calls, so nothing can be "
            f"compared: {count_values(drawn['error']) or count_values(drawn['not_asked'])}."
        )
    accepted = functools.partial(
        accepts, operation=selection.operation, review_is_accepted=review_is_accepted
    )
    return Sides(
        question=Question(
            operation=selection.operation,
            answered=answered,
            candidate=candidate,
            review_is_accepted=review_is_accepted,
            until=compared["at"].iloc[-1].to_pydatetime(),
        ),
        selected=selected,
        answered=answers,
        drawn=drawn,
        compared=compared,
        answered_accepts=accepted(compared["decision"]),
        candidate_accepts=accepted(compared["decision_candidate"]),
    )


def compare_sides(
    sides: Sides,
    selection: Selection,
    *,
    log: str,
    made_at: dt.datetime,
    labels: Labels | None = None,
    review_file: str = "",
    costs: Costs | None = None,
    prices: Mapping[str, float] | None = None,
    confidence: float = 0.95,
) -> ShadowComparison:
    """Compare the two sides, with labels if there are any; `with_sentences` adds the words.

    Costs count only with labels of disagreements. Each of `prices` is that of one call of a system,
    with all its charges, as in a budget.

    Raises:
        InvalidRequest: the labels belong to another question, or a price to another system.
    """
    compared = sides.compared
    persons = people_of(compared)
    disagrees = sides.disagrees
    prices = prices or {}
    answered = sides.question.answered
    candidate = sides.question.candidate
    for name in prices.keys() - {answered, candidate}:
        raise InvalidRequest(f"--price: {name[:60]!r} is neither of {answered} and {candidate}.")
    comparison = ShadowComparison(
        log=log,
        digest=digest_of(sides.selected),
        selection=selection,
        review_is_accepted=sides.question.review_is_accepted,
        confidence=confidence,
        made_at=made_at,
        answered=_summary_of(sides.answered, sides.question.answered, prices),
        candidate=_summary_of(sides.drawn, sides.question.candidate, prices),
        drawn=len(sides.drawn),
        compared=len(compared),
        people=len(np.unique(persons)),
        without_person=int(compared["person"].isna().sum()),
        decisions=_cross_table(compared),
        agreement=share_of(~disagrees, persons, confidence),
        only_answered_accepts=int(np.count_nonzero(sides.answered_accepts & disagrees)),
        only_candidate_accepts=int(np.count_nonzero(sides.candidate_accepts & disagrees)),
        practice_answers=count_practice(sides.selected),
    )
    if labels is not None:
        judged = _Judged.of(sides, labels, persons)
        comparison = attrs.evolve(comparison, reviewed=judged.summary(review_file, confidence))
        if judged.labelled_disagreements:
            net = judged.net(confidence)
            money = None
            if costs is not None:
                money = _money_of(net, costs, sides.question, prices, confidence)
            comparison = attrs.evolve(comparison, net=net, money=money)
    return comparison


@attrs.frozen(kw_only=True)
class _Judged:
    """The compared calls of a review file's question, and their labels. All arrays are (N,).

    Attributes:
        answered_accepts, candidate_accepts: Whether each call is accepted: bool.
        is_labelled, is_genuine: Whether each call has a label, and is genuine: bool.
        is_unclear: Whether nobody could label the call: bool.
        persons: The number of each call's person.
        later_calls: Number of compared calls that do not count: later than the file, or
            disagreements that it does not list.
        gone_calls: Number of calls of the file that are not among the compared calls.
    """

    answered_accepts: Bools
    candidate_accepts: Bools
    is_labelled: Bools
    is_genuine: Bools
    is_unclear: Bools
    persons: Ints
    later_calls: int
    gone_calls: int

    @classmethod
    def of(cls, sides: Sides, labels: Labels, persons: Ints) -> _Judged:
        """Return the calls of a review file; raise if it is about another question."""
        question = attrs.evolve(sides.question, until=labels.until)
        if str(question) != labels.question:
            raise InvalidRequest(
                f"The review file was written for another question: {labels.question!r:.300}, not "
                f"{str(question)!r}. Pass the same options, or name another file."
            )
        call_ids = sides.compared["call_id"]
        is_in_time = (sides.compared["at"] <= labels.until).to_numpy()
        # A row that was written late may be a disagreement that the file does not have.
        is_listed = call_ids.isin(labels.listed).to_numpy()
        is_of_question = is_in_time & (is_listed | ~sides.disagrees)
        call_ids = call_ids[is_of_question]
        return cls(
            answered_accepts=sides.answered_accepts[is_of_question],
            candidate_accepts=sides.candidate_accepts[is_of_question],
            is_labelled=call_ids.isin(labels.genuine.keys()).to_numpy(),
            is_genuine=call_ids.map(labels.genuine).eq(True).to_numpy(dtype=bool),
            is_unclear=call_ids.isin(labels.unclear).to_numpy(),
            persons=persons[is_of_question],
            later_calls=int(np.count_nonzero(~is_of_question)),
            gone_calls=len(labels.listed.difference(sides.compared["call_id"])),
        )

    @property
    def disagrees(self) -> Bools:
        different: Bools = self.answered_accepts ^ self.candidate_accepts
        return different

    @property
    def labelled_disagreements(self) -> int:
        return int(np.count_nonzero(self.disagrees & self.is_labelled))

    def summary(self, file: str, confidence: float) -> Reviewed:
        """Count the labels, and the calls that do not count or are gone."""
        agreed = ~self.disagrees & self.is_labelled
        both_wrong = None
        if agreed.any():
            is_wrong = self.answered_accepts != self.is_genuine
            both_wrong = share_of(is_wrong[agreed], self.persons[agreed], confidence)
        return Reviewed(
            file=file,
            disagreements=int(np.count_nonzero(self.disagrees)),
            labelled=self.labelled_disagreements,
            genuine=int(np.count_nonzero(self.disagrees & self.is_genuine)),
            unclear=int(np.count_nonzero(self.disagrees & self.is_unclear)),
            both_wrong=both_wrong,
            later=self.later_calls,
            gone=self.gone_calls,
        )

    def net(self, confidence: float) -> tuple[NetErrors, ...]:
        """Return the errors that the candidate saves, of both kinds together and of each.

        Below 0 the candidate makes more. Called only with labels of disagreements.
        """
        is_judged = self.disagrees & self.is_labelled
        # The labelled disagreements are a random sample of all.
        scale = float(np.count_nonzero(self.disagrees) / np.count_nonzero(is_judged))
        calls_of_kind = {
            "error": is_judged,
            "false_reject": is_judged & self.is_genuine,
            "false_match": is_judged & ~self.is_genuine,
        }
        net: list[NetErrors] = []
        for error_kind, counted in calls_of_kind.items():
            paired = Paired(
                counted & (self.answered_accepts != self.is_genuine),
                counted & (self.candidate_accepts != self.is_genuine),
                self.persons,
            )
            net.append(
                NetErrors(
                    kind=error_kind,
                    only_answered=paired.only_first,
                    only_candidate=paired.only_second,
                    saved=Estimate(
                        value=PER * scale * paired.value,
                        interval=_scaled(paired.interval(confidence), PER * scale),
                    ),
                    p_value=paired.mcnemar(),
                )
            )
        any_error, *each_kind = net
        adjusted = holm([of_kind.p_value for of_kind in each_kind])
        level = 1 - confidence
        return (
            attrs.evolve(any_error, is_real=any_error.p_value < level),
            *(
                attrs.evolve(of_kind, p_adjusted=p, is_real=p < level)
                for of_kind, p in zip(each_kind, adjusted, strict=True)
            ),
        )


def _scaled(interval: Interval, factor: float) -> Interval:
    return attrs.evolve(interval, low=interval.low * factor, high=interval.high * factor)


def _money_of(
    net: Sequence[NetErrors],
    costs: Costs,
    question: Question,
    prices: Mapping[str, float],
    confidence: float,
) -> Money:
    """Return the money that the candidate would have saved per 1,000 compared calls.

    Its interval is recovered from those of the saved errors.
    """
    cost_of_kind = {"false_match": costs.false_match, "false_reject": costs.false_reject}
    terms = []
    for of_kind in net:
        if of_kind.kind in cost_of_kind:  # not both kinds together
            terms.append(Term(cost_of_kind[of_kind.kind], of_kind.saved))
    saved_errors = weighted_sum(terms, confidence)
    saved_prices = None
    if question.answered in prices and question.candidate in prices:
        saved_prices = PER * (prices[question.answered] - prices[question.candidate])
    shift = saved_prices or 0.0
    ends = saved_errors.interval
    shifted = attrs.evolve(ends, low=ends.low + shift, high=ends.high + shift)
    return Money(
        currency=costs.currency,
        cost_false_match=costs.false_match,
        cost_false_reject=costs.false_reject,
        saved_errors=saved_errors,
        saved_prices=saved_prices,
        saved=Estimate(value=saved_errors.value + shift, interval=shifted),
    )


def _summary_of(rows: DataFrame, name: str, prices: Mapping[str, float]) -> SideSummary:
    with_result = rows[rows["decision"].notna()]
    asked_calls = rows[rows["not_asked"].isna()]
    charged_calls = asked_calls[asked_calls["charged"] == Charged.YES.value]
    charges = charged_calls["charges"].dropna()
    price = prices.get(name)
    elapsed_s = {}
    if len(with_result):
        for percentile in _PERCENTILES:
            elapsed_s[str(percentile)] = float(np.percentile(with_result["elapsed_s"], percentile))
    return SideSummary(
        name=name,
        calls=len(rows),
        answered=len(with_result),
        errors=count_values(rows["error"]),
        not_asked=count_values(rows["not_asked"]),
        decisions=count_values(rows["decision"]),
        charged=count_values(asked_calls["charged"]),
        charges_per_call=float(charges.mean()) if len(charges) else None,
        price=price,
        cost=None if price is None else price * len(charged_calls),
        elapsed_s=elapsed_s,
        models=count_values(with_result["model"]),
        thresholds=count_values(with_result["threshold"]),
    )


def _cross_table(compared: DataFrame) -> dict[str, dict[str, int]]:
    """Return the number of compared calls by the answer's decision and the candidate's."""
    operation = compared["operation"].iloc[0]
    rejected = {"match": "no_match", "liveness": "not_live"}[operation]
    decisions = (ACCEPTED[Operation(operation)], REVIEW, rejected, "inconclusive")
    counts: dict[str, dict[str, int]] = {}
    for answered_decision in decisions:
        is_of_answer = compared["decision"] == answered_decision
        row = {}
        for candidate_decision in decisions:
            is_both = is_of_answer & (compared["decision_candidate"] == candidate_decision)
            row[candidate_decision] = int(is_both.sum())
        counts[answered_decision] = row
    return counts
