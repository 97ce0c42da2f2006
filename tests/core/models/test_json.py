import copy
import datetime as dt
import decimal
import json
import pickle
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.attempts import new_record
from kit.fakes import PROBE, REFERENCE, SCALE, FakeBackend, liveness_result, match_result
from kit.sessions import Acme
from kit.strategies import attempts, liveness_results, match_results

import facematch_core as fm
from facematch_core import models
from facematch_core.base.masking import MAX_DEPTH

#: A check, and a match where the check did not end it.
live_match_results = st.builds(
    lambda liveness, match: models.LiveMatchResult.of(
        liveness, None if models.ends_early(liveness) else match
    ),
    liveness_results,
    match_results,
)


SCHEMA = json.loads((Path(fm.__file__).parent / "result.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MINIMAL = {"decision", "score", "threshold", "environment", "backend", "ids"}


def written(result, **options):
    """A document as it is read from a file."""
    return json.loads(json.dumps(result.to_dict(**options), allow_nan=False))


def raw_of(result):
    if isinstance(result, fm.LiveMatchResult):
        return [result.liveness.raw, None if result.match is None else result.match.raw]
    return result.raw


@settings(max_examples=settings().max_examples // 2)
@given(match_results | liveness_results | live_match_results)
def test_results_survive_json_pickle_and_copy(result):
    document = written(result)
    from_json = type(result).from_dict(document)
    assert from_json == pickle.loads(pickle.dumps(result)) == copy.copy(result) == result
    assert raw_of(from_json) == raw_of(result)
    VALIDATOR.validate(document)


@settings(max_examples=settings().max_examples // 2)
@given(match_results | liveness_results | live_match_results)
def test_minimal_document_has_the_decision_and_six_keys(result):
    minimal = written(result, minimal=True)
    VALIDATOR.validate(minimal)
    assert type(result).from_dict(minimal).decision is result.decision
    parts = [minimal]
    if isinstance(result, fm.LiveMatchResult):
        parts = [minimal["liveness"], minimal["match"]]
    for part in parts:
        assert part is None or set(part) - {"schema", "kind"} == MINIMAL


def test_session_survives_json_without_portrait_and_clock():
    sessions = fm.Sessions(fm.FaceVerifier(Acme()), compared_with="document")
    record = sessions.start(sessions.plan("c-1", purpose="payout")).record
    result = sessions.read(record)
    for session in (record, result, sessions.read(record, with_portrait=True)):
        document = written(session)
        VALIDATOR.validate(document)
        assert type(session).from_dict(document) == session
        VALIDATOR.validate(written(session, minimal=True))
        assert not {"portrait", "clock"} & set(document)
    minimal = result.to_dict(minimal=True)
    assert "raw" not in minimal
    assert set(minimal["match"]) == MINIMAL


@given(attempts)
def test_call_record_survives_json_and_pickle(attempt):
    document = written(attempt)
    VALIDATOR.validate(document)
    assert fm.CallRecord.from_dict(document) == attempt
    assert pickle.loads(pickle.dumps(attempt)) == attempt


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "match"},
        {"operation": "guess"},
        {"started_at": "0001-01-01T00:00:00Z"},
        {"started_at": "9999-12-31T23:59:59Z"},
    ],
    ids=str,
)
def test_invalid_call_record_is_refused(change):
    with pytest.raises(ValueError):
        fm.CallRecord.from_dict(new_record().to_dict() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0},
        {"kind": "liveness"},
        {"decision": 1},
        {"score": {"value": 101, "scale": "x"}},
        {"score": {"value": True, "scale": "x"}},
        {"score": 5},
        {"created_at": "2026-01-01T00:00:00"},
        {"warnings": 3},
        {"raw": []},
    ],
    ids=str,
)
def test_invalid_result_document_is_refused_with_a_one_line_error(change):
    with pytest.raises(ValueError) as caught:
        fm.MatchResult.from_dict(match_result().to_dict() | change)
    assert "\n" not in str(caught.value)


def test_unknown_key_is_ignored():
    document = match_result().to_dict() | {"later": 1}
    assert fm.MatchResult.from_dict(document) == match_result()


def test_missing_key_or_a_list_is_refused():
    document = match_result().to_dict()
    del document["decision"]
    for invalid in (document, [liveness_result().to_dict()]):
        with pytest.raises(ValueError):
            fm.MatchResult.from_dict(invalid)


@pytest.mark.parametrize("time", [dt.datetime(2026, 1, 1), dt.datetime(1, 1, 1)], ids=str)
@pytest.mark.parametrize("make_result", [match_result, liveness_result])
def test_time_without_a_zone_is_refused(make_result, time):
    assert make_result(created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).created_at
    with pytest.raises(ValueError, match="created_at"):
        make_result(created_at=time)


@pytest.mark.parametrize("raw", [float("nan"), float("-inf")])
def test_non_finite_raw_score_is_refused(raw):
    with pytest.raises(ValueError):
        fm.Score(50, SCALE, raw=raw)


def test_raw_is_converted_to_plain_json_without_pictures():
    body = {
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "price": decimal.Decimal("0.05"),
        "nan": float("nan"),
        "picture": b"\xff\xd8",
        "object": object(),
        "url": "https://media.example/face.jpg?sig=1",
        "faces": [{"url": ["https://media.example/face.jpg"]}, {"url": {"big": "face.jpg"}}],
        "none": {"url": None},
        1: ("a", None, True),
    }
    backend = FakeBackend(script=[match_result(raw=body)], private_keys=frozenset({"url"}))
    plain = fm.FaceVerifier(backend).verify(PROBE, REFERENCE).raw
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["price"] == "0.05"
    assert plain["picture"] == "(left out: bytes)"
    assert plain["url"] == "(removed)"
    assert plain["faces"] == [{"url": "(removed)"}, {"url": "(removed)"}]
    assert plain["none"] == {"url": None}
    assert plain["1"] == ["a", None, True]


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [MAX_DEPTH - 2, MAX_DEPTH + 1, 5000])
def test_too_deep_raw_is_cut(depth):
    backend = FakeBackend(script=[match_result(raw=nested(depth))])
    result = fm.FaceVerifier(backend).verify(PROBE, REFERENCE)
    assert ("too deep" in json.dumps(result.to_dict())) is (depth > MAX_DEPTH)


def test_deep_metadata_is_written_to_json_and_deeper_one_is_refused(verifier):
    deep = nested(MAX_DEPTH - 2)
    result = verifier.verify(PROBE, REFERENCE, metadata=deep)
    assert written(result)["metadata"] == deep
    for depth in (MAX_DEPTH + 1, 5000):
        with pytest.raises(fm.InvalidRequest):
            verifier.verify(PROBE, REFERENCE, metadata=nested(depth))
