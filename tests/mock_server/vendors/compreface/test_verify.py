"""What the mock of CompreFace answers, beyond the words of its refusals."""

import base64
import textwrap

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


def test_landmarks_lie_in_the_box():
    """Five points, whole pixels."""
    _, body = told(compreface.verify(query="?face_plugins=landmarks"))
    face = body["result"][0]["source_image_face"]
    box = face["box"]
    assert len(face["landmarks"]) == 5
    for x, y in face["landmarks"]:
        assert box["x_min"] < x < box["x_max"]
        assert box["y_min"] < y < box["y_max"]
