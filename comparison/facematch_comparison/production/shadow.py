"""Compare the two sides of a call log: agreement, and with labels who makes fewer errors.

Where both systems accept or both reject, both are right or both are wrong: the *difference* of
their errors lies in the disagreements alone. So labels of the disagreements suffice for it, and
give a far narrower interval than as many labels of any calls.

A drawn call whose pictures the candidate refused is one that it does not accept.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
from pandas import DataFrame, Series, crosstab, factorize

from facematch_comparison.stats.rates import Bools, Ints
from facematch_comparison.values.model import Costs, ReviewersAgree, Share
from facematch_core._version import __version__
from facematch_core.call_log import Side
from facematch_core.documents import written
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Operation

from .calls import (
    ACCEPTED,
    REVIEW,
    Selection,
    accepts,
    choose_system,
    count_practice,
    count_values,
    digest_of,
    people_of,
    select,
    share_of,
)
from .judged import Judged, Money, NetErrors
from .labels.review import Question
from .labels.reviewers import AgreedLabels, compare_reviewers

#: Version of the JSON form, as of a report's: minor releases may change it until 1.0.
SCHEMA: Final = 0
#: In place of a decision: the candidate refused the pictures.
REFUSED: Final = "refused"
#: The errors of pictures, if the candidate has answered other calls.
_ABOUT_PICTURES: Final = ("InvalidImage", "RequestRejected")
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
class Reviewed:
    """What was labelled.

    Attributes:
        files: The names of the review files.
        disagreements, labelled: The disagreements of the question, and those with a label. If
            several files list a call, its label is the one on which two of them agree.
        genuine: The labelled disagreements that are genuine.
        unclear: The disagreements that nobody could label; they count as unlabelled.
        contradicted: The disagreements that the reviewers label differently; likewise.
        contradicted_calls: Their ids, sorted.
        labelled_once: The disagreements that several files list and one has labelled; likewise.
        reviewers: How far every two reviewers agree, about all calls that both labelled.
        both_wrong: The labelled agreements in which both were wrong; None if none were labelled.
        later: Compared calls that do not count: later than the file, or disagreements that it does
            not list.
        gone: Calls of the file that are not among the compared calls.
    """

    files: tuple[str, ...]
    disagreements: int
    labelled: int
    genuine: int
    unclear: int
    contradicted: int
    contradicted_calls: tuple[str, ...]
    labelled_once: int
    reviewers: tuple[ReviewersAgree, ...]
    both_wrong: Share | None
    later: int
    gone: int

    @property
    def is_complete(self) -> bool:
        """Whether every disagreement was labelled, or found unclear or contradicted."""
        left_out = self.unclear + self.contradicted + self.labelled_once
        return self.labelled + left_out >= self.disagreements


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
        compared: Number of calls with a result of both, or whose pictures the candidate refused.
        refused: The compared calls whose pictures the candidate refused.
        people: Number of people in the compared calls.
        without_person: Compared calls without a `caller_ref`; each counts as a person of its own.
        decisions: Number of compared calls by the answer's decision and the candidate's.
        agreement: The share of compared calls that both accept or both reject.
        only_answered_accepts, only_candidate_accepts: The disagreements of each kind.
        practice_answers: Answers from a mock or a sandbox, which prove nothing about a vendor.
        reviewed: The labels; None without a review file.
        net: Net errors of each kind and of both; empty without labels of disagreements.
        money: None without labels or costs.
        headline, findings, caveats: The verdict, what else the labels show, and what these calls
            cannot show, in sentences.
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
    refused: int
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
    findings: tuple[str, ...] = ()
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
            ``decision_candidate`` and ``error_candidate``. In the order of time. The candidate's
            decision is `REFUSED` if it refused the pictures.
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

    def choose_calls(self, labels: AgreedLabels | None) -> tuple[Question, Bools]:
        """Return which calls a new review file lists, and its question.

        Without labels: the disagreements. With labels: those on which the reviewers contradict each
        other.
        """
        if labels is None:
            return attrs.evolve(self.question, agreements_are_random=True), self.disagrees
        question = attrs.evolve(self.question, until=labels.until, agreements_are_random=False)
        return question, self.compared["call_id"].isin(labels.contradicted).to_numpy()


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
    of_candidate = drawn[["call_id", "decision", "error"]]
    compared = answers.merge(of_candidate, on="call_id", suffixes=("", "_candidate"))
    compared = compared.astype({"call_id": object, "decision_candidate": object})
    if drawn["decision"].notna().any():
        # If it has answered nothing, a refusal may be due to the configuration.
        is_refused = compared["error_candidate"].isin(_ABOUT_PICTURES)
        compared.loc[is_refused, "decision_candidate"] = REFUSED
    compared = compared[compared["decision"].notna() & compared["decision_candidate"].notna()]
    # Rows of one time are in the order of the log. Sorting ids takes 60 MB for 100,000 of them.
    compared = compared.sort_values("at", kind="stable", ignore_index=True)
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
    labels: AgreedLabels | None = None,
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
    reviewed = None if labels is None else _ReviewedCalls.of(sides, labels, persons)
    net: tuple[NetErrors, ...] = ()
    money = None
    if reviewed is not None and reviewed.judged.is_judged.any():
        net = reviewed.judged.net(confidence)
        if costs is not None:
            money = reviewed.judged.money(costs, prices, (answered, candidate), confidence)
    return ShadowComparison(
        log=log,
        digest=digest_of(sides.selected),
        selection=selection,
        review_is_accepted=sides.question.review_is_accepted,
        confidence=confidence,
        made_at=made_at,
        answered=_summary_of(sides.answered, answered, prices),
        candidate=_summary_of(sides.drawn, candidate, prices),
        drawn=len(sides.drawn),
        compared=len(compared),
        refused=int((compared["decision_candidate"] == REFUSED).sum()),
        people=len(np.unique(persons)),
        without_person=int(compared["person"].isna().sum()),
        decisions=_cross_table(compared),
        agreement=share_of(~disagrees, persons, confidence),
        only_answered_accepts=int(np.count_nonzero(sides.answered_accepts & disagrees)),
        only_candidate_accepts=int(np.count_nonzero(sides.candidate_accepts & disagrees)),
        practice_answers=count_practice(sides.selected),
        reviewed=None if reviewed is None else reviewed.summary(confidence),
        net=net,
        money=money,
    )


@attrs.frozen(kw_only=True)
class _ReviewedCalls:
    """The compared calls of a review's question.

    Attributes:
        labels: The labels.
        is_of_question: Which compared calls count: not later than the files, and no disagreement
            that they do not list: bool, (compared calls,).
        judged: Those calls, with their labels.
        call_ids: Their ids: (N,).
        was_drawn_at_random: Whether each call is in a file whose agreements are a random sample.
        gone_calls: Number of calls of the files that are not among the compared calls.
    """

    labels: AgreedLabels
    is_of_question: Bools
    judged: Judged
    call_ids: Series
    was_drawn_at_random: Bools
    gone_calls: int

    @classmethod
    def of(cls, sides: Sides, labels: AgreedLabels, persons: Ints) -> _ReviewedCalls:
        """Return the calls of review files; raise if these are about another question."""
        question = attrs.evolve(sides.question, until=labels.until)
        if str(question) != labels.question:
            raise InvalidRequest(
                f"The review file was written for another question: {labels.question!r:.300}, not "
                f"{str(question)!r}. Pass the same options, or name another file."
            )
        call_ids = sides.compared["call_id"]
        is_in_time = (sides.compared["at"] <= labels.until).to_numpy()
        # A row that was written late may be a disagreement that no file has.
        is_listed = call_ids.isin(labels.listed).to_numpy()
        is_of_question = is_in_time & (is_listed | ~sides.disagrees)
        call_ids = call_ids[is_of_question]
        at_random = frozenset[str]().union(
            *(file.listed for file in labels.files if file.agreements_are_random)
        )
        file_sets, _ = factorize(call_ids.map(labels.files_listing))
        return cls(
            labels=labels,
            is_of_question=is_of_question,
            judged=Judged(
                answered_accepts=sides.answered_accepts[is_of_question],
                candidate_accepts=sides.candidate_accepts[is_of_question],
                is_labelled=call_ids.isin(labels.genuine.keys()).to_numpy(),
                is_genuine=call_ids.map(labels.genuine).eq(True).to_numpy(dtype=bool),
                persons=persons[is_of_question],
                file_set=np.where(is_listed[is_of_question], file_sets, -1),
            ),
            call_ids=call_ids,
            was_drawn_at_random=call_ids.isin(at_random).to_numpy(),
            gone_calls=len(labels.listed.difference(sides.compared["call_id"])),
        )

    def summary(self, confidence: float) -> Reviewed:
        """Count the labels, and the calls that do not count or are gone."""
        judged = self.judged
        labels = self.labels
        agreed = ~judged.disagrees & judged.is_labelled & self.was_drawn_at_random
        both_wrong = None
        if agreed.any():
            is_wrong = judged.answered_accepts != judged.is_genuine
            both_wrong = share_of(is_wrong[agreed], judged.persons[agreed], confidence)
        disagreements = self.call_ids[judged.disagrees]
        contradicted_calls = disagreements[disagreements.isin(labels.contradicted)].tolist()
        person_of = dict(zip(self.call_ids, judged.persons.tolist(), strict=True))
        return Reviewed(
            files=tuple(file.file for file in labels.files),
            disagreements=len(disagreements),
            labelled=int(np.count_nonzero(judged.is_judged)),
            genuine=int(np.count_nonzero(judged.disagrees & judged.is_genuine)),
            unclear=int(disagreements.isin(labels.unclear).sum()),
            contradicted=len(contradicted_calls),
            contradicted_calls=tuple(sorted(contradicted_calls)),
            labelled_once=int(disagreements.isin(labels.labelled_once).sum()),
            reviewers=compare_reviewers(labels.files, person_of, confidence),
            both_wrong=both_wrong,
            later=int(np.count_nonzero(~self.is_of_question)),
            gone=self.gone_calls,
        )


def _summary_of(rows: DataFrame, name: str, prices: Mapping[str, float]) -> SideSummary:
    """Return what one side of a shadow did: its calls, answers, errors, charges and times.

    Times, models and thresholds are those of calls with a result; charges those of calls that were
    sent. `cost` is None without a price, `charges_per_call` without a known charge.
    """
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
    counts = crosstab(compared["decision_candidate"], compared["decision"])
    counts = counts.reindex(index=[*decisions, REFUSED], columns=decisions, fill_value=0)
    by_decision: dict[str, dict[str, int]] = counts.to_dict()
    return by_decision
