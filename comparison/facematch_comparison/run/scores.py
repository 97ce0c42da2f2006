"""From the run database to answers, for `evaluate`: no picture is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
import numpy as np

from facematch_comparison.answers import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    ScoreTable,
)
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .pairs import PairOutcome, PairState, RunDatabase
from .stored import StoredStudy, StoredSystem

#: Why a pair is not answered, where no error says why.
_REASONS: Final = {
    PairState.FREE: NOT_ASKED,
    PairState.BEGUN: NOT_ASKED,
    PairState.ASKED: "unresolved",
    PairState.UNRESOLVED: "unresolved",
    PairState.FAILED: "failed",
    PairState.NO_RESPONSE: "charged, no response",
}

#: Answers of these environments say nothing about a vendor: one of them speaks for all.
_FIRST: Final = (Environment.MOCK, Environment.SANDBOX, Environment.LOCAL)

_NOT_ASKED: Final = PairOutcome(state=PairState.FREE, billed=None)


def read_answers(database: RunDatabase, study: StoredStudy) -> list[Answers]:
    """What systems answered in a test set, in the order in which they came; no picture is needed.

    Two models are two systems: if a vendor changed its model during the run, the answers of the
    first are those of the system, and those of each other one of ``alpha (model v2)``. Each names
    the others in `other_models`, and was not asked about their pairs.

    Args:
        study: As `RunDatabase.study` finds it.

    Raises:
        ConfigurationError: the run database failed, or is damaged.
    """
    answers: list[Answers] = []
    for system in database.systems(study.digest):
        rows = database.answers(system.number, study.pairs)
        answers += _split_by_model(study, system, rows)
    return answers


def _split_by_model(
    study: StoredStudy, system: StoredSystem, rows: Sequence[PairOutcome]
) -> list[Answers]:
    """Answers of each model, those of the first one first."""
    models = Counter(row.model for row in rows if row.state is PairState.ANSWERED and row.model)
    if len(models) < 2:
        return [_of_rows(study, system, system.name, rows)]
    # What names no model, a refused picture say, belongs to the one that answered before it.
    of_pair: dict[int, str] = {}
    current = ""
    for _, pair in sorted((row.at, pair) for pair, row in enumerate(rows) if row.at):
        current = rows[pair].model or current
        of_pair[pair] = current
    first = next(model for model in of_pair.values() if model)
    split = []
    for model in dict.fromkeys((first, *models)):
        of_model = [
            row if (of_pair.get(pair) or first) == model else _NOT_ASKED
            for pair, row in enumerate(rows)
        ]
        name = system.name if model == first else f"{system.name} (model {model})"
        others = {other: count for other, count in models.items() if other != model}
        answers = _of_rows(study, system, name, of_model)
        split.append(attrs.evolve(answers, model=model, other_models=others))
    return split


def _of_rows(
    study: StoredStudy, system: StoredSystem, name: str, rows: Sequence[PairOutcome]
) -> Answers:
    replies = [row for row in rows if row.state is PairState.ANSWERED]
    answered = np.array([row.state is PairState.ANSWERED for row in rows], dtype=np.bool_)
    codes = [NO_DECISION if row.decision is None else DECISIONS.index(row.decision) for row in rows]
    decisions = np.where(answered, codes, NO_DECISION).astype(np.int8)
    without_faces = (NO_DECISION, DECISIONS.index(Decision.INCONCLUSIVE))
    table = ScoreTable(
        name=name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=_numbers(row.score for row in rows),
        decisions=decisions,
        acquired=~np.isin(decisions, without_faces),
        answered=answered,
        scale=system.scale,
        threshold=system.settings["threshold"],
        groups=study.groups(),
        **study.columns(),
    )
    environments = {row.environment for row in replies if row.environment}
    where = next((first for first in _FIRST if first in environments), Environment.PRODUCTION)
    reasons = (row.error or _REASONS[row.state] for row in rows if row.state in _REASONS)
    return Answers(
        table=table,
        elapsed_s=_numbers(row.elapsed_s for row in rows),
        billed=np.array([BILLED.index(row.billed or Charged.NO) for row in rows], dtype=np.int8),
        not_answered=dict(Counter(reasons)),
        backend=_common(row.backend for row in replies),
        model=_common(row.model for row in replies),
        environment=where if environments else None,
        price=None if system.price is None else float(system.price),
        currency=system.currency,
        privacy=str(system.settings["privacy"]),
    )


def _numbers(values: Iterable[float | None]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _common(texts: Iterable[str | None]) -> str | None:
    values = set(filter(None, texts))
    return values.pop() if len(values) == 1 else None
