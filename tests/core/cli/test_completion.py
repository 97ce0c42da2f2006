"""What a shell is told when somebody presses TAB: commands, backends, profiles, editions.

tests/system/test_completion.py does it in bash, zsh and fish themselves.
"""

import subprocess
import sys

import pytest


@pytest.fixture
def complete(run):
    """What can follow some words, as bash is told; the last word may be unfinished."""

    def ask(words, shell="bash"):
        told = {"_FACEMATCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
        answer = run(env={**told, "COMP_CWORD": str(len(words.split(" ")) - 1)})
        assert (answer.exit_code, answer.stderr) == (0, "")
        return [line.partition(",")[2] for line in answer.stdout.splitlines() if line]

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(run, shell):
    """What the line of `facematch -h` runs: a script on stdout, nothing on stderr, code 0."""
    answer = run(env={"_FACEMATCH_COMPLETE": f"{shell}_source"})
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert f"_FACEMATCH_COMPLETE={shell}_complete" in answer.stdout


@pytest.mark.parametrize("instruction", ["tcsh_source", "bash_sauce", "bash"])
def test_a_shell_that_is_none(run, instruction):
    """Wrong usage, in a sentence."""
    answer = run(env={"_FACEMATCH_COMPLETE": instruction})
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "bash_source, zsh_source or fish_source" in answer.stderr


def test_commands_and_options(complete):
    """Ours first, then those of plug-ins, none of which is imported for it."""
    assert complete("facematch ver") == ["verify"]
    assert complete("facematch ")[:2] == ["verify", "liveness"]
    assert {"cards", "compare", "didit", "mock"} <= set(complete("facematch "))
    assert "--threshold" in complete("facematch verify --thr")
    assert complete("facematch compare thr") == ["threshold"]


def test_backends(complete):
    """By their metadata: wherever one can be named."""
    assert {"didit", "local"} <= set(complete("facematch verify --backend "))
    assert complete("facematch compare run --backend loc") == ["local"]
    assert complete("facematch conformance di") == ["didit"]


def test_profiles_are_those_of_the_file_that_would_be_read(complete, tmp_path, configured):
    """Also of one that --config names; a file that cannot be read has none."""
    profile = '[profiles.{}]\nbackend = "local"\n'
    configured(profile.format("desk") + profile.format("door"))
    (tmp_path / "other.toml").write_text(profile.format("shop"))
    assert complete("facematch verify --profile ") == ["desk", "door"]
    assert complete("facematch budget reconcile --profile do") == ["door"]
    assert complete("facematch verify --config other.toml --profile ") == ["shop"]
    configured("not TOML")
    assert complete("facematch doctor --profile ") == []


def test_editions_of_the_mock(complete):
    """Those of the vendors that are named, Didit's by default."""
    assert "2026-07" in complete("facematch mock --edition ")
    both = complete("facematch mock --vendor didit --vendor deepvue --edition didit=")
    assert "didit=2026-07" in both


def test_a_plug_in_that_fails_disturbs_nobody_who_types(run, plugin):
    """Nothing is printed into the line."""
    code = "raise RuntimeError('loud')"
    plugin(code, {"facematch.commands": {"loud": "command"}})
    env = {
        "_FACEMATCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "facematch loud ",
        "COMP_CWORD": "2",
    }
    answer = run(env=env)
    assert answer.output.strip() == ""


def test_commands_are_completed_without_their_modules():
    """A TAB imports neither a plug-in nor the statistics of `compare`."""
    code = """
import os, sys
os.environ |= {"_FACEMATCH_COMPLETE": "bash_complete", "COMP_WORDS": <words>, "COMP_CWORD": <at>}
from facematch_core.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
heavy = {"requests", "PIL", "numpy", "rich", "facematch_didit", "facematch_mock_server"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    for words, at in (("facematch ", 1), ("facematch compare ", 2)):
        program = code.replace("<words>", repr(words)).replace("<at>", repr(str(at)))
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
