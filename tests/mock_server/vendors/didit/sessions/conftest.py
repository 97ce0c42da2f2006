"""A world with a comparison and a liveness check in it, and steps on their sessions."""

import json

import pytest
from kit import mock_didit as didit
from kit.mock_didit import liveness, match, picture


@pytest.fixture
def engine():
    """Session 1 is an approved comparison, session 2 a declined liveness check."""
    return saved()


@pytest.fixture
def world_of():
    """As `engine`, with settings."""
    return saved


@pytest.fixture
def told():
    """Status and decoded body of a step."""
    return answered


def saved(**settings):
    """An engine over a new world with two sessions."""
    engine = didit.new_engine(**settings)
    engine.handle(match(picture(score=55.5), vendor_data="emp-0042", metadata='{"gate":"north"}'))
    engine.handle(liveness(picture(score=12, faces=2)))
    return engine


def answered(engine, step):
    """Status and decoded body; a page as text."""
    response = step(engine) if callable(step) else engine.handle(step)
    kind = response.header("Content-Type")
    body = json.loads(response.body) if kind == "application/json" else response.body.decode()
    return response.status, body
