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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("p1 --score 101", "score of a card must be between 0 and 100"),
        ("p1 --liveness low", "--liveness must be 0-100 or none, not 'low'."),
        ("p1 --fault broken=yes", "Invalid value for '--fault': 'broken' is not one of status,"),
        ("p1 --fault status=busy", "Invalid value for '--fault': status is no number: 'busy'."),
        ("p1 --fault status", "Invalid value for '--fault': 'status' is not name=value."),
        ("p1 --fault lost=never", "lost of a card must be one of before_charge, after_charge"),
        ("p1 --fault status=503 --fault delay=1", "a card can have only one of status, delay and"),
    ],
)
def test_make_rejects_invalid_values_and_writes_nothing(run, tmp_path, words, sentence):
    answer = run("make", *words.split(), "--out", "p1.png")
    assert answer.exit_code == 2
    assert answer.stderr.splitlines()[-1].startswith(f"error: {sentence}")
    assert not (tmp_path / "p1.png").exists()


@pytest.mark.parametrize(
    ("words", "card"),
    [
        (
            "--fault status=429 --fault retry_after=5",
            Card(person="p1", status=429, retry_after=5),
        ),
        ("--fault delay=2.5", Card(person="p1", delay=2.5)),
        ("--fault lost=after_charge", Card(person="p1", lost="after_charge")),
    ],
)
def test_make_encodes_how_calls_with_the_card_fail(run, tmp_path, words, card):
    assert run("make", "p1", *words.split(), "--out", "p1.png").exit_code == 0
    assert read_card((tmp_path / "p1.png").read_bytes()) == card
