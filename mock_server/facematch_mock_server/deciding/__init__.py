"""What a mock vendor sees in pictures: outcomes set by the test, cards, real scores, or bytes."""

from ._deciding import Deciding
from ._outcomes import UNSET, SetOutcome

__all__ = ["UNSET", "Deciding", "SetOutcome"]
