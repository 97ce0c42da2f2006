"""Scores in: CSV wide and long, Parquet, pandas and Arrow.

``long``: a line for each pair and system, with a column of scores, decisions or both. ``wide``: a
line for each pair, with a column of scores for each system.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

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
from .cells import MAX_ROWS, Cells, Problem, Words, read_cells
from .columns import LONG, PEOPLE, PICTURES, WIDE, recognise, scale_of
from .numbers import listed
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

_SO: Final = "nothing was judged"
_YES_NO: Final[Mapping[str, int]] = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_DECIDED: Final = {decision.value: at for at, decision in enumerate(DECISIONS)}
_INCONCLUSIVE: Final = DECISIONS.index(Decision.INCONCLUSIVE)
_BILLED: Final = {billed.value: at for at, billed in enumerate(BILLED)}
_PRIVACY: Final = str(attrs.fields_dict(Answers)["privacy"].default)


def read_scores(
    source: Path | DataFrame | Any,
    *,
    columns: Mapping[str, str] | None = None,
    systems: Sequence[str] = (),
    ignore: Sequence[str] = (),
    rule: ThresholdRule | None = None,
    name: str | None = None,
    max_rows: int = MAX_ROWS,
) -> list[Answers]:
    """Read what systems answered to pairs.

    Which column is which is recognised by its name; the reference has the table of them. Needed are
    ``mated`` (or ``same``, ``label``, ...), unless both people are named, and the people
    (``probe_subject``, ``reference_subject``), or else the pictures (``image1``, ``image2``, ...):
    then pictures that mated pairs join stand for one person (`Answers.people_known`).

    Long, with a column ``score``, ``decision`` or ``system``: a line for each pair and system.
    Wide: a line for each pair, and every further column is the scores of the system that it is
    called by. Scores are kept as they are; higher is more alike. An answer without score and
    decision is a failure to acquire, and counts against a mated pair; one with an ``error`` counts
    in no rate. All systems have the same pairs, in any order. Two models of one system are two
    systems; an error without a model counts with the first.

    Args:
        source: A CSV file (separated by commas, or with decimal commas by semicolons or tabs), a
            Parquet file, a pandas DataFrame, whose named index levels are columns, or a pyarrow
            Table.
        columns: What a column is that is called otherwise: our name, or another that is recognised,
            to its name; ``group_sex`` and the like too.
        systems: The columns of a wide table that are scores; no other column is one then.
        ignore: Columns to skip.
        rule: How scores are compared with a threshold where the file does not say; AT_LEAST by
            default.
        name: Of the system, where no column names one; by default that of the file.
        max_rows: A file with more rows, or more than 200 bytes for each of these rows, is refused
            before it is read: a small Parquet file can fill the memory.

    Returns:
        Of each system, in the order of the file; pairs in that of their first lines.

    Raises:
        ColumnsNotRecognised: a column is missing or unknown; with a guess which is which.
        InvalidRequest: it cannot be read, or something is wrong with a line; every place is named.
    """
    example = f"{WIDE} or {LONG}"
    cells = read_cells(source, what="comparison", example=example, max_rows=max_rows)
    found = recognise(cells, columns or {}, systems, ignore)
    table = _Table(cells, found.of, found.wide, found.groups)
    cells.refuse([*cells.problems, *_of_cells(table)], so=_SO)
    one_name = name or (Path(source).stem if isinstance(source, (str, Path)) else "scores")
    problems: list[Problem] = []
    asked = list(_asked(table, one_name, problems))
    if len(asked) > MOST:
        text = f"there are {len(asked):,} systems, and at most {MOST} can be compared"
        problems = [Problem(text)]
    else:
        problems += _between(table, asked)
    cells.refuse(problems, so=_SO)
    return [_answers(table, one, ThresholdRule(rule or "at_least")) for one in asked]


def what_to_add(names: Sequence[str]) -> str:
    """Which columns a file needs for something, and what may be in them, as half a sentence.

    Args:
        names: Of columns that say one thing of a system, such as ``backend`` and ``environment``.
    """
    known = {
        "backend": "of the verifier that shall use it, for example didit",
        "scale": "any name of the scale, for example didit/face-match",
        "model": "any version",
        **{name: advice for name, (_, advice) in _ALLOWED.items()},
    }
    said = [f"{name} ({known[name].removeprefix('write ')})" for name in names]
    column = "columns" if len(said) > 1 else "column"
    return f"add the {column} {listed(said)}, filled on one line of each system at least"


@attrs.define
class _Table:
    """Cells whose columns are recognised."""

    cells: Cells
    of: Mapping[str, str]
    wide: Sequence[str]
    groups: Mapping[str, Sequence[tuple[str, str]]]

    def __len__(self) -> int:
        return len(self.cells)

    def words(self, name: str) -> Words:
        return self.alike(name)[0]

    def numbers(self, name: str) -> NDArray[np.float64]:
        return self.cells.numbers(self.of.get(name, _MISSING))

    def alike(self, *names: str) -> tuple[Words, ...]:
        return self.cells.alike(*(self.of.get(name, _MISSING) for name in names))

    @property
    def has_pictures(self) -> bool:
        return self.of.keys() >= {*PICTURES}

    @property
    def people_named(self) -> bool:
        return PEOPLE[0] in self.of

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,)."""
        if "mated" in self.of:
            return self.words("mated").each(lambda word: MATED.get(word.lower(), False), np.bool_)
        one, other = self.alike(*PEOPLE)
        return np.equal(one.places, other.places)

    @cached_property
    def people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: who the probe and the reference show, from 0."""
        if self.people_named:
            one, other = self.alike(*PEOPLE)
            return one.places, other.places
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, other = self.alike(*PICTURES)
        ends = one.places[self.mated], other.places[self.mated]
        size = len(one.known)
        graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
        person = connected_components(graph, directed=False)[1].astype(np.int64)
        return person[one.places], person[other.places]

    @cached_property
    def numbered(self) -> NDArray[np.int64]:
        """The number of each person, from 0: by the alphabet, or as numbers of their own rise."""
        if not self.people_named:
            return np.arange(int(max(map(np.max, self.people))) + 1)
        names = self.alike(*PEOPLE)[0].all
        ordered = sorted(names)
        if all(map(str.isdigit, names)):
            ordered.sort(key=len)
        place = {one: at for at, one in enumerate(ordered)}
        return np.array([place[one] for one in names], np.int64)

    @cached_property
    def names(self) -> PairNames:
        """Of pictures and people, row by row."""
        pictures: Sequence[str] = ()
        probe = reference = np.zeros(0, np.int64)
        people: Sequence[str] = ()
        if self.has_pictures:
            one, other = self.alike(*PICTURES)
            pictures, probe, reference = tuple(one.all), one.places, other.places
        if self.people_named:
            people = self.alike(*PEOPLE)[0].all
        subjects = dict(zip(self.numbered.tolist(), people, strict=False))
        return PairNames(pictures=pictures, probe=probe, reference=reference, subjects=subjects)

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], Callable[[int], str]]:
        """int64, (N,): the pair of each row, numbered in their order; and how a row names it."""
        if "pair" in self.of:
            word = self.words("pair")
            return word.places, lambda row: repr(word[row][:60])
        if self.has_pictures:
            one, other = self.alike(*PICTURES)
            import pandas as pd

            keys = one.places * len(one.known) + other.places
            return pd.factorize(keys)[0].astype(
                np.int64
            ), lambda row: f"{one[row][:60]!r} and {other[row][:60]!r}"
        return np.arange(len(self)), str


_MISSING: Final = "\0"


# --- Lines ----------------------------------------------------------------------------------------


def _one_of(words: Any) -> tuple[Callable[[str], bool], str]:
    known = [str(word) for word in words]
    return lambda word: word.lower() in known, f"write {', '.join(known[:-1])} or {known[-1]}"


#: What a cell of words may hold, and what is said of another one.
_ALLOWED: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "mated": (lambda word: word.lower() in MATED, "write 1 for one person and 0 for two"),
    "decision": _one_of(Decision),
    "acquired": (lambda word: word.lower() in _YES_NO, "write 1 or 0"),
    "people_known": (lambda word: word.lower() in _YES_NO, "write 1 or 0"),
    "billed": _one_of(Charged),
    "rule": _one_of(ThresholdRule),
    "environment": _one_of(Environment),
    "currency": (
        lambda word: re.fullmatch("[A-Z]{3}", word) is not None,
        "write three capital letters",
    ),
    "other_models": (lambda word: _models(word) is not None, 'write {"model": answers}'),
}


def _models(word: str) -> dict[str, int] | None:
    try:
        found = json.loads(word)
    except (ValueError, RecursionError):
        return None
    is_right = isinstance(found, dict) and all(type(count) is int for count in found.values())
    return found if is_right else None


def _of_cells(table: _Table) -> Iterator[Problem]:
    """What is wrong with single lines."""
    cells, of = table.cells, table.of
    for name in ("system", "pair", "mated", *(PEOPLE if table.people_named else PICTURES)):
        if name in of:
            yield Problem(f"{of[name]} is empty", np.flatnonzero(~table.words(name).given))
    numeric = ("elapsed_s", "threshold", "price", *(() if table.wide else ("score",)))
    for column in (*table.wide, *(of[name] for name in numeric if name in of)):
        yield from cells.no_numbers(column)
    for name in ("elapsed_s", "price"):
        yield Problem(f"{of.get(name)} is below 0", np.flatnonzero(table.numbers(name) < 0))
    for name, (is_right, advice) in _ALLOWED.items():
        if name in of:
            for word, rows in table.words(name).unlike(is_right):
                yield Problem(f"{of[name]} is {word}; {advice}", rows)
    yield from _of_people(table)
    if table.wide:
        return
    has_score = ~np.isnan(table.numbers("score"))
    acquired = table.words("acquired").each(_yes_no, np.int8)
    failed = table.words("error").given
    answered = has_score | (acquired == 1) | table.words("decision").given
    yield Problem("there is an error, and an answer as well", np.flatnonzero(failed & answered))
    yield Problem(
        "it is a failure to acquire, and has a score", np.flatnonzero((acquired == 0) & has_score)
    )


def _at(rows: NDArray[np.bool_], text: Callable[[int], str]) -> Iterator[Problem]:
    """A problem for each row that is marked."""
    return (Problem(text(row), [row]) for row in np.flatnonzero(rows).tolist())


def _yes_no(word: str) -> int:
    return _YES_NO.get(word.lower(), -1)


def _of_people(table: _Table) -> Iterator[Problem]:
    """Lines that say of two people that they are one, or the reverse."""
    if "mated" not in table.of:
        return iter(())
    right = table.words("mated").each(lambda word: word.lower() in MATED, np.bool_)
    one, other = table.people
    words = table.alike(*(PEOPLE if table.people_named else PICTURES))

    def text(row: int) -> str:
        first, second = (repr(word[row][:60]) for word in words)
        people = f"mated pairs make {first} and {second} one person"
        if table.people_named:
            people = f"its people are called {first} and {second}"
        kind = "mated" if table.mated[row] else "non-mated"
        return f"the pair is said to be {kind}, and {people}"

    return _at(right & (table.mated != (one == other)), text)


@attrs.frozen
class _Asked:
    """One system of a table, or one model of it."""

    #: With its model, if there are several.
    name: str
    model: str | None
    rows: NDArray[np.int64]
    #: Those of all models of the system; what is said of it, is said of each.
    of_system: NDArray[np.int64]
    #: Its column.
    score: str | None
    #: Other models, to how many answers.
    others: Mapping[str, int]
    #: Without its model.
    system: str


def _asked(table: _Table, one_name: str, problems: list[Problem]) -> Iterator[_Asked]:
    """Who answered, each model of a system apart."""
    every = np.arange(len(table))
    score = table.of.get("score")
    by_name: list[tuple[str, NDArray[np.int64], str | None]]
    if table.wide:
        by_name = [(name, every, name) for name in table.wide]
    elif "system" in table.of:
        words = table.words("system")
        by_name = [
            (name, np.flatnonzero(words.places == place), score)
            for place, name in enumerate(words.all[: MOST + 1])
        ]
    else:
        by_name = [(one_name, every, score)]
    model = table.words("model")
    failed = table.words("error").given
    for name, rows, column in by_name:
        counts = np.bincount(model.places[rows], minlength=len(model.all)).tolist()
        models = [place for place, word in enumerate(model.all) if word and counts[place]]
        called = [model.all[place] for place in models]
        if len(models) < 2:
            yield _Asked(name, called[0] if called else None, rows, rows, column, {}, name)
            continue
        nobodys = ~model.given[rows]
        problems.append(
            Problem(
                f"{name[:60]!r} answered, and {table.of['model']} is empty: other lines name "
                f"{' and '.join(map(repr, called))}, so each has to",
                rows[nobodys & ~failed[rows]],
            )
        )
        for place, word in zip(models, called, strict=True):
            others = {model.all[other]: counts[other] for other in models if other != place}
            # Nobody knows which model would have given an answer that is missing: it counts once.
            mine = rows[(model.places[rows] == place) | (nobodys & (place == models[0]))]
            yield _Asked(f"{name} (model {word})", word, mine, rows, column, others, name)


def _between(table: _Table, asked: Sequence[_Asked]) -> Iterator[Problem]:
    """What is wrong between lines."""
    pair, named = table.pairs
    cells = table.cells
    if "pair" not in table.of and not table.has_pictures and len(asked) > 1 and not table.wide:
        yield Problem("the column pair is missing: several systems have lines for the same pairs")
        return
    first = _by_pair(pair, np.arange(len(pair)))
    for one in asked:
        yield from _of_pairs(table, one, asked)
    for name, rows in {one.system: one.of_system for one in asked}.items():
        yield from _of_system(table, name, rows)
    differs = table.mated != table.mated[first][pair]
    for side in table.people:
        differs |= side != side[first][pair]
    yield from _at(
        differs,
        lambda row: (
            f"the pair {named(row)} shows other people than in {cells.unit} "
            f"{cells.places[first[pair[row]]]}"
        ),
    )
    for column in table.groups:
        yield from _of_groups(table, column)


def _of_pairs(table: _Table, one: _Asked, asked: Sequence[_Asked]) -> Iterator[Problem]:
    """A pair that appears twice, or is missing, for one system."""
    pair, named = table.pairs
    cells = table.cells
    at = _by_pair(pair, one.rows)
    is_twice = np.zeros(len(table), np.bool_)
    is_twice[one.rows] = at[pair[one.rows]] != one.rows
    # In a wide table a line is of all systems.
    of = "" if table.wide else f" of {one.name[:60]!r}"
    yield from _at(
        is_twice,
        lambda row: (
            f"the pair {named(row)}{of} appears twice: it is in {cells.unit} "
            f"{cells.places[at[pair[row]]]}; keep one of the two {cells.unit}s"
        ),
    )
    missing = at < 0
    for other in asked:
        if one.others and other.system == one.system:
            missing[pair[other.rows]] = False
    is_first = np.zeros(len(table), np.bool_)
    is_first[_by_pair(pair, np.arange(len(pair)))[missing]] = True
    yield from _at(
        is_first,
        lambda row: (
            f"the pair {named(row)} has no {cells.unit} for {one.system[:60]!r}; all systems need "
            "the same pairs"
        ),
    )


def _of_system(table: _Table, system: str, rows: NDArray[np.int64]) -> Iterator[Problem]:
    """Two things that are said of one system, where there is one."""
    for name in (name for name in _OF_SYSTEM if name in table.of):
        words = table.words(name)
        said = rows[words.given[rows]]
        for row in said[words.places[said] != words.places[said[:1]]].tolist():
            yield Problem(
                f"{name} of {system[:60]!r} is {words[row][:40]!r}, and {words[said[0]][:40]!r} in "
                f"{table.cells.unit} {table.cells.places[said[0]]}",
                [row],
            )
    price, currency = (table.words(name).given[rows] for name in ("price", "currency"))
    if price.any() != currency.any():
        row = int(rows[np.argmax(price | currency)])
        yield Problem(f"{system[:60]!r} has a price or a currency, and needs both", [row])


def _of_groups(table: _Table, column: str) -> Iterator[Problem]:
    """People who are in two groups."""
    words, subjects, groups, rows = _told_groups(table, column)
    _, first, place = np.unique(subjects, return_index=True, return_inverse=True)
    names = table.alike(*PEOPLE)[0].all
    for at in np.flatnonzero(groups != groups[first][place]).tolist():
        who = repr(names[subjects[at]][:60]) if table.people_named else "a person"
        now, above = (words[groups[each]][:60] for each in (at, first[place[at]]))
        text = f"{who} is in the group {now!r} of {column}, and above in {above!r}"
        yield Problem(text, [int(rows[at])])


def _told_groups(
    table: _Table, column: str
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Words of the groups; then who is said to be in which, and on which row, in order."""
    one, other = table.people
    sides = {GROUP: (one, other), PROBE_GROUP: (one,), REFERENCE_GROUP: (other,)}
    prefixes, names = zip(*table.groups[column], strict=True)
    columns = table.cells.alike(*names)
    found = [
        (side, words.places)
        for prefix, words in zip(prefixes, columns, strict=True)
        for side in sides[prefix]
    ]
    subjects = np.concatenate([subject for subject, _ in found])
    groups = np.concatenate([group for _, group in found])
    rows = np.tile(np.arange(len(table)), len(found))
    said = np.flatnonzero(groups != columns[0].empty)
    said = said[np.argsort(rows[said], kind="stable")]
    return columns[0].all, subjects[said], groups[said], rows[said]


def _by_pair(pair: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of some rows for each pair; -1 where there is none."""
    found = np.full(int(pair.max()) + 1, -1)
    found[pair[rows[::-1]]] = rows[::-1]
    return found


# --- Answers --------------------------------------------------------------------------------------


def _answers(table: _Table, one: _Asked, rule: ThresholdRule) -> Answers:
    pair, _ = table.pairs
    rows = _by_pair(pair, one.rows)
    is_asked = rows >= 0
    first = _by_pair(pair, np.arange(len(pair)))
    rows = np.where(is_asked, rows, first)
    said = {name: _constant(table.words(name), one.of_system) for name in _OF_SYSTEM}
    scores = np.full(len(rows), np.nan)
    if one.score is not None:
        scores = np.where(is_asked, table.cells.numbers(one.score)[rows], np.nan)
    decisions = table.words("decision").each(
        lambda word: _DECIDED.get(word.lower(), NO_DECISION), np.int8
    )
    decisions = np.where(is_asked, decisions[rows], NO_DECISION).astype(np.int8)
    errors = table.words("error")
    answered = is_asked & ~errors.given[rows]
    given = table.words("acquired").each(_yes_no, np.int8)[rows]
    is_there = ~np.isnan(scores) | ((decisions >= 0) & (decisions != _INCONCLUSIVE))
    price, threshold = (_number(table, name, one.of_system) for name in ("price", "threshold"))
    charged = np.where(answered & (price is not None), _BILLED["yes"], _BILLED["no"])
    billed = table.words("billed").each(lambda word: _BILLED.get(word.lower(), -1), np.int8)[rows]
    reasons = Counter(errors.places[rows[is_asked & ~answered]].tolist())
    not_answered = {errors.all[at]: number for at, number in reasons.items()}
    if not is_asked.all():
        not_answered[NOT_ASKED] = not_answered.get(NOT_ASKED, 0) + int((~is_asked).sum())
    people = [table.numbered[side][first] for side in table.people]
    names = table.names
    if names.pictures:
        names = attrs.evolve(names, probe=names.probe[first], reference=names.reference[first])
    written = said["other_models"]
    return Answers(
        table=ScoreTable(
            name=one.name,
            rule=ThresholdRule(said["rule"].lower()) if said["rule"] else rule,
            mated=table.mated[first],
            scores=scores,
            decisions=decisions,
            acquired=np.where(given < 0, is_there, given > 0) & answered,
            answered=answered,
            probe_subjects=people[0],
            reference_subjects=people[1],
            groups={column: _grouping(table, column, first) for column in table.groups},
            scale=said["scale"] or scale_of(one.score),
            threshold=threshold,
        ),
        elapsed_s=np.where(is_asked, table.numbers("elapsed_s")[rows], np.nan),
        billed=np.where(is_asked & (billed >= 0), billed, charged).astype(np.int8),
        not_answered=not_answered,
        backend=said["backend"],
        model=one.model,
        other_models=one.others or (_models(written) if written else None) or {},
        environment=Environment(said["environment"].lower()) if said["environment"] else None,
        price=price,
        currency=said["currency"],
        privacy=said["privacy"] or _PRIVACY,
        people_known=table.people_named and _YES_NO.get(said["people_known"] or "1") == 1,
        names=names,
    )


def _grouping(table: _Table, column: str, rows: NDArray[np.int64]) -> Grouping:
    words, subjects, groups, _ = _told_groups(table, column)
    labels = sorted(filter(None, words))
    place = {label: at for at, label in enumerate(labels)}
    of_word = np.array([place.get(word, -1) for word in words], np.int64)
    of_subject = np.full(len(table.numbered), -1, np.int64)
    of_subject[subjects] = of_word[groups]
    one, other = (of_subject[side][rows] for side in table.people)
    return Grouping(labels=tuple(labels), probe=one, reference=other)


def _constant(words: Words, rows: NDArray[np.int64]) -> str | None:
    said = rows[words.given[rows]]
    return words[int(said[0])] if len(said) else None


def _number(table: _Table, name: str, rows: NDArray[np.int64]) -> float | None:
    numbers = table.numbers(name)[rows]
    said = numbers[~np.isnan(numbers)]
    return float(said[0]) if len(said) else None
