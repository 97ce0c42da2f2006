"""An Image never prints, never changes and never travels by accident."""

import base64
import copy
import hashlib
import pickle
import subprocess
import sys

import pytest
from kit.strategies_images import CANARY, SMALL_FILES, jpeg_with_secrets, quartered

from facematch_core.errors import InvalidImage
from facematch_core.images import Image

JPEG = SMALL_FILES["jpeg"]


def test_repr_tells_kind_and_size_only():
    """No byte of the picture and no path."""
    image = Image.from_bytes(JPEG)
    digest = hashlib.sha256(JPEG).hexdigest()
    told = f"<Image jpeg 48x32, {len(JPEG)} bytes, {digest[:8]}>"
    assert repr(image) == str(image) == f"{image}" == told
    assert digest[:9] not in told


def test_repr_has_no_path(tmp_path):
    """A file's name may tell who is in it."""
    path = tmp_path / "jane-doe.jpg"
    path.write_bytes(JPEG)
    assert "jane" not in repr(Image.read(path))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_refuses_pickle(protocol):
    """With a sentence that says what to do."""
    image = Image.from_bytes(JPEG)
    with pytest.raises(TypeError, match=r"cannot be pickled.*Image\.from_bytes"):
        pickle.dumps({"probe": image}, protocol)


def test_copies_are_the_same_object():
    """It does not change, so none is needed."""
    image = Image.from_bytes(JPEG)
    assert copy.copy(image) is image
    assert copy.deepcopy([image])[0] is image


def test_does_not_change():
    """No attribute can be set or added, and there is no __dict__."""
    image = Image.from_bytes(JPEG)
    for name in ("data", "_data", "note"):
        with pytest.raises(AttributeError, match="does not change"):
            setattr(image, name, b"")
    with pytest.raises(TypeError):
        vars(image)


def test_is_not_made_by_its_class():
    """The sentence names the ways to make one."""
    with pytest.raises(TypeError, match=r"Image\.read\(path\)"):
        Image(JPEG)


def test_equality_and_hash():
    """Equal bytes as given and as sent; anything else is different."""
    image, twin = Image.from_bytes(JPEG), Image.from_base64(base64.b64encode(JPEG))
    assert image == twin
    assert len({image, twin, Image.from_bytes(SMALL_FILES["png"])}) == 2
    assert image != JPEG
    assert image != Image.from_bytes(SMALL_FILES["png"])
    given = Image.from_bytes(jpeg_with_secrets(quartered()))
    assert given != given.prepared()
    assert hash(given) == hash(given.prepared())
    assert Image.from_bytes(given.prepared().data) != given.prepared()


def test_digests():
    """SHA-256, in hexadecimal, the same each time."""
    image = Image.from_bytes(JPEG)
    assert image.digest == image.sent_digest == hashlib.sha256(JPEG).hexdigest()
    assert image.digest is image.digest


def test_describing_and_stripping_need_no_pillow():
    """The import is light, and stays so until something is decoded."""
    code = f"""
import base64, sys
from facematch_core.images import Image
image = Image.from_base64({base64.b64encode(jpeg_with_secrets(quartered())).decode()!r})
assert image.prepared().size_bytes < image.size_bytes
heavy = {{"PIL", "numpy", "pillow_heif"}} & sys.modules.keys()
assert not heavy, heavy
image.to_pil()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_secrets_do_not_reach_messages():
    """The sentence of a refusal is made of numbers and fixed words."""
    with pytest.raises(InvalidImage) as refused:
        Image.from_bytes(CANARY)
    assert CANARY.decode() not in refused.value.message
