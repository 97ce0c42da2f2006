"""`Line`: sends one call of an account, and hands back an answer 2xx or raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from urllib3.util import parse_url

from facematch_core import Billed, ConfigurationError, Environment, Secret
from facematch_core.errors import (
    EnvironmentMismatch,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    MOCK_HEADER,
    HttpClient,
    HttpReply,
    HttpRequest,
    without_secrets,
)
from facematch_didit._errors import error_of
from facematch_didit._words import NAME

from . import _errors
from ._asks import Ask, Purpose
from ._private import without_echo

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class Line:
    """The way to an account.

    Attributes:
        base_url, auth_url: The two hosts, without a slash at the end.
        own_hosts: Didit's, which no mock is.
        api_key: None for an account that is only being opened.
        environment: As declared.
        client: What sends.
        deadline_s: Longest time of one call, dribbling answers included.
        within_s, ends_at: Longest time of all calls together, and the moment, on the client's
            monotonic clock, at which that is over; None for no end.
    """

    base_url: str
    auth_url: str
    own_hosts: frozenset[str]
    api_key: Secret | None
    environment: Environment
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
            UnexpectedResponse: it cannot be read; the body is not told.
        """
        return self._parsed(self.send(ask), ask.purpose, lambda body, _: parse(body))

    def read_told(self, ask: Ask, parse: Callable[[Any, Environment | None], T]) -> T:
        """As `read`, for a `parse` that is also told MOCK, if the answer comes from a mock."""
        return self._parsed(self.send(ask), ask.purpose, parse)

    def _parsed(
        self, reply: HttpReply, purpose: Purpose, parse: Callable[[Any, Environment | None], T]
    ) -> T:
        problem, value = _tried(reply, parse)
        status, environment = reply.status, _told_environment(reply)
        del reply, parse
        if value:
            return value[0]
        done = "" if purpose.reads else " It was carried out."
        raise UnexpectedResponse(
            f"{NAME} answered {status} in a form that cannot be read ({problem}).{done} Please "
            "report it.",
            backend=NAME,
            billed=Billed.NO,
            billed_ground=_errors.FREE_TO_ASK if purpose.reads else _errors.NO_PRICE,
            status_code=status,
            environment=environment,
        )

    def _request(self, ask: Ask) -> HttpRequest:
        base_url = self.auth_url if ask.purpose.registers else self.base_url
        self._check_environment(base_url)
        body = None
        if ask.json is not None:
            body = {
                name: value.reveal() if isinstance(value, Secret) else value
                for name, value in ask.json.items()
            }
        return HttpRequest(
            method=ask.method,
            url=base_url + ask.path,
            headers={} if ask.purpose.registers else {"x-api-key": self._key()},
            params=ask.params,
            json=body,
        )

    def _key(self) -> Secret:
        if self.api_key is None:
            raise ConfigurationError(
                "This call needs the application's key: DiditAccount(api_key=...). register() and "
                "verify_email() give one."
            )
        return self.api_key

    def _check_environment(self, base_url: str) -> None:
        if self.environment is not Environment.MOCK:
            return
        host = str(parse_url(base_url).host)
        if host in self.own_hosts and not self.client.is_doubled(f"{base_url}/"):
            raise EnvironmentMismatch(
                f"The account is set to mock, but its address ({host}) is the real vendor's: "
                "nothing was sent. Set base_url to the address of the mock.",
                environment=Environment.PRODUCTION,
            )

    def _outcome(self, ask: Ask) -> HttpReply | BaseException:
        purpose = ask.purpose
        try:
            left_s = self._left_s()
            reply = self.client.send(self._request(ask), backend=NAME, deadline_s=left_s)
        except VendorError as error:
            return _errors.unanswered(
                error.with_traceback(None), reads=purpose.reads, advice=purpose.advice
            )
        except BaseException as error:  # noqa: BLE001 - raised again by send(); the frames behind it hold the password
            return error.with_traceback(None)
        if self.environment is Environment.MOCK and not _told_environment(reply):
            return EnvironmentMismatch(
                f"The account is set to mock, but what answered ({reply.status}) does not say "
                "that it is a mock, and may be the real vendor: check the address and the "
                "environment.",
                environment=Environment.PRODUCTION,
            )
        if not 200 <= reply.status < 300:
            masked = attrs.evolve(reply, secrets=(*reply.secrets, *ask.secrets))
            return self._error(masked, purpose)
        if not ask.is_confirmed_by(reply):
            return _errors.unconfirmed(
                reply.status, advice=purpose.advice, environment=_told_environment(reply)
            )
        return attrs.evolve(reply, secrets=(*reply.secrets, *ask.unrepeated))

    def _left_s(self) -> float:
        """Longest time of the next call."""
        if self.ends_at is None:
            return self.deadline_s
        left_s = self.ends_at - self.client.clock.monotonic()
        if left_s <= 0:
            raise VendorUnavailable(
                f"The deadline of {self.within_s:g} s ran out before this call: nothing of it was "
                "sent.",
                backend=NAME,
                billed=Billed.NO,
                billed_ground="nothing was sent",
            )
        return min(left_s, self.deadline_s)

    def _error(self, reply: HttpReply, purpose: Purpose) -> VendorError:
        error = error_of(reply, now=self.client.clock.now(), tables=purpose.tables)
        error.environment = _told_environment(reply)
        if isinstance(error, RequestRejected):
            error.field_errors = {
                without_secrets(name, reply.secrets): tuple(
                    without_secrets(text, reply.secrets) for text in texts
                )
                for name, texts in error.field_errors.items()
            }
        return _errors.changed(error, advice=purpose.advice)


def _told_environment(reply: HttpReply) -> Environment | None:
    """MOCK, if the answer comes from a mock; else None."""
    return Environment.MOCK if MOCK_HEADER in reply.headers else None


def _tried(
    reply: HttpReply, parse: Callable[[Any, Environment | None], T]
) -> tuple[str, tuple[T, ...]]:
    """What is wrong, and nothing; or nothing, and the value."""
    try:
        body = without_echo(reply.json(), reply.secrets)
        return "", (parse(body, _told_environment(reply)),)
    except ValueError as error:
        # Sentences of ours, which name places and types.
        return str(error), ()
