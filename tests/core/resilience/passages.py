"""How attempts end, for the tests of policies."""

import attrs
from kit.fakes import match_result

from facematch_core import Charged, Environment, errors
from facematch_core.resilience import Outcome


def failed(error, *, may_be_sent=True, was_called=True):
    ended = Outcome.refused(error)
    return attrs.evolve(ended, may_be_sent=may_be_sent or ended.may_be_sent, was_called=was_called)


def refused_later(error):
    return failed(error, may_be_sent=False, was_called=False)


ANSWERED = Outcome(
    charged=match_result().billing.charged, may_be_sent=True, has_result=True, was_called=True
)
INTERRUPTED = Outcome(charged=Charged.UNKNOWN, may_be_sent=True, was_called=True)
UNREACHABLE = failed(errors.VendorUnavailable("no connection"), may_be_sent=False)

#: What an outage looks like.
DOWN = {
    "unreachable": UNREACHABLE,
    "unavailable": failed(errors.VendorUnavailable("503", status_code=503)),
    "unknown": failed(errors.OutcomeUnknown("reset")),
    "unreadable": failed(errors.UnexpectedResponse("maintenance")),
    "no answer in time": failed(errors.DeadlineExceeded("too late")),
    "no connection in time": failed(
        errors.VendorUnavailable("late", retryable=False), may_be_sent=False
    ),
}
#: What was answered, by whomever, and says no more.
HEARD = {
    "throttled": failed(errors.RateLimited("slowly", retry_after_s=3.0)),
    "wrong environment": failed(errors.EnvironmentMismatch("no", environment=Environment.MOCK)),
    "forgotten": failed(errors.VendorUnavailable("x", retryable=False, status_code=400)),
}
#: What only somebody who works can say.
UP = {
    "answered": ANSWERED,
    "rejected": failed(errors.RequestRejected("no")),
    "bad key": failed(errors.AuthenticationFailed("no")),
    "not allowed": failed(errors.PermissionDenied("no")),
}
#: What says nothing of the vendor's health.
NO_EVIDENCE = {
    **HEARD,
    "interrupted": INTERRUPTED,
    "interrupted before": refused_later(KeyboardInterrupt()),
    "budget": failed(errors.BudgetExceeded("no"), may_be_sent=False),
    "over before": refused_later(errors.VendorUnavailable("late", retryable=False)),
    "later breaker": refused_later(errors.BreakerOpen("down")),
    "later latch": refused_later(errors.InsufficientCredit("empty")),
}
