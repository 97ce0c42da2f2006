"""What is read from an answer, whatever is in it."""

import pytest
from facematch_core import Decision
from hypothesis import given
from hypothesis import strategies as st

from facematch_acme._backend import DECISIONS, match_result

#: Anything that JSON can hold where one value is expected.
VALUES = st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers())
VERDICTS = st.sampled_from(sorted(DECISIONS)) | VALUES
ANSWERS = st.fixed_dictionaries(
    {"verdict": VERDICTS, "similarity": st.floats(0, 100) | VALUES, "id": st.text() | VALUES}
)


@given(ANSWERS)
def test_only_same_and_a_score_is_a_match(body: dict[str, object]) -> None:
    """Whatever else comes is no match, or cannot be read."""
    try:
        result = match_result(body)
    except (TypeError, ValueError):
        return
    assert (result.decision is Decision.MATCH) == (body["verdict"] == "same" and bool(result.score))
    assert result.score is None or result.score.value == body["similarity"]


@pytest.mark.parametrize(
    ("verdict", "decision"),
    [
        ("same", Decision.MATCH),
        ("different", Decision.NO_MATCH),
        ("unsure", Decision.REVIEW),
    ],
)
def test_each_word_of_the_vendor(verdict: str, decision: Decision) -> None:
    """As its documents say: a word that asks for a person is no match, and no refusal."""
    result = match_result({"verdict": verdict, "similarity": 93.5, "id": "cmp_1"})
    assert result.decision is decision


@pytest.mark.parametrize("missing", ["verdict", "similarity", "id"])
def test_what_is_missing_is_not_made_up(missing: str) -> None:
    """A result that rests on a default would be ours, not the vendor's."""
    body = {"verdict": "same", "similarity": 93.5, "id": "cmp_1"}
    del body[missing]
    with pytest.raises(LookupError):
        match_result(body)
