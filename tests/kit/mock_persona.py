"""Requests to Persona as clients send them, and steps that find an inquiry by its number."""

from urllib.parse import urlencode

from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import control_request, json_request
from kit.scenario import Scenario, advance, limit

from facematch_mock_server.vendors.persona.resources import with_inquiry

INQUIRIES = "/api/v1/inquiries"
LIVE = "mock-live-key"
SANDBOX = "mock-sandbox-key"
TEMPLATE = "itmpl_p8ANAJy9iqadm2buF2xcVgqH"
NOBODY = "inq_nobody"


def persona_request(path=INQUIRIES, body=None, *, method=None, key=LIVE, **headers):
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return json_request(path, body, method=method, key=None, **headers)


def starting(meta=None, *, key=LIVE, idempotency_key=None, inflection=None, **attributes):
    """The request that creates an inquiry; an attribute that is None is left out."""
    names = {"inquiry_template_id": TEMPLATE, **attributes}
    named = {name.replace("_", "-"): value for name, value in names.items() if value is not None}
    headers = {}
    if idempotency_key is not None:
        headers["idempotency_key"] = idempotency_key
    if inflection is not None:
        headers["key_inflection"] = inflection
    body = {"data": {"attributes": named}, "meta": {} if meta is None else meta}
    return persona_request(INQUIRIES, body, key=key, **headers)


def starting_with(headers, *, key=LIVE):
    """The request that creates an inquiry, with more headers."""
    body = {"data": {"attributes": {"inquiry-template-id": TEMPLATE}}}
    return persona_request(INQUIRIES, body, key=key, **headers)


def nth(engine, number):
    """The id of an inquiry by its number in the world, counted from 1."""
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NOBODY)


def about(number, action="", body=None, *, method=None, key=LIVE, query="", **headers):
    """A step with a request about an inquiry."""

    def step(engine):
        path = f"{INQUIRIES}/{nth(engine, number)}{action}{query}"
        return engine.handle(persona_request(path, body, method=method, key=key, **headers))

    return step


def framed(number, **query):
    """A step that opens an inquiry as the web SDK does, with more values in the query."""

    def step(engine):
        values = urlencode({"inquiry-id": nth(engine, number), **query})
        return engine.handle(persona_request(f"/widget?{values}", key=None))

    return step


def exhausted(number):
    """A step that asks for a link to an inquiry that has all its sessions."""

    def step(engine):
        engine.world.sessions.change(nth(engine, number), lambda it: with_inquiry(it, links=25))
        return about(number, "/generate-one-time-link", method="POST")(engine)

    return step


def reading(number, key=LIVE):
    return about(number, query="?include=verifications", key=key)


def simulating(number, *names, key=SANDBOX, template="vtmpl_selfie"):
    """A step that simulates actions; those that create a verification name a template."""
    actions = []
    for name in names:
        action = {"type": name}
        if name.startswith("create_"):
            action["data"] = {"verification-template-id": template}
        actions.append(action)
    meta = {"simulate-actions": actions}
    return about(number, "/perform-simulate-actions", {"meta": meta}, key=key)


def changing_webhook(action):
    """A step that changes the newest destination for webhooks by Persona's own API."""

    def step(engine):
        destination = engine.world.outbox.destinations.all()[-1]
        path = f"/api/v1/webhooks/{destination.uuid}/{action}"
        return engine.handle(persona_request(path, method="POST"))

    return step


def reading_document(number):
    """A step with a request for the newest document of an inquiry of the sandbox."""

    def step(engine):
        related = reading(number, SANDBOX)(engine).json()["data"]["relationships"]
        document_id = related["documents"]["data"][-1]["id"]
        path = f"/api/v1/document/government-ids/{document_id}"
        return engine.handle(persona_request(path, key=SANDBOX))

    return step


#: Requests that public programs make besides; inquiry 3 is one of the sandbox.
PROGRAMS = (
    persona_request(body={"data": {"attributes": {"inquiryTemplateId": TEMPLATE}}}),
    about(1, "/add-tag", {"meta": {"tag-name": "seen"}}),
    about(1, "/set-tags", {"meta": {"tag-id": ["tag_1"]}}),
    simulating(3, "create_passed_verification", template="vtmpl_id"),
    reading_document(3),
)


def scenarios():
    """Return the calls of claims/test_cited.py: an answer has each claim."""
    calls = (
        persona_request(key=None),
        persona_request(key="wrong"),
        control_request("keys", {"key": "weak-key", "allowed": False}),
        persona_request(key="weak-key"),
        persona_request(persona_version="2023-01-05"),
        webhooks.listen(secret="wbhsec_of-the-receiver"),
        starting(
            {"auto-create-inquiry-session": True, "auto-create-one-time-link": True},
            idempotency_key="one",
            inflection="snake",
        ),
        starting({"auto-create-account": False}, idempotency_key="one"),
        starting(idempotency_key="two"),
        starting(idempotency_key="two"),
        starting({"auto-create-account": False, "auto-create-account-reference-id": "customer-17"}),
        starting(inquiry_template_id=None),
        starting(inquiry_template_id="wkfl_other"),
        persona_request(body=b"["),
        persona_request(body={"data": {"attributes": {"picture": "x"}}}),
        persona_request(body={"data": {"attributes": []}}),
        persona_request(),
        persona_request(f"{INQUIRIES}?filter[note]=x&filter[status]=created"),
        about(9),
        about(1, "/generate-one-time-link", {"meta": {"expires-in-seconds": 60}}),
        about(1, "/resume", method="POST"),
        framed(1),
        framed(9),
        exhausted(1),
        sessions.acting(1, "card", card="p1", document="p1"),
        reading(1),
        about(1, "/decline", method="POST"),
        about(1, "/mark-for-review", method="POST"),
        about(1, "/print", method="POST"),
        simulating(1, "approve_inquiry", key=LIVE),
        sessions.acting(2, "abandon"),
        reading(2),
        about(2, "/resume", method="POST"),
        about(2, method="DELETE"),
        about(2, method="DELETE"),
        starting(key=SANDBOX),
        simulating(3, "start_inquiry", "create_passed_verification"),
        webhooks.carried(500, 404, 302, 400, "timeout"),
        advance(3),
        webhooks.carried(),
        persona_request(
            "/api/v1/webhooks",
            {"data": {"attributes": {"name": "a", "url": webhooks.HOOK, "enabled-events": ["*"]}}},
        ),
        persona_request(
            "/api/v1/webhooks",
            {"data": {"attributes": {"url": "https://shop.example/", "enabled-events": ["*"]}}},
        ),
        changing_webhook("enable"),
        changing_webhook("rotate-secret"),
        *PROGRAMS,
        webhooks.carried(),
        limit("inquiry", 0),
        starting(),
        limit("request", 0),
        persona_request(),
    )
    return [
        Scenario("persona", calls, {"price": "0.01"}),
        Scenario(
            "persona",
            calls,
            {"key_inflection": "camel", "liveness": "not_required", "session_charged": "created"},
        ),
        Scenario(
            "persona",
            calls,
            {"key_inflection": "snake", "session_charged": "never", "workflow": "none"},
        ),
    ]
