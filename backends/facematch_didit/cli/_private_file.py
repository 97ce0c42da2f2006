"""A file for a key that only its owner can read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from facematch_core import ConfigurationError, Secret
from facematch_core.files import NewFile


@contextlib.contextmanager
def private_file(path: Path, *, replace: bool = False) -> Iterator[Callable[[Secret], None]]:
    """Take the place for a secret before it exists, then give what writes it there.

    So a place that cannot be written is found before asking anything of the vendor, which may show
    a key only once. Without a secret nothing is left behind. Made exclusively: neither a file nor a
    link that is there already is written through.

    Args:
        path: Where to; its folder is made if need be.
        replace: Whether a file that is there may be replaced, in one step.

    Raises:
        click.UsageError: it is there, or it cannot be made.
    """
    new = _taken(path, replace=replace)

    def keep(secret: Secret) -> None:
        try:
            new.write(f"{secret.reveal()}\n".encode())
            new.keep()
        except OSError as error:
            raise ConfigurationError(
                f"The secret came, but cannot be written to {path} ({_reason(error)}): make "
                "room, and take it from Didit's console."
            ) from None

    with new:
        yield keep


def _taken(path: Path, *, replace: bool) -> NewFile:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return NewFile(path, private=True, replace=replace)
    except (OSError, ValueError) as error:
        if isinstance(error, FileExistsError) and os.path.lexists(path):
            problem = f"{path} is there already: overwrite it with --force."
            raise click.UsageError(problem) from None
        raise click.UsageError(f"{path} cannot be written: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def open_to_others(path: Path) -> bool:
    """Whether somebody else may read a file; never on systems without such rights."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o077)
