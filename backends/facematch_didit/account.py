"""`DiditAccount`: credit and kept calls of an account at Didit.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance().amount)
        for row in account.sessions(operation=Operation.MATCH):
            print(row.session_id, account.decision(row.session_id).results)

Source: Didit OpenAPI, 2026-07-18, read on 2026-11-20.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn, Self

import attrs

from facematch_core import (
    CallRecord,
    ConfigurationError,
    Deletion,
    InvalidRequest,
    Operation,
    Secret,
    SessionRecord,
    judge,
)
from facematch_core.backend import CALL_ID_KEY, DeleteRequest
from facematch_core.errors import SessionNotFound

from . import client
from .arguments import Id, check_id
from .backend import DiditBackend
from .records import SessionDecision, SessionRow, SessionStatus
from .words import NAME, amount_or_none, flag_or_none, read_amount, read_object

__all__ = [
    "Balance",
    "DiditAccount",
    "SessionDecision",
    "SessionNotFound",
    "SessionRow",
    "SessionStatus",
]


@attrs.frozen(kw_only=True)
class Balance:
    """The credit of the whole organization in US dollars, with all digits that Didit returned.

    Attributes:
        amount: The credit. No document rules out a negative amount.
        auto_refill: Whether Didit refills the credit by itself; None if the answer does not say.
        auto_refill_amount: Dollars that each refill adds; None if not set.
        auto_refill_threshold: Credit below which Didit refills; None if not set.
    """

    amount: Decimal
    auto_refill: bool | None = None
    auto_refill_amount: Decimal | None = None
    auto_refill_threshold: Decimal | None = None


class DiditAccount:
    """The credit and the kept calls of an account at Didit.

    All methods are free, and none is repeated by itself. An account may be shared between threads.
    It is a context manager and cannot be pickled. Open an account, log in and buy credit in Didit's
    console.

    Every method raises errors of `facematch_core.errors`: `AuthenticationFailed` (401, 403),
    `RequestRejected` with Didit's words (`SessionNotFound` for a session's 404), `RateLimited`
    (not executed), `VendorUnavailable` (no usable answer: ask again), `UnexpectedResponse`, and
    `InvalidRequest` for a wrong argument, before anything is sent.

    Args:
        api_key: The application's key.
        **settings: Other settings of `DiditBackend`.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    def __init__(self, *, api_key: Secret | str, **settings: Any) -> None:
        self._backend, self._is_own = DiditBackend(api_key=api_key, **settings), True

    @classmethod
    def of(cls, backend: object) -> Self:
        """Return the account of a `DiditBackend`'s key, with its settings and connections.

        For a profile of the configuration file: ``DiditAccount.of(verifier.backend)``.

        Raises:
            ConfigurationError: `backend` is not a `DiditBackend`.
        """
        if not isinstance(backend, DiditBackend):
            raise ConfigurationError(
                f"DiditAccount.of takes a DiditBackend, not {type(backend).__name__}."
            )
        account = cls.__new__(cls)
        vars(account).update(_backend=backend, _is_own=False)
        return account

    def close(self) -> None:
        """Close the connections, unless they belong to a backend. May be called again."""
        if self._is_own:
            self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DiditAccount cannot be pickled: open one in each process.")

    def balance(self) -> Balance:
        """Return the credit of the organization that the key belongs to."""
        return client.fetch(self._backend, "/v3/billing/balance/", _read_balance)

    def sessions(
        self,
        *,
        operation: Operation | None = None,
        caller_ref: str | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
    ) -> Iterator[SessionRow]:
        """Iterate over the matching sessions, newest first; pages are requested as needed.

        A session that is deleted during the iteration can make another one be left out.

        Args:
            operation: `Operation.MATCH` or `Operation.LIVENESS`, for kept calls alone; None for
                sessions of all kinds.
            caller_ref: The exact `caller_ref` of a call.
            date_from, date_to: First and last day of creation, in UTC, both included.

        Raises:
            InvalidRequest: an argument is wrong; raised at once, not with the first row.
        """
        return client.fetch_rows(
            self._backend,
            operation=operation,
            caller_ref=caller_ref,
            date_from=date_from,
            date_to=date_to,
        )

    def decision(self, session_id: Id, *, call: CallRecord | None = None) -> SessionDecision:
        """Return the current state of a session, with the results of its calls.

        Without `call` the results are Didit's verdict alone: Didit does not know the
        `review_threshold` of a call, so a call that was REVIEW because of it is a pass here. With
        `call` its thresholds are applied, as in `FaceVerifier.reconcile`.

        Args:
            session_id: The `ids.session` of a kept call's result.
            call: The record of the call that made the session, as the event STARTED or an error
                carries it; None for Didit's verdict.

        Raises:
            SessionNotFound: the session is unknown, deleted or out of the key's scope. No document
                says that a session can be read immediately after its call.
            EnvironmentMismatch: the session names an unknown environment.
            InvalidRequest: an argument is wrong, or the session is not that of `call`.
        """
        if call is not None and not isinstance(call, CallRecord):
            raise InvalidRequest(f"call must be a CallRecord, not {type(call).__name__}.")
        decision = client.fetch_decision(self._backend, session_id)
        if call is None:
            return decision
        if call.backend != NAME or (decision.metadata or {}).get(CALL_ID_KEY) != call.id:
            raise InvalidRequest(
                f"The session {decision.session_id} does not carry the id of this call: it is the "
                "record of another call."
            )
        return attrs.evolve(decision, results=tuple(judge(r, call) for r in decision.results))

    def delete(self, session_id: Id) -> Deletion:
        """Delete a session with its pictures and faces. This cannot be undone; no credit returns.

        Returns:
            Whether the session was deleted or not there, and whether Didit kept the face.
        """
        backend = self._backend
        if mismatch := backend.find_mismatch():
            raise mismatch
        record = SessionRecord(
            backend=NAME,
            subject_ref="",
            purpose="",
            expects=(),
            planned_at=backend.client.clock.now(),
            session_id=check_id("session_id", session_id),
        )
        return backend.delete_session(DeleteRequest(record=record, clock=backend.client.clock))


def _read_balance(body: object, _: object) -> Balance:
    answer = read_object(body, "the body")
    names = ("auto_refill_amount", "auto_refill_threshold")
    return Balance(
        amount=read_amount(answer.get("balance"), "balance"),
        auto_refill=flag_or_none(answer.get("auto_refill_enabled"), "auto_refill_enabled"),
        **{name: amount_or_none(answer.get(name), name) for name in names},
    )
