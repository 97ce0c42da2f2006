"""The JSON form of a comparison: round trips, and what it refuses."""

import json
import math

import attrs
import pytest
from kit.comparison.samples import ALL, full

from facematch_comparison.model import Evaluation
from facematch_core import InvalidRequest


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name):
    """Written, sent as text and read again, a comparison is the same to the last field."""
    document = json.loads(json.dumps(ALL[name]().to_dict(), allow_nan=False))
    assert Evaluation.from_dict(document) == ALL[name]()


def test_keys_of_a_later_version_are_passed_over():
    """A document may say more than this version knows."""
    assert Evaluation.from_dict({**full().to_dict(), "later": 1}) == full()


def test_rates_are_divided():
    """Nobody who reads the document has to; without a trial there is no rate."""
    document = full().to_dict()
    frr = document["systems"][0]["at_required"]["frr"]
    assert frr["value"] == frr["errors"] / frr["trials"]
    assert document["systems"][0]["groups"][4]["frr"]["value"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"schema": None},
        {"kind": "match"},
        {"systems": 3},
        {"study": None},
        {"made_at": "yesterday"},
        {"required_fmr": "0.001"},
        {"required_fmr": math.nan},
        {"required_fmr": True},
    ],
    ids=str,
)
def test_what_is_no_comparison_is_refused(change):
    """One sentence."""
    with pytest.raises(InvalidRequest) as caught:
        Evaluation.from_dict({**full().to_dict(), **change})
    assert "\n" not in str(caught.value)


def test_what_json_does_not_know_is_not_written():
    """No NaN reaches a file."""
    with pytest.raises(InvalidRequest, match="JSON does not know"):
        attrs.evolve(full(), confidence=math.nan).to_dict()
