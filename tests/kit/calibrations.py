"""A calibration, with whatever a test changes."""

import datetime as dt

from kit.fakes import SCALE

from facematch_core import Calibration, CalibrationPoint, Environment, ThresholdRule

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


def point(max_fmr=1e-3, threshold=60.0, **more):
    fields = {"errors": 3, "trials": 4000, "upper": 2e-3, **more}
    return CalibrationPoint(max_fmr=max_fmr, threshold=threshold, **fields)


def calibration(*points, **more):
    fields = {
        "backend": "fake",
        "scale": SCALE,
        "rule": ThresholdRule.AT_LEAST,
        "environment": Environment.PRODUCTION,
        "study": "people",
        "chosen_on": "all pairs",
        "confidence": 0.95,
        "made_at": NOW,
        **more,
    }
    return Calibration(points=points or (point(), point(1e-4, 75.0)), **fields)
