"""What an answer repeats of a secret is masked, wherever in the body it stands."""

import pytest

from facematch_core import Decision, MatchResult, Secret
from facematch_core._http._masking import masked_result

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
