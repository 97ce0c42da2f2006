"""`DiditAccount`: read the credit and the stored calls of a Didit account.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance())
        print(account.decision(result.ids.session).matches)

Source: Didit OpenAPI, 2026-07-18, read on 2026-11-20.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Self

import attrs

from facematch_core import (
    CallRecord,
    ConfigurationError,
    InvalidRequest,
    Secret,
)
from facematch_core.backend import DeleteKeptRequest
from facematch_core.backend.session_types import Deletion
from facematch_core.call.verdict import apply_rules

from .backend import DiditBackend
from .records import Id, SessionDecision, check_id, fetch, fetch_decision
from .words import read_object


class DiditAccount:
    """Reads the credit and the stored calls of a Didit account, and deletes sessions.

    All requests are free and are never retried automatically. Thread-safe. Can be used as a
    context manager. To sign up, log in or buy credit, use Didit's console.

    Every method raises errors of `facematch_core.errors`: `AuthenticationFailed` (401, 403),
    `RequestRejected` with Didit's message (`SessionNotFound` for a session's 404), `RateLimited`
    (not executed), `VendorUnavailable` (no usable response: retry), `UnexpectedResponse`, and
    `InvalidRequest` for an invalid argument, before anything is sent.

    Args:
        api_key: The application's API key.
        **settings: Other settings of `DiditBackend`.

    Raises:
        ConfigurationError: a setting is invalid.
    """

    def __init__(self, *, api_key: Secret | str, **settings: Any) -> None:
        try:
            self._backend = DiditBackend(api_key=api_key, **settings)
        finally:
            del api_key  # a traceback keeps this frame, and error trackers send its variables
        self._is_own = True

    @classmethod
    def of(cls, backend: object) -> Self:
        """Return an account that uses a backend's key: ``DiditAccount.of(verifier.backend)``.

        The account shares the backend's settings and connections.

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
        """Close the connections, unless they belong to a backend. May be called more than once."""
        if self._is_own:
            self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def balance(self) -> Decimal:
        """Return the credit of the key's organization, in US dollars.

        All digits are preserved. Didit does not document whether the credit can be negative.
        """
        return fetch(self._backend, "/v3/billing/balance/", _read_balance)

    def decision(self, session_id: Id, *, call: CallRecord | None = None) -> SessionDecision:
        """Return the current state of a session, with the results of its calls.

        Without `call`, the results are Didit's own verdicts. A call's `review_threshold` is not
        sent to Didit, so a call that was REVIEW because of this threshold is a pass here. With
        `call`, the call's thresholds are applied, as in `FaceVerifier.reconcile`.

        Args:
            session_id: The `ids.session` from the result of a call with `Retention.KEEP`.
            call: The record of the call that created the session, from the event STARTED or an
                error; None to return Didit's verdicts.

        Raises:
            SessionNotFound: the session is unknown, deleted or out of the key's scope. Didit does
                not document whether a session can be read immediately after its call.
            EnvironmentMismatch: the session has an unknown environment.
            InvalidRequest: an argument is invalid, or the session belongs to another call.
        """
        if call is not None and not isinstance(call, CallRecord):
            raise InvalidRequest(f"call must be a CallRecord, not {type(call).__name__}.")
        decision = fetch_decision(self._backend, session_id)
        if call is None:
            return decision
        # Also without results, which each have the id.
        if decision.call_id != call.id:
            raise InvalidRequest("The session has the id of another call, or of none.")
        matches = [apply_rules(result, call) for result in decision.matches]
        checks = [apply_rules(result, call) for result in decision.liveness_checks]
        return attrs.evolve(decision, matches=tuple(matches), liveness_checks=tuple(checks))

    def delete(self, session_id: Id) -> Deletion:
        """Delete a session with its pictures and faces. Cannot be undone; credit is not refunded.

        Returns:
            Whether the session was deleted or did not exist, and whether Didit still has the face.
        """
        mismatch = self._backend.find_mismatch()
        if mismatch is not None:
            raise mismatch
        request = DeleteKeptRequest(
            session_id=check_id(session_id), clock=self._backend.client.clock
        )
        return self._backend.delete_kept(request)


def _read_balance(body: object, _: object) -> Decimal:
    value = read_object(body, "the body").get("balance")
    # Documented as a string; a JSON number is accepted, too.
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", text):
        raise ValueError("balance is not an amount")
    return Decimal(text)
