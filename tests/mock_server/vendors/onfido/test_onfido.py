"""What the mock answers as Onfido."""

import base64
import datetime as dt
import json
import uuid

import pytest
from kit.mock_webhooks import carry
from kit.mock_world import new_engine, request_to
from vendors.onfido import (
    APPLICANTS,
    HOOK,
    LIVE_TOKEN,
    NAME,
    NOBODY,
    RUNS,
    SANDBOX_TOKEN,
    WEBHOOKS,
    WORKFLOW,
    ask,
    login,
    new_applicant,
    on_its_applicant,
    on_newest,
    sdk_token,
    sdk_token_by_form,
    start,
)

from facematch_mock_server.base.signing import hmac_hex
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.identities import alpha_3, make_identity

TAG = "5" * 32


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="onfido")


@pytest.fixture
def run_id(engine):
    """The id of a new run."""
    return start(engine).json()["id"]


def test_run_has_the_documented_fields_and_waits_for_the_person(engine):
    answer = start(engine, tags=[TAG])
    run = answer.json()
    assert answer.status == 201
    assert run["status"] == "awaiting_input"
    assert run["workflow_id"] == WORKFLOW
    assert run["tags"] == [TAG]
    assert (run["output"], run["error"], run["reasons"]) == (None, None, [])
    assert run["link"]["url"].startswith("http://127.0.0.1:8000/")
    assert run["link"]["expires_at"] is None
    assert engine.handle(ask(f"{RUNS}/{run['id']}")).json() == run


def test_link_and_sdk_token_show_the_request(engine):
    link = {
        "expires_at": "2030-01-01T00:00:00+00:00",
        "language": "de_DE",
        "completed_redirect_url": "https://shop.example/back",
    }
    run = start(engine, link=link).json()
    assert {name: run["link"][name] for name in link} == link
    assert urls_in(run["sdk_token"]) == {"http://127.0.0.1:8000"}


def urls_in(token):
    """The hosts that the web SDK calls, read from its token as onfido-sdk-ui 13.8.7 does."""
    content = token.split(".")[1].replace("-", "+", 1).replace("_", "/", 1)
    claims = json.loads(base64.b64decode(content + "=" * (-len(content) % 4)))
    assert claims["payload"]["app"]
    assert claims["exp"] > 0
    urls = claims["urls"]
    names = ("onfido_api_url", "telephony_url", "hosted_sdk_url", "detect_document_url", "sync_url")
    assert set(urls) == set(names)
    return set(urls.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("applicant_id", "x"),
        ("applicant_id", NOBODY),
        ("workflow_id", "x"),
        ("workflow_id", None),
        ("tags", "x"),
        ("tags", [""]),
        ("tags", ["x" * 129]),
        ("tags", ["x"] * 31),
        ("customer_user_id", "x" * 257),
        ("link", "x"),
        ("link", {"language": "en"}),
        ("link", {"expires_at": "tomorrow"}),
        ("link", {"expires_at": "2030-01-01T00:00:00"}),
    ],
)
def test_invalid_field_of_a_start_is_422_and_is_named(engine, field, value):
    body = {"applicant_id": new_applicant(engine), "workflow_id": WORKFLOW, field: value}
    answer = engine.handle(ask(RUNS, body))
    assert answer.status == 422
    error = answer.json()["error"]
    assert error["message"] == "There was a validation error on this request"
    assert list(error["fields"]) == [field]
    assert engine.world.sessions.all() == ()


@pytest.mark.parametrize("name", [{}, {"first_name": "A"}, NAME | {"last_name": "<b>"}])
def test_applicant_needs_two_names_without_marks(engine, name):
    assert engine.handle(ask(APPLICANTS, name)).status == 422


ADDRESS = {"postcode": "S2 2DF", "country": "GBR"}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("address", "x", "address"),
        ("address", {"country": "GBR"}, "address.postcode"),
        ("address", {"postcode": "S2 2DF"}, "address.country"),
        ("address", ADDRESS | {"country": "GB"}, "address.country"),
        ("address", ADDRESS | {"line1": "a*b"}, "address.line1"),
        ("dob", "31/01/1990", "dob"),
        ("dob", 1990, "dob"),
        ("dob", "19900131", "dob"),
        ("dob", "1990-02-30", "dob"),
        ("location", [], "location"),
        ("location", {"country_of_residence": "gbr"}, "location.country_of_residence"),
        ("id_numbers", {"type": "ssn"}, "id_numbers"),
        ("id_numbers", [{"type": "shoe size"}], "id_numbers"),
        ("consents", [{"name": "cookies", "granted": True}], "consents"),
        ("consents", [{"name": "privacy_notices_read"}], "consents"),
        ("consents", [{"granted": True}], "consents"),
    ],
)
def test_invalid_field_of_an_applicant_is_422_and_is_named(engine, field, value, problem):
    answer = engine.handle(ask(APPLICANTS, NAME | {field: value}))
    assert answer.status == 422
    named = answer.json()["error"]["fields"]
    for name in problem.split("."):
        assert list(named) == [name]
        named = named[name]
    (text,) = named
    assert text


def test_applicant_may_have_all_fields_of_the_specification(engine):
    fields = {
        "dob": "1990-01-31",
        "address": ADDRESS | {"line1": "1 Main St."},
        "location": {"ip_address": "127.0.0.1", "country_of_residence": "GBR"},
        "id_numbers": [{"type": "ssn", "value": "433-54-3937"}],
    }
    consents = [{"name": "privacy_notices_read", "granted": True}]
    made = engine.handle(ask(APPLICANTS, NAME | fields | {"consents": consents})).json()
    assert {name: made[name] for name in fields} == fields
    nulls = dict.fromkeys((*fields, "consents"))
    assert engine.handle(ask(APPLICANTS, NAME | nulls)).status == 201


def test_same_person_is_approved_with_both_reports(engine, people, run_id):
    people.finish(run_id, card="p1-again", document="p1")
    run = on_newest()(engine).json()
    assert run["status"] == "approved"
    assert run["sdk_token"] is None
    selfie = run["output"]["selfie"]
    assert selfie["result"] == "clear"
    comparison = selfie["breakdown"]["face_comparison"]
    assert comparison["result"] == "clear"
    (spoofing,) = selfie["breakdown"]["visual_authenticity"]["breakdown"].values()
    assert selfie["properties"]["score"] == spoofing["properties"]["score"] > 0.5
    assert 0.5 < comparison["breakdown"]["face_match"]["properties"]["score"] <= 1
    document = run["output"]["doc"]
    assert document["result"] == "clear"
    assert document["breakdown"]["visual_authenticity"]["result"] == "clear"


def test_person_acts_in_a_run_whose_id_is_the_clients_uuid(engine, people, run_id):
    """`onfido-python` returns ids as UUIDs."""
    id_of_client = uuid.UUID(run_id)
    people.document(id_of_client, full_name="ADA LOVELACE")
    people.on_open(id_of_client, outcome="p1")
    assert people.finish(id_of_client).id == run_id
    assert people.decide(id_of_client, "declined").status == "declined"
    assert on_newest()(engine).json()["status"] == "declined"


@pytest.mark.parametrize(
    ("card", "part"),
    [("p2", "face_comparison"), ("spoof", "visual_authenticity"), ("no-face", "image_integrity")],
)
def test_other_person_spoof_or_no_face_is_declined_by_that_part(engine, people, run_id, card, part):
    people.finish(run_id, card=card, document="p1")
    run = on_newest()(engine).json()
    assert run["status"] == "declined"
    assert run["output"]["selfie"]["result"] == "consider"
    assert run["output"]["selfie"]["breakdown"][part]["result"] == "consider"


def test_report_of_a_card_has_the_identity_of_its_person(engine, people, run_id):
    people.finish(run_id, "p1-again", "p1")
    person = make_identity("p1")
    properties = on_newest()(engine).json()["output"]["doc"]["properties"]
    assert properties["last_name"] == person["last_name"]
    assert properties["issuing_country"] == alpha_3(person["issuing_country"])
    assert person["city"] in properties["address"]
    assert properties["document_type"] == "passport"
    assert properties["gender"] == person["gender"].capitalize()
    assert properties["nationality"] == alpha_3(person["nationality"])
    assert properties["date_of_expiry"] == person["expiration_date"]
    assert properties["document_numbers"] == [
        {"type": "document_number", "value": person["document_number"]}
    ]


def test_values_of_the_document_are_properties_of_its_report(engine, people, run_id):
    people.finish(run_id)
    people.document(
        run_id,
        full_name="Ada Mary Lovelace",
        date_of_birth=dt.date(1980, 1, 2),
        date_of_issue=dt.date(2020, 3, 4),
        expiration_date=dt.date(2030, 3, 3),
        document_number="X1234567",
    )
    properties = on_newest()(engine).json()["output"]["doc"]["properties"]
    assert properties == {
        "first_name": "Ada Mary",
        "last_name": "Lovelace",
        "date_of_birth": "1980-01-02",
        "issuing_date": "2020-03-04",
        "date_of_expiry": "2030-03-03",
        "document_numbers": [{"type": "document_number", "value": "X1234567"}],
        "document_type": "passport",
    }


def test_expired_link_abandons_the_run(engine):
    expires_at = engine.world.clock.now() + dt.timedelta(minutes=10)
    start(engine, link={"expires_at": expires_at.isoformat()})
    start(engine)
    engine.world.clock.advance(601)
    statuses = [run["status"] for run in engine.handle(ask(RUNS)).json()]
    assert statuses == ["awaiting_input", "abandoned"]


def test_repr_of_an_applicant_shows_none_of_its_values(engine):
    person = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@shop.example"}
    assert engine.handle(ask(APPLICANTS, person)).status == 201
    shown = repr(engine.world.records.applicants.all())
    assert "created_at" in shown
    for value in person.values():
        assert value not in shown


def test_runs_are_listed_by_tags_newest_first(engine):
    first = start(engine, tags=["a", "b"]).json()
    second = start(engine, tags=["b"]).json()

    def listed(**query):
        return [run["id"] for run in engine.handle(ask(RUNS, **query)).json()]

    both = [second["id"], first["id"]]
    assert listed() == listed(tags="b") == both
    assert listed(tags="a,b") == listed(tags="a") == [first["id"]]
    assert listed(tags="c") == listed(page=2) == []
    ignored = engine.handle(ask(RUNS, status="approved", sort="asc"))
    assert [run["id"] for run in ignored.json()] == both
    assert "sort, status" in ignored.header("X-Facematch-Hint")


def test_deleted_applicant_and_its_runs_are_gone(engine, people, run_id):
    people.finish(run_id)
    assert on_its_applicant(method="DELETE")(engine).status == 204
    assert on_its_applicant()(engine).status == 410
    assert on_newest()(engine).status == 404
    assert engine.handle(ask(RUNS)).json() == []


def test_open_run_of_a_deleted_applicant_is_abandoned_without_a_webhook(engine, people, run_id):
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    on_its_applicant(method="DELETE")(engine)
    with pytest.raises(ValueError, match="abandoned"):
        people.finish(run_id)
    assert carry(engine) == []


@pytest.mark.parametrize("header", [None, "Token token=nobody", "Bearer nobody", "nobody"])
def test_wrong_token_is_401(engine, header):
    request = ask(APPLICANTS, token=None)
    if header is not None:
        request = request_to(APPLICANTS, method="GET", key=None, authorization=header)
    answer = engine.handle(request)
    assert answer.status == 401
    assert answer.json()["error"]["type"] == "authorization_error"


@pytest.mark.parametrize(("token", "is_sandbox"), [(LIVE_TOKEN, False), (SANDBOX_TOKEN, True)])
def test_applicant_tells_the_environment_of_its_token(engine, token, is_sandbox):
    start(engine, token=token)
    assert on_its_applicant(token=token)(engine).json()["sandbox"] is is_sandbox


def test_token_of_the_other_environment_sees_neither_applicants_nor_runs(engine, people, run_id):
    people.finish(run_id)
    assert on_newest(token=SANDBOX_TOKEN)(engine).status == 404
    assert engine.handle(ask(RUNS, token=SANDBOX_TOKEN)).json() == []
    applicant_id = engine.world.sessions.all()[-1].internal_id
    assert start(engine, token=SANDBOX_TOKEN, applicant_id=applicant_id).status == 422
    assert engine.handle(sdk_token(applicant_id, token=SANDBOX_TOKEN)).status == 422
    for how in ({}, {"method": "DELETE"}):
        assert on_its_applicant(token=SANDBOX_TOKEN, **how)(engine).status == 404
    assert on_newest()(engine).json()["status"] == "approved"


@pytest.mark.parametrize("act", ["finish", "abandon", "expire"])
def test_updated_at_is_the_time_of_the_last_status(engine, people, run_id, act):
    started_at = on_newest()(engine).json()["created_at"]
    engine.world.clock.advance(60)
    getattr(people, act)(run_id)
    ended = on_newest()(engine).json()
    assert ended["created_at"] == started_at < ended["updated_at"]
    engine.world.clock.advance(60)
    people.decide(run_id, "review")
    assert on_newest()(engine).json()["updated_at"] > ended["updated_at"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_sdk_token_is_made_for_an_applicant(engine, slash):
    answer = engine.handle(sdk_token(new_applicant(engine), slash=slash))
    assert answer.status == 200
    assert urls_in(answer.json()["token"]) == {"http://127.0.0.1:8000"}
    assert engine.handle(sdk_token(NOBODY, slash=slash)).status == 422
    assert engine.handle(sdk_token(NOBODY, token="api_live.nobody")).status == 401


def test_sdk_token_takes_a_form(engine):
    assert engine.handle(sdk_token_by_form(new_applicant(engine))).json()["token"]
    assert engine.handle(sdk_token_by_form(NOBODY)).status == 422


def test_ping_is_plain_text(engine):
    answer = engine.handle(ask("/v3.6/ping"))
    assert (answer.status, answer.header("Content-Type")) == (200, "text/plain")


def test_slash_at_the_end_of_a_path_is_ignored(engine):
    applicant = engine.handle(ask(f"{APPLICANTS}/", NAME)).json()
    body = {"applicant_id": applicant["id"], "workflow_id": WORKFLOW}
    run = engine.handle(ask(f"{RUNS}/", body)).json()
    assert engine.handle(ask(f"{RUNS}/{run['id']}/")).json() == run
    assert engine.handle(ask(f"{WEBHOOKS}/", {"url": HOOK})).status == 201


@pytest.mark.parametrize("change", [{"client_id": "x"}, {"client_secret": "x"}])
def test_wrong_login_is_401(engine, change):
    assert engine.handle(login(**change)).status == 401


def test_webhook_is_made_with_its_token(engine):
    made = engine.handle(ask(WEBHOOKS, {"url": HOOK, "name": "shop"}))
    assert made.status == 201
    assert made.json()["token"]
    assert made.json()["enabled"] is True
    assert made.json()["name"] == "shop"
    assert "workflow_run.completed" in made.json()["events"]
    assert engine.handle(ask(f"{WEBHOOKS}/{made.json()['id']}")).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://shop.example/hook"},
        {"url": 1},
        {"events": ["nothing.happened"]},
        {"enabled": "yes"},
        {"environments": ["production"]},
        {"environments": "live"},
        {"name": 1},
    ],
)
def test_invalid_webhook_is_422(engine, change):
    assert engine.handle(ask(WEBHOOKS, {"url": HOOK} | change)).status == 422


@pytest.mark.parametrize("act", ["finish", "abandon", "expire"])
def test_end_of_a_run_is_told(engine, people, act):
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    run = start(engine, tags=[TAG]).json()
    getattr(people, act)(run["id"])
    ((_, letter, _),) = carry(engine)
    payload = json.loads(letter.body)["payload"]
    assert payload["resource_type"] == "workflow_run"
    assert payload["action"] == "workflow_run.completed"
    assert payload["object"]["id"] == payload["resource"]["id"] == run["id"]
    assert payload["resource"]["tags"] == [TAG]
    assert payload["object"]["status"] == on_newest()(engine).json()["status"]


@pytest.mark.parametrize(
    ("events", "is_hinted"),
    [
        ([], False),
        (["check.started", "check.completed"], False),
        (["check.started", "workflow_task.completed"], True),
    ],
)
def test_webhook_that_gets_nothing_from_the_mock_has_a_hint(engine, events, is_hinted):
    answer = engine.handle(ask(WEBHOOKS, {"url": HOOK, "events": events}))
    assert answer.status == 201
    assert ("sends only" in (answer.header("X-Facematch-Hint") or "")) is is_hinted


def test_webhook_of_one_environment_gets_no_event_of_the_other(engine, people):
    for environments in (["live"], ["sandbox"], ["live", "sandbox"], []):
        engine.handle(ask(WEBHOOKS, {"url": HOOK, "environments": environments}))
    people.finish(start(engine).json()["id"])
    secrets = [each.secret for each in engine.world.outbox.destinations.all()]
    signers = []
    for _, letter, _ in carry(engine):
        signature = dict(letter.headers)["X-SHA2-Signature"]
        signers.append([hmac_hex(secret, letter.body) for secret in secrets].index(signature))
    assert signers == [0, 2, 3]


def test_revised_decision_is_told_again(engine, people, run_id):
    engine.handle(ask(WEBHOOKS, {"url": HOOK}))
    people.finish(run_id)
    people.decide(run_id, "declined")
    told = [json.loads(letter.body)["payload"]["object"] for _, letter, _ in carry(engine)]
    assert [event["status"] for event in told] == ["approved", "declined"]
    with pytest.raises(ValueError, match="unknown status"):
        people.decide(run_id, "Approved")


def test_failed_run_shows_its_error(engine, people, run_id):
    people.decide(run_id, "error")
    run = on_newest()(engine).json()
    assert run["status"] == "error"
    assert set(run["error"]) == {"type", "message"}


@pytest.mark.parametrize(
    "request_",
    [
        ask(f"{RUNS}/{NOBODY}/tasks"),
        ask(f"{RUNS}/not-a-uuid"),
        ask(f"{RUNS}/{NOBODY}"),
        ask(f"{RUNS}/{NOBODY}", method="DELETE"),
        ask(f"{APPLICANTS}/{NOBODY}"),
    ],
)
def test_other_paths_and_methods_are_404(engine, request_):
    assert engine.handle(request_).status == 404
