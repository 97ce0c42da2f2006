"""From an evaluation and a profile to a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from facematch_core._basics import nearest
from facematch_core.comparison._document import Contender, Evaluation, OperatingPoint, Part
from facematch_core.comparison.metrics import Rate, bounds
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from ._more import more_needed
from ._profile import At, GateProfile
from ._verdict import ContenderVerdict, Outcome, RateVerdict, Verdict
from ._words import Found, sentence_of


def judge(
    evaluation: Evaluation,
    profile: GateProfile,
    *,
    contenders: Sequence[str] = (),
    allow_mock: bool = False,
) -> Verdict:
    """Hold contenders against a profile.

    Args:
        evaluation: Made for the FMR that the profile requires, if it judges at that threshold.
        profile: The requirements.
        contenders: Names of those to be judged; none for all.
        allow_mock: Judge answers of a mock or a sandbox, too. The verdict is then about nothing
            that a vendor sells.

    Raises:
        InvalidRequest: the evaluation was made for another FMR or with narrower intervals, a
            contender is not in it, or one answered from a mock or a sandbox.
    """
    chosen = _chosen(evaluation, contenders)
    wanted = profile.required_fmr
    if profile.at is At.REQUIRED_FMR and not math.isclose(evaluation.required_fmr, wanted):
        raise InvalidRequest(
            f"This comparison chose thresholds for an FMR of {evaluation.required_fmr:g}, and the "
            f"profile {profile.name} judges those for {wanted:g}: judge the answers themselves, or "
            "a report for that FMR."
        )
    if evaluation.confidence < profile.evaluation_confidence - 1e-9:
        raise InvalidRequest(
            f"This comparison has intervals of {100 * evaluation.confidence:g} %, and the profile "
            f"{profile.name} needs {100 * profile.evaluation_confidence:g} % or more to say that "
            "no other threshold would do: judge the answers themselves."
        )
    for one in chosen:
        if one.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{one.name} answered from a {one.environment}, which says nothing about the "
                "vendor's matcher: judge answers of the vendor itself, or say --allow-mock to "
                "try the gate."
            )
    verdicts = tuple(_judged(one, evaluation, profile) for one in chosen)
    outcomes = {verdict.outcome for verdict in verdicts}
    return Verdict(
        outcome=outcomes.pop() if len(outcomes) == 1 else _of_several(outcomes),
        profile=profile,
        contenders=verdicts,
    )


def _chosen(evaluation: Evaluation, names: Sequence[str]) -> tuple[Contender, ...]:
    known = [one.name for one in evaluation.contenders]
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"No contender is called {name[:60]!r} here; {nearest(name, known)}"
            )
    return tuple(one for one in evaluation.contenders if not names or one.name in names)


def _of_several(outcomes: set[Outcome]) -> Outcome:
    return Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.INCONCLUSIVE


def _judged(one: Contender, evaluation: Evaluation, profile: GateProfile) -> ContenderVerdict:
    at = _point(one, profile)
    rates = () if at is None else _rates(at, evaluation.study.whole, profile)
    is_hopeless = _is_hopeless(one, at, profile)
    found = {rate.outcome for rate in rates}
    is_fitted = at is not None and at.chosen_on == "test"
    if is_hopeless and (at is None or Outcome.FAIL in found):
        outcome = Outcome.FAIL
    elif found == {Outcome.PASS} and not is_fitted:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.INCONCLUSIVE
    more = _more(rates) if outcome is Outcome.INCONCLUSIVE else None
    price = one.service.price
    leans = outcome is Outcome.INCONCLUSIVE and any(_is_beyond(rate) for rate in rates)
    known = Found(
        outcome=outcome,
        rates=rates,
        at=at,
        is_fitted=is_fitted,
        more=more,
        cost=None if more is None or price is None else round(more * price, 6),
        leans_to_fail=leans,
    )
    return ContenderVerdict(
        contender=one.name,
        outcome=outcome,
        threshold=None if at is None else at.threshold,
        chosen_on=None if at is None else at.chosen_on,
        rates=rates,
        more=more,
        cost=known.cost,
        currency=one.service.currency,
        leans_to_fail=leans,
        sentence=sentence_of(one, profile, known),
    )


def _point(one: Contender, profile: GateProfile) -> OperatingPoint | None:
    """What is judged; who tells decisions only has no other threshold than its own."""
    is_own = profile.at is At.DEFAULT or one.kind == "decisions"
    return one.at_default if is_own else one.at_required


def _rates(at: OperatingPoint, whole: Part, profile: GateProfile) -> tuple[RateVerdict, ...]:
    return (
        _rate("fmr", at.fmr, profile.max_fmr, profile.confidence, whole.non_mated),
        _rate("frr", at.frr, profile.max_fnmr, profile.confidence, whole.mated),
    )


def _rate(name: str, rate: Rate, limit: float, confidence: float, asked: int) -> RateVerdict:
    low, high = bounds(rate, confidence) if rate.trials else (None, None)
    outcome = Outcome.INCONCLUSIVE
    if low is not None and high is not None:
        if high <= limit:
            outcome = Outcome.PASS
        elif low > limit:
            outcome = Outcome.FAIL
    more = None
    if outcome is Outcome.INCONCLUSIVE:
        more = more_needed(rate, limit, confidence, asked)
    return RateVerdict(
        name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, more=more
    )


def _is_beyond(rate: RateVerdict) -> bool:
    return rate.rate.value is not None and rate.rate.value >= rate.limit


def _is_hopeless(one: Contender, at: OperatingPoint | None, profile: GateProfile) -> bool:
    """Whether no threshold would do, as far as this study can tell.

    The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    and FRR no lower than at the lower one. Beyond the last point nobody is let in.
    """
    if profile.at is At.DEFAULT or one.curve is None:
        return at is not None
    fmr_low = [*one.curve.fmr_low[1:], one.curve.fmr_low[-1]]
    return all(
        fmr > profile.max_fmr or frr > profile.max_fnmr
        for fmr, frr in zip(fmr_low, one.curve.frr_low, strict=True)
    )


def _more(rates: tuple[RateVerdict, ...]) -> int | None:
    """More comparisons of both kinds together; None if some number is not known."""
    still = [rate for rate in rates if rate.outcome is not Outcome.PASS]
    if not still or any(rate.more is None for rate in still):
        return None
    return sum(rate.more or 0 for rate in still)
