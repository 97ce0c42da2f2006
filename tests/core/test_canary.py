"""Pictures that are refused, or cannot be decoded, are in no error."""

import base64
import gc
import zlib

import pytest
from kit import canaries, traces
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_core.testing import noise, picture_samples


def resealed(png):
    """A PNG with right checksums over whatever its chunks hold now."""
    sealed, at = png[:8], 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        chunk = png[at + 4 : at + 8 + size]
        sealed += png[at : at + 4] + chunk + zlib.crc32(chunk).to_bytes(4)
        at += 12 + size
    return sealed


def test_pictures_that_are_refused_unsent_do_not_leak():
    data = noise(7).data
    pieces = {"picture": picture_samples(fm.Image.from_bytes(data))}
    for broken in (data[:-40], b"x" * 50 + data, base64.b64encode(data), data[: len(data) // 2]):
        with fm.FaceVerifier(FakeBackend()) as verifier, pytest.raises(fm.InvalidImage) as caught:
            verifier.verify(broken, noise(8))
        assert canaries.leaks(traces.of_error(caught.value), pieces) == {}


def test_the_error_of_a_picture_that_cannot_be_decoded_holds_nothing_of_it():
    broken = bytearray(picture(kind="PNG", size=(400, 300)).data)
    middle = broken.index(b"IDAT") + 6
    data = resealed(bytes(broken[:middle]) + b"\x00" + bytes(broken[middle + 1 :]))
    with fm.open_verifier("local") as verifier:
        pairs = [(picture(), fm.Image.from_bytes(data))]
        (error,) = (outcome.error for outcome in verifier.verify_many(pairs))
    assert error.picture == "reference"
    assert (error.__cause__, error.__context__, error.__traceback__) == (None, None, None)
    assert not [thing for thing in gc.get_referents(error) if isinstance(thing, bytes)]
