"""Neighbouring releases share one database, in a rolling deploy and after a rollback.

The other release is a commit of this repository; from the first tag on, the last tag.
"""

import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import sqlalchemy

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("release_program.py")
FORMER = "e229bafbe"
KINDS = ["former", "this", "later"]


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    """The folder with the packages of the earlier release."""
    command = ["git", "-C", ROOT, "archive", FORMER, "facematch_core"]
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode == 0:
            folder = tmp_path_factory.mktemp("former")
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
                archive.extractall(folder, filter="data")
            return folder
    pytest.skip(f"The commit {FORMER} is not in this checkout: git fetch --unshallow")


class Shop:
    """A process with one release."""

    def __init__(self, kind, source, address, folder):
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", PROGRAM, address, folder, kind],
            env={**os.environ, "PYTHONPATH": str(source)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(self._process.stdout.readline()).startswith(str(source))

    def ask(self, *command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(60) == 0


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_address(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.mark.parametrize("order", [KINDS, KINDS[::-1]], ids=["oldest first", "newest first"])
def test_neighbouring_releases_share_one_database(former, shared_address, order, tmp_path):
    sources = {"former": former, "this": ROOT, "later": ROOT}
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    with contextlib.ExitStack() as stack:
        shops = {}
        for kind in order:
            shops[kind] = Shop(kind, sources[kind], shared_address, vendor)
            stack.callback(shops[kind].close)
        engine = sqlalchemy.create_engine(shared_address)
        stack.callback(engine.dispose)
        spent = 0
        for beginner, reader in itertools.permutations(KINDS, 2):
            customer = f"{beginner} to {reader}"
            first, second = shops[beginner], shops[reader]
            session_id = first.ask("begin", customer)
            spent += 1
            assert second.ask("begin", customer) == session_id, "one open session for both"
            finish(vendor, session_id)
            assert second.ask("look", customer) is True
            assert [shop.ask("state", customer) for shop in shops.values()] == ["decided"] * 3
            assert second.ask("use", customer) is True
            assert [shop.ask("use", customer) for shop in shops.values()] == [False] * 3
            assert [shop.ask("spent") for shop in shops.values()] == [[spent]] * 3
            if beginner == "later":
                assert column_of(engine, session_id) == "x"
                # The former release writes only the fields that it knows.
                record = record_of(engine, session_id)
                assert record.get("later") == (None if reader == "former" else 1)
        assert shops[order[0]].ask("forget") == spent
        assert list(vendor.iterdir()) == []


def finish(vendor, session_id):
    """Let the person finish the session."""
    file = vendor / f"{session_id}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "state": "decided"}))


def column_of(engine, session_id):
    return select(engine, "later", session_id)


def record_of(engine, session_id):
    return json.loads(select(engine, "record", session_id))


def select(engine, column, session_id):
    query = f"SELECT {column} FROM facematch_sessions WHERE session_id = :id"
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(query), {"id": session_id}).scalar_one()
