"""Every fault of a study with its line, told at once, before anything is paid."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from facematch_core.errors import InvalidRequest

from ._study import Study, StudyPair

#: More faults than this are counted, not listed.
LISTED: Final = 50


def refuse(source: Path | str, faults: Iterable[str], *, so: str = "nothing was sent") -> None:
    """Raise `InvalidRequest` with every fault of a file, if there is one, and what follows."""
    found = list(dict.fromkeys(faults))
    if not found:
        return
    head = f"{source} has {_count(len(found), 'problem')}; {so}:"
    more = [f"... and {len(found) - LISTED} more"] if len(found) > LISTED else []
    raise InvalidRequest("\n  ".join([head, *found[:LISTED], *more]))


def checked(source: Path | str, study: Study) -> Study:
    """`study`, if nothing speaks against it.

    Raises:
        InvalidRequest: there is no pair; a file is missing; a pair stands there twice, is one
            picture with itself, or is said to be of other people than its names say; or a picture
            shows two people.
    """
    refuse(source, faults_of(study.pairs))
    return study


def faults_of(pairs: Sequence[StudyPair]) -> Iterator[str]:
    """What speaks against pairs, each with its place; see `checked`."""
    if not pairs:
        yield "there is no pair"
        return
    seen: dict[frozenset[str], str] = {}
    shows: dict[str, tuple[str, str]] = {}
    files: dict[Path, str] = {}
    for number, pair in enumerate(pairs, start=1):
        where = f"line {pair.line}" if pair.line else f"pair {number}"
        if pair.mated is not (pair.probe_subject == pair.reference_subject):
            said = "same" if pair.mated else "different"
            yield (
                f"{where}: the pair is said to be {said}, and its people are called "
                f"{pair.probe_subject[:60]!r} and {pair.reference_subject[:60]!r}"
            )
        # One file has many names: a/../b.jpg is b.jpg.
        probe, reference = os.path.normpath(pair.probe), os.path.normpath(pair.reference)
        two = frozenset((probe, reference))
        if probe == reference:
            yield f"{where}: a picture is compared with itself"
        elif two in seen:
            yield f"{where}: the same two pictures as in {seen[two]}"
        seen.setdefault(two, where)
        for picture, name, subject in (
            (pair.probe, probe, pair.probe_subject),
            (pair.reference, reference, pair.reference_subject),
        ):
            files.setdefault(picture, where)
            known, first = shows.setdefault(name, (subject, where))
            if known != subject:
                yield (
                    f"{where}: {picture.name[:100]!r} shows {subject[:60]!r}, and in {first} it "
                    f"shows {known[:60]!r}"
                )
    for picture, where in files.items():
        if not _is_file(picture):
            yield f"{where}: there is no file {str(picture)[:200]!r}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
