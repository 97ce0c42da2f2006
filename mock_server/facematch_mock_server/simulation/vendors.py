"""A vendor that is made up: its error rates are known, not measured.

How alike two pictures are is a normal variable: around one mean for two people, around a higher one
for one person, each with variance 1. Part of the variance belongs to people (some are accepted more
easily, some are refused more often: goats, lambs and wolves of Doddington et al., 1998), so pairs
that share a person are correlated; what a single pair is like stays the same. A logistic curve
makes a score of 0-100 of it, and rounding makes ties.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, Final

import attrs

from facematch_core import InvalidRequest, ThresholdRule

_NORMAL: Final = NormalDist()

#: More decimals than these are not told apart from none.
_MOST_DECIMALS: Final = 9


@attrs.frozen(kw_only=True)
class GroupRates:
    """Rates of one group, at the vendor's threshold.

    Attributes:
        fmr: Between two people of the group: above 0, below 1.
        fnmr: Of people of the group: above 0, below 1.
    """

    fmr: float
    fnmr: float

    def __attrs_post_init__(self) -> None:
        for name in ("fmr", "fnmr"):
            within(name, getattr(self, name), 0, 1, ends=False)
        if self.fmr + self.fnmr >= 1:
            raise InvalidRequest(
                "FMR and FNMR of a simulated vendor must sum up to less than 1: else it would be "
                "worse than a coin."
            )


@attrs.frozen(kw_only=True)
class SimulatedVendor:
    """A vendor with known error rates.

    Attributes:
        name: What it is called.
        fmr, fnmr: Of acquired pairs, at `threshold`: above 0, below 1, in sum below 1.
        threshold: Of its decisions: above 0, below 100.
        rule: How scores are compared with it; VENDOR decides as AT_LEAST, and does not say so.
        goats: What part of the variance of mated pairs belongs to the person: 0 to below 1; it is
            the correlation of two mated pairs of one person.
        wolves: Likewise of non-mated pairs, for each of the two people: 0 to below 0.5.
        common: What part of all that is the same for every vendor with the same study, because the
            pictures are: 0 to 1. Two vendors that are alike still differ in the rest.
        column, groups: A column of groups of the study, and rates of its groups; other groups, and
            pairs of two groups, have `fmr` and `fnmr`.
        fta: How often a picture holds no face that it could use: 0 to below 1.
        outage: How often a call is not answered: 0 to below 1.
        decimals: Of its scores; None for all that a float has.
        decisions_only: It gives decisions and no score.
        latency_s: Median of how long a call takes, in seconds; None if that is not known.
        price, currency: Of one comparison; None for none.

    Raises:
        InvalidRequest: a value is out of range.
    """

    name: str = "simulated"
    fmr: float = 1e-3
    fnmr: float = 1e-2
    threshold: float = 50.0
    rule: ThresholdRule = ThresholdRule.AT_LEAST
    goats: float = 0.0
    wolves: float = 0.0
    common: float = 0.0
    column: str | None = None
    groups: Mapping[str, GroupRates] = attrs.field(factory=dict)
    fta: float = 0.0
    outage: float = 0.0
    decimals: int | None = 2
    decisions_only: bool = False
    latency_s: float | None = None
    price: float | None = None
    currency: str | None = None

    def __attrs_post_init__(self) -> None:
        GroupRates(fmr=self.fmr, fnmr=self.fnmr)
        within("threshold", self.threshold, 0, 100, ends=False)
        for name, below in (("goats", 1), ("wolves", 0.5), ("fta", 1), ("outage", 1)):
            value = within(name, getattr(self, name), 0, below)
            if value == below:
                raise InvalidRequest(f"{name} of a simulated vendor must be below {below}.")
        within("common", self.common, 0, 1)
        if self.decimals is not None:
            within("decimals", self.decimals, 0, _MOST_DECIMALS)
            if type(self.decimals) is not int:
                raise InvalidRequest("decimals of a simulated vendor must be a whole number.")
        if type(self.decisions_only) is not bool:
            raise InvalidRequest("decisions_only of a simulated vendor must be true or false.")
        for name in ("latency_s", "price"):
            if getattr(self, name) is not None:
                within(name, getattr(self, name), 0, math.inf)

    # What is true

    def true_fmr(self, threshold: float | None = None, *, group: str | None = None) -> float:
        """The FMR at a threshold, 0-1, exactly.

        Args:
            threshold: On its scale; None for its own.
            group: Of both people; None for people without one.
        """
        return self._above(self._own_or(threshold), self.mean(is_mated=False, group=group))

    def true_fnmr(self, threshold: float | None = None, *, group: str | None = None) -> float:
        """The FNMR at a threshold, 0-1, exactly; the arguments are those of `true_fmr`."""
        return 1 - self._above(self._own_or(threshold), self.mean(is_mated=True, group=group))

    @property
    def true_fta(self) -> float:
        """How often a pair of two pictures fails to acquire, 0-1."""
        return 1 - (1 - self.fta) ** 2

    def true_far(self, threshold: float | None = None, *, group: str | None = None) -> float:
        """As `true_fmr`, where failures to acquire count as refused."""
        return (1 - self.true_fta) * self.true_fmr(threshold, group=group)

    def true_frr(self, threshold: float | None = None, *, group: str | None = None) -> float:
        """As `true_fnmr`, where failures to acquire count as refused."""
        return self.true_fta + (1 - self.true_fta) * self.true_fnmr(threshold, group=group)

    # How a score is made

    def mean(self, *, is_mated: bool, group: str | None) -> float:
        """Where the normal variable of a kind of pairs lies; 0 is the vendor's own threshold."""
        rates = self.groups.get(group, self) if group is not None else self
        return -_NORMAL.inv_cdf(rates.fnmr) if is_mated else _NORMAL.inv_cdf(rates.fmr)

    @property
    def scale(self) -> str | None:
        """Of its scores; None if it gives none."""
        return None if self.decisions_only else f"simulated/{self.name}"

    def parts(self, *, is_mated: bool) -> tuple[float, float]:
        """By how much the pair, and each of its two people, move the normal variable.

        A mated pair has one person, who counts once.
        """
        if is_mated:
            return math.sqrt(1 - self.goats), math.sqrt(self.goats)
        return math.sqrt(1 - 2 * self.wolves), math.sqrt(self.wolves)

    def curve(self, exp: Any, latent: Any) -> Any:
        """The score, 0-100 and not rounded, of the normal variable: one, or an array of them.

        Args:
            exp: `math.exp` or `numpy.exp`.
            latent: 0 where its own threshold lies.
        """
        return 100 / (1 + exp(-latent - self._logit(self.threshold)))

    def rounded(self, score: float) -> float:
        """A score as it is shown."""
        return score if self.decimals is None else round(score, self.decimals)

    def passes(self, scores: Any) -> Any:
        """Whether a score as it is shown passes its own threshold: one, or an array of them."""
        if self.rule is ThresholdRule.ABOVE:
            return scores > self.threshold
        return scores >= self.threshold

    def _own_or(self, threshold: float | None) -> float:
        return self.threshold if threshold is None else threshold

    def _above(self, threshold: float, mean: float) -> float:
        """How often a pair with this mean passes."""
        cut = self._cut(threshold)
        if cut <= 0:
            return 1.0
        if cut >= 100:
            return 0.0
        at = self._logit(threshold) - self._logit(self.threshold) - mean
        return math.erfc(at / math.sqrt(2)) / 2

    def _logit(self, threshold: float) -> float:
        cut = self._cut(threshold)
        return math.log(cut) - math.log(100 - cut)

    def _cut(self, threshold: float) -> float:
        """The score before rounding from which on a pair passes."""
        if self.decimals is None:
            return threshold
        steps = threshold * 10.0**self.decimals
        # A threshold such as 0.07 is not a whole number of hundredths in binary.
        nearest = round(steps)
        on_a_step = nearest / 10.0**self.decimals == threshold
        if self.rule is ThresholdRule.ABOVE:
            first = nearest + 1 if on_a_step else math.floor(steps) + 1
        else:
            first = nearest if on_a_step else math.ceil(steps)
        return (first - 0.5) / 10.0**self.decimals


def within(name: str, value: Any, low: float, high: float, *, ends: bool = True) -> float:
    """`value`, if it is a number in a range.

    Raises:
        InvalidRequest: it is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value == math.inf:
        raise InvalidRequest(f"{name} of a simulated vendor must be finite.")
    if not is_number or not (low <= value <= high if ends else low < value < high):
        kind = f"{value:g}" if is_number else type(value).__name__
        ranged = f"from {low:g} to {high:g}" if ends else f"above {low:g} and below {high:g}"
        raise InvalidRequest(f"{name} of a simulated vendor must be {ranged}, not {kind}.")
    return float(value)
