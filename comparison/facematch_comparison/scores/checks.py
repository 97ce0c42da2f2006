"""Find wrong cells of a score file, and lines that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from facematch_core.backend.kinds import argument

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP, Grouping
from .cells import Problem, Words, first_rows, in_common, problems_at
from .columns import COLUMNS, PEOPLE, TRUTH, group_of
from .lines import Lines, differing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Ints

#: Maximum count of distinct numbers that may each mean a missing score.
_MOST_MARKS: Final = 3


def problems_of_cells(lines: Lines) -> Iterator[Problem]:
    """Yield problems of the cells of a file, and of each of its lines by itself."""
    cells = lines.cells
    yield from cells.problems
    for column in lines.scores:
        yield from cells.no_numbers(column)
        if not lines.no_scores:
            yield from _marks(column, cells.numbers(column))
    for ours, column in lines.of.items():
        known = COLUMNS.get(ours)
        if known is None:
            continue
        if known.is_number:
            yield from cells.no_numbers(column)
            if ours != "threshold":
                yield Problem(f"{column} is below 0", np.flatnonzero(cells.numbers(column) < 0))
        if known.advice:
            yield from cells.words(column).problems(column, known.is_right, known.advice)
        if known.is_needed or ours in lines.people_by:
            yield Problem(f"{column} is empty", np.flatnonzero(~cells.words(column).filled))
    has_score = np.isfinite(lines.score)
    acquired = lines.meant("acquired", -1, np.int8)
    answered = has_score | (acquired == 1) | lines.words("decision").filled
    both = "there is an error, and an answer as well: a score, a decision or acquired"
    yield Problem(both, np.flatnonzero(lines.failed & answered))
    lost = "it is a failure to acquire, and has a score"
    yield Problem(lost, np.flatnonzero((acquired == 0) & has_score))
    yield from _problems_of_people(lines)


def _marks(column: str, numbers: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield numbers that seem to mean a missing score: far from all others, below 0, or all 9s."""
    ends = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    if ends[0] >= 0 and not any(re.fullmatch("99+", f"{end:g}") for end in ends):
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    marks = [
        value
        for value in values[(counts > 1) & (values % 1 == 0)].tolist()
        if value < 0 or re.fullmatch("99+", f"{value:.0f}")
    ]
    marks = marks if len(marks) <= _MOST_MARKS else [marks[0], marks[-1]]
    others = values[~np.isin(values, marks)]
    if not len(others):
        return
    low, high = others[0], others[-1]
    far = [
        mark
        for mark in marks
        if min(abs(mark - low), abs(mark - high)) > high - low or mark < 0 <= low
    ]
    if far:
        yield Problem(
            f"{column} is {' or '.join(f'{mark:g}' for mark in far)}, and all other scores lie "
            f"between {low:g} and {high:g}: if that means that there is no score, leave the cell "
            f"empty or give {argument('no_scores', [int(mark) for mark in far])}; if every number "
            "is a score, give nan instead",
            np.flatnonzero(np.isin(numbers, far)),
        )


def _problems_of_people(lines: Lines) -> Iterator[Problem]:
    """Yield problems of labels that contradict the people, and of pictures with themselves."""
    once = slice(len(lines.cells))
    for ours in {*TRUTH} & lines.of.keys():
        labels = lines.words(ours)
        if {"0", "-1"} <= {*labels.words}:
            rows = np.flatnonzero(labels.codes == labels.words.index("-1"))
            yield Problem(f"{lines.of[ours]} is -1, and 0 on other lines; write 1 or 0", rows)
        if len(lines.people_by) == 2:
            known = labels.map(dict.fromkeys(COLUMNS[ours].words, True), False, np.bool_)
            wrong = known & (lines.mated != np.equal(*lines.people))
            reason = "mated pairs make {} and {} one person"
            if lines.people_by == PEOPLE:
                reason = "its people are called {} and {}"
            yield from problems_at(
                np.flatnonzero(wrong[once]),
                lambda row, reason=reason: (
                    f"the pair is said to be {'mated' if lines.mated[row] else 'non-mated'}, and "
                    + reason.format(*(repr(side[row][:60]) for side in lines.names))
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
    pair_of, place, unit = lines.pair_of, lines.cells.place, lines.cells.unit or "line"
    yield from problems_at(
        again,
        lambda row, above: (
            f"the pair {pair_of(row)} of {lines.system[row][:60]!r} appears twice: it is in "
            f"{place(above)}; keep one of the two {unit}s"
        ),
        above,
    )
    again, above = differing(lines.first, lines.pairs, lines.mated, *lines.people)
    yield from problems_at(
        again,
        lambda row, above: f"the pair {pair_of(row)} shows other people than in {place(above)}",
        above,
    )
    if lines.pictures:
        ends = np.sort([side.codes[lines.first].astype(np.int64) for side in lines.pictures], 0)
        codes = pd.factorize(ends[0] * (1 + int(ends.max())) + ends[1])[0]
        again, above = (
            lines.first[rows] for rows in differing(first_rows(codes), codes, np.arange(len(codes)))
        )
        yield from problems_at(
            again,
            lambda _, above: f"the same two pictures as in {place(above)}, which is one pair",
            above,
        )


def facts_of(lines: Lines) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the facts of each system by column, and the lines that contradict them."""
    system = lines.system
    facts: list[dict[str, Any]] = [{} for _ in system.words]
    problems: list[Problem] = []
    for name, column in COLUMNS.items():
        if column.of != "system" or name not in lines.of:
            continue
        words = lines.words(name)
        if column.is_number:  # 5 and 5.0 are one
            codes, each = pd.factorize(lines.numbers(name))
            words = Words(codes, pa.array(each))
        first = first_rows(system.codes, np.flatnonzero(words.filled), size=len(facts))
        for fact, row in zip(facts, first, strict=True):
            if row >= 0:
                value = float(words[row]) if column.is_number else words[row]
                fact[name] = column.words.get(str(value).lower(), value)
        again, above = differing(first, system.codes, words.codes)
        is_filled = words.filled[again]
        problems += problems_at(
            again[is_filled],
            lambda row, above, name=name, words=words: (
                f"{name} of {system[row][:60]!r} is {words[row][:40]!r}, and {words[above][:40]!r} "
                f"in {lines.cells.place(above)}"
            ),
            above[is_filled],
        )
    return facts, problems


def groups_of(lines: Lines) -> tuple[dict[str, Grouping], list[Problem]]:
    """Return the groups of people by kind, and people with two groups of one kind."""
    sides = {GROUP: (0, 1), PROBE_GROUP: (0,), REFERENCE_GROUP: (1,)}
    kinds: dict[str, list[tuple[Words, Ints]]] = {}
    for column in lines.of:
        if parts := group_of(column):
            said = [(lines.words(column), lines.people[side]) for side in sides[parts[0]]]
            kinds.setdefault(parts[1], []).extend(said)
    groups: dict[str, Grouping] = {}
    problems: list[Problem] = []
    names = dict(enumerate(lines.person_names if kinds else ()))
    for kind, said in kinds.items():
        columns = in_common(*(words for words, _ in said), is_sorted=True)
        words = columns[0].words
        # All that one line says comes before what the next one says.
        labels = np.stack([each.codes for each in columns], axis=1).ravel()
        people = np.stack([people for _, people in said], axis=1).ravel()
        filled = np.flatnonzero(labels >= 0)
        first = first_rows(people, filled, size=1 + max(map(np.max, lines.people)))
        of_person = np.where(first < 0, -1, labels[first])
        wrong = filled[labels[filled] != of_person[people[filled]]]
        rows, at = np.unique(wrong // len(said), return_index=True)
        problems += problems_at(
            rows,
            lambda _, person, label, kind=kind, words=words, of_person=of_person: (
                f"{names.get(person, 'somebody')!r:.60} is in the group {words[label]!r:.60} of "
                f"{kind}, and above in {words[of_person[person]]!r:.60}"
            ),
            *(people[wrong[at]], labels[wrong[at]]),
        )
        probe, reference = (of_person[side] for side in lines.people)
        groups[kind] = Grouping(labels=(*words,), probe=probe, reference=reference)
    return groups, problems
