"""Requests of calls, their answers in the shapes of three editions, and what each word decides."""

import datetime as dt
import math

import attrs
import pytest
from kit.fakes import json_reply

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import CALL_ID_KEY
from facematch_core.testing import ManualClock
from facematch_didit import MATCH_SCALE, DiditBackend, DiditOptions

DECISIONS = {
    "match_approved": "match",
    "match_approved_2026_03": "match",
    "match_boundary": "no_match",
    # At the threshold the first edition approved; the vendor's word counts.
    "match_equality_2026_03": "match",
    "match_in_review_2026_03": "review",
    "match_no_face_2026_03": "inconclusive",
    "match_no_face_kept": "inconclusive",
    "match_no_face_not_kept": "inconclusive",
    "liveness_blocklisted": "review",
    "liveness_dark_2026_03": "live",
    "liveness_declined": "not_live",
    "liveness_declined_2026_03": "not_live",
    "liveness_no_face": "inconclusive",
}


@pytest.mark.parametrize("name", DECISIONS)
def test_each_documented_answer_has_its_decision(name, answers, parsed):
    assert parsed(answers[name]).decision == DECISIONS[name]


def test_score_ids_time_and_charge_of_a_match(answers, parsed):
    body = answers["match_approved"]
    result = parsed(body, retention=fm.Retention.KEEP, call_id="a-1")
    assert result.ids.vendor == result.ids.session == body["request_id"]
    assert result.ids.call == "a-1"
    assert result.score == fm.Score(87.36, MATCH_SCALE)
    assert (result.score.raw, result.score.raw_name) == (87.36, "score")
    assert result.vendor_status == "Approved"
    assert result.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert result.billing.charged is fm.Charged.YES
    assert "one credit" in result.billing.ground
    assert result.backend == "didit"
    assert result.raw == body


def test_faces_of_a_match(answers, parsed):
    result = parsed(answers["match_approved"])
    (face,) = result.probe_faces
    assert face.box == models.Box(left=212, top=148, right=604, bottom=690)
    assert face.confidence == 0.741206
    assert face.rotation == 0
    assert result.reference_faces[0].box.left == 58
    assert parsed(answers["match_boundary"]).reference_faces[0].rotation == 90


def test_quality_of_a_liveness_check(answers, parsed):
    assert parsed(answers["liveness_declined"]).quality == 71.8


@pytest.mark.parametrize("user_image", [None, {}])
def test_missing_faces_are_none(user_image, edited, parsed):
    assert parsed(edited("match_approved", user_image=user_image)).probe_faces is None


def test_missing_fields_of_a_face_are_none(edited, parsed):
    (face,) = parsed(edited("match_approved", user_image={"entities": [{}]})).probe_faces
    assert face.box is face.confidence is face.rotation is None


@pytest.mark.parametrize(
    "change",
    [
        {"score": 100.01},
        {"score": -0.01},
        {"score": "87.36"},
        {"score": True},
        {"score": math.nan},
        {"status": None},
        {"warnings": None},
        {"warnings": [{"log_type": "error"}]},
        {"user_image": {"entities": [{"bbox": [1, 2, 3, "4"]}]}},
        {"user_image": {"entities": [{}], "best_angle": 45}},
    ],
    ids=str,
)
def test_an_unreadable_field_is_an_unexpected_response(change, edited, backend, make_call):
    body = edited("match_approved", **change)
    outcome = backend.read_reply(make_call(), json_reply(body))
    assert isinstance(outcome, fm.UnexpectedResponse)
    assert outcome.billing.charged is fm.Charged.YES


# --- warnings ---

TAGS = {
    "LOW_FACE_MATCH_SIMILARITY": fm.WarningCode.LOW_SIMILARITY,
    "NO_REFERENCE_IMAGE": fm.WarningCode.NO_FACE,
    "NO_FACE_DETECTED": fm.WarningCode.NO_FACE,
    "MULTIPLE_FACES_DETECTED": fm.WarningCode.MULTIPLE_FACES,
    "LOW_LIVENESS_SCORE": fm.WarningCode.LOW_LIVENESS,
    "LIVENESS_FACE_ATTACK": fm.WarningCode.PRESENTATION_ATTACK,
    "FACE_IN_BLOCKLIST": fm.WarningCode.BLOCKLISTED,
    "POSSIBLE_FACE_IN_BLOCKLIST": fm.WarningCode.POSSIBLY_BLOCKLISTED,
    "DUPLICATED_FACE": fm.WarningCode.DUPLICATE,
    "POSSIBLE_DUPLICATED_FACE": fm.WarningCode.POSSIBLE_DUPLICATE,
    "LOW_FACE_QUALITY": fm.WarningCode.LOW_QUALITY,
    "LOW_FACE_LUMINANCE": fm.WarningCode.TOO_DARK,
    "HIGH_FACE_LUMINANCE": fm.WarningCode.TOO_BRIGHT,
    "FACE_MATCH_NOT_COMPUTED": fm.WarningCode.OTHER,
}


def risk(tag, log_type="error"):
    return {
        "risk": tag,
        "log_type": log_type,
        "short_description": "short",
        "long_description": "long",
    }


def test_each_tag_has_its_code(edited, parsed):
    risks = [risk(tag) for tag in TAGS]
    warnings = parsed(edited("match_boundary", warnings=risks)).warnings
    assert {warning.tag: warning.code for warning in warnings} == TAGS
    assert {warning.text for warning in warnings} == {"long"}


@pytest.mark.parametrize(
    ("log_type", "severity"),
    [
        ("error", "error"),
        ("warning", "warning"),
        ("information", "information"),
        ("catastrophe", "unknown"),
        (None, "unknown"),
    ],
)
def test_each_weight_has_its_severity(log_type, severity, edited, parsed):
    body = edited("match_approved", warnings=[risk("NEW", log_type)])
    (warning,) = parsed(body).warnings
    assert warning.severity == severity


@pytest.fixture
def two_faces(answers):
    faces = answers["match_approved"]["face_match"]["user_image"]["entities"]
    return {"entities": faces * 2, "best_angle": 0}


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("match_approved", "user_image"),
        ("match_approved", "ref_image"),
        ("liveness_declined", "user_image"),
    ],
)
def test_several_faces_get_a_warning_if_didit_sends_none(name, image, two_faces, edited, parsed):
    (warning,) = parsed(edited(name, **{image: two_faces}, warnings=[])).warnings
    assert warning.code is fm.WarningCode.MULTIPLE_FACES
    assert warning.tag is None


def test_didits_own_warning_of_several_faces_is_not_doubled(two_faces, edited, parsed):
    risks = [risk("MULTIPLE_FACES_DETECTED", "warning")]
    body = edited("liveness_declined", status="Approved", user_image=two_faces, warnings=risks)
    result = parsed(body)
    assert [warning.tag for warning in result.warnings] == ["MULTIPLE_FACES_DETECTED"]
    assert result.is_live


# --- decisions ---

SPOOF = risk("LOW_LIVENESS_SCORE")
ATTACK = risk("LIVENESS_FACE_ATTACK")
BLOCKED = risk("POSSIBLE_FACE_IN_BLOCKLIST")
NEW = risk("SOMETHING_NEW")
TWIN = risk("DUPLICATED_FACE", "information")
GRAVE = risk("FACE_IN_BLOCKLIST", "catastrophe")
NO_FACE = risk("NO_FACE_DETECTED")


@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
@pytest.mark.parametrize("status", ["In Review", "Resubmitted", "", "approved"])
def test_only_the_two_documented_words_decide(name, status, edited, parsed):
    assert parsed(edited(name, status=status, score=90, warnings=[])).decision == "review"


@pytest.mark.parametrize(
    ("change", "risks", "decision"),
    [
        # An approval with a grave warning contradicts the documents.
        ({}, [BLOCKED], "review"),
        # A decline says something about the face only for a reason of that kind.
        ({"status": "Declined"}, [NEW], "review"),
        # Without a score nothing was measured.
        ({"status": "Declined", "score": None}, [], "inconclusive"),
        # A missing face outweighs everything else.
        ({}, [NO_FACE, ATTACK], "inconclusive"),
        ({"status": "In Review"}, [NO_FACE], "inconclusive"),
    ],
)
def test_a_match_that_contradicts_itself_is_no_pass(change, risks, decision, edited, parsed):
    assert parsed(edited("match_approved", warnings=risks, **change)).decision == decision


@pytest.mark.parametrize(
    ("change", "risks", "decision"),
    [
        ({"status": "Approved"}, [GRAVE], "review"),
        ({}, [BLOCKED, SPOOF], "not_live"),
        ({}, [BLOCKED, ATTACK], "not_live"),
        ({}, [BLOCKED, NEW], "review"),
        # A low score that is only information has not declined it.
        ({}, [BLOCKED, risk("LOW_LIVENESS_SCORE", "information")], "review"),
        # A duplicate is information: it neither declines nor holds back.
        ({"status": "Approved"}, [TWIN], "live"),
        ({}, [TWIN], "not_live"),
        # Without a score nothing was measured, unless an attack was recognised.
        ({"score": None}, [SPOOF], "inconclusive"),
        ({"score": None}, [ATTACK], "not_live"),
        # An attack outweighs a missing face, which outweighs everything else.
        ({}, [NO_FACE, ATTACK], "not_live"),
        ({"status": "Approved"}, [NO_FACE, ATTACK], "review"),
        ({"status": "Approved"}, [NO_FACE], "inconclusive"),
    ],
)
def test_a_liveness_that_contradicts_itself_is_no_pass(change, risks, decision, edited, parsed):
    assert parsed(edited("liveness_declined", warnings=risks, **change)).decision == decision


@pytest.mark.parametrize("name", ["match_approved", "liveness_declined"])
def test_an_approval_without_a_score_is_for_review(name, edited, parsed):
    result = parsed(edited(name, status="Approved", score=None, warnings=[]))
    assert result.decision == "review"
    assert result.score is None
    (warning,) = result.warnings
    assert warning.code is fm.WarningCode.SCORE_UNAVAILABLE
    assert warning.severity is models.Severity.ERROR


# --- echoes ---


@pytest.mark.parametrize("operation", [fm.Operation.MATCH, fm.Operation.LIVENESS])
@pytest.mark.parametrize(
    ("echo", "is_ours"),
    [
        ({"vendor_data": None, "metadata": None}, True),
        ({"vendor_data": " customer-17", "metadata": {CALL_ID_KEY: "call-7"}}, True),
        ({"metadata": "another program's"}, True),
        ({"vendor_data": "customer-18"}, False),
        ({"vendor_data": "customer-17", "metadata": {CALL_ID_KEY: "call-8"}}, False),
    ],
    ids=str,
)
def test_an_answer_that_echoes_another_call_is_refused(  # noqa: PLR0917 - fixtures and parameters
    operation, echo, is_ours, backend, answers, make_call
):
    # A call's id is sent only if the vendor may keep the call.
    call = make_call(operation, call_id="call-7", caller_ref="customer-17", retention="keep")
    name = "match_approved" if operation is fm.Operation.MATCH else "liveness_declined"
    body = {**answers[name], "vendor_data": None, "metadata": None, **echo}
    outcome = backend.read_reply(call, json_reply(body))
    assert isinstance(outcome, fm.UnexpectedResponse) is not is_ours
    if not is_ours:
        assert outcome.billing.charged is fm.Charged.YES


# --- requests, and errors that say more than their class ---


@pytest.mark.parametrize(
    ("retention", "environment", "is_kept"),
    [("keep", None, True), ("minimal", None, False), ("keep", "sandbox", False)],
)
def test_only_a_stored_call_has_a_session_and_can_be_looked_up(  # noqa: PLR0917 - fixtures and parameters
    retention, environment, is_kept, canned, answers, make_call
):
    body = answers["match_approved"] | {"vendor_data": None, "metadata": None}
    backend, _ = canned((200, body), environment=environment)
    call = make_call(retention=fm.Retention(retention))
    result = backend.match(call)
    assert result.ids.session == (body["request_id"] if is_kept else None)
    assert result.billing.charged == ("no" if environment == "sandbox" else "yes")
    assert backend.reconcilable(call) is is_kept


def test_the_key_is_masked_in_the_error(canned, make_call, backend):
    key = backend.api_key.reveal()
    with pytest.raises(fm.RequestRejected) as caught:
        canned((400, {"key": [f"Not {key}."], key: ["x"]}))[0].match(make_call())
    assert key not in f"{caught.value} {caught.value!r} {caught.value.field_errors}"


NOW = dt.datetime(2026, 7, 2, 9, 15, 0, tzinfo=dt.UTC)
IN_30_S = str(int(NOW.timestamp()) + 30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7", "X-RateLimit-Reset": IN_30_S}, 7),
        ({"X-RateLimit-Reset": IN_30_S}, 30),
        ({"X-RateLimit-Reset": "1"}, 0),
        ({"X-RateLimit-Reset": IN_30_S + "000"}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_ends_by_retry_after_or_the_reset_time(headers, seconds, canned, make_call):
    backend, _ = canned()
    backend.client.clock = ManualClock(start=NOW)
    error = backend.error(json_reply({"detail": "Too fast."}, 429, **headers), make_call())
    assert type(error) is fm.RateLimited
    assert error.retry_after_s == seconds
    assert error.retryable


@pytest.mark.parametrize("operation", [fm.Operation.MATCH, fm.Operation.LIVENESS])
@pytest.mark.parametrize(
    ("setting", "options", "field"),
    [
        # Didit's default is false.
        (False, None, None),
        (True, None, "true"),
        (False, DiditOptions(), None),
        (True, DiditOptions(), "true"),
        (False, DiditOptions(rotate_image=True), "true"),
        (True, DiditOptions(rotate_image=False), None),
    ],
)
def test_rotation_is_set_for_the_backend_and_by_call(operation, setting, options, field, make_call):
    backend = DiditBackend(api_key="k-1", rotate_image=setting)
    call = attrs.evolve(make_call(operation), options=options)
    assert backend.build(call).fields.get("rotate_image") == field


def test_an_option_that_is_no_bool_is_refused():
    with pytest.raises(TypeError, match="rotate_image"):
        DiditOptions(rotate_image="false")
    with pytest.raises(fm.ConfigurationError, match="rotate_image"):
        DiditBackend(api_key="k-1", rotate_image="false")


@pytest.mark.parametrize("reference", ["x" * 5000, "ö" * 256])
def test_caller_ref_of_any_length_is_sent(reference, make_call):
    request = DiditBackend(api_key="k-1").build(attrs.evolve(make_call(), caller_ref=reference))
    assert request.fields["vendor_data"] == reference


@pytest.mark.parametrize("reference", [" ", "\t\n", "\u00a0"])
def test_a_blank_caller_ref_is_refused_before_sending(reference, canned, make_call):
    backend, adapter = canned()
    call = make_call()
    with fm.FaceVerifier(backend) as verifier, pytest.raises(fm.Unsupported) as caught:
        verifier.verify(call.probe, call.reference, caller_ref=reference, retention="keep")
    assert caught.value.what == "caller_ref"
    assert caught.value.backend == "didit"
    assert adapter.seen == []
