"""What several tests of the local engine share; all of them need the extra `local`."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("dlib", reason="the extra `local` is not installed")
pytest.importorskip("facematch_local._runtime", reason="the extra `local` is not installed")

from facematch_local._engine import Engine

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def engine():
    """One engine for all tests; loading takes half a second."""
    return Engine()


@pytest.fixture(scope="session")
def photographs():
    """The sample photographs by name, as bytes."""
    paths = sorted((ROOT / "docs" / "photographs").glob("*.jpg"))
    if not paths:
        pytest.skip("the sample photographs are not part of this copy of the project")
    return {path.stem: path.read_bytes() for path in paths}


@pytest.fixture(scope="session")
def faces(photographs):
    """The sample photographs that show at least one face."""
    return {name: data for name, data in photographs.items() if name != "no-face-cat"}
