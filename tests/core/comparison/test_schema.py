"""The schema of a comparison and the document say the same."""

import copy
import enum
import json
import types
import typing
from pathlib import Path

import attrs
import jsonschema
import pytest
from core.comparison.report.samples import ALL, three

from facematch_core.comparison import _document
from facematch_core.comparison._json import to_document
from facematch_core.comparison.metrics import Interval, Rate

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/reference/comparison.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

#: Part of the schema to the class that it describes.
CLASSES = {
    "part": _document.Part,
    "study": _document.StudySummary,
    "interval": Interval,
    "rate": Rate,
    "operating_point": _document.OperatingPoint,
    "curve": _document.Curve,
    "histogram": _document.Histogram,
    "group_cell": _document.GroupCell,
    "service": _document.Service,
    "contender": _document.Contender,
    "paired": _document.Paired,
    "limit": _document.Limit,
}


@pytest.mark.parametrize("name", ALL)
def test_documents_fit(name):
    """Whatever a study could show."""
    VALIDATOR.validate(json.loads(json.dumps(to_document(ALL[name]()), allow_nan=False)))


def _is_nullable(described):
    kinds = described.get("type", [])
    return (
        "null" in (kinds if isinstance(kinds, list) else [kinds])
        or None in described.get("enum", [])
        or any(_is_nullable(one) for one in described.get("anyOf", []))
    )


@pytest.mark.parametrize("part", [*CLASSES, None])
def test_the_schema_has_every_field(part):
    """No field more, none less; null where it may be None; the words of every enumeration."""
    described = SCHEMA["$defs"][part] if part else SCHEMA
    kind = CLASSES[part] if part else _document.Evaluation
    hints = typing.get_type_hints(kind)
    extra = {"rate": {"value"}, None: {"schema", "kind"}}.get(part, set())
    assert set(described["properties"]) == {field.name for field in attrs.fields(kind)} | extra
    assert set(described["required"]) == set(described["properties"])
    for field in attrs.fields(kind):
        options = typing.get_args(hints[field.name]) or (hints[field.name],)
        told = described["properties"][field.name]
        assert _is_nullable(told) is (types.NoneType in options), field.name
        for option in options:
            if isinstance(option, type) and issubclass(option, enum.Enum):
                assert {word for word in told["enum"] if word} == {one.value for one in option}


def test_every_part_is_described():
    """No part of the schema is left over."""
    assert set(SCHEMA["$defs"]) == set(CLASSES)


def test_the_schema_is_a_schema():
    """And it refuses what is not a comparison."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = json.loads(json.dumps(to_document(three())))
    for change in (
        {"schema": 1},
        {"kind": "match"},
        {"required_fmr": 0},
        {"contenders": []},
        {"confidence": 95},
    ):
        assert not VALIDATOR.is_valid({**good, **change})
    for name in good:
        assert not VALIDATOR.is_valid({key: value for key, value in good.items() if key != name})
    worse = copy.deepcopy(good)
    worse["contenders"][0]["at_required"]["frr"]["errors"] = -1
    assert not VALIDATOR.is_valid(worse)
