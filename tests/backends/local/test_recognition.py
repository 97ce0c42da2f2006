"""Decoding, finding and aligning: from the bytes of a file to a chip of the largest face."""

import functools
import io
import traceback
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import together
from kit.strategies_images import QUARTERS, encoded, quartered
from PIL import Image, ImageFilter

from facematch_core import ConfigurationError, InvalidImage, WarningCode
from facematch_core.backend import ImageFormat
from facematch_local import recognition


@pytest.fixture(scope="module")
def parts():
    return recognition.Parts()


def opened(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def expose(image, factor):
    return image.point(lambda value: min(255, int(factor * value)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_every_pixel_mode_is_decoded_to_rgb(mode):
    pixels, size = recognition.decode(encoded(Image.new(mode, (30, 20)), ImageFormat.TIFF))
    assert pixels.mode == "RGB"
    assert pixels.size == size == (30, 20)


def test_a_transparent_palette_keeps_its_colours():
    half_transparent = bytes([128] * 8)
    palette = encoded(quartered().quantize(8), ImageFormat.PNG, transparency=half_transparent)
    pixels, _ = recognition.decode(palette)
    assert pixels.getpixel((0, 0)) == QUARTERS["R"]


def test_16_bits_keep_their_shades():
    grey = encoded(Image.new("I;16", (4, 4), 0x8000), ImageFormat.PNG)
    pixels, _ = recognition.decode(grey)
    assert pixels.getpixel((0, 0)) == pytest.approx((128, 128, 128), abs=1)


@pytest.mark.parametrize("image_format", [ImageFormat.PNG, ImageFormat.JPEG])
def test_a_large_picture_is_reduced_and_its_full_size_returned(image_format):
    pixels, size = recognition.decode(encoded(Image.new("RGB", (2100, 1400)), image_format))
    assert (pixels.size, size) == ((1024, 683), (2100, 1400))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_undecodable_data_raises_an_error_without_quoting_it(data):
    with pytest.raises(InvalidImage, match=r"^The picture cannot be decoded \(\w+\)\.$") as caught:
        recognition.decode(data)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert data not in frames[-1].f_locals.values()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, of damage
@given(
    image_format=st.sampled_from(sorted(set(ImageFormat) - {ImageFormat.HEIC})),
    kept_part=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_damaged_data_is_decoded_or_rejected(image_format, kept_part, flips):
    data = bytearray(encoded(quartered(), image_format))
    for position, bits in flips:
        data[int(position * len(data))] ^= bits
    kept_bytes = int(kept_part * len(data)) + 1
    try:
        pixels, _ = recognition.decode(bytes(data[:kept_bytes]))
    except InvalidImage:
        return
    assert pixels.mode == "RGB"
    assert max(pixels.size) <= recognition.WORKING_SIDE


@pytest.fixture
def find_faces(engine):
    """Return the boxes of the faces in a picture."""
    return lambda picture: engine.look(encoded(picture, ImageFormat.PNG)).boxes


def test_a_blurred_head_behind_a_sharp_one_is_not_a_second_face(find_faces, photographs):
    sharp = opened(photographs["grace-hopper"])
    blurred = opened(photographs["eileen-collins"]).resize((17, 18))
    scene = Image.new("RGB", (1024, 600), "grey")
    scene.paste(blurred.resize((176, 192), Image.Resampling.BICUBIC), (700, 100))
    (blurred_box,) = find_faces(scene)
    assert blurred_box.confidence < recognition.SURE
    scene.paste(sharp, (0, 0))
    assert len(find_faces(scene)) == 1


@pytest.mark.parametrize("degrees", [pytest.param(45, marks=pytest.mark.slow), 50])
@pytest.mark.parametrize("name", ["eileen-collins", "grace-hopper"])
def test_a_tilted_face_is_turned_upright_before_it_is_compared(engine, photographs, name, degrees):
    """Not turned, the same portrait scores 17 to 90."""
    portrait = opened(photographs[name])
    tilted = portrait.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="grey")
    upright_faces = engine.look(encoded(portrait, ImageFormat.PNG))
    tilted_faces = engine.look(encoded(tilted, ImageFormat.PNG))
    similarity = float(upright_faces.embedding @ tilted_faces.embedding)
    assert similarity >= 0.95


def test_at_most_two_detections_find_a_face_and_three_more_turn_it(parts, photographs, monkeypatch):
    """Each takes time."""
    sides = []
    find = parts.find

    def find_and_note(pixels, least):
        sides.append(max(pixels.shape))
        return find(pixels, least)

    monkeypatch.setattr(parts, "find", find_and_note)
    blank = Image.new("RGB", (1100, 800))
    parts.cut(encoded(blank, ImageFormat.PNG), rotate=False)
    assert sides == [512, 1024]
    sides.clear()
    tilted = opened(photographs["eileen-collins"]).rotate(75, expand=True, fillcolor="grey")
    parts.cut(encoded(tilted, ImageFormat.PNG), rotate=False)
    assert sides == [464, 320, 320, 320]  # the first at its own size


@pytest.mark.parametrize("size", [(24, 24), (32, 32), (24, 200), (200, 24)])
def test_a_picture_below_64_pixels_is_padded_so_noise_shows_no_face(parts, size):
    height, width = size
    noise = np.random.default_rng(0)
    for _ in range(20):
        pixels = noise.integers(0, 255, (height, width, 3), dtype=np.uint8)
        # Freed memory full of faces is what OpenCV would read.
        parts.find(np.full((32, 32, 3), 200, np.uint8), 0.3)
        assert len(parts.find(pixels, recognition.LEAST_CONFIDENCE)) == 0


@pytest.mark.parametrize(
    ("degrade", "code"),
    [
        pytest.param(lambda image: expose(image, 0.2), WarningCode.TOO_DARK, id="dark"),
        pytest.param(lambda image: expose(image, 2.6), WarningCode.TOO_BRIGHT, id="bright"),
        pytest.param(
            lambda image: image.filter(ImageFilter.GaussianBlur(9)),
            WarningCode.LOW_QUALITY,
            id="blurred",
        ),
        pytest.param(
            lambda image: image.resize((60, 75)), WarningCode.LOW_QUALITY, id="few pixels"
        ),
    ],
)
def test_a_degraded_face_gets_only_its_own_warning(verifier, photographs, degrade, code):
    degraded = degrade(opened(photographs["grace-hopper"]))
    result = verifier.verify(degraded, photographs["grace-hopper"])
    assert [warning.code for warning in result.warnings] == [code]


@pytest.mark.parametrize(
    ("exposure", "least_score"),
    [pytest.param(1 / 14, 88, id="dark"), pytest.param(3.2, 35, id="bright")],
)
def test_a_dark_or_overexposed_face_is_enhanced_before_it_is_compared(
    verifier, photographs, exposure, least_score
):
    """As it is, the dark one scores 84 and the bright one 21."""
    image = expose(opened(photographs["grace-hopper"]), exposure)
    result = verifier.verify(image, photographs["grace-hopper-card"])
    assert result.score.value > least_score


@pytest.mark.parametrize("version", ["4.10.0", "4.9.0-dev", "3.4.1"])
def test_an_old_opencv_is_rejected_by_version(monkeypatch, version):
    monkeypatch.setattr(cv2, "__version__", version)
    with pytest.raises(ConfigurationError, match=rf"OpenCV {version} is too old"):
        recognition.Parts()


@pytest.mark.skipif(
    not hasattr(cv2.utils, "logging"), reason="this OpenCV cannot change the level of its log"
)
def test_loading_in_threads_prints_no_warning_and_restores_the_log_level(capfd):
    """OpenCV 5 warns of every new detector, and each thread needs one."""
    log = cv2.utils.logging
    level_before = log.setLogLevel(log.LOG_LEVEL_WARNING)
    try:
        for _ in range(5):
            models = recognition.Parts()
            blank = np.zeros((64, 64, 3), np.uint8)
            together(8, functools.partial(models.find, blank, 0.6))
            assert log.getLogLevel() == log.LOG_LEVEL_WARNING
    finally:
        log.setLogLevel(level_before)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_eight_threads_get_identical_embeddings(engine, seen, photographs):
    """A detector that two threads share crashes the process."""
    names = list(photographs) * 25
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda name: engine.look(photographs[name]), names)
        for name, faces in zip(names, results, strict=True):
            expected = seen(name)
            assert faces.boxes == expected.boxes
            if faces.boxes:
                assert faces.embedding.tobytes() == expected.embedding.tobytes()
