"""`Lines`: one line for each pair and system, in our names, from one file or several."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from .cells import Cells, Words, first_rows, in_common
from .columns import COLUMNS, PEOPLE, PERSON, PICTURES, TRUTH, is_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Ints

#: The scale of distances that were read as scores.
MINUS_DISTANCE: Final = "minus the distance"


@attrs.define(slots=False, eq=False, kw_only=True)
class Lines:
    """Lines of a pair and a system each: a table, and what its columns hold.

    A row that holds the scores of several systems is one line for each of them.

    Attributes:
        cells: The table.
        name: Name of the system if no column names one.
        independent_pairs: Whether every pair is of people of its own.
        distance: Whether all scores are distances, whatever their columns are called.
        no_scores: Numbers that mean a missing score.
        of: The column for each of our names but scores.
        scores: Columns of scores; several are one system each.
        skipped: Columns that are not read.
        named: Our names that the user gave to columns.
        unclear: Our names that several columns may have, and what to do about it.
    """

    cells: Cells
    name: str
    independent_pairs: bool
    distance: bool = False
    no_scores: Sequence[float] = ()
    of: dict[str, str] = attrs.field(factory=dict)
    scores: list[str] = attrs.field(factory=list)
    skipped: list[str] = attrs.field(factory=list)
    named: set[str] = attrs.field(factory=set)
    unclear: dict[str, str] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self.cells) * (len(self.scores) or 1)

    @property
    def is_wide(self) -> bool:
        """Whether a row holds the scores of several systems."""
        return len(self.scores) > 1

    @property
    def held(self) -> set[str]:
        """Our names for what the columns hold."""
        return {*self.of, *(["score"] if self.scores else [])}

    def put(self, ours: str, column: str) -> None:
        """Read a column as ours."""
        if ours == "score":
            self.scores.append(column)
        else:
            self.of[ours] = column

    def is_distance(self, column: str) -> bool:
        """Return whether a lower score in a column means more alike."""
        return self.distance or is_distance(column)

    def words(self, ours: str) -> Words:
        """Return a column of words; every cell of a missing column is empty."""
        if ours not in self.of:
            return Words(np.broadcast_to(np.int8(-1), len(self)), pa.array([], pa.string()))
        words = self.cells.words(self.of[ours])
        return Words(np.tile(words.codes, len(self.scores)), words.each) if self.is_wide else words

    def numbers(self, ours: str) -> NDArray[np.float64]:
        """Return a column of numbers as float64, (N,); NaN if it is missing."""
        if ours not in self.of:
            return np.broadcast_to(np.nan, len(self))
        numbers = self.cells.numbers(self.of[ours])
        return np.tile(numbers, len(self.scores)) if self.is_wide else numbers

    def meant(self, ours: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """Return the meaning of each word of a column, (N,)."""
        values: NDArray[Any] = self.words(ours).map(COLUMNS[ours].words, otherwise, kind)
        return values

    @cached_property
    def system(self) -> Words:
        """The system of each line."""
        if "system" in self.of:
            return self.words("system")
        names = self.scores if self.is_wide else [self.name]
        return Words(np.repeat(np.arange(len(names)), len(self.cells)), pa.array(names))

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """float64, (N,): the scores; higher means more alike, NaN if there is none."""
        parts = []
        for column in self.scores:
            part = self.cells.numbers(column)
            part = np.where(np.isin(part, self.no_scores), np.nan, part) if self.no_scores else part
            parts.append(-part if self.is_distance(column) else part)
        return np.concatenate(parts) if parts else self.numbers("score")

    @cached_property
    def distances(self) -> set[str]:
        """The systems whose scores are minus their distances."""
        columns = {*filter(self.is_distance, self.scores)}
        return columns if self.is_wide or not columns else {*self.system.words}

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the call of a line was not answered."""
        return ~self.meant("answered", True, np.bool_) | self.words("error").filled

    @property
    def people_by(self) -> tuple[str, ...]:
        """The names of the columns that distinguish people best."""
        ways = (PEOPLE, (PERSON,), *(() if self.independent_pairs else (PICTURES,)))
        return next((way for way in ways if {*way} <= self.of.keys()), ())

    @cached_property
    def pictures(self) -> tuple[Words, ...]:
        """Probes and references, with one code for one picture; nothing if they have no names."""
        is_there = {*PICTURES} <= self.of.keys()
        return in_common(*map(self.words, PICTURES)) if is_there else ()

    @cached_property
    def names(self) -> tuple[Words, ...]:
        """The columns of `people_by`, with one code for one name; of people in order of names."""
        if self.people_by in ((), PICTURES):
            return self.pictures if self.people_by else ()
        return in_common(*map(self.words, self.people_by), is_sorted=True)

    @property
    def person_names(self) -> list[str]:
        """Names of people; their codes are the first ones of `people`. Empty if nobody has one."""
        return self.names[0].words if self.people_by in (PEOPLE, (PERSON,)) else []

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the pair of a line is mated."""
        for truth in TRUTH:
            if truth in self.of:
                return self.meant(truth, False, np.bool_)
        probe, reference = self.names
        return np.asarray(probe.codes == reference.codes)

    @cached_property
    def people(self) -> tuple[Ints, Ints]:
        """Ints, (N,), twice: the person in the probe and in the reference, from 0."""
        if self.people_by == PEOPLE:
            probe, reference = self.names
            return probe.codes, reference.codes
        if self.people_by == PICTURES:
            probe, reference = self.pictures
            size = len(probe.each) + 1  # the last one has no name
            first, second = (side.codes[self.mated] % size for side in self.pictures)
            person = components(first, second, size)
            return person[probe.codes], person[reference.codes]
        # The other person of a non-mated pair is nobody who has a name.
        is_given = "transaction" in self.of
        others = self.words("transaction").codes if is_given else self.pairs
        codes = self.names[0].codes if self.names else others
        return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)

    @cached_property
    def pairs(self) -> Ints:
        """Ints, (N,): the pair of each line, in order of appearance."""
        if "pair" in self.of:
            return self.words("pair").codes
        if self.pictures:
            first, second = self.pictures
            keys = first.codes.astype(np.int64) * (len(first.each) + 1) + second.codes
            return np.asarray(pd.factorize(keys)[0], np.int64)
        return np.arange(len(self)) % len(self.cells)

    @cached_property
    def first(self) -> Ints:
        """Ints, (pairs,): the first line of each pair."""
        return first_rows(self.pairs)

    def pair_of(self, line: int) -> str:
        """Return how a line names its pair."""
        if "pair" in self.of:
            return repr(self.words("pair")[line][:60])
        return " and ".join(repr(side[line][:60]) for side in self.pictures) or str(line)


def components(first: Ints, second: Ints, size: int) -> Ints:
    """Ints, (size,): the connected component of each node, by edges from `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def differing(first: Ints, keys: Ints, *columns: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the rows that differ from the `first` row of the same key, and that row of each."""
    above = first[keys]
    rows = np.flatnonzero(functools.reduce(np.logical_or, (of != of[above] for of in columns)))
    return rows, above[rows]
