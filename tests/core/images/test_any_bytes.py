"""Whatever the bytes: an Image or InvalidImage, and never anything else."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies_images import SMALL_FILES, encoded, flipped, quartered, random_with_magic

from facematch_core.errors import InvalidImage
from facematch_core.images import Image, ImageFormat, ImageLimits

FEW = ImageLimits(max_bytes=900, max_pixels=700)


def unless_refused(act):
    """The result of `act`, or None if it raised an InvalidImage of one sentence."""
    try:
        return act()
    except InvalidImage as error:
        sentence = error.message
    assert sentence.startswith("The picture ")
    assert sentence.count(". ") == 0
    return None


def survive(data):
    """Do everything that can be done with a picture; only InvalidImage may be raised."""
    image = unless_refused(lambda: Image.from_bytes(data))
    if image is None:
        return
    assert image.width * image.height > 0
    assert len(repr(image)) < 100
    for act in (image.to_pil, image.prepared, lambda: image.prepared(FEW)):
        unless_refused(act)


@settings(max_examples=max(300, settings().max_examples))
@given(flipped())
def test_changed_bytes(data):
    """A file that was damaged on its way."""
    survive(data)


@pytest.mark.parametrize("form", ["heic", "avif"])
def test_changed_bytes_of_modern_formats(form):
    """The same for boxes; each byte of the header is changed in turn."""
    if form == "heic":
        pytest.importorskip("pillow_heif")
    data = encoded(quartered(), ImageFormat(form))
    for at in range(0, len(data), 5):
        for value in (0, 0xFF):
            survive(data[:at] + bytes([value]) + data[at + 1 :])


@settings(max_examples=200)
@given(random_with_magic())
def test_random_bytes_behind_a_magic(data):
    """A beginning that promises what does not follow."""
    survive(data)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes(data):
    """No beginning at all."""
    survive(data)


@settings(max_examples=100)
@given(st.sampled_from([*SMALL_FILES.values()]), st.binary(min_size=1, max_size=60))
def test_anything_behind_the_end(data, more):
    """Trailing bytes do not matter."""
    survive(data + more)


@settings(max_examples=60)
@given(
    st.sampled_from([*SMALL_FILES.values()]),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_a_piece_that_is_missing(data, start, length):
    """A hole in the middle."""
    survive(data[:start] + data[start + length :])


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), flipped().map(base64.b64encode)))
def test_any_text_as_base64(text):
    """Text of a form's field."""
    unless_refused(lambda: Image.from_base64(text))


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from([*SMALL_FILES]), ending=st.sampled_from(["jpg", "png", "txt", "svg"]))
def test_any_ending(name, ending, tmp_path_factory):
    """The name of a file says nothing."""
    path = tmp_path_factory.mktemp("endings") / f"a.{ending}"
    path.write_bytes(SMALL_FILES[name])
    assert Image.read(path) == Image.from_bytes(SMALL_FILES[name])
