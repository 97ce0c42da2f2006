"""Join several score files by pair.

The lines of all files become one frame. Lines are joined by the codes of their pair's key, in any
order of its two ends. What one file says of a pair, such as its label, then holds for its lines in
all files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd

from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest

from .answers import PROBE_GROUP, REFERENCE_GROUP
from .attributes import first_values
from .cells import (
    TEXT,
    Spellings,
    codes_of,
    constant,
    distinct_words,
    first_rows,
    forget_unused_words,
    is_filled,
    is_one_of,
    note_of_spellings,
    number_pairs,
    texts_of,
    word_at,
    words_below_another,
)
from .columns import FIELDS, LABELS, PAIR_KEYS, PEOPLE, PERSON, PICTURES, group_column
from .lines import MINUS_DISTANCE, words_in
from .missing import Below, check_labelled_pairs, states_cut
from .source_table import PlaceInFile, SourceTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .files import Tables
    from .source_table import Ints

#: A file is joined only if its system has more than this share of the labelled pairs.
_LEAST_JOINED: Final = 0.5


def join(
    lines_of: Tables, below: Below, note: Callable[[str], object]
) -> tuple[SourceTable, pd.DataFrame]:
    """Join the lines of files by pair; return one table and its cells, whose columns are fields.

    A file without scores provides only labels and people. A vendor that omits low scores may omit
    the lines, too. If `below` says so, its labelled pairs without a line get one without a score.
    """
    names = [file.name for file in lines_of]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"Two files or columns of scores have the name {name!r}, which is also the name of "
                "the system: rename one."
            )
    joined = _JoinedLines(lines_of, note)
    if len(joined.key_fields) == 2:
        joined.turn_to_first_order()
    joined.copy_facts_of_pairs()
    is_kept = joined.is_answer
    if "mated" in joined.lines:
        is_kept = is_kept & is_filled(joined.words("mated"))
    omitted = joined.check_coverage(is_kept, below, note)
    return joined.table(np.flatnonzero(is_kept), omitted)


def _key_fields_of(files: Sequence[SourceTable]) -> tuple[str, ...]:
    """Return the fields that identify a pair in all files; `recognise` has asked for them."""
    for key_fields in PAIR_KEYS:
        if all(file.has_all(key_fields) for file in files):
            return key_fields
    raise AssertionError("files without a common key are refused")


@attrs.frozen
class _OmittedLines:
    """Lines that a vendor omits, because their scores are low: they get no score.

    Attributes:
        lines: Ints, (N,): a line of the same pair, in any file.
        systems: Ints, (N,): the code of the system that omits the line.
    """

    lines: Ints
    systems: Ints


class _JoinedLines:
    """The lines of all files, one file below another.

    Attributes:
        key_fields: The fields that identify a pair.
        lines: All fields, in the order of the files and of their columns. The two ends of a pair
            have the same categories.
        file_of_line: Ints, (N,): the index of each line's file.
        pair_of_line: Ints, (N,): the number of each line's pair.
        is_answer: bool, (N,): whether the line's file has answers.
    """

    def __init__(self, lines_of: Tables, note: Callable[[str], object]) -> None:
        """Put the lines of all files below one another, and number their pairs by the key fields.

        A file with a decision, an error or a score has answers; any other one has labels alone.
        """
        self._files = list(lines_of)
        self.key_fields = _key_fields_of(self._files)
        parts = [_fields_to_join(file, lines) for file, lines in lines_of.items()]
        self.lines = _one_below_another(parts, note)
        lengths = [len(part) for part in parts]
        self._starts = np.cumsum([0, *lengths])
        self.file_of_line = np.repeat(np.arange(len(parts)), lengths)
        has_answers = [
            not file.fields.isdisjoint(("decision", "error", "score")) for file in self._files
        ]
        self.is_answer = np.repeat(has_answers, lengths)
        self.pair_of_line = self._number_pairs(note)

    def words(self, field: str) -> pd.Categorical:
        """Return the words of a field of all lines."""
        return words_in(self.lines, field)

    def _number_pairs(self, note: Callable[[str], object]) -> Ints:
        """Return the number of each line's pair; the order of its two ends does not matter.

        If the folders of pictures differ between files, pictures are identified by their file
        names.
        """
        ends = [self.words(field) for field in self.key_fields]
        pairs = number_pairs([end.codes for end in ends], in_any_order=True)
        if self.key_fields != PICTURES or self._is_in_all_files(pairs):
            return pairs
        paths = distinct_words(ends[0])  # both ends have the same
        file_names = [re.sub(r".*[/\\]", "", path) for path in paths]
        code_of_picture = np.append(pd.factorize(np.array(file_names, object))[0], -1)
        codes_of_ends = [code_of_picture[end.codes] for end in ends]
        by_file_name = number_pairs(codes_of_ends, in_any_order=True)
        is_same_count = self._pairs_of_files(by_file_name) == self._pairs_of_files(pairs)
        if self._is_in_all_files(by_file_name) and is_same_count:
            note("pictures were joined by file name, because their folders differ")
            return by_file_name
        return pairs

    def _pairs_of_files(self, pairs: Ints) -> list[int]:
        """Return the number of distinct pairs of each file."""
        return [
            len(np.unique(pairs[self.file_of_line == file])) for file in range(len(self._files))
        ]

    def _is_in_all_files(self, pairs: Ints) -> bool:
        """Return whether all files have one of these pairs."""
        files_of_pair = np.zeros(int(pairs.max()) + 1, np.int64)
        for file in range(len(self._files)):
            files_of_pair[np.unique(pairs[self.file_of_line == file])] += 1
        return bool(files_of_pair.max() == len(self._files))

    def turn_to_first_order(self) -> None:
        """Exchange the two ends of lines whose order is not that of the pair's first line."""
        probes, references = (self.words(field).codes for field in self.key_fields)
        first_end = self._first_stated(probes)
        is_turned = (probes != first_end) & (references == first_end) & (first_end >= 0)
        if not is_turned.any():
            return
        for field in list(self.lines):
            other_end = _reference_of(field)
            if other_end in self.lines:
                probe = self.lines[field]
                reference = self.lines[other_end]
                self.lines[field] = probe.mask(is_turned, reference)
                self.lines[other_end] = reference.mask(is_turned, probe)

    def copy_facts_of_pairs(self) -> None:
        """Copy the label, people and groups of a pair to all of its lines, in all files."""
        for field in list(self.lines):
            if not _is_of_pair(field):
                continue
            words = self.words(field)
            shared_codes = self._first_stated(words.codes)
            clashes = np.flatnonzero(is_filled(words) & (words.codes != shared_codes))
            shared = pd.Categorical.from_codes(shared_codes, dtype=words.dtype)
            if field not in PICTURES and len(clashes):
                line = int(clashes[0])
                raise InvalidRequest(
                    f"line {self._place_of(line)}: {field} of this pair is "
                    f"{word_at(words, line)[:60]!r}, but {word_at(shared, line)[:60]!r} in another "
                    "file; nothing was judged."
                )
            self.lines[field] = shared

    def _first_stated(self, codes: Ints) -> Ints:
        """Return for each line the first code of its pair that is not empty; -1 without one."""
        first_line = first_values(
            self.pair_of_line, codes, int(self.pair_of_line.max()) + 1
        ).first_row
        return np.where(first_line < 0, -1, codes[first_line])[self.pair_of_line]

    def check_coverage(
        self, is_kept: NDArray[np.bool_], below: Below, note: Callable[[str], object]
    ) -> _OmittedLines:
        """Return the lines that systems omit below their own threshold.

        Note the pairs that a system lacks otherwise; raise if a system lacks most of the pairs of
        other systems, or if the labels explain which pairs it lacks.
        """
        pairs_of_answers = np.unique(self.pair_of_line[is_kept])
        # Without labels, people say which pairs are mated, and no other file lists the pairs.
        labelled = pairs_of_answers
        if "mated" in self.lines:
            labelled = np.unique(self.pair_of_line[is_filled(self.words("mated"))])
        systems = self.words("system")
        omitted_lines = []
        omitted_systems = []
        for code in pd.unique(systems.codes[self.is_answer]):
            name = str(systems.categories[code])
            of_system = np.flatnonzero((systems.codes == code) & self.is_answer)
            left_out = int(np.count_nonzero(~is_kept[of_system]))
            if left_out:
                note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
            lacking = np.setdiff1d(labelled, self.pair_of_line[of_system])
            if not len(lacking):
                continue
            if states_cut(name, below) and self._may_omit_lines(of_system, labelled):
                note(
                    f"{name}: {len(lacking):,} labelled pairs are not in its file; they count as "
                    "pairs without a score"
                )
                omitted_lines.append(first_rows(self.pair_of_line)[lacking])
                omitted_systems.append(np.full(len(lacking), code))
                continue
            self._check_labels_of(of_system, labelled)
            self._check_shared_pairs(of_system, pairs_of_answers)
            note(
                f"{name}: {len(lacking):,} of {len(labelled):,} pairs are not in its file; they "
                "are treated as not asked and count in no rate"
            )
        nothing = np.array([], np.int64)
        return _OmittedLines(
            lines=np.concatenate([nothing, *omitted_lines]),
            systems=np.concatenate([nothing, *omitted_systems]),
        )

    def _may_omit_lines(self, lines: Ints, labelled: Ints) -> bool:
        """Return whether a system's low scores can be missing lines.

        A file that has empty scores does not omit their lines. If most of its pairs have no label,
        the files name pairs in different ways.
        """
        is_empty = np.isnan(self.lines["score"].to_numpy()[lines])
        if "error" in self.lines:
            is_empty &= ~is_filled(self.words("error"))[lines]
        shared = np.count_nonzero(np.isin(self.pair_of_line[lines], labelled))
        return bool(not is_empty.any() and shared > _LEAST_JOINED * len(lines))

    def _check_shared_pairs(self, of_system: Ints, pairs_of_answers: Ints) -> None:
        """Raise if a system lacks most of the labelled pairs that systems have answered."""
        lacking = np.setdiff1d(pairs_of_answers, self.pair_of_line[of_system])
        if len(lacking) < _LEAST_JOINED * len(pairs_of_answers):
            return
        systems = self.words("system")
        system = systems.codes[of_system[0]]
        others = np.flatnonzero(systems.codes != system)
        pairs_of_others = np.unique(self.pair_of_line[others])
        shared = np.intersect1d(self.pair_of_line[of_system], pairs_of_others)
        name = str(systems.categories[system])
        advice = (
            f"Its first pair is {self._describe_pair(of_system[0])}, and theirs is "
            f"{self._describe_pair(others[0])}: identify pairs in the same way in all files. If "
            "they are of one system, name it in a column system of each file."
        )
        if len(shared):
            below = format_argument("below", {name: "NUMBER"})
            advice = (
                "If the vendor omits pairs that score below its own threshold, add a file with the "
                f"labels of all pairs, and use {below}. If it was asked about fewer pairs, leave "
                "the others out of all files."
            )
        raise InvalidRequest(
            f"{name} has {len(shared):,} of the {len(pairs_of_others):,} pairs of other files: "
            f"nothing was judged. {advice}"
        )

    def _check_labels_of(self, of_system: Ints, labelled: Ints) -> None:
        """Raise if a system seems to omit the lines of strangers."""
        if "mated" not in self.lines or "score" not in self.lines:
            return
        is_mated = np.zeros(int(self.pair_of_line.max()) + 1, np.bool_)
        is_mated[self.pair_of_line[is_one_of(self.words("mated"), ["1"])]] = True
        check_labelled_pairs(
            word_at(self.words("system"), of_system[0]),
            scores=self.lines["score"].to_numpy()[of_system],
            is_missing=~np.isin(labelled, self.pair_of_line[of_system]),
            is_mated=is_mated[labelled],
        )

    def _describe_pair(self, line: int) -> str:
        return " and ".join(
            repr(word_at(self.words(field), line)[:60]) for field in self.key_fields
        )

    def table(self, kept: Ints, omitted: _OmittedLines) -> tuple[SourceTable, pd.DataFrame]:
        """Return the kept and the omitted lines as one table; each pair is named after its key."""
        rows = np.concatenate([kept, omitted.lines])
        cells = self.lines.take(rows).reset_index(drop=True)
        is_omitted = np.arange(len(rows)) >= len(kept)
        systems = codes_of(self.words("system"))[rows]
        systems[is_omitted] = omitted.systems
        cells["system"] = pd.Categorical.from_codes(systems, dtype=cells["system"].dtype)
        has_omitted = bool(is_omitted.any())
        for field in list(cells):
            if has_omitted and field != "system" and not _is_of_pair(field):
                cells[field] = cells[field].mask(is_omitted)
            if cells[field].isna().all():
                del cells[field]
        forget_unused_words(cells)
        cells["pair"] = self._names_of_pairs(rows)
        file = SourceTable(
            title="The comparison",
            header=list(cells),
            row_count=len(cells),
            find_places=lambda: [self._place_of(line) for line in rows.tolist()],
            unit="line",
            independent_pairs=self._files[0].independent_pairs,
        )
        for field in cells:
            file.assign(field, field)
        return file, cells

    def _names_of_pairs(self, rows: Ints) -> pd.Categorical:
        """Return the name of each line's pair: the words of its key."""
        codes = pd.factorize(self.pair_of_line[rows])[0]
        first_lines = rows[first_rows(codes)]
        names = pd.Series("", range(len(first_lines)))
        for number, field in enumerate(self.key_fields):
            names += (" and " if number else "") + texts_of(self.words(field)[first_lines])
        # "a and b" beside "c" has the name of "a" beside "b and c".
        names = names.mask(names.duplicated(), names + " (" + names.index.astype(str) + ")")
        return pd.Categorical.from_codes(codes, pd.Index(names, dtype=TEXT))

    def _place_of(self, line: int) -> PlaceInFile:
        file = self._files[self.file_of_line[line]]
        row = line - int(self._starts[self.file_of_line[line]])
        file_name = PurePath(file.title.removeprefix("The file ")).name
        return PlaceInFile(file.places()[row], file_name)


def _fields_to_join(file: SourceTable, lines: pd.DataFrame) -> pd.DataFrame:
    """Return the fields that a file gives to the joined table, with or without a column.

    For `mated` or `non_mated`, this is ``mated``.
    """
    columns: dict[str, Any] = {
        field: lines[field].array for field in file.column_of if field not in LABELS
    }
    if "threshold" in columns and file.is_distance:
        columns["threshold"] = -lines["threshold"]
    # Without a column of systems, the file is the system.
    columns["system"] = lines["system"].array
    if file.has_any(LABELS):
        labels = lines["is_mated"].to_numpy(np.int8)
        columns["mated"] = pd.Categorical.from_codes(labels, pd.Index(["0", "1"], dtype=TEXT))
    if file.score_columns:
        columns["score"] = lines["score"].array
    if file.is_distance:
        columns["scale"] = constant(MINUS_DISTANCE, len(lines))
    return pd.DataFrame(columns, copy=False)


def _one_below_another(
    parts: Sequence[pd.DataFrame], note: Callable[[str], object]
) -> pd.DataFrame:
    """Return the lines of all parts; of a field that a part does not have, they are empty.

    A person or a picture may have another spelling in each part.
    """
    people_spellings = Spellings(ignores_case=True)
    picture_spellings = Spellings(ignores_case=False)
    spellings_of_field = {
        **dict.fromkeys((*PEOPLE, PERSON), people_spellings),
        **dict.fromkeys(PICTURES, picture_spellings),
    }
    columns: dict[str, Any] = dict.fromkeys(field for part in parts for field in part)
    for field in list(columns):
        if field in FIELDS and FIELDS[field].is_number:
            columns[field] = np.concatenate(
                [part[field] if field in part else np.full(len(part), np.nan) for part in parts]
            )
        elif columns[field] is None:
            ends = [end for end in (field, _reference_of(field)) if end in columns]
            words = words_below_another([words_in(part, end) for end in ends for part in parts])
            if field in spellings_of_field:
                codes, names = spellings_of_field[field].merge(words.codes, words.categories)
                words = pd.Categorical.from_codes(codes, names, validate=False)
            line_count = len(words) // len(ends)
            for number, end in enumerate(ends):
                columns[end] = words[number * line_count : (number + 1) * line_count]
    merged = [*picture_spellings.merged, *people_spellings.merged]
    if merged:
        note(note_of_spellings(merged))
    return pd.DataFrame(columns, copy=False)


def _is_of_pair(field: str) -> bool:
    """Return whether a field describes the pair, and so the lines of all systems."""
    return group_column(field) is not None or FIELDS[field].describes == "pair"


def _reference_of(field: str) -> str | None:
    """Return the field of a pair's reference for that of its probe; None for any other field."""
    if field.startswith(PROBE_GROUP):
        return REFERENCE_GROUP + field.removeprefix(PROBE_GROUP)
    return dict([PICTURES, PEOPLE]).get(field)
