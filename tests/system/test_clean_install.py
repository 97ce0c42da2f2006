"""The wheel in clean environments: each extra, and a user's types."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from kit import extras


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_each_extra_alone_installs_what_it_needs(environment, wheel, engine_wheel, extra, tmp_path):
    environment.install(*extras.packages_of(extra, wheel, engine_wheel))
    extras.smoke(environment.bin.parent, extra, tmp_path)


def test_a_missing_extra_is_reported_with_its_install_command(
    environment, wheel, run_command, tmp_path
):
    # By pip, as people do it; what installs faster in the other tests resolves the same.
    pip = (sys.executable, "-m", "pip", "--python", environment.bin / "python")
    run_command(*pip, "install", "--quiet", wheel)
    output = environment.python(
        "import subprocess, sys\n"
        f"done = subprocess.run([{str(environment.bin / 'facematch')!r}, 'demo'],\n"
        "                      capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)",
        cwd=tmp_path,
    )
    assert output.startswith("4 ")
    assert "pip install ./backends/facematch_local" in " ".join(output.split())
    assert "Traceback" not in output


TYPING = Path(__file__).parents[1] / "typing"
API, NO_TRUTH, NO_DECISION, UNAWAITED = (
    TYPING / name for name in ("api.py", "no_truth.py", "no_decision.py", "unawaited_use.py")
)


@pytest.fixture
def installed(environment, wheel, engine_wheel):
    environment.install(str(wheel), str(engine_wheel), "mypy", "pyright")
    return environment.bin


@pytest.mark.parametrize("where", ["editable", "wheel"])
def test_mypy_and_pyright_agree(where, request, find_program, run_command, tmp_path):
    find_program("node")
    bin_ = Path(sys.executable).parent
    if where == "wheel":
        bin_ = request.getfixturevalue("installed")
    program = tmp_path / "api.py"
    program.write_text(API.read_text())
    python = bin_ / "python"
    mypy = (bin_ / "mypy", "--strict", "--python-executable", python)
    assert "Success" in run_command(*mypy, program, cwd=tmp_path)
    pyright = (bin_ / "pyright", "--pythonpath", python)
    assert "0 errors" in run_command(*pyright, program, cwd=tmp_path)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_reject_a_result_used_as_a_bool(checker, find_program):
    """mypy says so if it is asked to, and in any case checks what comes after."""
    find_program("node")
    assert lines_with_errors(checker, NO_TRUTH) == lines_with("  # no", NO_TRUTH)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_find_a_use_without_await(checker, find_program):
    find_program("node")
    expected = lines_with("  # no", UNAWAITED)
    assert len(expected) == 8
    if checker == "pyright":
        expected -= lines_with("mypy alone", UNAWAITED)
    assert lines_with_errors(checker, UNAWAITED) == expected


def lines_with(words, program):
    lines = enumerate(program.read_text().splitlines(), start=1)
    return {number for number, line in lines if words in line}


def lines_with_errors(checker, program):
    codes = ["--enable-error-code", "truthy-bool", "--enable-error-code", "unused-awaitable"]
    words = {
        "mypy": ["--strict", *codes, "--config-file="],
        "pyright": ["--pythonpath", sys.executable],
    }
    return lines_reported([Path(sys.executable).parent / checker, *words[checker], program])


def test_mypy_rejects_a_result_compared_with_a_decision():
    command = [Path(sys.executable).parent / "mypy", "--strict", "--config-file=", NO_DECISION]
    assert lines_reported(command) == lines_with("  # no", NO_DECISION)


def lines_reported(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    return {int(number) for number in re.findall(r"\.py:(\d+):.*error", done.stdout)}
