"""`HttpBackend`: the base class of a plug-in whose vendor speaks HTTP.

A plug-in writes `build` and `parse` for a call of one request, or `steps` for several, and declares
what its vendor documents. Everything between them is the core's: `ask` hands the steps to
`HttpCall` (`sender`), which sends by `HttpClient` (`transport`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeAlias, TypeVar

import attrs

from facematch_core import errors, models
from facematch_core.backend import RemoteBackend
from facematch_core.backend.calls import (
    Call,
    DeleteRequest,
    LivenessCall,
    LookUp,
    MatchCall,
    ReadRequest,
    Request,
    StartRequest,
)
from facematch_core.backend.session_types import Deletion, SessionAnswer, SessionReading
from facematch_core.base.addresses import MOCK_HEADER, is_among, is_loopback
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret
from facematch_core.errors import ConfigurationError, EnvironmentMismatch, VendorError
from facematch_core.images.image import Image

from .messages import FilePart, HttpReply, HttpRequest, Wait
from .refusals import FREE_BILLING, ErrorRow, ErrorTable, InconclusiveRow, error_by_table, find_row
from .sender import HttpCall
from .transport import HttpClient, check_urllib3, host_of

R = TypeVar("R", bound=models.Result | SessionAnswer)
T = TypeVar("T")


def picture(name: str, image: Image) -> FilePart:
    """Return `image` as the file of a form field, under a name that reveals nothing."""
    filename = f"{name}.{image.extension}"
    return FilePart(name=name, filename=filename, content_type=image.media_type, data=image.data)


#: The generator of one call: it yields requests and waits, and returns the result.
Steps: TypeAlias = Generator[HttpRequest | Wait, HttpReply, models.Result]
#: The generator of a request about a session.
SessionSteps: TypeAlias = Generator[HttpRequest | Wait, HttpReply, SessionReading]
DeleteSteps: TypeAlias = Generator[HttpRequest | Wait, HttpReply, Deletion]


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class HttpBackend(RemoteBackend):
    """A vendor over HTTP. Write `build` and `parse`, or `steps`.

    If `environment` is MOCK, an answer without `MOCK_HEADER` is an `EnvironmentMismatch`, whatever
    its status: it may come from the real vendor.

    Args:
        base_url, allow_base_url, allow_insecure: See `RemoteBackend`.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so a long wait saves money.
        ca_bundle: File or folder of certificates to trust; None for those of the environment.
        proxy: ``http://host:port``, without a login; None for what the environment names.

    Attributes:
        error_table: Meanings of answers with which a call does not go on (other than 200, as a
            rule), where the vendor documents more than `default_row` knows; by default empty.
        error_codes: Meanings by the code that `error_code` finds in such an answer; they come
            before `error_table`. An `InconclusiveRow` makes a result of it: no face, say.
        codes_in_200: Whether such a code makes a refusal of an answer that the request `expects`,
            too; one without a row is an `UnexpectedResponse`, charged. By default it is not.
        request_id_header: The header of every answer that has the vendor's own id of the request:
            the latest is `ids.vendor` where there is no `vendor_id`. None for none.
        longest_call_s: Seconds that a call without a deadline may take, above 0.
        has_sandbox: Whether `environment` may be SANDBOX; LOCAL is refused for every vendor.
    """

    reports_sent: ClassVar[bool] = True
    keeps_deadline: ClassVar[bool] = True
    error_table: ClassVar[ErrorTable] = {}
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {}
    codes_in_200: ClassVar[bool] = False
    request_id_header: ClassVar[str | None] = None
    longest_call_s: ClassVar[float] = 300.0
    has_sandbox: ClassVar[bool] = True

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    ca_bundle: Path | None = None
    proxy: str | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        allowed = (*self._real_environments, models.Environment.MOCK)
        if self.environment not in (None, *allowed):
            raise ConfigurationError(
                f"environment of {self.name} must be one of {', '.join(allowed)}, not "
                f"{self.environment}."
            )
        check_urllib3()
        if self.ca_bundle is not None or self.proxy is not None:
            self.client  # noqa: B018 - refused now, and not by the first call

    def build(self, call: Any) -> HttpRequest:
        """The request for `call`, a `MatchCall` or a `LivenessCall`."""
        raise NotImplementedError(f"{type(self).__name__} has neither build nor steps.")

    def parse(self, call: Any, reply: HttpReply) -> models.Result:
        """The result in a reply whose status the request `expects`.

        A `VendorError` that it raises is handed on. Any other exception becomes an
        `UnexpectedResponse` without the body, billed YES; NO for an operation that is not among
        the `billed_operations`. A result whose `billing` says nothing is billed in the same way.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither parse nor steps.")

    def steps(self, call: Any) -> Steps:
        """Yield the requests of one call, and return its result; by default `build` and `parse`.

        Each `HttpRequest` is sent, and its reply comes back if the request `expects` its status;
        any other reply ends the call. A `Wait` may be yielded between them. All steps share one
        deadline, and their `charges` are added up: an error after a step that was charged says so,
        and is not retryable. Requests go to the host of `address` or to `allowed_hosts` only.
        """
        reply = yield self.build(call)
        return self.parse(call, reply)

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Yield the requests that start a session, and return it.

        Make a link or a token in an answer a `Secret` at once.
        """
        raise NotImplementedError(f"{type(self).__name__} has no start_steps.")

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Yield the requests that read a session, and return it. All of them are free.

        For a record without `session_id` the first request looks for the session.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read_steps.")

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        """Yield the requests that delete a session. All of them are free."""
        raise NotImplementedError(f"{type(self).__name__} has no delete_steps.")

    def parse_non_200(self, call: Any, reply: HttpReply) -> models.Result | None:
        """Return the result in a reply of another status; None if it is an error.

        By default the result of an `InconclusiveRow` of `error_codes`. Called only if the body is
        JSON. The `billing` of the result is the bill of this one request.
        """
        code, row = find_row(self, reply)
        is_answer = self.codes_in_200 if 200 <= reply.status < 300 else 400 <= reply.status < 500
        if not isinstance(row, InconclusiveRow) or not is_answer:
            return None
        fields: dict[str, Any] = {
            "warnings": (attrs.evolve(row.warning, tag=row.warning.tag or code),),
            "backend": self.name,
            "billing": models.Billing(row.charged, row.ground),
            "raw": reply.json(),
        }
        if call.operation is models.Operation.LIVENESS:
            return models.LivenessResult(decision=models.LivenessDecision.INCONCLUSIVE, **fields)
        return models.MatchResult(decision=models.Decision.INCONCLUSIVE, **fields)

    def vendor_id(self, reply: HttpReply) -> str | None:
        """The vendor's own id of the call (of its job, say) in a reply; by default None.

        Called for every reply. The id is `ids.vendor` of the result and of every later error, and
        the `CallRecord.vendor_id` that `reconcile` gets. Until a request that has a price is
        answered, a later id replaces the one before. From then on an answer with a body and
        without this id may be about somebody else, and is an `UnexpectedResponse`. Read the id from
        `reply.url` if the body has none. Return None for an id of something else (a request, a
        person, a report). An id has at most 200 printable characters.
        """
        return None

    def echoes(self, reply: HttpReply) -> Mapping[str, object]:
        """Return the values that an answer repeats: `call_id`, `caller_ref`; by default nothing.

        An answer that repeats another value than was sent is an `UnexpectedResponse`: it is about
        somebody else's call. None counts as not repeated.
        """
        return {}

    def error_code(self, reply: HttpReply) -> object:
        """Return the vendor's own code in a reply of an unexpected status, for `error_codes`.

        Called only if the body is JSON; a number is looked up as text. By default None, for none.
        """
        return None

    def sign(
        self, request: HttpRequest, call: Any, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `request` with a signature or with the token of a login; by default unchanged.

        Called before each request is sent. A signature is made over `request.encoded()`, which is
        returned with a header more. A login is sent from here until `deadline`, by `client.send`
        without `on_sent`: the first byte that counts is that of `request`. A token is a `Secret`,
        alone in `HttpRequest.masked` if a header holds it behind a word.

        Raises:
            VendorError: the login failed; billed NO, for `request` was not sent.
        """
        return request

    def should_relogin(self, request: HttpRequest, reply: HttpReply) -> bool:
        """Whether `reply` refuses the token in the signed `request`, and a new one may help.

        Then `request` is signed and sent once more, and the second answer stands. Return True only
        for an answer that is certainly not charged. By default False.
        """
        return False

    def error(self, reply: HttpReply, call: Any) -> VendorError:
        """Return the error for a reply of an unexpected status; by default from the tables.

        `call` is the `Request` that it answers: a status may depend on it.
        """
        return error_by_table(self, reply, find_row(self, reply)[1])

    def make_client(self) -> HttpClient:
        """Return a new client; `ca_bundle` and `proxy` are set afterwards."""
        return HttpClient(
            connect_timeout_s=self.connect_timeout_s, read_timeout_s=self.read_timeout_s
        )

    @functools.cached_property
    def client(self) -> HttpClient:
        """The client of this backend, made when it is first needed."""
        client = self.make_client()
        client.configure(self.ca_bundle, self.proxy)
        # Two threads may both make a client; setdefault keeps one, and the other holds nothing.
        return vars(self).setdefault("client", client)  # type: ignore[no-any-return]  # by no name

    @property
    def environments(self) -> frozenset[models.Environment]:
        """The environments from which answers can come, as far as that is certain in advance.

        Usually the configured one. PRODUCTION if it is MOCK, but the address is the vendor's own
        over the network. MOCK if none is configured, and this machine or a double answers.
        """
        environment, is_near = self.environment, self._is_near(self._url)
        if environment is None:
            return frozenset({models.Environment.MOCK} if is_near else ())
        if environment is models.Environment.MOCK and self._is_vendors and not is_near:
            return frozenset({models.Environment.PRODUCTION})
        return frozenset({environment})

    @property
    def session_environments(self) -> frozenset[models.Environment]:
        """The environments of sessions: any that the vendor's host has, if none is configured."""
        return self.environments or frozenset(self._real_environments if self._is_vendors else ())

    @property
    def _real_environments(self) -> tuple[models.Environment, ...]:
        sandbox = (models.Environment.SANDBOX,) if self.has_sandbox else ()
        return (models.Environment.PRODUCTION, *sandbox)

    @property
    def _url(self) -> str:
        return f"{self.base_url or self.vendor_url()}/"

    @property
    def _is_vendors(self) -> bool:
        """Whether the address is one of the vendor's own hosts."""
        return is_among(host_of(self._url), self.allowed_hosts)

    def _is_near(self, url: str) -> bool:
        """Whether this machine or a test double answers `url`."""
        return is_loopback(host_of(url)) or self.client.is_doubled(url)

    def find_mismatch(
        self, reply: HttpReply | None = None, *, url: str = ""
    ) -> EnvironmentMismatch | None:
        """Return why a backend that is set to MOCK must not accept `reply`, or must not send.

        Call it without a reply before something is sent by `client` outside of a call: a login,
        say, whose `url` may not be at `address`. None if all is well.
        """
        if self.environment is not models.Environment.MOCK:
            return None
        if reply is not None:
            is_mock, billing = MOCK_HEADER in reply.headers, None
            problem = (
                f"what answered ({reply.status}) does not say that it is a mock, and may be the "
                "real vendor: check the address and the environment."
            )
        else:
            is_of_calls = not url or f"{url}/".startswith(f"{self.address}/")
            is_mock = is_of_calls and models.Environment.MOCK in self.environments
            is_mock = is_mock or (bool(url) and self._is_near(url))
            billing = models.Billing(models.Charged.NO, "nothing was sent")
            problem = (
                "its address is the real vendor's: nothing was sent. Set base_url to the address "
                "of the mock."
            )
        if is_mock:
            return None
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but {problem}",
            environment=models.Environment.PRODUCTION,
            billing=billing,
        )

    def match(self, call: MatchCall) -> models.MatchResult:
        return self.ask(call, models.MatchResult)

    def check_liveness(self, call: LivenessCall) -> models.LivenessResult:
        return self.ask(call, models.LivenessResult)

    def start_session(self, request: StartRequest) -> SessionReading:
        return self.ask(request, SessionReading)

    def read_session(self, request: ReadRequest) -> SessionReading:
        return self.ask(request, SessionReading)

    def delete_session(self, request: DeleteRequest) -> Deletion:
        return self.ask(request, Deletion)

    def fetch_portrait(self, address: Secret, request: ReadRequest) -> Image:
        # No error may name the address: it gives access to the face.
        host, hosts = host_of(address.reveal()), getattr(self, "media_hosts", ())
        is_of_mock = is_loopback(host) and is_loopback(host_of(self._url))
        if not is_of_mock and (host not in hosts or not address.reveal().startswith("https://")):
            raise ConfigurationError(
                f"The portrait of {self.name} lies on {host[:80]!r}, which may not be asked: set "
                "media_hosts to the exact names of the vendor's hosts for pictures."
            )
        try:
            # Without a key.
            reply = self.client.send(
                HttpRequest(method="GET", url=address.reveal(), charges=0, masked=(address,)),
                backend=self.name,
                deadline=request.deadline,
            )
            if reply.status == 200:
                return Image.from_bytes(reply.body)
            problem = f"answered {reply.status}"
        except errors.FaceMatchError as error:
            problem = f"gave no picture ({type(error).__name__})"
        raise errors.VendorUnavailable(
            f"The host of the portraits of {self.name} {problem}: read the session again, or "
            "without the portrait.",
            backend=self.name,
            billing=FREE_BILLING,
        )

    def close(self) -> None:
        """Close all connections. A call that is under way goes on to its end."""
        self.client.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} cannot be pickled: open one in each process.")

    def ask(self, call: Request, kind: type[R]) -> R:
        """Make one call and return its result; raises `VendorError`, or `Unsupported`."""
        if isinstance(call, Call) and call.operation not in self.capabilities.operations:
            raise errors.Unsupported.of_operation(self.name, call.operation)
        return self._carry_out(call, getattr(self, call.way.steps)(call), kind)

    def read_reply(self, call: Request, *replies: HttpReply) -> Any:
        """Return the result or the error of `call` if the vendor answers with these replies.

        Nothing is sent, so any reply can be tried: a 502 with a page of HTML, say. The replies are
        in the order of the requests, without clean-ups; superfluous ones are ignored.

        Raises:
            ValueError: the call asks for more replies.
        """

        def iterate() -> Iterator[HttpReply]:
            yield from replies
            raise ValueError(f"The call goes on after {len(replies)} replies: give more.")

        steps = getattr(self, call.way.steps)(call)
        return HttpCall(self, call, iterate()).run(steps, call.way.answer)

    def fetch(
        self,
        request: HttpRequest,
        *,
        call: models.CallRecord | None,
        deadline: Deadline = NO_DEADLINE,
    ) -> HttpReply:
        """Send a free GET or HEAD outside of a call, for `reconcile`, and return the answer.

        Args:
            request: Changes nothing at the vendor.
            call: The call that is looked for: an answer about another one is an error, by
                `vendor_id` and `echoes`. None if the request is about no call, or about many.
            deadline: Without a limit `longest_call_s` from now.

        Raises:
            VendorError: the status is not among `expects`, or the host is foreign; billed NO.
            ConfigurationError: `request` has another method.
        """
        if request.method not in ("GET", "HEAD"):
            raise ConfigurationError(
                f"fetch is for GET and HEAD, not for {request.method}: a lost answer counts as "
                "free here. What changes something at the vendor is yielded by steps."
            )

        def steps() -> Generator[HttpRequest, HttpReply, HttpReply]:
            return (yield request)

        look_up = LookUp.of(call, deadline=deadline, clock=self.client.clock)
        return self._carry_out(look_up, steps(), HttpReply)

    def _carry_out(self, call: Request, steps: Generator[Any, HttpReply, Any], kind: type[T]) -> T:
        """Run the steps of a call; return its result or raise its error."""
        outcome: T | VendorError = HttpCall(self, call).run(steps, kind)
        if not isinstance(outcome, VendorError):
            return outcome
        # The frame of a function that raises stays alive with the error.
        del call, steps
        try:
            raise outcome from None
        finally:
            outcome.__context__ = None
            del outcome


def as_secret(key: Secret | str) -> Secret:
    """Convert a key to a `Secret`; type checkers want a named converter."""
    return Secret.of(key)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class ApiKeyBackend(HttpBackend):
    """A vendor over HTTP that takes one key.

    Args:
        api_key: The key. May come from the environment variable ``NAME_API_KEY``, where NAME is
            that of the backend in capital letters, unless `environment_variables` names another.
    """

    api_key: Secret = attrs.field(converter=as_secret)

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "name" in vars(cls) and "environment_variables" not in vars(cls):
            word = re.sub(r"[^A-Z0-9]", "_", cls.name.upper())
            cls.environment_variables = {"api_key": f"{word}_API_KEY"}
