"""The backend `local` keeps the contract that every plug-in keeps.

There is no vendor behind it, so the pictures decide what happens; what only a vendor can do
(refuse a key, lose an answer) is skipped and says so.
"""

import threading
from pathlib import Path

import pytest

from facematch_core import Image
from facematch_core.testing import BackendContract, Situation, VendorDouble
from facematch_local import LocalBackend

PHOTOS = Path(__file__).parents[3] / "docs" / "photographs"

PICTURES = {
    Situation.SAME_PERSON: ("Family1-Dad1", "Family1-Dad2"),
    Situation.DIFFERENT_PEOPLE: ("grace-hopper", "eileen-collins"),
    Situation.NO_FACE: ("no-face-cat", "grace-hopper"),
    Situation.TWO_FACES: ("four-people", "Family1-Dad1"),
    Situation.TURNED: ("grace-hopper", "grace-hopper-card"),
}


class CountedBackend(LocalBackend):
    """Counts the calls that it begins to work on; nothing is remembered between them."""

    def __init__(self, double, **settings):
        super().__init__(**{"cached_pictures": 0} | settings)
        self._double = double
        # One engine for all: loading it takes half a second.
        self._engine = double.engine

    def match(self, call):
        with self._double.lock:
            self._double.requests_seen += 1
        return super().match(call)

    def close(self):
        self._cache.clear()


class LocalDouble(VendorDouble):
    """The engine itself."""

    situations = frozenset(PICTURES)
    charges = 0
    requests_seen = 0

    def __init__(self, engine):
        self.engine = engine
        self.lock = threading.Lock()
        self._situation = Situation.SAME_PERSON

    def backend(self, **settings):
        return CountedBackend(self, **settings)

    def prepare(self, situation, *, score=None):
        self._situation = situation

    def pictures(self):
        return self.pictures_for(Situation.SAME_PERSON)

    def pictures_for(self, situation):
        probe, reference = (
            Image.read(PHOTOS / f"{name}.jpg")
            for name in PICTURES.get(situation, PICTURES[Situation.SAME_PERSON])
        )
        if situation is Situation.TURNED:
            probe = Image.from_pil(probe.to_pil().rotate(90, expand=True))
        return probe, reference


@pytest.fixture(scope="module")
def engine():
    """Loaded once for all rules."""
    backend = LocalBackend()
    yield backend._engine
    backend.close()


class TestContract(BackendContract):
    @pytest.fixture
    def double(self, engine):
        with LocalDouble(engine) as double:
            yield double
