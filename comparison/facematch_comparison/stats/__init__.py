"""The statistics of a comparison: pure functions on arrays, each with its definition and source."""

from .compare import (
    Side,
    difference,
    finish_differences,
    holm,
    mcnemar,
    paired_difference,
    resamples_for,
)
from .cost import cost_difference, expected_cost, latency_percentiles
from .det import curve_of, det_curve, separation
from .groups import cells_of, cross_groups, finish_group_differences, group_differences
from .intervals import (
    Clusters,
    allowed_errors,
    at_chosen_threshold,
    bounds,
    effective_size,
    exact_interval,
    exact_upper,
    interval,
    trials_for,
)
from .rates import Rates, rates_at
from .threshold import concentration, threshold_for_fmr

__all__ = [
    "Clusters",
    "Rates",
    "Side",
    "allowed_errors",
    "at_chosen_threshold",
    "bounds",
    "cells_of",
    "concentration",
    "cost_difference",
    "cross_groups",
    "curve_of",
    "det_curve",
    "difference",
    "effective_size",
    "exact_interval",
    "exact_upper",
    "expected_cost",
    "finish_differences",
    "finish_group_differences",
    "group_differences",
    "holm",
    "interval",
    "latency_percentiles",
    "mcnemar",
    "paired_difference",
    "rates_at",
    "resamples_for",
    "separation",
    "threshold_for_fmr",
    "trials_for",
]
