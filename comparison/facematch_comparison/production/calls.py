"""The rows of a call log as a table, and the ones that a question is about."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas import DataFrame, Series

from facematch_comparison.stats import Clusters, interval
from facematch_comparison.stats.rates import Bools, Ints
from facematch_comparison.values.model import Share
from facematch_core.call_log import LoggedCall
from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment, Operation

#: The decisions that are accepted without a review, by operation.
ACCEPTED: Final = {Operation.MATCH: "match", Operation.LIVENESS: "live"}
#: The decision that a person must look at.
REVIEW: Final = "review"
#: The columns of numbers.
_NUMBERS: Final = ("score", "threshold", "charges", "elapsed_s")
#: The columns that are read: each has a use, or identifies the rows.
_COLUMNS: Final = [field.name for field in attrs.fields(LoggedCall) if field.name != "own_call_id"]


@attrs.frozen(kw_only=True)
class Selection:
    """The part of a log that a question is about.

    Attributes:
        operation: ``match`` or ``liveness``.
        since, until: Only calls at or after, and before this time, or None.
    """

    operation: Operation = Operation.MATCH
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def table_of(parts: Iterable[Mapping[str, Sequence[Any]]]) -> DataFrame:
    """Return the parts of a log by columns as a table: times, numbers, and words as categories.

    Each distinct text is stored once, so a log of a million rows fits into memory. Categories are
    in order of first appearance: sorting all ids would take longer than the rest.
    """
    chunks: dict[str, list[NDArray[Any]]] = {name: [] for name in _COLUMNS}
    code_of: dict[str, dict[Any, int]] = {
        name: defaultdict(itertools.count().__next__, {None: -1}) for name in _COLUMNS
    }
    for part in parts:
        for name, arrays in chunks.items():
            if name in _NUMBERS:
                arrays.append(np.array(part[name], np.float64))
            else:
                arrays.append(np.fromiter(map(code_of[name].__getitem__, part[name]), np.int32))
    table: dict[str, Any] = {}
    for name, arrays in chunks.items():
        table[name] = np.concatenate([np.empty(0, np.int32), *arrays])
        distinct = pd.Index(list(code_of[name])[1:], dtype=object)
        if name == "at":
            table[name] = pd.to_datetime(distinct, utc=True).take(table[name])
        elif name not in _NUMBERS:
            table[name] = pd.Categorical.from_codes(table[name], distinct, validate=False)
    return DataFrame(table, copy=False)


def select(table: DataFrame, selection: Selection) -> DataFrame:
    """Return the selected rows; raise `InvalidRequest` if there are none."""
    rows = table["operation"] == selection.operation.value
    if selection.since is not None:
        rows &= table["at"] >= selection.since
    if selection.until is not None:
        rows &= table["at"] < selection.until
    selected = table if rows.all() else table[rows]
    if selected.empty:
        raise InvalidRequest(
            f"The log has no {selection.operation} call in this span of time: it has "
            f"{len(table):,} calls. See --operation, --since and --until."
        )
    return selected


def choose_system(systems: Series, named_system: str | None, option: str) -> str:
    """Return the system that an option names, or the only one there is.

    Raises:
        InvalidRequest: there are several and none is named, or there is no such system.
    """
    counts = count_values(systems)
    listed = ", ".join(f"{name} ({count:,} calls)" for name, count in counts.items())
    if named_system is not None:
        if named_system not in counts:
            raise InvalidRequest(
                f"{option}: the log has no system {named_system[:60]!r}, but {listed}."
            )
        return named_system
    if not counts:
        raise InvalidRequest(
            "No selected call has a system: each ended with an error before a vendor was chosen."
        )
    if len(counts) > 1:
        raise InvalidRequest(f"The log has several systems: name one with {option}: {listed}.")
    return next(iter(counts))


def accepts(decisions: Series, operation: Operation, *, review_is_accepted: bool) -> Bools:
    """Return which decisions are accepted: bool, (N,)."""
    accepted = decisions == ACCEPTED[operation]
    if review_is_accepted:
        accepted |= decisions == REVIEW
    is_accepted: Bools = accepted.to_numpy(dtype=bool)
    return is_accepted


def people_of(table: DataFrame) -> Ints:
    """Return the number of each call's person, from 0; a call without a person has its own."""
    persons, names = pd.factorize(table["person"])
    is_unknown = persons < 0
    persons[is_unknown] = len(names) + np.arange(np.count_nonzero(is_unknown))
    numbers: Ints = persons.astype(np.int64)
    return numbers


def share_of(counted: Bools, persons: Ints, confidence: float) -> Share:
    """Return the share of calls that count, with an interval by person."""
    if not len(counted):
        return Share(count=0, of=0)
    _, numbers = np.unique(persons, return_inverse=True)
    ends = interval(counted, Clusters(numbers.astype(np.int64), None), confidence)
    return Share(count=int(np.count_nonzero(counted)), of=len(counted), interval=ends)


def count_values(values: Series) -> dict[str, int]:
    """Return how often each value occurs, the most frequent first; None is left out."""
    counts = values.dropna().value_counts()
    return {str(value): int(count) for value, count in counts.items() if count}


def digest_of(table: DataFrame) -> str:
    """Return the SHA-256 of the rows in any order, in hex: on which rows a report is based."""
    digest = hashlib.sha256()
    # Categories are in order of first appearance: as texts, they are sorted by what they say.
    words = table.astype({"call_id": object, "side": object})
    for name, values in words.sort_values(["at", "call_id", "side"]).items():
        cells = values.astype(np.int64) if name == "at" else values
        digest.update("\n".join([name, *map(str, cells.tolist())]).encode())
    return digest.hexdigest()


def count_practice(table: DataFrame) -> int:
    """Return how many answers came from a mock or a sandbox."""
    practice = (Environment.MOCK.value, Environment.SANDBOX.value)
    return int(table["environment"].isin(practice).sum())
