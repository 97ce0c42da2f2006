"""The columns that a score file may have: known names, valid words, and the refusal that asks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from facematch_core.backend.kinds import argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, GROUP, PROBE_GROUP, REFERENCE_GROUP

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
    return {"words": words, "advice": f"{ours['advice']}, or ignore the column: --column decision="}


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
        "face_similarity face_match_similarity cosine_similarity cos_sim cosine "
        "distance distances dist cosine_distance euclidean_distance l2 l2_distance face_distance "
        "cos_dist",
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
        if COLUMN not in self.columns.values():
            return "If no person is in two pairs" if self.independent_pairs else "If that is right"
        instead = argument("independent_pairs", True)
        instead = f" (if none names people, give {instead} in its place)"
        is_of_people = {PERSON, "image1"} & self.columns.keys()
        return f"Replace {COLUMN} by the name of the column{instead if is_of_people else ''}"


def group_of(name: str) -> tuple[str, str] | None:
    """Return the prefix and the name of a column of groups; None for any other column."""
    for prefix in (PROBE_GROUP, REFERENCE_GROUP, GROUP):
        if name.startswith(prefix) and name != prefix:
            return prefix, name.removeprefix(prefix)
    return None


def plain(name: str) -> str:
    """Return the name of a column without what does not count in it."""
    return re.sub(r"[\s_.?-]+", "", name).lower()


def is_distance(name: str) -> bool:
    """Return whether a lower number in a column of that name means more alike."""
    return plain(name) == "l2" or plain(name).endswith(("distance", "distances", "dist"))


def our_name(name: str) -> str:
    """Return our name for a known name of a column; "" for any other."""
    return name if group_of(name) else _OURS.get(plain(name), "")


#: Every known name to ours.
_OURS: Final[Mapping[str, str]] = {
    plain(name): ours for ours, column in COLUMNS.items() for name in (ours, *column.names.split())
}
