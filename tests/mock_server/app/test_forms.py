"""Forms: what the framework reads, leaves out and refuses."""

import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import django_settings
from kit import mock_didit as didit
from kit.mock_didit import BOUNDARY, LIVENESS, MATCH, picture, request

from facematch_mock_server.http.forms import (
    FormError,
    TooManyParts,
    bare_name,
    media_type,
    read_form,
)
from facematch_mock_server.services import Digests

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
    """One part as bytes."""
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def read(body, content_type=TYPE):
    """A form with its digests."""
    return read_form(content_type, body, digest=Digests().of)


def test_fields_and_files():
    """Texts and files by name, in order, with the digests of the files."""
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


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('filename="/etc/x/p.jpg"', "p.jpg"),
        ('filename="C:\\\\x\\\\p.jpg"', "p.jpg"),
        ('filename="ö.png"', "ö.png"),
        ("filename*=UTF-8''%e2%82%ac.png", "€.png"),
        ("filename*=iso-8859-1''%f6.png", "ö.png"),
        ('filename="a%22b.png"', "a%22b.png"),
        ('filename="a&#46;png"', "a.png"),
        ("filename*=none.png", "none.png"),
        ("filename=p.jpg", "p.jpg"),
    ],
)
def test_a_file_name(head, name):
    """Quoted or not, in either encoding, without its folders."""
    disposition = f'Content-Disposition: form-data; name="f"; {head}'.encode()
    assert read(part(disposition) + END).files["f"][0].name == name


@pytest.mark.parametrize("head", ['filename=""', "filename*=", "filename*=utf-8''"])
def test_no_file_name_is_a_text(head):
    """A part with an empty name is a field."""
    form = read(part(f'Content-Disposition: form-data; name="f"; {head}'.encode()) + END)
    assert form.fields == {"f": ["x"]}


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"Content-Disposition: form-data", "no name"),
        (b'Content-Disposition: form-data; name=""', "an empty name"),
        (b'Content-Disposition: form-data; name="\xff"', "a name that is no UTF-8"),
        (b'Content-Disposition: form-data; name="f"; filename=".."', "a folder"),
        (b"Content-Disposition: form-data; name=f; filename*=x''%41.png", "no character set"),
    ],
)
def test_a_part_that_is_left_out(head, why):
    """The framework leaves it out and reads on."""
    form = read(part(head) + part(HEAD) + END)
    assert (form.fields, form.files) == ({"a": ["x"]}, {}), why


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (part(HEAD, b"whole") + part(HEAD, b"half")[:-4], {"a": ["whole", "ha"]}),
        (part(HEAD) + b"--", {"a": ["x\r\n--"]}),
        (part(HEAD) + END[:-8], {"a": ["x\r\n" + END[:-8].decode()]}),
        (part(HEAD) + f"--{BOUNDARY}\r\nContent-Dis".encode(), {"a": ["x"]}),
        (b"no form at all", {}),
        (b"preamble\r\n" + part(HEAD) + END, {"a": ["x"]}),
        (part(HEAD) + END + b"epilogue", {"a": ["x"]}),
        (part(HEAD) + part(b"no header") + END, {"a": ["x"]}),
    ],
)
def test_what_can_be_read_of_a_malformed_body(body, fields):
    """It is read as far as it goes."""
    assert read(body).fields == fields


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("multipart/form-data", "Invalid boundary in multipart: None"),
        ("multipart/form-data; boundary*=x''y", "Invalid boundary in multipart: None"),
        ("multipart/form-data; boundary=", "Invalid boundary in multipart: "),
        (f"multipart/form-data; boundary={'x' * 202}", "Invalid boundary in multipart: xxx"),
        (
            "Multipart/Form-Data; boundary=x",
            "Invalid Content-Type: Multipart/Form-Data; boundary=x",
        ),
        ("multipart/form-data; boundary=é", "Invalid non-ASCII Content-Type in multipart"),
    ],
)
def test_a_form_that_is_refused(content_type, words):
    """Without a usable boundary nothing is read; the answer is the framework's."""
    with pytest.raises(FormError) as refused:
        read(b"x", content_type)
    assert str(refused.value).startswith(words)
    response = didit.new_engine().handle(request(MATCH, b"x", content_type))
    assert response.status == 400
    assert response.json()["detail"] == f"Multipart form parse error - {refused.value}"
    assert "didit.form.refused" in response.claims


def test_too_many_parts_are_refused():
    """A thousand parts pass, one more does not."""
    read(part(HEAD) * 1000 + END)
    with pytest.raises(FormError):
        read(part(HEAD) * 1001 + END)
    with pytest.raises(FormError):
        read_form("application/x-www-form-urlencoded", b"a=1&" * 1001, digest=None)


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"multipart/form-data;BOUNDARY={BOUNDARY}; x=y",
    ],
)
def test_boundaries(content_type):
    """Quoted or not, in any case, with parameters around."""
    assert read(part(HEAD) + END, content_type).fields == {"a": ["x"]}


def test_a_urlencoded_form():
    """In UTF-8, and empty values stay."""
    assert read(b"a=%C3%A9&b=&a=+", "application/x-www-form-urlencoded").fields == {
        "a": ["é", " "],
        "b": [""],
    }
    assert read(b"a=\xe9", "application/x-www-form-urlencoded").fields == {"a": ["\ufffd"]}


@pytest.mark.parametrize(
    ("name", "bare"), [("a/b.png", "b.png"), ("..", ""), ("a\x00b.png", "ab.png"), ("/", "")]
)
def test_bare_names(name, bare):
    """No folders, nothing that cannot be printed."""
    assert bare_name(name) == bare


def test_media_types():
    """The type alone, in lower case."""
    assert media_type(" Text/HTML ; charset=x") == "text/html"


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
            picture(),
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
made = st.builds(
    lambda heads, extended, data: part(
        ("Content-Disposition: form-data; " + "; ".join([*heads, extended])).encode(), data
    ),
    HEADS,
    EXTENDED,
    st.sampled_from([b"", b"x", b"x\r\n", b"\n", b"y" * 1100]),
)


@given(st.lists(made | pieces, max_size=4).map(b"".join), st.sampled_from([END, END[:-2], b""]))
def test_a_form_is_read_as_the_framework_reads_it(framework, body, end):
    """Its fields and files by name, or the reason why it is refused; an empty name is none."""
    try:
        form = read(body + end)
    except FormError as error:
        seen = TooManyParts if isinstance(error, TooManyParts) else str(error)
    else:
        files = {
            name: [(file.name, file.content) for file in many] for name, many in form.files.items()
        }
        seen = form.fields, files
    assert seen == framework(TYPE, body + end)


@given(body=pieces, path=st.sampled_from([MATCH, LIVENESS]))
def test_any_body_gets_an_answer(body, path):
    """However broken a body is, the answer is one of the vendor's, never an exception."""
    engine = didit.new_engine()
    response = engine.handle(request(path, body, TYPE))
    assert response.status in (200, 400)
    assert response.claims
    assert engine.world.account.journal.entries[-1].status == response.status


@given(
    content_type=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
    | st.sampled_from(["multipart/", TYPE, "application/x-www-form-urlencoded"]).flatmap(
        lambda known: st.text(max_size=6).map(lambda more: known + more)
    ),
    method=st.sampled_from(["POST", "GET", "PUT", ""]),
    path=st.text(max_size=12).map(lambda rest: f"/{rest}")
    | st.sampled_from([MATCH, "/__mock__/x"]),
    key=st.none() | st.text(max_size=6),
    body=pieces,
)
def test_any_request_gets_an_answer(content_type, method, path, key, body):
    """Whatever is asked, there is an answer, and its headers can be sent."""
    response = didit.new_engine().handle(request(path, body, content_type, method=method, key=key))
    assert 200 <= response.status < 500
    assert all(value.isascii() and value.isprintable() for _, value in response.headers)
