"""Files: written whole or not at all, and read if people wrote them by hand.

What is written goes into a new file beside its place, which then takes the place of the old one:
whoever is interrupted, or has no room, keeps what was there. A link stays, and the file that it
points to is replaced. A pipe or a terminal is written to as it is. The folder must exist.

The new file has the rights that a plain `open` would give it, or those of the file that it
replaces. A private one can be read by its owner alone, from before anything is in it. Windows knows
no such rights: there a file is as private as its folder, and the folders of a user's profile are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .errors import ConfigurationError, FaceMatchError

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
    it is.

    Args:
        path: As for `write_file`.
        private: As for `write_file`.

    Raises:
        OSError: as of `write_file`.
    """
    if is_stream(path):
        yield Path(path)
        return
    with _beside(path, private) as (name, new):
        os.close(new)
        yield name


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether something is there that is written to and never replaced: a pipe, a terminal.

    All other devices, and sockets, are refused.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextlib.contextmanager
def _beside(path: str | os.PathLike[str], private: bool) -> Iterator[tuple[Path, int]]:
    """An empty file beside its place, which it takes at the end: its name, and its descriptor."""
    place, mode = Path(path), None
    with named(path):
        with contextlib.suppress(FileNotFoundError):
            old = place.stat().st_mode
            # Now, and not at the end of what is written.
            if stat.S_ISDIR(old):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(old):
                raise OSError(errno.EINVAL, "it is a device or a socket, and would be replaced")
            mode = None if private else stat.S_IMODE(old)
        if place.is_symlink():  # where it points, whether something is there or not
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
    """Within it, an error of the system names the file that was asked for, and no other one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


#: What people write by hand is small; more is a mistake.
MAX_FILE_BYTES: Final = 1 << 20
#: The same for TOML, where tomllib takes time for each byte and, for a dotted key, for the square
#: of its parts.
MAX_TOML_BYTES: Final = 1 << 17
MAX_DOTS: Final = 100


def read_small(path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError) -> bytes:
    """The bytes of a file that somebody wrote by hand; `what` the sentence calls it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise refusal(f"The {what} {str(path)!r} cannot be read: {reason}.") from None
    if len(content) > MAX_FILE_BYTES:
        raise refusal(f"The {what} {path} is over {MAX_FILE_BYTES} bytes.")
    return content


def parse_toml(
    content: bytes, path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError
) -> dict[str, Any]:
    """What a TOML file says; the arguments are those of `read_small`."""
    import tomllib

    if len(content) > MAX_TOML_BYTES:
        raise refusal(f"The {what} {path} is over {MAX_TOML_BYTES} bytes.")
    for number, line in enumerate(content.splitlines(), 1):
        if line.count(b".") > MAX_DOTS and not line.lstrip().startswith(b"#"):
            raise refusal(f"Line {number} of the {what} {path} has over {MAX_DOTS} dots.")
    try:
        # Some editors begin a file with a mark of the order of bytes.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = str(error).rstrip(".")
    except (ValueError, RecursionError) as error:
        reason = type(error).__name__
    raise refusal(f"The {what} {path} is not valid TOML: {reason}.")
