"""`Lines`: one line for each pair and system, in our names, from one file or several."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from facematch_core.backend.kinds import argument

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP, Grouping
from .cells import Cells, Problem, Words, in_common, problems_at
from .columns import COLUMNS, PEOPLE, PERSON, PICTURES, TRUTH, Roles, group_of, tells_people

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Ints

#: Maximum count of distinct numbers below 0 that may each mean a missing score.
_MOST_MARKS: Final = 3


@attrs.define(slots=False, eq=False)
class Lines:
    """Lines of a pair and a system each.

    Attributes:
        cells: The table that they come from; its rows come again for each system of a wide table.
        words: Columns by our names, without numbers; `system` is one of them.
        numbers: Columns of numbers, float64, (N,), by our names; a higher `score` means more alike.
        distances: Systems whose scores are negated distances.
        independent_pairs: Whether every pair is of people of its own.
    """

    cells: Cells
    words: Mapping[str, Words]
    numbers: Mapping[str, NDArray[np.float64]]
    distances: frozenset[str]
    independent_pairs: bool

    def __len__(self) -> int:
        return len(self.words["system"].codes)

    def number(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers as float64, (N,); NaN if the column is missing."""
        return self.numbers.get(name, np.broadcast_to(np.nan, len(self)))

    def meant(self, name: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """Return the meaning of each word of a column, (N,)."""
        if name not in self.words:
            return np.broadcast_to(np.array(otherwise, kind), len(self))
        values: NDArray[Any] = self.words[name].map(COLUMNS[name].words, otherwise, kind)
        return values

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the call of a line was not answered."""
        is_lost = ~self.meant("answered", True, np.bool_)
        return is_lost | self.words["error"].filled if "error" in self.words else is_lost

    @cached_property
    def people_by(self) -> tuple[str, ...]:
        """The names of the columns that distinguish people best."""
        return tells_people(self.words, independent_pairs=self.independent_pairs)

    @cached_property
    def pictures(self) -> tuple[Words, ...]:
        """Probes and references, with one code for one picture; nothing if they have no names."""
        is_there = {*PICTURES} <= self.words.keys()
        return in_common(*map(self.words.__getitem__, PICTURES)) if is_there else ()

    @cached_property
    def names(self) -> tuple[Words, ...]:
        """The columns of `people_by`, with one code for one name; of people in order of names."""
        if self.people_by in ((), PICTURES):
            return self.pictures if self.people_by else ()
        columns = in_common(*map(self.words.__getitem__, self.people_by))
        order = pc.sort_indices(columns[0].each)
        place = np.full(len(order) + 1, -1, np.int32)
        place[order.to_numpy()] = np.arange(len(order))
        each = columns[0].each.take(order)
        return tuple(Words(place[column.codes], each) for column in columns)

    @property
    def person_names(self) -> list[str]:
        """Names of people; their codes are the first ones of `people`. Empty if nobody has one."""
        return self.names[0].words if self.people_by in (PEOPLE, (PERSON,)) else []

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the pair of a line is mated."""
        for truth in TRUTH:
            if truth in self.words:
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
            ends = (side.codes[self.mated] % size for side in self.pictures)
            person = components(*ends, size)
            return person[probe.codes], person[reference.codes]
        # The other person of a non-mated pair is nobody who has a name.
        is_given = "transaction" in self.words
        others = self.words["transaction"].codes if is_given else self.pairs
        codes = self.names[0].codes if self.names else others
        return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)

    @cached_property
    def pairs(self) -> Ints:
        """Ints, (N,): the pair of each line, in order of appearance."""
        if "pair" in self.words:
            return self.words["pair"].codes
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
        if "pair" in self.words:
            return repr(self.words["pair"][line][:60])
        return " and ".join(repr(side[line][:60]) for side in self.pictures) or str(line)


def components(first: Ints, second: Ints, size: int) -> Ints:
    """Ints, (size,): the connected component of each node, by edges from `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def first_rows(keys: Ints, rows: Ints | slice = slice(None), *, size: int = 0) -> Ints:
    """Return the first row of each key, among all or these rows; -1 if there is none."""
    first = np.full(size or int(keys.max(initial=-1)) + 1, -1, np.int32)
    first[keys[rows][::-1]] = np.arange(len(keys), dtype=np.int32)[rows][::-1]
    return first


def differing(keys: Ints, *columns: NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the rows that differ from the first row of the same key, and that row of each."""
    above = first_rows(keys)[keys]
    rows = np.flatnonzero(np.any([column != column[above] for column in columns], axis=0))
    return rows, above[rows]


def read_lines_of(cells: Cells, roles: Roles, no_scores: Sequence[float], name: str) -> Lines:
    """Return the lines of a table whose columns are known.

    Args:
        cells, roles: The table, and what its columns hold.
        no_scores: Numbers that mean a missing score.
        name: Name of the system if no column names one.

    Raises:
        InvalidRequest: cells are wrong; all of them are listed.
    """
    problems = [*cells.problems]
    times = len(roles.scores) or 1
    words: dict[str, Words] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for ours, column in roles.of.items():
        if ours in COLUMNS and COLUMNS[ours].is_number:
            values, wrong = cells.numbers(column)
            numbers[ours] = np.tile(values, times)
            problems += wrong
        else:
            words[ours] = each = cells.words(column)
            if roles.is_wide:
                words[ours] = Words(np.tile(each.codes, times), each.each)
    systems = roles.scores if roles.is_wide else [name]
    if "system" not in words:
        of_line = np.repeat(np.arange(len(systems)), len(cells))
        words["system"] = Words(of_line, pa.array(systems, pa.string()))
    scores, distances = [], set()
    for column in roles.scores:
        given, wrong = cells.numbers(column)
        problems += wrong
        if no_scores:
            given = np.where(np.isin(given, no_scores), np.nan, given)
        else:
            problems += _marks(column, given)
        if roles.is_distance(column):
            distances |= {column} if roles.is_wide else {*words["system"].words}
        scores.append(-given if roles.is_distance(column) else given)
    if scores:
        numbers["score"] = np.concatenate(scores)
    lines = Lines(cells, words, numbers, frozenset(distances), roles.independent_pairs)
    cells.refuse([*problems, *_problems_of_cells(lines, roles), *_problems_of_people(lines, roles)])
    return lines


def _problems_of_cells(lines: Lines, roles: Roles) -> Iterator[Problem]:
    """Yield problems of invalid cells and of contradictory answers."""
    cells = lines.cells
    for ours, column in roles.of.items():
        known = COLUMNS.get(ours)
        if known is None:
            continue
        if known.is_number and ours != "threshold":
            yield Problem(f"{column} is below 0", np.flatnonzero(lines.numbers[ours] < 0))
        if known.advice:
            yield from cells.words(column).problems(column, known.is_right, known.advice)
        if known.is_needed or ours in lines.people_by:
            yield Problem(f"{column} is empty", np.flatnonzero(~cells.words(column).filled))
    has_score = ~np.isnan(lines.number("score"))
    acquired = lines.meant("acquired", -1, np.int8)
    answered = has_score | (acquired == 1)
    if "decision" in lines.words:
        answered |= lines.words["decision"].filled
    both = "there is an error, and an answer as well: a score, a decision or acquired"
    yield Problem(both, np.flatnonzero(lines.failed & answered))
    lost = "it is a failure to acquire, and has a score"
    yield Problem(lost, np.flatnonzero((acquired == 0) & has_score))


def _marks(column: str, numbers: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield numbers that seem to mean a missing score: far from all others, below 0, or all 9s."""
    ends = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    if ends[0] >= 0 and not any(re.fullmatch("99+", f"{end:g}") for end in ends):
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    below = values[values < 0]
    few = below if len(below) <= _MOST_MARKS and (counts[: len(below)] > 1).all() else below[:0]
    noticed: set[float] = set()
    for marks in (values[:1].tolist(), few.tolist(), values[-1:].tolist()):
        others = values[~np.isin(values, marks)]
        rows = np.flatnonzero(np.isin(numbers, marks))
        is_like_one = all(
            mark % 1 == 0 and (mark < 0 or re.fullmatch("99+", f"{mark:.0f}")) for mark in marks
        )
        if not is_like_one or len(rows) < 2 or not len(others) or noticed & {*marks}:
            continue
        low, high, mark = others[0], others[-1], marks[-1]
        if min(abs(mark - low), abs(mark - high)) > high - low or (mark < 0 <= low):
            noticed |= {*marks}
            yield Problem(
                f"{column} is {' or '.join(f'{mark:g}' for mark in marks)}, and all other scores "
                f"lie between {low:g} and {high:g}: if that means that there is no score, leave "
                f"the cell empty or give {argument('no_scores', [int(mark) for mark in marks])}"
                "; if every number is a score, give nan instead",
                rows,
            )


def _problems_of_people(lines: Lines, roles: Roles) -> Iterator[Problem]:
    """Yield problems of labels that contradict the people, and of pictures with themselves."""
    once = slice(len(lines.cells))
    for ours in {*TRUTH} & roles.of.keys():
        labels = lines.words[ours]
        if {"0", "-1"} <= {*labels.words}:
            rows = np.flatnonzero(labels.codes == labels.words.index("-1"))
            yield Problem(f"{roles.of[ours]} is -1, and 0 on other lines; write 1 or 0", rows)
        if len(lines.people_by) == 2:
            known = labels.map(dict.fromkeys(COLUMNS[ours].words, True), False, np.bool_)
            wrong = known & (lines.mated != np.equal(*lines.people))
            kind = {True: "mated", False: "non-mated"}
            by_name = lines.people_by == PEOPLE
            reason = "its people are called {}" if by_name else "mated pairs make {} one person"
            yield from problems_at(
                np.flatnonzero(wrong[once]),
                lambda row, kind=kind, reason=reason: (
                    f"the pair is said to be {kind[bool(lines.mated[row])]}, and "
                    + reason.format(" and ".join(repr(side[row][:60]) for side in lines.names))
                ),
            )
    if lines.pictures:
        probe, reference = lines.pictures
        yield from problems_at(
            np.flatnonzero(((probe.codes == reference.codes) & probe.filled)[once]),
            lambda row: (
                f"the picture {probe[row][:60]!r} is compared with itself; if these are files of "
                "one name in two folders, write the folders too"
            ),
        )


def problems_of_pairs(lines: Lines, again: Ints, above: Ints) -> Iterator[Problem]:
    """Yield pairs that a system has `again`, that show other people than above, or are another."""
    system, pair_of, place = lines.words["system"], lines.pair_of, lines.cells.place
    yield from problems_at(
        again,
        lambda row, above: (
            f"the pair {pair_of(row)} of {system[row][:60]!r} appears twice: it is in "
            f"{place(above)}; keep one of the two {lines.cells.unit or 'line'}s"
        ),
        above,
    )
    yield from problems_at(
        (differs := differing(lines.pairs, lines.mated, *lines.people))[0],
        lambda row, above: f"the pair {pair_of(row)} shows other people than in {place(above)}",
        differs[1],
    )
    if lines.pictures:
        ends = np.sort([side.codes[lines.first].astype(np.int64) for side in lines.pictures], 0)
        codes = pd.factorize(ends[0] * (1 + int(ends.max())) + ends[1])[0]
        again, above = (lines.first[rows] for rows in differing(codes, np.arange(len(codes))))
        yield from problems_at(
            again,
            lambda _, above: f"the same two pictures as in {place(above)}, which is one pair",
            above,
        )


def facts_of(lines: Lines) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the facts of each system by column, and the lines that contradict them."""
    system = lines.words["system"]
    facts: list[dict[str, Any]] = [{} for _ in system.words]
    problems: list[Problem] = []
    for name, column in COLUMNS.items():
        if column.of != "system" or name not in {*lines.words, *lines.numbers}:
            continue
        if is_number := name in lines.numbers:
            codes, each = pd.factorize(lines.numbers[name])
        words = Words(codes, pa.array(each)) if is_number else lines.words[name]
        filled = np.flatnonzero(words.filled)
        keys, codes = system.codes[filled], words.codes[filled]
        for row in filled[(first := first_rows(keys))[first >= 0]]:
            value = float(words[row]) if is_number else words[row]
            facts[system.codes[row]][name] = column.words.get(str(value).lower(), value)
        again, above = (filled[rows] for rows in differing(keys, codes))
        problems += problems_at(
            again,
            lambda row, above, name=name, words=words: (
                f"{name} of {system[row][:60]!r} is {words[row][:40]!r}, and {words[above][:40]!r} "
                f"in {lines.cells.place(above)}"
            ),
            above,
        )
    return facts, problems


def groups_of(lines: Lines) -> tuple[dict[str, Grouping], list[Problem]]:
    """Return the groups of people by kind, and people with two groups of one kind."""
    sides = {GROUP: (0, 1), PROBE_GROUP: (0,), REFERENCE_GROUP: (1,)}
    kinds: dict[str, list[tuple[Words, Ints]]] = {}
    for column, words in lines.words.items():
        if parts := group_of(column):
            said = [(words, lines.people[side]) for side in sides[parts[0]]]
            kinds.setdefault(parts[1], []).extend(said)
    groups: dict[str, Grouping] = {}
    problems: list[Problem] = []
    names = dict(enumerate(lines.person_names if kinds else ()))
    for kind, said in kinds.items():
        columns = in_common(*(words for words, _ in said))
        # All that one line says comes before what the next one says.
        labels = np.stack([each.codes for each in columns], axis=1).ravel()
        people = np.stack([people for _, people in said], axis=1).ravel()
        filled = np.flatnonzero(labels >= 0)
        again, above = (filled[each] for each in differing(people[filled], labels[filled]))
        rows, at = np.unique(again // len(said), return_index=True)
        problems += problems_at(
            rows,
            lambda _, person, now, then, kind=kind, words=columns[0].words: (
                f"{names.get(person, 'somebody')!r:.60} is in the group {words[now]!r:.60} of "
                f"{kind}, and above in {words[then]!r:.60}"
            ),
            *(people[again[at]], labels[again[at]], labels[above[at]]),
        )
        of_kind = sorted(columns[0].words)
        place = {word: at for at, word in enumerate(of_kind)}
        of_person = np.full(1 + max(map(np.max, lines.people)), -1)
        of_person[people[filled]] = np.array([place[word] for word in columns[0].words], int)[
            labels[filled]
        ]
        probe, reference = (of_person[side] for side in lines.people)
        groups[kind] = Grouping(labels=tuple(of_kind), probe=probe, reference=reference)
    return groups, problems
