"""Check an evaluation against requirements: PASS, FAIL or INCONCLUSIVE.

PASS: at one threshold, the bounds of all rates are within the limits. FAIL: a bound is beyond its
limit, and no other threshold would pass. INCONCLUSIVE: the data show neither. Limits by group are
checked only at the judged threshold, because groups have no rates at others: a group beyond its
limit there is a FAIL.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from facematch_comparison.stats import bounds
from facematch_comparison.stats.groups import FEW_PEOPLE
from facematch_comparison.values import model, numbers
from facematch_core.backend.kinds import argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .evaluation import CALIBRATION, EVALUATION, check_name
from .requirements import SHARE, JudgedAt, Requirements

#: Maximum number of groups in a sentence; the others are in the JSON.
_NAMED: Final = 3


class Conclusion(enum.StrEnum):
    """The verdict on a requirement."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    #: The test set is too small, or the rates are too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class RateVerdict:
    """A rate and its limit, with one-sided bounds if the rate has trials.

    `name` is ``fmr`` or ``frr``. For a group it may also be ``fta``, ``fmr_ratio`` or
    ``frr_ratio``; the bounds of a ratio are bounds for the ratio.
    """

    name: str
    limit: float
    rate: model.Rate
    low: float | None
    high: float | None
    outcome: Conclusion
    column: str | None = None
    group: str | None = None


@attrs.frozen(kw_only=True)
class SystemVerdict:
    """The verdict on one system at the judged threshold, if there is one.

    `groups` are the rates with a limit by group. `plan` is the command that computes how many pairs
    can show the limits for all people. It is None if more pairs would not help, and for
    transactions.
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
    """The verdict on the requested systems, in the order of the comparison.

    PASS if every system passes, FAIL if any fails, else INCONCLUSIVE.
    """

    outcome: Conclusion
    requirements: Requirements
    systems: tuple[SystemVerdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (``"schema": 0``, ``"kind": "verdict"``)."""
        return {"schema": model.SCHEMA, "kind": "verdict", **model.as_json(self)}


def judge(
    evaluation: model.Evaluation,
    requirements: Requirements,
    *,
    systems: Sequence[str] = (),
    allow_mock: bool = False,
) -> Verdict:
    """Check systems against requirements.

    Args:
        evaluation: An evaluation for the `required_fmr` of the requirements, if they judge at that
            threshold.
        systems: Names of the systems to check; empty for all.
        allow_mock: Whether to accept answers from a mock or a sandbox. The verdict then proves
            nothing about the vendor's product.

    Raises:
        InvalidRequest: the evaluation is for another FMR, has narrower intervals, or lacks the
            required transactions; a system is not in it, or answered from a mock or a sandbox.
    """
    _check(evaluation, requirements)
    for name in systems:
        check_name(name, [system.name for system in evaluation.systems])
    verdicts = []
    for system in evaluation.systems:
        if systems and system.name not in systems:
            continue
        if system.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{system.name} answered from a {system.environment}, which says nothing about the "
                "vendor's matcher. Judge answers of the vendor, or try the gate with "
                f"{argument('allow_mock', True)}."
            )
        is_split = evaluation.study.calibration is not None
        verdicts.append(_judge(system, requirements, is_split=is_split))
    return Verdict(outcome=_of_all(verdicts), requirements=requirements, systems=tuple(verdicts))


def _of_all(judged: Sequence[SystemVerdict | RateVerdict]) -> Conclusion:
    """Return FAIL if one fails, PASS if all pass, else INCONCLUSIVE."""
    outcomes = {each.outcome for each in judged}
    if Conclusion.FAIL in outcomes:
        return Conclusion.FAIL
    return Conclusion.PASS if outcomes == {Conclusion.PASS} else Conclusion.INCONCLUSIVE


def _check(evaluation: model.Evaluation, requirements: Requirements) -> None:
    required, confidence = requirements.required_fmr, requirements.evaluation_confidence
    attempts, wrong = requirements.attempts, ""
    is_chosen = requirements.at is JudgedAt.REQUIRED_FMR
    if is_chosen and not math.isclose(evaluation.required_fmr, required):
        wrong = f"need thresholds for an FMR of {required:g}, not {evaluation.required_fmr:g}"
    elif evaluation.confidence < confidence - 1e-9:
        wrong = f"need intervals of at least {100 * confidence:g} % confidence"
    elif requirements.counts == "transactions" and not all(
        best and attempts in (None, best.attempts)
        for best in (system.transactions for system in evaluation.systems)
    ):
        wrong = f"count transactions of up to {attempts or 'any number of'} attempts"
    if wrong:
        name = requirements.name
        raise InvalidRequest(f"The requirements {name} {wrong}: evaluate the answers for that.")


def _judge(system: model.System, requirements: Requirements, *, is_split: bool) -> SystemVerdict:
    attempts = 1
    if requirements.counts == "transactions" and (best := system.transactions):
        attempts = best.attempts
        system = attrs.evolve(
            system, at_required=best.at_required, at_default=best.at_default, curve=best.curve
        )
    # A system without scores has no threshold other than its own.
    is_own = requirements.at is JudgedAt.DEFAULT or system.kind == "decisions"
    at = system.at_default if is_own else system.at_required
    rates: list[RateVerdict] = []
    groups: list[RateVerdict] = []
    if at is not None:
        limits = {"fmr": requirements.max_fmr, "frr": requirements.max_frr}
        rates += _rates(at, limits, requirements)
        for cell in system.groups:
            column = [each for each in system.groups if each.column == cell.column]
            groups += _rates(cell, requirements.by_group, requirements, len(column))
    outcome, of_groups = _of_all(rates + groups), _of_all(groups)
    if of_groups is not Conclusion.FAIL and (at is None or outcome is Conclusion.FAIL):
        is_hopeless = _is_hopeless(system, at, requirements)
        outcome = Conclusion.FAIL if is_hopeless else Conclusion.INCONCLUSIVE
    elif outcome is Conclusion.PASS and requirements.by_group and not groups:
        outcome = Conclusion.INCONCLUSIVE
    plan = None
    # More pairs do not help if scores are reversed, or if a rate is beyond its limit.
    is_open = _of_all(rates) is Conclusion.INCONCLUSIVE and requirements.counts == "attempts"
    if (
        outcome is Conclusion.INCONCLUSIVE
        and is_open
        and (rates or system.pairs_needed is not None)
    ):
        plan = None if any(map(_is_beyond, rates)) else _plan_words(requirements, is_split=is_split)
    verdict = SystemVerdict(
        system=system.name,
        outcome=outcome,
        threshold=at.threshold if at else None,
        chosen_on=at.chosen_on if at else None,
        rates=tuple(rates),
        groups=tuple(groups),
        plan=plan,
        sentence="",
    )
    if at is not None:
        seen = _seen_words(verdict, attempts, requirements)
    elif outcome is Conclusion.FAIL:
        seen = f"{system.name}: No threshold keeps both its FMR and its FRR within the limits."
    else:
        no_threshold = "It was run without a known threshold, so there is none to judge."
        seen = f"{system.name}: {system.why_not or no_threshold}"
    met = _met_words(verdict)
    return attrs.evolve(verdict, sentence=f"{seen} {requirements.title}: {met}")


def _rates(
    of: model.OperatingPoint | model.GroupCell,
    limits: Mapping[str, float],
    requirements: Requirements,
    groups: int = 1,
) -> Iterator[RateVerdict]:
    """Yield a verdict on each limited rate of all pairs, or of one of the groups of a column."""
    confidence = requirements.confidence
    # The lower bounds of a column are simultaneous, because any group can fail by chance. The upper
    # bounds need not be, because all groups must pass.
    together = 1 - (1 - confidence) / groups
    place, chosen_for = {}, None
    if isinstance(of, model.GroupCell):
        place = {"column": of.column, "group": of.group}
    elif of.chosen_on == EVALUATION:
        # The bound at the chosen order statistic, as more pairs would move the threshold.
        chosen_for = requirements.required_fmr
    for name, limit in limits.items():
        rate: model.Rate = getattr(of, name.removesuffix("_ratio"))
        low = high = None
        if name.endswith("_ratio"):
            ratio: model.Estimate | None = getattr(of, name)
            if ratio is not None:
                low, high = ratio.interval.low, ratio.interval.high
        elif rate.trials:
            low = bounds(rate, together)[0]
            high = bounds(rate, confidence, chosen_for=chosen_for if name == "fmr" else None)[1]
        outcome = Conclusion.INCONCLUSIVE
        if not place or (rate.subjects or 0) >= FEW_PEOPLE:
            if high is not None and high <= limit:
                outcome = Conclusion.PASS
            elif low is not None and low > limit:
                outcome = Conclusion.FAIL
        yield RateVerdict(
            name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, **place
        )


def _is_hopeless(
    system: model.System, at: model.OperatingPoint | None, requirements: Requirements
) -> bool:
    """Return whether the data show that no threshold would pass."""
    if requirements.at is JudgedAt.DEFAULT or system.curve is None:
        return at is not None
    # The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    # and FRR no lower than at the lower one. Beyond the last point nobody passes.
    fmr_low = [*system.curve.fmr_low[1:], system.curve.fmr_low[-1]]
    return all(
        fmr > requirements.max_fmr or frr > requirements.max_frr
        for fmr, frr in zip(fmr_low, system.curve.frr_low, strict=True)
    )


def _seen_words(verdict: SystemVerdict, attempts: int, requirements: Requirements) -> str:
    where = "its own threshold"
    if verdict.threshold is not None:
        where = f"the threshold {numbers.score(verdict.threshold)}"
        if verdict.chosen_on in (CALIBRATION, EVALUATION):
            where += f", chosen for an FMR of {numbers.setting(requirements.required_fmr)} %"
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
    what, limit, low, high = f"the {rate.name.upper()}", f"{numbers.setting(rate.limit)} %", "", ""
    if rate.name.endswith("_ratio"):
        what = f"the {rate.name[:3].upper()} over that of all groups"
        limit, low, high = f"{rate.limit:g}", f"{rate.low or 0:.3g}", f"{rate.high or 0:.3g}"
    elif rate.low is not None and rate.high is not None:
        low = f"{numbers.lower_percent(rate.low, rate.limit)} %"
        high = f"{numbers.upper_percent(rate.high, rate.limit)} %"
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
        is_only = of_group or verdict.chosen_on in (None, "default")
        return "not met." if is_only else "not met, and no other threshold would meet it."
    if any(rate.outcome is Conclusion.FAIL for rate in verdict.rates):
        return "not met at this threshold; another one might meet it."
    words = "not shown by these data"
    for rate in verdict.rates:
        if _is_beyond(rate):
            seen = numbers.percent(rate.rate.value or 0.0)
            words += f", nor by more of them if the {rate.name.upper()} stays at {seen} %"
    return f"{words}."


def _is_beyond(rate: RateVerdict) -> bool:
    return rate.outcome is Conclusion.INCONCLUSIVE and (rate.rate.value or 0.0) > rate.limit


def _plan_words(requirements: Requirements, *, is_split: bool) -> str:
    """Return the command for a plan that can show the limits."""
    fmr = requirements.max_fmr
    if requirements.at is JudgedAt.REQUIRED_FMR:
        # A plan chooses its threshold for a fifth of the FMR to show.
        fmr = min(fmr, SHARE * requirements.required_fmr)
    words = f"facematch compare plan --fmr {fmr:g} --frr {requirements.max_frr:g}"
    return f"{words} --confidence {requirements.confidence:g}{' --split' * is_split}"
