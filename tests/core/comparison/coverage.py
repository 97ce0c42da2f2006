"""How often intervals hold and tests cry wolf, over simulated studies whose truth is known."""

import attrs
import numpy as np
from scipy.stats import norm

from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison.metrics import (
    Sharing,
    exact_interval,
    exact_upper,
    interval,
    mcnemar,
    upper_bound,
)
from facematch_core.comparison.simulation import SimulatedVendor, simulate, simulate_study


@attrs.frozen(kw_only=True)
class Scenario:
    """Studies of one kind.

    Attributes:
        kind: ``independent`` pairs, ``mated`` pairs of people, or ``non-mated`` pairs between them.
        people, pairs: How many there are.
        rate: The true one.
        gathering: 0 if errors fall anywhere; for mated pairs the correlation of two pairs of one
            person, for others the part of the variance that each of two people brings.
    """

    kind: str
    people: int
    pairs: int
    rate: float
    gathering: float = 0.0

    @property
    def expected(self) -> float:
        """Errors in a study, on the average."""
        return self.pairs * self.rate

    @property
    def is_large(self) -> bool:
        """Whether the errors themselves should tell how they gather."""
        return self.expected >= 10 and self.people >= 50


SCENARIOS = (
    Scenario(kind="independent", people=600, pairs=300, rate=0.01),
    Scenario(kind="independent", people=4_000, pairs=2_000, rate=0.01),
    Scenario(kind="independent", people=6_000, pairs=3_000, rate=0.001),
    Scenario(kind="mated", people=50, pairs=500, rate=0.05, gathering=0.1),
    Scenario(kind="mated", people=50, pairs=500, rate=0.05, gathering=0.3),
    Scenario(kind="mated", people=200, pairs=2_000, rate=0.01),
    Scenario(kind="mated", people=200, pairs=2_000, rate=0.01, gathering=0.1),
    Scenario(kind="mated", people=200, pairs=1_000, rate=0.02, gathering=0.2),
    Scenario(kind="mated", people=1_000, pairs=5_000, rate=0.01, gathering=0.1),
    Scenario(kind="mated", people=50, pairs=500, rate=0.005, gathering=0.1),
    Scenario(kind="mated", people=23, pairs=230, rate=0.02, gathering=0.1),
    Scenario(kind="mated", people=100, pairs=1_000, rate=0.005, gathering=0.2),
    Scenario(kind="mated", people=200, pairs=2_000, rate=0.002, gathering=0.3),
    Scenario(kind="non-mated", people=50, pairs=2_000, rate=0.01, gathering=0.05),
    Scenario(kind="non-mated", people=50, pairs=2_000, rate=0.01, gathering=0.15),
    Scenario(kind="non-mated", people=100, pairs=5_000, rate=0.01, gathering=0.1),
    Scenario(kind="non-mated", people=200, pairs=20_000, rate=0.001, gathering=0.1),
    Scenario(kind="non-mated", people=500, pairs=30_000, rate=0.001),
    Scenario(kind="non-mated", people=500, pairs=30_000, rate=0.001, gathering=0.15),
    Scenario(kind="non-mated", people=50, pairs=1_000, rate=0.002, gathering=0.1),
    Scenario(kind="non-mated", people=300, pairs=3_000, rate=0.001, gathering=0.1),
    Scenario(kind="non-mated", people=23, pairs=500, rate=0.01, gathering=0.1),
    Scenario(kind="non-mated", people=100, pairs=6_000, rate=0.001, gathering=0.15),
)


def holds(scenario, chance):
    """Whether the 95 % interval of one simulated study holds the true rate."""
    if scenario.kind == "independent":
        found = exact_interval(int(chance.binomial(scenario.pairs, scenario.rate)), scenario.pairs)
    else:
        errors, first, second = _study(scenario, chance)
        found = interval(errors, Sharing(first, second))
    return found.low <= scenario.rate <= found.high


def is_bounded(scenario, chance):
    """Whether the 95 % upper bound of one simulated study lies above the true rate."""
    if scenario.kind == "independent":
        wrong = int(chance.binomial(scenario.pairs, scenario.rate))
        return exact_upper(wrong, scenario.pairs) > scenario.rate
    errors, first, second = _study(scenario, chance)
    return upper_bound(errors, Sharing(first, second)) > scenario.rate


def bounded(scenario, studies, seed):
    """How often it does, 0-1."""
    chance = np.random.default_rng(seed)
    return sum(is_bounded(scenario, chance) for _ in range(studies)) / studies


def false_alarms_at_fmr(studies, seed):
    """How often two vendors that err alike are told apart, at thresholds that are chosen, 0-1."""
    found = 0
    for number in range(seed, seed + studies):
        study = simulate_study(people=200, mated=2_000, non_mated=2_000, seed=number)
        answers = [
            simulate(
                SimulatedVendor(name=name, fmr=0.01, fnmr=0.03, goats=0.1, wolves=0.1, common=0.5),
                study,
                seed=number,
            )
            for name in "ab"
        ]
        (pair,) = evaluate(answers, Asked(required_fmr=0.01, seed=number)).paired
        found += pair.is_real
    return found / studies


def coverage(scenario, studies, seed):
    """How often it does, 0-1."""
    chance = np.random.default_rng(seed)
    return sum(holds(scenario, chance) for _ in range(studies)) / studies


def _study(scenario, chance):
    people, pairs, rate = scenario.people, scenario.pairs, scenario.rate
    gathering = scenario.gathering
    if scenario.kind == "mated":
        whose = np.repeat(np.arange(people), pairs // people)
        own = np.full(people, rate)
        if gathering:
            size = 1 / gathering - 1
            own = chance.beta(rate * size, (1 - rate) * size, people)
        return chance.random(len(whose)) < own[whose], whose, None
    first = chance.integers(0, people, pairs)
    second = (first + chance.integers(1, people, pairs)) % people
    brings = chance.normal(0, np.sqrt(gathering), people)
    alone = chance.normal(0, np.sqrt(1 - 2 * gathering), pairs)
    return brings[first] + brings[second] + alone > norm.ppf(1 - rate), first, second


def false_alarms(studies, seed, *, people=100, each=10, rate=0.05, gathering=0.1):
    """How often McNemar's test finds a difference between two vendors that have none, 0-1.

    The people are as hard for one as for the other, and each vendor has some that are hard for it
    alone.
    """
    chance = np.random.default_rng(seed)
    whose = np.repeat(np.arange(people), each)
    found = 0
    for _ in range(studies):
        hard = chance.normal(0, np.sqrt(gathering), people)[whose]
        errors = []
        for _ in range(2):
            own = chance.normal(0, np.sqrt(gathering), people)[whose]
            alone = chance.normal(0, np.sqrt(1 - 2 * gathering), len(whose))
            errors.append(hard + own + alone > norm.ppf(1 - rate))
        found += mcnemar(*errors, whose).p_value < 0.05
    return found / studies
