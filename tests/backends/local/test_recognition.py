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

from facematch_core import ConfigurationError, InvalidImage
from facematch_core.backend import ImageFormat
from facematch_local import recognition


@pytest.fixture(scope="module")
def parts():
    return recognition.Parts()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_every_pixel_mode_is_decoded_to_rgb(mode):
    pixels, size = recognition.decode(encoded(Image.new(mode, (30, 20)), ImageFormat.TIFF))
    assert (pixels.mode, pixels.size, size) == ("RGB", (30, 20), (30, 20))


def test_a_transparent_palette_keeps_its_colours_and_16_bits_keep_their_shades():
    palette = encoded(quartered().quantize(8), ImageFormat.PNG, transparency=bytes([128] * 8))
    assert recognition.decode(palette)[0].getpixel((0, 0)) == QUARTERS["R"]
    grey = encoded(Image.new("I;16", (4, 4), 0x8000), ImageFormat.PNG)
    assert recognition.decode(grey)[0].getpixel((0, 0)) == pytest.approx((128,) * 3, abs=1)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_undecodable_data_raises_an_error_without_quoting_it(data):
    with pytest.raises(InvalidImage, match=r"^The picture cannot be decoded \(\w+\)\.$") as caught:
        recognition.decode(data)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    *_, (frame, _line) = traceback.walk_tb(caught.value.__traceback__)
    assert data not in frame.f_locals.values()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # Pillow's, of damage
@given(
    kind=st.sampled_from([kind for kind in ImageFormat if kind is not ImageFormat.HEIC]),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
)
def test_damaged_data_is_decoded_or_rejected(kind, cut, flips):
    data = bytearray(encoded(quartered(), kind))
    for at, bits in flips:
        data[int(at * len(data))] ^= bits
    try:
        pixels, _ = recognition.decode(bytes(data[: int(cut * len(data)) + 1]))
    except InvalidImage:
        return
    assert pixels.mode == "RGB"
    assert max(pixels.size) <= recognition.WORKING_SIDE


def test_a_blurred_head_behind_a_sharp_one_is_not_a_second_face(engine, photographs):
    sharp = Image.open(io.BytesIO(photographs["grace-hopper"]))
    blurred = Image.open(io.BytesIO(photographs["eileen-collins"])).resize((24, 24))
    both = Image.new("RGB", (1024, 600), "grey")
    both.paste(blurred.resize((256, 256), Image.Resampling.BICUBIC), (700, 100))
    alone = engine.look(encoded(both, ImageFormat.PNG)).boxes
    both.paste(sharp, (0, 0))
    assert [box.confidence < recognition.SURE for box in alone] == [True]
    assert len(engine.look(encoded(both, ImageFormat.PNG)).boxes) == 1


@pytest.mark.parametrize("degrees", [pytest.param(45, marks=pytest.mark.slow), 50])
@pytest.mark.parametrize("name", ["eileen-collins", "grace-hopper"])
def test_a_tilted_face_is_turned_upright_before_it_is_compared(engine, photographs, name, degrees):
    """Not turned, the same portrait scores 17 to 90."""
    portrait = Image.open(io.BytesIO(photographs[name])).convert("RGB")
    tilted = portrait.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="grey")
    upright, turned = (
        engine.look(encoded(image, ImageFormat.PNG)).embedding for image in (portrait, tilted)
    )
    assert float(upright @ turned) >= 0.95


@pytest.mark.parametrize("size", [(24, 24), (32, 32), (24, 200), (200, 24)])
def test_a_picture_below_64_pixels_is_padded_so_noise_shows_no_face(parts, size):
    noise = np.random.default_rng(0)
    for _ in range(20):
        pixels = noise.integers(0, 255, (*size, 3), dtype=np.uint8)
        # Freed memory full of faces is what OpenCV would read.
        parts.find(np.full((32, 32, 3), 200, np.uint8), 0.3)
        assert len(parts.find(pixels, recognition.LEAST_CONFIDENCE)) == 0


@pytest.mark.parametrize(
    ("degrade", "code"),
    [
        (lambda image: image.point(lambda value: value // 5), "TOO_DARK"),
        (lambda image: image.point(lambda value: min(255, 2.6 * value)), "TOO_BRIGHT"),
        (lambda image: image.filter(ImageFilter.GaussianBlur(9)), "LOW_QUALITY"),
        (lambda image: image.resize((60, 75)), "LOW_QUALITY"),
    ],
)
def test_a_degraded_face_gets_only_its_own_warning(verifier, photographs, degrade, code):
    image = Image.open(io.BytesIO(photographs["grace-hopper"])).convert("RGB")
    found = verifier.verify(degrade(image), photographs["grace-hopper"])
    assert [warning.code.name for warning in found.warnings] == [code]


@pytest.mark.parametrize(
    ("expose", "least_score"),
    [(lambda value: value // 14, 88), (lambda value: min(255, 3.2 * value), 35)],
    ids=["dark", "bright"],
)
def test_a_dark_or_overexposed_face_is_enhanced_before_it_is_compared(
    verifier, photographs, expose, least_score
):
    """As it is, the dark one scores 84 and the bright one 21."""
    image = Image.open(io.BytesIO(photographs["grace-hopper"])).convert("RGB").point(expose)
    assert verifier.verify(image, photographs["grace-hopper-card"]).score.value > least_score


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
    names = [*photographs] * 25
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: engine.look(photographs[name]), names)
        for name, faces in zip(names, found, strict=True):
            assert faces.boxes == seen(name).boxes
            if faces.boxes:
                assert faces.embedding.tobytes() == seen(name).embedding.tobytes()
