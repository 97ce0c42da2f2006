"""Hypothesis strategies for plug-in authors and for programs that read results.

It needs hypothesis: ``pip install -e ".[testing]"`` in the checkout. The rest of
`facematch_core.testing` does not.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
from typing import Any

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as missing:
    if missing.name != "hypothesis":
        raise
    raise ImportError(
        "facematch_core.testing.strategies needs hypothesis: install it with "
        '`pip install -e ".[testing]"` in the checkout.'
    ) from None

from facematch_core import Image, models
from facematch_core.backend import ImageLimits

from .bodies import places, replaced
from .pictures import WRITABLE, drawn

__all__ = [
    "images",
    "json_values",
    "live_match_results",
    "liveness_results",
    "match_results",
    "mutated",
]

# --- Pictures of nobody: small, valid, of the kinds that a vendor takes ---------------------------


def images(limits: ImageLimits | None = None) -> st.SearchStrategy[Image]:
    """Valid pictures of noise or of one colour, which show nobody; one takes about a millisecond.

    Args:
        limits: What a vendor takes: every picture lies within it, and is sent as it is, apart from
            kinds of file whose metadata goes only by encoding anew (TIFF). None for those that
            nearly every vendor takes.

    Raises:
        ValueError: no such picture can be made.
    """
    limits = limits or ImageLimits()
    least, most_bytes = limits.min_side_px, limits.max_bytes or math.inf
    longest = max(least, 64, math.isqrt(limits.min_bytes))
    longest = min(longest, limits.max_side_px or longest)
    area = limits.max_pixels or longest * longest

    def fits(image: Image) -> bool:
        return limits.min_bytes <= image.size_bytes <= most_bytes

    # Of each kind one that fits, for where what is drawn does not.
    usual = {}
    for kind in limits.formats.intersection(WRITABLE):
        sizes = ((side, side) for side in (least, min(longest, math.isqrt(area))))
        tries = (drawn(size, kind, seed=seed) for size in sizes for seed in (None, 0))
        if (image := next(filter(fits, tries), None)) is not None:
            usual[kind] = image
    if not usual:
        raise ValueError(
            f"No such picture can be made: images() writes {', '.join(WRITABLE)} of up to "
            f"{longest} pixels a side, and none of these fits the limits."
        )

    @st.composite
    def one(draw: st.DrawFn) -> Image:
        kind = draw(st.sampled_from(sorted(usual)))
        width = draw(st.integers(least, min(longest, area // least)))
        height = draw(st.integers(least, min(longest, area // width)))
        image = drawn((width, height), kind, seed=draw(st.none() | st.integers(0, 2**32 - 1)))
        return image if fits(image) else usual[kind]

    return one()


# --- JSON: any value, and documents with one thing wrong ------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@functools.cache
def json_values() -> st.SearchStrategy[Any]:
    """Any JSON value, small: null, true, numbers, texts, arrays and objects of them."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)  # others are rounded by programs that read doubles
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    )


def mutated(body: Any) -> st.SearchStrategy[Any]:
    """Documents that differ from `body` in one place, as a vendor may get it wrong one day.

    A name is missing or new, a value is null, empty, of another type, beyond its range, doubled or
    wrapped; the rest is as it was. What is to be seen then: the call ends in a result that keeps
    its promises, or in one error.

    Args:
        body: A JSON document, or a strategy for them.

    Returns:
        Documents with another JSON text than `body`. None is the object that was given, though
        they may share parts of it: do not change them.

    Raises:
        TypeError: it is no JSON document.
    """
    if isinstance(body, st.SearchStrategy):
        return body.flatmap(mutated)
    try:
        text = json.dumps(body, sort_keys=True)
    except (TypeError, ValueError):
        raise TypeError(
            f"mutated() takes a JSON document or a strategy for them, not {type(body).__name__}"
            " with something in it that JSON does not have."
        ) from None
    return (
        st.sampled_from([((), body), *places(body)])
        .flatmap(lambda at: _wrong(at[1]).map(lambda new: replaced(body, at[0], new)))
        .filter(lambda document: json.dumps(document, sort_keys=True) != text)
    )


def _wrong(value: Any) -> st.SearchStrategy[Any]:
    """What may be where `value` should."""
    wrong: list[Any] = [None, True, False, 0, 1, -1, "", [], {}, [value], {"value": value}]
    match value:
        case bool():
            wrong += [not value, int(value), str(value), str(value).lower()]
        case int() | float():
            wrong += [value + 1, value - 1, -value, value * 100, value / 100]
            wrong += [-0.01, 100.01, 2**70, 10**400, -1e300, str(value), f"{value}%"]
        case str():
            wrong += [value + " ", value.upper(), value.lower(), value.title()]
            wrong += [value * 2, value[:-1], "null"]
        case list():
            wrong += [value[:at] + value[at + 1 :] for at in range(len(value))]
            wrong += [value * 2, [*value, None], value[::-1]]
        case dict():
            wrong += [{key: kept for key, kept in value.items() if key != gone} for gone in value]
            wrong += [{key.upper(): kept for key, kept in value.items()}, {**value, "unknown": 1}]
            wrong += [[*value.values()], [*value]]
    return st.sampled_from(wrong) | json_values()


# --- Results, with everything in them that the classes allow --------------------------------------

PERCENTAGES = st.floats(0, 100)
TIMES = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 - `timezones` gives it

_SOME_TEXT = st.none() | TEXTS
_EDGES = st.floats(-1e6, 1e6)
_OBJECTS = st.dictionaries(TEXTS, json_values(), max_size=3)
_SOURCES = st.sampled_from(models.ThresholdSource)

#: With a value for every rule; one of a vendor's own may have none.
THRESHOLDS = st.builds(
    models.Threshold, PERCENTAGES, st.sampled_from(models.ThresholdRule), _SOURCES
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
    similarity=st.none() | st.builds(models.Score, PERCENTAGES, st.just("acme/v1")),
    compared=st.none() | st.booleans(),
    landmarks=st.none() | st.dictionaries(TEXTS, st.tuples(_EDGES, _EDGES), max_size=2),
    pose=st.none() | st.dictionaries(TEXTS, st.floats(-180, 180), max_size=2),
    quality=st.none() | st.dictionaries(TEXTS, st.floats(0, 100), max_size=2),
    demographics=st.none()
    | st.builds(
        models.Demographics, age=st.none() | st.floats(0, 120), gender=_SOME_TEXT, race=_SOME_TEXT
    ),
)
_SOME_FACES = st.none() | st.lists(_FACES, max_size=2).map(tuple)
_SCORES = st.builds(
    models.Score,
    PERCENTAGES,
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
_FAILED_ATTEMPTS = st.builds(
    models.FailedAttempt,
    backend=TEXTS,
    error=TEXTS,
    billing=_BILLINGS,
    status_code=st.none() | st.integers(100, 599),
)
_SKIPPED = st.builds(models.Skipped, backend=TEXTS, reason=TEXTS, message=TEXTS)
_ROUTES = st.builds(
    models.Route, answered_by=_SOME_TEXT, skipped=st.lists(_SKIPPED, max_size=2).map(tuple)
)

#: The fields of every result.
_COMMON: dict[str, object] = {
    "score": st.none() | _SCORES,
    "threshold": st.none() | THRESHOLDS,
    "review_threshold": st.none() | THRESHOLDS,
    "warnings": st.lists(_WARNINGS, max_size=3).map(tuple),
    "backend": TEXTS,
    "model": _SOME_TEXT,
    "vendor_status": _SOME_TEXT,
    "ids": st.builds(
        models.Ids, **dict.fromkeys(("call", "vendor", "session", "caller"), _SOME_TEXT)
    ),
    "metadata": st.none() | _OBJECTS,
    "created_at": st.none() | TIMES,
    "elapsed_s": st.floats(0, 1e4),
    "billing": _BILLINGS,
    "environment": st.none() | st.sampled_from(models.Environment),
    "route": st.none() | _ROUTES,
    "failed_attempts": st.lists(_FAILED_ATTEMPTS, max_size=2).map(tuple),
    "probe_faces": _SOME_FACES,
    "raw": _OBJECTS,
}


def match_results(**fields: object) -> st.SearchStrategy[models.MatchResult]:
    """Results of face matches: every combination that the class allows, likely or not.

    Args:
        **fields: Values, or strategies for them, of fields that are not left to chance
            (``decision=Decision.MATCH``).
    """
    own = {"decision": st.sampled_from(models.Decision), "reference_faces": _SOME_FACES}
    return _built(models.MatchResult, own | fields)


def liveness_results(**fields: object) -> st.SearchStrategy[models.LivenessResult]:
    """Results of liveness checks; otherwise as `match_results`."""
    own = {
        "decision": st.sampled_from(models.LivenessDecision),
        "method": _SOME_TEXT,
        "quality": st.none() | PERCENTAGES,
        "luminance": st.none() | PERCENTAGES,
    }
    return _built(models.LivenessResult, own | fields)


def live_match_results() -> st.SearchStrategy[models.LiveMatchResult]:
    """Results of `verify_live`: a check, and a match where the check did not end it."""
    return st.builds(
        lambda liveness, match: models.LiveMatchResult.of(
            liveness, None if models.ends_early(liveness) else match
        ),
        liveness_results(),
        match_results(),
    )


def _built(kind: type, fields: dict[str, object]) -> st.SearchStrategy[Any]:
    given = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in (_COMMON | fields).items()
    }
    return st.builds(kind, **given)
