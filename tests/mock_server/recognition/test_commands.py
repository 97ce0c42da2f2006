"""`facematch cards`, run as the plug-in command that it is."""

import json
import os

import pytest
from click.testing import CliRunner

from facematch_core.cli.app import facematch
from facematch_mock_server.recognition.cards import Card, read_card
from facematch_mock_server.recognition.sheet import card_sheet, make_card


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run `facematch cards ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def invoke(*words):
        answer = CliRunner().invoke(facematch, ["cards", *words])
        assert "Traceback" not in answer.output
        return answer

    return invoke


@pytest.mark.parametrize("name", ["p1.png", "p1.jpg", "p1.JPEG", "p1.webp", "p1.tif"])
def test_make(run, tmp_path, name):
    """The ending says the kind; what is written is the card."""
    answer = run("make", "--person", "p1", "--out", name)
    assert answer.exit_code == 0, answer.output
    data = (tmp_path / name).read_bytes()
    assert read_card(data) == Card(person="p1")
    assert answer.stdout == f"{name} ({len(data)} bytes)\n"


def test_make_says_everything(run, tmp_path):
    """Each fact has an option."""
    words = "--person p9 --faces 2 --quality 1 --luminance 2 --liveness none --attack --age 7"
    more = "--gender male --review --score 12.34 --turned 90 --size 240x320 --out p9.png"
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
        turned=90,
        size=(240, 320),
    )


@pytest.mark.parametrize(
    ("words", "failure"),
    [
        ("--status 503 --retry-after 1", {"status": 503, "retry_after": 1}),
        ("--delay 2.5", {"delay": 2.5}),
        ("--lost after_charge", {"lost": "after_charge"}),
    ],
)
def test_make_a_card_that_fails(run, tmp_path, words, failure):
    """And read it again."""
    assert run("make", "--person", "p1", *words.split(), "--out", "p1.png").exit_code == 0
    assert (tmp_path / "p1.png").read_bytes() == make_card("p1", **failure)
    told = json.loads(run("read", "p1.png", "--json").stdout)["card"]
    assert {name: told[name] for name in failure} == failure


def test_make_overwrites_only_by_force(run, tmp_path):
    """A file that is there stays, unless told otherwise."""
    (tmp_path / "p1.png").write_bytes(b"mine")
    answer = run("make", "--person", "p1", "--out", "p1.png")
    assert answer.exit_code == 2
    assert "error: p1.png exists; --force overwrites it." in answer.stderr
    assert (tmp_path / "p1.png").read_bytes() == b"mine"
    assert run("make", "--person", "p1", "--out", "p1.png", "--force").exit_code == 0
    assert read_card((tmp_path / "p1.png").read_bytes())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_make_writes_into_a_pipe(run, tmp_path):
    """As the shell's `>(program)` gives one; no force is needed, and it is still a pipe."""
    os.mkfifo(tmp_path / "p1.png")
    reader = os.open(tmp_path / "p1.png", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("make", "--person", "p1", "--out", "p1.png").exit_code == 0
        assert read_card(os.read(reader, 1 << 16))
    finally:
        os.close(reader)
    assert (tmp_path / "p1.png").is_fifo()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--person p_1234567890123", "person of a card must be 1 to 12 letters"),
        ("--person p1 --score 101", "score of a card must be between 0 and 100"),
        ("--person p1 --liveness low", "--liveness must be 0-100 or none, not 'low'."),
        ("--person p1 --liveness 101", "liveness of a card must be a whole number"),
        ("--person p1 --size large", "--size must be WIDTHxHEIGHT in pixels, not 'large'."),
        ("--person p1 --size 10x10", "size of a card must be a width and a height"),
        ("--person p1 --age 200", "age of a card must be a whole number"),
        ("--person p1 --status 200", "status of a card must be a whole number from 400"),
        ("--person p1 --status 503 --delay 1", "a card fails by one of status, delay and lost"),
        ("--person p1 --retry-after 1", "retry_after of a card goes with a status"),
    ],
)
def test_make_refuses(run, tmp_path, words, sentence):
    """What no card can say is refused in one sentence, and nothing is written."""
    answer = run("make", *words.split(), "--out", "p1.png")
    assert answer.exit_code == 2
    assert answer.stderr.splitlines()[-1].startswith(f"error: {sentence}")
    assert not (tmp_path / "p1.png").exists()


def test_make_needs_an_ending_it_knows(run):
    """Another ending is told those that there are."""
    answer = run("make", "--person", "p1", "--out", "p1.gif")
    assert answer.exit_code == 2
    assert ".jpeg, .jpg, .png, .tif, .tiff, .webp" in answer.stderr


def test_make_where_nothing_can_be_written(run):
    """A folder that is not there is the file's fault, not the caller's words."""
    answer = run("make", "--person", "p1", "--out", "nowhere/p1.png")
    assert answer.exit_code == 4
    assert answer.stderr == "error: No such file or directory: nowhere/p1.png.\n"


def test_read(run, tmp_path):
    """For people: a line per fact."""
    (tmp_path / "p1.webp").write_bytes(make_card(attack=True, score=30.5, turned=90, kind="WEBP"))
    answer = run("read", "p1.webp")
    assert answer.exit_code == 0
    told = dict(line.split() for line in answer.stdout.splitlines())
    assert told["person"] == "p1"
    assert (told["attack"], told["review"], told["age"]) == ("yes", "no", "-")
    assert (told["score"], told["turned"]) == ("30.5", "90")


def test_read_json(run, tmp_path):
    """For programs: one document, whether it is a card or not."""
    (tmp_path / "p1.png").write_bytes(make_card(liveness=None))
    (tmp_path / "no.png").write_bytes(b"no picture")
    told = json.loads(run("read", "p1.png", "--json").stdout)["card"]
    assert Card(**told) == Card(person="p1", liveness=None)
    answer = run("read", "no.png", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, {"card": None})


def test_read_what_is_no_card(run, tmp_path):
    """No card is the answer no; no file is an error."""
    (tmp_path / "no.png").write_bytes(b"no picture")
    answer = run("read", "no.png")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "This is not a test card.\n"
    assert run("read", "missing.png").exit_code == 4


def test_sheet(run, tmp_path):
    """Nineteen cards and a table, in a folder that is made; again only by force."""
    answer = run("sheet", "--out", "deep/cards")
    assert answer.stdout == "19 cards and sheet.csv are in deep/cards.\n"
    files = {path.name for path in (tmp_path / "deep" / "cards").iterdir()}
    assert files == {f"{name}.png" for name in card_sheet()} | {"sheet.csv"}
    assert run("sheet", "--out", "deep/cards").exit_code == 2
    assert run("sheet", "--out", "deep/cards", "--force").exit_code == 0


def test_help_names_the_three(run):
    """The group lists what it can do."""
    answer = run("-h")
    assert answer.exit_code == 0
    for name in ("make", "read", "sheet"):
        assert f"  {name} " in answer.stdout
