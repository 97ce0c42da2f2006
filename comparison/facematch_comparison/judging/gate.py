"""PASS, FAIL or INCONCLUSIVE: an evaluation held against requirements.

PASS (met) only where bounds on the right side prove all rates at one threshold; FAIL (not met) only
where a bound on the wrong side proves it and no other threshold would do; in between it cannot be
shown with these data. Limits by group are held at the threshold that is judged, for groups are
known at no other one: a group beyond them there is a FAIL.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from facematch_comparison.stats import bounds
from facematch_comparison.stats.groups import FEW_PEOPLE
from facematch_comparison.values.model import (
    SCHEMA,
    Estimate,
    Evaluation,
    GroupCell,
    OperatingPoint,
    Rate,
    System,
    as_json,
)
from facematch_comparison.values.numbers import lower_percent, percent, setting, upper_percent
from facematch_core.backend.kinds import argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .evaluation import CALIBRATION, EVALUATION, check_name, fmr_bounds
from .requirements import SHARE, JudgedAt, Requirements

#: Origins of thresholds that were chosen for the required FMR.
_CHOSEN: Final = (CALIBRATION, EVALUATION)

#: Groups that a sentence names; the others are in the JSON.
_NAMED: Final = 3


class Conclusion(enum.StrEnum):
    """Verdict on a requirement."""

    #: Met: a bound on the right side proves it.
    PASS = "pass"  # noqa: S105 - no password
    #: Not met: a bound on the wrong side proves it.
    FAIL = "fail"
    #: Neither: the test set is too small, or the rates too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class RateVerdict:
    """A rate beside its limit, with its one-sided bounds if it has trials.

    Its name is ``fmr`` or ``frr``; of a group also ``fta``, and ``fmr_ratio``, ``frr_ratio``, with
    the bounds of the ratio.
    """

    name: str
    limit: float
    rate: Rate
    low: float | None
    high: float | None
    outcome: Conclusion
    column: str | None = None
    group: str | None = None

    @property
    def is_beyond(self) -> bool:
        """Whether it is open, and was seen beyond its limit: more pairs do not help there."""
        is_open = self.outcome is Conclusion.INCONCLUSIVE
        return is_open and (self.rate.value or 0.0) > self.limit


@attrs.frozen(kw_only=True)
class SystemVerdict:
    """Verdict on one system at the threshold that is judged, if there is one.

    `groups` are the rates that have a limit by group. `plan` is the command line of the plan that
    says how many pairs show the limits of all people; None where more pairs are not what is
    missing, and for transactions, of which there is no plan.
    """

    system: str
    outcome: Conclusion
    threshold: float | None
    chosen_on: str | None
    rates: tuple[RateVerdict, ...]
    groups: tuple[RateVerdict, ...]
    plan: str | None
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """Verdict on the systems that were asked for, in the order of the comparison.

    PASS if every one passes, FAIL if one fails, else INCONCLUSIVE.
    """

    outcome: Conclusion
    requirements: Requirements
    systems: tuple[SystemVerdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (``"schema": 0``, ``"kind": "verdict"``)."""
        return {"schema": SCHEMA, "kind": "verdict", **as_json(self)}


def judge(
    evaluation: Evaluation,
    requirements: Requirements,
    *,
    systems: Sequence[str] = (),
    allow_mock: bool = False,
) -> Verdict:
    """Hold systems against requirements.

    Args:
        evaluation: Made for the FMR that the requirements choose thresholds for, if they judge at
            that threshold.
        systems: Names of those to be judged; none for all.
        allow_mock: Judge answers of a mock or a sandbox, too. The verdict is then about nothing
            that a vendor sells.

    Raises:
        InvalidRequest: the evaluation was made for another FMR, with narrower intervals, or without
            the transactions that count; a system is not in it, or answered from a mock or a
            sandbox.
    """
    _check(evaluation, requirements)
    names = [system.name for system in evaluation.systems]
    for name in systems:
        check_name(name, names)
    judged = [system for system in evaluation.systems if not systems or system.name in systems]
    for system in judged:
        if system.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{system.name} answered from a {system.environment}, which says nothing about the "
                "vendor's matcher: judge answers of the vendor itself, or say "
                f"{argument('allow_mock', True)} to try the gate."
            )
    is_split = evaluation.study.calibration is not None
    verdicts = tuple(_judge(system, requirements, is_split=is_split) for system in judged)
    return Verdict(outcome=_of_all(verdicts), requirements=requirements, systems=verdicts)


def _of_all(judged: Sequence[SystemVerdict | RateVerdict]) -> Conclusion:
    """FAIL if one fails, PASS if all pass."""
    outcomes = {each.outcome for each in judged}
    if Conclusion.FAIL in outcomes:
        return Conclusion.FAIL
    return Conclusion.PASS if outcomes == {Conclusion.PASS} else Conclusion.INCONCLUSIVE


def _check(evaluation: Evaluation, requirements: Requirements) -> None:
    required, confidence = requirements.required_fmr, requirements.evaluation_confidence
    is_other_fmr = not math.isclose(evaluation.required_fmr, required)
    has = needs = ""
    if requirements.at is JudgedAt.REQUIRED_FMR and is_other_fmr:
        has = f"chose thresholds for an FMR of {evaluation.required_fmr:g}"
        needs = f"judge those for {required:g}"
    elif evaluation.confidence < confidence - 1e-9:
        has = f"has intervals of {100 * evaluation.confidence:g} %"
        needs = f"need {100 * confidence:g} % to say that no other threshold would do"
    elif requirements.counts == "transactions":
        for system in evaluation.systems:
            best, attempts = system.transactions, requirements.attempts
            if best is None or attempts not in (None, best.attempts):
                has = f"has {'none' if best is None else f'those of up to {best.attempts}'}"
                needs = "count transactions (the columns transaction and attempt) of up to "
                needs += f"{attempts or 'any number of'} attempts"
    if has:
        raise InvalidRequest(
            f"The requirements {requirements.name} {needs}, and this comparison {has}: judge the "
            "answers themselves."
        )


def _judge(system: System, requirements: Requirements, *, is_split: bool) -> SystemVerdict:
    attempts = 1
    if requirements.counts == "transactions" and (best := system.transactions):
        attempts = best.attempts
        system = attrs.evolve(
            system, at_required=best.at_required, at_default=best.at_default, curve=best.curve
        )
    # A system that gives decisions only has no other threshold than its own.
    is_own = requirements.at is JudgedAt.DEFAULT or system.kind == "decisions"
    at = system.at_default if is_own else system.at_required
    rates: list[RateVerdict] = []
    groups: list[RateVerdict] = []
    if at is not None:
        limits = {"fmr": requirements.max_fmr, "frr": requirements.max_frr}
        rates += _rates(at, limits, requirements)
        for cell in system.groups:
            column = [each for each in system.groups if each.column == cell.column]
            groups += _rates(cell, requirements.by_group, requirements, column)
    outcome, of_groups = _of_all(rates + groups), _of_all(groups)
    if of_groups is not Conclusion.FAIL and (at is None or outcome is Conclusion.FAIL):
        is_hopeless = _is_hopeless(system, at, requirements)
        outcome = Conclusion.FAIL if is_hopeless else Conclusion.INCONCLUSIVE
    elif outcome is Conclusion.PASS and requirements.by_group and not groups:
        outcome = Conclusion.INCONCLUSIVE
    plan = None
    # More pairs do not help where scores run the wrong way.
    if outcome is Conclusion.INCONCLUSIVE and (rates or system.pairs_needed is not None):
        plan = _plan_words(rates, requirements, is_split=is_split)
    verdict = SystemVerdict(
        system=system.name,
        outcome=outcome,
        threshold=None if at is None else at.threshold,
        chosen_on=None if at is None else at.chosen_on,
        rates=tuple(rates),
        groups=tuple(groups),
        plan=plan,
        sentence="",
    )
    seen = system.why_not or "It was asked without a known threshold: there is none to judge."
    if outcome is Conclusion.FAIL:
        seen = "No threshold keeps both its FMR and its FRR within the limits."
    seen = f"{system.name}: {seen}" if at is None else _seen_words(verdict, attempts, requirements)
    met = _met_words(verdict)
    return attrs.evolve(verdict, sentence=f"{seen} {requirements.title}: {met}")


def _rates(
    of: OperatingPoint | GroupCell,
    limits: Mapping[str, float],
    requirements: Requirements,
    column: Sequence[GroupCell] = (),
) -> Iterator[RateVerdict]:
    """The rates of all pairs, or of one group of a column, that have a limit, beside it."""
    confidence, chosen_for = requirements.confidence, requirements.required_fmr
    # The lower bounds of a column hold together, because any group may be the one that fails. The
    # upper bounds need not, because all groups must pass.
    together = 1 - (1 - confidence) / max(1, len(column))
    place = {"column": of.column, "group": of.group} if isinstance(of, GroupCell) else {}
    for name, limit in limits.items():
        kind = name.removesuffix("_ratio")
        rate: Rate = getattr(of, kind)
        low = high = None
        if name == kind:
            if rate.trials:
                low, high = bounds(rate, together)[0], bounds(rate, confidence)[1]
            if kind == "fmr" and isinstance(of, OperatingPoint) and of.chosen_on in _CHOSEN:
                # On more pairs the threshold is chosen anew, where as many pass as are allowed to.
                high = fmr_bounds(of, chosen_for, confidence)[1] if rate.trials else None
        else:
            ratio: Estimate | None = getattr(of, name)
            if ratio is not None:
                low, high = ratio.interval.low, ratio.interval.high
        outcome = Conclusion.INCONCLUSIVE
        if not place or (rate.subjects or 0) >= FEW_PEOPLE:
            if high is not None and high <= limit:
                outcome = Conclusion.PASS
            elif low is not None and low > limit:
                outcome = Conclusion.FAIL
        yield RateVerdict(
            name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, **place
        )


def _is_hopeless(system: System, at: OperatingPoint | None, requirements: Requirements) -> bool:
    """Whether no threshold would do, as far as these data can show."""
    if requirements.at is JudgedAt.DEFAULT or system.curve is None:
        return at is not None
    # The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    # and FRR no lower than at the lower one. Beyond the last point nobody gets in.
    fmr_low = [*system.curve.fmr_low[1:], system.curve.fmr_low[-1]]
    return all(
        fmr > requirements.max_fmr or frr > requirements.max_frr
        for fmr, frr in zip(fmr_low, system.curve.frr_low, strict=True)
    )


def _seen_words(verdict: SystemVerdict, attempts: int, requirements: Requirements) -> str:
    where = "its own threshold"
    if verdict.threshold is not None:
        where = f"the threshold {verdict.threshold:.10g}"
        if verdict.chosen_on in _CHOSEN:
            where += f", chosen for an FMR of {setting(requirements.required_fmr)} %"
    if requirements.counts == "transactions":
        where += f", in transactions of up to {attempts} attempts"
    words = f"{verdict.system} at {where}: {' and '.join(map(_rate_words, verdict.rates))}."
    if not requirements.by_group:
        return words
    if not verdict.groups:
        return f"{words} The data name no groups, and there are limits by group."
    rest = [rate for rate in verdict.groups if rate.outcome is not Conclusion.PASS]
    rest.sort(key=lambda rate: rate.outcome is not Conclusion.FAIL)
    every = len(verdict.groups)
    words += f" {every - len(rest)} of {every} limits by group are met."
    for rate in rest[:_NAMED]:
        people = rate.rate.subjects or 0
        few = f", and it takes {FEW_PEOPLE}" if people < FEW_PEOPLE else ""
        words += f" {rate.column} {rate.group} (people: {people:,}{few}): {_rate_words(rate)}."
    return words


def _rate_words(rate: RateVerdict) -> str:
    what, limit, low, high = f"the {rate.name.upper()}", f"{setting(rate.limit)} %", "", ""
    if rate.name.endswith("_ratio"):
        what = f"the {rate.name[:3].upper()} over that of all groups"
        limit, low, high = f"{rate.limit:g}", f"{rate.low or 0:.3g}", f"{rate.high or 0:.3g}"
    elif rate.low is not None and rate.high is not None:
        low = f"{lower_percent(rate.low, rate.limit)} %"
        high = f"{upper_percent(rate.high, rate.limit)} %"
    where = {
        Conclusion.PASS: f"is below {high}",
        Conclusion.FAIL: f"is above {low}",
        Conclusion.INCONCLUSIVE: f"lies between {low} and {high}",
    }[rate.outcome]
    return f"{what} {'is unknown' if rate.low is None else where} (limit {limit})"


def _met_words(verdict: SystemVerdict) -> str:
    if verdict.outcome is Conclusion.PASS:
        return "met."
    if verdict.outcome is Conclusion.FAIL:
        of_group = any(rate.outcome is Conclusion.FAIL for rate in verdict.groups)
        is_only = of_group or verdict.chosen_on == "default"
        return "not met." if is_only else "not met; no other threshold would do."
    if any(rate.outcome is Conclusion.FAIL for rate in verdict.rates):
        return "not met at this threshold; another might do."
    words = "this cannot be shown with these data"
    for rate in verdict.rates:
        if rate.is_beyond:
            seen = percent(rate.rate.value or 0.0)
            words += f", nor with more of them if the {rate.name.upper()} stays at {seen} %"
    return f"{words}."


def _plan_words(
    rates: Sequence[RateVerdict], requirements: Requirements, *, is_split: bool
) -> str | None:
    """The plan of attempts that shows the limits of all people; None where it would not help."""
    is_open = not rates or _of_all(rates) is Conclusion.INCONCLUSIVE
    if requirements.counts != "attempts" or not is_open or any(rate.is_beyond for rate in rates):
        return None
    fmr = requirements.max_fmr
    if requirements.at is JudgedAt.REQUIRED_FMR:
        # A plan chooses its threshold for a fifth of the FMR that it is to show.
        fmr = min(fmr, SHARE * requirements.required_fmr)
    words = f"facematch compare plan --fmr {fmr:g} --frr {requirements.max_frr:g}"
    return f"{words} --confidence {requirements.confidence:g}{' --split' * is_split}"
