"""`facematch didit webhook verify`: a delivery in files."""

import datetime as dt
import hashlib
import hmac
import json
from pathlib import Path

import pytest

SECRET = "whsec-of-this-test"
SENT = 1783000006
AT = f"{dt.datetime.fromtimestamp(SENT + 2, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
BODY = json.dumps(
    {
        "event_id": "0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",
        "webhook_type": "status.updated",
        "session_id": "7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",
        "status": "Declined",
        "timestamp": SENT,
        "environment": "live",
        "decision": {"face_matches": [{"source_image": "https://media.example/face"}]},
    }
).encode()
SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


@pytest.fixture
def delivery():
    """The words that verify a delivery which was saved to files."""
    Path("body.json").write_bytes(BODY)
    Path("headers.txt").write_text(
        f"POST /hook HTTP/1.1\nHost: firm.io\nx-timestamp: {SENT}\nX-Signature: {SIGNATURE}\n\n"
    )
    Path("secret").write_text(f"{SECRET}\n")
    return ("webhook", "verify", "body.json", "--headers", "headers.txt", "--secret-file", "secret")


def test_a_genuine_one(run, delivery):
    """What it says, without its decision: that has addresses of pictures."""
    answer = run(*delivery, "--received-at", AT, here=False)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("GENUINE  status.updated, session 7f1d2c3b")
    assert "signature raw, secret number 1" in answer.stdout
    assert "media.example" not in answer.output
    assert SECRET not in answer.output


def test_json(run_json, run, delivery):
    """For programs."""
    answer = run(*delivery, "--received-at", AT, "--json", here=False)
    document = json.loads(answer.stdout)
    assert (answer.exit_code, document["genuine"]) == (0, True)
    assert (document["status"], document["vendor_status"]) == ("declined", "Declined")
    assert "media.example" not in answer.stdout
    answer = run(*delivery, "--json", here=False)
    document = json.loads(answer.stdout)
    assert (answer.exit_code, document["genuine"], document["reason"]) == (1, False, "stale")
    assert document["http_status"] == 401


def test_a_saved_one_is_old(run, delivery):
    """And who tries it is told the option for that."""
    answer = run(*delivery, here=False)
    assert answer.exit_code == 1
    assert answer.stdout.startswith("REFUSED  stale")
    assert "--received-at" in answer.stdout


def test_standard_input_and_single_headers(run, delivery, monkeypatch):
    """As a script has them; the secret from the environment."""
    monkeypatch.setenv("DIDIT_WEBHOOK_SECRET", SECRET)
    words = ("webhook", "verify", "-H", f"X-Timestamp: {SENT}", "-H", f"x-signature:{SIGNATURE}")
    answer = run(*words, "--received-at", AT, typed=BODY, here=False)
    assert answer.exit_code == 0, answer.output


def test_headers_as_json(run, delivery):
    """As frameworks log them."""
    Path("headers.txt").write_text(json.dumps({"X-Timestamp": str(SENT), "X-Signature": SIGNATURE}))
    assert run(*delivery, "--received-at", AT, here=False).exit_code == 0


def test_the_second_secret_fits(run, delivery):
    """While a secret is being changed there are two."""
    Path("new").write_text("another")
    words = (*delivery[:5], "--secret-file", "new", *delivery[5:], "--received-at", AT)
    answer = run(*words, here=False)
    assert answer.exit_code == 0, answer.output
    assert "secret number 2" in answer.stdout


@pytest.mark.parametrize("place", ["body.json", "secret"])
def test_whatever_is_changed(run, delivery, place):
    """One letter of the body or of the secret, and it is nobody's."""
    path = Path(place)
    path.write_bytes(path.read_bytes().replace(b"e", b"a", 1))
    answer = run(*delivery, "--received-at", AT, here=False)
    assert answer.exit_code == 1
    assert "REFUSED" in answer.stdout


def test_a_header_that_came_twice(run, delivery):
    """With two texts it is refused, wherever they stand."""
    answer = run(*delivery, "-H", "X-Timestamp: 1", "--received-at", AT, here=False)
    assert answer.exit_code == 1
    assert "came twice" in answer.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("body.json", "--secret-file", "secret"), "Name the headers"),
        (("nowhere", "-H", "a:b", "--secret-file", "secret"), "nowhere cannot be read"),
        (("body.json", "-H", "a:b", "--secret-file", "nowhere"), "nowhere cannot be read"),
        (
            ("body.json", "--headers", "nowhere", "--secret-file", "secret"),
            "nowhere cannot be read",
        ),
        (("body.json", "-H", "nothing", "--secret-file", "secret"), "NAME: VALUE"),
        (
            ("body.json", "--headers", "list.json", "--secret-file", "secret"),
            "JSON object of texts",
        ),
        (("body.json", "-H", "a:b"), "DIDIT_WEBHOOK_SECRET"),
    ],
)
def test_wrong_usage(run, delivery, words, says):
    """A file that is named and cannot be used has the code 2."""
    Path("list.json").write_text('{"a": 1}')
    answer = run("webhook", "verify", *words, here=False)
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert SECRET not in answer.output


def test_a_delivery_of_the_mock(run, run_json, mock, kept):
    """What the mock signs verifies with the secret that `destinations create` wrote."""
    words = ("destinations", "create", "https://hooks.firm.io/didit", "--secret-file", "hook")
    assert run(*words).exit_code == 0
    kept()
    (delivery,) = mock.control.webhooks.deliveries()
    Path("body").write_bytes(delivery.body)
    Path("headers").write_text(json.dumps(dict(delivery.headers)))
    at = f"{mock.control.now():%Y-%m-%dT%H:%M:%SZ}"
    words = ("webhook", "verify", "body", "--headers", "headers", "--secret-file", "hook")
    answer = run(*words, "--received-at", at, here=False)
    assert answer.exit_code == 0, answer.output
    assert "from a mock: not real" in answer.stdout
