"""Drawing a card: a face that people see, its facts as text, and the block code."""

from __future__ import annotations

import hashlib

import PIL.Image
from PIL import ImageDraw, ImageFont

from . import _code
from ._card import Card
from ._layout import CELL, CODE_LEFT, CODE_TOP, FACES, HEIGHT, WIDTH
from ._payload import payload_of

_Colour = tuple[int, int, int]

_SKINS: tuple[_Colour, ...] = ((244, 208, 177), (224, 172, 125), (176, 122, 82), (122, 80, 54))
_HAIRS: tuple[_Colour, ...] = ((40, 30, 25), (92, 60, 35), (190, 150, 70), (150, 150, 155))
_WALLS: tuple[_Colour, ...] = ((214, 228, 240), (226, 238, 214), (244, 230, 214), (232, 222, 242))
_INK: _Colour = (30, 34, 44)
_ALARM: _Colour = (178, 34, 34)
_WHITE: _Colour = (255, 255, 255)
#: Top edge in pixels of the lines of text, and how much larger than the font each one is.
_LINES = ((274, 3), (312, 2), (338, 2), (364, 2))


def drawn(card: Card) -> PIL.Image.Image:
    """The card upright, mode RGB, in its default size."""
    # One choice per person: the same person looks the same on every card.
    looks = hashlib.blake2b(card.person.encode(), digest_size=8).digest()
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, 268), fill=_WALLS[looks[0] % 4])
    for number, part in enumerate(FACES[card.faces]):
        # The others are other people: each takes its looks from another place.
        _face(draw, part.box((WIDTH, HEIGHT)), looks[1 + number :], attack=card.attack)
    for line, (top, scale) in zip(facts(card), _LINES, strict=True):
        _write(picture, line, top, scale)
    _draw_code(draw, card)
    return picture


def facts(card: Card) -> tuple[str, ...]:
    """The lines that stand on it, title first."""

    flags = [word for word in ("attack", "review") if getattr(card, word)]
    score = "by person" if card.score is None else f"{card.score:.2f}"
    return (
        f"test card  {card.person}",
        f"faces {card.faces}   quality {card.quality}   luminance {card.luminance}",
        f"liveness {_told(card.liveness)}   age {_told(card.age)}   gender {_told(card.gender)}",
        "   ".join([f"score {score}", *flags]),
    )


def _told(value: object) -> object:
    return "-" if value is None else value


def _face(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], looks: bytes, *, attack: bool
) -> None:
    left, top, right, bottom = box
    width, height = right - left, bottom - top

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
        # A face held up on a sheet: what an attack mostly is.
        draw.rectangle(place(-0.1, -0.12, 1.1, 1.02), outline=_ALARM, width=6)


def _write(picture: PIL.Image.Image, line: str, top: int, scale: int) -> None:
    # The font that every Pillow brings, and whole pixels: a card looks the same everywhere.
    font = ImageFont.load_default_imagefont()
    box = font.getbbox(line)
    mask = PIL.Image.new("L", (int(box[2]) + 1, int(box[3]) + 1))
    ImageDraw.Draw(mask).text((0, 0), line, fill=255, font=font)
    large = mask.resize((mask.width * scale, mask.height * scale), PIL.Image.Resampling.NEAREST)
    picture.paste(_INK, (CELL, top), large)


def _draw_code(draw: ImageDraw.ImageDraw, card: Card) -> None:
    for number, dark in enumerate(_code.dark_cells(payload_of(card))):
        if dark:
            y, x = divmod(number, _code.COLUMNS)
            left, top = CODE_LEFT + x * CELL, CODE_TOP + y * CELL
            draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), fill=(0, 0, 0))
