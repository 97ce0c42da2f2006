"""Documents from a schema, and documents with one thing wrong."""

import contextlib
import datetime as dt
import json
from pathlib import Path

import hypothesis
import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from facematch_core.testing.strategies import bodies, json_values, mutated

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"

#: For what is only to be found; the smallest example is not asked for.
QUICK = settings(
    max_examples=5_000, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def find(strategy, wanted=lambda _: True):
    """Some value of it that is wanted."""
    return hypothesis.find(strategy, wanted, settings=QUICK)


WARNING = {
    "type": "object",
    "properties": {
        "risk": {"type": "string", "minLength": 1},
        "log_type": {"type": "string", "enum": ["error", "warning", "information"]},
    },
    "required": ["risk"],
    "additionalProperties": False,
}
TREE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "inner": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name"],
}
#: Schemas that JSON Schema means in the same way.
SCHEMAS = {
    "an answer": {
        "type": "object",
        "required": ["status", "score", "at", "id", "warnings"],
        "properties": {
            "status": {"type": "string", "enum": ["Approved", "Declined"], "description": "x"},
            "score": {"type": ["number", "null"], "minimum": 0, "maximum": 100, "example": 87},
            "at": {"type": "string", "format": "date-time"},
            "id": {"type": "string", "format": "uuid"},
            "warnings": {"type": "array", "items": {"$ref": "#/$defs/warning"}},
            "box": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "minItems": 4,
                "maxItems": 4,
            },
            "x-any": True,
        },
        "$defs": {"warning": WARNING},
    },
    "a tree": TREE,
    "either": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}, WARNING]},
    "one of": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"minimum": 3}, "b": {"const": 1}}},
        ]
    },
    "alternatives that contradict what is around them": {
        "properties": {"kind": {"enum": ["a", "b"]}},
        "required": ["kind"],
        "type": "object",
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}, "required": ["n"]},
            {"properties": {"kind": {"const": "b"}}},
        ],
    },
    "open numbers": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "a whole one": {"type": "integer", "exclusiveMinimum": 6, "maximum": 7},
    "a moment in milliseconds": {"type": "number", "minimum": 1_700_000_000_000},
    "a number that may be whole": {"allOf": [{"type": "number"}, {"type": "integer"}]},
    "anything or null": {"anyOf": [True, {"type": "null"}]},
    "a pattern": {"type": "string", "pattern": "^[a-z]{2}-[0-9]+"},
    "no type": {"properties": {"a": {"type": "boolean"}}, "required": ["a"]},
    "more names": {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "additionalProperties": {"type": "integer"},
        "required": ["b"],
    },
    "a set": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True},
    "anything": {},
    "formats": {
        "type": "object",
        "required": ["a", "b", "c", "d", "e"],
        "properties": {
            "a": {"type": "string", "format": "date"},
            "b": {"type": "string", "format": "uri", "maxLength": 40},
            "c": {"type": "string", "format": "email"},
            "d": {"type": "string", "format": "byte"},
            "e": {"type": "integer", "format": "int32"},
        },
    },
    "our own results": json.loads((REFERENCE / "result.schema.json").read_text()),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_are_what_the_schema_says(name):
    """An independent program agrees, and nothing is in them that JSON does not have."""
    schema = SCHEMAS[name]
    judge = jsonschema.Draft202012Validator(schema)

    @settings(max_examples=60)
    @given(bodies(schema))
    def agrees(body):
        judge.validate(json.loads(json.dumps(body, allow_nan=False)))

    agrees()


def test_documents_are_varied():
    """Names that need not be there come and do not, each alternative is taken, depth as well."""
    answer = bodies(SCHEMAS["an answer"])
    assert find(answer, lambda body: "box" in body and body["warnings"])
    assert find(answer, lambda body: "box" not in body and body["score"] is None)
    assert find(answer, lambda body: body["at"].endswith("Z"))
    assert find(answer, lambda body: isinstance(body["score"], int))
    assert find(bodies(SCHEMAS["either"]), lambda body: isinstance(body, dict))
    assert find(bodies(TREE), lambda tree: any(one.get("inner") for one in tree.get("inner", ())))


OPENAPI = {
    "components": {
        "schemas": {
            "Face/Match": {
                "type": "object",
                "properties": {
                    "score": {"type": "number", "nullable": True, "minimum": 0, "maximum": 100},
                    "status": {"$ref": "#/components/schemas/Status"},
                },
                "required": ["score", "status"],
            },
            "Status": {"type": "string", "enum": ["Approved"]},
        }
    }
}


def test_documents_of_an_openapi_document():
    """References lead into the whole of it, and null is allowed by a word of its own."""
    reference = {"$ref": "#/components/schemas/Face~1Match"}
    answer = bodies(reference, document=OPENAPI)
    assert find(answer, lambda body: body["score"] is None)["status"] == "Approved"
    assert 0 < find(answer, lambda body: body["score"])["score"] <= 100
    flagged = {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 1}
    assert find(bodies(flagged)) == 1
    stricter = {"allOf": [flagged | {"maximum": 7}, {"minimum": 6, "maximum": 6}]}
    assert find(bodies(stricter)) == 6


def test_a_document_that_was_yaml():
    """Its examples may be dates, which JSON does not have."""
    assert find(bodies({"type": "string", "example": dt.date(2026, 11, 20)}), bool)


@pytest.mark.parametrize(
    ("schema", "what", "place"),
    [
        ({"type": "object", "patternProperties": {}}, "the word patternProperties", "#"),
        ({"type": "string", "format": "hostname"}, "the format hostname", "#"),
        ({"type": "integer", "format": "uuid"}, "the format uuid", "#"),
        ({"type": "number", "multipleOf": 0.1}, "the word multipleOf", "#"),
        (
            {"type": "array", "items": {"type": "string", "contentEncoding": "x"}},
            "the word contentEncoding",
            "#/items",
        ),
        ({"properties": {"a": {"not": {}}}}, "the word not", "#/properties/a"),
        ({"anyOf": [{"type": "file"}]}, "the type file", "#"),
        ({"$ref": "https://schemas.example/a"}, "a $ref that leads out of the document", "#"),
        ({"$ref": "#/$defs/a"}, "the $ref #/$defs/a, which leads nowhere", "#"),
        ({"$ref": "#"}, "a reference to itself, #", "#"),
        ({"properties": {"a": False}}, "false, which allows nothing", "#/properties/a"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no whole number", "#"),
        ({"type": "number", "minimum": 3, "maximum": 2}, "a least number above the most", "#"),
        ({"type": "string", "enum": [1]}, "an enum without a value of its type", "#"),
        ({"enum": ["a"], "minLength": 3}, "an enum beside other conditions", "#"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "conditions that contradict", "#"),
        ({"allOf": [{"format": "date"}, {"format": "uuid"}]}, "two of format", "#"),
        (
            {"allOf": [WARNING, {"properties": {"a": {"type": "string"}}}]},
            "additionalProperties beside properties of another schema",
            "#",
        ),
        ({"properties": {"a": "string"}}, "a str instead of a schema", "#/properties/a"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_not_known_is_refused(schema, what, place):
    """At once, in one sentence that names the word and its place: no document is made up."""
    with pytest.raises(ValueError) as caught:
        bodies(schema)
    sentence = str(caught.value)
    assert sentence.startswith(f"The schema has {what}")
    assert f" at {place}: " in sentence


# Documents with one thing wrong

ANSWER = {
    "request_id": "a-1",
    "face_match": {"status": "Approved", "score": 87.36, "warnings": [{"risk": "A"}], "ok": True},
    "count": 2,
    "vendor_data": None,
}


def differing(one, other):
    """How many places have another value: wherever two documents are no longer alike in form."""
    if type(one) is type(other) is dict and one.keys() == other.keys():
        return sum(differing(one[key], other[key]) for key in one)
    if type(one) is type(other) is list and len(one) == len(other):
        return sum(map(differing, one, other))
    return json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)


@given(mutated(ANSWER))
def test_one_thing_is_wrong(body):
    """Exactly one place differs, in another JSON text; the document itself stays as it was."""
    before = json.dumps(ANSWER)
    assert differing(body, ANSWER) == 1 or body["face_match"]["warnings"] != [{"risk": "A"}]
    json.dumps(body, allow_nan=False)
    assert json.dumps(ANSWER) == before


#: What may be wrong in `ANSWER`, as a condition on the whole document.
WRONG = {
    "missing": lambda body: "request_id" not in body,
    "new": lambda body: "unknown" in body,
    "a number as text": lambda body: body["face_match"]["score"] == "87.36",
    "beyond its range": lambda body: body["face_match"]["score"] == 10**400,
    "in other letters": lambda body: body["face_match"]["status"] == "APPROVED",
    "empty": lambda body: body["face_match"]["warnings"] == [],
    "doubled": lambda body: len(body["face_match"]["warnings"]) == 2,
    "a number as flag": lambda body: body["face_match"]["ok"] in (1, 0),
    "wrapped": lambda body: body == [ANSWER],
    "null": lambda body: body is None,
}


def is_wrong(name, body):
    """Whether a document is wrong in this way."""
    try:
        return WRONG[name](body)
    except (TypeError, KeyError):
        return False


class Enough(Exception):
    """Everything was seen."""


def test_what_may_be_wrong():
    """Each of these comes, within two thousand documents."""
    left = set(WRONG)

    @settings(max_examples=2_000, phases=[Phase.generate], derandomize=True)
    @given(mutated(ANSWER))
    def looks(body):
        left.difference_update([name for name in left if is_wrong(name, body)])
        if not left:
            raise Enough

    with contextlib.suppress(Enough):
        looks()
    assert not left


@given(mutated(bodies(SCHEMAS["an answer"])) | mutated(json_values()))
def test_documents_of_a_strategy_can_be_mutated(body):
    """One thing wrong in any answer."""
    json.dumps(body, allow_nan=False)


@pytest.mark.parametrize(
    "odd", [{1, 2}, {"at": object()}, {"a": b"bytes"}], ids=["set", "object", "bytes"]
)
def test_no_document(odd):
    """What JSON does not have is not mutated."""
    with pytest.raises(TypeError, match="takes a JSON document or a strategy"):
        mutated(odd)


def test_formats_of_numbers():
    """Those of OpenAPI say how many bits a number has."""
    for schema in (
        {"type": "number", "format": "double"},
        {"type": "number", "format": "float"},
        {"type": "integer", "format": "int32"},
    ):
        assert isinstance(find(bodies(schema)), (int, float))
