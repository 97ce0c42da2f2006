"""`HttpCall`: a backend's call over HTTP, from its first request to its end.

`run` drives the generator from a backend's `steps`. It sends each yielded request and sends the
reply back to the generator. With ``on_refusal="raise"``, it throws errors into the generator. The
call ends when the steps return or raise, or at an unexpected reply: `_End` then carries the result
or error, and the bill, up to `run`. `_finish` sets the ids and the bill, and masks secrets.
`_clean_up` removes the call's data at the vendor.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator
from typing import Any, TypeAlias, cast

import attrs

from facematch_core import errors, models
from facematch_core.backend.base import can_be_sought, report_fault
from facematch_core.backend.calls import Call, LookUp, Request, ignore
from facematch_core.backend.session_types import SessionAnswer, SessionReading
from facematch_core.base.addresses import MOCK_HEADER, find_foreign_host
from facematch_core.base.deadline import CANCELLATION, NO_DEADLINE, CallCancelled, Deadline
from facematch_core.base.masking import Secret, mask_error, masker, quote_text

from .messages import BodyShape, HttpReply, HttpRequest, Wait, accepted_billing
from .refusals import FREE_BILLING, SILENT, default_row, error_by_table, find_row, unreadable_error

#: Typed as Any, because the module that defines `HttpBackend` imports this one.
HttpBackend: TypeAlias = Any
_Steps: TypeAlias = Generator[Any, HttpReply, Any]
#: The value to resume the steps with: a reply, an error that they handle, or None.
_Answer: TypeAlias = HttpReply | errors.VendorError | None

_log = logging.getLogger("facematch")

#: Time limit for all clean-ups together, in seconds.
_REMOVAL_S = 2.0


class _End(Exception):
    """Ends a call. Holds the bill and the result or error (None if the reply is not a mock's)."""


@attrs.define
class Ledger:
    """The charges of one call."""

    #: Whether a request was sent.
    is_begun: bool = False
    #: Charges of all requests before the last.
    paid_charges: int = 0
    #: Charges of the last request if its reply has an expected status.
    price: int = 0
    #: Whether the last request is free, or the backend has yielded a wait since then.
    is_free: bool = False

    def add_request(self, price: int, *, is_free: bool) -> None:
        """Add a request; all earlier requests are then treated as paid."""
        self.is_begun, self.paid_charges = True, self.paid_charges + self.price
        self.price, self.is_free = price, is_free

    def settle(self, *, is_free: bool) -> None:
        """Treat all requests so far as paid."""
        self.add_request(0, is_free=is_free)

    def bill(self, last: models.Billing, *, is_success: bool = False) -> models.Billing:
        """Return the bill for the call, given the bill for its last request.

        A charged success costs at least the declared price.
        """
        # An unknown number of charges is treated as one.
        charges = last.charges or int(last.charged is models.Charged.YES)
        if is_success and 0 < charges < self.price:
            last, charges = attrs.evolve(last, charges=self.price), self.price
        if not self.paid_charges:
            return last
        earlier = f"charges of earlier requests of the call: {self.paid_charges}"
        ground = f"{last.ground}; {earlier}" if last.ground else earlier
        if last.charged is models.Charged.UNKNOWN:
            return models.Billing(models.Charged.UNKNOWN, ground)
        return models.Billing(models.Charged.YES, ground, self.paid_charges + charges)

    def bill_all(self, stated: models.Billing = SILENT) -> models.Billing:
        """Return the bill for the call; `stated` is the result's own bill, for all requests."""
        declared = self.paid_charges + self.price
        if stated == SILENT:
            return accepted_billing(declared)
        if stated.charged is models.Charged.UNKNOWN:
            return self.bill(stated)
        if stated.charged is models.Charged.YES and declared > (stated.charges or 1):
            return attrs.evolve(stated, charges=declared)
        return stated


@attrs.define(eq=False)
class HttpCall:
    """A backend's call, from its first request to its end."""

    backend: HttpBackend
    #: The request; includes the vendor's id once it is known.
    call: Request
    #: Replies to use instead of sending. If set, waits are skipped and no clean-ups are sent.
    canned_replies: Iterator[HttpReply] | None = None
    deadline: Deadline = NO_DEADLINE
    ledger: Ledger = attrs.field(factory=Ledger)
    #: Whether the first byte was sent.
    is_sent: bool = False
    #: Whether the vendor has accepted the call: it replied to a paid request, or the steps wait.
    is_accepted: bool = False
    #: The reply to the last request; None if it was lost.
    reply: HttpReply | None = None
    #: The error of the last failed request.
    refusal: errors.VendorError | None = None
    #: Whether the backend's own tables have a row for the last reply.
    is_documented: bool = False
    #: Metadata from the replies.
    request_id: str | None = None
    environment: models.Environment | None = None
    secrets: tuple[Secret, ...] = ()
    cleanups: list[HttpRequest] = attrs.field(factory=list)

    def run(self, steps: _Steps, kind: type) -> Any:
        """Return the result or error. Raise only interruptions and errors before any request."""
        call, answer = self.call, cast(_Answer, None)
        self.deadline, self.is_accepted = call.deadline, isinstance(call, LookUp)
        if not call.deadline.is_limited:
            self.deadline = Deadline.after(self.backend.longest_call_s, call.clock)
        try:
            while True:
                step = self._advance(steps, kind, answer)
                answer = None
                if isinstance(step, Wait):
                    self._wait(step)
                elif step.is_cleanup:
                    self.cleanups.append(step)
                else:
                    answer = self._send(step)
        except _End as end:
            outcome, billing = end.args
        except BaseException as error:
            self._clean_up_interrupted(error)
            raise
        finally:
            # Release any lock that the steps hold, because a traceback may keep this frame alive.
            with contextlib.suppress(Exception):
                steps.close()
        outcome = self._finish(outcome, billing)
        return self._clean_up(outcome) if self.cleanups else outcome

    def _advance(self, steps: _Steps, kind: type, answer: _Answer) -> HttpRequest | Wait:
        """Resume the steps; return the next request or wait."""
        ledger = self.ledger
        resume: Any = steps.throw if isinstance(answer, errors.VendorError) else steps.send
        try:
            step = resume(answer)
        except StopIteration as end:
            step = end.value
        except Exception as error:
            if not ledger.is_begun:
                raise
            if error is self.refusal:
                raise self._end_with(self.refusal) from None
            if not isinstance(error, errors.VendorError):
                # The error must state that the call is paid for.
                problem = _report(error)
                if self.reply and (body := self.reply.body.strip()) in (b"", b"null"):
                    problem = f"its body is {body.decode() or 'empty'}; {problem}"
                raise self._end_unreadable(problem) from None
            is_free = ledger.is_free and error.billing.charged is models.Charged.UNKNOWN
            raise _End(error, ledger.bill(FREE_BILLING if is_free else error.billing)) from None
        if isinstance(step, (HttpRequest, Wait)):
            if self.reply is not None and self.backend.find_mismatch(self.reply):
                raise _End(None, ledger.bill_all())
            return step
        if isinstance(step, kind):
            raise _End(step, ledger.bill_all(getattr(step, "billing", SILENT)))
        raise self._end_unreadable(f"its parse returned {type(step).__name__}, not {kind.__name__}")

    def _wait(self, pause: Wait) -> None:
        """Wait. If the pause would outlast the deadline, end the call immediately."""
        is_begun = self.ledger.is_begun
        if is_begun:
            self.ledger.settle(is_free=True)
            self.is_accepted = True
        if self.canned_replies is not None:
            return
        if pause.seconds >= self.deadline.left_s():
            reason = f"{self.backend.name} would wait beyond the deadline of the call."
            unsent = errors.VendorUnavailable(f"{reason} Nothing was sent.", retryable=False)
            late = errors.DeadlineExceeded(reason, billing=FREE_BILLING)
            raise self._end_with(late if is_begun else unsent)
        try:
            CANCELLATION.get().sleep(pause.seconds, self.call.clock)
        except CallCancelled:
            raise CallCancelled(self.ledger.bill_all()) from None

    def _send(self, request: HttpRequest) -> _Answer:
        """Send a request; return its reply, or the error to raise in the steps."""
        backend, call, ledger = self.backend, self.call, self.ledger
        is_first = not ledger.is_begun
        if host := self._find_foreign_host(request.url):
            # A look-up may start at a URL that the vendor returned.
            if is_first and not isinstance(call, LookUp):
                raise errors.ConfigurationError(
                    f"{backend.name} would send the key and faces to {host}, which is neither the "
                    "host of base_url nor among its allowed_hosts."
                )
            raise self._end_unreadable(f"it refers to another host, {host}")
        if not is_first and CANCELLATION.get().is_cancelled:
            raise CallCancelled(ledger.bill_all())
        is_free = call.is_billed is False or not request.charges
        is_billed = call.is_billed or call.operation in backend.capabilities.billed_operations
        ledger.add_request(request.charges if is_billed and not is_free else 0, is_free=is_free)
        self.reply, self.is_documented = None, False
        try:
            reply = self._exchange(request)
        except errors.VendorError as error:
            return self._pass_to_steps(error, request)
        except Exception as error:
            if self.canned_replies is not None or is_first:
                raise
            # This request was not sent, but earlier requests of the call were.
            problem, ledger.price = _report(error), 0
            if self.is_accepted and is_free:
                unasked = errors.VendorUnavailable(f"the request could not be sent: {problem}")
                raise self._end_with(unasked) from None
            raise self._end_unreadable(problem) from None
        if is_free and not reply.is_free:  # all requests of an unbilled call are free
            reply = attrs.evolve(reply, is_free=True)
        return self._read(reply, request)

    def _exchange(self, request: HttpRequest) -> HttpReply:
        """Sign and send a request, twice if the token is rejected; return the last reply."""
        backend, call = self.backend, self.call
        if self.canned_replies is not None:
            canned = next(self.canned_replies)
            return canned if canned.url else attrs.evolve(canned, url=request.url)
        for is_repeated in (False, True):
            # Only the first byte of a call is reported, and must be sent before `send_by`.
            deadline, on_sent = self.deadline, self._note_sent
            if self.is_sent:
                deadline, on_sent = deadline.once_sent, ignore
            try:
                signed = backend.sign(request, call, deadline=deadline.send_by)
            except errors.VendorUnavailable as error:
                # If an earlier request was sent, the verifier requires a ground for "not charged".
                if error.billing == models.Billing(models.Charged.NO):
                    error.billing = models.Billing(models.Charged.NO, "the request was not sent")
                raise
            reply: HttpReply = backend.client.send(
                signed,
                backend=backend.name,
                charges=self.ledger.price,
                deadline=deadline,
                on_sent=on_sent,
            )
            if is_repeated or not self._should_relogin(signed, reply):
                break
        return reply

    def _should_relogin(self, request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether to log in and resend. False if the reply must be a mock's but is not."""
        try:
            is_rejected = self.backend.should_relogin(request, reply)
        except Exception as error:  # noqa: BLE001 - a plug-in's bug must not lose the reply
            report_fault(error)
            return False
        return is_rejected and not self.backend.find_mismatch(reply)

    def _note_sent(self) -> None:
        self.call.on_sent()
        self.is_sent = True

    def _read(self, reply: HttpReply, request: HttpRequest) -> _Answer:
        """Return an expected reply, or an error that the steps handle; else end the call."""
        call, ledger = self.call, self.ledger
        vendor_id = self._store_facts(reply)
        is_expected, result = reply.status in request.expects, None
        if not is_expected or self.backend.codes_in_200:
            try:
                result = self._parse_error_reply(reply, is_expected)
            except errors.VendorError as error:
                return self._pass_to_steps(error, request)
        if problem := self._find_wrong_call(reply, vendor_id):
            raise self._end_unreadable(problem)
        if result is not None:
            billing = result.billing
            if billing == SILENT:
                default = default_row(reply.status, reply.shape)
                billing = models.Billing(default.charged, default.ground)
            if ledger.is_free and ledger.paid_charges and billing.charged is not models.Charged.NO:
                billing = FREE_BILLING  # a poll of a call that is already paid for
            raise _End(result, ledger.bill(billing, is_success=is_expected))
        self.is_accepted = self.is_accepted or not ledger.is_free
        if self.canned_replies is None and (ledger.price or self.call is not call):
            call.on_accepted(self.call.vendor_id, ledger.bill_all())
        if reply.status != 200:
            ledger.settle(is_free=ledger.is_free)  # accepted, even if the steps cannot read it
        return reply

    def _store_facts(self, reply: HttpReply) -> str | None:
        """Store a reply's metadata; return the vendor's id for the call, or None.

        Return an empty string for an invalid id.
        """
        backend, call, self.reply = self.backend, self.call, reply
        self.request_id = reply.headers.get(backend.request_id_header or "") or self.request_id
        if MOCK_HEADER in reply.headers:
            self.environment = models.Environment.MOCK
        self.secrets += reply.secrets
        try:
            vendor_id: str | None = backend.vendor_id(reply)
        except Exception as error:  # noqa: BLE001 - a plug-in's bug must not lose the call
            report_fault(error)
            return ""
        if vendor_id is None:
            return None
        # Reject unprintable and overlong ids.
        is_text = isinstance(vendor_id, str)
        if not (is_text and vendor_id.isprintable() and 0 < len(vendor_id) <= 200):
            return ""
        # Before the call is accepted, the id may belong to an earlier step, such as an upload.
        if call.vendor_id is None or not self.is_accepted:
            self.call = attrs.evolve(call, vendor_id=vendor_id)
        return vendor_id

    def _find_wrong_call(self, reply: HttpReply, vendor_id: str | None) -> str:
        """Return the reason if a reply with this `vendor_id` is about another call; else ""."""
        call = self.call
        named = call.record if isinstance(call, LookUp) else call
        if named is None:
            return ""
        # Before the call is accepted, replies need not be about it.
        is_named = self.is_accepted and call.vendor_id is not None and bool(reply.body)
        if is_named and vendor_id != call.vendor_id:
            about = f"is about {vendor_id}" if vendor_id else "does not name its call"
            return f"it {about}, but the call is {call.vendor_id}"
        if not isinstance(named, Call | models.CallRecord):
            return ""  # the core checks sessions itself
        sent = {"call_id": call.call_id, "caller_ref": named.caller_ref}
        try:
            for name, shown in self.backend.echoes(reply).items():
                # A call record from an event has no `caller_ref`.
                if shown is None or (sent[name] is None and isinstance(call, LookUp)):
                    continue
                # Form parsers trim white space, and a vendor may convert digits to a number.
                if f"{shown}".strip() != f"{sent[name] or ''}".strip():
                    return f"it echoes a {name} that was not sent"
        except Exception as error:  # noqa: BLE001 - a plug-in's bug must not lose the call
            return f"its echoed values cannot be read: {report_fault(error)}"
        return ""

    def _find_foreign_host(self, url: str) -> str:
        """Return the URL's host if it must not receive the key and faces; else ""."""
        backend = self.backend
        address = backend.address if backend.base_url or backend.vendor_url() else ""
        if address and url.startswith(f"{address}/"):
            return ""
        return find_foreign_host(
            url, address, allowed_hosts=backend.allowed_hosts, allow_insecure=backend.allow_insecure
        )

    def _parse_error_reply(self, reply: HttpReply, is_expected: bool) -> models.Result | None:
        """Return the result of an error reply, or raise its error; None for an expected reply."""
        backend, call = self.backend, self.call
        row, self.is_documented = None, (reply.status, reply.shape) in backend.error_table
        try:
            code, row = find_row(backend, reply)
            self.is_documented |= row is not None
            if is_expected and code is None:
                return None
            result = None
            if isinstance(call, Call) and reply.is_json:
                result = backend.parse_non_200(call, reply)
            if isinstance(result, models.Result):
                return result
            raise backend.error(reply, call)  # noqa: TRY301 - None would be a plug-in's bug
        except errors.VendorError as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 - a plug-in's bug must not hide the status
            refusal = error_by_table(backend, reply, row)
            refusal.message += (
                f" (Its backend failed to read that: {report_fault(error)}; please report it.)"
            )
        raise refusal

    def _pass_to_steps(
        self, refusal: errors.VendorError, request: HttpRequest
    ) -> errors.VendorError:
        """Return the error if the steps handle it; else end the call with it."""
        is_over = isinstance(refusal, errors.DeadlineExceeded) or self.deadline.is_over
        is_lost = isinstance(refusal, errors.OutcomeUnknown) and (
            isinstance(self.call, LookUp) or not isinstance(refusal, errors.DeadlineExceeded)
        )
        if self.ledger.is_free and is_lost:
            # A free request can always be retried, so its error is not `OutcomeUnknown`.
            refusal = errors.VendorUnavailable(refusal.message, status_code=refusal.status_code)
        self.refusal = refusal = refusal.with_traceback(None)
        if request.on_refusal == "raise" and not is_over:
            return refusal
        raise self._end_with(refusal) from None

    def _end_with(self, error: errors.VendorError) -> _End:
        """Return the `_End` for an error that the steps do not handle."""
        backend, call, ledger, reply = self.backend, self.call, self.ledger, self.reply
        is_unusable = isinstance(error, errors.UnexpectedResponse)
        billing = ledger.bill(
            FREE_BILLING if ledger.is_free else error.billing,
            is_success=is_unusable or (reply is not None and 200 <= reply.status < 300),
        )
        # After acceptance, a free request only polls. Its error is not about the call itself,
        # unless the backend's own tables have a row for it, or the call is a look-up.
        is_about_call = (
            is_unusable
            or isinstance(call, LookUp)
            or isinstance(error, errors.EnvironmentMismatch)
            or (isinstance(error, errors.RequestRejected) and self.is_documented)
        )
        if is_about_call or not (self.is_accepted and ledger.is_free):
            return _End(error, billing)
        kind, reason = errors.OutcomeUnknown, f"then returned no result ({error.message})"
        if isinstance(error, errors.DeadlineExceeded) or self.deadline.is_over:
            kind, limit_s = errors.DeadlineExceeded, self.deadline.limit_s
            reason = f"had not finished it within {limit_s:.3g} s"
        name = f" as {call.vendor_id}" if call.vendor_id else ""
        error_about_call = kind(
            f"{backend.name} accepted the call{name}, and {reason}.",
            ids=error.ids,
            retryable=False,
            retry_after_s=error.retry_after_s,
        )
        return _End(error_about_call, billing)

    def _end_unreadable(self, problem: str) -> _End:
        """Return the `_End` for an unusable reply, which is billed like an expected one."""
        name, reply, billing = self.backend.name, self.reply, self.ledger.bill_all()
        if reply is not None and reply.shape is BodyShape.HTML:
            error = errors.UnexpectedResponse(
                f"{name} answered {reply.status} with an HTML page: it may come from a proxy, a "
                "firewall or a login page. Check base_url and the network.",
                billing=billing,
            )
        else:
            status = f" {reply.status}" if reply else ""
            error = unreadable_error(f"{name} answered{status}", problem, billing)
        return _End(error, billing)

    def _finish(self, outcome: Any, billing: models.Billing) -> Any:
        """Return the outcome with its bill and ids, and with secrets masked."""
        backend, call, reply = self.backend, self.call, self.reply
        vendor_id = call.vendor_id or self.request_id
        if isinstance(outcome, (models.Result, SessionAnswer)):
            ids = outcome.ids
            outcome = call.masker.mask(
                outcome,
                self.secrets,
                ids=ids if ids.vendor else attrs.evolve(ids, vendor=vendor_id),
                billing=billing,
                environment=self.environment or outcome.environment,
            )
        if reply is not None and (mismatch := backend.find_mismatch(reply)):
            if isinstance(outcome, (models.MatchResult, models.LivenessResult)):
                mismatch.result = outcome
            outcome = mismatch
        if not isinstance(outcome, errors.VendorError):
            return outcome
        # The traceback keeps the pictures alive.
        error = outcome.with_traceback(None)
        if self.ledger.paid_charges:
            error.retryable = False  # a retry would be charged again
        ids = error.ids
        error.ids = attrs.evolve(ids, call=call.call_id or None, vendor=ids.vendor or vendor_id)
        mask_error(error, self.secrets)
        error.billing = billing
        error.backend = error.backend or backend.name
        error.environment = error.environment or self.environment
        error.status_code = error.status_code or (None if reply is None else reply.status)
        return error

    def _clean_up(self, outcome: Any) -> Any:
        """Send the clean-ups; return the outcome, with a note if any failed."""
        if isinstance(outcome, errors.EnvironmentMismatch):
            return outcome
        is_error = isinstance(outcome, errors.VendorError)
        if not (problems := self._remove(outcome.billing if is_error else None)):
            return outcome
        text = f"Data of the call at {self.backend.name} was not removed:{problems}"
        if is_error:
            outcome.message += f" ({text})"
            outcome.args = (outcome.message,)
        elif isinstance(outcome, (models.Result, SessionReading)):
            code = models.WarningCode.OTHER
            warning = models.ResultWarning(code=code, tag="not_cleaned_up", text=text)
            return attrs.evolve(outcome, warnings=(*outcome.warnings, warning))
        return outcome

    def _clean_up_interrupted(self, error: BaseException) -> None:
        """Clean up after a cancelled call. After an interrupt, only log that data is left."""
        if isinstance(error, CallCancelled):
            self._remove(error.billing)
        elif not isinstance(error, Exception) and self.cleanups:
            # After Ctrl-C, the program may exit before a clean-up finishes.
            name, call_id = self.backend.name, self.call.call_id
            _log.warning("%s still has data of call %s, which was interrupted", name, call_id)

    def _remove(self, billing: models.Billing | None) -> str:
        """Send the clean-ups, latest first; return a description of failures.

        Send none if nothing was sent, or if the call may have been charged and can still be looked
        up. `billing` is the bill if the call has no result, else None.
        """
        backend, problems = self.backend, ""
        is_charged = billing is not None and billing.charged is not models.Charged.NO
        if not self.is_sent or (is_charged and can_be_sought(backend, self.call)):
            return ""
        self.ledger.settle(is_free=True)
        self.deadline = self.deadline.once_sent.within(_REMOVAL_S)
        for request in reversed(self.cleanups):
            problem = ""
            try:
                if host := self._find_foreign_host(request.url):
                    problem = f"it is at another host, {host}"
                else:
                    reply = self._exchange(request)
                    if mismatch := backend.find_mismatch(reply):
                        problem = mismatch.message
                    elif not (200 <= reply.status < 300 or reply.status in request.expects):
                        problem = error_by_table(backend, reply).message
            except errors.VendorError as error:
                problem = error.message
            except Exception as error:  # noqa: BLE001 - a failed clean-up must not lose the result
                problem = _report(error)
            if problem:
                problems += f" {quote_text(problem, masker((*self.secrets, *request.secrets)))}"
        return problems


def _report(error: Exception) -> str:
    """Report a plug-in's exception; return a description, with the message of our own errors."""
    words = f": {error.message}" if isinstance(error, errors.FaceMatchError) else ""
    return f"{report_fault(error)}{words}"
