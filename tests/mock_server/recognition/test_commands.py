"""`facematch cards`, run as the plug-in command that it is."""

import functools

import pytest
from kit.fakes import invoke_facematch
from PIL import Image as Pillow

from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.reading import read_card


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return functools.partial(invoke_facematch, "cards")


@pytest.mark.parametrize(
    ("name", "image_format"), [("p1.png", "PNG"), ("p1.JPEG", "JPEG"), ("p1.webp", "WEBP")]
)
def test_make_chooses_the_image_format_by_file_extension(run, tmp_path, name, image_format):
    answer = run("make", "p1", "--out", name)
    assert answer.exit_code == 0, answer.output
    data = (tmp_path / name).read_bytes()
    assert read_card(data) == Card(person="p1")
    with Pillow.open(tmp_path / name) as picture:
        assert picture.format == image_format
    assert answer.stdout == f"{name} ({len(data)} bytes)\n"
    assert run("make", "p1", "--out", "p1.gif").exit_code == 2


def test_make_overwrites_no_file(run, tmp_path):
    (tmp_path / "p1.png").write_bytes(b"mine")
    answer = run("make", "p1", "--out", "p1.png")
    assert answer.exit_code == 2
    assert "p1.png exists: name another file with --out, or delete it" in answer.stderr
    assert (tmp_path / "p1.png").read_bytes() == b"mine"


def test_make_rejects_invalid_values_and_writes_nothing(run, tmp_path):
    answer = run("make", "p1", "--score", "101", "--out", "p1.png")
    assert answer.exit_code == 2
    sentence = "error: score of a card must be between 0 and 100"
    assert answer.stderr.splitlines()[-1].startswith(sentence)
    assert not (tmp_path / "p1.png").exists()


def test_make_encodes_the_facts_of_its_options(run, tmp_path):
    options = ["--quality", "20", "--age", "34", "--score", "41.5"]
    assert run("make", "p1", *options, "--out", "p1.png").exit_code == 0
    card = Card(person="p1", quality=20, age=34, score=41.5)
    assert read_card((tmp_path / "p1.png").read_bytes()) == card
