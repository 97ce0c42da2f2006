"""Form fields: the words of every refusal, and what is taken."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import LIVENESS, LIVENESS_THRESHOLD, MATCH, MATCH_THRESHOLD, match, picture

from facematch_mock_server.vendors.didit.framework import extension

MISSING = "No file was submitted."
NOT_A_FILE = "The submitted data was not a file. Check the encoding type on the form."
EMPTY = "The submitted file is empty."
LARGE = "File size should not exceed 5 MB"
LIMIT = 5 * 1024 * 1024


def wrong(suffix):
    """The words for an extension."""
    allowed = "tiff, jpg, jpeg, png, webp"
    return f"File extension “{suffix}” is not allowed. Allowed extensions are: {allowed}."


def sent(*files, fields=(), path=MATCH, key="mock-live-key"):
    """A request with these files and fields."""
    return didit.request(path, *didit.multipart(fields, files), key=key)


GOOD = ("ref_image", "b.png", picture())

#: file name, bytes, words for user_image
FILES = [
    ("a.txt", b"x", [wrong("txt")]),
    ("a.TXT", b"x", [wrong("txt")]),
    ("a.tif", b"x", [wrong("tif")]),
    ("a", b"x", [wrong("")]),
    (".jpg", b"x", [wrong("")]),
    ("a.jpg.exe", b"x", [wrong("exe")]),
    ("a.jpg", b"", [EMPTY]),
    ("a.txt", b"", [EMPTY]),
    ("a.jpg", b"x" * (LIMIT + 1), [LARGE]),
    ("a.gif", b"x" * (LIMIT + 1), [wrong("gif"), LARGE]),
]


@pytest.mark.parametrize("case", FILES, ids=range(len(FILES)))
def test_a_file_is_refused(ask, case):
    """In these words, with a sandbox key as with a live one; only a size says what is ours."""
    name, data, words = case
    for key in ("mock-live-key", "mock-sandbox-key"):
        status, body, response = ask(sent(("user_image", name, data), GOOD, key=key))
        assert (status, body) == (400, {"user_image": words})
        assert ("didit.file.size_limit" in response.claims) == (LARGE in words)


def test_the_case_of_an_extension_does_not_matter(ask):
    """Of several files of a name the last counts."""
    assert ask(sent(("user_image", "a.JPG", picture()), GOOD))[0] == 200
    again = [("user_image", "a.txt", b"x"), ("user_image", "a.Jpeg", picture())]
    assert ask(sent(*again, GOOD))[0] == 200


def test_the_limit_itself_is_taken(ask):
    """5 242 880 bytes pass, and the switch moves that."""
    data = picture(pad="x" * (LIMIT - len(picture(pad=""))))
    assert len(data) == LIMIT
    assert ask(sent(("user_image", "a.jpg", data), GOOD))[0] == 200
    status, body, _ = ask(
        sent(("user_image", "a.jpg", data), GOOD), switches={"size_limit_bytes": 5_000_000}
    )
    assert (status, body) == (400, {"user_image": [LARGE]})


def test_missing_and_text(ask):
    """A part that is missing, and a text where a file belongs."""
    assert ask(sent(("user_image", "a.jpg", b"x")))[1] == {"ref_image": [MISSING]}
    assert ask(sent(GOOD))[1] == {"user_image": [MISSING]}
    assert ask(sent(GOOD, fields=[("user_image", "x")]))[1] == {"user_image": [NOT_A_FILE]}
    # Browsers send an empty name for a file input that was left empty.
    assert ask(sent(("user_image", "", b""), GOOD))[1] == {"user_image": [NOT_A_FILE]}


HIGH = "Ensure this value is less than or equal to 100."
BELOW = "Ensure this value is greater than or equal to 0."
NUMBER, INTEGER = "A valid number is required.", "A valid integer is required."

#: edition, what is sent, words
THRESHOLDS = [
    ("2026-07", "100.01", HIGH),
    ("2026-07", "abc", NUMBER),
    ("2026-07", "-0.01", BELOW),
    ("2026-03", "41.5", INTEGER),
    ("2026-03", "101", HIGH),
    ("2026-03", "-1", BELOW),
]


@pytest.mark.parametrize(("edition", "text", "words"), THRESHOLDS)
def test_a_threshold_is_refused(ask, text, edition, words):
    """By both endpoints, in the same words."""
    for sent, name in ((match, MATCH_THRESHOLD), (didit.liveness, LIVENESS_THRESHOLD)):
        status, body, _ = ask(sent(**{name: text}), edition=edition)
        assert (status, body) == (400, {name: [words]})


TRUE = ["t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"]
FALSE = ["f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"]


@pytest.mark.parametrize(("words", "angle"), [(TRUE, 90), (FALSE, 0)], ids=["true", "false"])
def test_a_boolean_is_taken(ask, words, angle):
    """Every word of the framework's."""
    for word in words:
        body = ask(match(picture(angle=90), rotate_image=word))[1]
        assert body["face_match"]["user_image"]["best_angle"] == angle


def test_an_empty_boolean_is_the_default(ask):
    """Nothing is said, so the default holds: saved, and so rounded."""
    body = ask(match(picture(score=87.123456), save_api_request=""))[1]
    assert body["face_match"]["score"] == 87.12


@pytest.mark.parametrize(
    ("field", "most", "fits"),
    [
        ("vendor_data", 10_000, lambda length: "x" * length),
        ("metadata", 50_000, lambda length: '{"a":"%s"}' % ("x" * (length - 8))),
    ],
)
def test_texts_are_bounded(ask, field, most, fits):
    """By limits of ours, in the framework's words: what is kept of a call has a size."""
    assert ask(match(**{field: fits(most)}))[0] == 200
    words = f"Ensure this field has no more than {most} characters."
    status, body, response = ask(match(**{field: fits(most + 1)}))
    assert (status, body) == (400, {field: [words]})
    assert any(claim.endswith(".longest") for claim in response.claims)


@pytest.mark.parametrize("field", ["vendor_data", "metadata"])
def test_what_is_empty_is_echoed_as_null(ask, field):
    """By a claim of ours."""
    _, body, response = ask(match(**{field: ""}))
    assert body[field] is None
    assert "didit.answer.empty" in response.claims
    assert "didit.answer.empty" not in ask(match())[2].claims


@pytest.mark.parametrize("text", ["{}", '{"a":{"b":[1,2.5,null,"é\\u2028"]}}', '{"a":"\\ud800"}'])
def test_metadata_is_echoed(ask, text):
    """Any object comes back as it is, even half a character."""
    import json

    assert ask(match(metadata=text))[1]["metadata"] == json.loads(text)


@given(text=st.one_of(st.text(max_size=20), st.floats().map(repr), st.integers().map(str)))
def test_any_text_is_a_threshold_or_refused(text):
    """As Python's float reads it, and then between 0 and 100."""
    response = didit.new_engine().handle(match(**{MATCH_THRESHOLD: text}))
    try:
        value = float(text) if text else 30.0
    except ValueError:
        expected = [NUMBER]
    else:
        expected = [HIGH] if value > 100 else [BELOW] if value < 0 else None
        assert expected is None or not math.isnan(value)
    if expected is None:
        assert response.status == 200
    else:
        assert response.json() == {MATCH_THRESHOLD: expected}


@given(text=st.text(max_size=6))
def test_any_text_is_a_boolean_or_refused(text):
    """The known words and nothing are taken."""
    response = didit.new_engine().handle(match(rotate_image=text))
    assert response.status == (200 if text in {*TRUE, *FALSE, ""} else 400)


@given(name=st.text(st.characters(codec="utf-8", exclude_characters='\r\n"\\/'), max_size=12))
def test_any_name_has_its_extension(name):
    """The extension is what pathlib says."""
    from pathlib import PurePosixPath

    dotless = name.strip(".")
    if dotless == name and name:
        assert extension(name) == PurePosixPath(name).suffix[1:]


@given(name=st.text(max_size=12), path=st.sampled_from([MATCH, LIVENESS]))
def test_any_name_gets_an_answer(name, path):
    """However odd a file name is, the answer is one of the documented ones."""
    body, content_type = didit.multipart(
        [], [("user_image", name.encode("utf-8", "replace").decode(), b"x"), GOOD]
    )
    response = didit.new_engine().handle(didit.request(path, body, content_type))
    assert response.status in (200, 400)
