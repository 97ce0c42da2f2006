"""One Python interface to face verification, with pluggable vendors.

from pathlib import Path
from facematch_core import open_verifier

with open_verifier("local") as verifier:
    result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
print(result.decision, result.score)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .aio import AsyncFaceVerifier
    from .calibration import Calibration, CalibrationPoint
    from .clock import Clock, SystemClock
    from .config import open_async_verifier, open_verifier
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
        ScaleWarning,
        StoreUnavailable,
        UnexpectedResponse,
        Unsupported,
        VendorError,
        VendorUnavailable,
    )
    from .events import CallEvent, EventKind
    from .failover import Failover
    from .images import Image, ImageFormat
    from .masking import Secret
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
    from .plugins import BackendInfo, available_backends
    from .policy import judge
    from .verifier import FaceVerifier, PairOutcome, Picture, Verifier

__all__ = [
    "FATAL",
    "Advice",
    "AsyncFaceVerifier",
    "AuthenticationFailed",
    "BackendInfo",
    "BackendUnavailable",
    "Billing",
    "Box",
    "BreakerOpen",
    "BudgetExceeded",
    "Calibration",
    "CalibrationPoint",
    "CallEvent",
    "CallRecord",
    "Charged",
    "Clock",
    "ConfigurationError",
    "DeadlineExceeded",
    "Decision",
    "Demographics",
    "Environment",
    "EnvironmentMismatch",
    "EventKind",
    "Face",
    "FaceMatchError",
    "FaceVerifier",
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
    "PermissionDenied",
    "Picture",
    "RateLimited",
    "Reconciled",
    "Reconciliation",
    "RequestRejected",
    "Result",
    "ResultWarning",
    "Retention",
    "Route",
    "ScaleSource",
    "ScaleWarning",
    "Score",
    "Secret",
    "Severity",
    "Skipped",
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
    "available_backends",
    "judge",
    "open_async_verifier",
    "open_verifier",
]

#: Where the public names live, lowest layer first. A module is imported when a name is first asked
#: for: the command line, asked for its help, does not pay for all of them.
_MODULES = (
    "models",
    "errors",
    "clock",
    "masking",
    "images",
    "calibration",
    "events",
    "policy",
    "verifier",
    "failover",
    "plugins",
    "config",
    "aio",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            value = getattr(import_module(f".{module}", __name__), name, None)
            if value is not None:
                globals()[name] = value
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
