"""The groups of requests, for the command line: nothing else is loaded to show its help."""

from __future__ import annotations

#: What may be left out. Searches and another person's picture are asked for instead.
GROUPS = ("errors", "match", "liveness", "age", "kept")
