"""The fields of documents, as each schema had them: no later schema gives one another type.

Documents are read strictly, and neighbouring releases read each other's. `UPDATE=1` adds a new
field to `golden/fields_SCHEMA.txt`, and changes none.
"""

import copy
import os
from pathlib import Path

import pytest
from kit.goldens import by_place, facts_in

from facematch_core import documents

GOLDEN = Path(__file__).parent / "golden"
KEPT = GOLDEN / f"fields_{documents.SCHEMA}.txt"
REQUIRED = "required"
WORD = "word "


def facts_of_value(schema):
    """Yield the types that a value may have, and the words of an enum."""
    for part in schema.get("anyOf", ()):
        yield from facts_of_value(part)
    if "$ref" in schema:
        yield schema["$ref"].removeprefix("#/$defs/")
    if "enum" in schema:
        yield from (f"{WORD}{word}" for word in schema["enum"])
        yield "one of the words"
    types = schema.get("type", ())
    yield from [types] if isinstance(types, str) else types
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            yield from (f"{part} {fact}" for fact in facts_of_value(schema[part]))


def facts_of(schema):
    """Yield pairs of a field, such as `match.score`, and a fact about it."""
    for definition, parts in schema["$defs"].items():
        for name, field in parts["properties"].items():
            place = f"{definition}.{name}"
            yield from ((place, fact) for fact in facts_of_value(field))
            if name in parts.get("required", ()):
                yield place, REQUIRED


def fields_in(facts):
    return {place for place, _ in facts}


def find_breaks(earlier, later):
    """Return the fields that a reader of the earlier or of the later schema would refuse."""
    earlier_fields, later_fields = fields_in(earlier), fields_in(later)
    definitions = {place.partition(".")[0] for place in earlier_fields}
    lost = {place for place, fact in earlier - later if place in later_fields or fact == REQUIRED}
    added = {
        place
        for place, fact in later - earlier
        if place.partition(".")[0] in definitions
        and (fact == REQUIRED or (place in earlier_fields and WORD not in fact))
    }
    return lost | added


NOW = set(facts_of(documents.json_schema()))


def test_each_field_is_kept():
    kept = facts_in(KEPT.read_text("utf-8")) if KEPT.exists() else set()
    if os.environ.get("UPDATE"):
        kept |= {(place, fact) for place, fact in NOW if place not in fields_in(kept)}
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(by_place(kept), "utf-8")
    assert fields_in(NOW) <= fields_in(kept), "UPDATE=1 keeps a new field"


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("fields_*.txt")), ids=lambda file: file.stem)
def test_no_field_of_an_earlier_schema_gets_another_type(file):
    assert find_breaks(facts_in(file.read_text("utf-8")), NOW) == set()


def changed(definition, name, field, *, is_required=True):
    """Return the facts of a schema in which a field differs; None removes it."""
    schema = copy.deepcopy(documents.json_schema())
    parts = schema["$defs"][definition]
    parts["properties"].pop(name, None)
    if field is not None:
        parts["properties"][name] = field
        parts["required"] += [name] if is_required else []
    return set(facts_of(schema))


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ("score.value", {"type": "string"}),
        ("score.value", {"type": ["number", "null"]}),
        ("match.backend", {"$ref": "#/$defs/score"}),
        ("match.decision", {"enum": ["match", "no_match", "review"]}),
        ("match.decision", {"type": "string"}),
        ("match.decision", None),
        ("match.warnings", {"type": "array", "items": {"type": "string"}}),
        ("match.later", {"type": "string"}),
    ],
    ids=str,
)
def test_change_that_a_reader_would_refuse_is_found(place, field):
    assert find_breaks(NOW, changed(*place.split("."), field)) == {place}


def test_new_words_and_new_fields_are_no_break():
    words = ["match", "no_match", "review", "inconclusive", "later"]
    assert find_breaks(NOW, changed("match", "decision", {"enum": words})) == set()
    later = changed("match", "later", {"type": "string"}, is_required=False)
    assert find_breaks(NOW, later) == set()
