"""Documents with one thing wrong."""

import contextlib
import json

import pytest
from hypothesis import Phase, given, settings

from facematch_core.testing.strategies import json_values, mutated

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


@given(mutated(json_values()))
def test_documents_of_a_strategy_can_be_mutated(body):
    """One thing wrong in any of them."""
    json.dumps(body, allow_nan=False)


@pytest.mark.parametrize(
    "odd", [{1, 2}, {"at": object()}, {"a": b"bytes"}], ids=["set", "object", "bytes"]
)
def test_no_document(odd):
    """What JSON does not have is not mutated."""
    with pytest.raises(TypeError, match="takes a JSON document or a strategy"):
        mutated(odd)
