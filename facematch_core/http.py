"""For plug-in authors: backends that talk to a vendor over HTTP.

A backend of a few lines::

    @attrs.frozen(kw_only=True)
    class AcmeBackend(HttpBackend):
        name = "acme"
        api_key: Secret

        def build(self, call: MatchCall) -> HttpRequest:
            return HttpRequest(
                url="https://api.acme.example/compare",
                headers={"X-Api-Key": self.api_key},
                files=[picture("probe", call.probe), picture("reference", call.reference)],
            )

        def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
            same = {True: Decision.MATCH, False: Decision.NO_MATCH}
            return MatchResult(
                decision=same[reply.json()["same"]],
                backend=self.name,
                billing=Billing(Charged.YES),
            )

What such backends have in common exists once: `_messages` has what is sent, what comes back and
what that means, `_http` carries it, and this module makes a backend of both.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, ClassVar, NoReturn, TypeVar

import attrs

from ._basics import Secret
from ._http import HttpClient, host_of, is_loopback
from ._messages import (
    NOT_KEPT,
    PAID,
    BodyShape,
    ErrorRow,
    ErrorTable,
    FilePart,
    HttpReply,
    HttpRequest,
    default_row,
    excerpt,
    fit,
    masker,
    retry_after_s,
    rows,
    vendor_error,
    without_pieces,
    without_secrets,
)
from .backend import MAX_DEPTH, Backend, Call, Image, LivenessCall, MatchCall
from .errors import (
    ConfigurationError,
    EnvironmentMismatch,
    FaceMatchError,
    OutcomeUnknown,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from .models import (
    Answer,
    Billing,
    CallRecord,
    Charged,
    Environment,
    Ids,
    LivenessResult,
    MatchResult,
    Operation,
    Result,
    ResultWarning,
    Retention,
)

__all__ = [
    "MOCK_HEADER",
    "BodyShape",
    "ErrorRow",
    "ErrorTable",
    "FilePart",
    "HttpBackend",
    "HttpClient",
    "HttpReply",
    "HttpRequest",
    "check_base_url",
    "default_row",
    "excerpt",
    "is_loopback",
    "picture",
    "retry_after_s",
    "rows",
    "vendor_error",
    "without_secrets",
]

#: Every answer of a mock server carries this header, and no vendor's does.
MOCK_HEADER = "X-Facematch-Mock"

K = TypeVar("K", bound=Result)


def picture(name: str, image: Image) -> FilePart:
    """`image` as the file of the form field `name`, under a name that tells nothing."""
    return FilePart(
        name=name,
        filename=f"{name}.{image.extension}",
        content_type=image.media_type,
        data=image.data,
    )


class HttpBackend(Backend):
    """A vendor that is asked over HTTP.

    `build` and `parse` are pure; the sending between them exists once, in `HttpClient`.

    A backend whose `environment` is set to MOCK believes no answer without `MOCK_HEADER`: that is
    an `EnvironmentMismatch`, whatever its status, for whoever gave it may be the real vendor.

    Attributes:
        error_table: What answers other than 200 mean where this vendor says more than
            `default_row` knows; by default empty.
    """

    reports_sent: ClassVar[bool] = True
    error_table: ClassVar[ErrorTable] = {}

    @abc.abstractmethod
    def build(self, call: Any) -> HttpRequest:
        """The request for `call`: a `MatchCall`, or that of another declared operation."""

    @abc.abstractmethod
    def parse(self, call: Any, reply: HttpReply) -> Result:
        """The result in a reply of status 200.

        A `VendorError` that it raises is handed on. Any other exception means that the reply is
        not what was expected: the caller gets `UnexpectedResponse`, without the body, billed YES;
        NO for an operation that is not among the `billed_operations`.
        """

    def parse_refusal(self, call: Any, reply: HttpReply) -> Result | None:
        """The result in a reply of another status, for a vendor that puts an answer there.

        For example "no face in the picture" as a 400. By default None: then it is an error, as it
        is after any exception.
        """
        return None

    def sign(
        self, request: HttpRequest, call: Call, *, deadline_s: float | None = None
    ) -> HttpRequest:
        """`request` with the token of a vendor that wants a login first; by default as it is.

        Called before `request` is sent. A login is sent from here, by `client.send` without
        `on_sent`: the first byte that counts is that of `request`. A token is a `Secret`, alone in
        `HttpRequest.masked` if a header holds it behind a word.

        Args:
            request: What `build` made.
            call: What it is for.
            deadline_s: Seconds that are left for login and call together; None for no limit.

        Raises:
            VendorError: the login failed; billed NO, for `request` was not sent.
        """
        return request

    def sign_again(self, request: HttpRequest, reply: HttpReply) -> bool:
        """Whether `reply` refuses the token in `request`, as signed, and a new one may help.

        Then `request` is signed and sent once more, and what comes then stands. Only an answer
        that is certainly not charged may be taken for such a refusal. By default never.
        """
        return False

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for a reply of another status than 200; by default from `error_table`."""
        return HttpBackend._by_table(self, reply, call)

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether the vendor's records can tell later what became of `call`."""
        return call.retention is Retention.KEEP

    def make_client(self) -> HttpClient:
        """The client to use; for a backend that has time-outs among its settings."""
        return HttpClient()

    @property
    def client(self) -> HttpClient:
        """The one client of this backend, made when it is first needed."""
        # Two threads may both make one; setdefault keeps one of them, the other holds nothing yet.
        # Not as an attribute, which a frozen attrs class forbids to set.
        client: HttpClient = vars(self).get("_client") or vars(self).setdefault(
            "_client", self.make_client()
        )
        return client

    @property
    def environments(self) -> frozenset[Environment]:
        """Where its answers can come from, as far as that is certain before it is asked.

        What it is set to; MOCK at the vendor's own host over the network is PRODUCTION. Set to
        nothing, MOCK where a mock may answer: on this machine, or by a double in this process.
        """
        url = f"{getattr(self, 'base_url', '')}/"
        host = host_of(url)
        near = is_loopback(host) or self.client.is_doubled(url)
        if self.environment is None:
            return frozenset({Environment.MOCK} if near else ())
        if self.environment is Environment.MOCK and host in self.allowed_hosts and not near:
            return frozenset({Environment.PRODUCTION})
        return frozenset({self.environment})

    def match(self, call: MatchCall) -> MatchResult:
        return self.ask(call, MatchResult)

    def check_liveness(self, call: LivenessCall) -> LivenessResult:
        if Operation.LIVENESS not in self.capabilities.operations:
            return super().check_liveness(call)
        return self.ask(call, LivenessResult)

    def close(self) -> None:
        """Close all connections. A call after that is a `ConfigurationError`."""
        self.client.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} is not pickled: open one in each process.")

    def ask(self, call: Call, kind: type[K]) -> K:
        """Send one call of this backend, and read its answer as a result of this kind.

        `match` and `check_liveness` are made of it; so are further operations that a vendor has
        and the core does not know, with a `Call` and a `Result` of their own.

        Raises:
            VendorError: there is no result; `billing` says whether it was charged.
        """
        answer: K | FaceMatchError
        try:
            answer = self._meaning(call, self._reply(call), kind)
        except OutcomeUnknown as error:
            answer = self._advised(error.with_traceback(None), call)
        if not isinstance(answer, FaceMatchError):
            return answer
        # The frame of a function that raises stays alive with the error.
        del call
        try:
            raise answer from None
        finally:
            answer.__context__ = None
            del answer

    def read_reply(self, call: Call, reply: HttpReply) -> Answer | FaceMatchError:
        """What `reply` means for `call`: the result, or the error that the call would raise.

        Nothing is sent and nobody is asked, so that any reply can be tried: what would a 502 with
        a page of markup be, or a 200 with a text in the place of the score?

        Args:
            call: What was asked.
            reply: What might be answered; its `secrets` are masked as those of a request are.
        """
        if call.operation is Operation.LIVENESS:
            return self._meaning(call, reply, LivenessResult)
        return self._meaning(call, reply, MatchResult)

    def _reply(self, call: Call) -> HttpReply:
        """The reply to `call`: to its first sending, or to the second with a new token."""
        clock, on_sent = self.client.clock, call.on_sent
        since = clock.monotonic()
        built = self.build(call)

        def left_s() -> float | None:
            return call.deadline_s and call.deadline_s - (clock.monotonic() - since)

        while True:
            try:
                request = self.sign(built, call, deadline_s=left_s())
            except VendorUnavailable as error:
                if on_sent is _called_already and error.billing.charged is Charged.NO:
                    # Bytes have left, so a verifier asks why nothing is charged.
                    error.billing = Billing(Charged.NO, error.billing.ground or _REFUSED_FIRST)
                raise
            reply = self.client.send(
                request,
                backend=self.name,
                deadline_s=left_s(),
                on_sent=on_sent,
                reconcilable=self.reconcilable(call),
                call_id=call.call_id,
            )
            again = on_sent is not _called_already and self._believes(reply)
            if not (again and self.sign_again(request, reply)):
                return reply
            on_sent = _called_already  # it is called once for a call, however often its bytes leave

    def _believes(self, reply: HttpReply) -> bool:
        """Whether a reply is from where it should be: a mock must say that it is one."""
        return self.environment is not Environment.MOCK or MOCK_HEADER in reply.headers

    def _meaning(
        self, call: Call, reply: HttpReply, kind: type[K]
    ) -> K | VendorError | EnvironmentMismatch:
        """The result of this kind, or the error to raise, new and without a traceback."""
        answer = self._result(call, reply, kind) if reply.status == 200 else None
        if answer is None:
            try:
                refusal = self.parse_refusal(call, reply)
            except Exception:  # noqa: BLE001 - as below: the status decides then
                refusal = None
            answer = refusal if isinstance(refusal, kind) else self._error(call, reply)
        source = Environment.MOCK if MOCK_HEADER in reply.headers else None
        if isinstance(answer, VendorError):
            _mask_error(answer, reply.secrets)
            answer.environment = answer.environment or source
            answer.backend = answer.backend or self.name
            answer.ids = attrs.evolve(answer.ids, call=answer.ids.call or call.call_id)
            answer.status_code = answer.status_code or reply.status
            answer = self._advised(answer.with_traceback(None), call)
        else:
            answer = _masked_result(answer, reply.secrets, source)
        if self._believes(reply):
            return answer
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but what answered ({reply.status}) does not "
            "say that it is a mock, and may be the real vendor: check the address and the "
            "environment.",
            environment=Environment.PRODUCTION,
            billing=answer.billing,
            ids=Ids(call=call.call_id),
            result=answer if isinstance(answer, (MatchResult, LivenessResult)) else None,
        )

    def _result(self, call: Call, reply: HttpReply, kind: type[K]) -> K | VendorError:
        """What `parse` makes of an answer 200."""
        try:
            result = self.parse(call, reply)
        except VendorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that, whatever a plug-in trips over
            problem = f"{type(error).__name__} {_where(error.__traceback__)}"
        else:
            if isinstance(result, kind):
                return result
            problem = f"its parse gives {type(result).__name__}, not {kind.__name__}"
        counts, billing = "It counts as charged", Billing(Charged.YES, PAID)
        if call.operation not in self.capabilities.billed_operations:
            counts = "It is not charged"
            billing = Billing(Charged.NO, "the vendor charges nothing for it")
        return UnexpectedResponse(
            f"{self.name} answered 200 in a form that cannot be read ({problem}). {counts}; please "
            "report it.",
            billing=billing,
        )

    def _error(self, call: Call, reply: HttpReply) -> VendorError:
        try:
            return self.error(reply, call)
        except Exception:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
            return self._by_table(reply, call)

    def _by_table(self, reply: HttpReply, call: Call) -> VendorError:
        return vendor_error(
            reply,
            self.error_table,
            backend=self.name,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            ids=Ids(call=call.call_id),
        )

    def _advised(self, error: VendorError, call: Call) -> VendorError:
        """`error`, which also says what to set for records that can tell, if that would help."""
        if (
            error.message.endswith(f"{NOT_KEPT}.")
            and Retention.KEEP in self.capabilities.retention
            and self.reconcilable(attrs.evolve(call, retention=Retention.KEEP))
        ):
            hint = "with retention=KEEP they could (see FaceVerifier.reconcile)"
            error.message = f"{error.message[:-1]}: {hint}."
            error.args = (error.message,)
        return error


def _called_already() -> None:
    pass


_REFUSED_FIRST = "the first sending was refused, and nothing was sent a second time"


def _where(traceback: TracebackType | None) -> str:
    """File and line of the innermost frame: of the plug-in's code, never of the data."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "at an unknown place"
    file = PurePath(traceback.tb_frame.f_code.co_filename).name
    return f"in {file}, line {traceback.tb_lineno}"


def _masked_result(result: K, secrets: tuple[Secret, ...], source: Environment | None) -> K:
    """`result` without secrets and pieces of pictures in the texts that come from its body.

    Args:
        result: What was read.
        secrets: Those of the request.
        source: Where the answer says that it came from; None to leave what `result` says.
    """
    masked = masker(secrets)

    def unsaid(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return without_pieces(masked(value))
        # Before the question for a Mapping, which is slow to answer.
        if value is None or type(value) in (int, float, bool):
            return value
        if not isinstance(value, (dict, list, tuple, Mapping)):
            return value
        if depth == MAX_DEPTH:
            return "(left out: too deep)"
        if isinstance(value, (list, tuple)):
            return [unsaid(item, depth + 1) for item in value]
        return {unsaid(key): unsaid(item, depth + 1) for key, item in value.items()}

    def silenced(warning: ResultWarning) -> ResultWarning:
        said = warning.tag, warning.text
        tag, text = unsaid(warning.tag), unsaid(warning.text)
        return warning if (tag, text) == said else attrs.evolve(warning, tag=tag, text=text)

    ids = result.ids
    return attrs.evolve(
        result,
        environment=source or result.environment,
        ids=attrs.evolve(ids, vendor=unsaid(ids.vendor), session=unsaid(ids.session)),
        model=unsaid(result.model),
        vendor_status=unsaid(result.vendor_status),
        raw=unsaid(result.raw),
        warnings=tuple(silenced(warning) for warning in result.warnings),
    )


def _mask_error(error: VendorError, secrets: tuple[Secret, ...]) -> None:
    """Take secrets out of the message of `error`, and all that `excerpt` would out of its fields.

    A vendor that says what is wrong with a picture may quote it.
    """
    masked = masker(secrets)
    error.message = without_pieces(masked(error.message))
    error.args = (error.message,)
    if error.ids.vendor is not None:
        error.ids = attrs.evolve(error.ids, vendor=without_pieces(masked(error.ids.vendor)))
    if isinstance(error, RequestRejected):
        fields: dict[str, tuple[str, ...]] = {}
        for name, texts in error.field_errors.items():
            # Names that are alike by now share an entry.
            place = fit(name, masked)
            fields[place] = (*fields.get(place, ()), *(fit(text, masked) for text in texts))
        error.field_errors = fields


# Addresses.

# One strict pattern and no parser: two parsers may find two different hosts in an odd address.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]*)*)"
)


def check_base_url(
    url: str,
    *,
    allowed_hosts: Collection[str],
    allow_base_url: bool = False,
    allow_insecure: bool = False,
) -> str:
    """The address without a slash at its end, if it may be sent to.

    Args:
        url: The setting.
        allowed_hosts: The vendor's own hosts, in small letters.
        allow_base_url: Whether another host than those and this machine may receive keys and
            faces.
        allow_insecure: Whether that may happen without TLS, beyond this machine.

    Raises:
        ConfigurationError: the rule that it breaks.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be text, not {type(url).__name__}.")
    for sign, part in (("@", "a user"), ("?", "a query"), ("#", "a fragment")):
        if sign in url:
            raise ConfigurationError(f"base_url must not have {part}: remove the {sign!r} part.")
    match = _ADDRESS.fullmatch(url)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise ConfigurationError(
            "base_url must have the form https://host/path, with an optional port."
        )
    host = match["host"].lower()
    if is_loopback(host):
        return url.rstrip("/")
    if host not in allowed_hosts and not allow_base_url:
        raise ConfigurationError(
            f"base_url names the host {host}, which is not the vendor's: set allow_base_url to "
            "true if it may receive keys and faces."
        )
    if match["scheme"] != "https" and not allow_insecure:
        raise ConfigurationError(
            "base_url must begin with https:// beyond this machine: set allow_insecure to true if "
            "keys and faces may travel unencrypted."
        )
    return url.rstrip("/")
