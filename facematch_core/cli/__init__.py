"""The command `facematch`: click commands, one module each, imported when they are used."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line, and exit with a documented code (`facematch -h` lists them)."""
    from .app import facematch

    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed: its number, the lowest that is free, would be that of the next file or socket.
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the life of the process
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that has no letter for something shows its number instead of failing.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
