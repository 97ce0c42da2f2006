"""Results of every kind, with everything in them that the classes allow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from facematch_core import (
    Advice,
    Billing,
    Box,
    Charged,
    Decision,
    Demographics,
    Environment,
    Face,
    Ids,
    LiveMatchResult,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Route,
    ScaleSource,
    Score,
    Severity,
    Skipped,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.models import ends_early

from ._json import TEXTS, json_values

R = TypeVar("R")

PERCENTAGES = st.floats(0, 100)
# DTZ001: `timezones` gives it.
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001

_SOME_TEXT = st.none() | TEXTS
_EDGES = st.floats(-1e6, 1e6)
_OBJECTS = st.dictionaries(TEXTS, json_values(), max_size=3)
_FACES = st.builds(
    Face,
    box=st.none()
    | st.builds(
        Box,
        left=_EDGES,
        top=_EDGES,
        right=_EDGES,
        bottom=_EDGES,
        unit=st.sampled_from(["px", "ratio"]),
        of_width=st.none() | st.integers(1, 10**5),
        of_height=st.none() | st.integers(1, 10**5),
    ),
    confidence=st.none() | st.floats(-10, 10),
    rotation=st.none() | st.sampled_from([0, 90, 180, 270]),
    similarity=st.none() | st.builds(Score, PERCENTAGES, st.just("acme/v1")),
    compared=st.none() | st.booleans(),
    landmarks=st.none() | st.dictionaries(TEXTS, st.tuples(_EDGES, _EDGES), max_size=2),
    pose=st.none() | st.dictionaries(TEXTS, st.floats(-180, 180), max_size=2),
    quality=st.none() | st.dictionaries(TEXTS, st.floats(0, 100), max_size=2),
    demographics=st.none()
    | st.builds(
        Demographics, age=st.none() | st.floats(0, 120), gender=_SOME_TEXT, race=_SOME_TEXT
    ),
)
_SOME_FACES = st.none() | st.lists(_FACES, max_size=2).map(tuple)


def scores(scale: str | None = None) -> st.SearchStrategy[Score]:
    """Scores from 0 to 100.

    Args:
        scale: That of all of them; None for several scales, which do not compare.
    """
    scales = st.sampled_from(["acme/v1", "other/v2"]) if scale is None else st.just(scale)
    return st.builds(
        Score,
        PERCENTAGES,
        scales,
        raw=st.none() | st.floats(-1e6, 1e6),
        raw_name=_SOME_TEXT,
        source=st.none() | st.sampled_from(ScaleSource),
    )


def thresholds() -> st.SearchStrategy[Threshold]:
    """Thresholds of each rule and source; one of a vendor's own may have no value."""
    told = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
    sources = st.sampled_from(ThresholdSource)
    return st.builds(Threshold, PERCENTAGES, told, sources) | st.builds(
        Threshold, st.none() | PERCENTAGES, st.just(ThresholdRule.VENDOR), sources
    )


def warnings() -> st.SearchStrategy[ResultWarning]:
    """Warnings of each code, weight and advice."""
    return st.builds(
        ResultWarning,
        code=st.sampled_from(WarningCode),
        severity=st.sampled_from(Severity),
        tag=_SOME_TEXT,
        text=_SOME_TEXT,
        advice=st.none() | st.sampled_from(Advice),
    )


def match_results(**fields: object) -> st.SearchStrategy[MatchResult]:
    """Results of face matches: every combination that the class allows, likely or not.

    Args:
        **fields: Values, or strategies for them, of fields that are not left to chance
            (``decision=Decision.MATCH``).

    Raises:
        TypeError: there is no such field.
    """
    own = {"decision": st.sampled_from(Decision), "reference_faces": _SOME_FACES}
    return _built(MatchResult, own, fields)


def liveness_results(**fields: object) -> st.SearchStrategy[LivenessResult]:
    """Results of liveness checks; otherwise as `match_results`."""
    own = {
        "decision": st.sampled_from(LivenessDecision),
        "method": _SOME_TEXT,
        "quality": st.none() | PERCENTAGES,
        "luminance": st.none() | PERCENTAGES,
    }
    return _built(LivenessResult, own, fields)


def live_match_results() -> st.SearchStrategy[LiveMatchResult]:
    """Results of `verify_live`: a check, and a match where the check did not end it."""
    return st.builds(
        lambda liveness, match: LiveMatchResult.of(
            liveness, None if ends_early(liveness) else match
        ),
        liveness_results(),
        match_results(),
    )


def _common() -> dict[str, st.SearchStrategy[Any]]:
    """The fields that results of every kind have."""
    skipped = st.builds(Skipped, backend=TEXTS, reason=TEXTS, message=TEXTS)
    return {
        "score": st.none() | scores(),
        "threshold": st.none() | thresholds(),
        "review_threshold": st.none() | thresholds(),
        "warnings": st.lists(warnings(), max_size=3).map(tuple),
        "backend": TEXTS,
        "model": _SOME_TEXT,
        "vendor_status": _SOME_TEXT,
        "ids": st.builds(
            Ids, call=_SOME_TEXT, vendor=_SOME_TEXT, session=_SOME_TEXT, caller=_SOME_TEXT
        ),
        "metadata": st.none() | _OBJECTS,
        "created_at": st.none() | TIMES,
        "elapsed_s": st.floats(0, 1e4),
        "billing": st.builds(Billing, st.sampled_from(Charged), _SOME_TEXT),
        "environment": st.none() | st.sampled_from(Environment),
        "route": st.none()
        | st.builds(
            Route, answered_by=_SOME_TEXT, skipped=st.lists(skipped, max_size=2).map(tuple)
        ),
        "probe_faces": _SOME_FACES,
        "raw": _OBJECTS,
    }


def _built(
    kind: type[R], own: Mapping[str, st.SearchStrategy[Any]], fields: Mapping[str, object]
) -> st.SearchStrategy[R]:
    names = {field.name for field in attrs.fields(kind)}  # type: ignore[arg-type]  # an attrs class
    for name in fields:
        if name not in names:
            raise TypeError(f"A {kind.__name__} has no field {name!r}.")
    given = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in fields.items()
    }
    return st.builds(kind, **{**_common(), **own, **given})
