"""Backend `deepvue`: Deepvue's face match (v1 or v2) and passive liveness.

Deepvue does not document the scale and meaning of its numbers, so they are settings.
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
