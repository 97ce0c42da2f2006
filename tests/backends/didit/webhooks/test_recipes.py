"""The recipes of docs/how-to/receive-webhooks.md, behind the frameworks' own test clients."""

import asyncio
import datetime as dt
import importlib
import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "receive-webhooks.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECRET = "an-example-of-a-webhook-secret"
MODULES = ("jobs", "receive", "app_flask", "app_fastapi", "app_django")


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Imports a module of the page; all its files lie in the current folder."""
    for name, text in BLOCK.findall(PAGE.read_text()):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
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
    django = pytest.importorskip("django")
    from django.conf import settings
    from django.test import Client, override_settings
    from django.urls import clear_url_caches

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["testserver"],
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
            ROOT_URLCONF="app_django",
        )
        django.setup()
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
def genuine(delivery):
    """A delivery of this second, signed with the secret of the page."""
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    return body, delivery.signed(body, secret=SECRET)


def test_a_genuine_delivery_is_queued_once(post, recipe, genuine):
    """The second time there is nothing to do, and that is said with 200."""
    assert post(*genuine) == 204
    assert post(*genuine) == 200
    assert [event.vendor_status for event in recipe("jobs").queue] == ["Declined"]


def test_the_v2_signature_is_enough(post, recipe, delivery, genuine):
    """As behind a proxy that writes JSON anew."""
    body, _ = genuine
    assert post(body, delivery.signed(body, secret=SECRET, only=["v2"])) == 204
    assert [event.signature for event in recipe("jobs").queue] == ["v2"]


def test_what_is_refused(post, recipe, delivery, genuine):
    """A stranger's, an old one, none at all, and one that is too large."""
    body, headers = genuine
    assert post(body, delivery.signed(body, secret="guessed")) == 401
    assert post(body.replace(b"Declined", b"Approved"), headers) == 401
    assert post(delivery.vector, delivery.signed(delivery.vector, secret=SECRET)) == 401
    assert post(body, delivery.signed(body, secret=SECRET, only=["simple"])) == 401
    assert post(body, {}) == 401
    assert post(b"{}", headers) == 400
    assert post(body + b" " * 2**20, headers) == 413
    assert recipe("jobs").queue == []


def test_a_test_delivery_is_not_acted_on(post, recipe, genuine):
    """Somebody pressed the button in the console."""
    body, headers = genuine
    assert post(body, headers | {"X-Didit-Test-Webhook": "true"}) == 204
    assert recipe("jobs").queue == []


def test_didit_tries_again_after_a_failure(post, recipe, genuine, monkeypatch):
    """The queue is down: 500, and the next try is taken."""
    module = recipe("receive")
    right = module.enqueue

    def broken(event):
        raise OSError("the queue is down")

    monkeypatch.setattr(module, "enqueue", broken)
    try:
        status = post(*genuine)
    except OSError:
        status = 500  # FastAPI leaves the exception to the server, which answers with it
    assert status == 500
    monkeypatch.setattr(module, "enqueue", right)
    assert post(*genuine) == 204
