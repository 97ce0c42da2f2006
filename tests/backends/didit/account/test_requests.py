"""What is sent: every call of the account, on the wire, and what is refused before it."""

import datetime as dt

import pytest

from facematch_core import InvalidRequest, Operation

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
BASE = "https://verification.didit.me"
PAGE = {"count": 0, "next": None, "previous": None, "results": []}

#: Call, answer, and what stood on the wire: method, address, body.
CALLS = {
    "balance": (
        lambda a: a.balance(),
        {"balance": "1.0000"},
        ("GET", f"{BASE}/v3/billing/balance/"),
        None,
    ),
    "sessions": (
        lambda a: list(a.sessions()),
        PAGE,
        ("GET", f"{BASE}/v3/sessions/?limit=50&offset=0"),
        None,
    ),
    "decision": (
        lambda a: a.decision(ID.upper()),
        {"session_id": ID, "status": "Approved"},
        ("GET", f"{BASE}/v3/session/{ID}/decision/"),
        None,
    ),
    "delete": (
        lambda a: a.delete(ID),
        b"",
        ("DELETE", f"{BASE}/v3/session/{ID}/delete/"),
        {"retain_face_embeddings": False},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_method_address_and_body_are_as_documented_and_the_key_goes_to_its_host(
    name, scripted_account, key
):
    call, answer, (method, url), body = CALLS[name]
    account, script = scripted_account((200, answer))
    call(account)
    assert script.sent == [(method, url, body)]
    (request,) = script.seen
    assert request.headers.get("x-api-key") == key


def test_each_filter_has_its_documented_name_and_form(scripted_account):
    account, script = scripted_account((200, PAGE))
    rows = account.sessions(
        operation=Operation.MATCH,
        caller_ref="emp 42&x",
        date_from=dt.date(2026, 7, 1),
        date_to=dt.date(2026, 7, 2),
    )
    assert script.seen == []
    assert list(rows) == []
    query = script.seen[0].url.partition("?")[2]
    assert query.split("&") == [
        "vendor_data=emp+42%26x",
        "api_service=FACE_MATCH",
        "session_type=API",
        "date_from=2026-07-01",
        "date_to=2026-07-02",
        "limit=50",
        "offset=0",
    ]


#: Calls that are refused, and the argument that is wrong.
REFUSED = {
    "an id with a path in it": (lambda a: a.decision("../../billing/balance"), "session_id"),
    "an id with a path behind it": (lambda a: a.delete(f"{ID}/../x"), "session_id"),
    "an id of another type": (lambda a: a.delete(7), "session_id"),
    "a reference of nothing": (lambda a: a.sessions(caller_ref="  "), "caller_ref"),
    "an id for an attempt": (lambda a: a.decision(ID, call="a-1"), "call"),
    "an unknown operation": (lambda a: a.sessions(operation="FACE"), "operation"),
    "sessions of sessions": (lambda a: a.sessions(operation=Operation.SESSION), "operation"),
    "a time for a day": (lambda a: a.sessions(date_from=dt.datetime(2026, 7, 1)), "date_from"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_argument_is_refused_and_nothing_is_sent(name, scripted_account):
    call, words = REFUSED[name]
    account, script = scripted_account((200, {}))
    with pytest.raises(InvalidRequest, match=words):
        call(account)
    assert script.seen == []
