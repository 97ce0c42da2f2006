"""The decision of a session: results of its calls, a pass only by two words, nothing private."""

import datetime as dt
import itertools
import json
import logging
import traceback

import attrs
import pytest

import facematch_core as fm
from facematch_core.backend import CALL_ID_KEY
from facematch_didit import MATCH_SCALE, SessionStatus
from facematch_didit.records import STATUSES, session_decision

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"


def test_every_field_of_a_match_arrives(answers):
    decision = session_decision(answers["decision_match"])
    assert decision.session_id == ID
    assert decision.workflow_id is None
    assert decision.raw["session_number"] == 118
    assert (decision.status, decision.vendor_status) == (SessionStatus.APPROVED, "Approved")
    assert decision.features == ("FACE_MATCH",)
    assert (decision.caller_ref, decision.metadata) == ("emp-0042", {"gate": "north"})
    assert decision.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert decision.expires_at is None
    assert decision.environment is fm.Environment.PRODUCTION
    (result,) = decision.results
    assert decision.matches == (result,)
    assert decision.liveness_checks == ()
    assert result.decision is fm.Decision.MATCH
    assert result.score == fm.Score(87.36, MATCH_SCALE)
    assert (result.score.raw, result.score.raw_name) == (87.36, "score")
    assert result.score.source is fm.ScaleSource.DOCUMENTED
    assert result.ids.session == result.ids.vendor == decision.session_id
    assert (result.ids.caller, result.metadata) == ("emp-0042", {"gate": "north"})
    assert result.created_at == decision.created_at
    assert (result.threshold, result.probe_faces, result.reference_faces) == (None, None, None)
    assert result.billing.charged is fm.Charged.YES
    assert result.raw["node_id"] == "feature_face_match_1"


def test_our_id_of_the_call_is_no_entry_of_the_callers(answers):
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    decision = session_decision(body)
    (result,) = decision.results
    assert (result.ids.call, result.metadata) == ("a-1", {"gate": "north"})
    assert decision.metadata == {"gate": "north", CALL_ID_KEY: "a-1"}
    body["metadata"] = {CALL_ID_KEY: 7}
    (result,) = session_decision(body).results
    assert (result.ids.call, result.metadata) == (None, None)


NINETY = fm.Threshold(90, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)
FIFTY = fm.Threshold(50, fm.ThresholdRule.ABOVE, fm.ThresholdSource.CALLER)


def record(**changes):
    facts = {"id": "a-1", "operation": fm.Operation.MATCH, "backend": "didit", "kept": True}
    at = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
    return fm.CallRecord(**{**facts, "started_at": at, "threshold": FIFTY} | changes)


def test_with_the_record_of_the_call_its_rules_hold(answers, scripted_account):
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    strict = record(review_threshold=NINETY)
    account, script = scripted_account((200, body))
    bare = account.decision(body["session_id"])
    assert (bare.results[0].decision, bare.results[0].threshold) == (fm.Decision.MATCH, None)
    stated = account.decision(body["session_id"], call=strict)
    assert stated.results[0].decision is fm.Decision.REVIEW
    assert (stated.results[0].threshold, stated.results[0].review_threshold) == (FIFTY, NINETY)
    assert account.decision(body["session_id"], call=record()).results[0].is_match
    assert attrs.evolve(stated, results=()) == attrs.evolve(bare, results=())
    assert len(script.seen) == 3


@pytest.mark.parametrize(
    "other",
    [record(id="a-2"), record(backend="acme"), record(operation=fm.Operation.LIVENESS)],
    ids=["id", "backend", "operation"],
)
def test_the_rules_of_another_call_are_refused(other, answers, scripted_account):
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    account, _ = scripted_account((200, body))
    with pytest.raises(fm.InvalidRequest):
        account.decision(body["session_id"], call=other)


@pytest.mark.parametrize("metadata", ["x", [{"gate": "north"}], 7, True])
def test_what_other_programs_wrote_makes_no_decision_unreadable(metadata, answers):
    decision = session_decision(answers["decision_match"] | {"metadata": metadata})
    assert (decision.metadata, decision.raw["metadata"]) == (None, metadata)
    assert decision.matches[0].ids.call is None


@pytest.mark.parametrize(
    ("feature", "shape"),
    [("FACE_SEARCH", str), ("AGE_ESTIMATION", lambda name: {"feature": name, "node_id": "n"})],
)
def test_what_is_neither_a_match_nor_a_check_has_no_result(feature, shape, answers):
    body = answers["decision_match"] | {"features": [shape(feature)]}
    good = {"status": "Approved", "score": 99.0, "warnings": [], "age_estimation": 40}
    body["face_matches"], body["liveness_checks"] = [good], [good]
    decision = session_decision(body)
    assert (decision.results, decision.features) == ((), (feature,))
    assert decision.status is SessionStatus.APPROVED
    shown = {"status": "Approved", "score": 99.0, "warnings": []}
    assert decision.raw["face_matches"] == decision.raw["liveness_checks"] == [shown]
    body["features"] = [shape(feature), "FACE_MATCH", "LIVENESS"]
    match, check = session_decision(body).results
    assert (match.decision, check.decision) == (fm.Decision.MATCH, fm.LivenessDecision.LIVE)


@pytest.mark.parametrize(
    ("environment", "workflow_id", "billed"),
    [
        ("live", None, fm.Charged.YES),
        ("sandbox", None, fm.Charged.NO),
        ("sandbox", "2f6e1a52-4c0d-4a5e-8f55-6d1f4d6e7a01", fm.Charged.NO),
        ("live", "2f6e1a52-4c0d-4a5e-8f55-6d1f4d6e7a01", fm.Charged.UNKNOWN),
    ],
)
def test_a_kept_call_was_charged_a_sandbox_is_free_and_a_workflow_is_unknown(
    environment, workflow_id, billed, answers
):
    body = answers["decision_match"] | {"environment": environment, "workflow_id": workflow_id}
    (result,) = session_decision(body).results
    assert result.billing.charged is billed
    assert result.ids.vendor == (None if workflow_id else body["session_id"])


@pytest.mark.parametrize(
    ("word", "declared", "stated", "expected"),
    [
        ("live", fm.Environment.SANDBOX, None, fm.Environment.PRODUCTION),
        ("sandbox", fm.Environment.PRODUCTION, None, fm.Environment.SANDBOX),
        (None, fm.Environment.SANDBOX, None, fm.Environment.SANDBOX),
        ("staging", fm.Environment.PRODUCTION, fm.Environment.MOCK, fm.Environment.MOCK),
        ("live", fm.Environment.PRODUCTION, fm.Environment.MOCK, fm.Environment.MOCK),
    ],
)
def test_the_environment_is_the_mocks_then_the_sessions_then_the_settings(
    word, declared, stated, expected, answers
):
    body = answers["decision_match"] | {"environment": word}
    decision = session_decision(body, declared=declared, said=stated)
    assert decision.environment is decision.results[0].environment is expected


def test_a_session_that_does_not_say_it_is_of_the_environment_of_the_key(answers, scripted_account):
    body = answers["decision_match"] | {"environment": None}
    account, _ = scripted_account((200, body), environment="sandbox")
    (result,) = account.decision(ID).results
    assert result.environment is fm.Environment.SANDBOX
    assert result.billing.charged is fm.Charged.NO


@pytest.mark.parametrize("word", ["staging", "SANDBOX", "Live", "production", ""])
@pytest.mark.parametrize("declared", [*fm.Environment, None])
def test_an_unknown_environment_is_refused_whatever_was_declared(
    word, declared, answers, scripted_account
):
    """It may be one in which nothing is real, and a pass there lets a stranger in."""
    body = answers["decision_match"] | {"environment": word}
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        session_decision(body, declared=declared)
    assert (caught.value.environment, caught.value.billing.charged) == (None, fm.Charged.NO)
    if declared not in (fm.Environment.LOCAL, fm.Environment.MOCK):
        account, _ = scripted_account((200, body), environment=declared)
        with pytest.raises(fm.EnvironmentMismatch) as caught:
            account.decision(ID)
        assert (caught.value.status_code, caught.value.billing.charges) == (200, 0)
        # The frames hold the answer.
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert "session_decision" not in {frame.name for frame in frames}


def test_addresses_of_media_stand_nowhere(answers, scripted_account, caplog):
    caplog.set_level(logging.DEBUG)
    body = answers["decision_match"]
    body["liveness_checks"] = answers["decision_liveness"]["liveness_checks"]
    body["session_url"] = "https://verify.example/session/token-77"
    body["face_matches"][0]["something_new"] = "https://media.example/clip/token-77"
    account, _ = scripted_account((200, body))
    decision = account.decision(ID)
    shown = f"{decision!r} {decision.results!r} {json.dumps(decision.raw)} {caplog.text}"
    shown += "".join(json.dumps(result.raw) for result in decision.results)
    assert "media.example" not in shown
    assert "token-77" not in shown


def test_ages_documents_and_strangers_are_in_no_raw_and_notes_in_no_repr(answers):
    body = answers["decision_liveness"]
    body["liveness_checks"][0]["matches"] = [
        {
            "session_id": "x",
            "user_details": {"full_name": "Ada Somebody"},
            "match_image_url": "store/face/9.jpg",
        }
    ]
    body["id_verifications"] = [{"full_name": "Ada Somebody", "front_image": "store/front.jpg"}]
    body["contact_details"] = {"email": "ada@somewhere.example"}
    body["reviews"] = [{"user": "API Client", "new_status": "Declined", "comment": "Not them."}]
    decision = session_decision(body)
    shown = json.dumps(decision.raw) + json.dumps(decision.results[0].raw)
    for private in ("29.4", "Ada", "ada@", "store/"):
        assert private not in shown
    assert decision.raw["reviews"] == body["reviews"]
    for private in ("Not them", "emp-0042", "north"):
        assert private not in repr(attrs.evolve(decision, results=()))


@pytest.mark.parametrize(
    "change",
    [
        {"status": ""},
        {"session_id": 7},
        {"created_at": "yesterday"},
        {"face_matches": [7]},
        {"face_matches": [{"score": 50}]},
        {"face_matches": [{"status": "Approved", "score": 101}]},
        {"face_matches": [{"status": "Approved", "score": 50, "warnings": [{}]}]},
    ],
)
def test_another_form_is_a_value_error_without_the_values(change, answers):
    with pytest.raises(ValueError) as caught:
        session_decision(answers["decision_match"] | change)
    assert "emp-0042" not in str(caught.value)


SESSION_WORDS = sorted(STATUSES)
FEATURE_WORDS = ["Not Finished", "Approved", "Declined", "In Review", "Resub Requested"]

#: What a comparison with a good score is, by the word of its feature, in an approved session.
IN_APPROVED = dict.fromkeys([*FEATURE_WORDS, "Something New"], fm.Decision.REVIEW) | {
    "Not Finished": fm.Decision.INCONCLUSIVE,
    "Approved": fm.Decision.MATCH,
    # Declined by nothing that the answer says: the score alone is no ground to overrule it.
    "Declined": fm.Decision.NO_MATCH,
}


@pytest.mark.parametrize(
    ("session", "feature"),
    [*itertools.product([*SESSION_WORDS, "Something New"], [*FEATURE_WORDS, "Something New"])],
)
def test_a_pass_needs_an_approved_session_and_an_approved_feature(session, feature, answers):
    for name, block, good in (
        ("decision_match", "face_matches", fm.Decision.MATCH),
        ("decision_liveness", "liveness_checks", fm.LivenessDecision.LIVE),
    ):
        body = answers[name]
        body["status"] = session
        body[block][0] |= {"status": feature, "score": 99.0, "warnings": []}
        (result,) = session_decision(body).results
        assert (result.decision is good) is (session == feature == "Approved")
        assert result.vendor_status == feature
        if session == "Approved" and good is fm.Decision.MATCH:
            assert result.decision is IN_APPROVED[feature]
        if session != feature == "Approved":
            assert result.decision.value == "review"
            assert (result.score.value, len(result.warnings)) == (99, 1)


def test_a_person_who_approves_a_session_does_not_change_what_was_measured(answers):
    body = answers["decision_liveness"] | {"status": "Approved"}
    (result,) = session_decision(body).results
    assert result.decision is fm.LivenessDecision.NOT_LIVE


@pytest.mark.parametrize(
    ("word", "status"), [*STATUSES.items(), ("Suspended", SessionStatus.OTHER)]
)
def test_a_session_keeps_didits_word(word, status, answers):
    decision = session_decision(answers["decision_match"] | {"status": word})
    assert (decision.status, decision.vendor_status) == (status, word)
