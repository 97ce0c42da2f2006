"""Scores in: CSV wide and long, Parquet, pandas and Arrow.

`read_scores` takes what people have. Columns are recognised by the usual names (`SYNONYMS`), where
that is certain; where it is not, the error says what to add, with an example. A column that nobody
knows is an error with the nearest name: to pass it by would lose what a misspelt one says.

``long``: a line for each pair and system, with a column of scores, decisions or both. ``wide``: a
line for each pair, with a column of scores for each system.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.kinds import nearest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .cells import Cells, Problem, Words, read_cells, unknown
from .model import (
    BILLED,
    DECISIONS,
    NO_DECISION,
    NOT_ASKED,
    Answers,
    Grouping,
    PairNames,
    ScoreTable,
)
from .study.reading import GROUP, GROUPS, MATED, PROBE_GROUP, REFERENCE_GROUP, group_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

#: Columns of a file of scores, apart from groups, to other names that are certain. Capitals,
#: spaces, ``_`` and ``-`` do not count.
SYNONYMS: Final[Mapping[str, Sequence[str]]] = {
    "system": ("contender", "vendor", "provider", "algorithm", "engine", "matcher"),
    "pair": ("pair_id", "comparison", "comparison_id", "trial", "trial_id", "id"),
    "mated": (
        *("same", "label", "match", "is_same", "is_match", "is_mated", "genuine", "is_genuine"),
        *("same_person", "ground_truth", "truth", "target"),
    ),
    "probe": (
        *(f"{what}_{side}" for what in ("image", "img", "file", "path") for side in "1a"),
        *(f"{what}_{side}" for what in ("photo", "picture") for side in "1a"),
        *("probe_image", "probe_file", "probe_path"),
    ),
    "reference": (
        *(f"{what}_{side}" for what in ("image", "img", "file", "path") for side in "2b"),
        *(f"{what}_{side}" for what in ("photo", "picture") for side in "2b"),
        *("reference_image", "reference_file", "reference_path", "gallery", "gallery_image"),
    ),
    "probe_subject": (
        *(f"{what}_{side}" for what in ("subject", "person", "identity") for side in "1a"),
        *("probe_person", "probe_identity", "probe_subject_id", "subject_id_1", "person_id_1"),
    ),
    "reference_subject": (
        *(f"{what}_{side}" for what in ("subject", "person", "identity") for side in "2b"),
        *("reference_person", "reference_identity", "reference_subject_id"),
        *("gallery_subject", "subject_id_2", "person_id_2"),
    ),
    "score": ("similarity", "similarity_score", "match_score", "confidence", "sim"),
    "decision": (),
    "acquired": (),
    "error": (),
    "elapsed_s": ("latency_s",),
    "billed": ("charged",),
    "rule": (),
    "threshold": (),
    "scale": (),
    "price": (),
    "currency": (),
    "backend": (),
    "model": ("model_version",),
    "environment": (),
    "privacy": (),
    "people_known": (),
    "other_models": (),
}

#: Columns of free text, which may be there.
NOTES: Final = frozenset({"note", "notes", "comment", "comments", "remark", "remarks"})

#: Columns that say one thing of a system.
_OF_SYSTEM: Final = (
    *("rule", "threshold", "scale", "price", "currency", "backend", "environment", "privacy"),
    *("people_known", "other_models"),
)

#: Columns that say something of one answer: in a wide file they would be anybody's.
_OF_ANSWER: Final = ("score", "decision", "acquired", "error", "elapsed_s", "billed")

#: Where less is more alike.
_DISTANCES: Final = ("distance", "dist", "cosinedistance", "euclideandistance", "l2", "l2distance")

#: More systems than this are a mistake in the file.
MOST: Final = 100

_WIDE: Final = "image1,image2,label,vendor_a,vendor_b"
_LONG: Final = "system,pair,label,probe_subject,reference_subject,score"
_SO: Final = "nothing was judged"
_YES_NO: Final[Mapping[str, int]] = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_DECIDED: Final = {decision.value: at for at, decision in enumerate(DECISIONS)}
_INCONCLUSIVE: Final = DECISIONS.index(Decision.INCONCLUSIVE)
_BILLED: Final = {billed.value: at for at, billed in enumerate(BILLED)}
_PRIVACY: Final = str(attrs.fields_dict(Answers)["privacy"].default)


def read_scores(
    source: Path | DataFrame | Any,
    *,
    columns: Mapping[str, str] | None = None,
    systems: Sequence[str] = (),
    ignore: Sequence[str] = (),
    rule: ThresholdRule | None = None,
    name: str | None = None,
) -> list[Answers]:
    """Read what systems answered to pairs.

    Which column is which is recognised by its name (`SYNONYMS`). There must be ``mated`` (also
    ``same``, ``label``, ``match``, ...: 1/0, yes/no, true/false, mated/non-mated, ...), unless both
    people are named; ``probe_subject`` and ``reference_subject`` (any name or number of each
    person), or else the pictures, ``probe`` and ``reference`` (``image1`` and ``image2``, ...):
    then pictures that mated pairs join stand for one person (`Answers.people_known`).

    Long: ``system`` names who answered (without it, all lines are one system's) and ``pair`` the
    pair (without it, the two pictures do); ``score`` (higher is more alike, kept as it is),
    ``decision`` (match, no_match, review or inconclusive), or both, say what was answered. Wide:
    without these, every further column is the scores of the system that it is called by, if all of
    them are numbers. An answer without score and decision is a failure to acquire, and counts
    against a mated pair. All systems have the same pairs, in any order.

    There may be, in a long file: ``acquired`` (1 or 0; by default, whether there is a score, or a
    decision other than inconclusive); ``error`` (why there is no answer: such a pair counts in no
    rate); ``elapsed_s`` (seconds); ``billed`` (yes, no or unknown; by default yes if there is a
    price and an answer). In both, groups as `read_pairs_csv` takes them, ``note``, and, the same on
    all lines of a system or on some of them: ``rule`` (above or at_least; vendor if that is not
    known), ``threshold`` (of the decisions), ``scale``, ``price`` and ``currency``, ``backend``,
    ``environment``, ``privacy``, ``model``. Two models of one system are two systems, ``NAME (model
    v1)`` and ``NAME (model v2)``; an error without a model counts with the first.

    Args:
        source: A CSV or Parquet file, a pandas DataFrame or a pyarrow Table.
        columns: What a column is that is called otherwise: our name to its name.
        systems: Of a wide table, the columns of scores; by default the remaining ones.
        ignore: Columns that are passed by.
        rule: How scores are compared with a threshold where the file does not say; AT_LEAST by
            default.
        name: Of the system, where no column names one; by default that of the file.

    Returns:
        Of each system, in the order of the file; pairs in that of their first lines.

    Raises:
        InvalidRequest: it cannot be read, a column is missing or unknown, or something is wrong
            with a line; every place is named.
    """
    cells = read_cells(source, what="comparison", example=f"{_WIDE} or {_LONG}")
    table = _recognised(cells, columns or {}, systems, ignore)
    cells.refuse([*cells.problems, *_of_cells(table)], so=_SO)
    one_name = name or (Path(source).stem if isinstance(source, (str, Path)) else "scores")
    problems: list[Problem] = []
    asked = list(_asked(table, one_name, problems))
    if len(asked) > MOST:
        text = f"there are {len(asked):,} systems, and at most {MOST} can be compared"
        problems = [Problem(text)]
    else:
        problems += _between(table, asked)
    cells.refuse(problems, so=_SO)
    return [_answers(table, one, rule or ThresholdRule.AT_LEAST) for one in asked]


def what_to_add(names: Sequence[str]) -> str:
    """Which columns a file needs for something, and what may be in them, as half a sentence.

    Args:
        names: Of columns that say one thing of a system, such as ``backend`` and ``environment``.
    """
    known = {
        "backend": "of the verifier that shall use it, for example didit",
        "scale": "any name of the scale, for example didit/face-match",
        "model": "any version",
        **{name: advice for name, (_, advice) in _ALLOWED.items()},
    }
    said = [f"{name} ({known[name].removeprefix('write ')})" for name in names]
    listed = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
    column = "columns" if len(said) > 1 else "column"
    return f"add the {column} {listed}, filled on one line of each system at least"


# --- Columns --------------------------------------------------------------------------------------


@attrs.define
class _Table:
    """Cells whose columns are recognised.

    Attributes:
        cells: What was read.
        of: Our name of a column to its own.
        wide: Columns that are systems; empty for a long table.
    """

    cells: Cells
    of: Mapping[str, str]
    wide: Sequence[str]

    def __len__(self) -> int:
        return len(self.cells)

    def words(self, name: str) -> Words:
        return self.cells.words(self.of.get(name, _MISSING))

    def numbers(self, name: str) -> NDArray[np.float64]:
        return self.cells.numbers(self.of.get(name, _MISSING))

    def alike(self, *names: str) -> tuple[Words, ...]:
        return self.cells.alike(*(self.of.get(name, _MISSING) for name in names))

    @property
    def has_pictures(self) -> bool:
        return "probe" in self.of and "reference" in self.of

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """bool, (N,)."""
        if "mated" in self.of:
            return self.words("mated").where(lambda word: MATED.get(word.lower(), False))
        one, other = self.alike("probe_subject", "reference_subject")
        return np.equal(one.places, other.places)

    @cached_property
    def people_named(self) -> bool:
        """Whether there are columns of people, that say something."""
        return "probe_subject" in self.of

    @cached_property
    def people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: who the probe and the reference show, from 0."""
        if self.people_named:
            one, other = self.alike("probe_subject", "reference_subject")
            return one.places, other.places
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, other = self.alike("probe", "reference")
        ends = one.places[self.mated], other.places[self.mated]
        size = len(one.known)
        graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
        person = connected_components(graph, directed=False)[1].astype(np.int64)
        return person[one.places], person[other.places]

    @cached_property
    def numbered(self) -> NDArray[np.int64]:
        """The number of each person, from 0: by the alphabet, or as numbers of their own rise."""
        if not self.people_named:
            return np.arange(int(max(map(np.max, self.people))) + 1)
        names = self.alike("probe_subject", "reference_subject")[0].known.to_pylist()
        ordered = sorted(names)
        if all(map(str.isdigit, names)):
            ordered.sort(key=len)
        place = {one: at for at, one in enumerate(ordered)}
        return np.array([place[one] for one in names], np.int64)

    @cached_property
    def names(self) -> PairNames | None:
        """Of pictures and people, row by row."""
        none = np.zeros(0, np.int64)
        found = PairNames(pictures=(), probe=none, reference=none, subjects={})
        if self.has_pictures:
            one, other = self.alike("probe", "reference")
            pictures = tuple(one.known.to_pylist())
            found = attrs.evolve(found, pictures=pictures, probe=one.places, reference=other.places)
        if self.people_named:
            words = self.alike("probe_subject", "reference_subject")[0].known.to_pylist()
            subjects = dict(zip(self.numbered.tolist(), words, strict=True))
            found = attrs.evolve(found, subjects=subjects)
        return found if found.pictures or found.subjects else None

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], Callable[[int], str]]:
        """int64, (N,): the pair of each row, numbered in their order; and how a row names it."""
        if "pair" in self.of:
            word = self.words("pair")
            return word.places, lambda row: repr(word[row][:60])
        if self.has_pictures:
            one, other = self.alike("probe", "reference")
            keys = one.places * len(one.known) + other.places
            _, first, place = np.unique(keys, return_index=True, return_inverse=True)
            order = np.argsort(np.argsort(first))
            return order[place], lambda row: f"{one[row][:60]!r} and {other[row][:60]!r}"
        return np.arange(len(self)), str

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Name of each group to its columns."""
        found: dict[str, list[str]] = {}
        for name in self.cells.header:
            if column := group_of(name):
                found.setdefault(column[1], []).append(name)
        return found


_MISSING: Final = "\0"


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).lower()


def _recognised(
    cells: Cells, columns: Mapping[str, str], systems: Sequence[str], ignore: Sequence[str]
) -> _Table:
    """Which column is which."""
    if cells.unit == "line" and len(cells.header) == 1:
        cells.refuse(
            [
                Problem(
                    f"the header is one column, {cells.header[0][:60]!r}: separate columns with "
                    "commas, semicolons or tabs"
                )
            ],
            so=_SO,
        )
    problems = _of_arguments(cells, columns, systems, ignore)
    used = {*columns.values(), *systems, *ignore}
    of, rest = _by_name(cells, dict(columns), used, problems)
    is_long = not systems and any(name in of for name in ("score", "decision", "system"))
    if is_long and "system" not in of and "backend" in of:
        of["system"] = of["backend"]
    wide = [*systems]
    if not is_long and not systems:
        wide = list(_wide(cells, rest, problems))
    else:
        problems += map(_stranger, rest)
    missing = list(_missing(of, wide, is_long=is_long, nothing=not rest))
    if missing:
        example = (
            f"a table looks like this: {_WIDE} (one line for each pair), or like this: {_LONG} "
            "(one line for each pair and system)"
        )
        missing.append(Problem(example))
    if wide:
        missing += [
            Problem(
                f"the column {of[name][:60]!r} says something of one answer, and each line has "
                "several: write one line for each pair and system, or ignore the column"
            )
            for name in _OF_ANSWER
            if name in of
        ]
    cells.refuse([*problems, *missing], so=_SO)
    return _Table(cells, of, wide)


def _of_arguments(
    cells: Cells, columns: Mapping[str, str], systems: Sequence[str], ignore: Sequence[str]
) -> list[Problem]:
    for ours in columns:
        if ours not in SYNONYMS:
            raise InvalidRequest(
                f"No column of scores is {ours[:60]!r} to us; {nearest(ours, SYNONYMS)}"
            )
    return [
        Problem(f"there is no column {name[:60]!r}; {nearest(name, cells.header)}")
        for name in (*columns.values(), *systems, *ignore)
        if name not in cells
    ]


def _by_name(
    cells: Cells, of: dict[str, str], used: set[str], problems: list[Problem]
) -> tuple[dict[str, str], list[str]]:
    """Our name to the name of each column that is recognised, and the names of all others."""
    meant: dict[str, list[str]] = {}
    rest = []
    for place, name in enumerate(cells.header):
        ours = _OURS.get(_plain(name))
        if name in used or group_of(name) or _plain(name) in NOTES:
            continue
        if not place and not name and _counts(cells):
            continue  # the index of a DataFrame that was written to CSV
        if ours is None or ours in of:
            rest.append(name)
        else:
            meant.setdefault(ours, []).append(name)
    for ours, names in meant.items():
        exact = [name for name in names if _plain(name) == _plain(ours)]
        if len(names) > 1 and not exact:
            listed = " and ".join(repr(name[:60]) for name in names)
            problems.append(
                Problem(f"the columns {listed} may each be {ours}: call the right one {ours}")
            )
        else:
            of[ours] = (exact or names)[0]
            rest += [name for name in names if name != of[ours]]
    return of, sorted(rest, key=cells.header.index)


_OURS: Final[Mapping[str, str]] = {
    _plain(word): ours for ours, words in SYNONYMS.items() for word in (ours, *words)
}


def _counts(cells: Cells) -> bool:
    """Whether a first column without a name counts the rows."""
    numbers = cells.numbers("")
    return bool(np.array_equal(numbers - numbers[0], np.arange(len(cells))))


def _wide(cells: Cells, rest: Sequence[str], problems: list[Problem]) -> Iterator[str]:
    """The columns that are systems, if that is certain of all that are left."""
    numeric = [name for name in rest if cells.is_numeric(name) or cells.has_commas(name)]
    for name in rest:
        plain = _plain(name)
        near = difflib.get_close_matches(plain, _STRICT, n=1, cutoff=0.75)
        # `model_a` beside `model_b`; but `price_b` is rather a price.
        is_derived = re.fullmatch(r"model([\W_].*|\d+)", name.lower())
        if plain in _DISTANCES:
            problems.append(
                Problem(
                    f"the column {name[:60]!r}: of distances less is more alike, and scores are "
                    "wanted of which more is: take the distance from its maximum"
                )
            )
        elif not name:
            problems.append(Problem("a column has no name"))
        elif (near and not is_derived) or plain in _NO_SCORES:
            problems.append(_stranger(name))
        elif name not in numeric:
            problems.append(_stranger(name, ", and holds no scores"))
        else:
            yield name


#: Near to one of these, a column of numbers is rather misspelt than a system.
_STRICT: Final = [
    plain for plain, ours in _OURS.items() if ours not in ("system", "score") and len(plain) > 3
]

#: Columns of numbers that are no scores of anybody.
_NO_SCORES: Final = frozenset(
    {
        *("age", "year", "index", "row", "line", "n", "count", "fold", "set", "split", "quality"),
        *("width", "height", "yaw", "pitch", "roll", "ms", "latency", "latencyms", "seconds"),
        *("time", "elapsed", "elapsedms", "duration", "date", "timestamp", "gender", "sex"),
    }
)


def _stranger(name: str, more: str = "") -> Problem:
    said = unknown(name, SYNONYMS, GROUPS)
    if "did you mean" not in said:
        ignore = f"--ignore {shlex.quote(name[:60])}"
        said = f"the column {name[:60]!r} is unknown{more}; delete it, or add `{ignore}`"
    return Problem(said)


def _missing(
    of: Mapping[str, str], wide: Sequence[str], *, is_long: bool, nothing: bool
) -> Iterator[Problem]:
    people = [name for name in ("probe_subject", "reference_subject") if name in of]
    pictures = [name for name in ("probe", "reference") if name in of]
    for found, both in (
        (people, ("probe_subject", "reference_subject")),
        (pictures, ("probe", "reference")),
    ):
        if len(found) == 1:
            missing = next(name for name in both if name not in found)
            yield Problem(f"the column {missing} is missing")
    if not people and not pictures:
        for name in ("probe_subject", "reference_subject"):
            yield Problem(
                f"the column {name} is missing: pairs of one person are not independent, so any "
                "name or number of each person is needed, or both pictures (image1 and image2)"
            )
    if "mated" not in of and len(people) < 2:
        yield Problem("the column mated (or same, or label) is missing")
    if is_long and "score" not in of and "decision" not in of:
        yield Problem("there is neither a column score nor a column decision")
    if not is_long and not wide and nothing:
        yield Problem("there is neither a column score nor a column of numbers for each system")


# --- Lines ----------------------------------------------------------------------------------------


def _is_real(word: str) -> bool:
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False


def _one_of(words: Any) -> tuple[Callable[[str], bool], str]:
    known = [str(word) for word in words]
    return lambda word: word.lower() in known, f"write {', '.join(known[:-1])} or {known[-1]}"


#: What a cell of words may hold, and what is said of another one.
_ALLOWED: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "mated": (lambda word: word.lower() in MATED, "write 1 for one person and 0 for two"),
    "decision": _one_of(Decision),
    "acquired": (lambda word: word.lower() in _YES_NO, "write 1 or 0"),
    "people_known": (lambda word: word.lower() in _YES_NO, "write 1 or 0"),
    "billed": _one_of(Charged),
    "rule": _one_of(ThresholdRule),
    "environment": _one_of(Environment),
    "threshold": (_is_real, "write a number"),
    "price": (lambda word: _is_real(word) and float(word) >= 0, "write an amount from 0 on"),
    "currency": (
        lambda word: re.fullmatch("[A-Z]{3}", word) is not None,
        "write three capital letters",
    ),
    "other_models": (lambda word: _models(word) is not None, 'write {"model": answers}'),
}


def _models(word: str) -> dict[str, int] | None:
    try:
        found = json.loads(word)
    except (ValueError, RecursionError):
        return None
    is_right = isinstance(found, dict) and all(type(count) is int for count in found.values())
    return found if is_right else None


def _of_cells(table: _Table) -> Iterator[Problem]:
    """What is wrong with single lines."""
    cells, of = table.cells, table.of
    for name in ("system", "pair", "mated", "probe_subject", "reference_subject"):
        if name in of:
            yield Problem(f"{of[name]} is empty", np.flatnonzero(~table.words(name).given))
    if not table.people_named:
        for name in ("probe", "reference"):
            yield Problem(f"{of[name]} is empty", np.flatnonzero(~table.words(name).given))
    for name in table.wide or [of[name] for name in ("score",) if name in of]:
        yield from cells.no_numbers(name)
    if "elapsed_s" in of:
        yield from cells.no_numbers(of["elapsed_s"])
    for name, (is_right, advice) in _ALLOWED.items():
        if name in of:
            yield from table.words(name).unlike(
                is_right,
                lambda word, name=name, advice=advice: f"{of[name]} is {word[:40]!r}; {advice}",  # type: ignore[misc]  # bound at once
            )
    yield from _of_people(table)
    if table.wide:
        return
    has_score = ~np.isnan(table.numbers("score"))
    acquired = table.words("acquired").coded(_YES_NO, -1)
    failed = table.words("error").given
    answered = has_score | (acquired == 1) | table.words("decision").given
    yield Problem("there is an error, and an answer as well", np.flatnonzero(failed & answered))
    yield Problem(
        "it is a failure to acquire, and has a score", np.flatnonzero((acquired == 0) & has_score)
    )
    yield Problem("elapsed_s is below 0", np.flatnonzero(table.numbers("elapsed_s") < 0))


def _of_people(table: _Table) -> Iterator[Problem]:
    """Lines that say of two people that they are one, or the reverse."""
    if "mated" not in table.of:
        return
    right = table.words("mated").where(lambda word: word.lower() in MATED)
    one, other = table.people
    wrong = right & (table.mated != (one == other))
    if not table.people_named:
        first, second = table.alike("probe", "reference")
        for row in np.flatnonzero(wrong).tolist():
            yield Problem(
                f"the pair is said to be non-mated, and mated pairs make {first[row][:60]!r} and "
                f"{second[row][:60]!r} one person",
                [row],
            )
        return
    names, _ = table.alike("probe_subject", "reference_subject")
    for row in np.flatnonzero(wrong).tolist():
        said = "mated" if table.mated[row] else "non-mated"
        first_name, second_name = (names.known[int(side[row])].as_py() for side in (one, other))
        yield Problem(
            f"the pair is said to be {said}, and its people are called {first_name[:60]!r} and "
            f"{second_name[:60]!r}",
            [row],
        )


@attrs.frozen
class _Asked:
    """One system of a table.

    Attributes:
        name, model: Of the answers.
        rows: int64, (M,): its rows.
        of_system: int64: those of all models of the system; what is said of it, is said of each.
        score: Its column of scores; None if there is none.
        others: Other models of the same system, to how many answers.
        reported: How messages name the system: without its model.
    """

    name: str
    model: str | None
    rows: NDArray[np.int64]
    of_system: NDArray[np.int64]
    score: str | None
    others: Mapping[str, int]
    reported: str


def _asked(table: _Table, one_name: str, problems: list[Problem]) -> Iterator[_Asked]:
    """Who answered, each model of a system apart."""
    every = np.arange(len(table))
    score = table.of.get("score")
    by_name: list[tuple[str, NDArray[np.int64], str | None]]
    if table.wide:
        by_name = [(name, every, name) for name in table.wide]
    elif "system" in table.of:
        words = table.words("system")
        names = words.known.to_pylist()
        order = np.argsort(words.places, kind="stable")
        parts = np.split(order, np.searchsorted(words.places[order], np.arange(1, len(names))))
        by_name = [(name, rows, score) for name, rows in zip(names, parts, strict=True)]
        by_name = [one for one in by_name if len(one[1])]
    else:
        by_name = [(one_name, every, score)]
    model = table.words("model")
    failed = table.words("error").given
    for name, rows, column in by_name:
        models = [one for one in np.unique(model.places[rows]).tolist() if model.known[one].as_py()]
        if len(models) < 2:
            known = model.known[models[0]].as_py() if models else None
            yield _Asked(name, known, rows, rows, column, {}, name)
            continue
        called = [str(model.known[one].as_py()) for one in models]
        nobodys = rows[~model.given[rows]]
        problems.append(
            Problem(
                f"{name[:60]!r} answered, and {table.of['model']} is empty: other lines name "
                f"{' and '.join(map(repr, called))}, so each has to",
                nobodys[~failed[nobodys]],
            )
        )
        counts = Counter({one: int(np.count_nonzero(model.places[rows] == one)) for one in models})
        for one, word in zip(models, called, strict=True):
            others = {
                other_word: counts[other]
                for other, other_word in zip(models, called, strict=True)
                if other != one
            }
            # Nobody knows which model would have given an answer that is missing: it counts once.
            mine = rows[(model.places[rows] == one) | (~model.given[rows] & (one == models[0]))]
            yield _Asked(f"{name} (model {word})", word, mine, rows, column, others, name)


def _between(table: _Table, asked: Sequence[_Asked]) -> Iterator[Problem]:
    """What is wrong between lines."""
    pair, named = table.pairs
    if "pair" not in table.of and not table.has_pictures and len(asked) > 1 and not table.wide:
        yield Problem("the column pair is missing: several systems have lines for the same pairs")
        return
    places, first = table.cells.places, _firsts(pair)
    yield from _of_pairs(table, asked, first)
    yield from _of_systems(table, asked)
    differs = table.mated != table.mated[first][pair]
    for side in table.people:
        differs |= side != side[first][pair]
    for row in np.flatnonzero(differs).tolist():
        yield Problem(
            f"the pair {named(row)} shows other people than in {table.cells.unit} "
            f"{places[first[pair[row]]]}",
            [row],
        )
    for column in table.groups:
        yield from _of_groups(table, column)


def _of_pairs(
    table: _Table, asked: Sequence[_Asked], first: NDArray[np.int64]
) -> Iterator[Problem]:
    """A pair that appears twice, or is missing, for one system."""
    pair, named = table.pairs
    places = table.cells.places
    for one in asked:
        at = _by_pair(pair, one.rows)
        for row in one.rows[at[pair[one.rows]] != one.rows].tolist():
            where, unit = places[at[pair[row]]], table.cells.unit
            # In a wide table a line is of all systems.
            of = "" if table.wide else f" of {one.name[:60]!r}"
            yield Problem(
                f"the pair {named(row)}{of} appears twice: it is in {unit} {where}; keep one of "
                f"the two {unit}s",
                [row],
            )
        missing = at < 0
        for other in asked:
            if one.others and other.reported == one.reported:
                missing[pair[other.rows]] = False
        for row in first[missing].tolist():
            yield Problem(
                f"the pair {named(row)} has no {table.cells.unit} for {one.reported[:60]!r}; all "
                "systems need the same pairs",
                [row],
            )


def _of_systems(table: _Table, asked: Sequence[_Asked]) -> Iterator[Problem]:
    """Two things that are said of one system, where there is one."""
    for system, rows in {one.reported: one.of_system for one in asked}.items():
        for name in _OF_SYSTEM:
            words = table.words(name)
            said = rows[words.given[rows]]
            for row in said[words.places[said] != words.places[said[:1]]].tolist():
                yield Problem(
                    f"{name} of {system[:60]!r} is {words[row][:40]!r}, and "
                    f"{words[said[0]][:40]!r} in {table.cells.unit} {table.cells.places[said[0]]}",
                    [row],
                )
        price, currency = (table.words(name).given[rows] for name in ("price", "currency"))
        if price.any() != currency.any():
            row = int(rows[np.argmax(price | currency)])
            yield Problem(f"{system[:60]!r} has a price or a currency, and needs both", [row])


def _of_groups(table: _Table, column: str) -> Iterator[Problem]:
    words, subjects, groups, rows = _told_groups(table, column)
    _, first, place = np.unique(subjects, return_index=True, return_inverse=True)
    names = table.alike("probe_subject", "reference_subject")[0].known
    for at in np.flatnonzero(groups != groups[first][place]).tolist():
        who = names[int(subjects[at])].as_py() if table.people_named else "a person"
        yield Problem(
            f"{who[:60]!r} is in the group {words[groups[at]][:60]!r} of {column}, and above in "
            f"{words[groups[first[place[at]]]][:60]!r}",
            [int(rows[at])],
        )


def _told_groups(
    table: _Table, column: str
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Words of the groups; then who is said to be in which, and on which row, in order."""
    one, other = table.people
    sides = {GROUP: (one, other), PROBE_GROUP: (one,), REFERENCE_GROUP: (other,)}
    names = table.groups[column]
    columns = table.cells.alike(*names)
    found = [
        (side, words.places)
        for name, words in zip(names, columns, strict=True)
        for side in sides[name.removesuffix(column)]
    ]
    known: list[str] = columns[0].known.to_pylist()
    subjects = np.concatenate([subject for subject, _ in found])
    groups = np.concatenate([group for _, group in found])
    rows = np.tile(np.arange(len(table)), len(found))
    said = np.flatnonzero(np.array([bool(word) for word in known])[groups])
    said = said[np.argsort(rows[said], kind="stable")]
    return known, subjects[said], groups[said], rows[said]


def _firsts(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each place."""
    return _by_pair(places, np.arange(len(places)))


def _by_pair(pair: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first of some rows for each pair; -1 where there is none."""
    found = np.full(int(pair.max()) + 1, -1)
    found[pair[rows[::-1]]] = rows[::-1]
    return found


# --- Answers --------------------------------------------------------------------------------------


def _answers(table: _Table, one: _Asked, rule: ThresholdRule) -> Answers:
    pair, _ = table.pairs
    rows = _by_pair(pair, one.rows)
    is_asked = rows >= 0
    first = _firsts(pair)
    rows = np.where(is_asked, rows, first)
    said = {name: _constant(table.words(name), one.of_system) for name in _OF_SYSTEM}
    scores = np.full(len(rows), np.nan)
    if one.score is not None:
        scores = np.where(is_asked, table.cells.numbers(one.score)[rows], np.nan)
    decisions = table.words("decision").coded(_DECIDED, NO_DECISION)[rows]
    decisions = np.where(is_asked, decisions, NO_DECISION).astype(np.int8)
    errors = table.words("error")
    answered = is_asked & ~errors.given[rows]
    given = table.words("acquired").coded(_YES_NO, -1)[rows]
    is_there = ~np.isnan(scores) | ((decisions >= 0) & (decisions != _INCONCLUSIVE))
    charged = np.where(answered & (said["price"] is not None), _BILLED["yes"], _BILLED["no"])
    billed = table.words("billed").coded(_BILLED, -1)[rows]
    reasons = Counter(errors.places[rows[is_asked & ~answered]].tolist())
    not_answered = {str(errors.known[at].as_py()): number for at, number in reasons.items()}
    if not is_asked.all():
        not_answered[NOT_ASKED] = not_answered.get(NOT_ASKED, 0) + int((~is_asked).sum())
    people = [table.numbered[side][first] for side in table.people]
    names = table.names
    if names is not None and names.pictures:
        names = attrs.evolve(names, probe=names.probe[first], reference=names.reference[first])
    written = said["other_models"]
    return Answers(
        table=ScoreTable(
            name=one.name,
            rule=ThresholdRule(said["rule"].lower()) if said["rule"] else rule,
            mated=table.mated[first],
            scores=scores,
            decisions=decisions,
            acquired=np.where(given < 0, is_there, given > 0) & answered,
            answered=answered,
            probe_subjects=people[0],
            reference_subjects=people[1],
            groups={column: _grouping(table, column, first) for column in table.groups},
            scale=said["scale"],
            threshold=_real(said["threshold"]),
        ),
        elapsed_s=np.where(is_asked, table.numbers("elapsed_s")[rows], np.nan),
        billed=np.where(is_asked & (billed >= 0), billed, charged).astype(np.int8),
        not_answered=not_answered,
        backend=said["backend"],
        model=one.model,
        other_models=one.others or (_models(written) if written else None) or {},
        environment=Environment(said["environment"].lower()) if said["environment"] else None,
        price=_real(said["price"]),
        currency=said["currency"],
        privacy=said["privacy"] or _PRIVACY,
        people_known=table.people_named and _YES_NO.get(said["people_known"] or "1") == 1,
        names=names,
    )


def _grouping(table: _Table, column: str, rows: NDArray[np.int64]) -> Grouping:
    words, subjects, groups, _ = _told_groups(table, column)
    labels = sorted(filter(None, words))
    place = {label: at for at, label in enumerate(labels)}
    of_word = np.array([place.get(word, -1) for word in words], np.int64)
    of_subject = np.full(len(table.numbered), -1, np.int64)
    of_subject[subjects] = of_word[groups]
    one, other = (of_subject[side][rows] for side in table.people)
    return Grouping(labels=tuple(labels), probe=one, reference=other)


def _constant(words: Words, rows: NDArray[np.int64]) -> str | None:
    said = rows[words.given[rows]]
    return words[int(said[0])] if len(said) else None


def _real(text: str | None) -> float | None:
    return None if text is None else float(text)
