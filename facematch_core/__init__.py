"""One Python interface to face verification, with pluggable vendors.

from pathlib import Path
from facematch_core import open_verifier

with open_verifier("local") as verifier:
    result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
print(result.decision, result.score)

Begin with these seven; help(facematch_core.NAME) says all of each:

open_verifier(backend, **settings)
    Opens an installed backend by its name, or a profile of a configuration file with `profile=`.
    Keys come from the environment. `open_async_verifier` does the same for asyncio and trio.

FaceVerifier, AsyncFaceVerifier
    What it opens. `verify(probe, reference)` asks whether both show one person,
    `check_liveness(image)` whether a face is live, `verify_live` both, `verify_many` about many
    pairs. One verifier serves all threads, or all tasks; close it, or use it in `with`.

open_sessions(backend, **settings)
    Opens hosted sessions, in which the vendor's own page looks at the person: `plan` a record,
    `start` it, `read` the verdict later. `is_verified_for(...)` of that is the one yes.

Failover(members)
    The same calls over several verifiers: the next one is asked where the one before certainly was
    not charged.

MatchResult, Decision
    The answer: `decision` is MATCH, NO_MATCH, REVIEW or INCONCLUSIVE, with `score`, `threshold`,
    `warnings` and `billing`. A mismatch is a result and no error. A result is neither true nor
    false: compare its decision.

FaceMatchError
    What kept us from an answer. Of its tree, `InvalidImage` is about a picture, `VendorError`
    about a call: `billing` says whether it was charged, `retryable` whether it may be repeated.

Budget, Retry, SqlStore
    For production: `policies=[Budget(..., store=SqlStore(...))]` limits what is spent, over all
    processes that share the store; `retry=Retry()` repeats what was certainly not charged.
    `RateLimiter` and `CircuitBreaker` are policies, too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .backend.session_types import (
        ComparedWith,
        Deletion,
        DeletionState,
        SessionHint,
        SessionRecord,
        SessionResult,
        SessionState,
        WayIn,
    )
    from .base.clock import Clock, SystemClock
    from .base.masking import Secret
    from .config.opening import (
        open_async_sessions,
        open_async_verifier,
        open_sessions,
        open_verifier,
    )
    from .config.plugins import BackendInfo, available_backends
    from .errors import (
        FATAL,
        AuthenticationFailed,
        BackendUnavailable,
        BreakerOpen,
        BudgetExceeded,
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
        StoreUnavailable,
        UnexpectedResponse,
        Unsupported,
        VendorError,
        VendorUnavailable,
        WebhookRefused,
    )
    from .images.image import Image, ImageFormat
    from .models import (
        Advice,
        Billing,
        Box,
        CallRecord,
        Charged,
        Decision,
        Demographics,
        Environment,
        Face,
        FailedAttempt,
        Ids,
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
        Route,
        ScaleSource,
        Score,
        Severity,
        Skipped,
        Threshold,
        ThresholdRule,
        ThresholdSource,
        WarningCode,
    )
    from .resilience import Budget, CircuitBreaker, Period, RateLimiter, RateWindow, Retry
    from .sessions.aio import AsyncSessions
    from .sessions.sessions import Sessions
    from .store import SqlStore
    from .verifier.aio import AsyncFaceVerifier
    from .verifier.calibration import Calibration, CalibrationPoint
    from .verifier.events import CallEvent, EventKind
    from .verifier.failover import Failover
    from .verifier.policy import judge
    from .verifier.verifier import FaceVerifier, PairOutcome, Picture, Verifier

__all__ = [
    "FATAL",
    "Advice",
    "AsyncFaceVerifier",
    "AsyncSessions",
    "AuthenticationFailed",
    "BackendInfo",
    "BackendUnavailable",
    "Billing",
    "Box",
    "BreakerOpen",
    "Budget",
    "BudgetExceeded",
    "Calibration",
    "CalibrationPoint",
    "CallEvent",
    "CallRecord",
    "Charged",
    "CircuitBreaker",
    "Clock",
    "ComparedWith",
    "ConfigurationError",
    "DeadlineExceeded",
    "Decision",
    "Deletion",
    "DeletionState",
    "Demographics",
    "Environment",
    "EnvironmentMismatch",
    "EventKind",
    "Face",
    "FaceMatchError",
    "FaceVerifier",
    "FailedAttempt",
    "Failover",
    "Ids",
    "Image",
    "ImageFormat",
    "InsufficientCredit",
    "InvalidImage",
    "InvalidRequest",
    "LiveMatchDecision",
    "LiveMatchResult",
    "LivenessDecision",
    "LivenessResult",
    "MatchResult",
    "Operation",
    "OutcomeUnknown",
    "PairOutcome",
    "Period",
    "PermissionDenied",
    "Picture",
    "RateLimited",
    "RateLimiter",
    "RateWindow",
    "Reconciled",
    "Reconciliation",
    "RequestRejected",
    "Result",
    "ResultWarning",
    "Retention",
    "Retry",
    "Route",
    "ScaleSource",
    "Score",
    "Secret",
    "SessionHint",
    "SessionMismatch",
    "SessionNotFound",
    "SessionRecord",
    "SessionResult",
    "SessionState",
    "Sessions",
    "Severity",
    "Skipped",
    "SqlStore",
    "StoreUnavailable",
    "SystemClock",
    "Threshold",
    "ThresholdRule",
    "ThresholdSource",
    "UnexpectedResponse",
    "Unsupported",
    "VendorError",
    "VendorUnavailable",
    "Verifier",
    "WarningCode",
    "WayIn",
    "WebhookRefused",
    "available_backends",
    "judge",
    "open_async_sessions",
    "open_async_verifier",
    "open_sessions",
    "open_verifier",
]  # fmt: skip

#: Where the public names live, in the order in which they are looked for. A module is imported when
#: a name is first asked for: the command line, asked for its help, does not pay for all of them.
_MODULES = (
    "models errors base.clock base.masking images.image verifier.calibration verifier.events "
    "verifier.policy verifier.verifier verifier.failover verifier.aio config.plugins "
    "config.opening resilience store backend.session_types sessions.sessions sessions.aio"
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
