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
from typing import Final

import attrs
import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.kinds import nearest

from .cells import Cells, Problem, near_prefix, refusal
from .numbers import listed
from .study.reading import GROUP, GROUPS, MATED, group_of

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

#: Columns that say something of one answer: in a wide file they would be anybody's.
_OF_ANSWER: Final = ("score", "decision", "acquired", "error", "elapsed_s", "billed")

#: Columns of free text, which may be there.
_NOTES: Final = ("note", "notes", "comment", "comments", "remark", "remarks")

#: Where less is more alike.
_DISTANCES: Final = ("distance", "dist", "cosinedistance", "euclideandistance", "l2", "l2distance")

#: Columns of numbers that are no scores of anybody: by their name, or by a word of it.
_NUMBERING: Final = re.compile(r"(.*[\W_])?(id|no|nr|case|index|row|line)([\W_].*)?")
_NO_SCORE: Final = re.compile(
    r"(.*[\W_])?(age|year|ms|latency|seconds|secs?|time|elapsed|duration|date|timestamp|gender|sex"
    r"|pitch|roll|price|cost|eur|usd|quality)([\W_\d].*)?"
    r"|n|count|fold|set|split|width|height|yaw"
)

#: What is 1 where people differ.
_REVERSED: Final = re.compile(
    "impost|fraud|differ|attack|spoof|fake|stranger|non.?(mated|match|same)|(mis|no|not|un).?(mat|same)"
    "|versch|ander|betrug|other|autre|otr[oa]"
)

#: A number in a form that is not read: ``81.5 %``, ``12.345,6``.
_ALMOST_NUMBER: Final = re.compile(r"[-+]?\d[\d.,' ]*%?")

#: Words in the names of columns of labels, and of pictures.
_LABEL: Final = re.compile("same|match|mated|label|genuine|truth|gleich|ident|m[eê]me|mismo")
_PICTURE: Final = re.compile("selfie|photo|foto|bild|image|picture|passport|document|face|file")
_FILE: Final = re.compile(r"/|\\|\.(jpe?g|png|webp|tiff?|bmp|gif|heic)$", re.IGNORECASE)

#: A scale at the end of the name of a column of scores: ``score (0-1)``.
_SCALE: Final = re.compile(r"[\s_(\[]+(0\s*[-\N{EN DASH}]\s*1(?:00)?)[)\]]?$")

#: A table with more columns holds something else, and guessing would take minutes.
_MOST_COLUMNS: Final = 1000

#: Of more columns than these, no two are tried as pictures or people.
_TRIED: Final = 30

#: In fewer rows, whole numbers may be in a row, or equal, by chance.
_ENOUGH: Final = 12


class ColumnsNotRecognised(InvalidRequest):
    """Nobody can say for certain which column of a table of scores is which.

    Attributes:
        what: What is missing or unknown.
        columns: A guess from names and values: our name to the table's. It is complete: with
            ``read_scores(..., columns=error.columns, ignore=error.ignore)`` the columns are
            recognised. Empty where nobody can guess.
        ignore: Columns to skip, by the same guess.
    """

    def __init__(
        self, what: str, *, columns: Mapping[str, str] | None = None, ignore: Sequence[str] = ()
    ) -> None:
        self.what = what
        self.columns = dict(columns or {})
        self.ignore = tuple(ignore)
        of, skip = (json.dumps(one, ensure_ascii=False) for one in (self.columns, self.ignore))
        parts = [f"columns={of}"] * bool(columns) + [f"ignore={skip}"] * bool(ignore)
        advice = f"If this is right, add {', '.join(parts)}."
        if not parts:
            advice = (
                'Name a column with columns={"mated": "its name"}, or skip it with ignore=[...].'
            )
        super().__init__(f"{what}\n{advice}")


@attrs.define
class Columns:
    """Which column is which."""

    #: Our name of a column to its own.
    of: dict[str, str]
    #: Columns that are systems; empty for a long table, of which each line is of one system.
    wide: list[str] = attrs.field(factory=list)
    is_long: bool = True
    #: Columns that are not recognised; of a wide table its systems, too.
    rest: list[str] = attrs.field(factory=list)
    #: Columns that may be one that is recognised, to our name of it.
    spare: dict[str, str] = attrs.field(factory=dict)
    problems: list[Problem] = attrs.field(factory=list)
    missing: list[Problem] = attrs.field(factory=list)

    @property
    def groups(self) -> dict[str, list[tuple[str, str]]]:
        """Name of each kind of group to the prefixes and names of its columns."""
        found: dict[str, list[tuple[str, str]]] = {}
        for ours, name in self.of.items():
            if parts := group_of(ours):
                found.setdefault(parts[1], []).append((parts[0], name))
        return found


def recognise(
    cells: Cells, columns: Mapping[str, str], systems: Sequence[str], ignore: Sequence[str]
) -> Columns:
    """Which column is which, or a refusal with a guess."""
    so = "nothing was judged"
    if cells.unit == "line" and len(cells.header) == 1:
        text = f"the header is one column, {cells.header[0][:60]!r}: separate columns with "
        cells.refuse([Problem(f"{text}commas, semicolons or tabs")], so=so)
    if len(cells.header) > _MOST_COLUMNS:
        text = f"there are {len(cells.header):,} columns, and at most {_MOST_COLUMNS:,} are read"
        cells.refuse([Problem(text)], so=so)
    given = {_ours(key): name for key, name in columns.items()}
    absent = [
        Problem(f"there is no column {name[:60]!r}; {nearest(name, cells.header)}")
        for name in (*given.values(), *systems, *ignore)
        if name not in cells.header
    ]
    named = [*given.values()]
    twice = [name for name in dict.fromkeys(named) if named.count(name) > 1]
    absent += [Problem(f"the column {name[:60]!r} cannot be two things") for name in twice]
    cells.refuse(absent, so=so)
    found = _recognised(cells, given, systems, ignore)
    if not found.problems and not found.missing:
        return found
    more, skip = _Guess(cells, found, has_systems=bool(systems)).made()
    guess = _recognised(cells, {**given, **more}, systems, [*ignore, *skip])
    is_whole = not guess.problems and not guess.missing
    # What is missing is in the guess, where there is one.
    problems = [*found.problems, *(() if is_whole and found.problems else found.missing)]
    if found.missing and not is_whole:
        example = f"a table looks like this: {WIDE} (one line for each pair), or like this: {LONG} "
        problems.append(Problem(f"{example}(one line for each pair and system)"))
    what = refusal(cells.name, cells.said(problems), so)
    if is_whole:
        raise ColumnsNotRecognised(what, columns={**given, **more}, ignore=[*ignore, *skip])
    raise ColumnsNotRecognised(what)


def scale_of(name: str | None) -> str | None:
    """The scale that a column of scores has in its name."""
    found = _SCALE.search(name or "")
    return re.sub(r"\D+", "-", found[1]) if found else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).lower()


#: Every name that is certain: to ours, and as it is written.
_OURS: Final[Mapping[str, str]] = {
    _plain(word): ours for ours, words in SYNONYMS.items() for word in (ours, *words)
}
_WRITTEN: Final = {_plain(word): word for ours in SYNONYMS for word in (ours, *SYNONYMS[ours])}


def _ours(key: str) -> str:
    """Our name for a key of `columns`."""
    ours = key if group_of(key) else _OURS.get(_plain(key))
    if ours is None:
        near = difflib.get_close_matches(_plain(key), _WRITTEN, n=1) or [""]
        written = _WRITTEN.get(near[0], near_prefix(key, GROUPS))
        known = f"it sets {', '.join(SYNONYMS)} and group_NAME"
        hint = f"did you mean {written}?" if written else known
        raise InvalidRequest(f"`columns` cannot set {key[:60]!r}; {hint}")
    return ours


def _near(name: str) -> str | None:
    """The certain name that this one nearly is."""
    found = difflib.get_close_matches(_plain(name), _WRITTEN, n=1, cutoff=0.78)
    if not found or name.lower().endswith("ms"):  # milliseconds are no seconds
        return near_prefix(name, GROUPS)
    likeness = difflib.SequenceMatcher(None, _plain(name), found[0]).ratio()
    is_side = _OURS[found[0]] in (*PEOPLE, *PICTURES)
    return None if is_side and likeness < 0.9 else _WRITTEN[found[0]]


def _recognised(
    cells: Cells, given: Mapping[str, str], systems: Sequence[str], ignore: Sequence[str]
) -> Columns:
    found = _by_name(cells, given, {*given.values(), *systems, *ignore})
    of = found.of
    found.is_long = not systems and any(name in of for name in ("score", "decision", "system"))
    found.wide = list(systems)
    strange = found.rest
    if found.is_long:
        of.setdefault("system", of.get("backend", ""))
        if not of["system"]:
            del of["system"]
    elif systems:
        strange = []
    else:
        found.wide = _systems(cells, of, found.rest)
        strange = [name for name in found.rest if name not in found.wide]
    found.problems += _strangers(cells, strange)
    if found.wide:
        # Whoever names the systems leaves other scores out; but not an error of everybody.
        found.problems += [
            Problem(
                f"the column {of[name][:60]!r} says something of one answer, and each line has "
                "several: write one line for each pair and system, or ignore the column"
            )
            for name in (("acquired", "error") if systems else _OF_ANSWER)
            if name in of
        ]
    found.missing += _missing(found)
    return found


def _by_name(cells: Cells, given: Mapping[str, str], used: set[str]) -> Columns:
    found = Columns(dict(given))
    meant: dict[str, list[str]] = {}
    for place, name in enumerate(cells.header):
        ours = name if group_of(name) else _OURS.get(_plain(name))
        if _OURS.get(_plain(_SCALE.sub("", name))) == "score":
            ours = "score"
        if name in used or _plain(name) in _NOTES or (not place and _counts_rows(cells, name)):
            continue
        # Of `target`, 1 and 0 make a label, names of files do not.
        is_no_label = ours == "mated" and len(cells.words(name).known) > 10
        if ours is None or ours in given or (is_no_label and _plain(name) != "mated"):
            found.rest.append(name)
        else:
            meant.setdefault(ours, []).append(name)
    for ours, names in meant.items():
        exact = [name for name in names if _plain(name) == _plain(ours)]
        found.of[ours] = (exact or names)[0]
        others = [name for name in names if name != found.of[ours]]
        if exact:
            found.rest += others
        elif others:
            found.spare |= dict.fromkeys(others, ours)
            both = listed([repr(name[:60]) for name in names])
            found.problems.append(Problem(f"the columns {both} may each be {ours}: choose one"))
    return found


def _counts_rows(cells: Cells, name: str) -> bool:
    """Whether this is the index of a DataFrame that was written to CSV."""
    if name:
        return False
    numbers = cells.numbers(name)
    return np.array_equal(numbers - numbers[0], np.arange(len(cells)))


def _systems(cells: Cells, of: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Those of the columns that are left in a wide table that are scores of systems."""
    found = [name for name in names if _is_system(cells, name)]
    if len(cells) < _ENOUGH:
        return found
    values = {name: np.unique(cells.numbers(name)) for name in found}
    # Numbers of lines, flags, and what is the same on all lines.
    other = {
        name
        for name, of_name in values.items()
        if (len(of_name) == len(cells) and (np.diff(of_name) == 1).all())
        or len(of_name) == 1
        or np.isin(of_name[~np.isnan(of_name)], (0, 1)).all()
    }
    # Numbers of people are the same in mated pairs only.
    whole = [name for name in found if (values[name] % 1 == 0).all()]
    if "mated" in of and PEOPLE[0] not in of:
        for both in itertools.combinations(whole[:_TRIED], 2):
            if _are_people(cells, of, *both):
                other |= {*both}
    return [name for name in found if name not in other] or found


def _is_system(cells: Cells, name: str) -> bool:
    """Whether a column that is left in a wide table is certainly the scores of a system."""
    near = _OURS.get(_plain(_near(name) or "score"))
    # `model_a` beside `model_b`; but `price_b` is rather a price, and `match 0/1` a label.
    is_other = near not in ("system", "score") and not re.fullmatch(
        r"model([\W_].*|\d+)", name.lower()
    )
    if near == "mated":
        is_other = not len(cells.words(name).known) > 10
    is_other |= _plain(name) in _DISTANCES or _NO_SCORE.fullmatch(name.lower()) is not None
    if _NUMBERING.fullmatch(name.lower()):
        numbers = cells.numbers(name)
        is_other |= bool(np.all(numbers % 1 == 0)) and len(np.unique(numbers)) == len(cells)
    return bool(name) and not is_other and cells.is_numeric(name)


def _are_people(cells: Cells, of: Mapping[str, str], one: str, other: str) -> bool:
    """Whether two columns have the same words in mated pairs only."""
    first, second = cells.alike(one, other)
    same = first.places == second.places
    if same.all() or not same.any() or not (first.given.all() and second.given.all()):
        return False
    if "mated" not in of:  # few words on many rows are rather groups
        few = len(first.known)
        return not cells.is_numeric(one) and not few <= _TRIED < len(cells)
    label = cells.words(of["mated"])
    return np.array_equal(same, label.each(lambda word: MATED.get(word.lower(), False), np.bool_))


def _strangers(cells: Cells, names: Sequence[str]) -> Iterator[Problem]:
    far = []
    for name in names:
        near = _near(name)
        if _plain(name) in _DISTANCES:
            yield Problem(
                f"the column {name[:60]!r}: of distances less is more alike, and scores are wanted "
                "of which more is: take the distance from its maximum"
            )
        elif not name:
            yield Problem("a column has no name")
        elif _is_almost_numeric(cells, name):
            word = next(filter(None, cells.words(name).all))[:40]
            yield Problem(f"the column {name[:60]!r} holds {word!r}; write plain numbers")
        elif near and _plain(near) != _plain(name):
            yield Problem(f"the column {name[:60]!r} is unknown; did you mean {near[:60]}?")
        else:
            far.append(repr(name[:60]))
    if far:
        column, are = ("column", "is") if len(far) == 1 else ("columns", "are")
        yield Problem(f"the {column} {listed(far)} {are} unknown")


def _is_almost_numeric(cells: Cells, name: str) -> bool:
    words = [word for word in cells.words(name).all[:20] if word]
    return bool(words) and not cells.is_numeric(name) and all(map(_ALMOST_NUMBER.fullmatch, words))


def _missing(found: Columns) -> Iterator[Problem]:
    of = found.of
    for both in (PEOPLE, PICTURES):
        missing = [name for name in both if name not in of]
        if len(missing) == 1:
            yield Problem(f"the column {missing[0]} is missing")
    if not {*PEOPLE, *PICTURES} & of.keys():
        yield Problem(
            "the columns probe_subject and reference_subject are missing: pairs of one person are "
            "not independent, so any name or number of each person is needed, or both pictures "
            "(image1 and image2)"
        )
    if "mated" not in of and not of.keys() >= {*PEOPLE}:
        reverse = [name for name in found.rest if _REVERSED.search(name.lower())]
        hint = f"; if {reverse[0][:60]!r} is 1 for two people, turn it round" if reverse else ""
        yield Problem(f"the column mated (or same, or label) is missing{hint}")
    if found.is_long and "score" not in of and "decision" not in of:
        yield Problem("there is neither a column score nor a column decision")
    if not found.is_long and not found.wide and not found.rest:
        yield Problem("there is neither a column score nor a column of numbers for each system")


# --- A guess --------------------------------------------------------------------------------------


class _Guess:
    """What the columns that are left may be, by their names and values."""

    def __init__(self, cells: Cells, known: Columns, *, has_systems: bool) -> None:
        self._cells = cells
        self._is_long = known.is_long
        self._has_systems = has_systems
        self._left = list(known.rest)
        self._of = dict(known.of)
        self._found = {ours: known.of[ours] for ours in known.spare.values()}
        self._skipped = list(known.spare)
        self._is_wide = bool(known.wide) and not has_systems

    def made(self) -> tuple[dict[str, str], list[str]]:
        """Our names to columns, and columns to skip."""
        cells = self._cells
        for name in [*self._left]:
            self._by_near_name(name)
        self._label(_LABEL.pattern)
        self._pictures()
        self._people()
        self._label("")
        self._people()
        if not self._has_systems:
            self._system()
        if self._is_long:
            self._pair_and_score()
        elif self._is_wide:
            self._skipped += [self._of[ours] for ours in _OF_ANSWER if ours in self._of]
        systems = [] if self._is_long else _systems(cells, self._of, self._left)
        for name in () if self._has_systems else [*self._left]:
            if name in systems:
                continue
            if self._is_group(name):
                group = re.sub(r"\W+", "_", name.lower()).strip("_") or "group"
                self._take(GROUP + group, name)
            if name in self._left and self._may_be_skipped(name):
                self._skipped.append(name)
        return self._found, self._skipped

    def _label(self, pattern: str) -> None:
        """The one column that may be it and has such a name; what is not so named, by people."""
        labels = [
            name
            for name in self._left
            if re.search(pattern, name.lower()) and self._is_label(name) and self._agrees(name)
        ]
        if len(labels) == 1:
            self._take("mated", labels[0])

    def _may_be_skipped(self, name: str) -> bool:
        if not name or _plain(name) in _DISTANCES or _is_almost_numeric(self._cells, name):
            return False
        # It may be the system of each line: without it, several would be one in silence.
        is_certain = not self._is_long or {"system", "pair"} & self._of.keys()
        is_few = 2 <= len(self._words(name)) <= _TRIED
        return bool(is_certain or not is_few or _NO_SCORE.fullmatch(name.lower()))

    def _agrees(self, name: str) -> bool:
        """Whether a label says of the people, where they are named, what their names say."""
        people = [self._of[ours] for ours in PEOPLE if ours in self._of]
        return len(people) < 2 or _are_people(self._cells, {"mated": name}, *people)

    def _take(self, ours: str, name: str) -> None:
        if ours == "mated" and _REVERSED.search(name.lower()):
            return
        if ours not in self._of:
            self._of[ours] = self._found[ours] = name
            self._left.remove(name)

    def _words(self, name: str) -> set[str]:
        return {*self._cells.words(name).all} - {""}

    def _is_group(self, name: str) -> bool:
        """Few words, of which everybody has one."""
        few = len(self._words(name))
        if self._cells.is_numeric(name) or not 2 <= few <= min(20, len(self._cells) / 2):
            return False
        both = PEOPLE if PEOPLE[0] in self._of else PICTURES
        sides = self._cells.alike(*(self._of.get(ours, "") for ours in both))
        who = np.concatenate([side.places for side in sides])
        words = self._cells.words(name)
        keys = who * len(words.known) + np.tile(words.places, 2)
        return len(np.unique(keys)) == len(np.unique(who))

    def _is_label(self, name: str) -> bool:
        words = self._words(name)
        return len(words) == 2 and {MATED.get(word.lower()) for word in words} == {True, False}

    def _by_near_name(self, name: str) -> None:
        near = _near(name) or ""
        ours = near if group_of(near) else _OURS.get(_plain(near))
        # `idA` is rather a person than the pair.
        if not ours or ours == "pair" or (ours in _OF_ANSWER and not self._is_long):
            return
        is_number = ours in ("score", "elapsed_s", "threshold")
        if self._is_label(name) if ours == "mated" else is_number == self._cells.is_numeric(name):
            self._take(ours, name)

    def _pictures(self) -> None:
        missing = [ours for ours in PICTURES if ours not in self._of]
        found = []
        for name in self._left:
            words = self._words(name)
            files = sum(_FILE.search(word) is not None for word in words) * 2 > len(words)
            named = _PICTURE.search(name.lower()) and not self._is_label(name)
            if (files or named) and not self._cells.is_numeric(name):
                found.append(name)
        if len(found) >= len(missing) and not self._of.keys() >= {*PEOPLE}:
            for ours, name in zip(missing, found, strict=False):
                self._take(ours, name)

    def _people(self) -> None:
        words = [name for name in self._left if not self._is_label(name)]
        for both in itertools.combinations(words[:_TRIED], 2):
            if not {*PEOPLE} & self._of.keys() and _are_people(self._cells, self._of, *both):
                for ours, name in zip(PEOPLE, both, strict=True):
                    self._take(ours, name)

    def _system(self) -> None:
        """A column that has the same pairs for each of its words."""
        both = PICTURES if PICTURES[0] in self._of else PEOPLE
        if "system" in self._of or not {*both} <= self._of.keys():
            return
        one, other = self._cells.alike(*(self._of[ours] for ours in both))
        pairs = one.places * len(one.known) + other.places
        for name in self._left:
            words = self._cells.words(name)
            if not 2 <= len(words.known) <= _TRIED or not words.given.all():
                continue
            ends = np.cumsum(np.bincount(words.places))[:-1]
            first, *more = np.split(pairs[np.lexsort((pairs, words.places))], ends)
            if all(np.array_equal(first, each) for each in more):
                self._take("system", name)
                self._is_long = True
                return

    def _pair_and_score(self) -> None:
        """The pair, which each system has once, and the only numbers."""
        cells = self._cells
        system = cells.words(self._of.get("system", ""))
        for name in self._left:
            pair = cells.words(name)
            keys = system.places * len(pair.known) + pair.places
            is_whole = np.all(cells.numbers(name) % 1 == 0)
            is_id = not cells.is_numeric(name) or _NUMBERING.fullmatch(name.lower())
            if (is_id or (is_whole and len(system.known) > 1)) and (
                len(pair.known) * len(system.known) == len(np.unique(keys)) == len(cells)
            ):
                self._take("pair", name)
                break
        numbers = [
            name
            for name in self._left
            if cells.is_numeric(name)
            and not (_NUMBERING.fullmatch(name.lower()) or _NO_SCORE.fullmatch(name.lower()))
        ]
        if "decision" not in self._of and len(numbers) == 1:
            self._take("score", numbers[0])
