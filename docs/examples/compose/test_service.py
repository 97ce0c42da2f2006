"""The running application and the running mock, over HTTP, as `compose.yaml` starts them."""

from collections.abc import Iterator
from os import environ
from typing import Any

import httpx
import pytest

from facematch_mock_server import make_card

ADA, ADA_AGAIN, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")


@pytest.fixture
def app() -> Iterator[httpx.Client]:
    """The application."""
    with httpx.Client(base_url=environ["APP_URL"], timeout=30) as client:
        yield client


@pytest.fixture
def mock() -> Iterator[httpx.Client]:
    """The control interface of the mock, as at the beginning."""
    token = {"X-Mock-Token": environ["MOCK_TOKEN"]}
    address = f"{environ['MOCK_URL']}/__mock__"
    with httpx.Client(base_url=address, headers=token, timeout=30) as client:
        client.post("/reset", json={}).raise_for_status()
        yield client


def send(app: httpx.Client, selfie: bytes, document: bytes) -> tuple[int, Any]:
    """Send the form; status and body."""
    files = {"selfie": ("selfie.png", selfie), "document": ("id.png", document)}
    answer = app.post("/verifications", files=files)
    return answer.status_code, answer.json()


def charges(mock: httpx.Client) -> int:
    """How many calls the vendor would have charged."""
    return len(mock.get("/ledger").raise_for_status().json()["entries"])


def test_the_same_person(app: httpx.Client, mock: httpx.Client) -> None:
    """Goes on, for the price of a liveness check and a comparison."""
    assert send(app, ADA, ADA_AGAIN) == (200, {"next": "continue"})
    assert charges(mock) == 2


def test_somebody_else(app: httpx.Client, mock: httpx.Client) -> None:
    """Waits for a person to look."""
    assert send(app, ADA, BOB) == (200, {"next": "wait"})
    assert charges(mock) == 2


def test_the_vendor_is_down(app: httpx.Client, mock: httpx.Client) -> None:
    """What may have been paid is not tried again."""
    fault = {"stage": "mid_body", "kind": "reset", "path": "/v3/face-match/"}
    mock.post("/faults", json=fault).raise_for_status()
    assert send(app, ADA, ADA_AGAIN) == (502, {"next": "wait"})
    assert charges(mock) == 2
