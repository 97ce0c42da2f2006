"""PASS, FAIL or INCONCLUSIVE: an evaluation held against requirements.

PASS (met) only where bounds on the right side prove all rates at one threshold; FAIL (not met) only
where a bound on the wrong side proves it and no other threshold would do; in between (it cannot be
shown with these data) it says how many more pairs would decide, and at what price. Limits by group
are held at the threshold that is judged, for groups are known at no other one: a group beyond them
there is a FAIL.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from facematch_core.backend.kinds import argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from .evaluation import CALIBRATION, EVALUATION, check_name, fmr_bounds
from .model import (
    SCHEMA,
    Estimate,
    Evaluation,
    GroupCell,
    OperatingPoint,
    Rate,
    SampleSize,
    System,
    as_json,
)
from .numbers import lower_percent, percent, setting, upper_percent
from .plan import MOST_PAIRS, pairs_for_ratio, pairs_to_show
from .requirements import JudgedAt, Requirements
from .stats import bounds, effective_size
from .stats.groups import FEW_PEOPLE

#: Where a threshold was chosen for the required FMR.
_CHOSEN: Final = (CALIBRATION, EVALUATION)

#: Groups that a sentence names; the others are in the JSON.
_NAMED: Final = 3


class Conclusion(enum.StrEnum):
    """What a comparison shows of a requirement."""

    #: It is met: a bound on the right side proves it.
    PASS = "pass"  # noqa: S105 - no password
    #: It is not met: a bound on the wrong side proves it.
    FAIL = "fail"
    #: Neither: the test set is too small, or the rates too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class RateVerdict:
    """One rate beside its limit, with its one-sided bounds if it has trials.

    Its name is ``fmr`` or ``frr``; of a group also ``fta``, and ``fmr_ratio``, ``frr_ratio``, with
    the bounds of the ratio. `more` is how many more pairs of new people (of the group) would show a
    pass if the rate stays as it is; None if none are needed, or no number would do.
    """

    name: str
    limit: float
    rate: Rate
    low: float | None
    high: float | None
    outcome: Conclusion
    more: int | None
    column: str | None = None
    group: str | None = None

    @property
    def kind(self) -> str:
        return "non-mated" if "fmr" in self.name else "mated"


@attrs.frozen(kw_only=True)
class SystemVerdict:
    """What the comparison shows of one system at the threshold that is judged, if there is one.

    `groups` are the rates that have a limit by group. `more` pairs (or transactions) of both kinds
    at `cost` would show a pass; None if none are needed, or it is not known. Without a threshold
    they are those that choose one and show the limits of all people, not those by group.
    """

    system: str
    outcome: Conclusion
    threshold: float | None
    chosen_on: str | None
    rates: tuple[RateVerdict, ...]
    groups: tuple[RateVerdict, ...]
    more: int | None
    cost: float | None
    currency: str | None
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """What the comparison shows of the systems that were asked for, in its order.

    PASS if every one passes, FAIL if one fails, else INCONCLUSIVE.
    """

    outcome: Conclusion
    requirements: Requirements
    systems: tuple[SystemVerdict, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it (``"schema": 0``, ``"kind": "verdict"``)."""
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
            the transactions that count; a system is not in it, answered from a mock or a sandbox,
            or changed its model during the run and was not named.
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
        if system.other_models and not systems:
            models = ", ".join([str(system.model or "no name"), *system.other_models])
            raise InvalidRequest(
                f"The model of {system.name} changed during the run ({models}): two models are "
                "never judged as one. Name the one that you would use, such as "
                f"{argument('systems', [system.name])}."
            )
    verdicts = [_judge(system, evaluation, requirements) for system in judged]
    outcomes = {verdict.outcome for verdict in verdicts}
    outcome = Conclusion.FAIL if Conclusion.FAIL in outcomes else Conclusion.INCONCLUSIVE
    outcome = Conclusion.PASS if outcomes == {Conclusion.PASS} else outcome
    return Verdict(outcome=outcome, requirements=requirements, systems=tuple(verdicts))


def _check(evaluation: Evaluation, requirements: Requirements) -> None:
    required, confidence = requirements.required_fmr, requirements.evaluation_confidence
    if requirements.at is JudgedAt.REQUIRED_FMR and not math.isclose(
        evaluation.required_fmr, required
    ):
        raise InvalidRequest(
            f"This comparison chose thresholds for an FMR of {evaluation.required_fmr:g}, and the "
            f"requirements {requirements.name} judge those for {required:g}: judge the answers "
            "themselves, or a report for that FMR."
        )
    if evaluation.confidence < confidence - 1e-9:
        raise InvalidRequest(
            f"This comparison has intervals of {100 * evaluation.confidence:g} %, and the "
            f"requirements {requirements.name} need {100 * confidence:g} % or more to say that no "
            "other threshold would do: judge the answers themselves."
        )
    for system in evaluation.systems:
        best, attempts = system.transactions, requirements.attempts
        if requirements.counts == "transactions" and (
            best is None or attempts not in (None, best.attempts)
        ):
            raise InvalidRequest(
                f"The requirements {requirements.name} count transactions of up to "
                f"{attempts or 'any number of'} attempts, and this comparison has "
                f"{'none' if best is None else f'those of up to {best.attempts}'}: judge the "
                "answers themselves, with the columns transaction and attempt."
            )


def _judge(system: System, evaluation: Evaluation, requirements: Requirements) -> SystemVerdict:
    size, attempts = evaluation.study.whole, 1
    if requirements.counts == "transactions" and (best := system.transactions):
        size, attempts = best.size, best.attempts
        system = attrs.evolve(
            system, at_required=best.at_required, at_default=best.at_default, curve=best.curve
        )
    # Who gives decisions only has no other threshold than its own.
    is_own = requirements.at is JudgedAt.DEFAULT or system.kind == "decisions"
    at = system.at_default if is_own else system.at_required
    rates: list[RateVerdict] = []
    groups: list[RateVerdict] = []
    if at is not None:
        limits = {"fmr": requirements.max_fmr, "frr": requirements.max_frr}
        rates += _rates(at, limits, size, requirements)
        for cell in system.groups:
            column = [each for each in system.groups if each.column == cell.column]
            of_group = evaluation.study.groups[cell.column][cell.group]
            groups += _rates(cell, requirements.by_group, of_group, requirements, column)
    beyond = [rate for rate in rates if rate.outcome is Conclusion.FAIL]
    needed: dict[str, int] = {}
    if any(rate.outcome is Conclusion.FAIL for rate in groups) or (
        (at is None or beyond) and _is_hopeless(system, at, requirements)
    ):
        outcome = Conclusion.FAIL
    elif (
        at is not None
        and all(rate.outcome is Conclusion.PASS for rate in rates + groups)
        and (groups or not requirements.by_group)
    ):
        outcome = Conclusion.PASS
    else:
        outcome = Conclusion.INCONCLUSIVE
        if at is not None:
            needed = _pairs_more(rates + groups)
        elif system.pairs_needed is not None and not is_own:
            needed = _pairs_to_choose(system, evaluation, size, requirements)
    more, price = sum(needed.values()) or None, system.service.price
    verdict = SystemVerdict(
        system=system.name,
        outcome=outcome,
        threshold=None if at is None else at.threshold,
        chosen_on=None if at is None else at.chosen_on,
        rates=tuple(rates),
        groups=tuple(groups),
        more=more,
        cost=None if more is None or price is None else round(more * attempts * price, 6),
        currency=system.service.currency,
        sentence="",
    )
    seen = system.why_not or "It was asked without a known threshold: there is none to judge."
    if outcome is Conclusion.FAIL:
        seen = "No threshold keeps both its FMR and its FRR within the limits."
    seen = f"{system.name}: {seen}" if at is None else _seen_words(verdict, attempts, requirements)
    met = _met_words(verdict, needed, requirements)
    return attrs.evolve(verdict, sentence=f"{seen} {requirements.title}: {met}")


def _rates(
    of: OperatingPoint | GroupCell,
    limits: Mapping[str, float],
    size: SampleSize,
    requirements: Requirements,
    column: Sequence[GroupCell] = (),
) -> Iterator[RateVerdict]:
    """The rates of all pairs, or of one group of a column, that have a limit, beside it."""
    confidence, chosen_for = requirements.confidence, requirements.required_fmr
    # Any group may come out as the one that fails, so the lower bounds of a column hold together;
    # all groups must pass, so the upper bounds need not.
    together = 1 - (1 - confidence) / max(1, len(column))
    place = {"column": of.column, "group": of.group} if isinstance(of, GroupCell) else {}
    for name, limit in limits.items():
        kind = name.removesuffix("_ratio")
        rate: Rate = getattr(of, kind)
        low = high = None
        ratio: Estimate | None = None
        if name == kind:
            whole = size.non_mated if kind == "fmr" else size.mated
            expected = 0.0
            if rate.trials:
                low, high = bounds(rate, together)[0], bounds(rate, confidence)[1]
            if kind == "fmr" and isinstance(of, OperatingPoint) and of.chosen_on in _CHOSEN:
                # On more pairs the threshold is chosen anew, where as many pass as are allowed to.
                expected = chosen_for
                high = fmr_bounds(of, chosen_for, confidence)[1] if rate.trials else None
            more = _more_for_rate(rate, limit, confidence, whole, expected=expected)
        else:
            ratio = getattr(of, name)
            if ratio is not None:
                low, high = ratio.interval.low, ratio.interval.high
            share = rate.trials / max(1, sum(getattr(each, kind).trials for each in column))
            likely = requirements.required_fmr if kind == "fmr" else requirements.max_frr
            more = _more_for_ratio(
                ratio, limit, rate, share=share, likely=likely, tail=1 - together
            )
        outcome, people = Conclusion.INCONCLUSIVE, rate.subjects or 0
        if place and people < FEW_PEOPLE:
            # Where the rate that was seen is itself beyond the limit, no number would do.
            seen = rate.value if ratio is None else ratio.value
            is_beyond = seen is not None and seen > limit
            more = None if is_beyond else max(more or 0, FEW_PEOPLE - people)
        elif high is not None and high <= limit:
            outcome, more = Conclusion.PASS, None
        elif low is not None and low > limit:
            outcome, more = Conclusion.FAIL, None
        yield RateVerdict(
            name=name,
            limit=limit,
            rate=rate,
            low=low,
            high=high,
            outcome=outcome,
            more=more,
            **place,
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


def _more_for_rate(
    rate: Rate, limit: float, confidence: float, whole: int, *, expected: float
) -> int | None:
    """How many more pairs, beside the `whole`, would show that the true rate is at most `limit`.

    They are expected to share people, or not to be judged, as before, and to err as often as was
    seen, or as `expected` if that is higher. At least 1; None if no number will do.
    """
    worth = effective_size(rate, confidence) / max(whole, rate.trials) if rate.trials else 1.0
    likely = max(rate.value or 0.0, expected)
    needed = pairs_to_show(limit, likely, confidence=confidence, worth=worth)
    # What was not judged shows nothing.
    return None if needed is None else max(1, needed - (whole if rate.trials else 0))


def _more_for_ratio(
    ratio: Estimate | None, limit: float, rate: Rate, *, share: float, likely: float, tail: float
) -> int | None:
    """How many more pairs a group takes that has a `share` of all, if all groups grow alike."""
    value = ratio.value if ratio else 1.0
    if ratio and not value:
        needed: float | None = rate.trials * ratio.interval.high / limit
    else:
        needed = pairs_for_ratio(
            limit,
            value,
            share=share,
            rate=rate.value or likely,
            tail=tail,
            worth=effective_size(rate) / rate.trials if rate.trials else 1.0,
        )
    if needed is None:
        return None
    # What is left to show takes at least a tenth more pairs.
    return max(math.ceil(rate.trials / 10) or 1, math.ceil(needed - rate.trials))


def _pairs_more(rates: Sequence[RateVerdict]) -> dict[str, int]:
    """How many more pairs of each kind would show a pass; empty if no number would do."""
    missing = [rate for rate in rates if rate.outcome is not Conclusion.PASS]
    of_group: dict[tuple[str, str | None, str | None], int] = {}
    of_column: Counter[tuple[str, str | None]] = Counter()
    for rate in missing:
        if rate.more is None:
            return {}
        place = (rate.kind, rate.column, rate.group)
        of_group[place] = max(of_group.get(place, 0), rate.more)
    for (kind, column, _), more in of_group.items():
        of_column[kind, column] += more
    return {
        rate.kind: max(more for (kind, _), more in of_column.items() if kind == rate.kind)
        for rate in missing
    }


def _pairs_to_choose(
    system: System, evaluation: Evaluation, size: SampleSize, requirements: Requirements
) -> dict[str, int]:
    """How many more of each kind until a threshold can be chosen, and pass if nobody is refused."""
    service, study, expected = system.service, evaluation.study, evaluation.required_fmr
    compared = (service.acquisition.trials - service.acquisition.errors) / max(1, service.calls)
    more = {}
    for name, limit, likely in (
        ("non_mated", requirements.max_fmr, expected),
        ("mated", requirements.max_frr, 0.0),
    ):
        nothing = Rate(errors=0, trials=0)
        needed = _more_for_rate(nothing, limit, requirements.confidence, 0, expected=likely)
        if needed is None:
            return {}
        if name == "non_mated":
            needed = max(needed, system.pairs_needed or 0)
        whole: int = getattr(size, name)
        used = min(getattr(part, name) for part in (study.calibration, study.evaluation) if part)
        each = used * compared / whole if whole else 0.0
        more[name.replace("_", "-")] = math.ceil(needed / (each or 1.0)) - whole
    return {kind: count for kind, count in more.items() if count > 0}


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
    rest.sort(key=lambda rate: (rate.outcome is not Conclusion.FAIL, rate.more or MOST_PAIRS))
    every = len(verdict.groups)
    words += f" {every - len(rest)} of {every} limits by group are met."
    for rate in rest[:_NAMED]:
        people = f"(people: {rate.rate.subjects or 0:,})"
        words += f" {rate.column} {rate.group} {people}: {_rate_words(rate)}"
        if rate.more:
            words += f"; it takes about {rate.more:,} more {rate.kind} pairs of the group"
        words += "."
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


def _met_words(verdict: SystemVerdict, needed: dict[str, int], requirements: Requirements) -> str:
    if verdict.outcome is Conclusion.PASS:
        return "met."
    if verdict.outcome is Conclusion.FAIL:
        of_group = any(rate.outcome is Conclusion.FAIL for rate in verdict.groups)
        is_only = of_group or verdict.chosen_on == "default"
        return "not met." if is_only else "not met; no other threshold would do."
    if any(rate.outcome is Conclusion.FAIL for rate in verdict.rates):
        return "not met at this threshold; another might do."
    words = "this cannot be shown with these data"
    if not needed:
        for rate in verdict.rates:
            if rate.outcome is Conclusion.INCONCLUSIVE and rate.more is None:
                seen = percent(rate.rate.value or 0.0)
                words += f", nor with more of them if the {rate.name.upper()} stays at {seen} %"
        return f"{words}."
    kinds = " and ".join(f"{more:,} more {kind}" for kind, more in needed.items())
    pairs = "pairs" if requirements.counts == "attempts" else "transactions"
    money = " (no price given)"
    if verdict.cost is not None:
        amount = f"about {verdict.cost:,.2f} {verdict.currency or ''}".rstrip()
        money = f", {amount if verdict.cost else 'at no charge'},"
    seen = "the same rates are seen again" if verdict.rates else "nobody is turned away wrongly"
    if requirements.by_group and not verdict.rates:
        seen += ", and more for the limits by group"
    return (
        f"{words}; it takes about {kinds} {pairs} of new people{money} if {seen} "
        f"({setting(requirements.confidence)} % confidence). Half of such tests will see more "
        "errors, so plan for half as many again."
    )
