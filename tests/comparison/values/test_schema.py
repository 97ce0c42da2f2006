"""The published schema of a comparison names what the classes have, and fits what they write."""

import copy
import json
import math
import typing
from pathlib import Path

import attrs
import jsonschema
import pytest
from kit.comparison.samples import EVALUATIONS, full

from facematch_comparison.values.model import Evaluation, Rate
from facematch_core import InvalidRequest

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/reference/comparison.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def classes_in(hint):
    """The classes with fields that a type names, and those that their fields name."""
    if attrs.has(hint):
        yield hint
        for of_field in typing.get_type_hints(hint).values():
            yield from classes_in(of_field)
    for inner in typing.get_args(hint):
        yield from classes_in(inner)


def test_schema_fields_match_the_classes():
    classes = {*classes_in(Evaluation)} - {Evaluation}
    assert set(SCHEMA["$defs"]) == {kind.__name__ for kind in classes}
    parts = [(kind, SCHEMA["$defs"][kind.__name__]) for kind in classes]
    for kind, part in [*parts, (Evaluation, SCHEMA)]:
        fields = {field.name for field in attrs.fields(kind)}
        fields |= {"value"} if kind is Rate else {"schema", "kind"} if kind is Evaluation else set()
        assert {*part["properties"]} == {*part["required"]} == fields, kind


# Not "hostile", whose words no facematch writes where a digest stands.
@pytest.mark.parametrize("name", [name for name in EVALUATIONS if name != "hostile"])
def test_every_sample_is_valid(name):
    document = json.loads(json.dumps(EVALUATIONS[name]().to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    for point in (system["at_default"] for system in document["systems"]):
        for rate in (point["frr"], point["fmr"]) if point else ():
            assert rate["value"] == (rate["errors"] / rate["trials"] if rate["trials"] else None)


def test_missing_or_invalid_parts_are_rejected():
    VALIDATOR.check_schema(SCHEMA)
    good = json.loads(json.dumps(full().to_dict()))
    for change in (
        *({"schema": 1}, {"kind": "match"}, {"required_fmr": 0}, {"systems": []}),
        *({"confidence": 95}, {"made_at": None}, {"version": 5}),
    ):
        assert not VALIDATOR.is_valid({**good, **change}), change
    for path, value in {
        ("at_required", "frr", "errors"): -1,
        ("at_required", "fmr", "value"): 1.5,
        ("environment",): "moon",
    }.items():
        worse = copy.deepcopy(good)
        part = worse["systems"][0]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        assert not VALIDATOR.is_valid(worse), path


def test_non_finite_numbers_are_not_written():
    with pytest.raises(InvalidRequest):
        attrs.evolve(full(), confidence=math.nan).to_dict()
