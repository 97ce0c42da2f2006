"""Where pictures come from, and what each source refuses."""

import base64
import bz2
import errno
import gzip
import io
import lzma
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import PIL.Image
import pytest
from kit.strategies_images import PHOTOGRAPHS, SMALL_FILES, quartered

from facematch_core.errors import InvalidImage
from facematch_core.images import MAX_FILE_BYTES, Image, ImageFormat

JPEG = SMALL_FILES["jpeg"]


class Trickle(io.RawIOBase):
    """A file that gives a few bytes at a time and cannot be wound back."""

    def __init__(self, data, endless=False):
        self._data = io.BytesIO(data)
        self._endless = endless
        self.asked = 0

    def readable(self):
        return True

    def seekable(self):
        return False

    def read(self, size=-1):
        self.asked += 1
        piece = self._data.read(min(size, 7) if not self._endless else size)
        return piece or (b"\0" * min(size, 1 << 20) if self._endless else b"")


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_reads_every_photograph(path):
    """The photographs of the repository are read by str, by path object and by bytes."""
    image = Image.read(path)
    assert image == Image.read(str(path)) == Image.from_bytes(path.read_bytes()) == Image.of(path)
    with PIL.Image.open(path) as picture:
        assert (image.width, image.height) == picture.size
    assert image.format is ImageFormat.JPEG


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_bytes_of_any_kind(kind):
    """A later change of a bytearray does not reach the Image."""
    given = kind(JPEG)
    image = Image.from_bytes(given)
    if kind is bytearray:
        given[:] = b""
    assert image.data == JPEG
    assert type(image.data) is bytes
    assert Image.of(kind(JPEG)) == image


def test_refuses_bytes_that_are_none():
    """A list of numbers is not bytes, and too many bytes are not copied."""
    with pytest.raises(InvalidImage, match="must be given as bytes, not list"):
        Image.from_bytes([255, 216])
    with pytest.raises(InvalidImage, match="has more than the 33554432 bytes"):
        Image.from_bytes(memoryview(bytearray(MAX_FILE_BYTES + 1)))


def test_takes_base64_and_data_uris():
    """Text or bytes, folded lines, and a data URI whatever media type it claims."""
    text = base64.encodebytes(JPEG)
    image = Image.from_bytes(JPEG)
    assert b"\n" in text
    assert Image.from_base64(text) == image
    assert Image.from_base64(text.decode()) == image
    for start in ("data:image/jpeg;base64,", "DATA:image/png;name=a;BASE64, ", "data:;base64,"):
        assert Image.from_base64(start + text.decode()) == image


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("data:image/jpeg;base64,", "is empty"),
        ("data:image/jpeg,abc", "without ;base64"),
        ("selfie.jpg", "is not valid base64 (10 characters)"),
        ("/9j/4AA", "is not valid base64"),
        ("ä" * 8, "is not valid base64"),
        ("_9j_4AAQ", "in the standard alphabet"),
        (base64.b64encode(b"hello, world").decode(), "looks like plain text"),
        (12, "must be given as base64 text, not int"),
        ("A" * (MAX_FILE_BYTES // 3 * 4 + 100), "more than the 33554432"),
    ],
)
def test_refuses_what_is_no_base64(text, told):
    """Each with its own reason, and never with the text itself."""
    with pytest.raises(InvalidImage, match=r"^The picture ") as refused:
        Image.from_base64(text)
    assert told in refused.value.message
    assert str(text) not in refused.value.message or text in ("", 12)


def test_reads_file_objects_that_cannot_seek():
    """A raw stream that gives seven bytes at a time is read to its end, and left open."""
    file = Trickle(JPEG)
    assert Image.from_file(file) == Image.from_bytes(JPEG)
    assert not file.closed


def test_reads_a_file_object_from_where_it_stands():
    """What was read before does not count."""
    file = io.BytesIO(b"header" + JPEG)
    file.seek(6)
    assert Image.from_file(file).data == JPEG


def test_stops_reading_an_endless_file():
    """One byte more than the limit is read, not the whole stream."""
    file = Trickle(JPEG, endless=True)
    with pytest.raises(InvalidImage, match="more than the 33554432 bytes"):
        Image.from_file(file)
    assert file.asked < 50


class Broken:
    """A file object that gives, or raises, what it was told to."""

    def __init__(self, answer):
        self.answer = answer

    def read(self, size):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (io.StringIO("text"), "gave str instead of bytes"),
        (io.BytesIO(), "is empty"),
        (Broken(OSError("secret")), "OSError"),
        (Broken(ValueError("closed")), "ValueError"),
        (Broken(None), "NoneType instead of bytes"),
        ("selfie.jpg", "AttributeError"),
    ],
)
def test_refuses_bad_file_objects(file, told):
    """Text mode, failing, non-blocking, or no file at all."""
    with pytest.raises(InvalidImage, match=re.escape(told)):
        Image.from_file(file)


def test_refuses_paths_by_name(tmp_path, monkeypatch):
    """The sentence names the file as it was given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "large.png").write_bytes(b"\0" * (MAX_FILE_BYTES + 1))
    for name, told in {
        "absent.jpg": "does not exist",
        "folder": "Is a directory",
        "empty.jpg": "is empty (0 bytes)",
        "page.jpg": "looks like an HTML page",
        "large.png": "more than the 33554432 bytes",
        "a\0b": "cannot be read (ValueError)",
        "x-" * 2500: "cannot be read (File name too long)",
        "empty.jpg/a": "cannot be read (Not a directory)",
    }.items():
        with pytest.raises(InvalidImage) as refused:
            Image.read(pathlib.Path(name))
        assert refused.value.message.startswith(f"The picture {name!r} ")
        assert told in refused.value.message


def test_refuses_a_file_without_permission(tmp_path, monkeypatch):
    """It says so, whoever runs the tests."""

    def locked(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("builtins.open", locked)
    with pytest.raises(InvalidImage, match=r"'a\.jpg' cannot be read \(Permission denied\)"):
        Image.read("a.jpg")


@pytest.mark.parametrize("kind", [str, pathlib.Path])
@pytest.mark.parametrize("url", ["https://host/face.jpg?sig=s3cret", "S3://bucket/s3cret.jpg"])
def test_refuses_urls_without_repeating_them(url, kind):
    """Nothing is fetched, and a signature in an address is not printed."""
    with pytest.raises(InvalidImage, match="is named by a URL") as refused:
        Image.read(kind(url))
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("start", ["", "data:image/jpeg;base64,"])
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "bmp"])
def test_refuses_base64_as_a_name_without_repeating_it(name, start):
    """It is the picture itself, given to the wrong function."""
    text = start + base64.b64encode(SMALL_FILES[name]).decode()
    with pytest.raises(InvalidImage, match=r"use Image\.from_base64") as refused:
        Image.read(text)
    assert len(refused.value.message) < 100


def test_refuses_other_things_than_paths():
    """An int would be a file descriptor."""
    with pytest.raises(InvalidImage, match="not int"):
        Image.read(0)


def test_content_decides_not_the_ending(tmp_path):
    """A PNG named .jpg is a PNG."""
    path = tmp_path / "selfie.jpg"
    path.write_bytes(SMALL_FILES["png"])
    image = Image.read(path)
    assert (image.format, image.extension, image.media_type) == ("png", "png", "image/png")


@pytest.mark.parametrize(
    "text", ["selfie.jpg", "https://host/a.jpg", "/9j/4AAQSkZJRgABAQ", "", "data:image/png;base64,"]
)
def test_of_refuses_plain_text(text):
    """A form's text becomes no file name, no address and no picture; the sentence says how."""
    for take in (Image.of, Image.from_bytes):
        with pytest.raises(InvalidImage) as refused:
            take(text)
        assert 'Image.read("selfie.jpg")' in refused.value.message
        assert "Image.from_base64(field)" in refused.value.message
        assert "host" not in refused.value.message
        assert "9j" not in refused.value.message


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "NoneType"),
        (3.5, "float"),
        ([JPEG], "list"),
        (io.BytesIO(JPEG), "BytesIO"),
        (quartered(), "Image"),
    ],
)
def test_of_names_other_types(value, told):
    """What else there is to use is said."""
    with pytest.raises(InvalidImage, match=f"cannot be made from {told}; .*Image.from_file"):
        Image.of(value)


def test_of_leaves_an_image_as_it_is(tmp_path):
    """The very object comes back."""
    image = Image.from_bytes(JPEG)
    assert Image.of(image) is image


def test_reads_a_pipe(tmp_path):
    """What cannot be sized or wound back is read too (`<(command)` in a shell)."""
    reading, writing = os.pipe()
    os.write(writing, JPEG)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert Image.from_file(file).data == JPEG


def zipped(text=JPEG):
    """A ZIP archive whose only member has a wrong checksum."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", text)
    data = bytearray(file.getvalue())
    data[60] ^= 0xFF
    return zipfile.ZipFile(io.BytesIO(bytes(data))).open("a.jpg")


class Moody:
    """A file object that cannot even be asked for its method."""

    @property
    def read(self):
        raise RuntimeError("s3cret")


@pytest.mark.parametrize(
    "file",
    [
        lambda: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(JPEG)[:-20])),
        lambda: lzma.LZMAFile(io.BytesIO(lzma.compress(JPEG)[:-20])),  # noqa: SIM115 - read below
        lambda: bz2.BZ2File(io.BytesIO(bz2.compress(JPEG)[:-20])),
        zipped,
        lambda: Broken(RuntimeError("s3cret")),
    ],
    ids=["gzip", "lzma", "bz2", "zip", "any error"],
)
def test_refuses_whatever_a_file_object_raises(file):
    """One error for a caller to catch; what the object says is not repeated."""
    with pytest.raises(InvalidImage, match=r"^The picture cannot be read from its file") as refused:
        Image.from_file(file())
    assert "s3cret" not in refused.value.message


def test_of_refuses_what_cannot_be_asked():
    """An object whose attributes raise is of no kind that is taken."""
    with pytest.raises(InvalidImage, match="cannot be made from Moody"):
        Image.of(Moody())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_refuses_what_is_not_a_regular_file(tmp_path):
    """A named pipe would be waited for, a device never ends."""
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (pipe, pathlib.Path("/dev/zero")):
        code = f"from facematch_core import Image; Image.read({str(path)!r})"
        refused = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
        )
        assert refused.returncode == 1
        assert f"The picture {str(path)!r} is not a regular file" in refused.stderr
