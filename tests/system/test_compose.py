"""The compose examples with the vendor's host as a constant, run as their files say.

Each service has a network of its own, as in Docker, and nothing but the other services in reach.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from system import compose
from system.test_door import APART

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs/examples/compose"
#: The examples by the programs that they need.
LANGUAGES = {"go": "go", "php": "php", "java": "javac", "node": "node"}


@pytest.fixture
def path(tmp_path):
    """The path of the image: `facematch` and the Python of this test."""
    program = tmp_path / "bin" / "facematch"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom facematch_core.cli import main\nraise SystemExit(main())\n"
    )
    program.chmod(0o755)
    folders = (str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"])
    return os.pathsep.join(folders)


@pytest.mark.parametrize("language", LANGUAGES)
def test_unchanged_application_finds_the_mock_by_its_vendors_name(
    language, tmp_path, path, find_program, missing_program
):
    for name in ("unshare", "nsenter", "ip", "curl", LANGUAGES[language]):
        find_program(name)
    apart = [*APART, "--mount"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        missing_program("the right to a network of its own (unshare --net --mount)")
    files = (EXAMPLES / language / "compose.yaml", ROOT / "Dockerfile")
    done = subprocess.run(
        [*apart, sys.executable, compose.__file__, *files, tmp_path, "tests"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={"PATH": path},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "3 of 3" in done.stdout
