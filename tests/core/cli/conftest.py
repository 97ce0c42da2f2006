"""The command line, with the fixtures of every command."""

from kit.commands import (
    _here,
    configured,
    photos,
    plugin,
    run,
    run_json,
    scripted,
    started,
    terminal,
)

__all__ = [
    "_here",
    "configured",
    "photos",
    "plugin",
    "run",
    "run_json",
    "scripted",
    "started",
    "terminal",
]
