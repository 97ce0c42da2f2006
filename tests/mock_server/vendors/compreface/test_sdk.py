"""CompreFace's own Python client, unmodified, against the mock server.

`compreface-sdk` 0.6.0 is its last release. It looks at no status: whatever JSON comes is what it
returns, errors too.
"""

import importlib
import sys
from types import ModuleType

import pytest
import requests

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.faults import Fault

CARDS = card_sheet()
UUID = "5b8a4d2e-7c1f-4e0a-9d63-2f1c8b7a6e05"


@pytest.fixture(scope="module")
def client_class():
    """`CompreFace` of the package."""
    # The client wants requests-toolbelt 0.9.1, which asks urllib3 for its support of Google App
    # Engine. urllib3 2 has none, and no line here needs it.
    with pytest.MonkeyPatch.context() as patch:
        name = "urllib3.contrib.appengine"
        patch.setitem(sys.modules, name, ModuleType(name))
        return importlib.import_module("compreface").CompreFace


@pytest.fixture
def mock():
    """A running CompreFace."""
    with MockServer(vendor="compreface") as running:
        yield running


@pytest.fixture
def verify(client_class, mock):
    """Compares two cards as the client's README does."""

    def ask(source, target, *, key=mock.live_key, **options):
        _, host, port = mock.url.split(":")
        client = client_class(f"http:{host}", port, options)
        service = client.init_face_verification(key)
        return service.verify(CARDS[source].data, CARDS[target].data)

    return ask


@pytest.mark.parametrize(
    ("target", "is_alike"), [("p1-again", True), ("p2", False)], ids=["match", "mismatch"]
)
def test_a_comparison(verify, target, is_alike):
    """The similarity is on the side of 0.5 that the documentation promises."""
    (result,) = verify("p1", target)["result"]
    (match,) = result["face_matches"]
    assert (match["similarity"] > 0.5) is is_alike
    assert set(result) == {"source_image_face", "face_matches"}


def test_options(verify):
    """They stand in the address as Python writes them: ``status=True``."""
    plugins = "calculator,age,gender,landmarks,mask"
    options = {"det_prob_threshold": 0.8, "limit": 1, "status": True, "face_plugins": plugins}
    (result,) = verify("two-faces", "p1", **options)["result"]
    face = result["source_image_face"]
    assert set(face) - {"box", "execution_time"} == {
        *("age", "gender", "landmarks", "mask", "embedding"),
    }
    assert set(result["plugins_versions"]) == {"detector", "calculator", "age", "gender", "mask"}


@pytest.mark.parametrize(
    ("key", "code"), [("mock-live-key", 26), (UUID, 10)], ids=["no UUID", "unknown"]
)
def test_a_wrong_key(verify, key, code):
    """The client raises nothing: its answer is the error."""
    assert verify("p1", "p1", key=key)["code"] == code


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [("no-face", "p1", 28), ("p1", "no-face", 28), ("two-faces", "p1", 31)],
)
def test_what_cannot_be_compared(verify, source, target, code):
    """Likewise."""
    told = verify(source, target)
    assert (set(told), told["code"]) == ({"message", "code"}, code)


@pytest.mark.parametrize("status", [429, 500])
def test_a_refusal_by_status(verify, mock, status):
    """The body comes back as if all were well; it is asked once and not again."""
    mock.control.add_fault(Fault(stage="answer", kind="status", status=status))
    told = verify("p1", "p1-again")
    assert "result" not in told
    assert ("code" in told) is (status == 500)
    assert [one.status for one in mock.control.journal() if one.status] == [status]


def test_a_page_of_a_gateway(verify, mock):
    """What is no JSON is an error of the library beneath."""
    mock.control.add_fault(Fault(stage="answer", kind="html", status=502))
    with pytest.raises(requests.JSONDecodeError):
        verify("p1", "p1-again")
