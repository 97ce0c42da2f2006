"""Test cards: pictures that tell a mock vendor what to see in them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._card import Card
from ._reading import read_card

if TYPE_CHECKING:
    from ._making import make_card
    from ._sheet import SheetCard, Verdict, card_sheet, write_sheet

__all__ = [
    "Card",
    "SheetCard",
    "Verdict",
    "card_sheet",
    "make_card",
    "read_card",
    "write_sheet",
]

#: Where the other public names live. They are imported when they are first used: a server reads
#: cards, and neither makes nor lists them.
_HOMES = {
    "SheetCard": "_sheet",
    "Verdict": "_sheet",
    "card_sheet": "_sheet",
    "make_card": "_making",
    "write_sheet": "_sheet",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
