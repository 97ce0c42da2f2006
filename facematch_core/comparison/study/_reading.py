"""A study from whatever it is written in."""

from __future__ import annotations

from pathlib import Path

from facematch_core.errors import InvalidRequest

from ._drawing import draw_pairs
from ._folders import photographs
from ._lfw import read_lfw_pairs
from ._pairs_csv import read_pairs_csv
from ._study import Study


def read_study(
    source: Path,
    *,
    pictures: Path | None = None,
    mated: int | None = None,
    non_mated: int | None = None,
    split: bool = False,
    seed: int = 0,
) -> Study:
    """Read a study, and check it as a whole.

    Args:
        source: A ``.csv`` file of pairs, a ``.txt`` file of pairs as LFW has them, or a folder with
            one folder for each person: then pairs are drawn.
        pictures: For a ``.txt`` file, the folder of people; None for the one that it stands in.
        mated, non_mated, split, seed: For a folder, as `draw_pairs` takes them.

    Raises:
        InvalidRequest: it is none of these, something is wrong in it (every place is named), or an
            argument does not belong to it.
    """
    if not source.exists():
        raise InvalidRequest(f"There is no file or folder {source}.")
    is_folder = source.is_dir()
    if pictures is not None and (is_folder or source.suffix.lower() != ".txt"):
        raise InvalidRequest("A folder of pictures goes with a .txt file of pairs only.")
    if is_folder:
        name = source.resolve().name
        return draw_pairs(
            photographs(source),
            mated=mated,
            non_mated=non_mated,
            split=split,
            seed=seed,
            name=name,
        )
    if mated is not None or non_mated is not None or split:
        raise InvalidRequest(f"Pairs are drawn of a folder; {source} says which pairs there are.")
    match source.suffix.lower():
        case ".csv":
            return read_pairs_csv(source)
        case ".txt":
            return read_lfw_pairs(source, pictures)
    raise InvalidRequest(
        f"{source} is no study: give a .csv file of pairs, a .txt file of pairs as LFW has them, "
        "or a folder with one folder for each person."
    )
