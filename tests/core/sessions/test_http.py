"""Sessions over HTTP: what is sent, what a lost or an odd answer is, and the portrait."""

import json
import logging

import attrs
import pytest
from kit.fakes import picture
from kit.rawserver import RawServer, http_reply, one_each, read_request, reset, send
from kit.sessions import CAN, LINK, live, match, reading

import facematch_core as fm
from facematch_core.backend import session_types as types
from facematch_core.base.deadline import RateWindow
from facematch_core.http import MOCK_HEADER, ApiKeyBackend, HttpRequest

KEY = "canary-key-8d0f7a21"
PATH = "/canary-face-31c7.jpg?X-Amz-Signature=c4a7d96b"
BODY = {"id": "s-1", "link": LINK}


def json_reply(status, body):
    return http_reply(status, json.dumps(body).encode(), "Content-Type: application/json")


CREATED = json_reply(201, BODY)
SHOWN = json_reply(200, BODY)
#: To the look before each start.
NONE = json_reply(404, {})


@attrs.define(kw_only=True, eq=False, slots=False)
class AcmeHttp(ApiKeyBackend):
    name = "acme"
    session_capabilities = attrs.evolve(
        CAN, finds_by_record=True, read_windows=(RateWindow(50, 1.0),)
    )
    media_hosts: tuple[str, ...] = ()

    def request(self, method, path, **more):
        headers = {"X-Key": self.api_key}
        return HttpRequest(method=method, url=f"{self.service_url}{path}", headers=headers, **more)

    def start_steps(self, request):
        record = request.record
        body = {"id": record.id, "terms": record.terms, "back": request.return_url}
        reply = yield self.request("POST", "/sessions", json=body, expects={201})
        body = reply.json()
        access = types.SessionAccess(link=fm.Secret(body["link"]))
        state = fm.SessionState.PENDING
        return types.SessionReading(session_id=body["id"], state=state, access=access)

    def read_steps(self, request):
        session_id = request.record.session_id
        if session_id is None:
            reply = yield self.request("GET", f"/sessions/of/{request.record.id}")
            session_id = reply.json()["id"]
        reply = yield self.request("GET", f"/sessions/{session_id}")
        body = reply.json()
        picture = body.get("picture") and fm.Secret(body["picture"])
        return reading(
            request.record,
            session_id=body["id"],
            checks=(match(), live(portrait=picture)),
            access=types.SessionAccess(link=fm.Secret(body["link"])),
            raw=body,
        )

    def delete_steps(self, request):
        yield self.request("DELETE", f"/sessions/{request.record.session_id}", expects={204})
        return types.Deletion(state=types.DeletionState.DONE)

    def error(self, reply, request):
        if reply.status == 404:
            return fm.SessionNotFound("acme has no such session.", status_code=404)
        return super().error(reply, request)


@pytest.fixture
def ask(at_end):
    """Opens the sessions of a vendor that gives these answers: with its server."""

    def opened(*answers, server=None, media_hosts=(), **arguments):
        # All on one connection.
        script = [step for reply in answers for step in (read_request, send(reply))]
        server = at_end.enter_context(server or RawServer([script]))
        backend = AcmeHttp(base_url=server.url, api_key=KEY, media_hosts=media_hosts)
        verifier = fm.FaceVerifier(backend, **arguments)
        sessions = at_end.enter_context(fm.Sessions(verifier, expects=["liveness"]))
        record = sessions.plan("c-1", purpose="payout")
        return sessions, record, server

    return opened


def test_a_session_is_started_read_found_and_deleted(ask):
    sessions, record, server = ask(NONE, CREATED, SHOWN, SHOWN, SHOWN, http_reply(204, b""))
    session = sessions.start(record)
    assert session.access.link.reveal() == LINK
    result = sessions.read(session.record)
    assert result.liveness.is_live
    assert result.raw == {"id": "s-1", "link": "***"}
    assert sessions.read(record).record.session_id == "s-1"
    assert sessions.delete(session.record).state is types.DeletionState.DONE
    lines = [request.split(b" HTTP")[0] for request in server.requests]
    assert lines[0] == lines[3] == b"GET /sessions/of/" + record.id.encode()
    assert lines[2:] == [
        b"GET /sessions/s-1",
        b"GET /sessions/of/" + record.id.encode(),
        *(b"GET /sessions/s-1", b"DELETE /sessions/s-1"),
    ]


def test_no_session_is_started_if_a_mock_answers_the_lookup(ask, monkeypatch):
    monkeypatch.setattr(AcmeHttp, "environment", fm.Environment.PRODUCTION)
    sessions, record, server = ask(http_reply(404, b"{}", f"{MOCK_HEADER}: 1"))
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        sessions.start(record)
    error = caught.value
    assert (error.environment, error.billing.charged) == (fm.Environment.MOCK, fm.Charged.NO)
    assert len(server.requests) == 1


def test_lost_start_has_an_unknown_charge_and_a_lost_read_is_free(ask):
    events = []
    server = RawServer([[read_request, send(NONE), read_request, reset], [read_request, reset]])
    sessions, record, _ = ask(server=server, on_event=events.append)
    with pytest.raises(fm.OutcomeUnknown) as caught:
        sessions.start(record)
    assert caught.value.billing.charged is fm.Charged.UNKNOWN
    assert caught.value.reconcilable is False
    for method in (sessions.read, sessions.delete):
        with pytest.raises(fm.VendorUnavailable) as caught:
            method(record)
        assert caught.value.billing.charged is fm.Charged.NO
    kinds = [event.kind.value for event in events]
    assert kinds == ["followed_up", "started", "sent", "unknown", "followed_up", "followed_up"]
    assert sessions.verifier.reconcile(events[3].call).outcome is fm.Reconciled.CANNOT_KNOW


def test_portrait_is_fetched_without_the_api_key_and_not_logged(ask, caplog):
    caplog.set_level(logging.DEBUG)
    with one_each(http_reply(200, picture().data)) as media:
        address = media.url.rstrip("/") + PATH
        shown = json_reply(200, {**BODY, "picture": address})
        sessions, record, _ = ask(shown, shown)
        result = sessions.read(record, with_portrait=True)
        assert result.portrait == picture()
        assert KEY.encode() not in media.requests[0]
    assert "canary-face" not in caplog.text
    assert "canary-face" not in repr(result)


@pytest.mark.parametrize(
    ("address", "media_hosts"),
    [
        ("https://media.example", ()),
        ("http://media.example", ("media.example",)),
        ("https://evil.media.example", ("media.example",)),
        # Of what is no address, an error of urllib3 would show all.
        ("https://[media.example", ("media.example",)),
    ],
)
def test_portrait_on_a_host_that_is_not_allowed_is_refused(ask, address, media_hosts):
    shown = json_reply(200, {**BODY, "picture": f"{address}{PATH}"})
    sessions, record, _ = ask(shown, shown, media_hosts=media_hosts)
    with pytest.raises(fm.ConfigurationError) as caught:
        sessions.read(record, with_portrait=True)
    assert "canary-face" not in caught.value.message


def test_remote_vendor_cannot_make_the_client_fetch_from_loopback():
    backend = AcmeHttp(base_url="https://api.acme.example", allow_base_url=True, api_key=KEY)
    for address in ("http://127.0.0.1:9", "https://localhost", "http://[::1]:9"):
        with pytest.raises(fm.ConfigurationError):
            backend.fetch_portrait(fm.Secret(address + PATH), None)


@pytest.mark.parametrize("reply", [http_reply(200, b"no picture"), http_reply(302, b""), b""])
def test_missing_portrait_does_not_prevent_reading_the_result(ask, reply):
    with one_each(reply) as media:
        shown = json_reply(200, {**BODY, "picture": media.url.rstrip("/") + PATH})
        sessions, record, _ = ask(*[shown] * 4)
        with pytest.raises(fm.VendorUnavailable) as caught:
            sessions.read(record, with_portrait=True)
        assert "canary-face" not in str(caught.value)
        assert sessions.read(record).liveness.is_live
