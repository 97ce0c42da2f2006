import functools
import logging
import math
import os
import threading

from facematch_core import (
    BudgetExceeded,
    InvalidImage,
    LiveMatchDecision,
    RateLimited,
    StoreUnavailable,
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
NOT_CHARGED = (RateLimited, VendorUnavailable, BudgetExceeded, StoreUnavailable)
log = logging.getLogger("onboarding")
lock = threading.Lock()


@functools.cache
def opened():
    """Open this process's verifier: Didit, or the profile in FACEMATCH_PROFILE."""
    profile = os.environ.get("FACEMATCH_PROFILE")
    backend = None if profile else "didit"
    return open_verifier(backend, profile=profile, threshold=60, review_threshold=80, deadline_s=20)


def verify(selfie: bytes, document: bytes, case: str) -> dict:
    """Check liveness and compare; return the body for the browser."""
    with lock:  # concurrent first requests open only one verifier
        verifier = opened()
    result = verifier.verify_live(selfie, document, caller_ref=case)
    log.info("case %s: %s, call %s", case, result.decision, result.ids.call)
    step = NEXT_STEP[result.decision]
    if step != "retake":
        return {"next": step}
    advice = [warning.advice for warning in result.warnings if warning.advice in SHOWN]
    return {"next": step, "advice": advice}


def refused(error):
    """Return body, status and headers for an error."""
    if isinstance(error, InvalidImage):
        return {"next": "retake", "picture": FIELDS.get(error.picture)}, 422, {}
    call = f"call {error.ids.call}" if isinstance(error, VendorError) else str(error)
    log.error("%s: %s", type(error).__name__, call)
    if isinstance(error, NOT_CHARGED):
        wait_s = getattr(error, "retry_after_s", None)
        return {"next": "later"}, 503, {} if wait_s is None else {"Retry-After": math.ceil(wait_s)}
    return {"next": "wait"}, 502, {}  # may have been charged, or retrying will not help
