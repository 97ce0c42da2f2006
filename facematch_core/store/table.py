"""`StoreTable`: what the tables of checks and of sessions have in common."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import functools
import hashlib
import importlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, Self, TypeVar

import attrs

from facematch_core.base.deadline import Clock
from facematch_core.base.frames import clears_frames
from facematch_core.base.functions import check_case, check_text
from facematch_core.documents import written
from facematch_core.errors import InvalidRequest, VerdictChanged

from .decisions import Decidable, ReviewDecision, keep_fields, read_decisions
from .sql import open_database

if TYPE_CHECKING:
    from sqlalchemy import Engine

T = TypeVar("T")
Row = TypeVar("Row", bound=Any)

logger = logging.getLogger("facematch")


#: Number of rows that `StoreTable.begun_before` reads at once: some megabytes.
_BATCH: Final = 500
#: Seconds after its begin until which a person may decide about a verdict.
_DECIDABLE_S: Final = 30 * 86_400.0
#: What the digest of a verdict has of it and of its halves. The warning of an unreadable detail has
#: no tag, so that a release that reads it changes no digest.
_FACTS: Final = """
    state decision score value threshold review_threshold vendor_status is_refused compared_with
    name_agreement date_of_birth_agreement environment backend liveness match warnings tag
"""
#: What an export has of a row: no hash, link or id of staff, and nothing that a vendor may fill
#: with one.
_EXPORTED: Final = """
    id kind name begun_at planned_at used_at is_under_way is_unknown is_open record call liveness
    match result state decision decisions accept reason at backend profile operation environment
    subject_ref purpose about expects compared_with any_document retention threshold
    review_threshold liveness_threshold started_at session_id vendor_id expires_at score value scale
    warnings code severity advice vendor_status model created_at method probe_faces reference_faces
    box left top right bottom unit of_width of_height confidence rotation similarity compared
    quality luminance name_agreement date_of_birth_agreement is_refused
"""


class Use(enum.StrEnum):
    """What a `use` did. FIRST alone is true, so that ``if case.use():`` acts once.

    Example:
        >>> [bool(use) for use in Use]
        [True, False, False]
    """

    #: This call has used the case: act now.
    FIRST = "first"
    #: An earlier call has used what `about` names: act no more. With ``about=None`` it is NO.
    AGAIN = "again"
    #: Nothing may be used: `why_not` returns the reasons.
    NO = "no"

    def __bool__(self) -> bool:
        return self is Use.FIRST


@attrs.frozen(kw_only=True)
class Case:
    """A person and a matter: see `VerificationCase`."""

    subject_ref: str = attrs.field(repr=False)
    purpose: str = attrs.field(repr=False)
    about: str | None = attrs.field(repr=False)
    _store: Any = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        check_case(self.subject_ref, self.purpose, self.about)

    def _judge(self, table: Any, **terms: Any) -> Judged:
        """Judge the newest row of the case. Writes nothing."""
        raise NotImplementedError

    @clears_frames
    def decide(
        self, *, evidence: str, accept: bool, by: str, reason: str, connection: object = None
    ) -> ReviewDecision:
        """Store what a person decided about the verdict that `find` returned. Sends nothing.

        An accepted verdict counts in `use` as a pass while the vendor's own facts are the same; its
        age counts from the decision. A refusal is stored with all unused verdicts of the case, and
        stands whatever the vendor says later; it does not bind new pictures or a new session. Until
        the case is used, another decision may follow: the last one counts. The same call again
        returns its decision while it is the last.

        Check the login, the role and the origin of the form first: who may call it may pay.

        Args:
            evidence: `evidence` of what `find` returned for the page that the person saw.
            accept: Whether the verdict counts as a pass.
            by: Your own id of the person, from the login; not the person of the case.
            reason: The reason, for an auditor, without the names of others.
            connection: See `use`: your audit row and the payout may be in the same transaction.

        Raises:
            VerdictChanged: the page is stale: another decision, another verdict, newer pictures,
                used, closed or erased. Nothing was stored.
            InvalidRequest: an argument is blank or of another type, or `by` is the person.
        """
        table: StoreTable[Any] = self._store._table  # noqa: SLF001 - of both kinds of stores
        if connection is not None:
            table = table.on(connection)
        decision = ReviewDecision(
            accept=accept,
            by=by,
            reason=reason,
            at=dt.datetime.fromtimestamp(table.now(), dt.UTC),
            evidence=evidence,
        )
        if by.strip() == self.subject_ref.strip():
            raise InvalidRequest("by is the person of the case: nobody decides their own.")
        for _ in range(5):  # workers may be storing readings of the same verdict
            row = table.find_newest(self)
            if row is None:
                break
            found = table.as_stored(row)
            for last in found.decisions[-1:]:
                if attrs.evolve(last, at=decision.at) == decision:
                    return last
            if found.evidence != evidence:
                break
            if table.in_transaction(table.append, self, row, decision):
                logger.info("%s %s: accept=%s by %s", table.label, row.id, accept, by)
                return decision
        raise VerdictChanged(
            "The verdict is not the one that the page showed, or was decided, used, closed or "
            "erased meanwhile. Nothing was stored: show the page again."
        )


def key_of(case: Case) -> str:
    """Return the hash by which the rows of a case are found."""
    return hash_of(case.subject_ref, case.purpose, case.about)


def hash_of(*values: object) -> str:
    """Return the SHA-256 of some JSON values and dates as hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()


class StoreTable(Generic[Row]):
    """A table of rows, each of a case and used once.

    Attributes:
        clock: The clock of the verifier, or of the sessions.
        database: The database.
        rows: The module of the table.
        columns: The columns of the table, for conditions.
    """

    #: What messages call the database.
    label: ClassVar[str]
    #: The module `rows`, which is imported here, because SQLAlchemy is an optional dependency.
    rows_module: ClassVar[str]

    def __init__(self, where: str | Engine, clock: Clock) -> None:
        self.clock = clock
        self._has_machines_clock = abs(clock.monotonic() - time.monotonic()) < 1.0
        self.database = open_database(where, label=self.label)
        self._run: Callable[..., Any] = self.database.run
        self.rows: Any = importlib.import_module(self.rows_module)
        self.columns = self.rows.TABLE.c
        self.database.check_version(self.in_transaction(self.rows.make_tables), self.rows.VERSION)

    def in_transaction(
        self,
        transaction: Callable[..., T],
        *args: object,
        undo: Callable[[Any], object] | None = None,
        **options: object,
    ) -> T:
        """Run a function of `rows` in a transaction, and return what it returns.

        If the transaction fails, but may have been committed, `undo` runs in the next one.
        """
        result: T = self._run(functools.partial(transaction, **options), *args, undo=undo)
        return result

    def lock(self, connection: Any, condition: Any) -> bool:
        """Wait for other writers of the rows that meet a condition, and lock these, by their ids.

        Return False in SQLite, which locks nothing: it has one writer, and a reader that becomes
        one may fail.
        """
        if self.database.engine.dialect.name != "postgresql":
            return False
        query = self.rows.TABLE.select().where(condition).order_by(self.columns.id)
        list(connection.execute(query.with_for_update()).mappings())
        return True

    def on(self, connection: object) -> Self:
        """Return this table, with the caller's transaction in place of its own ones."""
        from .callers import CallersTransaction

        transaction = CallersTransaction(connection, self.database.engine.dialect.name)
        table = copy.copy(self)
        table._run = transaction.run  # noqa: SLF001 - of this class
        return table

    def update(self, *conditions: object, **values: Any) -> list[Row]:
        """Change the rows that meet all conditions; return the changed rows."""
        return self.in_transaction(self.rows.update, *conditions, **values)

    def change(self, *conditions: object, **values: object) -> int:
        """Change the rows that meet all conditions, and read none; return their number."""
        statement = self.rows.TABLE.update().where(*conditions).values(values)
        return self.in_transaction(lambda connection: int(connection.execute(statement).rowcount))

    def find(self, *conditions: object, **options: object) -> list[Row]:
        """Return the rows that meet all conditions, the newest first: see `StoredRows.find`."""
        find = functools.partial(self.rows.find, **options)
        rows: list[Row] = self._run(find, *conditions, only_reads=True)
        return rows

    def find_newest(self, case: Case) -> Row | None:
        """Return the row that `use` judges: the newest, or the one with which a matter was used.

        The newest check is the one whose verdict was returned last.
        """
        of_case = self.columns.case_key == key_of(case)
        return next(iter(self.find(of_case, order=self._order_of(case), limit=1)), None)

    def _order_of(self, case: Case) -> tuple[Any, ...]:
        """Return the order in which the used row of a matter comes first."""
        return () if case.about is None else (self.columns.used_at.is_(None),)

    def as_stored(self, row: Row) -> Decidable:
        """Return a row as the caller sees it."""
        raise NotImplementedError

    def accepted(self, result: Any) -> Any:
        """Return a verdict as a person's yes makes it; the same if nobody may accept it."""
        raise NotImplementedError

    def why_not(self, row: Row, result: Any, accepted_s: float | None) -> list[str]:
        """Return why a verdict, accepted some seconds ago or never, does not count for its case."""
        raise NotImplementedError

    def reasons(self, row: Row, result: Any, why_not: Callable[..., list[str]]) -> list[str]:
        """Return why a verdict of a row does not count, with the decisions about the row.

        A refusal stands, whatever the vendor says later. An acceptance counts for the facts that
        the person saw, and for no others. `why_not` takes a verdict, and the seconds since its
        acceptance.
        """
        reasons = why_not(result, None)
        decisions = read_decisions(row.decisions)
        if not decisions:
            return reasons
        last = decisions[-1]
        if not last.accept:
            return ["a person refused it", *reasons]
        if last.evidence == _digest(row, result, decisions[:-1]):
            return why_not(self.accepted(result), self.now() - last.at.timestamp())
        return reasons and ["the verdict has changed since a person accepted it", *reasons]

    def can_accept(self, row: Row, result: Any) -> bool:
        """Return whether nothing but a person's yes is missing, so that `use` would be FIRST."""
        is_open = result is not None and row.used_at is None
        return is_open and not self.why_not(row, self.accepted(result), 0.0)

    def stays_accepted(self, row: Row, result: Any) -> bool:
        """Return whether the unused verdict of a row may still count by a person's yes to it."""
        return self.can_accept(row, result)

    def evidence_of(self, row: Row, result: Any) -> str | None:
        """Return the digest of a verdict and its decisions; None if there is nothing to decide."""
        is_old = self.now() - getattr(row, self.rows.BEGUN_AT.name) > _DECIDABLE_S
        if is_old or not self.can_accept(row, result):
            return None
        decisions = read_decisions(row.decisions)
        is_pass = not decisions and self.accepted(result) == result
        return None if is_pass else _digest(row, result, decisions)

    def waits(self, row: Row) -> bool:
        """Return whether a verdict waits for a person, or was accepted and is not used yet."""
        found = self.as_stored(row)
        waits = found.evidence is not None
        if found.decisions:
            waits = found.decisions[-1].accept and self.stays_accepted(row, found.result)
        if waits:
            logger.info("%s %s: waits for a person, so nothing is sent", self.label, row.id)
        return waits

    def append(self, connection: Any, case: Case, row: Row, decision: ReviewDecision) -> bool:
        """Append a decision to a row, unless anything was changed since the row was read.

        A refusal is appended to all unused rows of the case. Raises `VerdictChanged` if one of the
        others was changed, so that the transaction is rolled back.
        """
        columns = self.columns
        of_case = columns.case_key == row.case_key
        self.lock(connection, of_case)
        newest = self.rows.find(connection, of_case, order=self._order_of(case), limit=1)
        if [each.id for each in newest] != [row.id]:
            return False
        rows = [row]
        if not decision.accept:
            rows += self.rows.find(
                connection, of_case, columns.id != row.id, columns.used_at.is_(None)
            )
        for each in rows:
            decisions = json.dumps(written((*read_decisions(each.decisions), decision)))
            unchanged = [columns.id == each.id, of_case]
            for name in ("result", "decisions", "used_at"):
                unchanged.append(columns[name].is_not_distinct_from(getattr(each, name)))
            if not self.rows.update(connection, *unchanged, decisions=decisions):
                if each is row:
                    return False
                raise VerdictChanged("Another verdict of the case was changed meanwhile.")
        return True

    def is_of(self, subject_ref: str) -> Any:
        """Return the condition of a person's rows; raise `InvalidRequest` if it is no text.

        A number instead of its text would find nobody, and leave the person's links open.
        """
        check_text("subject_ref", subject_ref)
        return self.columns.subject_key == hash_of(subject_ref)

    def export(self, subject_ref: str) -> dict[str, Any]:
        """Return what is stored of a subject, for `json.dumps`, and where else there is more."""
        records = []
        for row in self.find(self.is_of(subject_ref)):
            record = written(self.as_stored(row))
            record["liveness"] = json.loads(getattr(row, "liveness", None) or "null")
            records.append(keep_fields(record, _EXPORTED.split()))
        return {"records": records, "elsewhere": "the call log, and what the vendor keeps"}

    def begun_before(self, until: Any, *conditions: object) -> Iterator[tuple[object, list[Row]]]:
        """Yield the rows that were begun until a time, oldest first, each once: 500 at a time.

        Each comes with the condition of its rows, which may be changed or removed.
        """
        begun_at, row_id = self.rows.BEGUN_AT, self.columns.id
        later = begun_at <= until
        while rows := self.find(*conditions, later, order=(begun_at, row_id), limit=_BATCH):
            yield row_id.in_([row.id for row in rows]), rows
            last_at = getattr(rows[-1], begun_at.name)
            # The range is for the index.
            is_after = (begun_at > last_at) | (row_id > rows[-1].id)
            later = begun_at.between(last_at, until) & is_after

    def close_begun_before(self, time: dt.datetime, **changes: object) -> int:
        """Close the unused rows that were begun before a time by `changes`; return their number."""
        if getattr(time, "tzinfo", None) is None:
            raise InvalidRequest("close_begun_before takes a datetime with a time zone.")
        is_open = self.columns.case_key.is_distinct_from(changes["case_key"])
        is_meant = (self.columns.used_at.is_(None), is_open)
        batches = self.begun_before(time.timestamp(), *is_meant)
        return sum(self.change(is_of_batch, *is_meant, **changes) for is_of_batch, _ in batches)

    def now(self) -> float:
        """Return the time by the clock of the database's server, which all machines share.

        It was read at the start of the last transaction; a change of this machine's clock has no
        effect on it. For a SQLite file, and with a test's clock, the time is that of `clock`.
        """
        offset_s = self.database.clock_offset_s
        if offset_s is None or not self._has_machines_clock:
            return self.clock.now().timestamp()
        return self.clock.monotonic() + offset_s

    def time(self, plus_s: float = 0.0) -> Any:
        """Return `now` plus some seconds, for a statement: it is read within its transaction."""
        import sqlalchemy as sa  # here, because it is an optional dependency

        # Of another type than the columns, which are Double: SQLAlchemy caches compiled statements
        # by types, and would take the function's place for that of a value.
        return sa.bindparam(None, callable_=lambda: self.now() + plus_s, type_=sa.Float(53))


def _digest(row: Any, result: Any, decisions: tuple[ReviewDecision, ...]) -> str:
    """Return the digest of a verdict of a row, and of some decisions about it."""
    holder_digest = getattr(result, "holder_digest", None)
    facts = keep_fields(written(result), _FACTS.split())
    return hash_of(row.id, facts, holder_digest, written(decisions))


class CaseStore:
    """A store as a context manager, which stays in its process."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled: open it in each process.")


@attrs.frozen(repr=False)
class Judged:
    """The newest row of a case as `use` judges it, before anything is stored.

    Attributes:
        case: The case.
        row: The row; None if there is none.
        passes: Whether the row may be used, unless it was.
        conditions, changes: What to store of the judgement, and on which conditions.
        error: The error to raise once that is stored.
        judge_again: Judges a later reading of the row, with a decision that was made since: in the
            caller's transaction perhaps, of which the row was not read.
    """

    case: Case
    row: Any
    passes: bool = False
    conditions: tuple[object, ...] = ()
    changes: Mapping[str, Any] = attrs.field(factory=dict)
    error: Exception | None = None
    judge_again: Callable[[Any], Judged] | None = None

    def store(self, table: StoreTable[Any]) -> Use:
        """Mark the row as used if it passes, else store the reading; return what `use` returns.

        Raises `error`. Of several concurrent calls, one marks a row of a matter.
        """
        if getattr(self.row, "used_at", None) is not None:
            return self._repeated
        if self.passes:
            # Without an answer, nobody acts on a mark, so it is undone.
            undo = functools.partial(self.unmark, table)
            return table.in_transaction(self._mark, table, undo=undo)
        rows = table.update(*self.conditions, **self.changes) if self.changes else []
        if self.error is not None:
            raise self.error
        if self.judge_again is not None:
            # A row that was erased or closed meanwhile has lost its refusal, too.
            of_case = table.columns.case_key == self.row.case_key
            for row in rows or table.find(table.columns.id == self.row.id, of_case):
                if row.decisions != self.row.decisions:
                    return self.judge_again(row).store(table)
        return Use.NO

    def unmark(self, table: StoreTable[Any], connection: Any) -> None:
        """Undo the mark of `store`, unless it was never made."""
        columns = table.columns
        # The COMMIT of the mark may still be under way; the condition below sees none then.
        table.lock(connection, columns.id == self.row.id)
        is_marked = (columns.id == self.row.id, columns.used_at == self.changes["used_at"])
        table.rows.update(connection, *is_marked, used_at=None)

    @property
    def _repeated(self) -> Use:
        return Use.NO if self.case.about is None else Use.AGAIN

    def _mark(self, connection: Any, table: StoreTable[Any]) -> Use:
        """Mark the row as used, and return FIRST.

        Return AGAIN or NO if that is not possible any more. Of two rows of a matter only one is
        ever marked, also by transactions at the same time.
        """
        columns = table.columns
        of_case = columns.case_key == self.row.case_key
        unused = [columns.id == self.row.id, columns.used_at.is_(None), of_case]
        # A decision that was taken back since is never overtaken.
        unused.append(columns.decisions.is_not_distinct_from(self.row.decisions))
        if self.case.about is not None:
            other = table.rows.TABLE.alias()
            used = (other.c.case_key == self.row.case_key, other.c.used_at.is_not(None))
            unused.append(~other.select().where(*used).exists())
            # A use of another row of the matter waits here, and then sees this one.
            if table.lock(connection, of_case):
                # Under an isolation that keeps a snapshot, a use since then is not seen above. A
                # change of the rows, unlike a lock, makes the later transaction fail.
                table.rows.update(connection, of_case, case_key=self.row.case_key)
        if table.rows.update(connection, *unused, *self.conditions, **self.changes):
            return Use.FIRST
        was_used = table.rows.find(connection, of_case, columns.used_at.is_not(None))
        return self._repeated if was_used else Use.NO
