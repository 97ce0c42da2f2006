"""Records of attrs classes as plain JSON and back."""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


@functools.cache
def _converter() -> Converter:
    # Loaded late: a world in memory writes no record.
    from cattrs import Converter

    converter = Converter()
    converter.register_unstructure_hook(enum.StrEnum, lambda word: word.value)
    converter.register_unstructure_hook(dt.datetime, lambda at: at.isoformat())
    converter.register_structure_hook(dt.datetime, lambda text, _: dt.datetime.fromisoformat(text))
    converter.register_unstructure_hook(dt.date, lambda day: day.isoformat())
    converter.register_structure_hook(dt.date, lambda text, _: dt.date.fromisoformat(text))
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    # A generic type is no class, so it is found by asking; what is JSON already stays as it is.
    converter.register_structure_hook_func(_is_json, lambda value, _: value)
    converter.register_unstructure_hook_func(_is_json, lambda value: value)
    return converter


def _is_json(wanted: Any) -> bool:
    return wanted in (Mapping[str, Any], Any)


def to_plain(value: Any) -> dict[str, Any]:
    """`value`, an instance of an attrs class, as plain JSON."""
    plain: dict[str, Any] = _converter().unstructure(value)
    return plain


def from_plain(cls: type[T], plain: Mapping[str, Any]) -> T:
    """What `to_plain` gave."""
    return _converter().structure(plain, cls)
