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
    with boto(mock.url) as made:
        yield made


@pytest.fixture
def once(mock):
    with boto(mock.url, retries={"total_max_attempts": 1}) as made:
        yield made


@pytest.fixture(scope="session")
def moto():
    with mock_rekognition.moto_server() as url:
        yield url
