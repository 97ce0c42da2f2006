"""What surrounds a face match at Didit: `DiditAccount`.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance().amount)
        for row in account.sessions(api_service=ApiService.FACE_MATCH):
            print(row.session_id, account.decision(row.session_id).results)

What is asked: Didit face-match skill page, early 2026 (registration); Didit OpenAPI, 2026-07-18
(the rest). Both were read on 2026-11-20. What answers are is in `records`, how they are sent in
`client`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import attrs

from facematch_core import CallRecord, Clock, ConfigurationError, InvalidRequest, Secret
from facematch_core.deadline import Deadline
from facematch_core.errors import SessionNotFound
from facematch_core.http import HttpBackend, HttpClient

from . import arguments, records, wire
from .arguments import Id
from .client import (
    AUTH_HOST,
    PAGE_SIZE,
    AccountClient,
    AccountRequest,
    session_rows,
)
from .records import (
    NEW_STATUSES,
    STATUS_WORDS,
    ApiService,
    Balance,
    Deleted,
    Media,
    Node,
    Registration,
    SessionDecision,
    SessionRow,
    SessionStatus,
    Tokens,
    TopUp,
    VerifiedAccount,
    session_decision,
)
from .words import HOST, read_record

__all__ = [
    "ApiService",
    "Balance",
    "Deleted",
    "DiditAccount",
    "Media",
    "Node",
    "Registration",
    "SessionDecision",
    "SessionNotFound",
    "SessionRow",
    "SessionStatus",
    "Tokens",
    "TopUp",
    "VerifiedAccount",
    "session_decision",
]

T = TypeVar("T", bound=attrs.AttrsInstance)

#: What the calls that register accounts have before their path (Didit face-match skill page, early
#: 2026).
AUTH_PATH = "/auth/v2"

#: Pauses before asking again for a session that was kept a moment ago, in seconds: nothing
#: documents that it can be read at once. Ours.
JUST_KEPT_PAUSES_S = (0.5, 1.5)


@attrs.frozen(kw_only=True, eq=False)
class DiditAccount(wire.Connection):
    """An account at Didit: registration, credit, kept sessions.

    No call has a price. None is repeated by itself, but for reading where that is said. Safe to
    share between threads; not to be pickled; a context manager.

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
        environment: What kind of key it is, as for `DiditBackend`; sessions say it themselves.
        connect_timeout_s, read_timeout_s: Longest waits, above 0. Their sum bounds each call.
        ca_bundle: File or folder of certificates to trust instead of the usual ones; None for what
            the environment names, else the usual ones.
        proxy: ``http://host:port`` to go through, without a login, to all but this machine; None
            for what the environment names.
        clock: Time, for pauses; None for the machine's.
        client: What sends, instead of one of its own: time-outs, certificates, proxy and clock are
            then its, and `close` leaves it open.

    Raises:
        ConfigurationError: a setting is wrong.
    """

    auth_url: str | None = None
    clock: Clock | None = attrs.field(default=None, repr=False)
    _shared_client: HttpClient | None = attrs.field(default=None, alias="client", repr=False)
    client: HttpClient = attrs.field(init=False, repr=False)
    _api: AccountClient = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Not as defaults: those are made before the validators have looked.
        http = self._shared_client or HttpClient(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            ca_bundle=self.ca_bundle,
            proxy=self.proxy,
            clock=self.clock,
        )
        base_url = self.checked(self.base_url)
        api = AccountClient(
            base_url=base_url,
            auth_url=self._find_auth_url(base_url),
            api_key=self.api_key,
            environment=self.environment,
            http=http,
            deadline_s=self.connect_timeout_s + self.read_timeout_s,
        )
        object.__setattr__(self, "client", http)
        object.__setattr__(self, "_api", api)

    def _find_auth_url(self, base_url: str) -> str:
        if self.auth_url is None:
            is_didit = urlsplit(base_url).hostname == HOST
            return f"https://{AUTH_HOST}{AUTH_PATH}" if is_didit else base_url + AUTH_PATH
        try:
            return self.checked(self.auth_url, AUTH_HOST)
        except ConfigurationError as error:
            problem = re.sub(r"\bbase_url\b", "auth_url", error.message)
        raise ConfigurationError(problem)

    @classmethod
    def of(cls, backend: HttpBackend, *, auth_url: str | None = None) -> Self:
        """The account of a `DiditBackend`'s key, with its settings and over its connections.

        For a profile: ``DiditAccount.of(verifier.backend)``, of what `open_verifier` gives.

        Raises:
            ConfigurationError: it is no `DiditBackend`, or `auth_url` is wrong.
        """
        if not isinstance(backend, wire.Connection) or not isinstance(backend, HttpBackend):
            raise ConfigurationError(
                f"DiditAccount.of takes a DiditBackend, not {type(backend).__name__}."
            )
        return cls(**backend.settings(), auth_url=auth_url, client=backend.client)

    def within(self, seconds: float) -> Self:
        """The same account over the same connections, all of whose calls end in so many seconds.

        What does not begin before that is `VendorUnavailable`. Closing it leaves the connections
        open.

        Raises:
            InvalidRequest: it is no number of at least 0.
        """
        return self.until(Deadline.after(arguments.check_seconds(seconds), self.client.clock))

    def until(self, deadline: Deadline) -> Self:
        """The same, until that deadline."""
        api = attrs.evolve(self._api, deadline=deadline)
        account = attrs.evolve(self, client=self.client)
        object.__setattr__(account, "_api", api)
        return account

    def close(self) -> None:
        """Close the connections, unless they are those of a backend. May be called again."""
        if self._shared_client is None:
            self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DiditAccount cannot be pickled: open one in each process.")

    # --- opening an account ---

    def register(self, email: str, password: Secret | str) -> Registration:
        """Open an account; Didit sends a code to `email`.

        At most five an hour from one address of the network.

        Args:
            email: Of a mailbox that can be read.
            password: At least eight characters: a small and a capital letter, a digit and a
                special character among them. Didit reports one broken rule at a time.
        """
        password = arguments.hide(password)
        request = _registration_request(
            "register",
            "Look for a code in the mailbox, or ask resend_code(). For reserved test domains "
            "(example.com) Didit is reported to answer 500.",
            email=email,
            password=password,
        )
        return self._api.read(request, lambda body, _: records.read_registration(body, email=email))

    def verify_email(self, email: str, code: Secret | str) -> VerifiedAccount:
        """Prove the mailbox; the answer has the application's key.

        Args:
            email: As registered.
            code: Six letters and digits from the mailbox; good for 15 minutes, by some of Didit's
                pages 10.
        """
        code = arguments.hide(code)
        request = _registration_request(
            "verify-email",
            "The address may be verified by now: log in with login(), or take the key from Didit's "
            "console.",
            email=email,
            code=code,
        )
        return self._api.read(request, lambda body, _: records.read_verified_account(body))

    def login(self, email: str, password: Secret | str) -> Tokens:
        """New tokens of a person; five failures close the account for 15 minutes."""
        password = arguments.hide(password)
        advice = "Log in again; five failures close the account for 15 minutes."
        request = _registration_request("login", advice, email=email, password=password)
        return self._read(Tokens, request)

    def resend_code(self, email: str) -> None:
        """Have another code sent; a minute must pass between two."""
        advice = "Look into the mailbox; a minute must pass between two codes."
        self._api.send(_registration_request("resend-otp", advice, email=email))

    # --- credit ---

    def balance(self) -> Balance:
        """The credit of the organization that the key belongs to."""
        return self._read(Balance, AccountRequest(path="/v3/billing/balance/"))

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
        success_url, cancel_url = arguments.hide(success_url), arguments.hide(cancel_url)
        body: dict[str, Any] = {"amount_in_dollars": arguments.check_dollars(amount)}
        for name, url in (("success_url", success_url), ("cancel_url", cancel_url)):
            if url is not None:
                body[name] = arguments.check_web_address(name, url)
        request = AccountRequest(
            method="POST",
            path="/v3/billing/top-up/",
            json=body,
            advice="A payment page may have been made; nothing is charged until somebody pays "
            "there. Look for it in Didit's console, and at balance(), before asking for another.",
        )
        return self._read(TopUp, request)

    # --- sessions ---

    def sessions(
        self,
        *,
        status: SessionStatus | Iterable[SessionStatus] | None = None,
        caller_ref: str | None = None,
        api_service: ApiService | None = None,
        date_from: dt.date | None = None,
        date_to: dt.date | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[SessionRow]:
        """The sessions that fit, newest first, each once; pages are asked for as they are needed.

        A session that is deleted during the reading can make another one be left out.

        Args:
            status: One or several.
            caller_ref: Exactly what a call sent as `caller_ref`.
            api_service: Which call was kept.
            date_from, date_to: Days of creation in UTC, both included.
            page_size: Rows to ask for at once, at least 1.

        Raises:
            InvalidRequest: an argument; at once, not when the first row is wanted.
        """
        query = arguments.write_filters(
            status=status,
            caller_ref=caller_ref,
            api_service=api_service,
            date_from=date_from,
            date_to=date_to,
        )
        if api_service is not None:
            # A call that was kept is a session of this type.
            query["session_type"] = "API"
        query["limit"] = str(arguments.check_page_size(page_size))
        request = AccountRequest(path="/v3/sessions/", params={**query, "offset": "0"})
        return session_rows(self._api, request)

    def decision(
        self, session_id: Id, *, call: CallRecord | None = None, just_kept: bool = False
    ) -> SessionDecision:
        """A session as it is now, with the results of its calls.

        **Without `call` the results are Didit's verdict alone.** Didit's record knows nothing of a
        `review_threshold`, so what the call answered as REVIEW because of it is a pass here. With
        `call` the rules of the call hold, as in `FaceVerifier.reconcile`.

        Args:
            session_id: That of a result that was kept.
            call: The record of the call that made the session; None for Didit's verdict.
            just_kept: Whether that was a moment ago: a 404 is then asked again twice, within two
                seconds.

        Raises:
            SessionNotFound: it is unknown, deleted, or out of the key's scope.
            EnvironmentMismatch: the session names an environment that is not known.
            InvalidRequest: an argument; or the session is not that of `call`.
        """
        request = AccountRequest(path=_session_path(session_id, "decision"), of_session=True)
        if call is not None and not isinstance(call, CallRecord):
            raise InvalidRequest(f"call must be a CallRecord, not {type(call).__name__}.")
        for pause_s in JUST_KEPT_PAUSES_S if arguments.check_flag("just_kept", just_kept) else ():
            try:
                return self._read_decision(request, call)
            except SessionNotFound:
                self.client.clock.sleep(pause_s)
        return self._read_decision(request, call)

    def _read_decision(self, request: AccountRequest, call: CallRecord | None) -> SessionDecision:
        decision = self._api.read(
            request,
            lambda body, source: session_decision(body, declared=self.environment, said=source),
        )
        return decision if call is None else decision.judged_by(call)

    def delete(self, session_id: Id) -> Deleted:
        """Delete a session, its pictures and its faces. No undo; the credit is not given back.

        Raises:
            SessionNotFound: it is unknown or deleted already, or out of the key's scope.
        """
        request = AccountRequest(
            method="DELETE",
            path=_session_path(session_id, "delete"),
            of_session=True,
            advice="Ask decision() or delete() again: SessionNotFound then means that it was done.",
        )
        reply = self._api.send(request)
        return records.read_deletion(reply, session_id=arguments.check_id("session_id", session_id))

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
        if new_status not in NEW_STATUSES:
            raise InvalidRequest(
                "new_status must be SessionStatus.APPROVED, SessionStatus.DECLINED or "
                "SessionStatus.RESUBMITTED: Didit sets no other."
            )
        if arguments.check_flag("send_email", send_email) and email_address is None:
            raise InvalidRequest("send_email needs an email_address to send to.")
        body: dict[str, Any] = {"new_status": STATUS_WORDS[SessionStatus(new_status)]}
        nodes = arguments.check_list("nodes_to_resubmit", nodes_to_resubmit, "nodes")
        if nodes:
            body["nodes_to_resubmit"] = []
        for node in nodes:
            if not isinstance(node, Node):
                raise InvalidRequest(
                    f"Each of nodes_to_resubmit must be a Node, not {type(node).__name__}."
                )
            node_id = arguments.check_text("node_id", node.node_id)
            feature = arguments.check_text("feature", node.feature)
            body["nodes_to_resubmit"].append({"node_id": node_id, "feature": feature})
        if send_email:
            body["send_email"] = True
        for name, text in (
            ("comment", comment),
            ("email_address", email_address),
            ("email_language", email_language),
        ):
            if text is not None:
                body[name] = arguments.check_text(name, text)
        request = AccountRequest(
            method="PATCH",
            path=_session_path(session_id, "update-status"),
            json=body,
            of_session=True,
            advice="Look at decision(): with the new status it was done, and asking again would be "
            "refused with 400.",
            # Documented, and the one thing that distinguishes this answer from a gateway's.
            confirmed={"session_id": arguments.check_id("session_id", session_id)},
        )
        self._api.send(request)

    def _read(self, kind: type[T], request: AccountRequest) -> T:
        """The record that the whole body of an answer is."""
        return self._api.read(request, lambda body, _: read_record(kind, body))


def _registration_request(
    name: str, advice: str, *, email: str, **secrets: object
) -> AccountRequest:
    """A call to the host that registers accounts; secrets come as `arguments.hide` gives them."""
    body: dict[str, Any] = {"email": arguments.check_text("email", email)}
    body |= {name: arguments.check_secret(name, value) for name, value in secrets.items()}
    path = f"/programmatic/{name}/"
    return AccountRequest(method="POST", path=path, json=body, advice=advice, registers=True)


def _session_path(session_id: Id, what: str) -> str:
    return f"/v3/session/{arguments.check_id('session_id', session_id)}/{what}/"
