"""Who is enrolled by a call, and who is known again by a liveness check: with real cards."""

import attrs
import pytest
from mock_didit import control, liveness, match
from mock_didit_faces import (
    SANDBOX,
    age,
    blocked,
    carded,
    enrolled,
    narrow,
    risks,
    search,
    told,
    unblocked,
)
from mock_didit_sessions import delete, put_into

from facematch_mock_server.control import Control
from facematch_mock_server.recognition.sheet import make_card
from facematch_mock_server.services import Key, KeyKind

P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=70), make_card("p2")
LIKE = make_card("p9", score=80)
NOT_LIVE = make_card("p1", liveness=3)
NOBODY = make_card("p1", faces=0)
TWO = make_card("p1", faces=2)
BYTES = b"\x89PNG no picture at all"


def alive(card=P1_AGAIN, **fields):
    """A liveness check that enrols nobody."""
    return liveness(card, save_api_request="false", **fields)


@pytest.mark.parametrize(
    ("before", "known"),
    [
        (liveness(P1), True),
        (age(P1), True),
        (search(P1), False),
        (match(P1, P1), False),
        (liveness(P1, save_api_request="false"), False),
        (liveness(P1, key=SANDBOX), False),
        (liveness(P2), False),
        (liveness(NOBODY), False),
        (liveness(TWO), True),
    ],
    ids=["liveness", "age", "search", "match", "unsaved", "sandbox", "other", "faceless", "two"],
)
def test_who_is_enrolled(before, known):
    """Saved liveness checks and age estimations; never a match, a sandbox call, an unsaved one."""
    engine = carded()
    engine.handle(before)
    assert risks(told(engine, alive(), "liveness")) == (["DUPLICATED_FACE"] if known else [])


def test_a_duplicate_names_the_other_session():
    """Its id, number and service; it does not decline."""
    engine = carded()
    first = told(engine, liveness(P1))
    block = told(engine, alive(), "liveness")
    (warning,) = block["warnings"]
    assert block["status"] == "Approved"
    assert warning["log_type"] == "information"
    assert warning["additional_data"] == {
        "duplicated_session_id": first["request_id"],
        "duplicated_session_number": 1,
        "api_service": "PASSIVE_LIVENESS",
    }


def test_a_weaker_likeness_is_possible():
    """From 75 on possible, from 90 on certain; both are ours to set."""
    for switches, wanted in (
        ({}, ["POSSIBLE_DUPLICATED_FACE"]),
        ({"index_certain": 80}, ["DUPLICATED_FACE"]),
        ({"index_possible": 81}, []),
    ):
        engine = carded(switches=switches)
        engine.handle(liveness(P1))
        assert risks(told(engine, alive(LIKE), "liveness")) == wanted


@pytest.mark.parametrize("wrong", [-1, 101, True, "90", None])
def test_limits_are_scores(wrong):
    """From 0 to 100."""
    with pytest.raises(ValueError, match="0 to 100"):
        carded(switches={"index_possible": wrong})


def test_only_approved_sessions_have_duplicates():
    """As their status is now."""
    engine = carded()
    told(engine, liveness(NOT_LIVE))
    assert risks(told(engine, alive(), "liveness")) == []
    put_into(1, "Approved")(engine)
    assert risks(told(engine, alive(), "liveness")) == ["DUPLICATED_FACE"]


def test_the_same_vendor_data_is_left_out():
    """Of the whole search, the block list included; a search leaves nobody out."""
    engine = carded()
    told(engine, liveness(P1, vendor_data="emp-1"))
    told(engine, blocked(1))
    assert risks(told(engine, alive(vendor_data="emp-1"), "liveness")) == []
    assert risks(told(engine, alive(vendor_data="emp-2"), "liveness")) == ["FACE_IN_BLOCKLIST"]
    found = told(engine, search(P1, vendor_data="emp-1"), "face_search")
    assert risks(found) == ["FACE_IN_BLOCKLIST"]


def test_the_block_list_declines():
    """An error, with the session that was blocked; no longer once it is off the list."""
    engine = carded()
    first = told(engine, liveness(P1))
    told(engine, blocked(1))
    block = told(engine, alive(), "liveness")
    assert (block["status"], risks(block)) == ("Declined", ["FACE_IN_BLOCKLIST"])
    assert block["warnings"][0]["additional_data"] == {
        "blocklisted_session_id": first["request_id"],
        "blocklisted_session_number": 1,
        "api_service": "PASSIVE_LIVENESS",
    }
    assert risks(told(engine, alive(LIKE), "liveness")) == ["POSSIBLE_FACE_IN_BLOCKLIST"]
    told(engine, unblocked(1))
    assert risks(told(engine, alive(), "liveness")) == ["DUPLICATED_FACE"]


def test_a_deleted_session_is_forgotten_and_the_list_is_not():
    """Its face is out of the index, unless it is on the block list."""
    engine = carded()
    for card in (P1, P2):
        told(engine, liveness(card))
    told(engine, blocked(2))
    delete(1)(engine)
    delete(2)(engine)
    assert risks(told(engine, alive(), "liveness")) == []
    assert risks(told(engine, alive(P2), "liveness")) == ["FACE_IN_BLOCKLIST"]
    (row,) = told(engine, narrow(P2), "face_search")["matches"]
    assert (row["source"], row["status"], row["match_image_url"]) == ("list_entry", None, None)


def test_what_a_test_sets_goes_first():
    """Whatever the index says."""
    engine = carded()
    told(engine, liveness(P1))
    engine.world.recognizer.set_outcome("liveness", duplicate="possible", blocklist="certain")
    block = told(engine, alive(), "liveness")
    assert risks(block) == ["FACE_IN_BLOCKLIST", "POSSIBLE_DUPLICATED_FACE"]
    assert block["warnings"][1]["additional_data"]["duplicated_session_number"] == 1
    assert block["warnings"][1]["additional_data"]["duplicated_session_id"].startswith("00000000")


def test_each_owner_has_an_index():
    """One organization's faces are nothing to another one's."""
    engine = carded()
    engine.world.keys.add("their-key", Key(kind=KeyKind.LIVE, owner="them"))
    told(engine, liveness(P1))
    assert risks(told(engine, alive(key="their-key"), "liveness")) == []
    found = told(engine, search(P1, key="their-key"), "face_search")
    assert found["total_matches"] == 0


def test_a_face_by_hand():
    """A person, a digest or a picture, on a list or on none; as it is or as it will be sent."""
    engine = carded()
    faces = Control(engine.world).faces
    one = faces.enrol(person="p1", vendor_data="emp-1")
    assert risks(told(engine, alive(), "liveness")) == ["DUPLICATED_FACE"]
    faces.block(one.id)
    assert risks(told(engine, alive(), "liveness")) == ["FACE_IN_BLOCKLIST"]
    faces.allow(one.id)
    faces.enrol(P1)
    assert risks(told(engine, alive(), "liveness")) == []
    faces.unlist(one.id)
    assert risks(told(engine, alive(), "liveness")) == ["DUPLICATED_FACE"]
    for face in faces.entries():
        faces.forget(face.id)
    assert risks(told(engine, alive(), "liveness")) == []
    assert len(faces.entries()) == 0


def test_faces_over_http():
    """The same verbs, and the ids of the lists."""
    engine = carded()
    made = told(engine, enrolled(digest="A" * 64, status="Declined"))
    assert (made["name"], made["status"]) == (f"sha256:{'a' * 64}", "Declined")
    for verb in ("block", "allow"):
        assert told(engine, control(f"faces/{verb}", {"id": made["id"]}))["listing"] == verb
    assert told(engine, control("faces/unlist", {"id": made["id"]})) == {}
    seen = told(engine, control("faces"))
    assert [face["id"] for face in seen["faces"]] == [made["id"]]
    assert set(seen["lists"]) == {"block", "allow"}
    assert told(engine, control("faces/forget", {"id": made["id"]})) == {}
    assert engine.handle(control("faces/forget", {"id": made["id"]})).status == 404
    assert engine.handle(control("faces/block", {"id": made["id"]})).status == 404


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "one of picture"),
        ({"person": "p1", "digest": "a" * 64}, "one of picture"),
        ({"person": "no person!"}, "letters"),
        ({"digest": "a"}, "64 hexadecimal"),
        ({"person": 7}, "must be a string"),
        ({"person": "p1", "listing": "grey"}, "grey"),
        ({"face": "p1"}, "'face' is not known here"),
    ],
)
def test_a_face_that_cannot_be_enrolled(body, word):
    """One sentence that says why."""
    answer = carded().handle(control("faces", body))
    assert answer.status == 400
    assert word in answer.json()["mock"]


@pytest.mark.parametrize("picture", [NOBODY, BYTES, "p1.png"])
def test_a_picture_that_cannot_be_enrolled(picture):
    """There is no face in it, or it is none."""
    with pytest.raises(ValueError, match="picture"):
        Control(carded().world).faces.enrol(picture)


def test_a_verb_without_an_id():
    """Is told so."""
    answer = carded().handle(control("faces/block", {}))
    assert (answer.status, answer.json()) == (400, {"mock": "id is missing"})


def test_a_reset_forgets_everybody():
    """A new world has an index of its own."""
    engine = carded()
    control_object = Control(engine.world)
    control_object.faces.enrol(person="p1")
    engine.world.reset()
    assert control_object.faces.entries() == ()


def test_a_decider_that_names_nobody():
    """Then the digest is the name, and who the outcome says it is goes before that."""

    @attrs.define
    class Plain:
        inner: object

        def liveness(self, probe, **more):
            return self.inner.liveness(probe, **more)

    plain = carded()
    engine = carded(decider=Plain(plain.world.recognizer))
    told(engine, liveness(P1))
    assert risks(told(engine, alive(), "liveness")) == ["DUPLICATED_FACE"]


def test_decisions_tell_who_was_found():
    """The matches of a liveness check, without an address that would be dead by then."""
    engine = carded()
    told(engine, liveness(P1))
    second = told(engine, liveness(P1_AGAIN))["request_id"]
    (session,) = [one for one in engine.world.sessions.all() if one.id == second]
    (row,) = session.result["_matches"]
    assert row["session_number"] == 1
    assert row["match_image_url"] is None
