"""The wheel in clean environments: alone, and with each extra alone."""

import pytest
from kit import extras


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_an_extra_alone(environment, wheel, extra, tmp_path):
    """It brings what it promises, the commands start, and the local engine compares two faces."""
    environment.install(f"{wheel}[{extra}]" if extra else str(wheel))
    extras.smoke(environment.bin.parent, extra, tmp_path)


def test_without_the_extra_one_sentence_tells_what_to_install(environment, wheel, tmp_path):
    """No traceback: what is missing, the line, the size."""
    environment.install(str(wheel))
    said = environment.python(
        "import subprocess, sys\n"
        f"done = subprocess.run([{str(environment.bin / 'facematch')!r}, 'demo'],\n"
        "                      capture_output=True, text=True)\n"
        "print(done.returncode, done.stderr)",
        cwd=tmp_path,
    )
    assert said.startswith("4 ")
    assert 'pip install "facematch-core[local]"' in said
    assert "Traceback" not in said
