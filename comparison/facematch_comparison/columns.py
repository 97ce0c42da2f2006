"""Which column of a table of scores is which: by name where that is certain, else a guess.

A column that nobody knows is an error with the nearest name: to skip it would lose what a misspelt
one says.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.kinds import argument, nearest
from facematch_core.tables import refusal

from .cells import CellTable, Problem, near_prefix
from .numbers import join_names
from .study.reading import GROUP, GROUPS, MATED, PROBE_GROUP, REFERENCE_GROUP, group_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _of_side(things: str, sides: str) -> list[str]:
    return [f"{thing}_{side}" for thing in things.split() for side in sides]


#: Columns of a file of scores, apart from groups, to other names that are certain. Capitals,
#: spaces, ``_``, ``-`` and ``.`` do not count.
SYNONYMS: Final[Mapping[str, Sequence[str]]] = {
    "system": ("contender", "vendor", "provider", "algorithm", "engine", "matcher"),
    "pair": ("pair_id", "comparison", "comparison_id", "trial", "trial_id", "id"),
    "mated": (
        *("same", "label", "match", "is_same", "is_match", "is_mated", "genuine", "is_genuine"),
        *("same_person", "ground_truth", "truth", "target"),
    ),
    "probe": (
        *_of_side("image img file path photo picture", "1a"),
        *("probe_image", "probe_file", "probe_path"),
    ),
    "reference": (
        *_of_side("image img file path photo picture", "2b"),
        *("reference_image", "reference_file", "reference_path", "gallery", "gallery_image"),
    ),
    "probe_subject": (
        *_of_side("subject person identity", "1a"),
        *("probe_person", "probe_identity", "probe_subject_id", "subject_id_1", "person_id_1"),
    ),
    "reference_subject": (
        *_of_side("subject person identity", "2b"),
        *("reference_person", "reference_identity", "reference_subject_id"),
        *("gallery_subject", "subject_id_2", "person_id_2"),
    ),
    "person": (),
    "transaction": ("transaction_id",),
    "attempt": ("attempt_no", "attempt_number"),
    "score": ("similarity", "similarity_score", "match_score", "confidence", "sim"),
    **dict.fromkeys(("decision", "acquired", "error"), ()),
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

#: Columns that say something of one answer: in a wide file they would be anybody's.
_OF_ANSWER: Final = ("score", "decision", "acquired", "error", "elapsed_s", "billed")

#: Columns of free text, which may be there.
_NOTES: Final = ("note", "notes", "comment", "comments", "remark", "remarks")

#: Where less is more alike.
_DISTANCES: Final = ("distance", "dist", "cosinedistance", "euclideandistance", "l2", "l2distance")

#: Columns of numbers that are no scores of anybody: by their name, or by a word of it.
_NUMBERING: Final = re.compile(r"(.*[\W_])?(id|no|nr|case|index|row|line)([\W_].*)?")
_NO_SCORE: Final = re.compile(
    r"(.*[\W_])?(age|year|ms|latency|seconds|secs?|time|timestamp|elapsed|duration|date|gender|sex"
    r"|pitch|roll|price|cost|eur|usd|quality|sharpness|brightness|blur|px|pixels|std)([\W_\d].*)?"
    r"|n|count|fold|set|split|width|height|yaw"
)

#: What is 1 where people differ.
_REVERSED: Final = re.compile(
    "impost|fraud|differ|attack|spoof|fake|stranger|non.?(mated|match|same)|(mis|no|not|un).?(mat|same)"
    "|versch|ander|betrug|other|autre|otr[oa]"
)

#: Words in the names of columns of labels, of pictures and of people.
_LABEL: Final = re.compile("same|match|mated|label|genuine|truth|gleich|ident|m[eê]me|mismo")
_PICTURE: Final = re.compile("selfie|photo|foto|bild|image|picture|passport|document|face|file")
_FILE: Final = re.compile(r"/|\\|\.(jpe?g|png|webp|tiff?|bmp|gif|heic)$", re.IGNORECASE)
_PERSON: Final = re.compile(
    r"(.*[\W_])?(user|person|customer|client|applicant|subject|employee|member|account|kunden?|nutzer)"
    r"[\W_]?(id|uuid|no|nr|number|name)?"
)

#: Words in the names of groups, in whatever form they are written.
_GROUPS: Final = re.compile("gender|(^|[_ ])sex|ethnic|race|skin|nation|countr")

#: How the columns of both sides of a pair are called, at their end or at their begin.
_SIDES: Final = (("1", "2"), ("a", "b"), ("x", "y"), ("probe", "reference"), ("left", "right"))

#: A scale at the end of the name of a column of scores: ``score (0-1)``.
_SCALE: Final = re.compile(r"[\s_(\[]+(0\s*[-\N{EN DASH}]\s*1(?:00)?)[)\]]?$")

#: A table with more columns holds something else, and guessing would take minutes.
_MOST_COLUMNS: Final = 1000

#: Of more columns than these, no two are tried as pictures or people.
_TRIED: Final = 30

#: In fewer rows, whole numbers may be in a row, or equal, by chance.
_ENOUGH: Final = 12

#: Groups are at most so many.
_FEW: Final = 20


class ColumnsNotRecognised(InvalidRequest):
    """Nobody can say for certain which column of a table of scores is which.

    Attributes:
        what: What is missing or unknown.
        columns: A guess from names and values: our name to the table's. With ``read_scores(...,
            columns=error.columns, ignore=error.ignore, independent_pairs=error.independent_pairs)``
            all columns are recognised, but those of which `what` says that they may be of use.
            Empty where nobody can guess.
        ignore: Columns to skip, by the same guess. None of them holds scores or groups of people.
        independent_pairs: Whether nothing in the table seems to name people.
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
        of, skip = (json.dumps(guess, ensure_ascii=False) for guess in (self.columns, self.ignore))
        parts = [f"columns={of}"] * bool(columns) + [f"ignore={skip}"] * bool(ignore)
        parts += ["independent_pairs=True"] * independent_pairs
        advice = f"If this is right, add {', '.join(parts)}."
        if not parts:
            advice = (
                'Name a column with columns={"mated": "its name"}, or skip it with ignore=[...].'
            )
        super().__init__(f"{what}\n{advice}")


@attrs.define
class ColumnRoles:
    """Which column is which."""

    #: Our name of a column to its own.
    of: dict[str, str]
    #: Columns that are systems; empty for a long table, of which each line is of one system.
    systems: list[str] = attrs.field(factory=list)
    is_long: bool = True
    #: Whether pictures say nothing of people.
    independent_pairs: bool = False
    #: Whether scores are distances.
    distance: bool = False
    #: Columns that are not recognised; of a wide table its systems, too.
    rest: list[str] = attrs.field(factory=list)
    #: Columns that may be one that is recognised, to our name of it.
    spare: dict[str, str] = attrs.field(factory=dict)
    problems: list[Problem] = attrs.field(factory=list)
    missing: list[Problem] = attrs.field(factory=list)

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


def recognise(cells: CellTable, usual: ColumnRoles, ignore: Sequence[str]) -> ColumnRoles:
    """Which column is which, beside what the user says, or a refusal with a guess."""
    systems, independent_pairs = usual.systems, usual.independent_pairs
    so = "nothing was judged"
    header = cells.header
    problems = []
    if cells.unit == "line" and len(header) == 1:
        text = f"the header is one column, {header[0][:60]!r}: separate columns with "
        problems.append(Problem(f"{text}commas, semicolons or tabs"))
    if len(header) > _MOST_COLUMNS:
        text = f"there are {len(header):,} columns, and at most {_MOST_COLUMNS:,} are read"
        problems.append(Problem(text))
    cells.refuse(problems, so=so)
    named = {_our_name(key): name for key, name in usual.of.items()}
    names = [*named.values()]
    problems = [
        Problem(f"there is no column {name[:60]!r}; {nearest(name, header)}")
        for name in (*names, *systems, *ignore)
        if name not in header
    ]
    problems += [
        Problem(f"the column {name[:60]!r} can fill one column only")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if PERSON in named and {*PEOPLE} & named.keys():
        problems.append(Problem("a line names one person, or both: not person beside a subject"))
    cells.refuse(problems, so=so)

    usual = attrs.evolve(usual, of=named)
    certain = _recognise(cells, usual, ignore)
    if independent_pairs and certain.people in (PEOPLE, (PERSON,)):
        flag = argument("independent_pairs", True)
        text = f"the table names people: leave out {flag}, or skip their columns"
        certain.problems.append(Problem(text))
    if not certain.problems and not certain.missing:
        return certain
    guess = _ColumnGuess(cells, certain, has_systems=bool(systems))
    more, skip = guess.make()
    more, skip = {**named, **more}, [*ignore, *skip]
    independent = independent_pairs or not guess.columns.people
    usual = attrs.evolve(usual, of=more, independent_pairs=independent)
    result = _recognise(cells, usual, [*skip, *guess.doubtful])
    is_whole = not result.problems and not result.missing
    # What is missing is in the guess, where there is one.
    is_guessed = is_whole and certain.problems and independent is independent_pairs
    problems = [*certain.problems, *(() if is_guessed else certain.missing)]
    problems += [
        Problem(f"the column {name[:60]!r} {doubt}") for name, doubt in guess.doubtful.items()
    ]
    if certain.missing and not is_whole:
        example = f"a table looks like this: {WIDE} (one line for each pair), or like this: {LONG} "
        problems.append(Problem(f"{example}(one line for each pair and system)"))
    what = refusal(cells.name, cells.texts(problems), so)
    if not is_whole:
        raise ColumnsNotRecognised(what)
    raise ColumnsNotRecognised(what, columns=more, ignore=skip, independent_pairs=independent)


def scale_of(name: str | None) -> str | None:
    """The scale that a column of scores has in its name."""
    scale = _SCALE.search(name or "")
    return re.sub(r"\D+", "-", scale[1]) if scale else None


def _kind(name: str) -> str:
    """What groups are called of which this is the name of the column."""
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "group"


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).lower()


#: Every name that is certain: to ours, and as it is written.
_OURS: Final[Mapping[str, str]] = {
    _plain(word): ours for ours, words in SYNONYMS.items() for word in (ours, *words)
}
_WRITTEN: Final = {_plain(word): word for ours in SYNONYMS for word in (ours, *SYNONYMS[ours])}


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


def _recognise(cells: CellTable, usual: ColumnRoles, ignore: Sequence[str]) -> ColumnRoles:
    """Which column is which, beside those that the user named."""
    systems = usual.systems
    result = _by_name(cells, usual, {*usual.of.values(), *systems, *ignore})
    of = result.of
    result.is_long = not systems and any(name in of for name in ("score", "decision", "system"))
    strange = [] if systems else result.rest
    if result.is_long:
        if "backend" in of:
            of.setdefault("system", of["backend"])
    elif not systems:
        result.systems = _systems(cells, result)
        strange = [name for name in result.rest if name not in result.systems]
    result.problems += _strangers(cells, strange, result)
    if result.systems:
        # Whoever names the systems leaves other scores out; but not an error of everybody.
        result.problems += [
            Problem(
                f"the column {of[name][:60]!r} says something of one answer, and each line has "
                "several: write one line for each pair and system, or ignore the column"
            )
            for name in (("acquired", "error") if systems else _OF_ANSWER)
            if name in of
        ]
    result.missing += _missing(result)
    return result


def _by_name(cells: CellTable, usual: ColumnRoles, used: set[str]) -> ColumnRoles:
    named = usual.of
    result = attrs.evolve(usual, of=dict(named), rest=[], spare={}, problems=[], missing=[])
    meant: dict[str, list[str]] = {}
    distances = [name for name in cells.header if usual.distance and _plain(name) in _DISTANCES]
    for place, name in enumerate(cells.header):
        if name in used or _plain(name) in _NOTES or (not place and _counts_rows(cells, name)):
            continue
        ours = name if group_of(name) else _OURS.get(_plain(name))
        if [name] == distances or _OURS.get(_plain(_SCALE.sub("", name))) == "score":
            ours = "score"
        # Of `target`, 1 and 0 make a label, names of files do not.
        is_no_label = ours == "mated" and cells.words(name).size > 10
        is_known = ours in named or (ours == PERSON and {*PEOPLE} & named.keys())
        if ours is None or is_known or (is_no_label and _plain(name) != "mated"):
            result.rest.append(name)
        else:
            meant.setdefault(ours, []).append(name)
    for ours, names in meant.items():
        exact = [name for name in names if _plain(name) == _plain(ours)]
        result.of[ours], *others = exact + [name for name in names if name not in exact]
        if exact:
            result.rest += others
        elif others:
            result.spare |= dict.fromkeys(others, ours)
            both = join_names([repr(name[:60]) for name in names])
            result.problems.append(Problem(f"the columns {both} may each be {ours}: choose one"))
    return result


def _counts_rows(cells: CellTable, name: str) -> bool:
    """Whether this is the index of a DataFrame that was written to CSV."""
    if name:
        return False
    numbers = cells.numbers(name)
    return np.array_equal(numbers - numbers[0], np.arange(len(cells)))


def _systems(cells: CellTable, columns: ColumnRoles) -> list[str]:
    """Those of the unknown columns of a wide table that are scores of systems."""
    of = columns.of
    systems = [name for name in columns.rest if _is_system(cells, name, distance=columns.distance)]
    if len(cells) < _ENOUGH:
        return systems
    # Where no number is in a form that is read, it is not known what else it could be.
    every = {name: np.unique(cells.numbers(name)) for name in systems}
    values = {name: numbers[~np.isnan(numbers)] for name, numbers in every.items()}
    # Numbers of lines, flags, and what is the same on all lines.
    other = {
        name
        for name, numbers in values.items()
        if (len(numbers) == len(cells) and (np.diff(numbers) == 1).all())
        or len(numbers) == 1
        or (len(numbers) and np.isin(numbers, (0, 1)).all())
    }
    # Numbers of people are the same in mated pairs only.
    whole = [name for name in systems if (values[name] % 1 == 0).all()]
    if "mated" in of and PEOPLE[0] not in of:
        for both in itertools.combinations(whole[:_TRIED], 2):
            if _are_people(cells, of, *both):
                other |= {*both}
    return [name for name in systems if name not in other] or systems


def _is_system(cells: CellTable, name: str, *, distance: bool) -> bool:
    """Whether a column that is left in a wide table is certainly the scores of a system."""
    near = _OURS.get(_plain(_near_name(name) or "score"))
    # `model_a` beside `model_b`; but `price_b` is rather a price, and `match 0/1` a label.
    is_other = near not in ("system", "score") and not re.fullmatch(
        r"model([\W_].*|\d+)", name.lower()
    )
    if near == "mated":
        is_other = not cells.words(name).size > 10
    is_other |= (_plain(name) in _DISTANCES and not distance) or is_no_score(name)
    is_other |= _PERSON.fullmatch(name.lower()) is not None
    if _NUMBERING.fullmatch(name.lower()):
        numbers = cells.numbers(name)
        is_other |= bool(np.all(numbers % 1 == 0)) and len(np.unique(numbers)) == len(cells)
    return bool(name) and not is_other and cells.is_numeric(name)


def is_no_score(name: str) -> bool:
    """Whether a column of numbers is of something else by its name."""
    return _NO_SCORE.fullmatch(name.lower()) is not None


def _are_people(cells: CellTable, of: Mapping[str, str], probe: str, reference: str) -> bool:
    """Whether two columns have the same words in mated pairs only."""
    first, second = cells.alike(probe, reference)
    same = first.codes == second.codes
    if same.all() or not same.any() or not (first.filled.all() and second.filled.all()):
        return False
    if "mated" not in of:  # few words on many rows are rather groups
        few = first.size
        return not cells.is_numeric(probe) and not few <= _TRIED < len(cells)
    label = cells.words(of["mated"])
    return np.array_equal(same, label.map(lambda word: MATED.get(word.lower(), False), np.bool_))


def _strangers(cells: CellTable, names: Sequence[str], columns: ColumnRoles) -> Iterator[Problem]:
    far = []
    apart = " and skip the scores beside them, which are read apart" if columns.systems else ""
    for name in names:
        near = _near_name(name)
        if _plain(name) in _DISTANCES:
            yield Problem(
                f"the column {name[:60]!r}: of distances less is more alike, and of scores more "
                f"is: say so with {argument('distance', True)}{apart}"
            )
        elif not name:
            yield Problem("a column has no name")
        elif not columns.is_long and _has_numbers(cells, name):
            row = next(row for problem in cells.not_numbers(name) for row in problem.rows or ())
            word = cells.cell(name, row)[:40]
            yield Problem(
                f"the column {name[:60]!r} holds numbers, and words such as {word!r}: leave cells "
                "without a score empty, or skip the column"
            )
        elif near and _plain(near) != _plain(name):
            yield Problem(f"the column {name[:60]!r} is unknown; did you mean {near[:60]}?")
        else:
            far.append(repr(name[:60]))
    if far:
        column, are = ("column", "is") if len(far) == 1 else ("columns", "are")
        yield Problem(f"the {column} {join_names(far)} {are} unknown")


def _has_numbers(cells: CellTable, name: str) -> bool:
    """Whether words stand among the scores of a system: one cell in ten or more is a number."""
    if cells.is_numeric(name) or is_no_score(name) or _NUMBERING.fullmatch(name.lower()):
        return False
    numbers = np.count_nonzero(~np.isnan(cells.numbers(name)))
    return bool(numbers and 10 * numbers >= np.count_nonzero(cells.words(name).filled))


def _missing(result: ColumnRoles) -> Iterator[Problem]:
    of = result.of
    for both in (PEOPLE, PICTURES):
        missing = [name for name in both if name not in of]
        if len(missing) == 1:
            yield Problem(f"the column {missing[0]} is missing")
    if not {*PEOPLE, *PICTURES, PERSON} & of.keys() and not result.independent_pairs:
        yield Problem(
            "the columns probe_subject and reference_subject are missing: pairs of one person are "
            "not independent, so any name or number of each person is needed (or of the one person "
            "that a line is of, as person), or both pictures (image1 and image2)"
        )
    if "mated" not in of and not of.keys() >= {*PEOPLE}:
        reverse = [name for name in result.rest if _REVERSED.search(name.lower())]
        hint = f"; if {reverse[0][:60]!r} is 1 for two people, turn it round" if reverse else ""
        yield Problem(f"the column mated (or same, or label) is missing{hint}")
    if ("transaction" in of) is not ("attempt" in of):
        missing = ["attempt" if "transaction" in of else "transaction"]
        yield Problem(f"the column {missing[0]} is missing: an attempt is one of a transaction")
    if result.is_long and "score" not in of and "decision" not in of:
        yield Problem("there is neither a column score nor a column decision")
    if not result.is_long and not result.systems and not result.rest:
        yield Problem("there is neither a column score nor a column of numbers for each system")


class _ColumnGuess:
    """What the columns that are left may be, by their names and values."""

    def __init__(self, cells: CellTable, certain: ColumnRoles, *, has_systems: bool) -> None:
        self._cells = cells
        self._has_systems = has_systems
        #: With what is guessed.
        self.columns = attrs.evolve(certain, of=dict(certain.of), rest=list(certain.rest))
        self._of, self._rest = self.columns.of, self.columns.rest
        #: Columns that may be of use, and what they may be.
        self.doubtful: dict[str, str] = {}
        # Of two columns of scores, either may be a system that nobody wants to lose.
        spare = {name: ours for name, ours in certain.spare.items() if ours != "score"}
        self._more = {ours: certain.of[ours] for ours in spare.values()}
        self._skipped = list(spare)
        self._is_wide = bool(certain.systems) and not has_systems

    def make(self) -> tuple[dict[str, str], list[str]]:
        """Our names to columns, and columns to skip."""
        for name in [*self._rest]:
            self._take_near_name(name)
        self._take_label(_LABEL.pattern)
        self._take_pictures()
        self._take_people()
        self._take_label("")
        self._take_people()
        for name in [*self._rest]:
            if not {*PEOPLE, PERSON} & self._of.keys() and _PERSON.fullmatch(name.lower()):
                self._take(PERSON, name)
        if not self._has_systems:
            self._take_system()
        if self.columns.is_long:
            self._take_pair_and_score()
        elif self._is_wide:
            self._skipped += [self._of[ours] for ours in _OF_ANSWER if ours in self._of]
        if not self._has_systems:
            systems = [] if self.columns.is_long else _systems(self._cells, self.columns)
            self._rest[:] = [name for name in self._rest if name not in systems]
            self._take_groups()
            doubts = {name: self._doubt(name) for name in filter(self._may_be_skipped, self._rest)}
            self.doubtful = {name: doubt for name, doubt in doubts.items() if doubt}
            self._skipped += [name for name in doubts if name not in self.doubtful]
        return self._more, self._skipped

    def _take(self, ours: str, name: str) -> None:
        if ours == "mated" and _REVERSED.search(name.lower()):
            return
        if ours not in self._of:
            self._of[ours] = self._more[ours] = name
            self._rest.remove(name)

    def _take_near_name(self, name: str) -> None:
        near = _near_name(name) or ""
        ours = near if group_of(near) else _OURS.get(_plain(near))
        # `idA` is rather a person than the pair.
        if not ours or ours == "pair" or (ours in _OF_ANSWER and not self.columns.is_long):
            return
        is_number = ours in ("score", "elapsed_s", "threshold")
        if self._is_label(name) if ours == "mated" else is_number == self._cells.is_numeric(name):
            self._take(ours, name)

    def _take_label(self, pattern: str) -> None:
        """The one column that may be it and has such a name; what is not so named, by people."""
        people = [self._of[ours] for ours in PEOPLE if ours in self._of]
        labels = [
            name
            for name in self._rest
            if re.search(pattern, name.lower())
            and self._is_label(name)
            and (len(people) < 2 or _are_people(self._cells, {"mated": name}, *people))
        ]
        if len(labels) == 1:
            self._take("mated", labels[0])

    def _take_pictures(self) -> None:
        missing = [ours for ours in PICTURES if ours not in self._of]
        pictures = []
        for name in self._rest:
            words = self._words(name)
            files = sum(_FILE.search(word) is not None for word in words) * 2 > len(words)
            is_named = _PICTURE.search(name.lower()) and not self._is_label(name)
            if (files or is_named) and not self._cells.is_numeric(name):
                pictures.append(name)
        # Selfie and document of one name each: then the names are those of people.
        if len(pictures) == 2 and _are_people(self._cells, self._of, *pictures):
            return
        if len(pictures) >= len(missing) and not self._of.keys() >= {*PEOPLE}:
            for ours, name in zip(missing, pictures, strict=False):
                self._take(ours, name)

    def _take_people(self) -> None:
        if {*PEOPLE} & self._of.keys():
            return
        words = [name for name in self._rest if not self._is_label(name)]
        for both in itertools.combinations(words[:_TRIED], 2):
            if _are_people(self._cells, self._of, *both):
                for ours, name in zip(PEOPLE, both, strict=True):
                    self._take(ours, name)
                return

    def _take_system(self) -> None:
        """A column that has the same pairs for each of its words."""
        both = PICTURES if PICTURES[0] in self._of else PEOPLE
        if "system" in self._of or not {*both} <= self._of.keys():
            return
        probe, reference = self._cells.alike(*(self._of[ours] for ours in both))
        pairs = probe.codes * probe.size + reference.codes
        for name in self._rest:
            words = self._cells.words(name)
            if not 2 <= words.size <= _TRIED or not words.filled.all():
                continue
            ends = np.cumsum(np.bincount(words.codes))[:-1]
            first, *more = np.split(pairs[np.lexsort((pairs, words.codes))], ends)
            if all(np.array_equal(first, each) for each in more):
                self._take("system", name)
                self.columns.is_long = True
                return

    def _take_pair_and_score(self) -> None:
        """The pair, which each system has once, and the only numbers."""
        cells = self._cells
        system = cells.words(self._of.get("system", ""))
        for name in self._rest if "pair" not in self._of else ():
            pair = cells.words(name)
            keys = system.codes * pair.size + pair.codes
            is_whole = np.all(cells.numbers(name) % 1 == 0)
            is_id = not cells.is_numeric(name) or _NUMBERING.fullmatch(name.lower())
            if (is_id or (is_whole and system.size > 1)) and not is_no_score(name):
                expected = pair.size * system.size
                if expected == len(np.unique(keys)) == len(cells):
                    self._take("pair", name)
                    break
        scores = [
            name
            for name in self._rest
            if cells.is_numeric(name)
            and not (_NUMBERING.fullmatch(name.lower()) or is_no_score(name))
        ]
        if len(scores) == 1:
            self._take("score", scores[0])

    def _take_groups(self) -> None:
        """Columns of few words: of one side of a pair each, of both people, or of one of them."""
        names = {name.lower(): name for name in self._rest}
        for low, name in names.items():
            for (first, second), begin in itertools.product(_SIDES, (True, False)):
                part = low.removeprefix(first) if begin else low.removesuffix(first)
                other = names.get(second + part if begin else part + second)
                if part == low or other is None or {name, other} - {*self._rest}:
                    continue
                if self._is_group([name], [other]):
                    self._take(PROBE_GROUP + _kind(part), name)
                    self._take(REFERENCE_GROUP + _kind(part), other)
        # Of one person a line, nobody knows who the other is.
        is_one = self.columns.people == (PERSON,)
        for name in [*self._rest]:
            for prefix, of_probe, of_reference in (
                (GROUP, [name], [name]),
                (PROBE_GROUP, [name], []),
                (REFERENCE_GROUP, [], [name]),
            ):
                if prefix != PROBE_GROUP and is_one:
                    continue
                if name in self._rest and self._is_group(of_probe, of_reference):
                    self._take(prefix + _kind(name), name)

    def _is_group(self, of_probe: Sequence[str], of_reference: Sequence[str]) -> bool:
        """Whether these columns have few words, of which nobody has two."""
        columns = [*of_probe, *of_reference]
        if any(map(self._cells.is_numeric, columns)) or not self._has_few_words(columns):
            return False
        groups = self._cells.alike(*columns)
        probe, reference = self._people()
        who = np.concatenate([probe] * len(of_probe) + [reference] * len(of_reference))
        codes = np.concatenate([column.codes for column in groups])
        # An empty cell says nothing of a person.
        who, codes = who[codes != groups[0].empty], codes[codes != groups[0].empty]
        return len(np.unique(who * groups[0].size + codes)) == len(np.unique(who))

    def _has_few_words(self, columns: Sequence[str]) -> bool:
        words = self._cells.alike(*columns)[0]
        return 2 <= words.size - (words.empty >= 0) <= min(_FEW, len(self._cells) / 2)

    def _doubt(self, name: str) -> str:
        """What a column may be that would else be skipped."""
        cells, score = self._cells, self._of.get("score", "")
        if self._may_be_groups(name):
            return (
                "may be of groups, which people seem to be in several of: name it, for example as "
                f"group_{_kind(name)}, to see where, or skip it"
            )
        is_empty = np.isnan(cells.numbers(name)).all() and not any(cells.not_numbers(name))
        if is_empty and not self.columns.is_long:
            return "is empty: if a system gave no score, give it lines with acquired 0; or skip it"
        if self.columns.is_long and (not score or _plain(score) in _DISTANCES):
            if _is_system(cells, name, distance=True):
                return "may be scores: skip it, and read it apart from distances and other scores"
        elif cells.is_numeric(name) and self._is_label(name) and not is_no_score(name):
            return "holds 0 and 1 alone: if these are decisions, name it decision; if not, skip it"
        return ""

    def _may_be_groups(self, name: str) -> bool:
        is_named = _GROUPS.search(name.lower())
        is_other = self._cells.is_numeric(name) or self._is_label(name) or is_no_score(name)
        return bool(is_named or not is_other) and self._has_few_words([name])

    def _people(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64, (N,), twice: a number for whom the probe and the reference show."""
        if self.columns.people:
            people = self._cells.alike(*(self._of[ours] for ours in self.columns.people))
            return people[0].codes, people[-1].codes
        rows = np.arange(len(self._cells))
        label = self._cells.words(self._of.get("mated", "\0"))
        mated = label.map(lambda word: MATED.get(word.lower(), False), np.bool_)
        return rows, np.where(mated, rows, rows + len(rows))

    def _words(self, name: str) -> set[str]:
        return {*self._cells.words(name).words} - {""}

    def _is_label(self, name: str) -> bool:
        words = self._words(name)
        return len(words) == 2 and {MATED.get(word.lower()) for word in words} == {True, False}

    def _may_be_skipped(self, name: str) -> bool:
        if not name or _plain(name) in _DISTANCES:
            return False
        if not self.columns.is_long:
            return not _has_numbers(self._cells, name)
        # It may be the system of each line: without it, several would be one in silence.
        is_few = 2 <= len(self._words(name)) <= _TRIED
        return bool({"system", "pair"} & self._of.keys() or not is_few or is_no_score(name))
