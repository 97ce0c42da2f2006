"""How the service that the page on Didit's account names receives."""

import datetime as dt
import importlib
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from facematch_core import Secret

SERVICE = Path(__file__).parents[4] / "docs" / "examples" / "fastapi_app"
SECRET = "an-example-of-a-webhook-secret"


@pytest.fixture
def database(tmp_path):
    return str(tmp_path / "verdicts.sqlite3")


@pytest.fixture
def post(database, monkeypatch):
    pytest.importorskip("fastapi")
    monkeypatch.syspath_prepend(SERVICE)
    service = importlib.import_module("app")
    settings = service.Settings(Secret(SECRET), database)
    yield lambda body, headers: service.receive(settings, body, headers)
    del sys.modules["app"]


def verdicts(database):
    with closing(sqlite3.connect(database)) as opened:
        return [status for (status,) in opened.execute("SELECT status FROM verdicts")]


@pytest.fixture
def genuine(delivery):
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    return body, delivery.signed(body, secret=SECRET)


def test_a_genuine_delivery_counts_once(post, database, genuine):
    assert post(*genuine) == 204
    assert post(*genuine) == 200
    assert verdicts(database) == ["Declined"]


def test_what_is_not_genuine_is_answered_by_its_fault(post, database, delivery, genuine):
    body, headers = genuine
    assert post(body, delivery.signed(body, secret="guessed")) == 401
    assert post(body.replace(b"Declined", b"Approved"), headers) == 401
    assert post(delivery.vector, delivery.signed(delivery.vector, secret=SECRET)) == 401
    assert post(body, delivery.signed(body, secret=SECRET, only=["simple"])) == 401
    assert post(body, {}) == 401
    assert post(b"{}", headers) == 401
    assert verdicts(database) == []


def test_didit_tries_again_after_a_failure(post, database, genuine):
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE verdicts (another TEXT)")
    with pytest.raises(sqlite3.OperationalError):  # the server answers it with 500
        post(*genuine)
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("DROP TABLE verdicts")
    assert post(*genuine) == 204


def test_of_many_at_once_one_counts(post, database, genuine):
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: post(*genuine), range(8)))
    assert sorted(statuses) == [200] * 7 + [204]
    assert len(verdicts(database)) == 1
