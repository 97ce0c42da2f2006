"""Plan a study, and check its evaluation against requirements: PASS, FAIL or INCONCLUSIVE.

PASS: at one threshold, the bounds of all rates are within the limits. FAIL: a bound is beyond its
limit, and no other threshold would pass. INCONCLUSIVE: the data show neither.

A plan computes how many pairs are needed to show that a rate is within its limit: without errors,
299 pairs for 1 %, 2,995 for 0.1 % and 29,956 for 0.01 %. If the non-mated pairs also choose the
threshold, there must be enough of them to expect `ENOUGH_FALSE_MATCHES` false matches.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any, Final

import attrs

from facematch_comparison.stats import ENOUGH_FALSE_MATCHES, bounds, trials_allowing, trials_for
from facematch_comparison.values import model, numbers
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .evaluation import EVALUATION, FIXED, check_name
from .requirements import SHARE, Requirements

#: Caveats of an evaluation that make a verdict doubtful.
_DOUBTS: Final = ("parts", "not_the_vendor", "not_answered", "concentrated", "people_unknown")

#: Numbers of errors in a plan. A vendor slightly better than required still makes some errors.
ERRORS: Final = (0, 1, 3, 10)


@attrs.frozen(kw_only=True)
class ClaimNeed:
    """Numbers of pairs that show both claims with up to `errors` errors."""

    errors: int
    mated: int
    non_mated: int


@attrs.frozen(kw_only=True)
class StudyPlan:
    """A plan to show two claims: upper limits of the FMR and of the FRR.

    Attributes:
        needs: Sorted by number of errors; the first is the minimum.
    """

    fmr: float
    frr: float
    confidence: float
    needs: tuple[ClaimNeed, ...]


def plan_study(*, fmr: float, frr: float, confidence: float = 0.95) -> StudyPlan:
    """Compute how many mated and non-mated pairs a study of vendors needs.

    The numbers assume independent pairs. Pairs that share people carry less information; the report
    shows how much less.

    Args:
        fmr, frr: The rates to show for each vendor, above 0 and below 1.
        confidence: One-sided confidence of each claim, between 0 and 1.

    Raises:
        InvalidRequest: a number is out of range.
    """
    needs = []
    for errors in ERRORS:
        # Enough non-mated pairs to choose a threshold, too.
        non_mated = max(
            trials_for(fmr, errors, confidence), trials_allowing(ENOUGH_FALSE_MATCHES, fmr)
        )
        mated = trials_for(frr, errors, confidence)
        needs.append(ClaimNeed(errors=errors, mated=mated, non_mated=non_mated))
    return StudyPlan(fmr=fmr, frr=frr, confidence=confidence, needs=tuple(needs))


class Conclusion(enum.StrEnum):
    """The verdict on a requirement."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    #: The test set is too small, or the rates are too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class RateVerdict:
    """A rate and its limit, with one-sided bounds if the rate has trials.

    `name` is ``fmr`` or ``frr``.
    """

    name: str
    limit: float
    rate: model.Rate
    low: float | None
    high: float | None
    outcome: Conclusion


@attrs.frozen(kw_only=True)
class SystemVerdict:
    """The verdict on one system at the judged threshold, if there is one.

    `plan` is the command that computes how many pairs would show the limits; None if more pairs
    would not help.
    """

    system: str
    outcome: Conclusion
    threshold: float | None
    chosen_on: str | None
    rates: tuple[RateVerdict, ...]
    plan: str | None
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """The verdict on the requested systems, in the order of the comparison.

    PASS if every system passes, FAIL if any fails, else INCONCLUSIVE. `caveats` say what makes it
    doubtful: missing answers, a mock, or bounds that are too narrow.
    """

    outcome: Conclusion
    requirements: Requirements
    systems: tuple[SystemVerdict, ...]
    caveats: tuple[model.Caveat, ...]

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
            the threshold of the run. A system with a fixed threshold (`at_thresholds`) is judged at
            that.
        systems: Names of the systems to check; empty for all.
        allow_mock: Whether to accept answers from a mock or a sandbox. The verdict then proves
            nothing about the vendor's product.

    Raises:
        InvalidRequest: the evaluation is for another FMR, or has narrower intervals; a system
            is not in it, or answered from a mock or a sandbox.
    """
    _check_evaluation(evaluation, requirements)
    for name in systems:
        check_name(name, [system.name for system in evaluation.systems])
    verdicts = []
    for system in evaluation.systems:
        if not systems or system.name in systems:
            if not allow_mock:
                _check_environment(system)
            verdicts.append(_judge_system(system, requirements))
    judged_names = {verdict.system for verdict in verdicts}
    caveats = []
    for caveat in evaluation.caveats:
        concerns = not caveat.systems or not judged_names.isdisjoint(caveat.systems)
        if caveat.code in _DOUBTS and concerns:
            caveats.append(caveat)
    return Verdict(
        outcome=_overall(verdicts),
        requirements=requirements,
        systems=tuple(verdicts),
        caveats=tuple(caveats),
    )


def _check_environment(system: model.System) -> None:
    if system.environment in (Environment.MOCK, Environment.SANDBOX):
        raise InvalidRequest(
            f"{system.name} answered from a {system.environment}, which proves nothing about the "
            "vendor's matcher. Judge the vendor's own answers, or try the gate with "
            f"{format_argument('allow_mock', True)}."
        )


def _overall(verdicts: Sequence[SystemVerdict | RateVerdict]) -> Conclusion:
    """Return FAIL if any fails, PASS if all pass, else INCONCLUSIVE."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Conclusion.FAIL in outcomes:
        return Conclusion.FAIL
    if outcomes == {Conclusion.PASS}:
        return Conclusion.PASS
    return Conclusion.INCONCLUSIVE


def _check_evaluation(evaluation: model.Evaluation, requirements: Requirements) -> None:
    """Raise unless the evaluation has the FMR and confidence of the requirements."""
    required_fmr = requirements.required_fmr
    confidence = requirements.evaluation_confidence
    is_for_fmr = math.isclose(evaluation.required_fmr, required_fmr)
    is_suited = requirements.at == "default" or is_for_fmr
    is_suited &= evaluation.confidence >= confidence - 1e-9
    need = f"required_fmr={required_fmr:g} and confidence={confidence:g}"
    if not is_suited:
        raise InvalidRequest(f"{requirements.name} needs {need}: evaluate the answers for that.")


@attrs.frozen(kw_only=True)
class _Judged:
    """What is judged of one system.

    Attributes:
        point: The rates at the judged threshold; None if there is no threshold.
        rate_verdicts: The verdicts on the rates; empty without a threshold.
    """

    system: model.System
    point: model.OperatingPoint | None
    rate_verdicts: tuple[RateVerdict, ...]

    @classmethod
    def judge_rates(cls, system: model.System, requirements: Requirements) -> _Judged:
        """Judge each rate that has a limit."""
        # A system without scores has no threshold other than its own.
        is_at_own = requirements.at == "default" or system.kind == "decisions"
        point = system.at_required
        is_fixed = point is not None and point.chosen_on == FIXED
        if is_at_own and not is_fixed:
            point = system.at_default
        rate_verdicts: tuple[RateVerdict, ...] = ()
        if point is not None:
            rate_verdicts = _verdicts_on_point(point, requirements)
        return cls(system=system, point=point, rate_verdicts=rate_verdicts)

    @property
    def rates_outcome(self) -> Conclusion:
        """The verdict on both rates."""
        return _overall(self.rate_verdicts)

    @property
    def observed_beyond(self) -> list[RateVerdict]:
        """Inconclusive rates whose observed value is beyond the limit: more pairs do not help."""
        beyond = []
        for rate in self.rate_verdicts:
            is_open = rate.outcome is Conclusion.INCONCLUSIVE
            if is_open and (rate.rate.value or 0.0) > rate.limit:
                beyond.append(rate)
        return beyond


def _judge_system(system: model.System, requirements: Requirements) -> SystemVerdict:
    """Return the verdict on one system, with its sentence.

    The threshold is None if the system has no operating point; the plan is None unless more pairs
    could turn the verdict.
    """
    judged = _Judged.judge_rates(system, requirements)
    outcome = _conclude(judged, requirements)
    observation = _describe_rates(judged, requirements, outcome)
    conclusion = _describe_outcome(judged, outcome)
    verdict = SystemVerdict(
        system=system.name,
        outcome=outcome,
        threshold=None,
        chosen_on=None,
        rates=judged.rate_verdicts,
        plan=None,
        sentence=f"{system.name}{observation} {requirements.title}: {conclusion}",
    )
    point = judged.point
    if point is not None:
        # chosen_on: evaluation, default or fixed.
        verdict = attrs.evolve(verdict, threshold=point.threshold, chosen_on=point.chosen_on)
    if _would_pairs_help(judged, requirements, outcome):
        verdict = attrs.evolve(verdict, plan=_plan_command(requirements))
    return verdict


def _conclude(judged: _Judged, requirements: Requirements) -> Conclusion:
    """Return the verdict on a system, in the order of the module's docstring."""
    fails_here = judged.point is None or judged.rates_outcome is Conclusion.FAIL
    if fails_here and _is_hopeless(judged, requirements):
        return Conclusion.FAIL
    if judged.rates_outcome is Conclusion.PASS:
        return Conclusion.PASS
    return Conclusion.INCONCLUSIVE


def _describe_outcome(judged: _Judged, outcome: Conclusion) -> str:
    """Return the end of the sentence, after the title of the requirements."""
    if outcome is Conclusion.PASS:
        return "met."
    if outcome is Conclusion.FAIL:
        if judged.point is None or judged.point.chosen_on != EVALUATION:
            return "not met."
        return "not met, and no other threshold would meet it."
    if judged.rates_outcome is Conclusion.FAIL:
        return "not met at this threshold; another one might meet it."
    text = "not shown by these data"
    for rate in judged.observed_beyond:
        percent = numbers.percent(rate.rate.value or 0.0)
        text += f"; more pairs would not help if the {rate.name.upper()} stays at {percent} %"
    return f"{text}."


def _describe_rates(judged: _Judged, requirements: Requirements, outcome: Conclusion) -> str:
    """Return what was seen of the system, after its name."""
    if judged.point is not None:
        rates = " and ".join(map(_describe_rate, judged.rate_verdicts))
        operating_point = _describe_operating_point(judged.point, requirements)
        return f" at {operating_point}: {rates}."
    if outcome is Conclusion.FAIL:
        return ": No threshold keeps both its FMR and its FRR within the limits."
    fixed = format_argument("at_thresholds", {judged.system.name: "NUMBER"})
    no_threshold = f"Not every pair has a decision, so pass a threshold to judge with {fixed}."
    acquisition = judged.system.service.acquisition
    has_compared = acquisition.errors < acquisition.trials
    if requirements.at == "default" and has_compared:
        # `why_not` is about the threshold for the required FMR.
        return f": {no_threshold}"
    return f": {judged.system.why_not or no_threshold}"


def _would_pairs_help(judged: _Judged, requirements: Requirements, outcome: Conclusion) -> bool:
    """Return whether more pairs could show the limits."""
    if outcome is not Conclusion.INCONCLUSIVE:
        return False
    if judged.rates_outcome is not Conclusion.INCONCLUSIVE:
        return False
    if judged.point is None:
        # More pairs do not help a run without decisions, nor reversed scores.
        return requirements.at != "default" and bool(judged.system.pairs_needed)
    return not judged.observed_beyond


def _verdicts_on_point(
    point: model.OperatingPoint, requirements: Requirements
) -> tuple[RateVerdict, ...]:
    """Judge the FMR and the FRR at a threshold."""
    # The upper bound of an order statistic holds although these pairs chose the threshold.
    chosen_for = requirements.required_fmr if point.chosen_on == EVALUATION else None
    return (
        _verdict("fmr", requirements.max_fmr, point.fmr, requirements, chosen_for=chosen_for),
        _verdict("frr", requirements.max_frr, point.frr, requirements),
    )


def _verdict(
    name: str,
    limit: float,
    rate: model.Rate,
    requirements: Requirements,
    *,
    chosen_for: float | None = None,
) -> RateVerdict:
    """Return PASS if the rate is within its limit, FAIL if it is beyond, else INCONCLUSIVE."""
    low = high = None
    outcome = Conclusion.INCONCLUSIVE
    if rate.trials:
        low, high = bounds(rate, requirements.confidence, chosen_for=chosen_for)
        if high <= limit:
            outcome = Conclusion.PASS
        elif low > limit:
            outcome = Conclusion.FAIL
    return RateVerdict(name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome)


def _is_hopeless(judged: _Judged, requirements: Requirements) -> bool:
    """Return whether the data show that no threshold would pass, or no other one is asked for."""
    if judged.point is not None and judged.point.chosen_on != EVALUATION:
        return True
    curve = judged.system.curve
    if requirements.at == "default" or curve is None:
        return False
    # The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    # and FRR no lower than at the lower one. Beyond the last point nobody passes.
    fmr_low = [*curve.fmr_low[1:], curve.fmr_low[-1]]
    return all(
        fmr > requirements.max_fmr or frr > requirements.max_frr
        for fmr, frr in zip(fmr_low, curve.frr_low, strict=True)
    )


def _describe_operating_point(point: model.OperatingPoint, requirements: Requirements) -> str:
    if point.threshold is None:
        return "its own threshold"
    threshold = f"the threshold {numbers.score(point.threshold)}"
    if point.chosen_on == EVALUATION:
        required_fmr = numbers.setting(requirements.required_fmr)
        return f"{threshold}, chosen for an FMR of {required_fmr} %"
    return threshold


def _describe_rate(rate: RateVerdict) -> str:
    """Return the bound that decides, or both bounds, with the limit."""
    subject = f"the {rate.name.upper()}"
    limit = f"{numbers.setting(rate.limit)} %"
    if rate.low is None or rate.high is None:
        return f"{subject} is unknown (limit {limit})"
    low = f"{numbers.lower_percent(rate.low, rate.limit)} %"
    high = f"{numbers.upper_percent(rate.high, rate.limit)} %"
    if rate.outcome is Conclusion.PASS:
        return f"{subject} is below {high} (limit {limit})"
    if rate.outcome is Conclusion.FAIL:
        return f"{subject} is above {low} (limit {limit})"
    return f"{subject} lies between {low} and {high} (limit {limit})"


def _plan_command(requirements: Requirements) -> str:
    """Return the command for a plan that can show the limits."""
    fmr = requirements.max_fmr
    if requirements.at == "required_fmr":
        # A plan chooses its threshold for a fifth of the FMR to show.
        fmr = min(fmr, SHARE * requirements.required_fmr)
    command = f"facematch compare plan --fmr {fmr:g} --frr {requirements.max_frr:g}"
    return f"{command} --confidence {requirements.confidence:g}"
