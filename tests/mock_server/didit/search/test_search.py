"""POST /v3/face-search/: kinds, order, matches, warnings, editions."""

import pytest
from mock_didit import control, liveness
from mock_didit_faces import SANDBOX, blocked, carded, enrolled, narrow, risks, search, told
from mock_didit_sessions import put_into

from facematch_mock_server.recognition.sheet import make_card

P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=70), make_card("p2")
NOT_LIVE = make_card("p1", liveness=3)


def test_a_match_has_every_key():
    """Of a session that was kept, with an address at which its picture is."""
    engine = carded()
    first = told(engine, liveness(P1, vendor_data="emp-0042"))
    body = told(engine, search(P1_AGAIN, vendor_data="x", metadata='{"a":1}'))
    block = body["face_search"]
    (row,) = block["matches"]
    url = row.pop("match_image_url")
    assert f"/__media__/{first['request_id']}/reference_image?" in url
    similarity = row.pop("similarity_percentage")
    assert 90 <= similarity < 99
    assert round(similarity, 2) == similarity
    assert row == {
        "session_id": first["request_id"],
        "session_number": 1,
        "source": "session",
        "vendor_data": "emp-0042",
        "verification_date": "2026-07-02T09:15:27Z",
        "user_details": None,
        "status": "Approved",
        "is_blocklisted": False,
        "is_allowlisted": False,
        "api_service": "PASSIVE_LIVENESS",
    }
    assert (block["status"], block["total_matches"]) == ("Approved", 1)
    (face,) = block["user_image"]["entities"]
    assert set(face) == {"bbox", "confidence"}
    assert block["user_image"]["best_angle"] == 0
    assert risks(block) == ["DUPLICATED_FACE"]
    assert (body["vendor_data"], body["metadata"]) == ("x", {"a": 1})


def test_nobody_is_found():
    """An empty index, or others in it."""
    engine = carded()
    assert told(engine, search(P1), "face_search")["matches"] == []
    told(engine, liveness(P2))
    block = told(engine, search(P1), "face_search")
    assert (block["status"], block["total_matches"], block["matches"]) == ("Approved", 0, [])


def test_the_picture_of_a_match_in_a_search_that_is_not_saved():
    """A storage path and no address."""
    engine = carded()
    told(engine, liveness(P1))
    (row,) = told(engine, search(P1, save_api_request="false"), "face_search")["matches"]
    assert row["match_image_url"].startswith("sessions/")


def test_five_at_most_the_best_first():
    """Of more than five; among equals the older."""
    engine = carded()
    for score in (76, 95, 80, 90, 85, 99):
        told(engine, liveness(make_card(f"s{score}", score=score), save_api_request="true"))
    block = told(engine, search(P1), "face_search")
    assert [row["similarity_percentage"] for row in block["matches"]] == [99, 95, 90, 85, 80]
    assert block["total_matches"] == 5


def test_the_kinds_of_search():
    """The narrower one has blocked faces first, and of the others only approved ones."""
    engine = carded()
    for card in (NOT_LIVE, P1, NOT_LIVE, P1):
        told(engine, liveness(card))
    put_into(1, "Declined")(engine)
    told(engine, blocked(3))
    put_into(4, "Approved")(engine)
    wide = told(engine, search(P1), "face_search")["matches"]
    assert [row["session_number"] for row in wide] == [1, 2, 3, 4]
    block = told(engine, narrow(P1), "face_search")
    assert [row["session_number"] for row in block["matches"]] == [3, 2, 4]
    assert [row["is_blocklisted"] for row in block["matches"]] == [True, False, False]
    assert (block["status"], risks(block)) == ("Declined", ["FACE_IN_BLOCKLIST", "DUPLICATED_FACE"])


def test_a_kind_that_there_is_not():
    """The framework's words."""
    answer = carded().handle(search(P1, search_type="x"))
    assert answer.status == 400
    assert answer.json() == {"search_type": ['"x" is not a valid choice.']}


def test_the_allow_list_suppresses_duplicates():
    """And is told of in the match."""
    engine = carded()
    told(engine, liveness(P1))
    told(engine, enrolled(person="p1", listing="allow"))
    block = told(engine, search(P1_AGAIN), "face_search")
    assert risks(block) == []
    assert [row["is_allowlisted"] for row in block["matches"]] == [False, True]
    assert block["matches"][1]["source"] == "imported"


@pytest.mark.parametrize("picture", [make_card("p1", faces=0), b"no picture"])
def test_no_face_is_refused_and_not_charged(picture):
    """400 in words of its own."""
    engine = carded()
    answer = engine.handle(search(picture))
    assert answer.status == 400
    assert answer.json() == {"error": "No face detected in the image"}
    assert engine.world.ledger.entries == ()


def test_two_faces_are_warned_of():
    """Not declined."""
    block = told(carded(), search(make_card("p1", faces=2)), "face_search")
    assert (block["status"], risks(block)) == ("Approved", ["MULTIPLE_FACES_DETECTED"])
    assert block["warnings"][0]["feature"] == "LIVENESS"


def test_one_credit_and_a_session():
    """At its own price, under its own service; nothing of either for a sandbox key."""
    engine = carded(switches={"price_search": "0.20"})
    told(engine, search(P1))
    told(engine, search(P1, save_api_request="false"))
    assert told(engine, search(P1, key=SANDBOX), "face_search")["total_matches"] == 0
    assert [(c.what, str(c.amount)) for c in engine.world.ledger.entries] == [
        ("FACE_SEARCH", "0.20")
    ] * 2
    (session,) = engine.world.sessions.all()
    assert (session.service, set(session.pictures)) == ("FACE_SEARCH", {"reference_image"})


def test_no_address_is_written_down():
    """Not into what a session keeps."""
    engine = carded()
    told(engine, liveness(P1))
    told(engine, search(P1))
    kept = engine.world.sessions.all()[-1].result["matches"]
    assert [row["match_image_url"] for row in kept] == [None]


def test_the_edition_of_march():
    """An age as a text, a name under another key, In Review where a card says so."""
    engine = carded(edition="2026-03")
    told(engine, enrolled(person="p1", full_name="A. Person", status=None))
    block = told(engine, search(make_card("p1", age=34, review=True)), "face_search")
    assert block["status"] == "In Review"
    assert block["user_image"]["entities"][0]["age"] == "34.0"
    details = {"name": "A. Person", "document_type": None, "document_number": None}
    assert block["matches"][0]["user_details"] == details


def test_later_editions():
    """The name under its full key; in November keys for templates, which the mock does not keep."""
    for edition in ("2026-07", "2026-11"):
        engine = carded(edition=edition)
        told(engine, enrolled(person="p1", full_name="A. Person"))
        card = make_card("p1", review=True)
        block = told(engine, search(card), "face_search")
        assert block["status"] == "Approved"
        assert block["matches"][0]["user_details"]["full_name"] == "A. Person"
        assert ("biometric_template_id" in block["matches"][0]) == (edition == "2026-11")


def test_what_a_test_sets_counts_in_a_search_too():
    """A face from the block list, say."""
    engine = carded()
    told(engine, control("outcomes", {"kind": "liveness", "blocklist": "possible"}))
    block = told(engine, search(P1), "face_search")
    assert (block["status"], risks(block)) == ("Declined", ["POSSIBLE_FACE_IN_BLOCKLIST"])
