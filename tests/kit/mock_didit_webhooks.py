"""Exchanges about webhooks for the suite in which every claim takes part.

Letters are carried nowhere; what their attempts rest on is cited as by an answer.
"""

import json

from kit import mock_didit as didit
from kit.mock_worlds import control_of

from facematch_mock_server.messages import Response
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import Answer, attempt

HOOK = "http://127.0.0.1:9/hook"


def sent(path, body=None, *, method=None, key="mock-live-key"):
    """A request with JSON, or without a body."""
    if body is None:
        return didit.request(path, method=method or "GET", key=key)
    data = json.dumps(body).encode()
    return didit.request(path, data, "application/json", method=method or "POST", key=key)


def listen(url=HOOK, **changes):
    """A new destination."""
    return didit.control("webhooks/destinations", {"url": url, **changes})


def switched_off(engine):
    """The newest destination, without anything that is sent there."""
    made = engine.world.records.outbox.destinations.all()
    change = {"destination": made[-1].uuid if made else "none", "enabled": False}
    return engine.handle(didit.control("webhooks/destinations/change", change))


def updated(status):
    """Another status for the newest session."""

    def ask(engine):
        session = engine.world.sessions.all()[-1].id
        path = f"/v3/session/{session}/update-status/"
        return engine.handle(sent(path, {"new_status": status}, method="PATCH"))

    return ask


def on_newest(verb):
    """A verb of the control API on the newest delivery, if there is one."""

    def ask(engine):
        every = control_of(engine.world).webhooks.deliveries()
        name = every[-1].id if every else "none"
        return engine.handle(didit.control(f"webhooks/{verb}", {"delivery": name}))

    return ask


def tested(engine):
    """What the console sends to the first destination."""
    made = engine.world.records.outbox.destinations.all()
    name = made[0].uuid if made else "none"
    return engine.handle(didit.control("webhooks/test", {"destination": name}))


def carried(*answers):
    """Deliver what is due, answered like that (200 in the end); what all attempts rest on."""

    def ask(engine):
        world, waiting = engine.world, list(answers)

        def send(*_):
            status = waiting.pop(0) if waiting else 200
            return Answer(status=status, problem=None if status else "timeout", elapsed_ms=12)

        outbox = world.records.outbox
        while (due := outbox.take(world.clock.now())) is not None:
            attempt(world, outbox, due, WRITER, send)
        deliveries = control_of(world).webhooks.deliveries()
        claims = (claim for d in deliveries for one in d.attempts for claim in one.claims)
        return Response(status=200, claims=tuple(dict.fromkeys(claims)))

    return ask


def passing(seconds):
    """Time of the world."""
    return didit.control("clock/advance", {"seconds": seconds})


CALL = didit.match(vendor_data="emp-é", metadata='{"gate":2.0}')
DECLINED = didit.match(didit.picture(score=2))

SCENARIOS = {
    "webhooks": (
        listen(),
        listen("http://127.0.0.1:9/other", events=["data.updated"]),
        listen("http://127.0.0.1:9/off"),
        switched_off,
        CALL,
        carried(204),
        DECLINED,
        updated("Resubmitted"),
        carried(),
        tested,
        carried(),
        on_newest("resend"),
        carried(),
        passing(5),
        on_newest("resend"),
        carried(),
    ),
    "retries": (
        listen(),
        CALL,
        carried(500),
        passing(60),
        carried(404),
        passing(180),
        carried(None),
        *(
            step
            for answer in (404, None, 302, 401)
            for step in (CALL, carried(answer), passing(60), carried())
        ),
    ),
}


def with_one_due():
    """An engine with a destination on the loopback, and one delivery that is due."""
    engine = didit.new_engine()
    control_of(engine.world).webhooks.add(HOOK)
    engine.handle(didit.match())
    return engine
