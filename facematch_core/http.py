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
                decision=same[reply.json()["same"]], backend=self.name, billed=Charged.YES
            )

Sending, deadlines, errors and what they say about money are here and in the modules behind, once.
"""

from __future__ import annotations

import abc
from typing import Any, ClassVar, NoReturn

from urllib3.util import parse_url

from ._http._client import HttpClient
from ._http._errors import DEFAULT_ERRORS, ErrorRow, ErrorTable, rows, vendor_error
from ._http._messages import (
    BodyShape,
    FilePart,
    HttpReply,
    HttpRequest,
    retry_after_s,
)
from ._http._reading import KINDS, MOCK_HEADER, K, default_error, is_believed, meaning
from ._http._url import check_base_url, is_loopback
from ._http._words import excerpt, without_secrets
from .backend import Backend, Call, Image, LivenessCall, MatchCall
from .errors import (
    FaceMatchError,
    VendorError,
    VendorUnavailable,
)
from .models import (
    Answer,
    Billing,
    CallRecord,
    Charged,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Result,
    Retention,
)

__all__ = [
    "DEFAULT_ERRORS",
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
    "excerpt",
    "is_loopback",
    "picture",
    "retry_after_s",
    "rows",
    "vendor_error",
    "without_secrets",
]


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
        error_table: What answers other than 200 mean; total for statuses 100-599.
    """

    reports_sent: ClassVar[bool] = True
    error_table: ClassVar[ErrorTable] = DEFAULT_ERRORS

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
        return default_error(self, reply, call)

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
        host = str(parse_url(url).host)
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
                if on_sent is _told_already and error.billing.charged is Charged.NO:
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
            again = on_sent is not _told_already and is_believed(self, reply)
            if not (again and self.sign_again(request, reply)):
                return reply
            on_sent = _told_already  # once for a call, however often its bytes leave

    def read_reply(self, call: Call, reply: HttpReply) -> Answer | FaceMatchError:
        """What `reply` means for `call`: the result, or the error that the call would raise.

        Nothing is sent and nobody is asked, so that any reply can be tried: what would a 502 with
        a page of markup be, or a 200 with a text in the place of the score?

        Args:
            call: What was asked.
            reply: What might be answered; its `secrets` are masked as those of a request are.
        """
        return meaning(self, call, reply, KINDS[call.operation])

    def ask(self, call: Call, kind: type[K]) -> K:
        """Send one call of this backend, and read its answer as a result of this kind.

        `match` and `check_liveness` are made of it; so are further operations that a vendor has
        and the core does not know, with a `Call` and a `Result` of their own.

        Raises:
            VendorError: there is no result; `billing` says whether it was charged.
        """
        reply = self._reply(call)
        answer = meaning(self, call, reply, kind)
        if not isinstance(answer, FaceMatchError):
            return answer
        # The frame of a function that raises stays alive with the error.
        del call, reply
        try:
            raise answer from None
        finally:
            answer.__context__ = None
            del answer


_REFUSED_FIRST = "the first sending was refused, and nothing was sent a second time"


def _told_already() -> None:
    pass
