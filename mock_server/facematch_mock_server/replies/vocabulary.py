"""What a recording keeps of a call, and why. `reduction` hides everything else.

- Booleans, null, and numbers up to 99,999 (in a field with an id up to 99), but not under a private
  key. Of a vendor that the mock does not know, only integers of at most three digits.
- Numbers that are written as texts, of at most three digits before the point: more may be a PIN or
  a telephone number, which is written in groups, too.
- Texts of the mock's own sources, which name no person: the vendor's constants, and names that are
  made of several words of these, such as ``back_image_score``.
- Keys and steps of paths that the sources lack, if they have the form of a name in code and are
  part of no value. Only the user can tell that they are no person's names, so each is listed.
- Of a sentence, the words that the sources have, in the same case.
- Of a time, its form and its distance from the call, if it is near; a birthday would be far.
- Of a key, its scheme; of a file's name, its extension; of a link to the vendor, its host and path.
- Headers that the mock's sources name, and `REPLY_HEADERS`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import attrs

from facematch_mock_server.base.masking import SECRET
from facematch_mock_server.base.messages import RESERVED_HEADERS


def words_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Largest plain number.
MAX_PLAIN_NUMBER = 99_999
#: Headers of a reply that are kept although no mock's source may name them.
REPLY_HEADERS = re.compile(
    r"content-type|retry-after|allow|www-authenticate|location|(x-(amzn?-)?)?request-?id|"
    r"(x-)?rate-?limit(-(limit|remaining|reset|policy|used))?(-(second|minute|hour|day|month))?"
)
#: Headers of a request that are hidden although a source may name them.
HIDDEN_HEADERS = RESERVED_HEADERS | words_in(
    "accept-encoding content-encoding cookie expect host set-cookie user-agent x-forwarded-for"
)

#: A field whose name has one of these words is private, with all that is below it.
_PRIVATE_WORDS = words_in(
    "address age birth birthdate birthday born city comment comments coordinate coordinates coords "
    "cvc cvv device dob email ethnicity external family fields first gender geo geolocation given "
    "gps info ip last lat latitude lng location lon longitude mail metadata middle mobile mrz "
    "nationality note notes otp passcode passport person phone pin pincode postal postcode race "
    "reference sex street tags telephone town vendordata yob zip"
)
#: What the user named in the vendor's settings, such as ``levelName``: no person's name.
_CONFIGURED_WORDS = words_in("check collection level list model report service template workflow")
#: The last word of fields with a constant of the vendor, such as ``reviewStatus``.
_CONSTANT_WORDS = words_in(
    "action answer code context control country currency decision event format kind label labels "
    "lang language level mode model object operation position quality reason result results side "
    "state status type types variant verdict version"
)
_SENTENCE_WORDS = words_in(
    "description detail details error errors hint message messages msg reason title"
)
_TIME_WORDS = words_in("at created date datetime expires expiry ms time timestamp ts updated")
_ID_WORDS = words_in("id ids ref uuid")
_SCORE_WORDS = words_in(
    "confidence distance percent percentage probability score scores similarity threshold"
)
_FIELD_WORDS = (
    _PRIVATE_WORDS
    | _CONFIGURED_WORDS
    | _CONSTANT_WORDS
    | _SENTENCE_WORDS
    | _TIME_WORDS
    | _ID_WORDS
    | _SCORE_WORDS
)
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_EXAMPLE = re.compile(r"(?i)[0-9a-f-]{16,}|\d{5,}")
#: Matches a word of a sentence.
WORD = re.compile(r"[^\W_]+(?:[_'.-][^\W_]+)*")
#: Words of HTTP and JSON.
_WEB_TEXTS = words_in(
    "text/html text/plain application/json application/xml application/octet-stream "
    "application/x-www-form-urlencoded multipart/form-data image/png image/jpeg charset utf-8 "
    "x-api-key Bearer Basic realm GET HEAD POST PUT PATCH DELETE OPTIONS true false"
)


def split_words(name: str) -> list[str]:
    """Return the words of a name in lower case: ``['first', 'name']`` of ``firstName``."""
    return [word.lower() for word in _HUMP.findall(name)]


@attrs.frozen
class FieldName:
    """The name of a field, by what it says about the value."""

    name: str = attrs.field(repr=False)
    words: list[str] = attrs.field(init=False, repr=False)

    @words.default
    def _split(self) -> list[str]:
        return split_words(self.name)

    @property
    def is_private(self) -> bool:
        if self.is_configured:
            return False
        if self._last in ("number", "numbers") or "".join(self.words) in _PRIVATE_WORDS:
            return True
        return any(
            word in _PRIVATE_WORDS or word.endswith(("name", "names")) for word in self.words
        )

    @property
    def is_configured(self) -> bool:
        """Whether it is the name of something in the vendor's settings."""
        return self._last in ("name", "names") and not _CONFIGURED_WORDS.isdisjoint(self.words[:-1])

    @property
    def has_constant(self) -> bool:
        return self._last in _CONSTANT_WORDS or self.is_configured

    @property
    def has_sentence(self) -> bool:
        return self._last in _SENTENCE_WORDS

    @property
    def has_time(self) -> bool:
        return self._last in _TIME_WORDS

    @property
    def has_id(self) -> bool:
        return self._last in _ID_WORDS

    @property
    def has_score(self) -> bool:
        return self._last in _SCORE_WORDS

    @property
    def has_key(self) -> bool:
        # A code is a secret of OAuth, or the vendor's constant for an error.
        return SECRET.search(self.name) is not None and self.name.lower() != "code"

    @property
    def _last(self) -> str:
        return self.words[-1] if self.words else ""


@attrs.frozen
class Vocabulary:
    """The texts of the mock's own sources about the vendors of a recording.

    Attributes:
        texts: Whole texts, and the steps of paths and addresses.
        headers: The same in lower case.
        words: The words of all texts, as they are written.
        parts: The words of the names in them, in lower case: ``back`` and ``image``.
    """

    texts: frozenset[str] = attrs.field(repr=False)
    headers: frozenset[str] = attrs.field(repr=False)
    words: frozenset[str] = attrs.field(repr=False)
    parts: frozenset[str] = attrs.field(repr=False)

    @classmethod
    def read(cls, files: Iterable[Path]) -> Self:
        """Collect the texts of Python files, without their docstrings, and of JSON files."""
        texts = set(_WEB_TEXTS | _FIELD_WORDS)
        for file in files:
            if file.suffix == ".json":
                texts.update(re.findall('"([^"]+)"', file.read_text("utf-8")))
            else:
                texts.update(_texts_of(ast.parse(file.read_bytes())))
        words: set[str] = set()
        parts: set[str] = set()
        steps: set[str] = set()
        for text in texts:
            words.update(WORD.findall(text))
            if " " not in text:
                steps.update(re.split(r"[/?&={}:]", text))
                parts.update(split_words(text))
        # An id in a source is an example.
        texts = {text for text in texts | steps if not _EXAMPLE.fullmatch(text)}
        headers = frozenset(text.lower() for text in texts)
        return cls(frozenset(texts), headers, frozenset(words), frozenset(parts))

    def has_name(self, name: str) -> bool:
        """Return whether a name is a text, or is made of several parts, as mocks make some."""
        if name in self.texts:
            return True
        parts = split_words(name)
        # `split_words` drops digits: two of them may be a number.
        has_number = re.search(r"\d\d", name) is not None
        return len(parts) > 1 and not has_number and self.parts.issuperset(parts)


def _texts_of(tree: ast.AST) -> Iterator[str]:
    """Yield the constants and keywords of a module; docstrings are none of a vendor's words."""
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            docstrings.add(node.value)
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg
        # `walk` comes to a statement before its value.
        elif isinstance(node, ast.Constant) and node not in docstrings:
            yield str(node.value)
