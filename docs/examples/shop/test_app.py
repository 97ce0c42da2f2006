"""Test the sessions with the mock of each vendor: no account, no network, no charges."""

import logging
import os
import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import app as service
import faces as facematch
import pytest
import shop as own
import sqlalchemy
import worker
from fastapi.testclient import TestClient
from migrate import migrate

from facematch_core import StoreUnavailable
from facematch_mock_server import Fault, MockServer, make_card

FIRST, SECOND = "payout 1: 250 EUR", "payout 2: 9 EUR"
CSRF = "a-token-of-the-form"
LOGIN = "INSERT INTO logins VALUES ('a-login', 'ada', false, :csrf)"
CONFIG = Path(__file__).with_name("facematch.toml").read_text()
PROFILES = {
    name: text for name, text in tomllib.loads(CONFIG)["profiles"].items() if name != "uploads"
}
#: Vendors whose component runs in the shop's page, and that send no webhooks.
COMPONENTS = ("azure", "rekognition")
#: Vendors that cannot end an open session: its verdict is never used.
CANNOT_END = ("rekognition", "sumsub")
LINKS = [vendor for vendor in PROFILES if vendor not in COMPONENTS]
#: The setting that another workflow, level or template changes, and its new value.
STRICTER = {
    "didit": ("workflow_id", "7c1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c11"),
    "onfido": ("workflow_id", "6136d9fd-7842-4805-bce1-a7bfd7131b4f"),
    "persona": ("template_id", "itmpl_q9BOBKz0jrbedn3cvG3ydWhrI"),
    "sumsub": ("level_name", "strict-kyc-level"),
}
#: The session's status once staff of the vendor have revised the decision.
REVISED = {
    "didit": "Declined",
    "stripe": "requires_input selfie_face_mismatch",
    "sumsub": "completed RED FINAL",
}


class Shop:  # a browser, the service behind it, and the vendor
    def __init__(self, client, mock, vendor):
        self.client, self.mock, self.vendor, self.delivered = client, mock, vendor, 0
        self.sessions = mock.control.sessions
        self.is_document = PROFILES[vendor].get("compared_with") == "document"

    @property
    def faces(self):
        return service.app.state.faces

    @property
    def store(self):
        return self.faces.sessions

    def look(self):
        worker.look(self.faces)

    def post(self, path, about=FIRST, csrf=CSRF, **more):
        return self.client.post(path, data={"about": about, "csrf": csrf, **more})

    def start(self, about=FIRST):
        return self.post("/start", about, consent="2026-11-28")

    def page(self):
        return self.client.get("/").text

    def find(self, about=FIRST):
        return self.store.of("ada", purpose="payout", about=about).find()

    def id(self):
        return self.find().record.session_id

    def finish(self, card="p1", name="LOVELACE ADA", session_id=None):
        session_id = session_id or self.id()
        if not self.is_document:
            self.sessions.finish(session_id, card=card)
            return
        self.sessions.document(session_id, full_name=name)
        self.sessions.finish(session_id, card=card, document="p1")

    def revise(self, session_id=None):
        self.sessions.decide(session_id or self.id(), REVISED.get(self.vendor, "declined"))

    def letters(self):
        """Return all new webhooks."""
        webhooks, before = self.mock.control.webhooks, self.delivered
        new = [webhooks.delivery(listed.id) for listed in webhooks.deliveries()[before:]]
        self.delivered += len(new)
        return new

    def deliver(self, letters, change=lambda body: body):
        """Post webhooks; return the statuses."""
        statuses = set()
        for letter in letters:
            answer = self.client.post(
                "/webhook", headers=letter.headers, content=change(letter.body)
            )
            statuses.add(answer.status_code)
        return statuses

    def hear(self):
        """Take the vendor's webhooks, or the person's return where there are none; then look."""
        if self.vendor in COMPONENTS:
            self.client.get("/back")
        else:
            self.deliver(self.letters())
        self.look()

    def pass_by(self, card="p1"):
        self.start()
        self.finish(card)
        self.hear()

    def come_back(self, query=""):
        answer = self.client.get(f"/back?{query}")
        self.look()
        return answer.status_code, answer.headers["Location"]

    @property
    def can(self):
        return self.store.sessions[self.vendor].capabilities

    def lose_the_next_start(self):
        lost = Fault(stage="mid_body", kind="reset", method="POST", call="session_start")
        self.mock.control.add_fault(lost)

    def started(self):
        """Return the number of sessions that the vendor has had."""
        return max((session.number for session in self.sessions.all()), default=0)


@pytest.fixture
def open_shop(monkeypatch, tmp_path, request):
    """Return a function that opens the shop with a vendor's mock and profile."""

    def opened(vendor):
        mock = MockServer(vendor=vendor).start()
        request.addfinalizer(mock.stop)
        secret = "none"
        if vendor not in COMPONENTS:  # a closed port: the test delivers webhooks itself
            secret = mock.control.webhooks.add("http://127.0.0.1:9/webhook").secret
        file = tmp_path / "facematch.toml"
        file.write_text(re.sub(r"http://127.0.0.1:808\d", mock.url, CONFIG))
        url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
        variables = {
            "FACEMATCH_CONFIG": str(file),
            "SHOP_VENDOR": vendor,
            "SHOP_KEY_ID": mock.client_id or "none",
            "SHOP_KEY": mock.live_key,
            "UPLOADS_KEY": mock.live_key,
            "SHOP_WEBHOOK_SECRET": secret,
            "DATABASE_URL": url,
            "ORIGIN": "https://shop.example",
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        request.addfinalizer(own.engine_of(url).dispose)
        migrate()
        client = TestClient(service.app, "https://shop.example", follow_redirects=False)
        client.__enter__()
        request.addfinalizer(lambda: client.__exit__(None, None, None))
        client.cookies["login"] = "a-login"
        own.run(LOGIN, csrf=CSRF)
        own.run("INSERT INTO customers VALUES ('ada', 'Ada Lovelace', 1, :p)", p=make_card("p1"))
        for about in (FIRST, SECOND):
            own.run("INSERT INTO payouts VALUES (:about, 'ada', NULL)", about=about)
        opened_shop = Shop(client, mock, vendor)
        opened_shop.config = file
        return opened_shop

    return opened


@pytest.fixture(params=PROFILES)
def shop(open_shop, request):
    return open_shop(request.param)


@pytest.fixture(params=LINKS)
def link_shop(open_shop, request):
    return open_shop(request.param)


def test_a_customer_who_was_seen_is_paid_once(shop):
    answer = shop.start()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    if shop.vendor in COMPONENTS:
        assert (answer.status_code, "id=session" in answer.text) == (200, True)
    else:
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(("https://", shop.mock.url))
    assert "We are still checking" in shop.page()
    shop.finish()
    shop.hear()
    assert "Verified." in shop.page()
    assert [shop.post("/pay").status_code for _ in range(2)] == [303, 303]
    assert "Paid." in shop.page()
    own.run("UPDATE payouts SET paid_at = NULL")  # the verdict stays used
    shop.post("/pay")
    assert "Paid." not in shop.page()


def test_a_payout_needs_neither_webhook_nor_worker(shop):
    shop.start()
    assert shop.post("/pay").status_code == 403
    shop.finish()
    assert shop.post("/pay").status_code == 303
    assert "Paid." in shop.page()


def test_a_second_click_stays_in_the_same_session(shop):
    first, again = shop.start(), shop.start()
    link, link_again = first.headers.get("Location"), again.headers.get("Location")
    assert (link == link_again) is not shop.can.link_works_once
    assert first.text == again.text
    assert shop.started() == 1


def test_a_lost_answer_is_made_up_for_by_the_next_click(shop, caplog):
    shop.lose_the_next_start()
    assert shop.start().status_code == 503
    assert shop.id() is None
    shop.start()
    finds_or_repeats = shop.can.finds_by_record or shop.can.start_is_repeatable
    assert shop.started() == (1 if finds_or_repeats else 2)
    assert len(own.run("SELECT * FROM consents")) == 2  # each may be charged
    said = "Starting again creates a second session, and both are counted."
    assert (said not in caplog.text) is finds_or_repeats
    shop.finish()
    shop.hear()
    assert [shop.post("/pay").status_code for _ in range(2)] == [303, 303]


def test_it_is_ready_as_soon_as_its_sessions_are_open(shop):
    assert shop.client.get("/ready").status_code == 204
    assert not shop.mock.control.journal()


@pytest.mark.parametrize("card", ["p2", "spoof", "no-face"])
def test_another_face_and_a_mask_are_not_paid(shop, card):
    if shop.vendor == "rekognition" and card == "p2":
        pytest.skip("AWS's sessions compare no faces")
    shop.pass_by(card)
    assert shop.post("/pay").status_code == 403
    assert "Verified." not in shop.page()


def test_the_document_of_somebody_else_is_not_paid(link_shop):
    if not link_shop.is_document:
        pytest.skip("compares with the customer's picture")
    link_shop.start()
    link_shop.finish(name="HOPPER GRACE")
    link_shop.hear()
    assert link_shop.post("/pay").status_code == 403
    assert "We could not verify you." in link_shop.page()


def test_a_verdict_is_for_one_payout(shop):
    shop.pass_by()
    assert shop.post("/pay", SECOND).status_code == 403
    shop.start(SECOND)
    assert shop.post("/pay", SECOND).status_code == 403
    assert shop.post("/pay").status_code == 303


def test_a_return_address_proves_nothing(shop):
    shop.start()
    assert shop.come_back(f"verificationSessionId={shop.id()}&status=Approved") == (303, "/")
    assert "We are still checking" in shop.page()
    shop.finish()
    shop.come_back("status=Declined")  # without a webhook, /back schedules the reading
    assert "Verified." in shop.page()


def test_a_telephone_on_which_nobody_is_logged_in(open_shop):
    shop = open_shop("didit")
    shop.client.cookies.clear()
    assert shop.client.get("/back?status=Approved").status_code == 200
    assert shop.client.get("/").status_code == 401


def test_a_forged_webhook_changes_nothing(link_shop):
    link_shop.start()
    link_shop.finish()
    before = link_shop.find()
    letters = link_shop.letters()
    assert link_shop.deliver(letters, lambda body: body.replace(b'"', b'"x', 1)) == {401}
    assert link_shop.find() == before
    assert link_shop.deliver(letters) == {200}
    large = link_shop.client.post("/webhook", content=b"x" * 300_000)
    assert large.status_code == 413


def test_a_repeated_webhook_pays_nothing_twice(link_shop):
    link_shop.start()
    link_shop.finish()
    letters = link_shop.letters()
    for _ in range(2):
        assert link_shop.deliver(reversed(letters)) == {200}
        link_shop.look()
        link_shop.post("/pay")
        own.run("UPDATE payouts SET paid_at = NULL")
    assert link_shop.find().used_at is not None
    assert "Paid." not in link_shop.page()


def test_a_webhook_before_the_answer_to_the_start(link_shop):
    (sessions,) = link_shop.store.sessions.values()
    start = sessions.start

    def slow(record, **more):
        result = start(record, **more)
        link_shop.sessions.finish(result.record.session_id, card="p2")
        assert link_shop.deliver(link_shop.letters()) == {200}
        link_shop.look()
        return result

    sessions.start = slow
    link_shop.start()
    link_shop.come_back()
    assert "We could not verify you." in link_shop.page()


def test_an_outage_while_reading_is_waited_out(shop):
    shop.start()
    shop.finish()
    shop.mock.stop()
    shop.come_back()
    assert "We are still checking" in shop.page()


def test_an_open_session_ends_with_the_login(shop):
    shop.start()
    session_id = shop.id()
    assert shop.post("/logout").status_code == 200
    assert shop.find() is None
    if shop.vendor not in CANNOT_END:
        assert not shop.sessions.open()
        return
    own.run(LOGIN, csrf=CSRF)
    shop.finish(session_id=session_id)
    shop.hear()
    assert shop.post("/pay").status_code == 403
    assert "We are still" not in shop.page()


def test_new_sessions_are_counted_and_reloads_are_not(shop):
    for number in range(own.MOST_STARTS):
        assert {shop.start().status_code for _ in range(2)} <= {200, 303}
        assert shop.started() == number + 1
        shop.post("/logout")
        own.run(LOGIN, csrf=CSRF)
    assert shop.start().status_code == 429
    assert shop.find() is None


def test_busy_database_is_no_fault_of_the_form(open_shop, monkeypatch):
    shop = open_shop("didit")
    impatient = sqlalchemy.create_engine(os.environ["DATABASE_URL"], connect_args={"timeout": 0})
    monkeypatch.setattr(own, "transaction", impatient.begin)
    with closing(sqlite3.connect(shop.config.with_name("shop.sqlite3"))) as other:
        other.execute("BEGIN IMMEDIATE")
        assert shop.start().status_code == 503
    assert shop.start().status_code == 303
    impatient.dispose()


def test_what_starts_nothing(open_shop):
    shop = open_shop("didit")
    starts = ({"csrf": "guessed"}, {"consent": ""}, {"about": "payout 3: 9 EUR"})
    forms = [{"consent": "2026-11-28"} | changes for changes in starts]
    assert [shop.post("/start", **form).status_code for form in forms] == [403, 422, 429]
    assert shop.started() == 0


@pytest.mark.parametrize("vendor", STRICTER)
def test_a_verdict_under_a_former_workflow_is_not_paid(open_shop, vendor, monkeypatch):
    shop = open_shop(vendor)
    shop.pass_by()
    name, value = STRICTER[vendor]
    file = Path(os.environ["FACEMATCH_CONFIG"])
    file.write_text(re.sub(f'{name} = ".*"', f'{name} = "{value}"', file.read_text()))
    with facematch.opened() as stricter:
        monkeypatch.setattr(service.app.state, "faces", stricter)
        assert shop.post("/pay").status_code == 403
        assert "We could not verify you." in shop.page()


def test_a_verdict_that_is_taken_back_raises_an_alarm(link_shop, caplog):
    link_shop.pass_by()
    link_shop.post("/pay")
    link_shop.look()
    link_shop.revise()
    link_shop.hear()
    alarms = [record.name for record in caplog.records if record.levelno == logging.CRITICAL]
    assert alarms == ["shop"]


def test_the_worker_goes_on_without_a_deleted_customer_and_after_an_outage(link_shop, monkeypatch):
    link_shop.pass_by()
    link_shop.post("/pay")
    link_shop.hear()
    own.run("DELETE FROM customers")
    link_shop.revise()
    link_shop.hear()  # `person_of` fails for the customer

    def restart(**_options):
        raise StoreUnavailable("The database restarts.")

    monkeypatch.setattr(link_shop.store, "look", restart)
    link_shop.look()


def test_what_the_vendor_takes_back_is_not_paid_though_no_webhook_came(link_shop):
    link_shop.pass_by()
    link_shop.revise()
    assert link_shop.post("/pay").status_code == 403
    assert "Paid." not in link_shop.page()


def test_a_film_that_nobody_needs_is_deleted_before_its_row(link_shop):
    if not link_shop.can.can_delete:
        pytest.skip("its vendor deletes nothing")
    link_shop.pass_by()
    assert link_shop.store.forget(worker.KEPT_DAYS) == ()  # too recent to delete
    link_shop.mock.stop()
    (erased,) = link_shop.store.forget(0)
    assert not erased.is_done_here
    assert link_shop.id()


def test_a_session_of_any_state_is_forgotten(shop):
    shop.start()
    assert len(shop.store.forget(0)) == 1
    assert shop.find() is None
    if shop.vendor not in CANNOT_END:
        assert not shop.sessions.open()


def test_two_workers_read_a_session_once(shop):
    shop.start()
    shop.finish()
    shop.client.get("/back")
    before = len(shop.mock.control.journal())
    with facematch.opened() as other:
        assert [len(each.sessions.look()) for each in (shop.faces, other)] == [1, 0]
    assert len(shop.mock.control.journal()) > before
