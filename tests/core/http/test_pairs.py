"""A vendor described by tables: its request, and what its answers mean."""

import base64

import attrs
import pytest
from kit.fakes import json_reply, match_call

import facematch_core as fm
from facematch_core.backend import Capabilities
from facematch_core.http import (
    PROBE,
    REFERENCE,
    AnswerPaths,
    BoxPaths,
    PairBackend,
    RequestTemplate,
    Setting,
    as_secret,
)
from facematch_core.models import ThresholdSource

MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
KEY = "an-example-of-a-key-71ac"


@attrs.frozen(kw_only=True)
class TableBackend(PairBackend):
    name = "tables"
    capabilities = Capabilities(
        operations=frozenset({MATCH, LIVENESS}),
        score_scale="tables/v1",
        liveness_scale="tables/live",
        billed_operations=frozenset({MATCH}),
        reports_faces=True,
    )
    match_request = RequestTemplate(
        path="/compare",
        headers={"Authorization": Setting("api_key", prefix="Bearer ")},
        params={"region": Setting("region")},
        json={"images": [{"data": PROBE}, {"data": REFERENCE}], "model": Setting("model")},
    )
    match_answer = AnswerPaths(
        score=("result", 0, "score"),
        is_fraction=True,
        cut=("cuts", Setting("rate")),
        probe_faces=("faces",),
        face_box=BoxPaths(box=("box",), left=0, top=1, right=2, bottom=3),
        model=("model",),
        expected_model=Setting("model"),
        vendor_id=("id",),
    )
    liveness_request = RequestTemplate(path="/live", files={"picture": PROBE})
    liveness_answer = AnswerPaths(score=("live",))
    api_key: fm.Secret = attrs.field(converter=as_secret)
    base_url: str = "http://127.0.0.1:1"
    region: str | None = None
    model: str | None = None
    rate: str = "low"


@pytest.fixture
def backend():
    return TableBackend(api_key=KEY)


def body(**changes):
    answer = {"result": [{"score": 0.81}], "cuts": {"low": 0.8, "high": 0.9}, "id": 7}
    return answer | {"faces": [{"box": [1, 2, 31, 42]}], "model": "m1"} | changes


def test_request_has_pictures_and_settings_in_its_blanks():
    backend = TableBackend(api_key=KEY, region="eu", model="m1")
    call = match_call()
    request = backend.build(call)
    images = [base64.b64encode(image.data).decode() for image in (call.probe, call.reference)]
    assert request.url == "http://127.0.0.1:1/compare"
    assert request.headers["Authorization"] == fm.Secret(f"Bearer {KEY}")
    assert request.params == {"region": "eu"}
    assert request.json == {
        "images": [{"data": image} for image in images],
        "model": "m1",
    }
    assert fm.Secret(KEY) in request.masked


def test_setting_that_is_none_is_left_out_and_only_billed_operations_are_charged(backend):
    request = backend.build(match_call())
    assert (request.params, set(request.json)) == ({}, {"images"})
    assert request.charges == 1
    assert backend.build(match_call(operation=LIVENESS)).charges == 0


@pytest.mark.parametrize(
    ("rate", "threshold", "decision"), [("low", 80, "match"), ("high", 90, "no_match")]
)
def test_answers_own_threshold_decides_on_the_scale_of_the_score(rate, threshold, decision):
    backend = TableBackend(api_key=KEY, rate=rate)
    result = backend.read_reply(match_call(), json_reply(body()))
    assert (result.score.value, result.score.raw, result.score.raw_name) == (81, 0.81, "score")
    assert (result.threshold.value, result.decision) == (threshold, decision)
    assert result.threshold.source is ThresholdSource.VENDOR
    assert result.ids.vendor == "7"


def test_callers_threshold_takes_precedence(backend):
    result = backend.read_reply(match_call(99), json_reply(body()))
    assert (result.threshold.value, result.decision) == (99, "no_match")
    (face,) = result.probe_faces
    assert attrs.astuple(face.box)[:4] == (1, 2, 31, 42)
    assert face.compared


@attrs.frozen(kw_only=True)
class VerdictBackend(TableBackend):
    """Its vendor decides by a rule of its own."""

    capabilities = attrs.evolve(
        TableBackend.capabilities, threshold_rule=fm.models.ThresholdRule.VENDOR
    )
    match_answer = attrs.evolve(TableBackend.match_answer, cut=None)


@pytest.mark.parametrize("threshold", [None, 40, 99])
def test_no_threshold_stands_for_a_vendors_verdict(threshold):
    backend = VerdictBackend(api_key=KEY)
    call = match_call()
    if threshold is not None:
        rule = backend.capabilities.threshold_rule
        call = attrs.evolve(call, threshold=fm.Threshold(threshold, rule))
    result = backend.read_reply(call, json_reply(body()))
    assert (result.decision, result.score.value) == ("review", 81)
    unscored = backend.read_reply(call, json_reply(body(result=[{"score": None}])))
    assert unscored.decision == "inconclusive"


def test_empty_list_of_faces_needs_no_score(backend):
    answer = body(faces=[])
    del answer["result"]
    result = backend.read_reply(match_call(), json_reply(answer))
    assert (result.decision, result.score) == ("inconclusive", None)
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.NO_FACE]


def test_several_faces_are_a_warning(backend):
    faces = [{"box": [0, 0, side_px, side_px]} for side_px in (9, 8)]
    result = backend.read_reply(match_call(), json_reply(body(faces=faces)))
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]


#: Of a score, the scale is never guessed; the model is the one that the setting names.
UNREADABLE = [{"result": [{"score": score}]} for score in (1.01, 81, "0.81", True)]
UNREADABLE += [{"result": None}, {"cuts": None}, {"faces": None}, {"model": None}, {"model": "m2"}]


@pytest.mark.parametrize("changes", UNREADABLE, ids=str)
def test_missing_or_odd_value_is_an_unreadable_answer(changes):
    backend = TableBackend(api_key=KEY, model="m1")
    error = backend.read_reply(match_call(), json_reply(body(**changes)))
    assert isinstance(error, fm.UnexpectedResponse)
    assert error.billing.charged is fm.Charged.YES


@pytest.mark.parametrize(("score", "decision"), [(55, "live"), (45, "not_live")])
def test_liveness_has_a_request_and_a_scale_of_its_own(backend, score, decision):
    call = match_call(50, operation=LIVENESS)
    request = backend.build(call)
    assert [part.name for part in request.files] == ["picture"]
    result = backend.read_reply(call, json_reply({"live": score}))
    assert (result.decision, result.score.scale) == (decision, "tables/live")
