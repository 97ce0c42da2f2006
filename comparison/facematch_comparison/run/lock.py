"""One process at a time: a lock beside a file, which no end of its process leaves behind."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from facematch_core.errors import ConfigurationError


class FileLock:
    """A lock that one `FileLock` has at a time, of whatever process of this machine.

    It is that of SQLite on an empty file, ``FILE.lock``, which stays: the system takes it back when
    a process ends, ``kill -9`` included, on Windows too.

    Args:
        file: What is locked; by whatever name, it has one lock.
    """

    def __init__(self, file: Path) -> None:
        self._file = f"{file.resolve()}.lock"
        self._held: sqlite3.Connection | None = None

    @property
    def is_held(self) -> bool:
        """Whether this one has it."""
        return self._held is not None

    def take(self) -> bool:
        """Take it; False if somebody has it, be it this very one.

        Raises:
            ConfigurationError: its file cannot be made or locked.
        """
        try:
            with contextlib.suppress(FileExistsError):
                # As private as what it is for.
                os.close(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            connection = sqlite3.connect(
                self._file, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                return False
            reason = str(error)
        else:
            self._held = connection
            return True
        # Outside the except block: the sentence says it all.
        raise ConfigurationError(f"The lock {self._file} cannot be taken: {reason}.")

    def give_back(self) -> None:
        """Give it back, if this one has it."""
        held, self._held = self._held, None
        if held is not None:
            held.close()
