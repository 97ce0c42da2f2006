"""What may be wrong in a file of scores: every fault with its line, found column by column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from ._scores_columns import Fault, Table
from .study._pairs_csv import GROUP, PROBE_GROUP, REFERENCE_GROUP, SAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBJECTS: Final = ("probe_subject", "reference_subject")

#: Columns that a file of scores must have, and fill.
NEEDED: Final = ("contender", "pair", "same", *SUBJECTS)

#: Columns that say one thing of a contender.
TOLD: Final = (
    "rule",
    "threshold",
    "scale",
    "price",
    "currency",
    "backend",
    "model",
    "environment",
    "privacy",
)

#: More contenders than this are a mistake in the file.
MOST: Final = 100

YES_NO: Final[Mapping[str, int]] = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}


def _is_real(word: str) -> bool:
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False


def _is_amount(word: str) -> bool:
    return _is_real(word) and float(word) >= 0


def _one_of(words: Any) -> tuple[Callable[[str], bool], str]:
    known = [str(word) for word in words]
    return lambda word: word.lower() in known, f"write {', '.join(known[:-1])} or {known[-1]}"


#: What a cell of words may hold, and what is said of another one.
_KNOWN: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "same": (lambda word: word.lower() in SAME, "write 1 for one person and 0 for two"),
    "decision": _one_of(Decision),
    "acquired": (lambda word: word.lower() in YES_NO, "write 1 or 0"),
    "billed": _one_of(Charged),
    "rule": _one_of(ThresholdRule),
    "environment": _one_of(Environment),
    "threshold": (_is_real, "write a number"),
    "price": (_is_amount, "write an amount from 0 on"),
    "currency": (
        lambda word: re.fullmatch("[A-Z]{3}", word) is not None,
        "write three capital letters",
    ),
}


def of_header(header: list[str]) -> Iterator[Fault]:
    """What is wrong with the names of the columns."""
    hint = ""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        hint = " (separate columns with commas)"
    for name in NEEDED:
        if name not in header:
            yield 1, f"the column {name} is missing{hint}"
    if "score" not in header and "decision" not in header:
        yield 1, f"there is neither a column score nor a column decision{hint}"
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield 1, f"the column {name[:60]!r} stands there twice"


def of_cells(table: Table) -> Iterator[Fault]:
    """What is wrong with single lines."""
    for name in NEEDED:
        yield from _each(table, ~rows_where(table, name, bool), f"{name} is empty")
    for name, (is_known, advice) in _KNOWN.items():
        words, places = table.words(name)
        bad = [bool(word) and not is_known(word) for word in words]
        for row in np.flatnonzero(np.array(bad)[places]):
            yield _at(table, row, f"{name} is {words[places[row]][:40]!r}; {advice}")
    yield from _of_people(table)
    yield from _of_answers(table)


def _of_people(table: Table) -> Iterator[Fault]:
    """Lines that say of two people that they are one, or the reverse."""
    names, probe = table.words("probe_subject")
    _, reference = table.words("reference_subject")
    for said, is_mated in (("same", True), ("different", False)):
        told = rows_where(table, "same", lambda word: SAME.get(word.lower()) is is_mated)  # noqa: B023 - called at once
        for row in np.flatnonzero(told & ((probe == reference) != is_mated)):
            yield _at(
                table,
                row,
                f"the pair is said to be {said}, and its people are called "
                f"{names[probe[row]][:60]!r} and {names[reference[row]][:60]!r}",
            )


def _of_answers(table: Table) -> Iterator[Fault]:
    """Cells of one line that do not go together."""
    has_score = ~np.isnan(table.numbers("score"))
    failed = rows_where(table, "error", bool)
    acquired = rows_where(table, "acquired", lambda word: YES_NO.get(word.lower()) == 1)
    refused = rows_where(table, "acquired", lambda word: YES_NO.get(word.lower()) == 0)
    answered = has_score | acquired | rows_where(table, "decision", bool)
    yield from _each(table, failed & answered, "there is an error, and an answer as well")
    yield from _each(table, refused & has_score, "it is not acquired, and has a score")
    yield from _each(table, table.numbers("elapsed_s") < 0, "elapsed_s is below 0")


def of_pairs(table: Table) -> Iterator[Fault]:
    """What is wrong between lines."""
    names, contender = table.words("contender")
    if len(names) > MOST:
        yield 1, f"there are {len(names):,} contenders, and at most {MOST} can be compared"
        return
    yield from _of_contenders(table, names, contender)
    for at, name in enumerate(names):
        yield from _of_one(table, name, contender == at)
    yield from _of_one_pair(table)
    for column in group_columns(table.header):
        yield from _of_groups(table, column)


def _of_contenders(table: Table, names: list[str], contender: NDArray[np.int64]) -> Iterator[Fault]:
    """Pairs that are there twice, or not for all contenders."""
    pairs, pair = table.words("pair")
    keys, first, place = np.unique(
        contender * len(pairs) + pair, return_index=True, return_inverse=True
    )
    for at in np.flatnonzero(first[place] != np.arange(len(pair))):
        yield _at(
            table,
            at,
            f"the pair {pairs[pair[at]][:60]!r} of {names[contender[at]][:60]!r} is there twice: "
            f"it is in line {table.lines[first[place[at]]]}",
        )
    begins = _firsts(pair)
    for who, name in enumerate(names):
        is_missing = np.ones(len(pairs), bool)
        is_missing[keys[keys // len(pairs) == who] % len(pairs)] = False
        for which in np.flatnonzero(is_missing):
            yield _at(
                table,
                begins[which],
                f"the pair {pairs[which][:60]!r} has no line for {name[:60]!r}; all contenders "
                "need the same pairs",
            )


def _of_one(table: Table, name: str, mine: NDArray[np.bool_]) -> Iterator[Fault]:
    """Two things that are told of one contender, where there is one."""
    for column in TOLD:
        words, places = table.words(column)
        told = np.flatnonzero(mine & rows_where(table, column, bool))
        for row in told[places[told] != places[told[:1]]]:
            yield _at(
                table,
                row,
                f"{column} of {name[:60]!r} is {words[places[row]][:40]!r}, and "
                f"{words[places[told[0]]][:40]!r} in line {table.lines[told[0]]}",
            )
    priced = mine & rows_where(table, "price", bool)
    in_currency = mine & rows_where(table, "currency", bool)
    if priced.any() != in_currency.any():
        row = np.argmax(priced | in_currency)
        yield _at(table, row, f"{name[:60]!r} has a price or a currency, and needs both")


def _of_one_pair(table: Table) -> Iterator[Fault]:
    """Pairs that are not of the same people for every contender."""
    pairs, pair = table.words("pair")
    first = _firsts(pair)[pair]
    differs = np.zeros(len(pair), bool)
    for name in SUBJECTS:
        _, places = table.words(name)
        differs |= places != places[first]
    for at in np.flatnonzero(differs):
        yield _at(
            table,
            at,
            f"the pair {pairs[pair[at]][:60]!r} shows other people than in line "
            f"{table.lines[first[at]]}",
        )


def _of_groups(table: Table, column: str) -> Iterator[Fault]:
    words, subjects, groups, rows = told_groups(table, column)
    if not len(subjects):
        return
    _, first, place = np.unique(subjects, return_index=True, return_inverse=True)
    clash = groups != groups[first][place]
    names = table.words("probe_subject")[0]
    for at in np.flatnonzero(clash):
        yield _at(
            table,
            rows[at],
            f"{names[subjects[at]][:60]!r} is in the group {words[groups[at]][:60]!r} of {column}, "
            f"and above in {words[groups[first[place[at]]]][:60]!r}",
        )


def kind_of(column: str) -> str:
    """What a column of words holds: columns of people share theirs, and those of one group."""
    if column in SUBJECTS:
        return SUBJECTS[0]
    group = _group(column)
    return GROUP + group if group else column


def group_columns(header: list[str]) -> list[str]:
    """Names of groups, each once, in the order of the header."""
    return [*dict.fromkeys(column for name in header if (column := _group(name)))]


def told_groups(
    table: Table, column: str
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Words of the groups; then whom the file tells to be in which, and on which row, in order."""
    words: list[str] = [""]
    found = []
    for name, sides in (
        (GROUP, SUBJECTS),
        (PROBE_GROUP, SUBJECTS[:1]),
        (REFERENCE_GROUP, SUBJECTS[1:]),
    ):
        if name + column in table:
            words, groups = table.words(name + column)
            found += [(table.words(side)[1], groups) for side in sides]
    subjects = np.concatenate([subject for subject, _ in found])
    groups = np.concatenate([group for _, group in found])
    rows = np.tile(np.arange(len(table)), len(found))
    told = np.flatnonzero(np.array([bool(word) for word in words])[groups])
    told = told[np.argsort(rows[told], kind="stable")]
    return words, subjects[told], groups[told], rows[told]


def _group(name: str) -> str:
    for prefix in (PROBE_GROUP, REFERENCE_GROUP, GROUP):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return ""


def _firsts(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each place."""
    first = np.zeros(int(places.max()) + 1, np.int64)
    first[places[::-1]] = np.arange(len(places))[::-1]
    return first


def rows_where(table: Table, column: str, holds: Callable[[str], Any]) -> NDArray[np.bool_]:
    """bool, (N,): where `holds` is true of the word of a column, asked once for each word."""
    words, places = table.words(column)
    return np.array([bool(holds(word)) for word in words], np.bool_)[places]


def _each(table: Table, rows: NDArray[np.bool_], text: str) -> Iterator[Fault]:
    for at in np.flatnonzero(rows):
        yield _at(table, at, text)


def _at(table: Table, row: Any, text: str) -> Fault:
    return int(table.lines[row]), text
