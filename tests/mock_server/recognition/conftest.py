"""One world's decider, and short ways to ask it."""

import pytest

from facematch_mock_server.recognition.recognizer import PictureRecognizer


@pytest.fixture
def deciding():
    """One world's decider."""
    return PictureRecognizer()


@pytest.fixture
def match(deciding):
    """Compare two pictures, not turned."""
    return lambda probe, reference: deciding.match(probe, reference, rotate=False)


@pytest.fixture
def liveness(deciding):
    """Check one picture, not turned."""
    return lambda probe: deciding.liveness(probe, rotate=False)
