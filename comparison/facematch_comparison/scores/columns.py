"""Recognise the columns of a score file by their known names, or as the user names them.

Nothing is inferred from the cells. A guess once took a system's own answers for the truth and found
no error in it. Columns with unknown names are skipped, with a note. If something is missing, the
refusal shows every column with two of its cells, so that the user can name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

import attrs

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument
from facematch_core.base.tables import refusal
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, GROUP, PROBE_GROUP, REFERENCE_GROUP
from .cells import SEPARATE, Cells, Problem

#: Words for whether both pictures of a pair show the same person; case-insensitive.
MATED: Final[Mapping[str, bool]] = {
    word: mated
    for mated, words in (
        (True, "1,1.0,true,t,yes,y,same,same person,mated,genuine,match,ja,wahr,oui,vrai"),
        (False, "0,0.0,-1,-1.0,false,f,no,n,nein,falsch,non,faux,different,different person"),
        (False, "different people,impostor,imposter,non-mated,non_mated,nonmated,non mated"),
        (False, "non-match,non_match,no_match,no match,nonmatch"),
    )
    for word in words.split(",")
}
_YES_NO: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_ACCEPTED: Final = "accept accepted approve approved clear pass passed verified"
_REJECTED: Final = "reject rejected decline declined fail failed not_verified mismatch"

#: Names of scores for which lower means more alike; any name with such an ending is a distance.
DISTANCES: Final = (
    "distance distances dist cosine_distance euclidean_distance l2 l2_distance face_distance "
    "cos_dist"
)


@attrs.frozen
class Column:
    """One of our columns.

    Attributes:
        names: Its known names beside ours, separated by spaces. Capitals, spaces, ``_``, ``-``,
            ``.`` and ``?`` do not count.
        of: Its subject: a ``pair``, one ``answer`` or a ``system``; "" if it names them.
        words: Meaning of each word that it may hold, in lower case; empty if any word is right.
        form: Pattern of its words.
        advice: Correction for a wrong word.
        is_number: Whether it holds numbers.
        is_needed: Whether no cell may be empty.
    """

    names: str = ""
    of: str = "pair"
    words: Mapping[str, Any] = MappingProxyType({})
    form: str = ""
    advice: str = ""
    is_number: bool = False
    is_needed: bool = False

    def is_right(self, word: str) -> bool:
        """Return whether a word is valid in a cell."""
        return word.lower() in self.words if self.words else bool(re.fullmatch(self.form, word))


def _among(words: Mapping[str, Any]) -> dict[str, Any]:
    *most, last = words
    return {"words": words, "advice": f"write {', '.join(most)} or {last}"}


def _decisions() -> dict[str, Any]:
    ours = _among({str(word): at for at, word in enumerate(DECISIONS)})
    match, no_match = DECISIONS.index(Decision.MATCH), DECISIONS.index(Decision.NO_MATCH)
    words = {word: match if mated else no_match for word, mated in MATED.items()}
    words |= dict.fromkeys(_ACCEPTED.split(), match) | dict.fromkeys(_REJECTED.split(), no_match)
    words |= {"consider": DECISIONS.index(Decision.REVIEW), **ours["words"]}
    return {"words": words, "advice": f"{ours['advice']}, or ignore the column"}


def _of_side(things: str, sides: str) -> str:
    forms = "{thing}{side} {thing}_{side} {thing}_id_{side} "
    return "".join(forms.format(thing=t, side=s) for t in things.split() for s in sides)


_FLAG: Final[dict[str, Any]] = {"words": _YES_NO, "advice": "write 1 or 0"}

#: Our columns, without groups. A system's own answer (``match``) is never the ground truth.
COLUMNS: Final[Mapping[str, Column]] = {
    "system": Column("contender vendor provider algorithm engine matcher", "", is_needed=True),
    "pair": Column("pair_id comparison comparison_id trial trial_id id", "", is_needed=True),
    "mated": Column(
        "same label is_same is_mated genuine is_genuine same_person is_same_person ground_truth "
        "truth target y_true gt actual actuals real expected expected_match expected_result "
        "expected_label pair_type comparison_type trial_type",
        words=MATED,
        advice="write 1 for one person and 0 for two",
        is_needed=True,
    ),
    "non_mated": Column(
        "impostor is_impostor imposter is_imposter fraud is_fraud different is_different "
        "different_person",
        words={word: not is_other for word, is_other in _YES_NO.items()},
        advice="write 1 for two people and 0 for one",
        is_needed=True,
    ),
    "probe": Column(
        _of_side("image img file path photo picture face", "1a")
        + "img1_path image1_path source source_image selfie selfie_photo selfie_image probe_id "
        "probe_image probe_file probe_path probe_template_id probe_reference_id"
    ),
    "reference": Column(
        _of_side("image img file path photo picture face", "2b")
        + "img2_path image2_path target_image id_photo id_image passport_photo reference_id "
        "reference_image reference_file reference_path gallery gallery_id gallery_image "
        "bio_ref_template_id bio_ref_reference_id document document_photo document_image"
    ),
    "probe_subject": Column(
        _of_side("subject person identity name user", "1a")
        + "probe_person probe_identity probe_subject_id subject_id_1 person_id_1 probe_name "
        "real_id actual_id true_id"
    ),
    "reference_subject": Column(
        _of_side("subject person identity name user", "2b")
        + "reference_person reference_identity reference_subject_id bio_ref_subject_id "
        "reference_name gallery_subject claimed_id enrolled_id"
    ),
    "person": Column("person_id subject subject_id user user_id customer_id"),
    "transaction": Column("transaction_id", is_needed=True),
    "attempt": Column(
        "attempt_no attempt_number",
        form="[1-9][0-9]*",
        advice="write 1 for the first of a transaction, then 2",
        is_needed=True,
    ),
    "score": Column(
        "scores y_score similarity similarity_score similarity_percent sim match_score "
        "matching_score comparison_score confidence match_confidence face_match_score face_score "
        f"face_similarity face_match_similarity cosine_similarity cos_sim cosine {DISTANCES}",
        "answer",
        is_number=True,
    ),
    "decision": Column(
        "match is_match matched verified is_verified is_identical accepted result",
        "answer",
        **_decisions(),
    ),
    "acquired": Column("", "answer", **_FLAG),
    "error": Column("error_message exception", "answer"),
    "elapsed_s": Column("latency_s", "answer", is_number=True),
    "billed": Column(
        "charged", "answer", **_among({str(word): at for at, word in enumerate(BILLED)})
    ),
    "answered": Column("", "answer", **_FLAG),
    "model": Column("model_version", ""),
    "rule": Column("", "system", **_among({str(rule): rule for rule in ThresholdRule})),
    "threshold": Column("", "system", is_number=True),
    "scale": Column("", "system"),
    "price": Column("", "system", is_number=True),
    "currency": Column("", "system", form="[A-Z]{3}", advice="write three capital letters"),
    "backend": Column("", "system"),
    "environment": Column("", "system", **_among({str(each): each for each in Environment})),
    "privacy": Column("", "system"),
    "people_known": Column("", "system", **_FLAG),
}

WIDE: Final = "image1,image2,label,score"
LONG: Final = "system,pair,label,probe_subject,reference_subject,score"

PEOPLE: Final = ("probe_subject", "reference_subject")
PICTURES: Final = ("probe", "reference")

#: Keys that identify a pair across files; the first key that all files have is used.
PAIR_KEYS: Final = (("pair",), PICTURES, PEOPLE)

#: The column of a table that names one person a line.
PERSON: Final = "person"

#: Columns with the ground truth: ``non_mated`` is 1 where ``mated`` is 0.
TRUTH: Final = ("mated", "non_mated")

#: Placeholder for the name of a column that only the user knows.
COLUMN: Final = "COLUMN"

#: What the user names takes the place of the other one, too.
_EITHER: Final = (TRUTH, *((PERSON, person) for person in PEOPLE))

#: Maximum number of columns in an error message.
_SHOWN: Final = 40


class ColumnsNotRecognised(InvalidRequest):
    """A column of a score file is missing, or two columns may hold the same.

    Attributes:
        what: The problem, and every column with two of its cells.
        columns: Our names of the columns to name; the values are ``COLUMN`` where only the user
            knows the column.
        independent_pairs: Whether no column is left that could name the people.
    """

    def __init__(
        self,
        what: str,
        *,
        columns: Mapping[str, str] = MappingProxyType({}),
        independent_pairs: bool = False,
    ) -> None:
        self.what, self.columns, self.independent_pairs = what, dict(columns), independent_pairs
        parts = [f"columns={json.dumps(self.columns, ensure_ascii=False)}"] * bool(columns)
        parts += ["independent_pairs=True"] * independent_pairs
        super().__init__(f"{what}\n{self.advice}, add: {', '.join(parts)}")

    @property
    def advice(self) -> str:
        """Advice, without the words to add."""
        if COLUMN in self.columns.values():
            return f"Replace {COLUMN} by the name of the column"
        return "If that is right"


@attrs.define
class Roles:
    """The role of each column of a table.

    Attributes:
        independent_pairs: Whether every pair is of people of its own.
        distance: Whether all scores are distances, whatever their columns are called.
        of: Our name of a column to its own, without scores.
        scores: Columns of scores; several are one system each.
        skipped: Columns that are not read.
        named: Our names that the user gave to columns.
        unclear: Our names that several columns may have, and what to do about it.
    """

    independent_pairs: bool
    distance: bool
    of: dict[str, str] = attrs.field(factory=dict)
    scores: list[str] = attrs.field(factory=list)
    skipped: list[str] = attrs.field(factory=list)
    named: set[str] = attrs.field(factory=set)
    unclear: dict[str, str] = attrs.field(factory=dict)

    @property
    def is_wide(self) -> bool:
        """Whether a row holds the scores of several systems."""
        return len(self.scores) > 1

    @property
    def held(self) -> set[str]:
        """Our names for what the columns hold."""
        return {*self.of, *(["score"] if self.scores else [])}

    def put(self, ours: str, column: str) -> None:
        """Read a column as ours."""
        if ours == "score":
            self.scores.append(column)
        else:
            self.of[ours] = column

    def is_distance(self, column: str) -> bool:
        """Return whether a lower number means more alike."""
        name = _plain(column)
        called = name in map(_plain, DISTANCES.split()) or name.endswith(("distance", "dist"))
        return self.distance or called


def group_of(name: str) -> tuple[str, str] | None:
    """Return the prefix and the name of a column of groups; None for any other column."""
    for prefix in (PROBE_GROUP, REFERENCE_GROUP, GROUP):
        if name.startswith(prefix) and name != prefix:
            return prefix, name.removeprefix(prefix)
    return None


def our_name(key: str) -> str:
    """Return our name for a column's content as the user named it."""
    if ours := _known(key):
        return ours
    raise InvalidRequest(
        f"No column holds {key[:60]!r}; a column holds {', '.join(COLUMNS)} or group_NAME."
    )


def recognise(
    cells: Cells, roles: Roles, named: Sequence[tuple[str, str]], ignore: Sequence[str]
) -> None:
    """Fill the roles of columns: as `named` (our name, column), else by their names."""
    header = cells.header
    if cells.unit == "line" and len(header) == 1:
        raise InvalidRequest(
            f"{cells.name}: the header is one column, {header[0][:60]!r}. {SEPARATE}"
        )
    used = _take_named(cells, roles, named, ignore)
    taken = roles.held
    taken |= {name for both in _EITHER if {*both} & taken for name in both}
    found: dict[str, list[str]] = {}
    for place, name in enumerate(header):
        if name in used or (not place and name in ("", "Unnamed: 0")):  # the index of a frame
            continue
        ours = _known(name)
        if _plain(name) == "target" and "source" in map(_plain, header):
            ours = "reference"  # AWS's words for the two pictures
        if ours and ours not in taken:
            found.setdefault(ours, []).append(name)
        else:
            roles.skipped.append(name)
    for ours, same in found.items():
        exact = [name for name in same if _plain(name) == _plain(ours)]
        if len(same) > 1 and not exact:
            both = join_names([repr(name[:60]) for name in same])
            roles.unclear[ours] = f"the columns {both} may each be {ours}: choose one"
            continue
        chosen = (exact or same)[0]
        roles.skipped += [name for name in same if name != chosen]
        roles.put(ours, chosen)
    _drop_doubtful(cells, roles)


def _take_named(
    cells: Cells, roles: Roles, named: Sequence[tuple[str, str]], ignore: Sequence[str]
) -> list[str]:
    """Fill the roles that the user names and return their columns; raise if one is impossible."""
    there = join_names([*map(repr, cells.header)])
    problems = [
        f"there is no column {name[:60]!r}; there are {there}"
        for name in dict.fromkeys([*(column for _, column in named), *ignore])
        if name not in cells.header
    ]
    used = [*ignore]
    for key, column in named:
        ours = our_name(key)
        if column in used or ours in roles.of:
            problems.append(f"the column {column[:60]!r} can fill one column only")
        else:
            roles.put(ours, column)
            roles.named.add(ours)
        used.append(column)
    if PERSON in roles.of and {*PEOPLE} & roles.of.keys():
        problems.append("a line names one person or both: not person beside a subject")
    if {*TRUTH} <= roles.of.keys():
        problems.append("mated and non_mated say the same: name one of them")
    cells.refuse(map(Problem, problems))
    return used


def _drop_doubtful(cells: Cells, roles: Roles) -> None:
    """Skip columns that repeat others, or that hold one value for several scores."""
    of, drop = roles.of, []
    if {*TRUTH} <= of.keys():
        drop.append("non_mated")
    for both in (PEOPLE, PICTURES):  # one picture or person, where others tell people apart
        half = {*both} & of.keys()
        if len(half) == 1 and tells_people(of, independent_pairs=roles.independent_pairs):
            drop += half
    if not roles.is_wide:
        roles.skipped += map(of.pop, drop)
        if "system" not in of and "backend" in of:
            of["system"] = of["backend"]
        return
    drop += [ours for ours in of if ours in COLUMNS and COLUMNS[ours].of == "answer"]
    problems = [
        f"the column {of[ours][:60]!r} is of one answer, and each line has several scores: write "
        f"one line for each pair and system, as {LONG},error"
        for ours in drop
        if ours in ("acquired", "error", "answered")
    ]
    if "system" in of:
        problems.append(
            "a file with a column of systems has one column of scores: name only that one"
        )
    cells.refuse(map(Problem, problems))
    roles.skipped += map(of.pop, drop)


def tells_people(held: Container[str], *, independent_pairs: bool) -> tuple[str, ...]:
    """Return the names of the held columns that distinguish people best."""
    ways = (PEOPLE, (PERSON,), *(() if independent_pairs else (PICTURES,)))
    return next((way for way in ways if all(name in held for name in way)), ())


def check_complete(tables: Sequence[tuple[Cells, Roles]]) -> None:
    """Raise `ColumnsNotRecognised` if something is unclear, or missing in all files together."""
    missing = {ours: text for _, roles in tables for ours, text in roles.unclear.items()}
    missing = missing or _missing(tables) or _missing_to_join(tables)
    if not missing:
        return
    name = tables[0][0].name if len(tables) == 1 else "The comparison"
    lines = [refusal(name, missing.values(), "nothing was judged")]
    for cells, roles in tables:
        held = {column: ours for ours, column in roles.of.items()}
        held |= dict.fromkeys(roles.scores, "score")
        lines.append(f"Columns of {cells.name.removeprefix('The ')}:")
        width = max(len(column[:40]) for column in cells.header)
        for column in cells.header[:_SHOWN]:
            words = [word[:30] for word in cells.words(column).words[:3] if word]
            some = ", ".join(map(repr, words[:2])) or "empty"
            lines.append(f"  {column[:40]:{width}}  {held.get(column, 'unknown'):17}  {some}")
        if len(cells.header) > _SHOWN:
            lines.append(f"  and {len(cells.header) - _SHOWN} more")
    if {"mated", "score", PERSON} & missing.keys():
        lines.append(f"A table looks like {WIDE} or {LONG}.")
    # No column is left that could name people; or two are, which are rather pictures.
    skipped = sum(len(roles.skipped) for _, roles in tables)
    names_nobody = PERSON in missing and not skipped
    if PERSON in missing and skipped != 1:
        del missing[PERSON]
        missing |= dict.fromkeys(("image1", "image2") if skipped else (), "")
    columns = dict.fromkeys(missing, COLUMN)
    raise ColumnsNotRecognised("\n".join(lines), columns=columns, independent_pairs=names_nobody)


def _missing(tables: Sequence[tuple[Cells, Roles]]) -> dict[str, str]:
    """Return our names of missing columns, each with a sentence."""
    cells, roles = tables[0]
    of = {ours: column for _, each in tables for ours, column in each.of.items()}
    held = {ours for _, each in tables for ours in each.held}
    if roles.independent_pairs and ({PERSON} <= held or {*PEOPLE} <= held):
        flag = argument("independent_pairs", True)
        raise InvalidRequest(f"{cells.name} names people: leave out {flag}, or ignore the columns.")
    missing = {}
    for both in (PEOPLE, PICTURES, ("transaction", "attempt")):
        for name in {*both} - held if {*both} & held else ():
            missing[name] = f"the column {name} is missing"
    if not {*PEOPLE, *PICTURES, PERSON} & held and not roles.independent_pairs:
        missing[PERSON] = (
            "nothing says who is in the pictures: name both people (probe_subject, "
            "reference_subject), the one person of each line (person) or both pictures (image1, "
            f"image2); if no column can, give {argument('independent_pairs', True)}"
        )
    if not {*TRUTH} & held and not held >= {*PEOPLE}:
        missing["mated"] = (
            "nothing says which pairs show one person: the column mated, same or label is missing"
        )
        if "decision" in held:
            name = repr(of["decision"][:60])
            missing["mated"] += f"; {name} is what the system answered, not the truth"
    if not {"score", "decision"} & held:
        missing["score"] = (
            "no column of scores has a known name (score, similarity, confidence, distance); if "
            "each of several columns is a system, name each of them as score"
        )
    several = len(tables) == 1 and "system" in held and len(cells.words(of["system"]).words) > 1
    if several and "pair" not in held and not {*PICTURES} <= held:
        missing["pair"] = "the column pair is missing: several systems have the same pairs"
    return missing


def _missing_to_join(tables: Sequence[tuple[Cells, Roles]]) -> dict[str, str]:
    """Return ``FILE:NAME`` for what a file lacks to name pairs as most files do, with a reason."""

    def lacking(key: Sequence[str]) -> int:
        return sum(not {*key} <= roles.of.keys() for _, roles in tables)

    reason = "all files must name pairs alike, by both pictures, a pair id or both people"
    return {
        f"{stem}:{name}": f"{stem} has no column {name}, and others have; {reason}"
        for cells, roles in (tables if len(tables) > 1 else ())
        for stem in [PurePath(cells.name.removeprefix("The file ")).stem]
        for name in min(PAIR_KEYS, key=lacking)
        if name not in roles.of
    }


def _plain(name: str) -> str:
    return re.sub(r"[\s_.?-]+", "", name).lower()


def _known(name: str) -> str:
    """Return our name for a known one; "" for any other."""
    return name if group_of(name) else _OURS.get(_plain(name), "")


#: Every known name to ours.
_OURS: Final[Mapping[str, str]] = {
    _plain(name): ours for ours, column in COLUMNS.items() for name in (ours, *column.names.split())
}
