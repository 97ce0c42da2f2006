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
#: The mode that `open` uses, before the umask.
_USUAL: Final = 0o666


def write_file(path: str | os.PathLike[str], content: bytes, *, private: bool = False) -> None:
    """Write a file atomically; only the owner may read a `private` file.

    Pipes and terminals are written to directly. An `OSError` leaves the old file unchanged.
    """
    with replacing(path, private=private) as new, named(path), new.open("wb") as file:
        file.write(content)
        file.flush()
        if not is_stream(new):
            os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, private: bool = False) -> Iterator[Path]:
    """Yield the path of a new file that replaces `path` at the end, unless an exception is raised.

    If `path` is a pipe or a terminal, yield `path`. Arguments and errors: see `write_file`.
    """
    place, mode = Path(path), None
    if is_stream(path):
        yield place
        return
    with named(path):
        with contextlib.suppress(FileNotFoundError):
            old = place.stat().st_mode
            # Raise before anything is written.
            if stat.S_ISDIR(old):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(old):
                raise OSError(errno.EINVAL, "it is a device or a socket, and would be replaced")
            mode = None if private else stat.S_IMODE(old)
        if place.is_symlink():  # replace the target, whether it exists or not
            place = Path(os.path.realpath(path))
        name = f".facematch.{os.urandom(8).hex()}{Path(path).suffix}"
        beside = place.absolute().with_name(name)
        rights = OWNER_ONLY if private or mode is not None else _USUAL
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights))
    try:
        yield beside
        with named(path):
            if mode is not None:
                beside.chmod(mode)
            beside.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` is a pipe or a terminal, which is never replaced."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
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
    # Non-blocking, because opening a pipe would wait for a writer.
    mode = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | mode))  # noqa: SIM115 - given to the caller
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        why = "it is a pipe or a device, not a regular file"
        raise NotRegular(errno.EINVAL, why, os.fspath(path))
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
    what: str,
    refusal: type[FaceMatchError] = ConfigurationError,
    *,
    max_bytes: int = MAX_FILE_BYTES,
) -> str:
    """Return the text of a hand-written file; `what` describes the file in an error."""
    try:
        # Some editors add a byte order mark.
        return read_regular(path, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    # Raised outside the except block: a UnicodeDecodeError contains the bytes, perhaps a key.
    raise refusal(f"The {what} {os.fspath(path)!r} cannot be read: {reason}.")


def read_toml(
    path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError
) -> dict[str, Any]:
    """Return a TOML file as a dictionary; for the arguments see `read_text`."""
    import tomllib

    text = read_text(path, what, refusal)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise refusal(f"The {what} {path} is not valid TOML: {reason}.")
