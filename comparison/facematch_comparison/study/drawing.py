"""Draw pairs from photographs of people, and split people into two sets.

The same seed and names give the same pairs and sets on every machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, zip_longest
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import numpy as np

from facematch_comparison.scores.score_table import components
from facematch_comparison.values.numbers import counted
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest

from .reading import Study, StudyPair

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools: TypeAlias = NDArray[np.bool_]
    Ints: TypeAlias = NDArray[np.int64]

#: Attempts, per person and round, to find a non-mated pair that has not been drawn.
_TRIES: Final = 20

#: How much smaller the calibration set may be to avoid dropping pairs, as a share of all people.
SLACK: Final = 0.1

#: Files by person.
_Pictures: TypeAlias = Mapping[str, Sequence[Path]]


def draw_pairs(
    pictures: _Pictures,
    *,
    mated: int | None = None,
    non_mated: int | None = None,
    within: str | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
    split: bool = False,
    seed: int = 0,
    name: str = "drawn",
) -> Study:
    """Draw random pairs without repetition.

    As far as the photographs allow, every person is drawn once before anyone is drawn again: more
    people carry more information than more pairs of the same people.

    Args:
        pictures: Files by person, in any order.
        mated: Number of mated pairs; None for all possible pairs.
        non_mated: Number of non-mated pairs; None for as many as mated pairs.
        within: Column of `groups`. Non-mated pairs are drawn only within its groups, where people
            look more alike.
        groups: Group of each person, by column.
        split: Whether to draw half of the pairs from one half of the people and half from the
            other, so that `split_by_subject` drops no pair, whatever its seed.
        seed: The same seed and pictures give the same pairs.

    Raises:
        InvalidRequest: a number of pairs is negative or more than the photographs allow; no pairs
            are requested; a file occurs twice; or `within` is not a column.
    """
    groups = groups or {}
    for kind, number in (("mated", mated), ("non-mated", non_mated)):
        if number is not None and number < 0:
            raise InvalidRequest(f"The number of {kind} pairs must be at least 0 (got {number}).")
    pictures = {person: sorted(pictures[person]) for person in sorted(pictures) if pictures[person]}
    files = Counter(file for of_person in pictures.values() for file in of_person)
    if twice := [file for file, count in files.items() if count > 1]:
        raise InvalidRequest(f"The picture {str(twice[0])[:200]!r} occurs twice.")
    if within is not None and within not in groups:
        columns = ", ".join(groups) or "none"
        raise InvalidRequest(f"There is no column of groups {within[:60]!r}; known: {columns}.")
    chance = Random(seed)  # noqa: S311 - a draw, not a secret
    of_group = groups[within] if within is not None else dict.fromkeys(pictures, "")
    halves = _halves(pictures, of_group, chance) if split else [pictures]
    whom = " of one half of the people" if split else ""

    def share(count: int | None, half: int) -> int | None:
        """Return the number of pairs to draw from a half."""
        return None if count is None else (count + len(halves) - 1 - half) // len(halves)

    same, different = [], []
    for half, people in enumerate(halves):
        pairs = _mated(people, share(mated, half), chance, whom)
        number = share(non_mated, half)
        number = len(pairs) if number is None else number
        same.append(pairs)
        different.append(_non_mated(people, of_group, number, chance, whom))
    if not any(same) and not any(different):
        raise InvalidRequest("No pairs requested: request at least one.")
    # Take pairs from each half in turn.
    in_turn = (pair for lists in (same, different) for two in zip_longest(*lists) for pair in two)
    drawn = Study(name=name, pairs=tuple(pair for pair in in_turn if pair is not None))
    kept: dict[str, dict[str, str]] = {}
    for column, of in groups.items():
        of_drawn = {person: of[person] for person in drawn.subjects if person in of}
        kept |= {column: of_drawn} if of_drawn else {}
    return attrs.evolve(drawn, groups=kept)


def split_by_subject(
    first: Ints, second: Ints, *, seed: int = 0, share: float = 0.5
) -> tuple[Bools, Bools]:
    """Split pairs by person into a calibration and an evaluation set; drop pairs that span both.

    People connected by pairs, directly or through others, stay together if that gives about the
    requested share. Then no pair is dropped; pairs drawn with ``split`` always allow this.
    Otherwise people are split individually, which drops half of the non-mated pairs.

    Args:
        first, second: int64, (N,): the people of each pair.
        seed: The same seed and people give the same split, regardless of the order of the pairs.
        share: Fraction of people to put in the calibration set, above 0 and below 1. The set may
            fall short by one person, or by a tenth of all people.

    Returns:
        Two masks, bool, (N,): the pairs of the calibration set and of the evaluation set.

    Raises:
        InvalidRequest: `share` is out of range.
    """
    if not 0 < share < 1:
        raise InvalidRequest(f"The share for calibration must be between 0 and 1 (got {share}).")
    people = np.unique(np.concatenate([first, second]))
    number = round(share * len(people))
    chosen = _keep_connected(people, first, second, seed, number)
    if chosen is None:
        chosen = np.random.default_rng(seed).permutation(people)[:number]
    of_first, of_second = np.isin(first, chosen), np.isin(second, chosen)
    return of_first & of_second, ~of_first & ~of_second


def _halves(pictures: _Pictures, of_group: Mapping[str, str], chance: Random) -> list[_Pictures]:
    """Split people into two halves with similar groups and numbers of photographs."""
    people = [*pictures]
    chance.shuffle(people)
    people.sort(key=lambda person: (of_group.get(person, ""), len(pictures[person])))
    halves: tuple[dict[str, Sequence[Path]], ...] = ({}, {})
    # Deal left, right, right, left: otherwise one half would always get more.
    for place, person in enumerate(people):
        halves[(place + place // 2) % 2][person] = pictures[person]
    return [{person: half[person] for person in sorted(half)} for half in halves]


def _mated(pictures: _Pictures, number: int | None, chance: Random, whom: str) -> list[StudyPair]:
    """Draw mated pairs (None for all): one of each person, then another of each, and so on."""
    drawn = []
    waiting = {person: [*combinations(files, 2)] for person, files in pictures.items()}
    for pairs in waiting.values():
        chance.shuffle(pairs)
    while waiting:
        people = [person for person, pairs in waiting.items() if pairs]
        chance.shuffle(people)
        waiting = {person: waiting[person] for person in people}
        drawn += [_pair(person, *waiting[person].pop()) for person in people]
    if number is None and not drawn:
        raise InvalidRequest(
            f"No person{whom} has two photographs, so there is no mated pair. To compare only "
            f"different people, request 0 mated pairs ({format_argument('mated', 0)})."
        )
    _check_possible("mated", number or 0, whom, len(drawn))
    return drawn[:number]


def _check_possible(kind: str, number: int, whom: str, possible: int) -> None:
    if number > possible:
        wanted = counted(number, f"{kind} pair{whom} is", f"{kind} pairs{whom} are")
        raise InvalidRequest(f"{wanted} requested, but the photographs make {possible}.")


def _non_mated(
    pictures: _Pictures, of_group: Mapping[str, str], number: int, chance: Random, whom: str
) -> list[StudyPair]:
    members = defaultdict(list)
    for person in pictures:
        if person in of_group:
            members[of_group[person]].append(person)
    possible = 0
    for people in members.values():
        each = [len(pictures[person]) for person in people]
        possible += (sum(each) ** 2 - sum(size**2 for size in each)) // 2
    _check_possible("non-mated", number, whom, possible)
    if number > possible // 2:
        # List all pairs and draw from the list.
        every = [
            (person, a, b, other)
            for people in members.values()
            for person, other in combinations(people, 2)
            for a in pictures[person]
            for b in pictures[other]
        ]
        return [_pair(*four) for four in chance.sample(every, number)]
    # Rejection sampling by person is fast, because at most half of all pairs are requested.
    drawn: dict[frozenset[Path], StudyPair] = {}
    everybody = [person for group in members.values() if len(group) > 1 for person in group]
    while len(drawn) < number:
        chance.shuffle(everybody)
        for person in everybody:
            for _ in range(_TRIES if len(drawn) < number else 0):
                other = chance.choice(members[of_group[person]])
                a, b = chance.choice(pictures[person]), chance.choice(pictures[other])
                if other != person and frozenset((a, b)) not in drawn:
                    drawn[frozenset((a, b))] = _pair(person, a, b, other)
                    break
    return list(drawn.values())


def _pair(person: str, probe: Path, reference: Path, other: str | None = None) -> StudyPair:
    people = {"probe_subject": person, "reference_subject": person if other is None else other}
    return StudyPair(probe=probe, reference=reference, mated=other is None, **people)


def _keep_connected(people: Ints, first: Ints, second: Ints, seed: int, number: int) -> Ints | None:
    """Return the people of a calibration set that drops no pair; None if it would be too small."""
    size = len(people)
    component_of = components(np.searchsorted(people, first), np.searchsorted(people, second), size)
    sizes = np.bincount(component_of)
    if len(sizes) < 2:
        return None
    mixed = np.random.default_rng(seed).permutation(len(sizes))
    # Try a random order, then the largest first, in case a large component did not fit.
    for order in (mixed, mixed[np.argsort(-sizes[mixed], kind="stable")]):
        chosen, chosen_people = [], 0
        for component in order.tolist():
            if chosen_people + sizes[component] <= number:
                chosen.append(component)
                chosen_people += sizes[component]
        if chosen_people and chosen_people >= number - max(1, SLACK * size):
            return people[np.isin(component_of, chosen)]
    return None
