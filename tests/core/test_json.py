"""The JSON form: round trips, its schema, and what it refuses."""

import copy
import json
import pickle
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from kit.fakes import liveness_result, match_result
from kit.strategies import (
    attempts,
    live_match_results,
    liveness_results,
    match_results,
)

from facematch_core import CallRecord, LiveMatchResult, LivenessResult, MatchResult

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/result.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MINIMAL = {"decision", "score", "threshold", "environment", "backend", "ids"}
any_result = match_results | liveness_results | live_match_results


def raw_of(result):
    if isinstance(result, LiveMatchResult):
        return [result.liveness.raw, None if result.match is None else result.match.raw]
    return result.raw


@given(any_result)
def test_round_trip(result):
    """Written, sent as text and read again, a result is the same to the last field."""
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    again = type(result).from_dict(document)
    assert again == result
    assert raw_of(again) == raw_of(result)
    VALIDATOR.validate(document)


@given(attempts)
def test_an_attempt_is_written_and_read(attempt):
    """It has to outlive the program that made the call."""
    document = json.loads(json.dumps(attempt.to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    assert CallRecord.from_dict(document) == attempt
    assert pickle.loads(pickle.dumps(attempt)) == attempt
    for change in ({"kind": "match"}, {"kept": 1}, {"operation": "guess"}, {"started_at": "now"}):
        with pytest.raises(ValueError):
            CallRecord.from_dict({**document, **change})


@given(any_result)
def test_pickle_and_copy(result):
    """Results cross process borders."""
    for again in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
        assert again == result


@given(any_result)
def test_minimal_form(result):
    """Decision, score and ids: what a database should keep, and no personal data."""
    document = result.to_dict(minimal=True)
    VALIDATOR.validate(json.loads(json.dumps(document)))
    again = type(result).from_dict(document)
    assert again.decision is result.decision
    live = isinstance(result, LiveMatchResult)
    kept = [document["liveness"], document["match"]] if live else [document]
    assert all(set(part) - {"schema", "kind"} == MINIMAL for part in kept if part)


def test_the_schema_is_a_schema():
    """And it refuses what is not a result."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    good = match_result().to_dict()
    for change in ({"schema": 0}, {"kind": "other"}, {"decision": "maybe"}, {"elapsed_s": -1}):
        assert not VALIDATOR.is_valid({**good, **change})
    assert not VALIDATOR.is_valid({k: v for k, v in good.items() if k != "backend"})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0},
        {"schema": None},
        {"kind": "liveness"},
        {"decision": "maybe"},
        {"score": {"value": 101, "scale": "x"}},
        {"score": {"value": True, "scale": "x"}},
        {"score": 5},
        {"created_at": "yesterday"},
        {"created_at": "2026-01-01T00:00:00"},
        {"warnings": 3},
        {"backend": None},
        {"raw": []},
    ],
    ids=str,
)
def test_what_is_no_result_is_refused(change):
    """One sentence that names the field, never a value."""
    document = {**match_result().to_dict(), **change}
    with pytest.raises(ValueError) as caught:
        MatchResult.from_dict(document)
    assert "\n" not in str(caught.value)


def test_missing_and_unknown_keys():
    """A missing decision is refused; a key of a later version is passed over."""
    document = match_result().to_dict()
    assert MatchResult.from_dict({**document, "later": 1}) == match_result()
    del document["decision"]
    with pytest.raises(ValueError):
        MatchResult.from_dict(document)
    with pytest.raises(ValueError, match="must be an object"):
        LivenessResult.from_dict([liveness_result().to_dict()])


def test_raw_is_not_in_repr():
    """It may be long, and it is the vendor's."""
    assert "secret-field" not in repr(match_result(raw={"secret-field": 1}))
