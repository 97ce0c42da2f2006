"""Sessions of a mock world: steps that find them by number."""

import base64
from urllib.parse import urlsplit

from kit.mock_didit import STARTS, control_request, didit_request, json_request, scene

from facematch_mock_server.world.pictures import Pictures

NO_SESSION = "00000000-0000-4000-8000-00000000abcd"
SANDBOX = "mock-sandbox-key"
LIST = "/v3/sessions/"


session_request = json_request


def nth(engine, number):
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NO_SESSION)


WORKFLOW = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"


def start(key="mock-live-key", **fields):
    fields.setdefault("workflow_id", WORKFLOW)
    return session_request("/v3/session/", fields, method="POST", key=key)


def portrait(size=0, **facts):
    return base64.b64encode((STARTS[0] + scene(**facts)).ljust(size, b" ")).decode()


def acting(number, do, **pictures):
    def step(engine):
        sent = {"session_id": nth(engine, number), "do": do, **pictures}
        return engine.handle(control_request("sessions/act", sent))

    return step


def showing(number, **fields):
    """A step that sets what is read from the document of a session."""

    def step(engine):
        sent = {"session_id": nth(engine, number), **fields}
        return engine.handle(control_request("sessions/document", sent))

    return step


def arming(number, scenario="approve", token=None):
    def step(engine):
        sessions = {session.number: session for session in engine.world.sessions.all()}
        sent = token or sessions[number].hosted.token
        body = {} if scenario is None else {"scenario": scenario}
        return on(number, "sandbox/arm", body, method="POST", key=None, session_token=sent)(engine)

    return step


def on(number, verb="decision", body=None, query="", **more):
    return lambda engine: engine.handle(
        session_request(f"/v3/session/{nth(engine, number)}/{verb}/{query}", body, **more)
    )


def start_by_v2(key="mock-live-key"):
    body = {"workflow_id": WORKFLOW, "vendor_data": "emp-1"}
    return session_request("/v2/session/", body, key=key)


def on_v2(number, verb="decision/"):
    return lambda engine: engine.handle(
        session_request(f"/v2/session/{nth(engine, number)}/{verb}", method="GET")
    )


def update(number, body=None, **more):
    return on(number, "update-status", {} if body is None else body, method="PATCH", **more)


def delete(number, body=None, **more):
    return on(number, "delete", body, method="DELETE", **more)


def list_request(query="", **more):
    return session_request(f"{LIST}?{query}" if query else LIST, **more)


def put_into(number, status):
    return lambda engine: engine.handle(
        control_request("sessions/decide", {"session_id": nth(engine, number), "status": status})
    )


def media_address(engine, number, name="source_image"):
    """The address of a picture of a session, without its origin; one that is dead without it."""
    answer = on(number)(engine)
    blocks = answer.json() if answer.status == 200 else {}
    for block in ("face_matches", "liveness_checks"):
        for feature in blocks.get(block) or ():
            if feature.get(name):
                parts = urlsplit(feature[name])
                return f"{parts.path}?{parts.query}"
    return f"/__media__/{NO_SESSION}/{name}"


def read_media(number, name="source_image", *, then=None, change=str, **more):
    """A step that reads a picture; `then` is done between its address and that."""

    def step(engine):
        there = change(media_address(engine, number, name))
        if then is not None:
            then(engine)
        return engine.handle(didit_request(there, key=None, **{"method": "GET", **more}))

    return step


def forget(engine):
    engine.account.shared.pictures = engine.world.pictures = Pictures()


def advance_clock(seconds):
    return lambda engine: engine.world.clock.advance(seconds)
