"""Ground truth: vendors that are made up, with error rates that are known.

Scores are made for whole studies as arrays (`simulate`), or one pair at a time by the backend
``simulated``, which any program can ask. Nothing here looks at a face.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._arrays import Truth, simulate, truth_of
    from ._backend import SimulatedBackend
    from ._study import SimulatedStudy, simulate_study
    from ._vendor import GroupRates, SimulatedVendor

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
    "GroupRates": "_vendor",
    "SimulatedBackend": "_backend",
    "SimulatedStudy": "_study",
    "SimulatedVendor": "_vendor",
    "Truth": "_arrays",
    "simulate": "_arrays",
    "simulate_study": "_study",
    "truth_of": "_arrays",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
