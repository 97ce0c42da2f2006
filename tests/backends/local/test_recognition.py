import io
import traceback

import dlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facematch_core.errors import InvalidImage
from facematch_local import recognition


def encode(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def quarters(width=40, height=20):
    image = Image.new("RGB", (width, height))
    for colour, left, top in (("red", 0, 0), ("lime", 1, 0), ("blue", 0, 1)):
        part = Image.new("RGB", (width // 2, height // 2), colour)
        image.paste(part, (left * width // 2, top * height // 2))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_whatever_pixels_are_stored_as_they_come_out_as_rgb(mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = recognition.decode(encode(Image.new(mode, (30, 20)), kind))
    assert (picture.pixels.mode, picture.pixels.size, picture.size) == ("RGB", (30, 20), (30, 20))


def test_a_palette_loses_its_transparency_alone_and_16_bits_keep_their_shades():
    palette = encode(quarters().quantize(8), transparency=bytes([128] * 8))
    assert recognition.decode(palette).pixels.getpixel((0, 0)) == (255, 0, 0)
    grey = encode(Image.new("I;16", (4, 4), 0x8000))
    assert recognition.decode(grey).pixels.getpixel((0, 0)) == pytest.approx((128,) * 3, abs=1)


@pytest.mark.parametrize(
    ("kind", "orientation"), [("PNG", 0), *(("JPEG", number) for number in range(10))]
)
def test_a_large_picture_is_worked_on_at_1024_pixels_upright_and_its_full_size_known(
    kind, orientation
):
    data = encode(quarters(1500, 750), kind, exif=exif(orientation))
    picture = recognition.decode(data)
    lies = orientation in (5, 6, 7, 8)
    assert picture.size == ((750, 1500) if lies else (1500, 750))
    assert picture.pixels.size == ((512, 1024) if lies else (1024, 512))


@pytest.mark.parametrize(
    ("angle", "corner"), [(0, "red"), (90, "blue"), (180, "black"), (270, "lime")]
)
def test_turns_are_clockwise(angle, corner):
    turned = recognition.decode(encode(quarters())).turn(angle)
    assert turned.pixels.getpixel((0, 0)) == Image.new("RGB", (1, 1), corner).getpixel((0, 0))
    assert turned.size == turned.pixels.size


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_with_none_of_its_bytes(data):
    with pytest.raises(InvalidImage, match=r"^The picture cannot be decoded \(\w+\)\.$") as caught:
        recognition.decode(data)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    *_, (frame, _line) = traceback.walk_tb(caught.value.__traceback__)
    assert data not in frame.f_locals.values()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, of damage
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"]),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_a_damaged_picture_is_a_picture_or_refused(kind, cut, flips):
    data = bytearray(encode(quarters(), kind))
    for at, bits in flips:
        data[int(at * len(data))] ^= bits
    try:
        picture = recognition.decode(bytes(data[: int(cut * len(data)) + 1]))
    except InvalidImage:
        return
    assert picture.pixels.mode == "RGB"
    assert max(picture.pixels.size) <= recognition.WORKING_SIDE


# Where the faces are


class Detector:
    """Answers each look from a table and writes the looks down.

    Args:
        sees: (width and height of what it is given, upsampling) to boxes (edge, confidence), each
            a square from (10, 10) to (edge, edge).
    """

    def __init__(self, sees):
        self.sees = sees
        self.looks = []

    def run(self, pixels, upsample, least):
        assert least == recognition.LEAST_CONFIDENCE
        look = (pixels.shape[1::-1], upsample)
        self.looks.append(look)
        boxes = self.sees.get(look, [])
        edges = dlib.rectangles()
        edges.extend([dlib.rectangle(10, 10, edge, edge) for edge, _ in boxes])
        return edges, [confidence for _, confidence in boxes], [0] * len(boxes)


SMALL, FULL, ENLARGED = ((640, 320), 0), ((1024, 512), 0), ((1024, 512), 1)
PICTURE = Image.new("RGB", (1024, 512))


def test_a_face_in_the_small_copy_ends_the_search():
    detector = Detector({SMALL: [(110, 1.5)]})
    detection = recognition.detect(detector, PICTURE, rotate=False)
    assert detector.looks == [SMALL]
    assert detection.faces == ((16, 16, 176, 176, 1.5),)


@pytest.mark.parametrize("last", [FULL, ENLARGED])
def test_the_search_goes_on_until_something_is_found(last):
    detector = Detector({last: [(110, 0.5)]})
    assert recognition.detect(detector, PICTURE, rotate=False).faces == ((10, 10, 110, 110, 0.5),)
    assert detector.looks == [SMALL, FULL, ENLARGED][: len(detector.looks)]
    assert detector.looks[-1] == last


def test_after_three_looks_there_is_no_face():
    detector = Detector({})
    assert recognition.detect(detector, PICTURE, rotate=False) == (0, ())
    assert detector.looks == [SMALL, FULL, ENLARGED]


def test_a_small_picture_is_not_looked_at_twice():
    detector = Detector({})
    recognition.detect(detector, Image.new("RGB", (640, 480)), rotate=False)
    assert detector.looks == [((640, 480), 0), ((640, 480), 1)]


def test_the_largest_face_comes_first_whatever_the_detector_says():
    detector = Detector({((640, 480), 0): [(60, 3.0), (110, 0.3), (80, 1.0)]})
    detection = recognition.detect(detector, Image.new("RGB", (640, 480)), rotate=False)
    assert [face.right for face in detection.faces] == [110, 80, 60]


def test_a_group_is_counted_in_the_full_picture():
    detector = Detector({SMALL: [(60, 1), (50, 1)], FULL: [(90, 1), (80, 1), (40, 1)]})
    detection = recognition.detect(detector, PICTURE, rotate=False)
    assert [face.right for face in detection.faces] == [90, 80, 40]
    assert detector.looks == [SMALL, FULL]


def test_no_face_of_a_group_is_lost():
    detector = Detector({SMALL: [(60, 1), (50, 1)], FULL: [(90, 1)]})
    assert len(recognition.detect(detector, PICTURE, rotate=False).faces) == 2


def test_of_four_turns_the_surest_wins():
    lying = ((320, 640), 0)
    detector = Detector({SMALL: [(300, 0.4)], lying: [(50, 0.9)]})
    detection = recognition.detect(detector, PICTURE, rotate=True)
    assert detector.looks == [SMALL, lying, SMALL, lying]
    assert (detection.angle, detection.confidence) == (90, 0.9)


def test_if_turning_gives_nothing_nothing_is_turned():
    detector = Detector({SMALL: [(300, 0.4)]})
    assert recognition.detect(detector, PICTURE, rotate=True).angle == 0
