"""`facematch cards`, run as the plug-in command that it is."""

import json

import pytest
from click.testing import CliRunner

from facematch_core.cli.app import facematch
from facematch_mock_server.recognition.cards import Card, read_card
from facematch_mock_server.recognition.sheet import card_sheet, make_card


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*words):
        answer = CliRunner().invoke(facematch, ["cards", *words])
        assert "Traceback" not in answer.output
        return answer

    return invoke


@pytest.mark.parametrize("name", ["p1.png", "p1.JPEG", "p1.webp"])
def test_make_writes_the_kind_that_the_ending_says(run, tmp_path, name):
    answer = run("make", "--person", "p1", "--out", name)
    assert answer.exit_code == 0, answer.output
    data = (tmp_path / name).read_bytes()
    assert read_card(data) == Card(person="p1")
    assert answer.stdout == f"{name} ({len(data)} bytes)\n"
    assert run("make", "--person", "p1", "--out", "p1.gif").exit_code == 2


def test_each_fact_has_an_option(run, tmp_path):
    words = "--person p9 --faces 2 --quality 1 --luminance 2 --liveness none --attack --age 7"
    more = "--gender male --review --score 12.34 --out p9.png"
    assert run("make", *words.split(), *more.split()).exit_code == 0
    assert (tmp_path / "p9.png").read_bytes() == make_card(
        "p9",
        faces=2,
        quality=1,
        luminance=2,
        liveness=None,
        attack=True,
        age=7,
        gender="male",
        review=True,
        score=12.34,
    )


def test_make_overwrites_only_by_force(run, tmp_path):
    (tmp_path / "p1.png").write_bytes(b"mine")
    answer = run("make", "--person", "p1", "--out", "p1.png")
    assert answer.exit_code == 2
    assert "error: p1.png exists; --force overwrites it." in answer.stderr
    assert (tmp_path / "p1.png").read_bytes() == b"mine"
    assert run("make", "--person", "p1", "--out", "p1.png", "--force").exit_code == 0
    assert read_card((tmp_path / "p1.png").read_bytes())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--person p1 --score 101", "score of a card must be between 0 and 100"),
        ("--person p1 --liveness low", "--liveness must be 0-100 or none, not 'low'."),
        ("--person p1 --status 503 --delay 1", "a card fails by one of status, delay and lost"),
    ],
)
def test_make_refuses_what_no_card_can_say_and_writes_nothing(run, tmp_path, words, sentence):
    answer = run("make", *words.split(), "--out", "p1.png")
    assert answer.exit_code == 2
    assert answer.stderr.splitlines()[-1].startswith(f"error: {sentence}")
    assert not (tmp_path / "p1.png").exists()


def test_read_json_is_one_document_whether_it_is_a_card_or_not(run, tmp_path):
    (tmp_path / "p1.png").write_bytes(make_card(liveness=None))
    (tmp_path / "no.png").write_bytes(b"no picture")
    card = json.loads(run("read", "p1.png", "--json").stdout)["card"]
    assert Card(**card) == Card(person="p1", liveness=None)
    answer = run("read", "no.png", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, {"card": None})


def test_no_card_is_exit_1_and_no_file_exit_2(run, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    answer = run("read", "no.png")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "This is not a test card.\n"
    assert run("read", "missing.png").exit_code == 2


def test_sheet_writes_nineteen_cards_and_a_table(run, tmp_path):
    answer = run("sheet", "--out", "deep/cards")
    assert answer.stdout == "19 cards and sheet.csv are in deep/cards.\n"
    files = {path.name for path in (tmp_path / "deep" / "cards").iterdir()}
    assert files == {f"{name}.png" for name in card_sheet()} | {"sheet.csv"}
    assert run("sheet", "--out", "deep/cards").exit_code == 2
    assert run("sheet", "--out", "deep/cards", "--force").exit_code == 0
