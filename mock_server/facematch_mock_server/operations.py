"""What the control API does, as a table: each operation with what it takes and gives in JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from .account import World
from .state import UNSET


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - one error for bad bodies
    return value


def _number(value: Any) -> Any:
    # A fraction arrives as a Decimal, and may be sent as text like an amount of money.
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise ValueError(f"must be a number, not {value!r:.40}")  # noqa: TRY004 - one error for bad bodies
    try:
        return value if isinstance(value, int) else float(value)
    except ValueError:
        raise ValueError(f"must be a number, not {value!r:.40}") from None


def _flag(value: Any) -> Any:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _names(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("must be a list of strings")
    return value


def _object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("must be an object")  # noqa: TRY004 - as above
    return value


def _date(value: Any) -> Any:
    try:
        return dt.date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"must be a date, YYYY-MM-DD, not {value!r:.40}") from None


def _seconds(value: Any) -> Any:
    """A number, or the least and the most."""
    return [_number(one) for one in value] if isinstance(value, list) else _number(value)


#: What reads each kind of value; ``any`` is checked by whom it is for.
KINDS: Mapping[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "text": _text,
    "number": _number,
    "flag": _flag,
    "names": _names,
    "object": _object,
    "date": _date,
    "seconds": _seconds,
}


class Extension:
    """What `Control` has for one vendor and not for every one. Safe across threads.

    Args:
        control: Of the account, at that vendor.
    """

    OPERATIONS: ClassVar[Sequence[Operation]] = ()

    def __init__(self, control: Any) -> None:
        self._control = control

    @property
    def _world(self) -> World:
        # As it is now: a reset gives the account another one.
        world: World = self._control.world
        return world


@attrs.frozen
class Operation:
    """One operation of the control API.

    Attributes:
        method, path: Of it; the path below the prefix, ``{}`` for the rest of it.
        run: Called with the `Control`, the rest of the path if there is one, and what was sent, by
            name.
        says: What it does, in one sentence.
        takes: The kind of each value that can be sent, by name; a name with ``!`` is needed.
        gives: The name of its result in the answer; None for a result that is an object itself.
    """

    method: str
    path: str
    run: Callable[..., Any]
    says: str
    takes: Mapping[str, str] = attrs.field(factory=dict)
    gives: str | None = None

    def __call__(self, control: Any, rest: str, body: Mapping[str, Any]) -> Any:
        """What it gives, as JSON; ValueError for a body that does not fit."""
        kinds = {name.rstrip("!"): kind for name, kind in self.takes.items()}
        unknown = sorted(set(body) - set(kinds))
        if unknown:
            known = ", ".join(kinds) or "nothing"
            raise ValueError(f"{unknown[0]!r:.60} is not known here; this takes {known}")
        given: dict[str, Any] = {}
        for name, kind in kinds.items():
            if name not in body:
                if f"{name}!" in self.takes:
                    raise ValueError(f"{name} is missing")
                continue
            # Null is nothing, where a value may be left out; some values are null themselves.
            if body[name] is None and f"{name}!" not in self.takes:
                given[name] = None
                continue
            try:
                given[name] = KINDS[kind](body[name])
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
