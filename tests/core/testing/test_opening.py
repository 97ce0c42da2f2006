"""A backend's class, opened with nobody behind it."""

import attrs
import pytest

from facematch_core import ConfigurationError, Secret
from facematch_core.backend import Backend
from facematch_core.plugins import backend_class
from facematch_core.testing import Situation
from facematch_core.testing.running import Alone


@attrs.frozen(kw_only=True)
class Keyed(Backend):
    """Two keys, one of which it can do without."""

    name = "keyed"
    environment_variables = {"key": "KEYED_KEY"}  # noqa: RUF012 - as short as a test may be

    key: Secret
    second: Secret | None = None

    def match(self, call):
        raise NotImplementedError


@attrs.frozen(kw_only=True)
class Regional(Keyed):
    """Needs something that means something."""

    region: str


def test_a_needed_secret_is_made_up():
    """One that is long enough to be searched for; what can be left out is left out."""
    simulator = Alone(Keyed)
    assert simulator.backend().second is None
    assert simulator.secrets == (simulator.backend().key.reveal(),)
    assert len(simulator.secrets[0]) > 12


def test_what_is_given_stays():
    """A text in the place of a key is one, too."""
    backend = Alone(Regional, {"key": "a-given-key", "region": "north"}).backend()
    assert (backend.key, backend.region) == (Secret("a-given-key"), "north")


def test_what_cannot_be_guessed_is_asked_for():
    """By name, with the way to give it."""
    with pytest.raises(ConfigurationError, match=r"keyed needs region, .* --set region=VALUE"):
        Alone(Regional)


def test_the_environment_stays_out_of_it(monkeypatch):
    """A real key is not taken for a trial."""
    monkeypatch.setenv("KEYED_KEY", "a-real-key")
    assert Alone(Keyed).backend().key.reveal() != "a-real-key"


@pytest.mark.parametrize("name", ["didit", "deepvue", "local"])
def test_our_own_open(name):
    """With nothing but their class, and every secret of theirs is known to the simulator."""
    simulator = Alone(backend_class(name))
    backend = simulator.backend()
    assert backend.name == name
    values = (getattr(backend, field.name) for field in attrs.fields(type(backend)))
    secrets = {value.reveal() for value in values if isinstance(value, Secret)}
    assert secrets == set(simulator.secrets)
    backend.close()


def test_nobody_is_asked():
    """A rule that wants an answer has come to the wrong place."""
    with pytest.raises(NotImplementedError, match="Nobody is behind keyed"):
        Alone(Keyed).set_situation(Situation.SAME_PERSON)


def test_further_settings_are_judged_by_the_class():
    """Not by the core, which would refuse them before."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'odd'"):
        Alone(Keyed).backend(odd=1)
