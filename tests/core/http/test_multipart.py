"""The multipart body is the one that urllib3 would write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from facematch_core._http._messages import FilePart
from facematch_core._http._multipart import multipart

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
in_a_head = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
parts = st.builds(
    FilePart,
    name=in_a_head,
    filename=in_a_head,
    content_type=in_a_head,
    data=st.binary(max_size=50),
)


@given(st.dictionaries(texts, texts, max_size=4), st.lists(parts, max_size=3))
def test_it_is_what_urllib3_writes(fields, files):
    """Byte for byte, odd names and texts included: vendors' servers have seen no other form."""
    body, kind = multipart(fields, files)
    theirs = [RequestField.from_tuples(name, text) for name, text in fields.items()]
    theirs += [
        RequestField.from_tuples(file.name, (file.filename, file.data, file.content_type))
        for file in files
    ]
    boundary = kind.partition("boundary=")[2]
    assert (body, kind) == encode_multipart_formdata(theirs, boundary)


def test_each_has_its_own_boundary():
    """A boundary that could be foreseen could be put into a picture."""
    assert multipart({"a": "b"}, [])[1] != multipart({"a": "b"}, [])[1]
