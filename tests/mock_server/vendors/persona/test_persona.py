"""Persona's mock: each refusal, limit and fact that its claims state."""

import datetime as dt
import json
from urllib.parse import urlencode

import pytest
from kit.mock_webhooks import HOOK, carry
from kit.mock_world import ask, control_of, control_request, new_engine
from vendors.persona import (
    INQUIRIES,
    LIVE,
    SANDBOX,
    TEMPLATE,
    about,
    exhausted,
    framed,
    nth,
    persona_request,
    reading,
    starting,
    starting_with,
)

from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_persona import PersonaBackend

SECRET = "wbhsec_of-the-receiver"


def made_with(**switches):
    return new_engine(Recognizer(), vendor="persona", switches=switches)


@pytest.fixture
def engine():
    return made_with()


def error_of(answer):
    (error,) = answer.json()["errors"]
    return error["title"], error.get("details")


def attributes_of(answer):
    return answer.json()["data"]["attributes"]


def act(engine, action):
    """Ask for an action on the first inquiry; return the answer."""
    return ask(engine, about(1, action, method="POST"))


def shown(engine):
    """Return the attributes of the first inquiry."""
    return attributes_of(ask(engine, about(1)))


def start(engine, **attributes):
    """Start an inquiry; return its id."""
    answer = ask(engine, starting(**attributes))
    assert answer.status == 201
    return answer.json()["data"]["id"]


def statuses_of(verification):
    """Return the status of each check by its name."""
    return {check["name"]: check["status"] for check in verification["attributes"]["checks"]}


# Keys and limits


@pytest.mark.parametrize(
    ("key", "title"),
    [
        (None, "Must be authenticated to access this endpoint"),
        ("", "Must be authenticated to access this endpoint"),
        ("wrong", "Token is invalid"),
    ],
)
def test_missing_or_unknown_key_gets_no_header_of_an_authenticated_answer(engine, key, title):
    answer = ask(engine, persona_request(key=key))
    assert (answer.status, error_of(answer)) == (401, (title, None))
    assert answer.header("request-id") is None
    assert answer.header("ratelimit-limit") is None


def test_key_without_permission_is_forbidden(engine):
    ask(engine, control_request("keys", {"key": "weak-key", "allowed": False}))
    answer = ask(engine, persona_request(key="weak-key"))
    details = "IP address is not permitted access to current environment"
    assert (answer.status, error_of(answer)) == (403, ("Forbidden", details))


def test_each_answer_shows_the_rest_of_the_limit_of_its_environment(engine):
    answers = [ask(engine, persona_request(key=key)) for key in (LIVE, LIVE, SANDBOX)]
    assert [answer.header("ratelimit-remaining") for answer in answers] == ["299", "298", "299"]
    assert {answer.header("ratelimit-limit") for answer in answers} == {"300"}
    assert {answer.header("ratelimit-reset") for answer in answers} == {"60"}
    assert len({answer.header("request-id") for answer in answers}) == 3
    environments = [answer.header("persona-environment-id") for answer in answers]
    assert environments == ["env_production", "env_production", "env_sandbox"]


def test_inquiry_of_another_environment_is_unknown(engine):
    ask(engine, starting(key=SANDBOX))
    assert ask(engine, about(1, key=SANDBOX)).status == 200
    assert ask(engine, about(1)).status == 404
    assert ask(engine, persona_request()).json()["data"] == []


# Start


@pytest.mark.parametrize(
    ("request_", "status", "details"),
    [
        (persona_request(body=b"["), 400, "data is missing"),
        (persona_request(body=b"[]"), 400, "data is missing"),
        (persona_request(body={"data": []}), 400, "data must be an object"),
        (starting({"color": 1}), 400, "meta.color is not permitted"),
        (starting(picture="x"), 400, "data.attributes.picture is not permitted"),
        (starting(note=17), 400, "note must be a string"),
        (starting(tags="vip"), 400, "tags must be an array"),
        (starting({"auto-create-account": 1}), 400, "auto-create-account must be a boolean"),
        (
            starting({"expiration-after-create-interval-seconds": True}),
            400,
            "expiration-after-create-interval-seconds must be an integer",
        ),
        (
            starting({"expiration-after-create-interval-seconds": 0}),
            400,
            "expiration-after-create-interval-seconds must be greater than 0",
        ),
        (
            starting(inquiry_template_id=None),
            400,
            "data.attributes.inquiry-template-id is missing",
        ),
        (
            starting(inquiry_template_id="tmpl_other"),
            400,
            "data.attributes.inquiry_template_id must start with itmpl (sent 'tmpl_other')",
        ),
        (
            starting({"auto-create-account": False, "auto-create-account-reference-id": "c"}),
            422,
            "meta.auto-create-account-reference-id requires meta.auto-create-account",
        ),
    ],
)
def test_start_with_a_wrong_value_is_refused(engine, request_, status, details):
    answer = ask(engine, request_)
    assert (answer.status, error_of(answer)[1]) == (status, details)
    assert engine.world.sessions.all() == ()


@pytest.mark.parametrize(
    "meta",
    [
        {"auto-create-account": True},
        {"auto-create-account-reference-id": "customer-17"},
        {"auto-create-account-type-id": "acttp_1"},
        {"auto-create-inquiry-session": True},
        {"auto-create-one-time-link": True},
        {"one-time-link-expiration-seconds": 60},
        {"expiration-after-create-interval-seconds": 60},
        {"expiration-after-start-interval-seconds": 60},
        {"expiration-after-resume-interval-seconds": 60},
    ],
    ids=str,
)
def test_start_takes_each_documented_wish(engine, meta):
    assert ask(engine, starting(meta)).status == 201


def test_new_inquiry_has_an_account_and_no_link_unless_asked_otherwise(engine):
    plain = ask(engine, starting()).json()
    assert plain["data"]["relationships"]["account"]["data"]["type"] == "account"
    assert set(plain["meta"].values()) == {None}
    meta = dict.fromkeys(("auto-create-inquiry-session", "auto-create-one-time-link"), True)
    full = ask(engine, starting({**meta, "auto-create-account": False})).json()
    assert full["data"]["relationships"]["account"]["data"] is None
    assert full["meta"]["session-token"].startswith("eyJ")
    assert full["meta"]["one-time-link"] == full["meta"]["one-time-link-short"]
    named = ask(engine, starting({"auto-create-account-reference-id": "customer-17"}))
    assert attributes_of(named)["reference-id"] == "customer-17"
    ours = ask(engine, starting(account_id="act_1", reference_id="customer-18")).json()
    assert ours["data"]["relationships"]["account"]["data"]["id"] == "act_1"
    assert ours["data"]["attributes"]["reference-id"] == "customer-18"


@pytest.mark.parametrize(
    ("name", "template_id", "relationship"),
    [
        ("inquiry_template_version_id", "itmplv_1", "inquiry-template-version"),
        ("template_id", "tmpl_1", "template"),
    ],
)
def test_each_kind_of_template_starts_an_inquiry(engine, name, template_id, relationship):
    answer = ask(engine, starting(inquiry_template_id=None, **{name: template_id}))
    related = answer.json()["data"]["relationships"][relationship]["data"]
    assert related == {"type": relationship, "id": template_id}


@pytest.mark.parametrize(
    ("casing", "name", "field"),
    [
        ("camel", "createdAt", "nameFirst"),
        ("snake", "created_at", "name_first"),
        ("kebab", "created-at", "name-first"),
    ],
)
def test_keys_have_the_casing_that_is_asked_for(casing, name, field):
    asked = ask(made_with(), starting(inflection=casing))
    usual = ask(made_with(key_inflection=casing), starting())
    for answer in (asked, usual):
        assert name in attributes_of(answer)
        assert field in attributes_of(answer)["fields"]


def test_known_idempotency_key_gets_the_first_answer_again(engine):
    first = ask(engine, starting(idempotency_key="one"))
    again = ask(engine, starting(idempotency_key="one"))
    assert (again.status, again.body) == (201, first.body)
    assert again.header("request-id") != first.header("request-id")
    assert len(engine.world.sessions.all()) == 1
    other = ask(engine, starting(note="x", idempotency_key="one"))
    assert (other.status, error_of(other)[0]) == (409, "Conflict")
    assert ask(engine, starting(key="wrong", idempotency_key="one")).status == 401
    # Another environment has keys of its own.
    assert ask(engine, starting(key=SANDBOX, idempotency_key="one")).body != first.body
    ask(engine, control_request("clock/advance", {"seconds": 86_400}))
    assert ask(engine, starting(idempotency_key="one")).body != first.body


def test_refusal_is_replayed_too(engine):
    refused = starting(inquiry_template_id=None, idempotency_key="one")
    first = ask(engine, refused)
    assert ask(engine, refused).body == first.body
    assert ask(engine, starting(idempotency_key="one")).status == 409


# Read and list


def test_verifications_are_included_only_if_asked_for(engine, people):
    people.finish(start(engine), card="p1-again", document="p1")
    assert "included" not in ask(engine, about(1)).json()
    document, selfie = ask(engine, about(1, query="?include=account,verifications")).json()[
        "included"
    ]
    assert document["type"] == "verification/government-id"
    assert document["id"].startswith("ver_")
    assert selfie["attributes"]["document-similarity-score"] is None
    statuses = statuses_of(selfie)
    assert statuses["selfie_id_comparison"] == statuses["selfie_liveness_detection"] == "passed"
    # A selfie passes with a failed check that is not required.
    assert selfie["attributes"]["status"] == "passed"
    assert statuses["selfie_glare_detection"] == "failed"


def test_list_is_newest_first_in_pages_and_filtered(engine):
    for note, reference_id in (("a", "x"), ("b", "y"), ("a", "z")):
        ask(engine, starting(note=note, reference_id=reference_id))
    ids = [nth(engine, number) for number in (3, 2, 1)]

    def listed(query):
        return ask(engine, persona_request(f"{INQUIRIES}?{query}")).json()

    def ids_of(body):
        return [inquiry["id"] for inquiry in body["data"]]

    assert ids_of(listed("")) == ids
    assert ids_of(listed("filter[note]=a")) == [ids[0], ids[2]]
    assert ids_of(listed("filter[reference-id]=y,x")) == ids[1:]
    assert ids_of(listed("filter[reference-id]=w")) == []
    page = listed("page[size]=2")
    assert ids_of(page) == ids[:2]
    following = ask(engine, persona_request(page["links"]["next"])).json()
    assert ids_of(following) == ids[2:]
    assert following["links"]["next"] is None
    assert ids_of(listed("page[size]=0")) == [ids[0]]


@pytest.mark.parametrize("name", ["page[before]", "filter[status]", "filter[created-at-end]"])
def test_filter_or_cursor_that_the_mock_does_not_read_has_a_hint(engine, name):
    ask(engine, starting())
    answer = ask(engine, persona_request(f"{INQUIRIES}?{name}=today"))
    assert len(answer.json()["data"]) == 1
    assert name in answer.header("X-Facematch-Hint")


@pytest.mark.parametrize(
    "query",
    [
        "filter[note]=a&filter[status]=created",
        "filter[age]=17",
        "page[number]=2",
        "page[size]=many",
    ],
)
def test_list_refuses_names_and_values_that_persona_does_not_have(engine, query):
    assert ask(engine, persona_request(f"{INQUIRIES}?{query}")).status == 400


@pytest.mark.parametrize("name", ["created-at", "createdAt", "created_at"])
def test_answer_has_only_the_fields_that_are_asked_for(engine, people, name):
    ask(engine, starting())
    people.finish(nth(engine, 1), card="p1", document="p1")
    query = f"include=verifications&fields[inquiry]=status,{name}"
    query += "&fields[verification/selfie]=status"
    body = ask(engine, persona_request(f"{INQUIRIES}/{nth(engine, 1)}?{query}")).json()
    assert list(body["data"]["attributes"]) == ["status", "created-at"]
    assert "relationships" in body["data"]
    names = {each["type"]: set(each["attributes"]) for each in body["included"]}
    assert names["verification/selfie"] == {"status"}
    assert names["verification/government-id"] > {"status"}


# Links and the person


@pytest.mark.parametrize("action", ["generate-one-time-link", "resume"])
def test_finished_inquiry_gets_no_link(engine, action):
    ask(engine, starting())
    control_of(engine).sessions.decide(nth(engine, 1), "approved")
    refused = act(engine, f"/{action}")
    assert (refused.status, error_of(refused)) == (409, ("Conflict", "Inquiry is approved"))


def test_inquiry_has_at_most_25_sessions(engine):
    ask(engine, starting({"auto-create-one-time-link": True}))
    for _ in range(24):
        assert act(engine, "/generate-one-time-link").status == 200
    assert act(engine, "/generate-one-time-link").status == 422
    ask(engine, starting())
    assert ask(engine, exhausted(2)).status == 422


def test_inquiry_expires_by_the_clock_and_lives_on_if_resumed(engine, control):
    meta = {
        "expiration-after-create-interval-seconds": 60,
        "expiration-after-start-interval-seconds": 100,
        "expiration-after-resume-interval-seconds": 200,
    }
    ask(engine, starting(meta))
    control.advance(59)
    assert shown(engine)["status"] == "created"
    ask(engine, control_request("sessions/act", {"session_id": nth(engine, 1), "do": "begin"}))
    begun = shown(engine)
    assert (begun["status"], begun["started-at"] is None) == ("pending", False)
    control.advance(99)
    assert shown(engine)["status"] == "pending"
    control.advance(1)
    expired = shown(engine)
    assert (expired["status"], expired["expired-at"] is None) == ("expired", False)
    resumed = act(engine, "/resume")
    assert (attributes_of(resumed)["status"], attributes_of(resumed)["expired-at"]) == (
        "pending",
        None,
    )
    control.advance(199)
    assert shown(engine)["status"] == "pending"
    control.advance(1)
    assert shown(engine)["status"] == "expired"


@pytest.mark.parametrize(
    ("card", "document", "status"),
    [
        ("p1-again", "p1", "approved"),
        ("p2", "p1", "declined"),
        ("spoof", "p1", "declined"),
        ("p1", "no-face", "declined"),
    ],
)
def test_workflow_decides_by_the_checks_of_the_face(engine, people, card, document, status):
    people.finish(start(engine), card=card, document=document)
    attributes = shown(engine)
    assert attributes["status"] == status
    assert attributes["decisioned-at"]
    assert attributes["completed-at" if status == "approved" else "failed-at"]


def test_inquiry_whose_liveness_is_not_required_is_approved_without_it():
    engine = made_with(liveness="not_required")
    control_of(engine).sessions.finish(start(engine), card="spoof", document="spoof")
    answer = ask(engine, reading(1))
    _, selfie = answer.json()["included"]
    checks = {check["name"]: check for check in selfie["attributes"]["checks"]}
    assert attributes_of(answer)["status"] == "approved"
    assert checks["selfie_liveness_detection"]["status"] == "failed"
    assert checks["selfie_liveness_detection"]["reasons"] == ["low_liveness_confidence"]


def test_each_failed_attempt_is_a_failed_verification(engine, people):
    inquiry_id = start(engine)
    for _ in range(2):
        assert people.fail_attempt(inquiry_id).status == "pending"
    included = ask(engine, reading(1)).json()["included"]
    assert [each["attributes"]["status"] for each in included] == ["failed"] * 2


def test_page_of_the_link_returns_to_the_redirect_uri(engine, people):
    inquiry_id = start(
        engine, redirect_uri="http://127.0.0.1/back?a=1#b", reference_id="customer-17"
    )
    link = act(engine, "/generate-one-time-link").json()["meta"]
    session = people.finish(inquiry_id, document="p1")
    assert link["one-time-link"].endswith(session.hosted.token)
    rules = engine.world.behaviour.session_rules
    assert rules.return_url(session) == (
        f"http://127.0.0.1/back?a=1&inquiry-id={inquiry_id}&status=approved"
        "&reference-id=customer-17#b"
    )
    assert rules.return_url(engine.world.sessions.find(start(engine))) is None


# The web SDK


def page_of(answer):
    """The path of the page to which a frame is redirected, without its token, and its query."""
    path, _, query = answer.header("location").partition("?")
    return path.rpartition("/"), query


def test_web_sdk_opens_a_created_inquiry_by_its_id(engine):
    start(engine)
    answer = ask(engine, framed(1, **{"container-id": "a b"}))
    (folder, _, token), query = page_of(answer)
    assert (answer.status, folder) == (303, "/__mock__/person/main/web/persona/session")
    assert token == engine.world.sessions.find(nth(engine, 1)).hosted.token
    assert query == f"inquiry-id={nth(engine, 1)}&container-id=a+b"
    assert shown(engine)["status"] == "created"


def test_web_sdk_opens_an_inquiry_that_has_begun_by_its_session_token(engine):
    start(engine)
    control_of(engine).sessions.fail_attempt(nth(engine, 1))
    token = act(engine, "/resume").json()["meta"]["session-token"]
    for query in ({}, {"session-token": "other"}):
        (_, _, page), _ = page_of(ask(engine, framed(1, **query)))
        assert page == "unknown"
    (_, _, page), _ = page_of(ask(engine, framed(1, **{"session-token": token})))
    assert page == engine.world.sessions.find(nth(engine, 1)).hosted.token


def test_created_inquiry_is_resumed_and_stays_created(engine):
    start(engine)
    resumed = act(engine, "/resume")
    assert (resumed.status, attributes_of(resumed)["status"]) == (200, "created")
    token = resumed.json()["meta"]["session-token"]
    (_, _, page), _ = page_of(ask(engine, framed(1, **{"session-token": token})))
    assert page == engine.world.sessions.find(nth(engine, 1)).hosted.token


def test_web_sdk_of_an_unknown_inquiry_gets_a_page_without_a_session(engine):
    for step in (framed(9), persona_request("/widget?inquiry-template-id=itmpl_x", key=None)):
        (folder, _, page), _ = page_of(ask(engine, step))
        assert (folder, page) == ("/__mock__/person/main/web/persona/session", "unknown")


def test_link_that_a_program_writes_leads_to_the_person_and_back(engine):
    start(engine)
    inquiry_id = nth(engine, 1)
    query = urlencode({"inquiry-id": inquiry_id, "redirect-uri": "https://shop.example/done"})
    (folder, _, page), _ = page_of(ask(engine, persona_request(f"/verify?{query}", key=None)))
    hosted = engine.world.sessions.find(inquiry_id).hosted
    assert (folder, page) == ("/__mock__/person/main/session", hosted.token)
    assert hosted.callback == "https://shop.example/done"
    control_of(engine).sessions.fail_attempt(inquiry_id)
    answer = ask(engine, persona_request(f"/verify?{query}", key=None))
    assert page_of(answer)[0][2] == "unknown"
    assert "session-token" in answer.header("X-Facematch-Hint")


def test_web_sdk_opens_an_inquiry_of_another_account(engine):
    key = next(iter(engine.accounts.open("team-b").first_keys["persona"]))
    inquiry_id = ask(engine, starting(key=key)).json()["data"]["id"]
    answer = ask(engine, persona_request(f"/widget?inquiry-id={inquiry_id}", key=None))
    (folder, _, page), _ = page_of(answer)
    assert folder == "/__mock__/person/team-b/web/persona/session"
    assert page != "unknown"


# Redaction


def test_redacted_inquiry_keeps_its_status_and_loses_the_person(engine, people):
    inquiry_id = start(engine, note="a-note", tags=["vip"], reference_id="customer-17")
    people.document(inquiry_id, full_name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
    people.finish(inquiry_id, document="p1")
    assert b"Lovelace" in ask(engine, reading(1)).body
    assert ask(engine, about(1, method="DELETE")).status == 200
    after = ask(engine, reading(1))
    attributes = attributes_of(after)
    assert (attributes["status"], attributes["note"], attributes["tags"]) == ("approved", None, [])
    assert attributes["redacted-at"]
    for text in ("Lovelace", "Ada", "1980", "customer-17", "https://files"):
        assert text not in after.body.decode()
    assert engine.world.sessions.find(inquiry_id).pictures == {}
    for step in (about(1, method="DELETE"), about(1, "/resume", method="POST")):
        refused = ask(engine, step)
        assert (refused.status, error_of(refused)) == (
            409,
            ("Conflict", "Inquiry already redacted"),
        )


def test_open_inquiry_expires_when_it_is_redacted(engine, people):
    inquiry_id = start(engine)
    ask(engine, about(1, method="DELETE"))
    with pytest.raises(ValueError, match="expired"):
        people.finish(inquiry_id)
    assert ask(engine, about(9, method="DELETE")).status == 404


# Webhooks


def deliver(engine, *answers):
    """Deliver what is due; return the events of what was sent, in order."""
    letters = carry(engine, *answers)
    return [json.loads(letter.body)["data"]["attributes"]["name"] for _, letter, _ in letters]


def listen(engine, **changes):
    return control_of(engine).webhooks.add(HOOK, **{"secret": SECRET, **changes})


def test_each_status_is_told_and_a_decision_after_its_end(engine, people):
    listen(engine)
    people.finish(start(engine), document="p1")
    ask(engine, about(1, method="DELETE"))
    events = [json.loads(letter.body)["data"] for _, letter, _ in carry(engine)]
    told = []
    for event in events:
        about_it = event["attributes"]["payload"]["data"]["attributes"]
        told.append(f"{event['attributes']['name']} {about_it['status']}")
    assert told == [
        "inquiry.created created",
        "inquiry.started pending",
        "verification.passed passed",
        "inquiry.completed completed",
        "inquiry.approved approved",
        "inquiry.redacted approved",
    ]
    assert len({event["id"] for event in events}) == 6


def test_event_includes_account_templates_session_and_the_document_with_its_checks(engine, people):
    listen(engine)
    people.finish(start(engine), document="p1")
    events = [json.loads(letter.body)["data"]["attributes"] for _, letter, _ in carry(engine)]
    payloads = {event["name"]: event["payload"] for event in events}
    included = {}
    for resource in payloads["inquiry.completed"]["included"]:
        included[resource["type"]] = resource
    assert set(included) == {
        "account",
        "document/government-id",
        "inquiry-session",
        "inquiry-template",
        "inquiry-template-version",
        "verification/government-id",
        "verification/selfie",
    }
    related = payloads["inquiry.completed"]["data"]["relationships"]
    for name in ("account", "inquiry-template", "inquiry-template-version"):
        assert related[name]["data"]["id"] == included[name]["id"]
    (person_session,) = related["sessions"]["data"]
    assert person_session["id"] == included["inquiry-session"]["id"]
    checks = included["verification/government-id"]["attributes"]["checks"]
    assert len(checks) == 35
    assert {check["status"] for check in checks} == {"passed", "not_applicable"}
    assert "inquiry-session" not in str(payloads["inquiry.created"]["included"])


def test_document_without_a_face_fails_at_its_portrait(engine, people):
    people.finish(start(engine), document="no-face")
    answer = ask(engine, reading(1))
    (document, _) = answer.json()["included"]
    failed = [each for each in document["attributes"]["checks"] if each["status"] == "failed"]
    assert [each["name"] for each in failed] == ["id_portrait_detection"]


def test_retry_tells_the_attempts_made_and_left(engine, control):
    listen(engine, events=["inquiry.created"])
    ask(engine, starting())
    carry(engine, 500)
    control.advance(3)
    ((_, letter, _),) = carry(engine)
    headers = dict(letter.headers)
    assert headers["Persona-Webhook-Attempts-Made"] == "2"
    assert headers["Persona-Webhook-Attempts-Left"] == "6"


def test_receiver_gets_only_the_events_that_it_asked_for(engine):
    listen(engine, events=["inquiry.approved"])
    ask(engine, starting())
    control_of(engine).sessions.decide(nth(engine, 1), "approved")
    assert deliver(engine) == ["inquiry.approved"]


def backend_of(secret):
    return PersonaBackend(api_key="k", template_id=TEMPLATE, webhook_secrets=secret)


def test_both_secrets_sign_during_a_rotation(engine):
    added = listen(engine)
    rolled = control_of(engine).webhooks.roll(added.uuid)
    assert rolled.secret.startswith("wbhsec_")
    ask(engine, starting())
    ((_, letter, _),) = carry(engine)
    headers = dict(letter.headers)
    assert len(headers["Persona-Signature"].split(" ")) == 2
    now = engine.world.clock.now()
    for secret in (rolled.secret, SECRET):
        (hint,) = backend_of(secret).receive_session(letter.body, headers, now)
        assert hint.session_id == nth(engine, 1)


@pytest.mark.parametrize(
    ("include", "is_hinted"), [("", False), ("verifications", False), ("account", True)]
)
def test_inquiry_with_what_the_mock_does_not_include_has_a_hint(engine, include, is_hinted):
    ask(engine, starting())
    answer = ask(engine, persona_request(f"{INQUIRIES}/{nth(engine, 1)}?include={include}"))
    assert answer.status == 200
    assert ("includes" in (answer.header("X-Facematch-Hint") or "")) is is_hinted


def test_new_inquiry_of_an_older_version_has_only_the_meta_that_was_asked_for(engine):
    attributes = {"inquiry-template-id": TEMPLATE}
    older = {"persona_version": "2023-01-05"}
    body = {"data": {"attributes": attributes}}
    assert "meta" not in ask(engine, persona_request(body=body, **older)).json()
    body["meta"] = {"auto-create-one-time-link": True}
    answer = ask(engine, persona_request(body=body, **older)).json()
    assert answer["meta"].keys() == {"one-time-link", "one-time-link-short"}


def test_new_inquiry_has_no_step_before_it_and_all_fields_of_its_template(engine):
    attributes = attributes_of(ask(engine, starting()))
    assert attributes["previous-step-name"] is None
    assert len(attributes["fields"]) == 19
    assert attributes["fields"]["current-selfie"] == {"type": "selfie", "value": None}
    assert len(attributes["behaviors"]) == 14


@pytest.mark.parametrize(("version", "status"), [("2023-01-05", 201), ("2025-12-08", 400)])
def test_new_inquiry_of_an_older_version_may_have_other_attributes(engine, version, status):
    started = starting_with({"persona_version": version}, name_first="Ada")
    assert engine.handle(started).status == status
