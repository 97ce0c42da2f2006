"""The backend `deepvue`: face match (v1 or v2) and passive liveness of Deepvue.

Settings cover what Deepvue's pages leave open: the meaning of its numbers, and its charges.
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
    "LIVENESS_SCALE", "RATES", "SCALES", "ApiVersion", "DeepvueBackend", "ImageForm", "Meaning",
    "NoVerdict", "Plan", "Scale", "WalletBalance",
]  # fmt: skip
