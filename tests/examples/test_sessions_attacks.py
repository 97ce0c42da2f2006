"""The service of the guide to sessions under attack, and in races that nobody can time by hand."""

import base64
import importlib
import json
import sys
import warnings
from pathlib import Path

import pytest
import requests

from facematch_mock_server import make_card

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / "sessions_app"
sys.path.insert(0, str(FOLDER))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of fastapi's, about its client
    tests = importlib.import_module("test_app")
sys.path.remove(str(FOLDER))
service, FIRST, SECOND = tests.service, tests.FIRST, tests.SECOND
shop = tests.shop
WORKFLOW = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"


def meanwhile(monkeypatch, name, do):
    """Do something between the service and the vendor: before a start, after a reading."""
    sessions = service.app.state.sessions
    ask = getattr(sessions, name)

    def slow(record, **more):
        monkeypatch.setattr(sessions, name, ask)
        if name == "start":
            do()
        answer = ask(record, **more)
        if name == "read":
            do()
        return answer

    monkeypatch.setattr(sessions, name, slow)


def look_now():
    service.run("UPDATE sessions SET look_at = 0")
    service.look(service.app.state.sessions)


def test_webhooks_twice_in_any_order_and_long_after_say_what_is_true_now(shop):
    shop.start()
    shop.finish()
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
    hooks = shop.mock.control.webhooks
    sent = [hooks.delivery(listed.id) for listed in reversed(hooks.deliveries())]
    assert len(sent) > 2
    for letter in (*sent, *sent):
        answer = shop.client.post("/didit", headers=letter.headers, content=letter.body)
        assert answer.status_code == 204
        service.look(service.app.state.sessions)
        assert shop.post("/pay").status_code == 403


def test_somebody_elses_ids_and_host_change_nothing(shop):
    shop.pass_by()
    before = shop.row()
    service.run("INSERT INTO logins VALUES ('b-login', 'bob', 'b')")
    service.run("INSERT INTO payouts VALUES ('payout 3', 'bob', NULL)")
    service.run("INSERT INTO customers SELECT 'bob', picture FROM customers")
    shop.client.cookies["login"] = "b-login"
    ids = f"record={before['id']}&verificationSessionId={before['session_id']}&status=Approved"
    assert shop.come_back(f"{ids}&return_url=//evil.example") == (303, "/")
    for about in (FIRST, "payout 3"):
        assert shop.post("/pay", about, csrf="b", record=before["id"]).status_code == 403
    assert shop.post("/start", FIRST, csrf="b", consent="yes").status_code == 429
    form = {"about": "payout 3", "csrf": "b", "consent": "yes", "return_url": "//evil.example"}
    assert shop.client.post(
        "/start", data=form, headers={"Host": "evil.example"}
    ).has_redirect_location
    assert {s.hosted.callback for s in shop.mock.control.sessions.all()} == {
        "https://shop.example/back"
    }
    shop.post("/logout", csrf="b")
    assert shop.row() == before


def test_a_session_of_the_sandbox_that_names_our_record_settles_nothing(shop):
    """Its webhook is signed: somebody has the sandbox's key, and has seen the table."""
    shop.start()
    record = service.record_of(shop.row())
    reference = base64.b64encode(make_card("p1")).decode()
    metadata = {"id": record.id, "terms": record.terms}
    fields = {"workflow_id": WORKFLOW, "vendor_data": record.id, "metadata": metadata}
    address = f"https://verification.didit.me{tests.SESSION}"
    key = {"x-api-key": shop.mock.sandbox_key}
    more = {"portrait_image": reference}
    theirs = requests.post(address, json=fields | more, headers=key, timeout=20).json()[
        "session_id"
    ]
    shop.mock.control.sessions.finish(theirs, card="p1")
    shop.hear()
    assert shop.row()["session_id"] == record.session_id
    assert shop.post("/pay").status_code == 403
    # Not even where a thief could write it down.
    service.run(
        "UPDATE sessions SET session_id = ?, record = json_set(record, '$.session_id', ?)",
        theirs,
        theirs,
    )
    look_now()
    assert shop.post("/pay").status_code == 403


def test_a_start_for_another_payout_never_gets_the_link_of_the_first(shop, monkeypatch):
    """Even while that one's start is under way in another tab."""
    meanwhile(monkeypatch, "start", lambda: links.append(shop.start(SECOND).headers["Location"]))
    links = []
    links.append(shop.start().headers["Location"])
    assert len(set(links)) == 2
    shop.finish()
    shop.hear()
    assert (shop.post("/pay", SECOND).status_code, shop.post("/pay").status_code) == (403, 303)


def test_a_row_that_was_closed_while_its_start_was_under_way_is_looked_at(shop, monkeypatch):
    meanwhile(monkeypatch, "start", lambda: service.close(service.app.state.sessions, "ada"))
    shop.start()
    assert shop.row()["look_at"] is not None
    shop.post("/logout")
    assert shop.mock.control.sessions.open() == ()


def test_an_old_reading_never_replaces_a_newer_one(shop, monkeypatch):
    def decline():
        shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
        look_now()  # another worker, after the minute of the first

    shop.start()
    shop.finish()
    meanwhile(monkeypatch, "read", decline)
    look_now()
    assert shop.post("/pay").status_code == 403


def test_who_is_paid_during_the_reading_that_takes_it_back_raises_an_alarm(
    shop, monkeypatch, caplog
):
    shop.pass_by()
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
    meanwhile(monkeypatch, "read", lambda: shop.post("/pay"))
    look_now()
    assert [r.name for r in caplog.records if r.levelname == "CRITICAL"] == ["payouts"]


@pytest.mark.parametrize("name", ["about", "started_at", "id", "checks"])
def test_a_changed_record_takes_its_verdict_with_it_or_changes_nothing(name, shop):
    shop.pass_by()
    record = json.loads(shop.row()["record"])
    values = {"started_at": "2099-01-01T00:00:00+00:00", "checks": ["liveness"]}
    record[name] = values.get(name, "0" * 32)
    before = service.record_of(shop.row()).started_at
    service.run("UPDATE sessions SET record = ?", json.dumps(record))
    look_now()
    if name == "started_at":
        assert service.record_of(shop.row()).started_at <= before
    else:
        assert shop.post("/pay").status_code == 403


def test_who_is_verified_starts_nothing_that_would_hide_it(shop):
    shop.pass_by()
    assert shop.start().status_code == 429
    assert shop.post("/pay").status_code == 303


def test_a_row_that_cannot_be_read_stops_no_other(shop):
    shop.pass_by()
    service.run(
        "INSERT INTO sessions SELECT 'x', NULL, '{}', 0, NULL, NULL, 'bob', 'x', 'x', 0 FROM payouts LIMIT 1"
    )
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")
    look_now()
    assert shop.post("/pay").status_code == 403
