"""How the page on sessions and webhooks receives, behind the frameworks' own test clients."""

import asyncio
import datetime as dt
import importlib
import re
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from kit import django_settings

PAGE = Path(__file__).parents[4] / "docs" / "apps" / "didit-sessions-and-webhooks.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECRET = "an-example-of-a-webhook-secret"
#: What the page leaves to the reader, and the frameworks of which it has one line.
YOURS = {
    "app_flask.py": """
from flask import Flask, request
from receive import receive

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 262_144


@app.post("/didit")
def didit():
    return "", receive(request.get_data(), request.headers)
""",
    "app_django.py": """
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from receive import receive


@csrf_exempt
@require_POST
def didit(request):
    return HttpResponse(status=receive(request.body, request.headers))


urlpatterns = [path("didit", didit)]
""",
}
MODULES = ("receive", "app_flask", "app_fastapi", "app_django")


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Imports a module of the page."""
    for name, text in [*YOURS.items(), *BLOCK.findall(PAGE.read_text())]:
        path = tmp_path / name
        path.write_text(text)
    monkeypatch.setenv("DIDIT_WEBHOOK_SECRET", SECRET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def flask_client(recipe):
    """Posts a body with headers to the recipe for Flask; the status."""
    pytest.importorskip("flask")
    client = recipe("app_flask").app.test_client()
    return lambda body, headers: client.post("/didit", data=body, headers=headers).status_code


def fastapi_client(recipe):
    """The same for FastAPI, through ASGI itself."""
    pytest.importorskip("fastapi")
    app = recipe("app_fastapi").app

    async def post(body, headers):
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

    return lambda body, headers: asyncio.run(post(body, headers))


def django_client(recipe):
    """The same for Django; nothing but the recipe lifts its CSRF check."""
    pytest.importorskip("django")
    from django.test import Client, override_settings
    from django.urls import clear_url_caches

    django_settings.configure()
    recipe("app_django")
    clear_url_caches()
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)

    def post(body, headers):
        with override_settings(ROOT_URLCONF="app_django"):
            type_ = "application/json"
            return client.post("/didit", body, content_type=type_, headers=headers).status_code

    return post


@pytest.fixture(params=[flask_client, fastapi_client, django_client])
def post(request, recipe):
    """Posts a delivery to one recipe; the status of the answer."""
    return request.param(recipe)


@pytest.fixture
def queue(recipe, monkeypatch):
    """What the recipe enqueues."""
    events = []
    monkeypatch.setattr(recipe("receive"), "enqueue", events.append)
    return events


@pytest.fixture
def genuine(delivery):
    """A delivery of this second, signed with the secret of the page."""
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    return body, delivery.signed(body, secret=SECRET)


def test_a_genuine_delivery_is_queued_once(post, queue, genuine):
    """The second time there is nothing to do, and that is said with 200."""
    assert post(*genuine) == 204
    assert post(*genuine) == 200
    assert [event.vendor_status for event in queue] == ["Declined"]


def test_the_v2_signature_is_enough(post, queue, delivery, genuine):
    """As behind a proxy that writes JSON anew."""
    body, _ = genuine
    assert post(body, delivery.signed(body, secret=SECRET, only=["v2"])) == 204
    assert [event.signature for event in queue] == ["v2"]


def test_what_is_refused(post, queue, delivery, genuine):
    """A stranger's, an old one, none at all, and one that is too large."""
    body, headers = genuine
    assert post(body, delivery.signed(body, secret="guessed")) == 401
    assert post(body.replace(b"Declined", b"Approved"), headers) == 401
    assert post(delivery.vector, delivery.signed(delivery.vector, secret=SECRET)) == 401
    assert post(body, delivery.signed(body, secret=SECRET, only=["simple"])) == 401
    assert post(body, {}) == 401
    assert post(b"{}", headers) == 400
    assert post(body + b" " * 2**20, headers) == 413
    assert queue == []


def test_a_test_delivery_is_not_acted_on(post, queue, genuine):
    """Somebody pressed the button in the console."""
    body, headers = genuine
    assert post(body, headers | {"X-Didit-Test-Webhook": "true"}) == 204
    assert queue == []


def test_didit_tries_again_after_a_failure(post, recipe, genuine, monkeypatch):
    """Nothing takes the event: 500, and the next try is accepted."""
    try:
        status = post(*genuine)
    except NotImplementedError:
        status = 500  # FastAPI leaves the exception to the server, which answers with it
    assert status == 500
    monkeypatch.setattr(recipe("receive"), "enqueue", lambda event: None)
    assert post(*genuine) == 204


def test_of_many_at_once_one_is_queued(recipe, queue, genuine):
    """However many handlers get one delivery at the same moment, one acts on it."""
    receive = recipe("receive").receive
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: receive(*genuine), range(8)))
    assert sorted(statuses) == [200] * 7 + [204]
    assert len(queue) == 1


def test_keys_are_forgotten_when_they_are_over(recipe, queue, genuine):
    """What is remembered is digests and times, and does not grow for ever."""
    remembering = recipe("receive").remembering
    now = dt.datetime.now(dt.UTC)
    with closing(sqlite3.connect(":memory:")) as database:
        seen = remembering(database)
        assert seen("old", now - dt.timedelta(seconds=1))
        assert seen("key", now + dt.timedelta(hours=1))
        assert not seen("key", now + dt.timedelta(hours=1))
        assert database.execute("SELECT key FROM seen").fetchall() == [("key",)]
