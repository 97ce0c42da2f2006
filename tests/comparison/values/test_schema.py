"""The published schema of a comparison names what the classes have, and fits what they write."""

import copy
import json
import math
import typing
from pathlib import Path

import attrs
import jsonschema
import pytest
from kit.comparison.reading import document
from kit.comparison.samples import EVALUATIONS, full

from facematch_comparison.values.model import Evaluation, Rate
from facematch_core import InvalidRequest

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/reference/comparison.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def classes_in(annotation):
    """The classes with fields that a type names, and those that their fields name."""
    if attrs.has(annotation):
        yield annotation
        for field_type in typing.get_type_hints(annotation).values():
            yield from classes_in(field_type)
    for argument in typing.get_args(annotation):
        yield from classes_in(argument)


CLASSES = sorted({*classes_in(Evaluation)} - {Evaluation}, key=lambda each: each.__name__)

#: What a document has beside the fields of a class.
ADDED_KEYS = {Rate: {"value"}, Evaluation: {"schema", "kind"}}


def test_each_class_is_in_the_schema():
    assert set(SCHEMA["$defs"]) == {each.__name__ for each in CLASSES}


@pytest.mark.parametrize("model", [*CLASSES, Evaluation])
def test_schema_fields_match_the_classes(model):
    schema = SCHEMA if model is Evaluation else SCHEMA["$defs"][model.__name__]
    fields = {field.name for field in attrs.fields(model)} | ADDED_KEYS.get(model, set())
    assert set(schema["properties"]) == fields
    assert set(schema["required"]) == fields


# Not "hostile", whose words no facematch writes where a digest stands.
@pytest.mark.parametrize("name", [name for name in EVALUATIONS if name != "hostile"])
def test_every_sample_is_valid(name):
    VALIDATOR.validate(document(name))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_a_rate_has_its_value_or_none_without_trials(name):
    points = [system["at_default"] for system in document(name)["systems"]]
    for point in filter(None, points):
        for rate in (point["frr"], point["fmr"]):
            value = rate["errors"] / rate["trials"] if rate["trials"] else None
            assert rate["value"] == value


def types_in(value):
    """The types of a value and of all that it holds."""
    yield type(value)
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from types_in(item)


@pytest.mark.parametrize("make", EVALUATIONS.values(), ids=EVALUATIONS)
def test_a_dictionary_holds_only_what_json_has(make):
    """Other libraries refuse an enumeration's member, or write it otherwise."""
    assert {*types_in(make().to_dict())} <= {dict, list, str, int, float, bool, type(None)}


def test_the_schema_is_one():
    VALIDATOR.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], 1),
        (["kind"], "match"),
        (["required_fmr"], 0),
        (["systems"], []),
        (["confidence"], 95),
        (["made_at"], None),
        (["version"], 5),
        (["systems", 0, "at_required", "frr", "errors"], -1),
        (["systems", 0, "at_required", "fmr", "value"], 1.5),
        (["systems", 0, "environment"], "moon"),
    ],
)
def test_an_invalid_value_is_rejected(path, value):
    changed = copy.deepcopy(document("full"))
    *parents, key = path
    part = changed
    for step in parents:
        part = part[step]
    part[key] = value
    assert not VALIDATOR.is_valid(changed)


def test_non_finite_numbers_are_not_written():
    with pytest.raises(InvalidRequest):
        attrs.evolve(full(), confidence=math.nan).to_dict()
