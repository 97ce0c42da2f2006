"""What "all stories right" promises: a mistake of a moment, a day, a review, a key is found."""

import datetime as dt
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from facematch_mock_server import MockServer, drill
from facematch_mock_server.drill import STORIES, Verdict, run
from facematch_mock_server.drill.player import Player
from facematch_mock_server.drill.run import Application
from facematch_mock_server.drill.stories import split_story

SESSIONS = "/v1/identity/verification_sessions"
WORDS = {"verified": "approved", "canceled": "declined"}


@pytest.fixture(autouse=True)
def _settles_at_once(monkeypatch):
    # These applications work in the view: nothing becomes right later.
    monkeypatch.setattr(run, "SETTLING_S", 0.1)


class StripeShop:
    """A right shop at Stripe; subclasses have one mistake, or are right in another way."""

    def __init__(self, mock):
        self.url, self.key = f"{mock.url}{SESSIONS}", (mock.live_key, "")
        self.rows = {}  # by session: [customer, state, when the newest read began]
        self.lock = threading.Lock()

    def tries_of(self, customer):
        return [row for row in self.rows.items() if row[1][0] == customer]

    def key_of(self, customer):
        return f"{customer} {len(self.tries_of(customer))}"

    def start(self, customer):
        fields = {"type": "document", "metadata[customer]": customer}
        key = {"Idempotency-Key": self.key_of(customer)}
        answer = requests.post(self.url, auth=self.key, data=fields, headers=key, timeout=10)
        answer.raise_for_status()
        session = answer.json()
        with self.lock:
            self.rows.setdefault(session["id"], [customer, "open", 0])
        return {"url": session["url"]}

    def begin(self, customer):
        tries = self.tries_of(customer)
        if any(row[1] == "approved" for _, row in tries):
            return {"state": "approved"}
        if tries:
            session = self.read(tries[-1][0])
            if session["status"] != "canceled":
                return {"url": session["url"]}
        return self.start(customer)

    def read(self, session_id):
        began_at = time.monotonic()
        answer = requests.get(f"{self.url}/{session_id}", auth=self.key, timeout=10)
        answer.raise_for_status()
        self.note(answer.json(), began_at)
        return answer.json()

    def note(self, session, began_at):
        row = self.rows.get(session["id"])
        with self.lock:
            if row is not None and self.is_newer(row, began_at):
                row[1:] = WORDS.get(session["status"], "open"), began_at

    def is_newer(self, row, began_at):
        return began_at > row[2]

    def receive(self, body, _):
        self.read(json.loads(body)["data"]["object"]["id"])
        return 200

    def state(self, customer):
        states = [row[1] for _, row in self.tries_of(customer)]
        return "approved" if "approved" in states else (states or ["new"])[-1]


class OneRow(StripeShop):
    """Sends one key for ever, and ignores a second session of a customer."""

    def key_of(self, customer):
        return customer

    def begin(self, customer):
        started = requests.post(
            self.url,
            auth=self.key,
            data={"type": "document", "metadata[customer]": customer},
            headers={"Idempotency-Key": customer},
            timeout=10,
        ).json()
        if not self.tries_of(customer):
            self.rows[started["id"]] = [customer, "open", 0]
        return {"url": started["url"]}


class LastAnswerWins(StripeShop):
    def is_newer(self, row, began_at):
        return True


class BySeconds(StripeShop):
    """Orders signed events by the seconds of Stripe's own time."""

    def receive(self, body, _):
        event = json.loads(body)
        self.note(event["data"]["object"], event["created"])
        return 200


class BySecondsOrLater(BySeconds):
    def is_newer(self, row, began_at):
        return began_at >= row[2]


class ByEmail(StripeShop):
    """Finds the customer of a webhook by the e-mail address."""

    def receive(self, body, _):
        session = json.loads(body)["data"]["object"]
        email = session["metadata"]["customer"].lower()
        for row in self.rows.values():
            if row[0].lower() == email and session["status"] == "verified":
                row[1] = "approved"
        return 200


class SilentForAMoment(StripeShop):
    """Refuses until the webhook about the session's end has come."""

    def begin(self, customer):
        tries = self.tries_of(customer)
        if tries and tries[-1][1][2] == 0:
            return 503
        return super().begin(customer)


def play(shop_class, story):
    with MockServer(vendor="stripe") as mock:
        shop = shop_class(mock)
        return drill.play(
            story, mock=mock, begin=shop.begin, state=shop.state, webhook=shop.receive
        )


@pytest.mark.parametrize(
    ("shop_class", "story"),
    [
        (OneRow, "begin,expire,hooks,begin,pass"),
        pytest.param(LastAnswerWins, "begin,fail,pass-overtakes", marks=pytest.mark.slow),
        (BySeconds, "begin,fail,pass,hooks-tied"),
        (BySecondsOrLater, "begin,fail,pass,hooks-tied"),
    ],
)
def test_yes_that_is_lost_by_a_day_a_slow_read_or_equal_seconds_is_found(shop_class, story):
    assert [failure.verdict for failure in play(shop_class, story)] == [Verdict.LOST_YES]
    assert play(StripeShop, story) == []


@pytest.mark.parametrize("shop_class", [BySeconds, BySecondsOrLater])
@pytest.mark.parametrize(
    "story", ["begin,fail,pass,hooks-reversed", "begin,pass,hooks-late", "begin,pass"]
)
def test_who_orders_by_the_vendors_time_is_right_in_other_stories(shop_class, story):
    assert play(shop_class, story) == []


def test_yes_that_goes_by_a_shared_email_is_found():
    (story,) = [story for story in STORIES if ":" in story]
    found = {(failure.verdict, failure.customer) for failure in play(ByEmail, story)}
    assert found == {(Verdict.FALSE_YES, "Ada"), (Verdict.FALSE_YES, "ADA")}
    assert play(StripeShop, story) == []


def test_refusal_that_ends_with_the_webhooks_is_right():
    assert play(SilentForAMoment, "begin,leave,begin,pass") == []


class Once:
    """Starts a session once, and hands its link out for ever.

    `decides` returns the customer of an event, and the state or None.
    """

    def __init__(self, mock, path, fields, key, decides):
        self.url, self.fields, self.key = f"{mock.url}{path}", fields, key
        self.links, self.states, self.decides = {}, {}, decides

    def begin(self, customer):
        if customer not in self.links:
            answer = requests.post(
                self.url, headers=self.key, json=self.fields(customer), timeout=10
            )
            self.links[customer] = answer.text
            self.states[customer] = "open"
        return self.links[customer]

    def receive(self, body, _):
        customer, status = self.decides(json.loads(body))
        if status is not None:
            self.states[customer] = status
        return 200

    def state(self, customer):
        return self.states.get(customer, "new")


def didit(mock):
    def decides(event):
        words = {"Approved": "approved", "Declined": "declined", "Expired": "none"}
        return event["vendor_data"], words.get(event["status"])

    workflow = "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"
    return Once(
        mock,
        "/v3/session/",
        lambda customer: {"workflow_id": workflow, "vendor_data": customer},
        {"x-api-key": mock.live_key},
        decides,
    )


def persona(mock, approving):
    def decides(event):
        inquiry = event["data"]["attributes"]["payload"]["data"]["attributes"]
        words = {"declined": "declined", **dict.fromkeys(approving, "approved")}
        return inquiry["reference-id"], words.get(inquiry["status"])

    def fields(customer):
        attributes = {"inquiry-template-id": "itmpl_mock", "reference-id": customer}
        return {"data": {"attributes": attributes}}

    key = {"Authorization": f"Bearer {mock.live_key}", "Persona-Version": "2025-12-08"}
    return Once(mock, "/api/v1/inquiries", fields, key, decides)


def play_once(vendor, make, story):
    with MockServer(vendor=vendor) as mock:
        shop = make(mock)
        return drill.play(
            story, mock=mock, begin=shop.begin, state=shop.state, webhook=shop.receive
        )


@pytest.mark.parametrize("end", ["expire", "leave"])
def test_link_of_a_session_that_is_over_is_no_way_to_begin(end):
    (failure,) = play_once("didit", didit, f"begin,{end},hooks,begin")
    assert failure.verdict is Verdict.STUCK


@pytest.mark.parametrize("story", ["begin,review", "begin,review,hooks,reject"])
def test_done_is_not_approved(story):
    found = play_once("persona", lambda mock: persona(mock, ("completed", "approved")), story)
    assert Verdict.FALSE_YES in [failure.verdict for failure in found]
    assert play_once("persona", lambda mock: persona(mock, ("approved",)), story) == []


def test_customer_under_review_may_be_told_to_wait():
    def waits(mock):
        shop = persona(mock, ("approved",))
        begin = shop.begin
        shop.begin = lambda name: "wait" if name in shop.links else begin(name)
        return shop

    assert play_once("persona", waits, "begin,review,hooks,begin") == []


def test_events_are_a_second_apart_and_never_after_the_vendors_time(monkeypatch):
    times = []
    with MockServer(vendor="stripe") as mock:
        shop = StripeShop(mock)

        def receive(body, headers):
            times.append((json.loads(body)["created"], mock.control.now().timestamp()))
            signed_at = int(headers["Stripe-Signature"].split(",")[0].removeprefix("t="))
            # The application's clock, by which it refuses an old signature.
            assert abs(signed_at - time.time()) < 2
            return 200

        before = dt.datetime.now(dt.UTC)
        story = "begin,fail,hooks,fail,fail,fail,pass"
        drill.play(story, mock=mock, begin=shop.begin, state=shop.state, webhook=receive)
        created = [at for at, _ in times]
        assert all(second > first for first, second in itertools.pairwise(created))
        assert all(at <= now for at, now in times)
        # Afterwards, the mock's clock goes with the machine's again.
        assert before <= mock.control.now() <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    ("verdict", "is_late"),
    [pytest.param("open", True, marks=pytest.mark.slow), ("booked", False)],
    ids=["a yes", "a booking"],
)
def test_state_that_becomes_right_in_time_is_late_unless_nothing_makes_it_good(verdict, is_late):
    """A yes that the application notes only after the usual time; or a booking without a yes."""
    with MockServer(vendor="stripe") as mock:
        shop = StripeShop(mock)
        reads = itertools.count()

        def state(customer):
            is_settled = next(reads) > 40
            if verdict == "booked":
                return {"state": shop.state(customer), "booked": 0 if is_settled else 2}
            return {"state": shop.state(customer) if is_settled else "open", "booked": 1}

        application = Application(
            begin=shop.begin, state=state, webhook=shop.receive, once=["booked"]
        )
        with Player(mock.of("stripe"), application) as player:
            played = player.play(split_story("begin,pass"), patience_s=30)
    assert (list(played.late) == ["Ada"]) == is_late
    assert (played.failures == []) == is_late


def test_receiver_that_hangs_gets_each_webhook_once(monkeypatch):
    monkeypatch.setattr(run, "HANGING_RECEIVER_S", 0.3)
    monkeypatch.setattr(run, "RECEIVER_S", 0.3)
    asked, is_over = [], threading.Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            is_over.wait(60)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    try:
        with MockServer(vendor="didit") as mock:
            shop = didit(mock)
            url = f"http://127.0.0.1:{server.server_address[1]}/hook"
            failures = drill.play(
                "begin,pass,hooks", mock=mock, begin=shop.begin, state=shop.state, webhook=url
            )
            sent = len(mock.control.webhooks.deliveries())
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
    assert len(asked) == sent
    assert Verdict.REFUSES_WEBHOOKS in [failure.verdict for failure in failures]
