"""`facematch mock --engine-profile`: a profile of a backend on this machine decides the scores."""

import functools

import pytest
from click.testing import CliRunner
from fakes import picture
from plugins import Site

from facematch_core import ConfigurationError, open_verifier
from facematch_core.cli.app import facematch
from facematch_mock_server import MockServer, make_card
from facematch_mock_server.cli import _opener

BACKEND = """
    from facematch_core import Decision, Environment, MatchResult, Score
    from facematch_core.backend import Backend

    class Made(Backend):
        name = "made"
        environment = Environment.{environment}
        def match(self, call):
            return MatchResult(decision=Decision.MATCH, score=Score(77, "made"), backend="made")
"""

PROFILES = """
[profiles.engine]
backend = "made"

[profiles.several]
members = ["engine"]
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Installs the backend `made`, with a configuration that the variable names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facematch.toml").write_text(PROFILES)
    monkeypatch.setenv("FACEMATCH_CONFIG", "facematch.toml")

    def install(environment):
        Site(tmp_path / "site", monkeypatch).add(
            "made",
            [("facematch.backends", "made", "Made")],
            source=BACKEND.format(environment=environment),
        )

    return install


def test_a_profile_decides(made):
    """Its backend gives the scores, and says so; cards and outcomes that were set go before it."""
    made("LOCAL")
    seen = picture("teal", (100, 120), "PNG").data
    with MockServer(engine=_opener("engine")) as server:
        recognizer = server.world.recognizer
        found = recognizer.match(seen, seen, rotate=True)
        nothing = recognizer.match(b"one", seen, rotate=False)
        of_cards = recognizer.match(make_card("ada"), make_card("bob"), rotate=False)
        recognizer.set_outcome("match", score=3)
        assert recognizer.match(seen, seen, rotate=False).score == 3
    assert (found.by, found.score) == ("made", 77)
    assert (nothing.by, of_cards.by) == ("bytes", "card")


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ("engine", "must run on this machine, and made answers from production"),
        ("several", "The profile 'several' is a failover"),
        ("none", "'none'"),
    ],
)
def test_a_profile_that_cannot(made, profile, sentence):
    """Told in one sentence when the mock starts, with the exit code of configurations."""
    made("PRODUCTION")
    done = CliRunner().invoke(facematch, ["mock", "--engine-profile", profile])
    assert done.exit_code == 4, done.output
    assert sentence in done.stderr
    assert "Traceback" not in done.output


def test_an_engine_that_asks_somebody_else_is_none():
    """A mock sends nothing: a backend of a real vendor is refused before the first request."""
    mock = MockServer(engine=functools.partial(open_verifier, "didit", api_key="k" * 20))
    with pytest.raises(ConfigurationError, match="must run on this machine, and didit answers"):
        mock.start()
    mock.stop()
