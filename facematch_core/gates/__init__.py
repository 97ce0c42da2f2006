"""Gates: what stands before the calls of one verifier."""

from ._gate import Ending, Gate, Leave, Passage
from ._retries import Retries

__all__ = ["Ending", "Gate", "Leave", "Passage", "Retries"]
