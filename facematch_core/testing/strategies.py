"""Hypothesis strategies for plug-in authors and for programs that read results.

::

    from hypothesis import given
    from facematch_core.testing.strategies import bodies, images, mutated

    @given(images(limits=ACME_LIMITS))
    def test_any_picture_is_sent(picture): ...

It needs hypothesis: ``pip install "facematch-core[testing]"``. The rest of
`facematch_core.testing` does not.
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis  # noqa: F401 - only to say what is missing
except ModuleNotFoundError as missing:
    if missing.name != "hypothesis":
        raise
    raise ImportError(
        "facematch_core.testing.strategies needs hypothesis: install it with "
        '`pip install "facematch-core[testing]"`.'
    ) from None

from ._strategies._images import images
from ._strategies._json import json_values, mutated
from ._strategies._results import (
    live_match_results,
    liveness_results,
    match_results,
    scores,
    thresholds,
    warnings,
)
from ._strategies._schema import bodies

__all__ = [
    "bodies",
    "images",
    "json_values",
    "live_match_results",
    "liveness_results",
    "match_results",
    "mutated",
    "scores",
    "thresholds",
    "warnings",
]
