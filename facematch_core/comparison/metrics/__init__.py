"""The statistics of a comparison: pure functions on arrays, each with its definition and source."""

from ._binomial import exact_interval, exact_upper, trials_for
from ._bootstrap import Scored, bootstrap_fnmr_at_fmr, draw
from ._clusters import Design, bounds, design_of, interval, upper_bound, worth_of
from ._det import DetCurve, det_curve, eer
from ._paired import McNemar, holm, mcnemar, paired_difference, with_spread
from ._rates import Rates, RatesAt, rates_at
from ._sharing import Sharing
from ._table import DECISIONS, NO_DECISION, Grouping, ScoreTable
from ._thresholds import ThresholdChoice, spread_of_frr, threshold_for_fmr
from ._values import Interval, Method, Rate

__all__ = [
    "DECISIONS",
    "NO_DECISION",
    "Design",
    "DetCurve",
    "Grouping",
    "Interval",
    "McNemar",
    "Method",
    "Rate",
    "Rates",
    "RatesAt",
    "ScoreTable",
    "Scored",
    "Sharing",
    "ThresholdChoice",
    "bootstrap_fnmr_at_fmr",
    "bounds",
    "design_of",
    "det_curve",
    "draw",
    "eer",
    "exact_interval",
    "exact_upper",
    "holm",
    "interval",
    "mcnemar",
    "paired_difference",
    "rates_at",
    "spread_of_frr",
    "threshold_for_fmr",
    "trials_for",
    "upper_bound",
    "with_spread",
    "worth_of",
]
