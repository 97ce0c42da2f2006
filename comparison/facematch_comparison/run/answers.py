"""From the run database to answers, for `evaluate`: no picture is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from facematch_comparison.model import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    ScoreTable,
)
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .journal import RunDatabase
from .schema import AnswerRow, PairState, StoredStudy, StoredSystem


def read_answers(
    database: RunDatabase, study: StoredStudy, systems: Sequence[str] = ()
) -> list[Answers]:
    """What systems answered in a test set, for `evaluate`; no picture is needed.

    Two models are two systems: if a vendor changed its model during the run, the answers of the
    first are those of the system, and those of each other one of ``alpha (model v2)``. Each names
    the others in `other_models`, and was not asked about their pairs.

    Args:
        database: Where.
        study: As `RunDatabase.study` finds it.
        systems: Names; empty for all, in the order in which they came.

    Raises:
        ConfigurationError: the run database failed, or is damaged.
    """
    found: list[Answers] = []
    for one in database.systems(study.digest):
        if not systems or one.name in systems:
            found += _answers(study, one, database.answers(one.number, study.pairs))
    return found


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


def _answers(study: StoredStudy, system: StoredSystem, rows: Sequence[AnswerRow]) -> list[Answers]:
    """One for each model, the first first."""
    models = Counter(row.model for row in rows if row.state is PairState.ANSWERED and row.model)
    if len(models) < 2:
        return [_of_rows(study, system, system.name, rows)]
    # What names no model, a refused picture say, belongs to the one that answered before it.
    of_pair: dict[int, str | None] = {}
    current: str | None = None
    for row in sorted((one for one in rows if one.at), key=lambda one: str(one.at)):
        current = row.model or current
        of_pair[row.pair] = current
    first = next(model for model in of_pair.values() if model)
    found = []
    for model in dict.fromkeys((first, *models)):
        own = [_only(row, of_pair.get(row.pair) or first, model) for row in rows]
        name = system.name if model == first else f"{system.name} (model {model})"
        others = {other: count for other, count in models.items() if other != model}
        answers = _of_rows(study, system, name, own)
        found.append(attrs.evolve(answers, model=model, other_models=others))
    return found


#: What a row has of an answer.
_ANSWER: Final = ("decision", "score", "elapsed_s", "billed", "model", "error")


def _only(row: AnswerRow, of: str, model: str) -> AnswerRow:
    """A row as this model has it: not asked, where another one was."""
    if of == model or row.state in (PairState.FREE, PairState.BEGUN):
        return row
    nothing: dict[str, Any] = dict.fromkeys(_ANSWER)
    return attrs.evolve(row, state=PairState.FREE, **nothing)


def _of_rows(
    study: StoredStudy, system: StoredSystem, name: str, rows: Sequence[AnswerRow]
) -> Answers:
    answered = np.array([row.state is PairState.ANSWERED for row in rows], dtype=np.bool_)
    decisions = np.array(
        [
            NO_DECISION
            if row.state is not PairState.ANSWERED or row.decision is None
            else DECISIONS.index(row.decision)
            for row in rows
        ],
        dtype=np.int8,
    )
    without_faces = (NO_DECISION, DECISIONS.index(Decision.INCONCLUSIVE))
    table = ScoreTable(
        name=name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=np.array(
            [np.nan if row.score is None else row.score for row in rows], dtype=np.float64
        ),
        decisions=decisions,
        acquired=~np.isin(decisions, without_faces),
        answered=answered,
        scale=system.scale,
        threshold=system.settings["threshold"],
        groups=study.groups(),
        **study.columns(),
    )
    said = [row for row in rows if row.state is PairState.ANSWERED]
    found = {row.environment for row in said if row.environment}
    where = next((one for one in _FIRST if one in found), Environment.PRODUCTION)
    reasons = (row.error or _REASONS[row.state] for row in rows if row.state in _REASONS)
    return Answers(
        table=table,
        elapsed_s=np.array(
            [np.nan if row.elapsed_s is None else row.elapsed_s for row in rows], dtype=np.float64
        ),
        billed=np.array([BILLED.index(row.billed or Charged.NO) for row in rows], dtype=np.int8),
        not_answered=dict(Counter(reasons)),
        backend=_the_one(row.backend for row in said),
        model=_the_one(row.model for row in said),
        environment=where if found else None,
        price=None if system.price is None else float(system.price),
        currency=system.currency,
        privacy=str(system.settings["privacy"]),
    )


def _the_one(said: Any) -> str | None:
    values = {one for one in said if one}
    return values.pop() if len(values) == 1 else None
