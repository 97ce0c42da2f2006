"""The backend `deepvue`: face match (v1 or v2) and passive liveness of Deepvue.

What Deepvue's pages leave open (what its numbers mean, what it charges for) is a setting or stays
None, and is never guessed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._backend import DeepvueBackend
    from ._errors import NoVerdict
    from ._wallet import WalletBalance
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
_HOMES = {
    name: module
    for module, names in {
        "_backend": "DeepvueBackend",
        "_errors": "NoVerdict",
        "_wallet": "WalletBalance",
        "_words": "LIVENESS_SCALE RATES SCALES ApiVersion ImageForm Meaning Plan Scale",
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
