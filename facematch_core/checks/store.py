"""`CheckStore`: checks of uploaded pictures in a table of yours, each paid once and used once."""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import Erased
from facematch_core.base.frames import methods_clear_frames
from facematch_core.call.run import load_images
from facematch_core.call.verdict import CallOptions
from facematch_core.models import (
    LiveMatchResult,
    LivenessResult,
    MatchResult,
    Reconciliation,
    Retention,
)
from facematch_core.resilience import Retry
from facematch_core.store.records import seconds_of
from facematch_core.store.table import Case, CaseStore, Judged, Use, key_of
from facematch_core.verifier.verifier import Picture, Verifier

from . import erasing, making
from .table import OPERATIONS, CheckTable, StoredCheck

if TYPE_CHECKING:
    from sqlalchemy import Engine


logger = logging.getLogger("facematch")


class CheckOptions(TypedDict, total=False):
    """Options of a check: those of `Verifier.verify`, without the verifier's thresholds.

    And `anew`: True to make another check although a person is to decide, or has accepted one.
    """

    retention: Retention
    caller_ref: str | None
    metadata: Mapping[str, Any] | None
    options: Any
    deadline_s: float | None
    retry: Retry | Literal[False] | None
    anew: bool


@methods_clear_frames
@attrs.frozen(kw_only=True, repr=False)
class CheckCase(Case):
    """A person and a matter, of which a `CheckStore` pays each check once: see `CheckStore.of`.

    A call with the same pictures and options as an earlier one returns its verdict, and sends
    nothing; while that one is under way, it waits up to 10 seconds for it. Other pictures are
    another check. So are the same ones once their verdict was used, is older than the store's
    `max_age_s`, or was made with other settings of the verifier.

    With `about`, that ends with the first use: the same pictures return the stored verdict, free,
    and others raise `AlreadyUsed`. `erase` and `forget` remove the row, and with it this memory.

    While a verdict waits for a person's `decide`, and after it was accepted, nothing is sent,
    however old it is: the same pictures return it, and others raise `UnderReview`. ``anew=True``
    makes another check.

    Immutable; may be shared between threads. Cannot be pickled: store its three texts.

    Attributes:
        subject_ref, purpose, about: See `VerificationCase`.

    Example:
        >>> store = CheckStore("sqlite:///shop.sqlite3", open_verifier("didit"))
        >>> signup = store.of("customer-17", purpose="signup", about=None)
        >>> print(signup.verify_live(selfie, document).decision)
        verified
        >>> print(signup.verify_live(selfie, document).decision)  # a second click: not paid again
        verified
        >>> print(signup.use(), signup.use())
        first no
        >>> signup.why_not()
        ('the check was used already',)
        >>> store.close()
    """

    _store: CheckStore

    def verify(
        self, probe: Picture, reference: Picture, **options: Unpack[CheckOptions]
    ) -> MatchResult:
        """Compare two faces, once: see `Verifier.verify`.

        Commits by itself: call it outside your own transaction. The thresholds are the verifier's.
        A stored verdict has no `raw`.

        Raises:
            CheckUnderWay: another process has been making a check of the case for 10 seconds.
            OutcomeUnknown: an earlier check of the case may have been paid, and its verdict is not
                known. Nothing was sent: see `reconcile` and `give_up`.
            TooManyAttempts: the case has had as many checks as the store allows.
            AlreadyUsed: what `about` names was used, with other pictures. Nothing was sent.
            UnderReview: a person is to decide on the case, or has accepted it. Nothing was sent.
            InvalidRequest: Django's transaction is open in the store's SQLite file.
            FaceMatchError: see `Verifier.verify`.
        """
        pictures = [probe, reference]
        del probe, reference
        return cast(MatchResult, self._check(MatchResult.kind, pictures, options))

    def check_liveness(self, probe: Picture, **options: Unpack[CheckOptions]) -> LivenessResult:
        """Check one picture for a live face, once: see `verify`. It never counts for `use`."""
        pictures = [probe]
        del probe
        return cast(LivenessResult, self._check(LivenessResult.kind, pictures, options))

    def verify_live(
        self, probe: Picture, reference: Picture, **options: Unpack[CheckOptions]
    ) -> LiveMatchResult:
        """Check for a live face and compare, once: see `verify` and `Verifier.verify_live`.

        If the comparison fails without a charge, the next call with the same pictures pays only
        the comparison.
        """
        pictures = [probe, reference]
        del probe, reference
        return cast(LiveMatchResult, self._check(LiveMatchResult.kind, pictures, options))

    def use(self, *, connection: object = None) -> Use:
        """Return FIRST once, if the verdict that was returned last is a pass.

        Only FIRST is true. Marks the check as used in one conditional UPDATE, so that of several
        concurrent calls one returns FIRST. Act on it at once. If it is NO, `why_not` returns the
        reasons.

        With `about`, a matter is used once for as long as its row lives: later calls return AGAIN,
        also when the whole request was sent again. Never pay for AGAIN: with a `connection`, it was
        paid in the transaction of the first call; without one, look into your own table.

        With your own `connection` to the store's database, everything is read and written in your
        transaction: the check is used if you commit, and unused if you roll back.

        Args:
            connection: See `VerificationCase.use`.

        Raises:
            InvalidRequest: `connection` is asynchronous, or of another kind of database.
            StoreUnavailable: see `VerificationCase.use`.
        """
        table = self._store._table  # noqa: SLF001 - of this module
        if connection is not None:
            table = table.on(connection)
        return self._judge(table).store(table)

    def _judge(self, table: CheckTable, row: Any = None, **_: Any) -> Judged:
        """Judge the row that was returned last, or a later reading of it: see `Judged`."""
        row = row or table.find_newest(self)
        if row is None:
            return Judged(self, row)
        if table.reasons_against(row):
            return Judged(self, row, judge_again=functools.partial(self._judge, table))
        # Another verdict may have been returned since.
        is_last = table.rows.next_turn(row.case_key) == row.turn + 1
        changes = {"used_at": table.now()}
        return Judged(self, row, passes=True, conditions=(is_last,), changes=changes)

    def find(self) -> StoredCheck | None:
        """Return the check that `use` judges; None without one. Sends nothing."""
        table = self._store._table  # noqa: SLF001
        row = table.find_newest(self)
        return None if row is None else table.as_stored(row)

    def why_not(self) -> tuple[str, ...]:
        """Return all reasons why `use` would be NO or AGAIN; empty if FIRST.

        Sends nothing. For pages, logs and support: a reason has no value of the case.
        """
        table = self._store._table  # noqa: SLF001
        row = table.find_newest(self)
        return ("no check was made",) if row is None else table.reasons_against(row)

    def reconcile(self, *, deadline_s: float | None = None) -> Reconciliation | None:
        """Search the vendor's records for the check with an unknown outcome; store what is found.

        Free of charge: see `FaceVerifier.reconcile`. None if no outcome is unknown.
        """
        table = self._store._table  # noqa: SLF001
        for row in table.find_unknown(table.columns.open_case_key == key_of(self)):
            return making.reconcile(table, row, deadline_s)
        return None

    def give_up(self) -> bool:
        """Allow a further check although an outcome is unknown; return whether one was unknown.

        The unknown check may have been paid, and the next one is paid as well. Its verdict is not
        stored any more.
        """
        table = self._store._table  # noqa: SLF001
        unknown = table.find_unknown(table.columns.open_case_key == key_of(self))
        return any(making.close_unfinished(table, row) for row in unknown)

    def _check(self, kind: str, pictures: list[Any], options: Mapping[str, Any]) -> Any:
        """Make a check of this person, or return that of the same pictures.

        Raise TypeError for an option that a check does not take, and what `making.check` raises.
        """
        store = self._store
        known = CheckOptions.__optional_keys__
        if options.keys() - known:
            raise TypeError(
                f"A check has no option {min(options.keys() - known)!r}: it takes "
                f"{', '.join(sorted(known))}. The thresholds are the verifier's."
            )
        arguments = dict(options)
        runner = store.verifier.runner
        deadline = runner.deadline_after(arguments.pop("deadline_s", None))
        anew = arguments.pop("anew", False) is True  # the text of a form is none
        calls = [
            CallOptions(
                operation=operation,
                # The log names the person by it, and a share chooses the member.
                share_key=self.subject_ref,
                deadline=deadline,
                **arguments,
            )
            for operation in OPERATIONS[kind]
        ]
        images = load_images(pictures)
        return making.check(store._table, self, kind, images, calls, anew=anew)  # noqa: SLF001

    def __repr__(self) -> str:
        return f"CheckCase({self._store!r})"


@methods_clear_frames
class CheckStore(CaseStore):
    """A table of checks of uploaded pictures: each paid once for its case, and used once.

    Works in SQLite and PostgreSQL, and creates its tables. Safe to share between threads, processes
    and, with PostgreSQL, machines; usable after a fork. For a busy or unreachable database, see
    `SqlStore`.

    The table ``facematch_checks`` contains verdicts without `raw`, and hashes: no picture, name,
    link or plain reference of a person. Those of pictures are salted; that of a customer is not.

    An uploaded picture does not show that a person was in front of the camera. If that matters, use
    a `SessionStore`: neither store's verdict is a yes in the other.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/checks.sqlite3``,
            ``postgresql+psycopg://user@host/name``) or an engine. A passed engine is not closed.
        verifier: The verifier, closed with this object. A verdict counts only while the verifier
            has the vendors, environments and thresholds with which it was made.
        max_age_s: Maximum seconds from the begin of a check to `use`, above 0.
        attempts: Maximum number of checks of a case in 24 hours, since its last `use` was FIRST.
        needs_liveness: Whether only `verify_live` counts for `use`. False: `verify` does, too.

    Raises:
        ConfigurationError: see `SessionStore`.
        StoreUnavailable: the database is busy or does not respond. Any method may raise it.

    Example:
        >>> store = CheckStore("sqlite:///shop.sqlite3", open_verifier("didit"))
        >>> payout = store.of("customer-17", purpose="payout", about="payout 8841")
        >>> def answer():  # a whole request, which a gateway or a queue may send again
        ...     payout.verify_live(selfie, document)
        ...     return "paid" if payout.use() else "not paid by this request"
        >>> [answer(), answer()]
        ['paid', 'not paid by this request']
        >>> store.close()
    """

    def __init__(
        self,
        where: str | Engine,
        verifier: Verifier,
        *,
        max_age_s: float = 3600.0,
        attempts: int = 5,
        needs_liveness: bool = True,
    ) -> None:
        """Open the store; the class describes the arguments.

        Raise ConfigurationError if `verifier` is none, or if a number is out of range.
        """
        if not isinstance(verifier, Verifier):
            raise errors.ConfigurationError(
                f'CheckStore takes a verifier, as from open_verifier("didit"), not '
                f"{type(verifier).__name__}."
            )
        if type(attempts) is not int or attempts < 1:
            raise errors.ConfigurationError("attempts must be a whole number of 1 or more.")
        if type(max_age_s) not in (int, float) or not max_age_s > 0:
            raise errors.ConfigurationError("max_age_s must be a number of seconds above 0.")
        self._verifier = verifier
        self._table = CheckTable(
            where,
            verifier,
            max_age_s=max_age_s,
            attempts=attempts,
            needs_liveness=needs_liveness,
        )

    @property
    def verifier(self) -> Verifier:
        """The verifier that makes the checks."""
        return self._verifier

    def of(self, subject_ref: str, *, purpose: str, about: str | None) -> CheckCase:
        """Return a case: the person, the purpose, and what it is about. Sends and stores nothing.

        For the arguments, see `SessionStore.of`.

        Raises:
            InvalidRequest: an argument is not a string, or is empty.
        """
        return CheckCase(store=self, subject_ref=subject_ref, purpose=purpose, about=about)

    def unknown(self) -> tuple[StoredCheck, ...]:
        """Return the checks that may have been paid, and whose verdicts are not known."""
        return tuple(map(self._table.as_stored, self._table.find_unknown()))

    def reconcile(self, *, deadline_s: float | None = None) -> tuple[Reconciliation, ...]:
        """Search the vendor's records for each unknown check, and store the verdicts found.

        Free of charge. A search that fails is logged. Run it daily.

        Args:
            deadline_s: Seconds for each search; None for the verifier's `deadline_s`.
        """
        searches = []
        for row in self._table.find_unknown():
            try:
                searches.append(making.reconcile(self._table, row, deadline_s))
            except errors.FaceMatchError as error:
                logger.warning("Check %s: %s: %s", row.id, type(error).__name__, error)
        return tuple(searches)

    def erase(self, subject_ref: str, *, vendor_is_gone: str | None = None) -> tuple[Erased, ...]:
        """Delete all checks of a person who leaves: what a vendor keeps of them, then here.

        All rows are closed first, so no `use` is FIRST from then on, even if the vendor is down.
        Record your payout first: an erased case can be used again. Call it again until each check
        `is_done_here`; then it returns ().

        Args:
            subject_ref: See `of`.
            vendor_is_gone: See `SessionStore.erase`.

        Returns:
            What became of each call, without the person: evidence to store.

        Raises:
            InvalidRequest: `vendor_is_gone` is neither an installed backend, nor one of this store
                or of the person's records. Nothing was deleted.
        """
        return erasing.erase(
            self._table,
            self._table.is_of(subject_ref),
            gone=vendor_is_gone,
        )

    def export(self, subject_ref: str) -> dict[str, Any]:
        """Return all that is stored of a person who asks for it, for `json.dumps`.

        ``records`` has the checks with their verdicts and decisions, without hashes and the ids of
        your staff: read the reasons first. ``elsewhere`` names what is not stored here.
        """
        return self._table.export(subject_ref)

    def forget(self, days: float) -> tuple[Erased, ...]:
        """Delete the checks that were begun `days` or more ago, as `erase`. Run it daily.

        Raises:
            InvalidRequest: `days` is not a number of 0 or more.
        """
        time = self._table.time(-seconds_of(days))
        erased: list[Erased] = []
        for is_of_batch, _ in self._table.begun_before(time):
            erased += erasing.erase(self._table, is_of_batch)
        return tuple(erased)

    def close_begun_before(self, time: dt.datetime) -> int:
        """Close all unused checks that were begun before a time; return their number.

        Call it after you restored the database from a backup, with the time of the restore,
        because a check may have been used since the backup. None of them is used any more. One with
        an unknown outcome is still not paid again.

        Raises:
            InvalidRequest: `time` has no time zone.
        """
        return self._table.close_begun_before(time, case_key=None)

    def close(self) -> None:
        """Close the verifier and the connections to the database. May be called more than once."""
        try:
            self._verifier.close()
        finally:
            self._table.database.close()

    def __repr__(self) -> str:
        # An object whose `__init__` failed may have no verifier.
        return f"CheckStore({getattr(self, '_verifier', None)!r})"
