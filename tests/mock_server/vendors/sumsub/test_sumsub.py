"""The mock of Sumsub, as a client of its own sees it."""

import base64
import datetime as dt
import hmac
import json
import re
import urllib.parse

import pytest
from kit import mock_webhooks
from kit.cards import CARDS
from kit.mock_world import ask, control_of, json_request, new_engine
from vendors import sumsub

from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors.sumsub.signature import sign
from facematch_mock_server.world.identities import alpha_3, make_identity

FACE = CARDS["p1-again"]
DOCUMENT = CARDS["p1"]
OTHER = CARDS["p2"]
ATTACK = CARDS["attack"]
NO_FACE = CARDS["no-face"]


@pytest.fixture
def engine():
    return new_engine(Recognizer(), vendor="sumsub")


def tell(engine, step):
    """Return the body of the answer."""
    return ask(engine, step).json()


def review_of(engine, number=1, **how):
    """Return the review of an applicant."""
    return tell(engine, sumsub.applicant(number, "GET", "status", **how))


def created(engine, *external_ids, **how):
    return [tell(engine, sumsub.create(each, **how))["id"] for each in external_ids]


def checked(number, card=FACE, document=DOCUMENT):
    return sumsub.checked(number, card, document)


@pytest.fixture
def at_page(engine):
    """A mock with an applicant whose page is open."""
    ask(engine, sumsub.link())
    return engine


# Signatures


@pytest.mark.parametrize(
    ("target", "body", "signature"),
    [
        (
            "/resources/accessTokens/sdk",
            b'{"userId": "u-1", "levelName": "basic-kyc-level", "ttlInSecs": 600}',
            "553515ce28714ad446f47d3917fc7068dee493c65883d3b7325b44140a3cc175",
        ),
        (
            "/resources/applicants/-;externalUserId=a%7Cb/one",
            None,
            "cff8dcaec06764475a3fc7175fe32fd8ba226486aec66551294dd6d7120f1bde",
        ),
    ],
)
def test_signature_is_that_of_the_vendors_examples(target, body, signature):
    request = sumsub.signed("GET" if body is None else "POST", target, body)
    key = "Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq"
    assert sign(request, timestamp="1607551635", secret_key=key) == signature


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x_app_token": None}, 4006),
        ({"x_app_access_ts": None}, 4006),
        ({"x_app_access_sig": None}, 4006),
        ({"token": "no-environment"}, 4000),
        ({"token": "prd:unknown"}, 4001),
        # The key of the other environment.
        ({"token": sumsub.SANDBOX["token"]}, 4003),
        ({"x_app_access_sig": "0" * 64}, 4003),
        ({"x_app_access_sig": "é"}, 4003),
        ({"x_app_access_ts": "now"}, 4005),
        ({"at": sumsub.START - dt.timedelta(seconds=61)}, 4004),
        ({"at": sumsub.START + dt.timedelta(seconds=61)}, 4004),
    ],
)
def test_wrong_signature_is_refused_with_its_code(engine, changes, code):
    answer = ask(engine, sumsub.create(**changes))
    assert (answer.status, answer.json()["errorCode"]) == (401, code)
    assert engine.world.sessions.all() == ()


def test_hint_at_a_late_call_is_of_its_time_and_not_of_its_key(engine):
    answer = ask(engine, sumsub.create(at=sumsub.START + dt.timedelta(seconds=180)))
    hint = answer.header("X-Facematch-Hint")
    assert "180 seconds" in hint
    assert "key" not in hint


def test_each_part_of_a_request_is_signed(engine):
    request = sumsub.create()
    for change in ({"target": "/resources/applicants?levelName=other"}, {"body": b"{}"}):
        fields = {"method": request.method, "target": request.target, "body": request.body}
        changed = type(request)(**{**fields, **change}, headers=request.headers)
        assert engine.handle(changed).json()["errorCode"] == 4003


# Applicants and links


def test_second_applicant_of_an_id_is_refused_with_the_first(engine):
    (applicant_id,) = created(engine, "a-person")
    answer = ask(engine, sumsub.create())
    assert answer.status == 409
    text = f"Applicant with external user id 'a-person' already exists: {applicant_id}"
    assert answer.json()["description"] == text
    assert len(applicant_id) == 24


CREATE = "/resources/applicants?levelName=basic"


def test_applicant_shows_what_was_sent_at_its_creation(engine):
    sent = {
        "email": "ada@example.com",
        "phone": "+49301234567",
        "fixedInfo": {"firstName": "Ada", "country": "GBR"},
        "metadata": [{"key": "shop", "value": "1"}],
    }
    body = {"externalUserId": "a-person", "type": "company", **sent}
    made = ask(engine, sumsub.signed("POST", CREATE, body)).json()
    assert {name: made[name] for name in sent} == sent
    assert made["type"] == "company"
    assert ask(engine, sumsub.read(1)).json() == made
    assert "ada@example.com" not in repr(engine.world.sessions.all())


def test_applicant_of_another_type_is_refused(engine):
    body = {"externalUserId": "a-person", "type": "robot"}
    made = ask(engine, sumsub.signed("POST", CREATE, body))
    assert made.status == 400
    assert engine.world.sessions.all() == ()


def test_path_without_one_shows_the_applicant(engine):
    (applicant_id,) = created(engine, "a-person")
    shown = tell(engine, sumsub.read(1))
    for word in (applicant_id, "-;externalUserId=a-person"):
        assert tell(engine, sumsub.signed("GET", f"/resources/applicants/{word}")) == shown


@pytest.mark.parametrize(
    "request_without_level",
    [
        sumsub.signed("POST", "/resources/applicants", {"externalUserId": "a-person"}),
        sumsub.token_by_query("userId=a-person"),
    ],
)
def test_level_may_be_left_out_with_a_hint_unless_one_is_published(
    engine, people, request_without_level
):
    answer = ask(engine, request_without_level)
    assert answer.status < 300
    assert "levelName" in answer.header("X-Facematch-Hint")
    assert tell(engine, sumsub.read(1))["review"]["levelName"] == "basic-kyc-level"
    people.level("Basic")
    assert ask(engine, request_without_level).status == 400


def test_environments_do_not_share_ids(engine):
    created(engine, "a-person")
    created(engine, "a-person", **sumsub.SANDBOX)
    assert [each.hosted.is_live for each in engine.world.sessions.all()] == [True, False]


def test_level_is_refused_once_another_is_published(engine, people):
    created(engine, "a-person")
    people.level("Basic")
    assert ask(engine, sumsub.create("another")).status == 404
    assert ask(engine, sumsub.link("another")).status == 404
    assert ask(engine, sumsub.create("another", "Basic")).status == 201
    with pytest.raises(ValueError, match="video_required"):
        people.level("Basic", video_required="none")


def test_act_without_a_link_says_to_make_one(engine, people):
    (applicant_id,) = created(engine, "a-person")
    with pytest.raises(ValueError, match="make a link first"):
        people.finish(applicant_id)


def test_only_a_link_opens_the_page_and_another_one_replaces_it(engine, people):
    created(engine, "a-person")
    assert people.open() == ()
    first, second = (tell(engine, sumsub.link())["url"] for _ in range(2))
    assert first != second
    (session,) = people.open()
    assert second.endswith(session.hosted.token)


@pytest.mark.parametrize(
    ("request_of_a_token", "lasts_s"),
    [
        (sumsub.token(ttlInSecs=1200), 1200),
        (sumsub.token(slash="/"), 600),
        (sumsub.token_by_query("userId=a-person&levelName=basic&ttlInSecs=1200"), 1200),
        (sumsub.token_by_query(slash="/"), 600),
    ],
)
def test_access_token_opens_the_page_of_its_applicant(engine, people, request_of_a_token, lasts_s):
    created(engine, "a-person")
    answer = ask(engine, request_of_a_token)
    (session,) = people.open()
    assert (answer.status, answer.json()["userId"]) == (200, "a-person")
    assert answer.json()["token"].endswith(f".{session.hosted.token}")
    assert session.hosted.expires_at == sumsub.START + dt.timedelta(seconds=lasts_s)


@pytest.mark.parametrize(
    "request_of_a_token",
    [
        sumsub.token(ttlInSecs=0),
        sumsub.token(levelName=None),
        sumsub.token(userId=""),
        sumsub.token_by_query("userId=a-person&levelName="),
        sumsub.token_by_query("levelName=basic"),
        sumsub.token_by_query("userId=a-person&levelName=basic&ttlInSecs=soon"),
    ],
)
def test_invalid_request_of_a_token_is_refused(engine, request_of_a_token):
    assert ask(engine, request_of_a_token).status == 400
    assert engine.world.sessions.all() == ()


@pytest.mark.parametrize(("how", "prefix"), [({}, "_act-jwt-"), (sumsub.SANDBOX, "_act-sbx-jwt-")])
def test_access_token_has_the_address_of_the_page_for_the_web_sdk(engine, how, prefix):
    token = tell(engine, sumsub.token(how=how))["token"]
    assert token.startswith(prefix)
    _, content, _ = token.removeprefix(prefix).split(".")
    # As getCurrentBaseUrl of @sumsub/websdk 2.9.0 reads it.
    assert json.loads(base64.b64decode(content)) == {"url": "https://api.sumsub.com"}


def test_access_token_has_the_one_address_of_all_pages_if_there_is_one(engine):
    engine.accounts.page_origin = "http://127.0.0.1:8080"
    made = tell(engine, sumsub.token())["token"]
    assert json.loads(base64.b64decode(made.split(".")[1])) == {"url": "http://127.0.0.1:8080"}
    answer = ask(engine, sumsub.frame(made))
    assert answer.header("location").startswith("http://127.0.0.1:8080/")


def test_frame_of_an_access_token_leads_to_the_page_of_its_applicant(engine):
    made = tell(engine, sumsub.token())["token"]
    answer = ask(engine, sumsub.frame(made))
    location = urllib.parse.urlsplit(answer.header("location"))
    assert answer.status == 303
    assert location.path.endswith(f"/session/{made.rpartition('.')[-1]}")
    # The page needs the name of the frame for its messages.
    assert location.query == f"_=id_{base64.b64encode(made.encode()).decode()}"


def test_frame_is_found_in_another_account(engine):
    account = engine.accounts.open("another")
    secret_key, key = next(iter(account.first_keys["sumsub"].items()))
    how = {"token": key.client, "key": secret_key, "at": account.clock.now()}
    made = tell(engine, sumsub.token(how=how))["token"]
    answer = ask(engine, sumsub.frame(made))
    assert "/another/" in answer.header("location")


@pytest.mark.parametrize("token", ["_act-jwt-made-up", "_act-jwt-e30=.e30=.AAAAAAAAAAAA", "ü", ""])
def test_frame_of_an_unknown_access_token_is_refused(engine, token):
    assert ask(engine, sumsub.frame(token)).status == 404


def test_frame_of_an_older_web_sdk_leads_to_a_page_that_asks_for_the_token(engine):
    answer = ask(engine, sumsub.open_older_frame())
    location = urllib.parse.urlsplit(answer.header("location"))
    assert (answer.status, location.query) == (303, "_=id_17")
    assert "/web/sumsub/session/" in location.path


def test_frame_without_base64_is_refused(engine):
    assert ask(engine, json_request("/websdk/websdk.html?_=id_%C3%BC", key=None)).status == 404
    assert ask(engine, json_request("/websdk/websdk.html", key=None)).status == 404


def test_access_token_of_a_frame_is_in_no_journal(engine):
    made = tell(engine, sumsub.token())["token"]
    ask(engine, sumsub.frame(made))
    (call,) = control_of(engine).journal(path="/websdk/")
    assert call.fields == {"_": "***"}


@pytest.mark.parametrize("wrong", [{"key": "another-key"}, {"x_app_token": None}])
@pytest.mark.parametrize("make", [sumsub.token_by_query, sumsub.link_of_level])
def test_wrong_signature_makes_no_token_and_no_link(engine, make, wrong):
    assert ask(engine, make(**wrong)).status == 401
    assert engine.world.sessions.all() == ()


@pytest.mark.parametrize("body", [None, {}, {"redirect": {"successUrl": "https://shop.example/"}}])
def test_link_under_the_levels_name_takes_the_id_from_the_query(engine, people, body):
    query = "externalUserId=a-person&ttlInSecs=60&lang=de"
    url = tell(engine, sumsub.link_of_level(query, "a%20level", body))["url"]
    (session,) = people.open()
    assert url.endswith(f"/de/session/{session.hosted.token}")
    assert (session.vendor_data, session.hosted.workflow) == ("a-person", "a level")
    assert session.hosted.expires_at == sumsub.START + dt.timedelta(seconds=60)


@pytest.mark.parametrize("external_id", ["a/person", "u%1", "a b", "ü"])
def test_any_external_id_is_found(engine, external_id):
    (applicant_id,) = created(engine, external_id)
    sent_id = urllib.parse.quote(external_id, safe="")
    path = f"/resources/applicants/-;externalUserId={sent_id}/one"
    assert tell(engine, sumsub.signed("GET", path))["id"] == applicant_id


@pytest.mark.parametrize(
    "fields",
    [
        {"ttlInSecs": 0},
        {"ttlInSecs": 2_592_001},
        {"ttlInSecs": "600"},
        {"redirect": "https://shop.example/"},
        {"redirect": {"successUrl": 7}},
        {"levelName": ""},
        {"userId": "x" * 513},
    ],
)
def test_invalid_link_is_refused(engine, fields):
    assert ask(engine, sumsub.link(**fields)).status == 400
    assert engine.world.sessions.all() == ()


@pytest.mark.parametrize(("card", "place"), [(FACE, "done"), (OTHER, "rejected")])
def test_page_redirects_by_the_answer(engine, card, place):
    redirect = {
        "successUrl": "https://shop.example/done",
        "rejectUrl": "https://shop.example/rejected",
    }
    ask(engine, sumsub.link(redirect=redirect))
    ask(engine, checked(1, card))
    session = sumsub.nth(engine, 1)
    address = engine.world.behaviour.session_rules.return_url(session)
    assert address == f"https://shop.example/{place}"


# Checks


def selfie_of(answer):
    selfie = answer.json()["SELFIE"] or {}
    result = selfie.get("reviewResult", {})
    return result.get("reviewAnswer"), result.get("rejectLabels", [])


@pytest.mark.parametrize(
    ("card", "document", "selfie", "review"),
    [
        (FACE, DOCUMENT, ("GREEN", []), ("GREEN", None)),
        (OTHER, DOCUMENT, ("RED", ["BAD_FACE_MATCHING"]), ("RED", "FINAL")),
        (ATTACK, DOCUMENT, ("RED", ["FRAUDULENT_LIVENESS"]), ("RED", "FINAL")),
        (NO_FACE, DOCUMENT, ("RED", ["BAD_SELFIE"]), ("RED", "RETRY")),
        (FACE, NO_FACE, (None, []), ("RED", "RETRY")),
    ],
)
def test_check_answers_each_step_and_the_applicant(at_page, card, document, selfie, review):
    assert selfie_of(ask(at_page, checked(1, card, document))) == selfie
    status = review_of(at_page)
    result = status["reviewResult"]
    assert status["reviewStatus"] == "completed"
    assert (result["reviewAnswer"], result.get("reviewRejectType")) == review
    labels = selfie[1] if document != NO_FACE else ["UNSATISFACTORY_PHOTOS"]
    assert result.get("rejectLabels", []) == labels


def test_step_to_repeat_has_the_comments_of_the_review(at_page):
    ask(at_page, checked(1, FACE, NO_FACE))
    identity = tell(at_page, sumsub.applicant(1, "GET", "requiredIdDocsStatus"))["IDENTITY"]
    review = review_of(at_page)["reviewResult"]
    for name in ("moderationComment", "clientComment"):
        assert identity["reviewResult"][name] == review[name]
    ask(at_page, checked(1, OTHER, DOCUMENT))
    steps = tell(at_page, sumsub.applicant(1, "GET", "requiredIdDocsStatus"))
    assert "moderationComment" not in steps["SELFIE"]["reviewResult"]


@pytest.mark.parametrize(
    ("card", "document", "answer"),
    [(FACE, NO_FACE, "RED"), (OTHER, DOCUMENT, "RED"), (FACE, DOCUMENT, "GREEN")],
)
def test_rejection_has_comments_in_status_data_and_webhook(at_page, card, document, answer):
    at_page.handle(mock_webhooks.listen(events=["applicantReviewed"]))
    ask(at_page, checked(1, card, document))
    result = review_of(at_page)["reviewResult"]
    assert result["reviewAnswer"] == answer
    comments = [result.get("moderationComment"), result.get("clientComment")]
    assert [bool(comment) for comment in comments] == [answer == "RED"] * 2
    assert bool(result.get("buttonIds")) == (answer == "RED")
    assert tell(at_page, sumsub.read(1))["review"]["reviewResult"] == result
    ((_, letter, _),) = mock_webhooks.carry(at_page)
    body = json.loads(letter.body)
    assert body["reviewResult"] == result
    assert re.fullmatch("[0-9a-f]{32}", body["correlationId"])


def test_rejection_has_no_comments_if_the_switch_says_so():
    engine = new_engine(Recognizer(), vendor="sumsub", switches={"review_comments": "none"})
    ask(engine, sumsub.link())
    ask(engine, checked(1, OTHER, DOCUMENT))
    assert set(review_of(engine)["reviewResult"]) == {
        "reviewAnswer",
        "reviewRejectType",
        "rejectLabels",
        "buttonIds",
    }


def test_applicant_has_its_platform_language_and_times(at_page):
    before = tell(at_page, sumsub.read(1))
    assert (before["applicantPlatform"], before["lang"]) == ("API", "en")
    assert "reprocessing" not in before["review"]
    ask(at_page, checked(1))
    after = tell(at_page, sumsub.read(1))
    assert after["applicantPlatform"] == "Web"
    assert after["key"]
    info = after["info"]
    assert (info["firstNameEn"], info["lastNameEn"]) == (info["firstName"], info["lastName"])
    times = [after["review"][f"elapsedSince{state}Ms"] for state in ("Pending", "Queued")]
    assert (times, after["review"]["reprocessing"]) == ([0, 0], True)


def test_level_without_liveness_takes_an_attack_for_a_face(engine, people):
    people.level("basic", video_required="photoRequired")
    ask(engine, sumsub.link())
    assert selfie_of(ask(engine, checked(1, ATTACK)))[0] == "GREEN"
    sets = tell(engine, sumsub.read(1))["requiredIdDocs"]["docSets"]
    assert sets[1]["videoRequired"] == "photoRequired"


def test_third_failed_attempt_is_final(at_page, people):
    (session,) = people.open()
    for number, reject_type in enumerate(("RETRY", "RETRY", "FINAL"), start=1):
        people.fail_attempt(session.id)
        review = review_of(at_page)
        assert review["attemptCnt"] == number
        assert review["reviewResult"]["reviewRejectType"] == reject_type


def test_document_is_shown_once_it_was_sent(at_page, people):
    (session,) = people.open()
    born = dt.date(1980, 1, 1)
    people.document(session.id, full_name="Lovelace", date_of_birth=born)
    assert tell(at_page, sumsub.read(1))["info"] == {}
    ask(at_page, checked(1))
    (document,) = tell(at_page, sumsub.read(1))["info"]["idDocs"]
    assert (document["lastName"], document["dob"]) == ("Lovelace", "1980-01-01")


def test_applicant_has_the_identity_of_the_card(at_page):
    ask(at_page, checked(1))
    info = tell(at_page, sumsub.read(1))["info"]
    person = make_identity("p1")
    assert (info["firstName"], info["dob"]) == (person["first_name"], person["date_of_birth"])
    (document,) = info["idDocs"]
    assert document["country"] == info["country"] == alpha_3(person["issuing_country"])
    assert (info["gender"], info["nationality"]) == (
        person["gender"][0].upper(),
        alpha_3(person["nationality"]),
    )
    assert document["issuedDate"] == person["date_of_issue"]
    assert document["validUntil"] == person["expiration_date"]


def test_reviewers_decision_leaves_the_steps(at_page):
    ask(at_page, checked(1, OTHER))
    review = tell(at_page, sumsub.decided(1, "completed GREEN"))
    assert review["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert selfie_of(ask(at_page, sumsub.steps_of(1))) == ("RED", ["BAD_FACE_MATCHING"])


def test_status_that_a_reviewer_sets_is_free(engine, control):
    ask(engine, sumsub.link())
    ask(engine, sumsub.decided(1, "onHold"))
    assert control.charges() == ()


# The sandbox


@pytest.fixture
def sandbox(engine):
    """An applicant of the sandbox who has sent pictures."""
    ask(engine, sumsub.link(how=sumsub.SANDBOX))
    control_of(engine).sessions.finish(sumsub.nth(engine, 1).id, card=ATTACK, document=ATTACK)
    return engine


def test_sandbox_checks_and_charges_nothing(sandbox, control):
    assert selfie_of(ask(sandbox, sumsub.steps_of(1, **sumsub.SANDBOX))) == (None, [])
    answer = ask(sandbox, sumsub.complete_test(1))
    assert (answer.status, answer.json()) == (200, {"ok": 1})
    review = review_of(sandbox, **sumsub.SANDBOX)
    assert review["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert selfie_of(ask(sandbox, sumsub.steps_of(1, **sumsub.SANDBOX))) == (None, [])
    assert control.charges() == ()


@pytest.mark.parametrize(
    "label",
    [
        "BAD_PROOF_OF_ADDRESS",
        "PROBLEMATIC_APPLICANT_DATA",
        "REGULATIONS_VIOLATIONS",
        "WRONG_ADDRESS",
        "WRONG_USER_REGION",
    ],
)
def test_sandbox_repeats_labels_and_comments(sandbox, label):
    sent = {"rejectLabels": [label], "reviewRejectType": "RETRY"}
    comments = {"clientComment": "A screenshot.", "moderationComment": "Please take a photo."}
    ask(sandbox, sumsub.complete_test(1, "RED", **sent, **comments))
    review = review_of(sandbox, **sumsub.SANDBOX)
    result = {"reviewAnswer": "RED", **sent, **comments, "buttonIds": [label.lower()]}
    assert review["reviewResult"] == result


@pytest.mark.parametrize(
    "body",
    [
        {"reviewAnswer": "YELLOW"},
        {"reviewAnswer": "RED", "reviewRejectType": "LATER"},
        {"reviewAnswer": "RED", "rejectLabels": "FORGERY"},
    ],
)
def test_invalid_answer_is_refused_in_the_sandbox(sandbox, body):
    step = sumsub.applicant(1, "POST", "status/testCompleted", body, **sumsub.SANDBOX)
    assert ask(sandbox, step).status == 400


def test_answer_cannot_be_set_in_production(engine):
    created(engine, "a-person")
    body = {"reviewAnswer": "GREEN", "rejectLabels": []}
    answer = ask(engine, sumsub.applicant(1, "POST", "status/testCompleted", body))
    assert answer.status == 400
    assert answer.json()["description"] == "This method is only supported on sandbox env"


# Presence


def test_deactivated_applicant_keeps_its_data_and_can_be_activated(at_page):
    ask(at_page, checked(1))
    before = tell(at_page, sumsub.read(1))
    answer = ask(at_page, sumsub.applicant(1, "PATCH", "presence/deactivated"))
    assert answer.json() == {**before, "deleted": True}
    assert tell(at_page, sumsub.read(1)) == {**before, "deleted": True}
    assert ask(at_page, sumsub.link()).status == 409
    assert ask(at_page, sumsub.create()).status == 409
    again = ask(at_page, sumsub.applicant(1, "PATCH", "presence/deactivated"))
    assert (again.status, again.json()["errorCode"]) == (409, 3000)
    answer = ask(at_page, sumsub.applicant(1, "PATCH", "presence/activated"))
    assert answer.json() == {**before, "deleted": False}
    assert tell(at_page, sumsub.read(1)) == before


@pytest.mark.parametrize("status", ["pending", "queued", "prechecked"])
def test_applicant_cannot_be_deactivated_during_a_check(at_page, status):
    ask(at_page, sumsub.decided(1, status))
    answer = ask(at_page, sumsub.applicant(1, "PATCH", "presence/deactivated"))
    assert answer.status == 409


def test_completed_review_has_its_date(at_page, control):
    assert "reviewDate" not in tell(at_page, sumsub.read(1))["review"]
    control.advance(60)
    ask(at_page, checked(1))
    review = tell(at_page, sumsub.read(1))["review"]
    expected = sumsub.START + dt.timedelta(seconds=60)
    assert review["reviewDate"] == f"{expected:%Y-%m-%d %H:%M:%S}+0000"


@pytest.mark.parametrize("step", ["IDENTITY", "SELFIE"])
def test_sent_step_shows_all_documented_fields(at_page, step):
    fields = tell(at_page, checked(1))[step]
    documented = {"reviewResult", "country", "idDocType", "imageIds", "imageReviewResults"}
    assert set(fields) == documented


# Webhooks

EVERY_EVENT = (
    "applicantCreated",
    "applicantPending",
    "applicantPrechecked",
    "applicantOnHold",
    "applicantAwaitingUser",
    "applicantAwaitingService",
    "applicantReviewed",
    "applicantDeactivated",
    "applicantActivated",
)


@pytest.mark.parametrize("hash_name", ["sha256", "sha512", "sha1"])
def test_webhook_is_signed_by_hmac_of_the_body(hash_name):
    engine = new_engine(vendor="sumsub", switches={"digest": hash_name})
    engine.handle(mock_webhooks.listen(secret="SoMe_SeCrEt_KeY", events=["applicantCreated"]))
    ask(engine, sumsub.create())
    ((_, letter, timeout_s),) = mock_webhooks.carry(engine)
    headers = dict(letter.headers)
    digest = hmac.new(b"SoMe_SeCrEt_KeY", letter.body, hash_name).hexdigest()
    assert (headers["x-payload-digest"], headers["x-payload-digest-alg"]) == (
        digest,
        f"HMAC_{hash_name.upper()}_HEX",
    )
    assert timeout_s == 5


@pytest.mark.parametrize(
    ("card", "ending"),
    [(FACE, ["applicantWorkflowCompleted"]), (OTHER, ["applicantWorkflowFailed"]), (NO_FACE, [])],
)
def test_end_of_a_workflow_is_told_to_whom_names_it(at_page, card, ending):
    events = ["applicantWorkflowCompleted", "applicantWorkflowFailed"]
    at_page.handle(mock_webhooks.listen(events=events))
    ask(at_page, checked(1, card))
    sent = [json.loads(letter.body) for _, letter, _ in mock_webhooks.carry(at_page)]
    assert [each["type"] for each in sent] == ending


@pytest.mark.parametrize("card", [FACE, OTHER, NO_FACE])
def test_attempt_is_pending_before_its_review(at_page, card):
    at_page.handle(mock_webhooks.listen())
    ask(at_page, checked(1, card))
    sent = [json.loads(letter.body) for _, letter, _ in mock_webhooks.carry(at_page)]
    assert [(each["type"], each["reviewStatus"]) for each in sent] == [
        ("applicantPending", "pending"),
        ("applicantReviewed", "completed"),
    ]
    assert "reviewResult" not in sent[0]


def test_sandbox_announces_that_an_attempt_is_pending_once(engine, people):
    ask(engine, sumsub.link(how=sumsub.SANDBOX))
    engine.handle(mock_webhooks.listen())
    people.finish(sumsub.nth(engine, 1).id)
    sent = [json.loads(letter.body)["type"] for _, letter, _ in mock_webhooks.carry(engine)]
    assert sent == ["applicantPending"]


def test_events_follow_an_applicant(engine):
    engine.handle(mock_webhooks.listen(events=EVERY_EVENT))
    ask(engine, sumsub.link())
    for status in ("pending", "prechecked", "queued", "onHold", "awaitingUser"):
        ask(engine, sumsub.decided(1, status))
    ask(engine, checked(1))
    ask(engine, sumsub.applicant(1, "PATCH", "presence/deactivated"))
    ask(engine, sumsub.applicant(1, "PATCH", "presence/activated"))
    sent = [json.loads(letter.body) for _, letter, _ in mock_webhooks.carry(engine)]
    assert [each["type"] for each in sent] == [
        "applicantCreated",
        "applicantPending",
        "applicantPrechecked",
        "applicantOnHold",
        "applicantAwaitingUser",
        "applicantPending",
        "applicantReviewed",
        "applicantDeactivated",
        "applicantActivated",
    ]
    assert {each["externalUserId"] for each in sent} == {"a-person"}
    assert sent[4]["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert sent[6]["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert not {"info", "event_id"} & set().union(*sent)
