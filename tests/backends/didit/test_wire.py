"""Answers of status 200: every shape of the three editions, and whatever else may come."""

import datetime as dt
import json
import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import (
    Box,
    Charged,
    Decision,
    Demographics,
    Environment,
    EnvironmentMismatch,
    FaceVerifier,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Retention,
    ScaleSource,
    Score,
    Severity,
    ThresholdRule,
    ThresholdSource,
    UnexpectedResponse,
    WarningCode,
)
from facematch_core.http import MOCK_HEADER, HttpReply
from facematch_core.testing.strategies import mutated
from facematch_didit import LIVENESS_SCALE, MATCH_SCALE, DiditBackend

SANDBOX = DiditBackend(api_key="sandbox-key", environment=Environment.SANDBOX)

DECISIONS = {
    "match_approved": Decision.MATCH,
    "match_approved_2026_03": Decision.MATCH,
    "match_boundary": Decision.NO_MATCH,
    # At the threshold the first edition approved; the vendor's word counts.
    "match_equality_2026_03": Decision.MATCH,
    "match_in_review_2026_03": Decision.REVIEW,
    "match_no_face_2026_03": Decision.INCONCLUSIVE,
    "match_no_face_kept": Decision.INCONCLUSIVE,
    "match_no_face_not_kept": Decision.INCONCLUSIVE,
    "liveness_blocklisted": LivenessDecision.REVIEW,
    "liveness_dark_2026_03": LivenessDecision.LIVE,
    "liveness_declined": LivenessDecision.NOT_LIVE,
    "liveness_declined_2026_03": LivenessDecision.NOT_LIVE,
    "liveness_no_face": LivenessDecision.INCONCLUSIVE,
}


def test_every_example_has_its_decision(answers):
    """The table above leaves no example out."""
    assert set(DECISIONS) == set(answers)


@pytest.mark.parametrize(("name", "decision"), DECISIONS.items())
def test_decisions_of_the_examples(name, decision, answers, parsed):
    """Each example of the documents means what the documents say."""
    assert parsed(answers[name]).decision is decision


def test_a_match_in_full(answers, parsed):
    """Every field of the approved example arrives."""
    body = answers["match_approved"]
    result = parsed(body, retention=Retention.KEEP, threshold=41.5, call_id="a-1")
    assert result.score == Score(87.36, MATCH_SCALE)
    assert (result.score.raw, result.score.raw_name) == (87.36, "score")
    assert result.score.source is ScaleSource.DOCUMENTED
    assert (result.threshold.value, result.threshold.rule) == (41.5, ThresholdRule.ABOVE)
    assert result.warnings == ()
    assert (result.backend, result.model, result.vendor_status) == ("didit", None, "Approved")
    assert result.ids.vendor == result.ids.session == body["request_id"]
    assert result.ids.call == "a-1"
    assert result.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert result.created_at.tzinfo is dt.UTC
    assert result.billing.charged is Charged.YES
    assert "one credit" in result.billing.ground
    (face,) = result.probe_faces
    assert face.box == Box(left=212, top=148, right=604, bottom=690)
    assert (face.box.of_width, face.box.of_height) == (None, None)
    assert (face.confidence, face.rotation) == (0.741206, 0)
    assert face.demographics == Demographics(age=34.12, gender="female")
    assert result.reference_faces[0].box.left == 58
    assert result.raw == body


def test_a_liveness_check_in_full(answers, parsed):
    """Method, quality and light arrive beside the score, on a scale of its own."""
    result = parsed(answers["liveness_declined"])
    assert result.score == Score(30, LIVENESS_SCALE)
    assert (result.method, result.quality, result.luminance) == ("PASSIVE", 71.8, 46.02)
    (face,) = result.probe_faces
    assert (face.box, face.rotation) == (Box(left=120, top=96, right=420, bottom=512), 0)
    assert result.vendor_status == "Declined"
    assert [warning.code for warning in result.warnings] == [WarningCode.LOW_LIVENESS]
    assert result.billing.charged is Charged.YES


def test_editions_agree_where_they_can(answers, parsed):
    """Whole scores, four keys, no echoes and a `Z` change nothing but the number."""
    old, new = (
        parsed(answers[name], call_id="a-1")
        for name in ("match_approved_2026_03", "match_approved")
    )
    assert old.score == Score(87, MATCH_SCALE)
    for name in ("decision", "warnings", "probe_faces", "created_at", "ids", "billing"):
        assert getattr(old, name) == getattr(new, name), name


def test_a_turned_reference(answers, parsed):
    """`best_angle` is told with the faces of its picture."""
    result = parsed(answers["match_boundary"])
    assert [face.rotation for face in result.probe_faces] == [0]
    assert [face.rotation for face in result.reference_faces] == [90]


@pytest.mark.parametrize("name", ["match_no_face_kept", "match_no_face_not_kept"])
def test_no_face_is_no_score(name, answers, parsed):
    """Null and 0 are the same then: no score, no verdict, and the reason."""
    result = parsed(answers[name])
    assert result.score is None
    assert result.reference_faces == ()
    assert [warning.code for warning in result.warnings] == [WarningCode.NO_FACE]


def test_zero_is_a_score(edited, parsed):
    """0 of two faces that were compared is 0."""
    result = parsed(edited("match_boundary", score=0))
    assert (result.decision, result.score) == (Decision.NO_MATCH, Score(0, MATCH_SCALE))


def test_faces_that_are_not_told(edited, parsed):
    """What is missing is None, and nothing is made up."""
    assert parsed(edited("match_approved", user_image=None)).probe_faces is None
    assert parsed(edited("match_approved", user_image={})).probe_faces is None
    (face,) = parsed(edited("match_approved", user_image={"entities": [{}]})).probe_faces
    assert face.box is face.confidence is face.rotation is face.demographics is None


@pytest.mark.parametrize("retention", Retention)
@pytest.mark.parametrize("sandbox", [False, True])
def test_session_only_when_something_was_kept(retention, sandbox, answers, parsed, backend):
    """Without a record `request_id` leads nowhere, and a sandbox keeps none."""
    body = answers["match_approved"]
    result = parsed(body, of=SANDBOX if sandbox else backend, retention=retention)
    kept = retention is Retention.KEEP and not sandbox
    assert result.ids.vendor == body["request_id"]
    assert result.ids.session == (body["request_id"] if kept else None)


def test_a_sandbox_is_free(answers, parsed):
    """The declared environment is the ground for the price; a verifier puts it into the result."""
    result = parsed(answers["match_approved"], of=SANDBOX)
    assert result.environment is None
    assert result.billing.charged is Charged.NO
    assert "environment" in result.billing.ground


def test_a_mock_says_so_itself(answers, canned, make_call):
    """Its header is the answer's own word, and a setting that says otherwise is a contradiction."""
    backend, _ = canned(200, answers["match_approved"], {MOCK_HEADER: "1"})
    call = make_call()
    assert backend.match(call).environment is Environment.MOCK
    for declared in (Environment.PRODUCTION, Environment.SANDBOX):
        backend, _ = canned(
            200, answers["match_approved"], {MOCK_HEADER: "1"}, environment=declared
        )
        with FaceVerifier(backend) as verifier, pytest.raises(EnvironmentMismatch) as caught:
            verifier.verify(call.probe, call.reference)
        assert caught.value.result.is_match
        assert caught.value.environment is Environment.MOCK


@pytest.mark.parametrize("declared", [None, Environment.PRODUCTION, Environment.SANDBOX])
def test_an_answer_of_an_unknown_environment(declared, answers, canned, make_call):
    """Nothing in it tells, so the result says what was declared, and else nothing."""
    backend, _ = canned(200, answers["match_approved"], environment=declared)
    call = make_call()
    with FaceVerifier(backend) as verifier:
        assert verifier.verify(call.probe, call.reference).environment is declared


def test_demographics_are_dropped_unless_wanted(answers, canned, make_call):
    """The core takes them out of faces and body; keeping them is a choice."""
    backend, _ = canned(200, answers["match_approved"])
    call = make_call()
    result = FaceVerifier(backend).verify(call.probe, call.reference)
    assert result.probe_faces[0].demographics is None
    assert "gender" not in json.dumps(result.to_dict()["raw"])
    kept = FaceVerifier(backend, keep_demographics=True).verify(call.probe, call.reference)
    assert kept.probe_faces[0].demographics.gender == "female"


@given(ages=st.lists(st.none() | st.floats(0, 120), min_size=2, max_size=2))
def test_an_age_never_changes_a_match(ages, edited, parsed):
    """Whatever age is guessed in either picture, a comparison says what it says."""
    probe, reference = ({"entities": [{"age": age}], "best_angle": 0} for age in ages)
    body = edited("match_approved", user_image=probe, ref_image=reference)
    assert parsed(body).decision is Decision.MATCH


def test_media_addresses_and_strangers_are_masked(answers, parsed):
    """Should an answer carry an address, or say who somebody else is, it is not in the result."""
    body = answers["match_approved"] | {
        "source_image": "https://media.example/a.jpg?key=1",
        "video_url": ["store/clip.mp4"],
        "reference_image": {"at": "store/b.jpg"},
        "matches": [
            {"match_image_url": "store/face/9.jpg", "user_details": {"full_name": "Ada Somebody"}}
        ],
    }
    shown = json.dumps(parsed(body).raw)
    for private in ("media.example", "store/", "Ada"):
        assert private not in shown


def test_without_a_threshold_the_default_counts(answers, backend, make_call):
    """A call that was made past the verifier is told which threshold was sent for it."""
    call = attrs.evolve(make_call(), threshold=None)
    reply = HttpReply(status=200, body=json.dumps(answers["match_approved"]).encode())
    threshold = backend.parse(call, reply).threshold
    assert (threshold.value, threshold.source) == (30.0, ThresholdSource.DEFAULT)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-07-02T09:15:27.104233Z", 9),
        ("2026-07-02T09:15:27+00:00", 9),
        ("2026-07-02T11:15:27+02:00", 9),
        ("2026-07-02T09:15:27", 9),
    ],
)
def test_times(text, hour, answers, parsed):
    """Both styles, in UTC."""
    at = parsed(answers["match_approved"] | {"created_at": text}).created_at
    assert (at.hour, at.tzinfo) == (hour, dt.UTC)


@pytest.mark.parametrize(
    "block",
    [
        {"score": 250},
        {"score": -0.01},
        {"score": "87.36"},
        {"score": True},
        {"score": 10**400},
        {"status": None},
        {"warnings": None},
        {"warnings": ["NO_FACE_DETECTED"]},
        {"warnings": [{"log_type": "error"}]},
        {"user_image": []},
        {"user_image": {"entities": {}}},
        {"user_image": {"entities": [{"bbox": [1, 2, 3]}]}},
        {"user_image": {"entities": [{"bbox": [1, 2, 3, "4"]}]}},
        {"user_image": {"entities": [], "best_angle": 45}},
    ],
    ids=lambda block: json.dumps(block)[:50],
)
def test_what_cannot_be_read_is_charged_and_no_match(block, edited, canned, make_call):
    """A shape that no document describes is never rescaled, clamped or guessed."""
    backend, _ = canned(200, edited("match_approved", **block))
    with pytest.raises(UnexpectedResponse) as caught:
        backend.match(make_call())
    assert caught.value.billing.charged is Charged.YES


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b'{"face_match": {}}', b'{"face_match": null}']
)
def test_other_bodies_are_charged_and_no_match(body, canned, make_call):
    """The same for what is no face match at all."""
    backend, _ = canned(200, body)
    with pytest.raises(UnexpectedResponse):
        backend.match(make_call())


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_is_no_score(word, answers, canned, make_call):
    """NaN is below everything and above nothing; JSON does not have it."""
    text = json.dumps(answers["match_approved"]).replace("87.36", word)
    backend, _ = canned(200, text.encode())
    with pytest.raises(UnexpectedResponse):
        backend.match(make_call())


@given(data=st.data())
def test_any_answer_is_a_result_or_one_error(data, answers, parsed):
    """However odd one value is: a result that keeps its promises, or the one error of `parse`."""
    body = answers[data.draw(st.sampled_from(sorted(answers)))]
    key = "liveness" if "liveness" in body else "face_match"
    status = data.draw(st.sampled_from([body[key]["status"], "Approved", "Declined"]))
    changed = data.draw(mutated(body | {key: body[key] | {"status": status}}))
    if not isinstance(changed, dict) or key not in changed:
        return
    try:
        result = parsed(changed)
    except (ValueError, LookupError):
        return
    assert isinstance(result, MatchResult | LivenessResult)
    assert result.score is None or 0 <= result.score.value <= 100
    assert result.score is None or math.isfinite(result.score.raw)
    if result.decision in (Decision.MATCH, LivenessDecision.LIVE):
        assert result.score is not None
        assert result.vendor_status == "Approved"
        assert all(w.severity in (Severity.WARNING, Severity.INFORMATION) for w in result.warnings)
    assert type(result).from_dict(json.loads(json.dumps(result.to_dict()))) == result
