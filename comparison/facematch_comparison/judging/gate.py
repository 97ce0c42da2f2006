"""Plan a study, and check its evaluation against requirements: PASS, FAIL or INCONCLUSIVE.

PASS: at one threshold, the bounds of all rates are within the limits. FAIL: a bound is beyond its
limit, and no other threshold would pass. INCONCLUSIVE: the data show neither. Limits by group are
checked only at the judged threshold, because groups have rates only there. A group beyond its limit
is a FAIL.

A plan computes how many pairs are needed to show that a rate is within its limit: without errors,
299 pairs for 1 %, 2,995 for 0.1 % and 29,956 for 0.01 %. If the non-mated pairs also choose the
threshold, there must be enough of them to expect `ENOUGH_FALSE_MATCHES` false matches.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, bounds, trials_allowing, trials_for
from facematch_comparison.stats.groups import FEW_PEOPLE
from facematch_comparison.values import model, numbers
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .evaluation import CALIBRATION, EVALUATION, check_name
from .requirements import SHARE, Requirements

#: Numbers of errors in a plan. A vendor slightly better than required still makes some errors.
ERRORS: Final = (0, 1, 3, 10)


@attrs.frozen(kw_only=True)
class ClaimNeed:
    """Numbers of pairs to judge and to draw, to show both claims with up to `errors` errors."""

    errors: int
    mated: int
    non_mated: int
    draw_mated: int
    draw_non_mated: int


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan to show two claims: upper limits of the FMR and of the FRR.

    Attributes:
        needs: Sorted by number of errors; the first is the minimum.
    """

    fmr: float
    frr: float
    confidence: float
    split: bool
    needs: tuple[ClaimNeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as a dict that `json` can encode."""
        return model.as_json(self)


def plan_study(
    *, fmr: float, frr: float, confidence: float = 0.95, split: bool = False
) -> StudyPlan:
    """Compute how many mated and non-mated pairs a study of vendors needs.

    The numbers assume independent pairs. Pairs that share people carry less information; the report
    shows how much less.

    Args:
        fmr, frr: The rates to show for each vendor, above 0 and below 1.
        confidence: One-sided confidence of each claim, between 0 and 1.
        split: Whether thresholds are chosen on one half of the people and judged on the other. Half
            of the pairs drawn by `draw_pairs` with ``split`` are then judged. With pairs from other
            sources, fewer are judged, because pairs across the halves are dropped.

    Raises:
        InvalidRequest: a number is out of range.
    """
    needs = []
    for errors in ERRORS:
        mated, non_mated = (trials_for(rate, errors, confidence) for rate in (frr, fmr))
        non_mated = max(non_mated, trials_allowing(ENOUGH_FALSE_MATCHES, fmr))
        judged = {"mated": mated, "non_mated": non_mated}
        drawn = {f"draw_{kind}": (2 if split else 1) * count for kind, count in judged.items()}
        needs.append(ClaimNeed(errors=errors, **judged, **drawn))
    return StudyPlan(fmr=fmr, frr=frr, confidence=confidence, split=split, needs=tuple(needs))


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
    ``frr_ratio``; for a ratio, the bounds are those of the ratio.
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

    `groups` are the rates that have a limit by group. `plan` is the command that computes how many
    pairs would show the limits for all people. It is None if more pairs would not help, and for
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
        """Return the JSON document (``"schema": 0``, ``"kind": "verdict"``)."""
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
        evaluation: An evaluation for the `required_fmr` of the requirements, unless they judge at
            the threshold of the run.
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
    asked = [each for each in evaluation.systems if not systems or each.name in systems]
    for system in asked:
        if system.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{system.name} answered from a {system.environment}, which proves nothing about "
                "the vendor's matcher. Judge the vendor's own answers, or try the gate with "
                f"{format_argument('allow_mock', True)}."
            )
    split = " --split" if evaluation.study.calibration else ""
    verdicts = tuple(_judge(system, requirements, split) for system in asked)
    return Verdict(outcome=_of_all(verdicts), requirements=requirements, systems=verdicts)


def _of_all(judged: Sequence[SystemVerdict | RateVerdict]) -> Conclusion:
    """Return FAIL if any fails, PASS if all pass, else INCONCLUSIVE."""
    outcomes = {each.outcome for each in judged}
    if Conclusion.FAIL in outcomes:
        return Conclusion.FAIL
    return Conclusion.PASS if outcomes == {Conclusion.PASS} else Conclusion.INCONCLUSIVE


def _check(evaluation: model.Evaluation, requirements: Requirements) -> None:
    required, confidence = requirements.required_fmr, requirements.evaluation_confidence
    need = f"required_fmr={required:g} and confidence={confidence:g}"
    is_suited = requirements.at == "default" or math.isclose(evaluation.required_fmr, required)
    is_suited &= evaluation.confidence >= confidence - 1e-9
    if requirements.counts == "transactions":
        need += f", and transactions of up to {requirements.attempts or 'any number of'} attempts"
        best = [system.transactions for system in evaluation.systems]
        is_suited &= all(each and requirements.attempts in (None, each.attempts) for each in best)
    if not is_suited:
        raise InvalidRequest(f"{requirements.name} needs {need}: evaluate the answers for that.")


def _judge(system: model.System, requirements: Requirements, split: str) -> SystemVerdict:
    best = system.transactions if requirements.counts == "transactions" else None
    of = best or system
    # A system without scores has no threshold other than its own.
    is_own = requirements.at == "default" or system.kind == "decisions"
    at = of.at_default if is_own else of.at_required
    cells = system.groups if at else ()
    rates = tuple(_rates(at, requirements)) if at else ()
    groups = tuple(rate for cell in cells for rate in _rates(cell, requirements, cells))
    # More pairs do not help if a rate is beyond its limit.
    beyond = [
        f"; more would not help if the {rate.name.upper()} stays at {numbers.percent(value)} %"
        for rate in rates
        if rate.outcome is Conclusion.INCONCLUSIVE
        and (value := rate.rate.value or 0.0) > rate.limit
    ]
    of_rates = _of_all(rates)
    outcome, met = Conclusion.INCONCLUSIVE, f"not shown by these data{''.join(beyond)}."
    if _of_all(groups) is Conclusion.FAIL:
        outcome, met = Conclusion.FAIL, "not met."
    elif (at is None or of_rates is Conclusion.FAIL) and _is_hopeless(of.curve, at, requirements):
        outcome, met = Conclusion.FAIL, "not met."
        if at and at.chosen_on != "default":
            met = "not met, and no other threshold would meet it."
    elif of_rates is Conclusion.FAIL:
        met = "not met at this threshold; another one might meet it."
    elif _of_all(rates + groups) is Conclusion.PASS and (groups or not requirements.by_group):
        outcome, met = Conclusion.PASS, "met."
    if at is not None:
        tries = f", in transactions of up to {best.attempts} attempts" if best else ""
        seen = f" at {_where(at, requirements)}{tries}: {' and '.join(map(_rate_words, rates))}."
        seen += _group_words(groups, requirements)
    elif outcome is Conclusion.FAIL:
        seen = ": No threshold keeps both its FMR and its FRR within the limits."
    else:
        no_threshold = "It was run without a known threshold, so there is none to judge."
        seen = f": {system.why_not or no_threshold}"
    # More pairs do not help if scores are reversed.
    can_be_shown = not beyond if at else system.pairs_needed
    is_open = outcome is of_rates is Conclusion.INCONCLUSIVE
    return SystemVerdict(
        system=system.name,
        outcome=outcome,
        threshold=at.threshold if at else None,
        chosen_on=at.chosen_on if at else None,
        rates=rates,
        groups=groups,
        plan=_plan_words(requirements) + split if is_open and can_be_shown and not best else None,
        sentence=f"{system.name}{seen} {requirements.title}: {met}",
    )


def _rates(
    of: model.OperatingPoint | model.GroupCell,
    requirements: Requirements,
    cells: Sequence[model.GroupCell] = (),
) -> Iterator[RateVerdict]:
    """Yield a verdict on each rate that has a limit, for all pairs or for one of the `cells`."""
    confidence = requirements.confidence
    limits = {"fmr": requirements.max_fmr, "frr": requirements.max_frr}
    limits = requirements.by_group if cells else limits
    # The lower bounds of a column are simultaneous, because any group can fail by chance. The upper
    # bounds need not be, because all groups must pass.
    place = {key: getattr(of, key, None) for key in ("column", "group")}
    groups = sum(cell.column == place["column"] for cell in cells)
    together = 1 - (1 - confidence) / max(1, groups)
    # Use the bound of the order statistic, because more pairs would move the threshold.
    is_chosen = getattr(of, "chosen_on", None) == EVALUATION
    for name, limit in limits.items():
        rate: model.Rate = getattr(of, name.removesuffix("_ratio"))
        low = high = None
        if name.endswith("_ratio"):
            if ratio := getattr(of, name):
                low, high = ratio.interval.low, ratio.interval.high
        elif rate.trials:
            chosen_for = requirements.required_fmr if is_chosen and name == "fmr" else None
            low = bounds(rate, together)[0]
            high = bounds(rate, confidence, chosen_for=chosen_for)[1]
        outcome = Conclusion.INCONCLUSIVE
        if not groups or (rate.subjects or 0) >= FEW_PEOPLE:
            if high is not None and high <= limit:
                outcome = Conclusion.PASS
            elif low is not None and low > limit:
                outcome = Conclusion.FAIL
        yield RateVerdict(
            name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, **place
        )


def _is_hopeless(
    curve: model.Curve | None, at: model.OperatingPoint | None, requirements: Requirements
) -> bool:
    """Return whether the data show that no threshold would pass."""
    if requirements.at == "default" or curve is None:
        return at is not None
    # The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    # and FRR no lower than at the lower one. Beyond the last point nobody passes.
    fmr_low = [*curve.fmr_low[1:], curve.fmr_low[-1]]
    return all(
        fmr > requirements.max_fmr or frr > requirements.max_frr
        for fmr, frr in zip(fmr_low, curve.frr_low, strict=True)
    )


def _where(at: model.OperatingPoint, requirements: Requirements) -> str:
    if at.threshold is None:
        return "its own threshold"
    words = f"the threshold {numbers.score(at.threshold)}"
    if at.chosen_on in (CALIBRATION, EVALUATION):
        words += f", chosen for an FMR of {numbers.setting(requirements.required_fmr)} %"
    return words


def _group_words(groups: Sequence[RateVerdict], requirements: Requirements) -> str:
    """Return sentences on the limits by group, if there are any."""
    if not requirements.by_group:
        return ""
    if not groups:
        return " There are limits by group, but the data have no groups."
    rest = [rate for rate in groups if rate.outcome is not Conclusion.PASS]
    rest.sort(key=lambda rate: rate.outcome is not Conclusion.FAIL)
    words = f" {len(groups) - len(rest)} of {len(groups)} limits by group are met."
    for rate in rest[:3]:  # the others are in the JSON
        people = rate.rate.subjects or 0
        few = f", {FEW_PEOPLE} are needed" if people < FEW_PEOPLE else ""
        words += f" {rate.column} {rate.group} (people: {people:,}{few}): {_rate_words(rate)}."
    return words


def _rate_words(rate: RateVerdict) -> str:
    is_ratio = rate.name.endswith("_ratio")
    name = rate.name.removesuffix("_ratio").upper()
    what = f"the {name} over that of all groups" if is_ratio else f"the {name}"
    limit = f"{rate.limit:g}" if is_ratio else f"{numbers.setting(rate.limit)} %"
    if rate.low is None or rate.high is None:
        return f"{what} is unknown (limit {limit})"
    if is_ratio:
        low, high = f"{rate.low:.3g}", f"{rate.high:.3g}"
    else:
        low = f"{numbers.lower_percent(rate.low, rate.limit)} %"
        high = f"{numbers.upper_percent(rate.high, rate.limit)} %"
    where = {
        Conclusion.PASS: f"is below {high}",
        Conclusion.FAIL: f"is above {low}",
        Conclusion.INCONCLUSIVE: f"lies between {low} and {high}",
    }
    return f"{what} {where[rate.outcome]} (limit {limit})"


def _plan_words(requirements: Requirements) -> str:
    """Return the command for a plan that can show the limits."""
    fmr = requirements.max_fmr
    if requirements.at == "required_fmr":
        # A plan chooses its threshold for a fifth of the FMR to show.
        fmr = min(fmr, SHARE * requirements.required_fmr)
    words = f"facematch compare plan --fmr {fmr:g} --frr {requirements.max_frr:g}"
    return f"{words} --confidence {requirements.confidence:g}"
