"""The journal says what was asked, and nothing that somebody could misuse."""

import base64
import json

import pytest
from kit import mock_sessions, mock_webhooks
from kit.mock_world import json_request, multipart, new_engine, request_to
from vendors import didit

CANARY = "Q2FuYXJ5" * 12
HOOK = f"https://user:{CANARY}@example.com/hook?token={CANARY}#{CANARY}"
NESTED = {"data": {"password": CANARY}, "list": [{"secret": CANARY}]}
IMAGE = base64.b64encode(CANARY.encode()).decode()


def start(body):
    return json_request("/v3/session/", body, method="POST")


def update(body):
    path = f"/v3/session/{mock_sessions.NO_SESSION}/update-status/"
    return json_request(path, body, method="PATCH")


REQUESTS = {
    "a picture in JSON": start({"portrait_image": IMAGE, "label": {"image": IMAGE}}),
    "a picture in a text": request_to(
        didit.MATCH_PATH, *multipart([("user_image", CANARY), ("unheard_of", CANARY)])
    ),
    "nested in metadata": didit.match_request(metadata=json.dumps({**NESTED, "key": CANARY})),
    "metadata that is none": didit.match_request(metadata=CANARY),
    "nested": start(NESTED),
    "nested in a field that may be shown": update(
        {"new_status": NESTED, "email_language": [NESTED]}
    ),
    "a callback": start({"callback": HOOK}),
    "a query": request_to(f"/v3/sessions/?token={CANARY}&next={HOOK}", method="GET"),
    "nobody's query": request_to(f"/elsewhere?secret={CANARY}&next={HOOK}", method="GET"),
    "a review": update({"comment": CANARY}),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_journal_shows_not_even_a_prefix_of_a_secret(what):
    engine = new_engine()
    assert engine.handle(REQUESTS[what]).status < 500
    (entry,) = engine.world.account.journal.entries
    shown = repr(entry) + str(entry.to_dict())
    assert CANARY[:8] not in shown
    assert IMAGE[:8] not in shown


def test_reprs_of_requests_and_destinations_hide_the_query():
    request = request_to(f"/v3/sessions/?signature={CANARY}", method="GET")
    assert CANARY not in repr(request)
    assert "/v3/sessions/?…" in repr(request)
    engine = new_engine(deliver_to=["example.com"])
    engine.handle(mock_webhooks.listen(HOOK))
    engine.handle(didit.match_request())
    outbox = engine.world.outbox
    assert len(outbox.deliveries) == 1
    assert CANARY not in repr((outbox.destinations.all(), outbox.deliveries.all()))
