"""Sessions of a mock world for tests: steps that find them by number, and all that claims need."""

import json
from urllib.parse import urlsplit

from kit.mock_didit import START, control, liveness, match, picture, request

from facematch_mock_server.vendors.didit.records import Pictures

NOBODY = "00000000-0000-4000-8000-00000000abcd"
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


def sent(path, body=None, *, method="GET", key="mock-live-key", **headers):
    """A request with a JSON body, or none."""
    if body is None:
        return request(path, method=method, key=key, **headers)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers.setdefault("content_type", "application/json")
    return request(path, data, method=method, key=key, **headers)


def nth(engine, number):
    """The id of the session of that number; of nobody's if there is none."""
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NOBODY)


def on(number, verb="decision", body=None, query="", **more):
    """A step on the session of that number: ``/v3/session/{id}/{verb}/``."""
    return lambda engine: engine.handle(
        sent(f"/v3/session/{nth(engine, number)}/{verb}/{query}", body, **more)
    )


def on_anothers(number):
    """A step on that session with the key of another account."""

    def step(engine):
        accounts = engine.accounts
        other = accounts.find("other") or accounts.open("other")
        return on(number, key=next(iter(other.first_keys["didit"])))(engine)

    return step


def update(number, body=None, **more):
    """A step that updates the status of a session."""
    return on(number, "update-status", {} if body is None else body, method="PATCH", **more)


def delete(number, body=None, **more):
    """A step that deletes a session."""
    return on(number, "delete", body, method="DELETE", **more)


def listed(query="", **more):
    """A request for the list."""
    return sent(f"{LIST}?{query}" if query else LIST, **more)


def put_into(number, status):
    """A step of the person who decides."""
    return lambda engine: engine.handle(
        control("sessions/decide", {"session_id": nth(engine, number), "status": status})
    )


def added(service, result, **more):
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
        return engine.handle(control("clock"))

    return step


def address(engine, number, name="source_image"):
    """The address of a picture of a session, without its origin; one that is dead without it."""
    answer = on(number)(engine)
    blocks = answer.json() if answer.status == 200 else {}
    for block in ("face_matches", "liveness_checks"):
        for feature in blocks.get(block) or ():
            if feature.get(name):
                parts = urlsplit(feature[name])
                return f"{parts.path}?{parts.query}"
    return f"/__media__/{NOBODY}/{name}"


def pictured(number, name="source_image", *, then=None, change=str, **more):
    """A step that reads a picture; `then` is done between its address and that."""

    def step(engine):
        there = change(address(engine, number, name))
        if then is not None:
            then(engine)
        return engine.handle(request(there, key=None, **{"method": "GET", **more}))

    return step


def forget(engine):
    """Lose the pictures, as they are lost to many newer ones."""
    engine.world.records.pictures = Pictures()


def later(seconds):
    """Let time pass."""
    return lambda engine: engine.world.clock.advance(seconds)


SAVED = (
    match(picture(score=55), vendor_data="emp-0042", metadata='{"gate":"north"}'),
    liveness(picture(score=12, faces=2), vendor_data="emp-0043"),
    added("PASSIVE_LIVENESS", CHECK),
    added("PASSIVE_LIVENESS", {**CHECK, "status": "Approved", "warnings": []}),
)
FILTERS = (
    "session_kind=all",
    "session_kind=business",
    "session_kind=x&date_from=y",
    "date_from=2026-07-02&date_to=2026-07-02",
    "date_to=yesterday",
    "didit_internal_id=x",
    "api_service=FACE_MATCH",
    "api_service=FOO",
    "session_type=HOSTED",
    "session_type=FOO",
    "status=approved",
    "status=Approved,Declined",
    "status=Bogus",
    "vendor_data=emp",
    "search=EMP",
    "country=ESP",
    "warning=LOW_LIVENESS_SCORE,NO_FACE_DETECTED",
    "status=",
    "ordering=x",
    "limit=2&offset=1&status=Approved,Declined",
    "limit=x&offset=x",
    "page=2&page_size=2",
    "page=last&page_size=3",
    "page=9",
)
CHANGED = (
    {},
    {"new_status": None},
    {"new_status": "Bogus"},
    {"new_status": "In Progress"},
    {"new_status": "Approved"},
    {"new_status": "Resubmitted"},
    {"new_status": "Declined", "comment": True},
    {"new_status": "Declined", "nodes_to_resubmit": "x"},
    {"new_status": "Declined", "send_email": "maybe"},
    {"new_status": "Declined", "send_email": True},
    {"new_status": "Declined", "email_address": "nowhere"},
    {"new_status": "Declined", "comment": "x" * 10_001},
    {"new_status": "Declined", "comment": "looked at"},
    [],
)

SCENARIOS = {
    "decisions": (
        *SAVED,
        *(on(number, query=query) for number in (1, 2, 3, 4) for query in ("", "?include=events")),
        on(1, query="?include=else"),
        control("limits", {"get": 0}),
        on(1),
        control("limits", {"decision": 1}),
        on(1),
    ),
    "pictures": (
        match(picture(score=55)),
        pictured(1),
        pictured(1, then=later(100)),
        pictured(1, then=later(3600)),
        pictured(1, change=lambda there: there[:-1] + "-"),
        pictured(1, method="POST"),
        pictured(1, host="evil.example"),
        pictured(9),
        pictured(1, then=forget),
    ),
    "lists": (
        *SAVED,
        listed(),
        *map(listed, FILTERS),
        listed(key=SANDBOX),
        sent("/v3/sessions?limit=1"),
    ),
    "updates": (
        *SAVED[:2],
        *(update(1, body) for body in CHANGED),
        on(1),
        put_into(1, "In Progress"),
        update(1),
        put_into(1, "In Review"),
        update(1, {"new_status": "Resubmitted", "nodes_to_resubmit": [{"feature": "FACE_MATCH"}]}),
        on(1),
    ),
    "deletions": (
        *SAVED,
        delete(2, {"retain_face_embeddings": True, "face_retention_days": 30}),
        delete(3),
        on(3),
        delete(1),
        delete(1),
        listed(),
    ),
    "doors": (
        *SAVED,
        on(9, key=None),
        on(1, key=None),
        on_anothers(1),
        on(1, key=SANDBOX),
        on(1, method="PUT"),
        on(1, method="PUT", key="wrong"),
        update(1, b"{", key="wrong"),
        update(1, b"{"),
        on(1, "update-status", method="PATCH"),
        on(1, "update-status", b"x", method="PATCH", content_type="text/plain"),
        control("limits", {"get": 0, "write": 0}),
        listed(key="wrong"),
        on(9),
        delete(1, key=None),
    ),
}
