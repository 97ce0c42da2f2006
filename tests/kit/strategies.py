"""Hypothesis strategies for results, calls, JSON, and documents in which one thing is wrong."""

import datetime as dt

from hypothesis import strategies as st

from facematch_core import CallRecord, Operation, Retention, models

# --- JSON: any value, and documents with one thing wrong ------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)


def json_of(numbers):
    return st.recursive(
        st.none() | st.booleans() | numbers | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    )


#: Other integers are rounded by programs that read doubles.
json_values = json_of(st.integers(-(2**53), 2**53) | finite)
json_objects = st.dictionaries(TEXTS, json_values, max_size=3)


# --- Results, with everything in them that the classes allow --------------------------------------

percentages = st.floats(0, 100)
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))

_SOME_TEXT = st.none() | TEXTS
_EDGES = st.floats(-1e6, 1e6)
_SOURCES = st.sampled_from(models.ThresholdSource)

#: With a value for every rule; one of a vendor's own may have none.
thresholds = st.builds(
    models.Threshold, percentages, st.sampled_from(models.ThresholdRule), _SOURCES
) | st.builds(models.Threshold, st.none(), source=_SOURCES)

_BOXES = st.builds(
    models.Box,
    **dict.fromkeys(("left", "top", "right", "bottom"), _EDGES),
    **dict.fromkeys(("of_width", "of_height"), st.none() | st.integers(1, 10**5)),
    unit=st.sampled_from(["px", "ratio"]),
)
_FACES = st.builds(
    models.Face,
    box=st.none() | _BOXES,
    confidence=st.none() | st.floats(-10, 10),
    rotation=st.none() | st.sampled_from([0, 90, 180, 270]),
    similarity=st.none() | st.builds(models.Score, percentages, st.just("acme/v1")),
    compared=st.none() | st.booleans(),
    quality=st.none() | st.dictionaries(TEXTS, st.floats(0, 100), max_size=2),
)
_SOME_FACES = st.none() | st.lists(_FACES, max_size=2).map(tuple)
_SCORES = st.builds(
    models.Score,
    percentages,
    st.sampled_from(["acme/v1", "other/v2"]),
    raw=st.none() | _EDGES,
    raw_name=_SOME_TEXT,
    source=st.none() | st.sampled_from(models.ScaleSource),
)
_WARNINGS = st.builds(
    models.ResultWarning,
    code=st.sampled_from(models.WarningCode),
    severity=st.sampled_from(models.Severity),
    tag=_SOME_TEXT,
    text=_SOME_TEXT,
    advice=st.none() | st.sampled_from(models.Advice),
)
_BILLINGS = st.builds(models.Billing, st.sampled_from(models.Charged), _SOME_TEXT)
_SKIPPED = st.builds(models.Skipped, backend=TEXTS, reason=TEXTS, message=TEXTS)
_ROUTES = st.builds(
    models.Route, answered_by=_SOME_TEXT, skipped=st.lists(_SKIPPED, max_size=2).map(tuple)
)

_IDS = ("call", "vendor", "session", "caller")
#: The fields of every result.
_COMMON = {
    "score": st.none() | _SCORES,
    "threshold": st.none() | thresholds,
    "review_threshold": st.none() | thresholds,
    "warnings": st.lists(_WARNINGS, max_size=3).map(tuple),
    "backend": TEXTS,
    "model": _SOME_TEXT,
    "vendor_status": _SOME_TEXT,
    "ids": st.builds(models.Ids, **dict.fromkeys(_IDS, _SOME_TEXT)),
    "metadata": st.none() | json_objects,
    "created_at": st.none() | TIMES,
    "elapsed_s": st.floats(0, 1e4),
    "billing": _BILLINGS,
    "environment": st.none() | st.sampled_from(models.Environment),
    "route": st.none() | _ROUTES,
    "probe_faces": _SOME_FACES,
    "raw": json_objects,
}


match_results = st.builds(
    models.MatchResult,
    decision=st.sampled_from(models.Decision),
    reference_faces=_SOME_FACES,
    **_COMMON,
)
liveness_results = st.builds(
    models.LivenessResult,
    decision=st.sampled_from(models.LivenessDecision),
    method=_SOME_TEXT,
    quality=st.none() | percentages,
    luminance=st.none() | percentages,
    **_COMMON,
)
attempts = st.builds(
    CallRecord,
    id=TEXTS,
    operation=st.sampled_from(Operation),
    backend=TEXTS,
    started_at=TIMES,
    retention=st.sampled_from(Retention),
    caller_ref=st.none() | TEXTS,
    threshold=st.none() | thresholds,
    review_threshold=st.none() | thresholds,
)
