"""The backend `deepvue`: face match (v1 or v2) and passive liveness of Deepvue.

What Deepvue's pages leave open (what its numbers mean, what it charges for) is a setting or stays
None, and is never guessed.
"""

from .backend import DeepvueBackend
from .wire import (
    LIVENESS_SCALE,
    RATES,
    SCALES,
    ApiVersion,
    ImageForm,
    Meaning,
    NoVerdict,
    Plan,
    Scale,
    WalletBalance,
)

__all__ = [
    "LIVENESS_SCALE",
    "RATES",
    "SCALES",
    "ApiVersion",
    "DeepvueBackend",
    "ImageForm",
    "Meaning",
    "NoVerdict",
    "Plan",
    "Scale",
    "WalletBalance",
]
