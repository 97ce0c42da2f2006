"""What columns say once for many lines: attributes of a system, and groups of a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP, Grouping
from .columns import FIELDS, group_column
from .raw_table import Categories, Problem, first_rows, problems_at, with_common_codes
from .score_table import MINUS_DISTANCE, ScoreTable

if TYPE_CHECKING:
    from .raw_table import Ints


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
    return FirstValues(
        first_row_of_key, np.flatnonzero(is_stated & (values != values[first_row_of_key][keys]))
    )


def system_attributes(table: ScoreTable) -> SystemAttributes:
    """Read the rule, threshold, price and so on of each system."""
    attributes: list[dict[str, Any]] = [{} for _ in table.systems.words]
    problems: list[Problem] = []
    for field, column in table.column_of.items():
        if field in FIELDS and FIELDS[field].describes == "system":
            values = table.categories(field)
            if FIELDS[field].is_number:  # 5 and 5.0 are equal
                codes, distinct = pd.factorize(table.raw.numbers(column))
                values = Categories(codes, pa.array(distinct))
            stated = first_values(table.systems.codes, values.codes, len(attributes))
            for of_system, row in zip(attributes, stated.first_row, strict=True):
                if row >= 0:
                    of_system[field] = _attribute(table, field, row)
            problems += _contradictions(table, field, values, stated)
    if table.is_distance:
        for of_system in attributes:
            of_system["scale"] = MINUS_DISTANCE
    return SystemAttributes(attributes, problems)


def _attribute(table: ScoreTable, field: str, row: int) -> Any:
    """Return what a cell states: a number, the meaning of a word, or the word."""
    value: Any
    if FIELDS[field].is_number:
        value = float(table.numbers(field)[row])
    else:
        value = table.categories(field)[row]
    return FIELDS[field].meanings.get(str(value).lower(), value)


def _contradictions(
    table: ScoreTable, field: str, values: Categories, stated: FirstValues
) -> Iterator[Problem]:
    systems = table.systems

    def describe(row: int) -> str:
        first_row = stated.first_row[systems.codes[row]]
        return (
            f"{field} of {systems[row][:60]!r} is {values[row][:40]!r}, but "
            f"{values[first_row][:40]!r} in {table.raw.place_of(first_row)}"
        )

    return problems_at(stated.contradicting_rows, describe)


@attrs.frozen
class _GroupsOfPeople:
    """A column of groups, and the number of the person on each line whom it describes."""

    groups: Categories
    people: Ints


def groupings(table: ScoreTable) -> Groupings:
    """Read the groups of people from all columns of groups."""
    probe, reference = table.people
    people_of_prefix = {
        GROUP: [probe, reference],
        PROBE_GROUP: [probe],
        REFERENCE_GROUP: [reference],
    }
    columns_of_grouping: dict[str, list[_GroupsOfPeople]] = {}
    for field in table.column_of:
        column = group_column(field)
        if column is not None:
            columns = columns_of_grouping.setdefault(column.grouping, [])
            for people in people_of_prefix[column.prefix]:
                columns.append(_GroupsOfPeople(table.categories(field), people))
    by_name: dict[str, Grouping] = {}
    problems: list[Problem] = []
    for name, columns in columns_of_grouping.items():
        by_name[name] = _grouping_of(table, name, columns, problems)
    return Groupings(by_name, problems)


def _grouping_of(
    table: ScoreTable, name: str, columns: Sequence[_GroupsOfPeople], problems: list[Problem]
) -> Grouping:
    """Return one grouping; add a problem for each person in two groups of it."""
    categories = with_common_codes([column.groups for column in columns], is_sorted=True)
    groups = categories[0].words
    # Keep the order of lines, so that the first label of a person is on the earliest line.
    labels = np.stack([column.codes for column in categories], axis=1).ravel()
    people = np.stack([column.people for column in columns], axis=1).ravel()
    probe, reference = table.people
    count = 1 + max(int(probe.max()), int(reference.max()))
    stated = first_values(people, labels, count)
    first_row = stated.first_row
    group_of_person = np.where(first_row < 0, -1, labels[first_row])
    # Of each line, report the first contradiction.
    entry_of_line: dict[int, int] = {}
    for entry in stated.contradicting_rows.tolist():
        entry_of_line.setdefault(entry // len(columns), entry)

    def describe(line: int) -> str:
        entry = entry_of_line[line]
        person = people[entry]
        person_name = table.named_people[0].words[person] if table.named_people else "somebody"
        is_same_line = first_row[person] // len(columns) == line
        place = "on the same line" if is_same_line else "above"
        return (
            f"{person_name!r:.60} is in the group {groups[labels[entry]]!r:.60} of {name}, but "
            f"{place} in {groups[group_of_person[person]]!r:.60}"
        )

    problems += problems_at(sorted(entry_of_line), describe)
    return Grouping(
        labels=tuple(groups), probe=group_of_person[probe], reference=group_of_person[reference]
    )
