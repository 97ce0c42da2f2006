"""The JSON form of a comparison: round trips, and what it refuses."""

import json

import pytest
from core.comparison.report.samples import ALL, three

from facematch_core import InvalidRequest
from facematch_core.comparison._json import from_document, to_document


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name):
    """Written, sent as text and read again, a comparison is the same to the last field."""
    document = json.loads(json.dumps(to_document(ALL[name]()), allow_nan=False))
    assert from_document(document) == ALL[name]()


def test_keys_of_a_later_version_are_passed_over():
    """A document may say more than this version knows."""
    assert from_document({**to_document(three()), "later": 1}) == three()


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"schema": None},
        {"kind": "match"},
        {"contenders": 3},
        {"study": None},
        {"made_at": "yesterday"},
    ],
    ids=str,
)
def test_what_is_no_comparison_is_refused(change):
    """One sentence."""
    with pytest.raises(InvalidRequest) as caught:
        from_document({**to_document(three()), **change})
    assert "\n" not in str(caught.value)
