"""Forms: fields and files by name, and errors for malformed bodies."""

import hashlib

import pytest
from kit.mock_didit import BOUNDARY, multipart

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


GOOD, KIND = multipart([("a", "1")], [("f", "a.png", b"x")])
BAD = {
    "another type": ("application/json", GOOD),
    "no type": ("", GOOD),
    "no boundary": ("multipart/form-data", GOOD),
    "another boundary": ("multipart/form-data; boundary=other", GOOD),
    "nothing": (KIND, b""),
    "cut": (KIND, GOOD[:-8]),
    "cut in a part": (KIND, GOOD[:120]),
    "a part without a head": (KIND, f"--{BOUNDARY}\r\nabc\r\n--{BOUNDARY}--".encode()),
    "a part without a name": (
        KIND,
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\n\r\n--{BOUNDARY}--".encode(),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_form_is_an_error(case):
    kind, body = BAD[case]
    with pytest.raises(FormError):
        read_form(kind, body)


@pytest.mark.parametrize("tail", [b"", b"x", b"\r\n--"])
def test_form_with_a_cached_large_file_is_parsed_exactly(tail):
    pictures, long = Pictures(), bytes(range(256)) * 300
    pictures.store(long)
    sent = {"f": long + tail, "g": long, "h": b"x" + long}
    body, kind = multipart([("a", "1")], [(name, "a.png", data) for name, data in sent.items()])
    for _ in range(2):
        form = read_form(kind, body, pictures=pictures)
        assert {name: file.content for name, (file,) in form.files.items()} == sent
        assert [file.digest for (file,) in form.files.values()] == [
            hashlib.sha256(data).hexdigest() for data in sent.values()
        ]
