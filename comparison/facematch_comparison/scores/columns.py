"""The columns of a score file: known names, valid words, and the error for missing columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, GROUP, PROBE_GROUP, REFERENCE_GROUP

#: Words that mark a pair as mated (True) or non-mated (False); case-insensitive.
MATED: Final[Mapping[str, bool]] = {
    word: mated
    for mated, words in (
        (True, "1,1.0,true,t,yes,y,same,same person,mated,genuine,match,matched,positive,pos"),
        (True, "genuine pair,mated pair,match pair,same people,ja,wahr,oui,vrai,si,sí,sim,是"),
        (False, "0,0.0,-1,-1.0,false,f,no,n,nein,falsch,non,faux,different,different person,diff"),
        (False, "fraud,fraudulent,impostor pair,imposter pair,non-mated pair,não,nao,否"),
        (False, "non match,not match,not matched,unmatched,not same,not the same"),
        (False, "different people,impostor,imposter,non-mated,non_mated,nonmated,non mated,neg"),
        (False, "non-match,non_match,no_match,no match,nonmatch,nomatch,mismatch,negative"),
    )
    for word in words.split(",")
}
_YES_NO: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_ACCEPTED: Final = "accept accepted approve approved clear pass passed verified"
_REJECTED: Final = "reject rejected decline declined fail failed not_verified mismatch"


#: Words in a column `error` that mean no error, in lower case.
NO_ERROR: Final = frozenset(
    ("ok", "success", "succeeded", "completed", "done", "none", "no error", "0", "200", "false")
)


@attrs.frozen
class Column:
    """A column that facematch reads.

    Attributes:
        names: Pattern for other known names of the column, in the form that `plain` returns.
        of: What the column describes: ``pair``, ``answer`` or ``system``; "" if it identifies one.
        words: Meaning of each valid word, in lower case; empty if any word is valid.
        form: Pattern for valid words.
        advice: How to correct an invalid word.
        is_number: Whether the cells are numbers.
        is_needed: Whether every cell must have a value.
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


def _one_of(words: Mapping[str, Any]) -> dict[str, Any]:
    *most, last = words
    return {"words": words, "advice": f"write {', '.join(most)} or {last}"}


def _decisions() -> dict[str, Any]:
    ours = _one_of({str(word): at for at, word in enumerate(DECISIONS)})
    match, no_match = DECISIONS.index(Decision.MATCH), DECISIONS.index(Decision.NO_MATCH)
    words = {word: match if mated else no_match for word, mated in MATED.items()}
    words |= dict.fromkeys(_ACCEPTED.split(), match) | dict.fromkeys(_REJECTED.split(), no_match)
    words |= {"consider": DECISIONS.index(Decision.REVIEW), **ours["words"]}
    return {"words": words, "advice": f"{ours['advice']}, or ignore the column: --column decision="}


_PICTURE: Final = (
    "(image|img|file|filename|path|photo|picture|face|template|foto|bild|imagen|imagem|图片|照片)"
    "(id)?"
)
_SIMILARITY: Final = "([aä]hnlichkeit|similarit[eé]|similitud|similaridade|相似度)"
#: Without `face`: face_left and face_x are edges of a box.
_SIDE: Final = "(image|img|file|path|photo|picture)"
_FILE: Final = "(file|filename|path)"  # with the x or y that joining tables with pandas adds
_NAME: Final = "(subject|person|identity|name|user)(id)?"
_FLAG: Final[dict[str, Any]] = {"words": _YES_NO, "advice": "write 1 or 0"}

#: Columns by our name, except group columns. A system's own answer is never read as ground truth.
COLUMNS: Final[Mapping[str, Column]] = {
    "system": Column("contender|vendor|provider|algorithm|engine|matcher", "", is_needed=True),
    "pair": Column("(pair|comparison|trial)?id|comparison|trial", "", is_needed=True),
    "mated": Column(
        "(is)?(same(person|identity)?|genuine)|gleicheperson|m[eê]mepersonne|mismapersona|mesmapessoa|(是否)?同一(个)?人|ismated|"
        "label|(ground)?truth|target|ytrue|gt|actuals?|real|"
        "expected(match|result|label)?|(pair|comparison|trial)type",
        words=MATED,
        advice="write 1 for one person and 0 for two",
        is_needed=True,
    ),
    "non_mated": Column(
        "(is|confirmed)?(impostor|imposter|fraud|different)|differentperson",
        words={word: not is_other for word, is_other in _YES_NO.items()},
        advice="write 1 for two people and 0 for one",
        is_needed=True,
    ),
    "probe": Column(
        f"{_PICTURE}[1a]|{_SIDE}left|{_FILE}x|(query|live)(image|photo)|"
        "(img|image)1path|source(image|file|path)?|selfie(photo|image)?|"
        "probe(id|image|file|path|templateid|referenceid)"
    ),
    "reference": Column(
        f"{_PICTURE}[2b]|{_SIDE}right|{_FILE}y|enrolled(image|photo)|aadhaarphoto|"
        "(img|image)2path|target(image|file|path)|(id|passport)photo|idimage|"
        "reference(id|image|file|path)|gallery(id|image)?|bioref(template|reference)id|"
        "document(photo|image)?"
    ),
    "probe_subject": Column(
        f"{_NAME}[1a]|queryperson|probe(person|identity|subjectid|name)|(subject|person)id1|"
        "(real|actual|true)id"
    ),
    "reference_subject": Column(
        f"{_NAME}[2b]|reference(person|identity|subjectid|name)|biorefsubjectid|"
        "gallery(subject|person)|"
        "(claimed|enrolled)id"
    ),
    "person": Column("(person|customer)id|(subject|user)(id)?"),
    "transaction": Column(is_needed=True),  # a `transaction_id` is often the id of one request
    "attempt": Column(
        "attempt(no|number)",
        form="[1-9][0-9]*",
        advice="write 1 for the first attempt of a transaction, 2 for the next",
        is_needed=True,
    ),
    "score": Column(
        f"scores|{_SIMILARITY}|(score|match|similarity|confidence|{_SIMILARITY})%|"
        "(y|match|matching|comparison|facematch|face)score|similarity(score|percent)?|sim|"
        "(match)?confidence|(face|facematch)similarity|cosine(similarity)?|cossim|"
        "(cosine|euclidean|face)?distance|distances|(cos)?dist|l2(distance)?|"
        ".*facematches0similarity",  # Rekognition's answer to CompareFaces
        "answer",
        is_number=True,
    ),
    "decision": Column(
        "(is)?(match|verified)|matched|isidentical|accepted|result", "answer", **_decisions()
    ),
    "acquired": Column("", "answer", **_FLAG),
    "error": Column("errormessage|exception", "answer"),
    "elapsed_s": Column("latencys", "answer", is_number=True),
    "billed": Column(
        "charged", "answer", **_one_of({str(word): at for at, word in enumerate(BILLED)})
    ),
    "answered": Column("", "answer", **_FLAG),
    "model": Column("modelversion", ""),
    "rule": Column("", "system", **_one_of({str(rule): rule for rule in ThresholdRule})),
    "threshold": Column("", "system", is_number=True),
    "scale": Column("", "system"),
    "price": Column("", "system", is_number=True),
    "currency": Column("", "system", form="[A-Z]{3}", advice="write three capital letters"),
    "backend": Column("", "system"),
    "environment": Column("", "system", **_one_of({str(each): each for each in Environment})),
    "privacy": Column("", "system"),
    "people_known": Column("", "system", **_FLAG),
}

WIDE: Final = "image1,image2,label,score"
LONG: Final = "system,pair,label,probe_subject,reference_subject,score"

PEOPLE: Final = ("probe_subject", "reference_subject")
PICTURES: Final = ("probe", "reference")

#: Columns that identify a pair across files; the first entry that all files have is used.
PAIR_KEYS: Final = (("pair",), PICTURES, PEOPLE)

#: The column that names one person per line; the other person of a non-mated pair has no name.
PERSON: Final = "person"

#: Columns with the ground truth; ``non_mated`` is 1 if ``mated`` is 0.
TRUTH: Final = ("mated", "non_mated")

#: Placeholder for a column name that the user must fill in.
COLUMN: Final = "COLUMN"


class ColumnsNotRecognised(InvalidRequest):
    """A column of a score file is missing or ambiguous.

    Attributes:
        what: The problem, and a list of all columns with two cells of each.
        columns: The columns to pass, by our name, for several systems a list; the value ``COLUMN``
            is a placeholder for the name that the user must fill in.
        independent_pairs: Whether the user may pass this argument, because no column names people.
    """

    def __init__(
        self,
        what: str,
        *,
        columns: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
        independent_pairs: bool = False,
    ) -> None:
        self.what, self.columns, self.independent_pairs = what, dict(columns), independent_pairs
        parts = [f"columns={json.dumps(self.columns, ensure_ascii=False)}"] * bool(columns)
        parts += ["independent_pairs=True"] * independent_pairs
        super().__init__(f"{what}\n{self.advice}, add: {', '.join(parts)}")

    @property
    def advice(self) -> str:
        """The advice, without the arguments to add."""
        if COLUMN not in self.columns.values():
            return "If no person is in two pairs" if self.independent_pairs else "If that is right"
        instead = format_argument("independent_pairs", True)
        instead = f" (if no column names people, use {instead} instead)"
        is_of_people = {PERSON, *PEOPLE} & self.columns.keys()
        return f"Replace {COLUMN} by the name of the column{instead if is_of_people else ''}"


def group_of(name: str) -> tuple[str, str] | None:
    """Split a group column's name into its prefix and the rest; return None for other columns."""
    for prefix in (PROBE_GROUP, REFERENCE_GROUP, GROUP):
        if name.startswith(prefix) and name != prefix:
            return prefix, name.removeprefix(prefix)
    return None


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


def is_distance(name: str) -> bool:
    """Return whether lower numbers in a column with this name mean more similar."""
    return plain(name) == "l2" or plain(name).endswith(("distance", "distances", "dist"))


def our_name(name: str) -> str:
    """Return our name for a column with a known name, or "" for any other column."""
    word = plain(name)
    for ours, column in COLUMNS.items():
        if word == plain(ours) or (word and re.fullmatch(column.names, word)):
            return ours
    return name if group_of(name) else ""
