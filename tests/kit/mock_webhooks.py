"""Webhooks of a mock world, which are carried nowhere."""

import threading

from kit.mock_world import control_of, control_request

from facematch_mock_server.base.messages import Response
from facematch_mock_server.world.outgoing import RemoteResponse
from facematch_mock_server.world.webhooks import THREAD

HOOK = "http://127.0.0.1:9/hook"


def listen(url=HOOK, **changes):
    return control_request("webhooks/destinations", {"url": url, **changes})


def carry(engine, *answers):
    """Deliver what is due in an engine's world, without a thread; the (URL, letter, seconds).

    Each receiver answers the next of `answers`: a status, or a problem in words; then 200.
    """
    world = engine.world
    waiting = list(answers)
    letters = []

    def send(url, letter, timeout_s):
        letters.append((url, letter, timeout_s))
        status = waiting.pop(0) if waiting else 200
        if isinstance(status, str):
            return RemoteResponse(problem=status, elapsed_ms=5000)
        return RemoteResponse(status=status, elapsed_ms=12)

    while (taken := world.outbox.take_due(world.clock.now())) is not None:
        world.outbox.attempt(taken, send)
    return letters


def carried(*answers):
    """A step that delivers what is due, answered like that, and cites what all attempts rest on."""

    def step(engine):
        carry(engine, *answers)
        deliveries = control_of(engine).webhooks.deliveries()
        claims = (claim for d in deliveries for attempt in d.attempts for claim in attempt.claims)
        return Response(status=200, claims=tuple(dict.fromkeys(claims)))

    return step


def webhook_threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def is_quiet():
    for thread in webhook_threads():
        thread.join(10)
    return webhook_threads() == []
