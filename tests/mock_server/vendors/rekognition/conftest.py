"""A mock of Rekognition, and boto3 as everybody uses it."""

import pytest
from kit import mock_rekognition
from kit.mock_rekognition import boto

from facematch_mock_server import MockServer


@pytest.fixture
def mock():
    """A server that imitates Rekognition."""
    with MockServer(vendor="rekognition", seed=7) as server:
        yield server


@pytest.fixture
def client(mock):
    """boto3 with retries of its own."""
    with boto(mock.url) as made:
        yield made


@pytest.fixture
def once(mock):
    """boto3 that asks once."""
    with boto(mock.url, retries={"total_max_attempts": 1}) as made:
        yield made


@pytest.fixture(scope="session")
def moto():
    """The address of moto's own server."""
    with mock_rekognition.moto() as url:
        yield url
