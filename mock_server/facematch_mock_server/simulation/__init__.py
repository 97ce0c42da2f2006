"""Ground truth: vendors that are made up, with error rates that are known.

Scores are made for whole studies as arrays (`simulate`), or one pair at a time by the backend
``simulated``, which any program can ask. Nothing here looks at a face.
"""

from typing import TYPE_CHECKING

from facematch_core.lazy import lazy_names

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
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "SimulatedBackend",
        "studies": "SimulatedStudy Truth simulate simulate_study truth_of",
        "vendors": "GroupRates SimulatedVendor",
    },
)
