"""Studies and contenders in the journal: entered once, and the same ever after. SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import Integer, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from facematch_core.errors import InvalidRequest
from facematch_core.models import Environment

from ._records import PairState, StoredContender, StoredStudy
from ._tables import COMPARISONS, CONTENDERS, STUDIES, contender_of, study_of, text_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, RowMapping, Table


def enter_study(connection: Connection, study: StoredStudy) -> StoredStudy:
    """A study, entered now unless it is there; under the name that it was first given.

    Raises:
        InvalidRequest: another study has its name.
    """
    row = {
        "digest": study.digest,
        "name": study.name,
        "pairs": study.pairs,
        "made_at": text_of(study.made_at),
        "content": json.dumps(study.content, separators=(",", ":")),
    }
    _insert(connection, STUDIES, row)
    alike = or_(STUDIES.c.digest == study.digest, STUDIES.c.name == study.name)
    for found in connection.execute(STUDIES.select().where(alike)).mappings():
        if found["digest"] == study.digest:
            return study_of(found)
    raise InvalidRequest(
        f"This store has another study called {study.name[:60]!r}: its pictures, pairs or groups "
        "were others. Give this one a name of its own, or another store. Nothing was sent."
    )


def enter_contender(
    connection: Connection, study: StoredStudy, contender: StoredContender, at: datetime
) -> StoredContender:
    """A contender with all its pairs, entered now unless it is there.

    Its number is chosen here; a price that is given takes the place of an earlier one.

    Raises:
        InvalidRequest: it is there, and was asked with other settings.
    """
    row = {
        "study": study.digest,
        "name": contender.name,
        "settings": json.dumps(contender.settings, sort_keys=True),
        "made_at": text_of(at),
    }
    is_new = _insert(connection, CONTENDERS, row)
    this = (CONTENDERS.c.study == study.digest, CONTENDERS.c.name == contender.name)
    known = contender_of(_locked(connection, *this))
    if is_new:
        _enter_pairs(connection, known.number, study.pairs)
    _check_settings(known, contender.settings)
    changes: dict[str, Any] = {}
    if contender.price is not None:
        changes = {"price": str(contender.price), "currency": contender.currency}
    # What was kept once is kept, whatever later calls ask for.
    kept = known.settings["kept"] or contender.settings["kept"]
    if kept is not known.settings["kept"]:
        changes["settings"] = json.dumps({**known.settings, "kept": kept}, sort_keys=True)
    if changes:
        connection.execute(CONTENDERS.update().where(*this).values(changes))
    return attrs.evolve(
        known,
        settings={**known.settings, "kept": kept},
        price=known.price if contender.price is None else contender.price,
        currency=known.currency if contender.price is None else contender.currency,
    )


def fix_origin(
    connection: Connection, number: int, scale: str | None, answered_from: Environment | None
) -> tuple[str | None, Environment | None]:
    """The scale and the origin of a contender's answers: those of the first, from now on."""
    first = {
        "scale": scale,
        "answered_from": answered_from and answered_from.value,
    }
    for name, value in first.items():
        unset = CONTENDERS.update().where(
            CONTENDERS.c.number == number, CONTENDERS.c[name].is_(None)
        )
        connection.execute(unset.values({name: value}))
    this = CONTENDERS.select().where(CONTENDERS.c.number == number)
    known = contender_of(connection.execute(this).mappings().one())
    return known.scale, known.answered_from


def tell_privacy(connection: Connection, number: int, text: str) -> None:
    """Note what became of a contender's pictures."""
    this = CONTENDERS.c.number == number
    known = contender_of(_locked(connection, this))
    if known.settings["privacy"] != text:
        settings = json.dumps({**known.settings, "privacy": text}, sort_keys=True)
        connection.execute(CONTENDERS.update().where(this).values(settings=settings))


def _locked(connection: Connection, *this: ColumnElement[bool]) -> RowMapping:
    """A contender's row, which no other process changes before this step has ended."""
    return connection.execute(CONTENDERS.select().where(*this).with_for_update()).mappings().one()


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Whether it was not there: of several processes that enter one, one does."""
    dialect: Any = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name]
    statement = dialect.insert(table).values(row).on_conflict_do_nothing().inline()
    # Without these two an insertion does not tell how many rows there were.
    told = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(told.rowcount == 1)


def _enter_pairs(connection: Connection, contender: int, pairs: int) -> None:
    """All pairs, free: one statement, however many."""
    numbers = select(literal(0, Integer).label("pair")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.pair + 1).where(numbers.c.pair + 1 < pairs))
    rows = select(literal(contender, Integer), numbers.c.pair, literal(PairState.FREE.value))
    connection.execute(COMPARISONS.insert().from_select(["contender", "pair", "state"], rows))


#: Settings that change answers, and what they are called in a sentence. Prices and what is kept
#: may change between two starts.
_FIXED = {
    "backend": "backend",
    "environment": "environment",
    "threshold": "threshold",
    "rule": "threshold rule",
    "review_threshold": "review threshold",
}


def _check_settings(known: StoredContender, now: Mapping[str, Any]) -> None:
    for key, called in _FIXED.items():
        if known.settings[key] != now[key]:
            raise InvalidRequest(
                f"The contender {known.name[:60]!r} was asked with the {called} "
                f"{known.settings[key]} in this study, and is now set to {now[key]}: its answers "
                "would not belong together. Set it back, or run a profile of another name. Nothing "
                "was sent."
            )


def listed(connection: Connection, digest: str) -> tuple[StoredContender, ...]:
    """The contenders of a study, in the order in which they came."""
    query = CONTENDERS.select().where(CONTENDERS.c.study == digest).order_by(CONTENDERS.c.number)
    return tuple(map(contender_of, connection.execute(query).mappings()))


def studies(connection: Connection) -> tuple[StoredStudy, ...]:
    """All studies, the oldest first."""
    query = STUDIES.select().order_by(STUDIES.c.made_at, STUDIES.c.name)
    return tuple(map(study_of, connection.execute(query).mappings()))
