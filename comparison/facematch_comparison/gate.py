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
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from facematch_core.errors import InvalidRequest
from facematch_core.files import read_toml
from facematch_core.kinds import described, nearest
from facematch_core.models import Environment

from .evaluation import fmr_bounds
from .model import SCHEMA, Evaluation, OperatingPoint, Rate, System, as_json
from .numbers import lower_percent, percent, setting, upper_percent
from .stats import bounds, effective_size, exact_upper
from .stats.intervals import fewest

#: Where ours are.
_FOLDER: Final = Path(__file__).parent / "requirements"

#: `required_fmr` is this part of `max_fmr` by default. A threshold that was chosen right at the
#: limit lies beyond it as often as not; at a fifth of it, half as many pairs again as the floor are
#: enough on average.
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
    """One rate (``fmr`` or ``frr``) beside its limit, with its one-sided bounds if it has trials.

    `more` is how many more pairs of new people would show a pass if the rate stays as it is; None
    if none are needed, or no number would do.
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
    """What the comparison shows of one system at the threshold that is judged, if there is one.

    `more` pairs of both kinds at `cost` would show a pass; None if none are needed, or it is not
    known. It leans to fail if it is inconclusive with a rate that is not below its limit.
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
    _check(evaluation, requirements)
    known = [one.name for one in evaluation.systems]
    for name in systems:
        if name not in known:
            raise InvalidRequest(f"No system is called {name[:60]!r} here; {nearest(name, known)}")
    verdicts = []
    for one in evaluation.systems:
        if systems and one.name not in systems:
            continue
        if one.environment in (Environment.MOCK, Environment.SANDBOX) and not allow_mock:
            raise InvalidRequest(
                f"{one.name} answered from a {one.environment}, which says nothing about the "
                "vendor's matcher: judge answers of the vendor itself, or say `allow_mock=True` to "
                "try the gate."
            )
        if one.other_models and not systems:
            models = ", ".join([str(one.model or "no name"), *one.other_models])
            raise InvalidRequest(
                f"The model of {one.name} changed during the run ({models}): two models are never "
                f"judged as one. Name the one that you would use, such as `systems=[{one.name!r}]`."
            )
        verdicts.append(_judge(one, evaluation, requirements))
    outcomes = {verdict.outcome for verdict in verdicts}
    outcome = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.INCONCLUSIVE
    return Verdict(
        outcome=Outcome.PASS if outcomes == {Outcome.PASS} else outcome,
        requirements=requirements,
        systems=tuple(verdicts),
    )


def _check(evaluation: Evaluation, requirements: Requirements) -> None:
    """Refuse an evaluation that was made for something else."""
    wanted, confidence = requirements.required_fmr, requirements.evaluation_confidence
    if requirements.at is At.REQUIRED_FMR and not math.isclose(evaluation.required_fmr, wanted):
        raise InvalidRequest(
            f"This comparison chose thresholds for an FMR of {evaluation.required_fmr:g}, and the "
            f"requirements {requirements.name} judge those for {wanted:g}: judge the answers "
            "themselves, or a report for that FMR."
        )
    if evaluation.confidence < confidence - 1e-9:
        raise InvalidRequest(
            f"This comparison has intervals of {100 * evaluation.confidence:g} %, and the "
            f"requirements {requirements.name} need {100 * confidence:g} % or more to say that no "
            "other threshold would do: judge the answers themselves."
        )


def _judge(one: System, evaluation: Evaluation, requirements: Requirements) -> SystemVerdict:
    # Who gives decisions only has no other threshold than its own.
    is_own = requirements.at is At.DEFAULT or one.kind == "decisions"
    at = one.at_default if is_own else one.at_required
    rates = () if at is None else _rates(at, evaluation, requirements)
    seen = {rate.outcome for rate in rates}
    outcome, more = Outcome.INCONCLUSIVE, None
    if (at is None or Outcome.FAIL in seen) and _is_hopeless(one, at, requirements):
        outcome = Outcome.FAIL
    elif seen == {Outcome.PASS}:
        outcome = Outcome.PASS
    else:
        needed = [rate.more for rate in rates if rate.outcome is not Outcome.PASS]
        if needed and None not in needed:
            more = sum(filter(None, needed))
    price = one.service.price
    verdict = SystemVerdict(
        system=one.name,
        outcome=outcome,
        threshold=None if at is None else at.threshold,
        chosen_on=None if at is None else at.chosen_on,
        rates=rates,
        more=more,
        cost=None if more is None or price is None else round(more * price, 6),
        currency=one.service.currency,
        leans_to_fail=outcome is Outcome.INCONCLUSIVE
        and any((rate.rate.value or 0) >= rate.limit for rate in rates),
        sentence="",
    )
    return attrs.evolve(verdict, sentence=_sentence(verdict, one, at, requirements))


def _rates(
    at: OperatingPoint, evaluation: Evaluation, requirements: Requirements
) -> tuple[RateVerdict, ...]:
    """FMR and FRR beside their limits."""
    required, confidence = evaluation.required_fmr, requirements.confidence
    whole, verdicts = evaluation.study.whole, []
    of_fmr = fmr_bounds(at, required, confidence) if at.fmr.trials else None
    of_frr = bounds(at.frr, confidence) if at.frr.trials else None
    # On more pairs the threshold is chosen anew, where as many pass as are allowed to.
    expected = 0.0 if at.chosen_on == "default" else required
    for name, rate, ends, limit, asked, likely in (
        ("fmr", at.fmr, of_fmr, requirements.max_fmr, whole.non_mated, expected),
        ("frr", at.frr, of_frr, requirements.max_frr, whole.mated, 0.0),
    ):
        low, high = ends or (None, None)
        outcome, more = Outcome.INCONCLUSIVE, None
        if high is not None and high <= limit:
            outcome = Outcome.PASS
        elif low is not None and low > limit:
            outcome = Outcome.FAIL
        else:
            more = more_needed(rate, limit, confidence, asked, expected=likely)
        verdicts.append(
            RateVerdict(
                name=name, limit=limit, rate=rate, low=low, high=high, outcome=outcome, more=more
            )
        )
    return tuple(verdicts)


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
    """How many more pairs of a kind would show that the true rate is at most `limit`.

    `asked` is how many the whole test set has. Pairs that share people are worth less, and pairs
    that are not judged (because thresholds were chosen on them, or nobody answered) are worth
    nothing: both are assumed to go on as they were. More pairs are expected to err as often as was
    seen, or as `expected` if that is higher. At least 1; None if no number will do.
    """
    likely = max(rate.value or 0.0, expected)
    if likely >= limit:
        return None

    def shows(trials: int) -> bool:
        return exact_upper(likely * trials, trials, confidence) <= limit

    independent = fewest(shows, most=_MOST)
    if independent is None or not rate.trials:
        return independent
    each = effective_size(rate, confidence) / max(asked, rate.trials)
    return max(1, math.ceil(independent / each) - asked)


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
    text = f"{one.name} at {where}: {' and '.join(map(_rate_words, rates))}."
    if outcome is Outcome.FAIL and at.chosen_on != "default":
        return f"{text} No other threshold would do."
    if outcome is not Outcome.INCONCLUSIVE:
        return text
    if any(rate.outcome is Outcome.FAIL for rate in rates):
        return f"{text} Another threshold might do."
    if verdict.more is not None:
        return f"{text} {_more_words(verdict, requirements)}"
    endless = [r for r in rates if r.outcome is Outcome.INCONCLUSIVE and r.more is None]
    return " ".join([text, *map(_endless, endless)])


def _rate_words(rate: RateVerdict) -> str:
    if rate.low is None or rate.high is None:
        said = "is unknown"
    else:
        low = f"{lower_percent(rate.low, rate.limit)} %"
        high = f"{upper_percent(rate.high, rate.limit)} %"
        said = {
            Outcome.PASS: f"is below {high}",
            Outcome.FAIL: f"is above {low}",
            Outcome.INCONCLUSIVE: f"lies between {low} and {high}",
        }[rate.outcome]
    return f"the {rate.name.upper()} {said} (limit {setting(rate.limit)} %)"


def _endless(rate: RateVerdict) -> str:
    value = rate.rate.value or 0.0
    seen = f"The {rate.name.upper()} that was seen, {percent(value)} %, is"
    if value < rate.limit:
        return f"{seen} so close to the limit that no affordable number of pairs shows a pass."
    return (
        f"{seen} itself not below the limit: it leans to FAIL. If it is the true one, no number of "
        "pairs shows a pass."
    )


def _more_words(verdict: SystemVerdict, requirements: Requirements) -> str:
    kinds = {"fmr": "non-mated", "frr": "mated"}
    needed = " and ".join(f"{r.more:,} more {kinds[r.name]}" for r in verdict.rates if r.more)
    money = " (no price given)"
    if verdict.cost is not None:
        amount = f"about {verdict.cost:,.2f} {verdict.currency or ''}".rstrip()
        money = f", {amount if verdict.cost else 'at no charge'},"
    return (
        f"About {needed} pairs of new people{money} would show a pass with "
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
        path = _FOLDER / f"{text}.toml"
    elif isinstance(name_or_path, str) and re.fullmatch(r"[a-z0-9-]+", text):
        raise InvalidRequest(
            f"There are no requirements called {text[:60]!r}; {nearest(text, built_in())} For "
            "your own, name the file, which ends in .toml."
        )
    else:
        path = Path(name_or_path)
    table = read_toml(path, "requirements", InvalidRequest)
    for key in table:
        if key not in _KEYS:
            raise InvalidRequest(f"{path}: unknown key {key[:60]!r}; {nearest(key, _KEYS)}")
    for key in ("title", "max_fmr", "max_frr"):
        if key not in table:
            raise InvalidRequest(f"{path} needs {key}: {_KEYS[key]}.")
    values = {key: _value(path, key, value) for key, value in table.items()}
    values.setdefault("required_fmr", values["max_fmr"] / _SHARE)
    if values["required_fmr"] > values["max_fmr"]:
        raise InvalidRequest(f"{path}: required_fmr must not lie above max_fmr.")
    return Requirements(name=path.stem, **values)


_RATE, _CONFIDENCE, _TEXT = "a number above 0 and below 1", "a number above 0.5 and below 1", "text"
_AT: Final = "one of " + ", ".join(f'"{at}"' for at in At)

#: What a file may say, and as what.
_KEYS: Final = {
    **dict.fromkeys(("title", "source", "leaves_out"), _TEXT),
    **dict.fromkeys(("max_fmr", "max_frr", "required_fmr"), _RATE),
    "at": _AT,
    "confidence": _CONFIDENCE,
}


def _value(path: Path, key: str, value: Any) -> Any:
    kind = _KEYS[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is _AT and value in list(At):
        return At(value)
    if kind is _TEXT and isinstance(value, str) and value.strip():
        return value
    if kind in (_RATE, _CONFIDENCE) and is_number and (kind is _CONFIDENCE) * 0.5 < value < 1:
        return float(value)
    shown = str(value)[:40] if is_number else described(value)
    raise InvalidRequest(f"{path}: {key} must be {kind}, not {shown}.")
