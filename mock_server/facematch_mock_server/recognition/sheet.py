"""Test cards are made, and nineteen ready ones with what each gives."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import PIL.Image
from PIL import ImageDraw, ImageFont
from PIL.Image import Resampling

from . import cards
from .cards import CELL, HEIGHT, WIDTH, Card

_Colour = tuple[int, int, int]

_SKINS: tuple[_Colour, ...] = ((244, 208, 177), (224, 172, 125), (176, 122, 82), (122, 80, 54))
_HAIRS: tuple[_Colour, ...] = ((40, 30, 25), (92, 60, 35), (190, 150, 70), (150, 150, 155))
_WALLS: tuple[_Colour, ...] = ((214, 228, 240), (226, 238, 214), (244, 230, 214), (232, 222, 242))
_INK, _ALARM, _WHITE = (30, 34, 44), (178, 34, 34), (255, 255, 255)
#: Top edge in pixels of the lines of text, and how much larger than the font each one is.
_LINES = ((274, 3), (312, 2), (338, 2), (364, 2))


def _draw(card: Card) -> PIL.Image.Image:
    # One choice per person: the same person looks the same on every card.
    looks = hashlib.blake2b(card.person.encode(), digest_size=8).digest()
    picture = PIL.Image.new("RGB", (WIDTH, HEIGHT), _WHITE)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, WIDTH, 268), fill=_WALLS[looks[0] % 4])
    for number, part in enumerate(cards.FACES[card.faces]):
        # The others are other people: each takes its looks from another place.
        _draw_face(draw, part.box((WIDTH, HEIGHT)), looks[1 + number :], attack=card.attack)
    # The font that every Pillow brings, and whole pixels: a card looks the same everywhere.
    font = ImageFont.load_default_imagefont()
    for line, (top, scale) in zip(_list_facts(card), _LINES, strict=True):
        box = font.getbbox(line)
        mask = PIL.Image.new("L", (int(box[2]) + 1, int(box[3]) + 1))
        ImageDraw.Draw(mask).text((0, 0), line, fill=255, font=font)
        large = mask.resize((mask.width * scale, mask.height * scale), Resampling.NEAREST)
        picture.paste(_INK, (CELL, top), large)
    for number, dark in enumerate(cards.dark_cells(cards.payload_of(card))):
        if dark:
            y, x = divmod(number, cards.COLUMNS)
            left, top = cards.CODE_LEFT + x * CELL, cards.CODE_TOP + y * CELL
            draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), fill=(0, 0, 0))
    return picture


def _list_facts(card: Card) -> tuple[str, ...]:
    """The lines that are on it, title first."""
    shown = {name: "-" if value is None else value for name, value in attrs.asdict(card).items()}
    last = ["score by person" if card.score is None else f"score {card.score:.2f}"]
    last += [word for word in ("attack", "review") if getattr(card, word)]
    ways = (("status", "status"), ("retry_after", "retry"), ("delay", "delay"), ("lost", "lost"))
    last += [f"{word} {shown[name]}" for name, word in ways if shown[name] != "-"]
    return (
        "test card  {person}".format(**shown),
        "faces {faces}   quality {quality}   luminance {luminance}".format(**shown),
        "liveness {liveness}   age {age}   gender {gender}".format(**shown),
        "   ".join(last),
    )


def _draw_face(
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


FileKind = Literal["PNG", "JPEG", "WEBP", "TIFF"]

#: The shortest and the longest side that a card can be made with, in pixels. Below that, its code
#: would not survive being encoded.
MIN_SIDE, MAX_SIDE = 120, 4000
#: Settings of the encoders. Cards are flat drawings: 90 is small and looks clean.
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
    """Make a test card: a picture that says what a mock vendor sees in it, or how a call fails.

    The same arguments give the same bytes. The facts are those of `Card`; a value that does not fit
    is a ValueError.

    Args:
        size: Width and height in pixels of the upright card, each `MIN_SIDE` to `MAX_SIDE`.
        kind: Of the file. A PNG is read fastest: it has the facts as a text, too.
    """
    facts = {name: value for name, value in locals().items() if name not in ("size", "kind")}
    card = Card(**facts)
    pair: Any = size
    sides = tuple(pair) if isinstance(pair, (tuple, list)) else ()
    is_size = all(type(side) is int and MIN_SIDE <= side <= MAX_SIDE for side in sides)
    if len(sides) != 2 or not is_size:
        raise ValueError(
            f"size of a card must be a width and a height from {MIN_SIDE} to {MAX_SIDE} pixels, "
            f"not {size!r:.40}"
        )
    if kind not in get_args(FileKind):
        raise ValueError(
            f"kind of a card must be one of {', '.join(get_args(FileKind))}, not {kind!r:.40}"
        )
    return _encode(card, (sides[0], sides[1]), kind)


# Once: a suite asks for the same few cards all the time, and each takes 10 ms.
@functools.lru_cache(maxsize=64)
def _encode(card: Card, size: tuple[int, int] = (WIDTH, HEIGHT), kind: FileKind = "PNG") -> bytes:
    picture = _draw(card)
    if size != picture.size:
        picture = picture.resize(size, Resampling.LANCZOS)
    # Pillow turns against the clock.
    picture = picture.rotate(-card.turned, expand=True)
    file = io.BytesIO()
    picture.save(file, kind, **_OPTIONS[kind])
    data = file.getvalue()
    return cards.add_text(data, card) if kind == "PNG" else data


#: The table beside the cards. The score is the one against p1, empty without an upright face.
TABLE = "sheet.csv"
_TITLES = (
    *("file", "person", "what it is", "score with p1"),
    *("didit face match with p1", "match risks", "didit liveness", "liveness risks"),
    *("deepvue match with p1", "deepvue is_live"),
)


def _as_tags(risks: Iterable[str]) -> frozenset[str]:
    return frozenset(risks)


@attrs.frozen
class Verdict:
    """What a vendor says of a card.

    Attributes:
        status: In the vendor's word.
        risks: The tags of its warnings.
    """

    status: str
    risks: frozenset[str] = attrs.field(default=frozenset(), converter=_as_tags)


@attrs.frozen
class SheetCard:
    """One card of the sheet.

    Attributes:
        name: Its file is called so, with ``.png``.
        says: What it is for, in a few words.
        card: Its facts.
        didit_match: Didit's answer to the card as `user_image` and ``p1`` as `ref_image`, at the
            default threshold and without `rotate_image`, in the edition 2026-07.
        didit_liveness: Didit's answer to the card in passive liveness, likewise.
        deepvue_match: Deepvue's `match` of the card and ``p1`` as JSON has it, or its message.
        deepvue_liveness: Deepvue's `is_live` of the card, likewise.
    """

    name: str
    says: str
    card: Card
    didit_match: Verdict
    didit_liveness: Verdict
    deepvue_match: Verdict
    deepvue_liveness: Verdict

    @property
    def data(self) -> bytes:
        """The bytes of its PNG, as the wheel brings it."""
        return resources.files(__package__).joinpath("sheet_cards", f"{self.name}.png").read_bytes()

    @property
    def score(self) -> float | None:
        """Its score against ``p1``, 0-100; None if it has no upright face."""
        if not self.card.faces or self.card.turned:
            return None
        exact = self.card.score
        return cards.pair_score(self.card.person, "p1") if exact is None else exact


_YES, _TRUE, _FALSE = Verdict("Approved"), Verdict("true"), Verdict("false")
_UNLIKE = Verdict("Declined", ["LOW_FACE_MATCH_SIMILARITY"])
_LOW, _ATTACK = "LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK"
_NONE = Verdict("Face not detected")
_NO_PAIR, _NO_FACE = (
    Verdict("Declined", [f"NO_{what}"]) for what in ("REFERENCE_IMAGE", "FACE_DETECTED")
)

# Didit's match and liveness, Deepvue's match and liveness. They are written out, not worked out:
# they are what the mock is held to.
_FINE = (_YES, _YES, _TRUE, _TRUE)
_NOBODY = (_NO_PAIR, _NO_FACE, _NONE, _NONE)
_OTHER = (_UNLIKE, _YES, _FALSE, _TRUE)
_NOT_LIVE = (_YES, Verdict("Declined", [_LOW]), _TRUE, _FALSE)
_ATTACKED = (_YES, Verdict("Declined", [_ATTACK]), _TRUE, _FALSE)
_SPOOFED = (_YES, Verdict("Declined", [_LOW, _ATTACK]), _TRUE, _FALSE)
_SEVERAL = (_YES, Verdict("Approved", ["MULTIPLE_FACES_DETECTED"]), _TRUE, _TRUE)
# Enough for Didit, not for Deepvue.
_HALF = (_YES, _YES, _FALSE, _TRUE)

_p1 = functools.partial(Card, person="p1")

_CARDS = (
    SheetCard("p1", "the first person", _p1(), *_FINE),
    SheetCard("p1-again", "another picture of the first person", _p1(quality=70), *_FINE),
    SheetCard("p2", "somebody else", Card(person="p2"), *_OTHER),
    SheetCard("no-face", "nobody in it", _p1(faces=0), *_NOBODY),
    SheetCard("two-faces", "one more face", _p1(faces=2), *_SEVERAL),
    SheetCard("turned-90", "turned by 90 degrees clockwise", _p1(turned=90), *_NOBODY),
    SheetCard("turned-180", "upside down", _p1(turned=180), *_NOBODY),
    SheetCard("turned-270", "turned by 270 degrees clockwise", _p1(turned=270), *_NOBODY),
    SheetCard(
        "spoof", "an attack, with a low liveness score", _p1(attack=True, liveness=4), *_SPOOFED
    ),
    SheetCard("attack", "an attack, with a high liveness score", _p1(attack=True), *_ATTACKED),
    SheetCard("not-live", "a low liveness score", _p1(liveness=12), *_NOT_LIVE),
    SheetCard("liveness-30", "a liveness score of 30", _p1(liveness=30), *_NOT_LIVE),
    SheetCard("liveness-none", "a face without a score", _p1(liveness=None), *_NOT_LIVE),
    SheetCard("dark", "too dark", _p1(luminance=8), *_FINE),
    SheetCard("bright", "too bright", _p1(luminance=95), *_FINE),
    SheetCard("blurred", "of low quality", _p1(quality=10), *_FINE),
    SheetCard("review", "a person is to look, where a vendor can say so", _p1(review=True), *_FINE),
    SheetCard("score-30", "a match score of 30", _p1(score=30.0), *_OTHER),
    SheetCard("score-30-01", "a match score just above 30", _p1(score=30.01), *_HALF),
)


def card_sheet() -> dict[str, SheetCard]:
    """The nineteen ready cards by name."""
    return {card.name: card for card in _CARDS}


def table() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TITLES)
    for card in _CARDS:
        score = "" if card.score is None else f"{card.score:.2f}"
        verdicts = (card.didit_match, card.didit_liveness)
        cells = [cell for v in verdicts for cell in (v.status, " ".join(sorted(v.risks)))]
        cells += [card.deepvue_match.status, card.deepvue_liveness.status]
        writer.writerow([f"{card.name}.png", card.card.person, card.says, score, *cells])
    return text.getvalue()


def write_sheet(folder: Path) -> None:
    """Draw the cards and write them and `TABLE` into a folder; the package's own are written so."""
    for card in _CARDS:
        (folder / f"{card.name}.png").write_bytes(_encode(card.card))
    (folder / TABLE).write_text(table(), encoding="utf-8")


def sheet_files() -> tuple[str, ...]:
    return (*(f"{card.name}.png" for card in _CARDS), TABLE)
