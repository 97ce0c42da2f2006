"""Draw pairs from photographs of people.

The same seed and names give the same pairs on every machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import attrs

from facematch_comparison.values.numbers import counted
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest

from .reading import Study, StudyPair

#: Attempts, per person and round, to find a non-mated pair that has not been drawn.
_TRIES: Final = 20

#: Files by person.
_Pictures: TypeAlias = Mapping[str, Sequence[Path]]


def draw_pairs(
    pictures: _Pictures,
    *,
    mated: int | None = None,
    non_mated: int | None = None,
    within: str | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
    name: str = "drawn",
) -> Study:
    """Draw random pairs without repetition.

    As far as the photographs allow, every person has a mated pair before anyone has another: more
    people carry more information than more pairs of the same people. Of a non-mated pair, one
    person is drawn in turn and the other at random; if more than half of all non-mated pairs are
    requested, both are drawn at random.

    Args:
        pictures: Files by person, in any order.
        mated: Number of mated pairs; None for all possible pairs.
        non_mated: Number of non-mated pairs; None for as many as mated pairs.
        within: Column of `groups`. Non-mated pairs are drawn only within its groups, where people
            look more alike.
        groups: Group of each person, by column.
        seed: The same seed and pictures give the same pairs.

    Raises:
        InvalidRequest: a number of pairs is negative or more than the photographs allow; no pairs
            are requested; a file occurs twice; or `within` is not a column.
    """
    groups = groups or {}
    for pair_kind, count in (("mated", mated), ("non-mated", non_mated)):
        if count is not None and count < 0:
            raise InvalidRequest(
                f"The number of {pair_kind} pairs must be at least 0 (got {count})."
            )
    pictures = {person: sorted(pictures[person]) for person in sorted(pictures) if pictures[person]}
    _check_unique(pictures)
    if within is not None and within not in groups:
        columns = ", ".join(groups) or "none"
        raise InvalidRequest(f"There is no column of groups {within[:60]!r}; known: {columns}.")
    chance = Random(seed)  # noqa: S311 - a draw, not a secret
    group_of = groups[within] if within is not None else dict.fromkeys(pictures, "")
    pairs = _draw_mated(pictures, mated, chance)
    count = len(pairs) if non_mated is None else non_mated
    pairs += _draw_non_mated(pictures, group_of, count, chance)
    if not pairs:
        raise InvalidRequest("No pairs requested: request at least one.")
    drawn = Study(name=name, pairs=tuple(pairs))
    groups_drawn = {}
    for column, group_of_person in groups.items():
        of_drawn = {
            person: group_of_person[person]
            for person in drawn.subjects
            if person in group_of_person
        }
        if of_drawn:
            groups_drawn[column] = of_drawn
    return attrs.evolve(drawn, groups=groups_drawn)


def _check_unique(pictures: _Pictures) -> None:
    """Raise if a file occurs twice."""
    counts: Counter[Path] = Counter()
    for files in pictures.values():
        counts.update(files)
    for file, count in counts.items():
        if count > 1:
            raise InvalidRequest(f"The picture {str(file)[:200]!r} occurs twice.")


def _draw_mated(pictures: _Pictures, count: int | None, chance: Random) -> list[StudyPair]:
    """Draw mated pairs (None for all): one of each person, then another of each, and so on."""
    drawn = []
    waiting = {person: list(combinations(files, 2)) for person, files in pictures.items()}
    for pairs in waiting.values():
        chance.shuffle(pairs)
    while waiting:
        people = [person for person, pairs in waiting.items() if pairs]
        chance.shuffle(people)
        waiting = {person: waiting[person] for person in people}
        for person in people:
            probe, reference = waiting[person].pop()
            drawn.append(_pair(person, probe, person, reference))
    if count is None and not drawn:
        raise InvalidRequest(
            "No person has two photographs, so there is no mated pair. To compare only different "
            f"people, request 0 mated pairs ({format_argument('mated', 0)})."
        )
    _check_possible("mated", count or 0, len(drawn))
    return drawn[:count]


def _check_possible(pair_kind: str, count: int, possible: int) -> None:
    """Raise if more pairs are requested than there are."""
    if count > possible:
        requested = counted(count, f"{pair_kind} pair is", f"{pair_kind} pairs are")
        raise InvalidRequest(f"{requested} requested, but the photographs make {possible}.")


def _draw_non_mated(
    pictures: _Pictures, group_of: Mapping[str, str], count: int, chance: Random
) -> list[StudyPair]:
    """Draw pairs of two people of one group; people without a group are left out."""
    members = defaultdict(list)
    for person in pictures:
        if person in group_of:
            members[group_of[person]].append(person)
    possible = 0
    for people in members.values():
        picture_counts = [len(pictures[person]) for person in people]
        same_person = sum(number**2 for number in picture_counts)
        possible += (sum(picture_counts) ** 2 - same_person) // 2
    _check_possible("non-mated", count, possible)
    if count > possible // 2:
        return chance.sample(_all_non_mated(pictures, list(members.values())), count)
    # Rejection sampling by person is fast, because at most half of all pairs are requested.
    drawn: dict[frozenset[Path], StudyPair] = {}
    everybody = [person for people in members.values() if len(people) > 1 for person in people]
    while len(drawn) < count:
        chance.shuffle(everybody)
        for person in everybody:
            for _ in range(_TRIES if len(drawn) < count else 0):
                other_person = chance.choice(members[group_of[person]])
                probe = chance.choice(pictures[person])
                reference = chance.choice(pictures[other_person])
                files = frozenset((probe, reference))
                if other_person != person and files not in drawn:
                    drawn[files] = _pair(person, probe, other_person, reference)
                    break
    return list(drawn.values())


def _all_non_mated(pictures: _Pictures, groups: Sequence[Sequence[str]]) -> list[StudyPair]:
    """List every pair of two people of one group."""
    pairs = []
    for people in groups:
        for person, other_person in combinations(people, 2):
            for probe in pictures[person]:
                for reference in pictures[other_person]:
                    pairs.append(_pair(person, probe, other_person, reference))
    return pairs


def _pair(person: str, probe: Path, other_person: str, reference: Path) -> StudyPair:
    return StudyPair(
        probe=probe,
        reference=reference,
        mated=person == other_person,
        probe_subject=person,
        reference_subject=other_person,
    )
