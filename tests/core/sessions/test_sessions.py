"""What a caller of sessions gets, is refused, pays, and what others hear of it."""

import math
import pickle

import attrs
import pytest
from kit.fakes import picture
from kit.sessions import ABOUT, ACCESS, LIVENESS, MATCH, PURPOSE, SUBJECT, TOKEN, Acme, live, match

import facematch_core as fm
from facematch_core.backend import SessionCapabilities
from facematch_core.backend.session_types import DeletionState, SessionAccess, SessionRecord
from facematch_core.testing import ManualClock

MOCK = fm.Environment.MOCK
PRODUCTION = fm.Environment.PRODUCTION
SANDBOX = fm.Environment.SANDBOX
STATE = fm.SessionState
DOCUMENT_ALONE = frozenset({fm.ComparedWith.DOCUMENT})
BACK = "https://shop.example/back?order=7"


def opened(backend=None, **arguments):
    arguments = {"require_environment": PRODUCTION, "clock": ManualClock(), **arguments}
    said = {name: arguments.pop(name) for name in {"expects", "compared_with"} & arguments.keys()}
    relied_on = {"compared_with": "document", **said}
    return fm.Sessions(fm.FaceVerifier(backend or Acme(), **arguments), **relied_on)


def planned(sessions, **options):
    return sessions.plan(SUBJECT, **{"purpose": PURPOSE, "about": ABOUT, **options})


def started(sessions, **options):
    return sessions.start(planned(sessions), **options).record


def test_session_from_plan_to_verified_result():
    decided = {"checks": (match(), live(portrait=picture()))}
    backend = Acme({}, decided, decided)
    with opened(backend, compared_with="given") as sessions:
        record = SessionRecord.from_dict(planned(sessions).to_dict())
        assert not backend.requests
        session = sessions.start(record, reference=picture(), return_url=BACK, language="es")
        assert session.access == ACCESS
        request = backend.requests[0]
        assert (request.return_url, request.language) == (BACK, "es")
        assert request.reference.sent_digest == picture().sent_digest
        result = sessions.read(session.record, with_portrait=True)
        assert result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=60)
        assert (result.portrait, result.billing.charged) == (picture(), fm.Charged.NO)
        assert sessions.read(result.record).portrait is None
    assert session.billing.charged is fm.Charged.UNKNOWN


@pytest.mark.parametrize(
    ("can", "wish", "hint"),
    [
        ({"checks": frozenset({LIVENESS}), "compares_with": frozenset()}, {}, "liveness"),
        ({"compares_with": DOCUMENT_ALONE}, {"compared_with": "given"}, "document"),
        ({"scored": frozenset({MATCH})}, {"liveness_threshold": 70}, "liveness"),
        *(({}, {"expects": wish}, "expects") for wish in ([], "session", 7)),
        ({}, {"compared_with": "unknown"}, "compared_with"),
    ],
    ids=str,
)
def test_checks_the_vendor_cannot_report_are_refused_at_opening(can, wish, hint):
    with pytest.raises(fm.ConfigurationError, match=hint):
        opened(Acme(**can), **wish)


@pytest.mark.parametrize(
    ("scored", "held", "refused"),
    [
        (MATCH, "threshold", "liveness_threshold"),
        (LIVENESS, "liveness_threshold", "review_threshold"),
    ],
)
def test_threshold_for_a_check_without_a_score_is_refused(scored, held, refused):
    sessions = opened(Acme(scored=frozenset({scored})))
    with pytest.raises(fm.InvalidRequest, match="without a score"):
        planned(sessions, **{refused: 99})
    assert getattr(planned(sessions, **{held: 70}), held) == 70


def test_a_session_planned_at_one_workflow_is_not_started_at_another():
    class Workflow(Acme):
        workflow = "w-1"

        @property
        def session_facts(self):
            return {"workflow": self.workflow}

    backend = Workflow({"facts": {"workflow": "w-2"}}, {"facts": {"workflow": "w-1"}})
    sessions = opened(backend)
    record = planned(sessions)
    assert record.facts == {"workflow": "w-1"}
    with pytest.raises(fm.SessionMismatch) as caught:
        sessions.start(record)
    assert caught.value.billing.charged is fm.Charged.YES
    assert sessions.start(record).access
    backend.workflow = "w-2"
    with pytest.raises(fm.InvalidRequest, match="workflow"):
        sessions.start(record)
    assert len(backend.requests) == 2


@pytest.mark.parametrize("answer", [{"state": STATE.DECIDED}, {"session_id": ""}], ids=str)
def test_start_without_an_open_session_is_an_unexpected_response(answer):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        started(opened(Acme(answer)))
    assert caught.value.billing.charged is fm.Charged.YES


@pytest.mark.parametrize(
    "wish",
    [
        {"threshold": 0.9},
        {"liveness_threshold": float("nan")},
        {"threshold": 80, "review_threshold": 70},
        {"valid_for_s": 0},
        {"valid_for_s": math.inf},
        {"purpose": ""},
        {"about": 7},
    ],
    ids=str,
)
def test_invalid_plan_arguments_are_refused(wish):
    with pytest.raises(fm.InvalidRequest):
        planned(opened(), **wish)


def test_plan_the_vendor_cannot_fulfil_is_refused():
    alone = {"checks": frozenset({LIVENESS}), "compares_with": frozenset()}
    backend = Acme(needs_liveness_threshold=True, **alone)
    rekognition = opened(backend, expects=[LIVENESS])
    with pytest.raises(fm.InvalidRequest):
        planned(rekognition)
    assert planned(rekognition, liveness_threshold=90).liveness_threshold == 90


@pytest.mark.parametrize(
    ("declared", "possible", "required", "is_allowed"),
    [
        (PRODUCTION, {PRODUCTION}, PRODUCTION, True),
        (SANDBOX, {SANDBOX}, PRODUCTION, False),
        (None, {PRODUCTION}, PRODUCTION, True),
        (None, {SANDBOX, PRODUCTION}, PRODUCTION, True),
        (None, {SANDBOX}, PRODUCTION, False),
        (MOCK, {MOCK}, MOCK, True),
        # The vendor's own host, where real people's sessions would be.
        (MOCK, {PRODUCTION}, MOCK, False),
        (MOCK, {PRODUCTION}, None, False),
    ],
)
def test_plan_and_start_need_a_backend_with_sessions_of_the_required_environment(
    declared, possible, required, is_allowed
):
    place = {"session_environments": frozenset(possible)}
    backend = type("Placed", (Acme,), place)(environment=declared)
    sessions = opened(backend, require_environment=required)
    record = attrs.evolve(planned(opened()), environment=declared)
    for act in (lambda: planned(sessions), lambda: sessions.start(record)):
        if is_allowed:
            act()
        else:
            with pytest.raises(fm.EnvironmentMismatch) as caught:
                act()
            assert caught.value.billing.charged is fm.Charged.NO
    assert len(backend.requests) == is_allowed


@pytest.mark.parametrize(
    ("options", "error"),
    [
        *(({"return_url": url}, fm.InvalidRequest) for url in (
            "http://shop.example/back",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://shop.example\\@evil.example/",
            7,
        )),
        *(({"language": word}, fm.InvalidRequest) for word in ("es;q=1", "español", 7)),
        ({"reference": picture()}, fm.InvalidRequest),
        ({"reference": b"no picture"}, fm.InvalidRequest),
        ({"options": "level"}, fm.Unsupported),
        ({"deadline_s": 0}, fm.InvalidRequest),
    ],
    ids=str,
)  # fmt: skip
def test_invalid_start_arguments_are_refused_before_sending(options, error):
    backend = Acme()
    sessions = opened(backend)
    with pytest.raises(error):
        sessions.start(planned(sessions), **options)
    assert not backend.requests


def test_return_url_elsewhere_is_refused_with_the_setting_that_allows_it():
    sessions = opened()
    with pytest.raises(fm.InvalidRequest, match=r"open_sessions\(\.\.\., return_hosts="):
        sessions.start(planned(sessions), return_url="https://another.example/")


def test_return_url_may_be_on_localhost():
    sessions = opened()
    for url in ("http://127.0.0.1:8000/back", "http://localhost/back"):
        assert sessions.start(planned(sessions), return_url=url).access.link


def test_options_the_vendor_does_not_support_are_refused():
    backend = Acme(takes_return_url=False, takes_language=False, finds_by_record=False,
                   gives_portrait=False, can_delete=False)  # fmt: skip
    sessions = opened(backend)
    record = started(sessions)
    for what, refused in {
        "return_url": lambda: sessions.start(planned(sessions), return_url=BACK),
        "language": lambda: sessions.start(planned(sessions), language="es"),
        "with_portrait": lambda: sessions.read(record, with_portrait=True),
        "delete": lambda: sessions.delete(record),
    }.items():
        with pytest.raises(fm.Unsupported) as caught:
            refused()
        assert caught.value.what == what
    with pytest.raises(fm.InvalidRequest):
        sessions.read(planned(sessions))
    assert len(backend.requests) == 1


def test_record_of_another_backend_environment_or_profile_is_refused():
    sessions = opened()
    record = started(sessions)
    for foreign in (attrs.evolve(record, backend="other"), record.id, record.to_dict()):
        with pytest.raises(fm.InvalidRequest):
            sessions.read(foreign)
    with pytest.raises(fm.EnvironmentMismatch):
        sessions.read(attrs.evolve(record, environment=fm.Environment.MOCK))
    with pytest.raises(fm.InvalidRequest):
        sessions.start(record)
    named = fm.Sessions(sessions.verifier, profile="eu")
    assert planned(named).profile == "eu"
    with pytest.raises(fm.InvalidRequest):
        named.read(attrs.evolve(record, profile="us"))
    assert named.read(record).liveness.is_live


@pytest.mark.parametrize(
    "link",
    [
        "http://go.acme.example/s",
        "https://go.acme.example@evil.example",
        "https://xgo.acme.example/",
    ],
)
def test_link_to_a_foreign_host_is_rejected_and_the_start_is_charged(link):
    events = []
    budget = fm.Budget(1, name="starts")
    backend = Acme({"access": SessionAccess(link=fm.Secret(link))})
    sessions = opened(backend, on_event=events.append, policies=[budget])
    with pytest.raises(fm.UnexpectedResponse):
        started(sessions)
    assert [event.kind for event in events][-1] is fm.EventKind.CHARGED
    with pytest.raises(fm.BudgetExceeded):
        started(sessions)
    backend = Acme({"access": SessionAccess(link=fm.Secret("https://own.example/s"))})
    backend.handoff_hosts = ("own.example",)
    assert started(opened(backend)).session_id == "s-1"


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    ("error_class", "charged"),
    [
        (fm.OutcomeUnknown, fm.Charged.UNKNOWN),
        (fm.UnexpectedResponse, fm.Charged.YES),
    ],
    ids=["lost", "unreadable"],
)
def test_lost_start_is_not_retried_but_a_free_refusal_is(error_class, charged, repeatable):
    backend = Acme(error_class("Lost."), start_is_repeatable=repeatable)
    sessions = opened(backend, retry=fm.Retry())
    with pytest.raises(error_class) as caught:
        started(sessions)
    assert len(backend.requests) == 1
    assert "both" in caught.value.message
    assert "counted" in caught.value.message
    assert ("second session" in caught.value.message) is not repeatable
    assert caught.value.billing.charged is charged
    backend = Acme(fm.RateLimited("It was free."))
    assert started(opened(backend, retry=fm.Retry())).session_id
    assert len(backend.requests) == 2


def test_capability_that_a_plug_in_does_not_state_is_not_promised():
    """Else a start would be called repeatable that makes and charges a second session."""
    stated = SessionCapabilities(checks=frozenset({LIVENESS}))
    promises = [field.name for field in attrs.fields(SessionCapabilities) if field.type == "bool"]
    assert "start_is_repeatable" in promises
    assert [name for name in promises if getattr(stated, name)] == []


def test_repeated_start_keeps_the_first_started_at():
    sessions = opened()
    record = planned(sessions)
    record = attrs.evolve(record, started_at=record.planned_at)
    sessions.clock.advance(60)
    assert sessions.start(record).record.started_at == record.planned_at


def test_start_first_looks_up_an_existing_session():
    """Who has gone through a session whose start was lost is not sent into a second one."""
    still_open = {"state": STATE.PENDING, "checks": (), "access": ACCESS}
    backend = Acme(fm.SessionNotFound("none"), {}, still_open, {}, finds_by_record=True)
    sessions = opened(backend)
    record = planned(sessions)
    first, again, over = (sessions.start(record) for _ in range(3))
    assert first.billing.charged is fm.Charged.UNKNOWN
    for session, access in ((again, ACCESS), (over, None)):
        assert session.billing.charged is fm.Charged.NO
        assert session.record.session_id == "s-1"
        assert session.access == access
    kinds = [type(request).__name__ for request in backend.requests]
    assert kinds == ["ReadRequest", "StartRequest", "ReadRequest", "ReadRequest"]
    backend.script = [fm.VendorUnavailable("down")]
    with pytest.raises(fm.VendorUnavailable) as caught:
        sessions.start(planned(sessions))
    assert caught.value.billing.charged is fm.Charged.NO


def test_delete_returns_the_deletion_state():
    backend = Acme({}, {"state": DeletionState.REQUESTED, "face_kept": True})
    sessions = opened(backend)
    with pytest.raises(fm.InvalidRequest, match="no session_id"):
        sessions.delete(planned(sessions))
    deletion = sessions.delete(started(sessions))
    assert (deletion.state, deletion.face_kept) == (DeletionState.REQUESTED, True)
    forgetful = opened(Acme(can_delete=False, result_lasts_s=180.0))
    assert forgetful.delete(started(forgetful)).state is DeletionState.VANISHES
    elsewhere = opened(Acme({}, {"environment": fm.Environment.MOCK}))
    with pytest.raises(fm.EnvironmentMismatch):
        elsewhere.delete(started(elsewhere))


def test_start_in_the_wrong_environment_is_charged_and_raises_mismatch():
    events = []
    sessions = opened(Acme({"environment": fm.Environment.MOCK}), on_event=events.append)
    with pytest.raises(fm.EnvironmentMismatch, match="came from mock") as caught:
        started(sessions)
    assert caught.value.environment is fm.Environment.MOCK
    assert caught.value.billing.charged is fm.Charged.YES
    assert events[-1].kind is fm.EventKind.CHARGED


def test_receive_requires_a_signature_and_skips_test_webhooks():
    sessions = opened()
    signed = {"signature": "right"}
    assert [hint.session_id for hint in sessions.receive(b"s-1 test", signed)] == ["s-1"]
    assert len(sessions.receive(b"s-1 test", signed, tests=True)) == 2
    for body, headers in ((b"s-1", {}), (b"\xff", signed)):
        with pytest.raises(fm.WebhookRefused):
            sessions.receive(body, headers)
    with pytest.raises(fm.InvalidRequest):
        sessions.receive("s-1", signed)


@pytest.mark.parametrize(
    "headers",
    [
        {"Signature": "right"},
        {b"signature": b"right"},
        {"Signature": "right"}.items(),
        [("SIGNATURE", "right"), ("accept", "*/*")],
        iter([(b"signature", b"right")]),
    ],
    ids=["mapping", "bytes", "items", "pairs", "scope of ASGI"],
)
def test_receive_takes_headers_as_any_framework_has_them(headers):
    assert [hint.session_id for hint in opened().receive(b"s-1", headers)] == ["s-1"]


@pytest.mark.parametrize(
    "headers",
    [
        None,
        "signature: right",
        ["signature"],
        {"signature": ["right"]},
        {"HTTP_SIGNATURE": "right", "wsgi.version": (1, 0)},
    ],
)
def test_receive_tells_headers_of_another_type_from_a_forgery(headers):
    with pytest.raises(fm.InvalidRequest, match=r"request\.headers"):
        opened().receive(b"s-1", headers)


def test_a_repeated_signature_is_none():
    headers = [("signature", "right"), ("Signature", "guessed")]
    with pytest.raises(fm.WebhookRefused):
        opened().receive(b"s-1", headers)


def test_plug_in_bug_raises_a_documented_error_without_the_token():
    def broken(request):
        raise KeyError(TOKEN)

    backend = Acme({}, broken, lambda request: None, {"checks": (1,)})
    sessions = opened(backend)
    record = started(sessions)
    for error in (fm.BackendUnavailable, fm.BackendUnavailable, fm.UnexpectedResponse):
        with pytest.raises(error) as caught:
            sessions.read(record)
        assert TOKEN not in caught.value.message


def test_sessions_require_a_verifier_whose_backend_supports_sessions():
    without = Acme()
    without.session_capabilities = None
    with pytest.raises(fm.Unsupported):
        opened(without)
    sessions = opened()
    with pytest.raises(fm.ConfigurationError):
        fm.Sessions(fm.Failover({"a": sessions.verifier}))
    with pytest.raises(TypeError):
        pickle.dumps(sessions)
    sessions.close()
    with pytest.raises(fm.ConfigurationError):
        planned(sessions)


def test_read_of_another_workflow_raises_session_mismatch():
    first, other = ({"vendor": {"workflow": name}} for name in ("w-1", "w-2"))
    sessions = opened(Acme(first, first, other))
    record = started(sessions)
    assert sessions.read(record).liveness.is_live
    with pytest.raises(fm.SessionMismatch):
        sessions.read(record)


def test_missing_session_is_an_error_until_the_result_expires():
    clock = ManualClock()
    missing = fm.SessionNotFound("none", status_code=404)
    backend = Acme({}, missing, missing, missing, result_lasts_s=180.0)
    sessions = opened(backend, clock=clock)
    record = started(sessions)
    with pytest.raises(fm.SessionNotFound):
        sessions.read(record)
    clock.advance(181)
    assert sessions.read(record).state is STATE.GONE
    assert sessions.delete(record).state is DeletionState.NOT_THERE


def test_open_session_returns_the_link_again():
    still_open = {"state": STATE.PENDING, "checks": (), "access": ACCESS}
    evil = {**still_open, "access": SessionAccess(link=fm.Secret("https://evil.example/"))}
    backend = Acme({}, still_open, {}, evil)
    sessions = opened(backend)
    record = started(sessions)
    for access in (ACCESS, None):
        assert sessions.read(record, with_access=True).access == access
    with pytest.raises(fm.UnexpectedResponse):
        sessions.read(record, with_access=True)
    assert [request.with_access for request in backend.requests[1:]] == [True] * 3
