"""What a worker does: it opens the engine once, keeps nothing readable, and never raises."""

import pickle
import threading

import attrs
import numpy as np
import pytest
from fakes import FakeBackend, picture
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import __version__, config
from facematch_core.comparison import _worker
from facematch_core.comparison._worker import Engines, Parcel, Recipe, Reply, embed, veiled

RED, BLUE = picture((200, 0, 0)).data, picture((0, 0, 200)).data
KEY = bytes(range(32))


class Engine(FakeBackend):
    """Embeds a picture as its mean colour."""

    opened = 0

    def __init__(self):
        super().__init__()
        type(self).opened += 1
        self.closed = 0

    def embeddings(self, pictures, *, max_workers=None):
        return np.array([np.asarray(one.to_pil(), float).mean((0, 1)) for one in pictures])

    def close(self):
        self.closed += 1

    def diagnose(self):
        return {"model": "m", "library": 3}


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    """The engines of this process, and the one that every name opens."""
    monkeypatch.setattr(config, "backend_class", lambda _name: Engine)
    monkeypatch.setattr(Engine, "opened", 0)
    found = Engines(monotonic=lambda: found.now)
    found.now = 1000.0
    monkeypatch.setattr(_worker, "_ENGINES", found)
    return found


def recipe(token="a", **changed):
    """Of the engine, as the run has it."""
    made = Recipe(
        token=token,
        backend="fake",
        settings={},
        version=__version__,
        diagnosis={"model": "m", "library": "3"},
    )
    return attrs.evolve(made, **changed)


def parcel(*pictures, **changed):
    """On its way."""
    return Parcel(recipe=recipe(**changed), pictures=pictures, key=KEY)


@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32))
def test_a_veil_is_lifted_by_its_key(data, key):
    """And by no other one."""
    hidden = veiled(data, key)
    assert len(hidden) == len(data)
    assert veiled(hidden, key) == data
    if len(data) > 20:
        assert hidden != data
        assert veiled(hidden, key[::-1] + b"x") != data


def test_what_dask_could_write_to_a_file_is_noise():
    """A reply holds the embeddings, and not their bytes."""
    reply = embed(parcel(RED, b"no picture", BLUE))
    rows = reply.opened(KEY)
    assert rows.shape == (3, 3)
    assert rows[0, 0] > 190
    assert rows[2, 2] > 190
    assert np.isnan(rows[1]).all()
    kept = pickle.dumps(reply)
    assert all(row.tobytes()[:8] not in kept for row in rows)
    assert pickle.loads(kept).opened(KEY).tobytes() == rows.tobytes()


def test_nothing_of_a_picture_or_an_embedding_is_shown():
    """Dask writes what tasks are made of into its log."""
    sent, reply = parcel(RED), embed(parcel(RED))
    assert repr(sent) == f"Parcel(recipe={sent.recipe!r})"
    assert "settings" not in repr(sent.recipe)
    assert repr(reply) == "Reply(shape=(1, 3), refusal=None)"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"version": "0.0.1"}, f"facematch is '{__version__}' there and '0.0.1' where the run"),
        ({"diagnosis": {"model": "n", "library": "3"}}, "model is 'm' there and 'n' where"),
        ({"diagnosis": {"model": "m"}}, "library is '3' there and 'not told' where"),
        ({"settings": {"size": 3}}, "has no setting 'size'"),
    ],
)
def test_another_engine_is_refused(changed, words):
    """Its scores could differ; the reason comes back as text."""
    reply = embed(parcel(RED, **changed))
    assert words in reply.refusal
    assert reply.rows == b""


def test_a_bug_is_told_by_its_kind_alone(monkeypatch):
    """What an engine raises may hold a picture."""

    def embeddings(_self, pictures, *, max_workers=None):
        raise RuntimeError(pictures[0].data)

    monkeypatch.setattr(Engine, "embeddings", embeddings)
    assert embed(parcel(RED)) == Reply(refusal="The backend fake failed: RuntimeError.")


def test_each_run_opens_the_engine_once(engines):
    """However many threads ask at a time."""
    threads = [threading.Thread(target=embed, args=(parcel(RED),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Engine.opened == 1
    embed(parcel(RED, token="b"))
    assert Engine.opened == 2


def test_an_engine_is_closed_when_its_run_is_over(engines):
    """After the last who uses it, and once."""
    with engines.opened(recipe()) as backend:
        with engines.opened(recipe()) as same:
            assert same is backend
            engines.forget("a")
        assert backend.closed == 0
    assert backend.closed == 1
    engines.forget("a")
    assert backend.closed == 1
    with engines.opened(recipe()) as another:
        assert another is not backend


def test_what_a_killed_run_left_behind_is_closed(engines):
    """When the next run comes; not what is in use, and not what was used a moment ago."""
    with engines.opened(recipe("killed")) as killed:
        pass
    engines.now += _worker.IDLE_S - 1
    with engines.opened(recipe("other")):
        assert killed.closed == 0
        engines.now += 2
        with engines.opened(recipe("next")):
            assert killed.closed == 1
            engines.now += 1000
            with engines.opened(recipe("next")) as following:
                assert (Engine.opened, following.closed) == (3, 0)
