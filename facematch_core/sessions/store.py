"""`SessionStore`: hosted sessions in a table of yours, from the first click to the one use."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from facematch_core import errors
from facematch_core.backend.session_types import Erased, Person, SessionHint, SessionState
from facematch_core.base.frames import methods_clear_frames
from facematch_core.base.functions import check_function
from facematch_core.base.signatures import Headers, as_headers
from facematch_core.models import Threshold
from facematch_core.store.records import seconds_of
from facematch_core.store.table import Case, CaseStore, Judged, Use
from facematch_core.verifier.verifier import Picture

from . import beginning, looking
from .sessions import Sessions
from .table import (
    CLOSING_CHANGES,
    SessionTable,
    StoredSession,
    why_not,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SECONDS_PER_DAY: Final = 86_400.0
#: States in which the person has not finished. An expired session's link may still work.
_UNFINISHED: Final = (SessionState.PENDING, SessionState.ABANDONED, SessionState.EXPIRED)


@methods_clear_frames
@attrs.frozen(kw_only=True, repr=False)
class VerificationCase(Case):
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
        >>> print(payout.use(max_age_s=3600))  # FIRST once, when all is passed
        no
        >>> payout.why_not(max_age_s=3600)
        ('the session is pending', 'match was not reported', 'liveness was not reported')
        >>> store.close()
    """

    _store: SessionStore

    def begin(
        self,
        *,
        reference: Picture | None = None,
        any_document: bool = False,
        return_url: str | None = None,
        language: str | None = None,
        threshold: float | Threshold | None = None,
        review_threshold: float | Threshold | None = None,
        liveness_threshold: float | Threshold | None = None,
        valid_for_s: float | None = None,
        anew: bool = False,
    ) -> StoredSession:
        """Return the open session of the case, or plan, store and start one.

        The row is written before anything is sent. If an earlier start was lost, in a crash or with
        its response, the same record is started again: `StoredSession.repeated_start` says what
        that did. A second click waits up to 10 seconds for the first one's start. If the database
        fails after a start, the session is returned, and the store's next transaction stores it.

        With `about`, a case whose session was used returns that session, without access. So does a
        case whose verdict waits for a person's `decide`, or was accepted and is not used yet,
        however old it is; the log says so.

        An open session keeps its link, and a token that the vendor gives once. Without either, the
        access is read from the vendor, free of charge: another token, or a new link where a link
        works once. If the person did not finish in time, or the vendor does not return it again,
        the session is deleted and another is started, which is counted. So is an open session that
        was planned with a lower threshold than one of the arguments.

        A session of an earlier release, which stored no token, is neither deleted nor replaced
        while somebody may use the token: see `StoredSession.begin_again_at`.

        If this store was opened without the `Sessions` of the open session, a warning is logged,
        and another session is started. The old one's verdict is lost; its link works until it
        expires at the vendor.

        Whatever the vendor's sessions do not take is left out, so that another vendor is another
        profile: `reference`, `any_document`, `return_url` and `language`.

        Args:
            reference: The face to compare with; required if `compared_with` is GIVEN.
            any_document: Whether anybody's document is enough if `compared_with` is DOCUMENT.
            return_url, language: See `Sessions.start`.
            threshold, review_threshold, liveness_threshold: See `Sessions.plan`.
            valid_for_s: Seconds for which a new session is open, an hour if None: see
                `Sessions.plan`. An open session keeps its own.
            anew: Whether another session is started although a verdict waits for a person, or was
                accepted.

        Returns:
            The session with the person's `access`, which is None if the person has finished, or if
            it has a `begin_again_at`.

        Raises:
            SessionStarting: another process has been starting the session for 10 seconds.
            ConfigurationError: `choose` returned an unknown name.
            FaceMatchError: see `Sessions.plan`, `Sessions.start` and `Sessions.read`.
        """
        arguments = {"reference": reference, "return_url": return_url, "language": language}
        terms = {
            "any_document": any_document,
            "threshold": threshold,
            "review_threshold": review_threshold,
            "liveness_threshold": liveness_threshold,
            "valid_for_s": valid_for_s,
        }
        store = self._store
        return beginning.begin(
            store._table,  # noqa: SLF001 - of this module
            self,
            store._choose_name,  # noqa: SLF001
            arguments,
            terms=terms,
            anew=anew is True,  # the text of a form is none
        )

    def use(
        self,
        *,
        max_age_s: float,
        document: Person | None = None,
        any_settings: bool = False,
        connection: object = None,
    ) -> Use:
        """Return FIRST once, if the person's newest session verifies the person now.

        Only FIRST is true. Reads the session from the vendor, free of charge. If
        `SessionResult.is_verified_for` is True, marks the session as used in one conditional
        UPDATE, so that of several concurrent calls one returns FIRST. Act on it at once. If the
        vendor has no result any longer (GONE), the last verdict that `look` has stored counts. If
        it is NO, `why_not` returns the reasons.

        With `about`, a matter is used once for as long as its row lives, and `begin` returns the
        used session: later calls return AGAIN, and ask nobody. Never pay for AGAIN: see
        `CheckCase.use`.

        With your own `connection` to the store's database, the session is marked in your
        transaction: it is used if you commit, and unused if you roll back. Call it before your
        first statement, because the row and the vendor are read first, on the store's connection.

        Args:
            max_age_s: Maximum seconds since the start: see `SessionResult.is_verified_for`.
            document: The person to whom a compared document must belong: see `Sessions.read`. None
                to ask the store's `person`.
            any_settings: Whether a session that was planned for another workflow, level or template
                counts: see `SessionResult.is_verified_for`.
            connection: A connection or Session of SQLAlchemy, Django's ``connection``, or a DB-API
                connection, with an open transaction. Errors of the database are its own.

        Raises:
            SessionMismatch: the session is not the record's. Do not grant access.
            InvalidRequest: `connection` is asynchronous, or of another kind of database.
            StoreUnavailable: nothing may follow from it. If the session was marked, the store's
                next transaction undoes that.
            FaceMatchError: the session could not be read: see `Sessions.read`.
        """
        table = self._store._table  # noqa: SLF001
        # Refused before the vendor is asked.
        marking = table if connection is None else table.on(connection)
        judged = self._judge(
            table, max_age_s=max_age_s, document=document, any_settings=any_settings
        )
        return judged.store(marking)

    def _judge(self, table: SessionTable, **terms: Any) -> Judged:
        return looking.judge(table, self, self._store._person, **terms)  # noqa: SLF001

    def find(self) -> StoredSession | None:
        """Return the newest session of the case, as last read; None without one.

        Sends nothing. For a page that shows the state: only `use` may let a person in.
        """
        table = self._store._table  # noqa: SLF001
        row = table.find_newest(self)
        return None if row is None else table.as_stored(row)

    def why_not(self, *, max_age_s: float, any_settings: bool = False) -> tuple[str, ...]:
        """Return all reasons why `use` would be NO by the last reading; empty if FIRST.

        Sends nothing. For pages, logs and support: a reason has no value of the case. For
        arguments and errors, see `SessionResult.why_not`.
        """
        table = self._store._table  # noqa: SLF001
        row = table.find_newest(self)
        if row is None and table.has_closed_row(self):
            return ("the session was cancelled or closed",)
        if row is None:
            return ("no session was begun",)
        used = () if row.used_at is None else ("the session was used already",)
        result = table.as_stored(row).result
        if result is None:
            return (*used, "the session was not read yet")
        against = functools.partial(why_not, self, max_age_s=max_age_s, any_settings=any_settings)
        return (*used, *table.reasons(row, result, against))

    def __repr__(self) -> str:
        return f"VerificationCase({self._store!r})"


@methods_clear_frames
class SessionStore(CaseStore):
    """A table of hosted sessions: one open session for each case, used once.

    Works in SQLite and PostgreSQL, and creates its tables. Safe to share between threads, processes
    and, with PostgreSQL, machines; usable after a fork. For a busy or unreachable database, see
    `SqlStore`. An application that has a table of its own for sessions needs only `Sessions`.

    The table ``facematch_sessions`` contains the records and the last readings, without pictures.
    The link for the person and a token that the vendor gives once have columns of their own, which
    are NULL once they have expired, and after the first reading that is not PENDING. No other token
    is stored, nor a link that works only once.

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
        revise_for_days: For how many days after its use `look` reads a session daily, because the
            vendor may revise its verdict; `math.inf` for as long as its row stays. With a month,
            3,000 uses a day are one reading a second. Later, only a webhook tells.

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
        >>> print(payout.use(max_age_s=3600))  # FIRST once, when all is passed
        no
        >>> store.close()
    """

    def __init__(
        self,
        where: str | Engine,
        sessions: Sessions | Mapping[str, Sessions],
        *,
        choose: Callable[[str], str] | None = None,
        person: Callable[[str], Person] | None = None,
        revise_for_days: float = 30.0,
    ) -> None:
        """Open the store; the class describes the arguments.

        Raise ConfigurationError without sessions, and for several without `choose`.
        """
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
        if type(revise_for_days) not in (int, float) or not revise_for_days >= 0:
            raise errors.ConfigurationError("revise_for_days must be a number of 0 or more.")
        self._table = SessionTable(
            where, self._sessions, revise_for_s=revise_for_days * _SECONDS_PER_DAY
        )

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
        return VerificationCase(store=self, subject_ref=subject_ref, purpose=purpose, about=about)

    def look(self, *, at_most: int = 100) -> tuple[StoredSession, ...]:
        """Read the sessions that are due, each under a lease of a minute. Free of charge.

        Call it every second in one or more workers. A session is due when its state suggests
        another reading, when a webhook names it, and daily for `revise_for_days` once it was used:
        check `StoredSession.is_revoked`, because the vendor may revise a verdict. Used sessions
        wait while others are due, but get one reading in ten.

        If a session cannot be read, or the store's `person` raises, the error is logged, and the
        session is due again a minute later, or after the vendor's ``Retry-After``, from 2 seconds
        to 10 minutes. If `look` itself raises, such as `StoreUnavailable` or a Ctrl-C, its readings
        are not stored, because nobody would hear of them: the sessions are due again at once, or a
        minute later if the process was killed or the database cannot be reached.

        Args:
            at_most: Maximum number of sessions to read. After 10 seconds, no further one is begun.

        Returns:
            The sessions that were read.
        """
        return looking.look(self._table, self._person, at_most)

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
        columns = self._table.columns
        return self._table.change(
            self._table.is_of(subject_ref),
            columns.open_case_key.is_not(None),
            look_at=self._table.time(),
            lease=None,
        )

    def cancel(self, subject_ref: str) -> int:
        """Delete all sessions that a person has not finished, so that their links stop working.

        Call it at logout and after a change of the password: a stolen login may have opened a link.

        Returns:
            The number of sessions that were closed. They are never used. If the vendor could not
            delete one, a warning is logged, and `forget` deletes it later.
        """
        columns = self._table.columns
        closed = self._table.update(
            self._table.is_of(subject_ref),
            columns.open_case_key.is_not(None),
            columns.state.is_(None) | columns.state.in_(_UNFINISHED),
            **CLOSING_CHANGES,
        )
        for row in closed:
            self._table.delete_at_vendor(row)
        return len(closed)

    def erase(self, subject_ref: str, *, vendor_is_gone: str | None = None) -> tuple[Erased, ...]:
        """Delete all sessions of a person who leaves, in any state: at the vendor, then here.

        All rows are closed first, so no `use` is FIRST from then on, even if the vendor is down.
        Record your payout first: an erased case can be used again. Call it again until each
        session `is_done_here`; then it returns ().

        Args:
            subject_ref: See `of`.
            vendor_is_gone: The name of a backend, such as ``persona``, whose vendor will not delete
                anything any longer: your contract ended, or your key was revoked. A record there is
                deleted here if this store was opened without the backend, or if the vendor refuses
                the key; `Erased.face_is_gone` is then None, and `Erased.reason` says so. Keep the
                vendor's own confirmation beside it. After any other error, the record stays.

        Returns:
            What became of each session, without the person: evidence to store.

        Raises:
            InvalidRequest: `vendor_is_gone` is neither an installed backend, nor one of this store
                or of the person's records. Nothing was deleted.
        """
        closed = self._table.update(
            self._table.is_of(subject_ref),
            **CLOSING_CHANGES,
            state=None,
            result=None,
            decisions=None,
        )
        return self._table.erase(closed, vendor_is_gone)

    def export(self, subject_ref: str) -> dict[str, Any]:
        """Return all that is stored of a person who asks for it; see `CheckStore.export`."""
        return self._table.export(subject_ref)

    def forget(self, days: float) -> tuple[Erased, ...]:
        """Delete the sessions that were begun `days` or more ago: at the vendor, then here.

        Only the age matters. Run it daily. The row stays for the next time if the vendor cannot be
        reached or deletes later, or if this store does not have its `Sessions`. If the vendor
        cannot delete sessions, only the row is deleted. What may stay at the vendor is logged.

        Returns:
            What became of each of these sessions, as of `erase`.

        Raises:
            InvalidRequest: `days` is not a number of 0 or more.
        """
        batches = self._table.begun_before(self._table.time(-seconds_of(days)))
        return tuple(each for _, rows in batches for each in self._table.erase(rows))

    def close_begun_before(self, time: dt.datetime) -> int:
        """Close all unused sessions that were begun before a time; return their number.

        Call it after you restored the database from a backup, with the time of the restore,
        because a session may have been used since the backup. None of them is used any more: their
        customers verify once more.

        Raises:
            InvalidRequest: `time` has no time zone.
        """
        return self._table.close_begun_before(time, **CLOSING_CHANGES)

    def close(self) -> None:
        """Close the sessions and the connections to the database. May be called more than once."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._table.database.close)
            for sessions in self._sessions.values():
                stack.callback(sessions.close)

    def __repr__(self) -> str:
        # An object whose `__init__` failed may have no sessions.
        return f"SessionStore({', '.join(getattr(self, '_sessions', ()))})"

    def _choose_name(self, subject_ref: str) -> str:
        """Return the name of the `Sessions` for a new session; raise if `choose` knows another."""
        if self._choose is None:
            return next(iter(self._sessions))
        name = self._choose(subject_ref)
        if name not in self._sessions:
            raise errors.ConfigurationError(
                f"choose returned {name!r:.60}, but the Sessions are {', '.join(self._sessions)}."
            )
        return name

    def _set_hinted_session_due(self, name: str, hint: SessionHint) -> int:
        """Set the session of a webhook due; return the number of changed rows, 0 or 1."""
        columns = self._table.columns
        is_meant = columns.session_id == hint.session_id
        if hint.record_id is not None:  # `id IS NULL` would be searched in all rows
            is_meant |= columns.id == hint.record_id
        # A closed session is never used, and an erased person's is not stored again.
        is_of_case = columns.case_key != ""
        # A reading that is under way may be older than the event, so it loses its lease.
        return self._table.change(
            columns.name == name, is_meant, is_of_case, look_at=self._table.time(), lease=None
        )
