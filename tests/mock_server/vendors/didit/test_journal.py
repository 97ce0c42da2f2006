"""The journal says what was asked, and nothing that somebody could misuse."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit import mock_didit_accounts as accounts
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks

from facematch_mock_server.journal import described, presentable

CANARY = "Q2FuYXJ5" * 12
HOOK = f"https://user:{CANARY}@example.com/hook?token={CANARY}#{CANARY}"
NESTED = {"data": {"password": CANARY}, "list": [{"secret": CANARY}]}
IMAGE = base64.b64encode(CANARY.encode()).decode()


UPDATE = f"/v3/session/{sessions.NOBODY}/update-status/"


def picture_as_text(engine):
    """A picture that a client put into a text field of the form."""
    body, kind = didit.multipart([("user_image", CANARY), ("unheard_of", CANARY)])
    return engine.handle(didit.request(didit.MATCH, body, kind))


REQUESTS = {
    "a picture in JSON": sessions.sent(
        accounts.TOP_UP, {"image": IMAGE, "label": {"image": IMAGE}}, method="POST"
    ),
    "a picture in a text": picture_as_text,
    "nested in metadata": didit.match(metadata=json.dumps({**NESTED, "key": CANARY})),
    "metadata that is none": didit.match(metadata=CANARY),
    "nested": sessions.sent(accounts.TOP_UP, NESTED, method="POST"),
    "nested in a field that may be shown": sessions.sent(
        UPDATE, {"new_status": NESTED, "email_language": [NESTED]}, method="PATCH"
    ),
    "a payment": accounts.top_up(75, success_url=HOOK, cancel_url=HOOK),
    "a registration": accounts.register(password=CANARY),
    "a login": accounts.login(password=CANARY),
    "an unknown field": accounts.auth("login", remarks=CANARY, key={"x": CANARY}),
    "a query": didit.request(f"/v3/sessions/?token={CANARY}&next={HOOK}", method="GET"),
    "nobody's query": didit.request(f"/elsewhere?secret={CANARY}&next={HOOK}", method="GET"),
    "a review": sessions.sent(UPDATE, {"comment": CANARY}, method="PATCH"),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_canary_is_nowhere(what):
    """Neither whole, nor the beginning of it, nor as base64."""
    engine = didit.new_engine()
    step = REQUESTS[what]
    answer = step(engine) if callable(step) else engine.handle(step)
    assert answer.status < 500
    (entry,) = engine.world.account.journal.entries
    told = repr(entry) + str(entry.to_dict())
    assert CANARY[:8] not in told
    assert base64.b64encode(CANARY.encode())[:8].decode() not in told


def test_what_helps_to_read_it_is_there():
    """Thresholds, flags and words of the vendor's; of the rest type and length."""
    engine = didit.new_engine()
    metadata = {"gate": "nörd", "door": {"n": 1}, "api_key": "x", "selfie": "x", "ok": True}
    engine.handle(
        didit.match(
            **{didit.MATCH_THRESHOLD: "41.5"}, vendor_data="emp-0042", metadata=json.dumps(metadata)
        )
    )
    update = {"new_status": "Declined", "comment": "looked at", "send_email": False}
    sessions.update(1, update)(engine)
    form, body = (entry.fields for entry in engine.world.account.journal.entries)
    told = form.pop("metadata")
    assert told.startswith('{"gate": "nörd", "door": "object of 1", "api_key": "***", "selfie":')
    assert form == {didit.MATCH_THRESHOLD: "41.5", "vendor_data": "emp-0042"}
    assert body == {
        "new_status": "Declined",
        "comment": "text of 9 characters",
        "send_email": "False",
    }


def test_addresses_are_shown_up_to_their_query():
    """Without whoever is named before the host."""
    shown = presentable([("next", "https://a:b@x.example/p?q#f and http://y.example?z")])
    assert shown == {"next": "https://x.example/p and http://y.example"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(value=JSON)
def test_anything_has_a_type_and_a_length(value):
    """Nothing of a value that may not be shown is in its description but how long it is."""
    (told,) = described([("x", value)], ()).values()
    words = ("text of", "a flag", "a number", "list of", "object of", "null")
    assert told.startswith(words)
    assert len(told) < 40


def test_reprs_hold_no_query_and_no_address():
    """Of requests and of destinations: signatures and tokens stand there."""
    request = didit.request(f"/v3/sessions/?signature={CANARY}", method="GET")
    assert CANARY not in repr(request)
    assert "/v3/sessions/?…" in repr(request)
    engine = didit.new_engine(deliver_to=["example.com"])
    engine.handle(webhooks.listen(HOOK))
    engine.handle(didit.match())
    outbox = engine.world.records.outbox
    assert len(outbox.deliveries) == 1
    assert CANARY not in repr((outbox.destinations.all(), outbox.deliveries.all()))
