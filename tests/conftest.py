"""What every test shares."""

import os
import socket
import tempfile

# Before stevedore is imported: its cache on disk compares file times too coarsely for tests.
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="facematch-cache-")
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
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

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


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test reads the configuration of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))


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
