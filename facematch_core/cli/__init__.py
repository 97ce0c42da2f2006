"""The `facematch` command. Each subcommand is a click command in a module of its own."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with a documented code (see `facematch -h`)."""
    from .app import facematch

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Escape characters that the terminal does not support, instead of failing.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
