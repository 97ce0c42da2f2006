"""Read the answers in a run database for `evaluate`, without the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from facematch_comparison.scores.answers import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
)
from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .database import RunDatabase
from .pairs import PairOutcome, PairState
from .stored import StoredStudy, StoredSystem

#: Reason for a missing answer if the row has no error.
_REASONS: Final = {
    PairState.FREE: NOT_ASKED,
    PairState.BEGUN: NOT_ASKED,
    PairState.ASKED: "unresolved",
    PairState.UNRESOLVED: "unresolved",
    PairState.FAILED: "failed",
    PairState.NO_RESPONSE: "charged, no response",
}

_NOT_ASKED: Final = PairOutcome(state=PairState.FREE, billed=None)


def read_answers(
    database: RunDatabase, study: StoredStudy, *, models: Sequence[str] = ()
) -> list[Answers]:
    """Return the answers of each system in a test set, in insertion order.

    Args:
        models: Models whose answers count if a vendor changed its model during the run. Pairs
            answered by another model count as not asked.

    Raises:
        InvalidRequest: a system answered with several models, and `models` does not name one.
        ConfigurationError: the run database failed, or is damaged.
    """
    answers = []
    for system in database.systems(study.digest):
        rows = database.answers(system.number, study.pairs)
        counts = Counter(row.model for row in rows if row.model)
        chosen = [model for model in counts if model in models]
        if len(counts) > 1:
            if len(chosen) != 1:
                shown = join_names([f"{model!r} ({n:,} pairs)" for model, n in counts.items()])
                raise InvalidRequest(
                    f"The model of {system.name} changed during the run: {shown}. Choose the model "
                    "whose answers count, such as "
                    f"{argument('models', [next(iter(counts))])}."
                )
            rows = [row if row.model in (None, *chosen) else _NOT_ASKED for row in rows]
        answers.append(_of_rows(study, system, rows))
    return answers


def _of_rows(study: StoredStudy, system: StoredSystem, rows: Sequence[PairOutcome]) -> Answers:
    codes = [NO_DECISION if row.decision is None else DECISIONS.index(row.decision) for row in rows]
    without_faces = (NO_DECISION, DECISIONS.index(Decision.INCONCLUSIVE))
    models = {row.model for row in rows} - {None}
    reasons = [
        (row.error or _REASONS[row.state]) if row.state in _REASONS else None for row in rows
    ]
    return Answers.of(
        name=system.name,
        rule=ThresholdRule(system.settings["rule"]),
        scores=np.array([row.score for row in rows], np.float64),
        decisions=np.array(codes, dtype=np.int8),
        acquired=~np.isin(codes, without_faces),
        answered=np.array([row.state is PairState.ANSWERED for row in rows], dtype=np.bool_),
        errors=pd.Categorical(reasons, [*dict.fromkeys(filter(None, reasons))]),
        elapsed_s=np.array([row.elapsed_s for row in rows], np.float64),
        billed=np.array([BILLED.index(row.billed or Charged.NO) for row in rows], dtype=np.int8),
        **study.columns(),
        scale=system.scale,
        threshold=system.settings["threshold"],
        backend=system.settings["backend"],
        model=models.pop() if len(models) == 1 else None,
        environment=system.answered_from,
        price=None if system.price is None else float(system.price.amount),
        currency=None if system.price is None else system.price.currency,
        privacy=str(system.settings["privacy"]),
    )
