"""What public programs ask of Persona besides: keys in other casings, tags, documents, accounts."""

import json
from urllib.parse import urlsplit

import pytest
from kit.cards import CARDS
from kit.mock_webhooks import carry, listen
from kit.mock_world import ask, control_of, new_engine
from vendors.persona import INQUIRIES as PATH
from vendors.persona import (
    LIVE,
    SANDBOX,
    TEMPLATE,
    about,
    persona_request,
    reading,
    starting,
)

from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.identities import make_identity


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="persona")


def start(engine, key=LIVE, meta=None, **attributes):
    answer = ask(engine, starting(meta, key=key, **attributes))
    assert answer.status == 201
    return answer.json()["data"]


def attributes_of(answer):
    return answer.json()["data"]["attributes"]


# Casing


@pytest.mark.parametrize(
    ("template", "reference"),
    [
        ("inquiryTemplateId", "referenceId"),
        ("inquiry_template_id", "reference_id"),
        ("inquiry-template-id", "reference-id"),
    ],
)
def test_request_may_have_keys_in_three_casings(engine, template, reference):
    fields = {"nameFirst": "Ada", "name_last": "Lovelace"}
    sent = {template: TEMPLATE, reference: "user-2", "fields": fields}
    answer = ask(engine, persona_request(body={"data": {"attributes": sent}}))
    assert answer.status == 201
    assert attributes_of(answer)["reference-id"] == "user-2"
    # The keys inside fields are taken as sent.
    assert {"nameFirst", "name_last"} <= set(attributes_of(answer)["fields"])


def test_unknown_key_is_named_as_it_was_sent(engine):
    answer = ask(engine, persona_request(body={"data": {"attributes": {"pictureUrl": "x"}}}))
    (error,) = answer.json()["errors"]
    assert error["details"] == "data.attributes.pictureUrl is not permitted"


def test_meta_may_have_keys_in_camel_case(engine):
    start(engine)
    assert ask(engine, about(1, "/add-tag", {"meta": {"tagName": "seen"}})).status == 200


# Fields


def test_fields_are_as_sent_until_the_document_fills_them(engine):
    inquiry = start(engine, fields={"name-first": "Grace", "vip": True, "visits": 3})
    fields = attributes_of(ask(engine, reading(1)))["fields"]
    assert fields["name-first"] == {"type": "string", "value": "Grace"}
    assert fields["vip"] == {"type": "boolean", "value": True}
    assert fields["visits"] == {"type": "number", "value": 3}
    sessions = control_of(engine).sessions
    sessions.document(inquiry["id"], first_name="Ada")
    sessions.finish(inquiry["id"], "p1", "p1")
    assert attributes_of(ask(engine, reading(1)))["fields"]["name-first"]["value"] == "Ada"
    ask(engine, about(1, method="DELETE"))
    fields = attributes_of(ask(engine, reading(1)))["fields"]
    assert "vip" not in fields
    assert fields["name-first"]["value"] is None


# Tags


def tag(engine, name, **more):
    return ask(engine, about(1, "/add-tag", {"meta": {"tag-name": name}}, **more))


def test_tags_are_added_once(engine):
    start(engine)
    assert attributes_of(tag(engine, "seen"))["tags"] == ["seen"]
    assert attributes_of(tag(engine, "seen"))["tags"] == ["seen"]
    assert attributes_of(tag(engine, "late"))["tags"] == ["seen", "late"]
    assert attributes_of(ask(engine, reading(1)))["tags"] == ["seen", "late"]


@pytest.mark.parametrize("meta", [{}, {"tag-name": 7}, {"tag-id": "tag_1"}, {"colour": "red"}])
def test_tag_that_is_no_name_is_refused(engine, meta):
    start(engine)
    assert ask(engine, about(1, "/add-tag", {"meta": meta})).status == 400
    assert attributes_of(ask(engine, reading(1)))["tags"] == []


def test_tag_needs_the_inquiry_and_its_environment(engine):
    start(engine)
    assert tag(engine, "a", key=None).status == 401
    assert tag(engine, "a", key=SANDBOX).status == 404
    ask(engine, about(1, method="DELETE"))
    assert tag(engine, "a").status == 409


# Documents


def documents_of(engine, key=LIVE):
    return ask(engine, reading(1, key)).json()["data"]["relationships"]["documents"]["data"]


def read_document(engine, document_id, key=LIVE):
    path = f"/api/v1/document/government-ids/{document_id}"
    return ask(engine, persona_request(path, key=key))


def test_checked_document_has_its_values_and_its_picture(engine):
    inquiry = start(engine)
    assert documents_of(engine) == []
    sessions = control_of(engine).sessions
    sessions.document(inquiry["id"], last_name="Lovelace", document_number="X1")
    sessions.finish(inquiry["id"], "p1", "p2")
    (named,) = documents_of(engine)
    document = read_document(engine, named["id"]).json()["data"]
    assert document["type"] == named["type"] == "document/government-id"
    attributes = document["attributes"]
    assert (attributes["name-last"], attributes["document-number"]) == ("Lovelace", "X1")
    assert attributes["front-photo"]["byte-size"] > 1000
    assert document["relationships"]["inquiry"]["data"]["id"] == inquiry["id"]
    ask(engine, about(1, method="DELETE"))
    attributes = read_document(engine, named["id"]).json()["data"]["attributes"]
    assert attributes["name-last"] is attributes["front-photo"] is None


def test_fields_and_document_have_the_identity_of_the_card(engine):
    inquiry = start(engine)
    control_of(engine).sessions.finish(inquiry["id"], "p1-again", "p1")
    person = make_identity("p1")
    (named,) = documents_of(engine)
    attributes = read_document(engine, named["id"]).json()["data"]["attributes"]
    assert attributes["document-number"] == person["document_number"]
    assert attributes["expiration-date"] == person["expiration_date"]
    assert attributes["sex"] == person["gender"][0].upper()
    fields = ask(engine, about(1)).json()["data"]["attributes"]["fields"]
    assert fields["birthdate"]["value"] == person["date_of_birth"]
    assert fields["address-city"]["value"] == person["city"]
    assert fields["address-country-code"]["value"] == person["issuing_country"]
    assert fields["identification-number"]["value"] == person["document_number"]


@pytest.mark.parametrize(
    ("version", "repeats"), [("2023-01-05", True), ("2025-10-27", False), (None, False)]
)
def test_older_version_repeats_the_fields_and_includes_verifications(engine, version, repeats):
    inquiry = start(engine)
    control_of(engine).sessions.finish(inquiry["id"], "p1-again", "p1")
    headers = {} if version is None else {"persona_version": version}
    body = ask(engine, about(1, **headers)).json()
    attributes = body["data"]["attributes"]
    shown = attributes.get("name-first"), attributes.get("identification-number")
    person = make_identity("p1")
    expected = person["first_name"], person["document_number"]
    assert shown == (expected if repeats else (None, None))
    assert ("included" in body) is repeats


def test_document_needs_its_environment(engine):
    inquiry = start(engine, SANDBOX)
    control_of(engine).sessions.finish(inquiry["id"], "p1-again", "p1")
    (named,) = documents_of(engine, SANDBOX)
    assert read_document(engine, named["id"], SANDBOX).status == 200
    assert read_document(engine, named["id"]).status == 404
    assert read_document(engine, named["id"], None).status == 401
    assert read_document(engine, "doc_nobody", SANDBOX).status == 404


# Accounts


def events_of(engine):
    events = []
    for _, letter, _ in carry(engine):
        event = json.loads(letter.body)["data"]["attributes"]
        events.append((event["name"], event["payload"]["data"]))
    return events


def test_event_tells_of_a_new_account_and_inquiries_share_it(engine):
    ask(engine, listen(events=["account.created", "inquiry.created"]))
    first = start(engine, reference_id="user-1")
    account = first["relationships"]["account"]["data"]
    (name, told), (second_name, _) = events_of(engine)
    assert (name, second_name) == ("account.created", "inquiry.created")
    assert (told["type"], told["id"]) == ("account", account["id"])
    assert told["attributes"]["reference-id"] == "user-1"
    again = start(engine, reference_id="user-1")
    assert again["relationships"]["account"]["data"] == account
    other = start(engine, SANDBOX, reference_id="user-1")
    assert other["relationships"]["account"]["data"] != account
    names = [name for name, _ in events_of(engine)]
    assert names == ["inquiry.created", "account.created", "inquiry.created"]


def test_no_event_tells_of_an_account_that_is_named_or_not_wanted(engine):
    ask(engine, listen(events=["account.created"]))
    start(engine, account_id="act_mine")
    start(engine, meta={"auto-create-account": False})
    assert events_of(engine) == []


def test_receiver_of_a_test_gets_only_events_about_inquiries(engine):
    ask(engine, listen())
    start(engine)
    assert [name for name, _ in events_of(engine)] == ["inquiry.created"]


def test_step_of_a_pending_inquiry_is_told_to_a_receiver_that_names_it(engine):
    ask(engine, listen(events=["inquiry.transitioned"]))
    inquiry = start(engine)
    control_of(engine).sessions.finish(inquiry["id"], "p1-again", "p1")
    ((name, told),) = events_of(engine)
    assert (name, told["attributes"]["status"]) == ("inquiry.transitioned", "pending")


# Accounts

ACCOUNTS = "/api/v1/accounts"


def make_account(engine, key=LIVE, headers=None, **attributes):
    kebab = {name.replace("_", "-"): value for name, value in attributes.items()}
    body = {"data": {"attributes": kebab}}
    return ask(engine, persona_request(ACCOUNTS, body, key=key, **(headers or {})))


def test_account_is_made_and_given_to_an_inquiry(engine):
    made = make_account(
        engine, reference_id="user-1", name_first="Ada", email_address="a@b.example"
    )
    account = made.json()["data"]
    assert (made.status, account["type"]) == (201, "account")
    assert account["attributes"]["fields"]["name"]["value"]["first"]["value"] == "Ada"
    inquiry = start(engine, account_id=account["id"])
    assert inquiry["attributes"]["reference-id"] == "user-1"
    assert inquiry["relationships"]["account"]["data"]["id"] == account["id"]
    other = start(engine, reference_id="user-1")
    assert other["relationships"] == inquiry["relationships"]


def test_account_of_an_older_version_repeats_its_fields(engine):
    older = {"persona_version": "2023-01-05"}
    made = attributes_of(make_account(engine, headers=older, country_code="ES", tags=["GOOD"]))
    assert (made["country-code"], made["name-first"], made["tags"]) == ("ES", None, ["GOOD"])


def test_reference_id_is_unique_in_its_environment(engine):
    assert make_account(engine, reference_id="user-1").status == 201
    again = make_account(engine, reference_id="user-1")
    assert (again.status, again.json()["errors"][0]["title"]) == (409, "Conflict")
    assert make_account(engine, key=SANDBOX, reference_id="user-1").status == 201


# Pictures


def test_urls_of_pictures_send_them_until_the_inquiry_is_redacted(engine):
    inquiry = start(engine)
    control_of(engine).sessions.finish(inquiry["id"], "p1-again", "p1")
    document, selfie = ask(engine, reading(1)).json()["included"]
    urls = {
        "p1": document["attributes"]["front-photo-url"],
        "p1-again": selfie["attributes"]["center-photo-url"],
    }
    assert document["attributes"]["photo-urls"] == [{"page": "front", "url": urls["p1"]}]
    sides = {selfie["attributes"][f"{side}-photo-url"] for side in ("left", "right")}
    assert sides == {urls["p1-again"]}
    for card, url in urls.items():
        path = f"{urlsplit(url).path}?{urlsplit(url).query}"
        sent = ask(engine, persona_request(path, key=None))
        assert (sent.header("content-type"), sent.body) == ("image/png", CARDS[card])
        assert ask(engine, persona_request(f"{path}x", key=None)).status == 404
    ask(engine, about(1, method="DELETE"))
    assert ask(engine, persona_request(path, key=None)).status == 404


# A template that makes the link, and a slash at the end


@pytest.mark.parametrize("is_always", [False, True])
def test_template_makes_a_link_by_itself_only_if_a_switch_says_so(is_always):
    switches = {"one_time_link": "always"} if is_always else {}
    engine = new_engine(Recognizer(), vendor="persona", switches=switches)
    for meta in ({}, {"auto-create-inquiry-session": True}):
        answer = ask(engine, starting(meta)).json()
        assert bool(answer["meta"]["one-time-link"]) is is_always
    (entry, _) = control_of(engine).journal()
    assert ("one_time_link=always" in (entry.note or "")) is not is_always


def test_link_that_was_asked_for_is_made_once_and_not_noted(engine):
    start(engine, meta={"auto-create-one-time-link": True})
    (entry,) = control_of(engine).journal()
    assert entry.note is None


def test_slash_at_the_end_of_a_list_is_ignored(engine):
    start(engine, reference_id="customer-17")
    start(engine, reference_id="customer-18")
    query = "?filter[reference-id]=customer-18"
    answers = [ask(engine, persona_request(f"{path}{query}")) for path in (PATH, f"{PATH}/")]
    assert [len(answer.json()["data"]) for answer in answers] == [1, 1]
    assert answers[0].body == answers[1].body
