"""What every test shares."""

import atexit
import contextlib
import functools
import gc
import importlib.metadata
import os
import shutil
import socket
import tempfile
from importlib import import_module

# Until all tests are collected: nearly all of what imports and collection make stays to the end.
gc.disable()
# Before stevedore is imported: its cache on disk compares file times too coarsely for tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="facematch-cache-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
# Many systems let a user's group write to new files, and such a configuration is refused.
os.umask(os.umask(0o022) | 0o022)
# The workers of pytest-xdist have it, and lines are as wide as it says.
os.environ.pop("COLUMNS", None)
for variable in ("FACEMATCH_CONFIG", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(variable, None)
# Before numpy and OpenCV are imported: of several threads, those that wait for the others take a
# core as well.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OPENCV_FOR_THREADS_NUM"] = "1"

import botocore.loaders
import hypothesis
import pytest

# Their `assert` shows both values, as in a test.
pytest.register_assert_rewrite("kit", "vendors")

from kit.fakes import FakeBackend

from facematch_core import FaceVerifier
from facematch_core.testing import ManualClock
from facematch_core.testing.bench import Bench

pytest_plugins = ["kit.definitions.judge", "kit.limits", "kit.slow"]

# `facematch doctor` reads the metadata of every installed package, which takes a third of a second.
importlib.metadata.packages_distributions = functools.cache(
    importlib.metadata.packages_distributions
)


def read_once(name):
    """Each list of plug-ins reads the metadata of nearly two hundred packages."""
    own = getattr(importlib.metadata.Distribution, name).fget
    read = functools.cache(lambda path: own(importlib.metadata.PathDistribution(path)))
    once = property(lambda distribution: read(distribution._path))  # noqa: SLF001 - their only key
    setattr(importlib.metadata.PathDistribution, name, once)


read_once("entry_points")
read_once("metadata")
# Each session of botocore reads the same large files.
botocore.loaders.create_loader = functools.cache(botocore.loaders.create_loader)

QUIET = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
#: Most faults show in the first examples, and `make test-long` tries two thousand.
PROFILES = {"default": {"derandomize": True, "max_examples": 16}, "long": {"max_examples": 2000}}
for name, profile in PROFILES.items():
    about = {"deadline": None, "suppress_health_check": QUIET, **profile}
    hypothesis.settings.register_profile(name, **about)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


#: What every test of a folder is marked with.
MARKS = {"tests/system/": pytest.mark.system, "tests/examples/": pytest.mark.docs}


def pytest_collection_modifyitems(items):
    """Some folders are run by a command of their own."""
    for item in items:
        for folder, mark in MARKS.items():
            if item.nodeid.startswith(folder):
                item.add_marker(mark)


def pytest_collection_finish():
    """What was collected stays until the end: no later garbage collection looks at it again.

    And it looks less often by itself, because it is called after each module.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


@pytest.fixture
def at_end():
    """An `ExitStack`: closes at the end whatever a test opens."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def bench_of(at_end):
    """Open a bench, with a vendor's simulator and the backend under test."""

    def open_bench(vendor):
        simulator_class = getattr(import_module(f"vendors.{vendor}"), f"{vendor.title()}Simulator")
        bench = Bench(at_end.enter_context(simulator_class()))
        at_end.callback(bench.close)
        return bench

    return open_bench


@pytest.fixture(scope="session")
def local_models():
    """The models of the backend `local` stay loaded: loading takes a quarter of a second."""
    with contextlib.closing(pytest.importorskip("facematch_local.engine").Engine()) as engine:
        engine.load()
        yield


@pytest.fixture
def clock():
    """Time that stands still until the test moves it, or somebody sleeps."""
    return ManualClock()


@pytest.fixture
def address(tmp_path):
    """Where a store may be made."""
    return f"sqlite:///{tmp_path}/attempts.sqlite3"


@pytest.fixture(autouse=True, scope="module")
def _nothing_left():
    """What a module left unclosed is reported there; what it keeps is looked at no more."""
    yield
    gc.collect()
    gc.freeze()


_connect = socket.socket.connect


def _loopback_only(self, address):
    """Refuse to leave this machine, whatever a test does."""
    here = self.family == getattr(socket, "AF_UNIX", None)  # which Windows has not
    if not here and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"a test tried to reach {address[0]}")
    return _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def _no_network():
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _loopback_only)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _own_home(request, monkeypatch, _empty_home):
    """No test reads the configuration of whoever runs it.

    A test with a folder of its own lives there. All others share one, in which nobody may write:
    to make and remove a folder for each of thousands takes longer than most of them do.
    """
    has_folder = "tmp_path" in request.fixturenames
    home = request.getfixturevalue("tmp_path") if has_folder else _empty_home
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("HOME", str(home))
    yield
    if not has_folder:
        assert os.listdir(home) == [], "a test that writes into its home needs tmp_path"  # noqa: PTH208


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
def verifier(backend):
    with FaceVerifier(backend) as opened:
        yield opened
