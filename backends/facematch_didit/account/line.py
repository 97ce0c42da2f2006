"""How an account asks: one call as data, what each answer means, and sending it.

Two kinds of calls are free. One only reads: nothing is charged for asking, so without an answer it
may simply be asked again. The other changes something: without an answer it is not known whether it
did, and the sentence says what to look at. The third kind is paid, a search or an estimation of
age: for it hold the rules of a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import attrs
from urllib3.util import parse_url

from facematch_core import Billing, Charged, ConfigurationError, Environment, Secret
from facematch_core.errors import (
    AuthenticationFailed,
    EnvironmentMismatch,
    OutcomeUnknown,
    RequestRejected,
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
from facematch_didit import wire
from facematch_didit.wire import Form
from facematch_didit.words import NAME

from .reading import COUNTERS, page, without_echo

T = TypeVar("T")
E = TypeVar("E", bound=VendorError)


class SessionNotFound(RequestRejected, LookupError):
    """No session of this id can be had: it is unknown, deleted, or out of the key's scope."""


class DestinationNotFound(RequestRejected, LookupError):
    """The application has no webhook destination of this id."""


_MISSING = {
    SessionNotFound: (
        "there is no such session: its id is unknown, it was deleted, or the key may not see it"
    ),
    DestinationNotFound: "there is no such webhook destination",
}


@attrs.frozen(kw_only=True)
class Ask:
    """One free call.

    Attributes:
        method: In capitals.
        path: Below the address of its host, with a slash at both ends: Didit redirects others.
        params: The query.
        json: The body; a `Secret` in it is revealed only while it is sent. None for none.
        advice: What to look at if it changes something and no answer says whether it did; empty if
            it only reads.
        missing: The error for a 404 in Didit's words; None for the usual.
        registers: Whether it goes to the host that registers accounts, without a key.
        repeated: Names in `json` of secrets that a good answer rightly repeats.
        confirmed: What the answer to a change has to say; empty if its status is enough, and the
            body may be empty.
    """

    method: str = "GET"
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    json: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    advice: str = ""
    missing: type[RequestRejected] | None = None
    registers: bool = False
    repeated: frozenset[str] = frozenset()
    confirmed: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def reads(self) -> bool:
        """Whether it only reads."""
        return not self.advice

    def secrets(self, *, but: frozenset[str] = frozenset()) -> tuple[Secret, ...]:
        """Those in the body, but for those of these names."""
        return tuple(
            value
            for name, value in (self.json or {}).items()
            if isinstance(value, Secret) and name not in but
        )

    def is_confirmed_by(self, reply: HttpReply) -> bool:
        """Whether an answer 2xx is Didit's own: a gateway may answer so with a page of markup."""
        if self.reads:
            return True
        if reply.shape is BodyShape.EMPTY:
            return not self.confirmed
        if reply.shape is not BodyShape.JSON_OBJECT:
            return False
        body = reply.json()
        return all(body.get(name) == value for name, value in self.confirmed.items())

    def meaning(self, status: int, form: Form, shape: BodyShape) -> ErrorRow:
        """What an answer other than 2xx means for this call."""
        if self.registers:
            if status in (401, 403):
                return _NOT_ACCEPTED
            if status == 404:
                return _NOWHERE
            # No page shows a body of that host, so the status alone decides.
            form, shape = "other", BodyShape.JSON_OBJECT
        elif status == 404 and form == "detail" and self.missing is not None:
            return ErrorRow(self.missing, Charged.NO, "an answer 404", _MISSING[self.missing])
        row = wire.meaning(status, form, shape)
        return _when_reading(status, row) if self.reads else _when_changing(status, row)


# What answers mean: as for a comparison, with that laid over.

FREE_TO_ASK = "nothing is charged for asking"
NO_PRICE = "Didit names no price for this call"

_NOT_ACCEPTED = ErrorRow(
    AuthenticationFailed, Charged.NO, NO_PRICE, "email, password or code is not accepted"
)
_NOWHERE = ErrorRow(
    RequestRejected, Charged.NO, NO_PRICE, "there is nothing of this kind; check auth_url"
)

#: Statuses of a server or gateway that gave up half way, below 500.
_GAVE_UP = frozenset({408, 460, 499})


def _when_reading(status: int, row: ErrorRow) -> ErrorRow:
    if row.charged is not Charged.UNKNOWN:
        return row
    if status in _GAVE_UP or not 300 <= status < 500:
        text = "no answer that can be used; nothing is charged for asking, so ask again"
        return ErrorRow(VendorUnavailable, Charged.NO, FREE_TO_ASK, text, retryable=True)
    text = row.text if status < 400 else "this is not the vendor's own form; check the address"
    return ErrorRow(RequestRejected, Charged.NO, FREE_TO_ASK, text)


def _when_changing(status: int, row: ErrorRow) -> ErrorRow:
    if row.charged is not Charged.UNKNOWN and status < 500:
        return row
    # The bare class stands for "not known" until `Line` has put the advice in.
    text = "whether it was carried out is not known"
    return ErrorRow(VendorError, Charged.NO, NO_PRICE, text, retryable=False)


def _unanswered(error: VendorError, ask: Ask) -> VendorError:
    """What a failure of the client means for a free call."""
    if isinstance(error, UnexpectedResponse):
        what = error.message.partition(" It counts as charged")[0]
        return _like(error, UnexpectedResponse, what, FREE_TO_ASK if ask.reads else NO_PRICE)
    if not isinstance(error, OutcomeUnknown):
        return error
    what = error.message.partition(" It may have been executed")[0]
    if ask.reads:
        what += " Nothing is charged for asking, so ask again."
        return _like(error, VendorUnavailable, what, FREE_TO_ASK)
    # Not reconcilable: `FaceVerifier.reconcile` looks for calls of a verifier, and this is none.
    return _like(error, type(error), f"{what} {ask.advice}", NO_PRICE)


def _like(error: VendorError, kind: type[E], message: str, ground: str) -> E:
    return kind(
        message,
        backend=error.backend,
        billing=Billing(Charged.NO, ground),
        status_code=error.status_code,
        environment=error.environment,
    )


# Sending.


def environment_of(reply: HttpReply) -> Environment | None:
    """MOCK, if the answer says that it comes from a mock; else None."""
    return Environment.MOCK if MOCK_HEADER in reply.headers else None


@attrs.frozen(kw_only=True, eq=False)
class Line:
    """The way to an account.

    Attributes:
        base_url, auth_url: The two hosts, without a slash at the end.
        own_hosts: Didit's, which no mock is.
        api_key: None for an account that is only being opened.
        environment: As declared; None if nobody says.
        client: What sends.
        deadline_s: Longest time of one free call, dribbling answers included.
        within_s, ends_at: Longest time of all calls together, and the moment, on the client's
            monotonic clock, at which that is over; None for no end.
    """

    base_url: str
    auth_url: str
    own_hosts: frozenset[str]
    api_key: Secret | None
    environment: Environment | None
    client: HttpClient
    deadline_s: float
    within_s: float | None = None
    ends_at: float | None = None

    def within(self, within_s: float) -> Line:
        """The same way, for calls that all end in so many seconds from now."""
        ends_at = self.client.clock.monotonic() + within_s
        return attrs.evolve(self, within_s=within_s, ends_at=ends_at)

    def send(self, ask: Ask) -> HttpReply:
        """The answer 2xx to `ask`; any other, or none, is an error of the tree."""
        outcome = self._outcome(ask)
        # The frame of a function that raises stays alive with the error.
        del ask
        if isinstance(outcome, HttpReply):
            return outcome
        try:
            raise outcome from None
        finally:
            outcome.__context__ = None
            del outcome

    def read(self, ask: Ask, parse: Callable[[Any], T]) -> T:
        """What `parse`, which raises `ValueError`, makes of the answer to `ask`.

        Raises:
            UnexpectedResponse: it cannot be read; the message does not have the body.
        """
        return self.read_from(ask, lambda body, _: parse(body))

    def read_from(self, ask: Ask, parse: Callable[[Any, Environment | None], T]) -> T:
        """As `read`, for a `parse` that also gets MOCK, if the answer comes from a mock."""
        reply, reads = self.send(ask), ask.reads
        del ask
        status, environment = reply.status, environment_of(reply)
        problem, value = _tried(reply, parse)
        del reply, parse
        if value:
            return value[0]
        done = "" if reads else " It was carried out."
        raise UnexpectedResponse(
            f"{NAME} answered {status} in a form that cannot be read ({problem}).{done} Please "
            "report it.",
            backend=NAME,
            billing=Billing(Charged.NO, FREE_TO_ASK if reads else NO_PRICE),
            status_code=status,
            environment=environment,
        )

    def key(self) -> Secret:
        """The application's key; `ConfigurationError` if there is none."""
        if self.api_key is None:
            raise ConfigurationError(
                "This call needs the application's key: DiditAccount(api_key=...). register() and "
                "verify_email() give one."
            )
        return self.api_key

    def check_environment(self, base_url: str) -> None:
        """Refuse to ask Didit itself where only a mock may answer."""
        host = str(parse_url(base_url).host)
        if self.environment is not Environment.MOCK or host not in self.own_hosts:
            return
        if not self.client.is_doubled(f"{base_url}/"):
            raise EnvironmentMismatch(
                f"The account is set to mock, but its address ({host}) is the real vendor's: "
                "nothing was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
                billing=Billing(Charged.NO, "nothing was sent"),
            )

    def left_s(self) -> float | None:
        """Seconds that are left of `within_s`; None if that has no end.

        Raises:
            VendorUnavailable: none are; nothing was sent.
        """
        if self.ends_at is None:
            return None
        left_s = self.ends_at - self.client.clock.monotonic()
        if left_s <= 0:
            raise VendorUnavailable(
                f"The deadline of {self.within_s:g} s ran out before this call: nothing of it was "
                "sent.",
                backend=NAME,
                billing=Billing(Charged.NO, "nothing was sent"),
            )
        return left_s

    def _outcome(self, ask: Ask) -> HttpReply | BaseException:  # noqa: PLR0911 - one per ending
        try:
            left_s = self.left_s()
            deadline_s = self.deadline_s if left_s is None else min(left_s, self.deadline_s)
            reply = self.client.send(self._request(ask), backend=NAME, deadline_s=deadline_s)
        except VendorError as error:
            return _unanswered(error.with_traceback(None), ask)
        except BaseException as error:  # noqa: BLE001 - raised again by send(); the frames behind it hold the password
            return error.with_traceback(None)
        environment = environment_of(reply)
        if self.environment is Environment.MOCK and environment is None:
            return EnvironmentMismatch(
                f"The account is set to mock, but what answered ({reply.status}) does not say "
                "that it is a mock, and may be the real vendor: check the address and the "
                "environment.",
                environment=Environment.PRODUCTION,
                billing=Billing(Charged.NO, FREE_TO_ASK if ask.reads else NO_PRICE),
            )
        if not 200 <= reply.status < 300:
            masked = attrs.evolve(reply, secrets=(*reply.secrets, *ask.secrets()))
            refusal = self.error_of(masked, ask.meaning)
            if type(refusal) is not VendorError:
                return refusal
            return _like(refusal, OutcomeUnknown, f"{refusal.message} {ask.advice}", NO_PRICE)
        if not ask.is_confirmed_by(reply):
            return OutcomeUnknown(
                f"{NAME} answered {reply.status}, but not in its own form, so whether it was "
                f"carried out is not known. {ask.advice}",
                backend=NAME,
                billing=Billing(Charged.NO, NO_PRICE),
                status_code=reply.status,
                environment=environment,
            )
        return attrs.evolve(reply, secrets=(*reply.secrets, *ask.secrets(but=ask.repeated)))

    def _request(self, ask: Ask) -> HttpRequest:
        base_url = self.auth_url if ask.registers else self.base_url
        self.check_environment(base_url)
        body = None
        if ask.json is not None:
            body = {
                name: value.reveal() if isinstance(value, Secret) else value
                for name, value in ask.json.items()
            }
        return HttpRequest(
            method=ask.method,
            url=base_url + ask.path,
            headers={} if ask.registers else {"x-api-key": self.key()},
            params=ask.params,
            json=body,
        )

    def error_of(self, reply: HttpReply, meaning: wire.Meaning = wire.meaning) -> VendorError:
        """The error for an answer that gives no result, without secrets that it echoes."""
        error = wire.error_of(reply, now=self.client.clock.now(), meaning=meaning)
        error.environment = environment_of(reply)
        if isinstance(error, RequestRejected):
            error.field_errors = {
                without_secrets(name, reply.secrets): tuple(
                    without_secrets(text, reply.secrets) for text in texts
                )
                for name, texts in error.field_errors.items()
            }
        return error


def _tried(
    reply: HttpReply, parse: Callable[[Any, Environment | None], T]
) -> tuple[str, tuple[T, ...]]:
    """What is wrong, and nothing; or nothing, and the value."""
    try:
        body = without_echo(reply.json(), reply.secrets)
        return "", (parse(body, environment_of(reply)),)
    except ValueError as error:
        # Sentences of ours, which name places and types.
        return str(error), ()


# Lists.

#: Rows that are asked for at once, as Didit's default is since July 2026.
PAGE_SIZE = 50

#: More pages than any account's list has, and more pages in a row without a new row than the
#: sessions that come in during the reading explain: whoever answers so does not end. Ours.
MAX_PAGES = 20_000
MAX_STALE_PAGES = 20


def pages(
    line: Line,
    ask: Callable[[Mapping[str, str]], Ask],
    read_item: Callable[[Any], T],
    *,
    first: Mapping[str, str],
    name_of: Callable[[T], Hashable] | None = None,
) -> Iterator[T]:
    """Every item of a list; each page is asked for when its first item is wanted.

    Args:
        line: The way to the account.
        ask: Makes the call for a page from the filters and its counters.
        read_item: Reads an item; raises `ValueError`.
        first: The query of the first page.
        name_of: By what an item is known. One that came already is left out: when something is
            added during the reading, the last rows of a page come again on the next. None if
            items have no names: then all of them count.

    Raises:
        UnexpectedResponse: a page cannot be read, leads back, or the list does not end.
    """
    filters = {name: value for name, value in first.items() if name not in COUNTERS}
    query, asked, known = dict(first), set[frozenset[tuple[str, str]]](), set[Hashable]()
    stale = 0
    while True:
        asked.add(frozenset(query.items()))
        got = line.read(ask(query), lambda body: page(body, read_item))
        before = len(known)
        for item in got.items:
            name = item if name_of is None else name_of(item)
            if name_of is None or name not in known:
                known.add(name)
                yield item
        if got.following is None:
            return
        stale = 0 if len(known) > before else stale + 1
        query = {**filters, **got.following}
        problem = ""
        if frozenset(query.items()) in asked:
            problem = "next leads back to a page that was read"
        elif stale == MAX_STALE_PAGES or len(asked) == MAX_PAGES:
            problem = f"after {len(asked)} pages there is no end of it, and nothing new"
        if problem:
            raise UnexpectedResponse(
                f"{NAME} answered with a list that cannot be read to its end ({problem}). Please "
                "report it.",
                backend=NAME,
                billing=Billing(Charged.NO, FREE_TO_ASK),
            )
