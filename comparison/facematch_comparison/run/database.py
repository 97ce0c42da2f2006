"""`RunDatabase`: a record of calls with a test set, whose pairs every system is asked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from facematch_core.base.deadline import Clock
from facematch_core.batch.recorder import Recorder
from facematch_core.batch.records import PairOutcome, StoredSystem
from facematch_core.errors import ConfigurationError, InvalidRequest

from .records import StoredStudy, apply_changes


class RunDatabase(Recorder):
    """An SQLite file with the state of every pair of a test set for every system.

    The file may also contain a call store. One process at a time may write (`lock`), while other
    processes read. Thread-safe. A committed transition survives ``kill -9``, but a power failure
    may lose recent ones. The file contains no pictures and no names of files or people.

    Args:
        where: ``sqlite:///FILE``; the first read or write creates the file.
        clock: Fake clock, for tests.

    Raises:
        ConfigurationError: `where` is another kind of URL, or the schema version differs. Every
            method raises this error if the file is damaged or cannot be read or written.
    """

    label = "run database"

    def __init__(self, where: str, *, clock: Clock | None = None) -> None:
        name = where.removeprefix("sqlite:///").partition("?")[0]
        if name in (where, ""):
            # Quote only the scheme, because a URL may contain a password.
            raise ConfigurationError(
                "A run database must be a local SQLite file, such as "
                f"sqlite:///study.sqlite3 (got {where.partition(':')[0][:60]!r})."
            )
        super().__init__(Path(name), clock=clock)

    def enter_study(self, study: StoredStudy) -> StoredStudy:
        """Insert the test set unless it is stored; return the stored copy, which keeps its name.

        Raises:
            InvalidRequest: the file contains another test set.
        """

        with self.transaction() as db:
            with self.reading_rows():
                stored = _select_study(db)
            if stored is None:
                row = (study.digest, study.name, json.dumps(study.content))
                db.execute("INSERT INTO facematch_study VALUES (?, ?, ?)", row)
            elif stored.digest != study.digest:
                raise InvalidRequest(
                    f"The run database {self.file} has the test set {stored.title[:90]!r}, whose "
                    "pictures, pairs or groups differ. Nothing was sent: pass another file with "
                    "--store."
                )
            return stored or study

    def study(self) -> StoredStudy:
        """Return the test set; raise `InvalidRequest` if there is none yet."""
        with self.transaction() as db, self.reading_rows():
            study = _select_study(db)
        if study is None:
            raise InvalidRequest(f"The run database {self.file} has no test set yet.")
        return study

    def answers(self, system: int, pairs: Sequence[int]) -> list[PairOutcome]:
        """Return the outcome of each pair; `pairs` are the numbers of the test set's pairs."""
        outcomes = self.outcomes(system)
        if list(outcomes) != list(pairs):
            raise ConfigurationError("The run database is damaged: it has other pairs.")
        return list(outcomes.values())

    def enter_system(self, study: StoredStudy, system: StoredSystem) -> StoredSystem:
        """Insert a system with all its pairs, or update its price; return it.

        Pairs that failed without a charge become FREE.
        """
        return self.enter_pairs(system, study.numbers, apply_changes)


def _select_study(db: sqlite3.Connection) -> StoredStudy | None:
    for row in db.execute("SELECT * FROM facematch_study").fetchall():
        return StoredStudy(**{**row, "content": json.loads(row["content"])})
    return None
