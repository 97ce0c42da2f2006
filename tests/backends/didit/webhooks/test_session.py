"""`WebhookEvent.session`: the decision of a delivery as results, held against its event."""

import contextlib
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, Decision, Environment, Score
from facematch_didit import MATCH_SCALE
from facematch_didit.account import SessionStatus
from facematch_didit.webhooks import Refusal, WebhookRefused

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
    """An approved event with a decision, each with other fields."""
    about = {"status": "Approved", "decision": DECISION | (decision or {})}
    body = delivery.body(**about | fields)
    return delivery.verify(body, delivery.signed(body) | (headers or {}))


def refusal(event, **more):
    """The error of an event whose decision must not be read."""
    with pytest.raises(WebhookRefused) as refused:
        event.session(**more)
    assert refused.value.reason is Refusal.UNREADABLE
    assert refused.value.__cause__ is refused.value.__context__ is None
    return refused.value


@pytest.mark.parametrize(
    ("headers", "environment"), [({}, Environment.PRODUCTION), (MOCK, Environment.MOCK)]
)
def test_the_decision_as_results(delivery, headers, environment):
    """The same results as if the decision had been asked for; those of a mock say so."""
    session = event_of(delivery, headers).session()
    (match,) = session.matches
    assert (match.decision, match.score) == (Decision.MATCH, Score(87.0, MATCH_SCALE))
    assert match.ids.session == session.session_id == DECISION["session_id"]
    assert match.environment is session.environment is environment


def test_without_a_decision_there_are_no_results(delivery):
    """As for a session that is to be done again."""
    assert delivery.verify(delivery.body(status="Resubmitted")).session() is None


@pytest.mark.parametrize(
    ("headers", "metadata"),
    [({"X-Didit-Test-Webhook": "true"}, None), ({}, {"test_webhook": True})],
)
def test_a_test_of_the_console_has_no_results(delivery, headers, metadata):
    """Its decision is made up: nobody was compared with anybody."""
    event = event_of(delivery, headers, metadata=metadata)
    assert event.decision is not None
    assert event.session() is None


@pytest.mark.parametrize(
    ("of_event", "own", "status", "decision"),
    [
        ("Approved", "Approved", SessionStatus.APPROVED, Decision.MATCH),
        ("Declined", "Approved", SessionStatus.DECLINED, Decision.REVIEW),
        ("Approved", "Declined", SessionStatus.DECLINED, Decision.REVIEW),
        ("In Review", "Approved", SessionStatus.IN_REVIEW, Decision.REVIEW),
        ("Anew", "Approved", SessionStatus.OTHER, Decision.REVIEW),
        ("In Review", "Declined", SessionStatus.DECLINED, Decision.REVIEW),
        # Events other than of a status need not tell one: then there are no two to compare.
        (None, "Approved", SessionStatus.APPROVED, Decision.MATCH),
    ],
)
def test_a_pass_must_be_one_by_both(delivery, of_event, own, status, decision):
    """By the event and by the decision; else a person has to look."""
    session = event_of(delivery, status=of_event, decision={"status": own}).session()
    assert (session.status, session.matches[0].decision) == (status, decision)


@pytest.mark.parametrize("session_id", ["another", None, ""])
def test_the_decision_of_another_session(delivery, session_id):
    """Which of the two the delivery is about, nothing says."""
    assert "session_id is not the event's" in str(
        refusal(event_of(delivery, session_id=session_id))
    )
    other = event_of(delivery, decision={"session_id": session_id})
    assert "session_id is not the event's" in str(refusal(other))


@pytest.mark.parametrize(
    ("of_event", "own", "declared", "environment"),
    [
        ("live", "live", Environment.SANDBOX, Environment.PRODUCTION),
        ("live", None, Environment.SANDBOX, Environment.PRODUCTION),
        (None, "live", Environment.SANDBOX, Environment.PRODUCTION),
        ("sandbox", "live", Environment.PRODUCTION, Environment.SANDBOX),
        ("live", "sandbox", Environment.PRODUCTION, Environment.SANDBOX),
        ("sandbox", None, Environment.PRODUCTION, Environment.SANDBOX),
        (None, None, Environment.SANDBOX, Environment.SANDBOX),
        (None, None, Environment.PRODUCTION, Environment.PRODUCTION),
    ],
)
def test_the_less_real_environment_counts(delivery, of_event, own, declared, environment):
    """Of what event and decision say; what is declared counts if neither says anything."""
    event = event_of(delivery, environment=of_event, decision={"environment": own})
    session = event.session(declared=declared)
    assert session.environment is session.matches[0].environment is environment
    is_free = environment is Environment.SANDBOX
    assert session.matches[0].billing.charged is (Charged.NO if is_free else Charged.YES)


@pytest.mark.parametrize("declared", [Environment.PRODUCTION, Environment.SANDBOX])
@pytest.mark.parametrize("words", [("staging", "live"), ("live", "staging"), ("", None)])
def test_an_unknown_environment_is_never_production(delivery, words, declared):
    """Nor anything else that we could name; but a mock's is a mock's."""
    of_event, own = words
    event = event_of(delivery, environment=of_event, decision={"environment": own})
    assert "environment is a word that is not known" in str(refusal(event, declared=declared))
    event = event_of(delivery, MOCK, environment=of_event, decision={"environment": own})
    assert event.session(declared=declared).environment is Environment.MOCK


said = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES), "environment": st.sampled_from(ENVIRONMENTS)}
)
MARKS = [{}, MOCK, {"X-Didit-Test-Webhook": "true"}]


@given(said, said, st.sampled_from(MARKS))
def test_a_match_that_counts(delivery, of_event, own, mark):
    """In PRODUCTION it takes an approved session, a word for it, and none against it."""
    event = event_of(delivery, mark, **of_event, decision=own)
    matches = ()
    with contextlib.suppress(WebhookRefused):
        matches = getattr(event.session(), "matches", ())
    counts = [
        match for match in matches if match.is_match and match.environment is Environment.PRODUCTION
    ]
    is_approved = own["status"] == "Approved" and of_event["status"] in ("Approved", None)
    words = {own["environment"], of_event["environment"]}
    is_live = "live" in words <= {"live", None}
    assert bool(counts) == (is_approved and is_live and not mark)


@pytest.mark.parametrize(
    "wrong", [{"face_matches": "canary"}, {"status": 7}, {"environment": ["canary"]}], ids=str
)
def test_a_decision_that_we_do_not_know(delivery, wrong):
    """The same error as for the delivery; neither it nor its frames quote the decision."""
    error = refusal(event_of(delivery, decision=wrong | {"vendor_data": "canary"}))
    assert f"cannot read the decision: {next(iter(wrong))}" in str(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if "facematch_didit" in frame.f_code.co_filename]
    assert [frame.f_code.co_name for frame in ours] == ["session"]
    assert "canary" not in str(error) + "".join(repr(frame.f_locals) for frame in ours)
