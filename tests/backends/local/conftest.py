"""Fixtures of the tests of the local engine, which need the extra `local`."""

import contextlib
import functools
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the extra `local` is not installed")

from facematch_core import FaceVerifier
from facematch_local import LocalBackend

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session", autouse=True)
def backend():
    """Stays open for all tests, so that every other engine of the process shares its models."""
    with contextlib.closing(LocalBackend(cached_pictures=100)) as opened:
        opened.load()
        yield opened


@pytest.fixture(scope="session")
def verifier(backend):
    return FaceVerifier(backend)


@pytest.fixture(scope="session")
def engine(backend):
    from facematch_local.engine import Engine

    return Engine()


@pytest.fixture(scope="session")
def photographs():
    paths = sorted((ROOT / "docs" / "photographs").glob("*.jpg"))
    if not paths:
        pytest.skip("the sample photographs are not part of this copy of the project")
    return {path.stem: path.read_bytes() for path in paths}


@pytest.fixture(scope="session")
def seen(engine, photographs):
    """What the engine sees in the photograph of this name."""
    return functools.cache(lambda name: engine.look(photographs[name]))
