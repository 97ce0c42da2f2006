"""`facematch compare run --scheduler`: where pictures go, and who never goes there."""

import sys

import pytest
from core.comparison.running.studies import write_study

from facematch_core.comparison.running import Embedder
from facematch_core.comparison.study._writing import write_pairs_csv


@pytest.fixture
def pairs(tmp_path):
    """A file of six pairs."""
    path = tmp_path / "pairs.csv"
    write_pairs_csv(path, write_study(tmp_path / "pictures"))
    return path


class FakeCluster:
    """Dask's workers, played by this process."""

    is_encrypted = True

    def __init__(self, address):
        self.address = address
        self.workers = {"tls://10.0.0.2:1": 4, "tls://10.0.0.3:1": 4}
        self.is_here = "127.0.0.1" in address
        self.asked = []

    def of(self, turn):
        def embed(paths):
            self.asked += paths
            return turn.contender.verifier.backend.embeddings(paths)

        return Embedder(embed=embed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.address = None


@pytest.fixture
def clusters(monkeypatch):
    """Those that were opened."""
    from facematch_core.comparison import running

    opened = []

    def connect(address):
        opened.append(FakeCluster(address))
        return opened[-1]

    monkeypatch.setattr(running, "Cluster", connect)
    return opened


@pytest.mark.parametrize(
    ("address", "where"),
    [("tls://10.0.0.1:8786", "encrypted"), ("127.0.0.1:8786", "on this machine")],
)
def test_it_tells_where_pictures_go(run, pairs, clusters, address, where):
    """Before anything is sent; each goes there once, and the connection is closed."""
    answer = run("compare", "run", pairs, "--backend", "local", "--scheduler", address)
    assert answer.exit_code == 0, answer.output
    assert (
        f"pictures for local go to 2 Dask workers with 8 threads at {address} ({where})\n"
    ) in answer.stderr
    (cluster,) = clusters
    assert len(cluster.asked) == 12
    assert cluster.address is None


def test_paid_calls_never_go_there(run, pairs, scripted, clusters):
    """Wrong usage, with the reason of each contender; nothing is asked and nobody connects."""
    answer = run("compare", "run", pairs, "--backend", "fake", "--scheduler", "tls://a:1")
    assert answer.exit_code == 2
    assert (
        "--scheduler is for engines of your own, and none of these is one (fake: its calls may be "
        "charged)." in answer.stderr
    )
    assert (scripted.calls, clusters) == ([], [])


def test_without_dask_it_says_what_to_install(run, pairs, monkeypatch):
    """One line, before anything is asked."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    answer = run("compare", "run", pairs, "--backend", "local", "--scheduler", "tls://a:1")
    assert answer.exit_code == 4
    assert 'pip install "facematch-core[cluster]"' in answer.stderr
