"""What tests of one vendor's mock need: each module, or its folder, has a fixture `engine`."""

import pytest
from kit.mock_world import control_of


@pytest.fixture
def control(engine):
    return control_of(engine)


@pytest.fixture
def people(control):
    """The verbs that act as the person of a hosted session."""
    return control.sessions
