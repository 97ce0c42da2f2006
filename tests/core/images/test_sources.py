"""Where pictures come from, what each source refuses, and what an Image never does."""

import base64
import copy
import io
import os
import pathlib
import pickle
import re
import threading
from types import SimpleNamespace
from unittest.mock import Mock
from urllib.parse import quote

import numpy as np
import pytest
from kit.strategies_images import SMALL_FILES, jpeg_with_secrets, quartered

from facematch_core.errors import InvalidImage
from facematch_core.images.image import MAX_FILE_BYTES, Image

JPEG = SMALL_FILES["jpeg"]
TEXT = base64.encodebytes(JPEG).decode()


def refusal(take, source):
    with pytest.raises(InvalidImage, match=r"^The picture ") as refused:
        take(source)
    return refused.value.message


# --- Bytes and text ---


@pytest.mark.parametrize(
    "start", ["", "data:image/jpeg;base64,", "DATA:image/png;name=a;BASE64, ", "data:;base64,"]
)
def test_base64_with_white_space_or_as_data_uri_is_accepted(start):
    text = start + TEXT
    assert "\n" in text
    assert Image.from_base64(text) == Image.from_base64(text.encode()) == Image.from_bytes(JPEG)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data:image/jpeg;base64,", "is empty"),
        ("data:image/jpeg,abc", "without ;base64"),
        ("selfie.jpg", "is not valid base64 (10 characters)"),
        ("/9j/4AA", "is not valid base64"),
        ("_9j_4AAQ", "URL-safe"),
        # A field that JavaScript did not have.
        ("undefined", "is not valid base64 (9 characters)"),
        (base64.b64encode(b"hello, world").decode(), "text"),
        (12, "must be given as base64 text, not int"),
        ("A" * (MAX_FILE_BYTES // 3 * 4 + 100), "more than the 33554432"),
    ],
)
def test_invalid_base64_is_refused_and_not_quoted(text, says):
    message = refusal(Image.from_base64, text)
    assert says in message
    assert str(text) not in message or text == 12


@pytest.mark.parametrize("text", ["https://host/a.jpg", "/9j/4AAQSkZJRgABAQ", ""])
@pytest.mark.parametrize("take", [Image.of, Image.from_bytes])
def test_plain_text_is_refused_and_the_right_function_is_named(take, text):
    message = refusal(take, text)
    assert 'Image.read("selfie.jpg")' in message
    assert "Image.from_base64(field)" in message
    assert "host" not in message
    assert "9j" not in message


@pytest.mark.parametrize("value", [None, 3.5, [JPEG], np.zeros((4, 4, 3))], ids=type)
def test_unsupported_type_is_named_in_the_error(value):
    message = refusal(Image.of, value)
    assert f"cannot be read from {type(value).__name__}: " in message
    assert ("cv2.imencode" in message) is hasattr(value, "shape")
    assert f"bytes, not {type(value).__name__}" in refusal(Image.from_bytes, value)


def test_open_files_and_pillow_images_are_accepted():
    assert Image.of(io.BytesIO(JPEG)) == Image.from_bytes(JPEG)
    assert Image.of(quartered()) == Image.from_pil(quartered())
    assert "bytes" in refusal(Image.of, io.StringIO("/9j/"))


# --- File objects ---


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: f"image/jpeg;base64,{text}", "without data:"),
        (lambda text: text.replace("+", "%2B"), "percent-encoded"),
        (lambda text: quote(f"data:image/jpeg;base64,{text}", safe=""), "percent-encoded"),
        (lambda text: text.replace("/", "\\/"), "json.loads"),
        (lambda text: "data:image\\/jpeg;base64," + text.replace("/", "\\/"), "json.loads"),
        (lambda text: f'"{text}"', "in quotes"),
        (lambda text: str(text.encode()), "repr of bytes"),
        (lambda text: text.replace("+", "-").replace("/", "_"), "URL-safe"),
    ],
)
def test_text_that_something_has_changed_is_refused_with_the_cause(change, says):
    text = base64.b64encode(JPEG).decode()
    message = refusal(Image.from_base64, change(text))
    assert says in message
    assert text[:40] not in message


@pytest.mark.parametrize("name", ["my-selfie_1.jpg", "C:\\users\\selfie.jpg"])
def test_file_name_is_not_taken_for_changed_base64(name):
    assert "Image.read for a file name" in refusal(Image.from_base64, name)


def test_base64_with_spaces_instead_of_plus_is_explained():
    text = base64.b64encode(JPEG).decode()
    assert "+" in text
    with pytest.raises(InvalidImage, match="spaces"):
        Image.from_base64(text.replace("+", " "))
    assert Image.from_base64(text[:40] + " " + text[40:]).data == JPEG


def test_endless_file_is_read_only_up_to_the_size_limit():
    sizes = []
    file = SimpleNamespace(read=lambda size: sizes.append(size) or b"\0" * min(size, 1 << 20))
    assert "more than the 33554432 bytes" in refusal(Image.from_file, file)
    assert sum(min(size, 1 << 20) for size in sizes) == MAX_FILE_BYTES + 1


async def read_later(size=-1):
    return JPEG


AT_ITS_END = io.BytesIO(JPEG)
AT_ITS_END.seek(0, io.SEEK_END)
BAD_FILES = {
    "await": (SimpleNamespace(read=read_later), "await file.read()"),
    "at its end": (AT_ITS_END, "call seek(0)"),
    "text": (io.StringIO("text"), "returned str, not bytes"),
    "nothing": (io.BytesIO(), "is empty"),
    "a name": ("selfie.jpg", "AttributeError"),
    "any error": (SimpleNamespace(read=Mock(side_effect=RuntimeError("s3cret"))), "RuntimeError"),
}


@pytest.mark.parametrize(("file", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_object_is_refused(file, says):
    message = refusal(Image.from_file, file)
    assert says in message
    assert "s3cret" not in message


# --- Paths ---


def test_unreadable_path_is_named_in_the_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "drawing.jpg").write_text('<?xml version="1.0"?><SVG width="1"/>')
    (tmp_path / "large.png").write_bytes(b"\0" * (MAX_FILE_BYTES + 1))
    for name, says in {
        "absent.jpg": "does not exist",
        "folder": "Is a directory",
        "empty.jpg": "is empty (0 bytes)",
        "drawing.jpg": "looks like an SVG drawing; export it as PNG",
        "large.png": "more than the 33554432 bytes",
        "a\0b": "cannot be read (ValueError)",
        "empty.jpg/a": "cannot be read (Not a directory)",
    }.items():
        message = refusal(Image.read, pathlib.Path(name))
        assert message.startswith(f"The picture {name!r} ")
        assert says in message
    assert "not int" in refusal(Image.read, 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_is_refused_without_blocking(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    messages = []
    os.mkfifo(pipe)

    def read():
        messages.append(refusal(Image.read, pipe))

    reader = threading.Thread(target=read, daemon=True)  # which may wait for good
    reader.start()
    reader.join(30)
    assert f"The picture {str(pipe)!r} is a pipe or a device" in messages[0]


@pytest.mark.parametrize("as_path", [str, pathlib.Path])
@pytest.mark.parametrize("url", ["https://host/face.jpg?sig=s3cret", "S3://bucket/s3cret.jpg"])
def test_url_is_refused_and_not_quoted(url, as_path):
    message = refusal(Image.read, as_path(url))
    assert "is a URL" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("start", ["", "data:image/jpeg;base64,", "DATA:image/jpeg;base64,"])
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "bmp"])
def test_base64_as_a_path_is_refused_and_not_quoted(name, start):
    message = refusal(Image.read, start + base64.b64encode(SMALL_FILES[name]).decode())
    assert "use Image.from_base64" in message
    assert len(message) < 100


# --- What an Image never does: print, change, travel by accident ---


def test_image_is_immutable_and_not_pickled_and_has_no_public_constructor():
    image = Image.from_bytes(JPEG)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"cannot be pickled.*Image\.from_bytes"):
            pickle.dumps({"probe": image}, protocol)
    for name in ("data", "_data", "note"):
        with pytest.raises(AttributeError):
            setattr(image, name, b"")
    with pytest.raises(TypeError):
        vars(image)
    with pytest.raises(TypeError, match=re.escape("Image.read(path)")):
        Image(JPEG)


def test_images_are_equal_if_original_and_sent_bytes_are_equal():
    image = Image.from_bytes(JPEG)
    assert Image.of(image) is copy.copy(image) is copy.deepcopy([image])[0] is image
    assert image == Image.from_base64(TEXT)
    assert len({image, Image.from_base64(TEXT), Image.from_bytes(SMALL_FILES["png"])}) == 2
    assert (image == JPEG, image != JPEG) == (False, True)
    secret_image = Image.from_bytes(jpeg_with_secrets(quartered()))
    assert secret_image != secret_image.prepared()
    assert hash(secret_image) == hash(secret_image.prepared())
    assert Image.from_bytes(secret_image.prepared().data) != secret_image.prepared()
