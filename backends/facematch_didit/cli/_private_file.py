"""A file for a key that only its owner can read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from facematch_core import ConfigurationError, Secret

#: Read and write for the owner, nothing for others.
OWNER_ONLY = 0o600


@contextlib.contextmanager
def private_file(path: Path, *, replace: bool = False) -> Iterator[Callable[[Secret], None]]:
    """Take the place for a secret before it exists, then give what writes it there.

    So a place that cannot be written is told before anything is asked of the vendor, which may tell
    a key only once. Without a secret nothing is left behind. Made exclusively: neither a file nor a
    link that is there already is written through.

    Args:
        path: Where to; its folder is made if need be.
        replace: Whether a file that is there may be replaced, in one step.

    Raises:
        click.UsageError: it is there, or it cannot be made.
    """
    number, place = _taken(path, replace=replace)
    kept = False

    def keep(secret: Secret) -> None:
        nonlocal kept
        try:
            with os.fdopen(os.dup(number), "wb") as file:
                file.write(f"{secret.reveal()}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            if replace:
                place.replace(path)
        except OSError as error:
            raise ConfigurationError(
                f"The secret was told, but cannot be written to {path} ({_reason(error)}): make "
                "room, and take it from Didit's console."
            ) from None
        kept = True

    try:
        yield keep
    finally:
        os.close(number)
        if not kept:
            place.unlink(missing_ok=True)


def _taken(path: Path, *, replace: bool) -> tuple[int, Path]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if replace:
            number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            return number, Path(name)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), path
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
