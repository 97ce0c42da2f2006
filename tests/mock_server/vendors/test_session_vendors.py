"""Charges, attempts, time, faults and webhooks, which mocks with hosted sessions have in common."""

import json
import threading
from decimal import Decimal

import attrs
import pytest
from kit import mock_sessions
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import ask, control_request, new_engine
from kit.of_vendors import of_vendors
from vendors import azure, didit, onfido, persona, rekognition, stripe, sumsub

from facematch_mock_server import Fault
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named, vendor_names

WITH_SESSIONS = [
    name for name in vendor_names() if "session_start" in vendor_named(name).operations
]
#: A request that starts a session, or a function that sends one.
STARTS = {
    **of_vendors("START"),
    "azure": azure.start_request(),
    "didit": didit.start(),
    "onfido": onfido.starting(),
    "persona": persona.starting(),
    "rekognition": rekognition.signed_start(),
    "stripe": stripe.starting(),
    "sumsub": sumsub.link(),
}
SANDBOX_STARTS = {
    "didit": didit.start(mock_sessions.SANDBOX),
    "onfido": onfido.starting(token=onfido.SANDBOX_TOKEN),
    "persona": persona.starting(key=persona.SANDBOX),
    "stripe": stripe.starting(key=stripe.TEST),
    "sumsub": sumsub.link("another", how=sumsub.SANDBOX),
}
READS = {
    **of_vendors("READ"),
    "azure": azure.on_newest(),
    "didit": didit.on(1),
    "onfido": onfido.on_newest(),
    "persona": persona.about(1),
    "rekognition": rekognition.reading(1),
    "stripe": stripe.about(1),
    "sumsub": sumsub.read(1),
}


def act_during_first_charge(monkeypatch, ledger, act):
    """Let `act` run to its end, in a thread of its own, before the next charge is made."""
    charge_once = ledger.charge_once
    waiting = [act]

    def charge_after_act(*arguments, **named):
        if waiting:
            thread = threading.Thread(target=waiting.pop())
            thread.start()
            thread.join(10)
            assert not thread.is_alive(), "the charge blocks other threads"
        return charge_once(*arguments, **named)

    monkeypatch.setattr(ledger, "charge_once", charge_after_act)


@pytest.fixture
def switches():
    return {}


@pytest.fixture
def engine(vendor, switches):
    """A mock of the vendor that a test is run for."""
    return new_engine(Recognizer(), vendor=vendor, switches=switches)


@pytest.fixture
def session_id(engine, vendor, people):
    """The id of a new live session."""
    assert ask(engine, STARTS[vendor]).status in (200, 201)
    (session,) = people.open()
    return session.id


def charged_sessions(control):
    return [charge.request_id for charge in control.charges()]


# Charges


@pytest.mark.parametrize("vendor", ["didit", "onfido", "persona", "rekognition"])
def test_session_is_charged_once_when_its_check_is_finished(control, people, session_id):
    assert charged_sessions(control) == []
    people.finish(session_id)
    assert charged_sessions(control) == [session_id]


@pytest.mark.parametrize(
    ("vendor", "switches"),
    [
        ("didit", {"price_document": "2.50", "price_session": "2.50"}),
        ("persona", {"price": "2.50"}),
        ("rekognition", {"session_price": "2.50"}),
        ("stripe", {"price": "2.50"}),
        ("sumsub", {"price": "2.50"}),
    ],
)
def test_price_of_a_session_can_be_set(control, people, session_id):
    people.finish(session_id)
    (charge,) = control.charges()
    assert charge.amount == Decimal("2.50")


@pytest.mark.parametrize("vendor", ["sumsub", "veriff"])
def test_first_check_is_charged_even_if_it_fails_and_no_later_one(control, people, session_id):
    people.fail_attempt(session_id)
    assert charged_sessions(control) == [session_id]
    people.finish(session_id)
    assert charged_sessions(control) == [session_id]


@pytest.mark.parametrize(
    "vendor", ["didit", "persona", "rekognition", "stripe", "sumsub", "veriff"]
)
def test_session_that_the_person_leaves_is_free(control, people, session_id):
    people.abandon(session_id)
    assert charged_sessions(control) == []


@pytest.mark.parametrize("vendor", SANDBOX_STARTS)
def test_session_of_a_sandbox_is_free(engine, vendor, control, people):
    ask(engine, SANDBOX_STARTS[vendor])
    (session,) = people.open()
    people.finish(session.id)
    assert charged_sessions(control) == []


@pytest.mark.parametrize("vendor", ["onfido", "persona", "veriff"])
def test_changed_decision_is_not_charged_again(control, people, session_id):
    people.finish(session_id)
    people.decide(session_id, "declined")
    assert charged_sessions(control) == [session_id]


@pytest.mark.parametrize("vendor", ["sumsub", "veriff"])
def test_two_threads_charge_a_session_once(engine, control, people, session_id, monkeypatch):
    act_during_first_charge(monkeypatch, engine.world.ledger, lambda: people.finish(session_id))
    people.fail_attempt(session_id)
    assert charged_sessions(control) == [session_id]


@pytest.mark.parametrize("vendor", WITH_SESSIONS)
def test_control_lists_sessions_that_have_ended_with_their_charges(
    engine, control, people, session_id
):
    ended = people.finish(session_id)
    (listed,) = engine.handle(control_request("sessions")).json()["sessions"]
    assert (listed["id"], listed["status"]) == (session_id, ended.status)
    assert listed["charges"] == [f"{charge.amount:.4f}" for charge in control.charges()]
    assert listed["page"] is None  # there is no server
    assert people.all(status=ended.status)[0].id == session_id
    assert people.all(since=1) == ()


# Attempts and time


@pytest.mark.parametrize(
    ("vendor", "attempts", "status"),
    [
        ("azure", 3, "Failed"),
        ("didit", 3, "Declined"),
        ("onfido", 3, "declined"),
        ("persona", 3, "failed"),
        ("rekognition", 1, "FAILED"),
        ("sumsub", 3, "completed RED FINAL"),
        ("veriff", 10, "declined"),
    ],
)
def test_last_failed_attempt_ends_a_session(people, session_id, attempts, status):
    for _ in range(attempts - 1):
        people.fail_attempt(session_id)
        (session,) = people.open()
        assert session.status != status
    assert people.fail_attempt(session_id).status == status
    with pytest.raises(ValueError, match=f"{status}: a person can no longer act"):
        people.finish(session_id)


DAY_S = 86_400


@pytest.mark.parametrize(
    ("vendor", "lasts_s", "status", "advice"),
    [
        # It shows the status that it had before.
        ("azure", 600, "Expired", "no longer act"),
        ("didit", 7 * DAY_S, "Expired", "no longer act"),
        ("persona", DAY_S, "expired", "no longer act"),
        ("rekognition", 180, "EXPIRED", "no longer act"),
        # Only its link expires.
        ("stripe", 2 * DAY_S, "requires_input", "make a link first"),
        ("sumsub", 1800, "init", "make a link first"),
        ("veriff", 7 * DAY_S, "expired", "no longer act"),
    ],
)
def test_nobody_can_act_once_the_time_of_a_session_is_over(
    control, session_id, lasts_s, status, advice
):
    people = control.sessions
    control.advance(lasts_s - 1)
    (session,) = people.open()
    control.advance(1)
    assert people.open() == ()
    (session,) = people.all()
    assert session.status == status
    with pytest.raises(ValueError, match=advice):
        people.finish(session_id)


# Faults


@pytest.mark.parametrize("vendor", WITH_SESSIONS)
def test_fault_strikes_the_start_or_the_reading_of_a_session(engine, vendor, control):
    for call in ("session_start", "session_read"):
        control.add_fault(Fault(stage="answer", kind="status", status=418, call=call))
    start_statuses = [ask(engine, STARTS[vendor]).status for _ in range(2)]
    read_statuses = [ask(engine, READS[vendor]).status for _ in range(2)]
    assert start_statuses[0] == read_statuses[0] == 418
    assert start_statuses[1] < 300
    assert read_statuses[1] == 200


# Webhooks


@attrs.frozen
class Deliveries:
    """What a vendor documents of its deliveries.

    Attributes:
        waits_s: The seconds between a delivery and its retries.
        timeout_s: The seconds in which a receiver answers.
        signature: The header of the signature.
        states: The answers of a receiver by the state of the delivery; what is pending is retried.
    """

    waits_s: tuple
    timeout_s: int
    signature: str
    states: dict


DELIVERIES = {
    **{name: Deliveries(**facts) for name, facts in of_vendors("DELIVERIES").items()},
    "didit": Deliveries(
        waits_s=(60, 180),
        timeout_s=5,
        signature="X-Signature-V2",
        states={
            "delivered": (200, 299),
            "failed": (302, 400, 401, 403),
            "pending": (404, 500, 599, "timeout"),
        },
    ),
    "onfido": Deliveries(
        waits_s=(60, 540),
        timeout_s=10,
        signature="X-SHA2-Signature",
        states={
            "delivered": (200, 209),
            "failed": (210, 302, 400, 403),
            "pending": (404, 500, "timeout"),
        },
    ),
    "persona": Deliveries(
        waits_s=(3, 64, 729, 4_096, 15_625, 46_656, 117_649),
        timeout_s=5,
        signature="Persona-Signature",
        states={
            "delivered": (200, 201, 202, 204),
            "pending": (203, 302, 400, 404, 500, "timeout"),
        },
    ),
    "stripe": Deliveries(
        waits_s=(3_600, 7_200, 21_600, 64_800, 162_000),
        timeout_s=10,
        signature="Stripe-Signature",
        states={
            "delivered": (200, 299),
            "pending": (302, 400, 404, 500, "timeout"),
        },
    ),
    "sumsub": Deliveries(
        waits_s=(300, 3_300, 14_400, 46_800),
        timeout_s=5,
        signature="x-payload-digest",
        states={"delivered": (200, 299), "pending": (302, 400, 404, 500, "timeout")},
    ),
}


@pytest.fixture
def delivery_id(engine, control, people, session_id):
    """The id of the delivery about a finished session. It and those before have arrived."""
    control.webhooks.add(HOOK)
    people.finish(session_id)
    carry(engine)
    *_, delivery = control.webhooks.deliveries()
    return delivery.id


@pytest.mark.parametrize("vendor", sorted({*DELIVERIES} - {"didit"}))
def test_body_of_a_delivery_has_a_form_that_no_usual_json_writer_has(control, delivery_id):
    body = control.webhooks.delivery(delivery_id).body.decode()
    for separators in ((",", ":"), (", ", ": ")):
        for is_ascii in (True, False):
            text = json.dumps(json.loads(body), separators=separators, ensure_ascii=is_ascii)
            assert text not in (body, body.replace("\\/", "/"))


@pytest.mark.parametrize("vendor", DELIVERIES)
def test_answer_of_the_receiver_decides_whether_a_delivery_is_retried(
    engine, vendor, control, delivery_id
):
    for state, answers in DELIVERIES[vendor].states.items():
        for answer in answers:
            control.webhooks.resend(delivery_id)
            carry(engine, answer)
            assert control.webhooks.delivery(delivery_id).state == state, answer


@pytest.mark.parametrize("vendor", DELIVERIES)
def test_retry_sends_the_same_bytes_after_the_documented_time(engine, vendor, control, delivery_id):
    documented = DELIVERIES[vendor]
    control.webhooks.resend(delivery_id)
    sendings = carry(engine, 500)
    for wait_s in documented.waits_s:
        control.advance(wait_s - 1)
        assert carry(engine) == []
        control.advance(1)
        sendings += carry(engine, 500)
    control.advance(100 * DAY_S)
    assert carry(engine) == []
    assert len(sendings) == 1 + len(documented.waits_s)
    assert {timeout_s for _, _, timeout_s in sendings} == {documented.timeout_s}
    assert len({letter.body for _, letter, _ in sendings}) == 1
    signatures = {dict(letter.headers)[documented.signature] for _, letter, _ in sendings}
    # Stripe signs each retry with a new time.
    assert len(signatures) == (len(sendings) if vendor == "stripe" else 1)
    delivery = control.webhooks.delivery(delivery_id)
    assert delivery.state == "failed"
    # The mock keeps the newest 100 attempts.
    assert len(delivery.attempts) == min(1 + len(sendings), 100)


@pytest.mark.parametrize("vendor", DELIVERIES)
def test_refused_signature_is_explained_once(engine, vendor, control, delivery_id):
    said = []
    control.world.account.shared.report = said.append
    for status in (500, 401, 401):
        control.webhooks.resend(delivery_id)
        carry(engine, status)
    control.webhooks.resend(delivery_id)
    control.webhooks.sign_wrong()
    carry(engine, 403)
    (sentence,) = said
    assert "401" in sentence
