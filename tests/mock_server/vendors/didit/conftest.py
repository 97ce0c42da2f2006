"""Worlds of the mock, and short ways to ask them."""

import pytest
from kit import mock_world
from kit.mock_world import START, new_engine, scene
from vendors.didit import liveness_request, match_request

from facematch_mock_server import MockServer, VirtualClock


def body_of(response):
    is_json = response.header("Content-Type") == "application/json"
    return response.json() if is_json else response.body.decode()


@pytest.fixture
def ask():
    """Asks a new world: (status, decoded body, response) of the last request."""

    def send(*requests, **settings):
        engine = new_engine(**settings)
        for request in requests:
            response = engine.handle(request)
        return response.status, body_of(response), response

    return send


@pytest.fixture
def engine():
    """Session 1 is an approved comparison, session 2 a declined liveness check."""
    engine = new_engine()
    fields = {"vendor_data": "emp-0042", "metadata": '{"gate":"north"}'}
    engine.handle(match_request(scene(score=55.5), **fields))
    engine.handle(liveness_request(scene(score=12, faces=2)))
    return engine


@pytest.fixture
def answer():
    def answered(engine, step):
        response = mock_world.ask(engine, step)
        return response.status, body_of(response)

    return answered


@pytest.fixture
def mock():
    """A running mock whose clock stands still."""
    with MockServer(clock=VirtualClock(START), seed=3) as server:
        yield server
