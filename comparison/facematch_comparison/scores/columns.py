"""The fields of a score file: the names of their columns, valid words, and what a refusal asks.

A *field* is our name for what a column holds: `mated`, `score`, `probe_subject`. Users call the
columns of a field by many names, which are known here, or name a column for a field themselves.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from facematch_core.backend.kinds import format_argument
from facematch_core.config.plugins import ALIASES, BACKENDS, entry_points_by_name
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, Environment, ThresholdRule
from facematch_core.resilience.budget import CURRENCY_CODE

from .answers import BILLED, DECISIONS, GROUP, PROBE_GROUP, REFERENCE_GROUP

#: Words that mark a pair as mated, and as non-mated; case-insensitive.
_MATED_WORDS: Final = (
    "1,1.0,true,t,yes,y,same,same person,mated,genuine,match,matched,positive,pos,p,"
    "genuine pair,mated pair,match pair,same people,ja,wahr,oui,vrai,si,sí,sim,是"
)
_NON_MATED_WORDS: Final = (
    "0,0.0,-1,-1.0,false,f,no,n,nein,falsch,non,faux,different,different person,diff,"
    "fraud,fraudulent,impostor pair,imposter pair,non-mated pair,não,nao,否,"
    "non match,not match,not matched,unmatched,not same,not the same,"
    "different people,impostor,imposter,non-mated,non_mated,nonmated,non mated,neg,"
    "non-match,non_match,no_match,no match,nonmatch,nomatch,mismatch,negative"
)

#: Whether a label means mated, by its lower-case word.
MATED: Final[Mapping[str, bool]] = {
    **dict.fromkeys(_MATED_WORDS.split(","), True),
    **dict.fromkeys(_NON_MATED_WORDS.split(","), False),
}
_YES_NO: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_ACCEPTED: Final = "accept accepted approve approved clear pass passed verified"
_REJECTED: Final = "reject rejected decline declined fail failed not_verified mismatch"

#: Words in a column `error` that mean no error, in lower case.
NO_ERROR: Final = frozenset(
    ("ok", "success", "succeeded", "completed", "done", "none", "no error", "0", "200", "false")
)


@attrs.frozen
class Field:
    """What a column can hold.

    Attributes:
        column_names: Pattern for other known names of the column, in the form that `plain` returns.
        describes: ``pair``, ``answer`` or ``system``; "" if the field identifies one.
        meanings: Meaning of each valid word, in lower case; empty if any word is valid.
        word_pattern: Pattern for valid words, if there are no `meanings`.
        advice: How to correct an invalid word; "" if any word is valid.
        is_number: Whether the cells are numbers.
        is_required: Whether every cell must have a value.
    """

    column_names: str = ""
    describes: str = "pair"
    meanings: Mapping[str, Any] = MappingProxyType({})
    word_pattern: str = ""
    advice: str = ""
    is_number: bool = False
    is_required: bool = False

    def is_valid(self, cell: str) -> bool:
        """Return whether a word is valid in a cell."""
        if self.meanings:
            return cell.lower() in self.meanings
        return bool(re.fullmatch(self.word_pattern, cell))


def _choice(column_names: str, describes: str, meanings: Mapping[str, Any]) -> Field:
    """Return a field with one of these words in each cell."""
    return Field(column_names, describes, meanings=meanings, advice=_list_words(meanings))


def _list_words(meaning_of_word: Mapping[str, Any]) -> str:
    *all_but_last, last_word = meaning_of_word
    return f"write {', '.join(all_but_last)} or {last_word}"


def _decision_field() -> Field:
    """Return the field of a system's decision, with each word that stands for one.

    A word of ours goes before the same word of a vendor.
    """
    match = DECISIONS.index(Decision.MATCH)
    no_match = DECISIONS.index(Decision.NO_MATCH)
    own_words = {str(decision): code for code, decision in enumerate(DECISIONS)}
    words = {word: match if is_mated else no_match for word, is_mated in MATED.items()}
    words.update(dict.fromkeys(_ACCEPTED.split(), match))
    words.update(dict.fromkeys(_REJECTED.split(), no_match))
    words["consider"] = DECISIONS.index(Decision.REVIEW)
    words.update(own_words)
    return Field(
        column_names="(is)?(match|verified)|matched|isidentical|accepted|result",
        describes="answer",
        meanings=words,
        advice=f"{_list_words(own_words)}, or ignore the column: --column decision=",
    )


_PICTURE: Final = (
    "(image|img|file|filename|path|photo|picture|face|template|foto|bild|imagen|imagem|图片|照片)"
    "(id)?"
)
_SIMILARITY: Final = "([aä]hnlichkeit|similarit[eé]|similitud|similaridade|相似度)"
#: Without `face`: face_left and face_x are edges of a box.
_SIDE: Final = "(image|img|file|path|photo|picture)"
_FILE: Final = "(file|filename|path)"  # with the x or y that joining tables with pandas adds
_NAME: Final = "(subject|person|identity|name|user)(id)?"

#: All fields but groups. A system's own answer is never read as ground truth.
FIELDS: Final[Mapping[str, Field]] = {
    "system": Field("contender|vendor|provider|algorithm|engine|matcher", "", is_required=True),
    "pair": Field("(pair|comparison|trial)?id|comparison|trial", "", is_required=True),
    "mated": Field(
        "(is)?(same(person|identity)?|genuine)|gleicheperson|m[eê]mepersonne|mismapersona|"
        "mesmapessoa|(是否)?同一(个)?人|ismated|"
        "label|(ground)?truth|target|ytrue|gt|actuals?|real|"
        "expected(match|result|label)?|(pair|comparison|trial)type",
        meanings=MATED,
        advice="write 1 for one person and 0 for two",
        is_required=True,
    ),
    "non_mated": Field(
        "(is|confirmed)?(impostor|imposter|fraud|different)|differentperson",
        meanings={word: not is_other for word, is_other in _YES_NO.items()},
        advice="write 1 for two people and 0 for one",
        is_required=True,
    ),
    "probe": Field(
        f"{_PICTURE}[1a]|unknown{_SIDE}|{_SIDE}left|{_FILE}x|(query|live)(image|photo)|"
        "(img|image)1path|source(image|file|path)?|selfie(photo|image)?|"
        "probe(id|image|file|path|templateid|referenceid)"
    ),
    "reference": Field(
        # face_recognition compares known pictures with an unknown one.
        f"{_PICTURE}[2b]|known{_SIDE}|{_SIDE}right|{_FILE}y|enrolled(image|photo)|aadhaarphoto|"
        "(img|image)2path|target(image|file|path)|(id|passport)photo|idimage|"
        "reference(id|image|file|path)|gallery(id|image)?|bioref(template|reference)id|"
        "document(photo|image)?"
    ),
    "probe_subject": Field(
        f"{_NAME}[1a]|queryperson|probe(person|identity|subjectid|name)|(subject|person)id1|"
        "(real|actual|true)id"
    ),
    "reference_subject": Field(
        f"{_NAME}[2b]|reference(person|identity|subjectid|name)|biorefsubjectid|"
        "gallery(subject|person)|"
        "(claimed|enrolled)id"
    ),
    "person": Field("(person|customer)id|(subject|user)(id)?"),
    "score": Field(
        f"scores|{_SIMILARITY}|(score|match|similarity|confidence|{_SIMILARITY})%|"
        "(y|match|matching|comparison|facematch|face)score|similarity(score|percent)?|sim|"
        "(match)?confidence|(face|facematch)similarity|cosine(similarity)?|cossim|"
        "(cosine|euclidean|face)?distance|distances|(cos)?dist|l2(distance|norm)?|"
        ".*facematches0similarity",  # Rekognition's answer to CompareFaces
        "answer",
        is_number=True,
    ),
    "decision": _decision_field(),
    "acquired": Field("", "answer", meanings=_YES_NO, advice="write 1 or 0"),
    "error": Field("errormessage|exception", "answer"),
    "elapsed_s": Field("latencys", "answer", is_number=True),
    "billed": _choice("charged", "answer", {str(word): code for code, word in enumerate(BILLED)}),
    "answered": Field("", "answer", meanings=_YES_NO, advice="write 1 or 0"),
    "model": Field("modelversion", ""),
    "rule": _choice("", "system", {str(rule): rule for rule in ThresholdRule}),
    "threshold": Field("", "system", is_number=True),
    "scale": Field("", "system"),
    "price": Field("", "system", is_number=True),
    "currency": Field(
        "", "system", word_pattern=CURRENCY_CODE.pattern, advice="write three capital letters"
    ),
    "backend": Field("", "system"),
    "environment": _choice("", "system", {str(each): each for each in Environment}),
    "people_known": Field("", "system", meanings=_YES_NO, advice="write 1 or 0"),
}

WIDE: Final = "image1,image2,label,score"
LONG: Final = "system,pair,label,probe_subject,reference_subject,score"

PEOPLE: Final = ("probe_subject", "reference_subject")
PICTURES: Final = ("probe", "reference")

#: Fields that identify a pair across files; the first entry that all files have is used.
PAIR_KEYS: Final = (("pair",), PICTURES, PEOPLE)

#: The field that names one person per line; the other person of a non-mated pair has no name.
PERSON: Final = "person"

#: Fields with the ground truth; ``non_mated`` is 1 if ``mated`` is 0.
LABELS: Final = ("mated", "non_mated")

#: Placeholder for a column name that the user must fill in.
COLUMN: Final = "COLUMN"


class ColumnsNotRecognised(InvalidRequest):
    """A column of a score file is missing or ambiguous.

    Attributes:
        what: The problem, and a list of all columns with two cells of each.
        columns: The columns to pass, by our name, for several systems a list; the value ``COLUMN``
            is a placeholder for the name that the user must fill in.
        independent_pairs: Whether the user may pass this argument, because no column names people.
        people_needed: Whether a file without people's names is of no use, whatever the arguments.
    """

    def __init__(
        self,
        what: str,
        *,
        columns: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
        independent_pairs: bool = False,
        people_needed: bool = False,
    ) -> None:
        """Keep what is to be added, and write the message: the problem, then Python's arguments.

        The command line takes the attributes instead, and writes its own options.
        """
        self.what = what
        self.columns = dict(columns)
        self.independent_pairs = independent_pairs
        self.people_needed = people_needed
        arguments = []
        if columns:
            arguments.append(f"columns={json.dumps(self.columns, ensure_ascii=False)}")
        if independent_pairs:
            arguments.append("independent_pairs=True")
        super().__init__(f"{what}\n{self.advice}, add: {', '.join(arguments)}")

    @property
    def advice(self) -> str:
        """The advice, without the arguments to add."""
        if COLUMN not in self.columns.values():
            return "If no person is in two pairs" if self.independent_pairs else "If that is right"
        advice = f"Replace {COLUMN} by the name of the column"
        if self.columns.keys().isdisjoint((PERSON, *PEOPLE)):
            return advice
        if self.people_needed:
            return f"{advice} (if no column names people, add {' and '.join(PEOPLE)})"
        instead = format_argument("independent_pairs", True)
        return f"{advice} (if no column names people, use {instead} instead)"


@attrs.frozen
class GroupColumn:
    """The two parts of a group column's name: ``probe_group_`` and ``sex``."""

    prefix: str
    grouping: str


def group_column(name: str) -> GroupColumn | None:
    """Split the name of a group column; return None for other columns."""
    for prefix in (PROBE_GROUP, REFERENCE_GROUP, GROUP):
        if name.startswith(prefix) and name != prefix:
            return GroupColumn(prefix, name.removeprefix(prefix))
    return None


#: Names of columns of labels, in the form that `plain` returns, that only the ground truth has.
_TRUTH_NAMES: Final = re.compile(
    "(is)?mated|nonmated|expected(match|result|label)?|(ground)?truth|ytrue"
)

#: The columns of the results that `facematch verify --pairs` writes as JSON, after flattening.
_OF_RESULTS: Final[Mapping[str, str]] = {
    "result.decision": "decision",
    "result.score.value": "score",
    "result.score.scale": "scale",
    "result.threshold.value": "threshold",
    "result.threshold.rule": "rule",
    "result.model": "model",
    "result.environment": "environment",
    "result.billing.charged": "billed",
    "result.elapsed_s": "elapsed_s",
    "error.class": "error",
}

#: Parts of a dotted name, in the form that `plain` returns, above a score that is of two faces.
_ABOVE_SCORES: Final = re.compile(
    "(api|http|vendor)?(responses?|resp|results?|output|out|answers?|reply|data|body|payload|json)|"
    "(face)?(match|matching|matches|comparison|compare|comparefaces|verification|verify)(result)?|"
    "facematches|[0-9]+"
)

#: A hint at the end of a column's name: the valid words (``Same person (Y/N)``), or the unit.
_WORDS_HINT: Final = re.compile(
    r"\s*[(](y/n|yes/no|true/false|[01]/[01]|0-100?)[)]\s*$", re.IGNORECASE
)
_PERCENT_HINT: Final = re.compile(r"\s*[(](%|in %|percent)[)]\s*$", re.IGNORECASE)


def plain(name: str) -> str:
    """Return a column's name in lower case, without spaces and the characters ``_.?-``.

    A hint at its end is left out, or becomes ``%``: a column ``Match (%)`` has no decisions.
    """
    name = _PERCENT_HINT.sub("%", _WORDS_HINT.sub("", name))
    return re.sub(r"[\s_.?-]+", "", name).lower()


def names_truth(column: str) -> bool:
    """Return whether a column's name says that it is the ground truth: no answer is called so.

    A system's answer may well be called ``same_person``, ``label``, ``actual`` or ``gt``, which is
    short for "greater than" (the threshold), too.
    """
    return bool(_TRUTH_NAMES.fullmatch(plain(column)))


def is_distance(name: str) -> bool:
    """Return whether lower numbers in a column with this name mean more similar."""
    own_name = plain(last_part(name))
    return own_name in ("l2", "l2norm") or own_name.endswith(("distance", "distances", "dist"))


def is_own_name(column: str, field: str) -> bool:
    """Return whether a column has our name of the field, which is preferred to others."""
    return column in _OF_RESULTS or plain(column) == plain(field)


def last_part(name: str) -> str:
    """Return the last part of a dotted name of nested records: ``Score`` of ``Response.Score``."""
    return name.rstrip(".").rpartition(".")[2]


def is_nested_score(name: str) -> bool:
    """Return whether a dotted name ends with a name of scores: ``Response.Score``."""
    return "." in name.rstrip(".") and field_for(last_part(name)) == "score"


def is_of_comparison(name: str) -> bool:
    """Return whether no part before the last one may name another check than of two faces.

    ``liveness.score`` and ``name_check.similarity`` do, and ``face.confidence`` is of one face.
    """
    parts_above = [plain(part) for part in name.rstrip(".").split(".")[:-1]]
    return all(_ABOVE_SCORES.fullmatch(part) or part in vendor_names() for part in parts_above)


@functools.cache
def vendor_names() -> frozenset[str]:
    """Return the names and aliases of all backends, in the form that `plain` returns."""
    names = (*entry_points_by_name(BACKENDS), *entry_points_by_name(ALIASES))
    return frozenset(map(plain, names))


def field_for(column: str) -> str:
    """Return the field of a column with a known name, or "" for any other column."""
    if column in _OF_RESULTS:
        return _OF_RESULTS[column]
    name = plain(column)
    for field, known in FIELDS.items():
        if name == plain(field) or (name and re.fullmatch(known.column_names, name)):
            return field
    return column if group_column(column) else ""
