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


def raw_of(result):
    if isinstance(result, fm.LiveMatchResult):
        return [result.liveness.raw, None if result.match is None else result.match.raw]
    return result.raw


@settings(max_examples=settings().max_examples // 2)
@given(match_results | liveness_results | live_match_results)
def test_results_survive_json_pickle_and_copy(result):
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    again = type(result).from_dict(document)
    assert raw_of(again) == raw_of(result)
    for other in (again, pickle.loads(pickle.dumps(result)), copy.copy(result)):
        assert other == result
    minimal = result.to_dict(minimal=True)
    assert type(result).from_dict(minimal).decision is result.decision
    live = isinstance(result, fm.LiveMatchResult)
    kept = [minimal["liveness"], minimal["match"]] if live else [minimal]
    assert all(set(part) - {"schema", "kind"} == MINIMAL for part in kept if part)
    for written in (document, json.loads(json.dumps(minimal))):
        VALIDATOR.validate(written)


def test_session_survives_json_without_portrait_and_clock():
    sessions = fm.Sessions(fm.FaceVerifier(Acme()), compared_with="document")
    record = sessions.start(sessions.plan("c-1", purpose="payout")).record
    result = sessions.read(record)
    for written in (record, result, sessions.read(record, with_portrait=True)):
        document = json.loads(json.dumps(written.to_dict(), allow_nan=False))
        VALIDATOR.validate(document)
        assert type(written).from_dict(document) == written
        VALIDATOR.validate(json.loads(json.dumps(written.to_dict(minimal=True))))
        assert not {"portrait", "clock"} & set(document)
    minimal = result.to_dict(minimal=True)
    assert "raw" not in minimal
    assert set(minimal["match"]) == MINIMAL


@given(attempts)
def test_call_record_survives_json_and_pickle(attempt):
    document = json.loads(json.dumps(attempt.to_dict(), allow_nan=False))
    VALIDATOR.validate(document)
    assert fm.CallRecord.from_dict(document) == attempt
    assert pickle.loads(pickle.dumps(attempt)) == attempt
    times = ("now", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    wrong = ({"kind": "match"}, {"retention": 1}, {"operation": "guess"})
    for change in (*wrong, *({"started_at": time} for time in times)):
        with pytest.raises(ValueError):
            fm.CallRecord.from_dict({**document, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0},
        {"schema": None},
        {"kind": "liveness"},
        {"decision": "maybe"},
        *({"score": {"value": value, "scale": "x"}} for value in (101, True)),
        {"score": 5},
        {"created_at": "yesterday"},
        {"created_at": "2026-01-01T00:00:00"},
        {"warnings": 3},
        {"backend": None},
        {"raw": []},
    ],
    ids=str,
)
def test_invalid_result_document_is_refused_with_a_one_line_error(change):
    with pytest.raises(ValueError) as caught:
        fm.MatchResult.from_dict({**match_result().to_dict(), **change})
    assert "\n" not in str(caught.value)


def test_missing_keys_are_refused_and_unknown_keys_ignored():
    document = match_result().to_dict()
    assert fm.MatchResult.from_dict({**document, "later": 1}) == match_result()
    del document["decision"]
    for wrong in (document, [liveness_result().to_dict()]):
        with pytest.raises(ValueError):
            fm.MatchResult.from_dict(wrong)


def test_naive_times_and_non_finite_numbers_are_refused():
    for make in (match_result, liveness_result):
        assert make(created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).created_at
        for time in (dt.datetime(2026, 1, 1), dt.datetime(1, 1, 1)):
            with pytest.raises(ValueError, match="created_at"):
                make(created_at=time)
    for raw in (float("nan"), float("-inf")):
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
    assert (plain["price"], plain["picture"]) == ("0.05", "(left out: bytes)")
    assert plain["url"] == "(removed)"
    assert plain["faces"] == [{"url": "(removed)"}] * 2
    assert (plain["none"], plain["1"]) == ({"url": None}, ["a", None, True])


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [1, MAX_DEPTH - 2, MAX_DEPTH + 1, 500, 5000])
def test_too_deep_raw_is_cut_and_too_deep_metadata_is_refused(depth):
    a = PROBE
    b = REFERENCE
    answer = match_result(score=fm.Score(90, SCALE), raw=nested(depth))
    result = fm.FaceVerifier(FakeBackend(script=[answer])).verify(a, b)
    assert ("too deep" in json.dumps(result.to_dict())) is (depth > MAX_DEPTH)
    try:
        result = fm.FaceVerifier(FakeBackend()).verify(a, b, metadata=nested(depth))
    except ValueError:
        assert depth > MAX_DEPTH - 2
    else:
        assert json.dumps(result.to_dict())
