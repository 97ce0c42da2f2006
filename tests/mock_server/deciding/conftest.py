"""One world's decider, and short ways to ask it."""

import pytest

from facematch_mock_server.deciding import Deciding


@pytest.fixture
def deciding():
    """One world's decider."""
    return Deciding()


@pytest.fixture
def match(deciding):
    """Compare two pictures, not turned."""
    return lambda probe, reference: deciding.match(probe, reference, rotate=False)


@pytest.fixture
def liveness(deciding):
    """Check one picture, not turned."""
    return lambda probe: deciding.liveness(probe, rotate=False)
