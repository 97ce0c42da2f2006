"""The first calls to each vendor, made at its mock."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kit.cards import CARDS
from kit.first_calls import make_first_calls, variables_of
from kit.goldens import kept
from kit.vendors import BUNDLED_VENDORS
from PIL import Image

from facematch_mock_server import MockServer
from facematch_mock_server.door import Door
from facematch_mock_server.door.variables import variables_for
from facematch_mock_server.first_calls import __main__ as first_calls
from facematch_mock_server.first_calls.plans import pictures_of, plan_names, read_plan

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


def test_own_pictures_take_the_place_of_cards_and_two_are_joined(make_calls, tmp_path):
    for name, card in (("a", "p1"), ("b", "p1-again"), ("c", "p2")):
        (tmp_path / name).write_bytes(CARDS[card])
    made = make_calls("deepface", tmp_path / "a", tmp_path / "b", tmp_path / "c")
    lines = made.answer.output.splitlines()
    # A real engine sees no face on the drawn attack.
    unmade = [line for line in lines if "not made" in line]
    assert len(unmade) == 2
    assert all("spoof" in line for line in unmade)
    attack = ("--attack", tmp_path / "a")
    assert (
        "not made"
        not in make_calls("deepface", *attack, *(tmp_path / n for n in "abc")).answer.output
    )


def test_picture_of_two_people_is_one_beside_the_other():
    files = [io.BytesIO(CARDS[card]) for card in ("p1", "p1-again", "p2")]
    pictures = pictures_of({}, files)
    with Image.open(io.BytesIO(pictures["two-faces"])) as picture:
        width, height = picture.size
    assert width == 2 * height
    assert pictures["p2"] == CARDS["p2"]
    assert "spoof" not in pictures


def test_file_that_is_no_picture_is_a_usage_error(tmp_path):
    (tmp_path / "a").write_text("no picture")
    files = [str(tmp_path / "a")] * 3
    assert CliRunner().invoke(first_calls.main, ["deepface", *files]).exit_code == 2


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
