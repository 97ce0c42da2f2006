"""Scores in: CSV wide and long, JSON, Excel, Parquet, pandas and Arrow.

``long``: a line for each pair and system, with a column of scores, decisions or both. ``wide``: a
line for each pair, with a column of scores for each system.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa

from facematch_core.backend.kinds import argument
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .answers import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    Grouping,
    PairNames,
    ScoreTable,
)
from .cells import MAX_ROWS, CellTable, Problem, WordColumn, problems_at, read_cells
from .columns import (
    LONG,
    PEOPLE,
    PERSON,
    PICTURES,
    TRUTH,
    WIDE,
    ColumnRoles,
    ColumnsNotRecognised,
    recognise,
    scale_of,
)
from .numbers import join_names
from .study.drawing import components
from .study.reading import GROUP, MATED, PROBE_GROUP, REFERENCE_GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

#: Columns that say one thing of a system.
_OF_SYSTEM: Final = (
    *("rule", "threshold", "scale", "price", "currency", "backend", "environment", "privacy"),
    *("people_known", "other_models"),
)

#: More systems than this are a mistake in the file.
MOST: Final = 100

#: Where so many mated pairs all score above so many others, the labels may be the answers.
ENOUGH_APART: Final = 20

#: Different numbers below 0 that may each stand for no score.
_MOST_MARKS: Final = 3

#: So many pairs with the lowest score, if they are half of all, do not have it by chance.
_MANY_ALIKE: Final = 20

#: The scale of distances that were read as scores.
MINUS_DISTANCE: Final = "minus the distance"

_SO: Final = "nothing was judged"
_CURRENCY: Final = re.compile("[A-Z]{3}")
_PRIVACY: Final = str(attrs.fields_dict(Answers)["privacy"].default)
_OF_TWO: Final = (Decision.NO_MATCH, Decision.MATCH)
_YES_NO: Final = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}


def _among(kind: Iterable[str], places: Sequence[str]) -> tuple[dict[str, int], str]:
    *words, last = kind
    places_of = {str(word): places.index(word) for word in (*words, last)}
    return places_of, f"write {', '.join(words)} or {last}"


#: What the words of a column mean, in any case, and what is said of any other.
_WORDS: Final[Mapping[str, tuple[Mapping[str, int], str]]] = {
    "mated": (MATED, "write 1 for one person and 0 for two"),
    "non_mated": (
        {word: 1 - is_other for word, is_other in _YES_NO.items()},
        "write 1 for two people and 0 for one",
    ),
    "decision": (
        {word: DECISIONS.index(_OF_TWO[mated]) for word, mated in MATED.items()}
        | _among(Decision, DECISIONS)[0],
        f"{_among(Decision, DECISIONS)[1]}, or ignore the column",
    ),
    "acquired": (_YES_NO, "write 1 or 0"),
    "people_known": (_YES_NO, "write 1 or 0"),
    "billed": _among(Charged, BILLED),
    "rule": _among(ThresholdRule, [*ThresholdRule]),
    "environment": _among(Environment, [*Environment]),
}


def read_scores(
    source: Path | DataFrame | Any,
    *,
    columns: Mapping[str, str] | None = None,
    systems: Sequence[str] = (),
    ignore: Sequence[str] = (),
    rule: ThresholdRule | None = None,
    distance: bool = False,
    no_scores: Sequence[float] = (),
    independent_pairs: bool = False,
    name: str | None = None,
    max_rows: int = MAX_ROWS,
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Read what systems answered to pairs.

    Which column is which is recognised by its name; the reference has the table of them. Without
    the names of both people (``probe_subject``, ``reference_subject``) `Answers.people_known` is
    false: then the one that a line is of (``person``) is needed, or pictures (``image1``,
    ``image2``), of which those that mated pairs join stand for one person.

    Long, with a column ``score``, ``decision`` or ``system``: a line for each pair and system.
    Wide: a line for each pair, and each further column is the scores of the system of that name.
    Higher is more alike, but in columns of distances (``distance``, ``vgg_distance``, ``l2``). What
    a system answered (``match``, ``verified``) is its decision, and never the truth. An answer
    without score and decision is a failure to acquire, and counts against a mated pair; one with
    an ``error`` counts in no rate. All systems have the same pairs, in any order. Two models are
    two systems; an error without a model counts with the first.

    Args:
        source: A CSV file (commas, or semicolons or tabs and decimal commas), records of JSON, the
            first sheet of an Excel workbook that is no cover, a Parquet file, a pandas DataFrame
            with its named index levels, or a pyarrow Table.
        columns: What a column is that is called otherwise: our name, or another that is recognised,
            to its name; ``group_sex`` and the like too.
        systems: The columns of a table that are scores; no other column is one then.
        ignore: Columns to skip.
        rule: How scores are compared with a threshold where the file does not say; AT_LEAST by
            default.
        distance: Whether the scores are distances, of which less is more alike, whatever their
            columns are called. A score, and every threshold, is then minus the distance: -0.4
            passes distances up to 0.4.
        no_scores: Numbers that mean that there is no score, such as -1. Without any, a number that
            stands out as such a mark is refused; NaN says that there is no such number.
        independent_pairs: Whether every pair is one of people of its own, because nothing says who
            they are. Intervals are too narrow where people come again.
        name: Of the system, where no column names one; by default that of the file.
        max_rows: A file with more rows, or more than 200 bytes for each of these rows, is refused
            before it is read: a small Parquet file can fill the memory.
        note: Called with a sentence for each assumption.

    Returns:
        Of each system, in the order of the file; pairs in that of their first lines.

    Raises:
        ColumnsNotRecognised: a column is missing or unknown; or nobody named the one that says
            which pairs are mated, and the scores of a system are apart exactly as it says.
        InvalidRequest: it cannot be read, or something is wrong with a line; every place is named.
    """
    example = f"{WIDE} or {LONG}"
    cells = _in_lines(read_cells(source, what="comparison", example=example, max_rows=max_rows))
    usual = ColumnRoles(dict(columns or {}), list(systems))
    usual.independent_pairs, usual.distance = independent_pairs, distance
    recognised = recognise(cells, usual, ignore)
    table = _ScoreCells(cells, recognised, no_scores)
    cells.refuse([*cells.problems, *_problems_of_cells(table)], so=_SO)
    usual_name = name or (Path(source).stem if isinstance(source, (str, Path)) else "scores")
    _check_number(cells, recognised.systems or table.words("system").words)
    models = _models_of(table, usual_name)
    _check_number(cells, models)
    cells.refuse(_problems_between(table, models), so=_SO)
    answers = _answers(table, models, ThresholdRule(rule or "at_least"))
    if not {*usual.of.values()} & {recognised.of.get(name) for name in TRUTH}:
        _ask_whose_labels(table, answers)
    if note is not None:
        for text in (*_notes(table), *_blanks(answers)):
            note(text)
    return answers


def _in_lines(cells: CellTable) -> CellTable:
    """A column of mated scores beside one of all others, as a line for each score."""
    both = [
        name for kind in ("genuine", "impostor") for name in cells.header if kind in name.lower()
    ]
    if len(cells.header) != 2 or len(both) != 2 or not all(map(cells.is_numeric, both)):
        return cells
    cells.refuse([each for name in both for each in cells.not_numbers(name)], so=_SO)
    columns = [numbers[~np.isnan(numbers)] for numbers in map(cells.numbers, both)]
    label = np.repeat([1, 0], [len(column) for column in columns])
    if len({*np.concatenate(columns).tolist()}) <= 2:
        return cells  # flags, of which each says something of the same line
    notes = [*cells.notes, f"{cells.name} has a column of mated scores, and one of all others"]
    header = ["genuine", "score"]
    return CellTable(
        cells.name, header, [pa.array(label), pa.array(np.concatenate(columns))], notes=notes
    )


def _check_number(cells: CellTable, systems: Sized) -> None:
    if len(systems) > MOST:
        text = f"there are {len(systems):,} systems, and at most {MOST} can be compared"
        cells.refuse([Problem(text)], so=_SO)


def _ask_whose_labels(table: _ScoreCells, answers: Sequence[Answers]) -> None:
    """Refuse labels that nobody named, that no name of a person confirms, and that scores follow.

    A log of answers has a column for them that may be called anything. Judged by it, a system never
    errs; and no test of its scores can find that out.
    """
    truth = [(ours, table.of[ours]) for ours in TRUTH if ours in table.of]
    for each in answers if truth and not table.people_named else ():
        (column, name), is_there, scores = truth[0], each.table.scored, each.table.scores
        if not is_there.any():
            decisions = each.table.decisions
            is_there, scores = decisions >= 0, decisions == DECISIONS.index(Decision.MATCH)
        mated, others = (scores[is_there & kind] for kind in (each.table.mated, ~each.table.mated))
        if min(len(mated), len(others)) >= ENOUGH_APART and mated.min() > others.max():
            what = (
                f"{table.cells.name}: {name[:60]!r} follows the answers of {each.name} exactly, "
                f"all {len(mated):,} mated pairs above all {len(others):,} others; {_SO}. Does it "
                f"say who is in the pictures, and not what {each.name} answered?"
            )
            raise ColumnsNotRecognised(what, columns={column: name})


@attrs.define
class _ScoreCells:
    cells: CellTable
    columns: ColumnRoles
    no_scores: Sequence[float]

    @property
    def of(self) -> Mapping[str, str]:
        """Our names of columns to their own."""
        return self.columns.of

    def words(self, name: str) -> WordColumn:
        return self.alike(name)[0]

    def alike(self, *names: str) -> tuple[WordColumn, ...]:
        return self.cells.alike(*map(self.of.get, names))

    def numbers(self, name: str) -> NDArray[np.float64]:
        return self.cells.numbers(self.of.get(name))

    def values(self, name: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """(N,): what the words of a column mean."""
        values = _WORDS[name][0]
        return self.words(name).map(lambda word: values.get(word.lower(), otherwise), kind)

    def scores(self, column: str | None) -> NDArray[np.float64]:
        """float64, (N,): of the column of that name; more is more alike."""
        scores = self.cells.numbers(column)
        if self.no_scores:
            scores = np.where(np.isin(scores, self.no_scores), np.nan, scores)
        return -scores if self.columns.is_distance(column) else scores

    @property
    def has_pictures(self) -> bool:
        return self.of.keys() >= {*PICTURES}

    @property
    def people_named(self) -> bool:
        return self.columns.people == PEOPLE

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,)."""
        for truth in TRUTH:
            if truth in self.of:
                return self.values(truth, False, np.bool_)
        probe, reference = self.alike(*PEOPLE)
        return np.equal(probe.codes, reference.codes)

    @cached_property
    def people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: who the probe and the reference show, from 0."""
        ways = self.columns.people
        if ways == PEOPLE:
            probe, reference = self.alike(*PEOPLE)
            return probe.codes, reference.codes
        if ways != PICTURES:
            # All that is known of the other person of a pair: it is none that has a name.
            others = self.words("transaction").codes if "transaction" in self.of else self.pairs[0]
            codes = self.words(PERSON).codes if ways else others
            return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)
        probe, reference = self.alike(*PICTURES)
        ends = probe.codes[self.mated], reference.codes[self.mated]
        person = components(*ends, probe.size)
        return person[probe.codes], person[reference.codes]

    @property
    def person_words(self) -> WordColumn | None:
        """The people who have names; their codes are the first ones of `people`."""
        ways = self.columns.people
        return self.alike(*ways)[0] if ways in (PEOPLE, (PERSON,)) else None

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], Callable[[int], str]]:
        """int64, (N,): the pair of each row, numbered in their order; and how a row names it."""
        if "pair" in self.of:
            word = self.words("pair")
            return word.codes, lambda row: repr(word[row][:60])
        if self.has_pictures:
            import pandas as pd

            first, second = self.alike(*PICTURES)
            keys = first.codes * first.size + second.codes
            numbers = pd.factorize(keys)[0].astype(np.int64)
            return numbers, lambda row: f"{first[row][:60]!r} and {second[row][:60]!r}"
        return np.arange(len(self.cells)), str

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The first row of each pair."""
        return _first_rows(self.pairs[0], np.arange(len(self.cells)))

    def place(self, row: int | np.integer[Any]) -> str:
        """Where a row is, as messages say it."""
        return f"{self.cells.unit} {self.cells.places[int(row)]}"


def _notes(table: _ScoreCells) -> Iterator[str]:
    yield from table.cells.notes
    yield from table.columns.notes
    if not {*TRUTH} & table.of.keys():
        yield "a pair is mated where both people have one name, for no column says which pairs are"
    scores = table.columns.systems or filter(None, [table.of.get("score")])
    if distances := [repr(name[:60]) for name in scores if table.columns.is_distance(name)]:
        yield (
            f"scores of {join_names(distances)} are minus the distances: a threshold of -0.4 "
            "passes distances of 0.4 and less"
        )
    if table.columns.people == (PERSON,):
        yield (
            f"each line is of one person, {table.of[PERSON]!r}: who the others of non-mated pairs "
            "are is not known, and intervals are too narrow if they come again"
        )
    if not table.columns.people:
        yield "all pairs are treated as independent: intervals are too narrow if people come again"


def _blanks(answers: Sequence[Answers]) -> Iterator[str]:
    """Notes of empty cells, as pandas leaves where nothing was joined, and of likely marks."""
    empty = []
    for each in answers:
        table = each.table
        if count := int((table.answered & ~table.acquired & (table.decisions < 0)).sum()):
            empty.append(f"{count:,} of {each.name}")
        others = table.scores[table.scored & ~table.mated]
        lowest = others[others == others.min(initial=np.inf)]
        if len(lowest) >= max(_MANY_ALIKE, len(others) / 2):
            words = ("less", "a score just below"), ("more", "a distance just above")
            less, below = words[table.scale == MINUS_DISTANCE]
            yield (
                f"{each.name}: {len(lowest):,} of {len(others):,} non-mated pairs have the score "
                f"{lowest[0]:g}, and a threshold just above it may be chosen; if it stands for "
                f"{less} than a threshold of its own, write {below} that"
            )
    if empty:
        yield (
            f"pairs without a score count as failures to acquire: {join_names(empty)}; if a system "
            "gives none below a threshold of its own (an empty FaceMatches of Rekognition), write "
            "a score just below that"
        )


def _other_models(word: str) -> dict[str, int] | None:
    try:
        models = json.loads(word)
    except (ValueError, RecursionError):
        return None
    is_right = isinstance(models, dict) and all(type(count) is int for count in models.values())
    return models if is_right else None


def _is_one_of(words: Container[str]) -> Callable[[str], bool]:
    return lambda word: word.lower() in words


def _problems_of_cells(table: _ScoreCells) -> Iterator[Problem]:
    cells, of = table.cells, table.of
    needed = [(name,) for name in ("system", "pair", *TRUTH, "transaction", "attempt")]
    for names in (*needed, table.columns.people):
        for name, words in zip(names, table.alike(*names), strict=True) if names else ():
            if name in of:
                yield Problem(f"{of[name]} is empty", np.flatnonzero(~words.filled))
    scores = table.columns.systems or [of[name] for name in ("score",) if name in of]
    numeric = [of[name] for name in ("elapsed_s", "threshold", "price", "attempt") if name in of]
    for column in (*scores, *numeric):
        yield from cells.not_numbers(column)
    for name in ("elapsed_s", "price"):
        yield Problem(f"{of.get(name)} is below 0", np.flatnonzero(table.numbers(name) < 0))
    forms: list[tuple[str, Callable[[str], object], str]] = [
        *((name, _is_one_of(words), advice) for name, (words, advice) in _WORDS.items()),
        ("currency", _CURRENCY.fullmatch, "write three capital letters"),
        ("other_models", lambda word: _other_models(word) is not None, 'write {"model": answers}'),
    ]
    for name, is_right, advice in forms:
        yield from table.words(name).problems(of.get(name, name), is_right, advice)
    for column in scores:
        yield from _marks(table, column)
    yield from _problems_of_people(table)
    if table.columns.is_wide:
        return
    has_score = ~np.isnan(table.scores(of.get("score")))
    acquired = table.values("acquired", -1, np.int8)
    failed = table.words("error").filled
    answered = has_score | (acquired == 1) | table.words("decision").filled
    yield Problem("there is an error, and an answer as well", np.flatnonzero(failed & answered))
    yield Problem(
        "it is a failure to acquire, and has a score", np.flatnonzero((acquired == 0) & has_score)
    )


def _marks(table: _ScoreCells, column: str) -> Iterator[Problem]:
    """Numbers that seem to stand for no score: alone below 0, far from all others, or all 9s."""
    numbers = table.cells.numbers(column)
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
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


def _problems_of_people(table: _ScoreCells) -> Iterator[Problem]:
    """Lines that say of two people that they are one, or the reverse; a picture with itself."""
    people = table.columns.people
    ours = next((name for name in TRUTH if name in table.of), "mated")
    label = table.words(ours)
    if {"0", "-1"} <= {*label.words}:
        rows = np.flatnonzero(label.codes == label.words.index("-1"))
        yield Problem(f"{table.of[ours]} is -1, and 0 on other lines; write 1 or 0", rows)
    if ours in table.of and people in (PEOPLE, PICTURES):
        right = label.map(_is_one_of(_WORDS[ours][0]), np.bool_)
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


@attrs.frozen
class _SystemRows:
    """One system of a table, or one model of it, and with which column of scores."""

    #: Without its model.
    system: str
    #: Those of all models of the system; what is said of it, is said of each.
    of_system: NDArray[np.int64]
    score: str | None
    model: str | None
    rows: NDArray[np.int64]
    #: Other models, to how many answers.
    others: Mapping[str, int]

    @property
    def name(self) -> str:
        """With its model, if there are several."""
        return f"{self.system} (model {self.model})" if self.others else self.system


def _models_of(table: _ScoreCells, usual_name: str) -> list[_SystemRows]:
    """Who answered, each model of a system apart."""
    every = np.arange(len(table.cells))
    score = table.of.get("score")
    words, model = table.words("system"), table.words("model")
    systems: list[tuple[str, NDArray[np.int64], str | None]] = [(usual_name, every, score)]
    if table.columns.systems:
        systems = [(name, every, name) for name in table.columns.systems]
    elif "system" in table.of:
        systems = [
            (name, np.flatnonzero(words.codes == code), score)
            for code, name in enumerate(words.words)
        ]
    models = []
    for name, rows, column in systems:
        codes, counts = np.unique(model.codes[rows[model.filled[rows]]], return_counts=True)
        answers = dict(zip((model.words[code] for code in codes), counts.tolist(), strict=True))
        if len(answers) < 2:
            models.append(_SystemRows(name, rows, column, next(iter(answers), None), rows, {}))
            continue
        # Nobody knows which model would have given an answer that is missing: it counts once.
        code_of = np.where(model.filled[rows], model.codes[rows], codes[0])
        for code, word in zip(codes, answers, strict=True):
            others = {other: count for other, count in answers.items() if other != word}
            models.append(_SystemRows(name, rows, column, word, rows[code_of == code], others))
    return models


def _problems_between(table: _ScoreCells, models: Sequence[_SystemRows]) -> Iterator[Problem]:
    of_system: dict[str, list[_SystemRows]] = {}
    for model in models:
        of_system.setdefault(model.system, []).append(model)
    model_words, failed = table.words("model"), table.words("error").filled
    for name, same in of_system.items():
        if len(same) > 1:
            rows, names = same[0].of_system, " and ".join(repr(model.model) for model in same)
            yield Problem(
                f"{name[:60]!r} answered, and {table.of['model']} is empty: other lines name "
                f"{names}, so each has to",
                rows[~model_words.filled[rows] & ~failed[rows]],
            )
    for model in models:
        yield from _problems_of_pairs(table, model, of_system[model.system])
    for name, (model, *_) in of_system.items():
        for column in (column for column in _OF_SYSTEM if column in table.of):
            yield from _problems_of_system(table, name, model.of_system, column)
    pair, name_of = table.pairs
    first = table.first
    yield from problems_at(
        _rows_that_differ(pair, table.mated, *table.people),
        lambda row: (
            f"the pair {name_of(row)} shows other people than in {table.place(first[pair[row]])}"
        ),
    )
    if table.has_pictures:
        probe, reference = (side.codes[first] for side in table.alike(*PICTURES))
        keys = np.minimum(probe, reference) * (len(pair) * 2) + np.maximum(probe, reference)
        _, earliest, place = np.unique(keys, return_index=True, return_inverse=True)
        yield from problems_at(
            first[earliest[place] != np.arange(len(keys))],
            lambda row: (
                "the same two pictures as in "
                f"{table.place(first[earliest[place[pair[row]]]])}, which is one pair"
            ),
        )
    if "transaction" in table.of:
        yield from _problems_of_transactions(table)
    for column in table.columns.groups:
        yield from _problems_of_groups(table, column)


def _problems_of_transactions(table: _ScoreCells) -> Iterator[Problem]:
    """Attempts of one transaction that are of several people, or two of one number."""
    pair, name_of = table.pairs
    words, attempts = table.words("transaction"), table.numbers("attempt")
    yield from problems_at(
        np.flatnonzero((attempts < 1) | (attempts % 1 > 0)),
        lambda row: f"{table.of['attempt']} is {attempts[row]:g}; write a whole number from 1 on",
    )
    yield from problems_at(
        _rows_that_differ(pair, words.codes, attempts),
        lambda row: f"the pair {name_of(row)} is another attempt than above",
    )
    strangers = _rows_that_differ(words.codes, table.mated, *table.people)
    yield from problems_at(
        strangers,
        lambda row: (
            f"transaction {words[row][:60]!r} has attempts of several people: name them, or number "
            "it anew"
        ),
    )
    number = np.unique(attempts, return_inverse=True)[1]
    attempt = np.unique(words.codes * len(table.cells) + number, return_inverse=True)[1]
    yield from problems_at(
        np.setdiff1d(_rows_that_differ(attempt, pair), strangers),
        lambda row: f"transaction {words[row][:60]!r} has one attempt twice",
    )


def _problems_of_pairs(
    table: _ScoreCells, model: _SystemRows, same: Sequence[_SystemRows]
) -> Iterator[Problem]:
    """A pair that appears twice for one model, or is missing for all of the `same` system."""
    pair, name_of = table.pairs
    unit = table.cells.unit
    at = _first_rows(pair, model.rows)
    # In a wide table a line is of all systems.
    of = "" if table.columns.is_wide else f" of {model.name[:60]!r}"
    yield from problems_at(
        model.rows[at[pair[model.rows]] != model.rows],
        lambda row: (
            f"the pair {name_of(row)}{of} appears twice: it is in {table.place(at[pair[row]])}; "
            f"keep one of the two {unit}s"
        ),
    )
    is_missing = at < 0
    for other in same:
        is_missing[pair[other.rows]] = False
    yield from problems_at(
        table.first[is_missing],
        lambda row: (
            f"the pair {name_of(row)} has no {unit} for {model.system[:60]!r}; all systems need "
            "the same pairs (a line whose error is filled says that there was no answer)"
        ),
    )


def _problems_of_system(
    table: _ScoreCells, system: str, rows: NDArray[np.int64], column: str
) -> Iterator[Problem]:
    """Two things that are said of one system, where there is one."""
    words = table.words(column)
    filled = rows[words.filled[rows]]
    yield from problems_at(
        filled[words.codes[filled] != words.codes[filled[:1]]],
        lambda row: (
            f"{column} of {system[:60]!r} is {words[row][:40]!r}, and {words[filled[0]][:40]!r} in "
            f"{table.place(filled[0])}"
        ),
    )


def _problems_of_groups(table: _ScoreCells, column: str) -> Iterator[Problem]:
    words, subjects, groups, rows = _groups_of_people(table, column)
    first = _first_rows(subjects, np.arange(len(subjects)))
    clashes = _rows_that_differ(subjects, groups)
    names = [] if table.person_words is None else table.person_words.words

    def text(row: int) -> str:
        at = clashes[rows[clashes] == row][0]
        subject = subjects[at]
        who = repr(names[subject][:60]) if subject < len(names) else "a person"
        now, above = (words[groups[each]][:60] for each in (at, first[subject]))
        return f"{who} is in the group {now!r} of {column}, and above in {above!r}"

    yield from problems_at(np.unique(rows[clashes]), text)


def _groups_of_people(
    table: _ScoreCells, column: str
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Words of the groups; then who is said to be in which, and on which row, in order."""
    probe, reference = table.people
    sides = {GROUP: (probe, reference), PROBE_GROUP: (probe,), REFERENCE_GROUP: (reference,)}
    prefixes, names = zip(*table.columns.groups[column], strict=True)
    columns = table.cells.alike(*names)
    parts = [
        (side, words.codes)
        for prefix, words in zip(prefixes, columns, strict=True)
        for side in sides[prefix]
    ]
    subjects, groups = map(np.concatenate, zip(*parts, strict=True))
    rows = np.tile(np.arange(len(table.cells)), len(parts))
    filled = np.flatnonzero(groups != columns[0].empty)
    filled = filled[np.argsort(rows[filled], kind="stable")]
    return columns[0].words, subjects[filled], groups[filled], rows[filled]


def _first_rows(keys: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of some rows for each key; -1 where there is none."""
    first = np.full(int(keys.max(initial=-1)) + 1, -1)
    first[keys[rows[::-1]]] = rows[::-1]
    return first


def _rows_that_differ(keys: NDArray[np.int64], *columns: NDArray[Any]) -> NDArray[np.int64]:
    """The rows that say something else than the first row of the same key."""
    first = _first_rows(keys, np.arange(len(keys)))[keys]
    differs = np.zeros(len(keys), np.bool_)
    for column in columns:
        differs |= column != column[first]
    return np.flatnonzero(differs)


def _answers(
    table: _ScoreCells, models: Sequence[_SystemRows], rule: ThresholdRule
) -> list[Answers]:
    """Of each system and model; what is said of the pairs is there once, for all of them."""
    first = table.first
    # A person's number is the place among the names, or among numbers of their own as they rise.
    numbers = np.arange(int(max(map(np.max, table.people))) + 1)
    subjects: Sequence[str] = ()
    if (words := table.person_words) is not None:
        in_order = words.ordered()
        numbers[in_order] = np.arange(words.size)
        subjects = words.values.take(in_order).cast("string").to_pylist()  # noqa: PD011 - Arrow
    probe_subjects, reference_subjects = (numbers[side][first] for side in table.people)
    of_pairs: dict[str, Any] = {
        "mated": table.mated[first],
        "probe_subjects": probe_subjects,
        "reference_subjects": reference_subjects,
        "groups": {name: _grouping(table, name, len(numbers)) for name in table.columns.groups},
    }
    if "transaction" in table.of:
        of_pairs["transactions"] = table.words("transaction").codes[first]
        of_pairs["attempts"] = table.numbers("attempt")[first].astype(np.int64)
    pictures: Sequence[str] = ()
    probe = reference = np.zeros(0, np.int64)
    if table.has_pictures:
        pictures = table.alike(*PICTURES)[0].words
        probe, reference = (side.codes[first] for side in table.alike(*PICTURES))
    names = PairNames(
        pictures=pictures, probe=probe, reference=reference, subjects=dict(enumerate(subjects))
    )
    return [_of_model(table, model, rule, of_pairs, names) for model in models]


def _of_model(
    table: _ScoreCells,
    model: _SystemRows,
    rule: ThresholdRule,
    of_pairs: Mapping[str, Any],
    names: PairNames,
) -> Answers:
    rows = _first_rows(table.pairs[0], model.rows)
    is_asked = rows >= 0
    rows = np.where(is_asked, rows, table.first)
    errors = table.words("error")
    answered = is_asked & ~errors.filled[rows]
    reasons = Counter(errors.codes[rows[is_asked & ~answered]].tolist())
    not_answered = {errors.words[code]: number for code, number in reasons.items()}
    if not is_asked.all():
        not_answered[NOT_ASKED] = not_answered.get(NOT_ASKED, 0) + int((~is_asked).sum())
    scores = np.where(is_asked, table.scores(model.score)[rows], np.nan)
    decisions = table.values("decision", NO_DECISION, np.int8)[rows]
    decisions = np.where(is_asked, decisions, NO_DECISION).astype(np.int8)
    is_compared = (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    acquired = table.values("acquired", -1, np.int8)[rows]
    acquired = np.where(acquired < 0, ~np.isnan(scores) | is_compared, acquired > 0) & answered
    # The first cell of each column that says something of the system: they are all alike.
    words = {name: table.words(name) for name in _OF_SYSTEM}
    filled = {name: model.of_system[words[name].filled[model.of_system]] for name in _OF_SYSTEM}
    traits = {name: words[name][of[0]] for name, of in filled.items() if len(of)}
    price, threshold = (
        next(iter(numbers[~np.isnan(numbers)].tolist()), None)
        for numbers in (table.numbers(name)[model.of_system] for name in ("price", "threshold"))
    )
    scale = traits.get("scale") or scale_of(model.score)
    if table.columns.is_distance(model.score):
        scale = MINUS_DISTANCE
        threshold = None if threshold is None else -threshold
    environment = traits.get("environment")
    charged = Charged.NO if price is None else Charged.YES
    usual = np.where(answered, BILLED.index(charged), BILLED.index(Charged.NO))
    billed = table.values("billed", -1, np.int8)[rows]
    return Answers(
        table=ScoreTable(
            **of_pairs,
            name=model.name,
            rule=ThresholdRule(traits.get("rule", rule).lower()),
            scores=scores,
            decisions=decisions,
            acquired=acquired,
            answered=answered,
            scale=scale,
            threshold=threshold,
        ),
        elapsed_s=np.where(is_asked, table.numbers("elapsed_s")[rows], np.nan),
        billed=np.where(is_asked & (billed >= 0), billed, usual).astype(np.int8),
        not_answered=not_answered,
        backend=traits.get("backend"),
        model=model.model,
        other_models=model.others or _other_models(traits.get("other_models", "{}")) or {},
        environment=None if environment is None else Environment(environment.lower()),
        price=price,
        currency=traits.get("currency"),
        privacy=traits.get("privacy", _PRIVACY),
        people_known=table.people_named and bool(_YES_NO[traits.get("people_known", "1").lower()]),
        names=names,
    )


def _grouping(table: _ScoreCells, column: str, people: int) -> Grouping:
    words, subjects, groups, _ = _groups_of_people(table, column)
    labels = sorted(filter(None, words))
    place = {label: at for at, label in enumerate(labels)}
    of_word = np.array([place.get(word, -1) for word in words], np.int64)
    of_subject = np.full(people, -1, np.int64)
    of_subject[subjects] = of_word[groups]
    probe, reference = (of_subject[side][table.first] for side in table.people)
    return Grouping(labels=tuple(labels), probe=probe, reference=reference)
