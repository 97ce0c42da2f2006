"""The `facematch` command. Each subcommand is a click command in a module of its own.

- A *target* is the backend or the profile that a command uses.
- The *setup* of a target says how its verifier is opened; a failover has one for each
  member.
- A *batch* is the work of `verify --pairs`; a *pair* is a line of its file.
- The *journal* of a batch, `OUT.calls`, says which calls were begun. An *answered* line has a
  result; an *unknown* line has none, although its call may have been charged; both are *finished*:
  the same command does not ask them again.
- An *open call* of a budget is a reservation whose charge is not known yet.
- *Looked up* is an unknown call that was searched for in the vendor's records.
- A *case* of the demo is a pair with its result; its *expectation* is what pairs.csv says of it.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit with a documented code (see `facematch -h`)."""
    try:
        from .app import facematch
    except KeyboardInterrupt:  # Ctrl-C during the imports, which take a fifth of a second
        sys.stderr.write("stopped\n")
        sys.exit(130)

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Escape characters that the terminal does not support, instead of failing.
            stream.reconfigure(errors="backslashreplace")
    facematch(prog_name="facematch")
