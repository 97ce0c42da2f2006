"""The published schema of a comparison is made from the classes, and fits what they write.

``UPDATE_DOCS=1 pytest tests/comparison/test_schema.py`` writes it.
"""

import copy
import datetime as dt
import enum
import inspect
import json
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path

import attrs
import jsonschema
import pytest
from kit.comparison.samples import ALL
from kit.comparison.tables import changed, crowd, real

from facematch_comparison import evaluate
from facematch_comparison.model import SCHEMA, Costs, Evaluation, Rate

FILE = Path(__file__).parents[2] / "docs/reference/comparison.schema.json"

SHARE = {"minimum": 0, "maximum": 1}
INSIDE = {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
AT_LEAST_0 = {"minimum": 0}
#: Field to what its values are limited to, of all classes or of one. Counts are at least 0.
BOUNDS = {
    **dict.fromkeys(("required_fmr", "confidence"), INSIDE),
    **dict.fromkeys(("impostors", "worst_person", "worst_ten", "eer"), SHARE),
    **dict.fromkeys(("p_value", "p_exact", "p_adjusted"), SHARE),
    **{
        f"Curve.{rate}{end}": SHARE
        for rate in ("fmr", "fnmr", "frr")
        for end in ("", "_low", "_high")
    },
    **dict.fromkeys(("price", "cost_per_verified", "latency_s", "Service.cost"), AT_LEAST_0),
    **{f"Costs.{name}": AT_LEAST_0 for name in ("false_match", "false_reject", "review")},
    **{
        f"CostAt.{name}": AT_LEAST_0
        for name in ("false_matches", "false_rejects", "reviews", "calls")
    },
    **dict.fromkeys(("Interval.effective", "Interval.freedom", "ratio"), AT_LEAST_0),
    "at_least": {"minimum": 1},
    "digest": {"pattern": "^[0-9a-f]{64}$"},
    "currency": {"pattern": "^[A-Z]{3}$"},
    "Evaluation.systems": {"minItems": 1},
    "System.kind": {"enum": ["scores", "decisions"]},
    "chosen_on": {"enum": ["calibration", "evaluation", "default"]},
    "GroupDifference.rate": {"enum": ["fmr", "frr"]},
}


# --- From classes to a schema -----------------------------------------------------------------


def described(kind):
    """Field to what the docstring of a class says of it."""
    _, _, text = inspect.getdoc(kind).partition("Attributes:\n")
    found = {}
    for names, said in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
        sentence = re.sub(r"\s+", " ", said).replace("``", "`")
        found |= dict.fromkeys(names.split(", "), re.sub(r"\bNone\b", "null", sentence))
    return found


def summary(kind):
    """The first sentence of its docstring."""
    return inspect.getdoc(kind).partition("\n\n")[0].replace("\n", " ").replace("``", "`")


class Schema:
    """Collects the classes that are met on the way."""

    def __init__(self):
        self.parts, self.used = {}, set()

    def of(self, hint, bounds):
        """A type, with bounds at its numbers."""
        origin, inner = typing.get_origin(hint), typing.get_args(hint)
        if origin in (types.UnionType, typing.Union):
            (known,) = [one for one in inner if one is not types.NoneType]
            return _or_null(self.of(known, bounds))
        if origin is tuple:
            size = {name: bounds[name] for name in bounds if name == "minItems"}
            rest = {name: bounds[name] for name in bounds if name not in size}
            return {"type": "array", "items": self.of(inner[0], rest), **size}
        if origin is Mapping:
            return {"type": "object", "additionalProperties": self.of(inner[1], bounds)}
        return self.one(hint, bounds)

    def one(self, kind, bounds):
        """A type that is not made of others."""
        if attrs.has(kind):
            self.enter(kind)
            return {"$ref": f"#/$defs/{kind.__name__}"}
        if issubclass(kind, enum.Enum):
            return {"enum": [one.value for one in kind]}
        if kind is str and "enum" in bounds:
            return dict(bounds)
        return PLAIN[kind] | (bounds if kind is not bool else {})

    def enter(self, kind):
        """A class, once."""
        if kind.__name__ not in self.parts:
            self.parts[kind.__name__] = {}
            self.parts[kind.__name__] = self.whole(kind)

    def whole(self, kind):
        """A class: every field is there, and says what it is."""
        hints, said = typing.get_type_hints(kind), described(kind)
        properties = {}
        for field in attrs.fields(kind):
            keys = [key for key in (field.name, f"{kind.__name__}.{field.name}") if key in BOUNDS]
            self.used |= {*keys}
            bounds = BOUNDS[keys[-1]] if keys else {}
            one = self.of(hints[field.name], bounds)
            text = said.get(field.name)
            properties[field.name] = one if text is None else {"description": text, **one}
        if kind is Rate:
            text = "`errors` / `trials`; null without a trial."
            properties["value"] = {"description": text, "type": ["number", "null"], **SHARE}
        return {
            "description": summary(kind),
            "type": "object",
            "required": [*properties],
            "properties": properties,
        }


PLAIN = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    str: {"type": "string"},
    dt.datetime: {"type": "string", "format": "date-time"},
}


def _or_null(one):
    if "type" in one:
        return one | {"type": [one["type"], "null"]}
    if "enum" in one:
        return {"enum": [*one["enum"], None]}
    return {"anyOf": [one, {"type": "null"}]}


def made():
    """The schema, and the keys of `BOUNDS` that it needs."""
    schema = Schema()
    whole = schema.whole(Evaluation)
    always = {"schema": {"const": SCHEMA}, "kind": {"const": "comparison"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A comparison, as `facematch compare report --out FILE.json` writes it",
        **whole,
        "required": [*always, *whole["required"]],
        "properties": {**always, **whole["properties"]},
        "$defs": dict(sorted(schema.parts.items())),
    }, schema.used


# --- Tests ------------------------------------------------------------------------------------


def sample(name):
    """As it is read from a file."""
    return json.loads(json.dumps(ALL[name]().to_dict(), allow_nan=False))


@pytest.fixture(scope="module")
def validator():
    """Of the published schema."""
    return jsonschema.Draft202012Validator(json.loads(FILE.read_text()))


def test_the_file_is_made_from_the_classes():
    """What is published is what the classes say, and every bound is one of a field."""
    schema, used = made()
    assert used == set(BOUNDS)
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        FILE.write_text(text)
    assert FILE.read_text() == text


# Not "hostile", whose words no facematch writes where a digest stands.
@pytest.mark.parametrize("name", [name for name in ALL if name != "hostile"])
def test_documents_fit(name, validator):
    """Whatever a comparison could show."""
    validator.validate(sample(name))


def test_what_is_measured_fits(validator):
    """Groups and costs of real numbers, whole and split."""
    systems = [
        real(crowd(name, seed=seed, failures=0.02, grouped=True)) for seed, name in enumerate("ab")
    ]
    pairs = systems[0].table
    same = {"mated": pairs.mated, "probe_subjects": pairs.probe_subjects}
    systems[1] = changed(systems[1], **same, reference_subjects=pairs.reference_subjects)
    costs = Costs(impostors=0.01, false_match=100, false_reject=1, currency="USD")
    for split in (False, True):
        found = evaluate(systems, required_fmr=0.01, costs=costs, split=split)
        assert found.differences
        assert found.systems[0].group_differences
        validator.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)))


def test_every_field_is_described():
    """By the docstring of its class; only sizes and names that say it themselves are bare."""
    schema, _ = made()
    bare = {
        (name, field)
        for name, part in schema["$defs"].items()
        for field, one in part["properties"].items()
        if "description" not in one
    }
    assert bare <= {
        *(("SampleSize", field) for field in ("pairs", "mated", "non_mated", "subjects")),
        *(("System", field) for field in ("curve", "histogram", "service")),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"kind": "match"},
        {"required_fmr": 0},
        {"systems": []},
        {"confidence": 95},
        {"made_at": None},
        {"costs": 5},
    ],
    ids=str,
)
def test_what_is_no_comparison_is_refused(change, validator):
    """A schema that takes everything would be worth nothing."""
    assert not validator.is_valid({**sample("full"), **change})


def test_no_part_may_be_left_out_or_wrong(validator):
    """On top and within."""
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    good = sample("full")
    for name in good:
        assert not validator.is_valid({key: good[key] for key in good if key != name})
    for path, value in {
        ("at_required", "frr", "errors"): -1,
        ("at_required", "rule"): "sometimes",
        ("at_required", "fmr", "value"): 1.5,
        ("kind",): "guesses",
        ("environment",): "moon",
    }.items():
        worse = copy.deepcopy(good)
        part = worse["systems"][0]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        assert not validator.is_valid(worse), path
