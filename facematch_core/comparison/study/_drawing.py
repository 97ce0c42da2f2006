"""Pairs drawn from photographs of people: spread over as many people as there are, by a seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, zip_longest
from pathlib import Path

import attrs

from facematch_core.errors import InvalidRequest

from ._study import Study, StudyPair

#: How often a pair of people is tried for two pictures that are not in a pair yet.
_TRIES = 20


def draw_pairs(
    pictures: Mapping[str, Sequence[Path]],
    *,
    mated: int | None = None,
    non_mated: int | None = None,
    within: str | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
    split: bool = False,
    seed: int = 0,
    name: str = "drawn",
) -> Study:
    """Draw pairs, none twice.

    Every person comes up before one comes up again, as far as their photographs allow: a study of
    many people tells more than one of many pairs.

    Args:
        pictures: Files of each person, by any name; their order does not count.
        mated: How many mated pairs, from 0 on; None for all there are.
        non_mated: How many non-mated ones, from 0 on; None for as many as there are mated ones.
        within: Name of a column of `groups`: non-mated pairs are drawn within its groups only,
            where people are more alike than two of all.
        groups: Column to person to group.
        split: Whether to draw half of the pairs among one half of the people and half among the
            other, so that `split_by_subject`, by any seed, loses none of them.
        seed: The same seed and pictures give the same pairs.
        name: Of the study.

    Raises:
        InvalidRequest: more pairs are wanted than there are, or none at all; a file stands there
            twice; or `within` names no column.
    """
    groups = groups or {}
    for what, number in (("mated", mated), ("non-mated", non_mated)):
        if number is not None and number < 0:
            raise InvalidRequest(f"The number of {what} pairs must be at least 0, not {number}.")
    pictures = _each_once(pictures)
    if within is not None and within not in groups:
        known = ", ".join(groups) or "none"
        raise InvalidRequest(f"There is no column of groups {within[:60]!r}; there are: {known}.")
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    of_group = groups[within] if within is not None else dict.fromkeys(pictures, "")
    parts = _halves(pictures, of_group, chance) if split else [pictures]
    same = [
        _of_one(part, number, chance, what=_of_half(split))
        for part, number in zip(parts, _shares(mated, len(parts)), strict=True)
    ]
    others = [len(pairs) for pairs in same]
    if non_mated is not None:
        others = [number or 0 for number in _shares(non_mated, len(parts))]
    if not sum(map(len, same)) + sum(others):
        raise InvalidRequest("No pair at all is wanted: ask for one or more.")
    different = [
        _non_mated(part, of_group, number, chance, what=_of_half(split))
        for part, number in zip(parts, others, strict=True)
    ]
    drawn = Study(name=name, pairs=(*_in_turn(same), *_in_turn(different)))
    there = frozenset(drawn.subjects)
    told = {
        column: {person: group for person, group in of_person.items() if person in there}
        for column, of_person in groups.items()
    }
    return attrs.evolve(drawn, groups={column: of for column, of in told.items() if of})


def _each_once(pictures: Mapping[str, Sequence[Path]]) -> dict[str, list[Path]]:
    """Everybody who has a picture, in one order."""
    whose: dict[Path, str] = {}
    for person in sorted(pictures):
        for picture in sorted(pictures[person]):
            if picture in whose:
                raise InvalidRequest(
                    f"The picture {str(picture)[:200]!r} stands there twice, of "
                    f"{whose[picture][:60]!r} and of {person[:60]!r}."
                )
            whose[picture] = person
    found: dict[str, list[Path]] = {}
    for picture, person in whose.items():
        found.setdefault(person, []).append(picture)
    return found


def _halves(
    pictures: Mapping[str, list[Path]], of_group: Mapping[str, str], chance: random.Random
) -> list[dict[str, list[Path]]]:
    """People in two halves, alike in groups and in numbers of photographs."""
    people = [*pictures]
    chance.shuffle(people)
    people.sort(key=lambda person: (of_group.get(person, ""), len(pictures[person])))
    halves: list[dict[str, list[Path]]] = [{}, {}]
    # One to the left, two to the right, two to the left: else one half would always get the more.
    for place, person in enumerate(people):
        halves[(place + place // 2) % 2][person] = pictures[person]
    return [{person: half[person] for person in sorted(half)} for half in halves]


def _shares(wanted: int | None, parts: int) -> list[int | None]:
    if wanted is None:
        return [None] * parts
    return [(wanted + parts - 1 - part) // parts for part in range(parts)]


def _in_turn(lists: Sequence[Sequence[StudyPair]]) -> Iterator[StudyPair]:
    """From each in turn: who stops in the middle has something of both halves."""
    for several in zip_longest(*lists):
        yield from (pair for pair in several if pair is not None)


def _of_half(split: bool) -> str:
    return " of one half of the people" if split else ""


def _of_one(
    pictures: Mapping[str, Sequence[Path]],
    wanted: int | None,
    chance: random.Random,
    *,
    what: str,
) -> list[StudyPair]:
    """So many mated pairs; None for all."""
    same = list(_mated(pictures, chance))
    if wanted is None and not same:
        raise InvalidRequest(
            f"No person{what} has two photographs, so there is no mated pair. Without mated pairs "
            "only different people are compared: ask for 0 of them (--mated 0)."
        )
    number = len(same) if wanted is None else wanted
    if number > len(same):
        raise InvalidRequest(
            f"{number} mated pairs{what} are wanted, and the photographs make {len(same)}: a mated "
            "pair needs two photographs of one person."
        )
    return same[:number]


def _mated(pictures: Mapping[str, Sequence[Path]], chance: random.Random) -> Iterator[StudyPair]:
    """All mated pairs: one of each person, then another of each, and so on."""
    waiting = {}
    for person, files in pictures.items():
        pairs = list(combinations(files, 2))
        chance.shuffle(pairs)
        waiting[person] = pairs
    while waiting:
        people = [person for person, pairs in waiting.items() if pairs]
        chance.shuffle(people)
        waiting = {person: waiting[person] for person in people}
        for person in people:
            probe, reference = waiting[person].pop()
            yield StudyPair(
                probe=probe,
                reference=reference,
                mated=True,
                probe_subject=person,
                reference_subject=person,
            )


def _non_mated(
    pictures: Mapping[str, Sequence[Path]],
    of_group: Mapping[str, str],
    wanted: int,
    chance: random.Random,
    *,
    what: str,
) -> list[StudyPair]:
    members = defaultdict(list)
    for person in pictures:
        if person in of_group:
            members[of_group[person]].append(person)
    possible = 0
    for people in members.values():
        each = [len(pictures[person]) for person in people]
        # Every two pictures, whoever shows; less every two of one person.
        possible += (sum(each) ** 2 - sum(number**2 for number in each)) // 2
    if wanted > possible:
        raise InvalidRequest(
            f"{wanted} non-mated pairs{what} are wanted, and the photographs make {possible}."
        )
    if wanted > possible // 2:
        # Most of all there are: they are listed, and drawn from the list.
        every = [
            (one, a, other, b)
            for people in members.values()
            for one, other in combinations(people, 2)
            for a in pictures[one]
            for b in pictures[other]
        ]
        return [_pair(*four) for four in chance.sample(every, wanted)]
    return _spread(pictures, members, wanted, chance)


def _spread(
    pictures: Mapping[str, Sequence[Path]],
    members: Mapping[str, Sequence[str]],
    wanted: int,
    chance: random.Random,
) -> list[StudyPair]:
    """At most half of what there is: tried at random, everybody in turn."""
    found: dict[frozenset[Path], StudyPair] = {}
    people = [one for group in members.values() if len(group) > 1 for one in group]
    group_of = {one: group for group in members.values() for one in group}
    while len(found) < wanted:
        chance.shuffle(people)
        for one in people:
            for _ in range(_TRIES):
                other = chance.choice(group_of[one])
                a, b = chance.choice(pictures[one]), chance.choice(pictures[other])
                if other != one and frozenset((a, b)) not in found:
                    found[frozenset((a, b))] = _pair(one, a, other, b)
                    break
            if len(found) == wanted:
                break
    return list(found.values())


def _pair(one: str, a: Path, other: str, b: Path) -> StudyPair:
    return StudyPair(probe=a, reference=b, mated=False, probe_subject=one, reference_subject=other)
