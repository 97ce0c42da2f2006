import pytest
from PIL import Image, ImageColor

from facematch_core.cli import _drawing as drawing
from facematch_core.models import Box, Face

GREY = (128, 128, 128)


def photo(size=(200, 240)):
    return Image.new("RGB", size, GREY)


def box(*edges, **fields):
    return Box(**dict(zip(("left", "top", "right", "bottom"), edges, strict=True)), **fields)


def test_largest_face_has_a_thick_frame():
    faces = [Face(box=box(40, 60, 120, 160)), Face(box=box(10, 180, 50, 220))]
    seen = drawing.portrait(photo(), faces, (200, 240))
    thick, thin, edge = map(ImageColor.getrgb, (drawing.HIGHLIGHT, drawing.OTHER, drawing.EDGE))
    assert {seen.getpixel(at) for at in [(42, 100), (117, 100), (80, 62), (80, 157)]} == {thick}
    assert {seen.getpixel(at) for at in [(40, 60), (119, 159)]} == {edge}
    assert {seen.getpixel(at) for at in [(38, 100), (80, 110), (122, 100)]} == {GREY}
    assert seen.getpixel((11, 200)) == thin


def test_boxes_are_clipped_to_the_picture_or_left_out():
    outside = [box(9, 5, 5, 9), box(300, 5, 400, 90)]
    assert drawing.boxes_in_pixels([*outside, box(-20, -5, 100, 900)], (200, 240)) == [
        (0, 0, 99, 239)
    ]


@pytest.mark.parametrize("faces", [None, (), (Face(),)], ids=["unsaid", "none", "no box"])
def test_faces_without_a_box_are_not_drawn(faces):
    seen = drawing.portrait(photo(), faces, (240, 312))
    assert seen.getcolors() == [(seen.width * seen.height, GREY)]
