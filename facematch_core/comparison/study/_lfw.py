"""``pairs.txt``, the form that Labeled Faces in the Wild made common."""

from __future__ import annotations

import math
from pathlib import Path

from facematch_core.errors import InvalidRequest

from ._faults import checked, refuse
from ._study import Study, StudyPair


def read_lfw_pairs(path: Path, pictures: Path | None = None) -> Study:
    """Read ``pairs.txt`` of Labeled Faces in the Wild, or a file of its form.

    A line ``name n1 n2`` is a mated pair, ``name1 n1 name2 n2`` a non-mated one, parted by
    tabulators or spaces; photograph n of a person is ``name/name_000n.jpg``. The first line may
    tell how many pairs follow: of each kind, or of each kind in each of so many sets.

    Source: G. B. Huang et al., "Labeled Faces in the Wild", 2007.

    Args:
        path: The file.
        pictures: The folder of people; None for the one that the file stands in.

    Raises:
        InvalidRequest: it cannot be read, or something is wrong in it; every place is named.
    """
    folder = pictures or path.parent
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InvalidRequest(f"The file {path} cannot be read: {why}.") from None
    faults: list[str] = []
    pairs: list[StudyPair] = []
    told: int | None = None
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        if not any(map(str.strip, cells)):
            continue
        if number == 1 and len(cells) <= 2 and _are_numbers(*cells):
            told = 2 * math.prod(map(int, cells))
            continue
        match [cell.strip() for cell in cells]:
            case [name, one, two] if _are_numbers(one, two):
                four = (name, one, name, two)
            case [name, one, other, two] if _are_numbers(one, two):
                four = (name, one, other, two)
            case _:
                faults.append(f"line {number}: neither `name n1 n2` nor `name1 n1 name2 n2`")
                continue
        pairs.append(_lfw_pair(folder, *four, line=number))
    if told is not None and told != len(pairs) + len(faults):
        faults.append(f"line 1: {told} pairs are told, and {len(pairs) + len(faults)} follow")
    refuse(path, faults)
    return checked(path, Study(name=path.stem, pairs=tuple(pairs)))


def _are_numbers(*cells: str) -> bool:
    return all(cell.strip().isascii() and cell.strip().isdigit() for cell in cells)


def _lfw_pair(folder: Path, first: str, one: str, second: str, two: str, *, line: int) -> StudyPair:
    return StudyPair(
        probe=folder / first / f"{first}_{int(one):04}.jpg",
        reference=folder / second / f"{second}_{int(two):04}.jpg",
        mated=first == second,
        probe_subject=first,
        reference_subject=second,
        line=line,
    )
