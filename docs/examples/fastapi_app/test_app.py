"""The service against the mock: no account, no network, nobody pays."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from app import Settings, create_app
from fastapi.testclient import TestClient

from facematch_core import Secret
from facematch_mock_server import Fault, MockServer, make_card

ADA, ADA_AGAIN, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")
MATCH = "/v3/face-match/"


@pytest.fixture
def settings(didit_mock: MockServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Those of the service, whose key is in its environment."""
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    # Nobody listens there: the tests post deliveries themselves.
    hook = didit_mock.control.webhooks.add("http://127.0.0.1:9/didit")
    database = str(tmp_path / "verdicts.sqlite3")
    return Settings(Secret(hook.secret), database, max_body_bytes=200_000)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The running service."""
    with TestClient(create_app(settings)) as opened:
        yield opened


def send(client: TestClient, selfie: bytes, document: bytes) -> Any:
    """Send the form; the answer."""
    files = {"selfie": ("selfie.png", selfie), "document": ("id.png", document)}
    return client.post("/verifications", data={"case": "c1"}, files=files)


@pytest.fixture
def delivery(client: TestClient, didit_mock: MockServer) -> Any:
    """The webhook of one call of a check, as Didit sends it."""
    send(client, ADA, ADA_AGAIN)
    webhooks = didit_mock.control.webhooks
    assert len(webhooks.deliveries()) == 2  # one of each call
    return webhooks.delivery(webhooks.deliveries()[0].id)


def test_the_form_is_shown(client: TestClient) -> None:
    """It names the fields that are read."""
    page = client.get("/").text
    assert all(f"name={name}" in page for name in ("case", "selfie", "document"))


@pytest.mark.parametrize(
    ("selfie", "document", "word"),
    [
        (ADA, ADA_AGAIN, "continue"),
        (ADA, BOB, "wait"),
        (make_card("ada", attack=True), ADA_AGAIN, "wait"),
        (ADA, make_card("ada", faces=0), "retake"),
    ],
)
def test_what_the_browser_learns(
    client: TestClient, selfie: bytes, document: bytes, word: str
) -> None:
    """One word, and nothing that helps an attacker."""
    answer = send(client, selfie, document)
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
    assert len(didit_mock.control.charges()) == 2


def test_a_verdict_comes_by_webhook(client: TestClient, delivery: Any, settings: Settings) -> None:
    """It is taken once, and only with a signature that fits."""
    forged = delivery.body.replace(b"Approved", b"Declined")
    statuses = [
        client.post("/didit", headers=delivery.headers, content=body).status_code
        for body in (forged, delivery.body, delivery.body)
    ]
    assert statuses == [401, 204, 200]
    with closing(sqlite3.connect(settings.database)) as database:
        rows = database.execute("SELECT case_ref, status FROM verdicts").fetchall()
    assert rows == [("c1", "Approved")]


def test_what_failed_is_taken_later_and_of_many_at_once_one(
    client: TestClient, delivery: Any, settings: Settings
) -> None:
    """Didit sends again what was answered with 500."""

    def post(_: int = 0) -> int:
        return client.post("/didit", headers=delivery.headers, content=delivery.body).status_code

    with closing(sqlite3.connect(settings.database)) as database:
        database.execute("CREATE TABLE verdicts (another TEXT)")
    with pytest.raises(sqlite3.OperationalError):
        post()
    with closing(sqlite3.connect(settings.database)) as database:
        database.execute("DROP TABLE verdicts")
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(post, range(8))) == [200] * 7 + [204]
