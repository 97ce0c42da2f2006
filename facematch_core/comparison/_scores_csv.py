"""A file of scores: what contenders answered to pairs, judged without any vendor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facematch_core.models import Decision, Environment, ThresholdRule

from . import _scores_faults as faults
from ._answers import BILLED, Answers
from ._scores_columns import Table, read_columns
from ._scores_faults import NEEDED, TOLD, YES_NO
from ._scores_writing import write_scores
from .metrics import DECISIONS, NO_DECISION, Grouping, ScoreTable
from .study._faults import refuse
from .study._pairs_csv import SAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_scores", "write_scores"]

#: Columns of numbers.
NUMBERS: Final = ("score", "elapsed_s")


def read_scores(path: Path) -> list[Answers]:
    """Read a file of scores: CSV with a header, UTF-8, one line for each pair and contender.

    The columns ``contender``, ``pair`` (any name of the pair), ``same`` (1 or 0),
    ``probe_subject`` and ``reference_subject`` (any name or number for each person) must be there,
    and ``score`` (higher is more alike), ``decision`` (match, no_match, review or inconclusive), or
    both. A line stands for an answer: one without score and decision is a failure to acquire, and
    counts against a mated pair. All contenders have the same pairs, in any order.

    There may be: ``acquired`` (1 or 0; by default, whether there is a score, or a decision other
    than inconclusive); ``error`` (why there is no answer: such a pair counts in no rate);
    ``elapsed_s`` (seconds); ``billed`` (yes, no or unknown; by default yes if there is a price and
    an answer); groups, as `read_pairs_csv` takes them. And, the same on all lines of a contender
    or on some of them: ``rule`` (above or at_least, the default; vendor if that is not known),
    ``threshold`` (of the decisions), ``scale``, ``price`` and ``currency``, ``backend``, ``model``,
    ``environment``, ``privacy``. Other columns are passed by.

    Returns:
        Of each contender, in the order of the file; pairs in that of the first.

    Raises:
        InvalidRequest: it cannot be read, or something is wrong in it; every place is named.
    """
    table = read_columns(
        path,
        numbers=NUMBERS,
        kind=faults.kind_of,
        example=",".join((*NEEDED, "score")),
    )
    _refuse(path, faults.of_header(table.header))
    _refuse(path, [*table.faults, *faults.of_cells(table)])
    _refuse(path, faults.of_pairs(table))
    columns = _shared(table)
    names, contender = table.words("contender")
    _, pair = table.words("pair")
    rows = {name: np.flatnonzero(contender == at) for at, name in enumerate(names)}
    rows = {name: at[np.argsort(pair[at])] for name, at in rows.items()}
    return [_answers(table, name, at, columns) for name, at in rows.items()]


def _refuse(path: Path, found: Any) -> None:
    ordered = sorted(found, key=lambda fault: fault[0])
    refuse(path, (f"line {line}: {text}" for line, text in ordered), so="nothing was judged")


def _shared(table: Table) -> dict[str, Any]:
    """What all contenders have in common, row by row."""
    names, probe = table.words("probe_subject")
    _, reference = table.words("reference_subject")
    number = _numbered(names)
    return {
        "mated": faults.rows_where(table, "same", lambda word: SAME.get(word.lower(), False)),
        "probe_subjects": number[probe],
        "reference_subjects": number[reference],
        "groups": dict(_groupings(table, probe, reference)),
    }


def _numbered(names: list[str]) -> NDArray[np.int64]:
    """A number for each person: their own, if all are named by numbers, else by the alphabet."""
    if all(_is_number(name) for name in names):
        return np.array([int(name) for name in names], np.int64)
    place = {name: at for at, name in enumerate(sorted(names))}
    return np.array([place[name] for name in names], np.int64)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 19 and str(int(name)) == name


def _groupings(
    table: Table, probe: NDArray[np.int64], reference: NDArray[np.int64]
) -> Iterator[tuple[str, Grouping]]:
    for column in faults.group_columns(table.header):
        words, subjects, groups, _ = faults.told_groups(table, column)
        labels = sorted(filter(None, words))
        place = {label: at for at, label in enumerate(labels)}
        of_word = np.array([place.get(word, -1) for word in words], np.int64)
        of_subject = np.full(int(max(probe.max(), reference.max())) + 1, -1, np.int64)
        of_subject[subjects] = of_word[groups]
        both = {"probe": of_subject[probe], "reference": of_subject[reference]}
        yield column, Grouping(labels=tuple(labels), **both)


def _answers(table: Table, name: str, rows: NDArray[np.int64], shared: dict[str, Any]) -> Answers:
    told = {column: _constant(table, column, rows) for column in TOLD}
    scores = table.numbers("score")[rows]
    decisions = _decoded(table, "decision", rows, _DECISIONS, NO_DECISION)
    error_words, errors = table.words("error")
    answered = np.array([not word for word in error_words])[errors[rows]]
    given = _decoded(table, "acquired", rows, YES_NO, -1)
    is_there = ~np.isnan(scores) | ((decisions >= 0) & (decisions != _INCONCLUSIVE))
    price = told["price"]
    charged = np.where(answered & (price is not None), _PLACE["yes"], _PLACE["no"])
    billed = _decoded(table, "billed", rows, _PLACE, -1)
    reasons = Counter(error_words[at] for at in errors[rows][~answered])
    return Answers(
        table=ScoreTable(
            name=name,
            rule=ThresholdRule((told["rule"] or ThresholdRule.AT_LEAST).lower()),
            mated=shared["mated"][rows],
            scores=scores,
            decisions=decisions,
            acquired=np.where(given < 0, is_there, given > 0) & answered,
            answered=answered,
            probe_subjects=shared["probe_subjects"][rows],
            reference_subjects=shared["reference_subjects"][rows],
            groups={column: group.take(rows) for column, group in shared["groups"].items()},
            scale=told["scale"],
            threshold=_real(told["threshold"]),
        ),
        elapsed_s=table.numbers("elapsed_s")[rows],
        billed=np.where(billed < 0, charged, billed).astype(np.int8),
        not_answered=dict(reasons),
        backend=told["backend"],
        model=told["model"],
        environment=Environment(told["environment"].lower()) if told["environment"] else None,
        price=_real(price),
        currency=told["currency"],
        **({"privacy": told["privacy"]} if told["privacy"] else {}),
    )


_DECISIONS: Final = {decision.value: at for at, decision in enumerate(DECISIONS)}
_INCONCLUSIVE: Final = DECISIONS.index(Decision.INCONCLUSIVE)
_PLACE: Final = {billed.value: at for at, billed in enumerate(BILLED)}


def _decoded(
    table: Table, column: str, rows: NDArray[np.int64], meaning: Mapping[str, int], without: int
) -> NDArray[np.int8]:
    words, places = table.words(column)
    return np.array([meaning.get(word.lower(), without) for word in words], np.int8)[places[rows]]


def _constant(table: Table, column: str, rows: NDArray[np.int64]) -> str | None:
    words, places = table.words(column)
    told = rows[faults.rows_where(table, column, bool)[rows]]
    return words[places[told[0]]] if len(told) else None


def _real(text: str | None) -> float | None:
    return None if text is None else float(text)
