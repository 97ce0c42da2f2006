"""Compare a person with the holder of a document, without keeping the name of either.

Names are compared as written: in another script, or in a transliteration, they disagree.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from facematch_core.backend.session_types import Agreement, DocumentHolder, Person

_BEST_FIRST = (Agreement.AGREES, Agreement.INCOMPLETE, Agreement.UNKNOWN, Agreement.DISAGREES)
_APOSTROPHES = re.compile("['`\u00b4\u2018\u2019\u02bb\u02bc]")
#: Letters that NFKD does not decompose (ß is casefolded), as documents also print them: without the
#: stroke. The others are those of passports, below.
_PLAIN_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
    }
)
#: Letters as passports transliterate them: ICAO Doc 9303-3, section 6.A; copied without its code
#: points at https://egov.ice.gov/sevishelp/schooluser/transliteration_guide.htm (read 2026-11-29).
_PASSPORT_LETTERS = _PLAIN_LETTERS | str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
)
#: The table's other choice for two letters, with the X of a diacritic.
_MARKED_LETTERS = _PASSPORT_LETTERS | str.maketrans({"ñ": "nxx", "ü": "uxx"})
#: Accents have a combining class from here on. Below are vowel signs of Indian scripts and Thai,
#: and the voicing of kana, without which different names would be equal.
_FIRST_ACCENT_CLASS = 200


@attrs.frozen(kw_only=True)
class HolderAgreement:
    """Whether a person agrees with the holders of all documents; None if not compared."""

    name: Agreement | None = None
    date_of_birth: Agreement | None = None


def compare_holders(person: Person, holders: Iterable[DocumentHolder]) -> HolderAgreement:
    """Compare a person with the holder of each document; the worst agreement counts."""
    name_agreements = set[Agreement]()
    date_agreements = set[Agreement]()
    for holder in holders:
        date_agreement = _compare_dates(person.date_of_birth, holder.date_of_birth)
        date_agreements.add(date_agreement)
        name_agreement = compare_names(
            person.name,
            holder.name or "",
            has_same_birth_date=date_agreement is Agreement.AGREES,
        )
        name_agreements.add(name_agreement)
    # If there are no documents, both are unknown.
    return HolderAgreement(name=_worst(name_agreements), date_of_birth=_worst(date_agreements))


def _worst(agreements: set[Agreement]) -> Agreement:
    """Return the last in the order of `_BEST_FIRST`. Without any, the agreement is unknown."""
    return max(agreements, key=_BEST_FIRST.index, default=Agreement.UNKNOWN)


def _compare_dates(expected: dt.date | None, on_document: dt.date | None) -> Agreement:
    if expected is None or on_document is None:
        return Agreement.UNKNOWN
    if expected == on_document:
        return Agreement.AGREES
    return Agreement.DISAGREES


def compare_names(expected: str, on_document: str, *, has_same_birth_date: bool) -> Agreement:
    """Compare two names, regardless of case, accents and the order of words.

    They agree if all words of the shorter name are in the longer one, and at least two of them are
    no initials; with the same date of birth, one is enough. INCOMPLETE means that all other words
    of the shorter name are initials, or that it has a single word. UNKNOWN means that a name has no
    words. A letter with several spellings, such as ü and ue, agrees in the best of them.
    """
    agreements = set[Agreement]()
    for words, document_words in itertools.product(_spellings(expected), _spellings(on_document)):
        if not words or not document_words:
            return Agreement.UNKNOWN
        agreements.add(
            _compare_words(words, document_words, has_same_birth_date=has_same_birth_date)
        )
    # The spellings in which the names agree best are those that count.
    return min(agreements, key=_BEST_FIRST.index)


def _compare_words(
    expected: Counter[str], on_document: Counter[str], *, has_same_birth_date: bool
) -> Agreement:
    """Compare the words of two names, each in one spelling, by the rules of `compare_names`."""
    equal_words = [word for word in (expected & on_document).elements() if not _is_initial(word)]
    if not equal_words:
        return Agreement.DISAGREES
    shorter, longer = sorted((expected, on_document), key=Counter.total)
    # The words of the shorter name that the longer name does not have.
    unmatched = list((shorter - longer).elements())
    if not unmatched and (has_same_birth_date or len(equal_words) >= 2):
        return Agreement.AGREES
    candidates = list((longer - shorter).elements())
    for word in unmatched:
        partner = next((other for other in candidates if _is_initial_pair(word, other)), None)
        if partner is None:
            return Agreement.DISAGREES
        candidates.remove(partner)
    # The rest are initials, or there is only one equal word.
    return Agreement.INCOMPLETE


def _is_initial_pair(first: str, second: str) -> bool:
    """Return whether one of two different words is the initial of the other."""
    if _is_initial(first):
        return second.startswith(first)
    return _is_initial(second) and first.startswith(second)


def _is_initial(word: str) -> bool:
    # A single Chinese, Japanese or Korean letter ("W" for wide) may be a whole name.
    return len(word) == 1 and unicodedata.east_asian_width(word) != "W"


def _spellings(name: str) -> Iterator[Counter[str]]:
    """Yield the words of a name in each spelling: O'Brien as O BRIEN, OBRIEN; Müller, MUELLER."""
    for separator in (" ", ""):
        apart = _APOSTROPHES.sub(separator, name)
        for letters in (_PLAIN_LETTERS, _PASSPORT_LETTERS, _MARKED_LETTERS):
            # Composed first, because the tables have composed letters.
            composed = unicodedata.normalize("NFC", apart).casefold()
            yield _words_of(composed.translate(letters))


def _words_of(text: str) -> Counter[str]:
    """Return how often each word occurs in a text, in small letters and without accents."""
    letters = list[str]()
    # Folded once more, as by `_spellings`: mathematical letters become capitals only by NFKD.
    for letter in unicodedata.normalize("NFKD", text).casefold():
        category = unicodedata.category(letter)
        if unicodedata.combining(letter) >= _FIRST_ACCENT_CLASS or category == "Cf":
            continue  # an accent, or an invisible mark such as a soft hyphen
        # Blanks, hyphens, other punctuation and control characters separate words.
        letters.append(" " if category[0] in "ZPSC" else letter)
    return Counter("".join(letters).split())
