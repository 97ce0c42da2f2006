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
    simulating,
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


def test_actions_may_have_keys_in_camel_case(engine):
    start(engine, SANDBOX)
    actions = [
        {
            "type": "create_passed_verification",
            "data": {"verificationTemplateId": "vtmpl_selfie"},
        }
    ]
    body = {"meta": {"simulateActions": actions}}
    assert ask(engine, about(1, "/perform-simulate-actions", body, key=SANDBOX)).status == 200


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


def tag(engine, action, name, **more):
    return ask(engine, about(1, f"/{action}", {"meta": {"tag-name": name}}, **more))


def test_tags_are_added_removed_and_set(engine):
    start(engine)
    assert attributes_of(tag(engine, "add-tag", "seen"))["tags"] == ["seen"]
    assert attributes_of(tag(engine, "add-tag", "seen"))["tags"] == ["seen"]
    assert attributes_of(tag(engine, "add-tag", "late"))["tags"] == ["seen", "late"]
    assert attributes_of(tag(engine, "remove-tag", "seen"))["tags"] == ["late"]
    assert attributes_of(tag(engine, "set-tags", ["b", "a", "b"]))["tags"] == ["b", "a"]
    assert attributes_of(ask(engine, reading(1)))["tags"] == ["b", "a"]


@pytest.mark.parametrize(
    ("action", "meta", "status"),
    [
        ("add-tag", {}, 400),
        ("add-tag", {"tag-name": 7}, 400),
        ("set-tags", {"tag-name": "a"}, 400),
        ("set-tags", {"tag-name": ["a", 7]}, 400),
        ("add-tag", {"tag-id": "tag_1"}, 400),
        ("add-tag", {"colour": "red"}, 400),
    ],
)
def test_tag_that_is_no_name_is_refused(engine, action, meta, status):
    start(engine)
    assert ask(engine, about(1, f"/{action}", {"meta": meta})).status == status
    assert attributes_of(ask(engine, reading(1)))["tags"] == []


def test_tag_needs_the_inquiry_and_its_environment(engine):
    start(engine)
    assert tag(engine, "add-tag", "a", key=None).status == 401
    assert tag(engine, "add-tag", "a", key=SANDBOX).status == 404
    ask(engine, about(1, method="DELETE"))
    assert tag(engine, "add-tag", "a").status == 409


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
    start(engine, SANDBOX)
    simulating(1, "create_passed_verification", template="vtmpl_id")(engine)
    (named,) = documents_of(engine, SANDBOX)
    document = read_document(engine, named["id"], SANDBOX).json()["data"]
    assert document["attributes"]["front-photo"] is None
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


def make_account(engine, key=LIVE, meta=None, **attributes):
    kebab = {name.replace("_", "-"): value for name, value in attributes.items()}
    body = {"data": {"attributes": kebab}}
    if meta is not None:
        body["meta"] = meta
    return ask(engine, persona_request(ACCOUNTS, body, key=key))


def test_account_is_made_found_by_its_reference_id_and_given_to_an_inquiry(engine):
    made = make_account(
        engine, reference_id="user-1", name_first="Ada", email_address="a@b.example"
    )
    account = made.json()["data"]
    assert (made.status, account["type"]) == (201, "account")
    assert account["attributes"]["fields"]["name"]["value"]["first"]["value"] == "Ada"
    make_account(engine, reference_id="user-2")
    query = "?filter[reference-id]=user-1&page[size]=1"
    listed = ask(engine, persona_request(f"{ACCOUNTS}{query}")).json()
    assert (listed["data"], listed["links"]["next"]) == ([account], None)
    inquiry = start(engine, account_id=account["id"])
    assert inquiry["attributes"]["reference-id"] == "user-1"
    assert inquiry["relationships"]["account"]["data"]["id"] == account["id"]
    other = start(engine, reference_id="user-1")
    assert other["relationships"] == inquiry["relationships"]


def test_account_that_an_inquiry_made_is_read_and_updated(engine):
    account_id = start(engine, reference_id="user-1")["relationships"]["account"]["data"]["id"]
    path = f"{ACCOUNTS}/{account_id}"
    assert attributes_of(ask(engine, persona_request(path)))["reference-id"] == "user-1"
    body = {"data": {"attributes": {"country-code": "ES", "tags": ["GOOD"]}}}
    changed = attributes_of(ask(engine, persona_request(path, body, method="PATCH")))
    assert (changed["reference-id"], changed["tags"]) == ("user-1", ["GOOD"])
    older = attributes_of(ask(engine, persona_request(path, persona_version="2023-01-05")))
    assert (older["country-code"], older["name-first"]) == ("ES", None)
    body = {"data": {"attributes": {"reference-id": None}}}
    ask(engine, persona_request(path, body, method="PATCH"))
    listed = ask(engine, persona_request(f"{ACCOUNTS}?filter[reference-id]=user-1")).json()
    assert listed["data"] == []


def test_reference_id_is_unique_in_its_environment_unless_it_is_upserted(engine):
    first = make_account(engine, reference_id="user-1").json()["data"]
    again = make_account(engine, reference_id="user-1")
    assert (again.status, again.json()["errors"][0]["title"]) == (409, "Conflict")
    upserted = make_account(
        engine, reference_id="user-1", name_last="L", meta={"upsert-by": "reference-id"}
    )
    assert (upserted.status, upserted.json()["data"]["id"]) == (200, first["id"])
    assert make_account(engine, key=SANDBOX, reference_id="user-1").status == 201
    other = make_account(engine, reference_id="user-2").json()["data"]
    body = {"data": {"attributes": {"reference-id": "user-1"}}}
    renamed = ask(engine, persona_request(f"{ACCOUNTS}/{other['id']}", body, method="PATCH"))
    assert renamed.status == 409
    assert ask(engine, persona_request(f"{ACCOUNTS}/{first['id']}", key=SANDBOX)).status == 404


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
