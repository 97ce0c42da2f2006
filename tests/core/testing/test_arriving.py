"""What the rules about pictures, thresholds and diagnosis look at, and what they say of it."""

import io
from typing import ClassVar

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator, can
from mutants.table import MUTANTS
from PIL import ExifTags, ImageCms
from PIL import Image as Pillow

from facematch_core import ConfigurationError, Image, Retention
from facematch_core.testing import BackendContract, find_leaks, noise, picture_samples
from facematch_core.testing.bench import Bench
from facematch_core.testing.pictures import (
    PLANTED,
    is_upright,
    jpeg_with_secrets,
    png_with_secrets,
    secrets_in,
    turned,
)

PICTURE = noise(7, (120, 80))
R42 = "test_r42_pictures_arrive_in_their_places"
R43 = "test_r43_pictures_arrive_without_private_data"
R44 = "test_r44_keep_nothing_is_the_default"
R47 = "test_r47_diagnose_costs_nothing"


def judge(rule, backend=ReferenceBackend, simulator=ReferenceSimulator):
    """Run one rule against a backend."""
    bench = Bench(simulator(backend))
    getattr(BackendContract(), rule)(bench)
    bench.close()


@pytest.mark.parametrize("written", [jpeg_with_secrets, png_with_secrets])
def test_what_is_planted_is_found(written):
    """All of it in the file as a phone wrote it, nothing in what the core makes of it."""
    image = written(PICTURE)
    found = [*PLANTED, "the position's numbers", "a note of its sender"]
    assert list(secrets_in(image.data)) == found
    assert list(secrets_in(image.prepared().data)) == []


def test_a_position_in_numbers_is_found():
    """Without any text beside it."""
    exif = Pillow.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    written = io.BytesIO()
    PICTURE.to_pil().save(written, "PNG", exif=exif.tobytes())
    told = ["the position's numbers", "a note of its sender"]
    assert list(secrets_in(written.getvalue())) == told
    assert list(secrets_in(Image.from_pil(PICTURE.to_pil()).data)) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_colours_and_orientation_are_no_note(kind):
    """Whoever encodes a picture anew may keep them; a comment is one, in whatever kind of file."""
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = 6
    how = {"exif": exif.tobytes(), "icc_profile": ImageCms.createProfile("sRGB")}
    how["icc_profile"] = ImageCms.ImageCmsProfile(how["icc_profile"]).tobytes()
    written = io.BytesIO()
    PICTURE.to_pil().save(written, kind, **how)
    assert list(secrets_in(written.getvalue())) == []
    if kind == "JPEG":
        commented = io.BytesIO()
        PICTURE.to_pil().save(commented, kind, comment=b"by me", **how)
        assert list(secrets_in(commented.getvalue())) == ["a note of its sender"]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_upright_to_its_reader(orientation):
    """With its orientation, turned in its pixels, and made smaller; not without."""
    held = turned(PICTURE, orientation)
    size = PICTURE.width, PICTURE.height
    assert held.upright_size == size
    assert (held.width, held.height) == (size[::-1] if orientation > 4 else size)
    assert is_upright(held.data, PICTURE)
    assert is_upright(Image.from_pil(held.to_pil()).data, PICTURE)
    assert is_upright(Image.from_pil(held.to_pil().reduce(2)).data, PICTURE)


@pytest.mark.parametrize("turn", Pillow.Transpose)
def test_no_turn_and_no_mirror_is_upright(turn):
    """Each of the seven others is told from it."""
    other = Image.from_pil(PICTURE.to_pil().transpose(turn))
    assert not is_upright(other.data, PICTURE)


@pytest.mark.parametrize("rule", [R42, R43])
def test_a_simulator_that_cannot_tell_is_named(rule):
    """The rule stays open, and says what the simulator would have to do."""

    class Blind(ReferenceSimulator):
        received: ClassVar = {}

    with pytest.raises(pytest.skip.Exception) as skipped:
        judge(rule, simulator=Blind)
    assert str(skipped.value) == "Not tested: Blind does not say which pictures arrived."


def test_pictures_are_told_as_bytes():
    """A simulator that hands on base64 is told so, not the backend blamed."""

    class Texts(ReferenceSimulator):
        @property
        def received(self):
            return super().received | {"probe": "aGVsbG8="}

    with pytest.raises(AssertionError, match="must hold the pictures as bytes"):
        judge(R42, simulator=Texts)


def test_two_places_need_two_pictures():
    """One picture twice could not be told from the other."""

    class OneFace(ReferenceSimulator):
        def pictures(self):
            return PICTURE, PICTURE

    with pytest.raises(AssertionError, match="the simulator's two pictures are one"):
        judge(R42, simulator=OneFace)


@pytest.mark.parametrize(
    ("rule", "name"),
    [(R42, "SwappedPictures"), (R42, "OrientationDropped"), (R43, "SendsTheOriginal")],
)
def test_a_failure_shows_no_picture(rule, name):
    """What pytest prints of a failing rule goes into logs of others."""
    with pytest.raises(AssertionError) as failed:
        judge(rule, MUTANTS[name].backend)
    told = f"{failed.value!r} {failed.value}"
    for picture in ReferenceSimulator().pictures():
        for sample in picture_samples(picture):
            assert find_leaks(sample, told) == ()
    assert "the " in str(failed.value)
    assert "\\x" not in told


def test_a_failure_shows_no_secret():
    """Of a diagnosis that tells the key, only that it does."""
    with pytest.raises(AssertionError, match="a secret in what diagnose returns or logs") as failed:
        judge(R47, MUTANTS["DiagnoseShowsTheLastRequest"].backend)
    assert find_leaks(ReferenceSimulator.secrets[0], f"{failed.value!r} {failed.value}") == ()


def test_a_vendor_that_always_keeps_is_asked_for_it():
    """A backend that declares KEEP alone refuses the call of somebody who has not said so."""

    class Archive(ReferenceBackend):
        capabilities = can(retention=frozenset({Retention.KEEP}))

    judge(R44, Archive)


def test_a_closed_backend_may_refuse_to_be_diagnosed():
    """With the error that a closed backend has; with any other it fails."""

    class Closed(ReferenceBackend):
        error = ConfigurationError

        def close(self):
            self.closed = True

        def diagnose(self):
            if "closed" in vars(self):
                raise self.error("The backend is closed.")
            return super().diagnose()

    class Broken(Closed):
        error = RuntimeError

    judge(R47, Closed)
    with pytest.raises(RuntimeError, match="closed"):
        judge(R47, Broken)
