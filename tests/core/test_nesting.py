"""Deep JSON is one error, without a word of the text."""

import json

import pytest

from facematch_core.base.nesting import TooDeep, load_json
from facematch_core.http import HttpReply


@pytest.mark.parametrize(("opened", "closed"), [('{"a":', "}"), ("[", "]")])
def test_json_that_python_cannot_read_is_too_deep(opened, closed):
    text = opened * 50 + '"CANARY"' + closed * 50
    assert load_json(text) == json.loads(text)
    deep = opened * 200_000 + '"CANARY"' + closed * 200_000
    with pytest.raises(TooDeep) as caught:
        load_json(deep)
    assert caught.value.__context__ is None
    with pytest.raises(ValueError, match="is not JSON") as refused:
        HttpReply(status=200, body=deep.encode()).json()
    assert refused.value.__context__ is None
