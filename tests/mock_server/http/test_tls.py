"""The server over TLS: the same answers and faults, and clients that speak something else."""

import os
import socket
import ssl

import pytest
import requests
import trustme
from azure.ai.vision.face import FaceClient
from azure.ai.vision.face.models import FaceDetectionModel, FaceRecognitionModel
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from kit.mock_didit import post_match
from kit.rawclient import RawClient, chunked, raw_request

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.http.tls import read_certificate

BODY = b"z" * 300_000
P1 = card_sheet()["p1"].data


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """PEM files by name."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: folder / f"{name}.pem" for name in ("ca", "certificate", "key", "both", "other")}
    authority.cert_pem.write_to_path(paths["ca"])
    pair.cert_chain_pems[0].write_to_path(paths["certificate"])
    pair.private_key_pem.write_to_path(paths["key"])
    pair.private_key_and_cert_chain_pem.write_to_path(paths["both"])
    authority.issue_cert("localhost").private_key_pem.write_to_path(paths["other"])
    text = paths["certificate"].read_text()
    (folder / "cut.pem").write_text(text[: len(text) // 2])
    (folder / "secret.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    rsa = authority.issue_cert("localhost", key_type=trustme.KeyType.RSA)
    rsa.private_key_pem.write_to_path(folder / "rsa.pem")
    return paths


@pytest.fixture(scope="module")
def context(files):
    """What the server serves by."""
    return read_certificate(files["certificate"], files["key"])


@pytest.fixture
def connect(serve, context, files, at_end):
    """Opens a connection over TLS to a server of its own."""
    client_context = ssl.create_default_context(cafile=files["ca"])

    def connect(engine, **settings):
        server = serve(engine, tls=context, **settings)
        client = at_end.enter_context(RawClient(server.port))
        client.sock = client_context.wrap_socket(client.sock, server_hostname="localhost")
        return client

    return connect


@pytest.fixture
def serve_struck(make_engine, make_fault, serve):
    """Serves an engine whose next exchange is struck: it, and an address there."""

    def serve_it(place, tls):
        more = {"seconds": 0.001} if "dribble" in place else {}
        engine = make_engine(make_fault(place, **more))
        return engine, serve(engine, tls=tls).url + "/x"

    return serve_it


def test_requests_of_every_kind_are_answered_on_one_connection(connect, engine):
    client = connect(engine)
    coded = raw_request("POST", "/c", "Transfer-Encoding: chunked") + chunked(BODY[:9], BODY)
    for sent, length in (
        (raw_request("GET"), 0),
        (raw_request(body=BODY), len(BODY)),
        (coded, 300_009),
    ):
        client.send(sent)
        assert client.answer().status == 200
        assert len(engine.handled[-1].body) == length
    client.send(raw_request(body=BODY) * 3)
    assert [client.answer().status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_request_that_is_refused_gets_its_answer_and_an_end(connect, engine, size):
    client = connect(engine, linger_s=0.5)
    client.send(raw_request("BAD HTTP", body=b"x" * size))
    assert client.answer().status == 400
    assert client.end() == "fin"


def test_an_upload_that_is_refused_at_its_head_gets_its_answer(serve, make_engine, context, files):
    url = serve(make_engine(limit=1000), tls=context).url
    for size in (300_000, 5_000_000):
        for _ in range(3):
            reply = requests.post(url, b"x" * size, verify=str(files["ca"]), timeout=10)
            assert reply.status_code == 413


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("connect.reset", None),
        ("connect.truncate", None),
        ("mid_upload.reset", None),
        ("mid_upload.truncate", None),
        ("after_upload.reset", None),
        ("after_upload.garbage", None),
        ("mid_headers.truncate", 200),  # requests takes half a head for a whole one
        ("mid_headers.dribble", 200),
        ("mid_body.reset", None),
        ("mid_body.truncate", None),
        ("mid_body.dribble", 200),
        ("answer.json", 502),
    ],
)
def test_faults_strike_as_they_do_without_tls(serve_struck, context, files, place, status):
    outcomes, notes = [], []
    for tls in (None, context):
        engine, url = serve_struck(place, tls)
        try:
            reply = requests.post(url, BODY, verify=str(files["ca"]), timeout=10)
        except requests.RequestException:
            outcomes.append(None)
        else:
            outcomes.append(reply.status_code)
        notes.append((engine.notes, len(engine.handled)))
        again = requests.post(url, b"x", verify=str(files["ca"]), timeout=10)
        assert again.status_code == 200
    assert outcomes == [status, status]
    assert notes[0] == notes[1]


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("stage", ["after_upload", "mid_headers", "mid_body"])
def test_a_reset_is_one_on_the_wire(connect, make_engine, make_fault, stage, is_slow):
    engine = make_engine(make_fault(f"{stage}.reset"))
    engine.slow = is_slow
    client = connect(engine)
    client.send(raw_request(body=BODY))
    # Below TLS, where Python takes it for an end.
    with socket.socket(fileno=os.dup(client.sock.fileno())) as wire:
        wire.settimeout(10)
        with pytest.raises(ConnectionResetError):
            while wire.recv(65536):
                pass


def test_who_speaks_no_tls_ends_soon_and_others_are_answered(connect, engine):
    client = connect(engine)
    port = client.sock.getpeername()[1]
    with RawClient(port) as plain:
        plain.send(raw_request(body=b"x" * 100))
        assert plain.end() in ("fin", "reset")
    with socket.create_connection(("127.0.0.1", port), 10):  # says nothing
        client.send(raw_request("GET"))
        assert client.answer().status == 200


def test_who_speaks_tls_to_a_plain_port_ends_soon(serve, engine, files):
    port = serve(engine).port
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://localhost:{port}", verify=str(files["ca"]), timeout=10)
    with RawClient(port) as client:
        client.send(raw_request("GET"))
        assert client.answer().status == 200


def test_stopping_waits_for_nobody_who_does_not_shake_hands(serve, engine, context):
    server = serve(engine, tls=context)
    with RawClient(server.port) as silent, RawClient(server.port) as half:
        half.send(b"\x16\x03\x01\x02\x00")
        server.stop()
        assert {silent.end(), half.end()} <= {"fin", "reset"}


def test_a_handshake_that_does_not_come_to_its_end_is_closed(serve, engine, context):
    with RawClient(serve(engine, tls=context, idle_s=0.2).port) as client:
        client.send(b"\x16\x03\x01\x02\x00")
        assert client.end() in ("fin", "reset")


def test_the_whole_mock_is_at_https(files, caplog):
    with MockServer(tls_certificate=files["both"]) as mock, requests.Session() as session:
        session.verify, session.trust_env = str(files["ca"]), False
        assert mock.url == f"https://127.0.0.1:{mock.port}"
        assert mock.control_url.startswith(mock.url)
        post_match(mock.url, mock.live_key, session=session).raise_for_status()
        assert session.get(mock.control_url + "journal", timeout=10).status_code == 200
        # Addresses in answers lead back here.
        post_match(mock.url, mock.live_key, session=session).raise_for_status()
        headers = {"x-api-key": mock.live_key}
        page = session.get(f"{mock.url}/v3/sessions/?limit=1", headers=headers, timeout=10).json()
        assert page["next"].startswith(mock.url)
    assert not caplog.records


class Token:
    def __init__(self, text):
        self._text = text

    def get_token(self, *_, **__):
        return AccessToken(self._text, 2**31)


def test_microsofts_own_client_shows_a_token(files):
    facts = {
        "detection_model": FaceDetectionModel.DETECTION03,
        "recognition_model": FaceRecognitionModel.RECOGNITION04,
        "return_face_id": True,
    }
    server = MockServer(vendor="azure", tls_certificate=files["certificate"], tls_key=files["key"])
    with server as mock:
        more = {"connection_verify": str(files["ca"])}
        with FaceClient(mock.url, Token(mock.live_key), **more) as client:
            assert len(client.detect(P1, **facts)) == 1
        another = FaceClient(mock.url, Token("another"), **more)
        with another as client, pytest.raises(ClientAuthenticationError):
            client.detect(P1, **facts)


@pytest.mark.parametrize(
    ("certificate", "key", "named"),
    [
        ("missing", "key", "missing.pem"),
        ("certificate", "missing", "missing.pem"),
        ("key", "key", "key.pem"),
        ("certificate", "certificate", "certificate.pem"),
        ("certificate", "other", "other.pem"),
        ("certificate", "rsa", "one pair"),
        ("certificate", "none", "is empty"),
        ("key", None, "the file .*key.pem"),
        ("certificate", None, "certificate.pem"),
        ("cut", "key", "cut.pem"),
        ("certificate", "secret", "secret.pem"),
        (None, "key", "tls_certificate"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence_that_names_it(files, certificate, key, named):
    folder = files["ca"].parent
    pair = [
        "" if name == "none" else name and folder / f"{name}.pem" for name in (certificate, key)
    ]
    with pytest.raises(ValueError, match=named) as raised:
        MockServer(tls_certificate=pair[0], tls_key=pair[1])
    assert "\n" not in str(raised.value)
