"""`ScoreCells`: the columns of one table of scores by what they mean, and what is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.backend.kinds import argument
from facematch_core.models import Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS
from .cells import Cells, Problem, WordColumn, problems_at
from .columns import MATED, PEOPLE, PERSON, PICTURES, TRUTH, Roles

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: At most so many different numbers below 0 may each stand for no score.
_MOST_MARKS: Final = 3

#: Columns that hold one fact of a system.
OF_SYSTEM: Final = (
    *("rule", "threshold", "scale", "price", "currency", "backend", "environment", "privacy"),
    "people_known",
)

YES_NO: Final[Mapping[str, int]] = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_CURRENCY: Final = re.compile("[A-Z]{3}")
_ACCEPTED: Final = "accept accepted approve approved clear pass passed verified"
_REJECTED: Final = "reject rejected decline declined fail failed not_verified mismatch"


def _among(kind: Sequence[Any]) -> tuple[dict[str, int], str]:
    *words, last = map(str, kind)
    return {
        word: at for at, word in enumerate((*words, last))
    }, f"write {', '.join(words)} or {last}"


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


def components(first: NDArray[np.int64], second: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int64, (size,): the connected component of each node, by edges from `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


@attrs.define(slots=False)
class ScoreCells:
    """A table of scores, of which it is known what each column holds."""

    cells: Cells
    roles: Roles
    no_scores: Sequence[float] = ()

    @property
    def of(self) -> Mapping[str, str]:
        """Our names of columns to their own."""
        return self.roles.of

    def words(self, name: str) -> WordColumn:
        return self.alike(name)[0]

    def alike(self, *names: str) -> tuple[WordColumn, ...]:
        return self.cells.alike(*map(self.of.get, names))

    def numbers(self, name: str) -> NDArray[np.float64]:
        return self.cells.numbers(self.of.get(name))

    def values(self, name: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """(N,): the meaning of each word of a column, by `WORDS`."""
        values: NDArray[Any] = self.words(name).map(WORDS[name][0], otherwise, kind)
        return values

    def scores(self, column: str | None) -> NDArray[np.float64]:
        """float64, (N,): the scores in a column; higher means more alike."""
        scores = self.cells.numbers(column)
        if self.no_scores:
            scores = np.where(np.isin(scores, self.no_scores), np.nan, scores)
        return -scores if self.roles.is_distance(column) else scores

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """bool, (N,): lines of calls that were not answered."""
        is_lost: NDArray[np.bool_] = self.values("answered", 1, np.int8) == 0
        return self.words("error").filled | is_lost

    @property
    def has_pictures(self) -> bool:
        return self.of.keys() >= {*PICTURES}

    @property
    def people_named(self) -> bool:
        return self.roles.people == PEOPLE

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether a line is of one person."""
        for truth in TRUTH:
            if truth in self.of:
                mated: NDArray[np.bool_] = self.values(truth, False, np.bool_)
                return mated
        probe, reference = self.alike(*PEOPLE)
        return np.equal(probe.codes, reference.codes)

    @cached_property
    def people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: the person in the probe and in the reference, from 0."""
        ways = self.roles.people
        if ways == PEOPLE:
            probe, reference = self.alike(*PEOPLE)
            return probe.codes, reference.codes
        if ways != PICTURES:
            # The other person of a non-mated pair is nobody who has a name.
            others = self.words("transaction").codes if "transaction" in self.of else self.pairs[0]
            codes = self.words(PERSON).codes if ways else others
            return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)
        probe, reference = self.alike(*PICTURES)
        ends = probe.codes[self.mated], reference.codes[self.mated]
        person = components(*ends, len(probe.words))
        return person[probe.codes], person[reference.codes]

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], Callable[[int], str]]:
        """int64, (N,): the pair of each line, in order of appearance; and how a line names it."""
        if "pair" in self.of:
            word = self.words("pair")
            return word.codes, lambda row: repr(word[row][:60])
        if self.has_pictures:
            import pandas as pd

            first, second = self.alike(*PICTURES)
            keys = first.codes * len(first.words) + second.codes
            numbers = pd.factorize(keys)[0].astype(np.int64)
            return numbers, lambda row: f"{first[row][:60]!r} and {second[row][:60]!r}"
        return np.arange(len(self.cells)), str

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """int64, (pairs,): the first line of each pair."""
        return first_rows(self.pairs[0], np.arange(len(self.cells)))

    def groups_of_people(
        self, column: str
    ) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return names of groups; then the person, the group and the line of each statement."""
        from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP

        probe, reference = self.people
        sides = {GROUP: (probe, reference), PROBE_GROUP: (probe,), REFERENCE_GROUP: (reference,)}
        prefixes, names = zip(*self.roles.groups[column], strict=True)
        columns = self.cells.alike(*names)
        parts = [
            (side, words.codes)
            for prefix, words in zip(prefixes, columns, strict=True)
            for side in sides[prefix]
        ]
        people, groups = map(np.concatenate, zip(*parts, strict=True))
        rows = np.tile(np.arange(len(self.cells)), len(parts))
        words = columns[0].words
        filled = np.flatnonzero(groups != (words.index("") if "" in words else -1))
        filled = filled[np.argsort(rows[filled], kind="stable")]
        return words, people[filled], groups[filled], rows[filled]


def first_rows(keys: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of some rows for each key; -1 if there is none."""
    first = np.full(int(keys.max(initial=-1)) + 1, -1)
    first[keys[rows[::-1]]] = rows[::-1]
    return first


def rows_that_differ(keys: NDArray[np.int64], *columns: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rows that differ from the first row of the same key."""
    first = first_rows(keys, np.arange(len(keys)))[keys]
    differs = np.zeros(len(keys), np.bool_)
    for column in columns:
        differs |= column != column[first]
    return np.flatnonzero(differs)


def problems_of_cells(table: ScoreCells) -> Iterator[Problem]:
    """Yield what is wrong on single lines."""
    cells, of = table.cells, table.of
    yield from cells.problems
    needed = [(name,) for name in ("system", "pair", *TRUTH, "transaction", "attempt")]
    for names in (*needed, table.roles.people):
        for name, words in zip(names, table.alike(*names), strict=True) if names else ():
            if name in of:
                yield Problem(f"{of[name]} is empty", np.flatnonzero(~words.filled))
    numeric = [of[name] for name in ("elapsed_s", "threshold", "price", "attempt") if name in of]
    for column in (*table.roles.scores, *numeric):
        yield from cells.not_numbers(column)
    for name in ("elapsed_s", "price"):
        yield Problem(f"{of.get(name)} is below 0", np.flatnonzero(table.numbers(name) < 0))
    for name, (meanings, advice) in WORDS.items():
        wrong = lambda word, known=meanings: word.lower() in known  # noqa: E731
        yield from table.words(name).problems(of.get(name, name), wrong, advice)
    advice = "write three capital letters"
    yield from table.words("currency").problems("currency", _CURRENCY.fullmatch, advice)
    for column in table.roles.scores:
        yield from _marks(table, column)
    yield from _problems_of_people(table)
    if table.roles.is_wide:
        return
    score = next(iter(table.roles.scores), None)
    has_score, failed = ~np.isnan(table.scores(score)), table.failed
    acquired = table.values("acquired", -1, np.int8)
    answered = has_score | (acquired == 1) | table.words("decision").filled
    yield Problem("there is an error, and an answer as well", np.flatnonzero(failed & answered))
    yield Problem(
        "it is a failure to acquire, and has a score", np.flatnonzero((acquired == 0) & has_score)
    )


def _marks(table: ScoreCells, column: str) -> Iterator[Problem]:
    """Yield numbers that seem to stand for no score: far from all others, below 0, or all 9s."""
    numbers = table.cells.numbers(column)
    given = numbers[~np.isnan(numbers)]
    ends = given.min(initial=np.inf), given.max(initial=-np.inf)
    if ends[0] >= 0 and not any(re.fullmatch("99+", f"{end:g}") for end in ends):
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(given, return_counts=True)
    below = values[values < 0].tolist()
    few = below if len(below) <= _MOST_MARKS and (counts[: len(below)] > 1).all() else []
    noticed: set[float] = set()
    for marks in () if table.no_scores else (values[:1].tolist(), few, values[-1:].tolist()):
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


def _problems_of_people(table: ScoreCells) -> Iterator[Problem]:
    """Yield labels that contradict the people, and pictures that are compared with themselves."""
    people = table.roles.people
    ours = next((name for name in TRUTH if name in table.of), "mated")
    label = table.words(ours)
    if {"0", "-1"} <= {*label.words}:
        rows = np.flatnonzero(label.codes == label.words.index("-1"))
        yield Problem(f"{table.of[ours]} is -1, and 0 on other lines; write 1 or 0", rows)
    if ours in table.of and people in (PEOPLE, PICTURES):
        right = label.map(dict.fromkeys(WORDS[ours][0], True), False, np.bool_)
        probe, reference = table.people
        words = table.alike(*people)

        def contradiction(row: int) -> str:
            first, second = (repr(word[row][:60]) for word in words)
            reason = f"mated pairs make {first} and {second} one person"
            if table.people_named:
                reason = f"its people are called {first} and {second}"
            kind = "mated" if table.mated[row] else "non-mated"
            return f"the pair is said to be {kind}, and {reason}"

        wrong = right & (table.mated != (probe == reference))
        yield from problems_at(np.flatnonzero(wrong), contradiction)
    if table.has_pictures:
        first, second = table.alike(*PICTURES)
        yield from problems_at(
            np.flatnonzero((first.codes == second.codes) & first.filled),
            lambda row: (
                f"the picture {first[row][:60]!r} is compared with itself; if these are files of "
                "one name in two folders, write the folders too"
            ),
        )
