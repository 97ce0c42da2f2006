"""Parts with Content-Transfer-Encoding: base64, as the framework reads them."""

import base64

import mock_didit as didit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mock_didit import BOUNDARY, MATCH, picture, request

from facematch_mock_server.http.forms import FormError, read_form

TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(data, head='name="f"; filename="p.jpg"', coding="base64"):
    """One part as bytes."""
    return (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n"
        f"Content-Transfer-Encoding: {coding}\r\n\r\n".encode()
        + data
        + b"\r\n"
    )


def read(*parts, **more):
    """A form of these parts."""
    return read_form(TYPE, b"".join(parts) + f"--{BOUNDARY}--".encode(), digest=None, **more)


@given(data=st.binary(max_size=200))
def test_a_file_is_decoded(data):
    """Broken into lines or not."""
    for coded in (base64.b64encode(data), base64.encodebytes(data).replace(b"\n", b"\r\n")):
        assert [file.content for file in read(part(coded)).files["f"]] == [data]


@pytest.mark.parametrize(
    ("coding", "decoded"),
    [
        ("base64", True),
        (" BASE64 ; x=y", True),
        ("binary", False),
        ("base64url", False),
        ("quoted-printable", False),
    ],
)
def test_only_base64_is_decoded(coding, decoded):
    """In any case; every other coding is taken as it stands."""
    form = read(part(b"YWJj", coding=coding))
    assert form.files["f"][0].content == (b"abc" if decoded else b"YWJj")


def test_a_text_is_decoded_and_else_stays():
    """A text that is no base64 is taken for what it is."""
    form = read(part(b"YWJj", 'name="a"'), part(b"YWJ", 'name="a"'))
    assert form.fields == {"a": ["abc", "YWJ"]}


def test_the_next_part_is_not_decoded():
    """The coding is that of one part."""
    plain = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nYWJj\r\n'.encode()
    assert read(part(b"YWJj"), plain).fields == {"a": ["YWJj"]}


def test_whether_to_decode_is_asked_only_where_it_matters():
    """An answer to a form without base64 does not rest on it."""
    asked = []
    read(part(b"YWJj", coding="binary"), decodes=lambda: asked.append(1) or True)
    assert not asked
    form = read(part(b"YWJj"), decodes=lambda: asked.append(1))
    assert (asked, form.files["f"][0].content) == ([1], b"YWJj")


def test_a_file_that_cannot_be_decoded_ends_the_form():
    """The answer is the framework's, and names the claim."""
    with pytest.raises(FormError, match=r"Could not decode base64 data\."):
        read(part(b"YWJ"))
    response = didit.new_engine().handle(request(MATCH, part(b"YWJ"), TYPE))
    assert (response.status, response.json()) == (
        400,
        {"detail": "Multipart form parse error - Could not decode base64 data."},
    )
    assert {"didit.form.base64", "didit.form.refused"} <= set(response.claims)


def test_pictures_in_base64_are_compared():
    """As a client sends them that takes mail for its model."""
    coded = base64.encodebytes(picture())
    parts = [
        part(coded, f'name="{name}"; filename="{name}.jpg"') for name in ("user_image", "ref_image")
    ]
    body = b"".join(parts) + f"--{BOUNDARY}--".encode()
    response = didit.new_engine().handle(request(MATCH, body, TYPE))
    assert response.json()["face_match"]["status"] == "Approved"
    assert "didit.form.base64" in response.claims
