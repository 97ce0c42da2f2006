"""A result as a picture: the photographs side by side, faces, score, threshold and decision.

Pure: pictures and a result in, a picture out. Nothing depends on colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from facematch_core._results import LiveMatchResult, LivenessResult, MatchResult

from ._panels import as_found, panel
from ._text import clean, number
from ._verdicts import VERDICTS, Mark, Verdict, limits

if TYPE_CHECKING:
    from facematch_core._results import Box, Face

    from ._show import Answer

    #: Title, photograph as its face was found, boxes.
    Photo = tuple[str, Image.Image, list[Box]]

PAPER, INK, FAINT, TRACK = "#ffffff", "#1b1b1b", "#5a5a5a", "#d9d9d9"

#: Pixels. A report shows the drawing at half this size on a telephone, so the letters are large.
MARGIN = 24
PHOTO_HEIGHT, PHOTO_WIDTH = 420, 560
LEAST_HEIGHT = 160
HEADLINE, TEXT = 38, 23
HEADLINE_HEIGHT, BAR_HEIGHT = 70, 88


def draw(result: Answer, probe: Image.Image, reference: Image.Image | None = None) -> Image.Image:
    """Draw a result.

    Args:
        result: Any kind of result.
        probe, reference: The photographs, upright; no reference for a liveness check.
    """
    photos = [_photo("probe", probe, _first(result).probe_faces)]
    if reference is not None:
        photos.append(_photo("reference", reference, _reference_faces(result)))
    parts = _parts(result)
    top = _photographs(photos)
    size = (top.width, top.height + HEADLINE_HEIGHT + BAR_HEIGHT * len(parts))
    sheet = Image.new("RGB", size, PAPER)
    sheet.paste(top, (0, 0))
    _headline(sheet, top.height, VERDICTS[result.decision.value])
    for index, (title, part) in enumerate(parts):
        _bar(sheet, top.height + HEADLINE_HEIGHT + BAR_HEIGHT * index, title, part)
    return sheet


def png(picture: Image.Image) -> bytes:
    """A drawing as a PNG file without any metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _first(result: Answer) -> MatchResult | LivenessResult:
    return result.liveness if isinstance(result, LiveMatchResult) else result


def _reference_faces(result: Answer) -> tuple[Face, ...] | None:
    match = result.match if isinstance(result, LiveMatchResult) else result
    return match.reference_faces if isinstance(match, MatchResult) else None


def _parts(result: Answer) -> list[tuple[str, MatchResult | LivenessResult]]:
    if not isinstance(result, LiveMatchResult):
        return [("", result)]
    parts: list[tuple[str, MatchResult | LivenessResult]] = [("liveness: ", result.liveness)]
    return [*parts, ("match: ", result.match)] if result.match is not None else parts


def _photo(title: str, picture: Image.Image, faces: tuple[Face, ...] | None) -> Photo:
    if faces is not None:
        found = {0: "no face found", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
        title = f"{title}: {found}"
    return (title, *as_found(picture, faces))


def _photographs(photos: Sequence[Photo]) -> Image.Image:
    """The photographs in a row, equally high, each under its title and wide enough for it."""
    fitting = (PHOTO_WIDTH * picture.height // picture.width for _, picture, _ in photos)
    height = max(min(PHOTO_HEIGHT, *fitting), LEAST_HEIGHT)
    drawn = [panel(p, boxes, height=height, max_width=PHOTO_WIDTH) for _, p, boxes in photos]
    cells = [max(picture.width, 340) for picture in drawn]
    width = sum(cells) + MARGIN * (len(cells) + 1)
    row = Image.new("RGB", (max(width, 720), height + 3 * MARGIN), PAPER)
    left = MARGIN + (row.width - width) // 2
    for (title, _, _), picture, cell in zip(photos, drawn, cells, strict=True):
        at = left + (cell - picture.width) // 2
        _write(row, (at, MARGIN - 8), title, TEXT, FAINT)
        row.paste(picture, (at, 2 * MARGIN + 4))
        left += cell + MARGIN
    return row


def _headline(sheet: Image.Image, top: int, verdict: Verdict) -> None:
    _mark(sheet, (MARGIN, top), 46, verdict)
    end = _write(sheet, (MARGIN + 62, top + 1), verdict.word, HEADLINE, verdict.colour, bold=True)
    _write(sheet, (end + 20, top + 13), verdict.says, TEXT, INK)


def _mark(sheet: Image.Image, at: tuple[int, int], size: int, verdict: Verdict) -> None:
    """A disc with a sign, drawn: the built-in font has no such letters."""
    fine = 4 * size
    disc = Image.new("RGB", (fine, fine), PAPER)
    draw = ImageDraw.Draw(disc)
    draw.ellipse((0, 0, fine - 1, fine - 1), fill=verdict.colour)

    def line(*points: tuple[float, float]) -> None:
        pixels = [(x * fine, y * fine) for x, y in points]
        draw.line(pixels, fill=PAPER, width=fine // 8, joint="curve")

    if verdict.mark is Mark.CHECK:
        line((0.26, 0.53), (0.43, 0.70), (0.74, 0.33))
    elif verdict.mark is Mark.CROSS:
        line((0.31, 0.31), (0.69, 0.69))
        line((0.69, 0.31), (0.31, 0.69))
    else:
        middle, font = (fine / 2, fine / 2), _font(fine * 0.75)
        draw.text(middle, "?", fill=PAPER, font=font, anchor="mm", stroke_width=3)
    # Drawn large and shrunk, its edge is smooth.
    sheet.paste(disc.resize((size, size), Image.Resampling.LANCZOS), at)


def _bar(sheet: Image.Image, top: int, title: str, result: MatchResult | LivenessResult) -> None:
    """Score and threshold on a line from 0 to 100, with the words above it."""
    scored = "no score" if result.score is None else f"score {number(result.score.value)}"
    scale = "" if result.score is None else f", {result.score.scale}"
    verdict = VERDICTS[result.decision.value]
    words = f"{title}{scored}, {limits(result)}{scale}"
    _write(sheet, (MARGIN, top), words, TEXT, INK)
    draw = ImageDraw.Draw(sheet)
    left, right = MARGIN, sheet.width - MARGIN
    upper, lower = top + 42, top + 58

    def across(value: float) -> float:
        return left + (right - left) * value / 100

    draw.rectangle((left, upper, right, lower), fill=TRACK)
    if result.score is not None:
        draw.rectangle((left, upper, across(result.score.value), lower), fill=verdict.colour)
    for limit in (result.threshold, result.review_threshold):
        if limit is not None and limit.value is not None:
            at = across(limit.value)
            draw.rectangle((at - 3, upper - 7, at + 3, lower + 7), fill=PAPER)
            draw.rectangle((at - 1, upper - 7, at + 1, lower + 7), fill=INK)


def _write(
    sheet: Image.Image,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: str,
    *,
    bold: bool = False,
) -> int:
    """Write a line, smaller if the sheet is narrow. Returns where it ends."""
    draw = ImageDraw.Draw(sheet)
    text = clean(text)
    stroke = int(bold)
    room = sheet.width - MARGIN - at[0]
    font = _font(size)
    while size > 10 and draw.textlength(text, font) > room:
        size -= 1
        font = _font(size)
    draw.text(at, text, fill=colour, font=font, stroke_width=stroke, stroke_fill=colour)
    return at[0] + round(draw.textlength(text, font)) + stroke


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
