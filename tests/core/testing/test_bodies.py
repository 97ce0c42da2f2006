"""The bodies that the kit makes up, and the places in them."""

import itertools
import json

import pytest

from facematch_core.http import BodyShape, HttpReply
from facematch_core.testing import bodies as kit

DOCUMENT = {"a": [{"b": 1.5}, None], "c": "2"}


def test_places_are_all():
    """Containers and leaves, the outer ones first."""
    found = [(kit.named(place), value) for place, value in kit.places(DOCUMENT)]
    assert found == [
        ("$.a", DOCUMENT["a"]),
        ("$.a[0]", {"b": 1.5}),
        ("$.a[0].b", 1.5),
        ("$.a[1]", None),
        ("$.c", "2"),
    ]


@pytest.mark.parametrize("text", ["true", "[]", "1e999", "NaN"])
def test_replaced(text):
    """As it is written, whether it is JSON or not; the document stays as it was."""
    before = json.dumps(DOCUMENT)
    assert kit.changed(DOCUMENT, ("a", 0, "b"), text).decode() == before.replace("1.5", text)
    assert json.dumps(DOCUMENT) == before


def test_dropped():
    """Key and all, or an item of a list."""
    assert json.loads(kit.changed(DOCUMENT, ("a", 0, "b"), None)) == {"a": [{}, None], "c": "2"}
    assert json.loads(kit.changed(DOCUMENT, ("a", 1), None)) == {"a": [{"b": 1.5}], "c": "2"}
    assert json.loads(kit.changed(DOCUMENT, ("c",), None)) == {"a": DOCUMENT["a"]}


def test_turned_round():
    """Another order of keys, the same document."""
    turned = kit.turned_round({"x": {"y": 1, "z": 2}, "w": [3, 4]})
    assert json.dumps(turned) == '{"w": [3, 4], "x": {"z": 2, "y": 1}}'


def test_number_in():
    """Also those in texts; what is true is none."""
    assert list(map(kit.number_in, (1.5, True, "2", "x", 10**400, [7], 7))) == (
        [1.5, None, 2.0, None, None, None, 7.0]
    )


def test_forms_cover_every_shape():
    """In each round those that a gateway answers with; within a few, every kind of JSON."""
    rounds = list(itertools.islice(kit.forms(["the-key"]), 3))
    shapes = {form.name: HttpReply(status=500, body=form.body).shape for r in rounds for form in r}
    assert set(shapes.values()) == set(BodyShape)
    assert len(shapes) == 12
    for bodies in rounds:
        gateways = [form for form in bodies if not form.is_json]
        assert {shapes[form.name] for form in gateways} == {
            BodyShape.HTML,
            BodyShape.EMPTY,
            BodyShape.OTHER,
        }
        told = [
            form for form in bodies if b"the-key" in form.body and kit.CANARY.encode() in form.body
        ]
        assert len(told) >= 5


def test_made_up_bodies_are_the_same_each_time():
    """Many of them objects, some of them no JSON; none is worth two."""
    bodies = list(kit.made_up(150))
    assert bodies == list(kit.made_up(150))
    shapes = [HttpReply(status=200, body=body).shape for body in bodies]
    assert shapes.count(BodyShape.JSON_OBJECT) > 40
    assert shapes.count(BodyShape.OTHER) > 5
    assert len(set(bodies)) > 100
