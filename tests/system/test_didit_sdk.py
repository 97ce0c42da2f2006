"""The client `didit-sdk` of somebody else, which knows sessions and webhooks, against the mock."""

import json
import os
import textwrap

import pytest
from kit.cards import CARDS
from vendors.didit import post_match

from facematch_mock_server import MockServer, VirtualClock

SDK = "didit-sdk==0.4.0"
UNKNOWN = "00000000-0000-4000-8000-00000000abcd"

#: What each script begins with: a client by its own environment variables, and a place for results.
HEAD = """
import json, os, sys, time
import didit
from didit import Didit
seen = {}

def error_of(call):
    try:
        call()
    except didit.DiditError as error:
        return [type(error).__name__, getattr(error, "status_code", None), str(error)]
    return None
"""


@pytest.fixture(scope="session")
def sdk(lasting_environment):
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
    def run(script, *, key=mock.live_key, **more):
        environment = {**os.environ, "DIDIT_API_KEY": key, "DIDIT_BASE_URL": f"{mock.url}/v3"}
        environment |= {"MOCK_URL": mock.url, **more}
        code = HEAD + textwrap.dedent(script) + "\nprint(json.dumps(seen))\n"
        return json.loads(sdk.python(code, env=environment).splitlines()[-1])

    return run


def kept(mock, *, card="p1-again"):
    answer = post_match(mock.url, mock.live_key, CARDS[card], vendor_data="emp-0042")
    return answer.json()["request_id"]


def test_sessions_are_paged_read_and_updated_only_once(mock, tell):
    others = [kept(mock, card=card) for card in ("p2", "p1-again")]
    session = kept(mock)
    seen = tell(
        """
        with Didit() as client:
            session = os.environ["SESSION"]
            page = client.sessions.list(limit=2)
            seen["page"] = [page.count, [row.session_id for row in page.results]]
            everything = client.sessions.list().results
            declined = [row for row in everything if row.status == "Declined"]
            seen["declined"] = [row.session_id for row in declined]
            (compared,) = client.sessions.get_decision(declined[0].session_id).face_matches
            seen["score"] = compared.score
            answer = client.sessions.update_status(session, "Declined", comment="looked at")
            seen["answer"] = answer.session_id
            seen["now"] = client.sessions.get_decision(session).status.value
            seen["again"] = error_of(lambda: client.sessions.update_status(session, "Declined"))
        """,
        SESSION=session,
    )
    assert seen["page"] == [3, [session, others[1]]]
    assert seen["declined"] == [others[0]]
    sessions = {session.id: session for session in mock.control.sessions.all()}
    assert seen["score"] == sessions[others[0]].result["score"]
    assert (seen["answer"], seen["now"]) == (session, "Declined")
    assert seen["again"] is None
    (review,) = sessions[session].reviews
    assert (review.new_status, review.comment) == ("Declined", "looked at")


def test_rejections_raise_the_sdks_own_errors(mock, tell):
    session = kept(mock)
    seen = tell(
        """
        session, unknown = os.environ["SESSION"], os.environ["UNKNOWN"]
        with Didit() as client, Didit(api_key="wrong") as stranger:
            seen["list"] = error_of(stranger.sessions.list)
            seen["decision"] = error_of(lambda: stranger.sessions.get_decision(session))
            seen["unknown"] = error_of(lambda: client.sessions.get_decision(unknown))
            seen["by a stranger"] = error_of(lambda: stranger.sessions.get_decision(unknown))
        """,
        SESSION=session,
        UNKNOWN=UNKNOWN,
    )
    assert seen["list"][:2] == seen["decision"][:2] == ["DiditAuthenticationError", 401]
    assert seen["unknown"][:2] == seen["by a stranger"][:2] == ["DiditNotFoundError", 404]


def test_the_sdk_waits_for_retry_after_and_does_not_repeat_changes(mock, tell):
    """Its sleeping moves the clock of the mock and takes no time."""
    session = kept(mock)
    mock.control.set_limits({"get": 1, "write": 0})
    seen = tell(
        """
        import httpx
        slept = []

        def sleep(seconds):
            slept.append(seconds)
            url = os.environ["MOCK_URL"] + "/__mock__/clock/advance"
            httpx.post(url, json={"seconds": seconds}).raise_for_status()

        time.sleep = sleep
        with Didit(max_retries=2) as client, Didit(max_retries=0) as hasty:
            seen["counts"] = [client.sessions.list().count for _ in range(3)]
            seen["slept"] = list(slept)
            seen["hasty"] = error_of(hasty.sessions.list)
            session = os.environ["SESSION"]
            seen["update"] = error_of(lambda: client.sessions.update_status(session, "Declined"))
            seen["slept in all"] = len(slept)
        """,
        SESSION=session,
    )
    assert seen["counts"] == [1, 1, 1]
    assert seen["slept"] == [60, 60]
    assert seen["hasty"][:2] == seen["update"][:2] == ["DiditRateLimitError", 429]
    assert seen["slept in all"] == 2
    statuses = [entry.status for entry in mock.control.journal()]
    assert statuses == [200, 200, 429, 200, 429, 200, 429, 429]


def test_the_sdk_accepts_the_mocks_webhooks_and_rejects_changed_or_old_ones(mock, tell):
    session = kept(mock)
    seen = tell(
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
            seen["payload"] = [
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
            seen["accepted"] = [verify(body, one) for one in (headers, without_v2, without_raw)]
            seen["refused"] = [
                verify(body, simple),
                verify(changed, headers),
                verify(body, {**headers, "x-timestamp": "1"}),
                verify(body, headers, secret="another"),
            ]
            seen["error"] = error_of(lambda: client.parse_webhook(changed, headers))
        server.shutdown()
        server.server_close()
        """,
        SESSION=session,
        CONTROL=mock.control_url,
    )
    assert seen["payload"] == [session, "Declined", "status.updated", "emp-0042", "Approved"]
    assert seen["accepted"] == [True] * 3
    assert seen["refused"] == [False] * 4
    assert seen["error"][0] == "DiditSignatureError"
    (delivery,) = mock.control.webhooks.deliveries()
    assert delivery.state == "delivered"


def test_decision_without_the_switch_fails_and_the_mock_names_the_switch(tell):
    with MockServer(seed=9, clock=VirtualClock()) as plain:
        seen = tell(
            """
            client = Didit()
            workflow = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
            session = client.sessions.create(workflow_id=workflow, vendor_data="customer-17")
            try:
                client.sessions.get_decision(session.session_id)
            except Exception as error:
                seen["error"] = type(error).__name__
            """,
            DIDIT_BASE_URL=f"{plain.url}/v3",
        )
        entry = plain.control.journal()[-1]
    assert seen["error"] == "ValidationError"
    assert "empty_blocks=list" in entry.note
