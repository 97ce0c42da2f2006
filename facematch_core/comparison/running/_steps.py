"""Each step of one pair, as statements in one transaction. Imports SQLAlchemy.

A row changes only by the claim that has it, and from the state in which that left it: what somebody
else has taken over meanwhile is theirs, be it another thread of this process. Statements are made
once, which is half of the time of a step.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, Update, and_, bindparam, or_, select

from facematch_core.store import Owner

from ._records import Claim, Outcome, PairState
from ._tables import COMPARISONS, EMPTY, outcome_row, text_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROW = COMPARISONS.c

_FREE: Final = {**EMPTY, "state": PairState.FREE.value}


def claim(
    connection: Connection,
    contender: int,
    *,
    count: int,
    first: int,
    owner: Owner,
    token: str,
    at: datetime,
) -> list[Claim]:
    """Take up to so many free pairs from `first` on; none if there is none."""
    given = {"of_contender": contender, "first": first, "count": count}
    pairs: list[int] = list(connection.execute(_free(), given).scalars())
    taken = {
        **EMPTY,
        "state": PairState.CLAIMED.value,
        "host": owner.host,
        "pid": owner.pid,
        "run": owner.run,
        "claim": token,
        "started_at": text_of(at),
    }
    if pairs:
        these = [{"of_contender": contender, "of_pair": pair, **taken} for pair in pairs]
        connection.execute(_taking(tuple(taken)), these)
    return [Claim(contender=contender, pair=pair, token=token) for pair in pairs]


def move(connection: Connection, mine: Claim, *, out_of: PairState, **values: Any) -> bool:
    """Change a row that is still as this process left it; False if it is not."""
    given = {**_this(mine), "out_of": out_of.value, **values}
    return connection.execute(_moving(tuple(values)), given).rowcount == 1


def end(connection: Connection, mine: Claim, outcome: Outcome, at: datetime) -> bool:
    """Write what a pair ended in; False if the row is somebody else's by now.

    An answer that comes after its call was given up still counts: the row has its id. Written a
    second time, because nothing told of the first, it is there already.
    """
    values = outcome_row(outcome, at)
    given = {**_this(mine), "of_attempt": outcome.attempt_id, **values}
    is_answer = outcome.state is PairState.ANSWERED
    if connection.execute(_ending(tuple(values), is_answer), given).rowcount == 1:
        return True
    there = {**_this(mine), "of_attempt": outcome.attempt_id, "ended_in": outcome.state.value}
    return connection.execute(_ended(), there).first() is not None


def release(connection: Connection, claims: Iterable[Claim], *, held_back: bool) -> int:
    """Give back what was claimed and not asked; how many there were.

    Args:
        held_back: That of a call that was about to be made and was not, too: it may be noted as
            asked.
    """
    states = (PairState.CLAIMED, PairState.ASKED) if held_back else (PairState.CLAIMED,)
    return sum(
        any(move(connection, one, out_of=state, **_FREE) for state in states) for one in claims
    )


def release_failed(connection: Connection, contender: int, before: datetime) -> int:
    """What failed up to a time, and was certainly not charged, may be asked again."""
    these = COMPARISONS.update().where(
        _ROW.contender == contender,
        _ROW.state == PairState.FAILED.value,
        _ROW.ended_at <= text_of(before),
    )
    return connection.execute(these.values(_FREE)).rowcount


def _this(mine: Claim) -> dict[str, Any]:
    return {"of_contender": mine.contender, "of_pair": mine.pair, "of_claim": mine.token}


_PLACE: Final[tuple[ColumnElement[bool], ...]] = (
    _ROW.contender == bindparam("of_contender"),
    _ROW.pair == bindparam("of_pair"),
)


@functools.cache
def _free() -> Select[Any]:
    return (
        select(_ROW.pair)
        .where(
            _ROW.contender == bindparam("of_contender"),
            _ROW.state == PairState.FREE.value,
            _ROW.pair >= bindparam("first"),
        )
        .order_by(_ROW.pair)
        .limit(bindparam("count"))
        # Two processes on PostgreSQL take different rows, and neither waits for the other.
        .with_for_update(skip_locked=True)
    )


def _changing(columns: tuple[str, ...], *conditions: ColumnElement[bool]) -> Update:
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return COMPARISONS.update().where(*_PLACE, *conditions).values(values)


@functools.cache
def _taking(columns: tuple[str, ...]) -> Update:
    return _changing(columns)


@functools.cache
def _moving(columns: tuple[str, ...]) -> Update:
    mine = _ROW.claim == bindparam("of_claim")
    return _changing(columns, mine, _ROW.state == bindparam("out_of"))


@functools.cache
def _ending(columns: tuple[str, ...], is_answer: bool) -> Update:
    begun = _ROW.state.in_([PairState.CLAIMED.value, PairState.ASKED.value])
    mine = and_(_ROW.claim == bindparam("of_claim"), begun)
    # A charge that a budget told of may be known before the answer is.
    given_up = [PairState.UNKNOWN.value, *([PairState.LOST.value] if is_answer else ())]
    late = and_(_ROW.attempt_id == bindparam("of_attempt"), _ROW.state.in_(given_up))
    return _changing(columns, or_(mine, late))


@functools.cache
def _ended() -> Select[Any]:
    return select(_ROW.pair).where(
        *_PLACE,
        _ROW.claim == bindparam("of_claim"),
        _ROW.attempt_id == bindparam("of_attempt"),
        _ROW.state == bindparam("ended_in"),
    )
