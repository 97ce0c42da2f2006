"""What the tests of the local engine share; all of them need the extra `local`."""

import contextlib
from pathlib import Path

import pytest

pytest.importorskip("dlib", reason="the extra `local` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

from facematch_core import FaceVerifier
from facematch_local import LocalBackend

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session", autouse=True)
def backend():
    """Open for all tests: what it has loaded, each other engine of the process shares."""
    with contextlib.closing(LocalBackend(cached_pictures=100)) as opened:
        opened.load()
        yield opened


@pytest.fixture(scope="session")
def verifier(backend):
    """It looks at each photograph once."""
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
    return {name: engine.look(data) for name, data in photographs.items()}
