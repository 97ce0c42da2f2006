"""Templates in the texts of a response, such as ``{{request.path.id}}``.

- ``{{request.path.id}}``, ``{{request.query.x}}``, ``{{request.form.x}}``,
  ``{{request.headers.X}}``: a value that was sent
- ``{{request.body}}``: the body as text; ``{{jsonPath request.body '$.a.b'}}``: a value in it
- ``{{now}}``, ``{{now offset='-3 days' format='yyyy-MM-dd'}}``: the time of the mock's clock, UTC;
  the formats ``unix`` and ``epoch`` are seconds and milliseconds as a number
- ``{{randomValue type='UUID'}}``
- ``{{card 'p1'}}``: a ready test card as PNG in base64, or else a card of the person with that name

A text that is one template becomes its value, which may be a number, an object or a list. Within a
longer text the value becomes text.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.masking import shorten
from facematch_mock_server.base.messages import Request, form_of
from facematch_mock_server.recognition.ready import READY

from .json_path import find_values, parse_json_path, text_of
from .node import Node

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
#: Matches an argument: a text in quotes or a word, after a name and ``=`` if it is an option.
_ARGUMENT = re.compile(r"""\s*(?:(\w+)=)?(?:'([^']*)'|"([^"]*)"|([^\s'"=]+))(?=\s|$)""")
#: The parts of a time in Java's letters, by those of `strftime`; the mock's clock is UTC.
_TIME_PARTS = {
    "yyyy": "%Y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "XXX": "Z",
    "X": "Z",
    "xxx": "+00:00",
    "Z": "+0000",
}
#: Matches a quoted text, a letter that repeats, or another character of a time's format.
_TIME_PIECE = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^'A-Za-z]")
_OFFSET = re.compile(r"([+-]?\d{1,9}) (seconds|minutes|hours|days)")
_MOST_DAYS = 36_500
#: Maximum depth of lists and objects in a response.
_MAX_DEPTH = 100


@attrs.frozen
class Filling:
    """The facts about one call that templates are filled with.

    Attributes:
        request: The request.
        now: The time of the response.
        new_id: Returns a new UUID.
        path_values: The values of the placeholders in the path, by name, which `OwnReply.answer`
            sets; None for one that an optional part of the path lacks.
    """

    request: Request
    now: dt.datetime
    new_id: Callable[[], str]
    path_values: Mapping[str, str | None] = attrs.field(factory=dict)


class Unfilled(ValueError):
    """The request lacks what a template needs."""


#: Returns a template's value. Raises `Unfilled`.
Fill = Callable[[Filling], Any]


@attrs.frozen
class _Arguments:
    """What follows the name in a template."""

    words: list[str]
    options: dict[str, str]

    def option(self, name: str, default: str) -> str:
        return self.options.get(name, default)

    def check(self, *, words: int, options: Collection[str] = ()) -> None:
        """Raise ValueError for another number of words, or an unknown option."""
        if len(self.words) != words:
            raise ValueError(f"it takes {words} arguments without a name, not {len(self.words)}")
        for name in self.options.keys() - set(options):
            raise ValueError(f"it has no option {name}; {suggest_name(name, options)}".rstrip("."))


def check_templates(node: Node, path_names: Collection[str], depth: int = 0) -> None:
    """Refuse a template that this mock does not know, in any text of a value.

    `path_names` are the names of the placeholders in the path of the reply.
    """
    if depth > _MAX_DEPTH:
        node.refuse("it is nested too deeply")
    if isinstance(node.value, dict):
        for item in node.object().values():
            check_templates(item, path_names, depth + 1)
    elif isinstance(node.value, list):
        for item in node.items():
            check_templates(item, path_names, depth + 1)
    elif isinstance(node.value, str):
        if "{{" in _TEMPLATE.sub("", node.value):
            node.refuse("a template has no end: write {{ and }}")
        for template in _TEMPLATE.findall(node.value):
            try:
                _read_template(template)
                _check_path_name(template, path_names)
            except ValueError as error:
                shown = shorten(" ".join(template.split()), 60)
                node.refuse(f"the template {{{{{shown}}}}} cannot be filled: {error}")


def _check_path_name(template: str, path_names: Collection[str]) -> None:
    name = template.strip().removeprefix("request.path.")
    if name != template.strip() and name not in path_names:
        raise ValueError(f"the path has no {name}; {suggest_name(name, path_names)}".rstrip("."))


def fill_templates(node: Node, filling: Filling) -> Any:
    """Return a value with all templates in its texts filled in. Raises `Unfilled`, with the place.

    The templates are those that `check_templates` accepts.
    """
    if isinstance(node.value, dict):
        return {name: fill_templates(item, filling) for name, item in node.object().items()}
    if isinstance(node.value, list):
        return [fill_templates(item, filling) for item in node.items()]
    if not isinstance(node.value, str):
        return node.value

    def fill_one(template: re.Match[str]) -> str:
        return text_of(_read_template(template[1])(filling))

    try:
        whole = _TEMPLATE.fullmatch(node.value)
        # Two templates match as one from the first braces to the last.
        if whole is not None and "}}" not in whole[1]:
            return _read_template(whole[1])(filling)
        return _TEMPLATE.sub(fill_one, node.value)
    except Unfilled as error:
        raise Unfilled(f"{node.source} {node.path}: {error}") from None


@functools.lru_cache(maxsize=1024)
def _read_template(template: str) -> Fill:
    """Return the function that fills a template. Raises ValueError for an unknown one."""
    name, *rest = template.split(maxsplit=1) or [""]
    arguments = _read_arguments("".join(rest))
    if name.startswith("request."):
        arguments.check(words=0)
        return _read_request_part(name)
    if name not in _HELPERS:
        raise ValueError(suggest_name(name, (*_HELPERS, *_REQUEST_PARTS)).rstrip("."))
    return _HELPERS[name](arguments)


def _read_arguments(text: str) -> _Arguments:
    """Return the words and the options of a template's call.

    Raise ValueError if they cannot be read.
    """
    words = []
    options = {}
    position = 0
    text = text.rstrip()
    while position < len(text):
        argument = _ARGUMENT.match(text, position)
        if argument is None:
            raise ValueError(f"its arguments cannot be read from {shorten(text[position:], 20)}")
        option, single_quoted, double_quoted, word = argument.groups()
        value = next(x for x in (single_quoted, double_quoted, word) if x is not None)
        if option is None:
            words.append(value)
        else:
            options[option] = value
        position = argument.end()
    return _Arguments(words, options)


_REQUEST_PARTS = (
    "request.path.NAME",
    "request.query.NAME",
    "request.form.NAME",
    "request.headers.NAME",
    "request.body",
)


def _read_request_part(name: str) -> Fill:
    """Return what fills a part of the request in; raise ValueError for a part that is unknown.

    Filling raises Unfilled if the request does not have it.
    """
    if name == "request.body":
        return lambda filling: bytes(filling.request.body).decode(errors="replace")
    part, _, key = name.removeprefix("request.").partition(".")
    if not key or part not in ("path", "query", "form", "headers"):
        raise ValueError(f"of a request, this mock knows {', '.join(_REQUEST_PARTS)}")

    def fill(filling: Filling) -> Any:
        """Return the first value of the part in this request; raise Unfilled if there is none."""
        if part == "path":
            value = filling.path_values[key]
            # A part of the pattern may be optional.
            texts = [] if value is None else [value]
        elif part == "headers":
            value = filling.request.header(key.lower())
            texts = [] if value is None else [value]
        elif part == "query":
            texts = [text for its_name, text in filling.request.query if its_name == key]
        else:
            texts = form_of(filling.request).fields.get(key, [])
        if not texts:
            raise Unfilled(f"the request has no {key} in its {part}")
        return texts[0]

    return fill


def _read_json_path(arguments: _Arguments) -> Fill:
    """Return a function that finds what a JSONPath names in the body of the request.

    It returns the value, or a list if there are several, and raises `Unfilled` if there is none.
    """
    arguments.check(words=2)
    subject, expression = arguments.words
    if subject != "request.body":
        raise ValueError("its first argument is request.body")
    parse_json_path(expression)

    def fill(filling: Filling) -> Any:
        values = find_values(filling.request, expression)
        if not values:
            raise Unfilled(f"the body of the request has nothing at {expression}")
        return values[0] if len(values) == 1 else values

    return fill


def _read_now(arguments: _Arguments) -> Fill:
    """Return what fills in the time, moved by the offset, in Java's format of dates."""
    arguments.check(words=0, options=("offset", "format"))
    offset = _OFFSET.fullmatch(arguments.option("offset", "0 seconds"))
    if offset is None:
        raise ValueError("its offset is a number of seconds, minutes, hours or days: '-3 days'")
    distance = dt.timedelta(**{offset[2]: int(offset[1])})
    if abs(distance.days) > _MOST_DAYS:
        raise ValueError(f"its offset is at most {_MOST_DAYS} days")
    form = arguments.option("format", "yyyy-MM-dd'T'HH:mm:ssX")
    _show_time(dt.datetime.now(dt.UTC), form)
    return lambda filling: _show_time(filling.now + distance, form)


def _show_time(moment: dt.datetime, form: str) -> str | int:
    """Return a time in a format of Java's letters. Raises ValueError for another letter."""
    if form == "unix":
        return int(moment.timestamp())
    if form == "epoch":
        return int(moment.timestamp() * 1000)
    shown = ""
    for piece in _TIME_PIECE.finditer(form):
        letters = piece[0]
        if piece[1] is not None:
            shown += piece[1] or "'"
        elif piece[2] is None:
            shown += letters
        elif letters in _TIME_PARTS:
            shown += moment.strftime(_TIME_PARTS[letters])
        elif piece[2] == "S":
            shown += f"{moment.microsecond:06d}000"[: len(letters)]
        else:
            raise ValueError(
                f"its format has {letters}; known are {', '.join(_TIME_PARTS)}, S, texts in "
                "quotes, unix and epoch"
            )
    return shown


def _read_random(arguments: _Arguments) -> Fill:
    arguments.check(words=0, options=("type",))
    if arguments.option("type", "") != "UUID":
        raise ValueError("its type is UUID")
    return lambda filling: filling.new_id()


def _read_card(arguments: _Arguments) -> Fill:
    from facematch_mock_server.recognition.sheet import make_card  # few replies have a card

    arguments.check(words=1)
    (name,) = arguments.words
    content = READY[name].data if name in READY else make_card(name)
    text = base64.b64encode(content).decode()
    return lambda _: text


_HELPERS: dict[str, Callable[[_Arguments], Fill]] = {
    "card": _read_card,
    "jsonPath": _read_json_path,
    "now": _read_now,
    "randomValue": _read_random,
}
