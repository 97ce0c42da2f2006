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

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any, ClassVar, NoReturn, TypeAlias, TypeVar

import attrs

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
from .errors import EnvironmentMismatch, FaceMatchError, VendorError, VendorUnavailable
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
    NOT_KEPT,
    PAID,
    ErrorRow,
    ErrorTable,
    InconclusiveRow,
    default_row,
    excerpt,
    retry_after_s,
    rows,
    vendor_error,
)
from .transport import UNSENT, HttpClient, host_of

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
            deadline_s: Seconds that are left for login and call together; None for no limit.

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
        """The client to use: one with the time-outs of the settings."""
        return HttpClient(
            connect_timeout_s=self.connect_timeout_s, read_timeout_s=self.read_timeout_s
        )

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
        answer = self._answer(call, kind, self._exchanges(call))
        if not isinstance(answer, FaceMatchError):
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
        given = iter(replies)

        def exchanged(_: HttpRequest) -> HttpReply:
            reply = next(given, None)
            if reply is None:
                raise ValueError(f"The call goes on after {len(replies)} replies: give more.")
            return reply

        if call.operation is Operation.LIVENESS:
            return self._answer(call, LivenessResult, exchanged)
        return self._answer(call, MatchResult, exchanged)

    def _exchanges(self, call: Call) -> Callable[[HttpRequest], HttpReply]:
        """Sends the requests of one call, one after the other, under its deadline."""
        clock, since = self.client.clock, self.client.clock.monotonic()
        on_sent = call.on_sent

        def left_s() -> float | None:
            return call.deadline_s and call.deadline_s - (clock.monotonic() - since)

        def exchanged(request: HttpRequest) -> HttpReply:
            nonlocal on_sent
            reply, on_sent = self._exchanged(request, call, on_sent, left_s), _called_already
            return reply

        return exchanged

    def _exchanged(
        self,
        built: HttpRequest,
        call: Call,
        on_sent: Callable[[], None],
        left_s: Callable[[], float | None],
    ) -> HttpReply:
        """The reply to one request: to its first sending, or to the second with a new token."""
        again = False
        while True:
            try:
                request = self.sign(built, call, deadline_s=left_s())
            except VendorUnavailable as error:
                if again and error.billing.charged is Charged.NO:
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
            if again or not self._believes(reply) or not self.should_relogin(request, reply):
                return reply
            # `on_sent` is called once for a call, however often its bytes leave.
            again, on_sent = True, _called_already

    def _believes(self, reply: HttpReply) -> bool:
        """Whether a reply is from where it should be: a mock must say that it is one."""
        return self.environment is not Environment.MOCK or MOCK_HEADER in reply.headers

    def _answer(
        self, call: Call, kind: type[K], exchanged: Callable[[HttpRequest], HttpReply]
    ) -> K | VendorError:
        """One call from its first request to its result, or to the error to raise.

        The error is new and without a traceback. What `steps` raises before its first request is
        raised as it is: nothing was sent.
        """
        steps = self.steps(call)
        billed = call.operation in self.capabilities.billed_operations
        replies: list[HttpReply] = []
        before = price = 0
        vendor_id: str | None = None
        made: HttpRequest | K | VendorError
        try:
            made = next(steps)
        except StopIteration as end:
            made = end.value  # decided without a request
        while isinstance(made, HttpRequest):
            price = made.charges if billed else 0
            try:
                reply = exchanged(made)
            except VendorError as error:
                made, vendor_id = error.with_traceback(None), None
                _correct(made, price, later=bool(replies))
                break
            replies.append(reply)
            vendor_id = reply.headers.get(self.request_id_header or "")
            if reply.status == 200:
                made = self._advanced(steps, reply, kind, price)
            else:
                made, price = self._refusal(call, reply, kind), 0
            if isinstance(made, VendorError):
                made.status_code = made.status_code or reply.status
            if not self._believes(reply):
                return self._mismatch(call, made, reply, before, price)
            if isinstance(made, HttpRequest):
                before += price
        secrets = tuple(dict.fromkeys(one for reply in replies for one in reply.secrets))
        source = Environment.MOCK if any(MOCK_HEADER in r.headers for r in replies) else None
        vendor_id = made.ids.vendor or vendor_id
        if isinstance(made, VendorError):
            made.ids = attrs.evolve(made.ids, call=call.call_id, vendor=vendor_id)
            mask_error(made, secrets)
            made.environment = made.environment or source
            made.backend = made.backend or self.name
            made.billing, repeats = _with_charges(made.billing, before)
            made.retryable = made.retryable and repeats
            return self._advised(made, call)
        billing = _bill_of(made.billing, replies[-1] if replies else None, before, price)
        made = attrs.evolve(made, billing=billing, ids=attrs.evolve(made.ids, vendor=vendor_id))
        return mask_result(made, secrets, source)

    def _advanced(
        self, steps: Steps, reply: HttpReply, kind: type[K], price: int
    ) -> HttpRequest | K | VendorError:
        """What follows an answer 200: the next request, or how the call ends.

        Args:
            steps: The call so far.
            reply: The answer.
            kind: What the result must be.
            price: Its charges.
        """
        try:
            made: object = steps.send(reply)
        except StopIteration as end:
            made = end.value
        except VendorError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - it is paid for: the caller must learn that, whatever a plug-in trips over
            made = f"{type(error).__name__} {where_raised(error.__traceback__)}"
        if isinstance(made, (HttpRequest, kind)):
            return made
        if not isinstance(made, str):
            made = f"its parse gives {type(made).__name__}, not {kind.__name__}"
        billing = Billing(Charged.YES, PAID, price) if price else Billing(Charged.NO, FREE)
        return unreadable(f"{self.name} answered 200", made, billing)

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
            told = self.error(reply, call)
        except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
            fault, told = error, self._by_table(reply, call)
        if fault is not None:
            told.message += (
                f" (Its backend failed to read that: {type(fault).__name__} "
                f"{where_raised(fault.__traceback__)}; please report it.)"
            )
        return told

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

    def _mismatch(
        self, call: Call, made: object, reply: HttpReply, before: int, price: int
    ) -> EnvironmentMismatch:
        """What came is from elsewhere than it should; what was read of it is kept for a person.

        It is billed as it would be where it should come from.
        """
        result = None
        if isinstance(made, (MatchResult, LivenessResult)):
            result = mask_result(made, reply.secrets, None)
        if isinstance(made, VendorError):
            billing = _with_charges(made.billing, before)[0]
        else:
            billing = made.billing if isinstance(made, Result) else Billing()
            billing = _bill_of(billing, reply, before, price)
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but what answered ({reply.status}) does not "
            "say that it is a mock, and may be the real vendor: check the address and the "
            "environment.",
            environment=Environment.PRODUCTION,
            billing=billing,
            ids=Ids(call=call.call_id),
            result=result,
        )

    def _advised(self, error: VendorError, call: Call) -> VendorError:
        """`error`, which also says what to set for records that can tell, if that would help."""
        if (
            f"{NOT_KEPT}." in error.message
            and Retention.KEEP in self.capabilities.retention
            and self.reconcilable(attrs.evolve(call, retention=Retention.KEEP))
        ):
            hint = "with retention=KEEP they could (see FaceVerifier.reconcile)"
            error.message = error.message.replace(f"{NOT_KEPT}.", f"{NOT_KEPT}: {hint}.")
            error.args = (error.message,)
        return error


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


def _correct(error: VendorError, price: int, *, later: bool) -> None:
    """What the client cannot know: that the request costs nothing, or is not the first one."""
    if later:
        error.message = error.message.replace(UNSENT, _UNSENT_THEN)
    if not price and error.billing.charged is Charged.YES:
        error.billing = Billing(Charged.NO, FREE)
        error.message = error.message.replace("It counts as charged", "It is not charged")


def _with_charges(billing: Billing, before: int) -> tuple[Billing, bool]:
    """What an error cost with the requests `before` it, and whether its call may be repeated."""
    if not before:
        return billing, True
    earlier = f"charges of earlier requests of the call: {before}"
    ground = f"{billing.ground}; {earlier}" if billing.ground else earlier
    if billing.charged is Charged.UNKNOWN:
        return Billing(Charged.UNKNOWN, ground), False
    # A charge whose number is not known is at least one.
    last = billing.charges or int(billing.charged is Charged.YES)
    return Billing(Charged.YES, ground, before + last), False


def _bill_of(billing: Billing, last: HttpReply | None, before: int, price: int) -> Billing:
    """What a result cost: as the backend says, with the charges of all its requests.

    Args:
        billing: What the backend says; nothing, if it is the default.
        last: The last reply, if there was one.
        before, price: The charges of the earlier requests, and of the last one.
    """
    row = None if last is None or last.status == 200 else default_row(last.status, last.shape)
    if billing == Billing():
        if row is not None:
            return _with_charges(Billing(row.charged, row.ground), before)[0]
        paid = before + price
        return Billing(Charged.YES, PAID, paid) if paid else Billing(Charged.NO, FREE)
    if billing.charged is Charged.UNKNOWN or (billing.charged is Charged.NO and row is not None):
        return _with_charges(billing, before)[0]
    if billing.charged is Charged.YES and before + price > (billing.charges or 1):
        return attrs.evolve(billing, charges=before + price)
    return billing


def _called_already() -> None:
    pass


FREE = "the vendor charges nothing for it"
_UNSENT_THEN = "Nothing was sent after the requests before it."
_REFUSED_FIRST = "the first sending was refused, and nothing was sent a second time"
