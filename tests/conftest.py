"""What every test shares."""

import atexit
import gc
import os
import shutil
import socket
import tempfile

# Before stevedore is imported: its cache on disk compares file times too coarsely for tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="facematch-cache-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
# The workers of pytest-xdist have it, and lines are as wide as it says.
os.environ.pop("COLUMNS", None)
for variable in ("FACEMATCH_CONFIG", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(variable, None)

import hypothesis
import pytest
from fakes import FakeBackend

from facematch_core import FaceVerifier
from facematch_deepvue import _tokens

QUIET = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile(
    "default", derandomize=True, deadline=None, suppress_health_check=QUIET
)
hypothesis.settings.register_profile(
    "long", max_examples=2000, deadline=None, suppress_health_check=QUIET
)
#: That a test fails is enough for tests/mutation; nobody reads the smallest example.
hypothesis.settings.register_profile(
    "mutants",
    derandomize=True,
    deadline=None,
    suppress_health_check=QUIET,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_finish():
    """What was collected stays until the end: no later garbage collection looks at it again.

    And it looks less often by itself, because it is called after each module.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="module")
def _nothing_left():
    """What a module left unclosed is told there; what it keeps is looked at no more."""
    yield
    gc.collect()
    gc.freeze()


_connect = socket.socket.connect


def _loopback_only(self, address):
    """Refuse to leave this machine, whatever a test does."""
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
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
    own = "tmp_path" in request.fixturenames
    home = request.getfixturevalue("tmp_path") if own else _empty_home
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("HOME", str(home))
    yield
    if not own:
        assert os.listdir(home) == [], "a test that writes into its home needs tmp_path"  # noqa: PTH208


@pytest.fixture(autouse=True)
def _no_tokens_of_other_tests(monkeypatch):
    """Backends of one client share a token; those of two tests may not.

    Each mock makes the same client from the same seed, and a test that failed, or whose backend
    waits for the garbage collector, would hand a token to the next that this one's mock refuses.
    """
    monkeypatch.setattr(_tokens, "_SHARED", type(_tokens._SHARED)())


@pytest.fixture
def backend():
    """A scripted backend."""
    return FakeBackend()


@pytest.fixture
def verifier(backend):
    """A verifier over the scripted backend."""
    with FaceVerifier(backend) as opened:
        yield opened
