import pytest

from facematch_mock_server.recognition.outcomes import SetOutcome
from facematch_mock_server.recognition.recognizer import Recognizer


class Deciding(Recognizer):
    """A recognizer whose outcomes are set as a test does it."""

    def set_outcome(self, kind, *digests, **fields):
        self.outcome_queue.add(SetOutcome(kind=kind, digests=digests, **fields))


@pytest.fixture
def deciding():
    return Deciding()


@pytest.fixture
def match(deciding):
    return lambda probe, reference: deciding.match(probe, reference, rotate=False)


@pytest.fixture
def liveness(deciding):
    return lambda probe: deciding.liveness(probe, rotate=False)
