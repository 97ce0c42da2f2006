"""Stripe Identity as its documents and clients describe it, asked with hand-made requests."""

import datetime as dt
import json

import pytest
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import ask, new_engine
from vendors import stripe
from vendors.stripe import (
    EVENTS,
    REPORTS,
    RESTRICTED,
    SELFIE,
    SESSIONS,
    TEST,
)

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server import Fault
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.stripe.access import NEWEST_VERSION
from facematch_mock_server.world.identities import make_identity


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="stripe")


def start(engine, form=None, **headers):
    """Start a session; return it."""
    answer = engine.handle(stripe.starting(form, **headers))
    assert answer.status == 200, answer.body
    return answer.json()


def send(engine, path, form=None, **more):
    return engine.handle(stripe.stripe_request(path, form, **more))


def read(engine, session, *fields, key=stripe.LIVE):
    query = [(f"expand[{number}]", field) for number, field in enumerate(fields)]
    answer = send(engine, f"{SESSIONS}/{session['id']}", query=query, key=key)
    assert answer.status == 200, answer.body
    return answer.json()


def test_account_that_is_not_set_up_is_refused_a_start_alone():
    engine = new_engine(Recognizer(), vendor="stripe", switches={"access": "unapproved"})
    for key in (stripe.LIVE, TEST):
        answer = engine.handle(stripe.starting(key=key))
        assert answer.status == 400
        assert answer.json()["error"]["code"] == "identity_api_invalid_application"
        assert send(engine, SESSIONS, key=key).status == 200
    assert engine.world.ledger.charges.all() == ()


@pytest.fixture
def session(engine):
    """A new session that requires a selfie."""
    return start(engine)


def error_of(answer):
    error = answer.json()["error"]
    return answer.status, error["type"], error.get("code"), error.get("param")


# Sessions and tries


@pytest.mark.parametrize(
    ("card", "document", "code"),
    [
        ("p1-again", "p1", None),
        ("p2", "p1", "selfie_face_mismatch"),
        ("spoof", "p1", "selfie_manipulated"),
        ("no-face", "p1", "selfie_unverified_other"),
        ("p1", "no-face", "selfie_document_missing_photo"),
    ],
)
def test_try_ends_with_a_report_and_its_code_in_both_places(
    engine, people, session, *, card, document, code
):
    people.finish(session["id"], card, document)
    shown = read(engine, session, "last_verification_report")
    report = shown["last_verification_report"]
    assert shown["status"] == ("verified" if code is None else "requires_input")
    assert (shown["last_error"] or {}).get("code") == code
    assert (report["selfie"]["error"] or {}).get("code") == code
    assert report["selfie"]["status"] == ("verified" if code is None else "unverified")
    assert report["document"]["status"] == "verified"
    assert "score" not in json.dumps(shown)


def test_each_try_is_charged_and_a_failed_one_may_be_repeated(engine, control, people, session):
    people.finish(session["id"], "p2", "p1")
    people.fail_attempt(session["id"])
    assert people.finish(session["id"], "p1-again", "p1").status == "verified"
    assert [charge.request_id for charge in control.charges()] == [session["id"]] * 3
    with pytest.raises(ValueError, match="verified: a person can no longer act"):
        people.finish(session["id"])


def test_session_that_requires_no_selfie_has_none_in_its_report(engine, people):
    session = start(engine, {"type": "document"})
    people.finish(session["id"], "p2", "p1")
    shown = read(engine, session, "last_verification_report")
    assert shown["status"] == "verified"
    assert "selfie" not in shown["last_verification_report"]


@pytest.mark.parametrize(
    ("status", "code", "charges"),
    [
        ("requires_input document_expired", "document_expired", 1),
        ("requires_input id_number_mismatch", "id_number_mismatch", 1),
        ("requires_input abandoned", "abandoned", 0),
        ("requires_input consent_declined", "consent_declined", 0),
    ],
)
def test_a_test_can_decide_for_any_error(
    engine, control, people, session, *, status, code, charges
):
    people.decide(session["id"], status)
    shown = read(engine, session)
    assert (shown["status"], shown["last_error"]["code"]) == ("requires_input", code)
    assert len(control.charges()) == charges
    assert (shown["last_verification_report"] is None) is (charges == 0)


def test_session_that_its_person_left_says_so_without_a_webhook_and_goes_on(
    engine, control, people, session
):
    before = len(control.webhooks.deliveries())
    people.abandon(session["id"])
    shown = read(engine, session)
    assert (shown["status"], shown["last_error"]["code"]) == ("requires_input", "abandoned")
    assert (len(control.webhooks.deliveries()), control.charges()) == (before, ())
    people.finish(session["id"])
    shown = read(engine, session)
    assert (shown["status"], shown["last_error"]) == ("verified", None)


def test_try_with_the_outcome_review_is_processed_until_it_is_decided(
    engine, control, people, session
):
    control.set_outcome("match", review=True)
    people.finish(session["id"], "p1-again", "p1")
    assert read(engine, session)["status"] == "processing"
    assert control.charges() == ()
    for action in ("cancel", "redact"):
        answer = send(engine, f"{SESSIONS}/{session['id']}/{action}", {})
        assert answer.status == 400
    people.decide(session["id"], "verified")
    assert "selfie" in read(engine, session, "last_verification_report")["last_verification_report"]
    assert len(control.charges()) == 1


def test_open_session_has_a_new_link_at_each_read_and_all_lead_to_its_page(engine, people, session):
    links = [session["url"], read(engine, session)["url"], read(engine, session)["url"]]
    assert len(set(links)) == 3
    assert {link.partition("?")[0] for link in links} == {links[0].partition("?")[0]}
    assert session["client_secret"].startswith(f"{session['id']}_secret_")
    people.finish(session["id"], "p1-again", "p1")
    assert (read(engine, session)["url"], read(engine, session)["client_secret"]) == (None, None)


def test_read_renews_the_48_hours_of_the_link(engine, control, people, session):
    control.advance(48 * 3600)
    with pytest.raises(ValueError, match="make a link first"):
        people.finish(session["id"])
    read(engine, session)
    assert people.finish(session["id"], "p1-again", "p1").status == "verified"


# What is shown


def test_outputs_are_shown_if_expanded_and_sensitive_ones_to_a_restricted_key(
    engine, control, people, session
):
    control.add_key(key=RESTRICTED)
    people.document(session["id"], full_name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 2))
    people.finish(session["id"], "p1-again", "p1")
    assert "verified_outputs" not in read(engine, session)
    fields = ("verified_outputs", "verified_outputs.dob")
    outputs = read(engine, session, *fields)["verified_outputs"]
    assert (outputs["first_name"], outputs["last_name"]) == ("Ada", "Lovelace")
    assert "dob" not in outputs
    assert "dob" not in read(engine, session, "verified_outputs", key=RESTRICTED)
    assert "dob" not in read(engine, session, "verified_outputs.dob")["verified_outputs"]
    outputs = read(engine, session, "verified_outputs.dob", key=RESTRICTED)["verified_outputs"]
    assert outputs["dob"] == {"day": 2, "month": 1, "year": 1980}
    control.advance(48 * 3600)
    assert "dob" in read(engine, session, *fields, key=RESTRICTED)["verified_outputs"]
    control.advance(1)
    assert "dob" not in read(engine, session, *fields, key=RESTRICTED)["verified_outputs"]


def test_secret_key_reads_the_date_of_issue_and_not_that_of_expiry(engine, people, session):
    issued_at, ends_at = dt.date(2020, 5, 6), dt.date(2030, 5, 6)
    people.document(session["id"], date_of_issue=issued_at, expiration_date=ends_at)
    people.finish(session["id"], "p1-again", "p1")
    report = "last_verification_report"
    shown = read(engine, session, report, f"{report}.document.expiration_date")
    document = shown[report]["document"]
    assert document["issued_date"] == {"day": 6, "month": 5, "year": 2020}
    assert "expiration_date" not in document
    assert "restricted key" in engine.world.account.journal.entries[-1].note


@pytest.mark.parametrize("name", ["expand[]", "expand[0]", "expand[7]"])
def test_expand_is_read_in_both_spellings(engine, people, session, name):
    people.finish(session["id"], "p1-again", "p1")
    path = f"{SESSIONS}/{session['id']}"
    form_answer = send(engine, f"{path}/cancel", {name: "last_verification_report"})
    assert form_answer.status == 400  # a session that is verified cannot be canceled
    answer = send(engine, path, query={name: "last_verification_report"})
    assert answer.json()["last_verification_report"]["object"] == "identity.verification_report"
    listed = send(engine, SESSIONS, query={name: "data.last_verification_report"}).json()
    assert listed["data"][0]["last_verification_report"]["verification_session"] == session["id"]


@pytest.mark.parametrize(
    "field",
    [
        *("last_error", "related_customer", "document.dob", "verified_outputs.date_of_birth"),
        *("last_verification_report.dob", "last_verification_report.document.birth", "data"),
        *("last_verification_report.verified_outputs", "verified_outputs.dob.year"),
    ],
)
def test_field_that_is_not_there_cannot_be_expanded(engine, session, field):
    answer = send(engine, f"{SESSIONS}/{session['id']}", query={"expand[]": field})
    assert error_of(answer) == (400, "invalid_request_error", None, "expand")


def test_redacted_session_keeps_its_status_and_loses_its_data(engine, control, people, session):
    control.add_key(key=RESTRICTED)
    people.document(session["id"], full_name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 2))
    people.finish(session["id"], "p1-again", "p1")
    redacted = send(engine, f"{SESSIONS}/{session['id']}/redact", {}).json()
    assert (redacted["status"], redacted["redaction"]) == ("verified", {"status": "processing"})
    assert (redacted["metadata"], redacted["url"]) == ({}, None)
    control.advance(60)
    fields = ("last_verification_report", "verified_outputs", "verified_outputs.dob")
    shown = read(engine, session, *fields, key=RESTRICTED)
    assert shown["redaction"] == {"status": "redacted"}
    assert shown["verified_outputs"]["first_name"] == "[redacted]"
    assert shown["verified_outputs"]["dob"] == {"day": 1, "month": 1, "year": 1}
    assert shown["last_verification_report"]["document"]["files"] == []
    assert control.world.sessions.find(session["id"]).pictures == {}


def test_verified_session_has_the_identity_of_the_card(engine, control, people, session):
    control.add_key(key=RESTRICTED)
    people.finish(session["id"], "p1-again", "p1")
    report = "last_verification_report"
    fields = (report, "verified_outputs", "verified_outputs.dob", f"{report}.document.number")
    shown = read(engine, session, *fields, key=RESTRICTED)
    person = make_identity("p1")
    born = dt.date.fromisoformat(person["date_of_birth"])
    outputs, document = shown["verified_outputs"], shown[report]["document"]
    assert outputs["first_name"] == document["first_name"] == person["first_name"]
    assert outputs["dob"] == {"day": born.day, "month": born.month, "year": born.year}
    assert outputs["address"] == document["address"]
    assert outputs["address"]["line1"] == person["street"]
    assert document["number"] == person["document_number"]
    assert document["issuing_country"] == person["issuing_country"]
    assert "issuing_country" not in outputs


def test_values_that_a_test_sets_replace_the_whole_person(engine, people, session):
    people.document(session["id"], first_name="Ada", issuing_country="GB", city="London")
    people.finish(session["id"], "p1-again", "p1")
    document = read(engine, session, "last_verification_report")["last_verification_report"]
    document = document["document"]
    assert (document["first_name"], document["last_name"]) == ("Ada", None)
    assert document["issuing_country"] == document["address"]["country"] == "GB"
    assert (document["address"]["city"], document["address"]["line1"]) == ("London", None)
    people.document(session["id"])
    shown = read(engine, session, "verified_outputs")["verified_outputs"]
    assert shown["first_name"] is shown["address"] is None


def test_redacted_address_has_no_text(engine, control, people, session):
    people.finish(session["id"], "p1-again", "p1")
    send(engine, f"{SESSIONS}/{session['id']}/redact", {})
    control.advance(60)
    address = read(engine, session, "verified_outputs")["verified_outputs"]["address"]
    assert {*address.values()} == {"[redacted]", None}


def test_open_session_can_be_canceled_once(engine, session):
    path = f"{SESSIONS}/{session['id']}"
    assert send(engine, f"{path}/cancel", {}).json()["status"] == "canceled"
    assert send(engine, f"{path}/cancel", {}).status == 400
    assert read(engine, session)["url"] is None


def test_cancel_does_not_undo_what_the_person_submits_in_the_meantime(
    engine, people, session, monkeypatch
):
    change = engine.world.sessions.change

    def change_after_the_person(key, apply):
        monkeypatch.undo()
        people.finish(session["id"], "p1-again", "p1")
        return change(key, apply)

    monkeypatch.setattr(engine.world.sessions, "change", change_after_the_person)
    assert send(engine, f"{SESSIONS}/{session['id']}/cancel", {}).status == 400
    assert read(engine, session)["status"] == "verified"


# Lists


def test_list_is_paged_newest_first_and_filtered(engine, control):
    ids = []
    for number in range(5):
        form = {"type": "document", "client_reference_id": f"customer-{number % 2}"}
        ids.append(start(engine, form)["id"])
        control.advance(1)
    newest_first = ids[::-1]

    def listed(**query):
        answer = send(engine, SESSIONS, query=query).json()
        return [each["id"] for each in answer["data"]], answer["has_more"]

    assert listed() == (newest_first, False)
    assert listed(limit=2) == (newest_first[:2], True)
    assert listed(limit=2, starting_after=newest_first[1]) == (newest_first[2:4], True)
    assert listed(limit=2, ending_before=newest_first[3]) == (newest_first[1:3], True)
    assert listed(client_reference_id="customer-1") == ([ids[3], ids[1]], False)
    # A cursor need not have the reference of the call.
    by_reference = {"client_reference_id": "customer-1"}
    assert listed(**by_reference, starting_after=ids[2]) == ([ids[1]], False)
    assert listed(**by_reference, ending_before=ids[2]) == ([ids[3]], False)


def test_filter_that_is_ignored_has_a_hint(engine, session):
    answer = send(engine, SESSIONS, query={"status": "verified", "created[gte]": "1"})
    assert [each["id"] for each in answer.json()["data"]] == [session["id"]]
    assert "created[gte], status" in answer.header(HINT_HEADER)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"starting_after": "vs_nobody"}, ("resource_missing", "starting_after")),
        ({"ending_before": "vs_nobody"}, ("resource_missing", "ending_before")),
        ({"limit": "101"}, (None, "limit")),
        ({"limit": "many"}, ("parameter_invalid_integer", "limit")),
        # Without data., Stripe expands nothing in a list.
        ({"expand[]": "last_verification_report"}, (None, "expand")),
        ({"expand[]": "data.face"}, (None, "expand")),
    ],
)
def test_list_refuses_an_unknown_cursor_word_or_field(engine, session, query, error):
    answer = send(engine, SESSIONS, query=query)
    assert error_of(answer) == (400, "invalid_request_error", *error)


def test_list_refuses_both_cursors(engine, session):
    query = {"starting_after": session["id"], "ending_before": session["id"]}
    error = (400, "invalid_request_error", "parameters_exclusive", None)
    assert error_of(send(engine, SESSIONS, query=query)) == error


def test_report_shows_a_date_of_birth_to_a_restricted_key_that_expands_it(
    engine, control, people, session
):
    control.add_key(key=RESTRICTED)
    people.document(session["id"], full_name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 2))
    people.finish(session["id"], "p1-again", "p1")
    path = f"{REPORTS}/{read(engine, session)['last_verification_report']}"
    query = {"expand[]": "document.dob"}
    for key, is_shown in ((stripe.LIVE, False), (RESTRICTED, True)):
        document = send(engine, path, query=query, key=key).json()["document"]
        assert ("dob" in document) is is_shown
    assert document["dob"] == {"day": 2, "month": 1, "year": 1980}


def test_start_keeps_50_keys_of_metadata_and_no_empty_one(engine):
    first = {f"metadata[{number}x]": "x" for number in range(50)}
    session = start(engine, {"type": "document", "metadata[empty]": "", **first})
    assert len(session["metadata"]) == 50


def test_each_report_of_a_session_stays_readable(engine, people, session):
    statuses = []
    for card in ("p2", "p1-again"):
        people.finish(session["id"], card, "p1")
        report_id = read(engine, session)["last_verification_report"]
        report = send(engine, f"{REPORTS}/{report_id}").json()
        assert (report["id"], report["verification_session"]) == (report_id, session["id"])
        statuses.append(report["selfie"]["status"])
    assert statuses == ["unverified", "verified"]
    assert error_of(send(engine, f"{REPORTS}/vr_1"))[2] == "resource_missing"
    assert error_of(send(engine, f"{REPORTS}/{report_id}", key=TEST))[2] == "resource_missing"


# Keys, parameters and idempotency


def test_key_of_the_other_mode_finds_no_session(engine, people, session):
    path = f"{SESSIONS}/{session['id']}"
    assert error_of(send(engine, path, key=TEST))[::2] == (404, "resource_missing")
    assert send(engine, SESSIONS, key=TEST).json()["data"] == []
    assert start(engine, key=TEST)["livemode"] is False
    assert session["livemode"] is True


def test_flags_may_be_written_as_python_writes_them(engine):
    form = {
        "type": "document",
        "options[document][require_matching_selfie]": True,
        "options[document][require_live_capture]": False,
    }
    assert start(engine, form)["options"]["document"] == {
        "require_matching_selfie": True,
        "require_live_capture": False,
    }


def test_key_may_be_the_user_of_http_basic(engine):
    answer = send(engine, SESSIONS, key=None, authorization=stripe.BASIC)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, ("parameter_missing", "type")),
        (
            {"type": "document", "related_person[account]": "acct_1"},
            ("parameter_missing", "related_person[person]"),
        ),
        ({"type": ""}, ("parameter_invalid_empty", "type")),
        ({"type": "selfie"}, (None, "type")),
        ({"type": "document", "face": "x"}, ("parameter_unknown", "face")),
        (
            {"type": "document", "options[document][selfie]": "true"},
            ("parameter_unknown", "options[document][selfie]"),
        ),
        (
            {"type": "document", "options[document][require_matching_selfie]": "yes"},
            (None, "options[document][require_matching_selfie]"),
        ),
        (
            {"type": "document", "options[document][allowed_types][]": "visa"},
            (None, "options[document][allowed_types][]"),
        ),
        ({"type": "document", "metadata": "x"}, (None, "metadata")),
        ({"type": "document", "metadata[a][b]": "x"}, ("parameter_unknown", "metadata[a][b]")),
        ({"type": "document", "expand[]": ""}, ("parameter_invalid_empty", "expand[]")),
        *(
            ({"type": "document", **metadata}, (None, "metadata"))
            for metadata in stripe.WRONG_METADATA.values()
        ),
        ({"type": "document", "return_url": "shop"}, ("url_invalid", "return_url")),
        ({"type": "document", "return_url": "http://["}, ("url_invalid", "return_url")),
        ({"type": "document", "expand[]": "face"}, (None, "expand")),
    ],
)
def test_wrong_parameter_is_refused_and_starts_nothing(engine, people, form, error):
    answer = engine.handle(stripe.starting(form))
    assert error_of(answer) == (400, "invalid_request_error", *error)
    assert people.all() == ()


@pytest.mark.parametrize(
    "name",
    [
        *("created", "created[]", "created[gt]", "created[gt][lt]", "created[is]", "limit[]"),
        *("expand", "expand[0][a]", "[", "[]", "]", "a[b", "metadata[a][b]", "type[type]"),
        *("options[document]", "options[document][allowed_types]", "starting_after[]"),
    ],
)
@pytest.mark.parametrize("text", ["", "x", "²", "9" * 400])
def test_odd_parameter_never_makes_the_mock_fail(engine, session, name, text):
    assert send(engine, SESSIONS, query={name: text}).status in (200, 400)
    assert send(engine, SESSIONS, {"type": "document", name: text}).status in (200, 400)


def test_known_idempotency_key_gets_the_first_answer_again(engine, control, people):
    first = engine.handle(stripe.starting(idempotency_key="one"))
    control.advance(86_399)
    again = engine.handle(stripe.starting(idempotency_key="one"))
    assert again.body == first.body
    replayed = [dict(answer.headers).get("Idempotent-Replayed") for answer in (first, again)]
    assert replayed == [None, "true"]
    assert len(people.all()) == 1
    other = engine.handle(stripe.starting({"type": "document"}, idempotency_key="one"))
    assert error_of(other)[:2] == (400, "idempotency_error")
    in_test_mode = engine.handle(stripe.starting(key=TEST, idempotency_key="one"))
    assert in_test_mode.json()["id"] != first.json()["id"]
    control.advance(1)
    assert engine.handle(stripe.starting(idempotency_key="one")).body != first.body


def test_refused_parameters_do_not_use_up_an_idempotency_key(engine):
    assert engine.handle(stripe.starting({}, idempotency_key="one")).status == 400
    assert engine.handle(stripe.starting(idempotency_key="one")).status == 200


def test_refusal_for_the_state_of_a_session_is_kept_for_its_idempotency_key(
    engine, control, people, session
):
    path = f"{SESSIONS}/{session['id']}/redact"
    control.set_outcome("match", review=True)
    people.finish(session["id"], "p1-again", "p1")
    refused = send(engine, path, {}, idempotency_key="one")
    people.decide(session["id"], "verified")
    again = send(engine, path, {}, idempotency_key="one")
    assert (refused.status, again.status, again.body) == (400, 400, refused.body)
    assert read(engine, session)["redaction"] is None
    assert send(engine, path, {}, idempotency_key="two").json()["redaction"] is not None


@pytest.mark.parametrize("is_carried_out", [False, True])
def test_server_error_is_given_again_to_its_idempotency_key(
    engine, control, people, *, is_carried_out
):
    fault = Fault(stage="answer", kind="status", status=500, executed=is_carried_out)
    control.add_fault(fault)
    request = stripe.starting(idempotency_key="one")
    failed, again = engine.handle(request), engine.handle(request)
    assert (failed.status, again.status, again.body) == (500, 500, failed.body)
    assert again.header("Idempotent-Replayed") == "true"
    assert len(people.all()) == is_carried_out
    assert engine.handle(stripe.starting(idempotency_key="two")).status == 200


def test_limit_of_a_fault_does_not_use_up_an_idempotency_key(engine, control):
    control.add_fault(Fault(stage="answer", kind="status", status=429))
    request = stripe.starting(idempotency_key="one")
    assert [engine.handle(request).status for _ in range(2)] == [429, 200]


def test_second_request_while_the_first_is_under_way_is_409(engine):
    answer = ask(engine, stripe.beside_another(stripe.starting(idempotency_key="two")))
    assert error_of(answer)[::2] == (409, "idempotency_key_in_use")


def test_live_mode_has_the_limit_for_each_endpoint_and_test_mode_for_all(engine):
    for key, status_of_report in ((stripe.LIVE, 404), (TEST, 429)):
        for _ in range(25):
            assert send(engine, SESSIONS, key=key).status == 200
        answer = send(engine, SESSIONS, key=key)
        reason = "endpoint-rate" if key == stripe.LIVE else "global-rate"
        assert answer.status == 429
        assert dict(answer.headers)["Stripe-Rate-Limited-Reason"] == reason
        assert send(engine, f"{REPORTS}/vr_1", key=key).status == status_of_report


# Events


def events_of(engine):
    """Return the types of the events that are delivered now, and the status in each."""
    shown = []
    for _, letter, _ in carry(engine):
        event = json.loads(letter.body)
        shown.append((event["type"].rpartition(".")[2], event["data"]["object"]["status"]))
    return shown


def test_events_tell_of_each_try_and_redacted_comes_only_to_who_names_it(engine, control, people):
    control.webhooks.add(HOOK)
    session = start(engine)
    people.finish(session["id"], "p2", "p1")
    people.finish(session["id"], "p1-again", "p1")
    send(engine, f"{SESSIONS}/{session['id']}/redact", {})
    control.advance(60)
    assert events_of(engine) == [
        ("created", "requires_input"),
        ("processing", "processing"),
        ("requires_input", "requires_input"),
        ("processing", "processing"),
        ("verified", "verified"),
    ]
    control.webhooks.add(HOOK, events=[f"{EVENTS}.redacted"])
    opened = start(engine)
    assert events_of(engine) == [("created", "requires_input")]
    send(engine, f"{SESSIONS}/{opened['id']}/redact", {})
    assert events_of(engine) == [("canceled", "canceled")]
    control.advance(60)
    assert events_of(engine) == [("redacted", "canceled")]


def test_event_of_test_mode_has_a_decoy_and_expands_nothing(engine, control, people):
    control.webhooks.add(HOOK)
    for key in (stripe.LIVE, TEST):
        session = start(engine, {"type": "document", **SELFIE}, key=key)
        people.finish(session["id"], "p1-again", "p1")
        *_, (_, letter, _) = carry(engine)
        event = json.loads(letter.body)
        assert event["pending_webhooks"] == 1
        assert event["request"] == {"id": None, "idempotency_key": None}
        shown = event["data"]["object"]
        assert shown["last_verification_report"].startswith("vr_")
        assert (shown["url"], shown["client_secret"]) == (None, None)
        assert "verified_outputs" not in shown
        assert (",v0=" in dict(letter.headers)["Stripe-Signature"]) is (key == TEST)


def test_retry_is_signed_with_its_own_time(engine, control, people, session):
    control.webhooks.add(HOOK)
    people.finish(session["id"], "p1-again", "p1")
    first, *_ = carry(engine, 500)
    control.advance(3600)
    (again,) = carry(engine)
    times = []
    for _, letter, _ in (first, again):
        time, *_ = dict(letter.headers)["Stripe-Signature"].split(",")
        times.append(int(time.removeprefix("t=")))
    assert times[1] - times[0] == 3600
    assert first[1].body == again[1].body


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("2023-10-16", "2023-10-16"), (None, NEWEST_VERSION), ("new", NEWEST_VERSION)],
)
def test_event_has_the_version_that_started_its_session(engine, control, sent, shown):
    control.webhooks.add(HOOK)
    start(engine, **({} if sent is None else {"stripe_version": sent}))
    ((_, letter, _),) = carry(engine)
    assert json.loads(letter.body)["api_version"] == shown
