"""The bodies that the kit makes up, and the places in them."""

import json

import pytest

from facematch_core.http import BodyShape, HttpReply
from facematch_core.testing import bodies as kit

DOCUMENT = {"a": [{"b": 1.5}, None], "c": "2"}


def test_places_are_all():
    """Containers and leaves, the outer ones first."""
    found = [kit.named(place) for place, _ in kit.places(DOCUMENT)]
    assert found == ["a", "a[0]", "a[0].b", "a[1]", "c"]


@pytest.mark.parametrize("text", ["true", "[]", "1e999", "NaN"])
def test_changed(text):
    """As it is written, whether it is JSON or not, or gone; the document stays as it was."""
    before = json.dumps(DOCUMENT)
    assert kit.changed(DOCUMENT, ("a", 0, "b"), text).decode() == before.replace("1.5", text)
    assert json.loads(kit.changed(DOCUMENT, ("a", 0, "b"), None)) == {"a": [{}, None], "c": "2"}
    assert json.loads(kit.changed(DOCUMENT, ("a", 1), None)) == {"a": [{"b": 1.5}], "c": "2"}
    assert json.dumps(DOCUMENT) == before


def test_number_in():
    """Also those in texts; what is true is none."""
    told = map(kit.number_in, (1.5, True, "2", "x", 10**400, [7], 7))
    assert [*told] == [1.5, None, 2.0, None, None, None, 7.0]


def test_bodies_are_of_every_kind():
    """What the vendor may say, what only a gateway says, and much that nobody does."""
    shapes = {form: HttpReply(status=500, body=form.body).shape for form in kit.forms(["the-key"])}
    assert set(shapes.values()) == set(BodyShape)
    strange = {shapes[form] for form in shapes if not form.is_json}
    assert strange == {BodyShape.HTML, BodyShape.EMPTY, BodyShape.OTHER}
    echoes = [
        form for form in shapes if b"the-key" in form.body and kit.CANARY.encode() in form.body
    ]
    assert len(echoes) >= 5
    made = [*kit.made_up()]
    assert len(set(made)) == len(made) > 40
    assert {HttpReply(status=200, body=body).shape for body in made} >= {
        BodyShape.JSON_OBJECT,
        BodyShape.OTHER_JSON,
        BodyShape.OTHER,
    }
