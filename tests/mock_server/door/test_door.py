"""The door: what it takes, what it refuses, and what it says about that."""

import contextlib
import queue
import re
import socket
import ssl
import stat

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from kit.mock_world import P1
from vendors.didit import post_match

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.door import Door

DIDIT = "verification.didit.me"
#: A server of the user's own, with the API of CompreFace.
CORPORATE = {"vendor": ["didit", "compreface"], "hosts": {"Faces.corp.example": "compreface"}}


@contextlib.contextmanager
def opened(
    *,
    any_key=False,
    loopback_links=False,
    allowed_hosts=(),
    at="127.0.0.1",
    ca_folder=None,
    **settings,
):
    said = queue.SimpleQueue()
    with (
        MockServer(**settings) as server,
        Door(
            server,
            any_key=any_key,
            loopback_links=loopback_links,
            allowed_hosts=allowed_hosts,
            host=at,
            ca_folder=ca_folder,
            report=said.put,
        ) as door,
        requests.Session() as session,
    ):
        session.proxies = {"https": door.url, "http": door.url}
        session.verify = str(door.authority.pem)
        session.trust_env = False
        door.session = session
        door.said = said
        yield door


@pytest.fixture
def door():
    with opened() as one:
        yield one


def talk(door, sent, *, host=None):
    """Send bytes, over TLS if a host is given, and return everything that comes back."""
    connection = socket.create_connection(("127.0.0.1", door.port), timeout=10)
    if host is not None:
        context = ssl.create_default_context(cafile=door.authority.pem)
        connection = context.wrap_socket(connection, server_hostname=host)
    with connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(4096):
            received += part
    return received.decode()


def test_vendors_host_is_answered_by_the_mock_with_and_without_connect(door):
    assert post_match(f"https://{DIDIT}", "mock-live-key", session=door.session).ok
    health = f"GET /system/healthcheck HTTP/1.1\r\nHost: {DIDIT}\r\nConnection: close\r\n\r\n"
    assert talk(door, health.encode(), host=DIDIT).startswith("HTTP/1.1 200 ")
    calls = [(entry.path, entry.status) for entry in door.server.control.journal()]
    assert calls == [("/v3/face-match/", 200), ("/system/healthcheck", 200)]
    assert door.said.empty()


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("example.com:443", "--door-host example.com=VENDOR"),
        # AWS has many services, and only this one is imitated.
        ("s3.eu-west-1.amazonaws.com:443", "--door-host s3.eu-west-1.amazonaws.com=VENDOR"),
        ("rekognition.eu-west-1.amazonaws.com:443", "--vendor rekognition"),
        ("faceapi.regulaforensics.com:443", "--vendor regula"),
        ("127.0.0.1:1", "--door-host"),
    ],
)
def test_other_hosts_are_refused_with_the_option_that_would_take_them(door, host, hint):
    answer = talk(door, f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head, _, sentence = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 403 ")
    assert hint in sentence
    assert door.said.get(timeout=10) == sentence.strip()


def test_call_to_the_root_of_a_vendors_host_is_answered_by_that_vendor():
    with opened(vendor=["didit", "alibaba"]) as door:
        url = "https://openplatform.aliyuncs.com/?Action=AuthorizeFileUpload&Version=2019-12-19"
        answer = door.session.get(url)
    assert answer.json()["Code"]
    assert "Didit" not in answer.text + answer.headers.get("X-Facematch-Hint", "")


WEBSOCKET = b"""GET / HTTP/1.1\r
Host: verification.didit.me\r
Connection: Upgrade\r
Upgrade: websocket\r
\r
"""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 403),
        (b"CONNECT\r\n\r\n", 403),
        (b"COPY / HTTP/1.1\r\nHost: verification.didit.me\r\n\r\n", 403),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (WEBSOCKET, 501),
    ],
)
def test_what_is_no_request_to_a_vendor_is_refused_and_reported(door, sent, status):
    with socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection:
        connection.sendall(sent)
        assert connection.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())
    assert "door refused" in door.said.get(timeout=10)
    assert door.server.control.charges() == ()


def test_http_2_inside_tls_is_refused(door):
    assert "505" in talk(door, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", host=DIDIT).partition("\r\n")[0]
    assert "HTTP/2" in door.said.get(timeout=10)


@pytest.mark.parametrize("host", ["example.com", None])
def test_tls_to_another_host_or_without_a_name_fails(door, host):
    context = ssl.create_default_context(cafile=door.authority.pem)
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(connection, server_hostname=host)
    assert "refused" in door.said.get(timeout=10)


@pytest.mark.parametrize("is_connected", [False, True])
def test_vendors_host_that_no_certificate_can_name_is_refused_and_reported_once(is_connected):
    host = "my_face.cognitiveservices.azure.com"
    with opened(vendor="azure") as door:
        context = ssl.create_default_context(cafile=door.authority.pem)
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection:
                if is_connected:
                    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
                    assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
                with pytest.raises(OSError):
                    context.wrap_socket(connection, server_hostname=host)
        assert host in door.said.get(timeout=10)
        assert door.said.empty()


def test_program_that_does_not_trust_the_door_is_named(door):
    door.session.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        door.session.get(f"https://{DIDIT}/")
    sentence = door.said.get(timeout=10)
    assert DIDIT in sentence
    assert "SSL_CERT_FILE" in sentence


def start_session(door):
    started = {"workflow_id": "11111111-2222-4333-8444-555555555555", "vendor_data": "customer"}
    key = {"x-api-key": door.server.live_key}
    answer = door.session.post(f"https://{DIDIT}/v3/session/", json=started, headers=key)
    return answer.json()["url"]


def test_link_of_a_session_is_the_vendors_and_its_page_is_there(door):
    link = start_session(door)
    assert link.startswith("https://verify.didit.me/")
    page = door.session.get(link)
    assert (page.status_code, "Show your face" in page.text) == (200, True)
    # The rest of the mock is not at the vendor's host.
    assert door.session.get(f"https://{DIDIT}/__mock__/calls").status_code == 403


def test_link_of_a_session_can_lead_to_loopback():
    with opened(loopback_links=True) as door:
        link = start_session(door)
        assert link.startswith(f"{door.server.url}/")
        assert "Show your face" in requests.get(link, timeout=10).text


def test_faults_reach_a_client_through_the_door(door):
    door.server.control.add_fault(Fault(stage="mid_body", kind="reset"))
    with pytest.raises(requests.exceptions.RequestException):
        post_match(f"https://{DIDIT}", "mock-live-key", session=door.session)
    assert len(door.server.control.charges()) == 1
    assert post_match(f"https://{DIDIT}", "mock-live-key", session=door.session).ok


def test_door_closes_with_the_server(door):
    door.server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", door.port), timeout=10)


def test_files_are_private_hold_no_key_and_go_with_the_door():
    with opened() as door:
        post_match(f"https://{DIDIT}", "mock-live-key", session=door.session)
        files = list(door.authority.pem.parent.iterdir())
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert sorted(file.name for file in files) == ["ca.p12", "ca.pem", "hosts-behind-the-door"]
        assert b"PRIVATE" not in door.authority.pem.read_bytes()
    assert not door.authority.pem.parent.exists()


def call_compreface(door, key):
    url = "http://faces.corp.example:8000/api/v1/verification/verify"
    pictures = {"source_image": ("a.png", P1), "target_image": ("b.png", P1)}
    headers = {"x-api-key": key}
    return door.session.post(url, headers=headers, files=pictures).status_code


def test_users_own_host_of_a_vendor_is_answered_and_any_key_is_accepted():
    key = "3f0c9a62-94f3-4c0f-9d55-0e3a3c1b7a11"
    with opened(any_key=True, **CORPORATE) as door:
        assert call_compreface(door, key) == 200
        # The option is in use, so nothing names it.
        door.server.of("compreface").control.revoke_key(key)
        assert call_compreface(door, key) == 404
        assert door.said.empty()


def test_key_for_a_vendor_without_keys_is_accepted_with_any_key():
    url = "https://faces.corp.example/api/match"
    with opened(
        any_key=True, vendor=["didit", "regula"], hosts={"faces.corp.example": "regula"}
    ) as door:
        answer = door.session.post(url, json={"images": []}, headers={"x-api-key": "my-key"})
        assert answer.status_code == 200
        assert door.said.empty()


def test_first_refused_key_of_each_vendor_is_reported_with_the_options():
    key = "a-key-of-the-program"
    with opened(**CORPORATE) as door:
        for _ in range(2):
            assert post_match(f"https://{DIDIT}", key, session=door.session).status_code == 401
            assert call_compreface(door, key) == 400
        sentences = [door.said.get(timeout=10) for _ in range(2)]
        assert door.said.empty()
    own = [("Didit", "mock-live-key"), ("CompreFace", "00000000-0000-4000-8000-000000000000")]
    for (title, own_key), sentence in zip(own, sentences, strict=True):
        assert title in sentence
        assert "--any-key" in sentence
        assert "--key" in sentence
        assert own_key in sentence
        assert key not in sentence


def test_option_for_one_key_is_not_named_by_a_vendor_with_client_ids():
    with opened(vendor="deepvue") as door:
        pair = {"client_id": "my-client", "client_secret": "my-secret"}
        url = "https://production.deepvue.tech/v1/authorize"
        assert door.session.post(url, data=pair).status_code == 401
        sentence = door.said.get(timeout=10)
    assert "--any-key" in sentence
    assert "--key" not in sentence


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("db", True),
        ("redis:6379", True),
        ("DB.", True),
        ("10.0.0.7:5432", True),
        ("172.31.255.1", True),
        ("192.168.1.4", True),
        ("[fd12::1]:443", True),
        ("[::ffff:10.0.0.7]:5432", True),
        ("minio.local", True),
        ("host.docker.internal", True),
        ("db.example.com", True),
        ("example.com", False),
        ("172.32.0.1", False),
        ("8.8.8.8", False),
        ("2001:db8::1", False),
        # The same addresses as one number.
        ("134744072", False),
        ("2852039166", False),
        ("0xa9fea9fe", False),
        ("169.254.169.254", False),
        ("[::ffff:169.254.169.254]", False),
        ("[fd00:ec2::254]", False),
        ("[fd00:ec2::23]", False),
        ("[FD20:CE::254]:80", False),
        ("metadata", False),
        ("metadata.google.internal", False),
        ("Instance-Data.ec2.internal.", False),
        # A vendor whose mock is not served.
        ("api.stripe.com", False),
        (None, False),
    ],
)
def test_servers_of_a_private_network_pass_and_public_ones_if_allowed(host, passes):
    with opened(allowed_hosts=["DB.example.com"]) as door:
        assert door.passes(host) is passes


@pytest.mark.parametrize("given", ["2001:DB8:0::1", "[2001:db8::1]", "[2001:db8::1]:5432"])
def test_address_of_ipv6_can_be_allowed_in_each_form(given):
    with opened(allowed_hosts=[given]) as door:
        assert door.passes("[2001:db8::1]:443")
        assert door.passes("2001:db8:0:0::1")
        assert not door.passes("[2001:db8::2]:443")


@pytest.mark.parametrize(
    "host",
    [
        "verification.didit.me",
        "api.stripe.com",
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "a b",
    ],
)
def test_vendors_and_metadata_services_cannot_be_allowed(host):
    with MockServer() as server, pytest.raises(ValueError, match=re.escape(host)):
        Door(server, allowed_hosts=[host])


def test_own_server_is_reached_by_connect_and_by_plain_requests_and_named_once():
    with MockServer() as own, opened(allowed_hosts=["127.0.0.1"]) as door:
        health = f"{own.url}/system/healthcheck"
        for _ in range(2):
            assert door.session.get(health).status_code == 200
        pictures = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        paid = door.session.post(
            f"{own.url}/v3/face-match/", files=pictures, headers={"x-api-key": own.live_key}
        )
        assert paid.json()["face_match"]["status"] == "Approved"
        address = f"127.0.0.1:{own.port}"
        with socket.create_connection(("127.0.0.1", door.port), timeout=10) as tunnel:
            tunnel.sendall(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            assert tunnel.recv(4096).startswith(b"HTTP/1.1 200 ")
            tunnel.sendall(f"GET /nothing HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
            assert b" 404 " in b"".join(iter(lambda: tunnel.recv(4096), b""))
        # The vendor's own host is still answered by the mock, on the same session.
        assert post_match(f"https://{DIDIT}", "mock-live-key", session=door.session).ok
        assert [len(each.control.charges()) for each in (own, door.server)] == [1, 1]
        assert "127.0.0.1" in (sentence := door.said.get(timeout=10))
        assert "--door-host 127.0.0.1=VENDOR" in sentence
        assert door.said.empty()


def test_name_that_leads_to_a_metadata_service_does_not_pass(monkeypatch):
    look_up = socket.getaddrinfo

    def look_up_alias(host, *arguments, **options):
        host = "169.254.169.254" if host == "credentials.internal" else host
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_alias)
    connect = b"CONNECT credentials.internal:80 HTTP/1.1\r\n"
    with opened(allowed_hosts=["credentials.internal"]) as door:
        plain = door.session.get("http://credentials.internal/latest/meta-data")
        answers = [
            talk(door, connect + b"\r\n"),
            talk(door, connect + b"Facematch-Door: may-pass\r\n\r\n"),
        ]
        sentences = [door.said.get(timeout=10) for _ in range(3)]
        assert door.said.empty()
    assert plain.status_code == 403
    assert [answer.split()[1] for answer in answers] == ["403", "403"]
    assert {sentence.partition(":")[0] for sentence in sentences} == {
        "The door refused credentials.internal"
    }


def test_own_server_that_is_down_is_a_502():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with opened(allowed_hosts=["127.0.0.1"]) as door:
        assert door.session.get(f"http://127.0.0.1:{port}/").status_code == 502
        answer = talk(door, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith("HTTP/1.1 502 ")


#: Hosts that pass at a door on loopback, and those that pass nowhere.
OF_A_NETWORK = (
    *(f"10.99.0.{number}" for number in range(1, 9)),
    *(f"172.{number}.0.1" for number in (16, 20, 31)),
    *(f"192.168.{number}.4" for number in range(4)),
    "10.1",
    "0x0a000001",
    "167772161",
    "[fd12::1]",
    "[::ffff:10.0.0.7]",
    "db",
    "redis",
    "DB.",
    "mock",
    "app",
    "minio.local",
    "host.docker.internal",
    "gateway.docker.internal",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "metadata",
    "metadata.google.internal",
    "instance-data",
    "example.com",
)


def test_door_that_other_machines_reach_answers_for_vendors_and_passes_nothing_on():
    assert len(OF_A_NETWORK) >= 40
    with MockServer() as own, opened(at="0.0.0.0") as door:
        for host in (*OF_A_NETWORK, f"127.0.0.1:{own.port}"):
            address = host if host.endswith(f":{own.port}") else f"{host}:{own.port}"
            for more in ("", "Facematch-Door: may-pass\r\n"):
                answer = talk(door, f"CONNECT {address} HTTP/1.1\r\n{more}\r\n".encode())
                assert answer.startswith("HTTP/1.1 403 "), host
                assert "passes nothing on" in answer or "metadata service" in answer
            plain = f"GET http://{address}/ HTTP/1.1\r\nHost: {address}\r\n"
            answer = talk(door, f"{plain}Connection: close\r\n\r\n".encode())
            assert answer.startswith("HTTP/1.1 403 "), host
        assert own.control.journal() == ()
        assert post_match(f"https://{DIDIT}", "mock-live-key", session=door.session).ok


def test_no_host_can_be_allowed_at_a_door_that_other_machines_reach():
    with MockServer() as server, pytest.raises(ValueError, match=r"db\.example\.com"):
        Door(server, host="0.0.0.0", allowed_hosts=["db.example.com"])


def test_vendors_host_has_no_path_of_the_mock_that_other_machines_reach():
    settings = {"host": "0.0.0.0", "control_token": "a-long-token-1"}
    with opened(at="0.0.0.0", **settings) as door:
        token = {"X-Mock-Token": "a-long-token-1"}
        assert requests.get(f"{door.server.url}/__mock__/clock", headers=token, timeout=10).ok
        for path in ("/__mock__/clock", "/__mock__/health", "/__mock__/ca.pem"):
            assert door.session.get(f"https://{DIDIT}{path}", headers=token).status_code == 403
        page = door.session.get(f"https://{DIDIT}/")
        assert (page.status_code, "vendors" in page.text) == (404, False)


def test_certificate_alone_is_served_and_copied_for_other_users(tmp_path):
    folder = tmp_path / "new" / "ca"
    for _ in range(2):  # the second start replaces the files of the first
        with opened(ca_folder=folder, host="0.0.0.0", control_token="a-long-token-1") as door:
            url = f"{door.server.url}/__mock__"
            pem, store = (folder / "ca.pem", folder / "ca.p12")
            assert requests.get(f"{url}/ca.pem", timeout=10).content == pem.read_bytes()
            assert requests.get(f"{url}/ca.p12", timeout=10).content == store.read_bytes()
            assert sorted(file.name for file in folder.iterdir()) == ["ca.p12", "ca.pem"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}
            assert pem.read_bytes().count(b"-----BEGIN ") == 1
            assert b"PRIVATE" not in pem.read_bytes()
            key, certificate, others = pkcs12.load_key_and_certificates(
                store.read_bytes(), b"facematch"
            )
            assert (key, certificate) == (None, None)
            names = [x509.load_pem_x509_certificate(pem.read_bytes()).subject]
            assert [each.subject for each in others] == names
            door.session.verify = str(pem)
            assert door.session.get(f"https://{DIDIT}/system/healthcheck").ok
    with MockServer() as server:
        assert requests.get(f"{server.url}/__mock__/ca.pem", timeout=10).status_code == 404


def test_program_that_trusts_an_earlier_start_is_told_so(tmp_path):
    with opened(ca_folder=tmp_path):
        earlier = tmp_path / "earlier.pem"
        earlier.write_bytes((tmp_path / "ca.pem").read_bytes())
    context = ssl.create_default_context(cafile=earlier)
    with opened(ca_folder=tmp_path) as door:
        with (
            socket.create_connection(("127.0.0.1", door.port), timeout=10) as connection,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(connection, server_hostname=DIDIT)
        sentence = door.said.get(timeout=10)
    assert DIDIT in sentence
    assert "of an earlier start" in sentence


def test_link_in_the_folder_for_containers_is_replaced_and_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    folder = tmp_path / "ca"
    folder.mkdir()
    for name in (".ca.pem", ".ca.p12"):
        (folder / name).symlink_to(mine)
    with opened(ca_folder=folder) as door:
        assert (folder / "ca.pem").read_bytes() == door.authority.pem.read_bytes()
    assert mine.read_text() == "mine"
    assert not (folder / "ca.pem").is_symlink()


def test_second_door_at_a_port_leaves_the_files_of_the_first(tmp_path):
    with opened(ca_folder=tmp_path) as door:
        pem = (tmp_path / "ca.pem").read_bytes()
        with pytest.raises(OSError), Door(door.server, port=door.port, ca_folder=tmp_path):
            pass
        assert (tmp_path / "ca.pem").read_bytes() == pem


def test_host_of_a_vendor_that_is_not_served_is_an_error():
    with pytest.raises(ValueError, match="compreface"):
        MockServer(hosts={"faces.corp.example": "compreface"})
