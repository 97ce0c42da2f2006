"""A vendor of hosted sessions, over HTTP and without, and readings as a plug-in hands them over."""

import datetime as dt

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.backend import session_types as types
from facematch_core.base.deadline import RateWindow
from facematch_core.http import ApiKeyBackend, HttpRequest

MATCH, LIVENESS = fm.Operation.MATCH, fm.Operation.LIVENESS
START = dt.datetime(2026, 7, 2, 9, 15, tzinfo=dt.UTC)
SUBJECT, PURPOSE, ABOUT = "canary-subject-5b1e", "canary-purpose-90c2", "canary-about-77aa"
LINK = "https://go.acme.example/s/canary-link-3f51d9a7"
TOKEN = "canary-token-0c9e44b1f2"
ACCESS = types.SessionAccess(link=fm.Secret(LINK), token=fm.Secret(TOKEN))

CAN = types.SessionCapabilities(
    checks=frozenset({MATCH, LIVENESS}),
    compares_with=frozenset({fm.ComparedWith.GIVEN, fm.ComparedWith.DOCUMENT}),
    start_is_repeatable=True,
    stores=frozenset({types.VendorCopy.ID, types.VendorCopy.TERMS}),
    reads_document=True,
    link_hosts=frozenset({"go.acme.example"}),
    **dict.fromkeys(("can_delete", "gives_portrait", "takes_language", "takes_return_url"), True),
)


def session_record(backend, **changes):
    """Return a record of a session of both checks, planned for the vendor's own document."""
    facts = {"subject_ref": "customer-17", "purpose": "payout", "compared_with": "document"}
    facts |= {"expects": ("match", "liveness"), "planned_at": START}
    return fm.SessionRecord(**{"backend": backend, **facts, **changes})


def match(decision=fm.Decision.MATCH, score=90.0, *, kind=fm.MatchResult, portrait=None, **more):
    score = None if score is None else fm.Score(score, "acme")
    result = kind(decision=decision, score=score, backend="acme", **more)
    return types.SessionCheck(result=result, portrait=portrait)


def live(decision=fm.LivenessDecision.LIVE, score=90.0, **more):
    return match(decision, score, kind=fm.LivenessResult, **more)


def reading(record, **more):
    """What the vendor shows of the session of a record: both checks passed, unless said."""
    fields = {
        "session_id": record.session_id or "s-1",
        "state": fm.SessionState.DECIDED,
        "vendor_status": "Done",
        "checks": (match(), live()),
        "compared_with": record.compared_with or fm.ComparedWith.UNKNOWN,
        "record_id": record.id,
        "terms": record.terms,
    }
    return types.SessionReading(**{**fields, **more})


class Acme(Backend):
    """Answers with what `script` holds: fields of an answer, errors, functions of the request."""

    name = "acme"
    reports_sent = True
    session_capabilities = CAN
    return_hosts = ("shop.example",)
    environment = fm.Environment.PRODUCTION

    def __init__(self, *script, environment=fm.Environment.PRODUCTION, **can):
        self.script, self.requests, self.environment = list(script), [], environment
        self.session_capabilities = attrs.evolve(CAN, **can)

    def match(self, request):
        raise NotImplementedError

    def answer(self, request, usual):
        self.requests.append(request)
        step = self.script.pop(0) if self.script else {}
        if not isinstance(step, fm.RateLimited):
            request.on_sent()
        if isinstance(step, BaseException):
            raise step
        return step(request) if callable(step) else usual(**step)

    def start_session(self, request):
        usual = {"session_id": "s-1", "state": fm.SessionState.PENDING, "access": ACCESS}
        return self.answer(request, lambda **more: types.SessionReading(**{**usual, **more}))

    def read_session(self, request):
        return self.answer(request, lambda **more: reading(request.record, **more))

    def delete_session(self, request):
        done = types.DeletionState.DONE
        return self.answer(request, lambda **more: types.Deletion(**{"state": done, **more}))

    def receive_session(self, body, headers, now):
        if headers.get("signature") != "right":
            raise fm.WebhookRefused("The delivery is not signed.")
        ids = body.decode().split()
        return tuple(
            types.SessionHint(record_id=None, session_id=name, is_test=name == "test")
            for name in ids
        )


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
