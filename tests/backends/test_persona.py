"""Persona: what its backend sends, and how it reads inquiries, webhooks and refusals."""

import datetime as dt
import json

import attrs
import pytest
import requests
from kit.fakes import json_reply

import facematch_core as fm
from facematch_core.backend import DeleteRequest, DocumentHolder, ReadRequest, StartRequest
from facematch_mock_server import MockServer
from facematch_persona import PersonaBackend

SECRET = "wbhsec_dummy"
OLD_SECRET = "wbhsec_old"
TEMPLATE = "itmpl_p8ANAJy9iqadm2buF2xcVgqH"
ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
PAYOUT = {"purpose": "payout", "about": "payout 8841"}
BACK = "http://127.0.0.1/back"


def open_backend(**settings):
    usual = {"api_key": "persona_production_key", "template_id": TEMPLATE}
    return PersonaBackend(**{**usual, **settings})


@pytest.fixture
def mock():
    with MockServer(vendor="persona") as server:
        yield server


def open_at(mock, **more):
    usual = {"template_id": TEMPLATE, "webhook_secrets": SECRET, "environment": "mock"}
    return fm.open_sessions(
        "persona",
        api_key=mock.live_key,
        base_url=mock.url,
        compared_with="document",
        require_environment="mock",
        clock=mock.clock,
        **{**usual, **more},
    )


@pytest.fixture
def sessions(mock):
    with open_at(mock) as opened:
        yield opened


def start(sessions, **more):
    return sessions.start(sessions.plan("customer-17", **PAYOUT), **more).record


def finish(mock, record, card="p1-again", document="p1", name="Ada Lovelace"):
    """Let somebody show a face and a document of the card p1, with a name on it."""
    mock.control.sessions.document(
        record.session_id, full_name=name, date_of_birth=dt.date(1980, 1, 1)
    )
    mock.control.sessions.finish(record.session_id, card=card, document=document)


def is_verified(result):
    return result.is_verified_for("customer-17", max_age_s=3600, **PAYOUT)


def send(mock, method, path, **body):
    return requests.request(
        method,
        f"{mock.url}/api/v1/inquiries{path}",
        headers={"Authorization": f"Bearer {mock.live_key}"},
        timeout=10,
        **body,
    )


# What is sent


def sent_by(backend, request):
    """Return the requests of a call whose inquiry is new, or has just begun."""
    made = []

    def answer(http_request):
        made.append(http_request)
        inquiry = inquiry_of(request.record)
        meta = {
            "one-time-link": "https://withpersona.com/verify?code=us1-x",
            "session-token": "eyJ.token",
        }
        body = {"data": inquiry, "included": [], "meta": meta}
        if http_request.url.endswith("/inquiries") and http_request.method == "GET":
            body["data"] = [inquiry]
        return json_reply(body)

    steps = getattr(backend, request.handler.steps)(request)
    try:
        reply = None
        while True:
            reply = answer(steps.send(reply))
    except StopIteration as ended:
        return made, ended.value


def inquiry_of(record, status="created", **attributes):
    return {
        "type": "inquiry",
        "id": record.session_id or "inq_zEx4jL84ShbUyuwX6AzPSqt6",
        "attributes": {
            "status": status,
            "note": record.id,
            "tags": [record.terms],
            "created-at": record.planned_at.isoformat(),
            "expires-at": None,
            "redacted-at": None,
            **attributes,
        },
        "relationships": {
            "inquiry-template": {"data": {"type": "inquiry-template", "id": TEMPLATE}},
            "verifications": {"data": []},
        },
    }


@pytest.fixture
def record():
    return fm.SessionRecord(
        backend="persona",
        subject_ref="customer-17",
        purpose="payout",
        expects=("match", "liveness"),
        compared_with="document",
        planned_at=dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC),
        facts={"template_id": TEMPLATE},
        valid_for_s=1800.5,
    )


@pytest.fixture
def started(record):
    return attrs.evolve(record, session_id="inq_zEx4jL84ShbUyuwX6AzPSqt6")


def answer_of(inquiry, verifications):
    return json_reply({"data": inquiry, "included": list(verifications)})


def read(record, *verifications, status="approved", key="persona_production_key", **attributes):
    """Return the reading of the record's inquiry with these verifications."""
    inquiry = inquiry_of(record, status, **attributes)
    inquiry["relationships"]["verifications"]["data"] = [
        {"type": verification["type"], "id": verification["id"]} for verification in verifications
    ]
    backend = open_backend(api_key=key)
    return backend.read_reply(ReadRequest(record=record), answer_of(inquiry, verifications))


@pytest.mark.parametrize(
    ("template_id", "attribute"),
    [
        (TEMPLATE, "inquiry-template-id"),
        ("itmplv_iXhqfNWqwYLAWs9G8Fm8hPfo", "inquiry-template-version-id"),
        ("tmpl_Legacy", "template-id"),
    ],
)
def test_start_names_the_record_and_its_terms_and_no_person(record, template_id, attribute):
    backend = open_backend(template_id=template_id)
    (request,), _ = sent_by(backend, StartRequest(record=record, return_url=BACK))
    assert request.json == {
        "data": {
            "attributes": {
                attribute: template_id,
                "redirect-uri": BACK,
                "note": record.id,
                "tags": [record.terms],
            }
        },
        "meta": {
            "auto-create-account": False,
            "auto-create-inquiry-session": True,
            "auto-create-one-time-link": True,
            "expiration-after-create-interval-seconds": 1801,
        },
    }
    assert request.charges == 1
    assert request.headers["Idempotency-Key"] == record.id


def test_each_request_pins_the_version_and_the_casing(record, started):
    calls = [
        StartRequest(record=record),
        ReadRequest(record=started, with_access=True),
        DeleteRequest(record=started),
    ]
    requests_sent = []
    for call in calls:
        requests_of_call, _ = sent_by(open_backend(), call)
        requests_sent.extend(requests_of_call)
    methods = [request.method for request in requests_sent]
    assert methods == ["POST", "GET", "POST", "GET", "DELETE"]
    for request in requests_sent:
        assert request.headers["Persona-Version"] == "2025-12-08"
        assert request.headers["Key-Inflection"] == "kebab"
        assert request.headers["Authorization"].reveal() == "Bearer persona_production_key"
        assert "persona_production_key" not in repr(request)


@pytest.mark.parametrize("template_id", [None, "", "TEMPLATE", "itmpl_", "itmpl_a/b", "vtmpl_a"])
def test_start_without_a_template_is_refused_before_anything_is_sent(record, template_id):
    backend = open_backend(template_id=template_id)
    with pytest.raises(fm.ConfigurationError, match="PERSONA_TEMPLATE_ID"):
        next(backend.start_steps(StartRequest(record=record)))


# The environment is that of the key


@pytest.mark.parametrize(
    ("key", "environment"),
    [
        ("persona_production_1", fm.Environment.PRODUCTION),
        ("persona_sandbox_1", fm.Environment.SANDBOX),
        ("another-key", None),
    ],
)
def test_prefix_of_the_key_is_the_environment(started, key, environment):
    both = {fm.Environment.PRODUCTION, fm.Environment.SANDBOX}
    expected = both if environment is None else {environment}
    assert open_backend(api_key=key).session_environments == expected
    assert read(started, key=key).environment is environment


def test_key_that_names_no_environment_may_start_sessions_of_production():
    verifier = fm.FaceVerifier(
        open_backend(api_key="another-key"), require_environment="production"
    )
    with fm.Sessions(verifier, compared_with="document") as sessions:
        assert sessions.plan("customer-17", purpose="payout").backend == "persona"


def test_environment_that_contradicts_the_key_is_refused():
    with pytest.raises(fm.ConfigurationError, match="api_key says sandbox"):
        open_backend(api_key="persona_sandbox_1", environment="production")
    mock_backend = open_backend(api_key="persona_sandbox_1", environment="mock")
    assert mock_backend.environment is fm.Environment.MOCK


# The verdict


def check(name, status, reasons=()):
    return {
        "name": name,
        "status": status,
        "reasons": list(reasons),
        "requirement": "not_required",
    }


def selfie(status="passed", *, match="passed", live="passed", at="2026-11-28T12:01:00Z", **more):
    live_reasons = ["low_liveness_confidence"] if live == "failed" else []
    checks = [
        check("selfie_id_comparison", match),
        check("selfie_account_comparison", "not_applicable", ["no_account_selfie_present"]),
        check("selfie_liveness_detection", live, live_reasons),
    ]
    for name, word in more.items():
        checks.append(check(name, word))
    attributes = {"status": status, "created-at": at, "checks": checks}
    return {"type": "verification/selfie", "id": f"ver_{at[-6:-1]}", "attributes": attributes}


def document(status="passed", first="ADA", last="LOVELACE", birth_date="1980-01-01", key="a"):
    attributes = {
        "status": status,
        "birthdate": birth_date,
        "created-at": "2026-11-28T12:00:00Z",
        "name-first": first,
        "name-middle": None,
        "name-last": last,
    }
    return {"type": "verification/government-id", "id": f"ver_{key}", "attributes": attributes}


def decisions_of(reading):
    return [check.result.decision for check in reading.checks]


def test_failed_check_counts_although_the_selfie_and_the_inquiry_passed(started):
    reading = read(started, document(), selfie(live="failed"))
    assert reading.state is fm.SessionState.DECIDED
    assert reading.approved
    assert decisions_of(reading) == [fm.Decision.MATCH, fm.LivenessDecision.NOT_LIVE]
    match, liveness = reading.checks
    assert match.result.warnings == ()
    (warning,) = liveness.result.warnings
    assert warning.code is fm.WarningCode.LOW_LIVENESS
    assert warning.tag == "low_liveness_confidence"


def test_newest_selfie_decides_wherever_it_stands(started):
    first = selfie(match="failed", at="2026-11-28T12:01:00Z")
    last = selfie(at="2026-11-28T12:09:00Z")
    for reading in (read(started, first, last), read(started, last, first)):
        assert decisions_of(reading) == [fm.Decision.MATCH, fm.LivenessDecision.LIVE]


def test_answer_without_one_of_its_selfies_is_unreadable(started):
    inquiry = inquiry_of(started, "approved")
    inquiry["relationships"]["verifications"]["data"] = [
        {"type": "verification/selfie", "id": "ver_hidden"}
    ]
    reply = answer_of(inquiry, [])
    outcome = open_backend().read_reply(ReadRequest(record=started), reply)
    assert isinstance(outcome, fm.UnexpectedResponse)


def test_holders_are_those_of_documents_that_passed(started):
    failed = document("failed", "GRACE", "HOPPER", key="first")
    passed = document(key="second")
    without_date = document(birth_date="1980", key="third")
    first, second = read(started, failed, passed, without_date).document_holders
    assert first == DocumentHolder(name="ADA LOVELACE", date_of_birth=dt.date(1980, 1, 1))
    assert second == DocumentHolder(name="ADA LOVELACE")


def test_document_is_not_read_where_none_is_compared(started):
    record = attrs.evolve(started, expects=("liveness",), compared_with=None)
    reading = read(record, document())
    assert reading.checks == ()
    assert reading.document_holders == ()


def test_raw_has_no_url_and_no_value_of_the_person(started):
    made = selfie()
    made["attributes"]["center-photo-url"] = "https://files.withpersona.com/a?access_token=b"
    raw = read(started, document(), made, fields={"name-first": {"value": "Ada"}}).raw
    assert raw["status"] == "approved"
    first_check, *_ = raw["selfie"]["checks"]
    assert first_check["name"] == "selfie_id_comparison"
    text = json.dumps(raw)
    for hidden in ("http", "Ada", "ADA", started.id):
        assert hidden not in text


def test_tags_of_staff_stay_beside_the_terms(started):
    assert read(started, tags=["vip", started.terms]).terms == started.terms


def test_inquiry_without_terms_or_with_two_has_none(started):
    for other_tags in (["vip"], None, [started.terms, "a" * 64]):
        assert read(started, tags=other_tags).terms is None


# At the mock


def test_expired_inquiry_is_resumed_by_a_new_link(mock, sessions):
    record = start(sessions)
    mock.control.sessions.expire(record.session_id)
    assert sessions.read(record).state is fm.SessionState.EXPIRED
    assert sessions.read(record).access is None
    first = sessions.read(record, with_access=True)
    again = sessions.read(record, with_access=True)
    assert first.state is again.state is fm.SessionState.PENDING
    assert first.access.link != again.access.link
    assert requests.get(first.access.link.reveal(), timeout=10).status_code == 404
    assert requests.get(again.access.link.reveal(), timeout=10).status_code == 200
    finish(mock, record)
    assert is_verified(sessions.read(record, document=ADA))
    assert sessions.read(record, with_access=True).access is None


def test_inquiry_of_another_record_is_not_resumed(mock, sessions):
    record, other = start(sessions), start(sessions)
    mock.control.sessions.expire(record.session_id)
    swapped = attrs.evolve(other, session_id=record.session_id)
    with pytest.raises(fm.SessionMismatch):
        sessions.read(swapped, with_access=True)
    assert sessions.read(record).state is fm.SessionState.EXPIRED


def test_record_names_the_version_of_the_template(mock, sessions):
    record = sessions.start(sessions.plan("customer-17", purpose="payout")).record
    assert record.vendor["template_version"].startswith("itmplv_")


def test_same_start_again_is_the_same_inquiry(mock, sessions):
    planned = sessions.plan("customer-17", **PAYOUT)
    first = sessions.start(planned)
    assert sessions.start(planned).record.session_id == first.record.session_id
    # Persona pruned the key, and an older program did not look first.
    backend = sessions.verifier.backend
    mock.control.advance(90_000)
    another = backend.start_session(StartRequest(record=planned, clock=mock.clock)).session_id
    assert another != first.record.session_id
    assert sessions.read(planned).record.session_id == first.record.session_id
    mock.control.sessions.decide(another, "approved")
    assert sessions.read(planned).record.session_id == another


def test_deletion_redacts_the_inquiry_for_good(mock, sessions):
    record, other = start(sessions), start(sessions)
    finish(mock, record)
    swapped = attrs.evolve(other, session_id=record.session_id)
    with pytest.raises(fm.SessionMismatch):
        sessions.delete(swapped)
    assert sessions.delete(record).state == "requested"
    redacted = sessions.delete(record)
    # Whether all verifications are redacted by then is not shown.
    assert (redacted.state, redacted.face_is_gone) == ("done", None)
    assert sessions.read(record).state is fm.SessionState.GONE
    attributes = send(mock, "GET", f"/{record.session_id}").json()["data"]["attributes"]
    assert attributes["note"] is None
    without_id = attrs.evolve(other, session_id=None)
    assert sessions.delete(without_id).state == "requested"
    assert sessions.delete(without_id).state == "not_there"
    assert sessions.delete(attrs.evolve(record, session_id="inq_nobody")).state == "not_there"


# Webhooks


def letters_of(mock, record):
    webhooks = mock.control.webhooks
    webhooks.wait()
    sent = webhooks.deliveries(session_id=record.session_id)
    return {each.event: webhooks.delivery(each.id) for each in sent}


@pytest.mark.parametrize("inflection", ["kebab", "camel", "snake"])
def test_each_delivery_names_the_session_in_each_casing(inflection):
    with MockServer(vendor="persona", switches={"key_inflection": inflection}) as mock:
        mock.control.webhooks.add("http://127.0.0.1:9/hook", secret=SECRET)
        with open_at(mock, webhook_secrets=[SECRET, "wbhsec_another"]) as opened:
            record = start(opened)
            finish(mock, record)
            letters = letters_of(mock, record)
            hints = {name: opened.receive(one.body, one.headers) for name, one in letters.items()}
            again = {name: opened.receive(one.body, one.headers) for name, one in letters.items()}
    assert hints == again
    assert len(hints) == 5
    for name, (hint,) in hints.items():
        is_of_inquiry = name.startswith("inquiry.")
        assert hint.record_id == (record.id if is_of_inquiry else None)
        assert hint.session_id == record.session_id
        assert hint.event_id.startswith("evt_")


BODY = b'{"data":{"type":"event","id":"evt_1","attributes":{"name":"inquiry.approved"}}}'
AT = dt.datetime.fromtimestamp(1709686052, dt.UTC)
#: Computed with openssl for the secrets above, this body and this time.
V1 = "441cb8bc42df2afba3b93f330a8cdd63adc04186699317e0ce229e7061b6c043"
OLD_V1 = "bafecc408c28ab6992680412fdba568ea512bd453e9869c9d214c3bd90b45812"
SIGNED = f"t=1709686052,v1={V1}"
SIGNED_BY_OLD = f"t=1709686052,v1={OLD_V1}"


def is_accepted(header, *, secrets=SECRET, body=BODY, now=AT):
    """Return whether a delivery's signature and age are accepted. Its body names no inquiry."""
    backend = open_backend(webhook_secrets=secrets)
    try:
        backend.receive_session(body, {"Persona-Signature": header}, now)
    except fm.WebhookRefused:
        return False
    except KeyError:
        return True
    raise AssertionError


@pytest.mark.parametrize(
    ("header", "secrets"),
    [
        (SIGNED_BY_OLD, [SECRET, OLD_SECRET]),
        (f"{SIGNED} {SIGNED_BY_OLD}", SECRET),
        (f"{SIGNED_BY_OLD} {SIGNED}", SECRET),
        (f"t=1709686052,v1={OLD_V1},v1={V1}", SECRET),
    ],
)
def test_signature_of_a_known_secret_is_accepted(header, secrets):
    assert is_accepted(header, secrets=secrets)


@pytest.mark.parametrize(
    "header",
    [
        "t=1709686052",
        f"v1={V1}",
        f"t=1709686052,v1={V1[:-1]}",
        SIGNED.replace("2,", "3,"),
        SIGNED.replace("v1=", "v0="),
        SIGNED_BY_OLD,
        f"t=é,v1={V1}",
    ],
)
def test_other_signature_is_refused(header):
    assert not is_accepted(header)
    assert not is_accepted(SIGNED, body=BODY + b" ")


@pytest.mark.parametrize(("hours", "is_recent"), [(1.9, True), (-1.9, True), (2.1, False)])
def test_delivery_signed_long_ago_is_refused(hours, is_recent):
    now = AT + dt.timedelta(hours=hours)
    assert is_accepted(SIGNED, now=now) is is_recent
    # A forger cannot make it younger by a signature that nobody checks.
    assert is_accepted(f"t={int(now.timestamp())},v1={V1} {SIGNED}", now=now) is is_recent


# Refusals


@pytest.mark.parametrize(
    "said",
    [{"title": "Bad Request", "details": "It is so."}, {"title": "It is so.", "details": None}],
)
def test_refused_start_says_why(record, said):
    reply = json_reply({"errors": [said]}, 400, **{"Request-Id": "req_1"})
    error = open_backend().read_reply(StartRequest(record=record), reply)
    assert "It is so." in error.message
    assert error.ids.vendor == "req_1"
