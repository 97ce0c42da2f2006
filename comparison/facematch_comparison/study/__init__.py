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
    read_lfw_pairs,
    read_pairs_csv,
    write_pairs_csv,
)

__all__ = [
    "Study",
    "StudyPair",
    "draw_pairs",
    "photographs",
    "read_groups",
    "read_lfw_pairs",
    "read_pairs_csv",
    "read_study",
    "split_by_subject",
    "write_pairs_csv",
]


def read_study(
    source: Path,
    *,
    pictures: Path | None = None,
    mated: int | None = None,
    non_mated: int | None = None,
    split: bool = False,
    seed: int = 0,
    note: Callable[[str], object] | None = None,
) -> Study:
    """Read a study, and check it as a whole.

    Args:
        source: A ``.csv`` or ``.xlsx`` file of pairs, a ``.txt`` file of pairs as LFW has them, or
            a folder with one folder for each person: then pairs are drawn.
        pictures: For a ``.txt`` file, the folder of people; None for the one that it is in.
        mated, non_mated, split, seed: For a folder, as `draw_pairs` takes them.
        note: Called with a sentence for each assumption.

    Raises:
        InvalidRequest: it is none of these, something is wrong in it (every place is named), or an
            argument does not belong to it.
    """
    if not source.exists():
        raise InvalidRequest(f"There is no file or folder {source}.")
    kind = "folder" if source.is_dir() else source.suffix.lower()
    if pictures is not None and kind != ".txt":
        raise InvalidRequest("A folder of pictures goes with a .txt file of pairs only.")
    if kind == "folder":
        return draw_pairs(
            photographs(source),
            mated=mated,
            non_mated=non_mated,
            split=split,
            seed=seed,
            name=source.resolve().name,
        )
    if mated is not None or non_mated is not None or split:
        raise InvalidRequest(f"Pairs are drawn of a folder; {source} says which pairs there are.")
    if kind == ".txt":
        return read_lfw_pairs(source, pictures)
    if kind in (".csv", ".xlsx"):
        return read_pairs_csv(source, note=note)
    raise InvalidRequest(
        f"{source} is no study: give a .csv or .xlsx file of pairs, a .txt file of pairs as LFW "
        "has them, or a folder with one folder for each person."
    )
