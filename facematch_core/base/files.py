"""Files: written whole or not at all, and read if they are files and of a size that was expected.

A new file beside its place takes the place of the old one, and has its rights; a link stays, and
the file that it points to is replaced. On Windows a private file is as private as its folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from facematch_core.errors import ConfigurationError, FaceMatchError

__all__ = ["replacing", "write_file"]

#: Read and write for the owner, nothing for others.
OWNER_ONLY: Final = 0o600
#: What `open` asks for; the system takes the umask away.
_USUAL: Final = 0o666


def write_file(path: str | os.PathLike[str], content: bytes, *, private: bool = False) -> None:
    """Write a file, whole or not at all.

    Args:
        path: Where to; a file that is there is replaced, a pipe or a terminal is written to.
        content: All of it.
        private: Only its owner may read it.

    Raises:
        OSError: it cannot be written; its `filename` is `path`, and the old file is still there.
    """
    if is_stream(path):
        with named(path), Path(path).open("wb") as stream:
            stream.write(content)
        return
    # By its descriptor: the name beside it could be another file's meanwhile.
    with _beside(path, private) as (_, new), named(path), os.fdopen(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, private: bool = False) -> Iterator[Path]:
    """For what writes by name: a file to write to, which takes the place of `path` at the end.

    After an exception it is gone, and the old file is still there. A pipe or a terminal is given as
    it is. Arguments and errors are those of `write_file`.
    """
    if is_stream(path):
        yield Path(path)
        return
    with _beside(path, private) as (name, new):
        os.close(new)
        yield name


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a pipe or a terminal is there, which is written to and never replaced."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def _beside(path: str | os.PathLike[str], private: bool) -> Iterator[tuple[Path, int]]:
    """An empty file beside `path`, which it replaces at the end: its name, and its descriptor."""
    place, mode = Path(path), None
    with named(path):
        with contextlib.suppress(FileNotFoundError):
            old = place.stat().st_mode
            # Refused now, before anything is written.
            if stat.S_ISDIR(old):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(old):
                raise OSError(errno.EINVAL, "it is a device or a socket, and would be replaced")
            mode = None if private else stat.S_IMODE(old)
        if place.is_symlink():  # its target is replaced, whether it exists or not
            place = Path(os.path.realpath(path))
        name = f".facematch.{os.urandom(8).hex()}{Path(path).suffix}"
        beside = place.absolute().with_name(name)
        rights = OWNER_ONLY if private or mode is not None else _USUAL
        new = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights)
    try:
        yield beside, new
        with named(path):
            if mode is not None:
                beside.chmod(mode)
            beside.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


@contextlib.contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make an error of the system name the caller's file, and no other one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


#: A file that people write by hand is smaller; more is a mistake.
MAX_FILE_BYTES: Final = 1 << 20
#: The same for TOML, where tomllib takes time for each byte and, for a dotted key, for the square
#: of its parts.
MAX_TOML_BYTES: Final = 1 << 17
MAX_DOTS: Final = 100


class NotRegular(OSError):
    """It is a pipe, a device or a socket."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading; `OSError`, or `ValueError` for a name that no file can have."""
    # Non-blocking, because opening a pipe waits for somebody who writes into it.
    mode = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | mode))  # noqa: SIM115 - given to the caller
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        why = "it is a pipe or a device and no regular file"
        raise NotRegular(errno.EINVAL, why, os.fspath(path))
    return file


def read_regular(
    path: str | os.PathLike[str], max_bytes: int, *, trusted_as: str | None = None
) -> bytes:
    """The bytes of a file, which no other user may change if it is trusted."""
    with open_regular(path) as file:
        if trusted_as is not None:
            _check_owner(file, path, trusted_as)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is over {max_bytes} bytes", os.fspath(path))
    return content


def read_text(
    path: str | os.PathLike[str],
    what: str,
    refusal: type[FaceMatchError] = ConfigurationError,
    *,
    is_trusted: bool = False,
    max_bytes: int = MAX_FILE_BYTES,
) -> str:
    """The text of a file that people write by hand; no other user may change a trusted one."""
    try:
        content = read_regular(path, max_bytes, trusted_as=what if is_trusted else None)
        # Some editors begin a file with a mark of the order of bytes.
        return content.decode("utf-8-sig")
    except FaceMatchError:
        raise
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
    # Not above: an error of decoding holds the bytes, which may be a key.
    raise refusal(f"The {what} {os.fspath(path)!r} cannot be read: {reason}.")


def read_toml(
    path: Path,
    what: str,
    refusal: type[FaceMatchError] = ConfigurationError,
    *,
    is_trusted: bool = False,
) -> dict[str, Any]:
    """A TOML file; arguments as of `read_text`."""
    import tomllib

    text = read_text(path, what, refusal, is_trusted=is_trusted, max_bytes=MAX_TOML_BYTES)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise refusal(f"Line {number} of the {what} {path} has over {MAX_DOTS} dots.")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise refusal(f"The {what} {path} is not valid TOML: {reason}.")


def _check_owner(file: BinaryIO, path: str | os.PathLike[str], what: str) -> None:
    """Refuse what others could change, as ssh does: a file, its folder, and that of its link."""
    # Nobody changes a file on a read-only mount, as in a container. Windows has no such rights.
    if sys.platform == "win32" or os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY:
        return
    from shlex import quote  # not above: only messages need it

    name, user = os.fspath(path), os.geteuid()
    folders = sorted({Path(name).parent, Path(name).resolve().parent})
    places = [
        (name, os.fstat(file.fileno())),
        *((str(folder), folder.stat()) for folder in folders),
    ]
    for place, status in places:
        mode, is_folder = status.st_mode, stat.S_ISDIR(status.st_mode)
        if status.st_uid not in (0, user):
            why = (
                f"belongs to another user (uid {status.st_uid}), who may change it: "
                f"`chown {user} {quote(place)}`, or mount it read-only"
            )
        # In a folder with the sticky bit, such as /tmp, nobody replaces another user's file.
        elif mode & (stat.S_IWGRP | stat.S_IWOTH) and not (is_folder and mode & stat.S_ISVTX):
            why = (
                f"may be changed by others (mode {stat.S_IMODE(mode):o}): "
                f"`chmod go-w {quote(place)}`"
            )
        else:
            continue
        subject = f"folder {place} of the {what}" if is_folder else what
        raise ConfigurationError(f"The {subject} {name} {why}.")
