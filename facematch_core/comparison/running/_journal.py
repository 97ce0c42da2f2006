"""`Journal`: what was asked and answered, in a database that processes and machines share."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from facematch_core._basics import Clock, SystemClock
from facematch_core.errors import ConfigurationError, InvalidRequest
from facematch_core.models import CallRecord, Charged, Environment
from facematch_core.store import Owner, SqlStore
from facematch_core.store.sql import Database

from ._live import LIVE
from ._records import (
    Claim,
    Left,
    Outcome,
    PairState,
    Standing,
    StoredContender,
    StoredStudy,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from ._recovering import Recovered

T = TypeVar("T")


@contextlib.contextmanager
def _new_token() -> Iterator[str]:
    """Of claims that are about to be made; live before anybody can see them."""
    token = uuid.uuid4().hex
    LIVE.add(token)
    try:
        yield token
    except BaseException:
        # If they were made all the same, nobody knows of them.
        LIVE.discard(token)
        raise


#: Any number that no two programs mean different things by: "facc" in ASCII.
_MAKING = 0x66616363


class Journal:
    """Remembers each pair and contender in SQLite or PostgreSQL, in tables that it makes.

    It may be the database of a store of calls. Safe across threads, processes and, with
    PostgreSQL, machines. What was written outlives ``kill -9``; a power cut may take the last
    moments of an SQLite file. No picture, no name of a file or of a person is written.

    Args:
        where: An address as SQLAlchemy reads it, or an engine; as `SqlStore` takes it.
        clock: Time, for tests.

    Raises:
        ConfigurationError: as `SqlStore`; by each method, if it cannot be read or written.
    """

    def __init__(self, where: str | Engine, *, clock: Clock | None = None) -> None:
        self._where = where
        self._database = Database(where)
        self._clock = clock or SystemClock()
        from ._tables import VERSION

        version = self._step("make", self._made)
        if version != VERSION:
            self.close()
            raise ConfigurationError(
                f"The comparisons of this store are of version {version}, and this facematch has "
                f"version {VERSION}: name another store, or use the facematch that made it."
            )

    # Studies and contenders

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """A study, entered now unless it is there; under the name that it was first given.

        Raises:
            InvalidRequest: another study has its name.
        """
        from ._registering import enter_study

        return self._step("enter", lambda file: enter_study(file, study))

    def enter_contender(self, study: StoredStudy, contender: StoredContender) -> StoredContender:
        """A contender with all its pairs, entered now unless it is there, and its number.

        Raises:
            InvalidRequest: it was asked with settings that change answers.
        """
        from ._registering import enter_contender

        now = self._clock.now()
        return self._step("enter", lambda file: enter_contender(file, study, contender, now))

    def studies(self) -> tuple[StoredStudy, ...]:
        """All studies, the oldest first."""
        from ._registering import studies

        return self._step("read", studies)

    def study(self, name: str | None = None) -> StoredStudy:
        """One study, by its name or its digest; None for the only one.

        Raises:
            InvalidRequest: there is none, or several and no name.
        """
        found = self.studies()
        chosen = [one for one in found if name in (None, one.name, one.digest)]
        if len(chosen) == 1:
            return chosen[0]
        there = ", ".join(one.name for one in found) or "none"
        what = "has several studies" if chosen else "has no such study"
        hint = " Name one (--study)." if found else ""
        raise InvalidRequest(f"This store {what}; there are: {there}.{hint}")

    def contenders(self, digest: str) -> tuple[StoredContender, ...]:
        """The contenders of a study, in the order in which they came."""
        from ._registering import listed

        return self._step("read", lambda file: listed(file, digest))

    def fix_origin(
        self, contender: int, scale: str | None, answered_from: Environment | None
    ) -> tuple[str | None, Environment | None]:
        """The scale and the origin of a contender's answers: those of the first, from now on."""
        from ._registering import fix_origin

        return self._step("origin", lambda file: fix_origin(file, contender, scale, answered_from))

    def tell_privacy(self, contender: int, text: str) -> None:
        """Note what became of the pictures, from now on, in place of what was noted before."""
        from ._registering import tell_privacy

        self._step("privacy", lambda file: tell_privacy(file, contender, text))

    # One pair

    def claim(self, contender: int, count: int = 1, *, first: int = 0) -> list[Claim]:
        """Take up to `count` free pairs from `first` on, for whoever has these claims alone.

        What is not ended or released is to be let go of: see `let_go`.
        """
        from ._steps import claim

        mine: dict[str, Any] = {"owner": Owner.here(), "at": self._clock.now()}
        with _new_token() as token:
            return self._step(
                "claim",
                lambda file: claim(file, contender, count=count, first=first, token=token, **mine),
            )

    def begin(self, claim: Claim, attempt: CallRecord) -> bool:
        """Note which call a claim became, before anything is set aside for it.

        Returns:
            False if the claim is somebody else's by now: it must not be asked.
        """
        told = {"attempt_id": attempt.id, "attempt": json.dumps(attempt.to_dict())}
        return self._move("begin", claim, PairState.CLAIMED, **told)

    def ask(self, claim: Claim) -> bool:
        """Note that the first byte is about to leave; False as for `begin`."""
        from ._tables import text_of

        told = {"state": PairState.ASKED.value, "started_at": text_of(self._clock.now())}
        return self._move("ask", claim, PairState.CLAIMED, **told)

    def hold(self, claim: Claim) -> bool:
        """Note that a try failed, was not charged, and is made again: nothing is under way."""
        return self._move("hold", claim, PairState.ASKED, state=PairState.CLAIMED.value)

    def end(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> list[bool]:
        """Write what pairs ended in; False for one that is somebody else's by now."""
        from ._steps import end

        now = self._clock.now()
        return self._step(
            "end", lambda file: [end(file, claim, outcome, now) for claim, outcome in outcomes]
        )

    def release(self, claims: Iterable[Claim], *, held_back: bool = False) -> int:
        """Give back what was claimed and not asked; how many there were.

        Args:
            claims: Which.
            held_back: Whether their calls were about to be made, and certainly were not.
        """
        from ._steps import release

        given = list(claims)
        if not given:
            return 0
        return self._step("release", lambda file: release(file, given, held_back=held_back))

    def let_go(self, claims: Iterable[Claim]) -> None:
        """Nothing more is done with these claims: what is not ended, the next search takes back."""
        LIVE.difference_update([one.token for one in claims])

    # What is left behind

    def recover(self, contender: int) -> Recovered:
        """Take over what processes that are gone had claimed; what they asked is unknown.

        So is what this process has let go of. Tell the budgets of it, then `release` it and let go.
        """
        from ._recovering import recover

        here, now = Owner.here(), self._clock.now()
        with _new_token() as token:
            return self._step(
                "recover",
                lambda file: recover(file, contender, here=here, token=token, now=now),
            )

    def release_failed(self, contender: int, before: datetime) -> int:
        """What failed before a time, and was certainly not charged, may be asked again."""
        from ._steps import release_failed

        return self._step("release", lambda file: release_failed(file, contender, before))

    def left(self, contender: StoredContender) -> tuple[Left, ...]:
        """Pairs without an answer that may have been charged, or were; in the study's order."""
        from ._tables import COMPARISONS, left_of

        query = (
            COMPARISONS.select()
            .where(
                COMPARISONS.c.contender == contender.number,
                COMPARISONS.c.state.in_([PairState.UNKNOWN.value, PairState.LOST.value]),
            )
            .order_by(COMPARISONS.c.pair)
        )
        rows = self._step("read", lambda file: file.execute(query).mappings().all())
        return tuple(left_of(row, contender.name) for row in rows)

    def settle(self, contender: int, attempt_id: str, billed: Charged) -> bool:
        """Say whether an unknown pair was charged, for good; False if it is not unknown.

        One that was not charged may be asked again.
        """
        from ._recovering import settled

        now = self._clock.now()
        return self._step("settle", lambda file: settled(file, contender, attempt_id, billed, now))

    def found(self, left: Left, outcome: Outcome) -> bool:
        """Write an answer that the vendor's records brought; False if it is there already."""
        from ._recovering import found

        now = self._clock.now()
        return self._step(
            "found", lambda file: found(file, left.contender, left.pair, outcome, now)
        )

    def looked(self, left: Left) -> None:
        """Note that a call was looked for in the vendor's records in vain."""
        from ._recovering import looked

        now = self._clock.now()
        self._step("looked", lambda file: looked(file, left, now))

    def told_by_budgets(self, attempt_ids: Sequence[str]) -> dict[str, Charged]:
        """What budgets in this database know of calls; those that they do not know are left out."""
        from ._recovering import told_by_budgets

        return self._step("read", lambda file: told_by_budgets(file, attempt_ids))

    def attempts(self) -> SqlStore | None:
        """The store of calls in this database, to be closed; None if there is none."""
        from sqlalchemy import inspect

        from facematch_core.store._steps import ATTEMPTS

        is_there = self._step("read", lambda file: inspect(file).has_table(ATTEMPTS.name))
        return SqlStore(self._where) if is_there else None

    # What there is

    def standing(self, contender: int) -> Standing:
        """How one contender stands."""
        from ._reading import standing_of

        return self._step("read", lambda file: standing_of(file, contender))

    def rows(self, contender: int) -> list[Any]:
        """State and answer of each pair, in the order of the study; see `_reading`."""
        from ._reading import rows_of

        return self._step("read", lambda file: rows_of(file, contender))

    def close(self) -> None:
        """Close its connections. May be called more than once, and used again."""
        self._database.close()

    def _move(self, name: str, claim: Claim, out_of: PairState, **values: Any) -> bool:
        from ._steps import move

        return self._step(name, lambda file: move(file, claim, out_of=out_of, **values))

    def _step(self, _name: str, step: Callable[[Connection], T]) -> T:
        """One transaction; the name says which, for tests that end a process there."""
        return self._database.run(step)

    def _made(self, connection: Connection) -> int:
        """The version of the tables, which are there afterwards."""
        from ._tables import JOURNAL, METADATA, VERSION

        if not self._database.is_sqlite:
            # Of several that start at once, one makes them.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MAKING})")
        JOURNAL.create(connection, checkfirst=True)
        version: int | None = connection.execute(JOURNAL.select()).scalars().first()
        if version is None:
            METADATA.create_all(connection)
            connection.execute(JOURNAL.insert().values(version=VERSION))
        return version or VERSION
