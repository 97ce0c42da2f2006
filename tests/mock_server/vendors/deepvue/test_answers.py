"""Verdicts and refused bodies."""

import pytest
from kit.mock_world import multipart
from vendors import deepvue
from vendors.deepvue import FACEMATCH, JPEG, deepvue_match, deepvue_request, jpeg_scene
from vendors.deepvue import LIVENESS_CHECK as LIVENESS


@pytest.mark.parametrize(
    ("similarity", "is_match", "confidence"), [(98, True, 98), (60, True, 60), (59.6, False, 60)]
)
def test_confidence_is_the_rounded_similarity(engine, token, similarity, is_match, confidence):
    answer = engine.handle(deepvue_match(jpeg_scene(score=similarity), token=token)).json()
    assert answer["data"] == {"match": is_match, "confidence": confidence}


GOOD = ("file_b", "b.jpg", JPEG)
GIF = ("file_a", "a.gif", b"GIF8")
FORM, FORM_TYPE = multipart(files=[GOOD])
JSON = "application/json"
MISSING = "field required"
BOTH_MISSING = [("file_a", MISSING), ("file_b", MISSING)]


def refused_fields(engine, path, body, content_type, token):
    """Return the fields that an answer 422 names, each with what is wrong with it."""
    answer = engine.handle(deepvue_request(path, body, content_type, token=token))
    assert answer.status == 422
    assert "deepvue.body.refused" in answer.claims
    return [(field["loc"][-1], field["msg"]) for field in answer.json()["detail"]]


@pytest.mark.parametrize(
    ("body", "content_type", "fields"),
    [
        pytest.param(b"", None, BOTH_MISSING, id="no body"),
        pytest.param(b"{}", JSON, BOTH_MISSING, id="JSON"),
        pytest.param(b"x", "multipart/form-data", BOTH_MISSING, id="no boundary"),
        pytest.param(FORM[:-8], FORM_TYPE, BOTH_MISSING, id="broken form"),
        pytest.param(FORM, FORM_TYPE, [("file_a", MISSING)], id="one picture"),
        pytest.param(
            *multipart([("file_a", "x")], [GOOD]),
            [("file_a", "Expected UploadFile, received: <class 'str'>")],
            id="text",
        ),
        pytest.param(
            *multipart(files=[GIF, GOOD]), [("file_a", "File type is not supported")], id="GIF"
        ),
    ],
)
def test_invalid_form_of_a_match_is_422_and_names_its_fields(
    engine, token, body, content_type, fields
):
    assert refused_fields(engine, FACEMATCH, body, content_type, token) == fields


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"[]", b"{}", b'{"image": 7}'], ids=lambda body: body[:9]
)
def test_liveness_check_without_an_image_is_422(engine, token, body):
    assert refused_fields(engine, LIVENESS, body, JSON, token) == [("image", MISSING)]


def test_image_that_is_no_base64_is_422(engine, token):
    body = b'{"image": "no base64"}'
    assert refused_fields(engine, LIVENESS, body, JSON, token) == [("image", "Invalid image")]


def test_login_without_a_secret_is_422(engine):
    fields = refused_fields(engine, deepvue.AUTHORIZE, b"client_id=x", deepvue.FORM, None)
    assert fields == [("client_secret", MISSING)]


@pytest.mark.parametrize(("path", "claim"), [("v1", "body.refused"), ("v2", "face.missing")])
def test_only_version_2_accepts_a_pdf(engine, token, path, claim):
    sent = multipart(files=[("file_a", "a.pdf", b"%PDF-1.7"), GOOD])
    answer = engine.handle(deepvue_request(f"/{path}/facematch", *sent, token=token))
    assert f"deepvue.{claim}" in answer.claims
