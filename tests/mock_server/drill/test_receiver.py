"""What `facematch drill` tells of a receiver alone that verifies too little or too much."""

import hmac
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kit.commands import invoke_facematch
from kit.vendors import BUNDLED_VENDORS, NEEDED, WITH_WEBHOOKS

from facematch_core import WebhookRefused, open_sessions
from facematch_core.config.plugins import backend_class
from facematch_didit import verify_webhook

SECRET = "a-secret-of-the-shop-7d41c09b"
UNSIGNED, FOREIGN = "a webhook without a signature", "a webhook signed with another secret"
CHANGED, OLD = "a signed webhook that was changed", "a signed webhook that is too old"
RIGHT, AGAIN, SPACED = "passes", "webhooks come twice", "webhooks with unusual spaces in the JSON"
FORGED, GENUINE = (UNSIGNED, FOREIGN, CHANGED, OLD), (RIGHT, AGAIN, SPACED)


def verifies(body, headers, tolerance_s=300):
    try:
        verify_webhook(body, headers, SECRET, tolerance_s=tolerance_s)
    except WebhookRefused as error:
        return error.http_status
    return 200


def takes_unsigned(body, headers):
    return verifies(body, headers) if "X-Signature" in headers else 204


def takes_old(body, headers):
    return verifies(body, headers, tolerance_s=86_400)


def believes_the_header(body, headers):
    is_new = abs(time.time() - int(headers["X-Timestamp"])) <= 300
    return takes_old(body, headers) if is_new else 401


class Once:
    """Rejects an event that it has seen, although Didit repeats one that was not acknowledged."""

    def __init__(self):
        self.seen = set()

    def __call__(self, body, headers):
        status = verifies(body, headers)
        event_id = json.loads(body)["event_id"]
        if status != 200:
            return status
        if event_id in self.seen:
            return 409
        self.seen.add(event_id)
        return 200


@pytest.fixture
def receive():
    """Start a receiver that answers with the status that a function returns; return its URL."""
    servers = []

    def start(status_of):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status_of(body, dict(self.headers)))
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.005,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/hook"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    return str(file)


def drill(url, secret_file, vendor="didit", *words):
    sent = ("drill", "--vendor", vendor, "--webhook", url, "--secret-file", secret_file, *words)
    return invoke_facematch(*sent)


def named(answer, word):
    """Return the stories that the screen calls right or WRONG."""
    return set(re.findall(rf"^{word}  (.*?)(?:: [A-Z ,]+)?$", answer.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    ("status_of", "code", "wrong"),
    [
        (verifies, 0, set()),
        (takes_unsigned, 1, {UNSIGNED}),
        (takes_old, 1, {OLD}),
        (believes_the_header, 1, {OLD}),
        (Once(), 1, {AGAIN}),
        (lambda *_: 200, 1, set(FORGED)),
    ],
    ids=[
        *("verifies", "takes unsigned", "takes old", "believes the unsigned time"),
        *("rejects repeats", "takes all"),
    ],
)
def test_each_wrong_answer_of_a_receiver_is_named(receive, secret_file, status_of, code, wrong):
    answer = drill(receive(status_of), secret_file)
    assert answer.exit_code == code
    assert named(answer, "WRONG") == wrong
    assert named(answer, "right") == {*FORGED, *GENUINE} - wrong
    assert "(needs --begin and --state)" in answer.stdout
    assert SECRET not in answer.output


@pytest.fixture
def sessions(vendor):
    options = {**NEEDED[vendor], "webhook_secrets": SECRET, "compared_with": "document"}
    options["expects"] = ["match"]  # Stripe does not say that it checks liveness
    with open_sessions(vendor, **options) as sessions:
        yield sessions


@pytest.mark.parametrize("vendor", ["regula", "nobody"])
def test_vendor_without_sessions_is_refused_with_those_that_have_some(secret_file, vendor):
    answer = drill("http://127.0.0.1:9/webhook", secret_file, vendor)
    assert answer.exit_code == 2
    listed = answer.stderr.partition("must be one of ")[2].rstrip(".\n").split(", ")
    assert set(listed) == {
        name for name in BUNDLED_VENDORS if backend_class(name).session_capabilities
    }


@pytest.mark.parametrize("vendor", WITH_WEBHOOKS)
def test_right_receiver_passes_at_each_vendor(receive, secret_file, sessions, vendor, monkeypatch):
    # A company's proxy, which must not be asked for this machine.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    def takes_genuine(body, headers):
        try:
            sessions.receive(body, headers)
        except WebhookRefused as error:
            return error.http_status
        return 200

    answer = drill(receive(takes_genuine), secret_file, vendor)
    assert answer.exit_code == 0
    # Persona documents no greatest age; Onfido, Sumsub and Veriff sign no time.
    assert (OLD in named(answer, "right")) == (vendor in ("didit", "stripe"))


def write_as_go(document):
    """Return JSON as Go's `json.Marshal` writes a map."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


#: JSON writers that receivers use: Python's two, JavaScript's, PHP's and Go's.
WRITERS = {
    "json.dumps": json.dumps,
    "json.dumps, compact": lambda document: json.dumps(document, separators=(",", ":")),
    "JSON.stringify": lambda document: json.dumps(
        document, separators=(",", ":"), ensure_ascii=False
    ),
    "json_encode": lambda document: json.dumps(document, separators=(",", ":")).replace("/", "\\/"),
    "json.Marshal": write_as_go,
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "vendor",
    [
        vendor if vendor == "didit" else pytest.param(vendor, marks=pytest.mark.slow)
        for vendor in WITH_WEBHOOKS
    ],
)
def test_receiver_that_verifies_encoded_again_json_is_found(
    receive, secret_file, sessions, vendor, writer
):
    def takes_what_it_writes(body, headers):
        # Version 2 of Didit's signature covers re-encoded JSON.
        headers.pop("X-Signature-V2", None)
        try:
            sessions.receive(WRITERS[writer](json.loads(body)).encode(), headers)
        except WebhookRefused as error:
            return error.http_status
        return 200

    answer = drill(receive(takes_what_it_writes), secret_file, vendor)
    assert answer.exit_code == 1
    assert SPACED in named(answer, "WRONG")
    assert "verify the bytes received" in answer.stdout


def test_receiver_that_escapes_letters_for_the_second_signature_is_found(receive, secret_file):
    def takes_escaped(body, headers):
        message = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
        digest = hmac.digest(SECRET.encode(), message, "sha256").hex()
        return 200 if hmac.compare_digest(digest, headers.get("X-Signature-V2", "")) else 401

    assert drill(receive(takes_escaped), secret_file).exit_code == 3


def test_nothing_is_sent_to_another_machine_without_confirmation(secret_file):
    answer = drill("https://shop.example/hook", secret_file)
    assert answer.exit_code == 2
    assert "--deliver-to shop.example" in answer.output


@pytest.mark.parametrize("url", ["127.0.0.1:9911", "localhost:9911/hook", "http://[::1", "hook"])
def test_a_url_without_a_scheme_or_a_host_is_refused_with_what_it_must_begin_with(url, secret_file):
    answer = drill(url, secret_file)
    assert answer.exit_code == 2
    assert f"must begin with http:// or https://, not '{url}'" in answer.output


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9911/a hook",
        "http://127.0.0.1:0/hook",
        "http://127.0.0.1:99999/hook",
        "http://127.0.0.1/h\u00f6ok",
        "http://shop!.example/hook",
    ],
)
def test_a_url_that_cannot_be_requested_is_refused_with_what_to_write(url, secret_file):
    answer = drill(url, secret_file, "didit", "--deliver-to", "shop!.example")
    assert answer.exit_code == 2
    assert repr(url) in answer.output or "the host 'shop!.example'" in answer.output


def test_the_host_that_is_confirmed_may_be_written_as_in_the_url(secret_file):
    url = "http://Shop.invalid/hook"
    answer = drill(url, secret_file, "didit", "--deliver-to", "Shop.invalid")
    assert answer.exit_code == 3
    assert "took no webhook" in answer.stdout


def test_a_receiver_that_is_not_running_shows_nothing(secret_file):
    answer = drill("http://127.0.0.1:9/", secret_file)
    assert answer.exit_code == 3
    assert "took no webhook" in answer.stdout


def test_a_receiver_that_takes_nothing_shows_nothing(receive, secret_file):
    answer = drill(receive(lambda *_: 401), secret_file)
    assert answer.exit_code == 3
    assert "took no webhook" in answer.stdout
