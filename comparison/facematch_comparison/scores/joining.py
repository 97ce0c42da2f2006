"""Join several score files by pair.

The lines of all files become one table: of words, as a code for each line and the distinct words of
all files, and of numbers. Lines are joined by the codes of their pair's key, in any order of its
two ends. What one file says of a pair, such as its label, then holds for its lines in all files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from facematch_core.errors import InvalidRequest

from .answers import PROBE_GROUP, REFERENCE_GROUP
from .attributes import first_values
from .columns import FIELDS, LABELS, PAIR_KEYS, PEOPLE, PICTURES, group_column
from .missing import Below, check_labelled_pairs, states_cut
from .raw_table import Categories, PlaceInFile, RawTable, first_rows, with_common_codes
from .score_table import MINUS_DISTANCE, ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .raw_table import Ints

#: A file is joined only if its system has more than this share of the labelled pairs.
_LEAST_JOINED: Final = 0.5


def join(files: Sequence[ScoreTable], below: Below, note: Callable[[str], object]) -> ScoreTable:
    """Join files by pair. A file without scores provides only labels and people.

    A vendor that omits low scores may omit the lines, too. If `below` says so, its labelled pairs
    without a line get one without a score.
    """
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"Two files or columns of scores have the name {name!r}, which is also the name of "
                "the system: rename one."
            )
    lines = _Lines(files, _pair_key_of(files), note)
    if len(lines.pair_key) == 2:
        lines.turn_to_first_order()
    lines.copy_facts_of_pairs()
    is_kept = lines.is_answer
    if "mated" in lines.words:
        is_kept = is_kept & lines.words["mated"].is_filled
    omitted = lines.check_coverage(is_kept, below, note)
    return lines.table(np.flatnonzero(is_kept), omitted)


def _pair_key_of(files: Sequence[ScoreTable]) -> tuple[str, ...]:
    """Return the fields that identify a pair in all files; `recognise` has asked for them."""
    for pair_key in PAIR_KEYS:
        if all(file.has_all(pair_key) for file in files):
            return pair_key
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


class _Lines:
    """The lines of all files, one file after another.

    Attributes:
        pair_key: The fields that identify a pair.
        fields: All fields, in the order of the files and of their columns.
        words: Columns of words by field. The two ends of a pair have one code for each word.
        numbers: Columns of numbers by field, float64, (N,).
        file_of_line: Ints, (N,): the index of each line's file.
        pairs: Ints, (N,): the number of each line's pair.
        is_answer: bool, (N,): whether the line's file has answers.
    """

    def __init__(
        self,
        files: Sequence[ScoreTable],
        pair_key: tuple[str, ...],
        note: Callable[[str], object],
    ) -> None:
        self._files = files
        self.pair_key = pair_key
        self.fields = list(
            dict.fromkeys(field for file in files for field in _fields_to_join(file))
        )
        self.words: dict[str, Categories] = {}
        self.numbers: dict[str, NDArray[np.float64]] = {}
        for field in self.fields:
            reference = _reference_of(field)
            if reference in self.fields:
                self._read_words([field, reference])
        for field in self.fields:
            if field == "score":
                self.numbers[field] = np.concatenate([file.scores for file in files])
            elif field in FIELDS and FIELDS[field].is_number:
                self.numbers[field] = np.concatenate([file.numbers(field) for file in files])
            elif field not in self.words:
                self._read_words([field])
        lengths = [len(file) for file in files]
        self._starts = np.cumsum([0, *lengths])
        self.file_of_line = np.repeat(np.arange(len(files)), lengths)
        has_answers = [not file.fields.isdisjoint(("decision", "error", "score")) for file in files]
        self.is_answer = np.repeat(has_answers, lengths)
        self.pairs = self._number_pairs(note)

    def _read_words(self, fields: Sequence[str]) -> None:
        """Read the words of one field, or of the two ends of a pair, with one code for each."""
        columns = []
        for field in fields:
            columns += [_words_of(file, field) for file in self._files]
        recoded = iter(with_common_codes(columns))
        for field in fields:
            parts = [next(recoded) for _ in self._files]
            codes = np.concatenate([part.codes for part in parts])
            self.words[field] = Categories(codes, parts[0].distinct)

    def _number_pairs(self, note: Callable[[str], object]) -> Ints:
        """Return the number of each line's pair; the order of its two ends does not matter.

        If the folders of pictures differ between files, pictures are identified by their file
        names.
        """
        ends = [self.words[field] for field in self.pair_key]
        pairs = _number_rows([end.codes for end in ends])
        if self.pair_key != PICTURES or self._is_in_all_files(pairs):
            return pairs
        file_names = [re.sub(r".*[/\\]", "", path) for path in ends[0].words]
        code_of_picture = np.append(pd.factorize(np.array(file_names, object))[0], -1)
        by_file_name = _number_rows([code_of_picture[end.codes] for end in ends])
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
        probes, references = (self.words[field].codes for field in self.pair_key)
        first_end = self._first_stated(probes)
        is_turned = (probes != first_end) & (references == first_end) & (first_end >= 0)
        if not is_turned.any():
            return
        for field in self.fields:
            reference = _reference_of(field)
            if reference in self.words:
                ends = (self.words[field], self.words[reference])
                codes = [end.codes for end in ends]
                # Both ends have the same distinct words.
                ends[0].codes = np.where(is_turned, codes[1], codes[0])
                ends[1].codes = np.where(is_turned, codes[0], codes[1])

    def copy_facts_of_pairs(self) -> None:
        """Copy the label, people and groups of a pair to all of its lines, in all files."""
        for field in self.fields:
            if not group_column(field) and FIELDS[field].describes != "pair":
                continue
            texts_of_field = self.words[field]
            shared = Categories(self._first_stated(texts_of_field.codes), texts_of_field.distinct)
            clashes = np.flatnonzero(
                texts_of_field.is_filled & (texts_of_field.codes != shared.codes)
            )
            if field not in PICTURES and len(clashes):
                line = int(clashes[0])
                raise InvalidRequest(
                    f"line {self._place_of(line)}: {field} of this pair is "
                    f"{texts_of_field[line][:60]!r}, but {shared[line][:60]!r} in another file; "
                    "nothing was judged."
                )
            self.words[field] = shared

    def _first_stated(self, codes: Ints) -> Ints:
        """Return for each line the first code of its pair that is not empty; -1 without one."""
        first_line = first_values(self.pairs, codes, int(self.pairs.max()) + 1).first_row
        return np.where(first_line < 0, -1, codes[first_line])[self.pairs]

    def check_coverage(
        self, is_kept: NDArray[np.bool_], below: Below, note: Callable[[str], object]
    ) -> _OmittedLines:
        """Return the lines that systems omit below their own threshold.

        Note the pairs that a system lacks otherwise; raise if a system lacks most of the pairs of
        other systems, or if the labels explain which pairs it lacks.
        """
        pairs_of_answers = np.unique(self.pairs[is_kept])
        # Without labels, people say which pairs are mated, and no other file lists the pairs.
        labelled = pairs_of_answers
        if "mated" in self.words:
            labelled = np.unique(self.pairs[self.words["mated"].is_filled])
        systems = self.words["system"]
        omitted_lines = []
        omitted_systems = []
        for code in pd.unique(systems.codes[self.is_answer]):
            name = systems.words[code]
            of_system = np.flatnonzero((systems.codes == code) & self.is_answer)
            left_out = int(np.count_nonzero(~is_kept[of_system]))
            if left_out:
                note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
            lacking = np.setdiff1d(labelled, self.pairs[of_system])
            if not len(lacking):
                continue
            if states_cut(name, below) and self._may_omit_lines(of_system, labelled):
                note(
                    f"{name}: {len(lacking):,} labelled pairs are not in its file; they count as "
                    "pairs without a score"
                )
                omitted_lines.append(first_rows(self.pairs)[lacking])
                omitted_systems.append(np.full(len(lacking), code))
                continue
            self._check_labels_of(of_system, labelled, lacking)
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
        is_empty = np.isnan(self.numbers["score"][lines])
        if "error" in self.words:
            is_empty &= ~self.words["error"].is_filled[lines]
        shared = np.count_nonzero(np.isin(self.pairs[lines], labelled))
        return bool(not is_empty.any() and shared > _LEAST_JOINED * len(lines))

    def _check_shared_pairs(self, of_system: Ints, pairs_of_answers: Ints) -> None:
        """Raise if a system lacks most of the labelled pairs that systems have answered."""
        lacking = np.setdiff1d(pairs_of_answers, self.pairs[of_system])
        if len(lacking) < _LEAST_JOINED * len(pairs_of_answers):
            return
        systems = self.words["system"]
        system = systems.codes[of_system[0]]
        others = np.flatnonzero(systems.codes != system)
        pairs_of_others = np.unique(self.pairs[others])
        shared = np.intersect1d(self.pairs[of_system], pairs_of_others)
        raise InvalidRequest(
            f"{systems.words[system]} has {len(shared):,} of the {len(pairs_of_others):,} pairs of "
            f"other files: nothing was judged. Its first pair is "
            f"{self._describe_pair(of_system[0])}, and theirs is "
            f"{self._describe_pair(others[0])}: identify pairs in the same way in all files."
        )

    def _check_labels_of(self, of_system: Ints, labelled: Ints, lacking: Ints) -> None:
        """Raise if a system seems to omit the lines of strangers."""
        if "mated" not in self.words or "score" not in self.numbers:
            return
        is_mated = np.zeros(int(self.pairs.max()) + 1, np.bool_)
        is_mated[self.pairs[self.words["mated"].rows_with(["1"])]] = True
        check_labelled_pairs(
            self.words["system"][of_system[0]],
            scores=self.numbers["score"][of_system],
            is_mated=is_mated[np.intersect1d(self.pairs[of_system], labelled)],
            is_lacking_mated=is_mated[lacking],
        )

    def _describe_pair(self, line: int) -> str:
        return " and ".join(repr(self.words[field][line][:60]) for field in self.pair_key)

    def table(self, kept: Ints, omitted: _OmittedLines) -> ScoreTable:
        """Return the kept and the omitted lines as one table; each pair is named after its key."""
        lines = np.concatenate([kept, omitted.lines])
        columns: dict[str, pa.Array] = {}
        for field in self.fields:
            is_of_pair = group_column(field) or FIELDS[field].describes == "pair"
            if field in self.numbers:
                numbers = self.numbers[field][lines]
                if not is_of_pair:
                    numbers[len(kept) :] = np.nan
                known_numbers = pa.array(numbers, from_pandas=True)
                if known_numbers.null_count < len(lines):
                    columns[field] = known_numbers
                continue
            words = self.words[field]
            codes = words.codes[lines]
            if field == "system":
                codes[len(kept) :] = omitted.systems
            elif not is_of_pair:
                codes[len(kept) :] = -1
            chosen = Categories(codes, words.distinct)
            if chosen.is_filled.any():
                columns[field] = chosen.take(np.arange(len(lines))).as_arrow()
        columns["pair"] = self._names_of_pairs(lines).as_arrow()
        raw = RawTable(
            "The comparison",
            pa.table(columns),
            find_places=lambda: [self._place_of(line) for line in lines.tolist()],
            unit="line",
        )
        joined = ScoreTable(raw=raw, name="", independent_pairs=self._files[0].independent_pairs)
        for field in columns:
            joined.assign(field, field)
        return joined

    def _names_of_pairs(self, lines: Ints) -> Categories:
        """Return the name of each line's pair: the words of its key."""
        codes = pd.factorize(self.pairs[lines])[0]
        first_lines = lines[first_rows(codes)]
        texts, *further_texts = [
            self.words[field].take(first_lines).texts for field in self.pair_key
        ]
        for further in further_texts:
            texts = texts + " and " + further
        return Categories(codes, pa.array(texts, pa.string()))

    def _place_of(self, line: int) -> PlaceInFile:
        file = self._files[self.file_of_line[line]]
        row = line - int(self._starts[self.file_of_line[line]])
        file_name = PurePath(file.raw.name.removeprefix("The file ")).name
        return PlaceInFile(file.raw.places[row], file_name)


def _fields_to_join(file: ScoreTable) -> Iterator[str]:
    """Yield the fields that a file gives to the joined table, with or without a column.

    For `mated` or `non_mated`, this is ``mated``.
    """
    for field in file.column_of:
        if field not in LABELS:
            yield field
    # Without a column of systems, the file is the system.
    yield "system"
    if file.has_any(LABELS):
        yield "mated"
    if file.score_columns:
        yield "score"
    if file.is_distance:
        yield "scale"


def _words_of(file: ScoreTable, field: str) -> Categories:
    """Return the words of a field; every cell is empty if the file does not have it."""
    if field == "system":
        return file.systems
    if field == "mated" and file.has_any(LABELS):
        return Categories(file.mated.astype(np.int8), pa.array(["0", "1"]))
    if field == "scale" and file.is_distance:
        return Categories(np.zeros(len(file), np.int8), pa.array([MINUS_DISTANCE]))
    return file.categories(field)


def _reference_of(field: str) -> str | None:
    """Return the field of a pair's reference for that of its probe; None for any other field."""
    if field.startswith(PROBE_GROUP):
        return REFERENCE_GROUP + field.removeprefix(PROBE_GROUP)
    return dict([PICTURES, PEOPLE]).get(field)


def _number_rows(ends: Sequence[Ints]) -> Ints:
    """Number the rows with equal codes, in any order of the ends; an empty end is equal, too."""
    codes = np.sort(np.stack(ends, axis=1).astype(np.int64) + 1, axis=1)
    keys = codes[:, 0]
    if len(ends) == 2:
        keys = keys * (int(codes.max()) + 1) + codes[:, 1]
    return np.asarray(pd.factorize(keys)[0], np.int64)
