"""How the page on sessions and webhooks receives."""

import asyncio
import datetime as dt
import importlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[4] / "docs" / "apps" / "didit-sessions-and-webhooks.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECRET = "an-example-of-a-webhook-secret"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Imports a module of the page."""
    for name, text in BLOCK.findall(PAGE.read_text()):
        path = tmp_path / name
        path.write_text(text)
    monkeypatch.setenv("DIDIT_WEBHOOK_SECRET", SECRET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module
    for name in ("receive", "app_fastapi"):
        sys.modules.pop(name, None)


@pytest.fixture
def post(recipe):
    """Posts a delivery to the recipe for FastAPI, through ASGI itself; the status of the answer."""
    pytest.importorskip("fastapi")
    app = recipe("app_fastapi").app

    async def posted(body, headers):
        names = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1"}
        scope |= {"method": "POST", "path": "/didit", "query_string": b"", "headers": names}
        halves = [body[: len(body) // 2], body[len(body) // 2 :]]
        pieces = [
            {"type": "http.request", "body": half, "more_body": half is halves[0]}
            for half in halves
        ]
        sent = []

        async def receive():
            return pieces.pop(0)

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent[0]["status"]

    return lambda body, headers: asyncio.run(posted(body, headers))


@pytest.fixture
def queue(recipe, monkeypatch):
    events = []
    monkeypatch.setattr(recipe("receive"), "enqueue", events.append)
    return events


@pytest.fixture
def genuine(delivery):
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    return body, delivery.signed(body, secret=SECRET)


def test_a_genuine_delivery_is_queued_once(post, queue, genuine):
    assert post(*genuine) == 204
    assert post(*genuine) == 200
    assert [event.vendor_status for event in queue] == ["Declined"]


def test_what_is_not_genuine_is_answered_by_its_fault(post, queue, delivery, genuine):
    body, headers = genuine
    assert post(body, delivery.signed(body, secret="guessed")) == 401
    assert post(body.replace(b"Declined", b"Approved"), headers) == 401
    assert post(delivery.vector, delivery.signed(delivery.vector, secret=SECRET)) == 401
    assert post(body, delivery.signed(body, secret=SECRET, only=["simple"])) == 401
    assert post(body, {}) == 401
    assert post(b"{}", headers) == 400
    assert post(body + b" " * 2**20, headers) == 413
    assert queue == []


def test_didit_tries_again_after_a_failure(post, recipe, genuine, monkeypatch):
    with pytest.raises(NotImplementedError):  # the server answers it with 500
        post(*genuine)
    monkeypatch.setattr(recipe("receive"), "enqueue", lambda event: None)
    assert post(*genuine) == 204


def test_of_many_at_once_one_is_queued(recipe, queue, genuine):
    receive = recipe("receive").receive
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: receive(*genuine), range(8)))
    assert sorted(statuses) == [200] * 7 + [204]
    assert len(queue) == 1
