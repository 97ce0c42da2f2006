"""`facematch didit` in this process, against a mock of its own."""

import json

import pytest
from kit.fakes import invoke_facematch

from facematch_didit import cli
from facematch_mock_server import MockServer, make_card


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIDIT_API_KEY", raising=False)


@pytest.fixture
def mock():
    with MockServer() as server:
        yield server


@pytest.fixture
def keyed(mock, monkeypatch):
    monkeypatch.setenv("DIDIT_API_KEY", mock.live_key)
    return ("--base-url", mock.url)


@pytest.fixture
def run(keyed):
    """Run `facematch didit`; the answer has exit_code, stdout and stderr."""

    def invoke(*words, typed=None, here=True):
        return invoke_facematch("didit", *words, *(keyed if here else ()), input=typed)

    return invoke


@pytest.fixture
def run_json(run):
    """Run with --json; answers exit code and document."""

    def invoke(*words, **more):
        answer = run(*words, "--json", **more)
        return answer.exit_code, json.loads(answer.stdout)

    return invoke


@pytest.fixture
def at_terminal(monkeypatch):
    monkeypatch.setattr(cli, "is_terminal", lambda: True)


@pytest.fixture
def kept(mock):
    """Keeps a comparison as a session; answers its id."""
    from facematch_core import FaceVerifier, Retention
    from facematch_didit import DiditBackend

    def keep(score=90, **more):
        mock.control.set_outcome("match", score=score)
        backend = DiditBackend(api_key=mock.live_key, base_url=mock.url)
        with FaceVerifier(backend) as verifier:
            cards = (make_card("p1"), make_card("p1", quality=60))
            result = verifier.verify(*cards, retention=Retention.KEEP, **more)
        return result.ids.session

    return keep
