"""A study of people who do not exist, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_core.comparison.metrics import Grouping
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class SimulatedStudy:
    """N pairs of pictures, no two alike.

    Attributes:
        mated: bool, (N,): mated pairs first.
        probe_subjects, reference_subjects: int64, (N,): people, from 0.
        probe_pictures, reference_pictures: int64, (N,): pictures, from 0; each of one person.
        groups: Columns of groups.
        seed: That it was made with, and that what is common to all vendors is drawn by.
    """

    mated: NDArray[np.bool_]
    probe_subjects: NDArray[np.int64]
    reference_subjects: NDArray[np.int64]
    probe_pictures: NDArray[np.int64]
    reference_pictures: NDArray[np.int64]
    groups: Mapping[str, Grouping] = attrs.field(factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.mated)


def simulate_study(
    *,
    people: int,
    mated: int,
    non_mated: int,
    pictures: int | None = None,
    groups: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> SimulatedStudy:
    """Draw a study: everybody comes up in mated pairs before one comes up again.

    Args:
        people: At least 2.
        mated, non_mated: Pairs of each kind, from 0 on; at least one pair in all.
        pictures: Of each person, from 1 on; None for as few as the pairs need, 2 at least.
        groups: Column to group to its part of the people, above 0; the parts are taken in
            proportion, so that they need not sum up to 1.
        seed: From 0 on. The same gives the same study.

    Raises:
        InvalidRequest: a number is out of range, or there are not so many pairs.
    """
    for name, value, least in (
        ("people", people, 2),
        ("mated", mated, 0),
        ("non_mated", non_mated, 0),
        ("seed", seed, 0),
    ):
        if value < least:
            raise InvalidRequest(f"{name} of a simulated study must be at least {least}.")
    if not mated + non_mated:
        raise InvalidRequest("A simulated study has at least one pair.")
    each = _enough(people, mated, non_mated) if pictures is None else pictures
    rng = np.random.default_rng(seed)
    probe, reference = (
        np.concatenate(both)
        for both in zip(
            _mated(rng, people, each, mated), _non_mated(rng, people, each, non_mated), strict=True
        )
    )
    one, other = probe // each, reference // each
    return SimulatedStudy(
        mated=np.arange(mated + non_mated) < mated,
        probe_subjects=one,
        reference_subjects=other,
        probe_pictures=probe,
        reference_pictures=reference,
        groups={
            column: _grouped(rng, parts, people, one, other)
            for column, parts in (groups or {}).items()
        },
        seed=seed,
    )


def _enough(people: int, mated: int, non_mated: int) -> int:
    """The fewest pictures of each person that make so many pairs."""
    each = 2
    while (
        people * each * (each - 1) // 2 < mated or people * (people - 1) // 2 * each**2 < non_mated
    ):
        each += 1
    return each


def _mated(
    rng: np.random.Generator, people: int, each: int, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    two = np.array([*combinations(range(each), 2)], np.int64).reshape(-1, 2)
    if wanted > people * len(two):
        raise InvalidRequest(
            f"{wanted} mated pairs are wanted, and {people} people with {each} pictures make "
            f"{people * len(two)}."
        )
    turn, who = np.divmod(np.arange(wanted), people)
    # Each person goes through the pairs of their pictures in an order of their own.
    orders = rng.permuted(np.tile(np.arange(len(two)), (people, 1)), axis=1)
    person = rng.permutation(people)[who]
    chosen = two[orders[person, turn]] if wanted else np.zeros((0, 2), np.int64)
    return person * each + chosen[:, 0], person * each + chosen[:, 1]


def _non_mated(
    rng: np.random.Generator, people: int, each: int, wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    all_pictures = people * each
    possible = people * (people - 1) // 2 * each**2
    if wanted > possible:
        raise InvalidRequest(
            f"{wanted} non-mated pairs are wanted, and {people} people with {each} pictures make "
            f"{possible}."
        )
    if wanted > possible // 2:
        first, second = np.triu_indices(all_pictures, 1)
        others = np.flatnonzero(first // each != second // each)
        taken = rng.permutation(others)[:wanted]
        return first[taken].astype(np.int64), second[taken].astype(np.int64)
    keys = np.zeros(0, np.int64)
    while len(keys) < wanted:
        first, second = rng.integers(0, all_pictures, (2, 2 * (wanted - len(keys)) + 16))
        key = np.minimum(first, second) * all_pictures + np.maximum(first, second)
        keys = np.concatenate([keys, key[first // each != second // each]])
        # Each key once, in the order in which they came: sorted ones would favour low numbers.
        keys = keys[np.sort(np.unique(keys, return_index=True)[1])]
    return np.divmod(keys[:wanted], all_pictures)


def _grouped(
    rng: np.random.Generator,
    parts: Mapping[str, float],
    people: int,
    probe: NDArray[np.int64],
    reference: NDArray[np.int64],
) -> Grouping:
    if not parts or any(not 0 < part < np.inf for part in parts.values()):
        raise InvalidRequest("A column of groups has at least one group, each with a part above 0.")
    labels = tuple(sorted(parts))
    ends = np.cumsum([parts[label] for label in labels])
    of_person = np.searchsorted(ends / ends[-1], (np.arange(people) + 0.5) / people)
    of_person = rng.permutation(of_person)
    return Grouping(labels=labels, probe=of_person[probe], reference=of_person[reference])
