"""Mappings as WireMock's users write them: what they match, and what they answer."""

import json

import pytest
import requests
from kit.mock_world import request_to

from facematch_mock_server import MockServer
from facematch_mock_server.replies import Filling, read_mappings, read_replies


def reply_to(request=None, response=None):
    mapping = {"request": {"urlPath": "/x", **(request or {})}, "response": response or {}}
    if request and {"url", "urlPattern"} & request.keys():
        del mapping["request"]["urlPath"]
    (reply,) = read_mappings(mapping, "own.json")
    return reply


def sent(target="/x", body=b"", content_type="application/json", **headers):
    return request_to(target, body, content_type, key=None, **headers)


@pytest.mark.parametrize(
    ("place", "target", "fits"),
    [
        ({"url": "/x?a=1&b=2"}, "/x?a=1&b=2", True),
        ({"url": "/x?a=1&b=2"}, "/x?b=2&a=1", False),
        ({"url": "/x?a=1"}, "/x", False),
        ({"url": "/x"}, "/x?a=1", False),
        ({"url": "/x.y"}, "/xzy", False),
        ({"urlPattern": r"/x/\d+(\?.*)?"}, "/x/12?a=1", True),
        ({"urlPattern": r"/x/\d+"}, "/x/12?a=1", False),
        ({"urlPattern": "/x/.*"}, "/y/x/1", False),
    ],
)
def test_url_has_the_query(place, target, fits):
    assert reply_to(place).fits(sent(target)) is fits


@pytest.mark.parametrize(
    ("condition", "body", "fits"),
    [
        ({"contains": "ada"}, b'{"name": "ada"}', True),
        ({"contains": "a.a"}, b'{"name": "ada"}', False),
        ({"contains": "b"}, b"a\nb\nc", True),
        ({"equalTo": "ab"}, b"ab", True),
        ({"equalTo": "ab"}, b"abc", False),
        ({"matches": "a.*"}, b"abc", True),
        ({"absent": True}, b"", True),
        ({"equalToJson": {"a": 1, "b": [1, 2]}}, b'{"b": [1, 2], "a": 1.0}', True),
        ({"equalToJson": '{"a": 1}'}, b'{"a": 1}', True),
        ({"equalToJson": {"a": 1}}, b'{"a": 1, "b": 2}', False),
        ({"equalToJson": {"a": 1}, "ignoreExtraElements": True}, b'{"a": 1, "b": 2}', True),
        ({"equalToJson": {"a": {"b": 1}}, "ignoreExtraElements": True}, b'{"a": {"b": 2}}', False),
        ({"equalToJson": [1, 2]}, b"[2, 1]", False),
        ({"equalToJson": [1, 2], "ignoreArrayOrder": True}, b"[2, 1]", True),
        ({"equalToJson": [1, 1], "ignoreArrayOrder": True}, b"[1, 2]", False),
        ({"equalToJson": [1, None], "ignoreArrayOrder": True}, b"[null, 1]", True),
        ({"equalToJson": {"a": True}}, b'{"a": 1}', False),
        ({"equalToJson": {"a": 1}}, b"a=1", False),
    ],
)
def test_body_meets_a_condition(condition, body, fits):
    assert reply_to({"bodyPatterns": [condition]}).fits(sent(body=body)) is fits


def test_header_contains_a_text_and_is_repeated():
    reply = reply_to(
        {"headers": {"X-Trace": {"contains": "ab"}}},
        {"headers": {"X-Trace": "{{request.headers.X-Trace}}"}, "body": "ok"},
    )
    assert not reply.fits(sent(x_trace="cd"))
    request = sent(x_trace="cabd")
    assert reply.fits(request)
    answer = reply.answer(Filling(request=request, now=None, new_id=None))
    assert answer.header("X-Trace") == "cabd"


def test_body_may_be_base64():
    answer = reply_to({}, {"base64Body": "AAH/"}).answer(
        Filling(request=sent(), now=None, new_id=None)
    )
    assert answer.body == b"\x00\x01\xff"
    assert answer.header("Content-Type") == "application/octet-stream"


@pytest.fixture
def project(tmp_path):
    """A folder as WireMock has it, with a secret beside it."""
    root = tmp_path / "wiremock"
    (root / "mappings").mkdir(parents=True)
    (root / "__files" / "deep").mkdir(parents=True)
    (root / "__files" / "deep" / "a.json").write_text('{"id": "{{request.query.id}}"}')
    (root / "__files" / "b.png").write_bytes(b"\x89PNG\xff")
    (root / "mappings" / "own.txt").write_text("beside")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "__files" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return root


def read_with_file(project, name):
    mapping = {"request": {"urlPath": "/x"}, "response": {"bodyFileName": name}}
    (project / "mappings" / "own.json").write_text(json.dumps({"mappings": [mapping]}))
    (reply,) = read_replies(project)
    return reply.answer(Filling(request=sent("/x?id=7"), now=None, new_id=None))


def test_body_may_be_in_a_file(project):
    answer = read_with_file(project, "deep/a.json")
    assert (answer.json(), answer.header("Content-Type")) == ({"id": "7"}, "application/json")
    answer = read_with_file(project, "b.png")
    assert (answer.body, answer.header("Content-Type")) == (b"\x89PNG\xff", "image/png")
    assert read_with_file(project, "own.txt").body == b"beside"


@pytest.mark.parametrize("name", ["../../secret.txt", "link.txt", "missing", "", "deep"])
def test_file_outside_the_folders_is_not_read(project, name):
    with pytest.raises(ValueError, match=r"#1 response\.bodyFileName: ") as caught:
        read_with_file(project, name)
    assert "secret" not in str(caught.value).replace("secret.txt", "")


def test_absolute_path_is_not_read(project):
    with pytest.raises(ValueError, match="bodyFileName"):
        read_with_file(project, str(project.parent / "secret.txt"))


def test_program_names_no_file():
    with pytest.raises(ValueError, match="bodyFileName"):
        reply_to({}, {"bodyFileName": "a.json"})


@pytest.mark.parametrize(
    "fault",
    [
        "EMPTY_RESPONSE",
        "MALFORMED_RESPONSE_CHUNK",
        "RANDOM_DATA_THEN_CLOSE",
        "CONNECTION_RESET_BY_PEER",
    ],
)
def test_fault_comes_in_place_of_the_answer(fault):
    mapping = {"request": {"urlPath": "/x"}, "response": {"fault": fault}}
    with MockServer(replies=mapping) as mock:
        with pytest.raises(requests.RequestException):
            requests.get(f"{mock.url}/x", timeout=10)
        (entry,) = mock.control.journal()
        assert entry.charge is None
        # Every call to the reply ends so.
        with pytest.raises(requests.RequestException):
            requests.get(f"{mock.url}/x", timeout=10)
