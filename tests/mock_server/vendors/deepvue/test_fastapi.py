"""What Deepvue's mock refuses, request by request beside what FastAPI refuses.

With pydantic 2 FastAPI itself answers, an application with the same parameters. It no longer takes
models of pydantic 1: what `pydantic.v1` says of them is put together here as FastAPI did, which
began with the missing ones.
"""

import asyncio
import base64
import contextlib
import json
import sys
from email.message import Message
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

import attrs
import pytest
from fastapi import FastAPI, UploadFile
from fastapi import Form as FormField
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import (
    AUTHORIZE,
    FACEMATCH,
    FACEMATCH_2,
    FORM,
    LIVENESS_CHECK,
    jpeg_scene,
    multipart,
)
from pydantic import BaseModel, field_validator
from starlette.requests import Request

import facematch_core as fm
from facematch_deepvue import DeepvueBackend
from facematch_mock_server import MockServer, make_card

JSON = "application/json"


def check_image(text):
    """The one rule of ours: the text is base64, bare or in a data URI."""
    content = text.partition(",")[2] if text.startswith("data:") else text
    try:
        is_picture = bool(base64.b64decode(content, validate=True))
    except ValueError:
        is_picture = False
    if not is_picture:
        raise ValueError("Invalid image")
    return text


class Picture(BaseModel):
    image: str
    check = field_validator("image")(check_image)


Text = Annotated[str, FormField()]
TODAY = FastAPI()


@TODAY.post(AUTHORIZE)
async def authorize(client_id: Text, client_secret: Text): ...


@TODAY.post(FACEMATCH)
@TODAY.post(FACEMATCH_2)
async def match(file_a: UploadFile, file_b: UploadFile): ...


@TODAY.post(LIVENESS_CHECK)
async def check_liveness(body: Picture): ...


def scope_of(path, body, kind):
    headers = [(b"content-length", str(len(body)).encode())]
    headers += [(b"content-type", kind.encode())] if kind else []
    about = {"type": "http", "method": "POST", "path": path, "root_path": "", "scheme": "http"}
    return {**about, "query_string": b"", "headers": headers, "http_version": "1.1"}


def pydantic2(path, body, kind):
    """Status and JSON of FastAPI's answer."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(TODAY(scope_of(path, body, kind), receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def pydantic1(path, body, kind):
    """The same of FastAPI before it dropped pydantic 1."""
    from pydantic.v1 import ValidationError, create_model

    try:
        errors = (
            json_errors(body, kind) if path == LIVENESS_CHECK else form_errors(path, body, kind)
        )
    except UnicodeDecodeError:
        return 400, {"detail": "There was an error parsing the body"}
    if not errors:
        return 200, None
    words = ValidationError(errors, create_model("Request")).errors()
    return 422, json.loads(json.dumps({"detail": words}))


def json_errors(body, kind):
    from pydantic.v1 import BaseModel, create_model, validator
    from pydantic.v1.error_wrappers import ErrorWrapper
    from pydantic.v1.errors import MissingError

    class Picture(BaseModel):
        image: str
        check = validator("image", allow_reuse=True)(check_image)

    message = Message()
    message["content-type"] = kind or JSON
    subtype = message.get_content_subtype()
    is_json = subtype == "json" or subtype.endswith("+json")
    try:
        is_read = body and message.get_content_maintype() == "application" and is_json
        value = json.loads(body) if is_read else body or None
    except json.JSONDecodeError as error:
        return [ErrorWrapper(error, ("body", error.pos))]
    if value is None:
        return [ErrorWrapper(MissingError(), ("body",))]
    field = create_model("Body", body=(Picture, ...)).__fields__["body"]
    _, error = field.validate(value, {}, loc=("body",))
    return error if isinstance(error, list) else [error] if error else []


def form_errors(path, body, kind):
    from pydantic.v1 import create_model
    from pydantic.v1.error_wrappers import ErrorWrapper
    from pydantic.v1.errors import MissingError

    class File:
        @classmethod
        def __get_validators__(cls):
            yield cls.check

        @classmethod
        def check(cls, value):
            if isinstance(value, str):
                raise ValueError(f"Expected UploadFile, received: {type(value)}")
            return value

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def read():
        async with Request(scope_of(path, body, kind), receive).form() as fields:
            return dict(fields)

    names = ("client_id", "client_secret") if path == AUTHORIZE else ("file_a", "file_b")
    values, errors = asyncio.run(read()), []
    for name in names:
        of_type = str if path == AUTHORIZE else File
        field = create_model("Body", **{name: (of_type, ...)}).__fields__[name]
        if values.get(name) in (None, ""):
            errors.append(ErrorWrapper(MissingError(), ("body", name)))
        elif error := field.validate(values[name], {}, loc=("body", name))[1]:
            errors.append(error)
    return errors


ORACLES = {"pydantic1": pydantic1, "pydantic2": pydantic2}
VERSIONS = [
    pytest.param(
        "pydantic1",
        marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="pydantic.v1 ends at 3.13"),
    ),
    "pydantic2",
]


@pytest.fixture(scope="module", params=VERSIONS)
def alike(request):
    """Check that both refuse a request in the same words, or neither does."""
    engine = deepvue.new_engine(vendor="deepvue", switches={"validation_bodies": request.param})
    token = deepvue.token_of(engine)

    def check(path, body, kind):
        expected = ORACLES[request.param](path, body, kind)
        response = engine.handle(deepvue.deepvue_request(path, body, kind, token=token))
        if expected[0] < 400:
            assert not isinstance(response.json().get("detail"), list)
        else:
            assert (response.status, response.json()) == expected

    return check


FILE = ("file_a", "a.jpg", jpeg_scene())
REFUSED = {
    "no pair": (AUTHORIZE, b"", None),
    "half a pair": (AUTHORIZE, urlencode({"client_id": "x"}).encode(), FORM),
    "an empty half": (AUTHORIZE, urlencode({"client_id": "x", "client_secret": ""}).encode(), FORM),
    "half a pair in parts": (AUTHORIZE, *multipart([("client_secret", "x")])),
    "a pair in JSON": (AUTHORIZE, b'{"client_id": "x", "client_secret": "y"}', JSON),
    "no files": (FACEMATCH, b"", None),
    "one file": (FACEMATCH, *multipart((), [FILE])),
    "one file of version 2": (FACEMATCH_2, *multipart((), [FILE])),
    "texts in the place of files": (FACEMATCH, *multipart([("file_a", "x"), ("file_b", "y")])),
    "a text beside a file": (FACEMATCH, *multipart([("file_b", "y")], [FILE])),
    "an empty text": (FACEMATCH, *multipart([("file_b", "")], [FILE])),
    "files in JSON": (FACEMATCH, b'{"file_a": "x", "file_b": "y"}', JSON),
    "nothing": (LIVENESS_CHECK, b"", JSON),
    "null": (LIVENESS_CHECK, b"null", JSON),
    "a list": (LIVENESS_CHECK, b"[]", JSON),
    "a list of pairs": (LIVENESS_CHECK, b'[["image", 7]]', JSON),
    "a number": (LIVENESS_CHECK, b"7", JSON),
    "an empty object": (LIVENESS_CHECK, b"{}", JSON),
    "another field": (LIVENESS_CHECK, b'{"img": "eA=="}', JSON),
    "no image": (LIVENESS_CHECK, b'{"image": null}', JSON),
    "a number for an image": (LIVENESS_CHECK, b'{"image": 7}', JSON),
    "true for an image": (LIVENESS_CHECK, b'{"image": true}', JSON),
    "a list for an image": (LIVENESS_CHECK, b'{"image": ["eA=="]}', JSON),
    "no base64": (LIVENESS_CHECK, b'{"image": "http://x/y.jpg"}', JSON),
    "half an object": (LIVENESS_CHECK, b'{"image": "eA=="', JSON),
    "two objects": (LIVENESS_CHECK, b"{}\n{}", JSON),
    "a text of another type": (LIVENESS_CHECK, b'{"image": "eA=="}', "text/plain"),
    "JSON of no application": (LIVENESS_CHECK, b'{"image": "eA=="}', "x/y+json"),
    "JSON of an application": (
        LIVENESS_CHECK,
        b'{"image": 7}',
        "application/x+json; charset=utf-8",
    ),
    "no type": (LIVENESS_CHECK, b'{"image": 7}', None),
    "no UTF-8": (LIVENESS_CHECK, b'{"image": "\xff"}', JSON),
    "a form": (LIVENESS_CHECK, b"image=eA==", FORM),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_is_refused_in_the_words_of_fastapi(alike, name):
    alike(*REFUSED[name])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS | st.binary(max_size=9).map(lambda content: base64.b64encode(content).decode()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.just("image") | TEXT, inner, max_size=3)
    ),
    max_leaves=5,
)


def has_odd_keys(value):
    """Whether pydantic 1 makes a dict of it that Python then refuses, in words of its own."""
    with contextlib.suppress(TypeError, ValueError):
        return not all(isinstance(key, str) for key in dict(value))
    return False


@given(value=VALUES.filter(lambda value: not has_odd_keys(value)))
def test_any_json_is_refused_as_fastapi_refuses_it(alike, value):
    alike(LIVENESS_CHECK, json.dumps(value, allow_nan=False).encode(), JSON)


@given(texts=st.dictionaries(st.sampled_from(["client_id", "client_secret", "x"]), TEXT))
def test_any_pair_is_refused_as_fastapi_refuses_it(alike, texts):
    alike(AUTHORIZE, urlencode(texts).encode(), FORM)


@pytest.mark.parametrize("version", ["pydantic1", "pydantic2"])
def test_files_of_another_kind_are_refused_together_in_words_of_ours(version):
    engine = deepvue.new_engine(vendor="deepvue", switches={"validation_bodies": version})
    files = [("file_a", "a.jpg", b""), ("file_b", "b", jpeg_scene())]
    request = deepvue.deepvue_request(
        FACEMATCH, *multipart((), files), token=deepvue.token_of(engine)
    )
    problems = engine.handle(request).json()["detail"]
    prefix = {"pydantic1": "", "pydantic2": "Value error, "}[version]
    assert [problem["loc"] for problem in problems] == [["body", "file_a"], ["body", "file_b"]]
    for problem in problems:
        assert problem["msg"] == f"{prefix}File type is not supported"
        assert (problem["type"], problem.get("input")) == ("value_error", None)


class Odd(DeepvueBackend):
    """A backend that sends half of a comparison, and a picture that is no text."""

    def build(self, call):
        request = super().build(call)
        if request.files:
            return attrs.evolve(request, files=request.files[:1])
        return attrs.evolve(request, json={"image": [request.json["image"]]})


@pytest.mark.parametrize("version", ["pydantic1", "pydantic2"])
@pytest.mark.parametrize(("operation", "field"), [("match", "file_b"), ("liveness", "image")])
def test_the_backend_reads_either_as_the_same_error_without_the_picture(version, operation, field):
    face = make_card("p1")
    with MockServer(vendor="deepvue", switches={"validation_bodies": version}) as mock:
        keys = {"client_id": "mock-client", "client_secret": mock.live_key}
        with fm.FaceVerifier(Odd(base_url=mock.url, **keys)) as verifier:
            calls = {"match": partial(verifier.verify, face), "liveness": verifier.check_liveness}
            with pytest.raises(fm.RequestRejected) as caught:
                calls[operation](face)
        (*_, entry) = mock.control.journal()
        assert mock.control.charges() == ()
    error = caught.value
    assert (entry.status, error.status_code, error.retryable) == (422, 422, False)
    assert error.billing.charged is fm.Charged.NO
    assert list(error.field_errors) == [f"body.{field}"]
    picture_text = base64.b64encode(face).decode()
    for text in (str(error), repr(error), str(error.field_errors)):
        assert picture_text[100:140] not in text


def test_a_number_that_json_has_not_is_null_in_the_report():
    """FastAPI itself fails over it."""
    engine = deepvue.new_engine(vendor="deepvue", switches={"validation_bodies": "pydantic2"})
    token = deepvue.token_of(engine)
    body = b'{"image": NaN, "more": Infinity}'
    response = engine.handle(deepvue.deepvue_request(LIVENESS_CHECK, body, JSON, token=token))
    assert response.status == 422
    assert response.json()["detail"][0]["input"] is None
