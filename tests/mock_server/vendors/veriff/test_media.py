"""Veriff without its page: a program sends the pictures and submits the session."""

import pytest
from kit.cards import CARDS
from kit.mock_sessions import acting
from kit.mock_world import control_of, new_engine
from vendors import veriff
from vendors.veriff import TEST_API_KEY, TEST_SECRET, UNKNOWN, reference

from facematch_mock_server.world.identities import make_identity

SUBMITTED = {"verification": {"status": "submitted"}}


@pytest.fixture
def engine():
    return new_engine(**veriff.SETTINGS)


def start(engine, **fields):
    answer = engine.handle(veriff.start(**fields))
    assert answer.status == 201
    return answer.json()["verification"]["id"]


def send(engine, context, card, number=1):
    return veriff.media(number, reference(CARDS[card], context=context))(engine)


def submit(engine, number=1, body=SUBMITTED, **more):
    return veriff.at_session(number, "PATCH", body=body, **more)(engine)


def decision_of(engine, number=1, path="/decision"):
    return veriff.at_session(number, "GET", path)(engine).json()["verification"]


@pytest.mark.parametrize(
    ("face", "document", "status", "reason_code"),
    [
        ("p1", "p1-again", "approved", None),
        ("p2", "p1", "declined", 103),
        ("spoof", "p1", "declined", 503),
        ("no-face", "p1", "resubmission_requested", 202),
        (None, "p1", "resubmission_requested", 202),
        ("p1", None, "resubmission_requested", 209),
        ("p1", "no-face", "resubmission_requested", 209),
    ],
)
def test_submitted_pictures_decide(engine, face, document, status, reason_code):
    start(engine)
    for context, card in (("face", face), ("document-front", document), ("document-back", "p2")):
        if card is not None:
            answer = send(engine, context, card)
            assert (answer.status, answer.json()["image"]["context"]) == (200, context)
    answer = submit(engine)
    assert (answer.status, answer.json()["verification"]["status"]) == (200, "submitted")
    decision = decision_of(engine)
    assert (decision["status"], decision["reasonCode"]) == (status, reason_code)
    error = submit(engine).json()
    assert error["code"] == "1304"
    assert error["message"] == 'Cannot transition to "submitted" status.'
    assert len(control_of(engine).charges()) == 1


def test_later_picture_of_a_context_replaces_the_earlier(engine):
    start(engine)
    for card in ("p2", "p1-again"):
        send(engine, "face", card)
    send(engine, "document-front", "p1")
    submit(engine)
    assert decision_of(engine)["status"] == "approved"


def test_session_with_a_reference_compares_the_sent_face_with_it(engine):
    start(engine)
    send(engine, "face-reference", "p1")
    send(engine, "face", "p2")
    submit(engine)
    assert decision_of(engine)["reasonCode"] == 120


def test_test_integration_stays_submitted(engine):
    start(engine, test=True)
    keys = {"client": TEST_API_KEY, "secret": TEST_SECRET}
    face = {"image": reference(CARDS["p1"], context="face")}
    assert veriff.at_session(1, "POST", "/media", body=face, **keys)(engine).status == 200
    assert submit(engine, **keys).status == 200
    answer = veriff.decision(1, **keys)(engine)
    assert answer.json()["verification"] is None


@pytest.mark.parametrize(
    ("body", "more", "status", "code"),
    [
        ({}, {}, 400, "1102"),
        ({"verification": {"status": "approved"}}, {}, 400, "1303"),
        ({"verification": {}}, {}, 400, "1102"),
        (SUBMITTED, {"signed": UNKNOWN.encode()}, 401, "1819"),
        (SUBMITTED, {"client": UNKNOWN}, 401, "1803"),
        (SUBMITTED, {"signed": False}, 401, "1815"),
    ],
)
def test_submission_signs_its_body(engine, body, more, status, code):
    start(engine)
    answer = submit(engine, body=body, **more)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert decision_of(engine) is None


def test_session_of_another_integration_cannot_be_submitted(engine):
    start(engine)
    assert submit(engine, client=TEST_API_KEY, secret=TEST_SECRET).status == 404


def test_decision_has_a_path_of_its_own_on_the_essential_plan(engine):
    start(engine)
    assert decision_of(engine, path="/decision/fullauto?version=1.0.0") is None
    acting(1, "card", card="p2", document="p1")(engine)
    decision = decision_of(engine, path="/decision/fullauto?version=1.0.0")
    assert decision == decision_of(engine)
    assert decision["status"] == "declined"


def test_decision_has_the_identity_of_the_card(engine):
    control_of(engine).sessions.finish(start(engine), "p1-again", "p1")
    decision = decision_of(engine)
    person = make_identity("p1")
    assert decision["person"]["lastName"] == person["last_name"]
    assert decision["document"]["country"] == person["issuing_country"]
    assert decision["document"]["number"] == person["document_number"]
    assert decision["document"]["validFrom"] == person["date_of_issue"]
    assert decision["document"]["validUntil"] == person["expiration_date"]
    assert decision["person"]["nationality"] == person["nationality"]
    assert decision["person"]["gender"] == person["gender"][0].upper()


def test_each_attempt_has_the_time_at_which_it_began(engine):
    start(engine)
    control = control_of(engine)
    for _ in range(2):
        control.advance(60)
        acting(1, "fail_attempt")(engine)
    acting(1, "card", card="p1")(engine)
    attempts = veriff.attempts(1)(engine).json()["verifications"]
    minutes = [attempt["createdTime"][14:16] for attempt in attempts]
    assert minutes == ["15", "16", "17"]


@pytest.mark.parametrize("signed", [None, False])
def test_slash_at_the_end_of_a_path_is_ignored(engine, signed):
    body = {"verification": {"vendorData": "rec-1"}}
    started = engine.handle(veriff.request("POST", "/v1/sessions/", body, signed=signed))
    assert started.status == 201
    assert "veriff.path.slash" in started.claims
    assert veriff.at_session(1, "GET", "/decision/")(engine).status == 200


def listed(engine, number=1):
    """Return the pictures in the list of a session, by context."""
    images = veriff.listing(number)(engine).json()["images"]
    return {image["context"]: image for image in images}


def test_list_has_what_a_program_has_sent_and_each_can_be_downloaded(engine):
    session_id = start(engine)
    assert listed(engine) == {}
    sent = {}
    for context, card in (("face", "p1"), ("document-front", "p1-again")):
        sent[context] = send(engine, context, card).json()["image"]["id"], CARDS[card]
    images = listed(engine)
    assert {context: image["id"] for context, image in images.items()} == {
        context: image_id for context, (image_id, _) in sent.items()
    }
    for context, (image_id, content) in sent.items():
        assert images[context] | {"url": None} == {
            "id": image_id,
            "name": context,
            "context": context,
            "timestamp": None,
            "size": len(content),
            "mimetype": "image/png",
            "url": None,
            "sessionId": session_id,
        }
        assert images[context]["url"].endswith(f"/v1/media/{image_id}")
        answer = veriff.downloading(1, context)(engine)
        assert (answer.status, answer.header("content-type")) == (200, "image/png")
        assert bytes(answer.body) == content


def test_list_has_the_pictures_of_the_newest_attempt_of_the_person(engine):
    start(engine)
    for card in ("no-face", "p1"):
        acting(1, "card", card=card, document="p1-again")(engine)
        assert bytes(veriff.downloading(1)(engine).body) == CARDS[card]
    assert bytes(veriff.downloading(1, "document-front")(engine).body) == CARDS["p1-again"]


def test_list_has_the_reference_in_place_of_a_document(engine):
    start(engine)
    send(engine, "face-reference", "p1")
    acting(1, "card", card="p2")(engine)
    assert {*listed(engine)} == {"face", "face-reference"}


def test_pictures_of_another_integration_or_a_deleted_session_are_unknown(engine):
    start(engine)
    image = send(engine, "face", "p1").json()["image"]
    image_id = image["id"]
    assert image["url"].endswith(f"/v1/media/{image_id}")
    assert (image["size"], image["mimetype"]) == (len(CARDS["p1"]), "image/png")
    other = {"client": TEST_API_KEY, "secret": TEST_SECRET}
    assert veriff.listing(1, **other)(engine).status == 404
    for request in (veriff.download(image_id, **other), veriff.download(UNKNOWN)):
        assert engine.handle(request).status == 404
    assert engine.handle(veriff.request("GET", f"/v1/media/{image_id}")).json()["code"] == "1818"
    veriff.deletion(1)(engine)
    assert engine.handle(veriff.download(image_id)).status == 404
