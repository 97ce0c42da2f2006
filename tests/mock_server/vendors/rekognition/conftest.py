import pytest
from kit import mock_rekognition
from kit.mock_rekognition import boto

from facematch_mock_server import MockServer


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition", seed=7) as server:
        yield server


@pytest.fixture
def client(mock):
    with boto(mock.url) as client:
        yield client


@pytest.fixture(scope="session")
def moto():
    with mock_rekognition.moto_server() as url:
        yield url
