"""Two Dask workers, processes of their own, embed photographs; one is killed in the middle."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from facematch_comparison.run import embed
from facematch_comparison.run import embeddings as embedding

pytest.importorskip("distributed")

PHOTOGRAPHS = Path(__file__).parents[2] / "docs" / "photographs"


@contextlib.contextmanager
def started(*words, until):
    """A program of Dask's, and what it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "distributed.cli." + words[0], *words[1:]],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # Else it waits for somebody who reads.
    rest = threading.Thread(target=process.stderr.read)
    try:
        match = next(filter(None, (re.search(until, line) for line in process.stderr)), None)
        rest.start()
        assert match is not None, f"{words[0]} did not start"
        yield process, match[0]
    finally:
        process.kill()
        process.wait()
        rest.join()
        process.stderr.close()


@pytest.fixture
def scheduler():
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    with started("dask_scheduler", *words, until=r"tcp://127\.0\.0\.1:\d+") as (_, address):
        yield address


def worker(scheduler, tmp_path, name):
    """A worker process without a nanny: who kills it, kills it for good."""
    words = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--name", name)
    place = ("--local-directory", str(tmp_path / name), "--host", "127.0.0.1")
    return started("dask_worker", scheduler, *words, *place, until="Registered to:")


def test_a_worker_that_is_killed_changes_no_bit(scheduler, tmp_path, monkeypatch):
    from distributed import Client

    paths = sorted(PHOTOGRAPHS.glob("*.jpg"))
    assert len(paths) > 5
    monkeypatch.setattr(embedding, "PICTURES", 1)
    with (
        worker(scheduler, tmp_path, "one") as (first, _),
        worker(scheduler, tmp_path, "two"),
        Client(scheduler, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=30)

        def kill_when_it_has_done_something():
            address = client.run(os.getpid)
            (mine,) = [where for where, pid in address.items() if pid == first.pid]
            while not any(mine in who for who in client.who_has().values()):
                threading.Event().wait(0.02)
            first.kill()

        killer = threading.Thread(target=kill_when_it_has_done_something)
        killer.start()
        there = embed(paths, dask=client)
        killer.join()
        assert len(client.nthreads()) == 1
    here = embed(paths, workers=1)
    assert first.poll() is not None
    assert there.drop_columns(["elapsed_s"]) == here.drop_columns(["elapsed_s"])
    assert len(set(there.column("engine").to_pylist())) == 1
    notice = there.schema.metadata[b"facematch.privacy"].decode()
    assert notice.endswith("sent embeddings back, not encrypted; nobody else was asked.")


def test_two_processes_embed_as_one_does(tmp_path):
    odd = tmp_path / "odd.jpg"
    odd.write_bytes(b"no picture")
    paths = [*sorted(PHOTOGRAPHS.glob("*.jpg")), odd] * 2
    paths += [PHOTOGRAPHS / "." / f"../photographs/{path.name}" for path in paths[:12]]
    two, single = embed(paths, workers=2), embed(paths, workers=1)
    assert two.drop_columns(["elapsed_s"]) == single.drop_columns(["elapsed_s"])
    assert json.loads(two.column("engine")[0].as_py())["backend"] == "local"
    assert "InvalidImage" in two.column("error").to_pylist()
