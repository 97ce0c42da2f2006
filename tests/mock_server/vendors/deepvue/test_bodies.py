"""Bodies that are refused, in the framework's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import GIF, MATCH, MATCH_2, match, multipart, posted, request, token_of


@pytest.fixture(scope="module")
def ask():
    """Sends a call with a good token."""
    engine = deepvue.new_engine(vendor="deepvue")
    token = token_of(engine)

    def send(made, *given, **more):
        return engine.handle(made(*given, token=token, **more))

    return send


def entry(place, msg, kind):
    """One entry of the detail of a 422."""
    return {"loc": ["body", *place], "msg": msg, "type": kind}


A, B = ["file_a"], ["file_b"]
MISSING = ("field required", "value_error.missing")
TEXT = ("Expected UploadFile, received: <class 'str'>", "value_error")
KIND = ("File type is not supported", "value_error")


@pytest.mark.parametrize(
    ("fields", "files", "told"),
    [
        ((), (), [entry(A, *MISSING), entry(B, *MISSING)]),
        ([("file_a", "x")], (), [entry(A, *TEXT), entry(B, *MISSING)]),
        ((), [("file_b", "b.jpg", deepvue.picture())], [entry(A, *MISSING)]),
        ((), [("file_a", "a.jpg", b""), ("file_b", "b", b"")], [entry(A, *KIND), entry(B, *KIND)]),
    ],
)
def test_parts_that_are_wrong(ask, fields, files, told):
    """All of them at once."""
    answer = ask(request, MATCH, *multipart(fields, files))
    assert (answer.status, answer.json()) == (422, {"detail": told})


@pytest.mark.parametrize(
    ("name", "begins", "first", "second"),
    [
        ("a.jpg", deepvue.JPEG, True, True),
        ("a.JPEG", deepvue.JPEG, True, True),
        ("a.png", deepvue.PNG, True, True),
        ("a.png", deepvue.JPEG, True, True),
        ("a.pdf", deepvue.PDF, False, True),
        ("a.jpg", deepvue.PDF, False, True),
        ("a.jpg", GIF, False, False),
        ("a.gif", deepvue.JPEG, False, False),
        ("a.webp", b"RIFF", False, False),
        ("jpg.", deepvue.JPEG, False, False),
    ],
)
def test_kinds_of_files(ask, name, begins, first, second):
    """By their names and by how they begin; version 2 takes PDFs, too."""
    data = begins + deepvue.didit.picture()
    for path, is_taken in ((MATCH, first), (MATCH_2, second)):
        answer = ask(match, data, path=path, names=(name, "b.jpg"))
        assert answer.status == (200 if is_taken else 422)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"x", "multipart/form-data"), (b"--x\r\n", "multipart/form-data; boundary=x")],
)
def test_a_form_that_cannot_be_read(ask, body, kind):
    """Is 400, in the framework's words."""
    answer = ask(request, MATCH, body, kind)
    assert (answer.status, answer.json()) == (
        400,
        {"detail": "There was an error parsing the body"},
    )


@pytest.mark.parametrize("kind", ["application/json", "image/png", None])
def test_a_body_of_another_kind_has_no_parts(ask, kind):
    """Both are missing."""
    answer = ask(request, MATCH, b"{}", kind)
    assert [one["loc"][1] for one in answer.json()["detail"]] == ["file_a", "file_b"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", entry([], *MISSING)),
        (
            b'{"image": ',
            entry(
                [10],
                "Expecting value: line 1 column 11 (char 10)",
                "value_error.jsondecode",
            ),
        ),
        ([1], entry([], "value is not a valid dict", "type_error.dict")),
        ({}, entry(["image"], *MISSING)),
        ({"image": None}, entry(["image"], "str type expected", "type_error.str")),
        ({"image": "http://x/y.jpg"}, entry(["image"], "Invalid image", "value_error")),
        ({"image": ""}, entry(["image"], "Invalid image", "value_error")),
        ({"image": "data:image/png;base64"}, entry(["image"], "Invalid image", "value_error")),
        ({"image": "aW1h\nZ2U="}, entry(["image"], "Invalid image", "value_error")),
    ],
)
def test_json_that_is_wrong(ask, body, told):
    """Says where and why; an address is never fetched."""
    answer = ask(posted, body)
    assert (answer.status, answer.json()) == (422, {"detail": [told]})


def test_json_that_is_not_said_to_be(ask):
    """Is no object; without a content type it is read."""
    assert ask(posted, {"image": "aQ=="}, "text/plain").json()["detail"][0]["loc"] == ["body"]
    answer = ask(posted, {"image": "aQ=="}, None)
    assert answer.json()["message"] == "Face not detected"


@given(body=st.binary(max_size=80), kind=st.sampled_from(["application/json", None, "x"]))
def test_any_body_is_answered(ask, body, kind):
    """And never with a fault of the mock."""
    for path in (MATCH, deepvue.LIVENESS):
        assert ask(request, path, body, kind).status in (400, 422)


def test_of_a_part_that_is_sent_twice_the_last_counts(ask):
    """Files and texts."""
    good = [("file_a", "a.jpg", deepvue.picture()), ("file_b", "b.jpg", deepvue.picture())]
    assert ask(request, MATCH, *multipart((), [("file_a", "a.gif", GIF), *good])).status == 200
    assert ask(request, MATCH, *multipart((), [*good, ("file_a", "a.gif", GIF)])).status == 422
