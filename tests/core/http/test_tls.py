"""TLS is verified, and a handshake is not the request."""

import ssl

import pytest
import trustme
from kit.fakes import picture
from kit.rawserver import RawServer, answer, close, hold, read, read_request, reset, send, start_tls

from facematch_core import OutcomeUnknown, VendorUnavailable
from facematch_core.backend import MatchCall
from facematch_core.errors import ConfigurationError, DeadlineExceeded
from facematch_core.http import HttpClient

OK = answer(200, b'{"ok": true}')


@pytest.fixture
def trusting(ca_bundle):
    """A client that trusts the authority of the tests."""
    opened = HttpClient(ca_bundle=ca_bundle, connect_timeout_s=20, read_timeout_s=20)
    yield opened
    opened.close()


def test_a_trusted_server_gets_the_request(ask, trusting, server_context):
    """Three calls over one TLS connection."""
    script = [read_request, send(OK)] * 3
    with RawServer(script, tls=server_context) as server:
        for _ in range(3):
            outcome = ask(server.url, by=trusting, deadline_s=30.0)
            assert (outcome.reply.json(), outcome.sent) == ({"ok": True}, 1)
        assert len(server.connections) == 1
        assert all(request.startswith(b"POST / ") for request in server.requests)


def test_an_untrusted_server_gets_nothing(ask, client, server_context):
    """An authority that nobody knows: no byte of the request has left."""
    with RawServer([hold], tls=server_context) as server:
        outcome = ask(server.url)
    assert type(outcome.error) is VendorUnavailable
    assert "certificate" in outcome.error.message
    assert (outcome.sent, server.received) == (0, b"")


def test_another_name_gets_nothing(ask, trusting, authority):
    """A certificate of the right authority for another host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with RawServer([hold], tls=context) as server:
        outcome = ask(server.url, by=trusting)
    assert type(outcome.error) is VendorUnavailable
    assert (outcome.sent, server.received) == (0, b"")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environment_names_the_authorities(
    ask, monkeypatch, ca_bundle, server_context, variable
):
    """As requests does."""
    monkeypatch.setenv(variable, str(ca_bundle))
    with RawServer([read_request, send(OK)], tls=server_context) as server:
        assert ask(server.url).reply.status == 200


def test_the_setting_counts_more_than_the_environment(
    ask, monkeypatch, trusting, server_context, tmp_path
):
    """`ca_bundle` is what the caller wrote; the environment may be anybody's."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with RawServer([read_request, send(OK)], tls=server_context) as server:
        assert ask(server.url, by=trusting).reply.status == 200


def test_a_bundle_that_does_not_exist(ask, monkeypatch, tmp_path):
    """A wrong path is said at once."""
    with pytest.raises(ConfigurationError, match="does not exist"):
        HttpClient(ca_bundle=tmp_path / "none.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert type(ask("https://localhost:1/").error) is ConfigurationError


def test_a_setting_of_a_backend_names_the_authorities(acme, ca_bundle, server_context, tmp_path):
    """Whatever client it makes; what cannot be used is refused when it is opened."""
    call = MatchCall(probe=picture(), reference=picture((1, 2, 3)))

    class OwnClient(type(acme("http://127.0.0.1:1"))):
        def make_client(self):
            return HttpClient(max_body_bytes=4096)

    same = [read_request, send(answer(200, b'{"same": true}', "Connection: close")), close]
    with RawServer([same, same, [hold]], tls=server_context) as server:
        assert acme(server.url, ca_bundle=str(ca_bundle)).match(call).is_match
        assert acme(server.url, cls=OwnClient, ca_bundle=ca_bundle).match(call).is_match
        with pytest.raises(VendorUnavailable):
            acme(server.url).match(call)
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for wrong in (tmp_path / "none.pem", empty):
        with pytest.raises(ConfigurationError):
            acme("https://localhost:1", ca_bundle=wrong)
    assert acme("https://localhost:1", ca_bundle=tmp_path).ca_bundle == tmp_path


@pytest.mark.parametrize("script", [[read(1), reset], [close], [send(b"HTTP/1.1 400 x\r\n\r\n")]])
def test_a_handshake_that_fails_sent_nothing(ask, trusting, script):
    """The server goes, or speaks plain HTTP."""
    with RawServer(script) as server:
        outcome = ask(f"https://localhost:{server.port}/", by=trusting)
    assert type(outcome.error) is VendorUnavailable
    assert outcome.sent == 0


@pytest.mark.parametrize(
    "script",
    [
        [read(10), reset],
        [read_request, reset],
        [read_request, close],
        [read_request, send(b"HTTP/1.1 200"), reset],
        [read_request, send(answer(200, b"{", length=9)), reset],
        [read_request, send(answer(200, b"{", length=9)), close],
    ],
)
def test_what_breaks_after_the_handshake_is_unknown(ask, trusting, server_context, script):
    """The same stages as without TLS."""
    with RawServer(script, tls=server_context) as server:
        outcome = ask(server.url, by=trusting, size=300_000)
    assert type(outcome.error) is OutcomeUnknown
    assert outcome.sent == 1


def test_the_deadline_holds_over_tls(ask, trusting, server_context):
    """An upload that nobody takes, and an answer that does not come."""
    for script in ([read_request, hold], [lambda c: c.stopping.wait()]):
        with RawServer(script, tls=server_context) as server:
            outcome = ask(server.url, by=trusting, size=20_000_000, deadline_s=1.0)
        assert type(outcome.error) is DeadlineExceeded


def test_bytes_that_tls_has_decrypted_are_no_answer_to_the_next_request(
    ask, trusting, server_context
):
    """A forged answer in the same TLS record as the first one."""
    forged = answer(200, b'{"ok": "forged"}' + b" " * 14_000)
    first = [read_request, send(OK + forged), read_request, send(OK)]
    with RawServer([first, [read_request, send(OK)]], tls=server_context) as server:
        assert ask(server.url, by=trusting).reply.json() == {"ok": True}
        assert ask(server.url, by=trusting).reply.json() == {"ok": True}
        assert len(server.connections) == 2


def test_a_handshake_that_was_not_made_sends_nothing(ask, trusting, monkeypatch):
    """Python hands out such a socket when the peer was gone at once; it would send in the clear."""

    def not_shaken(sock, **_):
        context = ssl.create_default_context()
        name = {"server_hostname": "localhost", "do_handshake_on_connect": False}
        return context.wrap_socket(sock, **name)

    monkeypatch.setattr("urllib3.connection.ssl_wrap_socket", not_shaken)
    with RawServer([hold]) as server:
        outcome = ask(f"https://localhost:{server.port}/", by=trusting)
    assert type(outcome.error) is VendorUnavailable
    assert (outcome.sent, server.received) == (0, b"")


def test_the_script_can_begin_tls_later(ask, trusting, server_context):
    """What the proxy tests rely on."""
    with RawServer([start_tls(server_context), read_request, send(OK)]) as server:
        assert ask(f"https://localhost:{server.port}/", by=trusting).reply.status == 200
