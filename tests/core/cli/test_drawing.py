import math

import pytest
from PIL import Image

from facematch_core.cli import _drawing as drawing
from facematch_core.models import Box, Face

GREY = (128, 128, 128)


def rgb(colour):
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def photo(size=(200, 240)):
    return Image.new("RGB", size, GREY)


def face(*edges, rotation=None, **fields):
    names = ("left", "top", "right", "bottom")
    return Face(box=Box(**dict(zip(names, edges, strict=True)), **fields), rotation=rotation)


def drawn_panel(*faces, height=240):
    picture, boxes = drawing.turn_as_found(photo(), faces)
    return drawing.panel(picture, boxes, height=height, max_width=10_000)


def highlighted(picture):
    colours = picture.getcolors(picture.width * picture.height)
    return rgb(drawing.HIGHLIGHT) in {colour for _, colour in colours}


def test_the_largest_face_has_the_thick_line_around_it():
    seen = drawn_panel(face(40, 60, 120, 160), face(10, 180, 50, 220))
    thick, thin, edge = map(rgb, (drawing.HIGHLIGHT, drawing.OTHER, drawing.EDGE))
    assert {seen.getpixel(at) for at in [(42, 100), (117, 100), (80, 62), (80, 157)]} == {thick}
    assert {seen.getpixel(at) for at in [(40, 60), (119, 159)]} == {edge}
    assert {seen.getpixel(at) for at in [(38, 100), (80, 110), (122, 100)]} == {GREY}
    assert seen.getpixel((11, 200)) == thin


@pytest.mark.parametrize(
    "of",
    [
        face(20, 30, 60, 80, of_width=100, of_height=120),
        face(0.2, 0.25, 0.6, 2 / 3, unit="ratio"),
    ],
)
def test_pixels_of_a_shrunk_picture_and_ratios_lead_to_one_place(of):
    reference = drawn_panel(face(40, 60, 120, 160), height=480)
    assert drawn_panel(of, height=480).tobytes() == reference.tobytes()


def test_a_face_found_in_a_turned_picture_is_shown_turned():
    lying = photo((240, 200))
    lying.putpixel((0, 199), (255, 0, 0))
    faces = [face(40, 60, 120, 160, rotation=90), face(1, 1, 9, 9)]
    turned, boxes = drawing.turn_as_found(lying, faces)
    assert (turned.size, turned.getpixel((0, 0))) == ((200, 240), (255, 0, 0))
    assert [box.left for box in boxes] == [40]


def test_a_box_that_lies_nowhere_is_left_out_and_one_beyond_the_edge_is_cut():
    for edges in [(9, 5, 5, 9), (math.nan, 5, 50, 90), (0, 0, math.inf, 90), (300, 5, 400, 90)]:
        assert not highlighted(drawn_panel(face(*edges)))
    box = Box(left=-20, top=-5, right=100, bottom=900)
    assert drawing.places([box], (200, 240), (200, 240)) == [(0, 0, 99, 239)]


@pytest.mark.parametrize("faces", [None, (), (Face(),)], ids=["unsaid", "none", "no box"])
def test_faces_without_a_place_are_not_drawn(faces):
    assert not highlighted(drawn_panel(*faces or ()))
    assert not highlighted(drawing.portrait(photo(), faces, (240, 312)))


@pytest.mark.parametrize("size", [(3000, 40), (40, 3000), (1, 1), (4000, 4000)])
def test_a_photograph_of_any_shape_fits(size):
    seen = drawing.panel(photo(size), (), height=420, max_width=560)
    assert (seen.width <= 560, seen.height <= 420) == (True, True)
