"""Files that are either written whole or not at all, and never over another one by accident."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from facematch_core.errors import FaceMatchError


def check_target(option: str, path: Path, *, force: bool) -> None:
    """Refuse a file that could not be written. Nothing is created.

    Args:
        option: The option that names it.
        path: The file.
        force: An existing file is to be overwritten.

    Raises:
        click.UsageError: a folder, an existing file, or a place where nothing can be written.
    """
    try:
        if path.is_dir():
            example = path / "name-of-a-file"
            raise click.UsageError(f"{option} names a folder: name a file, such as {example}.")
        if path.exists() and not force:
            raise click.UsageError(
                f"{path} exists: name another file with {option}, or overwrite it with --force."
            )
        _try(path)
    except OSError as error:
        raise refused(option, path, error) from None


def refused(option: str, path: Path, error: OSError) -> click.UsageError:
    """What is said of a file that was named and cannot be written."""
    reason = error.strerror or type(error).__name__
    return click.UsageError(f"{option}: {path} cannot be written: {reason}.")


def _try(path: Path) -> None:
    if path.exists():
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    folder = next(place for place in path.absolute().parents if place.exists())
    with tempfile.TemporaryFile(dir=folder):
        return


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Within it, an error of the system names the file that was asked for, and no other one."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FaceMatchError) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there; OSError leaves the old one.

    Missing folders are created.
    """
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".facematch.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # mkstemp allows nobody but the owner; the file gets what a plain `open` would give it.
        os.umask(mask := os.umask(0))
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
