"""The first calls to each vendor, made at its mock."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kit.first_calls import make_first_calls, variables_of
from kit.goldens import kept
from kit.vendors import BUNDLED_VENDORS

from facematch_mock_server import MockServer
from facematch_mock_server.door import Door
from facematch_mock_server.door.variables import variables_for
from facematch_mock_server.first_calls import __main__ as first_calls
from facematch_mock_server.first_calls.plans import plan_names, read_plan

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def make_calls(monkeypatch, at_end):
    """Make a vendor's first calls at its mock; return the outcome and the journal."""

    def make(vendor, *files, without=()):
        # A server of DeepFace has no token unless its owner sets one.
        switches = {"auth": "token"} if vendor == "deepface" else {}
        mock = at_end.enter_context(MockServer(vendor=vendor, switches=switches))
        variables = variables_of(vendor)
        for name in without:
            del variables[name]
            monkeypatch.delenv(name, raising=False)
        answer = make_first_calls(vendor, mock, monkeypatch, variables, *files)
        return SimpleNamespace(answer=answer, journal=mock.control.journal())

    return make


def test_each_vendor_has_first_calls():
    assert plan_names() == BUNDLED_VENDORS


@pytest.mark.parametrize("vendor", BUNDLED_VENDORS)
def test_first_calls_are_answered_and_charged_as_announced(vendor, make_calls):
    made = make_calls(vendor)
    assert made.answer.exit_code == 0, made.answer.output
    lines = made.answer.output.splitlines()
    shown = ""
    calls = read_plan(vendor)["call"]
    for call, line, entry in zip(calls, lines, made.journal, strict=True):
        assert call.get("charged") or entry.charge is None, call["name"]
        shown += f"{line} {' '.join(entry.claims[-1:])}\n"
    assert kept(GOLDEN / f"first_calls_{vendor}.txt", shown) == shown


def test_call_without_what_it_needs_is_not_made(make_calls):
    made = make_calls("didit", without=["DIDIT_WORKFLOW_ID"])
    unmade = [line for line in made.answer.output.splitlines() if "not made" in line]
    assert len(unmade) == len(read_plan("didit")["call"]) - len(made.journal) == 4
    assert "DIDIT_WORKFLOW_ID" in unmade[0]


def test_own_pictures_take_the_place_of_cards(make_calls, tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(f"text {name}".encode() * 400)
    made = make_calls("compreface", tmp_path / "a", tmp_path / "b", tmp_path / "c")
    assert 2400 in {file.size for entry in made.journal for file in entry.files}


@pytest.mark.parametrize(
    "words", [["acme"], ["didit", "missing.jpg", "b.jpg", "c.jpg"], ["didit", "a.jpg"]]
)
def test_wrong_words_are_a_usage_error(words):
    assert CliRunner().invoke(first_calls.main, words).exit_code == 2


def test_calls_reach_the_vendors_own_host_through_a_door():
    with MockServer(vendor="rekognition") as mock, Door(mock, any_key=True) as door:
        keys = {"AWS_ACCESS_KEY_ID": "AKIAOFTHESHOP", "AWS_SECRET_ACCESS_KEY": "secret"}
        environment = {**os.environ, **keys, "AWS_REGION": "eu-west-1"}
        made = subprocess.run(
            [sys.executable, "-m", "facematch_mock_server.first_calls", "rekognition"],
            env={**environment, **variables_for(door, environment)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert len(mock.control.journal()) == len(made.stdout.splitlines())
    assert "the same person: 200" in made.stdout


def test_an_address_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("COMPREFACE_API_KEY", "key")
    monkeypatch.setenv("FIRST_CALLS_URL", "http://127.0.0.1:1")
    answer = CliRunner().invoke(first_calls.main, ["compreface"])
    assert (answer.exit_code, "127.0.0.1:1 did not answer" in answer.output) == (1, True)
