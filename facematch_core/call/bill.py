"""What a call costs. The core writes its bills here; all other modules pass them on.

The exception is `backend.engine`, a layer below, whose calls cost nothing.

A bill states whether the vendor charged, with a short reason (`ground`) and a number of charges. In
doubt it is UNKNOWN, because NO invites a retry. `CallCharges` adds up the requests of one call.
"""

from __future__ import annotations

import attrs

from facematch_core.models import Billing, Charged

#: The bill of a result or an error that states none.
SILENT = Billing()
#: For a request that costs nothing: a poll, a look-up, a read of a session.
FREE_GROUND = "nothing is charged for this request"
FREE = Billing(Charged.NO, FREE_GROUND)
#: For a call that ended before its first byte.
NOTHING_SENT = Billing(Charged.NO, "nothing was sent")
NOTHING_SENT_IN_TIME = Billing(Charged.NO, "nothing was sent within the deadline")
#: For a single request of a call that may have sent other requests.
REQUEST_NOT_SENT = Billing(Charged.NO, "the request was not sent")
NO_BYTE_SENT = Billing(Charged.NO, "no byte of the request was sent")
#: For a call that began to send and got no answer.
NO_ANSWER_IN_TIME = Billing(Charged.UNKNOWN, "no answer within the deadline")
NO_COMPLETE_RESPONSE = Billing(
    Charged.UNKNOWN, "no complete response after the first byte was sent"
)
#: For sessions: the start costs, everything later is free.
SESSION_STARTED = Billing(Charged.YES, "counted at its start")
SESSION_FOLLOWED_UP = Billing(Charged.NO, "later requests about it are free")


def accepted(charges: int) -> Billing:
    """Return the bill for an expected reply that states none."""
    if charges:
        return Billing(Charged.YES, "a response counts as charged", charges)
    return Billing(Charged.NO, "the vendor does not charge for it")


def stated(charged: Charged, ground: str | None) -> Billing:
    """Return the bill that a vendor's table of errors or its response states."""
    return Billing(charged, ground)


def refused_by(policy: str) -> Billing:
    """Return the bill for an attempt that a policy refused."""
    return Billing(Charged.NO, f"refused by {policy}; nothing was sent")


def without_ground(*, may_be_charged: bool) -> Billing:
    """Return the bill for an attempt about which nothing else is known."""
    return Billing(Charged.UNKNOWN if may_be_charged else Charged.NO)


def is_unproven_no(billing: Billing) -> bool:
    """Return whether a bill claims "not charged" without a reason."""
    return billing == Billing(Charged.NO)


@attrs.define
class CallCharges:
    """The charges of one call, request by request. Requests before the last count as paid."""

    #: Whether a request was sent.
    is_begun: bool = False
    #: Charges of all requests before the last.
    paid_charges: int = 0
    #: Charges of the last request if its reply has an expected status.
    last_charges: int = 0
    #: Whether the last request is free.
    is_last_free: bool = False

    def add_request(self, price: int, *, is_free: bool) -> None:
        """Add a request; all earlier requests are then paid."""
        self.is_begun = True
        self.paid_charges += self.last_charges
        self.last_charges = price
        self.is_last_free = is_free

    def settle(self) -> None:
        """Count the last request as paid, too."""
        self.add_request(0, is_free=self.is_last_free)

    def total(self) -> Billing:
        """Return the bill for the call if every request so far is charged as declared."""
        return accepted(self.paid_charges + self.last_charges)

    def total_with_result(self, stated: Billing) -> Billing:
        """Return the bill for a call with a result; `stated` is the result's own, for the call."""
        declared_charges = self.paid_charges + self.last_charges
        if stated == SILENT:
            return accepted(declared_charges)
        if stated.charged is Charged.UNKNOWN:
            return self._add_earlier(stated)
        if stated.charged is Charged.YES and declared_charges > (stated.charges or 1):
            return attrs.evolve(stated, charges=declared_charges)
        return stated

    def total_with_last(self, last: Billing, *, is_success: bool = False) -> Billing:
        """Return the bill for the call, given the bill of its last request.

        A charged success costs at least the declared price.
        """
        if is_success and 0 < _charges_of(last) < self.last_charges:
            last = attrs.evolve(last, charges=self.last_charges)
        return self._add_earlier(last)

    def total_with_error(self, last: Billing, *, is_success: bool = False) -> Billing:
        """Return the bill for a call that an error ended; `last` is the error's own bill."""
        return self.total_with_last(FREE if self.is_last_free else last, is_success=is_success)

    def _add_earlier(self, last: Billing) -> Billing:
        """Return the bill of the last request together with the requests before it."""
        if not self.paid_charges:
            return last
        ground = f"charges of earlier requests of the call: {self.paid_charges}"
        if last.ground:
            ground = f"{last.ground}; {ground}"
        if last.charged is Charged.UNKNOWN:
            return Billing(Charged.UNKNOWN, ground)
        return Billing(Charged.YES, ground, self.paid_charges + _charges_of(last))


def _charges_of(billing: Billing) -> int:
    """Return the number of charges. An unknown number counts as one."""
    return billing.charges or int(billing.charged is Charged.YES)
