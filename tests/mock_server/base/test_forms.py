"""Forms: fields and files by name, and errors for malformed bodies."""

import hashlib

import pytest
from kit.mock_world import BOUNDARY, multipart

from facematch_mock_server.base.messages import FormError, read_form
from facematch_mock_server.world.pictures import Pictures


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="f"; filename="C:\\\\x\\\\a.png"',
        "content-disposition: form-data; filename=a.png; name=f",
        "X: y\r\nContent-Disposition: form-data; name=f; filename*=utf-8''%61.png",
        'Content-Disposition: form-data; name="f"; filename="/tmp/a.png"',
    ],
)
def test_uploaded_file_name_is_parsed_without_its_path(head):
    body = f"--B\r\n{head}\r\n\r\nabc\r\n--B--\r\n".encode()
    form = read_form('multipart/form-data; charset=x; boundary="B"', body, pictures=Pictures())
    (file,) = form.files["f"]
    assert (file.name, file.content) == ("a.png", b"abc")


@pytest.mark.parametrize("pictures", [None, Pictures()], ids=["alone", "stored"])
def test_part_without_a_file_name_is_a_file_if_that_field_alone_has_one(pictures):
    body, content_type = multipart(
        [("a", "1"), ("f", b"\xff2"), ("f", "")], [("f", "", b"\xff3"), ("b", "", b"4")]
    )
    usual = read_form(content_type, body, pictures=pictures)
    assert (usual.files, usual.texts["b"]) == ({}, "4")
    form = read_form(content_type, body, pictures=pictures, unnamed="f")
    assert [(file.name, file.content) for file in form.files["f"]] == [
        ("", b"\xff2"),
        ("", b"\xff3"),
    ]
    assert form.fields == {"a": ["1"], "f": [""], "b": ["4"]}
    assert form.files.keys() == {"f"}


FORM, TYPE = multipart([("a", "1")], [("f", "a.png", b"x")])
PART_WITHOUT_HEAD = f"--{BOUNDARY}\r\nabc\r\n--{BOUNDARY}--".encode()
PART_WITHOUT_NAME = (
    f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\n\r\n--{BOUNDARY}--".encode()
)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param(f"application/json; boundary={BOUNDARY}", FORM, id="another type"),
        pytest.param("", FORM, id="no type"),
        pytest.param("multipart/form-data", FORM, id="no boundary"),
        pytest.param("multipart/form-data; boundary=other", FORM, id="another boundary"),
        pytest.param(TYPE, b"", id="nothing"),
        pytest.param(TYPE, FORM[:-8], id="cut"),
        pytest.param(TYPE, FORM[:120], id="cut in a part"),
        pytest.param(TYPE, PART_WITHOUT_HEAD, id="a part without a head"),
        pytest.param(TYPE, PART_WITHOUT_NAME, id="a part without a name"),
    ],
)
def test_a_malformed_form_is_an_error(content_type, body):
    with pytest.raises(FormError):
        read_form(content_type, body)


@pytest.mark.parametrize("tail", [b"", b"x", b"\r\n--"])
def test_form_with_a_cached_large_file_is_parsed_exactly(tail):
    pictures = Pictures()
    long = bytes(range(256)) * 300
    pictures.store(long)
    sent = {"f": long + tail, "g": long, "h": b"x" + long}
    files = [(name, "a.png", content) for name, content in sent.items()]
    body, content_type = multipart([("a", "1")], files)
    for _ in range(2):
        form = read_form(content_type, body, pictures=pictures)
        assert form.files.keys() == sent.keys()
        for name, content in sent.items():
            (file,) = form.files[name]
            assert file.content == content
            assert file.digest == hashlib.sha256(content).hexdigest()
