"""Budgets, circuit breakers, rate limiters and retries for a verifier's calls."""

from facematch_core.base.deadline import RateWindow
from facematch_core.call.attempt import Attempt, Leave, Outcome, Policy
from facematch_core.call.retry import Retry
from facematch_core.store import Period

from .budget import Budget
from .circuit_breaker import BreakerState, CircuitBreaker
from .rate_limiter import RateLimiter

__all__ = [
    "Attempt",
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
]
