"""`Study`: pairs of pictures of people who are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from facematch_core.comparison.metrics import Grouping

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class StudyPair:
    """Two pictures, and whether they show one person.

    Attributes:
        probe, reference: The files.
        mated: Whether both show the same person.
        probe_subject, reference_subject: Who they show, by the study's own names; the same name
            where `mated`, and two names elsewhere.
        line: Of the file that it was read from, from 1; None for a pair that was drawn.
    """

    probe: Path
    reference: Path
    mated: bool
    probe_subject: str
    reference_subject: str
    line: int | None = None


@attrs.frozen(kw_only=True)
class Study:
    """Who is compared with whom.

    Attributes:
        name: What it is called in a report.
        pairs: At least one; no two alike.
        groups: Column (``sex``, ``skin``) to subject to the group that they are in; a subject may
            be in none.
    """

    name: str
    pairs: tuple[StudyPair, ...]
    groups: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in it, by name."""
        names = {p.probe_subject for p in self.pairs} | {p.reference_subject for p in self.pairs}
        return tuple(sorted(names))

    @cached_property
    def pictures(self) -> tuple[Path, ...]:
        """Every file once, in the order of the pairs."""
        both = ((pair.probe, pair.reference) for pair in self.pairs)
        return tuple(dict.fromkeys(picture for two in both for picture in two))

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,)."""
        return np.array([pair.mated for pair in self.pairs], dtype=np.bool_)

    @cached_property
    def subject_numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: the place in `subjects` of whom the probe and the reference show."""
        place = {name: at for at, name in enumerate(self.subjects)}
        probe = [place[pair.probe_subject] for pair in self.pairs]
        reference = [place[pair.reference_subject] for pair in self.pairs]
        return np.array(probe, dtype=np.int64), np.array(reference, dtype=np.int64)

    def groupings(self) -> dict[str, Grouping]:
        """The groups of both people of each pair, by column."""
        probe, reference = self.subject_numbers
        found = {}
        for column, of_subject in self.groups.items():
            labels = tuple(sorted(set(of_subject.values())))
            place = {label: at for at, label in enumerate(labels)}
            codes = np.array(
                [place[of_subject[name]] if name in of_subject else -1 for name in self.subjects],
                dtype=np.int64,
            )
            found[column] = Grouping(labels=labels, probe=codes[probe], reference=codes[reference])
        return found

    def digest(self, of_picture: Mapping[Path, str]) -> str:
        """SHA-256, in hex, of what the study is: its pictures, who is alike, and the groups.

        Names of files and people do not count, so that a study is the same on every machine.

        Args:
            of_picture: SHA-256, in hex, of the bytes of each picture.
        """
        place = {name: at for at, name in enumerate(self._in_order)}
        pairs = [
            [
                of_picture[pair.probe],
                of_picture[pair.reference],
                place[pair.probe_subject],
                place[pair.reference_subject],
            ]
            for pair in self.pairs
        ]
        groups = {
            column: [of_subject.get(name) for name in self._in_order]
            for column, of_subject in sorted(self.groups.items())
        }
        text = json.dumps([pairs, groups], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def _in_order(self) -> tuple[str, ...]:
        """Everybody, in the order in which they first stand in a pair."""
        both = ((pair.probe_subject, pair.reference_subject) for pair in self.pairs)
        return tuple(dict.fromkeys(name for two in both for name in two))
