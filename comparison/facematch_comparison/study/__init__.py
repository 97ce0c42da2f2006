"""Who is compared with whom: pairs of pictures of people who are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facematch_core.errors import InvalidRequest

from .drawing import draw_pairs, split_by_subject
from .reading import (
    Study,
    StudyPair,
    photographs,
    read_groups,
    read_pairs_csv,
    write_pairs_csv,
)

__all__ = [
    "Study",
    "StudyPair",
    "draw_pairs",
    "photographs",
    "read_groups",
    "read_pairs_csv",
    "read_study",
    "split_by_subject",
    "write_pairs_csv",
]


def read_study(source: Path, *, note: Callable[[str], object] | None = None) -> Study:
    """Read a file of pairs, and check it as a whole.

    Args:
        source: A ``.csv`` or ``.xlsx`` file with the columns ``probe``, ``reference``, ``same``,
            ``probe_subject`` and ``reference_subject``.
        note: Called with a sentence for each assumption.

    Raises:
        InvalidRequest: it is no such file, or something is wrong in it; every place is named.
    """
    if not source.exists():
        raise InvalidRequest(f"There is no file or folder {source}.")
    if source.is_dir():
        raise InvalidRequest(
            f"{source} is a folder and no file of pairs: if it has a folder for each person, "
            "draw_pairs(photographs(folder)) makes pairs of them."
        )
    if source.suffix.lower() in (".csv", ".xlsx"):
        return read_pairs_csv(source, note=note)
    raise InvalidRequest(f"{source} is no study: give a .csv or .xlsx file of pairs.")
