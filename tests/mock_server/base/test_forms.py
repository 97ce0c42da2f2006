"""Forms: what the framework reads, leaves out and refuses."""

import hashlib
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import django_settings
from kit import mock_didit as didit
from kit.mock_didit import BOUNDARY, LIVENESS_PATH, MATCH_PATH, didit_request, scene

from facematch_mock_server.base.forms import (
    FormError,
    TooManyParts,
    bare_name,
    read_form,
)

TYPE = f"multipart/form-data; boundary={BOUNDARY}"
HEAD = b'Content-Disposition: form-data; name="a"'


@pytest.fixture(scope="module")
def framework():
    """What Django reads of a form: fields and files by name, or why it refuses it."""
    django_settings.configure()
    from django.core.exceptions import SuspiciousOperation
    from django.core.files.uploadhandler import MemoryFileUploadHandler
    from django.http.multipartparser import MultiPartParser, MultiPartParserError

    class InMemory(MemoryFileUploadHandler):
        def handle_raw_input(self, *_args, **_kwargs):
            self.activated = True

    def read(content_type, body):
        meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
        try:
            fields, files = MultiPartParser(meta, io.BytesIO(body), [InMemory()]).parse()
        except MultiPartParserError as error:
            return str(error)
        except SuspiciousOperation:
            return TooManyParts
        return (
            {name: many for name, many in fields.lists() if name},
            {name: [(f.name, f.read()) for f in many] for name, many in files.lists() if name},
        )

    return read


def part(head, data=b"x"):
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def sha256(body, start, end):
    content = body[start:end]
    return hashlib.sha256(content).hexdigest(), content


def read(body, content_type=TYPE):
    return read_form(content_type, body, digest=sha256)


def test_fields_and_files_by_name_in_order_with_digests():
    form = read(
        part(HEAD, "é".encode())
        + part(HEAD, b"\xff")
        + part(b'Content-Disposition: form-data; name="f"; filename="p.jpg"', b"abc")
        + END
    )
    assert form.fields == {"a": ["é", "\ufffd"]}
    assert [(f.name, f.content) for f in form.files["f"]] == [("p.jpg", b"abc")]
    assert form.files["f"][0].digest.startswith("ba7816bf8f01cfea")
    assert form.problem is None


def seen(content_type, body):
    """What is read of a form: fields and files by name, or why it is refused."""
    try:
        form = read(body, content_type)
    except FormError as error:
        return TooManyParts if isinstance(error, TooManyParts) else str(error)
    files = {
        name: [(file.name, file.content) for file in many] for name, many in form.files.items()
    }
    return form.fields, files


HEADS_OF_PARTS = (
    *('name="f"; filename="/etc/x/p.jpg"', 'name="f"; filename="C:\\\\x\\\\p.jpg"'),
    *('name="f"; filename="ö.png"', "name=f; filename*=UTF-8''%e2%82%ac.png"),
    *("name=f; filename*=iso-8859-1''%f6.png", 'name="f"; filename="a%22b.png"'),
    *('name="f"; filename="a&#46;png"', "name=f; filename*=none.png", "name=f; filename=p.jpg"),
    # Without a file name it is a field, without a name it is left out.
    *('name="f"; filename=""', "name=f; filename*=", "name=f; filename*=utf-8''", "", 'name=""'),
    *('name="\udcff"', 'name="f"; filename=".."', "name=f; filename*=x''%41.png"),
)


@pytest.mark.parametrize("head", HEADS_OF_PARTS)
def test_the_head_of_a_part_is_read_as_the_framework_reads_it(framework, head):
    sent = f"Content-Disposition: form-data; {head}".encode(errors="surrogateescape")
    body = part(sent) + part(HEAD) + END
    assert "a" in seen(TYPE, body)[0]
    assert seen(TYPE, body) == framework(TYPE, body)


@pytest.mark.parametrize(
    "body",
    [
        part(HEAD, b"whole") + part(HEAD, b"half")[:-4],
        part(HEAD) + END[:-8],
        part(HEAD) + f"--{BOUNDARY}\r\nContent-Dis".encode(),
        b"no form at all",
        b"preamble\r\n" + part(HEAD) + END,
    ],
)
def test_a_malformed_body_is_read_as_far_as_the_framework_does(framework, body):
    assert seen(TYPE, body) == framework(TYPE, body)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 202}",
        "multipart/form-data; boundary=é",
    ],
)
def test_without_a_usable_boundary_the_refusal_is_the_frameworks(framework, content_type):
    why = seen(content_type, b"x")
    assert why.startswith("Invalid ")
    assert why == framework(content_type, b"x")
    response = didit.new_engine().handle(didit_request(MATCH_PATH, b"x", content_type))
    assert response.status == 400
    assert response.json()["detail"] == f"Multipart form parse error - {why}"
    assert "didit.form.refused" in response.claims


def test_a_thousand_parts_are_read_and_one_more_is_refused():
    read(part(HEAD) * 1000 + END)
    with pytest.raises(FormError):
        read(part(HEAD) * 1001 + END)
    with pytest.raises(FormError):
        read_form("application/x-www-form-urlencoded", b"a=1&" * 1001, digest=None)


@pytest.mark.parametrize(
    ("name", "bare"), [("a/b.png", "b.png"), ("..", ""), ("a\x00b.png", "ab.png"), ("/", "")]
)
def test_a_bare_name_has_no_folders_and_nothing_that_cannot_be_printed(name, bare):
    assert bare_name(name) == bare


texts = st.text(st.characters(codec="utf-8", exclude_characters='\r\n"\\%'), max_size=8)
pieces = st.lists(
    st.sampled_from(
        [
            b"\r\n",
            b"--",
            BOUNDARY.encode(),
            f"--{BOUNDARY}\r\n".encode(),
            END,
            HEAD,
            HEAD + b'; filename="p.jpg"\r\n\r\n',
            b'Content-Disposition: form-data; name="user_image"; filename="p.jpg"\r\n\r\n',
            b"Content-Length: 5\r\n",
            b"Content-Type: image/jpeg\r\n",
            b"\n",
            b": x\r\n",
            scene(),
        ]
    )
    | st.binary(max_size=12),
    max_size=14,
).map(b"".join)


@given(
    fields=st.dictionaries(
        texts.filter(lambda name: name.strip(string.whitespace)), st.text(max_size=8), max_size=4
    )
)
def test_what_is_written_is_read(fields):
    """Any names and texts come through; names without (ASCII) white space around them."""
    body, content_type = didit.multipart(
        [(n, v.encode("utf-8", "replace")) for n, v in fields.items()]
    )
    expected = {
        n.strip(string.whitespace): [v.encode("utf-8", "replace").decode()]
        for n, v in fields.items()
    }
    assert read_form(content_type, body, digest=None).fields == expected


HEADS = st.lists(
    st.sampled_from(
        [
            *(
                'name="b"',
                "name=c",
                'name = " d "',
                "NAME=e",
                'filename=""',
                'filename="x/y\\z.png"',
            ),
            *('filename="a;b.png"', 'filename="a\\"b.png"', 'filename="..', 'filename="a&#46;jpg"'),
            *('"', "\\", ";", "=", " ", "\r\nContent-Disposition : form-data", "\r\nX: ö", "\xa0"),
        ]
    ),
    max_size=5,
)
EXTENDED = st.sampled_from(
    ["", "filename*=UTF-8''%e2%82%ac.png", "filename*=none", "filename*=x''a", "filename*=''%f6"]
)
one_part = st.builds(
    lambda heads, extended, data: part(
        ("Content-Disposition: form-data; " + "; ".join([*heads, extended])).encode(), data
    ),
    HEADS,
    EXTENDED,
    st.sampled_from([b"", b"x", b"x\r\n", b"\n", b"y" * 1100]),
)


@given(st.lists(one_part | pieces, max_size=4).map(b"".join), st.sampled_from([END, END[:-2], b""]))
def test_a_form_is_read_as_the_framework_reads_it(framework, body, end):
    """Its fields and files by name, or the reason why it is refused; an empty name is none."""
    assert seen(TYPE, body + end) == framework(TYPE, body + end)


@given(body=pieces, path=st.sampled_from([MATCH_PATH, LIVENESS_PATH]))
def test_any_body_gets_an_answer(body, path):
    """However broken a body is, the answer is one of the vendor's, never an exception."""
    engine = didit.new_engine()
    response = engine.handle(didit_request(path, body, TYPE))
    assert response.status in (200, 400)
    assert response.claims
    assert engine.world.account.journal.entries[-1].status == response.status
