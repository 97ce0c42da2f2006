"""Mutants that are wrong about money, refusals and time."""

from typing import ClassVar

from mutants.faults import (
    A_PASS,
    FAIL,
    FREE,
    LIVENESS,
    MATCH,
    PAID,
    UNKNOWN_PRICE,
    as_dict,
    evolve,
    quiet,
)
from mutants.making import caught_by
from mutants.reference import HttpReference, ReferenceBackend, can
from mutants.vendors import ChargesNobody, RefusedReference, ShowsWhereItFailed

import facematch_core as fm

# R16: Results and errors tell what they cost.


@caught_by("R16")
class UndeclaredPrice(ReferenceBackend):
    """Does not declare that liveness costs money."""

    capabilities = can(billed_operations=frozenset({MATCH}))


@caught_by("R16")
class MismatchesAreFree(ReferenceBackend):
    """Says that a negative answer was not charged, where the vendor charges every answer."""

    def result(self, call, body):
        result = super().result(call, body)
        if result.decision is FAIL[call.operation]:
            return evolve(result, billing=FREE)
        return result


@caught_by("R16")
class SwappedBilled(ReferenceBackend):
    """A refused key was paid."""

    def refusal(self, status):
        if status != 401:
            return super().refusal(status)
        return fm.AuthenticationFailed("Refused.", billing=PAID, status_code=401)


@caught_by("R16")
class LostIsUnavailable(ReferenceBackend):
    """A lost answer is called "unavailable, try again"."""

    def lost(self):
        return fm.VendorUnavailable("Please try again.")


@caught_by("R16")
class PromisesToFindWhatWasNotKept(ReferenceBackend):
    """A lost answer is reported as one that the records know, though the vendor keeps nothing."""

    def lost(self):
        error = super().lost()
        error.reconcilable = True
        return error


@caught_by("R16")
class RepeatsLostChecks(ReferenceBackend):
    """A liveness check that was lost is made again: it changes nothing, but costs the same."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if isinstance(problem, fm.OutcomeUnknown) and call.operation is LIVENESS:
            return super().exchange(call)
        return status, body, problem


@caught_by("R16")
class SendsAgainAfterA404(HttpReference):
    """A 404, too, may mean that the token is old: the call is sent a second time."""

    status_of_an_old_token = 404

    def should_relogin(self, request, reply):
        return reply.status == self.status_of_an_old_token


@caught_by("R16")
class SendsAgainAfterA500(SendsAgainAfterA404):
    """A 500, too, may mean that the token is old: the call is sent a second time."""

    status_of_an_old_token = 500


@caught_by("R16")
class PassesARefusal(ReferenceBackend):
    """A call that was refused for its rate is a free pass."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if status == 429:
            return 200, A_PASS, None
        return status, body, problem

    def result(self, call, body):
        result = super().result(call, body)
        if body is A_PASS:
            return evolve(result, billing=FREE)
        return result


@caught_by("R16")
class SaysNotWhyItIsPaid(ReferenceBackend):
    """A charge is reported without its ground."""

    def result(self, call, body):
        return evolve(super().result(call, body), billing=fm.Billing(self.charged(call)))


@caught_by("R16")
class KeepingIsFree(ReferenceBackend):
    """A call that the vendor keeps is reported as free."""

    def result(self, call, body):
        if call.retention is not fm.Retention.KEEP:
            return super().result(call, body)
        return evolve(super().result(call, body), billing=FREE)


@caught_by("R16")
class WaitsBackwards(ReferenceBackend):
    """A limit asks to wait for less than no time."""

    def refusal(self, status):
        if status != 429:
            return super().refusal(status)
        return fm.RateLimited("Too many.", status_code=status, retry_after_s=-1.0)


@caught_by("R16")
class RefusedAtAnUnknownPrice(ReferenceBackend):
    """It is not known what a refused request costs."""

    def refusal(self, status):
        error = super().refusal(status)
        if status == 400:
            error.billing = UNKNOWN_PRICE
        return error


@caught_by("R16")
class TriesABadFieldAgain(ReferenceBackend):
    """A refused field is to be tried again."""

    def refusal(self, status):
        error = super().refusal(status)
        error.retryable = status in (400, 429)
        return error


@caught_by("R16")
class GivesUpWhenThrottled(ReferenceBackend):
    """A limit of calls is not to be tried again."""

    def refusal(self, status):
        error = super().refusal(status)
        error.retryable = False
        return error


@caught_by("R16", ChargesNobody)
class AsksTwice(ReferenceBackend):
    """Each question is asked twice, of a vendor who charges nobody."""

    capabilities = can(billed_operations=frozenset())

    def charged(self, call):
        return fm.Charged.NO

    def exchange(self, call):
        super().exchange(quiet(call))
        return super().exchange(call)


@caught_by("R16")
class OutageAtAnUnknownPrice(ReferenceBackend):
    """An outage may have been paid, and is no unknown outcome."""

    def refusal(self, status):
        error = super().refusal(status)
        if status == 503:
            error.billing = UNKNOWN_PRICE
        return error


@caught_by("R16")
class TriesALostCallAgain(ReferenceBackend):
    """A lost answer, maybe paid, is to be tried again."""

    def lost(self):
        error = super().lost()
        error.retryable = True
        return error


@caught_by("R16")
class TakesItForTheKey(RefusedReference):
    """A documented refusal of the picture is about the key."""

    def error(self, reply, call):
        if reply.status == 413:
            return fm.AuthenticationFailed("It is the key.", billing=FREE, status_code=413)
        return super().error(reply, call)


@caught_by("R16")
class HasNoRowForIt(RefusedReference):
    """A documented word for a picture without a face is not read."""

    error_codes: ClassVar = {}


@caught_by("R16")
class RefusedAtAPrice(RefusedReference):
    """A documented refusal, which is free, was paid."""

    def error(self, reply, call):
        if reply.status == 413:
            return fm.RequestRejected("No.", status_code=413, billing=PAID)
        return super().error(reply, call)


@caught_by("R16")
class TriesARefusalAgainThatMayBePaid(RefusedReference):
    """A documented refusal is to be tried again, although it may have been charged."""

    error_codes: ClassVar = {
        **RefusedReference.error_codes,
        "busy": evolve(RefusedReference.error_codes["busy"], retryable=True),
    }


@caught_by("R16")
class DropsTheDocumentedWait(RefusedReference):
    """A documented refusal says how long to wait, and the error does not."""

    def error(self, reply, call):
        error = super().error(reply, call)
        error.retry_after_s = None
        return error


@caught_by("R16", ShowsWhereItFailed)
class ShowsTheTraceback(HttpReference):
    """An error has the whole text of the server, paths and all."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if reply.status == 503:
            error.message += f" {as_dict(reply.json()).get('error')}"
        return error
