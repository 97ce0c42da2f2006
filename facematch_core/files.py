"""Files that are there whole or not at all, for the commands of this package and of plug-ins.

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
from types import TracebackType
from typing import Any, Final, Self

from .errors import ConfigurationError, FaceMatchError

__all__ = ["NewFile", "replacing", "write_file"]

#: Read and write for the owner, nothing for others.
OWNER_ONLY: Final = 0o600
#: What `open` asks for; the system takes the umask away.
_USUAL: Final = 0o666
_WINDOWS: Final = os.name == "nt"


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
        with _named(path), Path(path).open("wb") as stream:
            stream.write(content)
        return
    with NewFile(path, private=private) as new:
        new.write(content)
        new.keep()


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
    with NewFile(path, private=private) as new:
        new.close()
        yield new.beside
        new.keep()


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether something is there that is written to and never replaced: a pipe, a terminal.

    All other devices, and sockets, are refused.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


class NewFile:
    """An empty file beside its place. It is gone at the end of the block, unless it was kept.

    Args:
        path: As for `write_file`.
        private: As for `write_file`.
        replace: Whether it may replace a file. If not, it lies in its place from the beginning, and
            nobody else can take that.

    Attributes:
        path: Its place.
        beside: Where it lies until it is kept.

    Raises:
        FileExistsError: something is in its place, be it a link, and it may not replace it.
        OSError: it cannot be made, or would replace what is no file; its `filename` is `path`.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, private: bool = False, replace: bool = True
    ) -> None:
        self.path = self.beside = self._place = Path(path)
        self._is_kept = False
        self._mode: int | None = None
        with _named(path):
            if replace:
                replaced = _mode_of(path)
                self._mode = None if private else replaced
                if self.path.is_symlink():  # where it points, whether something is there or not
                    self._place = Path(os.path.realpath(path))
                name = f".facematch.{os.urandom(8).hex()}{self.path.suffix}"
                self.beside = self._place.absolute().with_name(name)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            mode = OWNER_ONLY if private or self._mode is not None else _USUAL
            self._open: int | None = os.open(self.beside, flags, mode)

    def write(self, content: bytes) -> None:
        """Write all of it, once, and wait until it is on the disk.

        Raises:
            OSError: it cannot be written.
        """
        # Not by its name, which somebody may have given to another file meanwhile.
        descriptor, self._open = self._open, None
        if descriptor is None:
            raise ValueError("the file is written already")
        with _named(self.path), os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Leave it to somebody who writes to `beside` by name."""
        descriptor, self._open = self._open, None
        if descriptor is not None:
            os.close(descriptor)

    def keep(self) -> None:
        """Put it into its place.

        Raises:
            OSError: that cannot be done; the old file is still there.
        """
        self.close()
        with _named(self.path):
            if self._mode is not None:
                self.beside.chmod(self._mode)
            try:
                if self.beside != self._place:
                    self.beside.replace(self._place)
            except PermissionError as error:
                if not _WINDOWS or not self.path.is_file():
                    raise
                # Windows replaces no file that somebody has open, and calls it "access denied".
                reason = "another program has it open, or it is read-only"
                raise PermissionError(error.errno, reason) from error
        self._is_kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if not self._is_kept:
            with contextlib.suppress(OSError):
                self.beside.unlink()


@contextlib.contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within it, an error of the system names the file that was asked for, and no other one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _mode_of(path: str | os.PathLike[str]) -> int | None:
    """The rights of the file that is to be replaced, None without one; what is no file stays."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, and would be replaced")
    return stat.S_IMODE(mode)


# What people write by hand.

#: What people write by hand is small; more is a mistake.
MAX_FILE_BYTES: Final = 1 << 20


def read_small(path: Path, what: str, refusal: type[FaceMatchError] = ConfigurationError) -> bytes:
    """The bytes of a file that somebody wrote by hand.

    Args:
        path: The file.
        what: What the sentence calls it, for example "configuration file".
        refusal: The error that is raised if it cannot be read, or is over `MAX_FILE_BYTES`.
    """
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
