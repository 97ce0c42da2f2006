"""One Python interface to face verification, with pluggable vendors.

from pathlib import Path
from facematch_core import open_verifier

with open_verifier("local") as verifier:
    result = verifier.verify(Path("selfie.jpg"), Path("id.jpg"))
print(result.decision, result.score)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._age import AgeResult
    from ._asked import Picture
    from ._calibration import Calibration, CalibrationPoint
    from ._clock import Clock, SystemClock
    from ._enums import (
        Advice,
        AgeDecision,
        Billed,
        Decision,
        Environment,
        LiveMatchDecision,
        LivenessDecision,
        Operation,
        Reconciled,
        Retention,
        ScaleSource,
        SearchDecision,
        SearchMode,
        Severity,
        ThresholdRule,
        ThresholdSource,
        WarningCode,
    )
    from ._events import Answered, Charged, Event, Refused, Repeated, Sent, Started, Unknown
    from ._images import Image, ImageFormat
    from ._interface import Verifier
    from ._many import PairOutcome
    from ._open import open_verifier
    from ._reconcile import Attempt, Reconciliation
    from ._registry import BackendInfo, available_backends
    from ._results import (
        Box,
        Demographics,
        Face,
        LiveMatchResult,
        LivenessResult,
        MatchResult,
        Result,
        ResultWarning,
        Skipped,
    )
    from ._scores import Score, Threshold
    from ._search import FoundFace, SearchResult
    from ._secrets import Secret
    from ._verifier import FaceVerifier
    from .errors import (
        FATAL,
        AuthenticationFailed,
        BackendNotFound,
        BackendUnusable,
        BreakerOpen,
        BudgetExceeded,
        ConfigurationError,
        DeadlineExceeded,
        EnvironmentMismatch,
        FaceMatchError,
        IncomparableScores,
        InsufficientCredit,
        InvalidImage,
        InvalidRequest,
        OutcomeUnknown,
        PermissionDenied,
        RateLimited,
        RequestRejected,
        UnexpectedResponse,
        UnsupportedCapability,
        UnsupportedOption,
        VendorError,
        VendorUnavailable,
    )
    from .failover import Failover

__version__ = "0.1.0"

__all__ = [
    "FATAL",
    "Advice",
    "AgeDecision",
    "AgeResult",
    "Answered",
    "Attempt",
    "AuthenticationFailed",
    "BackendInfo",
    "BackendNotFound",
    "BackendUnusable",
    "Billed",
    "Box",
    "BreakerOpen",
    "BudgetExceeded",
    "Calibration",
    "CalibrationPoint",
    "Charged",
    "Clock",
    "ConfigurationError",
    "DeadlineExceeded",
    "Decision",
    "Demographics",
    "Environment",
    "EnvironmentMismatch",
    "Event",
    "Face",
    "FaceMatchError",
    "FaceVerifier",
    "Failover",
    "FoundFace",
    "Image",
    "ImageFormat",
    "IncomparableScores",
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
    "Refused",
    "Repeated",
    "RequestRejected",
    "Result",
    "ResultWarning",
    "Retention",
    "ScaleSource",
    "Score",
    "SearchDecision",
    "SearchMode",
    "SearchResult",
    "Secret",
    "Sent",
    "Severity",
    "Skipped",
    "Started",
    "SystemClock",
    "Threshold",
    "ThresholdRule",
    "ThresholdSource",
    "UnexpectedResponse",
    "Unknown",
    "UnsupportedCapability",
    "UnsupportedOption",
    "VendorError",
    "VendorUnavailable",
    "Verifier",
    "WarningCode",
    "available_backends",
    "open_verifier",
]

#: Where each public name lives. A name is imported when it is first used: a program that needs one
#: class, or the command line asked for its help, does not pay for all the others.
_HOMES = {
    name: module
    for module, names in {
        "_age": "AgeResult",
        "_asked": "Picture",
        "_calibration": "Calibration CalibrationPoint",
        "_clock": "Clock SystemClock",
        "_enums": (
            "Advice AgeDecision Billed Decision Environment LiveMatchDecision LivenessDecision "
            "Operation Reconciled Retention ScaleSource SearchDecision SearchMode Severity "
            "ThresholdRule ThresholdSource WarningCode"
        ),
        "_events": "Answered Charged Event Refused Repeated Sent Started Unknown",
        "_images": "Image ImageFormat",
        "_interface": "Verifier",
        "_many": "PairOutcome",
        "_open": "open_verifier",
        "_reconcile": "Attempt Reconciliation",
        "_registry": "BackendInfo available_backends",
        "_results": (
            "Box Demographics Face LiveMatchResult LivenessResult MatchResult Result "
            "ResultWarning Skipped"
        ),
        "_scores": "Score Threshold",
        "_search": "FoundFace SearchResult",
        "_secrets": "Secret",
        "_verifier": "FaceVerifier",
        "errors": (
            "FATAL AuthenticationFailed BackendNotFound BackendUnusable BreakerOpen BudgetExceeded "
            "ConfigurationError DeadlineExceeded EnvironmentMismatch FaceMatchError "
            "IncomparableScores InsufficientCredit InvalidImage InvalidRequest "
            "OutcomeUnknown PermissionDenied RateLimited RequestRejected UnexpectedResponse "
            "UnsupportedCapability UnsupportedOption VendorError VendorUnavailable"
        ),
        "failover": "Failover",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
