"""How a program's calls reach the real vendor: as they were sent, at most so many, and once."""

import base64
import gzip
import json
import re
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest
import requests
import trustme
from kit.cards import CARDS
from kit.rawserver import RawServer, close, closed_port, http_reply, read_request, send

import facematch_mock_server.vendors
from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server import MockServer
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.door import Door
from facematch_mock_server.record_cli import sources_of
from facematch_mock_server.replies import read_replies
from facematch_mock_server.replies.recorder import Recorder
from facematch_mock_server.replies.recording_file import RecordingFile
from facematch_mock_server.replies.upstream import MAX_RECORDED_BYTES, Upstream
from facematch_mock_server.replies.vocabulary import Vocabulary
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.vendors.base import MockVendor

VENDORS = Path(facematch_mock_server.vendors.__file__).parent
HOST = "verification.didit.me"
ANSWER = [read_request, send(http_reply(200, b'{"status": "Approved"}'))]


@pytest.fixture
def open_recorder(tmp_path):
    """Opens a recorder to one server, or to the vendors themselves."""

    def open_one(url=None, max_calls=5, report=print):
        file = RecordingFile(
            tmp_path / "recording.json", Vocabulary.read([]), show_host={HOST: HOST}.get
        )
        return Recorder(file, Upstream(url), max_calls, report)

    return open_one


def request(method="GET", target="/v3/session/", body=b"", **headers):
    lines = {"Host": HOST, **headers}
    if body:
        lines["Content-Length"] = str(len(body))
    return Request.make(method=method, target=target, headers=lines.items(), body=body)


def written(recorder):
    return json.loads(recorder.recording.path.read_text("utf-8"))["mappings"]


def test_call_is_sent_as_it_came(open_recorder):
    with RawServer(ANSWER) as server:
        recorder = open_recorder(server.url)
        target = "/v3/face-match/?a=%7e%2F&b=1+2&%C3%A9=;"
        reply = recorder.forward(
            "didit",
            request(
                "POST",
                target,
                b"\x00\xff--body",
                **{
                    "X-Api-Key": "own-key",
                    "X-Signature": "a=b; c",
                    "Proxy-Authorization": "Basic x",
                },
            ),
        )
        (connection,) = server.connections
        (sent,) = connection.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST {target} HTTP/1.1"
    assert sorted(lines[1:]) == [
        "accept-encoding: identity",
        "connection: close",
        "content-length: 8",
        f"host: {HOST}",
        "x-api-key: own-key",
        "x-signature: a=b; c",
    ]
    assert body == b"\x00\xff--body"
    assert (reply.status, reply.body) == (200, b'{"status": "Approved"}')
    assert reply.header(MOCK_HEADER) is None
    assert recorder.calls == 1
    assert len(written(recorder)) == 1


def test_limit_is_kept_under_sixteen_connections(tmp_path, open_recorder):
    with MockServer() as vendor, MockServer() as server:
        recorder = open_recorder(vendor.url, max_calls=7)
        with Door(server, recorder=recorder) as door:
            begin = threading.Barrier(16)

            def call(number):
                with requests.Session() as session:
                    session.trust_env = False
                    session.proxies = {"https": door.url}
                    session.verify = str(door.authority.pem)
                    begin.wait(timeout=20)
                    url = f"https://{HOST}/v3/session/{number}/decision/"
                    return session.get(url, headers={"x-api-key": vendor.live_key}).status_code

            with ThreadPoolExecutor(16) as threads:
                statuses = list(threads.map(call, range(16)))
        assert sorted(statuses) == [404] * 7 + [503] * 9
        assert len(vendor.control.journal()) == 7
        assert server.control.journal() == ()
    assert recorder.calls == 7
    assert len(written(recorder)) == 7


@pytest.mark.parametrize(
    "script",
    [[read_request, close], [read_request, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")]],
    ids=["no reply", "half a reply"],
)
def test_call_without_an_answer_counts_and_is_not_repeated(open_recorder, script):
    said = []
    with RawServer(script) as server:
        recorder = open_recorder(server.url, max_calls=1, report=said.append)
        reply = recorder.forward("didit", request("POST"))
        assert len(server.connections) == 1
    assert reply.status == 502
    assert "may have charged" in reply.json()["mock"]
    assert reply.header(MOCK_HEADER) is not None
    assert recorder.forward("didit", request("POST")).status == 503
    assert recorder.calls == 1
    assert len(said) == 2
    assert written(recorder) == []


def test_call_that_was_not_sent_does_not_count(open_recorder):
    with closed_port() as port:
        recorder = open_recorder(f"http://127.0.0.1:{port}", max_calls=1)
        for _ in range(2):
            reply = recorder.forward("didit", request())
            assert reply.status == 502
            assert "not sent" in reply.json()["mock"]
    assert recorder.calls == 0


@pytest.mark.parametrize("has_tls", [False, True], ids=["plain", "TLS"])
def test_call_that_waits_for_its_answer_ends_with_the_recording(
    open_recorder, tmp_path, monkeypatch, has_tls
):
    context = None
    if has_tls:
        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(context)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    has_call = threading.Event()
    has_ended = threading.Event()

    def wait(_connection):
        has_call.set()
        assert has_ended.wait(timeout=60)

    with RawServer([read_request, wait], tls=context) as server, ThreadPoolExecutor() as threads:
        recorder = open_recorder(server.url)
        waiting = threads.submit(recorder.forward, "didit", request("POST"))
        assert has_call.wait(timeout=60)
        recorder.close()
        reply = waiting.result(timeout=60)
        has_ended.set()
        assert reply.status == 502
        assert "may have charged" in reply.json()["mock"]
        assert recorder.forward("didit", request("POST")).status == 502
        assert len([one for one in server.connections if one.requests]) == 1
    assert recorder.calls == 1


def test_redirect_is_the_answer(open_recorder):
    moved = http_reply(307, b"", "Location: https://elsewhere.example/")
    with RawServer([read_request, send(moved)]) as server:
        recorder = open_recorder(server.url)
        assert recorder.forward("didit", request("POST")).status == 307
        assert len(server.connections) == 1
    assert "elsewhere" not in recorder.recording.path.read_text()


def test_reply_that_is_compressed_unasked_reaches_the_program_as_it_is(open_recorder):
    packed = gzip.compress(b'{"status": "Approved"}')
    with RawServer(
        [read_request, send(http_reply(200, packed, "Content-Encoding: gzip"))]
    ) as server:
        recorder = open_recorder(server.url)
        assert recorder.forward("didit", request()).body == packed
    (mapping,) = written(recorder)
    assert list(mapping["response"]["jsonBody"]) == ["status"]


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "packed"])
def test_reply_that_is_too_large_to_record_reaches_the_program(open_recorder, is_packed):
    said = []
    body = bytes(MAX_RECORDED_BYTES + 1)
    header = "Content-Type: application/json"
    if is_packed:
        body = gzip.compress(body)
        header = "Content-Encoding: gzip"
    with RawServer([read_request, send(http_reply(200, body, header))]) as server:
        recorder = open_recorder(server.url, report=said.append)
        assert recorder.forward("didit", request()).body == body
    (sentence,) = said
    assert "20 MB" in sentence
    assert written(recorder) == []


def test_certificate_is_verified(open_recorder, tmp_path, monkeypatch):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with RawServer(ANSWER, tls=context) as server:
        recorder = open_recorder(server.url)
        assert recorder.forward("didit", request()).status == 502
        assert recorder.calls == 0
        recorder.recording.path.unlink()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        recorder = open_recorder(server.url)
        assert recorder.forward("didit", request()).status == 200


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "without one"])
def test_certificates_of_the_environment_that_cannot_be_read_are_refused(
    tmp_path, monkeypatch, content
):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with pytest.raises(ValueError, match="REQUESTS_CA_BUNDLE: "):
        Upstream()


def test_proxy_of_the_user_is_used(open_recorder, monkeypatch):
    with RawServer([read_request, send(http_reply(403))]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
        recorder = open_recorder()
        assert recorder.forward("didit", request()).status == 502
        (connection,) = proxy.connections
        head = connection.requests[0].decode()
    assert head.startswith(f"CONNECT {HOST}:443 ")
    assert base64.b64encode(b"user:p@ss").decode() in head
    assert recorder.calls == 0


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1/", "http://127.0.0.1/api", "http://", "http://a:x"]
)
def test_upstream_must_be_an_origin(url):
    with pytest.raises(ValueError, match="--upstream"):
        Upstream(url)


def test_recording_answers_what_the_mock_lacks_and_only_for_the_same_pictures(open_recorder):
    with RawServer(ANSWER) as server:
        recorder = open_recorder(server.url)
        for body, kind in ((b"{}", "application/json"), (CARDS["p1"], "image/png")):
            call = request("POST", "/v3/unknown/", body, **{"Content-Type": kind})
            recorder.forward("didit", call)
    assert len(read_replies(recorder.recording.path)) == 2
    with MockServer(replies=recorder.recording.path) as mock:
        url = f"{mock.url}/v3/unknown/"
        own = requests.post(url, data=CARDS["p1"], headers={"Content-Type": "image/png"})
        other = requests.post(url, data=CARDS["p2"], headers={"Content-Type": "image/png"})
    assert own.json().keys() == {"status"}
    assert other.status_code == 404


def vocabulary_of(vendor):
    return Vocabulary.read(sources_of([vendor_named(vendor)]))


#: All calls are recorded by the same code; those of Rekognition are signed.
QUICK = {"deepvue", "didit", "rekognition"}


@pytest.mark.parametrize(
    "vendor",
    [
        pytest.param(vendor, marks=[pytest.mark.slow] * (vendor not in QUICK))
        for vendor in vendor_names()
    ],
)
def test_recording_of_each_vendors_calls_leaves_none_out_and_can_be_read(
    vendor, tmp_path, monkeypatch
):
    exchanges = []
    handle = MockVendor.handle

    def handle_and_note(mock_vendor, request):
        answer = handle(mock_vendor, request)
        exchanges.append((request, answer))
        return answer

    monkeypatch.setattr(MockVendor, "handle", handle_and_note)
    for scenario in islice(import_module(f"vendors.{vendor}").scenarios(), 12):
        scenario.play()
    hosts = vendor_named(vendor).hosts
    file = RecordingFile(
        tmp_path / "recording.json",
        vocabulary_of(vendor),
        show_host=lambda host: host if host in hosts else None,
    )
    for sent, answer in exchanges[:25]:
        file.add(vendor, "127.0.0.1", sent, answer)
    assert file.left_out == []
    assert len(read_replies(file.path)) == len(exchanges[:25]) > 5


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (
            "<PostResponse><Key>{0}</Key></PostResponse>",
            r"<PostResponse><Key>[\w-]+</Key></PostResponse>",
        ),
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Key>{0}</Key></PostResponse>',
            (
                r'<\?xml version="1.0" encoding="UTF-8"\?>\n'
                r"<PostResponse><Key>[\w-]+</Key></PostResponse>"
            ),
        ),
        ('<?xml version="{0}"?><PostResponse><Key>a</Key></PostResponse>', None),
        ("<PostResponse>{0}<Key>{0}</Key></PostResponse>", None),
        ("<PostResponse><Key>{0}</Key>{0}</PostResponse>", None),
        ('<PostResponse to="{0}"><Key>a</Key></PostResponse>', None),
        ("<{0}><Key>{0}</Key></{0}>", None),
        ("{0}", None),
    ],
)
def test_answer_in_xml_keeps_its_elements_without_their_values(answer, kept, tmp_path):
    name = "Zoraida-Quintanilla"
    file = RecordingFile(
        tmp_path / "recording.json", vocabulary_of("alibaba"), show_host=lambda _: HOST
    )
    headers = (("Content-Type", "application/xml"),)
    reply = Response(status=201, headers=headers, body=answer.format(name).encode())
    file.add("alibaba", HOST, request("POST", "/"), reply)
    assert file.left_out == []
    (mapping,) = json.loads(file.path.read_text("utf-8"))["mappings"]
    assert "Zoraida" not in json.dumps(mapping)
    if kept is not None:
        assert re.fullmatch(kept, mapping["response"]["body"])


@pytest.mark.parametrize(
    ("words", "kept"),
    [({"kept_names": ["face.9999"]}, True), ({"hidden_names": ["face.box"]}, False)],
)
def test_name_with_a_dot_that_the_user_names_is_kept_or_hidden_as_a_whole(words, kept, tmp_path):
    (name,) = next(iter(words.values()))
    file = RecordingFile(
        tmp_path / "recording.json", vocabulary_of("alibaba"), show_host=lambda _: HOST, **words
    )
    body = json.dumps({name: 1}).encode()
    headers = (("Content-Type", "application/json"),)
    file.add(
        "alibaba", HOST, request("POST", "/"), Response(status=200, headers=headers, body=body)
    )
    (mapping,) = json.loads(file.path.read_text("utf-8"))["mappings"]
    assert (name in mapping["response"]["jsonBody"]) is kept
    assert "face.box" not in json.dumps(mapping)
