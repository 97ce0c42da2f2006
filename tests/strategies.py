"""Hypothesis strategies for results, errors and arguments."""

import datetime as dt

from hypothesis import strategies as st

from facematch_core import (
    Advice,
    AgeDecision,
    AgeResult,
    Attempt,
    Billed,
    Box,
    Decision,
    Demographics,
    Environment,
    Face,
    FoundFace,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    ResultWarning,
    ScaleSource,
    Score,
    SearchDecision,
    SearchMode,
    SearchResult,
    Severity,
    Skipped,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core._rules import ends_early, together

percentages = st.floats(0, 100)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
optional_texts = st.none() | texts
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
scores = st.builds(Score, percentages, st.sampled_from(["fake/v1", "didit/face-match"]))
thresholds = st.builds(
    Threshold,
    percentages,
    st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST]),
    st.sampled_from(ThresholdSource),
) | st.builds(
    Threshold,
    st.none() | percentages,
    st.just(ThresholdRule.VENDOR),
    st.sampled_from(ThresholdSource),
)
warnings = st.builds(
    ResultWarning,
    code=st.sampled_from(WarningCode),
    severity=st.sampled_from(Severity),
    tag=optional_texts,
    text=optional_texts,
    advice=st.none() | st.sampled_from(Advice),
)
_edges = st.floats(-1e6, 1e6)
boxes = st.builds(
    Box,
    left=_edges,
    top=_edges,
    right=_edges,
    bottom=_edges,
    unit=st.sampled_from(["px", "ratio"]),
    of_width=st.none() | st.integers(1, 10**5),
    of_height=st.none() | st.integers(1, 10**5),
)
faces = st.builds(
    Face,
    box=st.none() | boxes,
    confidence=st.none() | st.floats(-10, 10),
    rotation=st.none() | st.sampled_from([0, 90, 180, 270]),
    demographics=st.none()
    | st.builds(
        Demographics, age=st.none() | st.floats(0, 120), gender=optional_texts, race=optional_texts
    ),
)
times = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))
_common = {
    "score": st.none() | scores,
    "raw_score": st.none() | st.floats(-1e6, 1e6),
    "raw_score_name": optional_texts,
    "scale_source": st.none() | st.sampled_from(ScaleSource),
    "threshold": st.none() | thresholds,
    "review_threshold": st.none() | thresholds,
    "warnings": st.lists(warnings, max_size=3).map(tuple),
    "backend": texts,
    "model": optional_texts,
    "vendor_status": optional_texts,
    "request_id": optional_texts,
    "session_id": optional_texts,
    "attempt_id": optional_texts,
    "caller_ref": optional_texts,
    "metadata": st.none() | json_objects,
    "created_at": st.none() | times,
    "elapsed_s": st.floats(0, 1e4),
    "billed": st.sampled_from(Billed),
    "billed_ground": optional_texts,
    "environment": st.sampled_from(Environment),
    "answered_by": optional_texts,
    "skipped": st.lists(
        st.builds(Skipped, backend=texts, reason=texts, message=texts), max_size=2
    ).map(tuple),
    "probe_faces": st.none() | st.lists(faces, max_size=2).map(tuple),
    "raw": json_objects,
}
match_results = st.builds(
    MatchResult,
    decision=st.sampled_from(Decision),
    reference_faces=st.none() | st.lists(faces, max_size=2).map(tuple),
    **_common,
)
liveness_results = st.builds(
    LivenessResult,
    decision=st.sampled_from(LivenessDecision),
    method=optional_texts,
    quality=st.none() | percentages,
    luminance=st.none() | percentages,
    **_common,
)
live_match_results = st.builds(
    lambda liveness, match: together(liveness, None if ends_early(liveness) else match),
    liveness_results,
    match_results,
)
found_faces = st.builds(
    FoundFace,
    score=st.none() | scores,
    session_id=optional_texts,
    session_number=st.none() | st.integers(0, 10**9),
    source=optional_texts,
    caller_ref=optional_texts,
    at=st.none() | times,
    vendor_status=optional_texts,
    is_blocklisted=st.none() | st.booleans(),
    is_allowlisted=st.none() | st.booleans(),
)
search_results = st.builds(
    SearchResult,
    decision=st.sampled_from(SearchDecision),
    mode=st.sampled_from(SearchMode),
    matches=st.lists(found_faces, max_size=3).map(tuple),
    **_common,
)
age_results = st.builds(
    AgeResult,
    decision=st.sampled_from(AgeDecision),
    age=st.none() | st.floats(0, 150),
    minimum_age=st.none() | thresholds,
    method=optional_texts,
    **_common,
)
attempts = st.builds(
    Attempt,
    id=texts,
    operation=st.sampled_from(Operation),
    backend=texts,
    started_at=times,
    kept=st.booleans(),
    caller_ref=optional_texts,
    threshold=st.none() | thresholds,
    review_threshold=st.none() | thresholds,
    minimum_age=st.none() | thresholds,
)
