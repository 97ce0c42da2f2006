"""The block list by session, and what is known of the lists that came after."""

import base64

import pytest
from mock_didit import liveness, match
from mock_didit_faces import (
    BLOCKLIST,
    SANDBOX,
    age,
    blocked,
    carded,
    list_path,
    listed,
    risks,
    search,
    told,
    unblocked,
    uploaded,
)
from mock_didit_sessions import NOBODY, nth, sent

from facematch_mock_server.recognition.sheet import make_card
from facematch_mock_server.services import Key, KeyKind

P1, P2 = make_card("p1"), make_card("p2")
NOVEMBER = {"edition": "2026-11"}
DONE = {"message": "Successfully updated blocklist."}


def posted(body, verb="add", **more):
    """A change of the block list."""
    return sent(f"{BLOCKLIST}{verb}/", body, method="POST", **more)


@pytest.mark.parametrize("edition", ["2026-03", "2026-07", "2026-11"])
def test_on_the_list_and_off_it(edition):
    """In every edition."""
    engine = carded(edition=edition)
    first = told(engine, liveness(P1))["request_id"]
    assert told(engine, blocked(1)) == DONE
    (row,) = told(engine, sent(BLOCKLIST))
    assert (row["item_type"], row["session_id"], row["session_number"]) == ("face", first, 1)
    assert told(engine, unblocked(1)) == DONE
    assert told(engine, sent(BLOCKLIST)) == []


def test_what_is_not_about_the_face():
    """Is taken and changes nothing: such things a kept call does not have."""
    engine = carded()
    told(engine, liveness(P1))
    more = {"blocklist_document": "true", "blocklist_phone": 1, "blocklist_email": False}
    assert told(engine, posted({"session_id": nth(engine, 1), **more})) == DONE
    assert told(engine, sent(BLOCKLIST)) == []
    told(engine, blocked(1))
    assert told(engine, sent(f"{BLOCKLIST}?item_type=document")) == []
    assert len(told(engine, sent(f"{BLOCKLIST}?item_type=face"))) == 1


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, {"session_id": ["This field is required."]}),
        ({"session_id": None}, {"session_id": ["This field may not be null."]}),
        ({"session_id": "seven"}, {"session_id": ["Must be a valid UUID."]}),
        (
            {"session_id": NOBODY, "blocklist_face": "maybe"},
            {"blocklist_face": ["Must be a valid boolean."]},
        ),
    ],
)
def test_a_body_that_does_not_fit(body, wanted):
    """400 by field."""
    answer = carded().handle(posted(body))
    assert (answer.status, answer.json()) == (400, wanted)


def test_a_body_that_is_no_object():
    """400."""
    assert carded().handle(posted([])).status == 400


def test_a_session_that_is_not_there():
    """Unknown, somebody else's, or out of a sandbox key's reach: 404."""
    engine = carded()
    engine.world.keys.add("their-key", Key(kind=KeyKind.LIVE, owner="them"))
    told(engine, liveness(P1))
    assert blocked(99)(engine).status == 404
    assert blocked(1, key="their-key")(engine).status == 404
    assert blocked(1, key=SANDBOX)(engine).status == 404
    assert engine.handle(posted({}, key=None)).status == 403
    told(engine, blocked(1))
    assert told(engine, sent(BLOCKLIST, key=SANDBOX)) == []
    assert told(engine, sent(BLOCKLIST, key="their-key")) == []


@pytest.mark.parametrize("step", [match(P1, P1), liveness(make_card("p1", faces=0))])
def test_a_session_without_a_face_in_the_index(step):
    """A match enrols nobody, and so does a picture without a face: there is nothing to block."""
    engine = carded()
    told(engine, step)
    assert blocked(1)(engine).status == 400


@pytest.mark.parametrize("step", [search(P1), age(P1)])
def test_every_enrolled_face_can_be_blocked(step):
    """That of a search too, which is not found otherwise."""
    engine = carded()
    told(engine, step)
    told(engine, blocked(1))
    assert risks(told(engine, liveness(P1), "liveness")) == ["FACE_IN_BLOCKLIST"]


def test_a_face_by_upload():
    """An entry with ten keys; its face declines a liveness check, or suppresses duplicates."""
    engine = carded(**NOVEMBER)
    answer = uploaded(P1, comment="met at the gate")(engine)
    entry = answer.json()
    assert answer.status == 201
    assert entry == {
        "uuid": entry["uuid"],
        "value": None,
        "display_label": "Face",
        "comment": "met at the gate",
        "added_by": None,
        "reference_session_id": None,
        "reference_session_number": None,
        "reference_object_uuid": None,
        "metadata": None,
        "created_at": "2026-07-02T09:15:27.104233Z",
    }
    assert told(engine, listed())["results"] == [entry]
    assert told(engine, listed("allow"))["results"] == []
    assert risks(told(engine, liveness(P1), "liveness")) == ["FACE_IN_BLOCKLIST"]
    assert told(engine, search(P1), "face_search")["matches"][0]["source"] == "list_entry"
    uploaded(P2, "allow")(engine)
    told(engine, liveness(P2))
    assert risks(told(engine, liveness(P2), "liveness")) == []


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("???", "Must be a base64-encoded image."),
        (b"x" * (2 * 1024 * 1024 + 1), "File size should not exceed 2 MB"),
        (None, "This field may not be null."),
    ],
)
def test_a_picture_that_is_not_taken(image, words):
    """400 by field."""
    answer = uploaded(image)(carded(**NOVEMBER))
    assert (answer.status, answer.json()) == (400, {"image": [words]})


def test_other_mistakes_of_an_upload():
    """No image, a comment that is no text, no face, a body that is no object."""
    engine = carded(**NOVEMBER)
    path = list_path(engine, tail="entries/face-upload/")
    image = base64.b64encode(make_card("p1", faces=0)).decode()
    for body in ({}, {"image": "", "comment": []}, {"image": image}, []):
        assert engine.handle(sent(path, body, method="POST")).status == 400


def test_a_list_that_is_not_there():
    """Another id, a sandbox key."""
    engine = carded(**NOVEMBER)
    path = f"/v3/lists/{NOBODY}/entries/"
    assert engine.handle(sent(path)).status == 404
    assert engine.handle(sent(f"{path}face-upload/", {}, method="POST")).status == 404
    assert listed(key=SANDBOX)(engine).status == 404


@pytest.mark.parametrize("edition", ["2026-03", "2026-07"])
@pytest.mark.parametrize("key", ["mock-live-key", None, "wrong"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_before_their_edition_there_are_no_lists(edition, key, method):
    """The router does not know them: HTML for everybody, as for any unknown path."""
    engine = carded(edition=edition)
    for tail in ("", "face-upload/"):
        path = f"/v3/lists/{NOBODY}/entries/{tail}"
        answer = engine.handle(sent(path, method=method, key=key))
        other = engine.handle(sent("/v3/no-such-thing/", method=method, key=key))
        assert (answer.status, answer.body) == (404, other.body)
        assert answer.header("Content-Type").startswith("text/html")


def test_the_list_of_lists_is_not_imitated():
    """Nobody says what it looks like."""
    answer = carded(**NOVEMBER).handle(sent("/v3/lists/"))
    assert (answer.status, list(answer.json())) == (404, ["mock"])
