"""For plug-in authors: backends that talk to a vendor over HTTP.

A backend of a few lines::

    @attrs.frozen(kw_only=True)
    class AcmeBackend(ApiKeyBackend):
        name = "acme"
        allowed_hosts = frozenset({"api.acme.example"})
        capabilities = Capabilities(score_scale="acme/v1", default_threshold=75.0)
        base_url: str = "https://api.acme.example"

        def build(self, call: MatchCall) -> HttpRequest:
            return HttpRequest(
                url=f"{self.address}/compare",
                headers={"X-Api-Key": self.api_key},
                files=[picture("probe", call.probe), picture("reference", call.reference)],
            )

        def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
            score = Score.from_fraction(reply.json()["similarity"], "acme/v1")
            return MatchResult(
                decision=decide_by_threshold(score, call.threshold), score=score, backend=self.name
            )

What such backends have in common exists once: `messages` has what is sent and what comes back,
`refusals` what that means, `transport` carries it, and this module makes a backend of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeAlias, TypeVar, cast

import attrs

from ._cancellation import CANCELLATION, CallCancelled, callers_exception
from .addresses import check_base_url, is_among, is_loopback
from .backend import (
    Call,
    Image,
    LivenessCall,
    MatchCall,
    RemoteBackend,
    mask_error,
    mask_result,
    unreadable,
    where_raised,
)
from .errors import (
    EnvironmentMismatch,
    FaceMatchError,
    OutcomeUnknown,
    VendorError,
    VendorUnavailable,
)
from .masking import Secret, without_secrets
from .messages import BodyShape, FilePart, HttpReply, HttpRequest
from .models import (
    Answer,
    Billing,
    CallRecord,
    Charged,
    Decision,
    Environment,
    Ids,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Result,
    Retention,
)
from .refusals import (
    ErrorRow,
    ErrorTable,
    InconclusiveRow,
    bill,
    default_row,
    excerpt,
    paid,
    retry_after_s,
    rows,
    vendor_error,
)
from .transport import HttpClient, host_of

__all__ = [
    "MOCK_HEADER",
    "ApiKeyBackend",
    "BodyShape",
    "ErrorRow",
    "ErrorTable",
    "FilePart",
    "HttpBackend",
    "HttpClient",
    "HttpReply",
    "HttpRequest",
    "InconclusiveRow",
    "Steps",
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
    """`image` as the file of the form field `name`, under a name that reveals nothing."""
    return FilePart(
        name=name,
        filename=f"{name}.{image.extension}",
        content_type=image.media_type,
        data=image.data,
    )


#: The requests of one call, each answered by its reply, and in the end the result.
Steps: TypeAlias = Generator[HttpRequest, HttpReply, Result]


def _as_secret(key: Secret | str) -> Secret:
    return Secret.of(key)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class HttpBackend(RemoteBackend):
    """A vendor that is asked over HTTP.

    `build` and `parse` are pure; the sending between them exists once, in `HttpClient`. A vendor
    that takes several requests for one call is written with `steps` in their place.

    A backend whose `environment` is set to MOCK believes no answer without `MOCK_HEADER`: that is
    an `EnvironmentMismatch`, whatever its status, for whoever gave it may be the real vendor.

    Args:
        base_url: Where the vendor is; a backend sets its own default. Empty for `vendor_url`.
        allow_base_url: Whether another host than `allowed_hosts` and this machine may receive key
            and faces.
        allow_insecure: Whether they may travel without TLS beyond this machine.
        connect_timeout_s: Longest wait for a connection, above 0.
        read_timeout_s: Longest wait for the next piece of the answer, above 0. A call that is
            given up may have been charged, so patience saves money.
        ca_bundle: File or folder of certificates to trust instead of the usual ones; None for what
            the environment names, else the usual ones.
        proxy: ``http://host:port`` of the proxy to go through, without a login, to all but this
            machine; None for what the environment names.

    Attributes:
        error_table: What answers other than 200 mean where this vendor says more than
            `default_row` knows; by default empty.
        error_codes: The same by the code that `error_code` finds in such an answer, for vendors
            that tell their errors apart within one status. It comes before `error_table`. An
            `InconclusiveRow` says that such an answer is a result: no face in a picture, say.
        request_id_header: The header of every answer that has the vendor's own id of the request,
            for `ids.vendor` of results and errors; None for none.
    """

    reports_sent: ClassVar[bool] = True
    keeps_deadline: ClassVar[bool] = True
    error_table: ClassVar[ErrorTable] = {}
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {}
    request_id_header: ClassVar[str | None] = None

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    ca_bundle: Path | None = None
    proxy: str | None = None

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.ca_bundle is not None or self.proxy is not None:
            self.client  # noqa: B018 - refused now, and not by the first call

    def build(self, call: Any) -> HttpRequest:
        """The request for `call`, a `MatchCall` or a `LivenessCall`."""
        raise NotImplementedError(f"{type(self).__name__} has neither build nor steps.")

    def parse(self, call: Any, reply: HttpReply) -> Result:
        """The result in a reply of status 200.

        A `VendorError` that it raises is handed on. Any other exception means that the reply is
        not what was expected: the caller gets `UnexpectedResponse`, without the body, billed YES;
        NO for an operation that is not among the `billed_operations`. A result whose `billing`
        says nothing is billed in the same way.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither parse nor steps.")

    def steps(self, call: Any) -> Steps:
        """The requests of one call, each with its reply, and the result: for several requests.

        A generator: each `HttpRequest` that it yields is sent, and the reply comes back, if its
        status is 200; any other one ends the call as that of a single request does. What it
        returns is the result. By default one request, of `build` and `parse`::

            def steps(self, call):
                found = yield self.detect(call.probe)
                reply = yield self.verify(found.json()["id"])
                return self.result(call, reply)

        All steps share one deadline, and their `HttpRequest.charges` are added up: an error after
        a step that was charged says so, and is not retryable.
        """
        reply = yield self.build(call)
        return self.parse(call, reply)

    def parse_non_200(self, call: Any, reply: HttpReply) -> Result | None:
        """The result in a reply of another status, for a vendor that puts an answer there.

        By default that of an `InconclusiveRow` of `error_codes`, and for all others None: then it
        is an error. Asked only where the body is JSON: in anything else it is not the vendor that
        speaks.
        """
        code, row = self._coded(reply)
        if not isinstance(row, InconclusiveRow) or not 400 <= reply.status < 500:
            return None
        said: dict[str, Any] = {
            "warnings": (attrs.evolve(row.warning, tag=row.warning.tag or code),),
            "backend": self.name,
            "billing": Billing(row.charged, row.ground),
            "raw": reply.json(),
        }
        if call.operation is Operation.LIVENESS:
            return LivenessResult(decision=LivenessDecision.INCONCLUSIVE, **said)
        return MatchResult(decision=Decision.INCONCLUSIVE, **said)

    def error_code(self, reply: HttpReply) -> object:
        """The vendor's own code in a reply of another status than 200, for `error_codes`.

        Asked only where the body is JSON; what is no text is looked up as the text that it prints.
        By default None: there is none.
        """
        return None

    def sign(
        self, request: HttpRequest, call: Call, *, deadline_s: float | None = None
    ) -> HttpRequest:
        """`request` with a signature or with the token of a login; by default as it is.

        Called before each request is sent. A signature is made over `request.encoded()`, which is
        what it returns with a header more. A login is sent from here, by `client.send` without
        `on_sent`: the first byte that counts is that of `request`. A token is a `Secret`, alone in
        `HttpRequest.masked` if a header holds it behind a word.

        Args:
            request: What `build` made.
            call: What it is for.
            deadline_s: Seconds that are left for the login; None for no limit.

        Raises:
            VendorError: the login failed; billed NO, for `request` was not sent.
        """
        return request

    def should_relogin(self, request: HttpRequest, reply: HttpReply) -> bool:
        """Whether `reply` refuses the token in `request`, as signed, and a new one may help.

        Then `request` is signed and sent once more, and what comes then stands. Only an answer
        that is certainly not charged may be read as such a refusal. By default never.
        """
        return False

    def error(self, reply: HttpReply, call: Call) -> VendorError:
        """The error for a reply of another status than 200; by default from the tables."""
        row = self._coded(reply)[1] if _is_json(reply) else None
        return self._by_table(reply, call, row if isinstance(row, ErrorRow) else None)

    def _coded(self, reply: HttpReply) -> tuple[str | None, ErrorRow | InconclusiveRow | None]:
        """The vendor's code in a reply, as text, and its row; None for none."""
        code = self.error_code(reply)
        text = None if code is None else str(code)
        return text, None if text is None else self.error_codes.get(text)

    def reconcilable(self, call: Call | CallRecord) -> bool:
        """Whether the vendor's records can tell later what became of `call`."""
        return call.retention is Retention.KEEP

    def make_client(self) -> HttpClient:
        """The client to use: one with the time-outs of the settings.

        `ca_bundle` and `proxy` are set for whatever client this gives.
        """
        return HttpClient(
            connect_timeout_s=self.connect_timeout_s, read_timeout_s=self.read_timeout_s
        )

    @functools.cached_property
    def client(self) -> HttpClient:
        """The one client of this backend, made when it is first needed."""
        client = self.make_client()
        client.go_by(self.ca_bundle, self.proxy)
        # Two threads may both make one; setdefault keeps one of them, the other holds nothing yet.
        return vars(self).setdefault("client", client)  # type: ignore[no-any-return]  # by no name

    @property
    def environments(self) -> frozenset[Environment]:
        """Where its answers can come from, as far as that is certain before it is asked.

        What it is set to; MOCK at the vendor's own host over the network is PRODUCTION. Set to
        nothing, MOCK where a mock may answer: on this machine, or by a double in this process.
        """
        url = f"{self.base_url or self.vendor_url()}/"
        host = host_of(url)
        near = is_loopback(host) or self.client.is_doubled(url)
        if self.environment is None:
            return frozenset({Environment.MOCK} if near else ())
        vendors = is_among(host, self.allowed_hosts)
        if self.environment is Environment.MOCK and vendors and not near:
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
        raise TypeError(f"A {type(self).__name__} cannot be pickled: open one in each process.")

    def ask(self, call: Call, kind: type[K]) -> K:
        """Send one call of this backend, and read its answer as a result of this kind.

        Raises:
            VendorError: there is no result; `billing` says whether it was charged.
        """
        answer = self._answer(call, kind)
        if isinstance(answer, Result):
            return answer
        # The frame of a function that raises stays alive with the error.
        del call
        try:
            raise answer from None
        finally:
            answer.__context__ = None
            del answer

    def read_reply(self, call: Call, *replies: HttpReply) -> Answer | FaceMatchError:
        """What replies mean for `call`: the result, or the error that the call would raise.

        Nothing is sent and nobody is asked, so that any reply can be tried: what would a 502 with
        a page of markup be, or a 200 with a text in the place of the score?

        Args:
            call: What was asked.
            *replies: What might be answered, in the order of the requests; what comes after the
                end of the call is not looked at. Their `secrets` are masked as those of a request
                are.

        Raises:
            ValueError: the call asks for more than these.
        """

        def given() -> Iterator[HttpReply]:
            yield from replies
            raise ValueError(f"The call goes on after {len(replies)} replies: give more.")

        if call.operation is Operation.LIVENESS:
            return self._answer(call, LivenessResult, given())
        return self._answer(call, MatchResult, given())

    def _answer(
        self, call: Call, kind: type[K], given: Iterator[HttpReply] | None = None
    ) -> K | VendorError:
        """One call from its first request to its result or error; `given` are replies in place of
        a vendor's. What `steps` raises before its first request is raised: nothing was sent.
        """
        steps, since = self.steps(call), self.client.clock.monotonic()
        billed = call.operation in self.capabilities.billed_operations
        cancellation = CANCELLATION.get()
        replies: list[HttpReply] = []
        before = price = 0
        ending: K | VendorError | None
        request, ending = self._next(steps, None, kind, 0)
        reply: HttpReply | None = None
        while request is not None:
            before, price, reply = before + price, request.charges if billed else 0, None
            if replies and cancellation is not None and cancellation.cancelled:
                raise CallCancelled(paid(before))
            try:
                if given is None:
                    reply = self._reply(request, price, call, since, first=not replies)
                else:
                    reply = next(given)
            except VendorError as error:
                ending = error.with_traceback(None)
                break
            replies.append(reply)
            request = None
            if reply.status == 200:
                request, ending = self._next(steps, reply, kind, price)
            else:
                ending = self._refusal(call, reply, kind)
            if not self._believes(reply):
                break
        if isinstance(ending, VendorError) and before:
            ending.retryable = False  # that would be charged twice
        return self._ended(call, ending, replies, reply, bill(ending, reply, before, price))

    def _ended(
        self,
        call: Call,
        ending: K | VendorError | None,
        replies: list[HttpReply],
        last: HttpReply | None,
        billing: Billing,
    ) -> K | VendorError:
        """How a call ended, with its bill, without its secrets; None where it was left half way."""
        secrets = tuple(one for reply in replies for one in reply.secrets)
        mock = any(MOCK_HEADER in reply.headers for reply in replies)
        source = Environment.MOCK if mock else None
        vendor_id = None if last is None else last.headers.get(self.request_id_header or "")
        if isinstance(ending, Result):
            ending = mask_result(ending, secrets, source, billing=billing, vendor_id=vendor_id)
        if last is not None and not self._believes(last):
            return EnvironmentMismatch(
                f"The backend {self.name} is set to mock, but what answered ({last.status}) does "
                "not say that it is a mock, and may be the real vendor: check the address and the "
                "environment.",
                environment=Environment.PRODUCTION,
                billing=billing,
                ids=Ids(call=call.call_id),
                result=ending if isinstance(ending, (MatchResult, LivenessResult)) else None,
            )
        if not isinstance(ending, VendorError):
            return cast(K, ending)
        if (
            isinstance(ending, OutcomeUnknown)
            and not ending.reconcilable
            and self._could_keep(call)
        ):
            ending.message += " With retention=KEEP they could (see FaceVerifier.reconcile)."
        vendor_id = ending.ids.vendor or vendor_id
        ending.ids = attrs.evolve(ending.ids, call=call.call_id, vendor=vendor_id)
        mask_error(ending, secrets)
        ending.billing = billing
        ending.backend = ending.backend or self.name
        ending.environment = ending.environment or source
        ending.status_code = ending.status_code or (None if last is None else last.status)
        return ending

    def _reply(
        self,
        built: HttpRequest,
        price: int,
        call: Call,
        since: float,
        *,
        first: bool,
    ) -> HttpReply:
        """The reply to one request: to its first sending, or to the second with a new token."""
        clock = self.client.clock

        def left_s(*limits_s: float | None) -> float | None:
            nearest_s = min([one for one in limits_s if one is not None], default=None)
            return None if nearest_s is None else nearest_s - (clock.monotonic() - since)

        # The first byte of a call is reported and limited once, however often its bytes leave.
        on_sent, within_s = call.on_sent, call.send_within_s
        again = False
        while True:
            if again or not first:
                on_sent, within_s = _called_already, None
            try:
                request = self.sign(built, call, deadline_s=left_s(call.deadline_s, within_s))
            except VendorUnavailable as error:
                if again and error.billing.charged is Charged.NO:
                    # Bytes have left, so a verifier asks why nothing is charged.
                    error.billing = Billing(Charged.NO, error.billing.ground or _REFUSED_FIRST)
                raise
            reply = self.client.send(
                request,
                backend=self.name,
                charges=price,
                deadline_s=left_s(call.deadline_s),
                send_within_s=left_s(within_s),
                on_sent=on_sent,
                reconcilable=self.reconcilable(call),
                call_id=call.call_id,
            )
            if again or not self._believes(reply) or not self.should_relogin(request, reply):
                return reply
            again = True

    def _could_keep(self, call: Call) -> bool:
        kept = attrs.evolve(call, retention=Retention.KEEP)
        return Retention.KEEP in self.capabilities.retention and self.reconcilable(kept)

    def _believes(self, reply: HttpReply) -> bool:
        """Whether a reply is from where it should be: a mock must say that it is one."""
        return self.environment is not Environment.MOCK or MOCK_HEADER in reply.headers

    def _next(
        self, steps: Steps, reply: HttpReply | None, kind: type[K], price: int
    ) -> tuple[HttpRequest | None, K | VendorError | None]:
        """What follows an answer 200 of this price: the next request, or how the call ends."""
        try:
            made: object = next(steps) if reply is None else steps.send(reply)
        except StopIteration as end:
            made = end.value
        except Exception as error:
            if reply is None or callers_exception(error) is error:
                raise
            if isinstance(error, VendorError):
                return None, error.with_traceback(None)
            # It is paid for: the caller must learn that, whatever a plug-in trips over.
            made = f"{type(error).__name__} {where_raised(error.__traceback__)}"
        if isinstance(made, HttpRequest):
            return made, None
        if reply is None or isinstance(made, kind):
            return None, cast(K, made)  # without a request it was decided by the plug-in alone
        if not isinstance(made, str):
            made = f"its parse gives {type(made).__name__}, not {kind.__name__}"
        return None, unreadable(f"{self.name} answered 200", made, paid(price))

    def _refusal(self, call: Call, reply: HttpReply, kind: type[K]) -> K | VendorError:
        """What an answer of another status means."""
        fault: Exception | None = None
        try:
            result = self.parse_non_200(call, reply) if _is_json(reply) else None
            if isinstance(result, kind):
                return result
        except VendorError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - as above: the status decides then
            fault = error
        try:
            refusal = self.error(reply, call)
        except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
            fault, refusal = error, self._by_table(reply, call)
        if fault is not None:
            refusal.message += (
                f" (Its backend failed to read that: {type(fault).__name__} "
                f"{where_raised(fault.__traceback__)}; please report it.)"
            )
        return refusal

    def _by_table(self, reply: HttpReply, call: Call, row: ErrorRow | None = None) -> VendorError:
        return vendor_error(
            reply,
            self.error_table,
            backend=self.name,
            now=self.client.clock.now(),
            reconcilable=self.reconcilable(call),
            row=row,
            ids=Ids(call=call.call_id),
        )


@attrs.define(kw_only=True, eq=False, slots=False, repr=False, on_setattr=[])
class ApiKeyBackend(HttpBackend):
    """A vendor over HTTP that takes one key.

    Args:
        api_key: The key. May come from the environment variable ``NAME_API_KEY``, where NAME is
            that of the backend in capital letters, unless `environment_variables` names another.
    """

    api_key: Secret = attrs.field(converter=_as_secret)

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if "name" in vars(cls) and "environment_variables" not in vars(cls):
            word = re.sub(r"[^A-Z0-9]", "_", cls.name.upper())
            cls.environment_variables = {"api_key": f"{word}_API_KEY"}


def _is_json(reply: HttpReply) -> bool:
    return reply.shape in (BodyShape.JSON_OBJECT, BodyShape.OTHER_JSON)


def _called_already() -> None:
    pass


_REFUSED_FIRST = "the first sending was refused, and nothing was sent a second time"
