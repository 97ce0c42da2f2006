"""The service of the guide to sessions under attack, and in races that nobody can time by hand."""

import base64
import importlib
import json
import sys
import warnings
from pathlib import Path

import pytest
import requests

from facematch_core import EnvironmentMismatch
from facematch_mock_server import make_card

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples" / "sessions_app"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of fastapi's, about its client
    example = importlib.import_module("test_app")
del sys.path[0]
for name in ("app", "shop", "test_app"):  # other examples have files of these names
    del sys.modules[name]
service, shop, FIRST, SECOND = example.service, example.shop, example.FIRST, example.SECOND


def meanwhile(name, *, before=list, after=list):
    """Do something just before the service asks the vendor next, or just after."""
    sessions = service.app.state.sessions

    def ask(record, **more):
        delattr(sessions, name)
        before()
        answer = getattr(sessions, name)(record, **more)
        after()
        return answer

    setattr(sessions, name, ask)


def look_now():
    service.run("UPDATE sessions SET look_at = 0")
    service.look(service.app.state.sessions)


def decline(shop):
    shop.mock.control.sessions.decide(shop.row()["session_id"], "Declined")


def test_repeated_reordered_and_late_webhooks_yield_the_current_state(shop):
    shop.start()
    shop.finish()
    decline(shop)
    hooks = shop.mock.control.webhooks
    sent = [hooks.delivery(listed.id) for listed in reversed(hooks.deliveries())]
    for letter in (*sent, *sent):
        answer = shop.client.post("/didit", headers=letter.headers, content=letter.body)
        service.look(service.app.state.sessions)
        assert (answer.status_code, shop.post("/pay").status_code) == (204, 403)


def test_foreign_ids_and_hosts_change_nothing(shop):
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
    assert shop.post("/start", csrf="b", consent="yes").status_code == 429
    form = {"about": "payout 3", "csrf": "b", "consent": "yes", "return_url": "//evil.example"}
    shop.client.post("/start", data=form, headers={"Host": "evil.example"})
    backs = [session.hosted.callback for session in shop.mock.control.sessions.all()]
    assert backs == ["https://shop.example/back"] * 2
    shop.post("/logout", csrf="b")
    assert shop.row() == before


def test_a_sandbox_session_with_our_record_id_decides_nothing(shop):
    """Its webhook is signed: somebody has the sandbox's key, and has read the table."""
    shop.start()
    record = service.record_of(shop.row())
    sent = {"vendor_data": record.id, "metadata": {"id": record.id, "terms": record.terms}}
    sent |= dict(record.facts)
    sent |= {"portrait_image": base64.b64encode(make_card("p1")).decode()}
    address = f"https://verification.didit.me{example.SESSION}"
    key = {"x-api-key": shop.mock.sandbox_key}
    theirs = requests.post(address, json=sent, headers=key, timeout=20).json()["session_id"]
    shop.mock.control.sessions.finish(theirs, card="p1")
    shop.hear()
    assert (shop.row()["session_id"], shop.post("/pay").status_code) == (record.session_id, 403)
    service.run("UPDATE sessions SET record = json_set(record, '$.session_id', ?)", theirs)
    look_now()
    assert shop.post("/pay").status_code == 403
    assert "Paid." not in shop.page()


def test_a_row_closed_during_its_start_is_checked(shop):
    meanwhile("start", before=lambda: shop.start(SECOND))
    shop.start()
    assert shop.row()["look_at"] is not None
    shop.post("/logout")
    assert shop.mock.control.sessions.open() == ()


def test_an_old_reading_never_replaces_a_newer_one(shop):
    shop.start()
    shop.finish()
    # By another worker, after the minute of the first.
    meanwhile("read", after=lambda: (decline(shop), look_now()))
    look_now()
    assert shop.post("/pay").status_code == 403


def test_a_verdict_revoked_during_payout_raises_an_alarm(shop, caplog):
    shop.pass_by()
    meanwhile("read", after=lambda: decline(shop))
    assert shop.post("/pay").status_code == 303
    service.look(service.app.state.sessions)
    assert [r.name for r in caplog.records if r.levelname == "CRITICAL"] == ["payouts"]


def test_a_changed_record_loses_its_verdict(shop):
    shop.pass_by()
    service.run("UPDATE sessions SET record = json_set(record, '$.about', 'payout 9')")
    look_now()
    assert shop.post("/pay").status_code == 403


def test_a_verified_customer_cannot_start_another_session(shop):
    shop.pass_by()
    assert (shop.start().status_code, shop.post("/pay").status_code) == (429, 303)


@pytest.mark.parametrize("record", ["[", json.dumps({"schema": 99})])
def test_an_unreadable_row_does_not_stop_the_others(record, shop):
    shop.pass_by()
    decline(shop)
    poison = "INSERT INTO sessions VALUES ('x', '', ?, 0, NULL, NULL, 'bob', '', '', 0)"
    service.run(poison, record)
    look_now()
    assert shop.post("/pay").status_code == 403


def test_production_settings_use_didits_host_and_reject_a_mocks_verdict(
    didit_mock, monkeypatch, tmp_path
):
    for name in ("DIDIT_BASE_URL", "REQUIRE_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    variables = {
        "DIDIT_API_KEY": didit_mock.live_key,
        "DIDIT_ENVIRONMENT": "production",
        "DIDIT_WORKFLOW_ID": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
        "PAYOUTS": str(tmp_path / "payouts.sqlite3"),
        "ORIGIN": "https://shop.example",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with service.opened() as sessions:
        record = sessions.plan("ada", purpose="payout", about=FIRST)
        with pytest.raises(EnvironmentMismatch, match="mock"):
            sessions.start(record, reference=make_card("p1"), return_url="https://shop.example/")
    # The look for an earlier start was answered by a mock, so that no picture followed.
    assert didit_mock.control.journal()[-1].path == "/v3/sessions/"
    assert didit_mock.control.sessions.all() == ()
