"""What the mock answers as CompreFace, and what its own Python client makes of that.

`compreface-sdk` 0.6.0 is its last release. It looks at no status: whatever JSON comes is what it
returns, errors too.
"""

import base64
import importlib
import sys
import textwrap
from types import ModuleType

import attrs
import pytest
from kit.mock_world import new_engine, scene
from vendors import compreface

from facematch_mock_server import card_sheet


def reply(request):
    answer = new_engine(vendor="compreface").handle(request)
    return answer.status, answer.json() if answer.body else None


def test_base64_json_and_form_upload_get_the_same_response():
    lines = "\n".join(textwrap.wrap(base64.b64encode(scene()).decode(), 76))
    expected = reply(compreface.verification_request(scene(), scene()))
    for sent in (compreface.json_request(), compreface.json_request(source_image=lines)):
        assert reply(sent) == expected


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("det_prob_threshold=0.99", 200),
        ("det_prob_threshold=1", 400),
        ("det_prob_threshold=nan", 400),
        ("status=maybe", 400),
        ("limit=&status=&det_prob_threshold=", 200),
    ],
)
def test_query_parameters_are_parsed_like_spring(query, status):
    assert reply(compreface.verification_request(query=f"?{query}"))[0] == status


BIG = b" " * (10 * 1024 * 1024 + 1)
BAD = {"names": ("a.heic", "b.png")}
form, in_json = compreface.verification_request, compreface.json_request
typed = compreface.request_of_type


def get(sent):
    return attrs.evolve(sent, method="GET")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        # nginx looks first, then the filter for the key, then the method, then the type.
        (typed("text/plain", BIG, key=None), 413, None),
        (get(form(key=None)), 400, 20),
        (get(form(key=compreface.SERVICE_KEY)), 404, 10),
        (get(typed("text/plain")), 404, 0),
        (typed("text/plain", key=None), 400, 20),
        (typed("text/plain"), 415, None),
        # Of a form its parts, the parameters, then the names of its files.
        (typed("multipart/form-data"), 400, 0),
        (form(b"x" * (5 * 1024 * 1024 + 1), False, query="?limit=x"), 400, 0),
        (form(target=False, query="?limit=x"), 400, 34),
        (form(query="?limit=x", **BAD), 400, None),
        (form(query="?limit=-1", **BAD), 400, 26),
        (form(query="?limit=1", **BAD), 400, 21),
        # Of JSON the types of the parameters, the body, the rest of them, then its Base64.
        (in_json("?limit=x", source_image=None), 400, None),
        (in_json("?limit=-1", source_image="data:"), 400, 26),
        (in_json("?limit=1", source_image="data:"), 400, 21),
        # JSON that is no object.
        (typed("application/json", b"[]", key=compreface.KEY), 400, None),
        (typed("application/json", b"1", key=compreface.KEY), 400, None),
    ],
)
def test_request_checks_run_in_comprefaces_order(request_, status, code):
    answer = new_engine(vendor="compreface").handle(request_)
    assert answer.status == status
    if code is not None:
        assert answer.json()["code"] == code
    elif status == 413:
        assert b"<center>nginx</center>" in answer.body
    else:
        assert answer.body == b""


CARDS, MOCK = card_sheet(), {"vendor": "compreface"}


@pytest.fixture(scope="module")
def client_class():
    # The client wants requests-toolbelt 0.9.1, which asks urllib3 for its support of Google App
    # Engine. urllib3 2 has none, and no line here needs it.
    with pytest.MonkeyPatch.context() as patch:
        name = "urllib3.contrib.appengine"
        patch.setitem(sys.modules, name, ModuleType(name))
        return importlib.import_module("compreface").CompreFace


@pytest.fixture
def verify(client_class, mock):
    """Compares two cards as the client's README does."""

    def ask(source, target, *, key=mock.live_key, **options):
        _, host, port = mock.url.split(":")
        client = client_class(f"http:{host}", port, options)
        service = client.init_face_verification(key)
        return service.verify(CARDS[source].data, CARDS[target].data)

    return ask


def test_client_options_in_python_notation_are_accepted(verify):
    plugins = "calculator,age,gender,landmarks,mask"
    options = {"det_prob_threshold": 0.8, "limit": 1, "status": True, "face_plugins": plugins}
    (result,) = verify("two-faces", "p1", **options)["result"]
    face = result["source_image_face"]
    shown = {"age", "gender", "landmarks", "mask", "embedding"}
    assert set(face) - {"box", "execution_time"} == shown
    assert set(result["plugins_versions"]) == {"detector", "calculator", "age", "gender", "mask"}


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [("no-face", "p1", 28), ("p1", "no-face", 28), ("two-faces", "p1", 31)],
)
def test_client_returns_the_error_body_for_uncomparable_pictures(verify, source, target, code):
    answer = verify(source, target)
    assert (set(answer), answer["code"]) == ({"message", "code"}, code)
