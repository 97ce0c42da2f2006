"""`SessionStore`: hosted sessions in a table of yours, from the first click to the one use."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import logging
import math
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar, Unpack

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import (
    ComparedWith,
    Person,
    SessionAccess,
    SessionHint,
    SessionRecord,
    SessionResult,
    SessionState,
)
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Clock, Deadline
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_function
from facematch_core.base.masking import Secret
from facematch_core.base.signatures import Headers, as_headers
from facematch_core.call.run import check_text
from facematch_core.models import Charged
from facematch_core.store.sql import open_database
from facematch_core.verifier.verifier import Picture

from .old_calls import (
    BeginOptions,
    UseOptions,
    warn_of_person_of_look,
    warn_of_repeated_case,
)
from .sessions import Sessions
from .verdicts import find_changed_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .rows import Reading, SessionRow

T = TypeVar("T")

logger = logging.getLogger("facematch")

#: Seconds that a second click waits for the first one's start.
START_WAIT_S: Final = 10.0
#: Seconds between two looks for the end of that start.
_START_POLL_S: Final = 0.2
#: Maximum seconds of a start, with the search for an earlier session.
START_DEADLINE_S: Final = 50.0
#: Seconds until another process may repeat the start of a process that was killed.
START_LEASE_S: Final = 12.0
#: Seconds between two renewals of that lease while the start is under way.
_RENEWAL_S: Final = 3.0
#: Seconds until `look` searches for a session whose start was lost: longer than a start can take.
LOST_START_S: Final = 60.0
#: Seconds until another worker may repeat a reading.
READ_LEASE_S: Final = 60.0
#: Seconds after which `look` begins no other reading, so that a verdict is told soon.
LOOK_S: Final = 10.0
#: Seconds that a `look` which raises waits for the database, to set its sessions due again.
_SET_DUE_TIMEOUT_S: Final = 1.0
#: Seconds between two readings of a used session, whose verdict the vendor may still revise.
USED_LOOK_S: Final = 86_400.0
_SECONDS_PER_DAY: Final = 86_400.0
#: States in which the person can do no more, and only the vendor can.
_ONLY_VENDOR_CAN_ACT: Final = (SessionState.PROCESSING, SessionState.DECIDED, SessionState.UNKNOWN)
#: The changes to a row that leaves its case: it is never used, and `forget` deletes it one day.
_CLOSING_CHANGES: Final[Mapping[str, str | None]] = {
    "case_key": "",
    "open_case_key": None,
    "link": None,
    "look_at": None,
    "lease": None,
}
#: States after which the next `begin` starts another session.
_ENDS_A_CASE: Final = (SessionState.DECIDED, SessionState.GONE)
#: States in which the person has not finished. An expired session's link may still work.
_UNFINISHED: Final = (SessionState.PENDING, SessionState.ABANDONED, SessionState.EXPIRED)


@attrs.frozen(kw_only=True)
class StoredSession:
    """A session of a `SessionStore`, as its row was last read.

    Attributes:
        record: The record of the session.
        name: The name of the `Sessions` that started it.
        access: How the person enters the session. Only from `begin`, and None if the person has
            finished, so that only the verdict is missing. Not in the repr.
        repeated_start: What repeating the start did, if an earlier start did not finish, because of
            a crash, a lost response or an outage; else None.
        result: The last reading, without its `raw`; None before the first.
        used_at: When `use` returned True, UTC; None if it has not.
        is_open: Whether the verdict is still to come: from the person or from the vendor.

    Example:
        >>> store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        >>> login = store.of("customer-20", purpose="login", about=None)
        >>> begun = login.begin(reference=document)
        >>> print(begun.is_open, begun.result, begun.used_at)
        True None None
        >>> store.close()
    """

    record: SessionRecord
    name: str
    access: SessionAccess | None = attrs.field(default=None, repr=False)
    repeated_start: str | None = None
    result: SessionResult | None = None
    used_at: dt.datetime | None = None
    is_open: bool = False

    @property
    def is_revoked(self) -> bool:
        """Whether the session was used, and its last reading does not verify the person."""
        if self.used_at is None:
            return False
        record = self.record
        return self.result is None or not self.result.is_verified_for(
            record.subject_ref,
            purpose=record.purpose,
            about=record.about,
            max_age_s=math.inf,
            any_settings=True,
        )

    def why_not(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None,
        max_age_s: float,
        any_settings: bool | None = None,
    ) -> tuple[str, ...]:
        """Deprecated: `VerificationCase.why_not`."""
        arguments = {"max_age_s": max_age_s, "any_settings": any_settings}
        warn_of_repeated_case("StoredSession", "why_not", about, arguments)
        return _reasons_against(
            self,
            subject_ref,
            purpose=purpose,
            about=about,
            max_age_s=max_age_s,
            any_settings=any_settings,
        )


@methods_clear_frames
@attrs.frozen(kw_only=True, repr=False)
class VerificationCase:
    """A person and a matter, of which a `SessionStore` has one open session: see `SessionStore.of`.

    Immutable; may be shared between threads. Cannot be pickled: store its three texts.

    Attributes:
        subject_ref: Your own id for the person to verify.
        purpose: The purpose, for example ``payout``.
        about: The specific matter, for example ``payout 8841``; None if the purpose says all. None
            of the three is in the repr.

    Example:
        >>> store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        >>> payout = store.of("customer-20", purpose="payout", about="payout 8841")
        >>> payout
        VerificationCase(SessionStore(didit))
        >>> link = payout.begin(reference=document).access.link.reveal()  # send the person there
        >>> payout.use(max_age_s=3600)  # True once, when all is passed
        False
        >>> payout.why_not(max_age_s=3600)
        ('the session is pending', 'match was not reported', 'liveness was not reported')
        >>> store.close()
    """

    _store: SessionStore
    subject_ref: str
    purpose: str
    about: str | None

    def begin(
        self,
        *,
        reference: Picture | None = None,
        any_document: bool = False,
        return_url: str | None = None,
        language: str | None = None,
    ) -> StoredSession:
        """Return the open session of the case, or plan, store and start one.

        The row is written before anything is sent. If an earlier start was lost, in a crash or with
        its response, the same record is started again: `StoredSession.repeated_start` says what
        that did. A second click waits up to 10 seconds for the first one's start.

        An open session keeps its link. Without a stored link, the access is read from the vendor,
        free of charge: a token, or a new link where a link works once. If the vendor does not
        return it again, or the person did not finish in time, the session is deleted and another is
        started, which is counted.

        If this store was opened without the `Sessions` of the open session, a warning is logged,
        and another session is started. The old one's verdict is lost; its link works until it
        expires at the vendor.

        Whatever the vendor's sessions do not take is left out, so that another vendor is another
        profile: `reference`, `any_document`, `return_url` and `language`.

        Args:
            reference: The face to compare with; required if `compared_with` is GIVEN.
            any_document: Whether anybody's document is enough if `compared_with` is DOCUMENT.
            return_url, language: See `Sessions.start`.

        Returns:
            The session with the person's `access`, which is None if the person has finished.

        Raises:
            SessionStarting: another process has been starting the session for 10 seconds.
            ConfigurationError: `choose` returned an unknown name.
            FaceMatchError: see `Sessions.plan`, `Sessions.start` and `Sessions.read`.
        """
        arguments = {"reference": reference, "return_url": return_url, "language": language}
        # The store's private methods, because they are of one module.
        return self._store._begin(self, arguments, any_document=any_document)  # noqa: SLF001

    def use(
        self,
        *,
        max_age_s: float,
        document: Person | None = None,
        any_settings: bool | None = None,
    ) -> bool:
        """Return True once, if the person's newest session verifies the person now.

        Reads the session from the vendor, free of charge. If `SessionResult.is_verified_for` is
        True, marks the session as used in one conditional UPDATE, so that of several concurrent
        calls one returns True. Act on it at once: a session cannot be used again. If the vendor has
        no result any longer (GONE), the last verdict that `look` has stored counts.

        If it is False, `why_not` returns the reasons.

        Args:
            max_age_s: Maximum seconds since the start: see `SessionResult.is_verified_for`.
            document: The person to whom a compared document must belong: see `Sessions.read`. None
                to ask the store's `person`.
            any_settings: Whether a session that was planned for another workflow, level or template
                counts: see `SessionResult.is_verified_for`.

        Raises:
            SessionMismatch: the session is not the record's. Do not grant access.
            FaceMatchError: the session could not be read: see `Sessions.read`.
        """
        return self._store._use(  # noqa: SLF001
            self, max_age_s=max_age_s, document=document, any_settings=any_settings
        )

    def find(self) -> StoredSession | None:
        """Return the newest session of the case, as last read; None without one.

        Sends nothing. For a page that shows the state: only `use` may let a person in.
        """
        return self._store._find(self)  # noqa: SLF001

    def why_not(self, *, max_age_s: float, any_settings: bool | None = None) -> tuple[str, ...]:
        """Return all reasons why `use` would be False by the last reading; empty if True.

        Sends nothing. For pages, logs and support: a reason has no value of the case. For
        arguments and errors, see `SessionResult.why_not`.
        """
        session = self.find()
        if session is None:
            return ("no session was begun, or it was cancelled",)
        return _reasons_against(
            session,
            self.subject_ref,
            purpose=self.purpose,
            about=self.about,
            max_age_s=max_age_s,
            any_settings=any_settings,
        )

    def __repr__(self) -> str:
        return f"VerificationCase({self._store!r})"


@methods_clear_frames
class SessionStore:
    """A table of hosted sessions: one open session for each case, used once.

    Works in SQLite and PostgreSQL, and creates its tables. Safe to share between threads, processes
    and, with PostgreSQL, machines; usable after a fork. For a busy or unreachable database, see
    `SqlStore`. An application that has a table of its own for sessions needs only `Sessions`.

    The table ``facematch_sessions`` contains the records and the last readings, without pictures.
    The link for the person has a column of its own, which is NULL once the link has expired, and
    after the first reading that is not PENDING. A token is never stored, nor a link that works
    only once.

    Args:
        where: A SQLAlchemy URL (``sqlite:////var/lib/shop/sessions.sqlite3``,
            ``postgresql+psycopg://user@host/name``) or an engine. A passed engine is not closed.
        sessions: The `Sessions`, or several by name; closed with this object. A single one has the
            name of its backend. A session keeps the name for good: to change the vendor, add the
            new `Sessions`, and keep the old one until its sessions are forgotten.
        choose: A function that returns the name for a new session of a subject. Required if there
            are several.
        person: A function that returns the `Person` of a subject, to whom a compared document must
            belong. `look` and `VerificationCase.use` call it, in their thread.

    Raises:
        ConfigurationError: SQLAlchemy is not installed; the database is neither SQLite nor
            PostgreSQL, cannot be used, or has a different schema version; or an argument is wrong.
        StoreUnavailable: the database is busy or does not respond. Any method may raise it.

    Example:
        >>> store = SessionStore("sqlite:///shop.sqlite3", open_sessions(profile="payout"))
        >>> payout = store.of("customer-17", purpose="payout", about="payout 8841")
        >>> begun = payout.begin(reference=document)
        >>> link = begun.access.link.reveal()  # send the person there
        >>> seen = store.look()  # in a worker, every second
        >>> payout.use(max_age_s=3600)  # True once, when all is passed
        False
        >>> store.close()
    """

    def __init__(
        self,
        where: str | Engine,
        sessions: Sessions | Mapping[str, Sessions],
        *,
        choose: Callable[[str], str] | None = None,
        person: Callable[[str], Person] | None = None,
    ) -> None:
        by_name: Any = sessions
        if isinstance(sessions, Sessions):
            by_name = {sessions.verifier.backend.name: sessions}
        is_mapping = isinstance(by_name, Mapping) and len(by_name) > 0
        if not is_mapping or not all(isinstance(each, Sessions) for each in by_name.values()):
            raise errors.ConfigurationError(
                'SessionStore needs Sessions, as from open_sessions(profile="shop"), or several by '
                "name."
            )
        check_function("choose", choose, "a subject")
        check_function("person", person, "a subject")
        if choose is None and len(by_name) > 1:
            raise errors.ConfigurationError(
                f"With several Sessions ({', '.join(by_name)}), SessionStore needs choose: a "
                "function that returns the name for a subject."
            )
        self._sessions: dict[str, Sessions] = dict(by_name)
        self._choose = choose
        self._person = person
        self._clock: Clock = next(iter(by_name.values())).clock
        self._database = open_database(where, label="store of sessions")
        from . import rows  # here, because SQLAlchemy is an optional dependency

        self._rows = rows
        self._columns = rows.SESSIONS.c
        self._database.check_version(self._run(rows.make_tables), rows.VERSION)

    @property
    def sessions(self) -> Mapping[str, Sessions]:
        """The `Sessions` by name."""
        return dict(self._sessions)

    def of(self, subject_ref: str, *, purpose: str, about: str | None) -> VerificationCase:
        """Return a case: the person, the purpose, and what it is about. Sends and stores nothing.

        Call it where you begin, use or show a session, with the customer of your login: a session
        of one case is never a yes in another.

        Args:
            subject_ref: Your own id for the person to verify, such as a customer number.
            purpose: The purpose of the verification, for example ``payout``.
            about: The transaction or item in question, for example ``payout 8841``. Write None if
                the purpose says all.

        Raises:
            InvalidRequest: an argument is not a string, or is empty.
        """
        check_text("subject_ref", subject_ref)
        check_text("purpose", purpose)
        if about is not None:
            check_text("about", about)
        return VerificationCase(store=self, subject_ref=subject_ref, purpose=purpose, about=about)

    def look(
        self, *, at_most: int = 100, person: Callable[[str], Person] | None = None
    ) -> tuple[StoredSession, ...]:
        """Read the sessions that are due, each under a lease of a minute. Free of charge.

        Call it every second in one or more workers. A session is due when its state suggests
        another reading, when a webhook names it, and daily once it was used: check
        `StoredSession.is_revoked`, because the vendor may revise a verdict.

        If a session cannot be read, or the store's `person` raises, the error is logged, and the
        session is due again a minute later. If `look` itself raises, such as `StoreUnavailable` or
        a Ctrl-C, its readings are not stored, because nobody would hear of them: the sessions are
        due again at once, or a minute later if the process was killed or the database cannot be
        reached.

        Args:
            at_most: Maximum number of sessions to read. After 10 seconds, no further one is begun.
            person: Deprecated: pass it to `SessionStore`.

        Returns:
            The sessions that were read.

        Raises:
            ConfigurationError: `person` is async or no function.
        """
        if person is not None:
            warn_of_person_of_look()
        return self._look(person, at_most)

    def receive(self, body: bytes, headers: Headers) -> int:
        """Verify a webhook delivery, and set its sessions due. Sends nothing.

        A delivery may arrive again, late, or before the response to `begin`. Its verdict is
        ignored.

        Args:
            body: The raw request body, because the signature covers its bytes.
            headers: The request headers: see `Sessions.receive`.

        Returns:
            The number of sessions that are due now; 0 if none of this store's is meant.

        Raises:
            WebhookRefused: the delivery is signed by none of the vendors, too old, or unreadable.
            Unsupported: none of the vendors sends webhooks.
            ConfigurationError: the secret of the webhooks is missing.
            InvalidRequest: the body or the headers have another type.
        """
        headers_as_text = as_headers(headers)
        refusals = list[errors.FaceMatchError]()
        for name, sessions in self._sessions.items():
            try:
                hints = sessions.receive(body, headers_as_text)
            except (
                errors.WebhookRefused,
                errors.Unsupported,
                errors.ConfigurationError,
            ) as error:
                refusals.append(error.with_traceback(None))
            else:
                return sum(self._set_hinted_session_due(name, hint) for hint in hints)
        # A wrong signature tells more than a vendor that takes no webhooks.
        refusals.sort(key=lambda refusal: isinstance(refusal, errors.WebhookRefused))
        raise refusals.pop()

    def set_due(self, subject_ref: str) -> int:
        """Set a person's open sessions due: the person has come back from the vendor.

        The return itself proves nothing: its parameters may be forged.

        Returns:
            The number of sessions that are due now.
        """
        columns = self._columns
        due = self._update(
            columns.subject_key == _subject_key(subject_ref),
            columns.open_case_key.is_not(None),
            look_at=self._now(),
            lease=None,
        )
        return len(due)

    def cancel(self, subject_ref: str) -> int:
        """Delete all sessions that a person has not finished, so that their links stop working.

        Call it at logout and after a change of the password: a stolen login may have opened a link.

        Returns:
            The number of sessions that were closed. They are never used. If the vendor could not
            delete one, a warning is logged, and `forget` deletes it later.
        """
        columns = self._columns
        closed = self._update(
            columns.subject_key == _subject_key(subject_ref),
            columns.open_case_key.is_not(None),
            columns.state.is_(None) | columns.state.in_(_UNFINISHED),
            **_CLOSING_CHANGES,
        )
        for row in closed:
            self._delete(row)
        return len(closed)

    def forget(self, days: float) -> int:
        """Delete the sessions that were begun `days` or more ago: at the vendor, then here.

        Only the age matters. Run it daily. If the vendor cannot be reached, a warning is logged and
        the row stays for the next time. Rows of `Sessions` that this store does not have stay, too.
        If the vendor cannot delete sessions, a warning is logged, and only the row is deleted.

        Returns:
            The number of deleted rows.

        Raises:
            InvalidRequest: `days` is not a number of 0 or more.
        """
        if type(days) not in (int, float) or not 0 <= days < math.inf:
            raise errors.InvalidRequest("days must be a number of 0 or more.")
        is_old = self._columns.planned_at <= self._now() - days * _SECONDS_PER_DAY
        forgotten = 0
        for row in self._run(self._rows.find, is_old):
            if self._delete(row):
                self._run(self._rows.remove, row)
                forgotten += 1
        return forgotten

    def begin(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None = None,
        **options: Unpack[BeginOptions],
    ) -> StoredSession:
        """Deprecated: `VerificationCase.begin`."""
        warn_of_repeated_case("SessionStore", "begin", about, options)
        return self.of(subject_ref, purpose=purpose, about=about).begin(**options)

    def use(
        self,
        subject_ref: str,
        *,
        purpose: str,
        about: str | None,
        max_age_s: float,
        **options: Unpack[UseOptions],
    ) -> bool:
        """Deprecated: `VerificationCase.use`."""
        warn_of_repeated_case("SessionStore", "use", about, {"max_age_s": max_age_s, **options})
        case = self.of(subject_ref, purpose=purpose, about=about)
        return case.use(max_age_s=max_age_s, **options)

    def find(
        self, subject_ref: str, *, purpose: str, about: str | None = None
    ) -> StoredSession | None:
        """Deprecated: `VerificationCase.find`."""
        warn_of_repeated_case("SessionStore", "find", about, {})
        return self.of(subject_ref, purpose=purpose, about=about).find()

    def close(self) -> None:
        """Close the sessions and the connections to the database. May be called more than once."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._database.close)
            for sessions in self._sessions.values():
                stack.callback(sessions.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("SessionStore cannot be pickled: open it in each process.")

    def __repr__(self) -> str:
        # An object whose `__init__` failed may have no sessions.
        return f"SessionStore({', '.join(getattr(self, '_sessions', ()))})"

    def _begin(
        self, case: VerificationCase, arguments: Mapping[str, Any], *, any_document: bool
    ) -> StoredSession:
        """Return the open session, or start one: see `VerificationCase.begin`."""
        of_open_case = self._columns.open_case_key == _key_of(case)
        wait_for_start = Deadline.after(START_WAIT_S, self._clock)
        session: StoredSession | None = None
        while session is None:
            row = self._find_newest(of_open_case)
            if row is None:
                row = self._insert_planned(case, any_document=any_document)
                # None if another process has inserted its row first.
                if row is not None:
                    session = self._start(row, arguments, is_repeated=False)
            elif not self._has_sessions_of(row):
                # Nobody can continue it here: this store was opened without the `Sessions` that
                # began it. So `_delete` only logs that the session stays at the vendor.
                self._close_row(row)
                self._delete(row)
            elif row.session_id is not None:
                session = self._continue(row)
            elif self._take_start(row):  # whoever was starting it died, or lost the answer
                session = self._start(row, arguments, is_repeated=True)
            elif wait_for_start.is_over:
                raise errors.SessionStarting(
                    "Another process has been starting this session for more than "
                    f"{START_WAIT_S:.0f} s: begin again to get it. Nothing was sent."
                )
            else:
                CANCELLATION.get().sleep(_START_POLL_S, self._clock)
        return session

    def _look(
        self, person: Callable[[str], Person] | None, at_most: int
    ) -> tuple[StoredSession, ...]:
        """Read the sessions that are due, with another `person` than the store's unless None."""
        check_function("person", person, "a subject")
        person = person or self._person
        columns = self._columns
        self._update(columns.link_expires_at <= self._now(), columns.link.is_not(None), link=None)
        leased: list[SessionRow] = []
        readings: list[Reading] = []
        end = Deadline.after(LOOK_S, self._clock)
        try:
            while len(leased) < at_most and not end.is_over:
                row = self._lease_due()
                if row is None:
                    break
                leased.append(row)
                reading = self._read_due(row, person)
                if reading is not None:
                    readings.append(reading)
            if CANCELLATION.get().is_cancelled:
                raise CallCancelled  # noqa: TRY301 - nobody waits for the sessions any longer
            if not readings:
                return ()
            saved = self._run(self._rows.save_readings, readings)
            return tuple(self._as_stored_session(row) for row in saved)
        except BaseException:
            self._set_due_again(leased)
            raise

    def _use(
        self,
        case: VerificationCase,
        *,
        max_age_s: float,
        document: Person | None,
        any_settings: bool | None,
    ) -> bool:
        """Return True once if the person is verified: see `VerificationCase.use`.

        With `any_settings`, a session that was planned for another workflow, level or template
        counts, too.
        """
        row = self._find_newest(self._columns.case_key == _key_of(case))
        if row is None or row.used_at is not None or not self._has_sessions_of(row):
            return False
        if row.session_id is None and not self._finds_by_record(row.name):
            return False
        if document is None:
            document = _find_person(self._person, row.read_record())
        # Another worker's lease ends here, because its reading may be older.
        leased = self._update(
            self._columns.id == row.id, look_at=self._now() + READ_LEASE_S, lease=_new_lease()
        )
        row = next(iter(leased), None)
        if row is None:
            return False  # `forget` has just deleted it
        try:
            result = self._read(row, document)
        except errors.SessionNotFound:
            return False
        except errors.SessionMismatch:
            self._update(*self._lease_conditions(row), **self._changes_of_mismatch(row))
            raise
        self._update(*self._lease_conditions(row), **self._changes_of_reading(row, result))
        verdict = result
        last_result = row.read_result()
        if result.state is SessionState.GONE and last_result is not None:
            verdict = attrs.evolve(
                last_result, changed_settings=result.changed_settings, clock=self._clock
            )
        if not verdict.is_verified_for(
            case.subject_ref,
            purpose=case.purpose,
            about=case.about,
            max_age_s=max_age_s,
            any_settings=any_settings,
        ):
            return False
        now = self._now()
        # Stored again, because a webhook or another click may have ended the lease.
        changes = self._changes_of_reading(row, result)
        # The vendor may have revised its verdict since our reading: `look` reads it again at once.
        changes |= {"used_at": now, "look_at": now}
        used = self._update(
            self._columns.id == row.id,
            self._columns.used_at.is_(None),
            # `cancel` may have been called since.
            self._columns.case_key == row.case_key,
            **changes,
        )
        return len(used) == 1

    def _find(self, case: VerificationCase) -> StoredSession | None:
        """Return the newest session: see `VerificationCase.find`."""
        row = self._find_newest(self._columns.case_key == _key_of(case))
        return None if row is None else self._as_stored_session(row)

    def _run(self, transaction: Callable[..., T], *args: object, **options: object) -> T:
        """Run a function of `rows` in a transaction."""
        return self._database.run(functools.partial(transaction, **options), *args)

    def _update(self, *conditions: object, **values: object) -> list[SessionRow]:
        """Change the rows that meet all conditions; return the changed rows."""
        return self._run(self._rows.update, *conditions, **values)

    def _set_hinted_session_due(self, name: str, hint: SessionHint) -> int:
        """Set the session of a webhook due; return the number of changed rows, 0 or 1."""
        is_meant = self._columns.id == hint.record_id
        is_meant |= self._columns.session_id == hint.session_id
        # A reading that is under way may be older than the event, so it loses its lease.
        due = self._update(self._columns.name == name, is_meant, look_at=self._now(), lease=None)
        return len(due)

    def _find_newest(self, condition: object) -> SessionRow | None:
        """Return the newest row that meets a condition, or None."""
        return next(iter(self._run(self._rows.find, condition)), None)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _finds_by_record(self, name: str) -> bool:
        """Return whether the vendor finds a session whose start was lost."""
        return self._sessions[name].capabilities.finds_by_record

    def _has_sessions_of(self, row: SessionRow) -> bool:
        """Return whether this store has the `Sessions` of a row."""
        sessions = self._sessions.get(row.name)
        return sessions is not None and sessions.verifier.backend.name == row.read_record().backend

    def _close_row(self, row: SessionRow) -> None:
        """Let the next `begin` start another session; this one is never used."""
        self._update(self._columns.id == row.id, **_CLOSING_CHANGES)

    def _insert_planned(self, case: VerificationCase, *, any_document: bool) -> SessionRow | None:
        """Plan a session and insert its row; return None if another process did so first.

        Raises `ConfigurationError` if `choose` returned an unknown name, and the errors of
        `Sessions.plan`. Nothing is inserted then.
        """
        name = next(iter(self._sessions))
        if self._choose is not None:
            name = self._choose(case.subject_ref)
        if name not in self._sessions:
            raise errors.ConfigurationError(
                f"choose returned {name!r:.60}, but the Sessions are {', '.join(self._sessions)}."
            )
        sessions = self._sessions[name]
        is_document = sessions.expected.compared_with is ComparedWith.DOCUMENT
        record = sessions.plan(
            case.subject_ref,
            purpose=case.purpose,
            about=case.about,
            any_document=any_document and is_document,
        )
        now = self._now()
        case_key = _key_of(case)
        return self._run(
            self._rows.insert,
            id=record.id,
            name=name,
            subject_key=_subject_key(case.subject_ref),
            case_key=case_key,
            open_case_key=case_key,
            record=_to_json(record),
            planned_at=now,
            starting_until=now + START_LEASE_S,
            look_at=now + LOST_START_S,
        )

    def _take_start(self, row: SessionRow) -> bool:
        """Return whether this process may repeat a lost start, because no other is making it."""
        now = self._now()
        starting_until = self._columns.starting_until
        taken = self._update(
            self._columns.id == row.id,
            self._columns.session_id.is_(None),
            starting_until.is_(None) | (starting_until <= now),
            starting_until=now + START_LEASE_S,
        )
        return len(taken) == 1

    def _start(
        self, row: SessionRow, arguments: Mapping[str, Any], *, is_repeated: bool
    ) -> StoredSession | None:
        """Start a planned session, and store it.

        Return None if the start found an earlier session that the person cannot continue, or if
        the record can no longer be started. `_begin` then looks for the newest row again.

        Raises the errors of `Sessions.start`. The row is removed if certainly nothing was started;
        else it stays, and the next `begin` repeats the start. Raises `SessionNotFound` if the
        session was cancelled or forgotten meanwhile.
        """
        sessions = self._sessions[row.name]
        record = row.read_record()
        is_taken = {
            "reference": record.compared_with is ComparedWith.GIVEN,
            "return_url": sessions.capabilities.takes_return_url,
            "language": sessions.capabilities.takes_language,
        }
        deadline_s = sessions.verifier.runner.deadline_s or START_DEADLINE_S
        try:
            with self._renewed_lease(row):
                result = sessions.start(
                    record,
                    **{name: value for name, value in arguments.items() if is_taken[name]},
                    deadline_s=min(deadline_s, START_DEADLINE_S),
                )
        except BaseException as error:
            if is_repeated and isinstance(error, errors.InvalidRequest):
                # The settings have changed since it was planned, so plan another.
                self._close_row(row)
                return None
            # If the database fails, too, the start can be repeated when its lease has ended.
            with contextlib.suppress(errors.FaceMatchError):
                if not is_repeated and _is_certainly_unstarted(error, sessions):
                    self._run(self._rows.remove, row)
                else:
                    self._update(self._columns.id == row.id, starting_until=None)
            raise
        repeated_start = None
        if is_repeated:
            repeated_start = f"An earlier start did not finish. {sessions.second_start}"
            logger.warning("Session %s: %s", record.id, repeated_start)
        saved = self._save_access(row, result)
        if saved is None:
            # A worker may have read the verdict before this response arrived.
            is_uncancelled = self._columns.case_key == row.case_key
            decided = self._find_newest((self._columns.id == row.id) & is_uncancelled)
            if decided is not None:
                return self._as_stored_session(decided, repeated_start=repeated_start)
            started = attrs.evolve(
                row, record=_to_json(result.record), session_id=result.record.session_id
            )
            # Stored first, because the session must be deleted one day if it cannot be now.
            # `forget` may have removed the row meanwhile.
            self._update(
                self._columns.id == row.id, record=started.record, session_id=started.session_id
            )
            self._delete(started)
            raise errors.SessionNotFound(
                "The session was cancelled or forgotten while it was started, so it is deleted "
                "again.",
                backend=record.backend,
            )
        if is_repeated and result.access is None and result.state not in _ONLY_VENDOR_CAN_ACT:
            return None
        return self._as_stored_session(saved, access=result.access, repeated_start=repeated_start)

    @contextlib.contextmanager
    def _renewed_lease(self, row: SessionRow) -> Iterator[None]:
        """Renew the lease of a start while it is under way, however slow the vendor is."""
        is_over = threading.Event()
        is_starting = self._columns.starting_until.is_not(None)

        def renew(lease_s: float = START_LEASE_S) -> None:
            self._update(
                self._columns.id == row.id, is_starting, starting_until=self._now() + lease_s
            )

        def renew_until_over() -> None:
            while not is_over.wait(_RENEWAL_S):
                # The next renewal may succeed.
                with contextlib.suppress(errors.FaceMatchError):
                    renew()

        renewer = threading.Thread(target=renew_until_over, name="facematch-start", daemon=True)
        try:
            renewer.start()
        except RuntimeError:  # no thread can be started
            renew(LOST_START_S)
        try:
            yield
        finally:
            is_over.set()
            if renewer.ident is not None:
                # A renewal that outlived this store's `close` would leave its connection open.
                renewer.join()

    def _continue(self, row: SessionRow) -> StoredSession | None:
        """Return an open session with its access; raises the errors of `Sessions.read`.

        If the person cannot continue it, or the vendor does not know it any longer, delete it,
        close the row and return None. `_begin` then starts another.
        """
        if row.link is not None and self._now() < (row.link_expires_at or 0.0):
            return self._as_stored_session(row, access=SessionAccess(link=Secret(row.link)))
        saved = None
        with contextlib.suppress(errors.SessionNotFound):
            result = self._sessions[row.name].read(row.read_record(), with_access=True)
            if result.access is not None or result.state in _ONLY_VENDOR_CAN_ACT:
                saved = self._save_access(row, result)
            else:
                self._delete(row)
        if saved is None:
            self._close_row(row)
            return None
        return self._as_stored_session(saved, access=result.access)

    def _save_access(self, row: SessionRow, result: SessionResult) -> SessionRow | None:
        """Store what `begin` returns; return None if the row was closed meanwhile."""
        record = result.record
        look_at = self._now()
        started_at = record.started_at or record.planned_at
        ends_at = started_at.timestamp() + record.valid_for_s
        link = None
        # Without access, the person has finished, and the verdict is due at once.
        if result.access is not None:
            look_at += result.read_again_s or 0.0
            # Whether the person has used up a link that works once is not known.
            works_once = self._sessions[row.name].capabilities.link_works_once
            if result.access.link is not None and not works_once:
                link = result.access.link.reveal()
            if result.access.expires_at is not None:
                ends_at = min(ends_at, result.access.expires_at.timestamp())
        saved = self._update(
            self._columns.id == row.id,
            self._columns.open_case_key.is_not(None),
            record=_to_json(record),
            session_id=record.session_id,
            link=link,
            link_expires_at=ends_at,
            starting_until=None,
            look_at=look_at,
            # A reading that is under way may be older.
            lease=None,
        )
        return next(iter(saved), None)

    def _lease_due(self) -> SessionRow | None:
        """Lease the session that has been due for longest; return None if none is due."""
        now = self._now()
        leased = self._run(
            self._rows.lease_due,
            names=list(self._sessions),
            names_found_by_record=[name for name in self._sessions if self._finds_by_record(name)],
            now=now,
            look_at=now + READ_LEASE_S,
            lease=_new_lease(),
        )
        return next(iter(leased), None)

    def _read_due(self, row: SessionRow, person: Callable[[str], Person] | None) -> Reading | None:
        """Read a leased session; return None if it could not be read, which is logged."""
        try:
            result = self._read(row, _find_person(person, row.read_record()))
        except errors.FaceMatchError as error:
            logger.warning("Session %s: %s: %s", row.id, type(error).__name__, error)
            if isinstance(error, errors.SessionMismatch):
                return self._rows.Reading(row, self._changes_of_mismatch(row))
            if isinstance(error, errors.SessionNotFound):
                # Another start of the record, or a webhook, sets it due again.
                self._update(*self._lease_conditions(row), link=None, look_at=None, lease=None)
            # After any other error, it is due again when the lease has ended.
            return None
        return self._rows.Reading(row, self._changes_of_reading(row, result))

    def _set_due_again(self, rows: Collection[SessionRow]) -> None:
        """Set sessions due whose readings are lost. Without a database, their leases do so."""
        ids = [row.id for row in rows]
        if not ids:
            return
        # Without regard to the lease, which a commit may have ended before the interruption.
        set_due = functools.partial(self._rows.update, look_at=self._now(), lease=None)
        with contextlib.suppress(errors.FaceMatchError):
            self._database.run(
                set_due, self._columns.id.in_(ids), deadline=Deadline.after(_SET_DUE_TIMEOUT_S)
            )

    def _lease_conditions(self, row: SessionRow) -> tuple[object, object]:
        """Return the conditions that no other worker and no webhook has changed the row."""
        return self._columns.id == row.id, self._columns.lease == row.lease

    def _read(self, row: SessionRow, document: Person | None) -> SessionResult:
        """Read a session. Errors: see `Sessions.read`."""
        sessions = self._sessions[row.name]
        record = row.read_record()
        if record.compared_with is not ComparedWith.DOCUMENT:
            document = None
        return sessions.read(record, document=document)

    def _changes_of_reading(self, row: SessionRow, result: SessionResult) -> dict[str, object]:
        """Return the changes to a row that store a reading and end its lease."""
        now = self._now()
        changes: dict[str, object] = {
            "record": _to_json(result.record),
            "session_id": result.record.session_id,
            "state": result.state.value,
            "look_at": None,
            "lease": None,
        }
        if result.state is not SessionState.GONE:
            # The last verdict stays when the vendor has no result any longer.
            changes["result"] = _to_json(attrs.evolve(result, raw={}))
            if row.used_at is not None:
                changes["look_at"] = now + USED_LOOK_S
        if result.read_again_s is not None:
            changes["look_at"] = now + result.read_again_s
        if result.state is not SessionState.PENDING:
            changes["link"] = None
        if result.state in _ENDS_A_CASE:
            changes["open_case_key"] = None
        return changes

    def _changes_of_mismatch(self, row: SessionRow) -> dict[str, object]:
        """Return the changes that forget the verdict of a session that is not the record's."""
        look_at = None
        if row.used_at is not None:
            look_at = self._now() + USED_LOOK_S
        return {"result": None, "link": None, "look_at": look_at, "lease": None}

    def _delete(self, row: SessionRow) -> bool:
        """Delete a session at the vendor; return False if it must be tried again.

        What may stay at the vendor is logged. No `FaceMatchError` leaves, so that `forget` and
        `cancel` reach the other sessions.
        """
        try:
            record = row.read_record()
            if not self._has_sessions_of(row):
                name = f"{row.name!r:.60}"
                raise errors.ConfigurationError(
                    f"This store was opened without its Sessions, {name} of the backend "
                    f"{record.backend}. Open it with them, too, until they are forgotten: "
                    f"SessionStore(where, {{{name}: open_sessions({record.backend!r}), ...}}, "
                    "choose=...)."
                )
            if record.session_id is not None or self._finds_by_record(row.name):
                self._sessions[row.name].delete(record)
            else:
                logger.warning(
                    "The start of session %s was lost: a session may stay at the vendor until it "
                    "expires there.",
                    row.id,
                )
        except errors.Unsupported as error:
            logger.warning(
                "Session %s stays at the vendor until it expires there: %s", row.id, error
            )
        except errors.FaceMatchError as error:
            problem = f"{type(error).__name__}: {error}"
            logger.warning("Session %s was not deleted at the vendor: %s", row.id, problem)
            return False
        return True

    def _as_stored_session(
        self,
        row: SessionRow,
        *,
        access: SessionAccess | None = None,
        repeated_start: str | None = None,
    ) -> StoredSession:
        """Return a row as the caller sees it."""
        record = row.read_record()
        result = row.read_result()
        if result is not None:
            result = attrs.evolve(result, clock=self._clock)
            if self._has_sessions_of(row):
                # The settings may have changed since the reading.
                facts = self._sessions[row.name].verifier.backend.session_facts
                changed_settings = find_changed_settings(record, facts)
                result = attrs.evolve(result, changed_settings=changed_settings)
        used_at = None
        if row.used_at is not None:
            used_at = dt.datetime.fromtimestamp(row.used_at, dt.UTC)
        return StoredSession(
            record=record,
            name=row.name,
            access=access,
            repeated_start=repeated_start,
            result=result,
            used_at=used_at,
            is_open=row.open_case_key is not None and row.look_at is not None,
        )


def _reasons_against(
    session: StoredSession,
    subject_ref: str,
    *,
    purpose: str,
    about: str | None,
    max_age_s: float,
    any_settings: bool | None,
) -> tuple[str, ...]:
    """Return all reasons why `use` would be False; empty if it would be True."""
    reasons = []
    if session.used_at is not None:
        reasons.append("the session was used already")
    if session.result is None:
        return (*reasons, "the session was not read yet")
    reasons += session.result.why_not(
        subject_ref, purpose=purpose, about=about, max_age_s=max_age_s, any_settings=any_settings
    )
    return tuple(reasons)


def _find_person(person: Callable[[str], Person] | None, record: SessionRecord) -> Person | None:
    """Return the person to whom the document must belong; None if the caller does not say.

    If the caller's function raises, raise `ConfigurationError`: a customer who was deleted must
    not keep `look` from the other sessions.
    """
    if person is None or record.compared_with is not ComparedWith.DOCUMENT:
        return None
    try:
        return person(record.subject_ref)
    except Exception as error:  # noqa: BLE001 - any error of the caller's function
        problem = type(error).__name__
    # Outside the except block, because the error may contain the name or the subject.
    raise errors.ConfigurationError(f"person raised {problem}, so the document was not compared.")


def _subject_key(subject_ref: str) -> str:
    """Return the hash of a subject; raise `InvalidRequest` if it is no text.

    A number instead of its text would find nobody, and leave the person's links open.
    """
    check_text("subject_ref", subject_ref)
    return _hash_of(subject_ref)


def _key_of(case: VerificationCase) -> str:
    """Return the hash by which the rows of a case are found."""
    return _hash_of(case.subject_ref, case.purpose, case.about)


def _hash_of(*texts: str | None) -> str:
    """Return the SHA-256 of some texts as hexadecimal digits."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _new_lease() -> str:
    return secrets.token_hex(16)


def _to_json(document: SessionRecord | SessionResult) -> str:
    return json.dumps(document.to_dict())


def _is_certainly_unstarted(error: BaseException, sessions: Sessions) -> bool:
    """Return whether an error of `Sessions.start` means that the vendor has no session."""
    if not isinstance(error, errors.VendorError):
        return isinstance(error, errors.FaceMatchError)
    capabilities = sessions.capabilities
    if capabilities.finds_by_record or capabilities.start_is_repeatable:
        # A start of several requests, as at Sumsub, may leave something that is not charged.
        # Repeating it costs nothing.
        return False
    is_free = error.billing.charged is Charged.NO
    return is_free and not isinstance(error, errors.SessionMismatch)
