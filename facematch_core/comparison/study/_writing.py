"""A study as a file of pairs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from facematch_core.errors import InvalidRequest

from ._pairs_csv import FORMULA, NEEDED, PROBE_GROUP, REFERENCE_GROUP, quoted
from ._study import Study


def write_pairs_csv(path: Path, study: Study) -> None:
    """Write a study as `read_pairs_csv` reads it. A file that is there is replaced.

    Files are named relative to the folder of `path`, so that both can be moved together.

    Raises:
        InvalidRequest: a name begins or ends with a space, which no reader of CSV would keep.
        OSError: it cannot be written.
    """
    path.write_bytes(pairs_csv(path, study))


def pairs_csv(path: Path, study: Study) -> bytes:
    """What `write_pairs_csv` writes to `path`.

    Raises:
        InvalidRequest: as `write_pairs_csv`.
    """
    folder = Path(os.path.realpath(path.parent))
    text = io.StringIO()
    writer = csv.writer(text)
    columns = [*study.groups]
    sides = [side + column for column in columns for side in (PROBE_GROUP, REFERENCE_GROUP)]
    writer.writerow([*NEEDED, *sides])
    names: dict[Path, str] = {}
    for picture in study.pictures:
        names[picture] = _relative(picture, folder)
    for pair in study.pairs:
        row = [
            names[pair.probe],
            names[pair.reference],
            str(int(pair.mated)),
            pair.probe_subject,
            pair.reference_subject,
        ]
        for column in columns:
            of_subject = study.groups[column]
            row += [of_subject.get(who, "") for who in (pair.probe_subject, pair.reference_subject)]
        for cell in _frayed(row):
            raise InvalidRequest(
                f"The name {cell[:100]!r} begins or ends with a space, which is lost in a file of "
                "pairs: rename it."
            )
        writer.writerow([*map(_named, row[:2]), row[2], *map(quoted, row[3:])])
    return text.getvalue().encode()


def _relative(picture: Path, folder: Path) -> str:
    # Of a link, its folder counts, and not what it points at.
    place = Path(os.path.realpath(picture.parent)) / picture.name
    try:
        return Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:  # another drive
        return str(place)


def _named(file: str) -> str:
    """The same file, by a name that no spreadsheet takes for a formula."""
    return f"./{file}" if file.startswith(FORMULA) else file


def _frayed(row: list[str]) -> Iterator[str]:
    return (cell for cell in row if cell != cell.strip())
