"""The command `facematch`: click commands, one module each, imported when they are used."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and exit with a documented code (`facematch -h` lists them)."""
    from .app import facematch

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that has no letter for something shows its number instead of failing.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
