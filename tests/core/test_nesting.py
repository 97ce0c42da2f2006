"""JSON is read down to one depth, whatever the interpreter and the caller's stack allow."""

import json

import pytest

from facematch_core.base.nesting import MAX_DEPTH, TooDeep, load_json
from facematch_core.http import HttpReply

SHAPES = pytest.mark.parametrize(
    ("opened", "closed"), [('{"a":', "}"), ("[", "]")], ids=["objects", "lists"]
)


@SHAPES
def test_the_limit_is_read_and_one_more_is_not(opened, closed):
    text = opened * MAX_DEPTH + "1" + closed * MAX_DEPTH
    assert load_json(text) == json.loads(text)
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(TooDeep) as caught:
            load_json(opened * depth + "1" + closed * depth)
        assert caught.value.__context__ is None


@pytest.mark.parametrize("text", ["1", '"a"', "null", "[]", "{}", "[[], {}, [1, {}]]"])
def test_what_is_flat_is_read(text):
    assert load_json(text) == json.loads(text)


@SHAPES
def test_a_vendors_answer_is_refused_beyond_the_limit_without_a_word_of_it(opened, closed):
    bodies = [opened * depth + '"CANARY"' + closed * depth for depth in (MAX_DEPTH, MAX_DEPTH + 1)]
    fits, deep = (HttpReply(status=200, body=body.encode()) for body in bodies)
    assert fits.json()
    with pytest.raises(ValueError, match="is not JSON") as caught:
        deep.json()
    assert caught.value.__context__ is None
