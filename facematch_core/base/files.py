"""Write files atomically, and read regular files of a limited size.

A new file is written next to the old file, gets its permissions, and replaces it. If the path is a
symbolic link, the link's target is replaced. On Windows a private file is as private as its folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from facematch_core.errors import ConfigurationError, FaceMatchError

__all__ = ["replacing", "write_file"]

#: Read and write for the owner, nothing for others.
OWNER_ONLY: Final = 0o600
#: The mode of a new file that others may read, before the umask, as `open` creates it.
_DEFAULT_MODE: Final = 0o666


def write_file(path: str | os.PathLike[str], content: bytes, *, private: bool = False) -> None:
    """Write a file atomically; only the owner may read a `private` file.

    Pipes and terminals are written to directly. An `OSError` leaves the old file unchanged.
    """
    with replacing(path, private=private) as new, os_errors_naming(path), new.open("wb") as file:
        file.write(content)
        file.flush()
        if not is_stream(new):
            os.fsync(file.fileno())


def create_private(path: str | os.PathLike[str]) -> None:
    """Create a missing file that only its owner can open. SQLite's own files inherit its mode.

    Raises:
        ConfigurationError: the file cannot be created.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY))
    except OSError as error:
        problem = f"Cannot create the file {os.fspath(path)!r}: {error.strerror}."
        raise ConfigurationError(problem) from None


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, private: bool = False) -> Iterator[Path]:
    """Yield the path of a new file that replaces `path` at the end, unless an exception is raised.

    If `path` is a pipe or a terminal, yield `path`. Arguments and errors: see `write_file`.
    """
    target = Path(path)
    if is_stream(path):
        yield target
        return
    with os_errors_naming(path):
        old_permissions = _permissions_to_replace(target)
        if target.is_symlink():  # replace the link's target, whether it exists or not
            target = Path(os.path.realpath(path))
        name = f".facematch.{os.urandom(8).hex()}{Path(path).suffix}"
        new = target.absolute().with_name(name)
        # A replaced file's permissions are set at the end: until then, only the owner may read.
        is_public = old_permissions is None and not private
        mode = _DEFAULT_MODE if is_public else OWNER_ONLY
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield new
        with os_errors_naming(path):
            if old_permissions is not None and not private:
                new.chmod(old_permissions)
            new.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def _permissions_to_replace(path: Path) -> int | None:
    """Return the permissions of a file; None if there is none. Raise if it is no regular file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    # Before anything is written.
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device or a socket, and would be replaced")
    return stat.S_IMODE(mode)


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a pipe or a terminal, which is never replaced."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def os_errors_naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Context manager that makes an `OSError` name `path` instead of a temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


#: Maximum size of a hand-written file; a larger one is treated as a mistake.
MAX_FILE_BYTES: Final = 1 << 20


class NotRegular(OSError):
    """The file is a pipe, a device or a socket."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; raise `OSError`, or `ValueError` for an invalid name."""
    # Non-blocking, because opening a pipe would wait for a writer. Windows has no such flag.
    non_blocking = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | non_blocking))  # noqa: SIM115 - given to the caller
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        problem = "it is a pipe or a device, not a regular file"
        raise NotRegular(errno.EINVAL, problem, os.fspath(path))
    return file


def read_regular(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the bytes of a file; raise `OSError` if it is longer than `max_bytes`."""
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is over {max_bytes} bytes", os.fspath(path))
    return content


def read_text(
    path: str | os.PathLike[str],
    noun: str,
    error_class: type[FaceMatchError] = ConfigurationError,
    *,
    max_bytes: int = MAX_FILE_BYTES,
) -> str:
    """Return the text of a hand-written file; `noun` is what an error calls the file."""
    try:
        # Some editors add a byte order mark.
        return read_regular(path, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    # Raised outside the except block: a UnicodeDecodeError contains the bytes, perhaps a key.
    raise error_class(f"The {noun} {os.fspath(path)!r} cannot be read: {reason}.")


def read_toml(
    path: Path, noun: str, error_class: type[FaceMatchError] = ConfigurationError
) -> dict[str, Any]:
    """Return a TOML file as a dictionary; for the arguments see `read_text`."""
    import tomllib

    text = read_text(path, noun, error_class)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise error_class(f"The {noun} {path} is not valid TOML: {reason}.")
