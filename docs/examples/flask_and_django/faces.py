import functools
import logging
import math
import os
import threading

from facematch_core import (
    AlreadyUsed,
    BudgetExceeded,
    CheckStore,
    CheckUnderWay,
    InvalidImage,
    LiveMatchDecision,
    RateLimited,
    StoreUnavailable,
    TooManyAttempts,
    UnderReview,
    VendorError,
    VendorUnavailable,
    open_verifier,
)
from facematch_core.models import Advice

MAX_BODY_BYTES = 12_000_000
NEXT_STEP = {
    LiveMatchDecision.VERIFIED: "continue",
    LiveMatchDecision.NOT_LIVE: "wait",
    LiveMatchDecision.NO_MATCH: "wait",
    LiveMatchDecision.REVIEW: "wait",
    LiveMatchDecision.INCONCLUSIVE: "retake",
}
#: Advice to show to the user; keep the rest to yourself.
SHOWN = (Advice.RETAKE_PHOTO, Advice.BETTER_LIGHT, Advice.ONE_FACE_ONLY)
FIELDS = {"probe": "selfie", "reference": "document"}
NOT_CHARGED = (RateLimited, VendorUnavailable, BudgetExceeded, StoreUnavailable, CheckUnderWay)
log = logging.getLogger("onboarding")
lock = threading.Lock()


@functools.cache
def opened():
    """Open this process's store, with Didit, or the profile in FACEMATCH_PROFILE."""
    profile = os.environ.get("FACEMATCH_PROFILE")
    backend = None if profile else "didit"
    verifier = open_verifier(
        backend, profile=profile, threshold=60, review_threshold=80, deadline_s=20
    )
    return CheckStore("sqlite:///shop.sqlite3", verifier)


def signup_of(customer: str):
    with lock:  # concurrent first requests open only one store
        # `about` names one thing: the customer's one account.
        return opened().of(customer, purpose="signup", about="account")


def verify(selfie: bytes, document: bytes, customer: str) -> dict:
    """Check liveness and compare, once; return the body for the browser."""
    signup = signup_of(customer)
    found = signup.find()
    result = None if found is None else found.result
    # Not after REVIEW: a person decides on these pictures first.
    is_retake = result is not None and NEXT_STEP[result.decision] == "retake"
    try:
        result = signup.verify_live(selfie, document, anew=is_retake)
    except VendorError as error:  # after a lost answer, your staff needs the customer
        log.warning("%s: call %s, charged: %s", customer, error.ids.call, error.billing.charged)
        raise
    log.info("%s: %s, call %s", customer, result.decision, result.ids.call)
    step = NEXT_STEP[result.decision]
    if step != "retake":
        return {"next": step}
    advice = [warning.advice for warning in result.warnings if warning.advice in SHOWN]
    return {"next": step, "advice": advice}


def refused(error):
    """Return body, status and headers for an error."""
    if isinstance(error, InvalidImage):
        return {"next": "retake", "picture": FIELDS.get(error.picture)}, 422, {}
    if isinstance(error, AlreadyUsed):
        return {"next": "done"}, 409, {}
    if isinstance(error, UnderReview):
        return {"next": "wait"}, 409, {}
    log.error("%s: %s", type(error).__name__, error)
    if isinstance(error, NOT_CHARGED):
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": math.ceil(wait_s)}
        return {"next": "later"}, 429 if isinstance(error, TooManyAttempts) else 503, headers
    return {"next": "wait"}, 502, {}  # may have been charged, or retrying will not help
