"""Which column of a table of scores is which: by a name that is certain, or as the user says.

Nothing is guessed from what cells hold: one guess took a system's own answers for the truth, and
found no error in it. A column that nobody knows is an error that shows some of its cells, for to
skip it unseen would lose what a misspelt one says.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

import attrs
import numpy as np

from facematch_core.backend.kinds import argument, nearest
from facematch_core.base.tables import refusal
from facematch_core.errors import InvalidRequest

from .cells import NO_NUMBER, CellTable, Problem, near_prefix
from .numbers import join_names
from .study.reading import ENDINGS, GROUPS, group_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _of_side(things: str, sides: str) -> list[str]:
    return [f"{thing}_{side}" for thing in things.split() for side in sides]


#: Where less is more alike.
DISTANCES: Final = (
    *("distance", "distances", "dist", "cosine_distance", "euclidean_distance", "l2"),
    *("l2_distance", "face_distance"),
)

#: Columns of a file of scores, apart from groups, to other names that are certain. Capitals,
#: spaces, ``_``, ``-``, ``.`` and ``?`` do not count. What a system answered (``match``) is never
#: the truth; of several columns that may be one thing, the first name here is offered first.
SYNONYMS: Final[Mapping[str, Sequence[str]]] = {
    "system": ("contender", "vendor", "provider", "algorithm", "engine", "matcher"),
    "pair": ("pair_id", "comparison", "comparison_id", "trial", "trial_id", "id"),
    "mated": (
        *("same", "label", "is_same", "is_mated", "genuine", "is_genuine", "same_person"),
        *("ground_truth", "truth", "target", "y_true", "gt", "actual", "actuals"),
        *("real", "expected"),
    ),
    "non_mated": (
        *("impostor", "is_impostor", "imposter", "is_imposter"),
        *("different", "is_different", "different_person"),
    ),
    "probe": (
        *_of_side("image img file path photo picture face faceid", "1a"),
        *("img1_path", "image1_path", "source_image", "selfie", "selfie_photo", "selfie_image"),
        *("probe_image", "probe_file", "probe_path", "probe_template_id", "probe_reference_id"),
    ),
    "reference": (
        *_of_side("image img file path photo picture face faceid", "2b"),
        *("img2_path", "image2_path", "target_image", "id_photo", "id_image", "passport_photo"),
        *("reference_image", "reference_file", "reference_path", "gallery", "gallery_image"),
        *("bio_ref_template_id", "bio_ref_reference_id"),
    ),
    "probe_subject": (
        *_of_side("subject person identity", "1a"),
        *("probe_person", "probe_identity", "probe_subject_id", "subject_id_1", "person_id_1"),
        *("real_id", "actual_id", "true_id"),
    ),
    "reference_subject": (
        *_of_side("subject person identity", "2b"),
        *("reference_person", "reference_identity", "reference_subject_id", "bio_ref_subject_id"),
        *("gallery_subject", "subject_id_2", "person_id_2", "claimed_id", "enrolled_id"),
    ),
    "person": ("person_id", "subject", "subject_id", "user", "user_id", "customer_id"),
    "transaction": ("transaction_id",),
    "attempt": ("attempt_no", "attempt_number"),
    "score": ("similarity", "similarity_score", "match_score", "confidence", "sim", *DISTANCES),
    "decision": ("match", "is_match", "verified", "is_identical", "accepted", "result"),
    **dict.fromkeys(("acquired", "error"), ()),
    "elapsed_s": ("latency_s",),
    "billed": ("charged",),
    "model": ("model_version",),
    **dict.fromkeys(("rule", "threshold", "scale", "price", "currency", "backend"), ()),
    **dict.fromkeys(("environment", "privacy", "people_known", "other_models"), ()),
}

WIDE: Final = "image1,image2,label,vendor_a,vendor_b"
LONG: Final = "system,pair,label,probe_subject,reference_subject,score"

PEOPLE: Final = ("probe_subject", "reference_subject")
PICTURES: Final = ("probe", "reference")

#: The column of a table that names one person a line.
PERSON: Final = "person"

#: Columns that say who is one person: ``non_mated`` is 1 where ``mated`` is 0.
TRUTH: Final = ("mated", "non_mated")

#: What stands where the user has to write the name of a column.
COLUMN: Final = "COLUMN"

#: Columns that say something of one answer: in a wide file they would be anybody's.
_OF_ANSWER: Final = ("decision", "acquired", "error", "elapsed_s", "billed")

#: Columns of free text, which may be there.
_NOTES: Final = ("note", "notes", "comment", "comments", "remark", "remarks")

#: Words in the names of columns of numbers that are no scores.
_NO_SCORES: Final = frozenset(
    {
        *("id", "no", "nr", "num", "number", "case", "index", "idx", "row", "line", "rank"),
        *("n", "count", "fold", "set", "split", "attempt", "threshold", "label", "match", "same"),
        *("user", "person", "subject", "customer", "account", "gender", "sex", "age", "birth"),
        *("year", "date", "time", "timestamp", "latency", "elapsed", "duration", "ms", "s", "sec"),
        *("secs", "second", "seconds", "price", "cost", "eur", "usd", "quality", "sharpness"),
        *("brightness", "blur", "width", "height", "size", "px", "pixels", "pitch", "roll", "yaw"),
        "std",
    }
)

#: Words are known where so many at most are there: of `target`, 1 and 0, but no names of files.
_MOST_WORDS: Final = 10

#: A scale at the end of the name of a column of scores: ``score (0-1)``.
_SCALE: Final = re.compile(r"[\s_(\[]+(0\s*[-\N{EN DASH}]\s*1(?:00)?)[)\]]?$")

#: A table with more columns holds something else.
_MOST_COLUMNS: Final = 1000

#: In fewer rows, cells may all differ, or numbers be in a row, by chance.
_ENOUGH: Final = 12

#: Of an unknown column an error shows so many words.
_SHOWN: Final = 4


class ColumnsNotRecognised(InvalidRequest):
    """Not every column of a table of scores has a name that is certain.

    Attributes:
        what: What is missing or unknown, with some cells of each unknown column.
        columns: Our name to the table's, of what is needed to go on: ``COLUMN`` is in the place of
            a name that only the user knows.
        ignore: Columns that would be skipped, unless they are named.
        independent_pairs: Whether nothing in the table can name people.
    """

    def __init__(
        self,
        what: str,
        *,
        columns: Mapping[str, str] = MappingProxyType({}),
        ignore: Sequence[str] = (),
        independent_pairs: bool = False,
    ) -> None:
        self.what, self.columns, self.ignore = what, dict(columns), tuple(ignore)
        self.independent_pairs = independent_pairs
        of, skip = (json.dumps(words, ensure_ascii=False) for words in (self.columns, self.ignore))
        parts = [f"columns={of}"] * bool(columns) + [f"ignore={skip}"] * bool(ignore)
        parts += ["independent_pairs=True"] * independent_pairs
        super().__init__(f"{what}\n{self.advice}, add: {', '.join(parts)}")

    @property
    def advice(self) -> str:
        """What to do, before the words that do it."""
        if COLUMN in self.columns.values():
            return f"With the name of a column in the place of {COLUMN}"
        skip = "Name what is of use, groups of people as group_NAME; to skip the rest"
        return skip if self.ignore else "If that is right"


@attrs.define
class ColumnRoles:
    """Which column is which."""

    #: Our name of a column to its own.
    of: dict[str, str]
    #: Columns of which each is the scores of the system of that name; empty where a line is of one.
    systems: list[str] = attrs.field(factory=list)
    #: Whether pictures say nothing of people.
    independent_pairs: bool = False
    #: Whether all scores are distances, whatever their columns are called.
    distance: bool = False
    #: What was assumed, in sentences.
    notes: list[str] = attrs.field(factory=list)

    @property
    def is_wide(self) -> bool:
        """Whether a line holds the answers of several systems."""
        return len(self.systems) > 1

    @property
    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """Name of each kind of group to the prefixes and names of its columns."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for ours, name in self.of.items():
            if parts := group_of(ours):
                groups.setdefault(parts[1], []).append((parts[0], name))
        return groups

    @property
    def people(self) -> tuple[str, ...]:
        """Our names of the columns that tell people apart best."""
        ways = (PEOPLE, (PERSON,), *(() if self.independent_pairs else (PICTURES,)))
        return next((way for way in ways if {*way} <= self.of.keys()), ())

    def is_distance(self, column: str | None) -> bool:
        """Whether less is more alike in a column of scores."""
        name = _plain(column or "")
        return self.distance or name in _PLAIN_DISTANCES or name.endswith("distance")


def recognise(cells: CellTable, usual: ColumnRoles, ignore: Sequence[str]) -> ColumnRoles:
    """Which column is which, beside what the user says of it, or a refusal of what is unknown."""
    so = "nothing was judged"
    header, problems = cells.header, []
    if cells.unit == "line" and len(header) == 1:
        text = f"the header is one column, {header[0][:60]!r}: separate columns with "
        problems.append(Problem(f"{text}commas, semicolons or tabs"))
    if len(header) > _MOST_COLUMNS:
        text = f"there are {len(header):,} columns, and at most {_MOST_COLUMNS:,} are read"
        problems.append(Problem(text))
    cells.refuse(problems, so=so)
    of = {_our_name(key): name for key, name in usual.of.items()}
    names = [*of.values()]
    problems = [
        Problem(f"there is no column {name[:60]!r}; {nearest(name, header)}")
        for name in (*names, *usual.systems, *ignore)
        if name not in header
    ]
    problems += [
        Problem(f"the column {name[:60]!r} can fill one column only")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if PERSON in of and {*PEOPLE} & of.keys():
        problems.append(Problem("a line names one person, or both: not person beside a subject"))
    if {*TRUTH} <= of.keys():
        problems.append(Problem("mated and non_mated say the same: name one of them"))
    cells.refuse(problems, so=so)
    return _Recognition(cells, attrs.evolve(usual, of=of), ignore).roles()


class _Recognition:
    """What a header says, beside the user, and what is wrong with it."""

    def __init__(self, cells: CellTable, usual: ColumnRoles, ignore: Sequence[str]) -> None:
        self.cells = cells
        self.result = attrs.evolve(usual, of=dict(usual.of), notes=[])
        self.of = self.result.of
        #: Nobody knows them.
        self.rest: list[str] = []
        self.problems: list[Problem] = []
        #: What to add to go on: our names to columns, and columns to skip.
        self.more: dict[str, str] = {}
        self.skipped: list[str] = []
        #: Whoever names the systems leaves all else out; but not an error of everybody.
        self.are_named = bool(usual.systems)
        used = {*usual.of.values(), *usual.systems, *ignore}
        meant: dict[str, list[str]] = {}
        for place, name in enumerate(cells.header):
            # The index of a frame that was written to CSV has no name.
            is_index = not place and not name and _are_in_a_row(cells.numbers(name))
            if is_index or name in used or _plain(name) in _NOTES:
                continue
            ours = self._certain_name(name)
            meant.setdefault(ours, []).append(name) if ours else self.rest.append(name)
        for ours, same in meant.items():
            order = [_plain(word) for word in (ours, *SYNONYMS.get(ours, ()))]
            first, *others = sorted(
                same, key=lambda name: order.index(_plain(name)) if _plain(name) in order else -1
            )
            self.of[ours] = first
            if others and _plain(first) == _plain(ours):
                self.rest += others
            elif others:
                both = join_names([repr(name[:60]) for name in same])
                self.problems.append(Problem(f"the columns {both} may each be {ours}: choose one"))
                self.more[ours], self.skipped = first, [*self.skipped, *others]
        if {*TRUTH} <= self.of.keys():
            self.rest.append(self.of.pop("non_mated"))

    def roles(self) -> ColumnRoles:
        result, of = self.result, self.of
        if not self.are_named:
            self._take_systems()
        elif not result.is_wide:
            of["score"] = result.systems[0]
        if "system" not in of and not result.systems and "backend" in of:
            of["system"] = of["backend"]
        if result.independent_pairs and result.people in (PEOPLE, (PERSON,)):
            flag = argument("independent_pairs", True)
            text = f"the table names people: leave out {flag}, or skip their columns"
            self.problems.append(Problem(text))
        missing = dict(self._missing())
        if not self.are_named:
            self._look_at_the_rest(may_skip_ids=PERSON not in missing)
        if result.is_wide:
            self._look_at_answers()
        if self.problems or missing:
            self._refuse(missing)
        return result

    def _refuse(self, missing: dict[str, str]) -> NoReturn:
        problems = [*self.problems, *(Problem(text) for text in missing.values())]
        if {*missing} & {"mated", "score", PERSON}:
            example = f"a table looks like this: {WIDE} (one line for each pair), or like this: "
            problems.append(Problem(f"{example}{LONG} (one line for each pair and system)"))
        sides = [side for side in PICTURES if side not in self.of]
        pictures = [name for name in self.skipped if _are_pictures(self.cells, name)]
        if len(pictures) == len(sides):
            # Whoever looks at them knows whether they are the two of each pair.
            self.more |= zip(sides, pictures, strict=True)
            self.skipped = [name for name in self.skipped if name not in pictures]
            missing = {ours: text for ours, text in missing.items() if ours not in (PERSON, *sides)}
        # Two words, or another one on every line, name nobody who comes again.
        sizes = [self.cells.words(name).size for name in self.skipped]
        may_name = [2 < size < len(self.cells) or len(self.cells) < _ENOUGH for size in sizes]
        if PERSON in self.more or not {*PEOPLE}.isdisjoint(self.more):
            missing.pop(PERSON, None)
        if not {*PEOPLE}.isdisjoint(self.of | self.more):  # then no line names one person
            self.skipped += [self.more.pop(PERSON)] if PERSON in self.more else []
            missing |= {side: "" for side in PEOPLE if side not in self.of}
        names_nobody = PERSON in missing and not any(may_name)
        columns = {ours: COLUMN for ours in missing if ours != PERSON or not names_nobody}
        columns |= self.more
        what = refusal(self.cells.name, self.cells.texts(problems), "nothing was judged")
        if not (columns or self.skipped or names_nobody):
            raise InvalidRequest(what)  # no word that is added would help
        raise ColumnsNotRecognised(
            what,
            columns=columns,
            ignore=self.skipped,
            independent_pairs=names_nobody,
        )

    def _look_at_answers(self) -> None:
        for name in ("acquired", "error") if self.are_named else _OF_ANSWER:
            if name in self.of:
                column = self.of[name]
                text = (
                    f"the column {column[:60]!r} says something of one answer, and each line has "
                    "several: write one line for each pair and system, or ignore the column"
                )
                self.problems.append(Problem(text))
                self.skipped.append(column)

    def _certain_name(self, name: str) -> str | None:
        """Our name of a column; None if nobody knows it, or if it is there already."""
        plain, named = _plain(name), self.of
        ours = name if group_of(name) else _OURS.get(plain)
        if plain.startswith("expected"):
            ours = "mated"
        elif _OURS.get(_plain(_SCALE.sub("", name))) == "score":
            ours = "score"
        is_known = (
            ours in named
            or (ours == PERSON and {*PEOPLE} & named.keys())
            or (ours in TRUTH and {*TRUTH} & named.keys())
        )
        is_of_few_words = ours in (*TRUTH, "decision") and plain != ours
        if is_known or (is_of_few_words and self.cells.words(name).size > _MOST_WORDS):
            return None
        return ours

    def _take_systems(self) -> None:
        """Columns of numbers that nobody knows are the scores of systems, where none is named."""
        score = self.of.get("score")
        systems = [name for name in self.rest if _may_be_scores(self.cells, name)]
        if "system" in self.of or not systems or (score and len(systems) < 2):
            return
        if score:
            systems = [name for name in self.cells.header if name in (score, *systems)]
            del self.of["score"]
            self.more.pop("score", None)
        elif len(systems) == 1:
            self.of["score"] = systems[0]
        self.rest = [name for name in self.rest if name not in systems]
        self.result.systems = systems
        names = join_names([repr(name[:60]) for name in systems])
        self.result.notes.append(f"taken as scores of systems: {names}")

    def _look_at_the_rest(self, *, may_skip_ids: bool) -> None:
        """Say what nobody knows; what numbers lines is skipped, unless it may name people."""
        ids = [name for name in self.rest if may_skip_ids and _says_nothing(self.cells, name)]
        if ids:
            names = join_names([repr(name[:60]) for name in ids])
            text = f"skipped, for another cell on every line, or one and the same: {names}"
            self.result.notes.append(text)
        for name in self.rest:
            if name in ids:
                continue
            words = [repr(word[:20]) for word in self.cells.words(name).words[: _SHOWN + 1]]
            some = f"{', '.join(words[:_SHOWN])}{', ...' * (len(words) > _SHOWN)}"
            near = _near_name(name)
            ours = near if near is None or group_of(near) else _OURS[_plain(near)]
            # What is nearly `match` may be `mismatch`.
            is_meant = ours is not None and ours not in (*TRUTH, "decision", *self.of, *self.more)
            hint = f"; did you mean {near}?" if is_meant else ""
            self.problems.append(Problem(f"the column {name[:60]!r} is unknown: {some}{hint}"))
            if is_meant and ours:
                self.more[ours] = name
            else:
                self.skipped.append(name)

    def _missing(self) -> Iterator[tuple[str, str]]:
        of, result = self.of, self.result
        for both in (PEOPLE, PICTURES):
            missing = [name for name in both if name not in of]
            if len(missing) == 1:
                yield missing[0], f"the column {missing[0]} is missing"
        if not {*PEOPLE, *PICTURES, PERSON} & of.keys() and not result.independent_pairs:
            text = (
                "the columns probe_subject and reference_subject are missing: pairs of one person "
                "are not independent, so any name or number of each person is needed (or of the "
                "one person that a line is of, as person), or both pictures (image1 and image2)"
            )
            yield PERSON, text
        if not {*TRUTH} & of.keys() and not of.keys() >= {*PEOPLE}:
            answer = ""
            if "decision" in of:
                decision = of["decision"]
                answer = (
                    f"; {decision[:60]!r} is what the system answered, unless you name it as mated"
                )
            text = "nothing says which pairs show one person: the column mated, same or label, or "
            yield "mated", f"{text}expected is missing{answer}"
        if ("transaction" in of) is not ("attempt" in of):
            name = "attempt" if "transaction" in of else "transaction"
            yield name, f"the column {name} is missing: an attempt is one of a transaction"
        if not result.systems and not {"score", "decision"} & of.keys():
            text = "there is neither a column score nor a column decision, nor one of numbers for "
            yield "score", f"{text}each system"
        several = "system" in of and self.cells.words(of["system"]).size > 1
        if several and "pair" not in of and not {*PICTURES} <= of.keys():
            text = "the column pair is missing: several systems have lines for the same pairs"
            yield "pair", text


def scale_of(name: str | None) -> str | None:
    """The scale that a column of scores has in its name."""
    scale = _SCALE.search(name or "")
    return re.sub(r"\D+", "-", scale[1]) if scale else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_.?-]+", "", name).lower()


#: Every name that is certain: to ours, and as it is written.
_OURS: Final[Mapping[str, str]] = {
    _plain(word): ours for ours, words in SYNONYMS.items() for word in (ours, *words)
}
_WRITTEN: Final = {_plain(word): word for ours in SYNONYMS for word in (ours, *SYNONYMS[ours])}
_PLAIN_DISTANCES: Final = frozenset(map(_plain, DISTANCES))


def _our_name(key: str) -> str:
    """Our name for what a user says that a column holds."""
    ours = key if group_of(key) else _OURS.get(_plain(key))
    if ours is None:
        near = difflib.get_close_matches(_plain(key), _WRITTEN, n=1) or [""]
        written = _WRITTEN.get(near[0], near_prefix(key, GROUPS))
        kinds = f"a column holds {', '.join(SYNONYMS)} or group_NAME"
        hint = f"did you mean {written}?" if written else kinds
        raise InvalidRequest(f"No column holds {key[:60]!r}; {hint}")
    return ours


def _near_name(name: str) -> str | None:
    """The certain name that this one nearly is."""
    near = difflib.get_close_matches(_plain(name), _WRITTEN, n=1, cutoff=0.78)
    # Milliseconds are no seconds, and `person_x` is one of two.
    if not near or name.lower().endswith("ms") or near == [PERSON]:
        return near_prefix(name, GROUPS)
    likeness = difflib.SequenceMatcher(None, _plain(name), near[0]).ratio()
    is_side = _OURS[near[0]] in (*PEOPLE, *PICTURES)
    return None if is_side and likeness < 0.9 else _WRITTEN[near[0]]


def _are_pictures(cells: CellTable, name: str) -> bool:
    return all(Path(word).suffix.lower() in ENDINGS for word in cells.words(name).words[:_ENOUGH])


def _are_in_a_row(numbers: NDArray[np.float64]) -> bool:
    return np.array_equal(numbers - numbers[0], np.arange(len(numbers)))


def _is_no_score(name: str) -> bool:
    """Whether a column of numbers is of something else by its name."""
    words = re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+", name)
    return not {word.lower() for word in words}.isdisjoint(_NO_SCORES)


def _may_be_scores(cells: CellTable, name: str) -> bool:
    """Whether a column that nobody knows is one of numbers: no flag, and no number of a line."""
    if not name or _is_no_score(name) or not cells.is_numeric(name):
        return False
    numbers = cells.numbers(name)
    values = np.unique(numbers[~np.isnan(numbers)])
    if not len(values):
        return True  # in a form that is not read, of which nothing else is known
    is_plain = len(values) == 1 or _are_in_a_row(numbers)
    return not (np.isin(values, (0, 1)).all() or (is_plain and len(cells) >= _ENOUGH))


def _says_nothing(cells: CellTable, name: str) -> bool:
    """Whether a column that nobody knows only numbers or dates the lines, or is the same on all."""
    words = cells.words(name)
    if len(cells) < _ENOUGH or _near_name(name) or words.size not in (1, len(cells)):
        return False
    if words.size == 1:
        # What is empty may be the scores of a system that had none.
        return words.words[0].lower() not in NO_NUMBER
    return not cells.is_numeric(name) or _is_no_score(name) or _are_in_a_row(cells.numbers(name))
