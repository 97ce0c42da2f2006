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

from facematch_core.backend.kinds import argument
from facematch_core.models import Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, GROUP, PROBE_GROUP, REFERENCE_GROUP
from .cells import Cells, Problem, Words, in_common, problems_at
from .columns import MATED, PEOPLE, PERSON, PICTURES, TRUTH, Roles, group_of, tells_people

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The scale of distances that were read as scores.
MINUS_DISTANCE: Final = "minus the distance"

#: At most so many different numbers below 0 may each stand for no score.
_MOST_MARKS: Final = 3

#: Columns of numbers, beside the score.
NUMBERS: Final = ("elapsed_s", "threshold", "price")

#: Columns that may not have empty cells.
_NEEDED: Final = ("system", "pair", *TRUTH, "transaction", "attempt")

YES_NO: Final[Mapping[str, int]] = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_ACCEPTED: Final = "accept accepted approve approved clear pass passed verified"
_REJECTED: Final = "reject rejected decline declined fail failed not_verified mismatch"


def _among(kind: Sequence[Any]) -> tuple[dict[str, int], str]:
    words = [*map(str, kind)]
    advice = f"write {', '.join(words[:-1])} or {words[-1]}"
    return {word: at for at, word in enumerate(words)}, advice


def _decision_words() -> tuple[dict[str, int], str]:
    words, advice = _among(DECISIONS)
    match, no_match = DECISIONS.index(Decision.MATCH), DECISIONS.index(Decision.NO_MATCH)
    words |= {word: match if mated else no_match for word, mated in MATED.items()}
    words |= dict.fromkeys(_ACCEPTED.split(), match) | dict.fromkeys(_REJECTED.split(), no_match)
    words["consider"] = DECISIONS.index(Decision.REVIEW)
    return words, f"{advice}, or ignore the column"


#: Meanings of the words of a column, in any case, and the advice for any other word.
WORDS: Final[Mapping[str, tuple[Mapping[str, int], str]]] = {
    "mated": (MATED, "write 1 for one person and 0 for two"),
    "non_mated": (
        {word: 1 - is_other for word, is_other in YES_NO.items()},
        "write 1 for two people and 0 for one",
    ),
    "decision": _decision_words(),
    "acquired": (YES_NO, "write 1 or 0"),
    "answered": (YES_NO, "write 1 or 0"),
    "people_known": (YES_NO, "write 1 or 0"),
    "billed": _among(BILLED),
    "rule": _among([*ThresholdRule]),
    "environment": _among([*Environment]),
}


_FORMS: Final = {
    "currency": (re.compile("[A-Z]{3}"), "write three capital letters"),
    "attempt": (re.compile("[1-9][0-9]*"), "write 1 for the first of a transaction, then 2"),
}


@attrs.define(slots=False, eq=False)
class Lines:
    """Lines of a pair and a system each.

    Attributes:
        cells: The table that they come from, for messages.
        rows: int64, (N,): the row of each line in `cells`; a wide row is a line for each system.
        words: Columns by our names, without numbers; `system` is one of them.
        numbers: Columns of numbers, float64, (N,), by our names; a higher `score` means more alike.
        distances: Systems whose scores are minus the distances.
        independent_pairs: Whether every pair is of people of its own.
    """

    cells: Cells
    rows: NDArray[np.int64]
    words: Mapping[str, Words]
    numbers: Mapping[str, NDArray[np.float64]]
    distances: frozenset[str] = frozenset()
    independent_pairs: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def refuse(self, problems: Iterator[Problem]) -> None:
        """Raise `InvalidRequest` for problems, whose rows are lines."""
        of_rows = [
            attrs.evolve(each, rows=np.unique(self.rows[np.asarray(each.rows, np.int64)]))
            for each in problems
            if each.rows is not None
        ]
        self.cells.refuse(of_rows, so="nothing was judged")

    def place(self, line: int | np.integer[Any]) -> str:
        """Return the place of a line as messages name it."""
        return self.cells.place(self.rows[line])

    def number(self, name: str) -> NDArray[np.float64]:
        """float64, (N,): a column of numbers; NaN if there is none."""
        return self.numbers.get(name, np.broadcast_to(np.nan, len(self)))

    def meant(self, name: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """(N,): the meaning of each word of a column, by `WORDS`."""
        if name not in self.words:
            return np.broadcast_to(np.array(otherwise, kind), len(self))
        values: NDArray[Any] = self.words[name].map(WORDS[name][0], otherwise, kind)
        return values

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """bool, (N,): lines of calls that were not answered."""
        is_lost: NDArray[np.bool_] = self.meant("answered", 1, np.int8) == 0
        return is_lost | self.words["error"].filled if "error" in self.words else is_lost

    @cached_property
    def people_by(self) -> tuple[str, ...]:
        """Our names of the columns that tell people apart best."""
        return tells_people(self.words, independent_pairs=self.independent_pairs)

    @cached_property
    def pictures(self) -> tuple[Words, ...]:
        """Probes and references, with one code for one picture; nothing if they have no names."""
        is_there = {*PICTURES} <= self.words.keys()
        return in_common(*map(self.words.__getitem__, PICTURES)) if is_there else ()

    @cached_property
    def names(self) -> tuple[Words, ...]:
        """The columns of `people_by`, with one code for one name."""
        if self.people_by == PICTURES:
            return self.pictures
        return in_common(*map(self.words.__getitem__, self.people_by)) if self.people_by else ()

    @property
    def person_names(self) -> list[str]:
        """Names of people; their codes are the first ones of `people`. Empty if nobody has one."""
        return self.names[0].words if self.people_by in (PEOPLE, (PERSON,)) else []

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether a line is of one person."""
        for truth in TRUTH:
            if truth in self.words:
                return self.meant(truth, False, np.bool_)
        probe, reference = self.names
        return np.equal(probe.codes, reference.codes)

    @cached_property
    def people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: the person in the probe and in the reference, from 0."""
        if self.people_by == PEOPLE:
            probe, reference = self.names
            return probe.codes, reference.codes
        if self.people_by != PICTURES:
            # The other person of a non-mated pair is nobody who has a name.
            is_given = "transaction" in self.words
            others = self.words["transaction"].codes if is_given else self.pairs
            codes = self.names[0].codes if self.names else others
            return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)
        probe, reference = self.pictures
        ends = probe.codes[self.mated], reference.codes[self.mated]
        person = components(*ends, len(probe.each))
        return person[probe.codes], person[reference.codes]

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """int64, (N,): the pair of each line, in order of appearance."""
        if "pair" in self.words:
            return self.words["pair"].codes
        if self.pictures:
            first, second = self.pictures
            keys = first.codes * len(first.each) + second.codes
            numbers: NDArray[np.int64] = pd.factorize(keys)[0].astype(np.int64)
            return numbers
        return self.rows

    def pair_of(self, line: int) -> str:
        """Return how a line names its pair."""
        if "pair" in self.words:
            return repr(self.words["pair"][line][:60])
        return " and ".join(repr(side[line][:60]) for side in self.pictures) or str(line)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """int64, (pairs,): the first line of each pair."""
        return first_rows(self.pairs)

    @cached_property
    def groups(self) -> dict[str, tuple[Words, NDArray[np.int64], NDArray[np.int64]]]:
        """Kind of group to what is said of people: the group, the person and the line of each."""
        both = {GROUP: (0, 1), PROBE_GROUP: (0,), REFERENCE_GROUP: (1,)}
        said: dict[str, list[tuple[Words, NDArray[np.int64]]]] = {}
        for column, words in self.words.items():
            if parts := group_of(column):
                sides = [(words, self.people[side]) for side in both[parts[0]]]
                said.setdefault(parts[1], []).extend(sides)
        groups = {}
        for name, parts_ in said.items():
            columns = in_common(*(words for words, _ in parts_))
            labels = Words(np.concatenate([each.codes for each in columns]), columns[0].each)
            people = np.concatenate([people for _, people in parts_])
            lines = np.tile(np.arange(len(self)), len(parts_))
            order = np.argsort(lines, kind="stable")
            order = order[labels.filled[order]]
            groups[name] = labels.take(order), people[order], lines[order]
        return groups


def components(first: NDArray[np.int64], second: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int64, (size,): the connected component of each node, by edges from `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def first_rows(
    keys: NDArray[np.int64], rows: NDArray[np.int64] | None = None, *, size: int = 0
) -> NDArray[np.int64]:
    """Return the first row of each key, among all or these rows; -1 if there is none."""
    rows = np.arange(len(keys)) if rows is None else rows
    first = np.full(size or int(keys.max(initial=-1)) + 1, -1)
    first[keys[rows[::-1]]] = rows[::-1]
    return first


def rows_that_differ(keys: NDArray[np.int64], *columns: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rows that differ from the first row of the same key."""
    first = first_rows(keys)[keys]
    differs = np.zeros(len(keys), np.bool_)
    for column in columns:
        differs |= column != column[first]
    return np.flatnonzero(differs)


def read_lines_of(cells: Cells, roles: Roles, no_scores: Sequence[float], name: str) -> Lines:
    """Return the lines of a table whose columns are known.

    Args:
        cells, roles: The table, and what its columns hold.
        no_scores: Numbers that mean that there is no score.
        name: Name of the system if no column names one.

    Raises:
        InvalidRequest: a cell is wrong; every one is named.
    """
    problems = [*cells.problems]
    count = len(cells)
    words = {ours: cells.words(column) for ours, column in roles.of.items() if ours not in NUMBERS}
    numbers: dict[str, NDArray[np.float64]] = {}
    columns = {ours: roles.of[ours] for ours in NUMBERS if ours in roles.of}
    for ours, column in (*columns.items(), *((each, each) for each in roles.scores)):
        numbers[ours], wrong = cells.numbers(column)
        problems += wrong
    scores = []
    for column in roles.scores:
        given = numbers.pop(column)
        problems += [] if no_scores else _marks(column, given)
        given = np.where(np.isin(given, no_scores), np.nan, given) if no_scores else given
        scores.append(-given if roles.is_distance(column) else given)
    if roles.is_wide or "system" not in words:
        systems = roles.scores if roles.is_wide else [name]
        of_line = np.repeat(np.arange(len(systems)), count)
        words["system"] = Words(of_line, pa.array(systems, pa.string()))
    else:
        systems = words["system"].words
    times = len(scores) or 1
    rows = np.tile(np.arange(count), times)
    if times > 1:
        words |= {ours: each.take(rows) for ours, each in words.items() if ours != "system"}
        numbers = {ours: each[rows] for ours, each in numbers.items()}
    if scores:
        numbers["score"] = np.concatenate(scores)
    are_distances = [roles.is_distance(each) for each in (roles.scores or [""])]
    are_distances = are_distances if roles.is_wide else are_distances * len(systems)
    distances = {each for each, is_one in zip(systems, are_distances, strict=True) if is_one}
    lines = Lines(cells, rows, words, numbers, frozenset(distances), roles.independent_pairs)
    cells.refuse([*problems, *_problems_of_cells(lines, roles)], so="nothing was judged")
    return lines


def _problems_of_cells(lines: Lines, roles: Roles) -> Iterator[Problem]:
    """Yield what is wrong on single rows."""
    of, words, cells = roles.of, lines.words, lines.cells
    count = len(cells)
    for name in dict.fromkeys((*_NEEDED, *lines.people_by)):
        if name in of:
            yield Problem(f"{of[name]} is empty", np.flatnonzero(~cells.words(of[name]).filled))
    for name in ("elapsed_s", "price"):
        yield Problem(f"{of.get(name)} is below 0", np.flatnonzero(lines.number(name)[:count] < 0))
    for name, (meanings, advice) in WORDS.items():
        if name in of:
            known = lambda word, known=meanings: word.lower() in known  # noqa: E731
            yield from cells.words(of[name]).problems(of[name], known, advice)
    for name, (form, advice) in _FORMS.items():
        if name in of:
            yield from cells.words(of[name]).problems(of[name], form.fullmatch, advice)
    yield from _problems_of_people(lines, roles)
    if roles.is_wide:
        return
    has_score = ~np.isnan(lines.number("score"))
    acquired = lines.meant("acquired", -1, np.int8)
    answered = has_score | (acquired == 1)
    if "decision" in words:
        answered = answered | words["decision"].filled
    both = "there is an error, and an answer as well: a score, a decision or acquired"
    yield Problem(both, np.flatnonzero(lines.failed & answered))
    lost = "it is a failure to acquire, and has a score"
    yield Problem(lost, np.flatnonzero((acquired == 0) & has_score))


def _marks(column: str, numbers: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield numbers that seem to stand for no score: far from all others, below 0, or all 9s."""
    given = numbers[~np.isnan(numbers)]
    ends = given.min(initial=np.inf), given.max(initial=-np.inf)
    if ends[0] >= 0 and not any(re.fullmatch("99+", f"{end:g}") for end in ends):
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(given, return_counts=True)
    below = values[values < 0].tolist()
    few = below if len(below) <= _MOST_MARKS and (counts[: len(below)] > 1).all() else []
    noticed: set[float] = set()
    for marks in (values[:1].tolist(), few, values[-1:].tolist()):
        others = values[~np.isin(values, marks)].tolist()
        rows = np.flatnonzero(np.isin(numbers, marks))
        is_like_one = all(
            mark % 1 == 0 and (mark < 0 or re.fullmatch("99+", f"{mark:.0f}")) for mark in marks
        )
        if not is_like_one or len(rows) < 2 or not others or noticed & {*marks}:
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
    """Yield labels that contradict the people, and pictures that are compared with themselves."""
    count = len(lines.cells)
    ours = next((name for name in TRUTH if name in roles.of), None)
    if ours and {"0", "-1"} <= {*lines.words[ours].words}:
        label = lines.cells.words(roles.of[ours])
        rows = np.flatnonzero(label.codes == label.words.index("-1"))
        yield Problem(f"{roles.of[ours]} is -1, and 0 on other lines; write 1 or 0", rows)
    if ours and lines.people_by in (PEOPLE, PICTURES):
        probe, reference = lines.people
        words = lines.names

        def contradiction(row: int) -> str:
            first, second = (repr(word[row][:60]) for word in words)
            reason = f"mated pairs make {first} and {second} one person"
            if lines.people_by == PEOPLE:
                reason = f"its people are called {first} and {second}"
            kind = "mated" if lines.mated[row] else "non-mated"
            return f"the pair is said to be {kind}, and {reason}"

        known = lines.words[ours].map(dict.fromkeys(WORDS[ours][0], True), False, np.bool_)
        wrong = known & (lines.mated != (probe == reference))
        yield from problems_at(np.flatnonzero(wrong[:count]), contradiction)
    if lines.pictures:
        first, second = lines.pictures
        alike = (first.codes == second.codes) & first.filled
        yield from problems_at(
            np.flatnonzero(alike[:count]),
            lambda row: (
                f"the picture {first[row][:60]!r} is compared with itself; if these are files of "
                "one name in two folders, write the folders too"
            ),
        )
