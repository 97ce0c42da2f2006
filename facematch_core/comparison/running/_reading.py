"""From the journal to answers: what contenders said of each pair, without a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import func, select

from facematch_core.comparison._answers import BILLED, NOT_ASKED, Answers
from facematch_core.comparison.metrics import DECISIONS, ScoreTable
from facematch_core.comparison.metrics._table import NO_DECISION
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from ._content import columns_of
from ._records import PairState, Standing, StoredContender, StoredStudy
from ._tables import COMPARISONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ._journal import Journal

_ROW = COMPARISONS.c

#: Why a pair is not answered, where no error tells.
UNKNOWN: Final = "unknown"
_REASONS: Final = {
    PairState.FREE: NOT_ASKED,
    PairState.CLAIMED: NOT_ASKED,
    PairState.ASKED: UNKNOWN,
    PairState.UNKNOWN: UNKNOWN,
    PairState.LOST: "charged without an answer",
}

#: Answers of these environments say nothing about a vendor: one of them speaks for all.
_FIRST: Final = (Environment.MOCK, Environment.SANDBOX, Environment.LOCAL)


def standing_of(connection: Connection, contender: int) -> Standing:
    """How one contender stands, counted by the database."""
    columns = (_ROW.state, _ROW.decision, _ROW.billed)
    query = select(*columns, func.count()).where(_ROW.contender == contender).group_by(*columns)
    states: Counter[PairState] = Counter()
    billed: Counter[str | None] = Counter()
    not_acquired = 0
    for state, decision, charge, count in connection.execute(query):
        states[PairState(state)] += count
        billed[charge] += count
        if state == PairState.ANSWERED and decision in (None, Decision.INCONCLUSIVE):
            not_acquired += count
    return Standing(
        states=dict(states),
        not_acquired=not_acquired,
        charged=billed[Charged.YES],
        maybe_charged=billed[Charged.UNKNOWN],
    )


def rows_of(connection: Connection, contender: int) -> list[Any]:
    """What `read_answers` reads of each pair, in the order of the study."""
    columns = (
        _ROW.state,
        _ROW.decision,
        _ROW.score,
        _ROW.elapsed_s,
        _ROW.billed,
        _ROW.environment,
        _ROW.backend,
        _ROW.model,
        _ROW.error,
    )
    query = select(*columns).where(_ROW.contender == contender).order_by(_ROW.pair)
    return list(connection.execute(query))


def read_answers(
    journal: Journal, study: StoredStudy, *, names: Sequence[str] | None = None
) -> list[Answers]:
    """What contenders answered in a study, for `evaluate`; no picture is needed.

    Args:
        journal: Where.
        study: As `Journal.study` finds it.
        names: Of contenders; None for all, in the order in which they came.
    """
    columns = columns_of(study)
    return [
        _answers(one, journal.rows(one.number), columns)
        for one in journal.contenders(study.digest)
        if names is None or one.name in names
    ]


def _answers(contender: StoredContender, rows: Sequence[Any], columns: dict[str, Any]) -> Answers:
    answered = [row for row in rows if row.state == PairState.ANSWERED]
    decisions = [_decision(row) for row in rows]
    inconclusive = DECISIONS.index(Decision.INCONCLUSIVE)
    table = ScoreTable(
        name=contender.name,
        rule=ThresholdRule(contender.settings["rule"]),
        scores=np.array(
            [np.nan if row.score is None else row.score for row in rows], dtype=np.float64
        ),
        decisions=np.array(decisions, dtype=np.int8),
        acquired=np.array([one not in (NO_DECISION, inconclusive) for one in decisions]),
        answered=np.array([row.state == PairState.ANSWERED for row in rows]),
        scale=contender.scale,
        threshold=contender.settings["threshold"],
        **columns,
    )
    reasons = Counter(_reason(row) for row in rows if row.state != PairState.ANSWERED)
    return Answers(
        table=table,
        elapsed_s=np.array(
            [np.nan if row.elapsed_s is None else row.elapsed_s for row in rows], dtype=np.float64
        ),
        billed=np.array(
            [BILLED.index(Charged(row.billed or Charged.NO)) for row in rows], dtype=np.int8
        ),
        not_answered=dict(reasons),
        backend=_one(row.backend for row in answered if row.backend),
        model=_one(row.model for row in answered if row.model),
        environment=_environment({row.environment for row in answered if row.environment}),
        price=None if contender.price is None else float(contender.price),
        currency=contender.currency,
        privacy=contender.settings["privacy"],
    )


def _decision(row: Any) -> int:
    if row.state != PairState.ANSWERED or row.decision is None:
        return NO_DECISION
    return DECISIONS.index(Decision(row.decision))


def _reason(row: Any) -> str:
    return row.error or _REASONS.get(PairState(row.state), UNKNOWN)


def _one(told: Any) -> str | None:
    """The one value; None if there are several or none."""
    values = set(told)
    return values.pop() if len(values) == 1 else None


def _environment(told: set[str]) -> Environment | None:
    if not told:
        return None
    found = {Environment(word) for word in told}
    return next((one for one in _FIRST if one in found), Environment.PRODUCTION)
