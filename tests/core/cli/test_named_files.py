"""What is named as a file and is a pipe or a device is refused: not waited for, not read."""

import os
from pathlib import Path

import pytest

from facematch_core import ConfigurationError, open_verifier

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")

#: Commands that name a file, and the code with which they refuse it.
COMMANDS = [
    ("verify --pairs FILE --out out.jsonl", 2),
    ("verify selfie.jpg id.jpg --config FILE", 4),
    ("mock --control-token-file FILE", 2),
    ("doctor --config FILE", 4),
]


@pytest.fixture(params=["./pipe", "/dev/zero"])
def endless(request):
    if request.param == "./pipe":
        os.mkfifo("pipe")
    return request.param


@pytest.mark.parametrize(("command", "code"), COMMANDS)
def test_command_refuses_a_pipe_or_device(run, photos, endless, *, command, code):
    answer = run(command.replace("FILE", endless))
    assert answer.exit_code == code, answer.output
    assert "pipe or a device" in " ".join(answer.output.split())


def test_requirements_from_a_pipe_are_refused(run):
    os.mkfifo("pipe.toml")
    Path("scores.csv").write_text("image1,image2,label,ours\na,b,1,90\nc,d,0,5\n")
    answer = run("compare gate --scores scores.csv --requirements pipe.toml")
    assert (answer.exit_code, "pipe or a device" in answer.output) == (2, True)


def test_key_and_store_files_that_are_pipes_or_devices_are_refused(endless, monkeypatch):
    monkeypatch.setenv("DIDIT_API_KEY", "key")
    for line in (
        'settings = { api_key = { file = "PLACE" } }',
        'budget = { cap = 1, store = { file = "PLACE" } }',
    ):
        text = f'[profiles.p]\nbackend = "didit"\n{line.replace("PLACE", endless)}\n'
        Path("facematch.toml").write_text(text)
        with pytest.raises(ConfigurationError, match="pipe or a device"):
            open_verifier(profile="p", config="facematch.toml")


@pytest.mark.parametrize(("command", "code"), COMMANDS[:3])
def test_a_file_that_is_far_too_large_is_refused(run, photos, command, code):
    with Path("large").open("wb") as file:
        file.truncate(1 << 34)
    answer = run(command.replace("FILE", "large"))
    assert (answer.exit_code, "over" in answer.output) == (code, True), answer.output
