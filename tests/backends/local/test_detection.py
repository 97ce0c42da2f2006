import dlib
import pytest
from PIL import Image

from facematch_local import _detection


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
        assert least == _detection.LEAST_CONFIDENCE
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
    detection = _detection.detect(detector, PICTURE, rotate=False)
    assert detector.looks == [SMALL]
    assert detection.faces == ((16, 16, 176, 176, 1.5),)


@pytest.mark.parametrize("last", [FULL, ENLARGED])
def test_the_search_goes_on_until_something_is_found(last):
    detector = Detector({last: [(110, 0.5)]})
    assert _detection.detect(detector, PICTURE, rotate=False).faces == ((10, 10, 110, 110, 0.5),)
    assert detector.looks == [SMALL, FULL, ENLARGED][: len(detector.looks)]
    assert detector.looks[-1] == last


def test_after_three_looks_there_is_no_face():
    detector = Detector({})
    assert _detection.detect(detector, PICTURE, rotate=False) == (0, ())
    assert detector.looks == [SMALL, FULL, ENLARGED]


def test_a_small_picture_is_not_looked_at_twice():
    detector = Detector({})
    _detection.detect(detector, Image.new("RGB", (640, 480)), rotate=False)
    assert detector.looks == [((640, 480), 0), ((640, 480), 1)]


def test_the_largest_face_comes_first_whatever_the_detector_says():
    detector = Detector({((640, 480), 0): [(60, 3.0), (110, 0.3), (80, 1.0)]})
    detection = _detection.detect(detector, Image.new("RGB", (640, 480)), rotate=False)
    assert [face.right for face in detection.faces] == [110, 80, 60]


def test_a_group_is_counted_in_the_full_picture():
    detector = Detector({SMALL: [(60, 1), (50, 1)], FULL: [(90, 1), (80, 1), (40, 1)]})
    detection = _detection.detect(detector, PICTURE, rotate=False)
    assert [face.right for face in detection.faces] == [90, 80, 40]
    assert detector.looks == [SMALL, FULL]


def test_no_face_of_a_group_is_lost():
    detector = Detector({SMALL: [(60, 1), (50, 1)], FULL: [(90, 1)]})
    assert len(_detection.detect(detector, PICTURE, rotate=False).faces) == 2


def test_of_four_turns_the_surest_wins():
    lying = ((320, 640), 0)
    detector = Detector({SMALL: [(300, 0.4)], lying: [(50, 0.9)]})
    detection = _detection.detect(detector, PICTURE, rotate=True)
    assert detector.looks == [SMALL, lying, SMALL, lying]
    assert (detection.angle, detection.confidence) == (90, 0.9)


def test_if_turning_gives_nothing_nothing_is_turned():
    detector = Detector({SMALL: [(300, 0.4)]})
    assert _detection.detect(detector, PICTURE, rotate=True).angle == 0
