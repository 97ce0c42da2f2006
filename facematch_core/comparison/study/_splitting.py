"""Development and test: two sets of people of which nobody stands in both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How many people fewer than asked for development may have, of all, so that no pair is lost.
SLACK: Final = 0.1


def split_by_subject(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    seed: int = 0,
    share: float = 0.5,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Divide people, and with them pairs. A pair of one from each side belongs to neither.

    People who are in pairs with each other, directly or through others, stay together if about the
    wanted share comes of it: then no pair is lost. Pairs of more than a handful of people that were
    drawn for it (`draw_pairs` with ``split``) are such. Else everybody is drawn alone, and of
    non-mated pairs half is lost.

    Args:
        first, second: int64, (N,): the people of each pair.
        seed: The same seed and people give the same division, whatever the order of the pairs.
        share: Of the people, for development: above 0, below 1; at most so many, and at most one,
            or a tenth of all, fewer.

    Returns:
        bool, (N,), twice: the pairs for development, and those for the test.

    Raises:
        InvalidRequest: the share is out of range.
    """
    if not 0 < share < 1:
        raise InvalidRequest(f"The share for development lies between 0 and 1, not {share}.")
    people = np.unique(np.concatenate([first, second]))
    wanted = round(share * len(people))
    chosen = _together(people, first, second, seed, wanted)
    if chosen is None:
        chosen = np.sort(np.random.default_rng(seed).permutation(people)[:wanted])
    one, other = np.isin(first, chosen), np.isin(second, chosen)
    return one & other, ~one & ~other


def _together(
    people: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    seed: int,
    wanted: int,
) -> NDArray[np.int64] | None:
    """People for development, such that no pair is cut; None if too few of them can be found."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.searchsorted(people, first), np.searchsorted(people, second)
    size = len(people)
    graph = coo_array((np.ones(len(first), np.int8), ends), shape=(size, size))
    circles, circle_of = connected_components(graph, directed=False)
    if circles < 2:
        return None
    sizes = np.bincount(circle_of)
    mixed = np.random.default_rng(seed).permutation(circles)
    # At random; should one large circle spoil that, the large ones first.
    for order in (mixed, mixed[np.argsort(-sizes[mixed], kind="stable")]):
        taken, number = _filled(order.tolist(), sizes.tolist(), wanted)
        if number and number >= wanted - max(1, SLACK * size):
            return people[np.isin(circle_of, taken)]
    return None


def _filled(order: Iterable[int], sizes: list[int], wanted: int) -> tuple[list[int], int]:
    """The circles that fit, one after the other, and how many people they are."""
    taken, number = [], 0
    for circle in order:
        if number + sizes[circle] <= wanted:
            taken.append(circle)
            number += sizes[circle]
            if number == wanted:
                break
    return taken, number
