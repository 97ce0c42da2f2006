"""What the control API does, as a table: each operation with what it takes and gives in JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from .account import World
from .state import UNSET


def _of(words: str, fits: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """Reads a value that fits as it is, and refuses every other one in these words."""

    def read(value: Any) -> Any:
        if not fits(value):
            raise ValueError(f"must be {words}, not {value!r:.40}")
        return value

    return read


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _number(value: Any) -> Any:
    # A fraction arrives as a Decimal, and may be sent as text like an amount of money.
    if type(value) in (int, Decimal, str):
        try:
            return value if isinstance(value, int) else float(value)
        except ValueError:
            pass
    raise ValueError(f"must be a number, not {value!r:.40}")


def _count(value: Any) -> int:
    # In a query numbers are text.
    text = str(value) if type(value) in (int, str) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError(f"must be a whole number from 0, not {value!r:.40}")
    return int(text)


def _date(value: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"must be a date, YYYY-MM-DD, not {value!r:.40}") from None


#: What reads each kind of value; ``any`` is checked by whom it is for.
KINDS: Mapping[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "text": _of("a string", lambda value: isinstance(value, str)),
    "number": _number,
    "count": _count,
    "flag": _of("true or false", lambda value: type(value) is bool),
    "names": _of("a list of strings", _is_strings),
    "object": _of("an object", lambda value: isinstance(value, dict)),
    "date": _date,
    #: A number, or the least and the most.
    "seconds": lambda value: [*map(_number, value)] if isinstance(value, list) else _number(value),
}


class Extension:
    """What `Control` has for one vendor and not for every one. Safe across threads."""

    OPERATIONS: ClassVar[Sequence[Operation]] = ()

    def __init__(self, control: Any) -> None:
        self._control = control

    @property
    def _world(self) -> World:
        # As it is now: a reset gives the account another one.
        world: World = self._control.world
        return world

    @property
    def _open_world(self) -> World:
        """As `_world`, for a change; ValueError once the account is closed."""
        world: World = self._control.open_world
        return world


@attrs.frozen
class Operation:
    """One operation of the control API; `path` is that below the prefix, ``{}`` for the rest of it.

    `run` is called with the `Control`, the rest of the path if there is one, and what was sent, by
    name. `takes` has the kind of each value that can be sent, by name; one with ``!`` is needed.
    POST takes them in JSON, GET in the query. `gives` is the name of its result in the answer, None
    for a result that is an object itself.
    """

    method: str
    path: str
    run: Callable[..., Any]
    says: str
    takes: Mapping[str, str] = attrs.field(factory=dict)
    gives: str | None = None

    def __call__(self, control: Any, rest: str, sent: Mapping[str, Any]) -> Any:
        """What it gives, as JSON; ValueError for what was sent and does not fit."""
        kinds = {name.rstrip("!"): kind for name, kind in self.takes.items()}
        for name in sorted(sent):
            if name not in kinds:
                known = ", ".join(kinds) or "nothing"
                raise ValueError(f"{name!r:.60} is not known here; this takes {known}")
        given: dict[str, Any] = {}
        for name, kind in kinds.items():
            is_needed = f"{name}!" in self.takes
            if is_needed and name not in sent:
                raise ValueError(f"{name} is missing")
            if name in sent:
                # Null is nothing, where a value may be left out; some values are null themselves.
                is_left_out = sent[name] is None and not is_needed
                try:
                    given[name] = None if is_left_out else KINDS[kind](sent[name])
                except ValueError as problem:
                    raise ValueError(f"{name} {problem}") from None
        result = self.run(control, *([rest] if "{}" in self.path else []), **given)
        if self.gives is not None:
            return {self.gives: plain(result)}
        return {} if result is None else plain(result)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: times in ISO 8601, amounts of money as text."""
    for kind, shape in _SHAPES:
        if isinstance(value, kind):
            return shape(value)
    if attrs.has(type(value)):
        shown = {f.name: getattr(value, f.name) for f in attrs.fields(type(value))}
        # What was not set is left out: null would say that there is no score.
        return {name: plain(one) for name, one in shown.items() if one is not UNSET}
    return str(value)


_SHAPES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), lambda value: value),
    (dt.date, lambda day: day.isoformat()),
    (Decimal, "{:.4f}".format),
    (Mapping, lambda known: {str(name): plain(one) for name, one in known.items()}),
    ((list, tuple), lambda many: [plain(one) for one in many]),
    ((set, frozenset), lambda many: sorted(plain(one) for one in many)),
)
