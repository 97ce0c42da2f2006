"""Test cards: pictures that tell a mock vendor what to see in them."""

from ._card import Card
from ._making import make_card
from ._reading import read_card
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
