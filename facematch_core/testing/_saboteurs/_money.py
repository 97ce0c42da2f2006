"""Wrong about who pays, and who knows of it."""

from __future__ import annotations

import attrs

from facematch_core import (
    AuthenticationFailed,
    Billing,
    Charged,
    Operation,
    OutcomeUnknown,
    RateLimited,
    VendorUnavailable,
)

from ._paragon import ParagonBackend
from ._registry import can, caught_by


@caught_by("R16")
class EverythingIsFree(ParagonBackend):
    """Results say that nothing was charged."""

    def charged(self, call):
        return Charged.NO


@caught_by("R16")
class UndeclaredPrice(ParagonBackend):
    """Does not declare that liveness costs money."""

    capabilities = can(billed_operations=frozenset({Operation.MATCH}))


@caught_by("R17")
class SwappedBilled(ParagonBackend):
    """A refused key was paid, a wrong form was not."""

    def refusal(self, status):
        if status == 401:
            return AuthenticationFailed("Refused.", billing=Billing(Charged.YES), status_code=401)
        return super().refusal(status)


@caught_by("R17")
class LostIsUnavailable(ParagonBackend):
    """A lost answer is called "unavailable, try again"."""

    def lost(self):
        return VendorUnavailable("Please try again.")


@caught_by("R17")
class BusyIsForGood(ParagonBackend):
    """A busy minute is told as an empty account."""

    def refusal(self, status):
        return super().refusal(402 if status == 429 else status)


@caught_by("R17")
class WaitsInThePast(ParagonBackend):
    """The vendor's "wait" is read as a negative number of seconds."""

    def refusal(self, status):
        error = super().refusal(status)
        if isinstance(error, RateLimited):
            error.retry_after_s = -5.0
        return error


@caught_by("R18")
class RepeatsLostCalls(ParagonBackend):
    """Asks again when the answer is lost."""

    def exchange(self, call):
        answer = super().exchange(call)
        return super().exchange(call) if isinstance(answer[2], OutcomeUnknown) else answer


@caught_by("R18")
class AsksTwiceToBeSure(ParagonBackend):
    """Compares twice and believes the second answer."""

    def exchange(self, call):
        super().exchange(attrs.evolve(call, on_sent=lambda: None))
        return super().exchange(call)


@caught_by("R18")
class RepeatsLostChecks(ParagonBackend):
    """A liveness check that was lost is made again: it changes nothing, but costs the same."""

    def exchange(self, call):
        answer = super().exchange(call)
        lost = call.operation is Operation.LIVENESS and isinstance(answer[2], OutcomeUnknown)
        return super().exchange(call) if lost else answer


@caught_by("R19")
class IgnoresTheDeadline(ParagonBackend):
    """Waits as long as the vendor likes."""

    def exchange(self, call):
        return super().exchange(attrs.evolve(call, deadline_s=None))


@caught_by("R19")
class ChecksWithoutHurry(ParagonBackend):
    """A liveness check has no deadline."""

    def exchange(self, call):
        if call.operation is Operation.LIVENESS:
            call = attrs.evolve(call, deadline_s=None)
        return super().exchange(call)


@caught_by("R20")
class NeverTellsTheFirstByte(ParagonBackend):
    """`on_sent` is never called."""

    def exchange(self, call):
        return super().exchange(attrs.evolve(call, on_sent=lambda: None))


@caught_by("R20")
class TellsTheFirstByteTooEarly(ParagonBackend):
    """`on_sent` is called before there is a connection."""

    def exchange(self, call):
        call.on_sent()
        return super().exchange(attrs.evolve(call, on_sent=lambda: None))
