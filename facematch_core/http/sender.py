"""`HttpCall`: one call of a backend over HTTP, from its first request to its end.

`HttpCall.run` drives the generator that a backend's `steps` returns. Each round has one of three
outcomes, which is the input of the next:

- a reply, which goes into the generator: its status is expected, and it is about this call;
- a `VendorError`, which is raised in the generator: the request has ``on_refusal="raise"``;
- an `_End`, with the result or the error: the steps returned or raised, or cannot go on.

`_send` signs and sends a request, `_read` judges its reply, `_refuse` and the `_end_...` methods
judge what ends the call. A `Ledger` adds up what the requests cost. At the end `_finish` sets ids
and bill and masks secrets, and `_clean_up` removes what the call has left at the vendor.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator
from typing import Any, TypeAlias, cast

import attrs

from facematch_core import errors, models
from facematch_core.backend.base import (
    accepted_billing,
    can_be_sought,
    report_fault,
    unreadable_error,
)
from facematch_core.backend.calls import Call, LookUp, Request, ignore
from facematch_core.backend.session_types import SessionAnswer, SessionReading
from facematch_core.base.addresses import MOCK_HEADER, find_foreign_host
from facematch_core.base.cancellation import CANCELLATION, CallCancelled
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import Secret, mask_error, masker, quote_text
from facematch_core.errors import (
    ConfigurationError,
    EnvironmentMismatch,
    OutcomeUnknown,
    VendorError,
)
from facematch_core.models import (
    Billing,
    CallRecord,
    Charged,
    Environment,
    LivenessResult,
    MatchResult,
    Result,
)

from .messages import BodyShape, HttpReply, HttpRequest, Wait
from .refusals import (
    FREE_BILLING,
    SILENT,
    ErrorRow,
    InconclusiveRow,
    default_row,
    vendor_error,
)

#: Its module imports this one.
HttpBackend: TypeAlias = Any

_Row: TypeAlias = ErrorRow | InconclusiveRow

_log = logging.getLogger("facematch")

#: Seconds that a verdict waits for all clean-ups.
_REMOVAL_S = 2.0


@attrs.define
class Ledger:
    """The charges of one call."""

    #: Whether a request was sent.
    is_begun: bool = False
    #: Charges of all requests before the last.
    paid_charges: int = 0
    #: Charges of the last request, if the call goes on with its answer.
    price: int = 0
    #: Whether the last request has no price, or the steps have waited since.
    is_free: bool = False

    def add_request(self, price: int, *, is_free: bool) -> None:
        """Add a request; the requests before it are paid for."""
        self.is_begun, self.paid_charges = True, self.paid_charges + self.price
        self.price, self.is_free = price, is_free

    def at_full_price(self, billing: Billing) -> Billing:
        """Return the bill of a success: if it is charged, the whole price is due."""
        if billing.charged is Charged.YES and (billing.charges or 0) < self.price:
            return attrs.evolve(billing, charges=self.price)
        return billing

    def bill(self, last: Billing) -> Billing:
        """Return the bill of the call from the bill of its last request."""
        if not self.paid_charges:
            return last
        earlier = f"charges of earlier requests of the call: {self.paid_charges}"
        ground = f"{last.ground}; {earlier}" if last.ground else earlier
        if last.charged is Charged.UNKNOWN:
            return Billing(Charged.UNKNOWN, ground)
        # An unknown number of charges is at least one.
        charges = last.charges or int(last.charged is Charged.YES)
        return Billing(Charged.YES, ground, self.paid_charges + charges)

    def bill_all(self, stated: Billing = SILENT) -> Billing:
        """Return the bill of the call from the bill that its result states."""
        declared = self.paid_charges + self.price
        if stated == SILENT:
            return accepted_billing(declared)
        if stated.charged is Charged.UNKNOWN:
            return self.bill(stated)
        if stated.charged is Charged.YES and declared > (stated.charges or 1):
            return attrs.evolve(stated, charges=declared)
        return stated


@attrs.frozen
class _End:
    """The end of a call: its result or error, and the bill; None for an answer not to be read."""

    outcome: Any
    billing: Billing


@attrs.define(eq=False)
class HttpCall:
    """A call of a backend, from its first request to its end."""

    backend: HttpBackend
    #: The request; it carries the vendor's id once that is known.
    call: Request
    #: Replies to use instead of sending; then no wait takes time and nothing is cleaned up.
    canned_replies: Iterator[HttpReply] | None = None
    deadline: Deadline = NO_DEADLINE
    ledger: Ledger = attrs.field(factory=Ledger)
    #: Whether the first byte has left.
    is_sent: bool = False
    #: Whether the vendor has accepted the call: a request with a price was answered, or the steps
    #: wait, or the call is a look-up of an accepted one.
    is_accepted: bool = False
    #: The reply to the last request; None if it was lost.
    reply: HttpReply | None = None
    #: The last error that the plug-in did not raise itself.
    refusal: VendorError | None = None
    #: Facts from the answers beside the result.
    request_id: str | None = None
    environment: Environment | None = None
    secrets: tuple[Secret, ...] = ()
    cleanups: list[HttpRequest] = attrs.field(factory=list)

    def run(self, steps: Generator[Any, HttpReply, Any], kind: type) -> Any:
        """Return the result or the error; raise what `steps` raises before its first request."""
        call = self.call
        self.deadline, self.is_accepted = call.deadline, isinstance(call, LookUp)
        if not call.deadline.is_limited:
            self.deadline = Deadline.after(self.backend.longest_call_s, call.clock)
        next_input: HttpReply | VendorError | _End | None = None
        try:
            while not isinstance(next_input, _End):
                step = self._advance(steps, kind, next_input)
                if isinstance(step, _End):
                    next_input = step
                elif self.reply is not None and self.backend.find_mismatch(self.reply):
                    next_input = _End(None, self.ledger.bill_all())
                elif isinstance(step, Wait):
                    next_input = self._wait(step)
                elif step.is_cleanup:
                    self.cleanups.append(step)
                    next_input = None
                else:
                    next_input = self._send(step)
        except BaseException as error:
            self._leave(error)
            raise
        finally:
            # An error may keep this frame alive, and with it a lock that the steps hold.
            with contextlib.suppress(Exception):
                steps.close()
        outcome = self._finish(next_input)
        return self._clean_up(outcome) if self.cleanups else outcome

    def _advance(
        self,
        steps: Generator[Any, HttpReply, Any],
        kind: type,
        next_input: HttpReply | VendorError | None,
    ) -> HttpRequest | Wait | _End:
        """Resume the steps with a reply or a refusal; return their next step or the end."""
        step: Any
        try:
            if isinstance(next_input, VendorError):
                step = steps.throw(next_input)
            else:
                step = steps.send(cast(HttpReply, next_input))
        except StopIteration as end:
            step = end.value
        except Exception as error:
            if not self.ledger.is_begun:
                raise
            return self._end_raised(error)
        if isinstance(step, (HttpRequest, Wait)):
            return step
        if isinstance(step, kind):
            return _End(step, self.ledger.bill_all(getattr(step, "billing", SILENT)))
        problem = f"its parse gives {type(step).__name__}, not {kind.__name__}"
        return self._end_unreadable(problem)

    def _wait(self, pause: Wait) -> _End | None:
        """Wait, or end a call that has no time for it."""
        is_begun = self.ledger.is_begun
        if is_begun:
            self.ledger.add_request(0, is_free=True)
            self.is_accepted = True
        if self.canned_replies is not None:
            return None
        if pause.seconds >= self.deadline.left_s():
            reason = f"{self.backend.name} would wait longer than the call may take."
            if is_begun:
                return self._end_refused(errors.DeadlineExceeded(reason, billing=FREE_BILLING))
            reason += " Nothing was sent."
            return self._end_refused(errors.VendorUnavailable(reason, retryable=False))
        try:
            CANCELLATION.get().sleep(pause.seconds, self.call.clock)
        except CallCancelled:
            raise CallCancelled(self.ledger.bill_all()) from None
        return None

    def _send(self, request: HttpRequest) -> HttpReply | VendorError | _End:
        """Send a request; return the reply, an error to raise in the steps, or the end."""
        backend, call, ledger = self.backend, self.call, self.ledger
        is_first = not ledger.is_begun
        if host := _find_foreign_host(backend, request.url):
            # A look-up may start at an address that the vendor gave.
            if is_first and not isinstance(call, LookUp):
                raise ConfigurationError(
                    f"{backend.name} would send key and faces to {host}: its host is neither that "
                    "of base_url nor among its allowed_hosts."
                )
            return self._end_unreadable(f"it leads to another host, {host}")
        if not is_first and CANCELLATION.get().is_cancelled:
            raise CallCancelled(ledger.bill_all())
        is_free = call.is_billed is False or not request.charges
        is_billed = call.is_billed or call.operation in backend.capabilities.billed_operations
        ledger.add_request(request.charges if is_billed and not is_free else 0, is_free=is_free)
        self.reply = None
        try:
            reply = self._exchange(request)
        except VendorError as error:
            return self._refuse(error.with_traceback(None), request)
        except Exception as error:
            if self.canned_replies is not None or is_first:
                raise
            # The call was accepted before, although this request cannot be sent.
            problem = _report(error)
            ledger.price = 0
            if self.is_accepted and is_free:
                return self._end_refused(
                    errors.VendorUnavailable(f"it could not be asked: {problem}")
                )
            return self._end_unreadable(problem)
        return self._read(reply, request)

    def _exchange(self, request: HttpRequest) -> HttpReply:
        """Sign and send a request, a second time if the token was refused; return the reply."""
        backend, call = self.backend, self.call
        if self.canned_replies is not None:
            canned = next(self.canned_replies)
            return canned if canned.url else attrs.evolve(canned, url=request.url)
        is_step = not (request.is_cleanup or isinstance(call, LookUp))
        is_repeated = False
        while True:
            # Only the first byte of a call is reported, and must leave in time.
            deadline, on_sent = self.deadline, self._note_sent
            if self.is_sent:
                deadline, on_sent = deadline.once_sent, ignore
            try:
                signed = backend.sign(request, call, deadline=deadline.send_by)
            except errors.VendorUnavailable as error:
                # Bytes may have left before, so a verifier wants a ground for "not charged".
                if error.billing == Billing(Charged.NO):
                    error.billing = Billing(Charged.NO, "the request was not sent")
                raise
            reply: HttpReply = backend.client.send(
                signed,
                backend=backend.name,
                charges=self.ledger.price,
                deadline=deadline,
                on_sent=on_sent,
                reconcilable=can_be_sought(backend, call),
                call_id=call.call_id if is_step else None,
            )
            # No second picture goes to a server that should be a mock and is none.
            is_last = is_repeated or not backend.should_relogin(signed, reply)
            if is_last or backend.find_mismatch(reply):
                return reply
            is_repeated = True

    def _note_sent(self) -> None:
        self.call.on_sent()
        self.is_sent = True

    def _read(self, reply: HttpReply, request: HttpRequest) -> HttpReply | VendorError | _End:
        """Note what the end of the call needs of a reply; return what follows from it."""
        backend, call, headers = self.backend, self.call, reply.headers
        vendor_id = _read_vendor_id(backend, reply)
        # Until the call is accepted, an id may be that of something made for it: an upload, say.
        if vendor_id and (call.vendor_id is None or not self.is_accepted):
            self.call = attrs.evolve(call, vendor_id=vendor_id)
        self.reply = reply
        self.request_id = headers.get(backend.request_id_header or "") or self.request_id
        self.environment = Environment.MOCK if MOCK_HEADER in headers else self.environment
        self.secrets = tuple(dict.fromkeys((*self.secrets, *reply.secrets)))
        outcome: HttpReply | Result | VendorError = reply
        is_expected = reply.status in request.expects
        if not is_expected or backend.codes_in_200:
            outcome = self._read_refusal(reply, is_expected)
        if isinstance(outcome, VendorError):
            return self._refuse(outcome, request)
        # Until the call is accepted, no answer has to be about it.
        heard_id = vendor_id if self.is_accepted else self.call.vendor_id
        if problem := _find_stranger(backend, reply, self.call, heard_id):
            return self._end_unreadable(problem)
        ledger = self.ledger
        if isinstance(outcome, Result):
            billing = outcome.billing
            if ledger.is_free and ledger.paid_charges and billing.charged is not Charged.NO:
                billing = FREE_BILLING  # it only asks about a call that is paid for
            return _End(outcome, ledger.bill(billing))
        self.is_accepted = self.is_accepted or not ledger.is_free
        if self.canned_replies is None and (ledger.price or self.call is not call):
            call.on_accepted(self.call.vendor_id, ledger.bill_all())
        if reply.status != 200:
            ledger.add_request(0, is_free=ledger.is_free)  # accepted, whatever the steps make of it
        return reply

    def _read_refusal(
        self, reply: HttpReply, is_expected: bool
    ) -> HttpReply | Result | VendorError:
        """Return the result or the error in a reply, with its bill; the reply if it is neither."""
        backend, call = self.backend, self.call
        row: _Row | None = None
        try:
            code, row = find_row(backend, reply)
            if is_expected and code is None:
                return reply
            is_about_pictures = isinstance(call, Call) and is_json(reply)
            result = backend.parse_non_200(call, reply) if is_about_pictures else None
            if not isinstance(result, Result):
                return cast(VendorError, backend.error(reply, call))
            billing = result.billing
            if billing == SILENT:
                default = default_row(reply.status, reply.shape)
                billing = Billing(default.charged, default.ground)
            billing = self.ledger.at_full_price(billing) if is_expected else billing
            return attrs.evolve(result, billing=billing)
        except VendorError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body must not hide the status
            is_reconcilable, is_free = can_be_sought(backend, call), self.ledger.is_free
            refusal = error_by_table(
                backend, reply, row, reconcilable=is_reconcilable, is_free=is_free
            )
            refusal.message += (
                f" (Its backend failed to read that: {report_fault(error)}; please report it.)"
            )
            return refusal

    def _refuse(self, refusal: VendorError, request: HttpRequest) -> VendorError | _End:
        """Return a refusal that the steps handle, or the end of the call."""
        is_over = isinstance(refusal, errors.DeadlineExceeded) or self.deadline.is_over
        is_lost = isinstance(refusal, OutcomeUnknown) and (
            isinstance(self.call, LookUp) or not isinstance(refusal, errors.DeadlineExceeded)
        )
        if self.ledger.is_free and is_lost:
            # A free request has no unknown outcome: it may be repeated.
            if self.reply is None:
                status = refusal.status_code
                refusal = errors.VendorUnavailable(refusal.message, status_code=status)
            else:
                refusal = error_by_table(self.backend, self.reply, is_free=True)
        self.refusal = refusal
        goes_on = request.on_refusal == "raise" and not is_over
        return refusal if goes_on else self._end_refused(refusal)

    def _end_raised(self, error: Exception) -> _End:
        """End with an exception of the steps."""
        if not isinstance(error, VendorError):
            # The caller must learn that the call is paid for.
            return self._end_unreadable(_report(error))
        error = error.with_traceback(None)
        if error is self.refusal:
            return self._end_refused(error)
        is_free = self.ledger.is_free and error.billing.charged is Charged.UNKNOWN
        return _End(error, self.ledger.bill(FREE_BILLING if is_free else error.billing))

    def _end_unreadable(self, problem: str) -> _End:
        """End with an answer that counts as charged and cannot be used."""
        name, reply, billing = self.backend.name, self.reply, self.ledger.bill_all()
        if reply is not None and reply.shape is BodyShape.HTML:
            error: VendorError = errors.UnexpectedResponse(
                f"{name} answered {reply.status} with a page of HTML: a proxy, a firewall or a "
                "login page may have answered in its place. Check base_url and the network.",
                billing=billing,
            )
        else:
            status = f" {reply.status}" if reply else ""
            error = unreadable_error(f"{name} answered{status}", problem, billing)
        return _End(error, billing)

    def _end_refused(self, error: VendorError) -> _End:
        """End with a refusal that the steps do not handle."""
        backend, call, ledger, billing = self.backend, self.call, self.ledger, error.billing
        if ledger.is_free:
            billing = FREE_BILLING
        elif isinstance(error, errors.UnexpectedResponse) or (
            self.reply is not None and 200 <= self.reply.status < 300
        ):
            billing = ledger.at_full_price(billing)
        billing = ledger.bill(billing)
        # A free request only asks about a call that was accepted. Its refusal says nothing of the
        # call itself, unless the vendor's own tables say so, or it is what was looked for.
        is_about_call = (
            isinstance(error, errors.UnexpectedResponse | EnvironmentMismatch)
            or isinstance(call, LookUp)
            or (isinstance(error, errors.RequestRejected) and _is_in_tables(backend, self.reply))
        )
        if is_about_call or not (self.is_accepted and ledger.is_free):
            return _End(error, billing)
        kind, reason = OutcomeUnknown, f"then gave no answer about it ({error.message})"
        if isinstance(error, errors.DeadlineExceeded) or self.deadline.is_over:
            kind, limit_s = errors.DeadlineExceeded, self.deadline.limit_s
            reason = f"had not finished it within {limit_s:.3g} s"
        name = f" as {call.vendor_id}" if call.vendor_id else ""
        reconcilable = can_be_sought(backend, call)
        advice = "FaceVerifier.reconcile can ask later" if reconcilable else "It is not repeated"
        error_about_call = kind(
            f"{backend.name} accepted the call{name}, and {reason}. {advice}.",
            reconcilable=reconcilable,
            ids=error.ids,
            retryable=False,
            retry_after_s=error.retry_after_s,
        )
        return _End(error_about_call, billing)

    def _finish(self, end: _End) -> Any:
        """Return the outcome with bill and ids, its secrets masked."""
        backend, call, reply, outcome = self.backend, self.call, self.reply, end.outcome
        vendor_id = call.vendor_id or self.request_id
        if isinstance(outcome, (Result, SessionAnswer)):
            ids = outcome.ids
            outcome = call.masker.mask(
                outcome,
                self.secrets,
                ids=ids if ids.vendor else attrs.evolve(ids, vendor=vendor_id),
                billing=end.billing,
                environment=self.environment or outcome.environment,
            )
        if reply is not None and (mismatch := backend.find_mismatch(reply)):
            mismatch.result = (
                outcome if isinstance(outcome, (MatchResult, LivenessResult)) else None
            )
            outcome = mismatch
        if not isinstance(outcome, VendorError):
            return outcome
        error = outcome
        if self.ledger.paid_charges:
            error.retryable = False  # that would be charged twice
        ids = error.ids
        error.ids = attrs.evolve(ids, call=call.call_id or None, vendor=ids.vendor or vendor_id)
        mask_error(error, self.secrets)
        error.billing = end.billing
        error.backend = error.backend or backend.name
        error.environment = error.environment or self.environment
        error.status_code = error.status_code or (None if reply is None else reply.status)
        return error

    def _clean_up(self, outcome: Any) -> Any:
        """Send the clean-ups; return the outcome, which says what failed."""
        billing = outcome.billing if isinstance(outcome, VendorError) else None
        is_untrusted = isinstance(outcome, EnvironmentMismatch)
        text = "" if is_untrusted or not self._is_to_be_tidied(billing) else self._remove()
        if not text:
            return outcome
        text = f"What the call left at {self.backend.name} was not removed:{text}"
        if isinstance(outcome, VendorError):
            outcome.message += f" ({text})"
            outcome.args = (outcome.message,)
        elif isinstance(outcome, (Result, SessionReading)):
            code, severity = models.WarningCode.OTHER, models.Severity.WARNING
            warning = models.ResultWarning(
                code=code, tag="not_cleaned_up", severity=severity, text=text
            )
            return attrs.evolve(outcome, warnings=(*outcome.warnings, warning))
        return outcome

    def _leave(self, error: BaseException) -> None:
        """Clean up after a call that was cancelled; log what an interrupted one leaves."""
        if isinstance(error, CallCancelled):
            if self._is_to_be_tidied(error.billing):
                self._remove()
        elif not isinstance(error, Exception) and self.cleanups:
            # Ctrl-C: nobody knows how long the program still has.
            name, call_id = self.backend.name, self.call.call_id
            _log.warning("%s keeps what call %s left there: it was interrupted", name, call_id)

    def _is_to_be_tidied(self, billing: Billing | None) -> bool:
        """Whether the clean-ups are due, by the bill of a call without a result."""
        may_be_sought = (
            billing is not None
            and billing.charged is not Charged.NO
            and can_be_sought(self.backend, self.call)
        )
        return bool(self.cleanups) and self.is_sent and not may_be_sought

    def _remove(self) -> str:
        """Send the clean-ups, the latest first; return what failed."""
        backend, text = self.backend, ""
        self.ledger.add_request(0, is_free=True)
        self.deadline = self.deadline.once_sent.within(_REMOVAL_S)
        for request in reversed(self.cleanups):
            reason, secrets = "", (*self.secrets, *request.secrets)
            try:
                if host := _find_foreign_host(backend, request.url):
                    reason = f"it is at another host, {host}"
                else:
                    reply = self._exchange(request)
                    if mismatch := backend.find_mismatch(reply):
                        reason = mismatch.message
                    elif not (200 <= reply.status < 300 or reply.status in request.expects):
                        reason = error_by_table(backend, reply, is_free=True).message
            except VendorError as error:
                reason = error.message
            except Exception as error:  # noqa: BLE001 - the verdict stands, whatever this was
                reason = _report(error)
            text += f" {quote_text(reason, masker(secrets))}" if reason else ""
        return text


def find_row(backend: HttpBackend, reply: HttpReply) -> tuple[str | None, _Row | None]:
    """Return the vendor's code in a reply as text, and its row."""
    code = backend.error_code(reply) if is_json(reply) else None
    text = None if code is None else str(code)
    return text, None if text is None else backend.error_codes.get(text)


def error_by_table(
    backend: HttpBackend, reply: HttpReply, row: _Row | None = None, **details: Any
) -> VendorError:
    """Return the error for a reply, by its row or the backend's table of statuses."""
    details["row"] = row if isinstance(row, ErrorRow) else None
    now = backend.client.clock.now()
    return vendor_error(reply, backend.error_table, backend=backend.name, now=now, **details)


def _read_vendor_id(backend: HttpBackend, reply: HttpReply) -> str | None:
    """Return the vendor's id of the call in a reply: empty if it cannot be one, None for none."""
    try:
        vendor_id: object = backend.vendor_id(reply)
    except Exception as error:  # noqa: BLE001 - a plug-in's reading of an odd body loses no call
        report_fault(error)
        return ""
    # An id has no line break, and not the length of a page.
    is_id = isinstance(vendor_id, str) and vendor_id.isprintable() and 0 < len(vendor_id) <= 200
    return cast(str, vendor_id) if is_id else None if vendor_id is None else ""


def _find_stranger(
    backend: HttpBackend, reply: HttpReply, call: Request, vendor_id: str | None
) -> str:
    """Return why a reply with this `vendor_id` is about another call; empty if it is not."""
    if isinstance(call, LookUp) and call.record is None:
        return ""
    if call.vendor_id is not None and vendor_id != call.vendor_id and reply.body:
        about = f"is about {vendor_id}" if vendor_id else "does not name its call"
        return f"it {about}, and {call.vendor_id} was asked for"
    named = call.record if isinstance(call, LookUp) else call
    if not isinstance(named, Call | CallRecord):
        return ""  # the core compares what an answer about a session shows
    sent = {"call_id": call.call_id, "caller_ref": named.caller_ref}
    try:
        for name, shown in backend.echoes(reply).items():
            # The record of a call may be one without what is the caller's.
            if shown is None or (sent[name] is None and isinstance(call, LookUp)):
                continue
            # Forms trim white space, and a vendor may make a number of digits.
            if f"{shown}".strip() != f"{sent[name] or ''}".strip():
                return f"it repeats another {name} than was sent"
    except Exception as error:  # noqa: BLE001 - as above: the reading of an odd body
        return f"what it repeats cannot be read: {report_fault(error)}"
    return ""


def _is_in_tables(backend: HttpBackend, reply: HttpReply | None) -> bool:
    """Whether the backend's own tables say what a reply means."""
    if reply is None:
        return False
    with contextlib.suppress(Exception):  # which was reported when it was read
        return (reply.status, reply.shape) in backend.error_table or bool(
            find_row(backend, reply)[1]
        )
    return False


def _find_foreign_host(backend: HttpBackend, url: str) -> str:
    """Return the host of a request that may not get key and faces; empty if it may."""
    address = backend.address if backend.base_url or backend.vendor_url() else ""
    if address and url.startswith(f"{address}/"):
        return ""
    return find_foreign_host(
        url, address, allowed_hosts=backend.allowed_hosts, allow_insecure=backend.allow_insecure
    )


def is_json(reply: HttpReply) -> bool:
    return reply.shape in (BodyShape.JSON_OBJECT, BodyShape.OTHER_JSON)


def _report(error: Exception) -> str:
    """Report a fault of a plug-in and return its description, with the words of our own errors."""
    words = f": {error.message}" if isinstance(error, errors.FaceMatchError) else ""
    return f"{report_fault(error)}{words}"
