"""What an answer repeats of a secret is masked, wherever in the body it stands."""

import pytest

from facematch_core import Decision, MatchResult, RequestRejected, Secret
from facematch_core._http._masking import mask_error, masked_result

CANARY = "sk-canary-9b7e"


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ({CANARY: 1}, {"***": 1}),
        ({"a": {f"key {CANARY}": CANARY}}, {"a": {"key ***": "***"}}),
        ({"a": [{CANARY: None}]}, {"a": [{"***": None}]}),
        ({"id": 7, "face": True}, {"id": 7, "face": True}),
    ],
    ids=["key", "nested", "in a list", "nothing to mask"],
)
def test_names_are_masked_as_values_are(raw, masked):
    """A vendor that keeps a table by key repeats the key as a name."""
    result = MatchResult(decision=Decision.MATCH, backend="acme", raw=raw)
    assert masked_result(result, (Secret(CANARY),)).raw == masked


def test_fields_are_told_as_an_excerpt_is():
    """What a vendor quotes of a picture looks like a key; a long text is cut."""
    quoted = "iVBORw0KGgoAAAANSUhEUgAA"
    error = RequestRejected(
        "Refused.",
        field_errors={
            "probe": [f"no base64:\n{quoted}", "too large " * 40],
            quoted: ["first"],
            f"{quoted}7": ["second"],
        },
    )
    mask_error(error, (Secret(CANARY),))
    told, cut = error.field_errors["probe"]
    assert told == "no base64: ***"
    assert len(cut) <= 200
    # Names that can no longer be told apart share an entry.
    assert error.field_errors["***"] == ("first", "second")
