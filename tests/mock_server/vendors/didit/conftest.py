"""One world for each test, and what to ask of it."""

import json

import pytest
from kit import mock_didit as didit


@pytest.fixture
def ask():
    """Ask a new world: (status, decoded body, response)."""

    def asked(*requests, **settings):
        engine = didit.new_engine(**settings)
        for request in requests:
            response = engine.handle(request)
        kind = response.header("Content-Type")
        body = json.loads(response.body) if kind == "application/json" else response.body.decode()
        return response.status, body, response

    return asked
