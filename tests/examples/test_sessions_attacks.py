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
from facematch_mock_server import MockServer, make_card

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples" / "sessions_app"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of fastapi's, about its client
    example = importlib.import_module("test_app")
del sys.path[0]
for name in ("app", "shop", "test_app"):  # other examples have files of these names
    del sys.modules[name]
service, own, FIRST, SECOND = example.service, example.own, example.FIRST, example.SECOND
open_shop, shop, link_shop = example.open_shop, example.shop, example.link_shop


@pytest.fixture
def didit_shop(open_shop):
    return open_shop("didit")


def meanwhile(shop, name, *, before=list, after=list):
    """Do something just before the service asks the vendor next, or just after."""
    (sessions,) = shop.store.sessions.values()

    def ask(record, **more):
        delattr(sessions, name)
        before()
        answer = getattr(sessions, name)(record, **more)
        after()
        return answer

    setattr(sessions, name, ask)


def look_now(shop):
    own.run("UPDATE facematch_sessions SET look_at = 0")
    service.look(shop.store)


def row():
    return dict(own.run("SELECT * FROM facematch_sessions ORDER BY number DESC")[0])


def test_repeated_reordered_and_late_webhooks_yield_the_current_state(link_shop):
    link_shop.start()
    link_shop.finish()
    link_shop.revise()
    letters = link_shop.letters()
    for letter in [*reversed(letters), *reversed(letters)]:
        assert link_shop.deliver([letter]) == {200}
        service.look(link_shop.store)
        assert link_shop.post("/pay").status_code == 403


def test_foreign_ids_and_hosts_change_nothing(link_shop):
    link_shop.pass_by()
    before = row()
    own.run("INSERT INTO logins VALUES ('b-login', 'bob', 'b')")
    own.run("INSERT INTO payouts VALUES ('payout 3', 'bob', NULL)")
    own.run("INSERT INTO customers SELECT 'bob', name, picture FROM customers")
    link_shop.client.cookies["login"] = "b-login"
    ids = f"record={before['id']}&verificationSessionId={before['session_id']}&status=Approved"
    assert link_shop.come_back(f"{ids}&return_url=//evil.example") == (303, "/")
    for about in (FIRST, "payout 3"):
        answer = link_shop.post("/pay", about, csrf="b", record=before["id"])
        assert answer.status_code == 403
    assert link_shop.post("/start", csrf="b", consent="yes").status_code == 429
    form = {"about": "payout 3", "csrf": "b", "consent": "yes", "return_url": "//evil.example"}
    answer = link_shop.client.post("/start", data=form, headers={"Host": "evil.example"})
    assert "evil" not in answer.headers["Location"]
    link_shop.post("/logout", csrf="b")
    link_shop.client.cookies["login"] = "a-login"
    assert own.run("SELECT * FROM facematch_sessions WHERE id = ?", before["id"])
    assert link_shop.post("/pay").status_code == 303


def test_a_return_url_of_the_host_header_is_not_used(didit_shop):
    form = {"about": FIRST, "csrf": example.CSRF, "consent": "yes"}
    didit_shop.client.post("/start", data=form, headers={"Host": "evil.example"})
    backs = [session.hosted.callback for session in didit_shop.sessions.all()]
    assert backs == ["https://shop.example/back"]


def test_a_sandbox_session_with_our_record_id_decides_nothing(didit_shop):
    """Its webhook is signed: somebody has the sandbox's key, and has read the table."""
    shop = didit_shop
    shop.start()
    record = shop.find().record
    sent = {"vendor_data": record.id, "metadata": {"id": record.id, "terms": record.terms}}
    sent |= dict(record.facts)
    sent |= {"portrait_image": base64.b64encode(make_card("p1")).decode()}
    key = {"x-api-key": shop.mock.sandbox_key}
    answer = requests.post(f"{shop.mock.url}/v3/session/", json=sent, headers=key, timeout=20)
    theirs = answer.json()["session_id"]
    shop.sessions.finish(theirs, card="p1")
    shop.hear()
    assert (shop.id(), shop.post("/pay").status_code) == (record.session_id, 403)
    change = "UPDATE facematch_sessions SET record = json_set(record, '$.session_id', ?)"
    own.run(change, theirs)
    look_now(shop)
    assert shop.post("/pay").status_code == 403
    assert "Paid." not in shop.page()


def test_a_logout_during_a_start_leaves_no_session(shop):
    meanwhile(shop, "start", before=lambda: shop.post("/logout"))
    shop.start()
    assert shop.find() is None
    if shop.vendor not in example.CANNOT_END:
        assert shop.sessions.open() == ()


def test_an_old_reading_never_replaces_a_newer_one(link_shop):
    link_shop.start()
    link_shop.finish()
    # By another worker, after the minute of the first.
    meanwhile(link_shop, "read", after=lambda: (link_shop.revise(), look_now(link_shop)))
    look_now(link_shop)
    assert "Verified." not in link_shop.page()
    assert link_shop.post("/pay").status_code == 403


def test_a_verdict_revoked_during_payout_raises_an_alarm(link_shop, caplog):
    link_shop.pass_by()
    meanwhile(link_shop, "read", after=link_shop.revise)
    assert link_shop.post("/pay").status_code == 303
    service.look(link_shop.store)
    assert [r.name for r in caplog.records if r.levelname == "CRITICAL"] == ["payouts"]


def test_a_changed_record_loses_its_verdict(shop):
    shop.pass_by()
    own.run("UPDATE facematch_sessions SET record = json_set(record, '$.about', 'payout 9')")
    look_now(shop)
    assert shop.post("/pay").status_code == 403


def test_a_verified_customer_cannot_start_another_session(shop):
    shop.pass_by()
    assert (shop.start().status_code, shop.post("/pay").status_code) == (429, 303)


@pytest.mark.parametrize("record", ["[", json.dumps({"schema": 99})])
def test_an_unreadable_row_does_not_stop_the_others(record, didit_shop):
    shop = didit_shop
    shop.pass_by()
    shop.revise()
    own.run("CREATE TABLE poison AS SELECT * FROM facematch_sessions")
    own.run("UPDATE poison SET number = 0, id = 'x', case_key = 'x', record = ?", record)
    own.run("INSERT INTO facematch_sessions SELECT * FROM poison")
    look_now(shop)
    assert shop.post("/pay").status_code == 403
    assert "Verified." not in shop.page()


@pytest.mark.parametrize("vendor", example.PROFILES)
def test_production_settings_reject_a_mocks_verdict(vendor, monkeypatch, tmp_path):
    with MockServer(vendor=vendor) as mock:
        profile = example.PROFILES[vendor].read_text()
        profile = profile.replace("http://127.0.0.1:8080", mock.url)
        profile = profile.replace('= "mock"', '= "production"')
        file = tmp_path / "facematch.toml"
        file.write_text(profile)
        monkeypatch.setenv("FACEMATCH_CONFIG", str(file))
        monkeypatch.setenv("SHOP_KEY_ID", mock.client_id or "none")
        monkeypatch.setenv("SHOP_KEY", mock.live_key)
        monkeypatch.setenv("SHOP_WEBHOOK_SECRET", "a-secret")
        monkeypatch.setenv("PAYOUTS", str(tmp_path / "payouts.sqlite3"))
        with service.opened() as store, pytest.raises(EnvironmentMismatch, match="mock"):
            service.payout_of(store, "ada", FIRST).begin(reference=make_card("p1"))
        own.run("INSERT INTO customers VALUES ('ada', 'Ada Lovelace', NULL)")
        with service.opened() as store:
            assert not service.payout_of(store, "ada", FIRST).use(max_age_s=3600)
