"""`Study`: labelled pairs of pictures; read from files and folders, and written to CSV.

A file with a problem is rejected as a whole. The error lists every problem with its line.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.scores.answers import PROBE_GROUP, REFERENCE_GROUP, Grouping
from facematch_comparison.scores.attributes import groupings
from facematch_comparison.scores.cells import (
    note_of_spellings,
    problems_of_empty_cells,
    problems_of_words,
    texts_of,
    words_of,
)
from facematch_comparison.scores.columns import PEOPLE, PICTURES
from facematch_comparison.scores.files import read_one_table
from facematch_comparison.scores.lines import read_lines, words_in
from facematch_comparison.scores.problems import problems_of_cells, problems_of_pairs
from facematch_comparison.scores.recognition import notes_of_columns, recognise_labels
from facematch_comparison.scores.source_table import Problem, SourceTable, problems_at
from facematch_comparison.values.numbers import counted, join_names
from facematch_core.backend.kinds import quote_command
from facematch_core.base.files import write_file
from facematch_core.base.tables import escaped
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Columns of a file of pairs.
NEEDED: Final = ("probe", "reference", "same", "probe_subject", "reference_subject")

#: Column with the name of the person in a file of groups.
PERSON: Final = "person"

#: The consequence of a problem with a file of pairs.
_NOTHING_SENT: Final = "nothing was sent"

#: File name suffixes of photographs.
ENDINGS: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic")


@attrs.frozen(kw_only=True)
class StudyPair:
    """Two pictures, and whether they show the same person.

    Attributes:
        probe_subject, reference_subject: Names of the people in the pictures; the same name if
            and only if `mated`.
    """

    probe: Path
    reference: Path
    mated: bool
    probe_subject: str
    reference_subject: str


@attrs.frozen(kw_only=True)
class Part:
    """Which part of a test set: every `of`-th of its `pairs`, from pair `number` (from 1) on."""

    number: int
    of: int
    pairs: int
    list_digest: str


@attrs.frozen(kw_only=True)
class Study:
    """A test set: pairs of pictures with ground truth.

    Attributes:
        pairs: At least one pair; no duplicates.
        groups: Group of each subject, by column (``sex``, ``skin``); a subject may have none.
        place: Which part of a longer test set this is; None if it is whole.
    """

    name: str
    pairs: tuple[StudyPair, ...]
    groups: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    place: Part | None = None
    #: `_people`, with the numbers of the whole test set.
    _people_of_part: tuple[NDArray[np.int64], NDArray[np.object_]] | None = attrs.field(
        default=None, eq=False, repr=False
    )

    def part(self, number: int, of: int) -> Study:
        """Return part `number` (from 1) of `of`: every `of`-th pair.

        Pairs and people keep their numbers, so `read_answers` can join the run databases of all
        parts. The only part of 1 is the whole test set.

        Raises:
            InvalidRequest: there is no such part.
        """
        pairs = len(self.pairs)
        if not 1 <= number <= of <= pairs:
            raise InvalidRequest(
                f"There is no part {number}/{of} of {self.name!r}, which has "
                f"{counted(pairs, 'pair', 'pairs')}: of a part K/N, N is from 1 to {pairs}, and K "
                "from 1 to N."
            )
        if of == 1:
            return self
        numbers, names = self._people
        own = slice(number - 1, None, of)
        return attrs.evolve(
            self,
            pairs=self.pairs[own],
            place=Part(number=number, of=of, pairs=pairs, list_digest=self.list_digest),
            people_of_part=(numbers[own], names),
        )

    @property
    def pair_numbers(self) -> Sequence[int]:
        """The number of each pair, from 0, in the whole test set."""
        if self.place is None:
            return range(len(self.pairs))
        return range(self.place.number - 1, self.place.pairs, self.place.of)

    @cached_property
    def _people(self) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
        """The indexes of both people of each pair, int64, (N, 2), and the names of all people."""
        if self._people_of_part is not None:
            return self._people_of_part
        subject_pairs = [(pair.probe_subject, pair.reference_subject) for pair in self.pairs]
        numbers, names = pd.factorize(np.array(subject_pairs, object).ravel())
        return numbers.reshape(-1, 2), names

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of all people, in order of first appearance."""
        return tuple(self._people[1].tolist())

    @property
    def subject_numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index in `subjects` of the person in each probe and each reference: int64, (N,) each."""
        numbers = self._people[0]
        return numbers[:, 0], numbers[:, 1]

    @cached_property
    def pictures(self) -> tuple[Path, ...]:
        """The distinct files, in the order of the pairs."""
        pictures: dict[Path, None] = {}
        for pair in self.pairs:
            pictures[pair.probe] = None
            pictures[pair.reference] = None
        return tuple(pictures)

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """Whether each pair is mated: bool, (N,)."""
        return np.array([pair.mated for pair in self.pairs], dtype=np.bool_)

    def groupings(self) -> dict[str, Grouping]:
        """Return the groups of both people of each pair, by column."""
        probe, reference = self.subject_numbers
        groupings = {}
        for column, of_subject in self.groups.items():
            labels = sorted(set(of_subject.values()))
            groups = pd.Categorical([of_subject.get(name) for name in self.subjects], labels)
            codes = groups.codes.astype(np.int64)
            groupings[column] = Grouping(tuple(labels), codes[probe], codes[reference])
        return groupings

    def digest(self, of_picture: Mapping[Path, str]) -> str:
        """Return the SHA-256, in hex, of the pictures, the people in each pair, and the groups.

        Names of files and people are left out, so a study has the same digest on every machine. The
        digest of a part includes the `list_digest` of the whole, and which part it is.

        Args:
            of_picture: SHA-256, in hex, of the bytes of each picture.
        """
        numbers, names = self._people
        pairs = [
            [of_picture[pair.probe], of_picture[pair.reference], *people]
            for pair, people in zip(self.pairs, numbers.tolist(), strict=True)
        ]
        groups = {
            column: [group_of_person.get(name) for name in names.tolist()]
            for column, group_of_person in self.groups.items()
        }
        content: list[object] = [pairs, groups]
        if self.place is not None:
            content.append(attrs.astuple(self.place))
        return _digest_of(content)

    @cached_property
    def list_digest(self) -> str:
        """SHA-256, in hex, of the list of pairs: names of files and people, labels, and groups.

        No picture is read. The folder that all files share is left out, so the digest is the same
        wherever the pictures are.
        """
        files = [path.as_posix() for path in self.pictures]
        # A drive may differ, which `os.path.commonpath` does not take.
        shared = len(os.path.commonprefix(files))  # noqa: RUF071 - by characters, not folders
        pairs = []
        for pair in self.pairs:
            names = (pair.probe.as_posix()[shared:], pair.reference.as_posix()[shared:])
            pairs.append([*names, pair.mated, pair.probe_subject, pair.reference_subject])
        return _digest_of([pairs, {column: dict(groups) for column, groups in self.groups.items()}])


def _digest_of(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def photographs(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the photographs of each person, sorted. Each folder in `folder` is one person.

    Hidden files, and files without an image suffix, are skipped.

    Raises:
        InvalidRequest: `folder` cannot be read, fewer than two people have a photograph, or the
            folders seem to be sorted by kind of picture (``selfies``, ``ids``).
    """
    try:
        pictures = _photographs_by_folder(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"The folder {folder} cannot be read: {reason}.") from None
    if len(pictures) < 2:
        raise InvalidRequest(
            f"{folder} has photographs of {counted(len(pictures), 'person', 'people')}: make one "
            "folder for each person, with any name, and put the person's photographs into it."
        )
    if _have_equal_file_names(pictures) or _are_kinds_of_pictures(pictures):
        folders = join_names([repr(name[:60]) for name in pictures])
        raise InvalidRequest(
            f"The folders of {folder} seem to be kinds of pictures and not people: {folders}. Make "
            "one folder for each person, named after the person, or write the pairs yourself: a "
            f"CSV file with the columns {', '.join(NEEDED)}."
        )
    return pictures


def _photographs_by_folder(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the photographs in each folder of `folder` that has some, sorted."""
    pictures = {}
    for person in sorted(folder.iterdir()):
        if person.name[0] == "." or not person.is_dir():
            continue
        files = [
            file
            for file in sorted(person.iterdir())
            if file.suffix.lower() in ENDINGS and file.name[0] != "." and file.is_file()
        ]
        if files:
            pictures[person.name] = tuple(files)
    return pictures


def _have_equal_file_names(pictures: Mapping[str, Sequence[Path]]) -> bool:
    """Return whether all folders have the same file names, and more of them than folders."""
    names_by_folder = [{file.stem for file in files} for files in pictures.values()]
    most_pictures = max(map(len, names_by_folder))
    return most_pictures > len(pictures) and len(set(map(frozenset, names_by_folder))) == 1


def _are_kinds_of_pictures(folders: Iterable[str]) -> bool:
    """Return whether the names of folders are distinct kinds of pictures, or numbered cameras.

    Other numbered names, such as `id_001` and `id_002`, may be people.
    """
    names = list(folders)
    name_patterns = {re.sub(r"[\W\d_]+", "", name.lower()) for name in names}
    is_numbered = len(name_patterns) < len(names)
    if is_numbered and not name_patterns <= {"cam", "camera"}:
        return False
    return all(map(_KIND.fullmatch, name_patterns))


#: Folder names that mean kinds of pictures, not people.
_KIND: Final = re.compile(
    r"((selfie|live|probe|camera|cam|capture|query|id|doc|document|passport|licen[cs]e|reference"
    r"|ref|gallery|enroll?ment|enrol|kyc|card|photo|portrait|front|back|scan|target|picture|image"
    r"|ausweis)(e?s|e)?)+"
)


def read_study(
    source: Path,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    note: Callable[[str], object] | None = None,
) -> Study:
    """Read and validate a file of pairs. Unknown columns are skipped, with a note.

    Columns have the names of score files: ``same``, ``label`` or ``genuine`` for the label,
    ``image1`` for the probe. Without a label, pairs of one person are mated.

    Args:
        source: A file as for `read_scores`, with the columns ``probe``, ``reference``, ``same``,
            ``probe_subject`` and ``reference_subject``. Paths are relative to its folder.
        columns: Names of the source's columns, keyed by our name or a known name: ``{"same":
            "same_guy"}``. ``{"same": ""}`` ignores a column.
        note: Called with a sentence about each assumption made.

    Raises:
        ColumnsNotRecognised: a column is missing or ambiguous.
        InvalidRequest: `source` is not such a file, or has problems; the error lists all of them.
    """
    _check_source(source)
    file, cells = read_one_table(source, row_name="pair", example=",".join(NEEDED))
    file.name = source.stem
    recognise_labels(file, cells, columns or {}, so=_NOTHING_SENT)
    if note is not None:
        for text in (*file.notes, *notes_of_columns([file], file)):
            note(text)
    for field in PICTURES:
        # One file can have several paths: a/../b.jpg is b.jpg.
        names = texts_of(words_of(cells[file.column_of[field]]))
        paths = [name and os.path.normpath(name) for name in names]
        cells = cells.assign(**{file.column_of[field]: paths})
    lines = read_lines(file, cells)
    if note is not None and file.merged_spellings:
        note(note_of_spellings(file.merged_spellings))
    # Each line is a pair of its own, also if another line has the same pictures.
    numbers = np.arange(len(lines))
    lines["pair_number"] = numbers
    problems = [
        *problems_of_cells(file, cells, lines, np.empty(0)),
        *_problems_of_files(file, lines, source),
        *problems_of_pairs(file, lines, numbers, in_one_folder=True),
    ]
    found_groups = groupings(file, lines)
    file.refuse([*problems, *found_groups.problems], so=_NOTHING_SENT)
    pairs = tuple(_pairs_of(lines, source))
    groups = {
        name: _groups_of_people(grouping, pairs) for name, grouping in found_groups.by_name.items()
    }
    return Study(name=source.stem, pairs=pairs, groups=groups)


def _check_source(source: Path) -> None:
    """Raise unless this is a file."""
    if not source.exists():
        raise InvalidRequest(f"There is no file or folder {source}.")
    if source.is_dir():
        out = f"{source.resolve().name}-pairs.csv"
        line = quote_command(["facematch", "compare", "draw", str(source), "--out", out])
        raise InvalidRequest(
            f"{source} is a folder, not a file of pairs. Draw pairs from it with draw_pairs or "
            f"this command, and pass the file of pairs:\n  {line}"
        )


def _problems_of_files(file: SourceTable, lines: pd.DataFrame, source: Path) -> Iterator[Problem]:
    """Yield problems: pairs without a picture, and pictures that do not exist."""
    for field in PICTURES:
        words = words_in(lines, field)
        column = file.column_of[field]
        yield from problems_of_empty_cells(words, column)
        yield from problems_of_words(
            words,
            column,
            lambda name: os.path.isfile(source.parent / name),  # noqa: PTH113 - a null raises in `Path`
            f"there is no such file, from the folder of {source.name}",
        )


def _pairs_of(lines: pd.DataFrame, source: Path) -> Iterator[StudyPair]:
    """Yield the pair on each line."""
    columns = [texts_of(words_in(lines, field)) for field in (*PICTURES, *PEOPLE)]
    for probe, reference, probe_subject, reference_subject, is_mated in zip(
        *columns, lines["is_mated"], strict=True
    ):
        yield StudyPair(
            probe=source.parent / probe,
            reference=source.parent / reference,
            mated=bool(is_mated),
            probe_subject=probe_subject,
            reference_subject=reference_subject,
        )


def _groups_of_people(grouping: Grouping, pairs: Sequence[StudyPair]) -> dict[str, str]:
    """Return the group of each person who has one."""
    group_of_person = {}
    for pair, *codes in zip(pairs, grouping.probe, grouping.reference, strict=True):
        people = (pair.probe_subject, pair.reference_subject)
        for person, code in zip(people, codes, strict=True):
            if code >= 0:
                group_of_person[person] = grouping.labels[code]
    return group_of_person


def write_pairs_csv(path: Path, study: Study) -> None:
    """Write a study as CSV for `read_study`, with paths relative to the CSV file's folder."""
    folder = Path(os.path.realpath(path.parent))
    files = {picture: _relative(picture, folder) for picture in study.pictures}
    rows = []
    for pair in study.pairs:
        people = (pair.probe_subject, pair.reference_subject)
        pictures = [files[pair.probe], files[pair.reference]]
        labels = [str(int(pair.mated)), *people]
        for group_of_person in study.groups.values():
            labels += [group_of_person.get(person, "") for person in people]
        for cell in pictures + labels:
            if cell != cell.strip().encode(errors="ignore").decode():
                raise InvalidRequest(
                    f"The name {cell[:100]!r} begins or ends with a space or is not UTF-8, so it "
                    "cannot be written to a file of pairs: rename it."
                )
        # The prefix `./` keeps a spreadsheet from reading a file name as a formula.
        cells = [f"./{file}" if escaped(file) != file else file for file in pictures]
        rows.append(cells + [escaped(label) for label in labels])
    header = list(NEEDED)
    for column in study.groups:
        header += [PROBE_GROUP + column, REFERENCE_GROUP + column]
    table = pd.DataFrame(rows, columns=header)
    # pandas quotes a carriage return in a name only if it is part of the line ending.
    text = table.to_csv(index=False, lineterminator="\r\n")
    write_file(path, text.encode(), private=True)


def _relative(picture: Path, folder: Path) -> str:
    # Resolve symbolic links in the folder, but do not resolve the picture itself.
    path = Path(os.path.realpath(picture.parent)) / picture.name
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(path)


def read_groups(path: Path, people: Container[str]) -> dict[str, dict[str, str]]:
    """Read the groups of `people`, by column and person. An empty cell means no group."""
    consequence = "nothing was drawn"
    file, cells = read_one_table(path, row_name="person", example=f"{PERSON},sex")
    columns = [name for name in file.header if name != PERSON]
    if PERSON not in file.header or not columns or not all(columns):
        header_names = join_names([repr(name[:60]) for name in file.header])
        problem = Problem(
            f"the column {PERSON} is missing, or a named column of groups; the columns are "
            f"{header_names}"
        )
        file.refuse([problem], so=consequence)
    persons = words_of(cells[PERSON])
    problems = [*file.problems, *problems_of_empty_cells(persons, PERSON)]
    problems += problems_of_words(persons, PERSON, people.__contains__, "there is no such person")
    names = texts_of(persons).tolist()
    first_row = {person: row for row, person in reversed([*enumerate(names)]) if person in people}
    problems += problems_at(
        [row for row, person in enumerate(names) if first_row.get(person, row) != row],
        lambda row: f"{names[row][:60]!r} repeats line {file.places()[first_row[names[row]]]}",
    )
    file.refuse(problems, so=consequence)
    groups = {}
    for column in columns:
        group_of_person = zip(names, texts_of(words_of(cells[column])).tolist(), strict=True)
        groups[column] = {person: group for person, group in group_of_person if group}
    return groups
