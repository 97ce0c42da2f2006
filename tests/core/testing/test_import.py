"""Who needs pytest, and who does not."""

import subprocess
import sys
from pathlib import Path

import facematch_core

CORE = Path(facematch_core.__file__).parents[1]


def run(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=CORE,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_the_core_needs_no_pytest():
    """`import facematch_core` loads neither pytest nor the kit."""
    code = (
        "import sys, facematch_core, facematch_core.http\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pytest', '_pytest')"
        " or m.startswith('facematch_core.testing')])"
    )
    assert run(code) == "[]"


def test_without_pytest_it_says_what_to_install():
    """One line, and it is the command."""
    code = (
        "import sys\n"
        "sys.modules['pytest'] = None\n"
        "try:\n"
        "    import facematch_core.testing\n"
        "except ImportError as error:\n"
        "    print(error, type(error).__name__, error.__cause__, error.__suppress_context__)"
    )
    command = 'pip install "facematch-core[testing]"'
    assert run(code) == (
        f"facematch_core.testing needs pytest: install it with `{command}`. ImportError None True"
    )
