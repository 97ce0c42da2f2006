"""What a rule refuses when it is made, and what it carries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import match
from kit.mock_worlds import struck_by

from facematch_mock_server import Fault, Kind, Stage
from facematch_mock_server.faults import CARRIED_OUT, DEEPEST, POSSIBLE

PLACES = [(stage, kind) for stage, kinds in POSSIBLE.items() for kind in sorted(kinds)]
BODIES = {Kind.JSON: {"detail": "own"}}


def fault(stage, kind, **more):
    """A fault of that kind, with a body if it needs one."""
    return Fault(stage=stage, kind=kind, body=BODIES.get(kind), **more)


@pytest.mark.parametrize("executed", [False, True, None])
@pytest.mark.parametrize(("stage", "kind"), PLACES)
def test_executed_is_honoured_or_refused(stage, kind, executed):
    """Where the stage leaves no choice, only what it does, or nothing, may be said."""
    if executed is not None and CARRIED_OUT.get(stage, executed) is not executed:
        with pytest.raises(ValueError, match=f"at {stage} the call is (always|never) executed"):
            fault(stage, kind, executed=executed)
    else:
        assert fault(stage, kind, executed=executed).executed is executed


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"executed": 1}, "executed must be true or false"),
        ({"method": 1}, "method of a fault must be a string"),
        ({"path": b"/v3/"}, "path of a fault must be a string"),
        ({"body": {}}, "no other kind takes one"),
        ({"kind": "json"}, "needs a body"),
        ({"kind": "json", "body": b"{}"}, "a bytes cannot be sent"),
        ({"kind": "json", "body": {1: 2}}, "strings as names"),
        ({"kind": "json", "body": [float("inf")]}, "finite numbers"),
        ({"kind": "json", "body": {"a": object}}, "a type cannot be sent"),
    ],
)
def test_a_rule_that_is_refused(more, words):
    """One sentence says why."""
    with pytest.raises(ValueError, match=words):
        Fault(**{"stage": Stage.ANSWER, "kind": Kind.HTML, **more})


def test_a_body_is_nested_so_deeply_at_most():
    """A list that holds itself is too deep, too."""
    body = []
    for _ in range(DEEPEST):
        body = [body]
    assert Fault(stage="answer", kind="json", body=body).body == body
    body = []
    body.append(body)
    with pytest.raises(ValueError, match="50 levels"):
        Fault(stage="answer", kind="json", body=body)


def test_a_body_is_the_rules_own():
    """What becomes of the test's object later does not change it."""
    body = {"errors": [1]}
    rule = Fault(stage="answer", kind="json", body=body)
    body["errors"].append(2)
    assert rule.body == {"errors": [1]}
    assert len({rule, rule}) == 1


bodies = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(st.none() | inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(body=bodies, status=st.integers(200, 599))
def test_any_json_is_sent_as_it_is(body, status):
    """Under any status, with the claim that it is nobody's but the test's."""
    rule = Fault(stage="answer", kind="json", status=status, body=body)
    response = struck_by(didit.new_engine(), rule, match())
    assert (response.status, response.json()) == (status, json.loads(json.dumps(body)))
    assert response.claims[0] == "mock.fault.own"
