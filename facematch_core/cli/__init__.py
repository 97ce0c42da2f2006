"""The command `facematch`: click commands, one module each, imported when they are used."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and exit with a documented code (`facematch -h` lists them)."""
    from .app import facematch

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a letter gets its escape instead of a traceback.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
