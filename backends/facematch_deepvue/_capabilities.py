"""What the backend declares, by its settings."""

from __future__ import annotations

from facematch_core import Operation, ThresholdRule
from facematch_core.backend import Capabilities, ImageFormat, ImageLimits

from ._words import LIVENESS_SCALE, RATES, SCALES, ApiVersion, Plan

#: No page tells a largest file. 5 MiB is an assumption of ours.
ASSUMED_MAX_BYTES = 5 * 1024 * 1024

_BOTH = frozenset({Operation.MATCH, Operation.LIVENESS})


def can(
    *, version: ApiVersion, max_file_bytes: int, scaled: bool, live_scaled: bool, plan: Plan
) -> Capabilities:
    """What can be asked with these settings.

    Args:
        version: Which face match.
        max_file_bytes: Largest file.
        scaled, live_scaled: Whether a face match, a liveness check, has scores.
        plan: What is booked.
    """
    return Capabilities(
        operations=_BOTH,
        threshold_rule=ThresholdRule.AT_LEAST,
        score_scale=SCALES[version] if scaled else None,
        liveness_scale=LIVENESS_SCALE if live_scaled else None,
        # Of v1 these two are documented, of v2 "images"; PDF, which v2 takes, is not offered.
        image_limits=ImageLimits(
            formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
            max_bytes=max_file_bytes,
            max_bytes_from="max_file_bytes, an assumption: Deepvue documents no limit",
        ),
        billed_operations=_BOTH,
        rate_windows=RATES[plan],
    )
