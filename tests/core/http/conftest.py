"""What the tests of the HTTP boundary share."""

import ssl

import attrs
import pytest
import trustme

import facematch_core as fm
from facematch_core.backend import Capabilities, LivenessCall
from facematch_core.errors import FaceMatchError
from facematch_core.http import FilePart, HttpBackend, HttpClient, HttpRequest, picture

#: What must never be seen: a key, and a picture that starts like one.
KEY = "sk-7Qm2XvT9pLw4ZrK8nBd3Ys6HcJ1f"
PICTURE = b"\xff\xd8\xff\xe0canary-of-a-picture-" + bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """No proxy and no certificates of whoever runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A busy machine must not make a connection look idle."""
    monkeypatch.setattr(fm.transport, "MAX_IDLE_S", 60.0)


@pytest.fixture
def key():
    """The key that requests carry."""
    return KEY


@pytest.fixture
def client():
    """A client with short patience."""
    opened = HttpClient(read_timeout_s=20.0, connect_timeout_s=20.0)
    yield opened
    opened.close()


@pytest.fixture
def request_to():
    """Makes a request with a key and a picture."""

    def make(url, size=1000, **more):
        data = (PICTURE * (size // len(PICTURE) + 1))[:size]
        part = FilePart(name="probe", filename="probe.jpg", content_type="image/jpeg", data=data)
        headers = {"X-Api-Key": fm.Secret(KEY)}
        return HttpRequest(url=url, headers=headers, files=[part], **more)

    return make


class Outcome:
    """What became of one call: a reply or an error, and how often `on_sent` was called."""

    def __init__(self):
        self.reply = None
        self.error = None
        self.sent = 0

    def on_sent(self):
        self.sent += 1


@pytest.fixture
def ask(client, request_to):
    """Sends one request and catches its error."""

    def send(url, *, by=client, size=1000, request=None, **more):
        outcome = Outcome()
        try:
            outcome.reply = by.send(
                request or request_to(url, size), backend="acme", on_sent=outcome.on_sent, **more
            )
        except FaceMatchError as error:
            outcome.error = error
        return outcome

    return send


@pytest.fixture(scope="session")
def authority():
    """A certificate authority of the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority):
    """TLS of a server named localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "vendor.example").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_bundle(authority, tmp_path_factory):
    """The file that makes a client trust it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@attrs.frozen(kw_only=True)
class AcmeBackend(HttpBackend):
    """A vendor of the tests: ``{"same": true}`` or ``{"live": true}``."""

    name = "acme"
    capabilities = Capabilities(
        operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
        retention=frozenset(fm.Retention),
        billed_operations=frozenset({fm.Operation.MATCH, fm.Operation.LIVENESS}),
    )
    api_key: fm.Secret
    base_url: str

    def build(self, call):
        parts = [picture("probe", call.probe)]
        if not isinstance(call, LivenessCall):
            parts.append(picture("reference", call.reference))
        return HttpRequest(
            url=f"{self.base_url}/compare",
            headers={"X-Api-Key": self.api_key},
            fields={"ref": call.caller_ref or ""},
            files=parts,
        )

    def parse(self, call, reply):
        body = reply.json()
        if isinstance(call, LivenessCall):
            live = {True: fm.LivenessDecision.LIVE, False: fm.LivenessDecision.NOT_LIVE}
            return fm.LivenessResult(
                decision=live[body["live"]], backend="acme", billing=fm.Billing(fm.Charged.YES)
            )
        same = {True: fm.Decision.MATCH, False: fm.Decision.NO_MATCH}
        return fm.MatchResult(
            decision=same[body["same"]], backend="acme", billing=fm.Billing(fm.Charged.YES)
        )


@pytest.fixture
def acme():
    """Opens the vendor of the tests at an address."""
    opened = []

    def open_at(url, cls=AcmeBackend, **settings):
        opened.append(cls(api_key=fm.Secret(KEY), base_url=url.rstrip("/"), **settings))
        return opened[-1]

    yield open_at
    for backend in opened:
        backend.close()
