"""How the page on Didit's account receives."""

import datetime as dt
import importlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "didit-account.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SECRET = "an-example-of-a-webhook-secret"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """The module of the page."""
    for name, text in BLOCK.findall(PAGE.read_text()):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("DIDIT_WEBHOOK_SECRET", SECRET)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module("receive")
    sys.modules.pop("receive", None)


@pytest.fixture
def queue(recipe, monkeypatch):
    events = []
    monkeypatch.setattr(recipe, "enqueue", events.append)
    return events


@pytest.fixture
def genuine(delivery):
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    return body, delivery.signed(body, secret=SECRET)


def test_a_genuine_delivery_is_queued_once(recipe, queue, genuine):
    assert recipe.receive(*genuine) == 204
    assert recipe.receive(*genuine) == 200
    assert [event.vendor_status for event in queue] == ["Declined"]


def test_what_is_not_genuine_is_answered_by_its_fault(recipe, queue, delivery, genuine):
    body, headers = genuine
    post = recipe.receive
    assert post(body, delivery.signed(body, secret="guessed")) == 401
    assert post(body.replace(b"Declined", b"Approved"), headers) == 401
    assert post(delivery.vector, delivery.signed(delivery.vector, secret=SECRET)) == 401
    assert post(body, delivery.signed(body, secret=SECRET, only=["simple"])) == 401
    assert post(body, {}) == 401
    assert post(b"{}", headers) == 400
    assert post(body + b" " * 2**20, headers) == 413
    assert queue == []


def test_didit_tries_again_after_a_failure(recipe, genuine, monkeypatch):
    with pytest.raises(NotImplementedError):  # the server answers it with 500
        recipe.receive(*genuine)
    monkeypatch.setattr(recipe, "enqueue", lambda event: None)
    assert recipe.receive(*genuine) == 204


def test_of_many_at_once_one_is_queued(recipe, queue, genuine):
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: recipe.receive(*genuine), range(8)))
    assert sorted(statuses) == [200] * 7 + [204]
    assert len(queue) == 1
