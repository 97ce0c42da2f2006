"""One Python interface to face verification, with pluggable vendors.

from pathlib import Path
from facematch_core import open_verifier

with open_verifier("local") as verifier:
    result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
print(result.decision, result.score)

The main names are below. `help(facematch_core.NAME)` shows the full documentation of each:

open_verifier(backend, **settings)
    Opens an installed backend by name or, with `profile=`, a profile of a configuration file.
    Keys come from the environment. `open_async_verifier` does the same for asyncio and trio.

FaceVerifier, AsyncFaceVerifier
    The verifiers. `verify(probe, reference)` compares two faces, `check_liveness(image)` checks
    that a face is live, `verify_live` does both, and `verify_many` compares many pairs. Share one
    verifier between all threads or tasks. Close it, or use it as a context manager.

open_sessions(backend, **settings)
    Opens hosted sessions: the person is verified on the vendor's own page. `plan` a record, `start`
    it, and `read` the verdict later. Let a person in only if `is_verified_for(...)` is True.

SessionStore(url, sessions)
    Keeps the sessions in a table. `store.of(customer, purpose=..., about=...)` names a case: its
    `begin` returns the link, and its `use` is FIRST once. A worker calls `store.look()`.

CheckStore(url, verifier)
    Keeps checks of uploaded pictures in a table. A case's `verify_live(selfie, document)` is paid
    once, however often the button is pressed, and its `use` is FIRST once.

Failover(members)
    A verifier that tries several verifiers in order. It calls the next one only if the previous
    one certainly did not charge.

Share(members, percent)
    A verifier that gives each member a percentage of the callers, by `caller_ref`. 0 is the off
    switch, and `set_percent` changes it while the program runs.

Shadow(verifier, candidate, log=CallLog(...)), CallLog
    A verifier that answers by one verifier and also asks a candidate, in the background, about a
    share of the calls. Nobody gets the candidate's answers: the log has both, for
    `facematch compare shadow`. Any verifier takes a `log`.

MatchResult, Decision
    The result of a comparison: `decision` is MATCH, NO_MATCH, REVIEW or INCONCLUSIVE, with
    `score`, `threshold`, `warnings` and `billing`. A mismatch is a result, not an error. A result
    has no truth value: compare its decision.

FaceMatchError
    The base class of all errors. `InvalidImage` is about a picture, `VendorError` about a call:
    `billing` states whether the call was charged, and `retryable` whether it may be retried.

Budget, Retry, SqlStore
    For production: `policies=[Budget(..., store=SqlStore(...))]` limits spending across all
    processes that share the store. `retry=Retry()` retries calls that were certainly not charged.
    `RateLimiter` and `CircuitBreaker` are also policies.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .backend.session_types import (
        ComparedWith,
        Erased,
        Person,
        SessionRecord,
        SessionResult,
        SessionState,
    )
    from .base.masking import Secret
    from .call.events import CallEvent, EventKind
    from .call_log import CallLog
    from .checks.aio import AsyncCheckCase, AsyncCheckStore
    from .checks.store import CheckCase, CheckStore
    from .checks.table import StoredCheck
    from .config.opening import (
        open_async_sessions,
        open_async_verifier,
        open_sessions,
        open_verifier,
    )
    from .config.plugins import available_backends
    from .errors import (
        FATAL,
        AlreadyUsed,
        AuthenticationFailed,
        BackendUnavailable,
        BreakerOpen,
        BudgetExceeded,
        CheckUnderWay,
        ConfigurationError,
        DeadlineExceeded,
        EnvironmentMismatch,
        FaceMatchError,
        InsufficientCredit,
        InvalidImage,
        InvalidRequest,
        OutcomeUnknown,
        PermissionDenied,
        RateLimited,
        RequestRejected,
        SessionMismatch,
        SessionNotFound,
        SessionStarting,
        StoreUnavailable,
        TooManyAttempts,
        UnderReview,
        UnexpectedResponse,
        Unsupported,
        VendorError,
        VendorUnavailable,
        VerdictChanged,
        WebhookRefused,
    )
    from .images.image import Image
    from .images.stored import S3Picture
    from .models import (
        Billing,
        CallRecord,
        Charged,
        Decision,
        Environment,
        LiveMatchDecision,
        LiveMatchResult,
        LivenessDecision,
        LivenessResult,
        MatchResult,
        Operation,
        Reconciled,
        Reconciliation,
        Result,
        ResultWarning,
        Retention,
        Score,
        Threshold,
        WarningCode,
    )
    from .resilience import Budget, CircuitBreaker, Period, RateLimiter, RateWindow, Retry
    from .sessions.aio import AsyncSessions, AsyncSessionStore, AsyncVerificationCase
    from .sessions.sessions import Sessions
    from .sessions.store import SessionStore, VerificationCase
    from .sessions.table import StoredSession
    from .store import SqlStore
    from .store.decisions import ReviewDecision
    from .store.table import Use
    from .verifier.aio import AsyncFaceVerifier
    from .verifier.failover import Failover
    from .verifier.shadow import Shadow
    from .verifier.share import Share
    from .verifier.verifier import FaceVerifier, PairOutcome, Verifier

__all__ = [
    "FATAL", "AlreadyUsed", "AsyncCheckCase", "AsyncCheckStore", "AsyncFaceVerifier",
    "AsyncSessionStore", "AsyncSessions", "AsyncVerificationCase", "AuthenticationFailed",
    "BackendUnavailable", "Billing", "BreakerOpen", "Budget", "BudgetExceeded", "CallEvent",
    "CallLog", "CallRecord", "Charged", "CheckCase", "CheckStore", "CheckUnderWay",
    "CircuitBreaker", "ComparedWith", "ConfigurationError", "DeadlineExceeded", "Decision",
    "Environment", "EnvironmentMismatch", "Erased", "EventKind", "FaceMatchError", "FaceVerifier",
    "Failover", "Image", "InsufficientCredit", "InvalidImage", "InvalidRequest",
    "LiveMatchDecision", "LiveMatchResult", "LivenessDecision", "LivenessResult", "MatchResult",
    "Operation", "OutcomeUnknown", "PairOutcome", "Period", "PermissionDenied", "Person",
    "RateLimited", "RateLimiter", "RateWindow", "Reconciled", "Reconciliation", "RequestRejected",
    "Result", "ResultWarning", "Retention", "Retry", "ReviewDecision", "S3Picture", "Score",
    "Secret", "SessionMismatch", "SessionNotFound", "SessionRecord", "SessionResult",
    "SessionStarting", "SessionState", "SessionStore", "Sessions", "Shadow", "Share", "SqlStore",
    "StoreUnavailable", "StoredCheck", "StoredSession", "Threshold", "TooManyAttempts",
    "UnderReview", "UnexpectedResponse", "Unsupported", "Use", "VendorError", "VendorUnavailable",
    "VerdictChanged", "VerificationCase", "Verifier", "WarningCode", "WebhookRefused",
    "available_backends", "open_async_sessions", "open_async_verifier", "open_sessions",
    "open_verifier",
]  # fmt: skip

#: Modules that define the public names, in search order. They are imported on first use, so that
#: `facematch --help` does not import them all.
_MODULES = (
    "models errors base.deadline base.masking images.image images.stored call.events "
    "verifier.verifier verifier.failover verifier.share verifier.shadow verifier.aio call_log "
    "config.plugins config.opening resilience store backend.session_types sessions.sessions "
    "store.table store.decisions sessions.store sessions.aio checks.table checks.store checks.aio"
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES.split():
            value = getattr(import_module(f".{module}", __name__), name, None)
            if value is not None:
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
