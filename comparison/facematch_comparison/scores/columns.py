"""Find out what each column of a score file holds: by a known name, or as the user says.

Nothing is inferred from the cells. A guess once took a system's own answers for the truth and found
no error in it. Columns with unknown names are skipped, with a note. If something is missing, the
refusal shows every column with two of its cells, so that the user can name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

import attrs

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument
from facematch_core.base.tables import refusal
from facematch_core.errors import InvalidRequest

from .answers import GROUP, PROBE_GROUP, REFERENCE_GROUP
from .cells import SEPARATE, Cells, Problem

GROUPS: Final = (PROBE_GROUP, REFERENCE_GROUP, GROUP)

#: Words for whether both pictures of a pair show one person, in any case.
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


def _of_side(things: str, sides: str) -> list[str]:
    joined = [f"{thing}_{side}" for thing in things.split() for side in sides]
    return [*joined, *(f"{thing}_id_{side}" for thing in things.split() for side in sides)]


#: Names of scores for which less means more alike; any name that ends so is a distance.
DISTANCES: Final = (
    *("distance", "distances", "dist", "cosine_distance", "euclidean_distance", "l2"),
    *("l2_distance", "face_distance", "cos_dist"),
)

#: Names of what a column may hold, apart from groups, with their synonyms. Capitals,
#: spaces, ``_``, ``-``, ``.`` and ``?`` do not count. A system's own answer (``match``) is never
#: the truth.
SYNONYMS: Final[Mapping[str, Sequence[str]]] = {
    "system": ("contender", "vendor", "provider", "algorithm", "engine", "matcher"),
    "pair": ("pair_id", "comparison", "comparison_id", "trial", "trial_id", "id"),
    "mated": (
        *("same", "label", "is_same", "is_mated", "genuine", "is_genuine", "same_person"),
        *("is_same_person", "ground_truth", "truth", "target", "y_true", "gt", "actual"),
        *("actuals", "real", "expected", "expected_match", "expected_result", "expected_label"),
        *("pair_type", "comparison_type", "trial_type"),
    ),
    "non_mated": (
        *("impostor", "is_impostor", "imposter", "is_imposter", "fraud", "is_fraud"),
        *("different", "is_different", "different_person"),
    ),
    "probe": (
        *_of_side("image img file path photo picture face", "1a"),
        *("img1_path", "image1_path", "source", "source_image", "selfie", "selfie_photo"),
        *("selfie_image", "probe_id", "probe_image", "probe_file", "probe_path"),
        *("probe_template_id", "probe_reference_id"),
    ),
    "reference": (
        *_of_side("image img file path photo picture face", "2b"),
        *("img2_path", "image2_path", "target_image", "id_photo", "id_image", "passport_photo"),
        *("reference_id", "reference_image", "reference_file", "reference_path", "gallery"),
        *("gallery_id", "gallery_image", "bio_ref_template_id", "bio_ref_reference_id"),
        *("document", "document_photo", "document_image"),
    ),
    "probe_subject": (
        *_of_side("subject person identity name user", "1a"),
        *("probe_person", "probe_identity", "probe_subject_id", "subject_id_1", "person_id_1"),
        *("probe_name", "real_id", "actual_id", "true_id"),
    ),
    "reference_subject": (
        *_of_side("subject person identity name user", "2b"),
        *("reference_person", "reference_identity", "reference_subject_id", "bio_ref_subject_id"),
        *("reference_name", "gallery_subject", "claimed_id", "enrolled_id"),
    ),
    "person": ("person_id", "subject", "subject_id", "user", "user_id", "customer_id"),
    "transaction": ("transaction_id",),
    "attempt": ("attempt_no", "attempt_number"),
    "score": (
        *("scores", "y_score", "similarity", "similarity_score", "similarity_percent", "sim"),
        *("match_score", "matching_score", "comparison_score", "confidence", "match_confidence"),
        *("face_match_score", "face_score", "face_similarity", "face_match_similarity"),
        *("cosine_similarity", "cos_sim", "cosine", *DISTANCES),
    ),
    "decision": (
        *("match", "is_match", "matched", "verified", "is_verified", "is_identical"),
        *("accepted", "result"),
    ),
    "acquired": (),
    "error": ("error_message", "exception"),
    "elapsed_s": ("latency_s",),
    "billed": ("charged",),
    "model": ("model_version",),
    **dict.fromkeys(("answered", "rule", "threshold", "scale", "price", "currency"), ()),
    **dict.fromkeys(("backend", "environment", "privacy", "people_known"), ()),
}

WIDE: Final = "image1,image2,label,score"
LONG: Final = "system,pair,label,probe_subject,reference_subject,score"

PEOPLE: Final = ("probe_subject", "reference_subject")
PICTURES: Final = ("probe", "reference")

#: Ways in which lines of two files are found to be of one pair; the first that all files have.
PAIR_KEYS: Final = (("pair",), PICTURES, PEOPLE)

#: The column of a table that names one person a line.
PERSON: Final = "person"

#: Columns that say who is one person: ``non_mated`` is 1 where ``mated`` is 0.
TRUTH: Final = ("mated", "non_mated")

#: Placeholder for the name of a column that only the user knows.
COLUMN: Final = "COLUMN"

#: Columns that hold something of one answer, which a line with several scores cannot have.
_OF_ANSWER: Final = {"decision", "elapsed_s", "billed", "acquired", "error", "answered"}

#: What the user names takes the place of the other one, too.
_EITHER: Final = (TRUTH, *((PERSON, person) for person in PEOPLE))

#: Most columns that a refusal shows.
_SHOWN: Final = 40


class ColumnsNotRecognised(InvalidRequest):
    """A score file lacks something, or two of its columns may hold the same.

    Attributes:
        what: The problem, and every column with two of its cells.
        columns: Our names for what has to be named; the values are ``COLUMN`` where only the user
            knows the column.
        independent_pairs: Whether no column is left that could say who the people are.
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
    """The role of each column of a table."""

    #: Our name of a column to its own, without scores.
    of: dict[str, str] = attrs.field(factory=dict)
    #: Columns of scores; several are one system each.
    scores: list[str] = attrs.field(factory=list)
    #: Columns that are not read.
    skipped: list[str] = attrs.field(factory=list)
    #: Whether every pair is of people of its own.
    independent_pairs: bool = False
    #: Whether all scores are distances, whatever their columns are called.
    distance: bool = False
    #: Problems of the header, and what has to be named because of them.
    problems: list[Problem] = attrs.field(factory=list)
    unclear: dict[str, str] = attrs.field(factory=dict)

    @property
    def is_wide(self) -> bool:
        """Whether a row holds the scores of several systems."""
        return len(self.scores) > 1

    def is_distance(self, column: str) -> bool:
        """Return whether a lower number means more alike."""
        name = _plain(column)
        called = name in map(_plain, DISTANCES) or name.endswith(("distance", "dist"))
        return self.distance or called


def group_of(name: str) -> tuple[str, str] | None:
    """Return the prefix and the name of a column of groups; None for any other column."""
    for prefix in GROUPS:
        if name.startswith(prefix) and name != prefix:
            return prefix, name.removeprefix(prefix)
    return None


def our_name(key: str) -> str:
    """Return our name for what a user says that a column holds."""
    ours = key if group_of(key) else _OURS.get(_plain(key))
    if ours is None:
        raise InvalidRequest(
            f"No column holds {key[:60]!r}; a column holds {', '.join(SYNONYMS)} or group_NAME."
        )
    return ours


def recognise(  # noqa: C901, PLR0912 - what a header can say, in order
    cells: Cells, roles: Roles, named: Sequence[tuple[str, str]], ignore: Sequence[str]
) -> None:
    """Fill the roles of columns: as `named` (our name, column), else by their names."""
    header = cells.header
    if cells.unit == "line" and len(header) == 1:
        raise InvalidRequest(
            f"{cells.name}: the header is one column, {header[0][:60]!r}. {SEPARATE}"
        )
    of = roles.of
    used = _take_named(cells, roles, named, ignore)
    taken = _held(roles)
    taken |= {name for both in _EITHER if {*both} & taken for name in both}
    found: dict[str, list[str]] = {}
    has_source = "source" in map(_plain, header)
    for place, name in enumerate(header):
        if name in used or (not place and name in ("", "Unnamed: 0")):  # the index of a frame
            continue
        known = name if group_of(name) else _OURS.get(_plain(name), "")
        if has_source and _plain(name) == "target":  # AWS's words for the two pictures
            known = "reference"
        if known and known not in taken:
            found.setdefault(known, []).append(name)
        else:
            roles.skipped.append(name)
    for ours, same in found.items():
        exact = [name for name in same if _plain(name) == _plain(ours)]
        if len(same) > 1 and not exact:
            both = join_names([repr(name[:60]) for name in same])
            roles.problems.append(Problem(f"the columns {both} may each be {ours}: choose one"))
            roles.unclear[ours] = COLUMN
            continue
        chosen = (exact or same)[0]
        roles.skipped += [name for name in same if name != chosen]
        if ours == "score":
            roles.scores.append(chosen)
        else:
            of[ours] = chosen
    if {*TRUTH} <= of.keys():
        roles.skipped.append(of.pop("non_mated"))
    for both_ in (PEOPLE, PICTURES):  # one picture or person, where others tell people apart
        half = {*both_} & of.keys()
        if len(half) == 1 and tells_people(of, independent_pairs=roles.independent_pairs):
            roles.skipped.append(of.pop(half.pop()))
    if roles.is_wide:
        _check_wide(roles)
    elif "system" not in of and "backend" in of:
        of["system"] = of["backend"]


def _take_named(
    cells: Cells, roles: Roles, named: Sequence[tuple[str, str]], ignore: Sequence[str]
) -> list[str]:
    """Fill the roles that the user names, and return their columns; refuse what cannot be."""
    there = join_names([*map(repr, cells.header)])
    problems = [
        Problem(f"there is no column {name[:60]!r}; there are {there}")
        for name in dict.fromkeys([*(column for _, column in named), *ignore])
        if name not in cells.header
    ]
    used = [*ignore]
    for key, column in named:
        ours = our_name(key)
        if column in used or ours in roles.of:
            problems.append(Problem(f"the column {column[:60]!r} can fill one column only"))
        elif ours == "score":
            roles.scores.append(column)
        else:
            roles.of[ours] = column
        used.append(column)
    if PERSON in roles.of and {*PEOPLE} & roles.of.keys():
        problems.append(Problem("a line names one person or both: not person beside a subject"))
    if {*TRUTH} <= roles.of.keys():
        problems.append(Problem("mated and non_mated say the same: name one of them"))
    cells.refuse(problems, so="nothing was judged")
    return used


def _held(roles: Roles) -> set[str]:
    """Return our names for what the columns hold."""
    return {*roles.of, *(["score"] if roles.scores else [])}


def tells_people(held: Container[str], *, independent_pairs: bool) -> tuple[str, ...]:
    """Return our names of the columns, among those held, that tell people apart best."""
    ways = (PEOPLE, (PERSON,), *(() if independent_pairs else (PICTURES,)))
    return next((way for way in ways if all(name in held for name in way)), ())


def _check_wide(roles: Roles) -> None:
    """Skip or refuse columns of one answer beside the scores of several systems."""
    for ours in _OF_ANSWER & roles.of.keys():
        column = roles.of.pop(ours)
        roles.skipped.append(column)
        if ours in ("acquired", "error", "answered"):
            text = f"the column {column[:60]!r} is of one answer, and each line has several scores"
            roles.problems.append(
                Problem(f"{text}: write one line for each pair and system, as {LONG},error")
            )
    if "system" in roles.of:
        text = "a file with a column of systems has one column of scores: name only that one"
        roles.problems.append(Problem(text))


def check_complete(tables: Sequence[tuple[Cells, Roles]]) -> None:
    """Raise `ColumnsNotRecognised` if something is unclear, or missing in all files together."""
    is_one = len(tables) == 1
    problems = [
        text if is_one else f"{cells.name}: {text}"
        for cells, roles in tables
        for text in cells.texts(roles.problems)
    ]
    columns = {ours: COLUMN for _, roles in tables for ours in roles.unclear}
    if not problems:
        missing = dict(_missing(tables)) or dict(_missing_to_join(tables))
        problems += missing.values()
        columns |= dict.fromkeys(missing, COLUMN)
    if not problems:
        return
    skipped = sum(len(roles.skipped) for _, roles in tables)
    shown = [text for cells, roles in tables for text in _shown(cells, roles)]
    example = [f"A table looks like {WIDE} or {LONG}."]
    example *= bool({"mated", "score", PERSON} & columns.keys())
    name = tables[0][0].name if is_one else "The comparison"
    what = "\n".join([refusal(name, problems, "nothing was judged"), *shown, *example])
    if not columns:
        raise InvalidRequest(what)
    # No column is left that could name people; or two are, which are rather pictures.
    names_nobody = PERSON in columns and not skipped
    if PERSON in columns and skipped != 1:
        del columns[PERSON]
        columns |= dict.fromkeys(("image1", "image2") if skipped else (), COLUMN)
    raise ColumnsNotRecognised(what, columns=columns, independent_pairs=names_nobody)


def _shown(cells: Cells, roles: Roles) -> Iterator[str]:
    """Yield a line for each column: its name, what it holds, and two of its cells."""
    held = {column: ours for ours, column in roles.of.items()}
    held |= dict.fromkeys(roles.scores, "score")
    yield f"Columns of {cells.name.removeprefix('The ')}:"
    width = max(len(name[:40]) for name in cells.header)
    for name in cells.header[:_SHOWN]:
        words = [word for word in cells.words(name).words[:3] if word]
        some = ", ".join(repr(word[:30]) for word in words[:2]) or "empty"
        yield f"  {name[:40]:{width}}  {held.get(name, 'unknown'):17}  {some}"
    if len(cells.header) > _SHOWN:
        yield f"  and {len(cells.header) - _SHOWN} more"


def _missing(
    tables: Sequence[tuple[Cells, Roles]],
) -> Iterator[tuple[str, str]]:
    """Yield our names of what is missing, each with a sentence."""
    cells, roles = tables[0]
    of = {ours: column for _, each in tables for ours, column in each.of.items()}
    held = {ours for _, each in tables for ours in _held(each)}
    for both in (PEOPLE, PICTURES):
        absent = {*both} - held
        if len(absent) == 1:
            (name,) = absent
            yield name, f"the column {name} is missing"
    if not {*PEOPLE, *PICTURES, PERSON} & held and not roles.independent_pairs:
        text = (
            "nothing says who is in the pictures: name both people (probe_subject, "
            "reference_subject), the one person of each line (person) or both pictures (image1, "
            f"image2); if no column can, give {argument('independent_pairs', True)}"
        )
        yield PERSON, text
    if not {*TRUTH} & held and not held >= {*PEOPLE}:
        answer = ""
        if "decision" in held:
            answer = f"; {of['decision'][:60]!r} is what the system answered, not the truth"
        text = "nothing says which pairs show one person: the column mated, same or label is "
        yield "mated", f"{text}missing{answer}"
    if ("transaction" in held) is not ("attempt" in held):
        name = "attempt" if "transaction" in held else "transaction"
        yield name, f"the column {name} is missing: an attempt is one of a transaction"
    if not {"score", "decision"} & held:
        text = "no column of scores has a known name (score, similarity, confidence, distance); "
        yield "score", f"{text}if each of several columns is a system, name each of them as score"
    several = len(tables) == 1 and "system" in held and len(cells.words(of["system"]).words) > 1
    if several and "pair" not in held and not {*PICTURES} <= held:
        yield "pair", "the column pair is missing: several systems have lines for the same pairs"
    if roles.independent_pairs and ({PERSON} <= held or {*PEOPLE} <= held):
        flag = argument("independent_pairs", True)
        raise InvalidRequest(f"{cells.name} names people: leave out {flag}, or ignore the columns.")


def _missing_to_join(tables: Sequence[tuple[Cells, Roles]]) -> Iterator[tuple[str, str]]:
    """Yield ``FILE:NAME`` for what a file lacks to name pairs as most files do, with a sentence."""

    def lacking(key: Sequence[str]) -> int:
        return sum(not {*key} <= roles.of.keys() for _, roles in tables)

    key = min(PAIR_KEYS, key=lacking)
    for cells, roles in tables if len(tables) > 1 and lacking(key) else ():
        stem = PurePath(cells.name.removeprefix("The file ")).stem
        for name in (name for name in key if name not in roles.of):
            reason = "all files must name pairs alike, by both pictures, a pair id or both people"
            yield f"{stem}:{name}", f"{stem} has no column {name}, and others have; {reason}"


def _plain(name: str) -> str:
    return re.sub(r"[\s_.?-]+", "", name).lower()


#: Every known name to ours.
_OURS: Final[Mapping[str, str]] = {
    _plain(word): ours for ours, words in SYNONYMS.items() for word in (ours, *words)
}
