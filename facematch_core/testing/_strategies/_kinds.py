"""The six kinds of JSON value: what a schema may say of each, and values that it allows."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from hypothesis import strategies as st

from ._json import EXACT, TEXTS, json_values
from ._results import TIMES

Schema = Mapping[str, Any]
#: Makes a strategy from a schema at a place.
Make = Callable[[Any, str], st.SearchStrategy[Any]]

#: Numbers and lists end here where a schema sets no end.
_MOST, _MORE = 1e9, 3


def refused(what: str, place: str) -> ValueError:
    """The error for what `bodies` does not know."""
    return ValueError(f"The schema has {what} at {place}: bodies() cannot make documents from it.")


@attrs.frozen
class Kind:
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
        raise refused(f"the format {told}", place)
    if told is not None and "pattern" in schema:
        raise refused("a format beside a pattern", place)
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
        raise refused(f"the format {schema['format']}", place)
    low, high, over, under = _limits(schema)
    if low > high or (low == high and (over or under)):
        raise refused("a least number above the most", place)
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
        raise refused(f"the format {schema['format']}", place)
    most = 2**31 - 1 if schema.get("format") == "int32" else EXACT
    low, high, over, under = _limits({"minimum": -most, "maximum": most, **schema})
    first = math.floor(low) + 1 if over else math.ceil(low)
    last = math.ceil(high) - 1 if under else math.floor(high)
    if first > last:
        raise refused("no whole number between the least and the most", place)
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


KINDS = {
    "null": Kind(frozenset(), lambda value: value is None, lambda *_: st.none()),
    "boolean": Kind(frozenset(), lambda value: isinstance(value, bool), lambda *_: st.booleans()),
    "integer": Kind(
        frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        _wholes,
    ),
    "number": Kind(
        frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "format"}),
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        _numbers,
    ),
    "string": Kind(
        frozenset({"minLength", "maxLength", "pattern", "format"}),
        lambda value: isinstance(value, str),
        _texts,
    ),
    "array": Kind(
        frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
        lambda value: isinstance(value, list),
        _lists,
    ),
    "object": Kind(
        frozenset({"properties", "required", "additionalProperties"}),
        lambda value: isinstance(value, dict),
        _objects,
    ),
}
