"""The backend `deepvue`: face match (v1 or v2) and passive liveness of Deepvue.

What Deepvue's pages leave open (what its numbers mean, what it charges for) is a setting or stays
None, and is never guessed.
"""

from typing import TYPE_CHECKING

from facematch_core.lazy import lazy_names

if TYPE_CHECKING:
    from ._backend import DeepvueBackend
    from ._errors import NoVerdict
    from ._line import WalletBalance
    from ._words import (
        LIVENESS_SCALE,
        RATES,
        SCALES,
        ApiVersion,
        ImageForm,
        Meaning,
        Plan,
        Scale,
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

#: Where each public name lives. A name is imported when it is first used.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "_backend": "DeepvueBackend",
        "_errors": "NoVerdict",
        "_line": "WalletBalance",
        "_words": "LIVENESS_SCALE RATES SCALES ApiVersion ImageForm Meaning Plan Scale",
    },
)
