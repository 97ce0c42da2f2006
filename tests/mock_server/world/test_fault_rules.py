"""What a rule refuses when it is made, and what it carries."""

import pytest

from facematch_mock_server import Fault, Kind, Stage

BODIES = {Kind.JSON: {"detail": "own"}}


def fault(stage, kind, **more):
    return Fault(stage=stage, kind=kind, body=BODIES.get(kind), **more)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"executed": 1}, "executed must be true or false"),
        ({"method": 1}, "method of a fault must be a string"),
        ({"kind": "json"}, "needs a body"),
        ({"kind": "json", "body": b"{}"}, "must be JSON"),
        ({"kind": "json", "body": [float("inf")]}, "must be JSON"),
    ],
)
def test_a_wrong_rule_is_refused_in_a_sentence(more, words):
    with pytest.raises(ValueError, match=words):
        Fault(**{"stage": Stage.ANSWER, "kind": Kind.HTML, **more})


def test_a_body_never_holds_itself():
    body = []
    body.append(body)
    with pytest.raises(ValueError, match="must be JSON"):
        Fault(stage="answer", kind="json", body=body)
