"""Calls that cost too much, end wrongly or mix; from the rules' titles alone."""

from __future__ import annotations

import os
import threading
import time
import weakref

import attrs

from facematch_core import (
    Billing,
    Charged,
    DeadlineExceeded,
    Decision,
    LivenessDecision,
    Operation,
    ThresholdSource,
    VendorUnavailable,
)

from ._http_paragon import HttpParagon, HttpParagonDouble
from ._paragon import ParagonBackend
from ._registry import caught_by


def _silent(call):
    return attrs.evolve(call, on_sent=lambda: None)


@caught_by("R16")
class MismatchesAreFree(ParagonBackend):
    """Says that a negative answer was not charged, where the vendor charges every answer."""

    def verdict(self, call, body):
        result = super().verdict(call, body)
        negative = result.decision in (Decision.NO_MATCH, LivenessDecision.NOT_LIVE)
        return attrs.evolve(
            result, billing=Billing(Charged.NO if negative else result.billing.charged)
        )


@caught_by("R16")
class BilledForNoReason(ParagonBackend):
    """Says that it was charged, and not how it knows."""

    def verdict(self, call, body):
        return attrs.evolve(super().verdict(call, body), billing=Billing(ground=None))


@caught_by("R17")
class PromisesToFindWhatWasNotKept(ParagonBackend):
    """A lost answer is told as one that the records can tell, though the vendor keeps nothing."""

    def lost(self):
        error = super().lost()
        error.reconcilable = True
        return error


@caught_by("R18")
class TriesTheGatewayAgain(ParagonBackend):
    """Repeats a call once after a gateway's 502, behind which it may have been carried out."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if status == 502:
            return super().exchange(_silent(call))
        return status, body, problem


@caught_by("R19")
class ReadsTheLateAnswerLater(ParagonBackend):
    """An answer that came too late stays on the connection, and is read by the next call."""

    def exchange(self, call):
        line = vars(self).setdefault("line", [])
        status, body, problem = super().exchange(call)
        if isinstance(problem, DeadlineExceeded):
            late = {"verdict": "yes", "score": 93.5, "warnings": []}
            line.append({**late, "id": f"call-{self.vendor.seen}"})
        elif line and status == 200:
            line.append(body)
            body = line.pop(0)
        return status, body, problem


@caught_by("R19")
class DeadlineStartsAnew(ParagonBackend):
    """The deadline is that of one wait, and there are several waits in a call."""

    def exchange(self, call):
        status, body, problem = super().exchange(call)
        if isinstance(problem, DeadlineExceeded):
            # Stands for five more waits; the invented vendor's own takes no time.
            time.sleep(min(5 * call.deadline_s, 3.0))
        return status, body, problem


@caught_by("R20")
class TellsItWithTheAnswer(ParagonBackend):
    """Tells that bytes have left once there is an answer, and not if none comes."""

    def exchange(self, call):
        answer = super().exchange(_silent(call))
        if answer[2] is None:
            call.on_sent()
        return answer


@caught_by("R20")
class ChecksLeaveUnnoticed(ParagonBackend):
    """Tells the first byte of comparisons, and forgets liveness checks."""

    def exchange(self, call):
        told = call.operation is Operation.MATCH
        return super().exchange(call if told else _silent(call))


@caught_by("R27")
class NoughtIsNoThreshold(ParagonBackend):
    """Asks `if threshold`, so that a caller's 0 becomes the default."""

    def threshold(self, call):
        return super().threshold(call) or self.capabilities.default_for(call.operation) or 0.0


@caught_by("R27")
class HundredIsTooMuch(ParagonBackend):
    """Sends 99.99 for a caller's 100, because nobody would ever pass."""

    def threshold(self, call):
        return min(super().threshold(call), 99.99)


@caught_by("R28")
class OneFormForAllRequests(ParagonBackend):
    """All requests are written into one form, which another thread may overwrite on its way."""

    def request(self, call):
        form = vars(self).setdefault("form", {})
        form.clear()
        form.update(super().request(call))
        time.sleep(0.003)  # stands for the upload
        return form


@caught_by("R30")
class FindsAClosedPool(ParagonBackend):
    """The last one to close leaves a closed pool behind, which the next one to open finds."""

    def __init__(self, vendor, *args, **settings):
        super().__init__(vendor, *args, **settings)
        self.users = vars(vendor).setdefault("users", {"closed": False})
        self.users[id(self)] = True

    def exchange(self, call):
        if self.users["closed"]:
            return None, None, VendorUnavailable("The pool is closed.")
        return super().exchange(call)

    def close(self):
        self.users.pop(id(self), None)
        self.users["closed"] = len(self.users) == 1


@caught_by("R32")
class FindsByTheCallersReference(ParagonBackend):
    """Takes a record with the caller's reference where there is none with the id."""

    def keep(self, call, result):
        super().keep(call, result)
        if call.call_id in self.vendor.records:
            self.vendor.records["of", call.caller_ref] = self.vendor.records[call.call_id]

    def record(self, attempt):
        found = super().record(attempt) or self.vendor.records.get(("of", attempt.caller_ref))
        return found and attrs.evolve(found, ids=attrs.evolve(found.ids, call=attempt.id))


@caught_by("R33")
class SpoofsGoToAPerson(ParagonBackend):
    """A spoof is told as REVIEW, so that the comparison is made and paid for as well."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        return LivenessDecision.REVIEW if decision is LivenessDecision.NOT_LIVE else decision


@caught_by("R35")
class LockedInTheChild(ParagonBackend):
    """Holds its lock while the process forks, and lets go of it in the parent alone."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.lock = threading.Lock()
        me = weakref.ref(self)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=lambda: me() and me().lock.acquire(timeout=0.1),
                after_in_parent=lambda: me() and me().lock.release(),
            )

    def exchange(self, call):
        if not self.lock.acquire(timeout=0.5):  # for ever, in real life
            return None, None, VendorUnavailable("Paragon's line is taken.")
        try:
            return super().exchange(call)
        finally:
            self.lock.release()


@caught_by("R38", double=HttpParagonDouble)
class RedirectsMayBeRepeated(HttpParagon):
    """A redirect is marked as one that may be repeated, although it may have been charged."""

    def error(self, reply, call):
        error = super().error(reply, call)
        error.retryable = error.retryable or 300 <= reply.status < 400
        return error


@caught_by("R45")
class SaysTheVendorSetIt(ParagonBackend):
    """Tells the caller's threshold as one that the vendor chose."""

    def verdict(self, call, body):
        told = call.threshold and attrs.evolve(call.threshold, source=ThresholdSource.VENDOR)
        return attrs.evolve(super().verdict(call, body), threshold=told)


@caught_by("R46", double=HttpParagonDouble)
class TakesTextForANumber(HttpParagon):
    """Takes "30" for 30 seconds."""

    def check_patience(self):
        self.patience_s = float(self.patience_s)


@caught_by("R46", double=HttpParagonDouble)
class TrueIsASecond(HttpParagon):
    """Takes true for a number of seconds, as Python does."""

    def check_patience(self):
        if self.patience_s is not True:
            super().check_patience()
