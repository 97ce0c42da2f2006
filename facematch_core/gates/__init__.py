"""Gates: what stands before the calls of one verifier."""

from facematch_core._rates import RateWindow
from facematch_core.store._records import Period

from ._breaker import Breaker, BreakerState
from ._budget import Budget
from ._gate import Ending, Gate, Leave, Passage
from ._pacing import Pacing
from ._retries import Retries

__all__ = [
    "Breaker",
    "BreakerState",
    "Budget",
    "Ending",
    "Gate",
    "Leave",
    "Pacing",
    "Passage",
    "Period",
    "RateWindow",
    "Retries",
]
