"""The statistics of a comparison: pure functions on arrays, with their definitions and sources."""

from .compare import Paired, compare_systems, holm, interval_of_differences
from .groups import cells_of, cross_group_cells, group_differences
from .rates import (
    Clusters,
    Rates,
    Side,
    at_chosen_threshold,
    bounds,
    interval,
    interval_from_sums,
    trials_allowing,
    trials_for,
)
from .sums import Term, weighted_sum
from .threshold import (
    COMMON_FMRS,
    ENOUGH_FALSE_MATCHES,
    SHOWN_FMRS,
    comparable_fmr,
    concentration,
    curve_of,
    strictest_fmr,
    threshold_for_fmr,
    threshold_from_counts,
    why_not_comparable,
    why_unseen,
)

__all__ = [
    "COMMON_FMRS",
    "ENOUGH_FALSE_MATCHES",
    "SHOWN_FMRS",
    "Clusters",
    "Paired",
    "Rates",
    "Side",
    "Term",
    "at_chosen_threshold",
    "bounds",
    "cells_of",
    "comparable_fmr",
    "compare_systems",
    "concentration",
    "cross_group_cells",
    "curve_of",
    "group_differences",
    "holm",
    "interval",
    "interval_from_sums",
    "interval_of_differences",
    "strictest_fmr",
    "threshold_for_fmr",
    "threshold_from_counts",
    "trials_allowing",
    "trials_for",
    "weighted_sum",
    "why_not_comparable",
    "why_unseen",
]
