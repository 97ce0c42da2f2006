"""Clients that mean harm, or stand behind others, against a whole mock: it stays up and itself."""

import json

import pytest
import requests
from kit.rawclient import RawClient, request

from facematch_mock_server import MockServer, card_sheet

P1 = card_sheet()["p1"].data
SESSIONS = "/v3/sessions/"


@pytest.fixture(scope="module")
def mock():
    """A running mock with one session."""
    with MockServer(seed=2) as server:
        headers = {"x-api-key": server.live_key}
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        url = f"{server.url}/v3/face-match/"
        requests.post(url, headers=headers, files=files, timeout=10).raise_for_status()
        yield server


def test_as_a_proxy(mock):
    """A client with a proxy sends whole addresses: the vendor's own host is the vendor."""
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": mock.url}
        headers = {"x-api-key": mock.live_key}
        url = f"http://verification.didit.me{SESSIONS}"
        answer = session.get(url, headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["count"]) == (200, 1)
        # Whose host is not the loopback does not drive the mock, whoever passes it on.
        for host in ("verification.didit.me", "evil.example"):
            answer = session.get(f"http://{host}/__mock__/keys", timeout=10)
            assert answer.status_code == 403


NO_LOOPBACK = (
    *("[::1]evil.com", "127.0.0.1:80@evil", "127.0.0.1@evil.com", "localhost.evil.com"),
    *("127.0.0.1.", "127.0.0.1:80:80", "localhost:80/evil", "127.0.0.1 evil", "[::1", "::1:80"),
    *("0x7f.1", "127.1", "2130706433", "xn--localhost", "localhost\\.evil", "127.0.0.1#evil"),
)


@pytest.mark.parametrize("host", NO_LOOPBACK)
def test_a_host_that_is_no_loopback_drives_nothing(mock, host):
    """As the header says it."""
    with RawClient(mock.port) as client:
        client.send(f"GET /__mock__/keys HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.answer().status in (400, 403)


@pytest.mark.parametrize("host", [host for host in NO_LOOPBACK if not set(host) & set(" #/\\")])
def test_an_address_of_another_host_drives_nothing(mock, host):
    """As the target says it, which counts before the header."""
    with RawClient(mock.port) as client:
        head = f"GET http://{host}/__mock__/keys HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        client.send(head.encode())
        assert client.answer().status in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost:8", "[::1]", "[::1]:80"])
def test_what_is_one_does(mock, host):
    """Under any port."""
    with RawClient(mock.port) as client:
        client.send(f"GET /__mock__/keys HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.answer().status == 200


def test_a_body_in_a_hundred_thousand_pieces(mock):
    """Others are answered meanwhile, and it is in the end."""
    with RawClient(mock.port) as crumbs, RawClient(mock.port) as other:
        head = (
            "POST /v3/face-match/ HTTP/1.1\r\nHost: x\r\nx-api-key: mock-live-key\r\n"
            "Content-Type: multipart/form-data; boundary=a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        crumbs.send(head.encode() + b"1\r\nx\r\n" * 100_000)
        other.send(request("GET", SESSIONS, "x-api-key: mock-live-key"))
        assert other.answer().status == 200
        crumbs.send(b"0\r\n\r\n")
        answer = crumbs.answer()
    assert answer.status == 400
    assert set(json.loads(answer.body)) == {"detail"}


@pytest.mark.parametrize("depth", [50, 500, 50_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(
    ("path", "key"),
    [("/__mock__/faults", None), ("/v3/billing/top-up/", "x-api-key: mock-live-key")],
)
def test_json_of_any_depth(mock, depth, opening, path, key):
    """It is refused, and nobody sees a 500."""
    body = (opening * depth + "1" + ("]" if opening == "[" else "}") * depth).encode()
    lines = ("Content-Type: application/json", *([] if key is None else [key]))
    host = () if key else ("Host: 127.0.0.1",)
    with RawClient(mock.port) as client:
        head = [f"POST {path} HTTP/1.1", *(host or ("Host: mock",)), *lines]
        head += [f"Content-Length: {len(body)}", "", ""]
        client.send("\r\n".join(head).encode() + body)
        assert client.answer().status == 400


@pytest.mark.parametrize("name", ["nan", "inf", "-inf", "NaN", "Infinity", "1e999"])
def test_no_number_that_json_has_not_is_ever_answered(mock, name):
    """Neither as a threshold nor in metadata."""

    def no(constant):
        raise AssertionError(constant)

    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    for fields in (
        {"face_match_score_decline_threshold": name},
        {"metadata": f'{{"a":{name}}}'},
        {"vendor_data": name},
    ):
        answer = requests.post(
            f"{mock.url}/v3/face-match/",
            headers={"x-api-key": mock.live_key},
            files=files,
            data={"save_api_request": "false", **fields},
            timeout=10,
        )
        assert answer.status_code == (200 if "vendor_data" in fields else 400)
        json.loads(answer.text, parse_constant=no)
