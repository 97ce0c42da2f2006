"""The page's programs: two Dask workers verify pairs with one budget in PostgreSQL."""

import contextlib
import importlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from kit.comparison.studies import write_study
from system.test_postgres import find, running_server

from facematch_comparison import read_scores
from facematch_core.store import SqlStore
from facematch_mock_server import MockServer

pytest.importorskip("distributed")

PAGE = Path(__file__).parents[2] / "docs" / "choose" / "compare-vendors.md"


@contextlib.contextmanager
def started(*words, until):
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "distributed.cli." + words[0], *words[1:]],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    rest = threading.Thread(target=process.stderr.read)
    try:
        match = next(filter(None, (re.search(until, line) for line in process.stderr)), None)
        rest.start()
        assert match is not None, f"{words[0]} did not start"
        yield match[0]
    finally:
        process.kill()
        process.wait()
        rest.join()
        process.stderr.close()


@pytest.fixture
def cluster(tmp_path):
    here = ("--host", "127.0.0.1", "--no-dashboard")
    with contextlib.ExitStack() as stack:
        words = ("dask_scheduler", *here, "--port", "0", "--no-show")
        address = stack.enter_context(started(*words, until=r"tcp://127\.0\.0\.1:\d+"))
        for name in ("one", "two"):
            place = ("--local-directory", str(tmp_path / name), "--name", name)
            words = ("dask_worker", address, *here, "--no-nanny", "--nthreads", "1", *place)
            stack.enter_context(started(*words, until="Registered to:"))
        yield address


def test_two_workers_never_exceed_their_shared_budget(
    cluster, tmp_path, monkeypatch, missing_program
):
    if find("initdb") is None:
        missing_program("the server of PostgreSQL")
    blocks = re.findall(r'```python title="(.*?)"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    study = importlib.import_module("study")
    pairs = [
        (number, str(pair.probe), str(pair.reference), int(pair.mated))
        for number, pair in enumerate(write_study(tmp_path / "faces", pairs=12).pairs)
    ]
    with running_server() as server, MockServer(vendor="didit") as didit:
        store = server.new_database()
        settings = {"api_key": didit.live_key, "base_url": didit.url, "environment": "mock"}
        frame = study.verify_on(cluster, store, "didit", pairs, settings, cap=9, size=2)
        with contextlib.closing(SqlStore(store)) as opened:
            (budget,) = opened.budgets()
    assert sorted(frame["pair"]) == [*range(12)]
    assert (frame["error"] == "BudgetExceeded").sum() == 3
    assert (budget.spent, budget.reserved, budget.unknown) == (9, 0, 0)
    (answers,) = read_scores(frame)
    assert answers.answered.sum() == 9
