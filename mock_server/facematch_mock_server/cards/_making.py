"""Making a card."""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

from ._card import Card
from ._layout import HEIGHT, WIDTH
from ._text_chunk import with_text

Kind = Literal["PNG", "JPEG", "WEBP", "TIFF"]

#: The shortest and the longest side that a card can be made with, in pixels. Below that, its code
#: would not survive being encoded.
MIN_SIDE, MAX_SIDE = 120, 4000
#: What the encoders are told. Cards are flat drawings: 90 is small and looks clean.
_OPTIONS: dict[Kind, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "JPEG": {"quality": 90},
    "WEBP": {"quality": 90},
    "TIFF": {"compression": "tiff_lzw"},
}


def make_card(
    person: str = "p1",
    *,
    faces: int = 1,
    quality: int = 85,
    luminance: int = 55,
    liveness: int | None = 97,
    attack: bool = False,
    age: int | None = None,
    gender: str | None = None,
    review: bool = False,
    score: float | None = None,
    turned: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    kind: Kind = "PNG",
) -> bytes:
    """Make a test card: a picture that tells a mock vendor what to see in it.

    The same arguments give the same picture. The facts are those of `Card`.

    Args:
        person: Who it is: 1-12 ASCII letters, digits, ``-`` or ``_``.
        turned: By how many degrees clockwise the card lies in its picture.
        size: Width and height in pixels of the upright card, each `MIN_SIDE` to `MAX_SIDE`.
        kind: Of the file. A PNG is read fastest: it has the facts as a text, too.

    Returns:
        The bytes of the file.

    Raises:
        ValueError: a value of another type or range.
    """
    card = Card(
        person=person,
        faces=faces,
        quality=quality,
        luminance=luminance,
        liveness=liveness,
        attack=attack,
        age=age,
        gender=gender,
        review=review,
        score=score,
        turned=turned,
    )
    if not _is_size(size):
        raise ValueError(
            f"size of a card is a width and a height from {MIN_SIDE} to {MAX_SIDE} pixels, "
            f"not {size!r:.40}"
        )
    if kind not in get_args(Kind):
        raise ValueError(f"kind of a card is one of {', '.join(get_args(Kind))}, not {kind!r:.40}")
    return picture_of(card, size, kind)


def _is_size(size: object) -> bool:
    return (
        isinstance(size, (tuple, list))
        and len(size) == 2
        and all(type(side) is int and MIN_SIDE <= side <= MAX_SIDE for side in size)
    )


def picture_of(card: Card, size: tuple[int, int] = (WIDTH, HEIGHT), kind: Kind = "PNG") -> bytes:
    """The file of a card; the arguments were checked before."""
    # Here, not above: whoever only reads a text chunk never needs Pillow.
    from PIL.Image import Resampling, Transpose

    from ._drawing import drawn

    picture = drawn(card)
    if size != picture.size:
        picture = picture.resize(size, Resampling.LANCZOS)
    # Pillow's names count against the clock.
    turns = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
    if card.turned:
        picture = picture.transpose(turns[card.turned])
    file = io.BytesIO()
    picture.save(file, kind, **_OPTIONS[kind])
    data = file.getvalue()
    return with_text(data, card) if kind == "PNG" else data
