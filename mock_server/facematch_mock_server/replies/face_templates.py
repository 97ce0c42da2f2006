"""Find face templates: the numbers by which a person is found again among strangers.

An embedding is a list of numbers, in lists or in base64; landmarks are a list of points. They are
found by what they are, because a field may have any name: facematch sends an embedding to DeepFace
as ``img1``.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Iterator
from typing import Any

#: Most numbers of a list that is kept. Five landmarks are ten numbers; the shortest embeddings in
#: use have 128.
MOST_NUMBERS = 32
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")
#: Matches the name of a landmark, which stands beside its numbers.
_LANDMARK = re.compile(r"[A-Za-z_][A-Za-z_ -]*\d{0,3}")
#: Most numbers of the place of a landmark, if they are an object of their own.
_MOST_AXES = 3
#: Base64 of more than `MOST_NUMBERS` numbers of four bytes. Digits in hexadecimal are an id.
_BASE64 = re.compile(r"(?![0-9a-fA-F]+$)[\w+/=\s-]{176,}", re.ASCII)
#: The usual letters of base64, by those that are safe in addresses.
_USUAL_BASE64 = str.maketrans("-_", "+/")


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number, also one that is written as a text."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_face_template(value: Any) -> bool:
    """Return whether a list or an object has more than `MOST_NUMBERS` numbers, or consists of them.

    An object with values of several kinds is none, such as a face with its box and its score; nor
    is a list of several templates. The name of a landmark may stand beside its numbers.
    """
    inner_values = _inner_values(value)
    if not inner_values:
        return False
    if sum(map(is_number, inner_values)) > MOST_NUMBERS:
        return True
    leaves = list(_leaves_of(value))
    if len(leaves) <= MOST_NUMBERS or not all(map(is_number, leaves)):
        return False
    return not any(map(is_face_template, inner_values))


def is_encoded_template(text: str) -> bool:
    """Return whether a text is base64, but not of a text."""
    if _BASE64.fullmatch(text) is None:
        return False
    try:
        content = base64.b64decode(text.translate(_USUAL_BASE64) + "==")
    except ValueError:
        return False
    return not content.isascii()


def _inner_values(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return value if isinstance(value, list) else []


def _leaves_of(value: Any) -> Iterator[Any]:
    """Yield the values in lists, and in objects whose values are of one kind."""
    inner_values = _inner_values(value)
    if isinstance(value, dict):
        numbers = [inner for inner in inner_values if is_number(inner)]
        others = [inner for inner in inner_values if not is_number(inner)]
        places = [inner for inner in others if not _is_landmark_name(inner)]
        is_landmark = len(numbers) > 1 and not places
        if numbers and others and not is_landmark:
            yield value
            return
        inner_values = numbers or others
        if len(places) == 1 and len(_inner_values(places[0])) <= _MOST_AXES:
            inner_values = places
    if inner_values:
        for inner in inner_values:
            yield from _leaves_of(inner)
    elif value is not None:
        yield value


def _is_landmark_name(value: Any) -> bool:
    return isinstance(value, str) and _LANDMARK.fullmatch(value) is not None


class FaceTemplates:
    """The stand-ins of the face templates of a recording: of equal length, the same for the same.

    Two stand-ins are as far apart as two strangers, so no replay calls two people one.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def numbers_for(self, template: Any) -> random.Random:
        """Return a generator of the numbers in a template's stand-in, each time from its start."""
        text = json.dumps(template)
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return random.Random(number)  # noqa: S311 - a stand-in, no secret

    def encoded_for(self, text: str) -> str:
        """Return the stand-in of a template in base64."""
        generator = self.numbers_for(text)
        # Letters alone, because letters with digits look like a key; and early ones, because they
        # are no NaN in any format of numbers.
        made = "".join(generator.choices("ABCDEFGH", k=len(text.rstrip("="))))
        return made.ljust(len(text), "=")


def make_number(value: Any, generator: random.Random) -> Any:
    """Return a number of the same type as a number in a template."""
    if isinstance(value, float):
        return round(generator.uniform(-1, 1), 6)
    if isinstance(value, int):
        return generator.randint(-9, 9)
    return f"{generator.uniform(-1, 1):.6f}"
