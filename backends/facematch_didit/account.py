"""What surrounds a face match at Didit: `DiditAccount`.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance().amount)
        for row in account.sessions(operation=Operation.MATCH):
            print(row.session_id, account.decision(row.session_id).results)

Sources: Didit face-match skill page, early 2026 (registration); Didit OpenAPI, 2026-07-18 (the
rest). Both were read on 2026-11-20.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import attrs

from facematch_core import (
    Billing,
    CallRecord,
    Charged,
    ConfigurationError,
    Deletion,
    Environment,
    InvalidRequest,
    Operation,
    Secret,
    SessionRecord,
    judge,
)
from facematch_core.backend import CALL_ID_KEY, DeleteRequest
from facematch_core.base.deadline import Deadline
from facematch_core.errors import (
    AuthenticationFailed,
    OutcomeUnknown,
    SessionNotFound,
    VendorError,
)
from facematch_core.http import BodyShape, ErrorRow, HttpReply, HttpRequest

from . import client, wire
from .arguments import Id, check_dollars, check_id, check_secret, check_text, hide
from .backend import DiditBackend
from .records import SessionDecision, SessionRow, SessionStatus
from .words import (
    HOST,
    NAME,
    amount_or_none,
    flag_or_none,
    number_or_none,
    read_amount,
    read_full_text,
    read_object,
    read_secret,
    text_or_none,
)

__all__ = [
    "Balance",
    "DiditAccount",
    "SessionDecision",
    "SessionNotFound",
    "SessionRow",
    "SessionStatus",
    "Tokens",
    "TopUp",
    "VerifiedAccount",
]

T = TypeVar("T")

#: The host that registers accounts, and what its calls have before their path (Didit face-match
#: skill page, early 2026).
AUTH_HOST = "apx.didit.me"
AUTH_PATH = "/auth/v2"


@attrs.frozen(kw_only=True)
class Tokens:
    """What a person's login gives. The calls of this library need the key, not these.

    Attributes:
        access_token, refresh_token: Secrets.
        expires_in_s: Seconds that the access token holds from the answer on; None if not given
            (Didit documents 86,400).
    """

    access_token: Secret
    refresh_token: Secret
    expires_in_s: float | None = None


@attrs.frozen(kw_only=True)
class VerifiedAccount:
    """An account that may be used.

    Attributes:
        api_key: The application's key: what a backend needs. Didit shows it here and in its
            console.
        tokens: Of the person who registered.
        organization_id: Who pays; None if not given.
        application_id: Whose key it is; None if not given.
    """

    api_key: Secret
    tokens: Tokens
    organization_id: str | None = None
    application_id: str | None = None


@attrs.frozen(kw_only=True)
class Balance:
    """The credit of the whole organization, in US dollars, exactly as given.

    Attributes:
        amount: May be negative, as far as is known.
        auto_refill: Whether Didit tops it up by itself; None if not given.
        auto_refill_amount, auto_refill_threshold: By how much, and below what; None if not set.
    """

    amount: Decimal
    auto_refill: bool | None = None
    auto_refill_amount: Decimal | None = None
    auto_refill_threshold: Decimal | None = None


@attrs.frozen(kw_only=True)
class TopUp:
    """A payment page. The balance stays as it is until somebody has paid there.

    Attributes:
        checkout_id: The payment provider's id of it.
        page: Its address, for a person. Whoever has it can only pay, but sees for whom: so it is
            a secret, which no log shows.
    """

    checkout_id: str
    page: Secret


class DiditAccount:
    """An account at Didit: registration, credit, kept calls.

    No call has a price, and none is repeated by itself. Safe to share between threads; not to be
    pickled; a context manager.

    Every call raises, of `facematch_core.errors`: `AuthenticationFailed` (401, 403),
    `RequestRejected` (with Didit's words; `SessionNotFound` for a session's 404), `RateLimited`
    (not executed), `VendorUnavailable` (nothing was sent; or, if the call only reads or deletes, no
    usable answer came: ask again), `UnexpectedResponse`; and `register`, `verify_email`, `login`
    and `top_up` also `OutcomeUnknown`, whose message says what to look at. A key that is missing is
    a `ConfigurationError`, a wrong argument an `InvalidRequest`: nothing was sent then.

    Args:
        api_key: The application's key; None to register, which gives one.
        **settings: As of `DiditBackend`. With another `base_url` than Didit's, accounts are
            registered below it, at ``/auth/v2``.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    def __init__(self, *, api_key: Secret | str | None = None, **settings: Any) -> None:
        self._has_key = api_key is not None
        # Only registering does without a key, and sends none.
        key = Secret("none") if api_key is None else api_key
        self._backend, self._is_own = DiditBackend(api_key=key, **settings), True

    @classmethod
    def of(cls, backend: object) -> Self:
        """The account of a `DiditBackend`'s key, with its settings and over its connections.

        For a profile: ``DiditAccount.of(verifier.backend)``, of what `open_verifier` gives.

        Raises:
            ConfigurationError: it is no `DiditBackend`.
        """
        if not isinstance(backend, DiditBackend):
            raise ConfigurationError(
                f"DiditAccount.of takes a DiditBackend, not {type(backend).__name__}."
            )
        account = cls.__new__(cls)
        vars(account).update(_backend=backend, _is_own=False, _has_key=True)
        return account

    def close(self) -> None:
        """Close the connections, unless they are those of a backend. May be called again."""
        if self._is_own:
            self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DiditAccount cannot be pickled: open one in each process.")

    # --- opening an account ---

    def register(self, email: str, password: Secret | str) -> None:
        """Open an account; Didit sends a code to `email`.

        At most five an hour from one address of the network.

        Args:
            email: Of a mailbox that can be read.
            password: At least eight characters: a small and a capital letter, a digit and a
                special character among them. Didit reports one broken rule at a time.
        """
        password = hide(password)
        self._register(
            "register",
            lambda body, _: read_object(body, "the body"),
            "Look for a code in the mailbox. For reserved test domains (example.com) Didit is "
            "reported to answer 500.",
            email=email,
            password=password,
        )

    def verify_email(self, email: str, code: Secret | str) -> VerifiedAccount:
        """Prove the mailbox; the answer has the application's key.

        Args:
            email: As registered.
            code: Six letters and digits from the mailbox; good for 15 minutes, by some of Didit's
                pages 10.
        """
        code = hide(code)
        return self._register(
            "verify-email",
            _read_verified,
            "The address may be verified by now: log in with login(), or take the key from Didit's "
            "console.",
            email=email,
            code=code,
        )

    def login(self, email: str, password: Secret | str) -> Tokens:
        """New tokens of a person; five failures close the account for 15 minutes."""
        password = hide(password)
        return self._register(
            "login",
            lambda body, _: _read_tokens(body),
            "Log in again; five failures close the account for 15 minutes.",
            email=email,
            password=password,
        )

    # --- credit ---

    def balance(self) -> Balance:
        """The credit of the organization that the key belongs to."""
        return client.fetch(self._with_key(), "/v3/billing/balance/", _read_balance)

    def top_up(self, amount: Decimal | int) -> TopUp:
        """Have a payment page made. Nothing is paid, and the balance stays, until somebody pays.

        Args:
            amount: US dollars, at least 50; no float.
        """
        backend = self._with_key()
        return self._post(
            f"{backend.address}/v3/billing/top-up/",
            backend.api_key,
            {"amount_in_dollars": check_dollars(amount)},
            read=_read_top_up,
            advice="A payment page may have been made; nothing is charged until somebody pays "
            "there. Look for it in Didit's console, and at balance(), before asking for another.",
        )

    # --- kept calls ---

    def sessions(
        self,
        *,
        operation: Operation | None = None,
        caller_ref: str | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
    ) -> Iterator[SessionRow]:
        """The sessions that fit, newest first, each once; pages are asked for as they are needed.

        A session that is deleted during the reading can make another one be left out.

        Args:
            operation: Of kept calls alone: `Operation.MATCH` or `Operation.LIVENESS`.
            caller_ref: Exactly what a call sent as `caller_ref`.
            date_from, date_to: Days of creation in UTC, both included.

        Raises:
            InvalidRequest: an argument; at once, not when the first row is wanted.
        """
        return client.fetch_rows(
            self._with_key(),
            operation=operation,
            caller_ref=caller_ref,
            date_from=date_from,
            date_to=date_to,
        )

    def decision(self, session_id: Id, *, call: CallRecord | None = None) -> SessionDecision:
        """A session as it is now, with the results of its calls.

        **Without `call` the results are Didit's verdict alone.** Didit's record knows nothing of a
        `review_threshold`, so what the call answered as REVIEW because of it is a pass here. With
        `call` the rules of the call hold, as in `FaceVerifier.reconcile`: its thresholds are filled
        in, and a pass that they or its `review_threshold` do not support is REVIEW.

        Args:
            session_id: That of a result that was kept.
            call: The record of the call that made the session, as the event STARTED or an error
                carries it; None for Didit's verdict.

        Raises:
            SessionNotFound: it is unknown, deleted, or out of the key's scope; or it was kept a
                moment ago, for nothing documents that it can be read at once.
            EnvironmentMismatch: the session names an environment that is not known.
            InvalidRequest: an argument; or the session is not that of `call`.
        """
        if call is not None and not isinstance(call, CallRecord):
            raise InvalidRequest(f"call must be a CallRecord, not {type(call).__name__}.")
        decision = client.fetch_decision(self._with_key(), session_id)
        if call is None:
            return decision
        if call.backend != NAME or (decision.metadata or {}).get(CALL_ID_KEY) != call.id:
            raise InvalidRequest(
                f"The session {decision.session_id} does not carry the id of this call: it is the "
                "record of another call."
            )
        return attrs.evolve(decision, results=tuple(judge(r, call) for r in decision.results))

    def delete(self, session_id: Id) -> Deletion:
        """Delete a session, its pictures and its faces. No undo; the credit is not given back.

        Returns:
            What became of it, and whether Didit kept the face all the same. One that is not there
            any more is no error.
        """
        backend = self._with_key()
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

    # --- sending ---

    def _with_key(self) -> DiditBackend:
        if not self._has_key:
            raise ConfigurationError(
                "This call needs the application's key: DiditAccount(api_key=...). register() and "
                "verify_email() give one."
            )
        return self._backend

    def _register(
        self,
        name: str,
        read: Callable[[Any, Environment | None], T],
        advice: str,
        *,
        email: str,
        **secrets: Any,
    ) -> T:
        """A call to the host that registers accounts, without a key."""
        body: dict[str, Any] = {"email": check_text("email", email)}
        body |= {what: check_secret(what, value) for what, value in secrets.items()}
        address = self._backend.address
        if urlsplit(address).hostname == HOST:
            address = f"https://{AUTH_HOST}"
        url = f"{address}{AUTH_PATH}/programmatic/{name}/"
        return self._post(url, None, body, read=read, advice=advice)

    def _post(
        self,
        url: str,
        key: Secret | None,
        body: Mapping[str, Any],
        *,
        read: Callable[[Any, Any], T],
        advice: str,
    ) -> T:
        """What `read` makes of the answer 2xx to a call that changes something.

        A `Secret` in `body` is revealed only while it is sent. `advice` is what to look at if no
        answer says whether it was done.
        """
        backend, clock = self._backend, self._backend.client.clock
        if mismatch := backend.find_mismatch(url=url):
            raise mismatch
        longest_s = backend.connect_timeout_s + backend.read_timeout_s
        outcome: T | VendorError
        try:
            # Made in an argument, so that no frame that lives on holds it.
            reply = backend.client.send(
                HttpRequest(
                    url=url,
                    headers={} if key is None else {"x-api-key": key},
                    json={k: v.reveal() if isinstance(v, Secret) else v for k, v in body.items()},
                    masked=tuple(part for part in body.values() if isinstance(part, Secret)),
                ),
                backend=NAME,
                charges=0,
                deadline=Deadline.after(longest_s, clock),
            )
        except OutcomeUnknown as error:
            outcome = OutcomeUnknown(f"{error.message} {advice}", backend=NAME, billing=_NO_PRICE)
        except VendorError as error:
            error.billing, outcome = _NO_PRICE, error.with_traceback(None)
        else:
            outcome = self._read_reply(reply, read, advice, registers=key is None)
            # The frame of a function that raises stays alive with the error.
            del reply
        if isinstance(outcome, VendorError):
            raise outcome
        return outcome

    def _read_reply(
        self, reply: HttpReply, read: Callable[[Any, Any], T], advice: str, *, registers: bool
    ) -> T | VendorError:
        """What an answer to such a call says, or the error to raise."""
        environment = client.environment_of(reply)
        if mismatch := self._backend.find_mismatch(reply):
            mismatch.billing = _NO_PRICE
            return mismatch
        if 200 <= reply.status < 300:
            if reply.shape is BodyShape.JSON_OBJECT:
                note = " It was carried out."
                return client.read_answer(reply, read, billing=_NO_PRICE, note=note)
            # A gateway may answer so, with a page of markup.
            problem = f"{NAME} answered {reply.status}, but not in its own form."
        else:
            now = self._backend.client.clock.now()
            find_row = functools.partial(_find_row, registers)
            refusal = wire.error_of(reply, now=now, find_row=find_row)
            refusal.environment = environment
            if type(refusal) is not VendorError:
                return refusal
            problem = refusal.message
        return OutcomeUnknown(
            f"{problem} Whether it was carried out is not known. {advice}",
            backend=NAME,
            billing=_NO_PRICE,
            status_code=reply.status,
            environment=environment,
        )


# What answers mean: as for a comparison, with that laid over.

_GROUND = "Didit names no price for this call"
_NO_PRICE = Billing(Charged.NO, _GROUND)

_NOT_ACCEPTED = ErrorRow(
    AuthenticationFailed,
    Charged.NO,
    _GROUND,
    "email, password or code is not accepted",
)
#: `VendorError` itself stands for "not known".
_UNKNOWN = ErrorRow(VendorError, Charged.NO, _GROUND, "it gave no answer to this")


def _find_row(registers: bool, status: int, form: wire.Form, shape: BodyShape) -> ErrorRow:
    if registers:
        if status in (401, 403):
            return _NOT_ACCEPTED
        # No page shows a body of that host, so the status alone decides.
        form, shape = "other", BodyShape.JSON_OBJECT
    row = wire.error_row(status, form, shape)
    return _UNKNOWN if row.charged is Charged.UNKNOWN or status >= 500 else row


def _read_tokens(body: object) -> Tokens:
    answer = read_object(body, "the body")
    return Tokens(
        access_token=read_secret(answer.get("access_token"), "access_token"),
        refresh_token=read_secret(answer.get("refresh_token"), "refresh_token"),
        expires_in_s=number_or_none(answer.get("expires_in"), "expires_in"),
    )


def _read_verified(body: object, _: object) -> VerifiedAccount:
    answer = read_object(body, "the body")
    application = read_object(answer.get("application"), "application")
    organization = read_object(answer.get("organization") or {}, "organization")
    return VerifiedAccount(
        api_key=read_secret(application.get("api_key"), "api_key"),
        tokens=_read_tokens(answer),
        organization_id=text_or_none(organization.get("uuid"), "uuid"),
        application_id=text_or_none(application.get("uuid"), "uuid"),
    )


def _read_balance(body: object, _: object) -> Balance:
    answer = read_object(body, "the body")
    names = ("auto_refill_amount", "auto_refill_threshold")
    return Balance(
        amount=read_amount(answer.get("balance"), "balance"),
        auto_refill=flag_or_none(answer.get("auto_refill_enabled"), "auto_refill_enabled"),
        **{name: amount_or_none(answer.get(name), name) for name in names},
    )


def _read_top_up(body: object, _: object) -> TopUp:
    answer = read_object(body, "the body")
    return TopUp(
        checkout_id=read_full_text(answer.get("checkout_session_id"), "checkout_session_id"),
        page=read_secret(answer.get("checkout_session_url"), "checkout_session_url"),
    )
