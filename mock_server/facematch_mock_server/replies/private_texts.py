"""The texts of private fields, to find them where no field says that they are private."""

from __future__ import annotations

import re
from collections.abc import Collection

from .vocabulary import WORD, split_words

#: A shorter name is part of many words.
_LEAST_PART = 5


class PrivateTexts:
    """The private texts of some calls, with what each question about them has cleared."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        #: The words and digits of the texts, without those of the vocabulary.
        self._words: set[str] = set()
        self._cleared_names: set[str] = set()
        self._cleared_words: set[str] = set()
        self._cleared_texts: set[str] = set()

    def collect(self, text: str, vendors_words: Collection[str]) -> None:
        """Add the text of a private field."""
        self._texts.add(text)
        # A name such as Will is also a word of sentences, but not in the middle of one.
        self._texts.update(word for word in WORD.findall(text) if not word.islower())
        self._words.update(word for word in _pieces_of(text) if word not in vendors_words)

    def add(self, other: PrivateTexts) -> None:
        """Add the private texts of another call."""
        self._texts |= other._texts
        self._words |= other._words

    def has_cleared(self, new: PrivateTexts) -> bool:
        """Return whether something that was cleared is private, because `new` says so."""
        return (
            not all(new.clears_name(name) for name in self._cleared_names)
            or not all(new.clears_word(word) for word in self._cleared_words)
            or not self._cleared_texts.isdisjoint(new._texts)
        )

    def clears_name(self, name: str) -> bool:
        """Return whether a name, a constant or a step of a path has no private text in it."""
        if name in self._texts or not self._words.isdisjoint(_pieces_of(name)):
            return False
        lower = name.lower()
        if any(len(word) >= _LEAST_PART and word in lower for word in self._words):
            return False
        self._cleared_names.add(name)
        return True

    def clears_word(self, word: str) -> bool:
        """Return whether a word of a sentence is no private one."""
        if word in self._texts and not word.islower():
            return False
        if not self._words.isdisjoint(_pieces_of(word)):
            return False
        self._cleared_words.add(word)
        return True

    def clears_text(self, text: str) -> bool:
        """Return whether a text is not as a whole a private one."""
        if text in self._texts:
            return False
        self._cleared_texts.add(text)
        return True


def _pieces_of(text: str) -> set[str]:
    """Return the words of two letters or more, and the numbers, in a text, in lower case."""
    pieces = {piece.lower() for piece in re.findall(r"[^\W\d_]{2,}|\d{4,}", text)}
    return pieces.union(word for word in split_words(text) if len(word) > 1)
