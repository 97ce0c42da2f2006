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

#: file name, bytes -> words for user_image, claim
FILES = [
    ("a.txt", b"x", [wrong("txt")], "didit.file.bad_extension"),
    ("a.TXT", b"x", [wrong("txt")], "didit.file.extension_case"),
    ("a.tif", b"x", [wrong("tif")], "didit.file.extensions"),
    ("a", b"x", [wrong("")], "didit.file.bad_extension"),
    (".jpg", b"x", [wrong("")], "didit.file.bad_extension"),
    ("a.jpg.exe", b"x", [wrong("exe")], "didit.file.bad_extension"),
    ("a.jpg", b"", [EMPTY], "didit.file.empty"),
    ("a.txt", b"", [EMPTY], "didit.file.empty"),
    ("a.jpg", b"x" * (LIMIT + 1), [LARGE], "didit.file.too_large"),
    ("a.gif", b"x" * (LIMIT + 1), [wrong("gif"), LARGE], "didit.file.all_faults"),
]


@pytest.mark.parametrize("case", FILES, ids=range(len(FILES)))
def test_a_file_is_refused(ask, case):
    """In these words, with a sandbox key as with a live one."""
    name, data, words, claim = case
    for key in ("mock-live-key", "mock-sandbox-key"):
        status, body, response = ask(sent(("user_image", name, data), GOOD, key=key))
        assert (status, body) == (400, {"user_image": words})
        assert claim in response.claims


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

#: edition, words, claim -> texts
THRESHOLDS = {
    ("2026-07", HIGH, "didit.number.too_high"): ("100.01",),
    ("2026-07", NUMBER, "didit.number.bad"): ("abc",),
    ("2026-07", BELOW, "didit.number.too_low"): ("-0.01",),
    ("2026-03", INTEGER, "didit.integer.bad"): ("41.5",),
    ("2026-03", HIGH, "didit.number.too_high"): ("101",),
    ("2026-03", BELOW, "didit.number.too_low"): ("-1",),
}


@pytest.mark.parametrize(
    ("text", "edition", "words", "claim"),
    [(text, *refusal) for refusal, texts in THRESHOLDS.items() for text in texts],
)
def test_a_threshold_is_refused(ask, text, edition, words, claim):
    """By both endpoints, in the same words."""
    status, body, response = ask(match(**{MATCH_THRESHOLD: text}), edition=edition)
    assert (status, body) == (400, {MATCH_THRESHOLD: [words]})
    assert claim in response.claims
    body = ask(didit.liveness(**{LIVENESS_THRESHOLD: text}), edition=edition)[1]
    assert body == {LIVENESS_THRESHOLD: [words]}


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
    assert ask(match(**{field: fits(most + 1)}))[:2] == (400, {field: [words]})


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
