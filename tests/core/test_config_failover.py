"""A failover in the configuration: its members, what it may not say, how it is opened."""

from functools import partial

import pytest
import tomli_w
from kit.fakes import FakeBackend, open_profile, picture

from facematch_core import (
    BackendUnavailable,
    BudgetExceeded,
    ConfigurationError,
    EventKind,
    FaceVerifier,
    Failover,
    RateLimited,
    ThresholdSource,
    config,
    open_verifier,
)
from facematch_core.resilience import Budget
from facematch_core.store import MemoryStore

A, B = picture(), picture((10, 20, 30))

PAIR = {"shop": {"backend": "one", "threshold": 40}, "spare": {"backend": "two", "threshold": 70}}
HA = {**PAIR, "ha": {"members": ["shop", "spare"]}}


class One(FakeBackend):
    name = "one"


class Two(FakeBackend):
    name = "two"


class Closing(FakeBackend):
    """Remembers its objects, to see that they are closed."""

    name = "closing"
    made = []  # noqa: RUF012 - emptied by the test that reads it

    def __init__(self):
        super().__init__()
        self.made.append(self)


class Broken(FakeBackend):
    name = "broken"

    def __init__(self):
        raise ConfigurationError("it lacks a model")


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    classes = {cls.name: cls for cls in (One, Two, Closing, Broken)}

    def found(name):
        if name not in classes:
            raise BackendUnavailable(f"No backend is called {name!r}")
        return classes[name]

    monkeypatch.setattr(config, "backend_class", found)
    monkeypatch.setattr(config, "_MEMORY", MemoryStore())


@pytest.fixture
def opened(tmp_path, at_end):
    """Opens a profile of a file that holds these; everything is closed at the end."""
    return partial(open_profile, at_end, tmp_path, "ha")


def test_a_profile_opens_a_failover(opened):
    """Members in their order, with their own thresholds."""
    verifier = opened(HA)
    assert isinstance(verifier, Failover)
    assert list(verifier.members) == ["shop", "spare"]
    verifier.members["shop"].backend.script.append(RateLimited("x"))
    result = verifier.verify(A, B)
    assert (result.route.answered_by, result.backend) == ("spare", "two")
    assert (result.threshold.value, result.threshold.source) == (70, ThresholdSource.PROFILE)
    assert isinstance(opened(HA, "shop"), FaceVerifier)


def test_a_default_profile_may_be_one(tmp_path):
    """It is a profile as any other."""
    path = tmp_path / "facematch.toml"
    path.write_text(tomli_w.dumps({"default_profile": "ha", "profiles": HA}))
    with open_verifier(config=path) as verifier:
        assert isinstance(verifier, Failover)


def test_members_of_one_backend(opened):
    """Two accounts of one vendor are told apart by the names of their profiles."""
    profiles = {
        "first": {"backend": "one"},
        "second": {"backend": "one"},
        "ha": {"members": ["second", "first"]},
    }
    verifier = opened(profiles)
    assert list(verifier.members) == ["second", "first"]
    assert verifier.verify(A, B).route.answered_by == "second"


@pytest.mark.parametrize(
    ("ha", "says"),
    [
        ({"members": "shop"}, "a list of profile names, not str of length 4"),
        ({"members": ["shop", 3]}, "a list of profile names, not list of length 2"),
        ({"members": ["shpo"]}, "member 'shpo' is no profile of one backend; did you mean shop"),
        ({"members": ["ha"]}, "member 'ha' is no profile of one backend"),
        ({"members": ["shop", "other"]}, "member 'other' is no profile of one backend"),
        ({"members": ["shop"], "threshold": 50}, "threshold belongs to a member"),
        ({"members": ["shop"], "review_threshold": 50}, "review_threshold belongs to a member"),
        ({"members": ["shop"], "backend": "one"}, "backend belongs to a member"),
        ({"members": ["shop"], "settings": {}}, "settings belongs to a member"),
        ({"members": ["shop"], "budget": {"calls": 1}}, "budget belongs to a member"),
        ({"members": ["shop"], "memebrs": ["shop"]}, "did you mean members"),
        ({"member": ["shop"]}, "did you mean members"),
        ({}, "needs backend, the name of a backend, or members"),
    ],
    ids=str,
)
def test_wrong_failovers(opened, ha, says):
    """File and profile are named."""
    profiles = {**PAIR, "other": {"members": ["spare"]}, "ha": ha}
    with pytest.raises(ConfigurationError, match=says) as caught:
        opened(profiles, "ha")
    assert "[profiles.ha]" in str(caught.value)


def test_a_failover_without_members(opened):
    """It could ask nobody."""
    with pytest.raises(ConfigurationError, match="at least one member"):
        opened({"ha": {"members": []}}, "ha")


def test_a_member_that_cannot_be_opened(opened):
    """Is found now, and not when it is needed; those before it are closed again."""
    Closing.made.clear()
    profiles = {
        "shop": {"backend": "closing"},
        "spare": {"backend": "broken"},
        "ha": {"members": ["shop", "spare"]},
    }
    with pytest.raises(ConfigurationError, match="it lacks a model"):
        opened(profiles)
    assert [backend.closed for backend in Closing.made] == [1]
    profiles["spare"]["backend"] = "nowhere"
    with pytest.raises(BackendUnavailable):
        opened(profiles)


def test_arguments_go_to_every_member(opened):
    """Those that mean the same for each; the others are refused with a sentence."""
    told = []
    verifier = opened(HA, on_event=told.append, require_environment="production")
    verifier.members["shop"].backend.script.append(RateLimited("x"))
    verifier.verify(A, B)
    assert [event.backend for event in told if event.kind is EventKind.STARTED] == ["one", "two"]
    for argument in ({"threshold": 50}, {"review_threshold": 60}, {"policies": []}):
        with pytest.raises(ConfigurationError, match=rf"have their own {next(iter(argument))}"):
            opened(HA, **argument)
    with pytest.raises(ConfigurationError, match="settings belong to one of its members"):
        opened(HA, level=1)
    with pytest.raises(ConfigurationError, match="'members' is no argument"):
        opened(HA, members=[])


def test_each_member_has_its_own_gates(opened):
    """And a budget that is spent is not another vendor's to fill."""
    profiles = {**HA, "shop": {**PAIR["shop"], "budget": {"calls": 1}, "retry": {"times": 1}}}
    verifier = opened(profiles)
    shop, spare = verifier.members.values()
    assert ([type(gate) for gate in shop.policies], spare.policies) == ([Budget], ())
    verifier.verify(A, B)
    with pytest.raises(BudgetExceeded, match="The budget 'profile shop'") as caught:
        verifier.verify(A, B)
    assert [one.reason for one in caught.value.route.skipped] == ["BudgetExceeded"]
    assert spare.backend.calls == []
