import pytest

from facematch_mock_server.recognition.recognizer import Recognizer


@pytest.fixture
def deciding():
    return Recognizer()


@pytest.fixture
def match(deciding):
    return lambda probe, reference: deciding.match(probe, reference, rotate=False)


@pytest.fixture
def liveness(deciding):
    return lambda probe: deciding.liveness(probe, rotate=False)
