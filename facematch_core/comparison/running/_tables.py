"""The tables of a comparison, and rows of them as records. Imports SQLAlchemy.

They lie beside those of the store of calls, in one database or another, with a version of their
own: either part can be read without the other.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from facematch_core.models import CallRecord, Environment

from ._records import Left, Outcome, PairState, StoredContender, StoredStudy

#: Of these tables and of what is in them; a journal of another one is left alone.
VERSION: Final = 2

METADATA: Final = MetaData()

JOURNAL: Final = Table(
    "facematch_comparison_store", METADATA, Column("version", Integer, primary_key=True)
)

STUDIES: Final = Table(
    "facematch_studies",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("pairs", Integer, nullable=False),
    Column("made_at", String(40), nullable=False),
    Column("content", Text, nullable=False),
)

CONTENDERS: Final = Table(
    "facematch_contenders",
    METADATA,
    # Short, because each of its pairs carries it.
    Column("number", Integer, primary_key=True),
    Column("study", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("scale", Text),
    Column("answered_from", String(20)),
    Column("price", Text),
    Column("currency", String(3)),
    Column("made_at", String(40), nullable=False),
    UniqueConstraint("study", "name"),
)

#: One pair and contender per row, from the first start on: to claim one is to look for a free row,
#: however many there are.
COMPARISONS: Final = Table(
    "facematch_comparisons",
    METADATA,
    Column("contender", Integer, primary_key=True, autoincrement=False),
    Column("pair", Integer, primary_key=True, autoincrement=False),
    Column("state", String(10), nullable=False),
    Column("host", Text),
    Column("pid", Integer),
    Column("run", Text),
    Column("claim", String(32)),
    Column("attempt_id", String(64)),
    Column("attempt", Text),
    # Times are UTC and text that sorts: SQLite has no times with a zone.
    Column("started_at", String(40)),
    Column("ended_at", String(40)),
    Column("looked_at", String(40)),
    Column("elapsed_s", Double),
    Column("decision", String(20)),
    Column("score", Double),
    Column("scale", Text),
    Column("billed", String(20)),
    Column("environment", String(20)),
    Column("backend", Text),
    Column("model", Text),
    Column("error", Text),
    Index("facematch_comparisons_state", "contender", "state", "pair"),
)

#: What a row holds that nobody has claimed.
EMPTY: Final[dict[str, Any]] = dict.fromkeys(
    column.name
    for column in COMPARISONS.columns
    if column.name not in ("contender", "pair", "state")
)


def text_of(at: datetime) -> str:
    """A time, UTC, as it is stored."""
    return at.isoformat(timespec="microseconds")


def study_of(row: RowMapping) -> StoredStudy:
    """A row of `STUDIES` as a record."""
    return StoredStudy(
        digest=row["digest"],
        name=row["name"],
        pairs=row["pairs"],
        made_at=datetime.fromisoformat(row["made_at"]),
        content=json.loads(row["content"]),
    )


def contender_of(row: RowMapping) -> StoredContender:
    """A row of `CONTENDERS` as a record."""
    return StoredContender(
        number=row["number"],
        study=row["study"],
        name=row["name"],
        settings=json.loads(row["settings"]),
        scale=row["scale"],
        answered_from=row["answered_from"] and Environment(row["answered_from"]),
        price=row["price"] and Decimal(row["price"]),
        currency=row["currency"],
    )


def left_of(row: RowMapping, name: str) -> Left:
    """A row of `COMPARISONS` without an answer as a record."""
    return Left(
        contender=row["contender"],
        name=name,
        pair=row["pair"],
        state=PairState(row["state"]),
        attempt=row["attempt"] and CallRecord.from_dict(json.loads(row["attempt"])),
        error=row["error"],
        since=datetime.fromisoformat(row["started_at"]),
        looked_at=row["looked_at"] and datetime.fromisoformat(row["looked_at"]),
    )


def outcome_row(outcome: Outcome, at: datetime) -> dict[str, Any]:
    """What a pair ended in, as columns of `COMPARISONS`."""
    row = {
        "state": outcome.state.value,
        "ended_at": text_of(at),
        "elapsed_s": outcome.elapsed_s,
        "decision": outcome.decision and outcome.decision.value,
        "score": outcome.score,
        "scale": outcome.scale,
        "billed": outcome.billed.value,
        "environment": outcome.environment and outcome.environment.value,
        "backend": outcome.backend,
        "model": outcome.model,
        "error": outcome.error,
    }
    return EMPTY | {"state": PairState.FREE.value} if outcome.state is PairState.FREE else row
