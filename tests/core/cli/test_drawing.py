"""Drawn results: the boxes where the faces are, the words, and nothing hidden in the file."""

import io
import math

import pytest
from kit.fakes import liveness_result, match_result
from PIL import Image

from facematch_core import (
    Box,
    Decision,
    Face,
    LiveMatchDecision,
    LiveMatchResult,
    LivenessDecision,
    Score,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.cli._drawing import (
    EDGE,
    HIGHLIGHT,
    MARGIN,
    OTHER,
    PAINT,
    PHOTO_HEIGHT,
    PHOTO_WIDTH,
    as_found,
    draw,
    panel,
    place,
    png,
)
from facematch_core.cli._results import VERDICTS

GREY = (128, 128, 128)
AT_50 = Threshold(50, ThresholdRule.AT_LEAST, ThresholdSource.DEFAULT)
AT_80 = Threshold(80, ThresholdRule.ABOVE, ThresholdSource.CALLER)


def rgb(colour):
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def photo(size=(200, 240), colour=GREY):
    return Image.new("RGB", size, colour)


def face(*edges, rotation=None, **fields):
    names = ("left", "top", "right", "bottom")
    return Face(box=Box(**dict(zip(names, edges, strict=True)), **fields), rotation=rotation)


def count(picture, colour):
    found = picture.getcolors(picture.width * picture.height)
    return {value: times for times, value in found}.get(rgb(colour), 0)


def drawn_panel(faces, size=(200, 240), height=240):
    picture, boxes = as_found(photo(size), faces)
    return panel(picture, boxes, height=height, max_width=10_000)


def test_box_is_where_the_face_is():
    """The line has its colour just inside the edges of the box, and the photograph is inside."""
    drawn = drawn_panel([face(40, 60, 120, 160, of_width=200, of_height=240)])
    for at in [(42, 100), (117, 100), (80, 62), (80, 157)]:
        assert drawn.getpixel(at) == rgb(HIGHLIGHT), at
    for at in [(40, 60), (119, 159)]:
        assert drawn.getpixel(at) == rgb(EDGE), at
    for at in [(38, 100), (80, 110), (122, 100), (80, 163)]:
        assert drawn.getpixel(at) == GREY, at


@pytest.mark.parametrize(
    "of",
    [
        face(40, 60, 120, 160),
        face(20, 30, 60, 80, of_width=100, of_height=120),
        face(0.2, 0.25, 0.6, 2 / 3, unit="ratio"),
    ],
)
def test_units_mean_the_same_place(of):
    """Pixels, pixels of a shrunk picture, and ratios lead to one place, at any drawn size."""
    reference = drawn_panel([face(40, 60, 120, 160, of_width=200, of_height=240)], height=480)
    assert drawn_panel([of], height=480).tobytes() == reference.tobytes()


def test_largest_face_is_marked():
    """The largest has the thick line; the others differ in colour and in width."""
    drawn = drawn_panel([face(10, 10, 40, 40), face(60, 60, 160, 160), face(10, 180, 50, 220)])
    assert drawn.getpixel((62, 100)) == rgb(HIGHLIGHT)
    assert drawn.getpixel((11, 20)) == rgb(OTHER)
    assert drawn.getpixel((13, 20)) == rgb(EDGE)
    assert drawn.getpixel((11, 200)) == rgb(OTHER)


def test_rotation_turns_the_photograph():
    """A face that was found in a turned picture is shown turned, with its box in place."""
    lying = photo((240, 200))
    lying.putpixel((0, 199), (255, 0, 0))
    turned, boxes = as_found(lying, [face(40, 60, 120, 160, rotation=90), face(1, 1, 9, 9)])
    assert turned.size == (200, 240)
    assert turned.getpixel((0, 0)) == (255, 0, 0)
    assert [box.left for box in boxes] == [40]


@pytest.mark.parametrize(
    "box",
    [
        Box(left=5, top=5, right=5, bottom=9),
        Box(left=9, top=5, right=5, bottom=9),
        Box(left=math.nan, top=5, right=50, bottom=90),
        Box(left=0, top=0, right=math.inf, bottom=90),
        Box(left=300, top=5, right=400, bottom=90),
    ],
)
def test_impossible_boxes_are_left_out(box):
    """A box that lies nowhere is not drawn and breaks nothing."""
    assert place(box, (200, 240), (200, 240)) is None
    assert count(drawn_panel([Face(box=box)]), HIGHLIGHT) == 0


def test_box_beyond_the_edge_is_cut():
    """A box that leaves the picture is drawn as far as it lies in it."""
    placed = place(Box(left=-20, top=-5, right=100, bottom=900), (200, 240), (200, 240))
    assert placed == (0, 0, 99, 239)


@pytest.mark.parametrize("faces", [None, (), (Face(),)], ids=["untold", "none", "no box"])
def test_without_boxes(faces):
    """Faces that are not told, not there or without a place are no error."""
    result = match_result(probe_faces=faces, reference_faces=faces, threshold=AT_50)
    assert count(draw(result, photo(), photo()), HIGHLIGHT) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [((200, 240), (800, 534)), ((3000, 40), (40, 3000)), ((1, 1), (4000, 4000)), ((150, 150),) * 2],
)
def test_any_sizes(one, other):
    """Photographs of any shape fit on a sheet of reasonable size, equally high if they can be."""
    drawn = draw(match_result(threshold=AT_50), photo(one), photo(other))
    assert 700 <= drawn.width <= 2 * PHOTO_WIDTH + 3 * MARGIN
    assert drawn.height <= PHOTO_HEIGHT + 300


def test_equally_high():
    """A wide and a narrow photograph are drawn with one height."""
    drawn = draw(match_result(threshold=AT_50), photo((200, 240)), photo((800, 534)))
    columns = [
        [y for y in range(drawn.height) if drawn.getpixel((x, y)) == GREY]
        for x in (MARGIN + 170, drawn.width - MARGIN - 100)
    ]
    assert columns[0][0] == columns[1][0]
    assert abs(columns[0][-1] - columns[1][-1]) <= 1


@pytest.mark.parametrize("decision", Decision, ids=str)
def test_decision_has_its_colour(decision):
    """The decision's colour is on the sheet, and another decision looks otherwise."""
    result = match_result(decision, score=Score(70, "fake/v1"), threshold=AT_50)
    drawn = draw(result, photo(), photo())
    assert count(drawn, PAINT[VERDICTS[decision.value].colour]) > 1000
    words = {draw(match_result(d), photo(), photo()).tobytes() for d in Decision}
    assert len(words) == len(Decision)


def test_marks_differ_without_colour():
    """In black and white MATCH and NO MATCH still differ in more than a few pixels."""
    pair = (Decision.MATCH, Decision.NO_MATCH)
    one, other = (draw(match_result(d), photo(), photo()).convert("1") for d in pair)
    assert sum(a != b for a, b in zip(one.tobytes(), other.tobytes(), strict=True)) > 100


def test_bar_ends_at_the_score():
    """The bar is as long as the score, and the threshold stands on it."""
    result = match_result(score=Score(75, "fake/v1"), threshold=AT_50)
    drawn = draw(result, photo(), photo())
    y = drawn.height - 34
    left, right = MARGIN, drawn.width - MARGIN
    colour = rgb(PAINT[VERDICTS["match"].colour])
    assert drawn.getpixel((left + (right - left) * 70 // 100, y)) == colour
    assert drawn.getpixel((left + (right - left) * 80 // 100, y)) != colour
    assert drawn.getpixel((left + (right - left) // 2, y)) == (27, 27, 27)


def test_liveness_has_one_photograph():
    """A liveness check is drawn alone."""
    alone = draw(liveness_result(threshold=AT_50), photo())
    assert alone.width < draw(match_result(threshold=AT_50), photo((800, 534)), photo()).width


def test_live_match_has_two_bars():
    """Both parts are drawn; without a comparison there is one bar."""
    liveness = liveness_result(score=Score(90, "l"), threshold=AT_50)
    match = match_result(score=Score(90, "m"), threshold=AT_50, review_threshold=AT_80)
    both = LiveMatchResult(decision=LiveMatchDecision.VERIFIED, liveness=liveness, match=match)
    spoof = liveness_result(LivenessDecision.NOT_LIVE)
    lone = LiveMatchResult(decision=LiveMatchDecision.NOT_LIVE, liveness=spoof)
    assert draw(both, photo(), photo()).height > draw(lone, photo(), photo()).height


def test_file_has_no_metadata():
    """The PNG holds pixels alone, whatever the photographs carried; the same each time."""
    source = photo()
    source.info = {"exif": b"secret", "comment": "secret", "icc_profile": b"secret", "dpi": (1, 1)}
    result = match_result(threshold=AT_50)
    data = png(draw(result, source, source))
    with Image.open(io.BytesIO(data)) as read:
        read.load()
        assert read.info == {}
    assert data == png(draw(result, source, source))


def test_strange_letters():
    """A scale in letters that the built-in font lacks does not stop the drawing."""
    result = match_result(score=Score(50, "模型/\x1b[2J"), threshold=AT_50)
    draw(result, photo(), photo())
