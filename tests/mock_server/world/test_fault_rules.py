"""What a rule refuses when it is made, and what it carries."""

import pytest

from facematch_mock_server import Fault, Kind, Stage

ITSELF = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"executed": 1}, "executed must be true or false"),
        ({"method": 1}, "method of a fault must be a string"),
        ({"kind": "json"}, "needs a body"),
        ({"kind": "json", "body": b"{}"}, "must be JSON"),
        ({"kind": "json", "body": [float("inf")]}, "must be JSON"),
        ({"kind": "json", "body": ITSELF}, "must be JSON"),
    ],
)
def test_a_wrong_rule_is_refused_in_a_sentence(more, words):
    with pytest.raises(ValueError, match=words):
        Fault(**{"stage": Stage.ANSWER, "kind": Kind.HTML, **more})
