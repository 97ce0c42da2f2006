"""The decision of a session: the same results as the calls that made it, and nothing private."""

import copy
import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture
from kit.strategies import json_values

from facematch_core import (
    CallRecord,
    Charged,
    Decision,
    Environment,
    InvalidRequest,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Retention,
    ScaleSource,
    Score,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.backend import CALL_ID_KEY, LivenessCall, MatchCall
from facematch_core.http import HttpReply
from facematch_didit import LIVENESS_SCALE, MATCH_SCALE, DiditBackend
from facematch_didit.account import (
    SessionDecision,
    SessionNotFound,
    SessionStatus,
    session_decision,
)

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
NOT_FOUND = (404, {"detail": "Not found."})
BLOCKS = ("face_matches", "liveness_checks")


def test_a_match_in_full(answers):
    """Every field of the example arrives."""
    decision = session_decision(answers["decision_match"])
    assert decision.session_id == ID
    assert (decision.session_number, decision.workflow_id) == (118, None)
    assert (decision.status, decision.vendor_status) == (SessionStatus.APPROVED, "Approved")
    assert decision.features == ("FACE_MATCH",)
    assert (decision.caller_ref, decision.metadata) == ("emp-0042", {"gate": "north"})
    assert decision.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert decision.expires_at is None
    assert decision.environment is Environment.PRODUCTION
    (result,) = decision.results
    assert decision.matches == (result,)
    assert decision.liveness_checks == ()
    assert result.decision is Decision.MATCH
    assert result.score == Score(87.36, MATCH_SCALE)
    assert (result.score.raw, result.score.raw_name) == (87.36, "score")
    assert result.score.source is ScaleSource.DOCUMENTED
    assert result.ids.session == result.ids.vendor == decision.session_id
    assert (result.ids.caller, result.metadata) == ("emp-0042", {"gate": "north"})
    assert result.created_at == decision.created_at
    assert (result.threshold, result.probe_faces, result.reference_faces) == (None, None, None)
    assert result.billing.charged is Charged.YES
    assert result.raw["node_id"] == "feature_face_match_1"


def test_a_liveness_check_in_full(answers):
    """Method, quality, light, and the warning with its node in `raw`."""
    decision = session_decision(answers["decision_liveness"])
    (result,) = decision.liveness_checks
    assert decision.matches == ()
    assert result.decision is LivenessDecision.NOT_LIVE
    assert result.score == Score(30, LIVENESS_SCALE)
    assert (result.method, result.quality, result.luminance) == ("PASSIVE", 71.8, 46.02)
    assert [warning.code for warning in result.warnings] == [WarningCode.LOW_LIVENESS]
    assert result.raw["warnings"][0]["node_id"] == "feature_liveness_1"


#: What a decision does not tell, or tells of another place.
NOT_TOLD = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s", "environment"}


@pytest.mark.parametrize(
    ("block", "call"),
    [
        ("face_match", MatchCall(probe=picture(), reference=picture(), retention=Retention.KEEP)),
        ("liveness", LivenessCall(probe=picture(), retention=Retention.KEEP)),
    ],
)
@pytest.mark.parametrize(
    "facts",
    [
        ("Approved", 87.36, []),
        ("Declined", 12, ["LOW_FACE_MATCH_SIMILARITY", "LOW_LIVENESS_SCORE"]),
        ("Declined", None, ["NO_REFERENCE_IMAGE"]),
        ("Declined", 91.5, ["FACE_IN_BLOCKLIST"]),
        ("Approved", 91.5, ["DUPLICATED_FACE"]),
        ("Approved", None, []),
        ("In Review", 50, []),
        ("Something New", 99, ["SOMETHING_NEW"]),
    ],
)
def test_the_same_result_as_the_call(block, call, facts, answers):
    """A decision gives field by field what the call gave, but for what it does not tell."""
    status, score, risks = facts
    warnings = [
        {"risk": risk, "log_type": "error" if risk.startswith(("L", "N", "F")) else "information"}
        for risk in risks
    ]
    facts = {"status": status, "score": score, "warnings": warnings}
    body = answers["decision_match"] | {"status": status, "face_matches": None}
    name = {"face_match": "face_matches", "liveness": "liveness_checks"}[block]
    body[name] = [facts | {"node_id": "n"}]
    body["metadata"][CALL_ID_KEY] = call.call_id
    answer = {
        "request_id": body["session_id"],
        block: facts,
        "created_at": body["created_at"].replace("Z", "+00:00"),
    }
    reply = HttpReply(status=200, body=json.dumps(answer).encode())
    called = DiditBackend(api_key="k").parse(call, reply)
    # The verifier, not the backend, puts these into a result.
    called = attrs.evolve(
        called, ids=attrs.evolve(called.ids, caller="emp-0042"), metadata={"gate": "north"}
    )
    (told,) = session_decision(body).results
    assert type(told) is type(called)
    for field in attrs.fields(type(called)):
        if field.name not in NOT_TOLD:
            assert getattr(told, field.name) == getattr(called, field.name), field.name


def test_our_id_of_the_call(answers):
    """It is told as the result's attempt, not as an entry of the caller's."""
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    decision = session_decision(body)
    (result,) = decision.results
    assert (result.ids.call, result.metadata) == ("a-1", {"gate": "north"})
    assert decision.metadata == {"gate": "north", CALL_ID_KEY: "a-1"}
    body["metadata"] = {CALL_ID_KEY: 7}
    (result,) = session_decision(body).results
    assert (result.ids.call, result.metadata) == (None, None)


NINETY = Threshold(90, ThresholdRule.ABOVE, ThresholdSource.CALLER)
FIFTY = Threshold(50, ThresholdRule.ABOVE, ThresholdSource.CALLER)


def attempt(**changes):
    facts = {"id": "a-1", "operation": Operation.MATCH, "backend": "didit", "kept": True}
    at = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
    return CallRecord(**{**facts, "started_at": at, "threshold": FIFTY} | changes)


def test_the_rules_of_the_call(answers, scripted):
    """Didit's record knows no review threshold; the attempt does."""
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    strict = attempt(review_threshold=NINETY)
    account, script = scripted((200, body))
    bare = account.decision(body["session_id"])
    assert (bare.results[0].decision, bare.results[0].threshold) == (Decision.MATCH, None)
    told = account.decision(body["session_id"], call=strict)
    assert told.results[0].decision is Decision.REVIEW
    assert (told.results[0].threshold, told.results[0].review_threshold) == (FIFTY, NINETY)
    assert account.decision(body["session_id"], call=attempt()).results[0].is_match
    assert attrs.evolve(told, results=()) == attrs.evolve(bare, results=())
    assert len(script.seen) == 3


def test_a_session_that_was_just_kept(answers, scripted, clock):
    """A 404 is asked again twice, within two seconds."""
    account, script = scripted(NOT_FOUND, NOT_FOUND, (200, answers["decision_match"]))
    assert account.decision(ID, just_kept=True).matches[0].decision is Decision.MATCH
    assert len(script.seen) == 3
    assert sum(clock.slept) == 2


def test_a_session_that_never_comes(scripted):
    """Then the 404 counts."""
    account, script = scripted(NOT_FOUND)
    with pytest.raises(SessionNotFound):
        account.decision(ID, just_kept=True)
    assert len(script.seen) == 3
    with pytest.raises(SessionNotFound):
        account.decision(ID)
    assert len(script.seen) == 4


@pytest.mark.parametrize(
    "other",
    [attempt(id="a-2"), attempt(backend="acme"), attempt(operation=Operation.LIVENESS)],
    ids=["id", "backend", "operation"],
)
def test_the_rules_of_another_call_are_refused(other, answers, scripted):
    """They would say something about a person whom that call never saw."""
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    account, _ = scripted((200, body))
    with pytest.raises(InvalidRequest, match="another call"):
        account.decision(body["session_id"], call=other)
    del body["metadata"][CALL_ID_KEY]
    with pytest.raises(InvalidRequest, match="another call"):
        session_decision(body).judged_by(attempt())


@pytest.mark.parametrize("feature", ["FACE_SEARCH", "AGE_ESTIMATION"])
@pytest.mark.parametrize("shape", [str, lambda name: {"feature": name, "node_id": "n"}])
def test_what_is_neither_a_match_nor_a_check_has_no_result(feature, shape, answers):
    """A search or an age has the block of a check, and checks nobody: it is in `raw` alone. Beside
    a comparison or a check by name it does no harm."""
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
    assert (match.decision, check.decision) == (Decision.MATCH, LivenessDecision.LIVE)


@pytest.mark.parametrize(
    ("environment", "workflow_id", "billed"),
    [
        ("live", None, Charged.YES),
        ("sandbox", None, Charged.NO),
        ("sandbox", "2f6e1a52-4c0d-4a5e-8f55-6d1f4d6e7a01", Charged.NO),
        ("live", "2f6e1a52-4c0d-4a5e-8f55-6d1f4d6e7a01", Charged.UNKNOWN),
    ],
)
def test_what_it_cost(environment, workflow_id, billed, answers):
    """A kept call was charged, the sandbox is free, a workflow's price is not told."""
    body = answers["decision_match"] | {"environment": environment, "workflow_id": workflow_id}
    (result,) = session_decision(body).results
    assert result.billing.charged is billed
    assert result.ids.vendor == (None if workflow_id else body["session_id"])


@pytest.mark.parametrize(
    ("word", "declared", "told", "expected"),
    [
        ("live", Environment.SANDBOX, None, Environment.PRODUCTION),
        ("sandbox", Environment.PRODUCTION, None, Environment.SANDBOX),
        (None, Environment.SANDBOX, None, Environment.SANDBOX),
        ("elsewhere", Environment.PRODUCTION, None, Environment.PRODUCTION),
        ("live", Environment.PRODUCTION, Environment.MOCK, Environment.MOCK),
    ],
)
def test_where_it_comes_from(word, declared, told, expected, answers):
    """The mock says it first, then the session, then the setting."""
    body = answers["decision_match"] | {"environment": word}
    decision = session_decision(body, declared=declared, said=told)
    assert decision.environment is decision.results[0].environment is expected


def test_media_are_secrets(answers):
    """Each address is one, with its name and node, and stands nowhere else."""
    body = answers["decision_match"]
    body["liveness_checks"] = answers["decision_liveness"]["liveness_checks"]
    body["session_url"] = "https://verify.example/session/token-77"
    body["face_matches"][0]["something_new"] = "https://media.example/clip/token-77"
    decision = session_decision(body)
    assert [(media.name, media.node_id) for media in decision.media] == [
        ("source_image", "feature_face_match_1"),
        ("target_image", "feature_face_match_1"),
        ("reference_image", "feature_liveness_1"),
    ]
    assert decision.media[0].address.reveal() == body["face_matches"][0]["source_image"]
    shown = f"{decision!r} {decision.results!r} {decision.media!r} {json.dumps(decision.raw)}"
    shown += "".join(json.dumps(result.raw) for result in decision.results)
    assert "media.example" not in shown
    assert "token-77" not in shown
    assert decision.raw["face_matches"][0]["source_image"] == "(address removed)"


def test_a_key_without_media_rights(answers):
    """Null in their place is no address."""
    body = answers["decision_match"]
    body["face_matches"][0] |= {"source_image": None, "target_image": None}
    assert session_decision(body).media == ()


def test_nothing_about_people(answers):
    """Ages, documents and other people's details are in no `raw`."""
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
    decision = session_decision(body)
    shown = json.dumps(decision.raw) + json.dumps(decision.results[0].raw)
    for private in ("29.4", "Ada", "ada@", "store/"):
        assert private not in shown


def test_notes_of_people_are_in_raw(answers):
    """Who said what, as it came; not in a `repr`, nor is what the caller sent."""
    body = answers["decision_match"]
    body["reviews"] = [{"user": "API Client", "new_status": "Declined", "comment": "Not them."}]
    decision = session_decision(body)
    assert decision.raw["reviews"] == body["reviews"]
    shown = repr(attrs.evolve(decision, results=()))
    for private in ("Not them", "emp-0042", "north"):
        assert private not in shown


def test_empty_lists_are_as_good_as_null(answers):
    """Some clients want lists where nothing ran."""
    body = {
        name: [] if value is None else value for name, value in answers["decision_match"].items()
    }
    body |= {"workflow_id": None, "expires_at": None}
    assert len(session_decision(body).results) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"status": ""},
        {"session_id": 7},
        {"session_number": "118"},
        {"session_number": True},
        {"metadata": "text"},
        {"created_at": "yesterday"},
        {"face_matches": [7]},
        {"face_matches": [{"score": 50}]},
        {"face_matches": [{"status": "Approved", "score": 101}]},
        {"face_matches": [{"status": "Approved", "score": 50, "warnings": [{}]}]},
        {"liveness_checks": {"status": "Approved"}},
        {"features": [None]},
    ],
)
def test_what_is_no_decision(change, answers):
    """Another form is a `ValueError` whose sentence holds none of the values."""
    with pytest.raises(ValueError) as caught:
        session_decision(answers["decision_match"] | change)
    assert "emp-0042" not in str(caught.value)


@given(json_values)
def test_any_json_is_a_decision_or_a_value_error(body):
    """However odd the body, nothing else is raised."""
    with pytest.raises(ValueError):
        session_decision(body)


@given(st.data())
def test_any_change_is_a_decision_or_a_value_error(data):
    """Odd values in places, at both levels: a record that can be written out, or an error."""
    body = copy.deepcopy(EXAMPLE)
    name = data.draw(st.sampled_from(sorted(body)))
    body[name] = data.draw(json_values)
    block = data.draw(st.sampled_from(BLOCKS))
    keys = st.sampled_from(["status", "score", "warnings", "node_id", "source_image", "method"])
    odd = st.dictionaries(keys, json_values | st.sampled_from(["Approved", 50]), max_size=4)
    body[block] = data.draw(json_values | st.lists(odd, max_size=2))
    try:
        decision = session_decision(body)
    except ValueError:
        return
    assert isinstance(decision, SessionDecision)
    for result in decision.results:
        assert isinstance(result, (MatchResult, LivenessResult))
        json.dumps(result.to_dict())


EXAMPLE = {
    "session_id": ID,
    "session_number": 118,
    "status": "Approved",
    "environment": "live",
    "workflow_id": None,
    "features": ["FACE_MATCH"],
    "vendor_data": None,
    "metadata": None,
    "reviews": [],
    "created_at": "2026-07-02T09:15:27.104233Z",
    "expires_at": None,
}
