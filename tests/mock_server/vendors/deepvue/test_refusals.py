"""Refused bodies: a 422 that names each field."""

import pytest
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import FACEMATCH, JPEG, deepvue_request, multipart

GOOD = ("file_b", "b.jpg", JPEG)


@pytest.fixture
def refuse():
    """Send a request with a token; return the fields and messages of its 422."""

    def send(make):
        engine = deepvue.new_engine(vendor="deepvue")
        answer = engine.handle(make(deepvue.token_of(engine)))
        assert answer.status == 422
        assert "deepvue.body.refused" in answer.claims
        return [(problem["loc"][-1], problem["msg"]) for problem in answer.json()["detail"]]

    return send


BOTH = [("file_a", "field required"), ("file_b", "field required")]
FORMS = {
    "nothing": (b"", None, BOTH),
    "another type": (b"{}", "application/json", BOTH),
    "a malformed form": (b"x", "multipart/form-data", BOTH),
    "a form that breaks off": (*(multipart(files=[GOOD])[0][:-8], "-"), BOTH),
    "a missing file": (*multipart(files=[GOOD]), BOTH[:1]),
    "a text": (
        *multipart([("file_a", "x")], [GOOD]),
        [("file_a", "Expected UploadFile, received: <class 'str'>")],
    ),
    "another kind": (
        *multipart(files=[("file_a", "a.gif", b"GIF8"), GOOD]),
        [("file_a", "File type is not supported")],
    ),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_refused_form_names_its_fields(refuse, case):
    body, kind, problems = FORMS[case]
    kind = multipart()[1] if kind == "-" else kind
    sent = refuse(lambda token: deepvue_request(FACEMATCH, body, kind, token=token))
    assert sent == problems


MISSING = "field required"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        *((body, MISSING) for body in (b"", b"{", b"[" * 100_000, b"[]", b"{}", b'{"image": 7}')),
        (b'{"image": "no base64"}', "Invalid image"),
    ],
)
def test_a_refused_json_body_names_its_field(refuse, body, message):
    path, kind = deepvue.LIVENESS_CHECK, "application/json"
    sent = refuse(lambda token: deepvue_request(path, body, kind, token=token))
    assert sent == [("image", message)]


def test_a_call_for_a_token_names_what_is_missing():
    engine = deepvue.new_engine(vendor="deepvue")
    answer = engine.handle(deepvue_request(deepvue.AUTHORIZE, b"client_id=x", deepvue.FORM))
    assert answer.status == 422
    assert [problem["loc"][-1] for problem in answer.json()["detail"]] == ["client_secret"]
