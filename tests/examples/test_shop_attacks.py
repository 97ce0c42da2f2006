"""The service of the guide to sessions under attack, and in races that nobody can time by hand.

What its `SessionStore` holds is in core/sessions/test_store.py.
"""

import importlib
import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "examples" / "shop"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of fastapi's, about its client
    example = importlib.import_module("test_app")
del sys.path[0]
for name in ("app", "faces", "shop", "test_app"):  # other examples have files of these names
    del sys.modules[name]
own, FIRST, SECOND = example.own, example.FIRST, example.SECOND
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
    shop.look()


def row():
    return own.run("SELECT * FROM facematch_sessions ORDER BY number DESC")[0]


def test_foreign_ids_and_hosts_change_nothing(link_shop):
    link_shop.pass_by()
    before = row()
    own.run("INSERT INTO logins VALUES ('b-login', 'bob', false, 'b')")
    own.run("INSERT INTO payouts VALUES ('payout 3', 'bob', NULL)")
    own.run("INSERT INTO customers SELECT 'bob', name, opened_at, picture FROM customers")
    link_shop.client.cookies["login"] = "b-login"
    ids = f"record={before.id}&verificationSessionId={before.session_id}&status=Approved"
    assert link_shop.come_back(f"{ids}&return_url=//evil.example") == (303, "/")
    for about in (FIRST, "payout 3"):
        answer = link_shop.post("/pay", about, csrf="b", record=before.id)
        assert answer.status_code == 403
    assert link_shop.post("/start", csrf="b", consent="yes").status_code == 429
    form = {"about": "payout 3", "csrf": "b", "consent": "yes", "return_url": "//evil.example"}
    answer = link_shop.client.post("/start", data=form, headers={"Host": "evil.example"})
    assert "evil" not in answer.headers["Location"]
    link_shop.post("/logout", csrf="b")
    link_shop.client.cookies["login"] = "a-login"
    assert own.run("SELECT * FROM facematch_sessions WHERE id = :id", id=before.id)
    assert link_shop.post("/pay").status_code == 303


def test_a_return_url_of_the_host_header_is_not_used(didit_shop):
    form = {"about": FIRST, "csrf": example.CSRF, "consent": "yes"}
    didit_shop.client.post("/start", data=form, headers={"Host": "evil.example"})
    backs = [session.hosted.callback for session in didit_shop.sessions.all()]
    assert backs == ["https://shop.example/back"]


def test_a_logout_during_a_start_leaves_no_session(shop):
    meanwhile(shop, "start", before=lambda: shop.post("/logout"))
    shop.start()
    assert shop.find() is None
    if shop.vendor not in example.CANNOT_END:
        assert shop.sessions.open() == ()


def test_a_verdict_revoked_during_payout_raises_an_alarm(link_shop, caplog):
    link_shop.pass_by()
    session_id = link_shop.id()  # now, because the payout holds the database
    meanwhile(link_shop, "read", after=lambda: link_shop.revise(session_id))
    assert link_shop.post("/pay").status_code == 303
    link_shop.look()
    assert [r.name for r in caplog.records if r.levelname == "CRITICAL"] == ["shop"]


def test_a_verified_customer_cannot_start_another_session(shop):
    shop.pass_by()
    assert (shop.start().status_code, shop.post("/pay").status_code) == (429, 303)
