"""Answers with known error rates, to try a comparison on: nobody's face is looked at.

How alike two pictures are is a normal variable of variance 1, around one mean for two people and
around a higher one for one person. Part of the variance belongs to people (some are accepted more
easily, some refused more often: goats, lambs and wolves of Doddington et al., 1998), so pairs that
share a person are correlated. A logistic curve makes a score of 0-100 of it; rounding makes ties.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from itertools import combinations, count
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, Answers, Grouping, ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pictures of each probe and reference, who is in them (both (2, N), from 0), columns of groups.
DrawnPairs: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64], dict[str, Grouping]]"


def _number(most: float, *, ends: bool = True) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not (0 <= number <= most if ends else 0 < number < most):
            raise ValueError
        return number

    return read


#: What is true of a vendor if nobody says else, and how what is said is read.
_KEYS: Final[Mapping[str, tuple[Any, Callable[[str], Any]]]] = {
    "fmr": (1e-3, _number(1, ends=False)),
    "fnmr": (1e-2, _number(1, ends=False)),
    "threshold": (50.0, _number(100, ends=False)),
    "rule": (ThresholdRule.AT_LEAST, ThresholdRule),
    "goats": (0.0, _number(1)),
    "wolves": (0.0, _number(0.5)),
    "common": (0.0, _number(1)),
    "fta": (0.0, _number(1)),
    "outage": (0.0, _number(1)),
    "decimals": (2, {"none": None, **{str(count): count for count in range(10)}}.__getitem__),
    "decisions_only": (False, {"true": True, "false": False}.__getitem__),
    "latency_s": (math.nan, _number(1e6)),
    "price": (None, _number(1e6)),
    "currency": ("USD", str),
}


def _read(name: str, key: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (KeyError, ValueError):
        raise InvalidRequest(f"{name[:60]}: {key[:60]} cannot be {text[:40]!r}.") from None


def draw(
    people: int,
    mated: int,
    non_mated: int,
    *,
    pictures: int | None = None,
    groups: Mapping[str, Mapping[str, str]],
    seed: int = 0,
) -> DrawnPairs:
    """Pairs of people who have so many pictures each, or as few as it takes; mated ones first."""
    for each in count(2) if pictures is None else (pictures,):
        most = people * math.comb(each, 2), math.comb(people, 2) * each**2
        if mated <= most[0] and non_mated <= most[1]:
            break
    if not mated + non_mated or mated > most[0] or non_mated > most[1]:
        raise InvalidRequest(
            f"{mated} mated and {non_mated} non-mated pairs cannot be: at least one pair in all, "
            f"and at most {most[0]} and {most[1]} of {people} people with {each} pictures."
        )
    rng = np.random.default_rng(seed)
    # Everybody comes up in mated pairs before one comes up again.
    turn, who = np.divmod(np.arange(mated), people)
    two = np.array([*combinations(range(each), 2)], np.int64).reshape(-1, 2)
    couple, shown = np.divmod(rng.choice(most[1], non_mated, replace=False), each**2)
    # Couples have their numbers in this order: (0, 1), (0, 2), (1, 2), (0, 3) and so on.
    second = ((1 + np.sqrt(1 + 8 * couple)) / 2).astype(np.int64)
    second -= second * (second - 1) // 2 > couple
    others = np.stack([couple - second * (second - 1) // 2, second]) * each
    others += np.stack(np.divmod(shown, each))
    both = np.concatenate([who * each + two[turn].T, others], axis=1)
    shows, groupings = both // each, {}
    for column, words in groups.items():
        if not words:
            raise InvalidRequest(f"{column[:60]}: which groups, and what part of the people each?")
        labels = tuple(sorted(words))
        parts = [_read(column, label, words[label], _number(1e9, ends=False)) for label in labels]
        place = np.searchsorted(np.cumsum(parts) / sum(parts), (np.arange(people) + 0.5) / people)
        of = rng.permutation(place)[shows]
        groupings[column] = Grouping(labels=labels, probe=of[0], reference=of[1])
    return both, shows, groupings


def answer(
    name: str, words: Mapping[str, str], pairs: DrawnPairs, *, seed: int = 0
) -> tuple[Answers, list[float | None]]:
    """What a vendor of these words answers; and its threshold, its true FMR, FNMR, FAR and FRR."""
    pictures, people, groups = pairs
    true, rates = {key: default for key, (default, _) in _KEYS.items()}, []
    for key, text in words.items():
        place, _, rate = key.rpartition(".")
        column, _, group = place.partition(".")
        if column in groups and rate in ("fmr", "fnmr"):
            rates.append((column, group, rate, _read(name, key, text, _KEYS[rate][1])))
        elif key in _KEYS:
            true[key] = _read(name, key, text, _KEYS[key][1])
        else:
            raise InvalidRequest(
                f"{name[:60]}: there is no {key[:60]!r}; there are {', '.join(_KEYS)}, and "
                "COLUMN.GROUP.fmr and COLUMN.GROUP.fnmr of a --group."
            )
    if len({column for column, *_ in rates}) > 1:
        raise InvalidRequest(f"{name[:60]}: groups of one column only can differ.")
    mated = people[0] == people[1]
    wrong = np.where(mated, true["fnmr"], true["fmr"])
    for column, group, rate, value in rates:
        of_both = np.array([*groups[column].labels, ""])[groups[column].within]
        wrong[(mated if rate == "fnmr" else ~mated) & (of_both == group)] = value
    alone = np.random.default_rng([seed, zlib.crc32(name.encode())])
    # Drawn in this order, whatever the vendor: common to all of them.
    shared = np.random.default_rng([seed, 1])
    noise, goat, wolf = (
        math.sqrt(true["common"]) * shared.normal(size=size)
        + math.sqrt(1 - true["common"]) * alone.normal(size=size)
        for size in (len(mated), people.max() + 1, people.max() + 1)
    )
    as_one = math.sqrt(1 - true["goats"]) * noise + math.sqrt(true["goats"]) * goat[people[0]]
    as_two = math.sqrt(1 - 2 * true["wolves"]) * noise
    as_two += math.sqrt(true["wolves"]) * wolf[people].sum(axis=0)
    different, place_of = np.unique(wrong, return_inverse=True)
    mean = np.array([NormalDist().inv_cdf(rate) for rate in different])[place_of]
    latent = np.where(mated, as_one - mean, as_two + mean)
    threshold, digits = true["threshold"], true["decimals"]
    is_above = true["rule"] is ThresholdRule.ABOVE
    # 0 becomes the lowest score that passes, before it is rounded.
    half = 0 if digits is None else 0.5 / 10**digits
    cut = threshold + (half if is_above else -half)
    if digits is not None and round(threshold, digits) != threshold:
        raise InvalidRequest(f"{name[:60]}: its threshold has more decimals than its scores.")
    scores = 100 / (1 + np.exp(-latent) * (100 - cut) / cut)
    scores = scores if digits is None else np.round(scores, digits)
    passes = scores > threshold if is_above else scores >= threshold
    usable = alone.random(pictures.max() + 1) >= true["fta"]
    answered = alone.random(len(mated)) >= true["outage"]
    acquired = answered & usable[pictures].all(axis=0)
    no_match, match, unsure = (
        DECISIONS.index(decision)
        for decision in (Decision.NO_MATCH, Decision.MATCH, Decision.INCONCLUSIVE)
    )
    decisions = np.select([~answered, ~acquired, passes], [NO_DECISION, unsure, match], no_match)
    is_scored = not true["decisions_only"]
    rule = true["rule"] if is_scored else ThresholdRule.VENDOR
    billed = answered & (true["price"] is not None)
    answers = Answers.of_scores(
        ScoreTable(
            name=name,
            rule=rule,
            mated=mated,
            scores=np.where(acquired & is_scored, scores, np.nan),
            decisions=decisions.astype(np.int8),
            acquired=acquired,
            answered=answered,
            probe_subjects=people[0],
            reference_subjects=people[1],
            groups=groups,
            scale=f"simulated/{name}" if is_scored else None,
            threshold=None if rule is ThresholdRule.VENDOR else threshold,
        ),
        elapsed_s=true["latency_s"] * np.exp(0.5 * alone.normal(size=len(mated))),
        billed=np.where(billed, BILLED.index(Charged.YES), BILLED.index(Charged.NO)).astype(
            np.int8
        ),
        backend="simulated",
        model=name,
        environment=Environment.MOCK,
        price=true["price"],
        currency=None if true["price"] is None else true["currency"],
        privacy="Nothing was sent: the scores are made up.",
    )
    fmr, fnmr = (float(wrong[kind].mean()) if kind.any() else None for kind in (~mated, mated))
    acquires = (1 - true["fta"]) ** 2
    far = None if fmr is None else acquires * fmr
    return answers, [threshold, fmr, fnmr, far, None if fnmr is None else 1 - acquires * (1 - fnmr)]
