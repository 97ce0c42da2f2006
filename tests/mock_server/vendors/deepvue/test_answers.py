"""Verdicts, refused bodies, and the vendor's words for faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import FACEMATCH, JPEG, deepvue_match, deepvue_request, jpeg_scene, token_of
from kit.mock_didit import handle_with_fault, multipart, new_engine

from facematch_mock_server import Fault

SAME = jpeg_scene(score=40)


@pytest.mark.parametrize(
    ("pictures", "is_match", "confidence"),
    [
        ((jpeg_scene(score=98),), True, 98),
        ((jpeg_scene(score=60),), True, 60),
        ((jpeg_scene(score=59.6),), False, 60),
        # The same bytes are the same face.
        ((SAME, SAME), True, 98),
    ],
)
def test_confidence_is_the_rounded_similarity(engine, token, pictures, is_match, confidence):
    answer = engine.handle(deepvue_match(*pictures, token=token)).json()
    assert answer["data"] == {"match": is_match, "confidence": confidence}


WORDS = {
    400: "Bad Request",
    401: "Could not validate credentials",
    402: "Payment Required",
    403: "Not a valid token",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Rate limit exceeded. Please retry after some time.",
    500: "Internal Server Error",
    503: "Source Unavailable",
}


@pytest.mark.parametrize("status", WORDS)
def test_faults_have_the_vendors_messages(engine, status):
    fault = Fault(stage="answer", kind="status", status=status)
    answer = handle_with_fault(engine, fault, deepvue_match())
    assert (answer.status, answer.json()) == (status, {"detail": WORDS[status]})


GOOD, GIF = ("file_b", "b.jpg", JPEG), ("file_a", "a.gif", b"GIF8")
MISSING = "field required"
BOTH = [("file_a", MISSING), ("file_b", MISSING)]
WHOLE, KIND = multipart(files=[GOOD])
TEXT = "Expected UploadFile, received: <class 'str'>"
JSON = "application/json"
LIVENESS = deepvue.LIVENESS_CHECK
REFUSED = [
    (FACEMATCH, (b"", None), BOTH),
    (FACEMATCH, (b"{}", JSON), BOTH),
    (FACEMATCH, (b"x", "multipart/form-data"), BOTH),
    (FACEMATCH, (WHOLE[:-8], KIND), BOTH),
    (FACEMATCH, (WHOLE, KIND), BOTH[:1]),
    (FACEMATCH, multipart([("file_a", "x")], [GOOD]), [("file_a", TEXT)]),
    (FACEMATCH, multipart(files=[GIF, GOOD]), [("file_a", "File type is not supported")]),
    *(
        (LIVENESS, (body, JSON), [("image", MISSING)])
        for body in (b"", b"{", b"[" * 100_000, b"[]", b"{}", b'{"image": 7}')
    ),
    (LIVENESS, (b'{"image": "no base64"}', JSON), [("image", "Invalid image")]),
    (deepvue.AUTHORIZE, (b"client_id=x", deepvue.FORM), [("client_secret", MISSING)]),
]


@pytest.mark.parametrize(("path", "sent", "problems"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_body_is_422_and_names_its_fields(engine, token, path, sent, problems):
    answer = engine.handle(deepvue_request(path, *sent, token=token))
    assert answer.status == 422
    assert "deepvue.body.refused" in answer.claims
    assert [(each["loc"][-1], each["msg"]) for each in answer.json()["detail"]] == problems


@pytest.mark.parametrize(("path", "claim"), [("v1", "body.refused"), ("v2", "face.missing")])
def test_only_version_2_accepts_a_pdf(engine, token, path, claim):
    sent = multipart(files=[("file_a", "a.pdf", b"%PDF-1.7"), GOOD])
    answer = engine.handle(deepvue_request(f"/{path}/facematch", *sent, token=token))
    assert f"deepvue.{claim}" in answer.claims


@given(body=st.binary(max_size=80), kind=st.sampled_from([JSON, None, "x"]))
def test_any_invalid_body_is_a_client_error_and_never_a_500(body, kind):
    engine = new_engine(vendor="deepvue")
    token = token_of(engine)
    for path in (FACEMATCH, LIVENESS):
        assert engine.handle(deepvue_request(path, body, kind, token=token)).status in (400, 422)
