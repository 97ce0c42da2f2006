"""The statistics of a comparison: pure functions on arrays, each with its definition and source."""

from .bootstrap import (
    Draws,
    RedrawnErrors,
    RedrawnThreshold,
    bootstrap_p_value,
    percentile_interval,
    person_draws,
)
from .compare import (
    McNemar,
    Side,
    difference,
    finish_differences,
    holm,
    mcnemar,
    paired_difference,
    resamples_for,
)
from .cost import cost_difference, expected_cost, latency_percentiles
from .det import DetCurve, curve_of, det_curve, eer, histogram_of
from .groups import cells_of, finish_group_differences, group_differences
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
from .rates import Rates, RatesAt, concentration, rates_at
from .threshold import ThresholdChoice, threshold_for_fmr

__all__ = [
    "Clusters",
    "DetCurve",
    "Draws",
    "McNemar",
    "Rates",
    "RatesAt",
    "RedrawnErrors",
    "RedrawnThreshold",
    "Side",
    "ThresholdChoice",
    "allowed_errors",
    "at_chosen_threshold",
    "bootstrap_p_value",
    "bounds",
    "cells_of",
    "concentration",
    "cost_difference",
    "curve_of",
    "det_curve",
    "difference",
    "eer",
    "effective_size",
    "exact_interval",
    "exact_upper",
    "expected_cost",
    "finish_differences",
    "finish_group_differences",
    "group_differences",
    "histogram_of",
    "holm",
    "interval",
    "latency_percentiles",
    "mcnemar",
    "paired_difference",
    "percentile_interval",
    "person_draws",
    "rates_at",
    "resamples_for",
    "threshold_for_fmr",
    "trials_for",
]
