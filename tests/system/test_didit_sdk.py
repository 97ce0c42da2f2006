"""A client that somebody else wrote, from PyPI, in its own environment, against the mock server.

It knows sessions and webhooks, not the calls that compare pictures: those are made here.
"""

import json
import os
import textwrap

import pytest
import requests

from facematch_mock_server import MockServer, VirtualClock, card_sheet

SDK = "didit-sdk==0.4.0"
MATCH = "/v3/face-match/"
UNKNOWN = "00000000-0000-4000-8000-00000000abcd"
SHEET = card_sheet()

#: What each script begins with: a client by its own environment variables, and a place for results.
HEAD = """
import json, os, sys, time
import didit
from didit import Didit
told = {}

def error_of(call):
    try:
        call()
    except didit.DiditError as error:
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return None
"""


@pytest.fixture(scope="session")
def sdk(lasting_environment):
    """The environment with the client."""
    environment = lasting_environment("didit-sdk")
    environment.install(SDK)
    return environment


@pytest.fixture
def mock():
    """A running server that gives lists where Didit gives null: this client refuses null."""
    with MockServer(seed=9, switches={"empty_blocks": "list"}, clock=VirtualClock()) as running:
        yield running


@pytest.fixture
def tell(sdk, mock):
    """Runs a script with the client; what it put into ``told``."""

    def run(script, *, key=mock.live_key, **more):
        environment = {
            **os.environ,
            "DIDIT_API_KEY": key,
            "DIDIT_BASE_URL": f"{mock.url}/v3",
            "MOCK_URL": mock.url,
            **more,
        }
        code = HEAD + textwrap.dedent(script) + "\nprint(json.dumps(told))\n"
        return json.loads(sdk.python(code, env=environment).splitlines()[-1])

    return run


def kept(mock, *, card="p1-again", vendor_data="emp-0042"):
    """A comparison that is kept; the id of its session."""
    pictures = (("user_image", card), ("ref_image", "p1"))
    answer = requests.post(
        mock.url + MATCH,
        headers={"x-api-key": mock.live_key},
        files={field: (f"{name}.png", SHEET[name].data) for field, name in pictures},
        data={"vendor_data": vendor_data},
        timeout=30,
    )
    assert answer.status_code == 200
    return answer.json()["request_id"]


def test_the_list(mock, tell):
    """Pages, a status and a vendor_data as filters, a last page without a next one."""
    ids = [kept(mock, vendor_data=f"emp-{number}") for number in range(3)]
    ids.append(kept(mock, card="p2", vendor_data="emp-0"))
    told = tell("""
        with Didit() as client:
            first = client.sessions.list(limit=3)
            second = client.sessions.list(limit=3, offset=3)
            told["pages"] = [
                [page.count, [row.session_id for row in page.results], page.next is None]
                for page in (first, second)
            ]
            told["declined"] = [
                [row.session_id, row.status.value]
                for row in client.sessions.list(status="Declined").results
            ]
            told["of one"] = client.sessions.list(vendor_data="emp-0").count
    """)
    newest_first = ids[::-1]
    assert told["pages"] == [[4, newest_first[:3], False], [4, newest_first[3:], True]]
    assert told["declined"] == [[ids[-1], "Declined"]]
    assert told["of one"] == 2


def test_a_decision(mock, tell):
    """With its score, and its warnings by their risk."""
    declined = kept(mock, card="p2")
    told = tell(
        """
        with Didit() as client:
            decision = client.sessions.get_decision(os.environ["SESSION"])
            (match,) = decision.face_matches
            told["status"] = [decision.status.value, match.status, match.score]
            told["warnings"] = [one.model_dump()["risk"] for one in match.warnings]
            told["others"] = [decision.liveness_checks, decision.id_verifications]
        """,
        SESSION=declined,
    )
    (session,) = mock.control.sessions.all()
    assert told["status"] == ["Declined", "Declined", session.result["score"]]
    assert told["warnings"] == ["LOW_FACE_MATCH_SIMILARITY"]
    assert told["others"] == [[], []]


def test_an_updated_status(mock, tell):
    """It is there, with its comment; a repeat is an error of this client's own."""
    session = kept(mock)
    told = tell(
        """
        with Didit() as client:
            session = os.environ["SESSION"]
            answer = client.sessions.update_status(session, "Declined", comment="looked at")
            told["answer"] = answer.session_id
            told["now"] = client.sessions.get_decision(session).status.value
            told["again"] = error_of(lambda: client.sessions.update_status(session, "Declined"))
        """,
        SESSION=session,
    )
    assert (told["answer"], told["now"]) == (session, "Declined")
    assert told["again"][1] == 400
    (review,) = mock.control.sessions.all()[0].reviews
    assert (review.new_status, review.comment) == ("Declined", "looked at")


def test_what_is_refused(mock, tell):
    """A wrong key is its permission error, an unknown session is not found."""
    session = kept(mock)
    told = tell(
        """
        session, unknown = os.environ["SESSION"], os.environ["UNKNOWN"]
        with Didit() as client, Didit(api_key="wrong") as stranger:
            told["list"] = error_of(stranger.sessions.list)
            told["decision"] = error_of(lambda: stranger.sessions.get_decision(session))
            told["unknown"] = error_of(lambda: client.sessions.get_decision(unknown))
            told["by a stranger"] = error_of(lambda: stranger.sessions.get_decision(unknown))
        """,
        SESSION=session,
        UNKNOWN=UNKNOWN,
    )
    assert told["list"][:2] == told["decision"][:2] == ["DiditPermissionError", 403]
    assert told["unknown"][:2] == told["by a stranger"][:2] == ["DiditNotFoundError", 404]


def test_the_other_edition_of_refusals(mock, tell):
    """Where a wrong key is 401, it is this client's authentication error."""
    mock.control.reset(edition="2026-11")
    told = tell("""
        with Didit(api_key="wrong") as stranger:
            told["list"] = error_of(stranger.sessions.list)
    """)
    assert told["list"][:2] == ["DiditAuthenticationError", 401]


def test_throttled(mock, tell):
    """It waits as long as Retry-After says and asks again; a change it asks once.

    Its sleeping moves the clock of the mock and takes no time.
    """
    session = kept(mock)
    mock.control.set_limits({"get": 1, "write": 0})
    told = tell(
        """
        import httpx
        slept = []

        def sleep(seconds):
            slept.append(seconds)
            url = os.environ["MOCK_URL"] + "/__mock__/clock/advance"
            httpx.post(url, json={"seconds": seconds}).raise_for_status()

        time.sleep = sleep
        with Didit(max_retries=2) as client, Didit(max_retries=0) as hasty:
            told["counts"] = [client.sessions.list().count for _ in range(3)]
            told["slept"] = list(slept)
            told["hasty"] = error_of(hasty.sessions.list)
            session = os.environ["SESSION"]
            told["update"] = error_of(lambda: client.sessions.update_status(session, "Declined"))
            told["slept in all"] = len(slept)
        """,
        SESSION=session,
    )
    assert told["counts"] == [1, 1, 1]
    assert told["slept"] == [60, 60]
    assert told["hasty"][:2] == told["update"][:2] == ["DiditRateLimitError", 429]
    assert told["slept in all"] == 2
    statuses = [entry.status for entry in mock.control.journal()]
    assert statuses == [200, 200, 429, 200, 429, 200, 429, 429]


def test_the_health_check(mock, tell):
    """At the origin, beside the API."""
    told = tell("""
        with Didit() as client:
            told["healthy"] = client.healthcheck().is_healthy
    """)
    assert told["healthy"]
    assert mock.control.journal()[-1].path == "/system/healthcheck"


def test_webhooks(mock, tell):
    """What the mock delivers is what this client takes; changed or old it takes nothing."""
    session = kept(mock)
    told = tell(
        """
        import http.server, threading, httpx
        got, arrived = [], threading.Event()

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append((body, dict(self.headers)))
                self.send_response(204)
                self.end_headers()
                arrived.set()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = httpx.post(
            os.environ["CONTROL"] + "webhooks/destinations",
            json={"url": f"http://127.0.0.1:{server.server_port}/hook"},
        ).raise_for_status().json()
        with Didit(webhook_secret=made["secret"]) as client:
            session = os.environ["SESSION"]
            client.sessions.update_status(session, "Declined", comment="déjà vu")
            assert arrived.wait(20)
            body, headers = got[0]
            payload = client.parse_webhook(body, headers)
            told["payload"] = [
                payload.session_id, payload.status.value, payload.webhook_type,
                payload.vendor_data, payload.decision.face_matches[0].status,
            ]
            headers = {name.lower(): value for name, value in headers.items()}
            without_v2 = {n: v for n, v in headers.items() if n != "x-signature-v2"}
            without_raw = {n: v for n, v in headers.items() if n != "x-signature"}
            simple = {n: v for n, v in without_v2.items() if n != "x-signature"}
            changed = body.replace(b"Declined", b"Approved", 1)
            assert changed != body
            verify = client.verify_webhook
            told["accepted"] = [verify(body, one) for one in (headers, without_v2, without_raw)]
            told["refused"] = [
                verify(body, simple),
                verify(changed, headers),
                verify(body, {**headers, "x-timestamp": "1"}),
                verify(body, headers, secret="another"),
            ]
            told["error"] = error_of(lambda: client.parse_webhook(changed, headers))
        server.shutdown()
        server.server_close()
        """,
        SESSION=session,
        CONTROL=mock.control_url,
    )
    assert told["payload"] == [session, "Declined", "status.updated", "emp-0042", "Approved"]
    assert told["accepted"] == [True] * 3
    assert told["refused"] == [False] * 4
    assert told["error"][0] == "DiditSignatureError"
    (delivery,) = mock.control.webhooks.deliveries()
    assert delivery.state == "delivered"
