"""`HttpBackend`: the base class of a plug-in for a vendor with an HTTP API.

A plug-in implements `build` and `parse` for a call with one request, or `steps` for several, and
declares the vendor's documented errors. `run_call` hands the steps to `StepDriver`.
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
from facematch_core.backend.requests import (
    DeleteRequest,
    LivenessRequest,
    LookUpRequest,
    MatchRequest,
    PictureRequest,
    ReadRequest,
    Request,
    StartRequest,
)
from facematch_core.backend.session_types import Deletion, SessionAnswer, SessionReading
from facematch_core.base.addresses import MOCK_HEADER, is_allowed_host, is_loopback
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import HasSecretValue, Secret
from facematch_core.call import bill
from facematch_core.errors import ConfigurationError, EnvironmentMismatch, VendorError
from facematch_core.images.image import Image

from .messages import FilePart, HttpReply, HttpRequest
from .refusals import ErrorRow, ErrorTable, InconclusiveRow, error_by_table, find_code
from .steps import StepDriver
from .transport import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    HttpClient,
    host_of,
)

R = TypeVar("R", bound=models.Result | SessionAnswer | HttpReply)


def file_part(name: str, image: Image) -> FilePart:
    """Return `image` as a multipart file with a neutral file name."""
    filename = f"{name}.{image.extension}"
    return FilePart(name=name, filename=filename, content_type=image.media_type, data=image.data)


#: Generator for a call: yields requests, and returns the result.
Steps: TypeAlias = Generator[HttpRequest, HttpReply, models.Result]
#: Generator for a request about a session.
SessionSteps: TypeAlias = Generator[HttpRequest, HttpReply, SessionReading]
DeleteSteps: TypeAlias = Generator[HttpRequest, HttpReply, Deletion]


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class HttpBackend(RemoteBackend):
    """Base class of backends for HTTP APIs. Implement `build` and `parse`, or `steps`.

    If `environment` is MOCK, a response without `MOCK_HEADER` raises `EnvironmentMismatch`, because
    it may come from the real vendor.

    Args:
        base_url, allow_base_url, allow_insecure: See `RemoteBackend`.
        connect_timeout_s: Connect timeout (DNS, TCP, TLS, proxy), above 0.
        read_timeout_s: Timeout for each read of the response, above 0. A call that times out may
            have been charged, so a long timeout saves money.
        ca_bundle: File or folder with trusted certificates; None to use the environment's.
        proxy: ``http://host:port``, without credentials; None to use the environment's.

    Attributes:
        error_table: Errors for unexpected responses (usually not 200), by status and body shape;
            they take precedence over `default_row`. Empty by default.
        error_codes: Errors by vendor code as text, such as ``"1201"``, see `error_code`; they take
            precedence over `error_table`. An `InconclusiveRow` means a result instead, for example
            "no face".
        codes_in_200: Whether an expected response that has an error code is an error, too. If the
            code has no row, it is a charged `UnexpectedResponse`. False by default.
        own_error: The path of a value that each error body of the vendor has, see `is_own_error`.
            Empty if the vendor does not document one.
        request_id_header: The response header with the vendor's request id, or None if there is
            none. Its latest value becomes `ids.vendor` if the call has no `vendor_id`.
        has_sandbox: Whether `environment` may be SANDBOX; LOCAL is rejected for every vendor.
    """

    reports_sent = True
    keeps_deadline = True
    error_table: ClassVar[ErrorTable] = {}
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {}
    codes_in_200: ClassVar[bool] = False
    own_error: ClassVar[tuple[str | int, ...]] = ()
    request_id_header: ClassVar[str | None] = None
    has_sandbox: ClassVar[bool] = True

    connect_timeout_s: float = CONNECT_TIMEOUT_S
    read_timeout_s: float = READ_TIMEOUT_S
    ca_bundle: Path | None = None
    proxy: str | None = None

    def __init_subclass__(cls, **rest: Any) -> None:
        """Raise TypeError for an error code that is no text, which no answer would ever match."""
        super().__init_subclass__(**rest)
        codes = vars(cls).get("error_codes")
        if not isinstance(codes, Mapping):  # none, or a property
            return
        for code in codes:
            if not isinstance(code, str):
                raise TypeError(
                    f"{cls.__name__}.error_codes has the code {code!r}; codes are text, also those "
                    f'that the vendor sends as numbers: write "{code}".'
                )

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError for an environment that the vendor lacks, a CA or a proxy."""
        super().__attrs_post_init__()
        allowed = (*self._real_environments, models.Environment.MOCK)
        if self.environment not in (None, *allowed):
            raise ConfigurationError(
                f"environment of {self.name} must be one of {', '.join(allowed)}, not "
                f"{self.environment}."
            )
        if self.ca_bundle is not None or self.proxy is not None:
            self.client  # noqa: B018 - raise now, not in the first call

    def build(self, request: Any) -> HttpRequest:
        """Return the HTTP request for a `MatchRequest` or a `LivenessRequest`."""
        raise NotImplementedError(f"{type(self).__name__} has neither build nor steps.")

    def parse(self, request: Any, reply: HttpReply) -> models.Result:
        """Parse a reply with an expected status, and return the result.

        A `VendorError` propagates. Any other exception becomes an `UnexpectedResponse` without the
        body, billed YES, or NO if the operation is not among the `billed_operations`. A result
        without `billing` is billed in the same way.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither parse nor steps.")

    def steps(self, request: Any) -> Steps:
        """Yield the requests of a call, and return its result; by default `build` and `parse`.

        Each `HttpRequest` is sent. Its reply is sent into the generator if the request `expects`
        the status; for any other reply, see `HttpRequest.on_refusal`. All
        steps share one deadline, and their `charges` are added up: an error after a charged step is
        billed and not retryable. Requests may go only to the hosts of `service_url` and
        `allowed_hosts`.
        """
        reply = yield self.build(request)
        return self.parse(request, reply)

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Yield the requests that start a session, and return the session.

        Wrap the link or the token of a response in a `Secret` immediately.
        """
        raise NotImplementedError(f"{type(self).__name__} has no start_steps.")

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Yield the free requests that read a session, and return the session.

        If the record has no `session_id`, search for the session first.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read_steps.")

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        """Yield the free requests that delete a session, and return the outcome."""
        raise NotImplementedError(f"{type(self).__name__} has no delete_steps.")

    def parse_non_200(self, request: Any, reply: HttpReply) -> models.Result | None:
        """Return the result if an error reply (see `error`) contains one, else None.

        By default, returns a result for a code with an `InconclusiveRow` in `error_codes`. Called
        only for a `PictureRequest` whose reply is JSON. The `billing` of the result covers only
        this HTTP request.
        """
        found = find_code(self, reply)
        row = found.row
        if not isinstance(row, InconclusiveRow):
            return None
        is_code_in_200 = self.codes_in_200 and 200 <= reply.status < 300
        # No other status can be a result; see `InconclusiveRow`.
        if not is_code_in_200 and not 400 <= reply.status < 500:
            return None
        fields: dict[str, Any] = {
            "warnings": (attrs.evolve(row.warning, tag=row.warning.tag or found.code),),
            "backend": self.name,
            "billing": bill.stated(row.charged, row.ground),
            "raw": reply.json(),
        }
        if request.operation is models.Operation.LIVENESS:
            return models.LivenessResult(decision=models.LivenessDecision.INCONCLUSIVE, **fields)
        return models.MatchResult(decision=models.Decision.INCONCLUSIVE, **fields)

    def vendor_id(self, reply: HttpReply) -> str | None:
        """Return the vendor's id for the call (for example, a job id); by default None.

        Called for every reply. The id becomes `ids.vendor` of the result and of every later error,
        and the `CallRecord.vendor_id` for `reconcile`. Until the first expected reply to a paid
        request, a later id replaces an earlier one. After that, a reply with a
        body but without this id may belong to another call, and raises `UnexpectedResponse`. Read
        the id from `reply.url` if the body has none. Do not return the id of a request, a person or
        a report. An id has at most 200 printable characters.
        """
        return None

    def error_code(self, reply: HttpReply) -> object:
        """Return the vendor's code from an error reply (see `error`), to look up in `error_codes`.

        Called only for a JSON body. A number is converted to text. None by default.
        """
        return None

    def sign(
        self, http_request: HttpRequest, request: Any, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `http_request` with a signature or a login token; by default unchanged.

        Called before each HTTP request. Sign `http_request.encoded()`, and return it with the
        header added. A token of a login comes from `LoginToken.get`. Add it to `HttpRequest.masked`
        if the header has a prefix such as ``Bearer``.

        Raises:
            VendorError: the login failed; `billing` is NO, because `http_request` was not sent.
        """
        return http_request

    def should_relogin(self, http_request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether `reply` rejects the token in `http_request` and a new login may help.

        If True, the request is signed and sent once more, and the second reply is used. Return True
        only for a reply that is certainly not charged. False by default.
        """
        return False

    def error(self, reply: HttpReply, request: Any) -> VendorError:
        """Return the error for an error reply; by default from the tables.

        An error reply has a status that is not among `expects`, or an `error_code` if the backend
        has `codes_in_200`. The meaning of a status may depend on `request`, the `Request`.
        """
        return error_by_table(self, reply, find_code(self, reply))

    def is_own_error(self, reply: HttpReply) -> bool:
        """Return whether the body of an error reply is in the vendor's own format.

        If not, a gateway may have answered: a 401, 403, 404, 410 or 429 is then not passed to
        `error`, so that a route that is missing is not read as a session that was deleted. By
        default, the body must have a value at `own_error`; without that path, any body is own.
        """
        return not self.own_error or reply.at(*self.own_error) is not None

    @functools.cached_property
    def client(self) -> HttpClient:
        """The client of this backend, created on first use."""
        client = HttpClient(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            ca_bundle=self.ca_bundle,
            proxy=self.proxy,
        )
        # Two threads may both create a client; setdefault keeps one, and the other has no sockets.
        return vars(self).setdefault("client", client)  # type: ignore[no-any-return]  # by no name

    @property
    def environments(self) -> frozenset[models.Environment]:
        """The environments that responses can come from, if known in advance.

        Usually the configured environment. PRODUCTION if MOCK is configured, but the URL leads to
        the vendor's host. MOCK if none is configured, but this machine or a test double responds.
        """
        environment = self.environment
        is_answered_here = self._is_answered_here(self.configured_url)
        if environment is None:
            return frozenset({models.Environment.MOCK} if is_answered_here else ())
        is_mock = environment is models.Environment.MOCK
        if is_mock and self._is_vendor_host and not is_answered_here:
            return frozenset({models.Environment.PRODUCTION})
        return frozenset({environment})

    @property
    def session_environments(self) -> frozenset[models.Environment]:
        """The environments of sessions: `environments`, or else all that the vendor's host has."""
        if self.environments:
            return self.environments
        return frozenset(self._real_environments if self._is_vendor_host else ())

    @property
    def _real_environments(self) -> tuple[models.Environment, ...]:
        """The environments that the vendor's own host has."""
        if self.has_sandbox:
            return (models.Environment.PRODUCTION, models.Environment.SANDBOX)
        return (models.Environment.PRODUCTION,)

    @property
    def _is_vendor_host(self) -> bool:
        """Whether the host of `configured_url` is one of the vendor's."""
        return is_allowed_host(host_of(self.configured_url), self.allowed_hosts)

    def _is_answered_here(self, url: str) -> bool:
        """Return whether this machine or a test double responds at `url`."""
        # Test doubles are mounted at a URL with a slash at its end.
        return is_loopback(host_of(url)) or self.client.is_doubled(f"{url}/")

    def find_mismatch(
        self, reply: HttpReply | None = None, *, url: str = ""
    ) -> EnvironmentMismatch | None:
        """Return an error if the backend is set to MOCK but the reply is not from a mock.

        Without a reply, check the URL instead. Do this before using `client` outside of a call, for
        example for a login at a `url` that is not below `service_url`.
        """
        if self.environment is not models.Environment.MOCK:
            return None
        if reply is None:
            return self._find_url_mismatch(url)
        if MOCK_HEADER in reply.headers:
            return None
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but the response ({reply.status}) has no "
            f"{MOCK_HEADER} header, and may come from the real vendor: check base_url and "
            "environment.",
            environment=models.Environment.PRODUCTION,
        )

    def _find_url_mismatch(self, url: str) -> EnvironmentMismatch | None:
        """Return an error if the backend is set to MOCK, and `url` may be the real vendor's.

        An empty `url` stands for the URL of the calls.
        """
        if url and self._is_answered_here(url):
            return None
        is_url_of_calls = not url or f"{url}/".startswith(f"{self.service_url}/")
        if is_url_of_calls and models.Environment.MOCK in self.environments:
            return None
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but its URL is the real vendor's: nothing "
            "was sent. Set base_url to the URL of the mock.",
            environment=models.Environment.PRODUCTION,
            billing=bill.NOTHING_SENT,
        )

    def match(self, request: MatchRequest) -> models.MatchResult:
        return self.run_call(request, models.MatchResult)

    def check_liveness(self, request: LivenessRequest) -> models.LivenessResult:
        return self.run_call(request, models.LivenessResult)

    def start_session(self, request: StartRequest) -> SessionReading:
        return self.run_call(request, SessionReading)

    def read_session(self, request: ReadRequest) -> SessionReading:
        return self.run_call(request, SessionReading)

    def delete_session(self, request: DeleteRequest) -> Deletion:
        return self.run_call(request, Deletion)

    def fetch_portrait(self, portrait_url: Secret, request: ReadRequest) -> Image:
        """Return the portrait at a URL, sent without a key; the URL is in no error.

        Raise ConfigurationError for a host that is not allowed, VendorUnavailable if no picture
        comes.
        """
        # No error may contain the URL, which gives access to the face.
        host = host_of(portrait_url.reveal())
        is_at_mock = is_loopback(host) and is_loopback(host_of(self.configured_url))
        is_allowed = portrait_url.reveal().startswith("https://") and host in getattr(
            self, "media_hosts", ()
        )
        if not is_at_mock and not is_allowed:
            raise ConfigurationError(
                f"The portrait of {self.name} is on {host[:80]!r}, which is not allowed: set "
                "media_hosts to the exact names of the hosts on which the vendor stores pictures."
            )
        try:
            # No API key is sent, because the URL may be on another host.
            reply = self.client.send(
                HttpRequest(
                    method="GET", url=portrait_url.reveal(), charges=0, masked=(portrait_url,)
                ),
                backend=self.name,
                deadline=request.deadline,
            )
            if reply.status == 200:
                return Image.from_bytes(reply.body)
            problem = f"answered {reply.status}"
        except errors.FaceMatchError as error:
            problem = f"returned no picture ({type(error).__name__})"
        raise errors.VendorUnavailable(
            f"The portrait host of {self.name} {problem}: read the session again, or without the "
            "portrait.",
            backend=self.name,
            billing=bill.FREE,
        )

    def close(self) -> None:
        """Close all connections. Running calls finish normally."""
        self.client.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} cannot be pickled: open one in each process.")

    def run_call(self, request: Request, result_type: type[R]) -> R:
        """Send the steps of a request; return the result, or raise its error or `Unsupported`."""
        if (
            isinstance(request, PictureRequest)
            and request.operation not in self.capabilities.operations
        ):
            raise errors.Unsupported.of_operation(self.name, request.operation)
        steps = getattr(self, request.handler.steps)(request)
        outcome: R | VendorError = StepDriver(self, request).drive(steps, result_type)
        if not isinstance(outcome, VendorError):
            return outcome
        # The error's traceback keeps this frame alive, and with it the pictures.
        del request, steps
        try:
            raise outcome from None
        finally:
            outcome.__context__ = None
            del outcome

    def read_reply(self, request: Request, *replies: HttpReply) -> Any:
        """Return the result or error that a request gets from canned replies.

        Nothing is sent, so a test can try any reply, such as a 502 with HTML. Pass the replies in
        the order of the requests. Surplus replies are ignored.

        Raises:
            ValueError: the call needs more replies.
        """

        def iterate() -> Iterator[HttpReply]:
            yield from replies
            raise ValueError(f"The call needs more than {len(replies)} replies.")

        steps = getattr(self, request.handler.steps)(request)
        return StepDriver(self, request, iterate()).drive(steps, request.handler.result_type)

    def fetch(
        self,
        request: HttpRequest,
        *,
        call: models.CallRecord | None,
        deadline: Deadline = NO_DEADLINE,
    ) -> HttpReply:
        """Send a free GET or HEAD outside of a call, for `reconcile`, and return the reply.

        Args:
            request: A request without side effects.
            call: The call to look up: a reply whose `vendor_id` names another call is an error.
                None if the request is not about a single call.
            deadline: The deadline; if it has no limit, 5 minutes from now.

        Raises:
            VendorError: the status is not among `expects`, or the host is not allowed; billed NO.
            ConfigurationError: the method of `request` is neither GET nor HEAD.
        """
        if request.method not in ("GET", "HEAD"):
            raise ConfigurationError(
                f"fetch is for GET and HEAD, not for {request.method}: it treats a lost reply as "
                "free. Yield requests that change something at the vendor from steps."
            )
        look_up = LookUpRequest.of(
            call, request=request, deadline=deadline, clock=self.client.clock
        )
        return self.run_call(look_up, HttpReply)

    def _fetch_steps(self, look_up: LookUpRequest) -> Generator[HttpRequest, HttpReply, HttpReply]:
        """Yield the request of `fetch`, and return its reply."""
        return (yield look_up.request)


def as_secret(key: Secret | str | HasSecretValue) -> Secret:
    """Convert a key to a `Secret`. (Type checkers need a named function as a converter.)"""
    return Secret.of(key)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class ApiKeyBackend(HttpBackend):
    """A vendor with an HTTP API and a single key.

    Args:
        api_key: The key. Its environment variable is ``NAME_API_KEY``, with the backend's name in
            upper case, unless `environment_variables` names another one.
    """

    api_key: Secret = attrs.field(converter=as_secret)

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "name" in vars(cls) and "environment_variables" not in vars(cls):
            prefix = re.sub(r"[^A-Z0-9]", "_", cls.name.upper())
            cls.environment_variables = {"api_key": f"{prefix}_API_KEY"}
