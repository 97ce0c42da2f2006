"""What a delivery says once its signature fits, and the results in its decision."""

import contextlib
import datetime as dt
import json
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, Decision, Environment, Score
from facematch_core.backend import CALL_ID_KEY
from facematch_didit import MATCH_SCALE
from facematch_didit.account import SessionStatus
from facematch_didit.webhooks import Refusal, WebhookRefused

MEDIA = "https://media.example/face/3c9a1f70/source.jpg?X-Amz-Expires=3600"


def test_every_field_of_a_delivery_arrives(delivery):
    event = delivery.verify()
    assert event.type == "status.updated"
    assert event.event_id == "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10"
    assert event.session_id == "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1"
    assert (event.status, event.vendor_status) == (SessionStatus.DECLINED, "Declined")
    assert event.timestamp == dt.datetime(2026, 7, 2, 13, 46, 46, tzinfo=dt.UTC)
    assert event.created_at == dt.datetime(2026, 7, 2, 13, 46, 40, tzinfo=dt.UTC)
    assert event.environment is Environment.PRODUCTION
    assert event.application_id == "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00"
    assert event.caller_ref == "user-é"
    assert event.call_id is None
    assert event.metadata == {"a": [1.5, True], "b": 2}
    assert event.decision is None
    assert event.raw == json.loads(delivery.vector)
    assert not event.is_test


@pytest.mark.parametrize(
    ("word", "headers", "environment"),
    [
        ("live", {}, Environment.PRODUCTION),
        ("sandbox", {}, Environment.SANDBOX),
        ("staging", {}, None),
        (None, {}, None),
        ("live", {"X-Facematch-Mock": "1"}, Environment.MOCK),
    ],
)
def test_the_environment_is_didits_word_or_the_mocks(delivery, word, headers, environment):
    body = delivery.body(environment=word)
    event = delivery.verify(body, delivery.signed(body) | headers)
    assert event.environment is environment


@pytest.mark.parametrize(
    ("metadata", "attempt_id", "stated"),
    [
        ({CALL_ID_KEY: "ours", "gate": "north"}, "ours", {"gate": "north"}),
        ({CALL_ID_KEY: 7, "gate": "north"}, None, {"gate": "north"}),
        (None, None, None),
    ],
)
def test_our_id_of_a_kept_call_is_not_one_of_the_callers_entries(
    delivery, metadata, attempt_id, stated
):
    event = delivery.verify(delivery.body(metadata=metadata))
    assert (event.call_id, event.metadata) == (attempt_id, stated)
    assert event.raw["metadata"] == metadata


@pytest.mark.parametrize(
    ("metadata", "headers", "is_test"),
    [
        (None, {"X-Didit-Test-Webhook": "true"}, True),
        (None, {"X-Didit-Test-Webhook": "True"}, True),
        ({"test_webhook": True}, {}, True),
        (None, {"X-Didit-Test-Webhook": "false"}, False),
    ],
)
def test_deliveries_of_the_console_are_marked_by_header_or_body(
    delivery, metadata, headers, is_test
):
    body = delivery.body(metadata=metadata, event_id=None)
    assert delivery.verify(body, delivery.signed(body) | headers).is_test is is_test


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_type": None},
        {"status": ["Approved"]},
        {"created_at": 10**30},
        {"metadata": "x"},
        {"decision": []},
    ],
    ids=str,
)
def test_a_signed_shape_that_we_do_not_know_is_unreadable(delivery, fields):
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(delivery.body(**fields))
    assert next(iter(fields)) in str(refused.value)
    assert refused.value.reason == "unreadable"


def test_nothing_private_prints(delivery):
    decision = {"face_matches": [{"source_image": MEDIA}]}
    event = delivery.verify(delivery.body(decision=decision, metadata={"name": "Ada"}))
    assert event.decision == decision
    for private in (MEDIA, "Ada", "user-é"):
        assert private not in repr(event)


def test_an_event_can_be_queued(delivery):
    event = delivery.verify()
    again = pickle.loads(pickle.dumps(event))
    assert again == event
    assert hash(again) == hash(event)


#: The decision of a kept face match (Didit OpenAPI, 2026-07-18).
DECISION = {
    "session_id": "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",
    "session_kind": "user",
    "status": "Approved",
    "environment": "live",
    "workflow_id": None,
    "features": ["FACE_MATCH"],
    "vendor_data": "emp-0042",
    "metadata": {"gate": "north"},
    "liveness_checks": None,
    "face_matches": [
        {"node_id": "feature_face_match_1", "status": "Approved", "score": 87.0, "warnings": []}
    ],
    "reviews": [],
    "created_at": "2026-07-02T09:15:27.104233Z",
}
MOCK = {"X-Facematch-Mock": "1"}
STATUSES = ["Approved", "Declined", "In Review", "Abandoned", "Kyc Expired", "approved", "", None]
ENVIRONMENTS = ["live", "sandbox", "staging", "LIVE", "", None]


def event_of(delivery, headers=None, *, decision=None, **fields):
    about = {"status": "Approved", "decision": DECISION | (decision or {})}
    body = delivery.body(**about | fields)
    return delivery.verify(body, delivery.signed(body) | (headers or {}))


def refusal(event, **more):
    with pytest.raises(WebhookRefused) as refused:
        event.session(**more)
    assert refused.value.reason is Refusal.UNREADABLE
    assert refused.value.__cause__ is refused.value.__context__ is None
    return refused.value


@pytest.mark.parametrize(
    ("headers", "environment"), [({}, Environment.PRODUCTION), (MOCK, Environment.MOCK)]
)
def test_a_decision_gives_the_results_of_its_calls(delivery, headers, environment):
    session = event_of(delivery, headers).session()
    (match,) = session.matches
    assert (match.decision, match.score) == (Decision.MATCH, Score(87.0, MATCH_SCALE))
    assert match.ids.session == session.session_id == DECISION["session_id"]
    assert match.environment is session.environment is environment


@pytest.mark.parametrize(
    ("headers", "metadata"),
    [({"X-Didit-Test-Webhook": "true"}, None), ({}, {"test_webhook": True})],
)
def test_neither_a_test_of_the_console_nor_an_event_without_a_decision_has_results(
    delivery, headers, metadata
):
    event = event_of(delivery, headers, metadata=metadata)
    assert event.decision is not None
    assert event.session() is None
    assert delivery.verify(delivery.body(status="Resubmitted")).session() is None


@pytest.mark.parametrize(
    ("of_event", "of_decision", "status", "decision"),
    [
        ("Approved", "Approved", SessionStatus.APPROVED, Decision.MATCH),
        ("Declined", "Approved", SessionStatus.DECLINED, Decision.REVIEW),
        ("Approved", "Declined", SessionStatus.DECLINED, Decision.REVIEW),
        ("In Review", "Approved", SessionStatus.IN_REVIEW, Decision.REVIEW),
        ("Anew", "Approved", SessionStatus.OTHER, Decision.REVIEW),
        # Events other than of a status need not tell one: then there are no two to compare.
        (None, "Approved", SessionStatus.APPROVED, Decision.MATCH),
    ],
)
def test_a_pass_must_be_one_by_event_and_decision(
    delivery, of_event, of_decision, status, decision
):
    session = event_of(delivery, status=of_event, decision={"status": of_decision}).session()
    assert (session.status, session.matches[0].decision) == (status, decision)


@pytest.mark.parametrize("session_id", ["another", None, ""])
def test_the_decision_of_another_session_is_refused(delivery, session_id):
    for fields in ({"session_id": session_id}, {"decision": {"session_id": session_id}}):
        assert "session_id" in str(refusal(event_of(delivery, **fields)))


@pytest.mark.parametrize(
    ("of_event", "of_decision", "declared", "environment"),
    [
        ("live", "live", Environment.SANDBOX, Environment.PRODUCTION),
        (None, "live", Environment.SANDBOX, Environment.PRODUCTION),
        ("sandbox", "live", Environment.PRODUCTION, Environment.SANDBOX),
        ("live", "sandbox", Environment.PRODUCTION, Environment.SANDBOX),
        ("sandbox", None, Environment.PRODUCTION, Environment.SANDBOX),
        (None, None, Environment.PRODUCTION, Environment.PRODUCTION),
        (None, None, Environment.SANDBOX, Environment.SANDBOX),
    ],
)
def test_the_less_real_environment_counts(delivery, of_event, of_decision, declared, environment):
    event = event_of(delivery, environment=of_event, decision={"environment": of_decision})
    session = event.session(declared=declared)
    assert session.environment is session.matches[0].environment is environment
    is_free = environment is Environment.SANDBOX
    assert session.matches[0].billing.charged is (Charged.NO if is_free else Charged.YES)


@pytest.mark.parametrize("declared", [Environment.PRODUCTION, Environment.SANDBOX])
@pytest.mark.parametrize("words", [("staging", "live"), ("live", "staging"), ("", None)])
def test_an_unknown_environment_is_never_production(delivery, words, declared):
    of_event, of_decision = words
    event = event_of(delivery, environment=of_event, decision={"environment": of_decision})
    assert "environment is a word that is not known" in str(refusal(event, declared=declared))
    event = event_of(delivery, MOCK, environment=of_event, decision={"environment": of_decision})
    assert event.session(declared=declared).environment is Environment.MOCK


STATEMENTS = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES), "environment": st.sampled_from(ENVIRONMENTS)}
)
MARKS = [{}, MOCK, {"X-Didit-Test-Webhook": "true"}]


@given(STATEMENTS, STATEMENTS, st.sampled_from(MARKS))
def test_a_match_counts_only_with_two_approvals_and_the_word_live(
    delivery, of_event, of_decision, mark
):
    event = event_of(delivery, mark, **of_event, decision=of_decision)
    matches = ()
    with contextlib.suppress(WebhookRefused):
        matches = getattr(event.session(), "matches", ())
    counts = [
        match for match in matches if match.is_match and match.environment is Environment.PRODUCTION
    ]
    is_approved = of_decision["status"] == "Approved" and of_event["status"] in ("Approved", None)
    words = {of_decision["environment"], of_event["environment"]}
    is_live = "live" in words <= {"live", None}
    assert bool(counts) == (is_approved and is_live and not mark)


@pytest.mark.parametrize(
    "wrong", [{"face_matches": "canary"}, {"status": 7}, {"environment": ["canary"]}], ids=str
)
def test_a_decision_of_an_unknown_shape_is_refused_and_not_quoted(delivery, wrong):
    error = refusal(event_of(delivery, decision=wrong | {"vendor_data": "canary"}))
    assert f"cannot read the decision: {next(iter(wrong))}" in str(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if "facematch_didit" in frame.f_code.co_filename]
    assert [frame.f_code.co_name for frame in ours] == ["session"]
    assert "canary" not in str(error) + "".join(repr(frame.f_locals) for frame in ours)
