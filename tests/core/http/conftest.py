import ssl
import time

import pytest
import requests
import trustme
from kit.acme import ACME_KEY, AcmeBackend
from kit.fakes import as_deadlines
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import facematch_core as fm
from facematch_core.base.deadline import SystemClock
from facematch_core.errors import FaceMatchError
from facematch_core.http import FilePart, HttpClient, HttpRequest, transport

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
    monkeypatch.setattr(transport, "KEEP_IDLE_S", 60.0)


@pytest.fixture
def open_client(at_end):
    """Opens a client that is closed in the end."""

    def opened(**settings):
        client = HttpClient(**{"read_timeout_s": 20.0, "connect_timeout_s": 20.0, **settings})
        at_end.callback(client.close)
        return client

    return opened


@pytest.fixture
def client(open_client):
    return open_client()


@pytest.fixture
def trusting(open_client, ca_bundle):
    """A client that trusts the authority of the tests."""
    return open_client(ca_bundle=ca_bundle)


@pytest.fixture
def request_to():
    """Makes a request with a key and a picture."""

    def make(url, size=1000, **options):
        data = (PICTURE * (size // len(PICTURE) + 1))[:size]
        part = FilePart(name="probe", filename="probe.jpg", content_type="image/jpeg", data=data)
        headers = {"X-Api-Key": fm.Secret(ACME_KEY)}
        return HttpRequest(url=url, headers=headers, files=[part], **options)

    return make


class SentRequest:
    """What became of one call: a reply or an error, and how often `on_sent` was called."""

    def __init__(self, at_first_byte):
        self.reply = None
        self.error = None
        self.sent = 0
        self.at_first_byte = at_first_byte

    def on_sent(self):
        self.sent += 1
        self.at_first_byte()

    def not_sent(self):
        """The error of a request of which no byte has left."""
        assert type(self.error) is fm.VendorUnavailable
        assert (self.error.billing.charged, self.sent) == (fm.Charged.NO, 0)
        return self.error

    def unknown(self, error_class=fm.OutcomeUnknown):
        """The error of a request that may have been executed."""
        assert type(self.error) is error_class
        assert (self.error.billing.charged, self.sent) == (fm.Charged.UNKNOWN, 1)
        assert not self.error.retryable
        return self.error


@pytest.fixture
def ask(client, request_to):
    """Sends one request and catches its error."""

    def send(
        url, *, http_client=client, size=1000, request=None, at_first_byte=lambda: None, **options
    ):
        outcome = SentRequest(at_first_byte)
        try:
            outcome.reply = http_client.send(
                request or request_to(url, size),
                backend="acme",
                on_sent=outcome.on_sent,
                **as_deadlines(options, http_client.clock),
            )
        except FaceMatchError as error:
            outcome.error = error
        return outcome

    return send


class LateClock(SystemClock):
    """Stands still until the first byte; then it jumps, and goes on like any clock."""

    passed = since = 0.0

    def monotonic(self):
        return self.passed + (time.monotonic() - self.since if self.since else 0.0)

    def first_byte(self, passed):
        self.passed = passed
        self.since = time.monotonic()


@pytest.fixture
def ask_late(ask, open_client):
    """Asks with a deadline of which so much is left at the first byte.

    What comes before that byte takes no time, however busy the machine is.
    """

    def send(url, *, ca_bundle=None, left_s=0.05, **options):
        clock = LateClock()
        http_client = open_client(clock=clock, ca_bundle=ca_bundle)
        late = {"deadline_s": 100.0, "at_first_byte": lambda: clock.first_byte(100.0 - left_s)}
        return ask(url, http_client=http_client, **late, **options)

    return send


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def server_context(authority):
    """TLS of a server named localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "vendor.example").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_bundle(authority, tmp_path_factory):
    """The file that makes a client trust the authority."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(params=["plain", "traced"])
def _tracing(request):
    """Once without, and once with OpenTelemetry's wrapper around `Session.send`."""
    if request.param == "plain":
        yield
        return
    instrumentor = RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=TracerProvider())
    assert hasattr(requests.Session.send, "__wrapped__")
    yield
    instrumentor.uninstrument()


@pytest.fixture
def acme(at_end):
    """Opens the vendor of the tests at an address."""

    def open_at(url, cls=AcmeBackend, **settings):
        opened = cls(base_url=url, **settings)
        at_end.callback(opened.close)
        return opened

    return open_at
