"""A user's program type-checks, against the editable install and against the wheel."""

import sys
from pathlib import Path

import pytest

API = Path(__file__).parents[1] / "typing" / "api.py"


@pytest.fixture
def installed(make_environment, wheel):
    environment = make_environment()
    environment.install(str(wheel), "mypy", "pyright")
    return environment.bin


@pytest.mark.parametrize("where", ["editable", "wheel"])
def test_mypy_and_pyright_agree(where, request, find_program, run_command, tmp_path):
    find_program("node")
    bin_ = Path(sys.executable).parent
    if where == "wheel":
        bin_ = request.getfixturevalue("installed")
    program = tmp_path / "api.py"
    program.write_text(API.read_text())
    assert "Success" in run_command(
        bin_ / "mypy", "--strict", "--python-executable", bin_ / "python", program, cwd=tmp_path
    )
    assert "0 errors" in run_command(
        bin_ / "pyright", "--pythonpath", bin_ / "python", program, cwd=tmp_path
    )
