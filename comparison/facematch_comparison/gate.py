"""PASS, FAIL or INCONCLUSIVE: an evaluation held against requirements.

PASS only where bounds on the right side prove both rates at one threshold; FAIL only where a bound
on the wrong side proves it and no other threshold would do; in between it says how many more pairs
would decide, and at what price. Requirements are a TOML file, ours or your own::

    title = "Our door"
    max_fmr = 1e-3
    max_frr = 0.02
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from facematch_core.errors import InvalidRequest
from facematch_core.files import parse_toml, read_small
from facematch_core.kinds import described, nearest
from facematch_core.models import Environment

from .evaluation import fmr_bounds
from .model import (
    SCHEMA,
    Evaluation,
    OperatingPoint,
    Rate,
    System,
    as_json,
)
from .numbers import lower_percent, percent, setting, upper_percent
from .stats import bounds, effective_size, exact_upper
from .stats.intervals import fewest

#: Where ours are.
_FOLDER: Final = Path(__file__).parent / "requirements"

#: What is a name of ours, and no file.
_NAME: Final = re.compile(r"[a-z0-9-]+")

#: Unless a file says another one. A threshold that was chosen right at the limit lies beyond it as
#: often as not; at a fifth of it, half as many pairs again as the floor are enough on average.
_SHARE: Final = 5

#: Nobody compares more pairs than that.
_MOST: Final = 10**9


class At(enum.StrEnum):
    """Which threshold of a system is judged."""

    #: The one that was chosen for `Requirements.required_fmr`.
    REQUIRED_FMR = "required_fmr"
    #: The one that it was asked with: the vendor's default, unless the profile of the
    #: configuration set another.
    DEFAULT = "default"


class Outcome(enum.StrEnum):
    """What a comparison shows of a requirement."""

    #: It is met: a bound on the right side proves it.
    PASS = "pass"  # noqa: S105 - no password
    #: It is not met: a bound on the wrong side proves it.
    FAIL = "fail"
    #: Neither: the test set is too small, or the rates too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class Requirements:
    """What a system must show.

    Attributes:
        name: Ours, or the name of the file.
        title: For people.
        max_fmr: Highest FMR, above 0, below 1.
        max_frr: Highest FRR, failures to acquire among the errors; above 0, below 1.
        required_fmr: The FMR that thresholds are chosen for; at most `max_fmr`, and lower, for one
            that is chosen right at the limit lies beyond it as often as not.
        at: Which threshold is judged.
        confidence: Of each bound, one-sided; above 0.5, below 1.
        source: Where the limits come from; None if nobody says.
        leaves_out: What else would be asked that two rates do not show; None if nobody says.
    """

    name: str
    title: str
    max_fmr: float
    max_frr: float
    required_fmr: float
    at: At = At.REQUIRED_FMR
    confidence: float = 0.95
    source: str | None = None
    leaves_out: str | None = None

    @property
    def evaluation_confidence(self) -> float:
        """Two-sided, for `evaluate`: its intervals then end at the bounds of these requirements."""
        # 0.9, and not 0.8999999999999999.
        return round(2 * self.confidence - 1, 12)


@attrs.frozen(kw_only=True)
class RateVerdict:
    """One rate beside its limit.

    Attributes:
        name: ``fmr`` or ``frr``.
        limit: What it may be at most, 0-1.
        rate: What was seen.
        low, high: What the true rate lies above, and below, each with the confidence of the
            requirements; None without a trial.
        outcome: Whether `high` is within the limit, `low` beyond it, or neither.
        more: How many more pairs of this kind would be needed to pass, if the rate stays as it is
            and the people are new; None if none are, or if no number would do because the rate
            itself is beyond the limit.
    """

    name: str
    limit: float
    rate: Rate
    low: float | None
    high: float | None
    outcome: Outcome
    more: int | None


@attrs.frozen(kw_only=True)
class SystemVerdict:
    """What the comparison shows of one system.

    Attributes:
        system: Its name.
        outcome: PASS if both rates are within their limits at one threshold; FAIL if one is beyond,
            and no other threshold would do.
        threshold: The one that is judged; None for the vendor's own, or if there is none.
        chosen_on: As in `OperatingPoint`; None if there is no threshold to judge.
        rates: FMR and FRR; empty if there is no threshold to judge.
        more: More pairs of both kinds; None if none are needed or no number would do.
        cost: What they cost, in `currency`; None if that is not known.
        currency: Three letters, or None.
        leans_to_fail: Whether it is inconclusive with a rate that itself is not below the limit.
        sentence: All this in words.
    """

    system: str
    outcome: Outcome
    threshold: float | None
    chosen_on: str | None
    rates: tuple[RateVerdict, ...]
    more: int | None
    cost: float | None
    currency: str | None
    leans_to_fail: bool
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """What the comparison shows of all systems that were asked for.

    Attributes:
        outcome: PASS if every one passes, FAIL if one fails, else INCONCLUSIVE.
        requirements: What they were held against.
        systems: Each, in the order of the comparison.
    """

    outcome: Outcome
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
        requirements: The limits.
        systems: Names of those to be judged; none for all.
        allow_mock: Judge answers of a mock or a sandbox, too. The verdict is then about nothing
            that a vendor sells.

    Raises:
        InvalidRequest: the evaluation was made for another FMR or with narrower intervals; a
            system is not in it, answered from a mock or a sandbox, or changed its model during the
            run and was not named.
    """
    chosen = _chosen(evaluation, systems)
    wanted = requirements.required_fmr
    if requirements.at is At.REQUIRED_FMR and not math.isclose(evaluation.required_fmr, wanted):
        raise InvalidRequest(
            f"This comparison chose thresholds for an FMR of {evaluation.required_fmr:g}, and the "
            f"requirements {requirements.name} judge those for {wanted:g}: judge the answers "
            "themselves, or a report for that FMR."
        )
    if evaluation.confidence < requirements.evaluation_confidence - 1e-9:
        raise InvalidRequest(
            f"This comparison has intervals of {100 * evaluation.confidence:g} %, and the "
            f"requirements {requirements.name} need "
            f"{100 * requirements.evaluation_confidence:g} % or more to say that no other "
            "threshold would do: judge the answers themselves."
        )
    for one in chosen:
        if one.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{one.name} answered from a {one.environment}, which says nothing about the "
                "vendor's matcher: judge answers of the vendor itself, or say --allow-mock to "
                "try the gate."
            )
        if one.other_models and one.name not in systems:
            known = ", ".join([str(one.model or "no name"), *one.other_models])
            raise InvalidRequest(
                f"The model of {one.name} changed during the run ({known}): two models are never "
                f"judged as one. Name the one that you would use, such as --system {one.name!r}."
            )
    verdicts = tuple(_judge(one, evaluation, requirements) for one in chosen)
    outcomes = {verdict.outcome for verdict in verdicts}
    overall = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.INCONCLUSIVE
    return Verdict(
        outcome=outcomes.pop() if len(outcomes) == 1 else overall,
        requirements=requirements,
        systems=verdicts,
    )


def _chosen(evaluation: Evaluation, names: Sequence[str]) -> tuple[System, ...]:
    known = [one.name for one in evaluation.systems]
    for name in names:
        if name not in known:
            raise InvalidRequest(f"No system is called {name[:60]!r} here; {nearest(name, known)}")
    return tuple(one for one in evaluation.systems if not names or one.name in names)


def _judge(one: System, evaluation: Evaluation, requirements: Requirements) -> SystemVerdict:
    # Who gives decisions only has no other threshold than its own.
    is_own = requirements.at is At.DEFAULT or one.kind == "decisions"
    at = one.at_default if is_own else one.at_required
    rates: tuple[RateVerdict, ...] = ()
    if at is not None:
        whole, confidence = evaluation.study.whole, requirements.confidence
        none = (None, None)
        # On more pairs the threshold is chosen anew, where as many pass as are allowed to.
        chosen = 0.0 if at.chosen_on == "default" else evaluation.required_fmr
        of_fmr = fmr_bounds(at, evaluation.required_fmr, confidence) if at.fmr.trials else none
        of_frr = bounds(at.frr, confidence) if at.frr.trials else none
        rates = (
            _rate("fmr", at.fmr, of_fmr, requirements.max_fmr, confidence, whole.non_mated, chosen),
            _rate("frr", at.frr, of_frr, requirements.max_frr, confidence, whole.mated),
        )
    found = {rate.outcome for rate in rates}
    if _is_hopeless(one, at, requirements) and (at is None or Outcome.FAIL in found):
        outcome = Outcome.FAIL
    elif found == {Outcome.PASS}:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.INCONCLUSIVE
    more = _more(rates) if outcome is Outcome.INCONCLUSIVE else None
    price = one.service.price
    cost = None if more is None or price is None else round(more * price, 6)
    verdict = SystemVerdict(
        system=one.name,
        outcome=outcome,
        threshold=None if at is None else at.threshold,
        chosen_on=None if at is None else at.chosen_on,
        rates=rates,
        more=more,
        cost=cost,
        currency=one.service.currency,
        leans_to_fail=outcome is Outcome.INCONCLUSIVE
        and any(rate.rate.value is not None and rate.rate.value >= rate.limit for rate in rates),
        sentence="",
    )
    return attrs.evolve(verdict, sentence=_sentence(verdict, one, at, requirements))


def _rate(  # noqa: PLR0917 - two calls above, a line each
    name: str,
    rate: Rate,
    ends: tuple[float, float] | tuple[None, None],
    limit: float,
    confidence: float,
    asked: int,
    chosen_for: float = 0.0,
) -> RateVerdict:
    low, high = ends
    outcome = Outcome.INCONCLUSIVE
    if low is not None and high is not None:
        if high <= limit:
            outcome = Outcome.PASS
        elif low > limit:
            outcome = Outcome.FAIL
    more = None
    if outcome is Outcome.INCONCLUSIVE:
        more = more_needed(rate, limit, confidence, asked, expected=chosen_for)
    return RateVerdict(
        name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, more=more
    )


def _is_hopeless(one: System, at: OperatingPoint | None, requirements: Requirements) -> bool:
    """Whether no threshold would do, as far as these data can show.

    The curve is thinned: between two of its points FMR is no lower than at the higher threshold,
    and FRR no lower than at the lower one. Beyond the last point nobody gets in.
    """
    if requirements.at is At.DEFAULT or one.curve is None:
        return at is not None
    fmr_low = [*one.curve.fmr_low[1:], one.curve.fmr_low[-1]]
    return all(
        fmr > requirements.max_fmr or frr > requirements.max_frr
        for fmr, frr in zip(fmr_low, one.curve.frr_low, strict=True)
    )


# --- How many more pairs ------------------------------------------------------------------------


def more_needed(
    rate: Rate, limit: float, confidence: float, asked: int, *, expected: float = 0.0
) -> int | None:
    """How many more pairs of a kind would show that the true rate is below `limit`.

    Pairs that share people are worth less, and pairs that are not judged (because thresholds were
    chosen on them, or nobody answered) are worth nothing: both are assumed to go on as they were.

    Args:
        rate: As it was judged; it may have no trial.
        limit: What is to be shown.
        confidence: One-sided.
        asked: How many pairs of this kind the whole test set has.
        expected: The rate to expect of more pairs if that is higher than what was seen, 0-1.

    Returns:
        At least 1; None if no number will do.
    """
    independent = _trials_needed(max(rate.value or 0.0, expected), limit, confidence)
    if independent is None:
        return None
    if not rate.trials:
        return independent
    each = effective_size(rate, confidence) / max(asked, rate.trials)
    return max(1, math.ceil(independent / each) - asked)


def _trials_needed(rate: float, limit: float, confidence: float) -> int | None:
    """Independent trials at an observed `rate` whose upper bound is at most `limit`, by halving."""
    if rate >= limit:
        return None

    def shows(trials: int) -> bool:
        return exact_upper(rate * trials, trials, confidence) <= limit

    return fewest(shows, most=_MOST)


def _more(rates: tuple[RateVerdict, ...]) -> int | None:
    """More pairs of both kinds together; None if some number is not known."""
    still = [rate for rate in rates if rate.outcome is not Outcome.PASS]
    if not still or any(rate.more is None for rate in still):
        return None
    return sum(rate.more or 0 for rate in still)


# --- The verdict in words -----------------------------------------------------------------------


def _sentence(
    verdict: SystemVerdict, one: System, at: OperatingPoint | None, requirements: Requirements
) -> str:
    """One to three sentences, with the numbers."""
    outcome, rates = verdict.outcome, verdict.rates
    if at is None:
        what = one.why_not or "It was asked without a known threshold: there is none to judge."
        rest = " No other one would do." if outcome is Outcome.FAIL else ""
        return f"{one.name}: {what}{rest}"
    where = "its own threshold" if at.threshold is None else f"the threshold {at.threshold:.10g}"
    if at.threshold is not None and at.chosen_on != "default":
        where += f", chosen for an FMR of {setting(requirements.required_fmr)} %"
    said = [f"{one.name} at {where}: {' and '.join(map(_rate_words, rates))}."]
    if outcome is Outcome.FAIL and at.chosen_on != "default":
        said.append("No other threshold would do.")
    if outcome is Outcome.INCONCLUSIVE:
        endless = [r for r in rates if r.outcome is Outcome.INCONCLUSIVE and r.more is None]
        if any(rate.outcome is Outcome.FAIL for rate in rates):
            said.append("Another threshold might do.")
        elif endless:
            said += map(_endless, endless)
        elif verdict.more is not None:
            said.append(_more_words(verdict, requirements))
    return " ".join(said)


def _rate_words(rate: RateVerdict) -> str:
    name, limit = rate.name.upper(), f"(limit {setting(rate.limit)} %)"
    if rate.low is None or rate.high is None:
        return f"the {name} is unknown {limit}"
    low, high = lower_percent(rate.low, rate.limit), upper_percent(rate.high, rate.limit)
    if rate.outcome is Outcome.PASS:
        return f"the {name} is below {high} % {limit}"
    if rate.outcome is Outcome.FAIL:
        return f"the {name} is above {low} % {limit}"
    return f"the {name} lies between {low} % and {high} % {limit}"


def _endless(rate: RateVerdict) -> str:
    value = rate.rate.value or 0.0
    seen = f"The {rate.name.upper()} that was seen, {percent(value)} %,"
    if value < rate.limit:
        return f"{seen} is so close to the limit that no affordable number of pairs shows a pass."
    return (
        f"{seen} is itself not below the limit: it "
        "leans to FAIL. If it is the true one, no number of pairs shows a pass."
    )


def _more_words(verdict: SystemVerdict, requirements: Requirements) -> str:
    kinds = {"fmr": "non-mated", "frr": "mated"}
    wanted = " and ".join(
        f"{rate.more:,} more {kinds[rate.name]}" for rate in verdict.rates if rate.more is not None
    )
    money = " (no price given)"
    if verdict.cost is not None:
        money = ", at no charge,"
        if verdict.cost:
            money = f", about {verdict.cost:,.2f} {verdict.currency or ''}".rstrip() + ","
    return (
        f"About {wanted} pairs of new people{money} would show a pass with "
        f"{setting(requirements.confidence)} % confidence if the same rates are seen again; half "
        "of such tests will see more errors, so plan for half as many again."
    )


# --- Files of requirements ----------------------------------------------------------------------


def built_in() -> tuple[str, ...]:
    """The names of the requirements that come with facematch."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def read_requirements(name_or_path: str | Path) -> Requirements:
    """Read requirements.

    Args:
        name_or_path: A name that `built_in` lists, or your own file (``.toml``).

    Raises:
        InvalidRequest: there are none, or the file says something that is not known.
    """
    text = str(name_or_path)
    if text in built_in():
        return _requirements(text, text, _document(_FOLDER / f"{text}.toml"))
    if isinstance(name_or_path, str) and _NAME.fullmatch(text):
        raise InvalidRequest(
            f"There are no requirements called {text[:60]!r}; {nearest(text, built_in())} For "
            "your own, name the file, which ends in .toml."
        )
    path = Path(name_or_path)
    return _requirements(path.stem, str(path), _document(path))


def _document(path: Path) -> dict[str, Any]:
    content = read_small(path, "requirements", InvalidRequest)
    return parse_toml(content, path, "requirements", InvalidRequest)


def _requirements(name: str, where: str, table: Mapping[str, Any]) -> Requirements:
    for key in table:
        if key == "max_fnmr":
            raise InvalidRequest(
                f"{where}: max_fnmr is now max_frr: it always limited the FRR, failures to acquire "
                "among the errors."
            )
        if key not in _KEYS:
            raise InvalidRequest(f"{where}: unknown key {key[:60]!r}; {nearest(key, _KEYS)}")
    for key in ("title", "max_fmr", "max_frr"):
        if key not in table:
            raise InvalidRequest(f"{where} needs {key}: {_KEYS[key]}.")
    values = {key: _value(where, key, value) for key, value in table.items()}
    values.setdefault("required_fmr", values["max_fmr"] / _SHARE)
    if values["required_fmr"] > values["max_fmr"]:
        raise InvalidRequest(f"{where}: required_fmr must not lie above max_fmr.")
    return Requirements(name=name, **values)


_RATE, _CONFIDENCE, _TEXT = "a number above 0 and below 1", "a number above 0.5 and below 1", "text"
_AT: Final = "one of " + ", ".join(f'"{at}"' for at in At)

#: What a file may say, and as what.
_KEYS: Final[dict[str, str]] = {
    "title": _TEXT,
    "source": _TEXT,
    "leaves_out": _TEXT,
    "max_fmr": _RATE,
    "max_frr": _RATE,
    "required_fmr": _RATE,
    "at": _AT,
    "confidence": _CONFIDENCE,
}


def _value(where: str, key: str, value: Any) -> Any:
    kind = _KEYS[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is _AT and value in list(At):
        return At(value)
    if kind is _TEXT and isinstance(value, str) and value.strip():
        return value
    if kind in (_RATE, _CONFIDENCE) and is_number and (kind is _CONFIDENCE) * 0.5 < value < 1:
        return float(value)
    shown = str(value)[:40] if is_number else described(value)
    raise InvalidRequest(f"{where}: {key} must be {kind}, not {shown}.")
