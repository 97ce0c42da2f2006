"""Who stands behind pairs, and how errors gather at them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sharing:
    """How pairs share people: the same at every threshold, so that it is counted once.

    Args:
        first: int64, (T,): the person of a mated pair, or one person of a non-mated one.
        second: int64, (T,): the other person; None for mated pairs.

    Attributes:
        trials: How many pairs there are.
        people: How many people stand behind them.
        is_mated: Whether one person stands behind each pair, not two.
    """

    def __init__(self, first: NDArray[np.int64], second: NDArray[np.int64] | None) -> None:
        self.trials = len(first)
        self.is_mated = second is None
        people, places = np.unique(
            first if second is None else np.concatenate([first, second]), return_inverse=True
        )
        self.people = len(people)
        self._ends = places.reshape(1 if second is None else 2, self.trials)

    @cached_property
    def share(self) -> float:
        """With how many pairs, itself included, the average pair shares a person; 1 with none."""
        squares = float((self._pairs_of_person**2).sum())
        return squares / self.trials - (len(self._ends) - 1)

    def at_people(self, errors: NDArray[np.bool_]) -> NDArray[np.float64]:
        """float64, (P,): the errors at each person, less those that the rate of all lets expect."""
        wrong = self._ends[:, errors].ravel()
        counts = np.bincount(wrong, minlength=self.people)
        return counts - float(np.mean(errors)) * self._pairs_of_person

    def at_twos(self, errors: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The same for every two people that stand behind a non-mated pair, in any order."""
        places, pairs = self._twos
        counts = np.bincount(places[errors], minlength=len(pairs))
        return counts - float(np.mean(errors)) * pairs

    @cached_property
    def _pairs_of_person(self) -> NDArray[np.float64]:
        return np.bincount(self._ends.ravel(), minlength=self.people).astype(np.float64)

    @cached_property
    def _twos(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        both = self._ends.min(axis=0) * self.people + self._ends.max(axis=0)
        _, places, pairs = np.unique(both, return_inverse=True, return_counts=True)
        return places, pairs.astype(np.float64)
