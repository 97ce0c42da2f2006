"""The ready test cards, by name."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .cards import Card


@attrs.frozen
class ReadyCard:
    """A test card with a name.

    Attributes:
        name: The file name without ``.png``.
        says: A short description.
        card: The card's facts.
    """

    name: str
    says: str
    card: Card

    @property
    def data(self) -> bytes:
        """The bytes of the card as a PNG file."""
        from .sheet import encode  # here, because it imports Pillow

        return encode(self.card)


#: The ready cards by name.
READY: Mapping[str, ReadyCard] = {
    name: ReadyCard(name, says, card)
    for name, says, card in (
        ("p1", "the first person", Card(person="p1")),
        ("p1-again", "another picture of the first person", Card(person="p1", quality=70)),
        ("p2", "another person", Card(person="p2")),
        ("no-face", "no face", Card(person="p1", faces=0)),
        ("two-faces", "two faces", Card(person="p1", faces=2)),
        (
            "spoof",
            "a presentation attack, with a low liveness score",
            Card(person="p1", attack=True, liveness=4),
        ),
    )
}


def card_sheet() -> dict[str, ReadyCard]:
    """Return the ready cards by name: p1, p1-again, p2, no-face, two-faces and spoof."""
    return dict(READY)
