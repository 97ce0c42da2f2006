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

import base64
import datetime as dt
import functools
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as missing:
    if missing.name != "hypothesis":
        raise
    raise ImportError(
        "facematch_core.testing.strategies needs hypothesis: install it with "
        '`pip install "facematch-core[testing]"`.'
    ) from None

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
    Image,
    ImageFormat,
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
from facematch_core.backend import ImageLimits
from facematch_core.models import ends_early

from .pictures import WRITABLE, drawn

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

#: Kinds of file that can carry EXIF.
_WITH_EXIF = (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF)

#: Tags of EXIF.
_DESCRIPTION, _ORIENTATION, _COMMENT, _EXIF = 0x010E, 0x0112, 0x9286, 0x8769

# --- Pictures of nobody: small, valid, of the kinds that a vendor takes ---------------------------


def images(
    limits: ImageLimits | None = None,
    *,
    formats: Collection[ImageFormat] | None = None,
    most_side_px: int = 64,
    orientations: Collection[int] = (1,),
    hidden: str | None = None,
) -> st.SearchStrategy[Image]:
    """Valid pictures of noise or of one colour, which show nobody; one takes about a millisecond.

    Args:
        limits: What a vendor takes: every picture lies within it, and is sent as it is, apart from
            kinds of file whose metadata goes only by encoding anew (TIFF). None for those that
            nearly every vendor takes.
        formats: Kinds of file; None for all in `limits`.
        most_side_px: Most pixels of the longer side, unless `limits` want more.
        orientations: EXIF orientations (1-8) to be had. With another one than 1 the pixels are
            to be turned, and such a picture is of a kind that can say so.
        hidden: A text to hide in the metadata, at least 1 character; nobody but the caller may ever
            see it.

    Raises:
        ValueError: no such picture can be made.
    """
    if limits is None:
        limits = ImageLimits() if formats is None else ImageLimits(formats=frozenset(formats))
    turns = sorted(orientations)
    if not turns or not set(turns) <= set(range(1, 9)):
        raise ValueError("orientations must be numbers from 1 to 8, at least one of them.")
    able = WRITABLE if hidden is None and turns == [1] else _WITH_EXIF
    wanted = limits.formats if formats is None else limits.formats & set(formats)
    exif = {turn: _exif(turn, hidden) for turn in turns}
    least = limits.min_side_px
    kinds = [
        kind
        for kind in able
        if kind in wanted
        and all(_fits(limits, _encoded(kind, (least, least), None, one)) for one in exif.values())
    ]
    if not kinds:
        raise ValueError(
            f"No such picture can be made: of {', '.join(sorted(wanted)) or 'no kind'}, images() "
            f"writes {', '.join(able)}, and none of {least} pixels a side fits the limits."
        )
    return _images(limits, kinds, max(least, most_side_px), exif)


@st.composite
def _images(
    draw: st.DrawFn,
    limits: ImageLimits,
    kinds: list[ImageFormat],
    most: int,
    exif: dict[int, bytes | None],
) -> Image:
    kind = draw(st.sampled_from(kinds))
    least = limits.min_side_px
    room = most * most if limits.max_pixels is None else limits.max_pixels
    width = draw(st.integers(least, min(most, room // least)))
    height = draw(st.integers(least, min(most, room // width)))
    metadata = exif[draw(st.sampled_from(sorted(exif)))]
    seed = draw(st.none() | st.integers(0, 2**32 - 1))
    # The last one fits: `images` has tried it.
    tries = (((width, height), seed), ((width, height), None), ((least, least), None))
    files = (_encoded(kind, size, noise, metadata) for size, noise in tries)
    return next(image for image in files if _fits(limits, image))


def _fits(limits: ImageLimits, image: Image) -> bool:
    return limits.max_bytes is None or image.size_bytes <= limits.max_bytes


def _encoded(
    kind: ImageFormat, size: tuple[int, int], seed: int | None, exif: bytes | None
) -> Image:
    return drawn(size, kind, seed=seed, **({} if exif is None else {"exif": exif}))


def _exif(orientation: int, hidden: str | None) -> bytes | None:
    if orientation == 1 and hidden is None:
        return None
    from PIL import Image as Pillow

    block = Pillow.Exif()
    block[_ORIENTATION] = orientation
    if hidden is not None:
        block[_DESCRIPTION] = hidden
        block.get_ifd(_EXIF)[_COMMENT] = hidden.encode()
    return block.tobytes()


# --- JSON: any value, and documents with one thing wrong ------------------------------------------

#: Whole numbers beyond these are others in programs that read JSON numbers as doubles.
EXACT = 2**53

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)

#: The way to a value: names and numbers of what is around it, from the outside.
Path = tuple[str | int, ...]


@functools.cache
def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any JSON value, small: null, true, numbers, texts, arrays and objects of them.

    Args:
        max_leaves: Most values in one document, about.
    """
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-EXACT, EXACT)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=max_leaves,
    )


def mutated(body: Any) -> st.SearchStrategy[Any]:
    """Documents that differ from `body` in one place, as a vendor may get it wrong one day.

    A name is missing or new, a value is null, empty, of another type, beyond its range, doubled or
    wrapped; the rest is as it was. What is to be seen then: the call ends in a result that keeps
    its promises, or in one error::

        @given(mutated(ANSWER))
        def test_any_answer_is_a_result_or_one_error(body): ...

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
    text = _text(body)
    return (
        st.sampled_from([*_places(body)])
        .flatmap(lambda way: _wrong(way[1]).map(lambda new: _replaced(body, way[0], new)))
        .filter(lambda changed: _text(changed) != text)
    )


def _text(body: Any) -> str:
    try:
        return json.dumps(body, sort_keys=True)
    except (TypeError, ValueError):
        raise TypeError(
            f"mutated() takes a JSON document or a strategy for them, not {type(body).__name__}"
            " with something in it that JSON does not have."
        ) from None


def _places(document: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The way to every value, and the value."""
    yield path, document
    for key, value in _inside(document):
        yield from _places(value, (*path, key))


def _inside(document: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(document, dict):
        return document.items()
    return enumerate(document) if isinstance(document, list) else ()


def _replaced(document: Any, path: Path, value: Any) -> Any:
    """A copy with `value` at the end of `path`."""
    if not path:
        return value
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _replaced(document[path[0]], path[1:], value)
    return copy


def _wrong(value: Any) -> st.SearchStrategy[Any]:
    """What may be where `value` should."""
    anything = st.sampled_from([None, True, False, 0, 1, -1, "", [], {}, [value], {"value": value}])
    own = [_WRONG[type(value)](value)] if type(value) in _WRONG else []
    return st.one_of(anything, json_values(), *own)


def _wrong_number(value: float) -> st.SearchStrategy[Any]:
    near = [value + 1, value - 1, -value, value * 100, value / 100]
    return st.sampled_from([*near, -0.01, 100.01, 2**70, 10**400, -1e300, str(value), f"{value}%"])


def _wrong_text(value: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(
        [value + " ", value.upper(), value.lower(), value.title(), value * 2, value[:-1], "null"]
    )


def _wrong_list(value: list[Any]) -> st.SearchStrategy[Any]:
    missing = [value[:at] + value[at + 1 :] for at in range(len(value))]
    return st.sampled_from([*missing, value * 2, [*value, None], value[::-1]])


def _wrong_object(value: dict[str, Any]) -> st.SearchStrategy[Any]:
    missing = [{key: kept for key, kept in value.items() if key != gone} for gone in value]
    renamed = [{key.upper(): kept for key, kept in value.items()}, {**value, "unknown": 1}]
    return st.sampled_from([*missing, *renamed, [*value.values()], [*value]])


_WRONG: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    bool: lambda value: st.sampled_from([not value, int(value), str(value), str(value).lower()]),
    int: _wrong_number,
    float: _wrong_number,
    str: _wrong_text,
    list: _wrong_list,
    dict: _wrong_object,
}


# --- Results, with everything in them that the classes allow --------------------------------------

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


# --- Documents from a JSON Schema: the words of vendors' OpenAPI documents, and no others ---------

Schema = Mapping[str, Any]
#: Makes a strategy from a schema at a place.
Make = Callable[[Any, str], st.SearchStrategy[Any]]

#: Numbers and lists end here where a schema sets no end.
_MOST, _MORE = 1e9, 3


def _refused(what: str, place: str) -> ValueError:
    """The error for what `bodies` does not know."""
    return ValueError(f"The schema has {what} at {place}: bodies() cannot make documents from it.")


@attrs.frozen
class _Kind:
    """One of the six.

    Attributes:
        words: What a schema may say of it.
        has: Whether a value is of it.
        made: Values that a schema allows.
    """

    words: frozenset[str]
    has: Callable[[Any], bool]
    made: Callable[[Schema, str, Make], st.SearchStrategy[Any]]


_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "date-time": TIMES.map(lambda at: at.isoformat())
    | TIMES.map(lambda at: at.isoformat().replace("+00:00", "Z")),
    "date": st.dates().map(lambda day: day.isoformat()),
    "uuid": st.uuids().map(str),
    "uri": st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9/]{0,12}", fullmatch=True),
    "email": st.from_regex(r"[a-z]{1,8}@[a-z]{1,8}\.example", fullmatch=True),
    "byte": st.binary(max_size=12).map(lambda data: base64.b64encode(data).decode()),
    "password": TEXTS,
}


def _texts(schema: Schema, place: str, _: Make) -> st.SearchStrategy[Any]:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    told = schema.get("format")
    if told is not None and told not in _FORMATS:
        raise _refused(f"the format {told}", place)
    if told is not None and "pattern" in schema:
        raise _refused("a format beside a pattern", place)
    if told is None and "pattern" not in schema:
        return st.text(
            st.characters(codec="utf-8"),
            min_size=least,
            max_size=least + 20 if most is None else most,
        )
    texts = (
        st.from_regex(schema["pattern"], alphabet=st.characters(codec="utf-8"))
        if told is None
        else _FORMATS[told]
    )
    return texts.filter(lambda text: least <= len(text) <= (math.inf if most is None else most))


def _limits(schema: Schema) -> tuple[float, float, bool, bool]:
    """Least, most, and whether these two are left out."""
    low, high = schema.get("minimum", -_MOST), schema.get("maximum", _MOST)
    over, under = schema.get("exclusiveMinimum", False), schema.get("exclusiveMaximum", False)
    # A flag beside the limit until draft 4 and OpenAPI 3.0, the limit itself since.
    if not isinstance(over, bool):
        low, over = max(low, over), over >= low
    if not isinstance(under, bool):
        high, under = min(high, under), under <= high
    return low, high, over, under


def _numbers(schema: Schema, place: str, make: Make) -> st.SearchStrategy[Any]:
    if schema.get("format") not in (None, "float", "double"):
        raise _refused(f"the format {schema['format']}", place)
    low, high, over, under = _limits(schema)
    if low > high or (low == high and (over or under)):
        raise _refused("a least number above the most", place)
    floats = st.floats(
        low, high, exclude_min=over, exclude_max=under, allow_nan=False, allow_infinity=False
    )
    try:
        # A vendor may write 87 for 87.0.
        return floats | _wholes(schema, place, make)
    except ValueError:
        return floats


def _wholes(schema: Schema, place: str, _: Make) -> st.SearchStrategy[Any]:
    if schema.get("format") not in (None, "int32", "int64", "float", "double"):
        raise _refused(f"the format {schema['format']}", place)
    most = 2**31 - 1 if schema.get("format") == "int32" else EXACT
    low, high, over, under = _limits({"minimum": -most, "maximum": most, **schema})
    first = math.floor(low) + 1 if over else math.ceil(low)
    last = math.ceil(high) - 1 if under else math.floor(high)
    if first > last:
        raise _refused("no whole number between the least and the most", place)
    return st.integers(first, last)


def _lists(schema: Schema, place: str, make: Make) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    most = schema.get("maxItems", least + _MORE)
    items = make(schema["items"], f"{place}/items") if "items" in schema else json_values()
    alone = json.dumps if schema.get("uniqueItems") else None
    return st.lists(items, min_size=least, max_size=most, unique_by=alone)


def _objects(schema: Schema, place: str, make: Make) -> st.SearchStrategy[Any]:
    told: Mapping[str, Any] = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    other = make(more, f"{place}/additionalProperties") if more is not False else st.nothing()
    needed = [*schema.get("required", ())]
    values = {name: make(one, f"{place}/properties/{name}") for name, one in told.items()}
    known = st.fixed_dictionaries(
        {name: values.get(name, other) for name in needed},
        optional={name: value for name, value in values.items() if name not in needed},
    )
    if isinstance(more, bool):
        # What nobody has named may come, but who says nothing of it does not mean it.
        return known
    names = TEXTS.filter(lambda name: name not in told)
    others = st.dictionaries(names, other, max_size=_MORE)
    return st.builds(lambda rest, body: {**rest, **body}, others, known)


_KINDS = {
    "null": _Kind(frozenset(), lambda value: value is None, lambda *_: st.none()),
    "boolean": _Kind(frozenset(), lambda value: isinstance(value, bool), lambda *_: st.booleans()),
    "integer": _Kind(
        frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        _wholes,
    ),
    "number": _Kind(
        frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        _numbers,
    ),
    "string": _Kind(
        frozenset({"minLength", "maxLength", "pattern", "format"}),
        lambda value: isinstance(value, str),
        _texts,
    ),
    "array": _Kind(
        frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
        lambda value: isinstance(value, list),
        _lists,
    ),
    "object": _Kind(
        frozenset({"properties", "required", "additionalProperties"}),
        lambda value: isinstance(value, dict),
        _objects,
    ),
}


#: Read by people, and no condition.
_TOLD = frozenset(
    {
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "components"),
        *("title", "description", "default", "example", "examples", "deprecated"),
        *("readOnly", "writeOnly", "externalDocs", "discriminator", "xml"),
    }
)
_APPLIED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "nullable"})


def bodies(
    schema: Mapping[str, Any], *, document: Mapping[str, Any] | None = None
) -> st.SearchStrategy[Any]:
    """JSON documents that a JSON Schema or an OpenAPI schema allows.

    Known are `type`, `properties`, `required`, `additionalProperties`, `enum`, `const`, `items`,
    `anyOf`, `oneOf` (one of its schemas is taken; that no other one fits as well is not looked at),
    `allOf`, `nullable`, `$ref` within the document, the least and most of numbers, lengths and
    items, `uniqueItems`, `pattern`, and the formats date-time, date, uuid, uri, email, byte,
    password, int32, int64, float and double.

    Args:
        schema: The schema of one document.
        document: The document that a ``$ref`` leads into, say an OpenAPI document; None for
            `schema` itself.

    Raises:
        ValueError: the schema says something else. The sentence names the word and its place.
    """
    return _Reader(schema if document is None else document).strategy(schema, "#")


class _Reader:
    """Turns the schemas of one document into strategies, each once: a schema may hold itself."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.made: dict[str, st.SearchStrategy[Any]] = {}

    def strategy(self, schema: Any, place: str) -> st.SearchStrategy[Any]:
        if not isinstance(schema, Mapping | bool):
            raise _refused(f"a {type(schema).__name__} instead of a schema", place)
        key = json.dumps(schema, sort_keys=True)
        if key not in self.made:
            found: list[st.SearchStrategy[Any]] = []
            self.made[key] = st.deferred(lambda: found[0])
            found.append(self._any_of(schema, place))
        return self.made[key]

    def _any_of(self, schema: Any, place: str) -> st.SearchStrategy[Any]:
        if schema is False:
            raise _refused("false, which allows nothing", place)
        flat = [{}] if schema is True else list(self._flat(schema, place, ()))
        if not flat:
            raise _refused("conditions that contradict each other", place)
        return st.one_of(*(self._plain(one, place) for one in flat))

    def _flat(self, schema: Schema, place: str, within: tuple[str, ...]) -> Iterator[Schema]:
        """The schema as alternatives that refer to nothing, each with all that holds for it."""
        if schema.get("nullable") is True:
            yield {"type": "null"}
        own = {
            word: value
            for word, value in schema.items()
            if word not in _TOLD and word not in _APPLIED and not word.startswith("x-")
        }
        if "const" in own:
            own["enum"] = [own.pop("const")]
        groups: list[list[Schema]] = [[own]]
        if "$ref" in schema:
            to = schema["$ref"]
            if to in within:
                raise _refused(f"a reference to itself, {to}", place)
            groups.append(list(self._flat(self._found(to, place), to, (*within, to))))
        for word in ("anyOf", "oneOf"):
            parts = enumerate(schema.get(word, ()))
            flat = [self._flat(part, f"{place}/{word}/{at}", within) for at, part in parts]
            groups += [[one for several in flat for one in several]] if word in schema else []
        for at, part in enumerate(schema.get("allOf", ())):
            groups.append(list(self._flat(part, f"{place}/allOf/{at}", within)))
        yield from _joined(groups, place)

    def _found(self, reference: Any, place: str) -> Schema:
        """What a ``$ref`` leads to."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refused("a $ref that leads out of the document", place)
        found: Any = self.document
        for step in unquote(reference).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise _refused(f"the $ref {reference}, which leads nowhere", place)
            found = found[name]
        if not isinstance(found, Mapping):
            raise _refused(f"the $ref {reference}, which leads to no schema", place)
        return found

    def _plain(self, schema: Schema, place: str) -> st.SearchStrategy[Any]:
        """Of a schema that refers to nothing."""
        if not schema:
            return json_values()
        told = schema.get("type")
        names = [told] if isinstance(told, str) else told
        if names is None:
            # Without a type, words about one kind of value mean that kind; a format means a text.
            said = set(schema) - {"format"}
            names = [name for name, kind in _KINDS.items() if kind.words & said]
            names = names or (["string"] if "format" in schema else [])
        for name in names:
            if name not in _KINDS:
                raise _refused(f"the type {name}", place)
        words = frozenset({"type", "enum"}).union(*(_KINDS[name].words for name in names))
        for word in schema:
            if word not in words:
                raise _refused(f"the word {word}", place)
        kinds = [_KINDS[name] for name in names]
        if "enum" in schema:
            if len(schema) > 1 + ("type" in schema):
                raise _refused("an enum beside other conditions", place)
            values = [v for v in schema["enum"] if not kinds or any(k.has(v) for k in kinds)]
            if not values:
                raise _refused("an enum without a value of its type", place)
            return st.sampled_from(values)
        return st.one_of(*(kind.made(schema, place, self.strategy) for kind in kinds))


def _joined(groups: list[list[Schema]], place: str) -> Iterator[Schema]:
    """One alternative of each group with one of each other, where they can hold together."""
    joined: list[Schema] = [{}]
    for group in groups:
        pairs = [(one, other) for one in joined for other in group]
        joined = [both for one, other in pairs if (both := _both(one, other, place)) is not None]
    yield from joined


def _both(one: Schema, other: Schema, place: str) -> Schema | None:
    """Both at once; None if nothing can be both."""
    both = {**one, **other}
    for mine, theirs in ((one, other), (other, one)):
        strange = set(theirs.get("properties", {})) - set(mine.get("properties", {}))
        if mine.get("additionalProperties", True) is not True and strange:
            raise _refused("additionalProperties beside properties of another schema", place)
    for word in set(one) & set(other):
        if one[word] == other[word]:
            continue
        if word not in _BOTH:
            raise _refused(f"two of {word} that hold together", place)
        both[word] = _BOTH[word](one[word], other[word])
        if word in ("type", "enum") and not both[word]:
            return None
    return both


def _both_types(one: Any, other: Any) -> list[str]:
    first, second = ({told} if isinstance(told, str) else set(told) for told in (one, other))
    found = first & second
    for mine, theirs in ((first, second), (second, first)):
        if "number" in mine and "integer" in theirs:
            found.add("integer")
    return sorted(found)


def _both_properties(one: Schema, other: Schema) -> Schema:
    shared = {name: {"allOf": [one[name], other[name]]} for name in one if name in other}
    return {**one, **other, **shared}


_BOTH: dict[str, Any] = {
    "type": _both_types,
    "enum": lambda one, other: [v for v in one if json.dumps(v) in map(json.dumps, other)],
    "properties": _both_properties,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    **dict.fromkeys(("minimum", "minLength", "minItems", "exclusiveMinimum"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "exclusiveMaximum"), min),
}
