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
import itertools
import json
import math
from collections.abc import Collection, Mapping
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

from .bodies import places, replaced
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
    metadata = [_metadata(turn, hidden) for turn in turns]
    least, most_bytes = limits.min_side_px, limits.max_bytes or math.inf
    smallest = (least, least)
    kinds = [
        kind
        for kind in able
        if kind in wanted
        and all(drawn(smallest, kind, **how).size_bytes <= most_bytes for how in metadata)
    ]
    if not kinds:
        raise ValueError(
            f"No such picture can be made: of {', '.join(sorted(wanted)) or 'no kind'}, images() "
            f"writes {', '.join(able)}, and none of {least} pixels a side fits the limits."
        )
    longest = max(least, most_side_px)
    area = limits.max_pixels or longest * longest

    @st.composite
    def one(draw: st.DrawFn) -> Image:
        kind, how = draw(st.sampled_from(kinds)), draw(st.sampled_from(metadata))
        width = draw(st.integers(least, min(longest, area // least)))
        height = draw(st.integers(least, min(longest, area // width)))
        seed = draw(st.none() | st.integers(0, 2**32 - 1))
        # The last one fits: it was tried above.
        tries = (((width, height), seed), ((width, height), None), (smallest, None))
        files = (drawn(size, kind, seed=noise, **how) for size, noise in tries)
        return next(image for image in files if image.size_bytes <= most_bytes)

    return one()


def _metadata(orientation: int, hidden: str | None) -> dict[str, Any]:
    """What Pillow is to write beside the pixels."""
    if orientation == 1 and hidden is None:
        return {}
    from PIL import ExifTags
    from PIL import Image as Pillow

    block = Pillow.Exif()
    block[ExifTags.Base.Orientation] = orientation
    if hidden is not None:
        block[ExifTags.Base.ImageDescription] = hidden
        block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = hidden.encode()
    return {"exif": block.tobytes()}


# --- JSON: any value, and documents with one thing wrong ------------------------------------------

#: Whole numbers beyond these are others in programs that read JSON numbers as doubles.
EXACT = 2**53

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


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
        st.sampled_from([((), body), *places(body)])
        .flatmap(lambda at: _wrong(at[1]).map(lambda new: replaced(body, at[0], new)))
        .filter(lambda document: _text(document) != text)
    )


def _text(body: Any) -> str:
    try:
        return json.dumps(body, sort_keys=True)
    except (TypeError, ValueError):
        raise TypeError(
            f"mutated() takes a JSON document or a strategy for them, not {type(body).__name__}"
            " with something in it that JSON does not have."
        ) from None


def _wrong(value: Any) -> st.SearchStrategy[Any]:
    """What may be where `value` should."""
    anything = [None, True, False, 0, 1, -1, "", [], {}, [value], {"value": value}]
    own: list[Any] = []
    match value:
        case bool():
            own = [not value, int(value), str(value), str(value).lower()]
        case int() | float():
            own = [value + 1, value - 1, -value, value * 100, value / 100]
            own += [-0.01, 100.01, 2**70, 10**400, -1e300, str(value), f"{value}%"]
        case str():
            own = [value + " ", value.upper(), value.lower(), value.title()]
            own += [value * 2, value[:-1], "null"]
        case list():
            own = [value[:at] + value[at + 1 :] for at in range(len(value))]
            own += [value * 2, [*value, None], value[::-1]]
        case dict():
            own = [{key: kept for key, kept in value.items() if key != gone} for gone in value]
            own += [{key.upper(): kept for key, kept in value.items()}, {**value, "unknown": 1}]
            own += [[*value.values()], [*value]]
    some = [st.sampled_from(values) for values in (anything, own) if values]
    return st.one_of(*some, json_values())


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
    rules = st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
    sources = st.sampled_from(ThresholdSource)
    return st.builds(Threshold, PERCENTAGES, rules, sources) | st.builds(
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


def _built(
    kind: type[R], own: Mapping[str, st.SearchStrategy[Any]], fields: Mapping[str, object]
) -> st.SearchStrategy[R]:
    """Results of a kind: the fields that every result has, its own, and those that are given."""
    names = {field.name for field in attrs.fields(kind)}  # type: ignore[arg-type]  # an attrs class
    for name in fields:
        if name not in names:
            raise TypeError(f"A {kind.__name__} has no field {name!r}.")
    skipped = st.builds(Skipped, backend=TEXTS, reason=TEXTS, message=TEXTS)
    common = {
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
    given = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value)
        for name, value in fields.items()
    }
    return st.builds(kind, **{**common, **own, **given})


# --- Documents from a JSON Schema: the words of vendors' OpenAPI documents, and no others ---------

Schema = Mapping[str, Any]


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


#: Written for people: no condition.
_NOTES = frozenset(
    {
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "components"),
        *("title", "description", "default", "example", "examples", "deprecated"),
        *("readOnly", "writeOnly", "externalDocs", "discriminator", "xml"),
    }
)
#: Followed before anything else is read.
_COMBINING = frozenset({"$ref", "allOf", "anyOf", "oneOf", "nullable"})

_OF_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"})
#: What a schema may say of each type.
_WORDS = {
    "null": frozenset[str](),
    "boolean": frozenset[str](),
    "integer": _OF_NUMBERS,
    "number": _OF_NUMBERS,
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset({"properties", "required", "additionalProperties"}),
}
#: The type of each value, in the same order.
_TYPES = dict(zip((type(None), bool, int, float, str, list, dict), _WORDS, strict=True))

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

#: Lists and further names end here where a schema sets no end.
_MORE = 3


def _refused(what: str, place: str) -> ValueError:
    """The error for what `bodies` does not know."""
    return ValueError(f"The schema has {what} at {place}: bodies() cannot make documents from it.")


class _Reader:
    """Turns the schemas of one document into strategies, each once: a schema may hold itself."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.made: dict[str, st.SearchStrategy[Any]] = {}

    def strategy(self, schema: Any, place: str) -> st.SearchStrategy[Any]:
        key = json.dumps(schema, sort_keys=True, default=str)  # YAML has dates among its examples
        if key not in self.made:
            found: list[st.SearchStrategy[Any]] = []
            self.made[key] = st.deferred(lambda: found[0])
            flat = self.flat(schema, place)
            if not flat:
                raise _refused("conditions that contradict each other", place)
            found.append(st.one_of(*(self.plain(one, place) for one in flat)))
        return self.made[key]

    def flat(self, schema: Any, place: str, within: tuple[str, ...] = ()) -> list[Schema]:
        """The schema as alternatives that refer to nothing, each with all that holds for it."""
        if schema is True:
            return [{}]
        if schema is False:
            raise _refused("false, which allows nothing", place)
        if not isinstance(schema, Mapping):
            raise _refused(f"a {type(schema).__name__} instead of a schema", place)
        groups: list[list[Schema]] = [[_own(schema)]]
        if "$ref" in schema:
            to = schema["$ref"]
            if to in within:
                raise _refused(f"a reference to itself, {to}", place)
            groups.append(self.flat(self.found(to, place), to, (*within, to)))
        for word in ("allOf", "anyOf", "oneOf"):
            parts = enumerate(schema.get(word, ()))
            flat = [self.flat(part, f"{place}/{word}/{at}", within) for at, part in parts]
            groups += [[*itertools.chain(*flat)]] if flat and word != "allOf" else flat
        joined: list[Schema] = [{}]
        for group in groups:
            pairs = itertools.product(joined, group)
            joined = [both for a, b in pairs if (both := _both(a, b, place)) is not None]
        return [{"type": {"null"}}, *joined] if schema.get("nullable") is True else joined

    def found(self, reference: Any, place: str) -> Any:
        """What a ``$ref`` leads to."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _refused("a $ref that leads out of the document", place)
        found: Any = self.document
        try:
            for step in unquote(reference).split("/")[1:]:
                found = found[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise _refused(f"the $ref {reference}, which leads nowhere", place) from None
        return found

    def plain(self, schema: Schema, place: str) -> st.SearchStrategy[Any]:
        """Of a schema that refers to nothing."""
        if not schema:
            return json_values()
        # Without a type, words about one kind of value mean that kind; a format means a text.
        about = set(schema) - {"format"}
        types = schema.get("type") or {name for name, words in _WORDS.items() if words & about}
        if not types and "format" in schema:
            types = {"string"}
        known = {"type", "enum"}.union(*(_WORDS.get(name, ()) for name in types))
        strange = [f"the type {name}" for name in types if name not in _WORDS]
        strange += [f"the word {word}" for word in schema if word not in known]
        if strange:
            raise _refused(strange[0], place)
        if "enum" in schema:
            if set(schema) - {"type", "enum"}:
                raise _refused("an enum beside other conditions", place)
            values = [one for one in schema["enum"] if not types or _TYPES[type(one)] in types]
            if not values:
                raise _refused("an enum without a value of its type", place)
            return st.sampled_from(values)
        # `number` makes whole ones, too.
        makers = types - {"integer"} if "number" in types else types
        return st.one_of(*(getattr(self, name)(schema, place) for name in _WORDS if name in makers))

    def null(self, _: Schema, __: str) -> st.SearchStrategy[None]:
        return st.none()

    def boolean(self, _: Schema, __: str) -> st.SearchStrategy[bool]:
        return st.booleans()

    def integer(self, schema: Schema, place: str) -> st.SearchStrategy[int]:
        low, high, over, under = _range(schema, place)
        first = math.floor(low) + 1 if over else math.ceil(low)
        last = math.ceil(high) - 1 if under else math.floor(high)
        if first > last:
            raise _refused("no whole number between the least and the most", place)
        return st.integers(first, last)

    def number(self, schema: Schema, place: str) -> st.SearchStrategy[float]:
        low, high, over, under = _range(schema, place)
        if low > high or (low == high and (over or under)):
            raise _refused("a least number above the most", place)
        floats = st.floats(
            low, high, exclude_min=over, exclude_max=under, allow_nan=False, allow_infinity=False
        )
        try:
            # A vendor may write 87 for 87.0.
            return floats | self.integer(schema, place)
        except ValueError:
            return floats

    def string(self, schema: Schema, place: str) -> st.SearchStrategy[str]:
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        written = st.characters(codec="utf-8")
        if "format" in schema:
            if schema["format"] not in _FORMATS:
                raise _refused(f"the format {schema['format']}", place)
            if "pattern" in schema:
                raise _refused("a format beside a pattern", place)
            texts = _FORMATS[schema["format"]]
        elif "pattern" in schema:
            texts = st.from_regex(schema["pattern"], alphabet=written)
        else:
            return st.text(written, min_size=least, max_size=schema.get("maxLength", least + 20))
        return texts.filter(lambda text: least <= len(text) <= most)

    def array(self, schema: Schema, place: str) -> st.SearchStrategy[list[Any]]:
        least = schema.get("minItems", 0)
        return st.lists(
            self.strategy(schema.get("items", True), f"{place}/items"),
            min_size=least,
            max_size=schema.get("maxItems", least + _MORE),
            unique_by=json.dumps if schema.get("uniqueItems") else None,
        )

    def object(self, schema: Schema, place: str) -> st.SearchStrategy[dict[str, Any]]:
        more = schema.get("additionalProperties", True)
        at = f"{place}/additionalProperties"
        other = st.nothing() if more is False else self.strategy(more, at)
        properties: Mapping[str, Any] = schema.get("properties", {})
        values = {
            name: self.strategy(one, f"{place}/properties/{name}")
            for name, one in properties.items()
        }
        needed = schema.get("required", ())
        known = st.fixed_dictionaries(
            {name: values.get(name, other) for name in needed},
            optional={name: value for name, value in values.items() if name not in needed},
        )
        if isinstance(more, bool):
            # What nobody has named may come, but who says nothing of it does not mean it.
            return known
        names = TEXTS.filter(lambda name: name not in properties)
        others = st.dictionaries(names, other, max_size=_MORE)
        return st.builds(lambda rest, body: {**rest, **body}, others, known)


def _own(schema: Schema) -> dict[str, Any]:
    """What a schema itself demands, in the words of today: OpenAPI 3.0 has some of draft 4."""
    own = {
        word: value
        for word, value in schema.items()
        if word not in _NOTES and word not in _COMBINING and not word.startswith("x-")
    }
    if "const" in own:
        own["enum"] = [own.pop("const")]
    if "type" in own:
        own["type"] = {own["type"]} if isinstance(own["type"], str) else {*own["type"]}
        if "number" in own["type"]:
            own["type"].add("integer")
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(own.get(exclusive), bool) and own.pop(exclusive) and limit in own:
            own[exclusive] = own.pop(limit)
    return own


def _range(schema: Schema, place: str) -> tuple[float, float, bool, bool]:
    """Least and most number, and whether each of them is left out."""
    size = schema.get("format")
    if size not in (None, "int32", "int64", "float", "double"):
        raise _refused(f"the format {size}", place)
    most = 2**31 - 1 if size == "int32" else EXACT
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    low = max(schema.get("minimum", -most), -math.inf if over is None else over)
    high = min(schema.get("maximum", most), math.inf if under is None else under)
    return low, high, low == over, high == under


def _both(one: Schema, other: Schema, place: str) -> Schema | None:
    """Both at once; None if nothing can be both."""
    for mine, theirs in ((one, other), (other, one)):
        strange = set(theirs.get("properties", {})) - set(mine.get("properties", {}))
        if mine.get("additionalProperties", True) is not True and strange:
            raise _refused("additionalProperties beside properties of another schema", place)
    both = {**one, **other}
    for word in set(one) & set(other):
        if one[word] == other[word]:
            continue
        if word not in _BOTH:
            raise _refused(f"two of {word} that hold together", place)
        both[word] = _BOTH[word](one[word], other[word])
        if word in ("type", "enum") and not both[word]:
            return None
    return both


def _both_properties(one: Schema, other: Schema) -> Schema:
    shared = {name: {"allOf": [one[name], other[name]]} for name in one if name in other}
    return {**one, **other, **shared}


_BOTH: dict[str, Any] = {
    "type": set.intersection,
    "enum": lambda one, other: [v for v in one if json.dumps(v) in map(json.dumps, other)],
    "properties": _both_properties,
    "required": lambda one, other: [*dict.fromkeys([*one, *other])],
    **dict.fromkeys(("minimum", "minLength", "minItems", "exclusiveMinimum"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "exclusiveMaximum"), min),
}
