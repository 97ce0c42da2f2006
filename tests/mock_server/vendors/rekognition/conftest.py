import pytest
from vendors.rekognition import boto

from facematch_mock_server import MockServer


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition", seed=7) as server:
        yield server


@pytest.fixture
def client(mock):
    """A client; each answer is judged by botocore's model, as all answers of the mock."""
    with boto(mock.url) as client:
        yield client
