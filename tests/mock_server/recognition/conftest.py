import pytest

from facematch_mock_server.recognition.recognizer import Recognizer


class Deciding(Recognizer):
    """A recognizer whose outcomes are set as a test does it."""

    def set_outcome(self, kind, **fields):
        self.waiting.add(self.make_outcome(kind, **fields))


@pytest.fixture
def deciding():
    return Deciding()


@pytest.fixture
def match(deciding):
    return lambda probe, reference: deciding.match(probe, reference, rotate=False)


@pytest.fixture
def liveness(deciding):
    return lambda probe: deciding.liveness(probe, rotate=False)
