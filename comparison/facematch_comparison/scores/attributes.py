"""What columns say once for many lines: attributes of a system, and groups of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.errors import InvalidRequest

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP, Answers, Grouping
from .cells import TEXT, common_words, first_rows, numbers_of, word_at
from .columns import FIELDS, group_column
from .lines import MINUS_DISTANCE, names_of_people, words_in
from .source_table import Problem, SourceTable, problems_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source_table import Ints


@attrs.frozen
class SystemAttributes:
    """The attributes of each system, by field, and the lines that contradict them."""

    of_systems: list[dict[str, Any]]
    problems: list[Problem]


@attrs.frozen
class Groupings:
    """Groupings by name, and a problem for each person in two groups of a grouping."""

    by_name: dict[str, Grouping]
    problems: list[Problem]


@attrs.frozen
class FirstValues:
    """The first row that states a value for each key, and the rows that state another one."""

    first_row: Ints
    contradicting_rows: Ints


def first_values(keys: Ints, values: Ints, count: int) -> FirstValues:
    """Find the first value of each of `count` keys; a value below 0 states nothing."""
    is_stated = values >= 0
    stated = None if is_stated.all() else np.flatnonzero(is_stated)
    first_row_of_key = first_rows(keys, stated, size=count)
    # Not for each key: without rows, no key has a first one.
    first_of_row = values[first_row_of_key[keys]]
    return FirstValues(first_row_of_key, np.flatnonzero(is_stated & (values != first_of_row)))


def system_attributes(file: SourceTable, lines: pd.DataFrame) -> SystemAttributes:
    """Read the rule, threshold, price and so on of each system."""
    systems = words_in(lines, "system")
    attributes: list[dict[str, Any]] = [{} for _ in systems.categories]
    problems: list[Problem] = []
    for field in file.column_of:
        if field not in FIELDS or FIELDS[field].describes != "system":
            continue
        is_number = FIELDS[field].is_number
        if is_number:  # 5 and 5.0 are equal
            codes, distinct = pd.factorize(lines[field].to_numpy())
            values = pd.Categorical.from_codes(codes, distinct)
        else:
            values = words_in(lines, field)
        stated = first_values(systems.codes, values.codes, len(attributes))
        for of_system, row in zip(attributes, stated.first_row, strict=True):
            if row >= 0:
                word = word_at(values, row)
                value = float(word) if is_number else word
                of_system[field] = FIELDS[field].meanings.get(word.lower(), value)
        problems += _contradictions(file, systems, field, values, stated)
    for of_system in attributes if file.is_distance else ():
        of_system["scale"] = MINUS_DISTANCE
        if "threshold" in of_system:
            of_system["threshold"] *= -1
    return SystemAttributes(attributes, problems)


def _contradictions(
    file: SourceTable,
    systems: pd.Categorical,
    field: str,
    values: pd.Categorical,
    stated: FirstValues,
) -> Iterator[Problem]:
    def describe(row: int) -> str:
        first_row = stated.first_row[systems.codes[row]]
        return (
            f"{field} of {word_at(systems, row)[:60]!r} is {word_at(values, row)[:40]!r}, but "
            f"{word_at(values, first_row)[:40]!r} in {file.place_of(first_row)}"
        )

    return problems_at(stated.contradicting_rows, describe)


@attrs.frozen
class _GroupsOfPeople:
    """A column of groups, and the number of the person on each line whom it describes."""

    groups: pd.Series
    people: Ints


def groupings(file: SourceTable, lines: pd.DataFrame) -> Groupings:
    """Read the groups of people from all columns of groups."""
    probe = lines["person_1"].to_numpy()
    reference = lines["person_2"].to_numpy()
    people_of_prefix = {
        GROUP: [probe, reference],
        PROBE_GROUP: [probe],
        REFERENCE_GROUP: [reference],
    }
    columns_of_grouping: dict[str, list[_GroupsOfPeople]] = {}
    for field in file.column_of:
        column = group_column(field)
        if column is not None:
            columns = columns_of_grouping.setdefault(column.grouping, [])
            for people in people_of_prefix[column.prefix]:
                columns.append(_GroupsOfPeople(lines[field], people))
    by_name: dict[str, Grouping] = {}
    problems: list[Problem] = []
    for name, columns in columns_of_grouping.items():
        by_name[name] = _grouping_of(file, lines, name, columns, problems)
    return Groupings(by_name, problems)


def _grouping_of(
    file: SourceTable,
    lines: pd.DataFrame,
    name: str,
    columns: Sequence[_GroupsOfPeople],
    problems: list[Problem],
) -> Grouping:
    """Return one grouping; add a problem for each person in two groups of it."""
    words = common_words([column.groups for column in columns], is_sorted=True)
    groups = list(map(str, words[0].categories))
    # An entry is the group of one person on one line; a line has one for each of `columns`. They
    # keep the order of lines, so that the first label of a person is on the earliest line.
    labels = np.stack([column.codes for column in words], axis=1).ravel()
    people = np.stack([column.people for column in columns], axis=1).ravel()
    labels = np.where(people < 0, -1, labels)  # a person without a name is another problem
    probe = lines["person_1"].to_numpy()
    reference = lines["person_2"].to_numpy()
    count = 1 + max(int(probe.max()), int(reference.max()))
    stated = first_values(people, labels, count)
    first_entry = stated.first_row
    group_of_person = np.where(first_entry < 0, -1, labels[first_entry])
    # Of each line, report the first contradiction.
    entry_of_line: dict[int, int] = {}
    for entry in stated.contradicting_rows.tolist():
        entry_of_line.setdefault(entry // len(columns), entry)

    names = names_of_people(file, lines)

    def describe(line: int) -> str:
        """Say which person on a line is in which group, and where it was in another one."""
        entry = entry_of_line[line]
        person = people[entry]
        person_name = str(names[person]) if person < len(names) else "somebody"
        is_same_line = first_entry[person] // len(columns) == line
        place = "on the same line" if is_same_line else "above"
        return (
            f"{person_name!r:.60} is in the group {groups[labels[entry]]!r:.60} of {name}, but "
            f"{place} in {groups[group_of_person[person]]!r:.60}"
        )

    problems += problems_at(sorted(entry_of_line), describe)
    return Grouping(
        labels=tuple(groups), probe=group_of_person[probe], reference=group_of_person[reference]
    )


def with_bands(
    answers: Sequence[Answers],
    bands: Mapping[str, Sequence[int]],
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Return the answers with groups that are numbers, such as ages, put into bands.

    The edges 18 and 30 make the bands ``<18``, ``18-29`` and ``30+``; bands without a person are
    left out. A person whose number is ``NA`` or another word for an empty cell is in no band.

    Args:
        bands: The edges of each column of groups, the lowest first.
        note: Called with a sentence on each column: its lowest and highest number.

    Raises:
        InvalidRequest: there is no such column; the edges do not rise; or a group is no number, or
            a number below 0 although no edge is.
    """
    banded = list(answers)
    for name, edges in bands.items():
        if not edges or sorted({*edges}) != [*edges]:
            raise InvalidRequest(f"The edges of {name[:60]!r} must rise, as 18, 30, 45, 60 do.")
        labels = [f"<{edges[0]}"]
        labels += [f"{low}-{high - 1}" for low, high in pairwise(edges)]
        for number, system in enumerate(banded):
            numbers = _numbers_of_groups(system, name, lowest=min(0, edges[0]))
            cuts = [-np.inf, *edges, np.inf]
            band_of = pd.cut(numbers, cuts, right=False, labels=[*labels, f"{edges[-1]}+"])
            columns = {}
            for column in (PROBE_GROUP + name, REFERENCE_GROUP + name):
                groups = system.frame[column].cat.codes
                columns[column] = band_of.remove_unused_categories().take(groups, allow_fill=True)
            banded[number] = attrs.evolve(system, frame=system.frame.assign(**columns))
        if note is not None:
            note(f"{name} is from {np.nanmin(numbers):g} to {np.nanmax(numbers):g}")
    return banded


def _numbers_of_groups(system: Answers, name: str, *, lowest: float) -> NDArray[np.float64]:
    """Return the number that each group is, NaN for an empty cell; raise if one is not."""
    if name not in system.groups:
        raise InvalidRequest(
            f"No groups are called {name[:60]!r} here; {suggest_name(name, system.groups)} To read "
            f"a column as groups, use {format_argument('columns', {f'group_{name}': name})}."
        )
    words = np.array(system.groups[name].labels, object)
    numbers = numbers_of(pd.Series(words, dtype=TEXT), decimal_commas=False)
    wrong = words[np.isinf(numbers) | (numbers < lowest)]
    if len(wrong):
        raise InvalidRequest(
            f"Groups of {name[:60]!r} are no numbers for bands, such as {str(wrong[0])[:40]!r}. If "
            "a number is unknown, leave the cell empty."
        )
    return numbers
