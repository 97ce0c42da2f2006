"""Ground truth: vendors that are made up, with error rates that are known.

Scores are made for whole studies as arrays (`simulate`), or one pair at a time by the backend
``simulated``, which any program can ask. Nothing here looks at a face.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import SimulatedBackend
    from .studies import SimulatedStudy, Truth, simulate, simulate_study, truth_of
    from .vendors import GroupRates, SimulatedVendor

__all__ = [
    "GroupRates",
    "SimulatedBackend",
    "SimulatedStudy",
    "SimulatedVendor",
    "Truth",
    "simulate",
    "simulate_study",
    "truth_of",
]

#: Where each public name lives. It is imported when it is first used: the backend needs no numpy.
_HOMES = {
    "GroupRates": "vendors",
    "SimulatedBackend": "backend",
    "SimulatedStudy": "studies",
    "SimulatedVendor": "vendors",
    "Truth": "studies",
    "simulate": "studies",
    "simulate_study": "studies",
    "truth_of": "studies",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
