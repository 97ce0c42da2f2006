"""Sessions of a mock world: steps that find them by number."""

import json
from urllib.parse import urlsplit

from kit.mock_didit import START, control_request, didit_request

NO_SESSION = "00000000-0000-4000-8000-00000000abcd"
SANDBOX = "mock-sandbox-key"
LIST = "/v3/sessions/"
FACE = {"bbox": [10, 20, 110, 140], "confidence": 0.7, "age": 29.4, "gender": "male"}

#: What the session of a liveness check holds.
CHECK = {
    "status": "Declined",
    "method": "PASSIVE",
    "score": 97.5,
    "user_image": {"entities": [FACE], "best_angle": 0},
    "face_quality": 71.8,
    "face_luminance": 46.02,
    "warnings": [{"risk": "LIVENESS_FACE_ATTACK", "log_type": "error"}],
}


def session_request(path, body=None, *, method="GET", key="mock-live-key", **headers):
    if body is None:
        return didit_request(path, method=method, key=key, **headers)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers.setdefault("content_type", "application/json")
    return didit_request(path, data, method=method, key=key, **headers)


def nth(engine, number):
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NO_SESSION)


def on(number, verb="decision", body=None, query="", **more):
    """A step on the session of that number: ``/v3/session/{id}/{verb}/``."""
    return lambda engine: engine.handle(
        session_request(f"/v3/session/{nth(engine, number)}/{verb}/{query}", body, **more)
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


def add_session(service, result, **more):
    """A step that leaves a session as its endpoint would."""

    def step(engine):
        world = engine.world
        world.sessions.add(
            world.account.ids.uuid(),
            internal_id=world.account.ids.uuid(),
            service=service,
            status=result["status"],
            created_at=START,
            vendor_data=None,
            metadata=None,
            pictures=more.get("pictures", {"reference_image": None}),
            result=result,
        )
        return engine.handle(control_request("clock"))

    return step


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
    """Lose the pictures, as they are lost to many newer ones."""
    engine.account.shared.kept.let_go(engine.account)


def advance_clock(seconds):
    return lambda engine: engine.world.clock.advance(seconds)
