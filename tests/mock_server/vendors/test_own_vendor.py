"""A vendor of one's own, by the public classes alone."""

import base64

import attrs
import pytest
import requests

from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import Request
from facematch_mock_server.claims import OURS, Reply, row, table
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.vendors.base import MockVendor, Route
from facematch_mock_server.world.hosted import DocumentSessions, SessionRules, start
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.vendor import Vendor

CLAIMS = table(
    "acme",
    row("key.wrong", Reply(401, {"error": "key"}), OURS, "A wrong key is 401."),
    row("path", Reply(404, {"error": "path"}), OURS, "Another path is 404."),
    row("rate.exceeded", Reply(429, {"error": "rate"}), OURS, "A call too many is 429."),
    row("rate.limit", 2, OURS, "There are two calls a minute."),
    row("start.answer", Reply(201), OURS, "A start returns an id."),
    row("credit.price", 1, OURS, "An approved session costs USD 1."),
    row("credit.start", 9, OURS, "An account begins with USD 9."),
    row("deleted", Reply(200), OURS, "A deletion has no body."),
)


def user_and_password(head):
    """Return the user and the password of Basic authentication; each is empty without it."""
    scheme, _, text = head.header("authorization", "").partition(" ")
    if scheme != "Basic":
        return "", ""
    user, _, password = base64.b64decode(text).decode().partition(":")
    return user, password


def key_of(head: Request):
    user, _ = user_and_password(head)
    return user or None


def check_key(call):
    if not call.authenticate_client(*user_and_password(call.request)):
        call.refuse("key.wrong")


def check_rate(call):
    if call.count_request({"minute": 60.0}) is not None:
        call.refuse("rate.exceeded")


def start_session(call):
    session = start(call.world, call.now, 3600, {"status": "open"})
    return call.answer("start.answer", {"id": session.id})


def charge_approval(world, session):
    if session.status == "approved":
        price = world.claims["credit.price"]
        world.ledger.charge_once(price, at=world.clock.now(), what="Id", session_id=session.id)


class Acme(MockVendor):
    not_found_claim = "path"
    routes = (
        Route(
            pattern="/sessions",
            handlers={"POST": start_session, "DELETE": lambda call: call.answer("deleted")},
            checks={"key.wrong": check_key, "rate.exceeded": check_rate},
            credentials=("authorization",),
        ),
    )
    session_rules = SessionRules(
        open_statuses=frozenset({"open"}),
        status_after={"begin": "open", "abandon": "left", "expire": "left", "last": "denied"},
        judge=lambda _, session, __: attrs.evolve(session, status="suspected"),
        finished_statuses=frozenset({"approved", "suspected", "denied"}),
        on_status_change=charge_approval,
    )


ACME = Vendor(
    name="acme",
    title="Acme",
    claims=CLAIMS,
    rate_limits={"minute": "rate.limit"},
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client="acme-user")},
    behaviour=Acme,
    key_of=key_of,
    extensions={"sessions": DocumentSessions},
)


@pytest.fixture
def mock(tmp_path, monkeypatch):
    info = tmp_path / "acme_mock-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mock\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[facematch.mock_vendors]\nacme = {__name__}:ACME\n")
    monkeypatch.syspath_prepend(tmp_path)
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()
    with MockServer(vendor="acme") as mock:
        yield mock
    for cached in (vendor_named, vendor_names):
        cached.cache_clear()


def call(mock, method="POST", user="acme-user", password=LIVE_KEY):
    return requests.request(method, f"{mock.url}/sessions", auth=(user, password), timeout=10)


@pytest.mark.parametrize(
    ("user", "password", "status", "label"),
    [
        ("acme-user", LIVE_KEY, 201, "live"),
        ("acme-user", "another", 401, "wrong"),
        ("another", LIVE_KEY, 401, "wrong"),
    ],
)
def test_basic_authentication_needs_the_client_and_its_secret(mock, user, password, status, label):
    assert call(mock, user=user, password=password).status_code == status
    assert mock.control.journal()[-1].key == label


def test_rate_limit_is_counted_by_a_check(mock):
    assert [call(mock).status_code for _ in range(3)] == [201, 201, 429]
    mock.control.advance(61)
    assert call(mock).status_code == 201
    mock.control.set_limit("minute", 0)
    assert call(mock).status_code == 429


def test_reply_without_a_body_is_empty_on_the_wire(mock):
    answer = call(mock, "DELETE")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_vendor_that_charges_approvals_alone_can_decide_each_status(mock):
    session_id = call(mock).json()["id"]
    mock.control.sessions.finish(session_id)
    for status in ("suspected", "denied"):
        assert mock.control.sessions.decide(session_id, status).status == status
        assert mock.control.charges() == ()
    for _ in range(2):
        mock.control.sessions.decide(session_id, "approved")
    assert len(mock.control.charges()) == 1


def test_claims_of_the_world_say_that_they_cite_nothing(mock):
    claims = mock.control.world.claims
    assert claims["rate.limit"] == 2
    with pytest.raises(TypeError, match=r"call\.claims"):
        claims.cite("rate.limit")
