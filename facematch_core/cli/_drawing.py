"""A result as a picture: the photographs side by side, faces, score, threshold and decision.

Pure: pictures and a result in, a picture out. Nothing depends on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from facematch_core.models import Box, Face, MatchResult

from ._results import VERDICTS, limits, score_words
from .text import clean

PAPER, INK, FAINT, TRACK = "#ffffff", "#1b1b1b", "#5a5a5a", "#d9d9d9"

#: Colours of a decision, dark enough to be read on white. Green and red, ticks and crosses would
#: say whether an answer is right, which an engine does not know.
YES, NO, UNSURE = "#0b57d0", "#4d5258", "#8a5a00"

Stroke = tuple[tuple[float, float], tuple[float, float]]

_EQUAL = (((0.24, 0.41), (0.76, 0.41)), ((0.24, 0.61), (0.76, 0.61)))
_SLASH = ((0.63, 0.22), (0.37, 0.80))

#: Decision to its colour and the strokes of its sign.
SIGNS: dict[str, tuple[str, tuple[Stroke, ...]]] = {
    "match": (YES, _EQUAL),
    "no_match": (NO, (*_EQUAL, _SLASH)),
}

#: The box of the face that was compared, and those of the others, which are thinner too; around
#: every line an edge, so that it is seen on bright and on dark ground.
HIGHLIGHT, OTHER, EDGE = "#ffd400", "#ffffff", "#1b1b1b"

#: Pixels. A report shows the drawing at half this size on a telephone, so the letters are large.
MARGIN = 24
PHOTO_HEIGHT, PHOTO_WIDTH, LEAST_HEIGHT = 420, 560, 160
HEADLINE, TEXT = 38, 23
HEADLINE_HEIGHT, BAR_HEIGHT = 70, 88

_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


def draw(result: MatchResult, probe: Image.Image, reference: Image.Image) -> Image.Image:
    """Draw a result; the photographs are upright."""
    photos = [
        ("probe", probe, result.probe_faces),
        ("reference", reference, result.reference_faces),
    ]
    # The photographs in a row, equally high, each under its title and wide enough for it.
    turned = [turn_as_found(picture, faces) for _, picture, faces in photos]
    fitting = (PHOTO_WIDTH * picture.height // picture.width for picture, _ in turned)
    height = max(min(PHOTO_HEIGHT, *fitting), LEAST_HEIGHT)
    drawn = [panel(*photo, height=height, max_width=PHOTO_WIDTH) for photo in turned]
    cells = [max(picture.width, 340) for picture in drawn]
    width = sum(cells) + MARGIN * (len(cells) + 1)
    top = Image.new("RGB", (max(width, 720), height + 3 * MARGIN), PAPER)
    left = MARGIN + (top.width - width) // 2
    for (title, _, faces), picture, cell in zip(photos, drawn, cells, strict=True):
        at = left + (cell - picture.width) // 2
        if faces is not None:
            count = {0: "no face found", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
            title = f"{title}: {count}"  # noqa: PLW2901 - the same title, longer
        _write(top, (at, MARGIN - 8), title, TEXT, FAINT)
        top.paste(picture, (at, 2 * MARGIN + 4))
        left += cell + MARGIN
    sheet = Image.new("RGB", (top.width, top.height + HEADLINE_HEIGHT + BAR_HEIGHT), PAPER)
    sheet.paste(top, (0, 0))
    decision = result.decision.value
    verdict = VERDICTS[decision]
    _mark(sheet, (MARGIN, top.height), 46, decision)
    colour, _ = sign(decision)
    end = _write(sheet, (MARGIN + 62, top.height + 1), verdict.word, HEADLINE, colour, bold=1)
    _write(sheet, (end + 20, top.height + 13), verdict.says, TEXT, INK)
    _bar(sheet, top.height + HEADLINE_HEIGHT, result)
    return sheet


def turn_as_found(
    picture: Image.Image, faces: Sequence[Face] | None
) -> tuple[Image.Image, list[Box]]:
    """A photograph turned as its largest face was found, and the boxes that hold for it then."""
    boxes = [(face.box, face.rotation or 0) for face in faces or () if face.box is not None]

    def extent(item: tuple[Box, int]) -> float:
        box = item[0]
        area = (box.right - box.left) * (box.bottom - box.top)
        return area if math.isfinite(area) else 0.0

    turn = max(boxes, key=extent)[1] if boxes else 0
    if turn in _CLOCKWISE:
        picture = picture.transpose(_CLOCKWISE[turn])
    # A face that was found in another turn has its box in a picture that lies otherwise.
    return picture, [box for box, rotation in boxes if rotation == turn]


def panel(
    picture: Image.Image, boxes: Sequence[Box], *, height: int, max_width: int
) -> Image.Image:
    """A photograph with its faces marked, less high than `height` only if it is too wide."""
    factor = min(height / picture.height, max_width / picture.width)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    drawn = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(drawn)
    all_placed = (place(box, picture.size, size) for box in boxes)
    placed = sorted(filter(None, all_placed), key=lambda at: (at[2] - at[0]) * (at[3] - at[1]))
    for left, top, right, bottom in placed:
        largest = (left, top, right, bottom) == placed[-1]
        colour, thick = (HIGHLIGHT, 5) if largest else (OTHER, 2)
        draw.rectangle((left, top, right, bottom), outline=EDGE, width=thick + 2)
        if left + 1 < right - 1 and top + 1 < bottom - 1:
            inner = (left + 1, top + 1, right - 1, bottom - 1)
            draw.rectangle(inner, outline=colour, width=thick)
    return drawn


def portrait(
    picture: Image.Image, faces: Sequence[Face] | None, size: tuple[int, int]
) -> Image.Image:
    """The face that was compared, with some room around it; all if there are several."""
    picture, boxes = turn_as_found(picture, faces)
    places = (place(box, picture.size, picture.size) for box in boxes)
    placed = [at for at in places if at is not None]
    left, top, right, bottom = map(float, (0, 0, *picture.size))
    if placed:
        left, top = min(at[0] for at in placed), min(at[1] for at in placed)
        right, bottom = max(at[2] for at in placed), max(at[3] for at in placed)
        # Hair and shoulders; a group is wide enough without.
        room = 0.85 if len(placed) == 1 else 0.1
        # A detector's box ends at the brows.
        left, right = left - room * (right - left) / 2, right + room * (right - left) / 2
        top, bottom = top - 0.6 * room * (bottom - top), bottom + 0.4 * room * (bottom - top)
    # The window, as wide for its height as `size`: all of a group, but of a single face or of a
    # picture without one no more than the photograph holds.
    shape = size[0] / size[1]
    height = max(bottom - top, (right - left) / shape) if placed else bottom - top
    height = min(height, picture.height, picture.width / shape)
    factor = min(1.0, size[1] / height)
    middle = ((left + right) / 2, (top + bottom) / 2)
    drawn = panel(
        picture,
        boxes if len(placed) > 1 else (),
        height=max(1, round(picture.height * factor)),
        max_width=max(1, round(picture.width * factor)),
    )
    wide, high = min(drawn.width, round(height * shape * factor)), round(height * factor)
    at = (
        round(min(max(0, middle[0] * factor - wide / 2), drawn.width - wide)),
        round(min(max(0, middle[1] * factor - high / 2), drawn.height - high)),
    )
    return drawn.crop((*at, at[0] + wide, at[1] + high))


def place(box: Box, of: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of a box in the drawn picture; None if it lies nowhere in it."""
    ratio = box.unit == "ratio"
    width = 1.0 if ratio else box.of_width or of[0]
    height = 1.0 if ratio else box.of_height or of[1]
    across, down = size[0] / width, size[1] / height
    edges = (box.left * across, box.top * down, box.right * across, box.bottom * down)
    if not all(map(math.isfinite, edges)):
        return None
    left, top, right, bottom = map(round, edges)
    left, top = max(0, left), max(0, top)
    right, bottom = min(size[0], right) - 1, min(size[1], bottom) - 1
    return (left, top, right, bottom) if left < right and top < bottom else None


def sign(decision: str) -> tuple[str, tuple[Stroke, ...]]:
    """Its colour and strokes; what is neither yes nor no has none, but a question mark."""
    return SIGNS.get(decision, (UNSURE, ()))


def _mark(sheet: Image.Image, at: tuple[int, int], size: int, decision: str) -> None:
    """A disc with a sign, for those who do not see the colour; the built-in font has no such."""
    fine = 4 * size
    disc = Image.new("RGB", (fine, fine), PAPER)
    draw = ImageDraw.Draw(disc)
    colour, strokes = sign(decision)
    draw.ellipse((0, 0, fine - 1, fine - 1), fill=colour)
    for points in strokes:
        draw.line([(x * fine, y * fine) for x, y in points], fill=PAPER, width=fine // 10)
    if not strokes:
        font = ImageFont.load_default(size=fine * 0.75)
        draw.text((fine / 2, fine / 2), "?", fill=PAPER, font=font, anchor="mm", stroke_width=3)
    # Drawn large and shrunk, its edge is smooth.
    sheet.paste(disc.resize((size, size), Image.Resampling.LANCZOS), at)


def _bar(sheet: Image.Image, top: int, result: MatchResult) -> None:
    """Score and threshold on a line from 0 to 100, with the words above it."""
    scale = "" if result.score is None else f", {result.score.scale}"
    words = f"{score_words(result)}, {limits(result)}{scale}"
    _write(sheet, (MARGIN, top), words, TEXT, INK)
    draw = ImageDraw.Draw(sheet)
    left, right, upper, lower = MARGIN, sheet.width - MARGIN, top + 42, top + 58

    def across(value: float) -> float:
        return left + (right - left) * value / 100

    draw.rectangle((left, upper, right, lower), fill=TRACK)
    if result.score is not None:
        colour, _ = sign(result.decision.value)
        draw.rectangle((left, upper, across(result.score.value), lower), fill=colour)
    for limit in (result.threshold, result.review_threshold):
        if limit is not None and limit.value is not None:
            at = across(limit.value)
            draw.rectangle((at - 3, upper - 7, at + 3, lower + 7), fill=PAPER)
            draw.rectangle((at - 1, upper - 7, at + 1, lower + 7), fill=INK)


def _write(
    sheet: Image.Image, at: tuple[int, int], text: str, size: int, colour: str, *, bold: int = 0
) -> int:
    """Write a line, smaller if the sheet is narrow. Returns where it ends."""
    draw, text = ImageDraw.Draw(sheet), clean(text)
    font = ImageFont.load_default(size=size)
    while size > 10 and draw.textlength(text, font) > sheet.width - MARGIN - at[0]:
        size -= 1
        font = ImageFont.load_default(size=size)
    draw.text(at, text, fill=colour, font=font, stroke_width=bold, stroke_fill=colour)
    return at[0] + round(draw.textlength(text, font)) + bold
