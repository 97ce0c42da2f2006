"""For plug-in authors: backends that talk to a vendor over HTTP.

A backend writes `build` and `parse`, or `steps` where a call is several requests or the vendor
answers later. `messages` has what is sent and comes back, `refusals` what that means, `transport`
carries it; here is how a call goes from its first request to its result and its bill.
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
    tell_fault,
    unreadable,
    where_raised,
)
from .deadline import NO_DEADLINE, Deadline
from .errors import (
    ConfigurationError,
    DeadlineExceeded,
    EnvironmentMismatch,
    FaceMatchError,
    OutcomeUnknown,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from .masking import Secret, without_secrets
from .messages import BodyShape, FilePart, HttpReply, HttpRequest, Wait
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
    FREE,
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
    "MOCK_HEADER", "ApiKeyBackend", "BodyShape", "ErrorRow", "ErrorTable", "FilePart",
    "HttpBackend", "HttpClient", "HttpReply", "HttpRequest", "InconclusiveRow", "Steps", "Wait",
    "check_base_url", "default_row", "excerpt", "is_loopback", "picture", "retry_after_s",
    "rows", "vendor_error", "without_secrets",
]  # fmt: skip

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


#: The requests of one call, each answered by its reply, waits between them, and at last the result.
Steps: TypeAlias = Generator[HttpRequest | Wait, HttpReply, Result]


@attrs.define(kw_only=True)
class _Course:
    """How far one call has come.

    Attributes:
        call: With the vendor's id of it, once that is known.
        given: Replies in place of a vendor's; no wait takes time then.
        deadline: When all of it must be over.
        before, price: What the requests before the last one were charged, and what that one costs.
        is_free: Whether that one is declared to have no price.
        asked, has_waited: Whether anything was sent, and whether the steps have waited since.
        reply: To the last request; None if it was lost.
        is_refused: Whether the call could not simply go on with that.
        is_last: Whether a wait was cut short, so that there is time for one more request.
        request_id: The latest one in a header.
        refusal: The last error that was not of the plug-in's own making.
    """

    call: Call
    given: Iterator[HttpReply] | None
    deadline: Deadline
    before: int = 0
    price: int = 0
    is_free: bool = False
    asked: bool = False
    has_waited: bool = False
    reply: HttpReply | None = None
    status: int = 0
    is_refused: bool = False
    is_last: bool = False
    request_id: str | None = None
    refusal: VendorError | None = None
    is_mock: bool = False
    secrets: tuple[Secret, ...] = ()

    def settle(self) -> None:
        """The last request was answered, and is paid for."""
        self.before, self.price, self.is_refused = self.before + self.price, 0, False

    def hear(self, reply: HttpReply, vendor_id: str | None, request_id: str | None) -> None:
        """Remember of a reply what the end of the call needs."""
        self.reply, self.status = reply, reply.status
        self.request_id = request_id or self.request_id
        if vendor_id and self.call.vendor_id is None:
            self.call = attrs.evolve(self.call, vendor_id=vendor_id)
        self.is_mock = self.is_mock or MOCK_HEADER in reply.headers
        self.secrets += tuple(one for one in reply.secrets if one not in self.secrets)


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
        call_timeout_s: Longest time of a whole call that has no deadline, above 0: for a vendor
            that answers later, above all.
        ca_bundle: File or folder of certificates to trust instead of the usual ones; None for what
            the environment names, else the usual ones.
        proxy: ``http://host:port`` of the proxy to go through, without a login, to all but this
            machine; None for what the environment names.

    Attributes:
        error_table: What answers mean with which a call does not go on (other than 200, as a
            rule), where this vendor says more than `default_row` knows; by default empty.
        error_codes: The same by the code that `error_code` finds in such an answer, for vendors
            that tell their errors apart within one status. It comes before `error_table`. An
            `InconclusiveRow` says that such an answer is a result: no face in a picture, say.
        request_id_header: The header of every answer that has the vendor's own id of the request:
            the latest is `ids.vendor` where there is no `vendor_id`. None for none.
    """

    reports_sent: ClassVar[bool] = True
    keeps_deadline: ClassVar[bool] = True
    takes_timeouts: ClassVar[bool] = True
    error_table: ClassVar[ErrorTable] = {}
    error_codes: ClassVar[Mapping[str, ErrorRow | InconclusiveRow]] = {}
    request_id_header: ClassVar[str | None] = None

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    call_timeout_s: float = 300.0
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
        """The result in a reply whose status the request `expects`: 200, unless it says otherwise.

        A `VendorError` that it raises is handed on. Any other exception means that the reply is
        not what was expected: the caller gets `UnexpectedResponse`, without the body, billed YES;
        NO for an operation that is not among the `billed_operations`. A result whose `billing`
        says nothing is billed in the same way.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither parse nor steps.")

    def steps(self, call: Any) -> Steps:
        """The requests of one call, each with its reply, and the result: for several requests.

        A generator: each `HttpRequest` that it yields is sent, and the reply comes back, headers
        and all, if the request `expects` its status; any other one ends the call as that of a
        single request does. Between them it may `Wait`. What it returns is the result. By default
        one request, of `build` and `parse`. "Add a backend" has a vendor that answers later.

        All steps share one deadline, and their `HttpRequest.charges` are added up: an error after
        a step that was charged says so, and is not retryable. A request goes to the host of
        `address` or to one of `allowed_hosts`, wherever an answer leads.
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

    def vendor_id(self, reply: HttpReply) -> str | None:
        """The vendor's own id of the call (of its job, say) in a reply; by default None.

        The first one that a reply gives is `ids.vendor` of the result and of every later error, and
        `CallRecord.vendor_id`. A text that is longer than 200 characters or cannot be printed is
        none.
        """
        return None

    def error_code(self, reply: HttpReply) -> object:
        """The vendor's own code in a reply of a status that was not expected, for `error_codes`.

        Asked only where the body is JSON; what is no text is looked up as the text that it prints.
        By default None: there is none.
        """
        return None

    def sign(
        self, request: HttpRequest, call: Call, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """`request` with a signature or with the token of a login; by default as it is.

        Called before each request is sent. A signature is made over `request.encoded()`, which is
        what it returns with a header more. A login is sent from here, by `client.send` without
        `on_sent`: the first byte that counts is that of `request`. A token is a `Secret`, alone in
        `HttpRequest.masked` if a header holds it behind a word.

        Args:
            request: What `build` made.
            call: What it is for.
            deadline: When a login must be over.

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
        """The error for a reply of a status that was not expected; by default from the tables."""
        return self._by_table(reply, self._row(reply), call=call)

    def _row(self, reply: HttpReply) -> ErrorRow | None:
        row = self._coded(reply)[1] if _is_json(reply) else None
        return row if isinstance(row, ErrorRow) else None

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

    def fetch(self, request: HttpRequest, *, deadline: Deadline = NO_DEADLINE) -> HttpReply:
        """The answer to a free request that belongs to no call: for `reconcile`. It is not signed.

        Raises:
            VendorError: it is none that `request` expects; billed NO.
        """
        error: VendorError
        try:
            if host := self._foreign(request):
                raise ConfigurationError(f"{self.name} would send its key to {host}.")
            reply = self.client.send(request, backend=self.name, charges=0, deadline=deadline)
        except OutcomeUnknown as lost:
            error = VendorUnavailable(lost.message, status_code=lost.status_code)
        else:
            if not self._believes(reply):
                error = self._mismatch(reply, Billing(Charged.NO, FREE))
            elif reply.status in request.expects:
                return reply
            else:
                error = self._by_table(reply, self._row(reply), is_free=True)
        error.billing = Billing(Charged.NO, FREE)
        mask_error(error, request.secrets)
        raise error

    def _answer(
        self, call: Call, kind: type[K], given: Iterator[HttpReply] | None = None
    ) -> K | VendorError:
        """One call from its first request to its result or error; `given` are replies in place of
        a vendor's. What `steps` raises before its first request is raised: nothing was sent.
        """
        deadline = call.deadline
        if not deadline.is_limited:
            deadline = Deadline.after(self.call_timeout_s, call.clock)
        course = _Course(call=call, given=given, deadline=deadline)
        steps = self.steps(call)
        made: object = self._next(steps, None, course, kind)
        while isinstance(made, (HttpRequest, Wait)):
            if isinstance(made, Wait):
                goes_on, made = self._waited(made, course)
            else:
                goes_on, made = self._told(made, course, kind)
            if goes_on:
                made = self._next(steps, made, course, kind)
            if course.reply is not None and not self._believes(course.reply):
                break
        return cast(K | VendorError, self._ended(course, made))

    def _next(
        self, steps: Steps, told: object, course: _Course, kind: type[Result]
    ) -> HttpRequest | Wait | Result | VendorError | None:
        """What follows an answer, a refusal or a wait: a request, a wait, or how the call ends."""
        try:
            if isinstance(told, VendorError):
                made: object = steps.throw(told)
            else:
                made = steps.send(cast(HttpReply, told))
        except StopIteration as end:
            made = end.value
        except Exception as error:
            if not course.asked or callers_exception(error) is error:
                raise
            if isinstance(error, VendorError):
                return error.with_traceback(None)
            # It is paid for: the caller must learn that, whatever a plug-in trips over.
            tell_fault(error)
            made = _problem(error)
        if isinstance(made, (HttpRequest, Wait)):
            return made
        if not course.asked or isinstance(made, kind):
            return cast(Result, made)  # without a request it was decided by the plug-in alone
        if not isinstance(made, str):
            made = f"its parse gives {type(made).__name__}, not {kind.__name__}"
        return self._unreadable(made, course)

    def _unreadable(self, problem: str, course: _Course) -> VendorError:
        answered = f"{self.name} answered {course.status}"
        error = unreadable(answered, problem, paid(course.before + course.price))
        error.billing = paid(course.price)  # what came before is added to it at the end
        return error

    def _foreign(self, request: HttpRequest) -> str:
        """Where a request would go that may take neither key nor face there; empty if it may."""
        origin = _origin(request.url)
        own = _origin(self.address) if self.base_url or self.vendor_url() else ""
        if origin == own:
            return ""
        try:
            check_base_url(
                origin, allowed_hosts=self.allowed_hosts, allow_insecure=self.allow_insecure
            )
        except ConfigurationError:
            return origin[:80]
        # This machine is nobody's to whom a vendor somewhere else may lead.
        strays = is_loopback(host_of(f"{origin}/")) and not is_loopback(
            host_of(f"{own or origin}/")
        )
        return origin[:80] if strays else ""

    def _waited(self, pause: Wait, course: _Course) -> tuple[bool, VendorError | None]:
        """Whether the call goes on after a pause, and else how it ends."""
        course.settle()
        course.has_waited = course.is_free = course.asked
        if course.given is not None:
            return True, None
        seconds, left_s = pause.seconds, course.deadline.left_s()
        if seconds >= left_s > 0 and course.asked and not course.is_last:
            course.is_last, seconds = True, left_s / 2
        elif seconds >= left_s:
            why = f"{self.name} would wait longer than the call may take"
            course.refusal = VendorUnavailable(f"{why}. Nothing was sent.", retryable=False)
            if course.asked:
                course.refusal = DeadlineExceeded(f"{why}.")
            return False, course.refusal
        clock, cancellation = course.call.clock, CANCELLATION.get()
        try:
            if cancellation is None:
                clock.sleep(seconds)
            else:
                cancellation.sleep(seconds, clock)
        except CallCancelled:
            raise CallCancelled(paid(course.before)) from None
        return True, None

    def _told(
        self, request: HttpRequest, course: _Course, kind: type[Result]
    ) -> tuple[bool, HttpReply | Result | VendorError]:
        """Whether the call goes on after a request, and what with; else how it ends."""
        if host := self._foreign(request):
            if not course.asked:
                raise ConfigurationError(
                    f"{self.name} would send key and faces to {host}: its host is neither that of "
                    "base_url nor among its allowed_hosts."
                )
            return False, self._unreadable(f"it leads to another host, {host}", course)
        course.settle()
        call, cancellation = course.call, CANCELLATION.get()
        gone = cancellation is not None and cancellation.cancelled
        if course.asked and gone:
            raise CallCancelled(paid(course.before))
        billed = call.operation in self.capabilities.billed_operations
        course.price, course.reply = request.charges if billed else 0, None
        course.is_free = not request.charges
        outcome: HttpReply | Result | VendorError = self._answer_to(request, course)
        if isinstance(outcome, HttpReply):
            reply, before = outcome, call.vendor_id
            course.hear(reply, self._id_in(reply), reply.headers.get(self.request_id_header or ""))
            if reply.status in request.expects:
                known = course.call.vendor_id
                if course.given is None and (course.price or before != known):
                    call.on_accepted(known, paid(course.before + course.price))
                if reply.status != 200:
                    course.settle()  # accepted, whatever the steps make of it
                return True, reply
            course.is_refused = True
            outcome = self._refusal(reply, course, kind)
        if not isinstance(outcome, VendorError):
            return False, outcome
        course.refusal = outcome
        is_over = isinstance(outcome, DeadlineExceeded) or course.deadline.is_over
        return request.on_refusal == "raise" and not is_over, outcome

    def _answer_to(self, request: HttpRequest, course: _Course) -> HttpReply | VendorError:
        """The reply to a request, or what it means that there is none."""
        try:
            return self._reply(request, course) if course.given is None else next(course.given)
        except VendorError as error:
            if type(error) is not OutcomeUnknown or not course.is_free:
                return error.with_traceback(None)
            billing, status = Billing(Charged.NO, FREE), error.status_code
            return VendorUnavailable(error.message, billing=billing, status_code=status)
        except Exception as error:
            if course.given is not None or not course.asked or callers_exception(error) is error:
                raise
            # What an answer has led to cannot be sent: the call was accepted all the same.
            tell_fault(error)
            course.price = 0
            return self._unreadable(_problem(error), course)
        finally:
            course.asked = True

    def _id_in(self, reply: HttpReply) -> str | None:
        try:
            known: object = self.vendor_id(reply)
        except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body loses no call
            tell_fault(error)
            return None
        # Nobody's id has a line break, or the length of a page.
        fine = isinstance(known, str) and known.isprintable() and len(known) <= 200
        return cast(str, known) if fine else None

    def _ended(self, course: _Course, ending: object) -> Any:
        """How a call ended, with its bill, without its secrets; None where it was left half way."""
        call, last = course.call, course.reply
        error = ending if isinstance(ending, VendorError) else None
        result = ending if isinstance(ending, Result) else None
        if error is not None and course.is_free:
            refused = error is course.refusal and error.billing.charged is Charged.YES
            if refused or error.billing.charged is Charged.UNKNOWN:
                error.billing = Billing(Charged.NO, FREE)
        billing = bill(
            error or result, last if course.is_refused else None, course.before, course.price
        )
        source = Environment.MOCK if course.is_mock else None
        known = call.vendor_id or course.request_id
        if result is not None:
            result = mask_result(result, course.secrets, source, billing=billing, vendor_id=known)
        if last is not None and not self._believes(last):
            return self._mismatch(last, billing, call, result)
        if error is None:
            return ending if result is None else result
        if (course.has_waited or course.before) and course.is_free and error is course.refusal:
            error = self._unfinished(course, error)
        elif (
            isinstance(error, OutcomeUnknown) and not error.reconcilable and self._could_keep(call)
        ):
            error.message += " With retention=KEEP they could (see FaceVerifier.reconcile)."
        if not call.deadline.is_limited and isinstance(error, DeadlineExceeded):
            error.message += f" (It had no deadline; call_timeout_s is {self.call_timeout_s:g}.)"
        if course.before:
            error.retryable = False  # that would be charged twice
        error.ids = attrs.evolve(error.ids, call=call.call_id, vendor=error.ids.vendor or known)
        mask_error(error, course.secrets)
        error.billing = billing
        error.backend = error.backend or self.name
        error.environment = error.environment or source
        error.status_code = error.status_code or (None if last is None else last.status)
        return error

    def _unfinished(self, course: _Course, error: VendorError) -> VendorError:
        """What it means that a vendor which answers later was not heard to the end."""
        if not isinstance(error, (OutcomeUnknown, VendorUnavailable, RateLimited)):
            return error
        is_over = isinstance(error, DeadlineExceeded) or course.deadline.is_over
        known = f" as {course.call.vendor_id}" if course.call.vendor_id else ""
        ended = f"had not finished it within {course.deadline.limit_s:.3g} s"
        if not is_over:
            ended = f"then gave no answer about it ({error.message})"
        reconcilable = self.reconcilable(course.call)
        later = "FaceVerifier.reconcile can ask later" if reconcilable else "It is not repeated"
        return (DeadlineExceeded if is_over else OutcomeUnknown)(
            f"{self.name} accepted the call{known}, and {ended}. {later}.",
            reconcilable=reconcilable,
            ids=error.ids,
            retryable=False,
        )

    def _mismatch(
        self,
        reply: HttpReply,
        billing: Billing,
        call: Call | None = None,
        result: Result | None = None,
    ) -> EnvironmentMismatch:
        return EnvironmentMismatch(
            f"The backend {self.name} is set to mock, but what answered ({reply.status}) does "
            "not say that it is a mock, and may be the real vendor: check the address and the "
            "environment.",
            environment=Environment.PRODUCTION,
            billing=billing,
            ids=Ids(call=None if call is None else call.call_id),
            result=result if isinstance(result, (MatchResult, LivenessResult)) else None,
        )

    def _reply(self, built: HttpRequest, course: _Course) -> HttpReply:
        """The reply to one request: to its first sending, or to the second with a new token."""
        call = course.call
        # The first byte of a call is reported and limited once, however often its bytes leave.
        on_sent, send_by = call.on_sent, course.deadline.earlier(call.send_by)
        again = False
        while True:
            if again or course.asked:
                on_sent, send_by = _called_already, course.deadline
            try:
                request = self.sign(built, call, deadline=send_by)
            except VendorUnavailable as error:
                if again and error.billing.charged is Charged.NO:
                    # Bytes have left, so a verifier asks why nothing is charged.
                    error.billing = Billing(Charged.NO, error.billing.ground or _REFUSED_FIRST)
                raise
            reply = self.client.send(
                request,
                backend=self.name,
                charges=course.price,
                timeouts_s=call.timeouts_s,
                deadline=course.deadline,
                send_by=send_by,
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

    def _refusal(
        self, reply: HttpReply, course: _Course, kind: type[Result]
    ) -> Result | VendorError:
        """What an answer means with which the call does not go on."""
        call = course.call
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
            if course.is_free and isinstance(refusal, OutcomeUnknown):
                refusal = self._by_table(reply, is_free=True)
        except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
            fault, refusal = error, self._by_table(reply, call=call, is_free=course.is_free)
        if fault is not None:
            tell_fault(fault)
            refusal.message += (
                f" (Its backend failed to read that: {type(fault).__name__} "
                f"{where_raised(fault.__traceback__)}; please report it.)"
            )
        return refusal

    def _by_table(
        self,
        reply: HttpReply,
        row: ErrorRow | None = None,
        *,
        call: Call | None = None,
        is_free: bool = False,
    ) -> VendorError:
        return vendor_error(
            reply,
            self.error_table,
            backend=self.name,
            now=self.client.clock.now(),
            reconcilable=call is not None and self.reconcilable(call),
            is_free=is_free,
            row=row,
            ids=Ids(call=None if call is None else call.call_id),
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


def _problem(error: Exception) -> str:
    """An exception of a plug-in's code, for its author: of our own errors also what they say."""
    said = f": {error.message}" if isinstance(error, FaceMatchError) else ""
    return f"{type(error).__name__} {where_raised(error.__traceback__)}{said}"


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _called_already() -> None:
    pass


_REFUSED_FIRST = "the first sending was refused, and nothing was sent a second time"
