"""Run a command whose connections go to a door."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

import click

#: The exit codes of a shell for a command that cannot be run, and for one that does not exist.
_NOT_RUN, _NOT_FOUND = 126, 127


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, pass SIGINT and SIGTERM on, and return its exit code.

    A command that a signal ended has 128 plus the signal's number, as in a shell.
    """
    name, *arguments = command
    path = shutil.which(name, path=environment.get("PATH"))
    if path is None:
        click.echo(f"Command {name!r} not found.", err=True)
        return _NOT_FOUND
    try:
        process = subprocess.Popen([path, *arguments], env=dict(environment))  # noqa: S603
    except OSError as error:
        click.echo(f"Command {name!r} cannot be run: {error.strerror}.", err=True)
        return _NOT_RUN

    def pass_on(number: int, _: FrameType | None) -> None:
        # On Ctrl-C, the terminal has already sent SIGINT to the command.
        if number != signal.SIGINT or not _is_in_foreground():
            process.send_signal(number)

    handlers = {
        number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        code = process.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _is_in_foreground() -> bool:
    """Return whether a terminal sends Ctrl-C to this process and the command at once."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # no terminal
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
