"""Gates: what stands before the calls of one verifier."""

from facematch_core._basics import RateWindow
from facematch_core.store._records import Period

from ._breaker import BreakerState, CircuitBreaker
from ._budget import Budget
from ._gate import AttemptContext, Leave, Outcome, Policy, enter_all
from ._pacing import RateLimiter
from ._retries import Retry

__all__ = [
    "AttemptContext",
    "BreakerState",
    "Budget",
    "CircuitBreaker",
    "Leave",
    "Outcome",
    "Period",
    "Policy",
    "RateLimiter",
    "RateWindow",
    "Retry",
    "enter_all",
]
