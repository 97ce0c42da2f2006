"""Answers of status 200: every shape of three editions, what each word means, what doubt does."""

import datetime as dt
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import facematch_core as fm
from facematch_core.base.masking import ResultMasker
from facematch_didit import LIVENESS_SCALE, MATCH_SCALE, DiditBackend

SANDBOX = DiditBackend(api_key="sandbox-key", environment=fm.Environment.SANDBOX)

DECISIONS = {
    "match_approved": fm.Decision.MATCH,
    "match_approved_2026_03": fm.Decision.MATCH,
    "match_boundary": fm.Decision.NO_MATCH,
    # At the threshold the first edition approved; the vendor's word counts.
    "match_equality_2026_03": fm.Decision.MATCH,
    "match_in_review_2026_03": fm.Decision.REVIEW,
    "match_no_face_2026_03": fm.Decision.INCONCLUSIVE,
    "match_no_face_kept": fm.Decision.INCONCLUSIVE,
    "match_no_face_not_kept": fm.Decision.INCONCLUSIVE,
    "liveness_blocklisted": fm.LivenessDecision.REVIEW,
    "liveness_dark_2026_03": fm.LivenessDecision.LIVE,
    "liveness_declined": fm.LivenessDecision.NOT_LIVE,
    "liveness_declined_2026_03": fm.LivenessDecision.NOT_LIVE,
    "liveness_no_face": fm.LivenessDecision.INCONCLUSIVE,
}


def test_each_example_means_what_the_documents_say(answers, parsed):
    assert {name: parsed(body).decision for name, body in answers.items()} == DECISIONS
    turned = parsed(answers["match_boundary"])
    assert [face.rotation for face in turned.probe_faces] == [0]
    assert [face.rotation for face in turned.reference_faces] == [90]


def test_every_field_of_a_match_arrives(answers, parsed):
    body = answers["match_approved"]
    result = parsed(body, retention=fm.Retention.KEEP, threshold=41.5, call_id="a-1")
    assert result.score == fm.Score(87.36, MATCH_SCALE)
    assert (result.score.raw, result.score.raw_name) == (87.36, "score")
    assert result.score.source is fm.ScaleSource.DOCUMENTED
    assert (result.threshold.value, result.threshold.rule) == (41.5, fm.ThresholdRule.ABOVE)
    assert result.warnings == ()
    assert (result.backend, result.model, result.vendor_status) == ("didit", None, "Approved")
    assert result.ids.vendor == result.ids.session == body["request_id"]
    assert result.ids.call == "a-1"
    assert result.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert result.created_at.tzinfo is dt.UTC
    assert result.billing.charged is fm.Charged.YES
    assert "one credit" in result.billing.ground
    (face,) = result.probe_faces
    assert face.box == fm.Box(left=212, top=148, right=604, bottom=690)
    assert (face.box.of_width, face.box.of_height) == (None, None)
    assert (face.confidence, face.rotation) == (0.741206, 0)
    assert face.demographics == fm.Demographics(age=34.12, gender="female")
    assert result.reference_faces[0].box.left == 58
    assert result.raw == body


def test_every_field_of_a_liveness_check_arrives(answers, parsed):
    result = parsed(answers["liveness_declined"])
    assert result.score == fm.Score(30, LIVENESS_SCALE)
    assert (result.method, result.quality, result.luminance) == ("PASSIVE", 71.8, 46.02)
    (face,) = result.probe_faces
    assert (face.box, face.rotation) == (fm.Box(left=120, top=96, right=420, bottom=512), 0)
    assert result.vendor_status == "Declined"
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.LOW_LIVENESS]
    assert result.billing.charged is fm.Charged.YES


@pytest.mark.parametrize("name", ["match_no_face_kept", "match_no_face_not_kept"])
def test_no_face_is_no_score(name, answers, edited, parsed):
    result = parsed(answers[name])
    assert result.score is None
    assert result.reference_faces == ()
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.NO_FACE]
    # 0 of two faces that were compared is 0.
    compared = parsed(edited("match_boundary", score=0))
    assert (compared.decision, compared.score) == (fm.Decision.NO_MATCH, fm.Score(0, MATCH_SCALE))


def test_faces_that_are_missing_are_none(edited, parsed):
    assert parsed(edited("match_approved", user_image=None)).probe_faces is None
    assert parsed(edited("match_approved", user_image={})).probe_faces is None
    (face,) = parsed(edited("match_approved", user_image={"entities": [{}]})).probe_faces
    assert face.box is face.confidence is face.rotation is face.demographics is None


@pytest.mark.parametrize("retention", fm.Retention)
@pytest.mark.parametrize("sandbox", [False, True])
def test_a_sandbox_is_free_and_there_is_a_session_only_where_something_was_kept(
    retention, sandbox, answers, parsed, backend
):
    body = answers["match_approved"]
    result = parsed(body, of=SANDBOX if sandbox else backend, retention=retention)
    kept = retention is fm.Retention.KEEP and not sandbox
    assert result.ids.vendor == body["request_id"]
    assert result.ids.session == (body["request_id"] if kept else None)
    assert result.billing.charged is (fm.Charged.NO if sandbox else fm.Charged.YES)


@pytest.mark.parametrize(
    "answer",
    [
        {"score": 250},
        {"score": -0.01},
        {"score": "87.36"},
        {"score": True},
        {"score": math.nan},
        {"status": None},
        {"warnings": None},
        {"warnings": [{"log_type": "error"}]},
        {"user_image": {"entities": [{"bbox": [1, 2, 3, "4"]}]}},
        {"user_image": {"entities": [], "best_angle": 45}},
        b"",
        b"<html>",
        b'{"face_match": null}',
    ],
    ids=str,
)
def test_what_cannot_be_read_is_charged_and_no_match(answer, edited, canned, make_call):
    body = edited("match_approved", **answer) if isinstance(answer, dict) else answer
    backend, _ = canned(200, body)
    with pytest.raises(fm.UnexpectedResponse) as caught:
        backend.match(make_call())
    assert caught.value.billing.charged is fm.Charged.YES


def test_two_faces_have_a_warning_if_didit_sends_none(answers, edited, parsed):
    faces = answers["match_approved"]["face_match"]["user_image"]["entities"]
    two = {"entities": faces * 2, "best_angle": 0}
    for name, image in (
        ("match_approved", "user_image"),
        ("match_approved", "ref_image"),
        ("liveness_declined", "user_image"),
    ):
        (ours,) = parsed(edited(name, **{image: two}, warnings=[])).warnings
        assert (ours.code, ours.tag) == (fm.WarningCode.MULTIPLE_FACES, None)
    risks = [risk("MULTIPLE_FACES_DETECTED", "warning")]
    result = parsed(edited("liveness_declined", status="Approved", user_image=two, warnings=risks))
    assert [warning.tag for warning in result.warnings] == ["MULTIPLE_FACES_DETECTED"]
    assert result.is_live


def test_media_addresses_and_strangers_are_masked(answers, parsed):
    body = answers["match_approved"] | {
        "source_image": "https://media.example/a.jpg?key=1",
        "video_url": ["store/clip.mp4"],
        "reference_image": {"at": "store/b.jpg"},
        "matches": [
            {"match_image_url": "store/face/9.jpg", "user_details": {"full_name": "Ada Somebody"}}
        ],
    }
    can = DiditBackend.capabilities
    masker = ResultMasker(demographic_keys=can.demographic_keys, media_keys=can.media_keys)
    shown = json.dumps(masker.mask(parsed(body), ()).raw)
    for private in ("media.example", "store/", "Ada"):
        assert private not in shown


TAGS = {
    "LOW_FACE_MATCH_SIMILARITY": (fm.WarningCode.LOW_SIMILARITY, None),
    "NO_REFERENCE_IMAGE": (fm.WarningCode.NO_FACE, fm.Advice.RETAKE_PHOTO),
    "NO_FACE_DETECTED": (fm.WarningCode.NO_FACE, fm.Advice.RETAKE_PHOTO),
    "MULTIPLE_FACES_DETECTED": (fm.WarningCode.MULTIPLE_FACES, fm.Advice.ONE_FACE_ONLY),
    "LOW_LIVENESS_SCORE": (fm.WarningCode.LOW_LIVENESS, fm.Advice.RETAKE_PHOTO),
    "LIVENESS_FACE_ATTACK": (fm.WarningCode.PRESENTATION_ATTACK, fm.Advice.POSSIBLE_FRAUD),
    "FACE_IN_BLOCKLIST": (fm.WarningCode.BLOCKLISTED, fm.Advice.POSSIBLE_FRAUD),
    "POSSIBLE_FACE_IN_BLOCKLIST": (fm.WarningCode.POSSIBLY_BLOCKLISTED, fm.Advice.POSSIBLE_FRAUD),
    "DUPLICATED_FACE": (fm.WarningCode.DUPLICATE, fm.Advice.REVIEW),
    "POSSIBLE_DUPLICATED_FACE": (fm.WarningCode.POSSIBLE_DUPLICATE, fm.Advice.REVIEW),
    "LOW_FACE_QUALITY": (fm.WarningCode.LOW_QUALITY, fm.Advice.BETTER_LIGHT),
    "LOW_FACE_LUMINANCE": (fm.WarningCode.TOO_DARK, fm.Advice.BETTER_LIGHT),
    "HIGH_FACE_LUMINANCE": (fm.WarningCode.TOO_BRIGHT, fm.Advice.BETTER_LIGHT),
    "FACE_MATCH_NOT_COMPUTED": (fm.WarningCode.OTHER, None),
}


def risk(tag, log_type="error", **more):
    texts = {"short_description": "short", "long_description": "long"}
    return {"risk": tag, "log_type": log_type} | texts | more


@pytest.mark.parametrize(("tag", "meaning"), TAGS.items())
def test_each_tag_has_its_code_and_advice(tag, meaning, edited, parsed):
    for name in ("match_boundary", "liveness_declined"):
        (warning,) = parsed(edited(name, warnings=[risk(tag)])).warnings
        assert (warning.code, warning.advice) == meaning
        assert (warning.severity, warning.tag, warning.text) == (fm.Severity.ERROR, tag, "long")


def test_a_weight_that_no_document_names_is_unknown_not_light(edited, parsed):
    words = ("error", "warning", "information", "catastrophe", None)
    body = edited("match_approved", warnings=[risk("NEW", word) for word in words])
    severities = [warning.severity for warning in parsed(body).warnings]
    assert severities == ["error", "warning", "information", "unknown", "unknown"]


SPOOF, ATTACK = risk("LOW_LIVENESS_SCORE"), risk("LIVENESS_FACE_ATTACK")
BLOCKED, NEW = risk("POSSIBLE_FACE_IN_BLOCKLIST"), risk("SOMETHING_NEW")
TWIN, GRAVE = risk("DUPLICATED_FACE", "information"), risk("FACE_IN_BLOCKLIST", "catastrophe")
GOOD = {"score": 90}


@pytest.mark.parametrize(
    ("name", "status", "changes", "warnings", "decision"),
    [
        # Only the two documented words decide.
        *(
            (name, status, GOOD, [], "review")
            for name in ("match_approved", "liveness_declined")
            for status in ("In Review", "Resubmitted", "", "approved")
        ),
        # An approval with a grave warning contradicts the documents.
        ("match_approved", "Approved", GOOD, [BLOCKED], "review"),
        ("liveness_declined", "Approved", GOOD, [GRAVE], "review"),
        # "Not live" and "two people" are said only for a reason of that kind.
        ("liveness_declined", "Declined", {}, [BLOCKED, SPOOF], "not_live"),
        ("liveness_declined", "Declined", {}, [BLOCKED, ATTACK], "not_live"),
        ("liveness_declined", "Declined", {}, [BLOCKED, NEW], "review"),
        ("match_approved", "Declined", {}, [NEW], "review"),
        # A duplicate is information: it neither declines nor holds back.
        ("liveness_declined", "Approved", {}, [TWIN], "live"),
        ("liveness_declined", "Declined", {}, [TWIN], "not_live"),
        # Nothing was measured: no verdict, unless an attack was recognised.
        ("match_boundary", "Declined", {"score": None}, [], "inconclusive"),
        ("liveness_declined", "Declined", {"score": None}, [SPOOF], "inconclusive"),
        ("liveness_declined", "Declined", {"score": None}, [ATTACK], "not_live"),
    ],
)
def test_didits_word_decides_and_doubt_takes_a_pass_away(  # noqa: PLR0917 - fixtures and parameters
    name, status, changes, warnings, decision, edited, parsed
):
    result = parsed(edited(name, status=status, warnings=warnings, **changes))
    assert (result.decision.value, result.vendor_status) == (decision, status)


@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
def test_an_approval_without_a_score_passes_nothing(name, edited, parsed):
    result = parsed(edited(name, status="Approved", score=None, warnings=[]))
    assert (result.decision.value, result.score) == ("review", None)
    (ours,) = result.warnings
    assert (ours.code, ours.severity) == (fm.WarningCode.SCORE_UNAVAILABLE, fm.Severity.ERROR)
    assert ours.tag is None
    for other in ("", "Declined", "In Review", "approved"):
        assert parsed(edited(name, status=other, score=None, warnings=[])).warnings == ()


@given(
    risks=st.dictionaries(
        st.sampled_from(sorted(TAGS)),
        st.sampled_from(["error", "warning", "information", "catastrophe"]),
    ),
    status=st.sampled_from(["Approved", "Declined", "In Review"]),
    score=st.none() | st.floats(0, 100),
)
@example(
    risks=dict.fromkeys(["NO_FACE_DETECTED", "LIVENESS_FACE_ATTACK"], "error"),
    status="Declined",
    score=None,
)
def test_an_attack_outweighs_a_missing_face_which_outweighs_the_rest_and_doubt_outweighs_a_pass(
    risks, status, score, edited, parsed
):
    warnings = [risk(tag, weight) for tag, weight in risks.items()]
    block = {"status": status, "score": score, "warnings": warnings}
    result = parsed(edited("liveness_declined", **block))
    attack = "LIVENESS_FACE_ATTACK" in risks
    no_face = not {"NO_FACE_DETECTED", "NO_REFERENCE_IMAGE"}.isdisjoint(risks)
    grave = not {"error", "catastrophe"}.isdisjoint(risks.values())
    if attack and status == "Declined":
        assert result.decision is fm.LivenessDecision.NOT_LIVE
    elif attack and (no_face or grave):
        assert result.decision is fm.LivenessDecision.REVIEW
    elif no_face:
        assert result.decision is fm.LivenessDecision.INCONCLUSIVE
    passed = status == "Approved" and score is not None and not (grave or no_face)
    assert (result.decision is fm.LivenessDecision.LIVE) is passed
    assert (result.score is None) is (score is None or no_face)
    block["warnings"] = warnings[::-1]
    assert parsed(edited("liveness_declined", **block)).decision is result.decision
    if no_face:
        # An attack is no word about two faces.
        match = parsed(edited("match_approved", **block))
        assert match.decision is fm.Decision.INCONCLUSIVE
