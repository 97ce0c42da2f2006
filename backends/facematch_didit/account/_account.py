"""`DiditAccount`: what surrounds a face match at Didit."""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal

import attrs

from facematch_core import Attempt, Environment, Secret

from . import _arguments as given
from . import _reading, _requests, _waiting
from ._decision import session_decision
from ._destinations import Destinations
from ._filters import filters
from ._opened import Opened
from ._pages import PAGE_SIZE, pages
from ._records import (
    Balance,
    Deleted,
    Registration,
    Review,
    SessionRow,
    Tokens,
    TopUp,
    VerifiedAccount,
)
from ._requests import Id, Node
from ._session import SessionDecision
from ._words import ApiService, SessionKind, SessionStatus, SessionType


@attrs.frozen(kw_only=True, eq=False)
class DiditAccount(Opened):
    """An account at Didit: registration, credit, the sessions of calls that were kept, webhooks.

    None of these calls has a price. None is repeated by itself, but for reading where that is
    said. Safe to share between threads; not to be pickled; a context manager.

    Every call raises, of `facematch_core.errors`: `AuthenticationFailed` (401, 403),
    `RequestRejected` (with Didit's words by field; `SessionNotFound` for a session's 404),
    `RateLimited` (not executed), `VendorUnavailable` (nothing was sent; or, if the call only reads,
    no usable answer came: ask again), `UnexpectedResponse`; and if it changes something,
    `OutcomeUnknown`, whose message says what to look at. A key that is missing is a
    `ConfigurationError`, a wrong argument an `InvalidRequest`: nothing was sent then.

    Args:
        api_key: The application's key; None to register, which gives one.
        base_url: Where to ask.
        auth_url: Where to register; None for Didit's own host beside Didit's own `base_url`, else
            for ``/auth/v2`` below `base_url`.
        allow_base_url: Whether another host than Didit's and this machine may receive the key.
        allow_insecure: Whether it may travel without TLS beyond this machine.
        environment: What kind of key it is, as for `DiditBackend`; sessions tell their own.
        connect_timeout_s, read_timeout_s: Longest waits, above 0. Their sum bounds each call.
        clock: Time, for waiting; None for the machine's.
        client: What sends, instead of one of its own: time-outs and clock are then its, and
            `close` leaves it open.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    # --- opening an account ---

    def register(self, email: str, password: Secret | str) -> Registration:
        """Open an account; Didit sends a code to `email`.

        At most five an hour from one address of the network.

        Args:
            email: Of a mailbox that can be read.
            password: At least eight characters: a small and a capital letter, a digit and a
                special character among them. Didit reports one broken rule at a time.
        """
        password = given.hidden(password)
        read = functools.partial(_reading.registration, email=email)
        return self._line.read(_requests.register(email, password), read)

    def verify_email(self, email: str, code: Secret | str) -> VerifiedAccount:
        """Prove the mailbox; the answer tells the application's key.

        Args:
            email: As registered.
            code: Six letters and digits from the mailbox; good for 15 minutes, by some of Didit's
                pages 10.
        """
        code = given.hidden(code)
        return self._line.read(_requests.verify_email(email, code), _reading.verified)

    def login(self, email: str, password: Secret | str) -> Tokens:
        """New tokens of a person; five failures close the account for 15 minutes."""
        password = given.hidden(password)
        return self._line.read(_requests.login(email, password), _reading.tokens)

    def resend_code(self, email: str) -> None:
        """Have another code sent; a minute must pass between two."""
        self._line.send(_requests.resend_code(email))

    # --- credit ---

    def balance(self) -> Balance:
        """The credit of the organization that the key belongs to."""
        return self._line.read(_requests.balance(), _reading.balance)

    def top_up(
        self,
        amount: Decimal | int,
        *,
        success_url: Secret | str | None = None,
        cancel_url: Secret | str | None = None,
    ) -> TopUp:
        """Have a payment page made. Nothing is paid, and the balance stays, until somebody pays.

        Args:
            amount: US dollars, at least 50; no float.
            success_url, cancel_url: Where the page leads afterwards; None for Didit's console.
        """
        success_url, cancel_url = given.hidden(success_url), given.hidden(cancel_url)
        ask = _requests.top_up(amount, success_url, cancel_url)
        return self._line.read(ask, _reading.top_up)

    # --- sessions ---

    def sessions(
        self,
        *,
        kind: SessionKind | None = None,
        status: SessionStatus | Iterable[SessionStatus] | None = None,
        caller_ref: str | None = None,
        search: str | None = None,
        workflow_id: str | uuid.UUID | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
        country: str | None = None,
        document_type: str | None = None,
        session_type: SessionType | None = None,
        api_service: ApiService | None = None,
        warning: Iterable[str] | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[SessionRow]:
        """The sessions that fit, newest first, each once; pages are asked for as they are needed.

        A session that is deleted during the reading can make another one be left out.

        Args:
            kind: USER unless said otherwise.
            status: One or several.
            caller_ref: Exactly what a call sent as `caller_ref`.
            search: Didit's free search.
            workflow_id: Of a hosted workflow.
            date_from, date_to: Days of creation in UTC, both included.
            country, document_type: Didit's words.
            session_type: API for calls that were kept.
            api_service: Which call.
            warning: Didit's tags; a session has at least one of them.
            page_size: Rows to ask for at once, at least 1.

        Raises:
            InvalidRequest: an argument; at once, not when the first row is wanted.
        """
        first = filters(
            kind=kind,
            status=status,
            caller_ref=caller_ref,
            search=search,
            workflow_id=workflow_id,
            date_from=date_from,
            date_to=date_to,
            country=country,
            document_type=document_type,
            session_type=session_type,
            api_service=api_service,
            warning=warning,
        )
        first |= {"limit": str(given.a_count("page_size", page_size)), "offset": "0"}
        return pages(
            self._line,
            _requests.sessions,
            _reading.session_row,
            first=first,
            name_of=lambda row: row.session_id,
        )

    def decision(
        self, session_id: Id, *, attempt: Attempt | None = None, just_kept: bool = False
    ) -> SessionDecision:
        """A session as it stands, with the results of its calls.

        **Without `attempt` the results are Didit's verdict alone.** Didit's record knows nothing of
        a `review_threshold`, so what the call told as REVIEW because of it is a pass here. With
        `attempt` the rules of the call hold, as in `FaceVerifier.reconcile`.

        Args:
            session_id: That of a result that was kept.
            attempt: Of the call that made the session; None for Didit's verdict.
            just_kept: Whether that was a moment ago: a 404 is then asked again twice, within two
                seconds.

        Raises:
            SessionNotFound: it is unknown, deleted, or out of the key's scope.
            InvalidRequest: an argument; or the session is not that of `attempt`.
        """
        ask = _requests.decision(session_id)
        attempt = given.an_attempt_or_none("attempt", attempt)
        look = functools.partial(self._line.read_told, ask, self._decision)
        if given.a_flag("just_kept", just_kept):
            told = _waiting.settled(look, self.client.clock)
        else:
            told = look()
        return told if attempt is None else told.judged_by(attempt)

    def wait_for_review(
        self,
        session_id: Id,
        *,
        timeout_s: float,
        poll_s: float = 5.0,
        attempt: Attempt | None = None,
    ) -> SessionDecision:
        """The session once its status is final, or as it stands when the time is over.

        Look at `is_open` to tell the two apart: a session that is still open has no pass among its
        results. A rate limit, and an error that may be asked again, are waited out; if the time
        ends with one, it is raised.

        Args:
            session_id: As for `decision`.
            timeout_s: Longest wait, at least 0, to which one last call may add its own time.
            poll_s: Seconds between two looks, at least 0.1. Didit allows 600 in a minute, and
                allowed 100 in early 2026.
            attempt: As for `decision`: without it no review threshold of yours is applied.

        Raises:
            SessionNotFound: there is no such session.
            InvalidRequest: as for `decision`.
        """
        ask = _requests.decision(session_id)
        attempt = given.an_attempt_or_none("attempt", attempt)
        told = _waiting.decided(
            functools.partial(self._line.read_told, ask, self._decision),
            self.client.clock,
            timeout_s=given.seconds("timeout_s", timeout_s, least=0),
            poll_s=given.seconds("poll_s", poll_s, least=0.1),
        )
        return told if attempt is None else told.judged_by(attempt)

    def delete(self, session_id: Id) -> Deleted:
        """Delete a session, its pictures and its faces. No undo; the credit is not given back.

        Raises:
            SessionNotFound: it is unknown or deleted already, or out of the key's scope.
        """
        reply = self._line.send(_requests.delete(session_id))
        return _reading.deleted(reply, session_id=given.an_id("session_id", session_id))

    def delete_many(self, session_numbers: Iterable[int]) -> None:
        """Delete several sessions by their numbers; those that are unknown are skipped.

        Didit can also delete everything at once. That is not offered.
        """
        self._line.send(_requests.delete_many(session_numbers))

    def update_status(
        self,
        session_id: Id,
        new_status: SessionStatus,
        *,
        comment: str | None = None,
        nodes_to_resubmit: Iterable[Node] = (),
        send_email: bool = False,
        email_address: str | None = None,
        email_language: str | None = None,
    ) -> None:
        """Decide about a session, as a person would in Didit's console; Didit notes it as a review.

        Args:
            session_id: As for `decision`.
            new_status: APPROVED, DECLINED or RESUBMITTED.
            comment: Kept with the review.
            nodes_to_resubmit: What is to be done again, for RESUBMITTED.
            send_email: Whether Didit writes to `email_address`, in `email_language` if given.
            email_address, email_language: See `send_email`.

        Raises:
            SessionNotFound: there is no such session.
            RequestRejected: among others, it has that status already, or one that cannot be
                changed.
        """
        self._line.send(
            _requests.update_status(
                session_id,
                new_status,
                comment=comment,
                nodes_to_resubmit=nodes_to_resubmit,
                send_email=send_email,
                email_address=email_address,
                email_language=email_language,
            )
        )

    def reviews(self, session_id: Id) -> Iterator[Review]:
        """What was noted about a session; pages are asked for as they are needed."""
        ask = functools.partial(_requests.reviews, given.an_id("session_id", session_id))
        return pages(self._line, ask, _reading.review, first={})

    def add_review(
        self,
        session_id: Id,
        comment: str | None = None,
        *,
        new_status: SessionStatus | None = None,
    ) -> Review:
        """Note something about a session. Its status stays, whatever `new_status` says.

        Raises:
            InvalidRequest: neither of the two is given.
            SessionNotFound: there is no such session.
        """
        ask = _requests.add_review(session_id, comment, new_status)
        return self._line.read(ask, _reading.review)

    # --- webhooks ---

    @property
    def destinations(self) -> Destinations:
        """Where Didit reports what happens to sessions: `list`, `get`, `create`, ..."""
        return Destinations(self._line)

    def _decision(self, body: object, told: Environment | None) -> SessionDecision:
        return session_decision(body, declared=self.environment, told=told)
