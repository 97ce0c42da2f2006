"""TAB in real shells: the line that `facematch -h` prints, and what each shell offers after it."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from facematch_core.cli.app import COMPLETE

#: Has each shell say what it would offer after some words. `{words}` are
#: the words, the last of which is unfinished.
BASH = """
eval "$({complete}=bash_source facematch)" || exit 9
read -ra COMP_WORDS <<< "{words}"
[[ "{words}" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
# Sets how a completion is sorted, which works at a prompt alone.
compopt() {{ :; }}
_facematch_completion facematch
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit; compinit -u -d {folder}/zcompdump
eval "$({complete}=zsh_source facematch)" || exit 9
words=(${{(s: :)${{:-"{words}"}}}})
[[ "{words}" == *" " ]] && words+=("")
CURRENT=${{#words}}
# What would be drawn, line by line; the completion system draws at a prompt alone.
_describe() {{ for one in "${{(@P)3}}"; do print -r -- "${{one%%:*}}"; done }}
compadd() {{ print -rl -- "${{(@P)@[-1]}}"; }}
_facematch_completion
"""
FISH = """
{complete}=fish_source facematch | source; or exit 9
complete --do-complete '{words}' | while read --delimiter \\t one _; echo $one; end
"""
SHELLS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@pytest.fixture(params=SHELLS)
def offered(request, tmp_path):
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program, code = tmp_path / "bin" / "facematch", tmp_path / "code" / "facematch"
    for file in (program, code):
        file.parent.mkdir()
    code.write_text("from facematch_core.cli import main\nmain()\n")
    # The first line of a script cannot name a Python in a folder with a blank.
    words = shlex.join([sys.executable, str(code)])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    (tmp_path / "facematch.toml").write_text('[profiles.desk]\nbackend = "local"\n')
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOME": str(tmp_path),
        "FACEMATCH_CONFIG": "facematch.toml",
    }

    def ask(words):
        script = SHELLS[shell].format(words=words, complete=COMPLETE, folder=tmp_path)
        done = subprocess.run(
            [shell, "-c", script],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return ask


def test_commands_options_and_backends_are_offered(offered):
    assert offered("facematch ver") == ["verify"]
    assert {"verify", "doctor", "mock"} <= set(offered("facematch "))
    assert "--threshold" in offered("facematch verify --thr")
    assert offered("facematch verify --backend loc") == ["local"]
