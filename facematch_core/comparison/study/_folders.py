"""A folder of photographs: one folder for each person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from facematch_core.errors import InvalidRequest

#: What is taken for a photograph, by the end of its name.
ENDINGS: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic"}
)


def photographs(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The photographs of each person, by the name of their folder; both sorted.

    Hidden files, and files that are no pictures by their name, are passed by.

    Raises:
        InvalidRequest: it is no folder, or fewer than two people have a photograph.
    """
    try:
        people = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        found = {person.name: tuple(_pictures(person)) for person in people}
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidRequest(f"The folder {folder} cannot be read: {why}.") from None
    found = {name: pictures for name, pictures in found.items() if pictures}
    if len(found) < 2:
        raise InvalidRequest(
            f"{folder} holds photographs of {len(found)} people: make one folder for each person, "
            "named as you like, and put their photographs into it."
        )
    return found


def _pictures(person: Path) -> Iterator[Path]:
    for file in sorted(person.iterdir()):
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file():
            yield file
