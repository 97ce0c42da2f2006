from functools import partial

import pytest
from kit.fakes import FakeBackend, open_profile, picture

import facematch_core as fm
from facematch_core.store import MemoryStore

A, B = picture(), picture((10, 20, 30))

PAIR = {"shop": {"backend": "one", "threshold": 40}, "spare": {"backend": "two", "threshold": 70}}
HA = {**PAIR, "ha": {"members": ["shop", "spare"]}}


class First(FakeBackend):
    name = "one"


class Second(FakeBackend):
    name = "two"


class Closing(FakeBackend):
    name = "closing"
    instances = []  # noqa: RUF012 - emptied by the test that reads it

    def __init__(self):
        super().__init__()
        self.instances.append(self)


class Broken(FakeBackend):
    name = "broken"

    def __init__(self):
        raise fm.ConfigurationError("it lacks a model")


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    classes = {cls.name: cls for cls in (First, Second, Closing, Broken)}

    def find_class(name):
        if name not in classes:
            raise fm.BackendUnavailable(f"No backend is called {name!r}")
        return classes[name]

    monkeypatch.setattr(fm.config.opening, "backend_class", find_class)
    monkeypatch.setattr(fm.config.opening, "_MEMORY", MemoryStore())


@pytest.fixture
def opened(tmp_path, at_end):
    return partial(open_profile, at_end, tmp_path, "ha")


OF_A_MEMBER = {
    "threshold": 50,
    "review_threshold": 50,
    "backend": "one",
    "settings": {},
    "budget": {"cap": 1},
}


@pytest.mark.parametrize(
    ("ha", "says"),
    [
        ({"members": "shop"}, "members must be a list"),
        ({"members": ["shop", 3]}, "members must be a list"),
        ({"members": []}, r"facematch\.toml \[profiles\.ha\]: members is empty"),
        (
            {"members": ["shop", "spare", "shop"]},
            r"\[profiles\.ha\]: members is empty or names a profile twice",
        ),
        ({"members": ["shpo"]}, "'shpo'.*did you mean shop"),
        ({"members": ["ha"]}, "'ha'"),
        ({"members": ["shop", "other"]}, "'other'"),
        *(({"members": ["shop"], name: OF_A_MEMBER[name]}, name) for name in OF_A_MEMBER),
        ({"members": ["shop"], "memebrs": ["shop"]}, "did you mean members"),
        ({"member": ["shop"]}, "did you mean members"),
        ({}, "needs backend, the name of a backend, or members"),
    ],
    ids=str,
)
def test_a_wrong_failover_is_refused_with_what_is_wrong_in_it(opened, ha, says):
    profiles = {**PAIR, "other": {"members": ["spare"]}, "ha": ha}
    with pytest.raises(fm.ConfigurationError, match=says):
        opened(profiles, "ha")


def test_a_member_that_cannot_be_opened_is_found_now_and_those_before_it_are_closed(opened):
    Closing.instances.clear()
    profiles = {
        "shop": {"backend": "closing"},
        "spare": {"backend": "broken"},
        "ha": {"members": ["shop", "spare"]},
    }
    with pytest.raises(fm.ConfigurationError, match="it lacks a model"):
        opened(profiles)
    assert [backend.closed for backend in Closing.instances] == [1]
    profiles["spare"]["backend"] = "nowhere"
    with pytest.raises(fm.BackendUnavailable):
        opened(profiles)


def test_arguments_go_to_every_member_if_they_mean_the_same_for_each(opened):
    events = []
    verifier = opened(HA, on_event=events.append, require_environment="production")
    verifier.members["shop"].backend.script.append(fm.RateLimited("x"))
    verifier.verify(A, B)
    started = [event.backend for event in events if event.kind is fm.EventKind.STARTED]
    assert started == ["one", "two"]
    for argument in (
        *({"threshold": 50}, {"review_threshold": 60}, {"policies": []}),
        *({"level": 1}, {"members": []}),
    ):
        with pytest.raises(fm.ConfigurationError):
            opened(HA, **argument)
