"""A verdict in words."""

from __future__ import annotations

from typing import Final

import attrs

from facematch_core.comparison._document import Contender, OperatingPoint
from facematch_core.comparison._rounding import lower, upper

from ._profile import GateProfile
from ._verdict import Outcome, RateVerdict

_KINDS: Final = {"fmr": "non-mated", "frr": "mated"}


@attrs.frozen(kw_only=True)
class Found:
    """What there is to say of one contender; see `ContenderVerdict`.

    Attributes:
        at: What was judged; None if there is no threshold.
        is_fitted: Whether its threshold was chosen on the pairs that it is judged on.
    """

    outcome: Outcome
    rates: tuple[RateVerdict, ...]
    at: OperatingPoint | None
    is_fitted: bool
    more: int | None
    cost: float | None
    leans_to_fail: bool


def sentence_of(one: Contender, profile: GateProfile, found: Found) -> str:
    """One to three sentences, with the numbers."""
    if found.at is None:
        what = one.why_not or (
            "It was asked with no threshold that is known: there is none to judge."
        )
        rest = " No other one would do." if found.outcome is Outcome.FAIL else ""
        return f"{one.name}: {what}{rest}"
    first = f"{_where(one, found.at)}: {' and '.join(map(_rate, found.rates))}."
    return " ".join([first, *_rest(one, profile, found)])


def _where(one: Contender, at: OperatingPoint) -> str:
    if at.threshold is None:
        return f"{one.name} at its own threshold"
    return f"{one.name} at the threshold {at.threshold:.10g}"


def _rate(rate: RateVerdict) -> str:
    name = rate.name.upper()
    if rate.low is None or rate.high is None:
        return f"nothing of the {name} was seen (limit {rate.limit:g})"
    if rate.outcome is Outcome.PASS:
        return f"the {name} is below {upper(rate.high, rate.limit)} (limit {rate.limit:g})"
    if rate.outcome is Outcome.FAIL:
        return f"the {name} is above {lower(rate.low, rate.limit)} (limit {rate.limit:g})"
    low, high = lower(rate.low, rate.limit), upper(rate.high, rate.limit)
    return f"the {name} may be anything from {low} to {high} (limit {rate.limit:g})"


def _rest(one: Contender, profile: GateProfile, found: Found) -> list[str]:
    if found.outcome is Outcome.PASS:
        return []
    if found.outcome is Outcome.FAIL:
        is_own = found.at is not None and found.at.chosen_on == "default"
        return [] if is_own else ["No other threshold would do."]
    rest = []
    if found.is_fitted:
        rest.append(
            "Its threshold was chosen on the pairs that it is judged on, which flatters it: divide "
            "the people, or take more of them."
        )
    endless = [
        rate for rate in found.rates if rate.outcome is Outcome.INCONCLUSIVE and rate.more is None
    ]
    if any(rate.outcome is Outcome.FAIL for rate in found.rates):
        rest.append("Another threshold might do.")
    elif endless:
        rest += map(_endless, endless)
    elif found.more is not None:
        rest.append(_more(one, profile, found))
    return rest


def _endless(rate: RateVerdict) -> str:
    value = rate.rate.value or 0.0
    if value < rate.limit:
        return (
            f"The {rate.name.upper()} that was seen, {value:.2g}, is so close to the limit that no "
            "number of comparisons that anybody would make shows a pass."
        )
    return (
        f"The {rate.name.upper()} that was seen, {value:.2g}, is itself not below the limit: it "
        "leans to FAIL. If it is the true one, no number of comparisons shows a pass."
    )


def _more(one: Contender, profile: GateProfile, found: Found) -> str:
    kinds = " and ".join(
        f"{rate.more:,} more {_KINDS[rate.name]}" for rate in found.rates if rate.more is not None
    )
    return (
        f"About {kinds} comparisons of new people, {_money(one, found)}, would show a pass with "
        f"{profile.confidence:.0%} confidence if the same rates are seen again; of such studies "
        "about every second one sees more, so take half as many again."
    )


def _money(one: Contender, found: Found) -> str:
    if found.cost is None:
        return "at a price that nobody said"
    if not found.cost:
        return "at no charge"
    return f"about {found.cost:,.2f} {one.service.currency or ''}".rstrip()
