"""Stripe's own clients `stripe` for Python and for Node, unmodified, against the mock."""

import json
import os
from urllib.parse import urlsplit

import pytest

from facematch_mock_server import MockServer

PYTHON_SDK = "stripe==16.1.0"
NODE_SDK = "stripe@23.1.0"
SECRET = "whsec_of-the-shop"
NOBODY = "http://127.0.0.1:9/hook"

#: Each begins with a client by the environment, and prints `seen` at its end.
PYTHON_HEAD = """
import json, os
import stripe
client = stripe.StripeClient(
    os.environ["KEY"], base_addresses={"api": os.environ["MOCK_URL"]}, max_network_retries=0
)
sessions = client.v1.identity.verification_sessions
reports = client.v1.identity.verification_reports
seen = {}
"""
NODE_HEAD = """
const { default: Stripe } = await import("stripe");
const { KEY, MOCK_HOST: host, MOCK_PORT: port, SESSION } = process.env;
const stripe = new Stripe(KEY, { host, port, protocol: "http", maxNetworkRetries: 0 });
const sessions = stripe.identity.verificationSessions;
const seen = {};
"""
PYTHON_START = """
params = {
    "type": "document",
    "options": {"document": {"require_matching_selfie": True, "allowed_types": ["passport"]}},
    "metadata": {"user": "17"},
    "return_url": "https://shop.example/back",
}
session = sessions.create(params, {"idempotency_key": "start-17"})
again = sessions.create(params, {"idempotency_key": "start-17"})
seen |= {"id": session.id, "status": session.status, "same": again.id == session.id}
seen["secret"] = session.client_secret.startswith(session.id)
seen["listed"] = [each.id for each in sessions.list({"limit": 1}).auto_paging_iter()]
"""
PYTHON_READ = """
session = sessions.retrieve(
    os.environ["SESSION"], {"expand": ["last_verification_report", "verified_outputs"]}
)
selfie = session.last_verification_report.selfie
seen |= {"status": session.status, "selfie": selfie.status, "livemode": session.livemode}
seen["error"] = session.last_error and session.last_error.code
seen["name"] = session.verified_outputs and session.verified_outputs.last_name
seen["report"] = reports.retrieve(session.last_verification_report.id).selfie.status
"""
PYTHON_REDACT = """
redacted = sessions.redact(os.environ["SESSION"])
seen |= {"status": redacted.status, "redaction": redacted.redaction.status}
try:
    sessions.cancel(os.environ["SESSION"])
except stripe.InvalidRequestError as error:
    seen["refused"] = error.http_status
"""
PYTHON_ERROR = """
try:
    sessions.retrieve("vs_nobody")
except stripe.StripeError as error:
    seen |= {"class": type(error).__name__, "status": error.http_status, "code": error.code}
    seen["hint"] = error.headers.get("X-Facematch-Hint") is not None
"""
PYTHON_OTHER_CALL = """
try:
    client.v1.payment_intents.list()
except stripe.InvalidRequestError as error:
    seen["hint"] = error.headers["X-Facematch-Hint"]
"""
PYTHON_EVENT = """
body, header = os.environ["BODY"], os.environ["HEADER"]
event = stripe.Webhook.construct_event(body, header, os.environ["SECRET"])
seen |= {"type": event.type, "id": event.data.object.id, "status": event.data.object.status}
forged = {"secret": (body, "whsec_other"), "body": (body + " ", os.environ["SECRET"])}
for name, (sent_body, secret) in forged.items():
    try:
        stripe.Webhook.construct_event(sent_body, header, secret)
    except stripe.SignatureVerificationError:
        seen[name] = "refused"
"""
NODE_START = """
const session = await sessions.create({
  type: "document",
  options: { document: { require_matching_selfie: true, allowed_types: ["passport"] } },
  metadata: { user: "17" },
}, { idempotencyKey: "start-17" });
Object.assign(seen, { id: session.id, status: session.status });
seen.secret = session.client_secret.startsWith(session.id);
seen.listed = [];
for await (const each of sessions.list({ limit: 1 })) seen.listed.push(each.id);
"""
NODE_READ = """
const session = await sessions.retrieve(SESSION,
  { expand: ["last_verification_report", "verified_outputs"] });
seen.status = session.status;
seen.selfie = session.last_verification_report.selfie.status;
seen.livemode = session.livemode;
seen.error = session.last_error && session.last_error.code;
seen.name = session.verified_outputs && session.verified_outputs.last_name;
const report = await stripe.identity.verificationReports.retrieve(
  session.last_verification_report.id);
seen.report = report.selfie.status;
"""
NODE_REDACT = """
const redacted = await sessions.redact(SESSION);
Object.assign(seen, { status: redacted.status, redaction: redacted.redaction.status });
await sessions.cancel(SESSION).catch((error) => { seen.refused = error.statusCode; });
"""
NODE_ERROR = """
await sessions.retrieve("vs_nobody").catch((error) => {
  Object.assign(seen, { class: error.type.replace("Stripe", ""), status: error.statusCode });
  seen.code = error.code ?? null;
  seen.hint = error.headers["x-facematch-hint"] !== undefined;
});
"""
NODE_EVENT = """
const { BODY, HEADER, SECRET } = process.env;
const event = stripe.webhooks.constructEvent(BODY, HEADER, SECRET);
Object.assign(seen, { type: event.type, id: event.data.object.id,
  status: event.data.object.status });
const forged = { secret: [BODY, "whsec_other"], body: [BODY + " ", SECRET] };
for (const [name, [body, secret]] of Object.entries(forged)) {
  try {
    stripe.webhooks.constructEvent(body, HEADER, secret);
  } catch (error) {
    seen[name] = "refused";
  }
}
"""
#: The programs of each language, by what they do.
PROGRAMS = {
    "python": {
        "start": PYTHON_START,
        "read": PYTHON_READ,
        "redact": PYTHON_REDACT,
        "error": PYTHON_ERROR,
        "event": PYTHON_EVENT,
    },
    "node": {
        "start": NODE_START,
        "read": NODE_READ,
        "redact": NODE_REDACT,
        "error": NODE_ERROR,
        "event": NODE_EVENT,
    },
}


@pytest.fixture(scope="session")
def python_sdk(lasting_environment):
    environment = lasting_environment("stripe-sdk")
    environment.install(PYTHON_SDK)
    return environment


@pytest.fixture(scope="module")
def node_folder(install_from_npm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npm")
    install_from_npm(folder, NODE_SDK)
    return folder


@pytest.fixture
def mock():
    with MockServer(vendor="stripe") as running:
        running.control.webhooks.add(NOBODY, secret=SECRET)
        yield running


@pytest.fixture
def run_program(mock, python_sdk, node_folder, find_program, run_command):
    """Run a program in a language; return what it has seen."""

    def run(language, text, **more):
        address = urlsplit(mock.url)
        variables = {
            **os.environ,
            "KEY": mock.live_key,
            "MOCK_URL": mock.url,
            "MOCK_HOST": address.hostname,
            "MOCK_PORT": str(address.port),
            "SECRET": SECRET,
            **more,
        }
        if language == "python":
            script = f"{PYTHON_HEAD}{text}\nprint(json.dumps(seen))"
            return json.loads(python_sdk.python(script, env=variables))
        file = node_folder / "program.mjs"
        file.write_text(f"{NODE_HEAD}{text}\nconsole.log(JSON.stringify(seen));")
        return json.loads(run_command(find_program("node"), file, cwd=node_folder, env=variables))

    return run


@pytest.fixture(params=PROGRAMS)
def tell(request, run_program):
    """Run the program of a language that does this; return what it has seen."""
    language = request.param
    return lambda action, **more: run_program(language, PROGRAMS[language][action], **more)


def finish(mock, session_id, card):
    people = mock.control.sessions
    people.document(session_id, full_name="Ada Lovelace")
    people.finish(session_id, card=card, document="p1")


def test_client_starts_and_lists_a_session(tell):
    seen = tell("start")
    assert (seen["status"], seen["secret"]) == ("requires_input", True)
    assert seen["listed"] == [seen["id"]]
    assert seen.get("same", True)


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("p1-again", None),
        ("p2", "selfie_face_mismatch"),
        ("spoof", "selfie_manipulated"),
    ],
)
def test_client_reads_a_try_and_the_one_after_it(tell, mock, card, code):
    session_id = tell("start")["id"]
    finish(mock, session_id, card)
    seen = tell("read", SESSION=session_id)
    assert seen == {
        "status": "verified" if code is None else "requires_input",
        "selfie": "verified" if code is None else "unverified",
        "livemode": True,
        "error": code,
        "name": "Lovelace" if code is None else None,
        "report": "verified" if code is None else "unverified",
    }
    if code is not None:
        finish(mock, session_id, "p1-again")
        seen = tell("read", SESSION=session_id)
        assert (seen["status"], seen["error"]) == ("verified", None)
    assert len(mock.control.charges()) == (1 if code is None else 2)


def test_client_redacts_a_session(tell, mock):
    session_id = tell("start")["id"]
    finish(mock, session_id, "p1-again")
    seen = tell("redact", SESSION=session_id)
    assert seen == {"status": "verified", "redaction": "processing", "refused": 400}


def test_session_of_test_mode_says_so_and_is_free(tell, mock):
    session_id = tell("start", KEY=mock.sandbox_key)["id"]
    finish(mock, session_id, "p1-again")
    seen = tell("read", SESSION=session_id, KEY=mock.sandbox_key)
    assert seen["livemode"] is False
    assert mock.control.charges() == ()


def test_client_has_its_own_error_for_an_unknown_session(tell):
    seen = tell("error")
    assert (seen["class"], seen["status"], seen["code"]) == (
        "InvalidRequestError",
        404,
        "resource_missing",
    )


def test_client_has_its_own_error_for_a_wrong_key(tell):
    seen = tell("error", KEY="sk_live_wrong")
    assert (seen["class"], seen["status"], seen["hint"]) == ("AuthenticationError", 401, True)


def test_client_has_its_own_error_for_the_limit(tell, mock):
    mock.control.set_limit("request", 0)
    seen = tell("error")
    assert (seen["class"], seen["status"]) == ("RateLimitError", 429)


def test_client_verifies_events(tell, mock):
    session_id = tell("start")["id"]
    finish(mock, session_id, "p1-again")
    delivery = mock.control.webhooks.deliveries()[-1]
    letter = mock.control.webhooks.delivery(delivery.id)
    header = letter.headers["Stripe-Signature"]
    seen = tell("event", BODY=letter.body.decode(), HEADER=header)
    assert seen == {
        "type": "identity.verification_session.verified",
        "id": session_id,
        "status": "verified",
        "secret": "refused",
        "body": "refused",
    }


def test_other_calls_of_stripe_say_that_they_are_not_imitated(run_program):
    seen = run_program("python", PYTHON_OTHER_CALL)
    assert "Stripe Identity has /v1/payment_intents; this mock does not imitate it" in seen["hint"]
