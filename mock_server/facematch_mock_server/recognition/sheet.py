"""Draw and encode test cards."""

from __future__ import annotations

import functools
import io
from typing import Any, Literal, get_args

import attrs
import PIL.Image
from PIL import ImageDraw, ImageFont
from PIL.Image import Resampling

from .block_code import dark_cells
from .cards import Card, seeded_bytes
from .layout import CELL, CODE_LEFT, CODE_TOP, COLUMNS, FACES, HEIGHT, WIDTH
from .payload import encode_card

_Colour = tuple[int, int, int]

_SKINS: tuple[_Colour, ...] = ((244, 208, 177), (224, 172, 125), (176, 122, 82), (122, 80, 54))
_HAIRS: tuple[_Colour, ...] = ((40, 30, 25), (92, 60, 35), (190, 150, 70), (150, 150, 155))
_WALLS: tuple[_Colour, ...] = ((214, 228, 240), (226, 238, 214), (244, 230, 214), (232, 222, 242))
_INK: _Colour = (30, 34, 44)
_ALARM: _Colour = (178, 34, 34)
_WHITE: _Colour = (255, 255, 255)
#: The lines of text: top edge in pixels, and scale relative to the font.
_LINES = ((274, 3), (312, 2), (338, 2), (364, 2))


def _draw(card: Card) -> PIL.Image.Image:
    """Draw a card: a wall, its faces, its facts in words, and its code in cells.

    It looks the same on every machine, and a person the same on every card.
    """
    # Derived from the name, so that a person looks the same on every card.
    looks = seeded_bytes(card.person, 8)
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, 268), fill=_WALLS[looks[0] % 4])
    for number, area in enumerate(FACES[card.faces]):
        # The appearance of each additional face is derived from another part of the digest.
        _draw_face(draw, area.box((WIDTH, HEIGHT)), looks[1 + number :], attack=card.attack)
    # With Pillow's built-in font and whole pixels, cards look the same on every machine.
    font = ImageFont.load_default_imagefont()
    for line, (top, scale) in zip(_list_facts(card), _LINES, strict=True):
        box = font.getbbox(line)
        mask = PIL.Image.new("L", (int(box[2]) + 1, int(box[3]) + 1))
        ImageDraw.Draw(mask).text((0, 0), line, fill=255, font=font)
        large = mask.resize((mask.width * scale, mask.height * scale), Resampling.NEAREST)
        picture.paste(_INK, (CELL, top), large)
    for number, is_dark in enumerate(dark_cells(encode_card(card))):
        if is_dark:
            row, column = divmod(number, COLUMNS)
            left = CODE_LEFT + column * CELL
            top = CODE_TOP + row * CELL
            draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), fill=(0, 0, 0))
    return picture


def _list_facts(card: Card) -> tuple[str, ...]:
    """Return the lines of text on a card, starting with the title."""
    texts = {name: "-" if value is None else value for name, value in attrs.asdict(card).items()}
    last_line = ["score by person" if card.score is None else f"score {card.score:.2f}"]
    if card.attack:
        last_line.append("attack")
    if card.review:
        last_line.append("review")
    # The failures of calls with the card, and their names on it.
    failures = {"status": "status", "retry_after": "retry", "delay": "delay", "lost": "lost"}
    for name, label in failures.items():
        if getattr(card, name) is not None:
            last_line.append(f"{label} {texts[name]}")
    return (
        f"test card  {card.person}",
        "faces {faces}   quality {quality}   luminance {luminance}".format(**texts),
        "liveness {liveness}   age {age}   gender {gender}".format(**texts),
        "   ".join(last_line),
    )


def _draw_face(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], looks: bytes, *, attack: bool
) -> None:
    """Draw a face into a box.

    The bytes of `looks` choose its colours, an attack gets a frame of paper.
    """
    left, top, right, bottom = box
    width = right - left
    height = bottom - top

    def place(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return left + x0 * width, top + y0 * height, left + x1 * width, top + y1 * height

    draw.ellipse(place(-0.06, -0.08, 1.06, 0.75), fill=_HAIRS[looks[1] % 4])
    draw.ellipse(box, fill=_SKINS[looks[0] % 4])
    for x in (0.3, 0.7):
        draw.ellipse(place(x - 0.1, 0.36, x + 0.1, 0.46), fill=_WHITE)
        draw.ellipse(place(x - 0.04, 0.37, x + 0.04, 0.45), fill=_INK)
    draw.line(place(0.5, 0.46, 0.46, 0.62), fill=_INK, width=3)
    draw.arc(place(0.28, 0.5, 0.72, 0.84), 25, 155, fill=_INK, width=4)
    if attack:
        # Draw a spoof as a face on a sheet of paper.
        draw.rectangle(place(-0.1, -0.12, 1.1, 1.02), outline=_ALARM, width=6)


FileKind = Literal["PNG", "JPEG", "WEBP", "TIFF"]

#: Minimum side of a card in pixels. A smaller code would be unreadable.
MIN_SIDE = 120
#: Maximum side of a card in pixels.
MAX_SIDE = 4000
#: Encoder settings. For flat drawings, quality 90 gives small files without artefacts.
_OPTIONS: dict[FileKind, dict[str, Any]] = {
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
    status: int | None = None,
    retry_after: int | None = None,
    delay: float | None = None,
    lost: str | None = None,
    turned: int = 0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    kind: FileKind = "PNG",
) -> bytes:
    """Make a test card: a picture that encodes a mock vendor's results, or how calls with it fail.

    The same arguments produce the same bytes. For the other arguments see `Card`. Raises ValueError
    for an invalid value.

    Args:
        size: Width and height in pixels of the upright card, each `MIN_SIDE` to `MAX_SIDE`.
        kind: The file format.
    """
    facts = {name: value for name, value in locals().items() if name not in ("size", "kind")}
    card = Card(**facts)
    pair: Any = size
    width_and_height = tuple(pair) if isinstance(pair, (tuple, list)) else ()
    is_size = all(type(side) is int and MIN_SIDE <= side <= MAX_SIDE for side in width_and_height)
    if len(width_and_height) != 2 or not is_size:
        raise ValueError(
            f"size of a card must be width and height, {MIN_SIDE} to {MAX_SIDE} pixels each, "
            f"not {size!r:.40}"
        )
    if kind not in get_args(FileKind):
        raise ValueError(
            f"kind of a card must be one of {', '.join(get_args(FileKind))}, not {kind!r:.40}"
        )
    return encode(card, (width_and_height[0], width_and_height[1]), kind)


# Cached because a test suite uses the same few cards, and drawing each takes 10 ms.
@functools.lru_cache(maxsize=64)
def encode(card: Card, size: tuple[int, int] = (WIDTH, HEIGHT), kind: FileKind = "PNG") -> bytes:
    """Return a card as a file of this size and kind."""
    picture = _draw(card)
    if size != picture.size:
        picture = picture.resize(size, Resampling.LANCZOS)
    # Pillow rotates counterclockwise.
    picture = picture.rotate(-card.turned, expand=True)
    file = io.BytesIO()
    picture.save(file, kind, **_OPTIONS[kind])
    return file.getvalue()
