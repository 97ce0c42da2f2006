"""Fields of a JSON body, read and refused as the framework does: pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from facematch_mock_server.claims import Told

Reader = Callable[[Told, Any], Any]


class Refused(Exception):
    """The field is refused in these words."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def read(
    told: Told,
    body: Mapping[str, Any],
    readers: Mapping[str, Reader],
    *,
    required: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The fields that were sent, and the words in which fields are refused, by name.

    Args:
        told: What they are read with.
        body: The decoded body.
        readers: How each field is read, by name; other fields are ignored.
        required: Those that must be sent.
    """
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, reader in readers.items():
        if name not in body:
            if name in required:
                errors[name] = [told["given.required"]]
            continue
        try:
            values[name] = reader(told, body[name])
        except Refused as refused:
            errors[name] = [refused.words]
    return values, errors


def or_none(reader: Reader) -> Reader:
    """As `reader`, and null is a value, too."""
    return lambda told, value: None if value is None else reader(told, value)


def text(told: Told, value: Any) -> str:
    """A text; numbers are taken for one.

    Raises:
        Refused: it is something else, or too long.
    """
    sent = long_text(told, value)
    if len(sent) > told.peek("given.longest"):
        raise Refused(told["text.long"].format(most=told["given.longest"]))
    return sent


def long_text(told: Told, value: Any) -> str:
    """A text of any length.

    Raises:
        Refused: it is something else.
    """
    if value is None:
        raise Refused(told["given.null"])
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Refused(told["given.text"])
    return str(value)


def required(told: Told, body: Mapping[str, Any], name: str) -> Any:
    """What a body has under that name.

    Raises:
        Refused: it has nothing there.
    """
    if name not in body:
        raise Refused(told["given.required"])
    return body[name]


def boolean(told: Told, value: Any) -> bool:
    """True or false, also as a word or as 1 or 0.

    Raises:
        Refused: it is something else.
    """
    if value is None:
        raise Refused(told["given.null"])
    if isinstance(value, bool):
        return value
    word = str(value) if isinstance(value, (str, int, float)) else ""
    if word in told["boolean.true"]:
        return True
    if word in told["boolean.false"]:
        return False
    raise Refused(told["boolean.bad"])


def whole(told: Told, value: Any, *, highest: int) -> int:
    """A whole number from 1 to `highest`.

    Raises:
        Refused: it is something else.
    """
    if value is None:
        raise Refused(told["given.null"])
    try:
        number = int(value) if isinstance(value, (str, int)) else None
    except ValueError:
        number = None
    if number is None or isinstance(value, bool):
        raise Refused(told["integer.bad"])
    for key, limit, wrong in (
        ("number.too_high", highest, number > highest),
        ("number.too_low", 1, number < 1),
    ):
        if wrong:
            raise Refused(told[key].format(limit=limit))
    return number


def choice(told: Told, value: Any, choices: tuple[str, ...]) -> str:
    """One of the choices.

    Raises:
        Refused: it is something else.
    """
    if value is None:
        raise Refused(told["given.null"])
    for one in choices:
        if value == one:
            return one
    raise Refused(told["given.choice"].format(value=value))


def items(told: Told, value: Any) -> list[Any]:
    """An array.

    Raises:
        Refused: it is something else.
    """
    if value is None:
        raise Refused(told["given.null"])
    if not isinstance(value, list):
        raise Refused(told["given.list"].format(kind=type(value).__name__))
    return value
