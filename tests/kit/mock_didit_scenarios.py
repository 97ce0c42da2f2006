"""The calls to Didit's mock that together are answered with each of its claims."""

from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import control_request, didit_request, liveness_request, match_request, scene
from kit.mock_didit_sessions import advance_clock, list_request, on, read_media, update
from kit.scenario import BIG, Scenario, advance, answer_with_fault, declare_too_long, limit


def post_json(path, body):
    return didit_request(path, body, "application/json")


def read_session_as_another_account(engine):
    account = engine.accounts.open("other")
    live_key, *_ = account.first_keys["didit"]
    return on(1, key=live_key)(engine)


WEBHOOK_CALL = match_request(vendor_data="emp-é", metadata='{"gate":2.0}')

NO_FORM = post_json(didit.MATCH_PATH, b"{}")

#: An own reply to a call that the mock lacks.
EXTRA = {
    "request": {"urlPath": "/v3/extra/"},
    "response": {"jsonBody": {"id": "{{request.query.id}}"}},
}

CALLS = {
    "match": (
        match_request(b"no picture"),
        match_request(scene(review=True)),
        match_request(key="mock-sandbox-key", vendor_data="emp-0042"),
    ),
    "liveness": (
        liveness_request(scene(score=None)),
        liveness_request(scene(blocklist="possible", duplicate="certain")),
        liveness_request(b"no picture"),
        liveness_request(key="mock-sandbox-key"),
        liveness_request(scene(score=91)),
        liveness_request(scene(score=91)),
        liveness_request(scene(faces=0)),
        liveness_request(scene(faces=2), rotate_image="true"),
        match_request(scene(faces=0)),
    ),
    "fields": (
        match_request(b"x" * BIG),
        match_request(metadata="[]"),
        match_request(metadata="", vendor_data=""),
        match_request(metadata="x" * 50_001, vendor_data="x" * 10_001),
        didit_request(didit.MATCH_PATH, b"x", "multipart/form-data"),
        didit_request(didit.MATCH_PATH, method="OPTIONS"),
        post_json("/v3/session/", b"null"),
        post_json("/v3/session/", b"[" * 100_000),
    ),
    "keys": (
        match_request(key="wrong"),
        control_request("keys", {"key": "past-key", "expires": "2026-07-01"}),
        match_request(key="past-key"),
    ),
    "credit": (
        sessions.session_request("/v3/billing/balance/"),
        control_request("ledger/balance", {"balance": "0"}),
        match_request(),
    ),
    "limits": (
        limit("management", 0),
        sessions.session_request("/v3/billing/balance/"),
        limit("session", 0),
        sessions.start(portrait_image=sessions.portrait()),
        limit("get", 0),
        list_request(),
        limit("write", 0),
        match_request(),
    ),
    "paths": (
        didit_request(didit.MATCH_PATH, method="GET"),
        didit_request("/v3/face-mach/"),
        didit_request("/v3/session/seven/decision/"),
        didit_request("/v3/workflows/", method="GET"),
        didit_request("/system/healthcheck", method="GET", key=None),
        didit_request("/elsewhere"),
        didit_request(didit.MATCH_PATH, b"x", "text/plain"),
        declare_too_long(didit.MATCH_PATH),
        declare_too_long("/__mock__/faults"),
    ),
    "replies": (
        control_request("replies", EXTRA),
        didit_request("/v3/extra/?id=7", key=None),
        didit_request("/v3/extra/", key=None),
    ),
    "faults": (
        answer_with_fault(503, NO_FORM),
        answer_with_fault(404, NO_FORM),
        answer_with_fault(502, NO_FORM, "html"),
        answer_with_fault(503, NO_FORM, "json", body={"detail": "own"}),
        answer_with_fault(200, NO_FORM, "wrong_json"),
    ),
    "decisions": (
        match_request(),
        on(1, query="?include=else"),
        on(1, query="?include=events"),
        on(9),
        limit("decision", 0),
        on(1),
    ),
    "version 2": (
        sessions.start_by_v2(),
        sessions.acting(1, "card", card="p1", document="p1"),
        sessions.on_v2(1),
        sessions.on(1, "simulate", {"new_status": "Expired"}),
    ),
    "pictures": (
        match_request(scene(score=55)),
        read_media(1, then=advance_clock(100)),
        read_media(1, then=advance_clock(3600)),
        read_media(1, change=lambda there: there[:-1] + "-"),
        read_media(1, method="POST"),
        read_media(1, host="evil.example"),
        read_media(9),
        read_media(1, then=sessions.forget),
    ),
    "lists": (
        list_request("session_type=FOO"),
        list_request(key=sessions.SANDBOX),
        sessions.session_request("/v3/sessions?limit=1"),
    ),
    "updates": (
        match_request(scene(score=55)),
        list_request(),
        update(1, {"new_status": "Approved"}),
        update(1, {"new_status": "Declined"}),
        update(1, {"new_status": "Resubmitted"}),
        update(1, []),
        sessions.put_into(1, "In Progress"),
        update(1),
        on(1),
        sessions.delete(1),
    ),
    "hosted": (
        control_request("sessions/workflows", {"id": sessions.WORKFLOW}),
        sessions.start(portrait_image=sessions.portrait(), vendor_data="u"),
        sessions.start(vendor_data="u"),
        sessions.acting(1, "card"),
        sessions.start(vendor_data="u"),
        sessions.start(),
        sessions.start(callback="javascript:x", portrait_image="x"),
        sessions.start(portrait_image=sessions.portrait(3 << 20)),
        sessions.start(sandbox_scenario="approve"),
        limit("sandbox_session", 1),
        sessions.start(sessions.SANDBOX, portrait_image=sessions.portrait()),
        sessions.start(sessions.SANDBOX, portrait_image=sessions.portrait()),
        sessions.arming(2, token="nobody"),
        sessions.arming(2),
        didit_request("/v1/sandbox/scenarios/", method="GET", key=sessions.SANDBOX),
        sessions.acting(2, "begin"),
        sessions.arming(2),
        control_request("sessions/block", {"vendor_data": "u"}),
        sessions.start(vendor_data="u"),
        sessions.start(workflow_id=sessions.NO_SESSION),
        control_request("ledger/balance", {"balance": "0"}),
        sessions.start(portrait_image=sessions.portrait()),
    ),
    "documents": (
        sessions.start(),
        sessions.acting(1, "card"),
        sessions.showing(1, full_name="Ada Lovelace", date_of_birth="1980-01-01"),
        on(1),
    ),
    "doors": (
        liveness_request(),
        read_session_as_another_account,
        on(1, key=sessions.SANDBOX),
        update(1, b"{", key=None),
    ),
    "webhooks": (
        webhooks.listen(),
        WEBHOOK_CALL,
        webhooks.carried(500),
        WEBHOOK_CALL,
        webhooks.carried(404),
        WEBHOOK_CALL,
        webhooks.carried("timeout"),
        WEBHOOK_CALL,
        webhooks.carried(302),
        WEBHOOK_CALL,
        webhooks.carried(401),
        advance(60),
        webhooks.carried(),
    ),
}

#: Other switches of Didit, and the scenario that they change.
SWITCHED = (
    ("match", {"in_review": True}),
    ("keys", {"bad_key": 403}),
    ("decisions", {"empty_blocks": "list"}),
    ("liveness", {"quality_warnings": True}),
    ("hosted", {"session_charged": "created"}),
    ("hosted", {"session_charged": "never"}),
)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    switched = [Scenario("didit", CALLS[name], switches) for name, switches in SWITCHED]
    return [Scenario("didit", steps) for steps in CALLS.values()] + switched
