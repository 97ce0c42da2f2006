"""The wheel in clean environments: alone, and with each extra alone."""

import sys

import pytest
from kit import extras


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_an_extra_alone_brings_what_it_promises(environment, wheel, extra, tmp_path):
    environment.install(f"{wheel}[{extra}]" if extra else str(wheel))
    extras.smoke(environment.bin.parent, extra, tmp_path)


def test_without_the_extra_one_sentence_says_what_to_install(
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
    assert 'pip install "' in " ".join(output.split())
    assert "Traceback" not in output
