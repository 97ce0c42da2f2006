"""How an account asks: one call as data, sending it, what each answer means, a list in pages.

There are two kinds of calls. One only reads: nothing is charged for asking, so without an answer it
may simply be asked again. The other changes something: without an answer it is not known whether it
did, and the sentence says what to look at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs

from facematch_core import Billing, Charged, ConfigurationError, Environment, Secret
from facematch_core.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import (
    AuthenticationFailed,
    EnvironmentMismatch,
    OutcomeUnknown,
    RequestRejected,
    SessionNotFound,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    MOCK_HEADER,
    BodyShape,
    ErrorRow,
    HttpClient,
    HttpReply,
    HttpRequest,
    without_secrets,
)

from . import wire
from .records import SessionRow, read_session_row
from .wire import Form
from .words import HOST, NAME, map_texts, read_list, read_object, text_or_none

T = TypeVar("T")

#: The host that registers accounts (Didit face-match skill page, early 2026).
AUTH_HOST = "apx.didit.me"


@attrs.frozen(kw_only=True)
class AccountRequest:
    """A call of an account."""

    method: str = "GET"
    #: Below the address of its host, with a slash at both ends: Didit redirects others.
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    #: A `Secret` in it is revealed only while it is sent.
    json: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    #: What to look at if no answer says whether it changed something; empty if it only reads.
    advice: str = ""
    #: Whether a 404 in Didit's words says that there is no such session.
    of_session: bool = False
    #: Whether it goes to the host that registers accounts, without a key.
    registers: bool = False
    #: What the answer to a change has to say; empty if its status is enough, even without a body.
    confirmed: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def only_reads(self) -> bool:
        """Whether it only reads."""
        return not self.advice

    @property
    def billing(self) -> Billing:
        """That it costs nothing, whatever becomes of it."""
        return Billing(Charged.NO, _FREE_TO_ASK if self.only_reads else _NO_PRICE)

    def is_confirmed_by(self, reply: HttpReply) -> bool:
        """Whether an answer 2xx is Didit's own: a gateway may answer so with a page of markup."""
        if self.only_reads:
            return True
        if reply.shape is BodyShape.EMPTY:
            return not self.confirmed
        return reply.shape is BodyShape.JSON_OBJECT and all(
            reply.at(name) == value for name, value in self.confirmed.items()
        )


@attrs.frozen(kw_only=True, eq=False)
class AccountClient:
    """Sends the calls of an account, and reads their answers."""

    base_url: str
    auth_url: str
    #: None for an account that is only being opened.
    api_key: Secret | None
    environment: Environment | None
    http: HttpClient
    #: Longest time of one call, dribbling answers included.
    deadline_s: float
    #: When all calls together must be over.
    deadline: Deadline = NO_DEADLINE

    def send(self, request: AccountRequest) -> HttpReply:
        """The answer 2xx to `request`; any other, or none, is an error of the tree."""
        outcome = self._try_send(request)
        # The frame of a function that raises stays alive with the error.
        del request
        if isinstance(outcome, HttpReply):
            return outcome
        try:
            raise outcome from None
        finally:
            outcome.__context__ = None
            del outcome

    def read(self, request: AccountRequest, parse: Callable[[Any, Environment | None], T]) -> T:
        """What `parse`, which raises `ValueError`, makes of the answer to `request`."""
        reply = self.send(request)
        billing, done = request.billing, "" if request.only_reads else " It was carried out."
        del request
        status, environment = reply.status, _environment_of(reply)
        problem, value = _try_parse(reply, parse)
        del reply, parse
        if value:
            return value[0]
        if isinstance(problem, EnvironmentMismatch):
            problem.billing, problem.status_code = billing, status
            raise problem
        raise UnexpectedResponse(
            f"{NAME} answered {status} in a form that cannot be read ({problem}).{done} Please "
            "report it.",
            backend=NAME,
            billing=billing,
            status_code=status,
            environment=environment,
        )

    def _try_send(self, request: AccountRequest) -> HttpReply | BaseException:
        """The answer 2xx that is Didit's own, or the error to raise, which holds no frames."""
        try:
            deadline = self.deadline.earlier(Deadline.after(self.deadline_s, self.http.clock))
            reply = self.http.send(
                self._encode(request), backend=NAME, charges=0, deadline=deadline
            )
        except VendorError as error:
            return _explain_failure(error.with_traceback(None), request)
        except BaseException as error:  # noqa: BLE001 - raised again by send(); the frames behind it hold the password
            return error.with_traceback(None)
        about: dict[str, Any] = {"billing": request.billing, "environment": _environment_of(reply)}
        if self.environment is Environment.MOCK and about["environment"] is None:
            return EnvironmentMismatch(
                f"The account is set to mock, but what answered ({reply.status}) does not say "
                "that it is a mock, and may be the real vendor: check the address and the "
                "environment.",
                environment=Environment.PRODUCTION,
                billing=request.billing,
            )
        if not 200 <= reply.status < 300:
            refusal = wire.error_of(
                reply, now=self.http.clock.now(), find_row=functools.partial(error_row, request)
            )
            refusal.environment = about["environment"]
            if type(refusal) is not VendorError:
                return refusal
            problem = refusal.message
        elif request.is_confirmed_by(reply):
            return reply
        else:
            problem = (
                f"{NAME} answered {reply.status}, but not in its own form, so whether it was "
                "carried out is not known."
            )
        return OutcomeUnknown(
            f"{problem} {request.advice}", backend=NAME, status_code=reply.status, **about
        )

    def _encode(self, request: AccountRequest) -> HttpRequest:
        base_url = self.auth_url if request.registers else self.base_url
        host = urlsplit(base_url).hostname
        is_mock_alone = self.environment is Environment.MOCK
        if is_mock_alone and host in (HOST, AUTH_HOST) and not self.http.is_doubled(f"{base_url}/"):
            raise EnvironmentMismatch(
                f"The account is set to mock, but its address ({host}) is the real vendor's: "
                "nothing was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
                billing=Billing(Charged.NO, "nothing was sent"),
            )
        headers: dict[str, str | Secret] = {}
        if not request.registers:
            if self.api_key is None:
                raise ConfigurationError(
                    "This call needs the application's key: DiditAccount(api_key=...). register() "
                    "and verify_email() give one."
                )
            headers["x-api-key"] = self.api_key
        parts = request.json or {}
        body = {
            name: part.reveal() if isinstance(part, Secret) else part
            for name, part in parts.items()
        }
        return HttpRequest(
            method=request.method,
            url=base_url + request.path,
            headers=headers,
            params=request.params,
            json=None if request.json is None else body,
            masked=tuple(part for part in parts.values() if isinstance(part, Secret)),
        )


def _environment_of(reply: HttpReply) -> Environment | None:
    """MOCK, if the answer says that it comes from a mock; else None."""
    return Environment.MOCK if MOCK_HEADER in reply.headers else None


def _try_parse(
    reply: HttpReply, parse: Callable[[Any, Environment | None], T]
) -> tuple[str | EnvironmentMismatch, tuple[T, ...]]:
    """What is wrong, and nothing; or nothing, and the value."""
    try:
        # A good answer may repeat the key or a password, in a sentence.
        body = map_texts(reply.json(), lambda text: without_secrets(text, reply.secrets))
        return "", (parse(body, _environment_of(reply)),)
    except EnvironmentMismatch as error:
        # Without the frames, which hold the answer.
        return error.with_traceback(None), ()
    except ValueError as error:
        # Sentences of ours, which name places and types.
        return str(error), ()


# What answers mean: as for a comparison, with that laid over.

_FREE_TO_ASK = "nothing is charged for asking"
_NO_PRICE = "Didit names no price for this call"

_NOT_ACCEPTED = ErrorRow(
    AuthenticationFailed, Charged.NO, _NO_PRICE, "email, password or code is not accepted"
)
_NOWHERE = ErrorRow(
    RequestRejected, Charged.NO, _NO_PRICE, "there is nothing of this kind; check auth_url"
)
NO_SESSION = ErrorRow(
    SessionNotFound,
    Charged.NO,
    "an answer 404",
    "there is no such session: its id is unknown, it was deleted, or the key may not see it",
)

#: Statuses of a server or gateway that gave up half way, below 500.
_GAVE_UP = frozenset({408, 460, 499})


def error_row(  # noqa: PLR0911 - a ladder
    request: AccountRequest, status: int, form: Form, shape: BodyShape
) -> ErrorRow:
    """What an answer other than 2xx means; `VendorError` itself stands for "not known"."""
    if request.registers:
        if status in (401, 403):
            return _NOT_ACCEPTED
        if status == 404:
            return _NOWHERE
        # No page shows a body of that host, so the status alone decides.
        form, shape = "other", BodyShape.JSON_OBJECT
    elif status == 404 and form == "detail" and request.of_session:
        return NO_SESSION
    row = wire.error_row(status, form, shape)
    if row.charged is not Charged.UNKNOWN and (request.only_reads or status < 500):
        return row
    if not request.only_reads:
        text = "whether it was carried out is not known"
        return ErrorRow(VendorError, Charged.NO, _NO_PRICE, text, retryable=False)
    if status in _GAVE_UP or not 300 <= status < 500:
        text = "no answer that can be used; nothing is charged for asking, so ask again"
        return ErrorRow(VendorUnavailable, Charged.NO, _FREE_TO_ASK, text, retryable=True)
    text = row.text if status < 400 else "this is not the vendor's own form; check the address"
    return ErrorRow(RequestRejected, Charged.NO, _FREE_TO_ASK, text)


def _explain_failure(error: VendorError, request: AccountRequest) -> VendorError:
    """What a failure of the client means for a call of an account."""
    kind: type[VendorError] = type(error)
    if isinstance(error, UnexpectedResponse):
        kind, message = UnexpectedResponse, error.message
    elif not isinstance(error, OutcomeUnknown):
        return error
    elif request.only_reads:
        kind = VendorUnavailable
        message = f"{error.message} Nothing is charged for asking, so ask again."
    else:
        message = f"{error.message} {request.advice}"
    # Not reconcilable: `FaceVerifier.reconcile` looks for calls of a verifier, and this is none.
    return kind(
        message,
        backend=error.backend,
        billing=request.billing,
        status_code=error.status_code,
        environment=error.environment,
    )


# The list of sessions. Editions count pages in two ways: ``limit`` and ``offset`` (Didit OpenAPI,
# 2026-07-18), or ``page`` and ``page_size`` (Didit's skills, early 2026). So the vendor's own
# ``next`` decides how to go on. But only the numbers in it are used: it is an address, and the key
# goes to no address that an answer names.

_NUMBER = re.compile(r"[0-9]{1,12}")
_COUNTERS = ("limit", "offset", "page", "page_size")

#: Rows that are asked for at once, as Didit's default is since July 2026.
PAGE_SIZE = 50

#: More pages than any account's list has, and more pages in a row without a new row than the
#: sessions that come in during the reading explain: whoever answers so does not end. Ours.
MAX_PAGES = 20_000
MAX_STALE_PAGES = 20


def session_rows(client: AccountClient, request: AccountRequest) -> Iterator[SessionRow]:
    """Every row of the list from the page of `request` on, once; pages are asked for as needed."""
    filters = {name: value for name, value in request.params.items() if name not in _COUNTERS}
    queries, session_ids = set[frozenset[tuple[str, str]]](), set[str]()
    stale = 0
    while True:
        queries.add(frozenset(request.params.items()))
        rows, following = client.read(request, lambda body, _: read_page(body))
        before = len(session_ids)
        for row in rows:
            # When a session is added meanwhile, the last rows of a page come again on the next.
            if row.session_id not in session_ids:
                session_ids.add(row.session_id)
                yield row
        if not following:
            return
        stale = 0 if len(session_ids) > before else stale + 1
        request = attrs.evolve(request, params={**filters, **following})
        problem = ""
        if frozenset(request.params.items()) in queries:
            problem = "next leads back to a page that was read"
        elif stale == MAX_STALE_PAGES or len(queries) == MAX_PAGES:
            problem = f"after {len(queries)} pages there is no end of it, and nothing new"
        if problem:
            raise UnexpectedResponse(
                f"{NAME} answered with a list that cannot be read to its end ({problem}). Please "
                "report it.",
                backend=NAME,
                billing=request.billing,
            )


def read_page(body: Any) -> tuple[list[SessionRow], dict[str, str]]:
    """The rows of a page, and the counters of the next, empty at the end."""
    if isinstance(body, list):
        return [read_session_row(row) for row in body], {}
    answer = read_object(body, "the body")
    rows = [read_session_row(row) for row in read_list(answer.get("results"), "results")]
    address = text_or_none(answer.get("next"), "next")
    if not address or not rows:
        # An empty page is the end, whatever it says.
        return rows, {}
    following = {
        name: value
        for name, value in parse_qsl(urlsplit(address).query)
        if name in _COUNTERS and _NUMBER.fullmatch(value)
    }
    if not following:
        raise ValueError("next does not name a page")
    return rows, following
