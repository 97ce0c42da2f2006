"""The command `facematch`: click commands, one module each, imported on use."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and exit with a documented code (`facematch -h` lists them)."""
    from .app import facematch

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Print an escape for a character that the terminal cannot show, instead of failing.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
