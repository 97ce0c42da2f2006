"""What the mock of CompreFace answers, beyond the words of its refusals."""

import base64
import textwrap

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_compreface as compreface
from kit import mock_didit as didit
from kit.mock_didit import picture

PLUGINS = {"age", "gender", "mask", "pose", "landmarks", "calculator"}


def told(request):
    """Status and body of an answer."""
    answer = didit.new_engine(vendor="compreface").handle(request)
    return answer.status, answer.json() if answer.body else None


def test_base64_is_answered_as_a_form_is():
    """Also where somebody broke the lines, as MIME does."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(picture()).decode(), 76))
    in_a_form = told(compreface.verify(picture(), picture()))
    assert told(compreface.in_json()) == told(compreface.in_json(source_image=lines)) == in_a_form


@given(st.sets(st.sampled_from(sorted(PLUGINS)) | st.just("beard")))
def test_each_plug_in_adds_what_it_is_called_by(asked):
    """To each face; the calculator adds the embedding, and one that is not there nothing."""
    _, body = told(compreface.verify(query=f"?face_plugins={','.join(sorted(asked))}"))
    (result,) = body["result"]
    expected = {"embedding" if one == "calculator" else one for one in asked & PLUGINS}
    assert set(result["source_image_face"]) - {"box"} == expected
    assert set(result["face_matches"][0]) - {"box", "similarity"} == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("det_prob_threshold=0.99", 200),
        ("det_prob_threshold=1", 400),
        ("det_prob_threshold=-0.1", 400),
        ("det_prob_threshold=nan", 400),
        ("status=YES", 200),
        ("status=maybe", 400),
        ("limit=00", 200),
        ("limit=1.5", 400),
    ],
)
def test_the_query(query, status):
    """Read as Spring reads it."""
    assert told(compreface.verify(query=f"?{query}"))[0] == status


BIG = b" " * (10 * 1024 * 1024 + 1)
BAD = {"names": ("a.heic", "b.png")}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        # nginx looks first, then the filter for the key, then the method, then the type.
        (compreface.of_type("text/plain", BIG, key=None), 413, None),
        (attrs.evolve(compreface.verify(key=None), method="GET"), 400, 20),
        (attrs.evolve(compreface.verify(key="short"), method="GET"), 400, 26),
        (attrs.evolve(compreface.verify(key=compreface.UUID), method="GET"), 404, 10),
        (attrs.evolve(compreface.of_type("text/plain"), method="GET"), 404, 0),
        (compreface.of_type("text/plain", key=None), 400, 20),
        (compreface.of_type("text/plain"), 415, None),
        (compreface.of_type("application/x-www-form-urlencoded"), 415, None),
        (compreface.of_type(""), 415, None),
        # Of a form its parts, the parameters, then the names of its files.
        (compreface.of_type("multipart/form-data"), 400, 0),
        (compreface.verify(b"x" * (5 * 1024 * 1024 + 1), False, query="?limit=x"), 400, 0),
        (compreface.verify(target=False, query="?limit=x"), 400, 34),
        (compreface.verify(query="?limit=x", **BAD), 400, None),
        (compreface.verify(query="?limit=-1&status=maybe", **BAD), 400, None),
        (compreface.verify(query="?limit=-1", **BAD), 400, 26),
        (compreface.verify(query="?limit=1", **BAD), 400, 21),
        # Of JSON the types of the parameters, the body, the rest of them, then its Base64.
        (compreface.in_json("?limit=x", source_image=None), 400, None),
        (compreface.in_json("?limit=-1", source_image=None), 400, 5),
        (compreface.in_json("?limit=-1", source_image="data:"), 400, 26),
        (compreface.in_json("?limit=1", source_image="data:"), 400, 21),
    ],
)
def test_the_order_of_the_checks(request_, status, code):
    """As the source has it; what has no code is nginx's page, or Spring's empty body."""
    answer = didit.new_engine(vendor="compreface").handle(request_)
    assert answer.status == status
    if code is not None:
        assert answer.json()["code"] == code
    elif status == 413:
        assert b"<center>nginx</center>" in answer.body
    else:
        assert answer.body == b""


def test_an_empty_parameter_is_none():
    """Spring takes its default."""
    assert told(compreface.verify(query="?limit=&status=&det_prob_threshold="))[0] == 200


def test_landmarks_lie_in_the_box():
    """Five points, whole pixels."""
    _, body = told(compreface.verify(query="?face_plugins=landmarks"))
    face = body["result"][0]["source_image_face"]
    box = face["box"]
    assert len(face["landmarks"]) == 5
    for x, y in face["landmarks"]:
        assert box["x_min"] < x < box["x_max"]
        assert box["y_min"] < y < box["y_max"]
