"""`Lines`: a table with one line for each pair and system, and the checks of its content.

Columns are recognised by known names or by the user's arguments, never by their cells: a guess from
cells once took a system's own answers as the ground truth, so it had no errors. Columns with
unknown names are skipped, with a note. If a column is missing, the error lists every column with
two of its cells, so that the user can name it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.base.tables import format_problems
from facematch_core.errors import InvalidRequest

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP, Grouping
from .cells import Cells, PlaceInFile, Problem, Words, first_rows, in_common, problems_at
from .columns import (
    COLUMN,
    COLUMNS,
    LONG,
    MATED,
    NO_ERROR,
    PAIR_KEYS,
    PEOPLE,
    PERSON,
    PICTURES,
    TRUTH,
    WIDE,
    Column,
    ColumnsNotRecognised,
    group_of,
    is_distance,
    our_name,
    plain,
)
from .files import SEPARATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .cells import Ints

#: Scale of scores that were read from distances.
MINUS_DISTANCE: Final = "minus the distance"

#: Rekognition's CompareFaces returns no similarity below this number, unless the caller sets
#: SimilarityThreshold; the faces are then in UnmatchedFaces (botocore's model, read 2026-11-28).
REKOGNITION_CUT: Final = 80.0

#: End of the column of similarities, if Rekognition's JSON answers are read.
_SIMILARITY: Final = "FaceMatches.0.Similarity"

#: Alternatives: if the user names a column for one, no column is recognised as the other.
_EITHER: Final = (TRUTH, *((PERSON, person) for person in PEOPLE))

#: The end of the name of a picture's file.
_PICTURE_FILE: Final = re.compile(r"[.](jpe?g|png|webp|bmp|pgm|heic|tiff?)$", re.IGNORECASE)

#: Names of columns whose numbers are no scores.
_OTHER_QUANTITY: Final = re.compile(
    r"time|latency|duration|elapsed|second|\bm?s\b|price|cost|amount|fee|age\b|year|date|size|width|"
    r"height|latitude|longitude|quality",
    re.IGNORECASE,
)

#: The fewest different numbers in a column that may have scores.
_FEWEST_SCORES: Final = 10

#: The consequence of a problem with a file of scores.
_SO: Final = "nothing was judged"

#: Maximum number of columns in an error message.
_SHOWN: Final = 40

#: A file is joined only if its system has more than this share of the labelled pairs.
_LEAST_JOINED: Final = 0.5

#: The fewest lines with the lowest score, and the most different words beside them, if they are
#: compared with the words beside other scores.
_FEWEST_FAILURES: Final = 3
_MOST_STATES: Final = 10

#: Maximum number of distinct values or words that may mean a missing score.
_MOST_MARKS: Final = 3


@attrs.define(slots=False, eq=False, kw_only=True)
class Lines:
    """A table with one pair and one system on each line, and the meaning of its columns.

    Attributes:
        cells: The table.
        name: Name of the system if no column names one.
        independent_pairs: Whether no person is in two pairs.
        distance: Whether all scores are distances, regardless of the names of their columns.
        no_scores: Numbers and words that mean a missing score.
        cut: Rekognition's own threshold, if its `unmatched` faces count as just below it; or None.
        of: The column for each of our names, except the score.
        counts_both_orders: Whether the two orders of two pictures are two pairs.
        scores: Columns of scores. If there are several, `parts` returns separate lines for each.
        skipped: Columns that are not read.
        given: Our names that the user assigned to a column, or to none.
    """

    cells: Cells
    name: str
    independent_pairs: bool
    distance: bool = False
    no_scores: Sequence[float | str] = ()
    cut: float | None = None
    counts_both_orders: bool = False
    of: dict[str, str] = attrs.field(factory=dict)
    scores: list[str] = attrs.field(factory=list)
    skipped: list[str] = attrs.field(factory=list)
    given: set[str] = attrs.field(factory=set)

    def __len__(self) -> int:
        return len(self.cells)

    def parts(self) -> list[Lines]:
        """Return separate lines for each system if one line has the scores of several systems."""
        if len(self.scores) < 2:
            return [self]
        parts = [attrs.evolve(self, name=column, scores=[column]) for column in self.scores]
        if {*TRUTH} & self.of.keys() or {*PEOPLE} <= self.of.keys():  # labels are in this file
            names = ("pictures", "named", "mated", "people", "pairs", "first")
            shared = {name: getattr(self, name) for name in names}  # computed once for all
            for part in parts:
                part.__dict__.update(shared)
        return parts

    @property
    def held(self) -> set[str]:
        """Our names of all columns that are read."""
        return {*self.of, *(["score"] if self.scores else [])}

    def put(self, ours: str, column: str) -> None:
        """Assign a column to one of our names."""
        if ours == "score":
            self.scores.append(column)
        else:
            self.of[ours] = column

    @property
    def is_distance(self) -> bool:
        """Whether lower scores mean more similar; scores and thresholds are then negated."""
        return any(self.distance or is_distance(column) for column in self.scores)

    def words(self, ours: str) -> Words:
        """Return a column of words; every cell of a missing column is empty."""
        if ours not in self.of:
            return Words(np.broadcast_to(np.int8(-1), len(self)), pa.array([], pa.string()))
        return self.cells.words(self.of[ours])

    def numbers(self, ours: str) -> NDArray[np.float64]:
        """Return a column of numbers as float64, (N,); all NaN if the column is missing."""
        if ours not in self.of:
            return np.broadcast_to(np.nan, len(self))
        numbers = self.cells.numbers(self.of[ours])
        return -numbers if ours == "threshold" and self.is_distance else numbers

    def meant(self, ours: str, otherwise: Any, kind: type[np.generic]) -> NDArray[Any]:
        """Return the meaning of each cell of a column, (N,); `otherwise` for an unknown word."""
        words, meanings = self.words(ours), COLUMNS[ours].words
        meant = [meanings.get(word.lower(), otherwise) for word in words.words]
        values = np.array([*meant, otherwise], kind)
        return values[words.codes] if meant else np.broadcast_to(values, len(self))

    @cached_property
    def system(self) -> Words:
        """The system of each line."""
        if "system" in self.of:
            return self.words("system")
        return Words(np.zeros(len(self), np.int8), pa.array([self.name]))

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """float64, (N,): the scores; higher means more similar, NaN if there is none."""
        if not self.scores:
            return self.numbers("score")
        score = self.cells.numbers(self.scores[0])
        numbers = [each for each in self.no_scores if not isinstance(each, str)]
        if numbers:
            score = np.where(np.isin(score, numbers), np.nan, score)
        if self.words_for_no_score:
            words = self.cells.words(self.scores[0])
            missing = [at for at, word in enumerate(words.words) if word in self.words_for_no_score]
            score = np.where(np.isin(words.codes, missing), np.nan, score)
        if self.cut is not None:
            score = np.where(self.unmatched, just_below(self.cut, score), score)
        return -score if self.is_distance else score

    @property
    def words_for_no_score(self) -> set[str]:
        """Words that mean a missing score, such as ``no face``."""
        return {each for each in self.no_scores if isinstance(each, str)}

    @cached_property
    def unmatched(self) -> NDArray[np.bool_]:
        """bool, (N,): whether Rekognition compared a face, but returned no similarity for it.

        Its JSON answer then has a face in UnmatchedFaces and none in FaceMatches.
        """
        unmatched = np.zeros(len(self), np.bool_)
        for column in self.scores:
            if column.endswith(_SIMILARITY):
                faces = column.removesuffix(_SIMILARITY) + "UnmatchedFaces.0."
                for name in self.cells.header:
                    if name.startswith(faces):
                        unmatched |= self.cells.words(name).filled
                unmatched &= np.isnan(self.cells.numbers(column))
        return unmatched

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the call on each line failed."""
        errors = self.words("error")
        no_error = [at for at, word in enumerate(errors.words) if word.lower() in NO_ERROR]
        has_error = errors.filled & ~np.isin(errors.codes, no_error)
        return ~self.meant("answered", True, np.bool_) | has_error

    @property
    def people_by(self) -> tuple[str, ...]:
        """The columns that best distinguish people."""
        ways = (PEOPLE, (PERSON,), *(() if self.independent_pairs else (PICTURES,)))
        return next((way for way in ways if {*way} <= self.of.keys()), ())

    @cached_property
    def pictures(self) -> tuple[Words, ...]:
        """Probes and references, with one code for each picture; empty if they have no names."""
        is_there = {*PICTURES} <= self.of.keys()
        return in_common(*map(self.words, PICTURES)) if is_there else ()

    @cached_property
    def named(self) -> tuple[Words, ...]:
        """The columns with names of people, with one code for each name, sorted by name."""
        is_there = self.people_by in (PEOPLE, (PERSON,))
        return in_common(*map(self.words, self.people_by), is_sorted=True) if is_there else ()

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,): whether the pair on each line is mated."""
        for truth in TRUTH:
            if truth in self.of:
                return self.meant(truth, False, np.bool_)
        return np.asarray(np.equal(*self.people))

    @cached_property
    def people(self) -> tuple[Ints, Ints]:
        """Two Ints, (N,): the number, from 0, of the person in the probe and in the reference."""
        if self.people_by == PEOPLE:
            probe, reference = self.named
            return probe.codes, reference.codes
        if self.people_by == PICTURES:
            probe, reference = self.pictures
            size = len(probe.each) + 1  # the last number is for pictures without a name
            first, second = (side.codes[self.mated] % size for side in self.pictures)
            person = components(first, second, size)
            return person[probe.codes], person[reference.codes]
        # The other person of a non-mated pair has no name.
        is_given = "transaction" in self.of
        others = self.words("transaction").codes if is_given else self.pairs
        codes = self.named[0].codes if self.named else others
        return codes, np.where(self.mated, codes, others + int(codes.max()) + 1)

    @cached_property
    def pairs(self) -> Ints:
        """Ints, (N,): the number of each line's pair, in order of first appearance."""
        if "pair" in self.of:
            return self.words("pair").codes
        if self.pictures:
            first, second = self.pictures
            keys = first.codes.astype(np.int64) * (len(first.each) + 1) + second.codes
            return np.asarray(pd.factorize(keys)[0], np.int64)
        return np.arange(len(self))

    @cached_property
    def first(self) -> Ints:
        """Ints, (pairs,): the first line of each pair."""
        return first_rows(self.pairs)

    def pair_of(self, line: int) -> str:
        """Return the name of a line's pair, for messages."""
        if "pair" in self.of:
            return repr(self.words("pair")[line][:60])
        return " and ".join(repr(side[line][:60]) for side in self.pictures) or str(line)


def recognise(files: Sequence[Lines], columns: Mapping[str, str | Sequence[str]]) -> None:
    """Recognise the columns of each file by the user's arguments, or else by known names.

    Raises:
        ColumnsNotRecognised: a column is ambiguous, or missing from all files.
        InvalidRequest: one of the user's arguments is invalid.
    """
    for cells in [lines.cells for lines in files]:
        if cells.unit == "line" and len(cells.header) == 1:
            name = cells.header[0]
            advice = f"Scores need labels: write {WIDE}." if our_name(name) == "score" else SEPARATE
            raise InvalidRequest(f"{cells.name} has only the column {name[:60]!r}. {advice}")
    unclear = _assign_all(files, columns, so=_SO)
    for lines in files:
        _skip_doubtful(lines)
    missing = unclear | (_missing(files, unclear) or _missing_to_join(files, unclear))
    vendors = _columns_that_may_be_scores(files)
    if vendors:
        shown = join_names([repr(column[:60]) for column in vendors])
        missing["score"] = (
            f"are the numbers in {shown} scores? Name each column of scores as score, or judge the "
            "decisions alone with --column score= (columns={'score': ''})"
        )
    if missing:
        raise _refusal(files, missing, scores=vendors)


def recognise_labels(lines: Lines, columns: Mapping[str, str | Sequence[str]], *, so: str) -> None:
    """Recognise the pictures, people and labels of pairs without scores.

    The label is not needed, because both people are.

    Raises:
        ColumnsNotRecognised: a column is ambiguous or missing; `so` states the consequence.
        InvalidRequest: one of the user's arguments is invalid.
    """
    missing = _assign_all([lines], columns, so=so)
    for name in (*PICTURES, *PEOPLE):
        if name not in lines.of and name not in missing:
            missing[name] = f"the column {name} is missing"
    if missing:
        raise _refusal([lines], missing, so=so)


def _assign_all(
    files: Sequence[Lines], columns: Mapping[str, str | Sequence[str]], *, so: str
) -> dict[str, str]:
    """Assign the columns that the user names or that have known names.

    Return ambiguous names, each with a message; of several files, as ``FILE:NAME``.
    """
    _assign_named(files, columns, so=so)
    unclear: dict[str, str] = {}
    for lines in files:
        own = f"{lines.name}:" if len(files) > 1 else ""
        unclear |= {own + ours: text for ours, text in _assign_known(lines).items()}
    return unclear


def _assign_named(
    files: Sequence[Lines], columns: Mapping[str, str | Sequence[str]], *, so: str
) -> None:
    """Assign the columns that the user names; raise if that is impossible."""
    for key, of in columns.items():
        file, _, ours = key.rpartition(":")
        own = [lines for lines in files if lines.name in (file, Path(file).stem)]
        if file and not own:
            near = suggest_name(file, [lines.name for lines in files])
            raise InvalidRequest(f"There is no file {file[:60]!r}; {near}")
        for column in [of] if isinstance(of, str) else of:
            # A name without a file applies to every file that has such a column.
            having = [lines for lines in files if column in lines.cells.header]
            for lines in own if file else having or files:
                lines.cells.problems += map(Problem, _assign(lines, ours, column))
    for lines in files:
        both = [" or ".join(both) for both in _EITHER if {*both} <= lines.of.keys()]
        lines.cells.problems += [Problem(f"name {names}, not both") for names in both]
        lines.cells.refuse([each for each in lines.cells.problems if each.rows is None], so=so)


def _assign(lines: Lines, key: str, column: str) -> Iterator[str]:
    """Assign a column that the user names, or yield why that is impossible."""
    ours, header = our_name(key), lines.cells.header
    if not ours:
        known = ", ".join(COLUMNS)
        yield f"{key[:60]!r} is not a known name; known names are {known} and group_NAME"
    elif not column:
        lines.given.add(ours)  # read no column under this name
    elif column not in header:
        there = join_names([*map(repr, header)])
        yield f"there is no column {column[:60]!r}; the columns are {there}"
    elif ours in lines.of or column in (*lines.of.values(), *lines.scores):
        yield f"the column {column[:60]!r} is named twice"
    else:
        lines.put(ours, column)
        lines.given.add(ours)


def _assign_known(lines: Lines) -> dict[str, str]:
    """Assign the other columns with known names; return ambiguous names, each with a message."""
    header, used = lines.cells.header, {*lines.of.values(), *lines.scores}
    taken = lines.given.union(*(both for both in _EITHER if {*both} & lines.given))
    found: dict[str, list[str]] = {}
    for place, name in enumerate(header):
        if name in used or (not place and name in ("", "Unnamed: 0")):  # the index of a frame
            continue
        ours = our_name(name)
        if plain(name) == "target" and "source" in map(plain, header):
            ours = "reference"  # AWS calls the pictures source and target
        if ours and ours not in taken:
            found.setdefault(ours, []).append(name)
        else:
            lines.skipped.append(name)
    unclear = {}
    for ours, same in found.items():
        # Prefer a column with our own name.
        same.sort(key=lambda name: plain(name) != plain(ours))
        if len(same) > 1 and plain(same[0]) != plain(ours):
            both = join_names([repr(name[:60]) for name in same])
            unclear[ours] = f"the columns {both} of {lines.name} may each be {ours}: choose one"
        else:
            lines.put(ours, same[0])
            lines.skipped += same[1:]
    return unclear


def _skip_doubtful(lines: Lines) -> None:
    """Skip columns that repeat others, or that have one value for several scores."""
    of = lines.of
    doubtful = ["non_mated"] if {*TRUTH} <= of.keys() else []
    for both in (PEOPLE, PICTURES):  # one alone is not needed if others distinguish people
        half = {*both} & of.keys()
        doubtful += half if len(half) == 1 and lines.people_by else ()
    if len(lines.scores) > 1:
        doubtful += [ours for ours in of if ours in COLUMNS and COLUMNS[ours].of == "answer"]
        lines.cells.refuse(
            Problem(
                f"the column {of[ours][:60]!r} is for one answer, but each line has several "
                f"scores: write one line for each pair and system, as {LONG},error"
            )
            for ours in ("acquired", "error", "answered", "system")
            if ours in of
        )
    elif "backend" in of:
        of.setdefault("system", of["backend"])
    lines.skipped += map(of.pop, doubtful)


def _missing(files: Sequence[Lines], unclear: Iterable[str]) -> dict[str, str]:
    """Return our names of the columns that no file has, each with a message."""
    first, held = files[0], {ours for lines in files for ours in lines.held}
    held |= {name.rpartition(":")[2] for name in unclear}
    missing = {
        name: f"the column {name} is missing"
        for both in (PEOPLE, PICTURES, ("transaction", "attempt"))
        for name in ({*both} - held if {*both} & held else ())
    }
    if not {*PEOPLE, *PICTURES, PERSON} & held and not first.independent_pairs:
        missing[PERSON] = (
            "no column names the people: name both people (probe_subject, reference_subject), one "
            "person per line (person) or both pictures (image1, image2), or use "
            f"{format_argument('independent_pairs', True)} if no person is in two pairs"
        )
    if not {*TRUTH} & held and held >= {*PEOPLE}:
        for name in (name for each in files for name in each.skipped if _may_be_truth(each, name)):
            missing["mated"] = (
                f"is {name[:60]!r} the ground truth? Name it as mated if 1 means one person, as "
                "non_mated if 1 means two; --column mated= ignores it (columns={'mated': ''})"
            )
    if not {*TRUTH} & held and not held >= {*PEOPLE}:
        missing["mated"] = (
            "no column has the ground truth: name the column mated, or both people (probe_subject, "
            "reference_subject)"
        )
        for name in [lines.of["decision"] for lines in files if "decision" in lines.of][-1:]:
            missing["mated"] += f"; {name[:60]!r} is the answer of the system, not the truth"
    if not {"score", "decision"} & held:
        missing["score"] = (
            "no column of scores has a known name (score, similarity, confidence, distance); if "
            "there is a column for each system, name each of them as score"
        )
    several = len(files) == 1 and len(first.system.words) > 1
    if several and "pair" not in held and not {*PICTURES} <= held:
        missing["pair"] = "the column pair is missing, which identifies a pair across systems"
    return missing


def _may_be_truth(lines: Lines, column: str) -> bool:
    """Return whether a column with an unknown name has words for both kinds of pairs."""
    if our_name(column) or {*TRUTH} & lines.given:
        return False
    return {MATED.get(word.lower()) for word in lines.cells.words(column).words} == {True, False}


def _columns_that_may_be_scores(files: Sequence[Lines]) -> list[str]:
    """Return columns that the user may mean as scores, if no column is known to have scores.

    Beside a `Result`, the columns of scores are often headed by the names of the vendors.
    """
    if any(lines.scores or "score" in lines.given for lines in files):
        return []
    if not any("decision" in lines.of for lines in files):
        return []  # without scores and decisions, the user is asked in any case
    columns = []
    for lines in files:
        if "decision" not in lines.given:
            columns += [column for column in lines.skipped if _may_be_scores(lines, column)]
    return columns


def _may_be_scores(lines: Lines, column: str) -> bool:
    """Return whether a column has many numbers, as scores are, and no name of another quantity."""
    if our_name(column) or _OTHER_QUANTITY.search(column):
        return False
    numbers = lines.cells.numbers(column)
    numbers = numbers[~np.isnan(numbers)]
    if np.isinf(numbers).any():  # a word
        return False
    distinct = np.unique(numbers)
    if len(distinct) < _FEWEST_SCORES:
        return False
    # Whole numbers beyond 100, or one for each line, may be ids.
    is_id = bool((distinct % 1 == 0).all()) and (
        distinct.max() > 100 or len(distinct) == len(numbers)
    )
    return not is_id


def _missing_to_join(files: Sequence[Lines], unclear: Iterable[str]) -> dict[str, str]:
    """Return ``FILE:NAME`` of each column that a file lacks for joining, with a message."""
    key = min(PAIR_KEYS, key=lambda key: sum(not {*key} <= lines.of.keys() for lines in files))
    missing: dict[str, str] = {}
    if len(files) > 1:
        missing = {
            f"{lines.name}:score": (
                f"{lines.name} has no column of scores with a known name, and no labels, people or "
                "groups"
            )
            for lines in files
            if not _adds_something(lines) and f"{lines.name}:score" not in unclear
        }
    for lines in files if len(files) > 1 else ():
        lacks = [name for name in key if not {name, f"{lines.name}:{name}"} & {*lines.of, *unclear}]
        missing |= dict.fromkeys(
            (f"{lines.name}:{name}" for name in lacks),
            f"{lines.name} has no column {' or '.join(lacks)}; all files must identify pairs in "
            "the same way: by both pictures, a pair id or both people",
        )
    return missing


def _adds_something(lines: Lines) -> bool:
    """Return whether a file has answers, labels, people or groups, and not the pairs alone."""
    if lines.scores or not lines.given.isdisjoint(("score", "decision")):
        return True
    return any(
        ours in ("decision", "error", *TRUTH, *PEOPLE, PERSON) or group_of(ours)
        for ours in lines.of
    )


def _refusal(
    files: Sequence[Lines],
    missing: dict[str, str],
    *,
    scores: Sequence[str] = (),
    so: str = _SO,
) -> ColumnsNotRecognised:
    """Return an error that lists all columns and asks the user to name the missing ones.

    `scores` are columns for the user to confirm as scores; `so` states the consequence.
    """
    name = files[0].cells.name if len(files) == 1 else "The comparison"
    texts = [format_problems(name, missing.values(), so)]
    for lines in files:
        header = lines.cells.header
        held = {column: ours for ours, column in lines.of.items()}
        held |= dict.fromkeys(lines.scores, "score")
        texts.append(f"Columns of {lines.cells.name.removeprefix('The ')}:")
        width = max(len(column[:60]) for column in header)
        for column in header[:_SHOWN]:
            some = ", ".join(repr(word[:30]) for word in lines.cells.words(column).words[:2])
            held_by = held.get(column, "unknown")
            texts.append(f"  {column[:60]:{width}}  {held_by:17}  {some or 'empty'}")
        if len(header) > _SHOWN:
            texts.append(f"  and {len(header) - _SHOWN} more")
    if not scores and {"mated", "score", PERSON} & missing.keys():
        texts.append(f"Write one line per pair, not a matrix or a curve: {WIDE} or {LONG}.")
    # If no column was skipped, none can name people. If several were, two may name both people.
    skipped = sum(len(lines.skipped) for lines in files)
    names_nobody = PERSON in missing and not skipped
    asked = [*missing]
    if PERSON in missing and skipped != 1:
        asked.remove(PERSON)
        if skipped:
            asked += PICTURES if _have_pictures(files) else PEOPLE
    columns: dict[str, str | Sequence[str]] = dict.fromkeys(asked, COLUMN)
    if scores:
        columns["score"] = scores[0] if len(scores) == 1 else scores
    return ColumnsNotRecognised("\n".join(texts), columns=columns, independent_pairs=names_nobody)


def notes_of_columns(files: Sequence[Lines], lines: Lines) -> Iterator[str]:
    def quoted(names: Iterable[str]) -> str:
        return join_names([repr(name[:60]) for name in names])

    for each in files:
        if each.skipped:
            of = f"{each.cells.name}: " if len(files) > 1 else ""
            yield (
                f"{of}read {quoted([*each.of.values(), *each.scores])}; columns that are "
                f"unknown or not needed were skipped: {quoted(each.skipped)}"
            )
        if distances := [name for name in each.scores if each.distance or is_distance(name)]:
            yield (
                f"scores of {quoted(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances up to 0.4"
            )
    if not {*TRUTH} & lines.of.keys():
        yield "pairs with the same name on both sides are mated, because no column has labels"
    if lines.people_by == (PERSON,):
        column = next(each.of[PERSON] for each in files if PERSON in each.of)
        yield (
            f"each line names one person, {column!r}: the other people of non-mated pairs are "
            "unknown, and intervals are too narrow if one of them is in several pairs"
        )
    if not lines.people_by:
        yield "pairs are treated as independent: if a person is in two, intervals are too narrow"


def just_below(threshold: float, scores: NDArray[np.float64]) -> float:
    """Return the threshold minus one unit of the last decimal place of the scores (at most 6)."""
    given = scores[~np.isnan(scores)]
    places = next((n for n in range(6) if (given == given.round(n)).all()), 6)
    return float(round(threshold - 10.0**-places, places))


def _have_pictures(files: Sequence[Lines]) -> bool:
    """Return whether two of the skipped columns begin with the name of a picture's file."""
    count = 0
    for lines in files:
        for column in lines.skipped:
            words = lines.cells.words(column).words[:1]
            count += any(map(_PICTURE_FILE.search, words))
    return count >= 2


def components(first: Ints, second: Ints, size: int) -> Ints:
    """Return each node's connected component, Ints, (size,); edges link `first` to `second`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def without_repeats(lines: Lines, note: Callable[[str], object]) -> Lines:
    """Leave out what a matrix of all pictures has twice, or without need; each with a note.

    These are the comparisons of each picture with itself, and a pair's second order if its scores
    are equal. If most pairs have two orders with other scores, as of engines that are not
    symmetric, both orders count as pairs. Other repeats are problems of the file.
    """
    if not lines.pictures or lines.cells.problems:
        return lines
    lines = _without_diagonal(lines, note)
    probe, reference = lines.pictures
    reverse = _reverse_lines(lines)
    # Of each pair, the order in which its pictures appear first in the file is kept.
    later = np.flatnonzero((reverse >= 0) & (probe.codes > reference.codes))
    if not len(later):
        return lines
    if _have_equal_answers(lines, later, reverse[later]):
        note(
            f"{lines.name}: {len(later):,} lines are left out, because they have the same two "
            "pictures as another line, in the other order, with the same scores"
        )
        is_kept = np.ones(len(lines), np.bool_)
        is_kept[later] = False
        return attrs.evolve(lines, cells=lines.cells.take(np.flatnonzero(is_kept)))
    if 2 * len(later) < len(lines) - len(later):
        return lines  # a matrix has most pairs in both orders
    note(
        f"{lines.name}: {len(later):,} pairs are compared in both orders, with other scores; each "
        "order counts as a pair"
    )
    return attrs.evolve(lines, counts_both_orders=True)


def _without_diagonal(lines: Lines, note: Callable[[str], object]) -> Lines:
    """Leave out the comparisons of each picture with itself, if every picture has one.

    Without any other mated pair, the two pictures are probably of two folders.
    """
    probe, reference = lines.pictures
    is_same = probe.codes == reference.codes
    if not is_same.any():
        return lines
    pictures = np.unique(np.concatenate([probe.codes, reference.codes]))
    has_all = np.array_equal(np.unique(probe.codes[is_same]), pictures)
    if not has_all or not (lines.mated & ~is_same).any():
        return lines
    count = np.count_nonzero(is_same)
    note(f"{lines.name}: {count:,} comparisons of a picture with itself are left out")
    return attrs.evolve(lines, cells=lines.cells.take(np.flatnonzero(~is_same)))


def _reverse_lines(lines: Lines) -> Ints:
    """Return for each line the line of its system with its pictures in the other order, or -1."""
    probe, reference = lines.pictures
    reverse = np.full(len(lines), -1)
    size = len(probe.each)
    is_probe = np.zeros(size, np.bool_)
    is_probe[probe.codes] = True
    is_reference = np.zeros(size, np.bool_)
    is_reference[reference.codes] = True
    is_both = is_probe & is_reference  # only these can have another order
    rows = np.flatnonzero(is_both[probe.codes] & is_both[reference.codes])
    if not len(rows):
        return reverse
    first = probe.codes[rows].astype(np.int64)
    second = reference.codes[rows].astype(np.int64)
    system = lines.system.codes[rows].astype(np.int64) * size * size
    index = pd.Index(system + first * size + second)
    if index.is_unique:  # if not, a pair appears twice in the same order: a problem of the file
        found = index.get_indexer(system + second * size + first)
        reverse[rows] = np.where((found < 0) | (first == second), -1, rows[found])
    return reverse


def _have_equal_answers(lines: Lines, one: Ints, other: Ints) -> bool:
    """Return whether two lists of lines have the same scores, decisions and errors."""
    for column in lines.scores:
        numbers = lines.cells.numbers(column)
        if not np.array_equal(numbers[one], numbers[other], equal_nan=True):
            return False
    return all(
        np.array_equal(lines.words(name).codes[one], lines.words(name).codes[other])
        for name in ("decision", "error")
    )


def join(files: Sequence[Lines], note: Callable[[str], object]) -> Lines:
    """Join files by pair. A file without scores provides only labels and people."""
    stems = [lines.name for lines in files]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise InvalidRequest(
            f"Two files or columns of scores have the name {twice[0]!r}, which is also the name of "
            "the system: rename one."
        )
    key = [*next(key for key in PAIR_KEYS if all({*key} <= lines.of.keys() for lines in files))]
    whole = pd.concat(map(_texts_of, files), ignore_index=True)
    whole["number"] = _pairs_of(whole, key, note)
    _copy_facts_of_pairs(whole, key)
    labelled = whole["mated"].notna() if "mated" in whole else True
    keep = whole["is_answer"] & labelled
    _check_coverage(whole, key, keep, note)
    whole = whole[keep]
    names = whole.groupby("number")[key].transform("first").fillna("")
    whole = whole.assign(pair=names[key[0]].str.cat(names[key[1:]], sep=" and "))
    places = whole["place"].tolist()
    whole = whole.drop(columns=["place", "file", "number", "is_answer"]).dropna(axis=1, how="all")
    cells = Cells("The comparison", pa.table({**whole}), places=lambda: places, unit="line")
    lines = Lines(cells=cells, name="", independent_pairs=files[0].independent_pairs)
    for name in whole:
        lines.put(name, name)
    return lines


def _texts_of(lines: Lines) -> pd.DataFrame:
    """Return the lines of one file as numbers and texts, with None for an empty cell."""
    columns: dict[str, Any] = {}
    for ours in [each for each in lines.of if each not in TRUTH]:
        is_number = ours in COLUMNS and COLUMNS[ours].is_number
        columns[ours] = lines.numbers(ours) if is_number else lines.words(ours).texts
    columns["system"] = lines.system.texts
    if {*TRUTH} & lines.of.keys():
        columns["mated"] = np.where(lines.mated, "1", "0").astype(object)
    if lines.scores:
        columns["score"] = lines.score
    if lines.is_distance:
        columns["scale"] = MINUS_DISTANCE
    file = PurePath(lines.cells.name.removeprefix("The file ")).name
    frame = pd.DataFrame(columns).replace("", None)
    return frame.assign(
        place=[PlaceInFile(number, file) for number in lines.cells.places],
        file=lines.name,
        is_answer=bool({"decision", "error", "score"} & lines.held),
    )


def _pairs_of(whole: pd.DataFrame, key: list[str], note: Callable[[str], object]) -> pd.Series:
    """Return the pair of each line; if the folders of pictures differ, compare file names only."""

    def numbered(ends: pd.DataFrame) -> pd.Series:
        # The order of the two pictures does not matter.
        frame = pd.DataFrame(np.sort(ends.to_numpy(str), axis=1))
        return frame.groupby([*frame], sort=False).ngroup()

    def joins_all(numbers: pd.Series) -> bool:
        return bool(whole["file"].groupby(numbers).nunique().max() == whole["file"].nunique())

    ends = whole[key].fillna("")
    numbers = numbered(ends)
    if key == [*PICTURES] and not joins_all(numbers):
        by_file = numbered(ends.replace(r".*[/\\]", "", regex=True))
        names_in, of_file = by_file.groupby(whole["file"]), numbers.groupby(whole["file"])
        if joins_all(by_file) and names_in.nunique().equals(of_file.nunique()):
            note("pictures were joined by file name, because their folders differ")
            return by_file
    return numbers


def _copy_facts_of_pairs(whole: pd.DataFrame, key: list[str]) -> None:
    """Copy the label, people and groups of a pair to all of its lines, in all files."""
    facts = [
        name for name in whole if group_of(name) or (name in COLUMNS and COLUMNS[name].of == "pair")
    ]
    if len(key) == 2:
        first = whole.groupby("number")[key[0]].transform("first")
        turned = (whole[key[0]] != first) & (whole[key[1]] == first)
        kinds = [name.removeprefix(PROBE_GROUP) for name in facts if name.startswith(PROBE_GROUP)]
        sides = [(PROBE_GROUP + kind, REFERENCE_GROUP + kind) for kind in kinds]
        for one, two in (PICTURES, PEOPLE, *sides):
            if {one, two} <= {*whole}:
                whole.loc[turned, [one, two]] = whole.loc[turned, [two, one]].to_numpy()
    for name in facts:
        shared = whole.groupby("number")[name].transform("first")
        clash = whole[name].notna() & whole[name].ne(shared)
        if name not in PICTURES and clash.any():
            line = whole[clash].iloc[0]
            raise InvalidRequest(
                f"line {line['place']}: {name} of this pair is {line[name][:60]!r}, but "
                f"{shared[clash].iloc[0][:60]!r} in another file; nothing was judged."
            )
        whole[name] = shared


def _check_coverage(
    whole: pd.DataFrame, key: list[str], keep: pd.Series, note: Callable[[str], object]
) -> None:
    """Note the pairs that a system lacks; raise if a system lacks most of them."""
    count = whole["number"][keep].nunique()
    for name, lines in whole[whole["is_answer"]].groupby("system", sort=False):
        known = keep[lines.index]
        missing = count - lines["number"][known].nunique()
        if missing >= _LEAST_JOINED * count:
            others = whole[whole["system"] != name]
            shared = len({*lines["number"]} & {*others["number"]})
            ends = pd.concat([lines[:1], others[:1]])[key].fillna("")
            shown = [" and ".join(repr(end[:60]) for end in line) for line in ends.to_numpy()]
            raise InvalidRequest(
                f"{name} has {shared:,} of the {others['number'].nunique():,} pairs of "
                f"other files: nothing was judged. Its first pair is {shown[0]}, and theirs is "
                f"{shown[-1]}: identify pairs in the same way in all files."
            )
        if left_out := int((~known).sum()):
            note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
        if missing:
            note(
                f"{name}: {missing:,} of {count:,} pairs are not in its file; they are treated as "
                "not asked and count in no rate"
            )


def problems_of_cells(lines: Lines) -> Iterator[Problem]:
    """Yield problems with the cells of a file, and with single lines."""
    cells = lines.cells
    yield from cells.problems
    for ours, column in [*lines.of.items(), *(("score", column) for column in lines.scores)]:
        known = COLUMNS.get(ours, Column())
        if ours == "score":
            yield from _words_among_scores(lines, column)
        elif known.is_number:
            yield from cells.no_numbers(column)
        if ours == "score" and not {*lines.no_scores} - lines.words_for_no_score:
            yield from _missing_score_marks(column, cells.numbers(column))
            yield from _scores_beside_failures(lines, column)
        if known.is_number and ours not in ("score", "threshold"):
            yield Problem(f"{column} is below 0", np.flatnonzero(cells.numbers(column) < 0))
        if known.advice:
            yield from cells.words(column).problems(column, known.is_right, known.advice)
        if known.is_needed or ours in lines.people_by:
            yield Problem(f"{column} is empty", np.flatnonzero(~cells.words(column).filled))
    has_score = np.isfinite(lines.score)
    acquired = lines.meant("acquired", -1, np.int8)
    answered = has_score | (acquired == 1) | lines.words("decision").filled
    both = "there is both an error and an answer (a score, a decision or acquired)"
    yield Problem(both, np.flatnonzero(lines.failed & answered))
    lost = "acquired is 0, but there is a score"
    yield Problem(lost, np.flatnonzero((acquired == 0) & has_score))
    yield from _problems_of_people(lines)


def _words_among_scores(lines: Lines, column: str) -> Iterator[Problem]:
    """Yield a problem for each word in a column of scores, with the option that explains it."""
    words = lines.cells.words(column)
    is_word = np.isinf(lines.cells.numbers(column))
    known = lines.words_for_no_score
    unknown = {words.words[code] for code in np.unique(words.codes[is_word])} - known
    is_misspelt = any(re.match(r"[-+.,]?\d", word) for word in unknown)  # a number, such as 97,5
    if is_misspelt or len(unknown) > _MOST_MARKS or is_word.all():
        yield from lines.cells.no_numbers(column)
        return
    no_scores = format_argument("no_scores", sorted(unknown))
    limits = [re.fullmatch(r"<=? *(\d+([.]\d+)?)", word) for word in unknown]
    if len(limits) == 1 and limits[0] is not None:
        limit = _plain_number(float(limits[0][1]))
        below = format_argument("below", {lines.name: limit})
        advice = f"if the vendor omits scores below {limit}, use {no_scores} {below}"
    else:
        advice = (
            f"if no face was found, use {no_scores}; if the call failed, leave the score empty and "
            "write why in a column error"
        )
    yield from lines.cells.no_numbers(column, allowed=known, advice=advice)


def _scores_beside_failures(lines: Lines, column: str) -> Iterator[Problem]:
    """Yield a problem if the lowest score stands on the lines with some words, and on no other.

    Logs have a score of 0 beside a status such as ``TIMEOUT``, in a column with an unknown name.
    """
    scores = lines.cells.numbers(column)
    lowest = np.fmin.reduce(scores)
    is_lowest = scores == lowest
    if np.count_nonzero(is_lowest) < _FEWEST_FAILURES or is_lowest.all():
        return
    for name in lines.skipped:
        words = lines.cells.words(name)
        if len(words.each) > _MOST_STATES:
            continue
        of_lowest = np.unique(words.codes[is_lowest])
        if not np.isin(words.codes[~is_lowest], of_lowest).any():
            shown = " or ".join(repr(words.words[code]) for code in of_lowest if code >= 0)
            error = format_argument("columns", {"error": name}).replace("--columns", "--column")
            no_score = format_argument("no_scores", [_plain_number(lowest)])
            yield Problem(
                f"{column} is {lowest:g} where {name[:60]!r} is {shown[:90] or 'empty'}, and on no "
                f"other line: if no face was found, use {no_score}; if the calls failed, use "
                f"{no_score} {error}; if every number is a score, use nan instead",
                np.flatnonzero(is_lowest),
            )
            return


def _plain_number(number: float) -> float | int:
    """Return a whole number as an int, so that it is written without a point."""
    return int(number) if float(number).is_integer() else float(number)


def _missing_score_marks(column: str, numbers: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield a problem if negative numbers, or 9s such as 99, lie far from all other scores."""
    ends = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    if ends[0] >= 0 and not any(re.fullmatch("99+", f"{end:g}") for end in ends):
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    whole = values[(counts > 1) & (values % 1 == 0)].tolist()
    marks = [value for value in whole if value < 0 or re.fullmatch("99+", f"{value:.0f}")]
    marks = marks if len(marks) <= _MOST_MARKS else [marks[0], marks[-1]]
    others = values[~np.isin(values, marks)]
    low, high = others.min(initial=np.inf), others.max(initial=-np.inf)
    far = [
        mark
        for mark in marks
        if min(abs(mark - low), abs(mark - high)) > high - low >= 0 or mark < 0 <= low
    ]
    if far and len(others):
        yield Problem(
            f"{column} is {' or '.join(f'{mark:g}' for mark in far)}, and all other scores lie "
            f"between {low:g} and {high:g}: if this means a missing score, leave the cell empty or "
            f"use {format_argument('no_scores', [int(mark) for mark in far])}; if every number is "
            "a score, use nan instead",
            np.flatnonzero(np.isin(numbers, far)),
        )


def _problems_of_people(lines: Lines) -> Iterator[Problem]:
    """Yield problems: labels that contradict the people, and pictures compared with themselves."""
    for ours in {*TRUTH} & lines.of.keys():
        labels = lines.words(ours)
        if {"0", "-1"} <= {*labels.words}:
            rows = np.flatnonzero(labels.codes == labels.words.index("-1"))
            yield Problem(f"{lines.of[ours]} is -1, but 0 on other lines: write 1 or 0", rows)
        if len(lines.people_by) == 2:
            wrong = (lines.meant(ours, -1, np.int8) >= 0) & (lines.mated != np.equal(*lines.people))
            reason = "mated pairs connect {} and {} as one person"
            if lines.people_by == PEOPLE:
                reason = "its people are named {} and {}; for pictures, use image1 and image2"
            yield from problems_at(
                np.flatnonzero(wrong),
                lambda row, reason=reason: (
                    f"the pair is marked as {'mated' if lines.mated[row] else 'non-mated'}, but "
                    + reason.format(
                        *(repr(lines.words(side)[row][:60]) for side in lines.people_by)
                    )
                ),
            )
    if lines.pictures:
        probe, reference = lines.pictures
        yield from problems_at(
            np.flatnonzero((probe.codes == reference.codes) & probe.filled),
            lambda row: (
                f"the picture {probe[row][:60]!r} is compared with itself; if it is a person, use "
                "probe_subject and reference_subject; if two folders have it, write the folder, too"
            ),
        )


def problems_of_pairs(lines: Lines) -> Iterator[Problem]:
    """Yield problems: pairs whose people differ between lines, and pictures used in two pairs."""
    place, above = lines.cells.place, lines.first[lines.pairs]
    others = (of != of[above] for of in (lines.mated, *lines.people))
    yield from problems_at(
        np.flatnonzero(functools.reduce(np.logical_or, others)),
        lambda row: f"the pair {lines.pair_of(row)} has other people than in {place(above[row])}",
    )
    if lines.pictures:
        ends = np.array([side.codes[lines.first].astype(np.int64) for side in lines.pictures])
        if not lines.counts_both_orders:
            ends.sort(axis=0)
        codes = pd.factorize(ends[0] * (1 + int(ends.max())) + ends[1])[0]
        same = lines.first[first_rows(codes)[codes]]
        yield from problems_at(
            lines.first[same != lines.first],
            lambda row: (
                f"the same two pictures as in {place(same[lines.pairs[row]])}, but as another pair"
            ),
        )


def facts_of(lines: Lines) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the facts of each system by column, and the lines that contradict them."""
    system = lines.system
    facts: list[dict[str, Any]] = [{} for _ in system.words]
    problems: list[Problem] = []
    for name in [name for name in lines.of if name in COLUMNS and COLUMNS[name].of == "system"]:
        words, column = lines.words(name), COLUMNS[name]
        if column.is_number:  # 5 and 5.0 are equal
            codes, each = pd.factorize(lines.cells.numbers(lines.of[name]))
            words = Words(codes, pa.array(each))
        first, wrong = _contradictions(system.codes, words.codes, len(facts))
        for fact, row in zip(facts, first, strict=True):
            if row >= 0:
                value = float(lines.numbers(name)[row]) if column.is_number else words[row]
                fact[name] = column.words.get(str(value).lower(), value)
        problems += problems_at(
            wrong,
            lambda row, name=name, words=words, first=first: (
                f"{name} of {system[row][:60]!r} is {words[row][:40]!r}, but "
                f"{words[above := first[system.codes[row]]][:40]!r} in {lines.cells.place(above)}"
            ),
        )
    if lines.is_distance:
        facts = [{**fact, "scale": MINUS_DISTANCE} for fact in facts]
    return facts, problems


def groups_of(lines: Lines) -> tuple[dict[str, Grouping], list[Problem]]:
    """Return groupings by name, and a problem for each person in two groups of a grouping."""
    sides = {GROUP: (0, 1), PROBE_GROUP: (0,), REFERENCE_GROUP: (1,)}
    kinds: dict[str, list[tuple[Words, Ints]]] = {}
    for column in lines.of:
        if parts := group_of(column):
            said = [(lines.words(column), lines.people[side]) for side in sides[parts[0]]]
            kinds.setdefault(parts[1], []).extend(said)
    groups: dict[str, Grouping] = {}
    problems: list[Problem] = []
    for kind, said in kinds.items():
        groups[kind], of_kind = _grouping_of(kind, said, lines)
        problems += of_kind
    return groups, problems


def _grouping_of(
    kind: str, said: Sequence[tuple[Words, Ints]], lines: Lines
) -> tuple[Grouping, Sequence[Problem]]:
    """Return one grouping, and a problem for each person in two groups of it.

    `said` has a column of groups, and the person on each of its lines, once for each side.
    """
    columns = in_common(*(words for words, _ in said), is_sorted=True)
    groups = columns[0].words
    # Keep the order of lines, so that the first label of a person is on the earliest line.
    labels = np.stack([each.codes for each in columns], axis=1).ravel()
    people = np.stack([people for _, people in said], axis=1).ravel()
    first, wrong = _contradictions(people, labels, 1 + max(map(np.max, lines.people)))
    of_person = np.where(first < 0, -1, labels[first])
    # Report only the first contradiction on each line.
    wrong_by_row = dict(zip((wrong // len(said))[::-1].tolist(), wrong[::-1], strict=True))

    def describe(row: int) -> str:
        place = wrong_by_row[row]
        person = people[place]
        name = lines.named[0].words[person] if lines.named else "somebody"
        is_one_line = first[person] // len(said) == row
        return (
            f"{name!r:.60} is in the group {groups[labels[place]]!r:.60} of {kind}, but "
            f"{'on the same line' if is_one_line else 'above'} in {groups[of_person[person]]!r:.60}"
        )

    probe, reference = (of_person[side] for side in lines.people)
    grouping = Grouping(labels=(*groups,), probe=probe, reference=reference)
    return grouping, [*problems_at(sorted(wrong_by_row), describe)]


def _contradictions(keys: Ints, values: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the first row with a value for each key, and the rows with a different value."""
    filled = values >= 0
    first = first_rows(keys, None if filled.all() else np.flatnonzero(filled), size=size)
    return first, np.flatnonzero(filled & (values != values[first][keys]))
