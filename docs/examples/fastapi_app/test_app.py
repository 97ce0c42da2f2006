"""The service against the mock: no account, no network, nobody pays."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
from app import Settings, create_app
from fastapi.testclient import TestClient

from facematch_core import Secret
from facematch_mock_server import Fault, MockServer, make_card

ADA, ADA_AGAIN, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")
DIDIT = "https://verification.didit.me"
MATCH = "/v3/face-match/"


@pytest.fixture
def key(didit_mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The key that the service finds in its environment."""
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    return {"x-api-key": didit_mock.live_key}


@pytest.fixture
def secret(key: dict[str, str]) -> str:
    """That of the webhook destination, which is made as in Didit's console."""
    body = {
        "label": "onboarding",
        "url": "https://shop.example.com/didit",
        "subscribed_events": ["status.updated"],
    }
    made = requests.post(f"{DIDIT}/v3/webhook/destinations/", headers=key, json=body, timeout=10)
    return str(made.json()["secret_shared_key"])


@pytest.fixture
def client(secret: str) -> Iterator[TestClient]:
    """The running service."""
    settings = Settings(webhook_secret=Secret(secret), max_body_bytes=200_000)
    with TestClient(create_app(settings)) as opened:
        yield opened


def send(client: TestClient, selfie: bytes, document: bytes) -> Any:
    """Send the form; the answer."""
    files = {"selfie": ("selfie.png", selfie), "document": ("id.png", document)}
    return client.post("/verifications", data={"case": "c1"}, files=files)


def test_the_form_is_shown(client: TestClient) -> None:
    """It names the fields that are read."""
    page = client.get("/").text
    assert all(f"name={name}" in page for name in ("case", "selfie", "document"))


@pytest.mark.parametrize(
    ("document", "word"),
    [(ADA_AGAIN, "continue"), (BOB, "wait"), (make_card("ada", faces=0), "retake")],
)
def test_what_the_browser_learns(client: TestClient, document: bytes, word: str) -> None:
    """One word, and nothing that helps an attacker."""
    answer = send(client, ADA, document)
    assert (answer.status_code, answer.json()) == (200, {"next": word})


@pytest.mark.parametrize(
    ("selfie", "document", "which"),
    [(b"/etc/passwd", ADA, "selfie"), (ADA, b"GIF89a", "document")],
)
def test_a_picture_that_is_none(
    client: TestClient, didit_mock: MockServer, selfie: bytes, document: bytes, which: str
) -> None:
    """422, and nothing was paid."""
    answer = send(client, selfie, document)
    assert (answer.status_code, answer.json()) == (422, {"next": "retake", "picture": which})
    assert didit_mock.control.charges() == ()


def test_a_gigabyte_is_not_read(client: TestClient) -> None:
    """413 as soon as it is too much."""
    assert send(client, ADA, b"\0" * 200_000).status_code == 413


def test_too_many_calls(client: TestClient, didit_mock: MockServer) -> None:
    """503, and when to come again."""
    didit_mock.control.set_limit("write", 0)
    answer = send(client, ADA, ADA_AGAIN)
    assert (answer.status_code, answer.json()) == (503, {"next": "later"})
    assert int(answer.headers["Retry-After"]) > 0


def test_an_outcome_that_is_unknown(client: TestClient, didit_mock: MockServer) -> None:
    """502: it may have been paid, so the browser is not asked to try again."""
    didit_mock.control.add_fault(Fault(stage="mid_body", kind="reset", path=MATCH))
    answer = send(client, ADA, ADA_AGAIN)
    assert (answer.status_code, answer.json()) == (502, {"next": "wait"})
    assert len(didit_mock.control.charges()) == 1


def test_a_verdict_comes_by_webhook(client: TestClient, didit_mock: MockServer) -> None:
    """It is taken once, and only with a signature that fits."""
    send(client, ADA, ADA_AGAIN)

    def deliver(headers: Mapping[str, str], body: bytes) -> int:
        forged = body.replace(b"Approved", b"Declined")
        assert client.post("/didit", headers=headers, content=forged).status_code == 401
        first = client.post("/didit", headers=headers, content=body)
        again = client.post("/didit", headers=headers, content=body)
        assert (first.status_code, again.status_code) == (204, 200)
        return first.status_code

    (delivery,) = didit_mock.control.webhooks.deliver_held(deliver)
    assert delivery.state == "delivered"
    assert client.app.state.verdicts == [("c1", "Approved")]
