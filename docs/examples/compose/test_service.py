"""Test the application and the mock over HTTP, as started by `compose.yaml`."""

from collections.abc import Iterator
from os import environ
from typing import Any

import httpx
import pytest

from facematch_mock_server import make_card

ADA, ADA_AGAIN, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")


@pytest.fixture
def app() -> Iterator[httpx.Client]:
    """An HTTP client for the application."""
    with httpx.Client(base_url=environ["APP_URL"], timeout=30) as client:
        yield client


@pytest.fixture
def mock() -> Iterator[httpx.Client]:
    """An HTTP client for the control interface of the mock, after a reset."""
    token = {"X-Mock-Token": environ["MOCK_TOKEN"]}
    address = f"{environ['MOCK_URL']}/__mock__"
    with httpx.Client(base_url=address, headers=token, timeout=30) as client:
        client.post("/reset", json={}).raise_for_status()
        yield client


def send(app: httpx.Client, selfie: bytes, document: bytes) -> tuple[int, Any]:
    """Send the form; return the status and the body."""
    files = {"selfie": ("selfie.png", selfie), "document": ("id.png", document)}
    answer = app.post("/verifications", files=files)
    return answer.status_code, answer.json()


def charges(mock: httpx.Client) -> int:
    """Return how many calls the vendor would have charged."""
    return len(mock.get("/ledger").raise_for_status().json()["entries"])


def test_the_same_person(app: httpx.Client, mock: httpx.Client) -> None:
    """The customer continues; a liveness check and a comparison are charged."""
    assert send(app, ADA, ADA_AGAIN) == (200, {"next": "continue"})
    assert charges(mock) == 2


def test_somebody_else(app: httpx.Client, mock: httpx.Client) -> None:
    """The customer waits for a review by a person."""
    assert send(app, ADA, BOB) == (200, {"next": "wait"})
    assert charges(mock) == 2


def test_the_vendor_is_down(app: httpx.Client, mock: httpx.Client) -> None:
    """A call that may have been charged is not retried."""
    fault = {"stage": "mid_body", "kind": "reset", "path": "/v3/face-match/"}
    mock.post("/faults", json=fault).raise_for_status()
    assert send(app, ADA, ADA_AGAIN) == (502, {"next": "wait"})
    assert charges(mock) == 2
