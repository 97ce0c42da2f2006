"""Requests to Persona as clients send them, and steps that find an inquiry by its number."""

from urllib.parse import urlencode

from kit.mock_didit import json_request

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
