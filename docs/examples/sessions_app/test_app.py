"""Test the service with the mock: no account, no network, no charges."""

import app as service
import pytest
from fastapi.testclient import TestClient

from facematch_mock_server import Fault, make_card

FIRST, SECOND = "payout 1: 250 EUR", "payout 2: 9 EUR"
CSRF = "a-token-of-the-form"
SESSION = "/v3/session/"


class Shop:  # a browser, the service behind it, and the vendor
    def __init__(self, client, mock):
        self.client, self.mock, self.delivered = client, mock, 0

    def post(self, path, about=FIRST, csrf=CSRF, **more):
        return self.client.post(path, data={"about": about, "csrf": csrf, **more})

    def start(self, about=FIRST):
        return self.post("/start", about, consent="2026-11-23")

    def page(self):
        return self.client.get("/").text

    def row(self):
        return dict(service.run(service.NEWEST, "ada", FIRST)[0])

    def finish(self, card="p1"):
        self.mock.control.sessions.finish(self.row()["session_id"], card=card)

    def deliver(self, change=lambda body: body):
        """Post all new webhooks; return the statuses."""
        webhooks, before = self.mock.control.webhooks, self.delivered
        new = [webhooks.delivery(listed.id) for listed in webhooks.deliveries()[before:]]
        self.delivered += len(new)
        bodies = [(delivery.headers, change(delivery.body)) for delivery in new]
        post = self.client.post
        return {
            post("/didit", headers=headers, content=body).status_code for headers, body in bodies
        }

    def hear(self):
        self.deliver()
        service.look(service.app.state.sessions)

    def pass_by(self, card="p1"):
        self.start()
        self.finish(card)
        self.hear()

    def come_back(self, query=""):
        answer = self.client.get(f"/back?{query}")
        service.look(service.app.state.sessions)
        return answer.status_code, answer.headers["Location"]


@pytest.fixture
def shop(didit_mock, monkeypatch, tmp_path):
    hook = didit_mock.control.webhooks.add("http://127.0.0.1:9/didit")  # a closed port
    settings = {
        "DIDIT_API_KEY": didit_mock.live_key,
        "DIDIT_ENVIRONMENT": "mock",
        "DIDIT_WEBHOOK_SECRET": hook.secret,
        "DIDIT_WORKFLOW_ID": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
        "REQUIRE_ENVIRONMENT": "mock",
        "PAYOUTS": str(tmp_path / "payouts.sqlite3"),
        "ORIGIN": "https://shop.example",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    browser = TestClient(service.app, settings["ORIGIN"], follow_redirects=False)
    with browser as client:
        client.cookies["login"] = "a-login"
        service.run("INSERT INTO logins VALUES ('a-login', 'ada', ?)", CSRF)
        service.run("INSERT INTO customers VALUES ('ada', ?)", make_card("p1"))
        for about in (FIRST, SECOND):
            service.run("INSERT INTO payouts VALUES (?, 'ada', NULL)", about)
        yield Shop(client, didit_mock)


def test_a_customer_who_was_seen_is_paid_once(shop):
    answer = shop.start()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (303, "no-store")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Location"].startswith("https://")
    assert "We are still checking" in shop.page()
    shop.finish()
    shop.hear()
    assert "Verified." in shop.page()
    assert [shop.post("/pay").status_code for _ in range(2)] == [303, 303]
    assert "Paid." in shop.page()
    service.run("UPDATE payouts SET paid_at = NULL")  # the verdict stays consumed
    shop.post("/pay")
    assert "Paid." not in shop.page()


def test_it_is_ready_as_soon_as_its_sessions_are_open(shop):
    assert shop.client.get("/ready").status_code == 204
    assert not shop.mock.control.journal()


@pytest.mark.usefixtures("shop")
def test_the_file_of_a_deployment_opens_the_same_sessions(monkeypatch, tmp_path):
    file = tmp_path / "facematch.toml"
    file.write_text("""[profiles.shop]
backend = "didit"
require_environment = "mock"
[profiles.shop.settings]
environment = "mock"
api_key = { env = "DIDIT_API_KEY" }
workflow_id = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
workflow_takes_reference = true
""")
    monkeypatch.setenv("FACEMATCH_CONFIG", str(file))
    with service.opened() as sessions:
        record = sessions.plan("ada", purpose="payout", about=FIRST)
        link = sessions.start(record, reference=make_card("p1")).access.link.reveal()
    assert link.startswith("https://")


@pytest.mark.parametrize("card", ["p2", "spoof", "no-face"])
def test_another_face_and_a_mask_are_not_paid(shop, card):
    shop.pass_by(card)
    assert shop.post("/pay").status_code == 403
    page = shop.page()
    assert "Verified." not in page
    assert "We could not verify you." in page


def test_a_verdict_is_for_one_payout(shop):
    shop.pass_by()
    assert shop.post("/pay", SECOND).status_code == 403
    shop.start(SECOND)
    assert shop.post("/pay", SECOND).status_code == 403
    assert shop.post("/pay").status_code == 303


def test_a_return_address_proves_nothing(shop):
    shop.start()
    session_id = shop.row()["session_id"]
    assert shop.come_back(f"verificationSessionId={session_id}&status=Approved") == (303, "/")
    assert "We are still checking" in shop.page()
    shop.finish()
    shop.come_back("status=Declined")  # without a webhook, /back schedules the reading
    assert "Verified." in shop.page()


def test_a_telephone_on_which_nobody_is_logged_in(shop):
    shop.client.cookies.clear()
    assert shop.client.get("/back?status=Approved").status_code == 200
    assert shop.client.get("/").status_code == 401


def test_a_forged_webhook_changes_nothing(shop):
    shop.start()
    shop.finish()
    before = shop.row()
    assert shop.deliver(lambda body: body.replace(b'"status"', b'"state"')) == {401}
    assert shop.row() == before


def test_a_lost_answer_and_a_second_click_make_no_second_session(shop):
    shop.mock.control.add_fault(Fault(stage="mid_body", kind="reset", path=SESSION))
    assert shop.start().status_code == 503
    assert shop.row()["session_id"] is None
    first, again = shop.start(), shop.start()
    assert first.headers["Location"] == again.headers["Location"]
    assert len(shop.mock.control.sessions.all()) == 1


def test_a_webhook_finds_a_session_whose_start_was_lost(shop):
    shop.mock.control.add_fault(Fault(stage="mid_body", kind="reset", path=SESSION))
    shop.start()
    (lost,) = shop.mock.control.sessions.all()
    shop.mock.control.sessions.finish(lost.id, card="p1")
    shop.hear()
    assert "Verified." in shop.page()


def test_an_outage_while_reading_is_waited_out(shop):
    shop.start()
    shop.finish()
    shop.mock.stop()
    shop.come_back()
    shop.mock.start()
    assert "We are still checking" in shop.page()
    shop.come_back()
    assert "Verified." in shop.page()


@pytest.mark.parametrize("path", ["/logout", "/start"])
def test_an_open_link_ends_with_the_login_or_the_next_start(shop, path):
    shop.start()
    shop.post(path, SECOND, consent="2026-11-23")
    assert shop.row()["look_at"] is None
    assert shop.row()["session_id"] not in [s.id for s in shop.mock.control.sessions.all()]


def test_starts_are_counted(shop):
    for _ in range(service.MOST_STARTS):
        assert shop.start().status_code == 303
        shop.mock.control.sessions.abandon(shop.row()["session_id"])
        shop.hear()
    assert shop.start().status_code == 429


def test_what_starts_nothing(shop):
    starts = ({"csrf": "guessed"}, {"consent": ""}, {"about": "payout 3: 9 EUR"})
    forms = [{"consent": "2026-11-23"} | changes for changes in starts]
    assert [shop.post("/start", **form).status_code for form in forms] == [403, 422, 429]
    assert shop.mock.control.sessions.all() == ()


def test_a_verdict_that_is_taken_back_raises_an_alarm(shop, caplog):
    shop.pass_by()
    shop.post("/pay")
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
    shop.hear()
    assert [r.name for r in caplog.records if r.levelname == "CRITICAL"] == ["payouts"]


def test_what_the_vendor_takes_back_is_not_paid_though_no_webhook_came(shop):
    shop.pass_by()
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
    assert shop.post("/pay").status_code == 403
    assert "Paid." not in shop.page()


def test_a_film_that_nobody_needs_is_deleted_before_its_row(shop, monkeypatch):
    shop.pass_by()
    sessions, hosted = service.app.state.sessions, shop.mock.control.sessions
    service.forget(sessions)
    assert len(hosted.all()) == 1  # too recent to delete
    monkeypatch.setattr(service, "KEPT_S", -1)
    shop.mock.control.add_fault(Fault(stage="mid_body", kind="reset", path=SESSION))
    service.forget(sessions)
    assert shop.row()["id"]
    service.forget(sessions)
    assert hosted.all() == ()
    assert service.run(service.NEWEST, "ada", FIRST) == []


def test_a_film_of_a_session_that_never_ended_is_forgotten_too(shop, monkeypatch):
    shop.start()
    assert shop.row()["look_at"] is not None
    monkeypatch.setattr(service, "KEPT_S", -1)
    service.forget(service.app.state.sessions)
    assert shop.mock.control.sessions.all() == ()


def test_no_link_is_in_the_table(shop):
    token = shop.start().headers["Location"].rpartition("/")[2]
    assert token not in str(shop.row())
