"""The door: what it takes, what it refuses, and what it says about that."""

import base64
import contextlib
import functools
import queue
import socket
import ssl
import stat
from urllib.parse import urlsplit

import boto3
import pytest
import requests
from botocore.exceptions import ClientError
from kit import mock_veriff as veriff
from kit.mock_didit import P1, post_match
from kit.mock_sumsub import sumsub_auth
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.iai.v20200303.iai_client import IaiClient
from tencentcloud.iai.v20200303.models import DetectLiveFaceAccurateRequest

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.door import Door
from facematch_mock_server.vendors.veriff.vendor import API_KEY

DIDIT = "verification.didit.me"
#: All vendors with a host, one of them on a server of its own.
EVERY = {
    "vendor": [
        "didit",
        "deepvue",
        "rekognition",
        "azure",
        "compreface",
        "facepp",
        "baidu",
        "tencent",
        "sumsub",
        "veriff",
        "persona",
    ],
    "hosts": {"Faces.corp.example": "compreface"},
}


@contextlib.contextmanager
def opened(*, any_key=False, **settings):
    said = queue.SimpleQueue()
    with (
        MockServer(**settings) as server,
        Door(server, any_key=any_key, report=said.put) as door,
        requests.Session() as session,
    ):
        session.proxies = {"https": door.url, "http": door.url}
        session.verify = str(door.authority.pem)
        session.trust_env = False
        door.session, door.said = session, said
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
        ("127.0.0.1:1", "--door-host"),
    ],
)
def test_other_hosts_are_refused_with_the_option_that_would_take_them(door, host, hint):
    answer = talk(door, f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head, _, sentence = answer.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 403 ")
    assert hint in sentence
    assert door.said.get(timeout=10) == sentence.strip()


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


def test_program_that_does_not_trust_the_door_is_named(door):
    door.session.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        door.session.get(f"https://{DIDIT}/")
    sentence = door.said.get(timeout=10)
    assert DIDIT in sentence
    assert "SSL_CERT_FILE" in sentence


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
        assert sorted(file.name for file in files) == ["ca.p12", "ca.pem"]
        assert b"PRIVATE" not in door.authority.pem.read_bytes()
    assert not door.authority.pem.parent.exists()


# Keys

FORM = {"client_id": "my-client", "client_secret": "my-secret"}


def call_didit(door, key):
    return post_match(f"https://{DIDIT}", key, session=door.session).status_code


def call_deepvue(door, key):
    url, pair = "https://production.deepvue.tech", {**FORM, "client_secret": key}
    login = door.session.post(f"{url}/v1/authorize", data=pair)
    if not login.ok:
        return login.status_code
    token = login.json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "x-api-key": key}
    pictures = {"file_a": ("a.png", P1), "file_b": ("b.png", P1)}
    return door.session.post(f"{url}/v1/facematch", headers=headers, files=pictures).status_code


def call_azure(door, key):
    headers = {"Ocp-Apim-Subscription-Key": key, "Content-Type": "application/octet-stream"}
    url = "https://contoso.cognitiveservices.azure.com/face/v1.2/detect"
    return door.session.post(url, headers=headers, data=P1).status_code


def call_compreface(door, key):
    url = "http://faces.corp.example:8000/api/v1/verification/verify"
    pictures = {"source_image": ("a.png", P1), "target_image": ("b.png", P1)}
    return door.session.post(url, headers={"x-api-key": key}, files=pictures).status_code


def call_rekognition(door, key):
    client = boto3.client(
        "rekognition",
        region_name="eu-west-1",
        aws_access_key_id="AKIAOFTHEPROGRAM0000",
        aws_secret_access_key=key,
        verify=str(door.authority.pem),
        config=boto3.session.Config(proxies={"https": door.url}),
    )
    with contextlib.closing(client):
        try:
            answer = client.detect_faces(Image={"Bytes": P1})
        except ClientError as error:
            answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"]


def call_facepp(door, key):
    url = "https://api-us.faceplusplus.com/facepp/v3/compare"
    pictures = {"image_file1": ("a.png", P1), "image_file2": ("b.png", P1)}
    fields = {"api_key": "key-of-the-program", "api_secret": key}
    return door.session.post(url, data=fields, files=pictures).status_code


def call_baidu(door, key):
    """Baidu answers a wrong key with a 401 at the login."""
    url = "https://aip.baidubce.com"
    app = {"grant_type": "client_credentials", "client_id": "my-app", "client_secret": key}
    login = door.session.get(f"{url}/oauth/2.0/token", params=app)
    if not login.ok:
        return login.status_code
    token = {"access_token": login.json()["access_token"]}
    picture = {"image": base64.b64encode(P1).decode(), "image_type": "BASE64"}
    call = f"{url}/rest/2.0/face/v3/match"
    body = door.session.post(call, params=token, json=[picture, picture]).json()
    assert body["error_code"] == 0
    return 200


def call_tencent(door, key):
    """A call of Tencent's own client, which learns of a refusal by its code alone."""
    profile = HttpProfile(proxy=door.url, certification=str(door.authority.pem))
    client = IaiClient(
        Credential("id-of-the-program", key), "ap-singapore", ClientProfile(httpProfile=profile)
    )
    request = DetectLiveFaceAccurateRequest()
    request.Image = base64.b64encode(P1).decode()
    try:
        client.DetectLiveFaceAccurate(request)
    except TencentCloudSDKException as error:
        return {"AuthFailure.SecretIdNotFound": 401, "AuthFailure.SignatureFailure": 403}[
            error.code
        ]
    return 200


CALLS = [call_didit, call_deepvue, call_azure, call_compreface, call_facepp, call_baidu]


def call_sumsub(door, key):
    """Read an applicant that nobody has created: only its signature may be wrong."""
    answer = door.session.get(
        "https://api.sumsub.com/resources/applicants/-/byExternalUserId/nobody",
        auth=functools.partial(sumsub_auth, token="sbx:token-of-the-program", key=key),
    )
    return answer.status_code


def call_veriff(door, key):
    """Read a session that nobody has started: only its signature may be wrong."""
    session_id = veriff.UNKNOWN
    headers = {"X-AUTH-CLIENT": veriff.WEAK}
    headers["X-HMAC-SIGNATURE"] = veriff.sign(session_id.encode(), key)
    url = f"https://stationapi.veriff.com/v1/sessions/{session_id}/decision"
    status = door.session.get(url, headers=headers).status_code
    return 200 if status == 404 else status


def call_persona(door, key):
    """List the inquiries."""
    headers = {"Authorization": f"Bearer {key}"}
    address = "https://api.withpersona.com/api/v1/inquiries"
    return door.session.get(address, headers=headers).status_code


CALLS += [call_rekognition, call_tencent, call_sumsub, call_veriff, call_persona]
#: The keys of CompreFace are UUIDs.
KEY = "3f0c9a62-94f3-4c0f-9d55-0e3a3c1b7a11"


@pytest.mark.parametrize("call", CALLS)
def test_programs_own_key_is_accepted_only_with_any_key(call):
    with opened(any_key=True, **EVERY) as door:
        # The same text may be the key of several vendors.
        door.server.of("azure" if call is call_didit else "didit").control.add_key(key=KEY)
        assert call(door, KEY) == call(door, KEY) == 200
        assert door.said.empty()
    with opened(**EVERY) as door:
        assert call(door, KEY) in (400, 401, 403, 404)
        call(door, KEY)
        sentence = door.said.get(timeout=10)
        assert "--any-key" in sentence
        assert KEY not in sentence
        assert door.said.empty()


def test_option_for_a_key_is_named_to_vendors_without_client_ids():
    with opened(**EVERY) as door:
        call_didit(door, KEY)
        assert "--key" in door.said.get(timeout=10)
        call_facepp(door, KEY)
        assert "--key" not in door.said.get(timeout=10)


def test_session_started_with_the_programs_own_key_links_to_the_vendor():
    """A request that is signed again keeps its other headers, such as the host."""
    body = b'{"verification": {}}'
    with opened(any_key=True, **EVERY) as door:
        url = "https://stationapi.veriff.com/v1/sessions"
        link_hosts = []
        for client, key in ((API_KEY, veriff.SECRET), (veriff.WEAK, KEY)):
            headers = {"X-AUTH-CLIENT": client, "X-HMAC-SIGNATURE": veriff.sign(body, key)}
            answer = door.session.post(url, data=body, headers=headers).json()
            link_hosts.append(urlsplit(answer["verification"]["url"]).netloc)
    assert link_hosts == ["stationapi.veriff.com"] * 2


def test_programs_own_key_of_a_sandbox_opens_the_sandbox():
    with opened(any_key=True, **EVERY) as door:
        control = door.server.of("persona").control
        assert call_persona(door, "persona_sandbox_of-the-program") == 200
        assert call_persona(door, "persona_production_of-the-program") == 200
        *_, sandbox, live = control.keys()
    assert (sandbox.kind, live.kind) == ("sandbox", "live")


def test_revoked_key_stays_refused_and_an_accounts_key_stays_the_accounts():
    with opened(any_key=True) as door:
        assert call_didit(door, "my-key") == 200
        door.server.control.revoke_key("my-key")
        assert call_didit(door, "my-key") == 401
        account = door.server.new_account()
        assert call_didit(door, account.live_key) == 200
        assert len(account.control.charges()) == 1


@pytest.mark.parametrize(
    ("vendor", "client", "call"),
    [
        ("rekognition", "AKIAOFTHEPROGRAM0000", call_rekognition),
        ("tencent", "id-of-the-program", call_tencent),
        ("sumsub", "sbx:token-of-the-program", call_sumsub),
        ("veriff", veriff.WEAK, call_veriff),
    ],
)
def test_known_access_key_still_needs_its_secret(vendor, client, call):
    with opened(any_key=True, **EVERY) as door:
        control = door.server.of(vendor).control
        control.add_key(key="right-secret", client=client)
        assert call(door, "wrong-secret") in (400, 401, 403)
        assert call(door, "right-secret") == 200


def test_host_of_a_vendor_that_is_not_served_is_an_error():
    with pytest.raises(ValueError, match="compreface"):
        MockServer(hosts={"faces.corp.example": "compreface"})
