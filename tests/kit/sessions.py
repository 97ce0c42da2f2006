"""A vendor of hosted sessions, and readings as a plug-in hands them over."""

import datetime as dt

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.backend import session_types as types

MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
START = dt.datetime(2026, 7, 2, 9, 15, tzinfo=dt.UTC)
SUBJECT = "canary-subject-5b1e"
PURPOSE = "canary-purpose-90c2"
ABOUT = "canary-about-77aa"
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
        self.script = list(script)
        self.requests = []
        self.environment = environment
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
