"""Hosted sessions: how they are started, what a person does in them, and who hears of it."""

import base64
import datetime as dt
import json
import re
import uuid
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kit import mock_sessions
from kit.mock_sessions import NO_SESSION, SANDBOX, portrait
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import (
    START,
    control_of,
    control_request,
    handle_with_fault,
    json_request,
    new_engine,
    request_to,
)
from vendors import didit
from vendors.didit import WORKFLOW, on, start

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_mock_server.base.messages import Request
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.faults import Fault
from facematch_mock_server.world.hosted import find_by_page_token, page_path
from facematch_mock_server.world.identities import alpha_3, make_identity

P1 = portrait()
HERE = Path(__file__).parent


@pytest.fixture
def engine():
    """An engine that reads test cards."""
    return new_engine(Recognizer())


@pytest.fixture
def begin(engine):
    """Starts a session whose portrait is the card p1; returns the answer's body."""
    content = didit_portrait("p1")

    def begin_session(key="mock-live-key", **fields):
        answer = engine.handle(start(key, **{"portrait_image": content, **fields}))
        assert answer.status == 201, answer.body
        return answer.json()

    return begin_session


def didit_portrait(name):
    return base64.b64encode(card_sheet()[name].data).decode()


def decide(engine, session, **more):
    return on(session["session_number"], **more)(engine).json()


# What an answer looks like -----------------------------------------------------------------------

#: By place: type, whether null, form and words, of Didit's OpenAPI of 2026-07-18. Within an item
#: what a workflow hides is null, but for status, warnings and node.
DESCRIBED = [
    (*line.split("\t"), "", "", "", "")[:5]
    for line in (HERE / "openapi.tsv").read_text().splitlines()
]
TYPES = {"string": str, "integer": int, "number": int | float, "array": list, "object": dict}
TYPES |= {"any": object}
FORMS = {
    "uuid": uuid.UUID,
    "date-time": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "uri": lambda text: urlsplit(text).scheme or uuid.UUID(text),
}


def values_at(body, path):
    """What is at a path; ``[]`` is each item of a list that is there."""
    values = [body]
    for name in path:
        key = name.removesuffix("[]")
        values = [value[key] for value in values]
        if name.endswith("[]"):
            values = [item for value in values for item in value or ()]
    return values


def check_described(kind, body):
    """Assert that a body has the described fields, each of its type, form and words."""
    for place, type_name, null, form, words in DESCRIBED:
        name, *path = place.split(".")
        for value in values_at(body, path) if name == kind else ():
            if value is None and (null or type_name == "any"):
                continue
            assert isinstance(value, TYPES[type_name]), place
            assert not words or value in words.split("|"), place
            if form:
                FORMS[form](value)
    places = [place.split(".") for place, *_ in DESCRIBED if place.startswith(kind)]
    fields = {name.removesuffix("[]") for _, name, *_ in places}
    assert set(body) <= fields | {"environment", "liveness_checks", "face_matches"}


def test_responses_match_didits_openapi_description(engine, people, begin):
    people.workflow(NO_SESSION, kind="kyc", method="ACTIVE_3D")
    people.workflow(WORKFLOW)
    ways = [lambda _: None, people.fail_attempt, people.abandon, people.expire]
    ways += [lambda each, card=card: people.finish(each, card) for card in card_sheet()]
    for workflow in (WORKFLOW, NO_SESSION):
        for way in ways:
            session = begin(workflow_id=workflow, callback="app://x", metadata={"a": 1})
            check_described("start", session)
            way(session["session_id"])
            check_described("decision", decide(engine, session))


def test_start_returns_the_sent_fields_and_the_page_url(engine, people, begin):
    sent = {"vendor_data": "u", "metadata": [1, {"a": None}], "callback": "app://back?a=1#end"}
    session = begin(**sent, language="pt-BR", callback_method="both")
    assert {name: session[name] for name in sent} == sent
    assert (session["status"], session["workflow_version"]) == ("Not Started", 1)
    token = session["session_token"]
    session_id = session["session_id"]
    assert re.fullmatch(r"[\w-]{12}", token)
    path = f"/__mock__/person/main/pt-BR/session/{token}"
    assert session["url"] == f"http://127.0.0.1:8080{path}"
    world, kept = find_by_page_token(engine.account, token)
    assert (world, kept.id, page_path(world, kept)) == (engine.world, session_id, path)
    assert find_by_page_token(engine.account, "nobody") is None
    assert decide(engine, session)["session_url"] == session["url"]
    address = urlsplit(world.behaviour.session_rules.return_url(people.finish(session_id)))
    added = {"verificationSessionId": [session_id], "status": ["Approved"]}
    assert (parse_qs(address.query), address.fragment) == ({"a": ["1"], **added}, "end")
    assert decide(engine, session)["session_url"] is None
    assert (
        world.behaviour.session_rules.return_url(world.sessions.find(begin()["session_id"])) is None
    )


# Refusals ----------------------------------------------------------------------------------------

LARGE = {"portrait_image": ["Image size exceeds 2MB."]}
UNPAID = "You don't have enough credits to perform this request. Please top up at https://business.didit.me"
#: What is sent, and the body of the 400; None for words that are ours.
REFUSED = [
    ({"workflow_id": None}, {"workflow_id": ["This field may not be null."]}),
    ({"workflow_id": "x"}, {"workflow_id": ["Must be a valid UUID."]}),
    ({"portrait_image": portrait(2 * 1024 * 1024 + 1)}, LARGE),
    ({"portrait_image": "R0lGODlh"}, None),
    ({"portrait_image": "?"}, None),
    ({"portrait_image": 7}, None),
    ({"language": "tlh"}, {"language": ['"tlh" is not a valid choice.']}),
    ({"callback_method": "x"}, {"callback_method": ['"x" is not a valid choice.']}),
    ({"callback": "javascript:x"}, None),
    ({"callback": "DATA:x"}, None),
    ({"callback": "vbscript:x"}, None),
    ({"callback": "shop.example/back"}, None),
    ({"callback": "https://x/\r\nSet-Cookie:a"}, None),
    ({"sandbox_scenario": "approve"}, None),
    ({"sandbox_scenario": "x"}, {"sandbox_scenario": ["Unknown sandbox scenario: 'x'."]}),
]


@pytest.mark.parametrize(("fields", "body"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_start_returns_errors_by_field(ask, fields, body):
    status, answer, _ = ask(start(**{"portrait_image": P1, **fields}))
    assert status == 400
    assert answer == body if body else [*answer] == [*fields]
    assert all(isinstance(words, list) for words in answer.values())


def test_unpublished_workflow_has_a_document_unless_a_portrait_is_sent(engine, people, begin):
    document = begin(portrait_image=None, vendor_data="u")
    biometric = begin()
    assert [session.hosted.kind for session in people.all()] == ["kyc", "biometric"]
    assert (document["workflow_version"], biometric["workflow_version"]) == (1, 1)
    assert people.finish(document["session_id"], "p1", document="p2").status == "Declined"
    assert decide(engine, document)["id_verifications"][0]["status"] == "Approved"
    again = begin(portrait_image=None, vendor_data="u")
    assert people.all()[-1].hosted.kind == "kyc"
    assert again["status"] == "Not Started"


def test_portrait_of_exactly_two_megabytes_is_accepted(ask):
    assert ask(start(portrait_image=portrait(2 * 1024 * 1024)))[0] == 201


def test_start_errors_after_field_validation_are_plain_strings():
    engine = new_engine()
    control = control_of(engine)
    control.sessions.workflow(WORKFLOW, kind="biometric_authentication")
    for fields in ({}, {"vendor_data": "u"}):
        assert isinstance(engine.handle(start(**fields)).json()["portrait_image"], str)
    unknown = engine.handle(start(workflow_id=NO_SESSION, portrait_image=P1))
    assert (unknown.status, unknown.json()) == (400, {"workflow_id": "Invalid workflow_id."})
    assert f"published here: {WORKFLOW};" in unknown.header(HINT_HEADER)
    control.set_balance("0.09")
    assert engine.handle(start(portrait_image=P1)).json() == {"detail": UNPAID}
    assert engine.handle(start(SANDBOX, portrait_image=P1)).status == 201
    assert engine.handle(start(None)).status == 403
    assert len(engine.world.sessions.all()) == 1


def test_start_reuses_only_an_unfinished_session_of_the_same_user(engine, people, begin):
    people.workflow(WORKFLOW)
    first = begin(vendor_data="u", metadata={"for": "login"}, callback="app://one")
    again = begin(vendor_data="u", metadata={"for": "payout"})
    assert again == {**first, "metadata": {"for": "payout"}, "callback": None}
    others = (begin(vendor_data="v"), begin(), begin(), begin(SANDBOX, vendor_data="u"))
    assert len({each["session_id"] for each in (first, *others)}) == 5
    people.fail_attempt(first["session_id"])
    assert begin(vendor_data="u")["status"] == "In Progress"
    people.finish(first["session_id"], "p2")
    mock_sessions.put_into(first["session_number"], "Resubmitted")(engine)
    assert begin(vendor_data="u")["session_id"] == first["session_id"]
    people.workflow(WORKFLOW)
    newer = begin(vendor_data="u")
    assert newer["workflow_version"] == 2
    for over in (people.abandon, people.expire, people.finish):
        over(newer["session_id"])
        former, newer = newer, begin(vendor_data="u")
        assert former["session_id"] != newer["session_id"]


def test_an_approved_face_is_stored_for_its_user(engine, people, begin):
    people.workflow(WORKFLOW)
    for card, status in (("p2", 400), ("spoof", 400), ("p1", 201)):
        people.finish(begin(vendor_data="u")["session_id"], card)
        answer = engine.handle(start(vendor_data="u"))
        assert answer.status == status
    stored = answer.json()["session_id"]
    assert engine.handle(start(SANDBOX, vendor_data="u")).status == 400
    assert people.finish(stored, "p2").status == "Declined"


@pytest.mark.parametrize(
    ("card", "statuses"),
    [
        ("p1-again", ["Approved", "Approved"]),
        ("p2", ["Approved", "Declined"]),
        ("spoof", ["Declined", "Approved"]),
        ("no-face", ["Declined", "Declined"]),
    ],
)
@pytest.mark.parametrize("kind", ["biometric", "kyc"])
def test_card_is_compared_with_the_reference_or_the_document(engine, begin, kind, card, statuses):
    people = control_of(engine).sessions
    people.workflow(WORKFLOW, kind=kind, method="FLASHING")
    # Where a document is shown the portrait is ignored.
    session = begin(portrait_image=didit_portrait("p1" if kind == "biometric" else "p2"))
    document = "p1" if kind == "kyc" else None
    judged = people.finish(session["session_id"], card, document)
    assert (judged.hosted.reference is None) is (kind == "kyc")
    body = decide(engine, session)
    (check,) = body["liveness_checks"]
    (pair,) = body["face_matches"]
    assert [check["status"], pair["status"]] == statuses
    assert body["status"] == ("Declined" if "Declined" in statuses else "Approved")
    assert check["method"] == "FLASHING"
    stored_under = session["session_id"] if kind == "biometric" else None
    assert pair["source_image_session_id"] == stored_under
    assert (body["id_verifications"] is None) == (kind == "biometric")
    references = [pair["source_image"]]
    for shown in body["id_verifications"] or ():
        references += [shown["portrait_image"], shown["front_image"]]
    faces = [pair["target_image"], check["reference_image"]]
    for name, urls in {"p1": references, card: faces}.items():
        for url in urls:
            address = urlsplit(url)
            sent = request_to(f"{address.path}?{address.query}", method="GET", key=None)
            assert engine.handle(sent).body == card_sheet()[name].data


DOCUMENT = {
    "full_name": "Ada Lovelace",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "document_number": "CAA000000",
    "date_of_birth": dt.date(1980, 1, 1),
    "date_of_issue": dt.date(2021, 6, 2),
    "expiration_date": dt.date(2031, 6, 2),
}


def test_document_shows_what_a_test_sets_and_hides_everything_else(engine, people, begin):
    people.workflow(WORKFLOW, kind="kyc")
    session = begin()
    hidden = dict.fromkeys(DOCUMENT)
    people.document(session["session_id"], **DOCUMENT)  # before the person acts
    assert decide(engine, session)["id_verifications"] is None
    people.finish(session["session_id"])
    body = decide(engine, session)
    check_described("decision", body)
    (shown,) = body["id_verifications"]
    written = {name: str(value) for name, value in DOCUMENT.items()}
    assert {name: shown[name] for name in DOCUMENT} == written
    assert "Lovelace" not in repr(people.all())
    again = mock_sessions.showing(1, full_name="Grace Hopper", date_of_birth="1906-12-09")(engine)
    assert again.status == 200
    (shown,) = decide(engine, session)["id_verifications"]
    replaced = {"full_name": "Grace Hopper", "date_of_birth": "1906-12-09"}
    assert {name: shown[name] for name in DOCUMENT} == hidden | replaced
    people.document(session["session_id"])
    (shown,) = decide(engine, session)["id_verifications"]
    assert {name: shown[name] for name in DOCUMENT} == hidden


def test_document_of_a_card_has_the_identity_of_its_person(engine, people, begin):
    people.workflow(WORKFLOW, kind="kyc")
    session = begin()
    people.finish(session["session_id"], "p1", "p1")
    (shown,) = decide(engine, session)["id_verifications"]
    person = make_identity("p1")
    assert shown["document_type"] == "Passport"
    assert shown["gender"] == person["gender"][0].upper()
    assert shown["nationality"] == alpha_3(person["nationality"])
    assert shown["expiration_date"] == person["expiration_date"]
    assert shown["age"] > 18
    assert shown["full_front_image"] == shown["front_image"]


def test_list_shows_the_person_of_a_session_as_its_decision_does(engine, people, begin):
    people.workflow(WORKFLOW, kind="kyc")
    session = begin(contact_details={"email": "ada@shop.example"})
    (row,) = engine.handle(didit.list_request()).json()["results"]
    assert (row["full_name"], row["email_address"]) == (None, "ada@shop.example")
    people.finish(session["session_id"], "p1", "p1")
    (row,) = engine.handle(didit.list_request()).json()["results"]
    (document,) = decide(engine, session)["id_verifications"]
    for name in ("document_type", "full_name"):
        assert row[name] == document[name]
    assert row["country"] == document["issuing_state"]


def test_decision_shows_the_details_of_the_start_as_they_were_sent(engine, begin):
    contact, expected = {"email": "ada@shop.example"}, {"first_name": "Ada"}
    session = begin(contact_details=contact, expected_details=expected)
    body = decide(engine, session)
    assert (body["contact_details"], body["expected_details"]) == (contact, expected)
    assert decide(engine, begin())["contact_details"] is None
    assert "ada@" not in repr(engine.world.sessions.all())
    refused = engine.handle(start(portrait_image=didit_portrait("p1"), contact_details="ada"))
    assert (refused.status, *refused.json()) == (400, "contact_details")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_call_without_the_last_slash_is_a_redirect_that_says_why(engine, method):
    sent = json_request("/v3/session", {"workflow_id": WORKFLOW}, method=method)
    answer = engine.handle(sent)
    headers = dict(answer.headers)
    assert (answer.status, headers["Location"]) == (301, "/v3/session/")
    assert "slash" in headers[HINT_HEADER]


def test_document_without_a_session_is_for_all_that_start_from_then_on(engine, people, begin):
    people.workflow(WORKFLOW, kind="kyc")
    before = begin()
    people.document(full_name="Ada Lovelace")
    after = begin()
    people.document()
    hidden = begin()
    names = []
    for session in (before, after, hidden):
        people.finish(session["session_id"])
        (shown,) = decide(engine, session)["id_verifications"]
        names.append(shown["full_name"])
    assert names == [make_identity("p1")["full_name"], "Ada Lovelace", None]


def test_invalid_documents_are_refused(engine, people, begin):
    biometric = begin()["session_id"]
    with pytest.raises(ValueError, match="document"):
        people.document(biometric, **DOCUMENT)
    with pytest.raises(LookupError):
        people.document(NO_SESSION, **DOCUMENT)
    for fields in ({"full_name": 7}, {"full_name": "\ud800"}, {"date_of_birth": "1980-01-01"}):
        with pytest.raises(ValueError, match=next(iter(fields))):
            people.document(biometric, **fields)
    for fields in ({"date_of_birth": "1980-13-01"}, {"full_name": 7}, {"name": "Ada"}):
        assert mock_sessions.showing(1, **fields)(engine).status == 400
    assert mock_sessions.showing(9, full_name="Ada")(engine).status == 404


def test_set_outcome_applies_to_the_session_with_its_vendor_data(control, people, begin):
    control.set_outcome("match", score=12, field={"vendor_data": "u"})
    assert people.finish(begin(vendor_data="v")["session_id"]).status == "Approved"
    assert people.finish(begin(vendor_data="u")["session_id"]).status == "Declined"


def test_failed_attempt_leaves_the_check_unfinished(engine, people, begin):
    session = begin()
    assert people.fail_attempt(session["session_id"]).status == "In Progress"
    (check,) = decide(engine, session)["liveness_checks"]
    assert (check["status"], check["score"]) == ("Not Finished", None)


def test_invalid_acts_are_rejected(engine, people, begin):
    session_id = begin()["session_id"]
    with pytest.raises(ValueError, match="document"):
        people.finish(session_id, "p1", "p1")
    with pytest.raises(ValueError, match="did you mean"):
        people.finish(session_id, "spooof")
    with pytest.raises(LookupError):
        people.abandon(NO_SESSION)
    with pytest.raises(RuntimeError):
        people.page(session_id)
    assert mock_sessions.acting(1, "dance")(engine).status == 400
    assert mock_sessions.acting(9, "begin")(engine).status == 404
    picture = card_sheet()["p1-again"].data
    assert people.finish(session_id, picture).status == "Approved"
    assert mock_sessions.acting(1, "card")(engine).status == 400


def test_status_changes_send_webhooks(engine, control, people, begin):
    control.webhooks.add(HOOK)
    people.finish(begin()["session_id"])
    people.finish(begin(SANDBOX)["session_id"])
    begin()
    control.advance(604_800)
    bodies = [json.loads(letter.body) for _, letter, _ in carry(engine)]
    assert [f"{body['environment']} {body['status']}" for body in bodies] == [
        "live In Progress",
        "live Approved",
        "sandbox In Progress",
        "sandbox Approved",
        "live Expired",
    ]
    assert {body["workflow_id"] for body in bodies} == {WORKFLOW}


def test_start_sends_a_webhook_if_the_switch_says_so():
    engine = new_engine(switches={"creation_webhook": True})
    control_of(engine).webhooks.add(HOOK)
    engine.handle(start(SANDBOX, workflow_id=WORKFLOW, sandbox_scenario="approve"))
    ((_, letter, _),) = carry(engine)
    body = json.loads(letter.body)
    assert (body["status"], body["sandbox_scenario"]) == ("Not Started", "approve")
    assert "decision" not in body


@pytest.mark.parametrize(
    ("scenario", "session", "scores"),
    [
        ("approve", "Approved", [95.0, 97.0]),
        ("decline_face_match_low_similarity", "Declined", [15.0, 97.0]),
        ("decline_liveness_attack", "Declined", [95.0, 5.0]),
        ("review_face_match_borderline", "In Review", [68.0, 97.0]),
        ("decline_document_expired", "Declined", [95.0, 97.0]),
    ],
)
def test_sandbox_scenario_decides_the_session(engine, begin, scenario, session, scores):
    begun = begin(SANDBOX, sandbox_scenario=scenario)
    control_of(engine).sessions.finish(begun["session_id"], "p2")
    body = decide(engine, begun, key=SANDBOX)
    assert body["status"] == session
    checks = body["face_matches"] + body["liveness_checks"]
    assert [check["score"] for check in checks] == scores
    assert body["environment"] == "sandbox"


def test_session_is_visible_only_in_its_environment_and_can_be_deleted(engine, people, begin):
    session, free = begin(vendor_data="u"), begin(SANDBOX)
    for query, numbers in (
        ("", [1]),
        ("session_type=HOSTED", [1]),
        ("session_type=API", []),
    ):
        rows = engine.handle(didit.list_request(query)).json()["results"]
        assert [row["session_number"] for row in rows] == numbers
    (row,) = engine.handle(didit.list_request(key=SANDBOX)).json()["results"]
    assert row["session_url"] == free["url"]
    assert {each["status"] for each in row["features"]} == {"Not Finished"}
    assert on(1, key=SANDBOX)(engine).status == on(2)(engine).status == 404
    body = decide(engine, session, query="?include=events")
    assert (body["session_type"], body["api_service"]) == ("HOSTED", None)
    people.finish(session["session_id"])
    kept = {"retain_face_embeddings": True, "face_retention_days": 1}
    gone = didit.delete(1, kept)(engine).json()
    assert gone["face_retention_outcome"] == "retained_with_user"
    assert gone["biometric_template_uuid"]
    assert on(1)(engine).status == 404


def test_fault_after_a_start_and_for_a_portrait(engine, control, begin):
    fault = Fault(stage="answer", kind="status", status=503, call="session_start", executed=True)
    content = didit_portrait("p1")
    lost = handle_with_fault(engine, fault, start(portrait_image=content, vendor_data="u"))
    assert lost.status == 503
    again = begin(vendor_data="u")
    assert again["session_number"] == 1
    control.add_fault(Fault(stage="answer", kind="status", status=502, card="p2"))
    assert begin()["session_number"] == 2
    assert engine.handle(start(portrait_image=didit_portrait("p2"))).status == 502


def test_sessions_and_their_links_are_visible_only_to_their_account(capsys):
    with MockServer(seed=1, clock=VirtualClock(START)) as mock:
        other = mock.new_account("other")
        sent = {"workflow_id": WORKFLOW, "portrait_image": didit_portrait("p1")}
        keys = (mock.live_key, other.live_key)
        first, second = (
            requests.post(f"{mock.url}/v3/session/", json=sent, headers={"x-api-key": key}).json()
            for key in keys
        )
        assert mock.control.sessions.page(first["session_id"]) == first["url"]
        assert "/other/" in second["url"]
        assert [len(each.control.sessions.open()) for each in (mock, other)] == [1, 1]
        with pytest.raises(LookupError):
            other.control.sessions.finish(first["session_id"])
        assert requests.get(first["url"].replace("/main/", "/other/")).status_code == 404
        too_long = {"Content-Length": str(1 << 40)}
        assert requests.post(first["url"], headers=too_long, data=b"").status_code == 413
        shown_head = repr(Request(method="GET", target=first["url"]))
        requests.get(f"{mock.url}/v3/sessions/", headers={"x-api-key": mock.live_key})
        shown = [shown_head, repr(mock.control.journal()), repr(mock.control.sessions.all())]
        base = f"{mock.url}/__mock__"
        shown.append(requests.get(f"{base}/journal").text)
        shown += [requests.get(f"{base}/console/calls/{number}").text for number in (1, 2)]
        assert [first["session_token"] in text for text in shown] == [False] * len(shown)
        # The control API has the link, for a test that opens it.
        assert first["url"] in requests.get(f"{base}/sessions").text
        state = requests.get(f"{base}/console/state/didit/sessions").json()
        assert mock.url + state["pages"][first["session_id"]] == first["url"]
        assert not any("person" in entry.path for entry in mock.control.journal())
        before = mock.clock.monotonic()
        mock.clock.sleep(5)
        assert mock.clock.monotonic() == before + 5


def test_session_token_is_predictable_by_seed_only_on_loopback():
    tokens = []
    for host in ("127.0.0.1", "127.0.0.1", "0.0.0.0"):
        mock = MockServer(seed=4, host=host, control=host == "127.0.0.1")
        answer = mock.app.handle(start(portrait_image=P1))
        tokens.append(answer.json()["session_token"])
    assert tokens[0] == tokens[1] != tokens[2]
    control = control_request("sessions/workflows", {"id": "x"})
    assert new_engine().handle(control).status == 400


def test_list_has_the_portrait_of_a_document_and_finds_its_country(engine, people, begin):
    session = begin(portrait_image=None)
    people.finish(session["session_id"], "p1", "p1")
    (document,) = decide(engine, session)["id_verifications"]
    query = f"country=XXX,{document['issuing_state']}&workflow_id={session['workflow_id']}"
    (row,) = engine.handle(didit.list_request(query)).json()["results"]
    assert row["portrait_image"] == document["portrait_image"]
    parts = document["parsed_address"]
    names = ("street_1", "postal_code", "city")
    assert ", ".join(parts[name] for name in names) == document["formatted_address"]
    assert len(parts["country"]) == 2
