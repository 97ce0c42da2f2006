"""Sessions of a mock world: steps that find them by number."""

import base64

from kit.mock_world import STARTS, control_request, scene

from facematch_mock_server.world.pictures import Pictures

NO_SESSION = "00000000-0000-4000-8000-00000000abcd"
SANDBOX = "mock-sandbox-key"


def nth(engine, number):
    ids = {session.number: session.id for session in engine.world.sessions.all()}
    return ids.get(number, NO_SESSION)


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


def put_into(number, status):
    return lambda engine: engine.handle(
        control_request("sessions/decide", {"session_id": nth(engine, number), "status": status})
    )


def forget(engine):
    engine.account.shared.pictures = engine.world.pictures = Pictures()


def advance_clock(seconds):
    return lambda engine: engine.world.clock.advance(seconds)
