"""What processes that are gone left behind, and what a budget knows of it. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import attrs
from sqlalchemy import select

from facematch_core.models import Charged
from facematch_core.store import Owner, State
from facematch_core.store.records import LEASE

from ._live import LIVE
from ._records import Claim, Left, Outcome, PairState
from ._tables import COMPARISONS, EMPTY, outcome_row, text_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

_ROW = COMPARISONS.c

#: As many parameters as any database takes in one statement, and fewer.
_SOME: Final = 500


@attrs.frozen(kw_only=True)
class Recovered:
    """What was found.

    Attributes:
        taken: Pairs for which nothing was sent, and which are this process's own by now.
        not_sent: Their calls, as far as they had come to one.
        unknown: How many pairs may have been sent.
    """

    taken: tuple[Claim, ...] = ()
    not_sent: tuple[str, ...] = ()
    unknown: int = 0


def recover(
    connection: Connection, contender: int, *, here: Owner, token: str, now: datetime
) -> Recovered:
    """Take over what was claimed by who is gone; what they had asked is unknown.

    What is taken over is not free yet: budgets are to be told of its calls first, and if this
    process ends before, the next one finds them again. Where it cannot be told whether a process is
    gone, time decides. Should it still be there, it finds its claim taken before it sends, and does
    not; an answer that comes is still taken.
    """
    begun = (
        COMPARISONS.select()
        .where(
            _ROW.contender == contender,
            _ROW.state.in_([PairState.CLAIMED.value, PairState.ASKED.value]),
        )
        # In one order, for everybody: else two of them could wait for each other.
        .order_by(_ROW.pair)
    )
    gone: dict[Owner, bool | None] = {}
    taken: list[Claim] = []
    not_sent: list[str] = []
    unknown = 0
    mine = {"host": here.host, "pid": here.pid, "run": here.run, "claim": token}
    for row in connection.execute(begun).mappings().all():
        owner = Owner(host=row["host"], pid=row["pid"], run=row["run"])
        if owner not in gone:
            gone[owner] = owner.is_gone()
        if not _is_abandoned(gone[owner], row, here, now):
            continue
        was_asked = row["state"] == PairState.ASKED.value
        as_read = (
            _ROW.contender == contender,
            _ROW.pair == row["pair"],
            _ROW.claim == row["claim"],
            _ROW.state == row["state"],
            # Whoever is gone now may have begun a call after the row was read.
            _ROW.attempt_id.is_not_distinct_from(row["attempt_id"]),
        )
        change = COMPARISONS.update().where(*as_read).values(_LEFT if was_asked else mine)
        if connection.execute(change).rowcount != 1:
            continue
        if was_asked:
            unknown += 1
            continue
        taken.append(Claim(contender=contender, pair=row["pair"], token=token))
        if row["attempt_id"] is not None:
            not_sent.append(row["attempt_id"])
    return Recovered(taken=tuple(taken), not_sent=tuple(not_sent), unknown=unknown)


_FREE: Final = {**EMPTY, "state": PairState.FREE.value}
_LEFT: Final = {"state": PairState.UNKNOWN.value, "billed": Charged.UNKNOWN.value}


def _is_abandoned(is_gone: bool | None, row: RowMapping, here: Owner, now: datetime) -> bool:
    if row["run"] == here.run:
        return row["claim"] not in LIVE
    if is_gone is not None:
        return is_gone
    return now - datetime.fromisoformat(row["started_at"]) > LEASE


def settled(
    connection: Connection, contender: int, attempt_id: str, billed: Charged, now: datetime
) -> bool:
    """Say of a pair without an answer whether it was charged; False if there is no such pair.

    One that was not charged may be asked again.
    """
    lost = {
        "state": PairState.LOST.value,
        "billed": Charged.YES.value,
        "ended_at": text_of(now),
    }
    this = COMPARISONS.update().where(
        _ROW.contender == contender,
        _ROW.state == PairState.UNKNOWN.value,
        _ROW.attempt_id == attempt_id,
    )
    values = _FREE if billed is Charged.NO else lost
    return connection.execute(this.values(values)).rowcount == 1


def told_by_budgets(connection: Connection, attempt_ids: Sequence[str]) -> dict[str, Charged]:
    """What the budgets of a database know of calls; one of which they know nothing is left out.

    A call of several tries was charged if one was, and was not if all of them were not; as long as
    one of them is open, nothing is known.
    """
    from sqlalchemy import inspect

    from facematch_core.store._steps import ATTEMPTS

    if not attempt_ids or not inspect(connection).has_table(ATTEMPTS.name):
        return {}
    tries: dict[str, list[tuple[str, str | None]]] = {}
    for some in _parts(attempt_ids):
        query = select(ATTEMPTS.c.attempt_id, ATTEMPTS.c.state, ATTEMPTS.c.billed)
        for one in connection.execute(query.where(ATTEMPTS.c.attempt_id.in_(some))):
            tries.setdefault(one.attempt_id, []).append((one.state, one.billed))
    return {
        attempt_id: together(
            Charged(billed) if state == State.FINAL and billed else Charged.UNKNOWN
            for state, billed in all_of
        )
        for attempt_id, all_of in tries.items()
    }


def together(told: Iterable[Charged]) -> Charged:
    """What several say of one call."""
    said = set(told)
    return next((word for word in (Charged.UNKNOWN, Charged.YES) if word in said), Charged.NO)


def _parts(items: Sequence[str]) -> Iterator[Iterable[str]]:
    for start in range(0, len(items), _SOME):
        yield items[start : start + _SOME]


def found(
    connection: Connection, contender: int, pair: int, outcome: Outcome, now: datetime
) -> bool:
    """Write an answer that a look at the vendor's records brought; False if it is not needed."""
    this = COMPARISONS.update().where(
        _ROW.contender == contender,
        _ROW.pair == pair,
        _ROW.attempt_id == outcome.attempt_id,
        _ROW.state.in_([PairState.UNKNOWN.value, PairState.LOST.value]),
    )
    return connection.execute(this.values(outcome_row(outcome, now))).rowcount == 1


def looked(connection: Connection, left: Left, now: datetime) -> None:
    """Note that a call was looked for in vain."""
    this = COMPARISONS.update().where(
        _ROW.contender == left.contender,
        _ROW.pair == left.pair,
        _ROW.attempt_id == (left.attempt and left.attempt.id),
    )
    connection.execute(this.values(looked_at=text_of(now)))
