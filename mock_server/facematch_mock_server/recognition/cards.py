"""Test cards: pictures that encode the results that a mock vendor returns for them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

if TYPE_CHECKING:
    import PIL.Image

_PERSON = re.compile(r"[A-Za-z0-9_-]{1,12}")

#: The possible rotations in degrees.
TURNS = (0, 90, 180, 270)
GENDERS = ("female", "male")
LOSSES = ("before_charge", "after_charge")
#: The highest age a card can encode, in years.
MAX_AGE = 120


def _must_be(words: str, fits: Callable[[Any], bool]) -> Callable[..., None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not fits(value):
            raise ValueError(f"{attribute.name} of a card must be {words}, not {value!r:.40}")

    return check


def _one_of(*values: object) -> Callable[..., None]:
    # Compare the type as well: True == 1, and 90.0 == 90.
    pairs = [(type(value), value) for value in values]
    return _must_be(
        f"one of {', '.join(map(str, values))}", lambda value: (type(value), value) in pairs
    )


def _number(low: float, high: float, decimals: int = 0, *, optional: bool = True) -> Any:
    kinds = (int, float) if decimals else (int,)
    words = f"a whole number from {low} to {high}"
    if decimals:
        words = f"between {low} and {high} in steps of {10**-decimals},"

    def fits(value: Any) -> bool:
        if not isinstance(value, kinds) or isinstance(value, bool):
            return value is None and optional
        return low <= value <= high and round(value, decimals) == value

    return _must_be(words + " or None" * optional, fits)


_person = _must_be(
    "1 to 12 letters, digits, hyphens or underscores (ASCII)",
    lambda value: isinstance(value, str) and _PERSON.fullmatch(value) is not None,
)


@attrs.frozen(kw_only=True)
class Card:
    """The facts that a test card encodes, and how calls with the card fail, if they do.

    At most one of `status`, `delay` and `lost` can be set. Raises ValueError for an invalid
    value.

    Attributes:
        person: The person's name: 1-12 ASCII letters, digits, ``-`` or ``_``; case-sensitive.
        faces: The number of faces, 0-4. The largest face belongs to `person`.
        quality, luminance: Quality and luminance of the face, 0-100.
        liveness: The score of a liveness check, 0-100; None for no score.
        attack: Whether a presentation attack is detected.
        age: The age in years, 0-120; None to derive it from `person`.
        gender: ``female`` or ``male``; None to derive it from `person`.
        review: Whether comparisons with the card need a manual review.
        score: The exact score of comparisons with the card, 0-100 with at most two decimals; None
            to derive it from the two persons. The probe's score overrides the reference's.
        status: The response status of calls with the card, 400-599; they are not charged.
        retry_after: Seconds in ``Retry-After``, 0-60; requires a status. None for the vendor's
            own header, if any.
        delay: Seconds by which the response is delayed, 0.1-600 with at most one decimal; the call
            is charged at once.
        lost: When to reset the connection, without a response: ``before_charge`` or
            ``after_charge``.
        turned: The clockwise rotation of the card in degrees: 0, 90, 180 or 270.
    """

    person: str = attrs.field(validator=_person)
    faces: int = attrs.field(default=1, validator=_number(0, 4, optional=False))
    quality: int = attrs.field(default=85, validator=_number(0, 100, optional=False))
    luminance: int = attrs.field(default=55, validator=_number(0, 100, optional=False))
    liveness: int | None = attrs.field(default=97, validator=_number(0, 100))
    attack: bool = attrs.field(default=False, validator=_one_of(False, True))
    age: int | None = attrs.field(default=None, validator=_number(0, MAX_AGE))
    gender: str | None = attrs.field(default=None, validator=_one_of(*GENDERS, None))
    review: bool = attrs.field(default=False, validator=_one_of(False, True))
    score: float | None = attrs.field(default=None, validator=_number(0, 100, 2))
    status: int | None = attrs.field(default=None, validator=_number(400, 599))
    retry_after: int | None = attrs.field(default=None, validator=_number(0, 60))
    delay: float | None = attrs.field(default=None, validator=_number(0.1, 600, 1))
    lost: str | None = attrs.field(default=None, validator=_one_of(*LOSSES, None))
    turned: int = attrs.field(default=0, validator=_one_of(*TURNS))

    def __attrs_post_init__(self) -> None:
        if sum(way is not None for way in (self.status, self.delay, self.lost)) > 1:
            raise ValueError("a card can have only one of status, delay and lost")
        if self.retry_after is not None and self.status is None:
            raise ValueError("retry_after of a card requires a status, such as 503")

    @functools.cached_property
    def fails(self) -> bool:
        return self.status is not None or self.delay is not None or self.lost is not None

    @property
    def angle(self) -> int:
        """The clockwise rotation in degrees that makes the picture upright."""
        return -self.turned % 360


@attrs.frozen
class ReadyCard:
    """A test card that is included in the package.

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
        """The bytes of the PNG file in the package."""
        from importlib import resources  # imported here to save 2 ms

        return resources.files(__package__).joinpath("sheet_cards", f"{self.name}.png").read_bytes()


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


#: The default size of a card in pixels.
WIDTH, HEIGHT = 480, 640
#: The side of a cell and the top left corner of the code, in pixels.
CELL, CODE_LEFT, CODE_TOP = 16, 16, 400


class Part(NamedTuple):
    """A part of an upright picture, with edges as fractions of the picture's sides."""

    left: float
    top: float
    right: float
    bottom: float

    def turned(self, degrees: int) -> Part:
        """Return the part after turning the picture clockwise by 0, 90, 180 or 270 degrees."""
        part = self
        for _ in range(degrees // 90):
            part = Part(1 - part.bottom, part.left, 1 - part.top, part.right)
        return part

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        left, top, right, bottom = self.of(size)
        return round(left), round(top), round(right), round(bottom)

    def of(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        width, height = size
        return self.left * width, self.top * height, self.right * width, self.bottom * height


def _part(left: int, top: int, width: int, height: int) -> Part:
    right, bottom = left + width, top + height
    return Part(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT)


CODE = _part(CODE_LEFT, CODE_TOP, 28 * CELL, 14 * CELL)
#: The positions of a card's faces, largest first, by the number of faces.
FACES: tuple[tuple[Part, ...], ...] = (
    (),
    (_part(150, 40, 180, 220),),
    (_part(70, 40, 170, 210), _part(270, 70, 130, 160)),
    (_part(160, 40, 160, 200), _part(30, 90, 110, 140), _part(340, 100, 100, 130)),
    (
        *(_part(150, 30, 150, 185), _part(20, 90, 105, 130)),
        *(_part(325, 60, 100, 125), _part(375, 190, 75, 90)),
    ),
)


#: The size of the payload in bytes, for a normal card and for a failing card.
PAYLOAD_BYTES, FAILING_BYTES = SIZES = (16, 18)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_GENDERS = (None, *GENDERS)
#: Each field's name and width in bits, highest bits first. A field with all bits set is None.
_PARTS: tuple[tuple[str, int], ...] = (
    *(("version", 3), ("length", 4), ("person", 72), ("faces", 3), ("quality", 7)),
    *(("luminance", 7), ("liveness", 7), ("attack", 1), ("review", 1), ("age", 7)),
    *(("gender", 2), ("score", 14)),
)
_OPTIONAL = frozenset({"liveness", "age", "score"})
#: A failure's two highest bits are its kind. The other 14 are the status minus 400 (8 bits) and
#: Retry-After in seconds (6 bits), the delay in tenths of a second, or the index in `LOSSES`.
_STATUS, _DELAY, _LOST = range(3)
_NO_WAIT = 63


def payload_of(card: Card) -> bytes:
    """Encode a card in `PAYLOAD_BYTES` bytes, or in `FAILING_BYTES` if its calls fail."""
    failure = _failure_of(card)
    person = 0
    for letter in card.person:
        person = person << 6 | _ALPHABET.index(letter)
    values = attrs.asdict(card) | {
        "version": 1 if failure is None else 2,
        "length": len(card.person),
        "person": person,
        "gender": _GENDERS.index(card.gender),
        "score": None if card.score is None else round(card.score * 100),
    }
    bits = 0
    for name, width in _PARTS:
        value = values[name]
        bits = bits << width | ((1 << width) - 1 if value is None else int(value))
    payload = bits.to_bytes(PAYLOAD_BYTES, "big")
    return payload if failure is None else payload + failure.to_bytes(2, "big")


def _failure_of(card: Card) -> int | None:
    """Encode a card's failure in sixteen bits; None if the card does not fail."""
    if card.status is not None:
        wait = _NO_WAIT if card.retry_after is None else card.retry_after
        return _STATUS << 14 | card.status - 400 << 6 | wait
    if card.delay is not None:
        return _DELAY << 14 | round(card.delay * 10)
    return None if card.lost is None else _LOST << 14 | LOSSES.index(card.lost)


def _read_failure(bits: int) -> dict[str, Any]:
    """Decode a failure. Raises ValueError for an unknown failure."""
    way, value = bits >> 14, bits & 0x3FFF
    if way == _STATUS:
        wait = value & 0x3F
        return {"status": 400 + (value >> 6), "retry_after": None if wait == _NO_WAIT else wait}
    if way == _DELAY:
        return {"delay": value / 10}
    if way != _LOST or value >= len(LOSSES):
        raise ValueError("a failure of a newer card format")
    return {"lost": LOSSES[value]}


def card_of(payload: bytes, turned: int) -> Card | None:
    """Decode a card. Returns None for invalid bits and newer formats."""
    bits, failure = int.from_bytes(payload[:PAYLOAD_BYTES], "big"), payload[PAYLOAD_BYTES:]
    parts: dict[str, Any] = {}
    for name, width in reversed(_PARTS):
        ones = (1 << width) - 1
        value = bits & ones
        parts[name] = None if name in _OPTIONAL and value == ones else value
        bits >>= width
    version, length, person = (parts.pop(name) for name in ("version", "length", "person"))
    gender = parts["gender"]
    if version != (2 if failure else 1) or gender >= len(_GENDERS) or person >> 6 * length:
        return None
    letters = (_ALPHABET[person >> 6 * place & 63] for place in reversed(range(length)))
    parts |= {"person": "".join(letters), "gender": _GENDERS[gender], "turned": turned}
    parts |= {name: bool(parts[name]) for name in ("attack", "review")}
    if parts["score"] is not None:
        parts["score"] /= 100
    try:
        if failure:
            parts |= _read_failure(int.from_bytes(failure, "big"))
        return Card(**parts)
    except ValueError:
        return None


COLUMNS, ROWS = 28, 14
#: Grey values per cell in each direction. Only the middle one is used.
FINENESS = 3

#: The number of bits in the longest payload, including the checksum.
_BITS = 8 * (FAILING_BYTES + 4)
#: Top left, top right, bottom left and bottom right corner. Each word is a row; # is dark.
_CORNERS = ("### #.# ###", "... .#. ...", "#.# .#. #.#", "### ... ###")
#: Maximum number of wrong cells in the four corners: as many as one corner has.
_MAX_WRONG = 9
#: Minimum difference between dark and light cells, on a scale of 256 grey levels.
_MIN_CONTRAST = 32


_PLACES = ((0, 0), (COLUMNS - 3, 0), (0, ROWS - 3), (COLUMNS - 3, ROWS - 3))
#: Whether each corner cell is dark, by cell number (row by row).
_CORNER_CELLS = {
    (top + y) * COLUMNS + left + x: cell == "#"
    for (left, top), pattern in zip(_PLACES, _CORNERS, strict=True)
    for y, row in enumerate(pattern.split())
    for x, cell in enumerate(row)
}


def _list_half(columns: range) -> tuple[int, ...]:
    cells = (y * COLUMNS + x for x in columns for y in range(ROWS))
    return tuple(cell for cell in cells if cell not in _CORNER_CELLS)[:_BITS]


_LEFT = _list_half(range(COLUMNS // 2))
_RIGHT = _list_half(range(COLUMNS // 2, COLUMNS))
#: The index of each cell's center in the grey values.
_CENTERS = tuple(
    (y * FINENESS + FINENESS // 2) * COLUMNS * FINENESS + x * FINENESS + FINENESS // 2
    for y in range(ROWS)
    for x in range(COLUMNS)
)
#: The indices of the centers of dark and light cells in the corners.
_DARK = tuple(_CENTERS[cell] for cell, is_dark in _CORNER_CELLS.items() if is_dark)
_LIGHT = tuple(_CENTERS[cell] for cell, is_dark in _CORNER_CELLS.items() if not is_dark)


def dark_cells(payload: bytes) -> list[bool]:
    """Return whether each cell is dark, row by row."""
    whole = payload + zlib.crc32(payload).to_bytes(4, "big")
    bits = f"{int.from_bytes(whole, 'big'):0{8 * len(whole)}b}"
    cells = [False] * (COLUMNS * ROWS)
    for cell, dark in _CORNER_CELLS.items():
        cells[cell] = dark
    # If the payload is short, the last cells stay light.
    for left, right, bit in zip(_LEFT, _RIGHT, bits, strict=False):
        cells[left], cells[right] = bit == "1", bit == "0"
    return cells


def read_payload(greys: Sequence[int]) -> bytes | None:
    """Return the payload of an upright code, read from grey values row by row, or None.

    Each cell has `FINENESS` x `FINENESS` values, from 0 (black) to 255.
    """
    darks = sorted([greys[middle] for middle in _DARK])
    lights = sorted([greys[middle] for middle in _LIGHT])
    # Medians are used so that a covered corner has no effect.
    dark, light = darks[len(darks) // 2], lights[len(lights) // 2]
    if light - dark < _MIN_CONTRAST:
        return None
    level = (dark + light) / 2
    wrong = sum(grey >= level for grey in darks) + sum(grey < level for grey in lights)
    if wrong > _MAX_WRONG:
        return None
    left = [level - greys[_CENTERS[cell]] for cell in _LEFT]
    right = [greys[_CENTERS[cell]] - level for cell in _RIGHT]
    both = [a + b for a, b in zip(left, right, strict=True)]
    return next(filter(None, map(_payload_of_bits, (both, left, right))), None)


def _payload_of_bits(darkness: Sequence[float]) -> bytes | None:
    """Return the payload of either size, or None if no checksum is valid."""
    bits = int("".join("1" if value > 0 else "0" for value in darkness), 2)
    whole = bits.to_bytes(_BITS // 8, "big")
    for size in SIZES:
        payload, checksum = whole[:size], whole[size : size + 4]
        if zlib.crc32(payload).to_bytes(4, "big") == checksum:
            return payload
    return None


#: The supported formats.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "MPO")

#: Minimum side in pixels. In a smaller picture, a cell would be only two pixels wide.
_MIN_SIDE = 64
#: Maximum number of pixels to decode, to save memory.
_MAX_PIXELS = 40_000_000
#: A JPEG is decoded at a half, a quarter or an eighth of its size, but not below this size, because
#: a cell must be four pixels wide.
_ENOUGH = (120, 120)
_FINE = (COLUMNS * FINENESS, ROWS * FINENESS)


def read_card(data: bytes) -> Card | None:
    """Read a test card from the bytes of a picture.

    The pixels of the whole picture are read, so it may be re-encoded, shrunk, stretched and turned
    by 90 degrees, but not cropped, framed or mirrored. The EXIF orientation is ignored. Returns
    None if the bytes are not a card or not a picture; never raises.
    """
    from PIL import Image  # imported here because ready cards do not need Pillow

    try:
        if data.startswith(b"\xff\xd8\xff") and _is_photograph(data):
            return None
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if min(width, height) < _MIN_SIDE or width * height > _MAX_PIXELS:
                return None
            picture.draft("L", _ENOUGH)
            return _card_in_grey(picture.convert("L"))
    except Exception:  # noqa: BLE001 - decoders raise OSError, SyntaxError, struct.error and more
        return None


#: The rows of a JPEG, in pixels, whose bytes are decoded to tell a photograph from a card. A JPEG's
#: blocks are at most 16 rows high, and the first ones may have more bytes than the average.
_FIRST_ROWS = 24
#: Minimum grey level of a card's edge, on a scale of 256. New cards have 210 or more; applications
#: may darken a card to a third.
_MIN_EDGE_GREY = 40
#: Minimum grey level of a card's edge as a share of the edge's brightest pixel. It is 0.8 in a new
#: card; strong compression adds errors.
_MIN_EDGE_SHARE = 0.5


def _is_photograph(data: bytes) -> bool:
    """Return whether the first row of a JPEG shows that it is not a card. May raise any error."""
    # `Image.open` would load the plug-ins of other formats first, which takes 3 ms.
    from PIL.JpegImagePlugin import JpegImageFile

    picture = JpegImageFile(io.BytesIO(data))
    columns, rows = picture.size
    if columns * rows > _MAX_PIXELS:
        return False
    picture.draft("L", _ENOUGH)
    # Only the end of a progressive JPEG completes its first rows. CMYK cannot be read as grey.
    if "progressive" in picture.info or picture.mode != "L" or picture.fp is None:
        return False
    head_bytes = picture.fp.tell()
    first_bytes = math.ceil((len(data) - head_bytes) * _FIRST_ROWS / rows)
    picture.fp = io.BytesIO(data[: head_bytes + first_bytes])
    with contextlib.suppress(OSError):  # the other rows are missing
        picture.load()
    # Without tiles, Pillow does not try again to decode the missing rows.
    picture.tile = []
    first_row = picture.crop((0, 0, picture.width, 1)).tobytes()
    darkest = min(first_row)
    brightest = max(first_row)
    if brightest == 0:
        # A row is black before it is decoded: its bytes may be longer than those of other rows.
        return False
    return darkest < _MIN_EDGE_GREY or darkest < brightest * _MIN_EDGE_SHARE


def _card_in_grey(picture: PIL.Image.Image) -> Card | None:
    from PIL.Image import Resampling

    for turned in TURNS:
        fine = _FINE if turned in {0, 180} else _FINE[::-1]
        part = CODE.turned(turned).of(picture.size)
        cells = picture.resize(fine, Resampling.BOX, box=part).rotate(turned, expand=True)
        payload = read_payload(cells.tobytes())
        if payload is not None:
            return card_of(payload, turned)
    return None


#: The score ranges (from, to) for two pictures of one person, and for two persons.
SAME = (90.0, 99.0)
OTHERS = (2.0, 20.0)


def fraction(*words: str) -> float:
    """Return a pseudo-random number, at least 0 and below 1, seeded with these words."""
    digest = hashlib.blake2b("\0".join(words).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def between(low: float, high: float, *words: str) -> float:
    """Return a pseudo-random number, at least `low` and below `high`, seeded with these words."""
    return low + (high - low) * fraction(*words)


@functools.lru_cache(maxsize=4096)
def pair_score(person: str, other: str) -> float:
    """Return the unrounded score of two persons: in `SAME` for equal names, else in `OTHERS`."""
    low, high = SAME if person == other else OTHERS
    return between(low, high, "pair", "", *sorted((person, other)))
