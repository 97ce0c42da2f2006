"""Faces of a mock world for tests: searches, ages, lists, and all that claims about them need."""

import base64
import itertools

import mock_didit as didit
from mock_didit import START, control, liveness, match, picture, request
from mock_didit_sessions import delete, nth, put_into, sent
from mock_worlds import app_of, world_of

from facematch_mock_server.clock import VirtualClock
from facematch_mock_server.recognition.index import IndexedFace
from facematch_mock_server.recognition.recognizer import PictureRecognizer

SEARCH = "/v3/face-search/"
AGE = "/v3/age-estimation/"
MINIMUM = "age_estimation_decline_threshold"
BLOCKLIST = "/v3/blocklist/"
SANDBOX = "mock-sandbox-key"
_NUMBERS = itertools.count()


def face(name="p1", **more):
    """A face of an index."""
    more.setdefault("owner", "mock")
    return IndexedFace(id=f"face-{next(_NUMBERS)}", name=name, at=START, **more)


def carded(**settings):
    """An engine that looks at real cards and real bytes."""
    settings = {"clock": VirtualClock(START), "seed": 7, **settings}
    return app_of(world_of(settings.pop("decider", None) or PictureRecognizer(), **settings))


def told(engine, step, key=None):
    """The answer to a step: its decoded body, or the part of that key."""
    answer = step(engine) if callable(step) else engine.handle(step)
    body = answer.json()
    assert answer.status == 200, body
    return body if key is None else body[key]


def risks(block):
    """The risks of a part of an answer."""
    return [warning["risk"] for warning in block["warnings"]]


def asked(path, probe=None, *, key="mock-live-key", **fields):
    """A request with one picture; `fields` are those of the form."""
    files = [("user_image", "probe.jpg", picture() if probe is None else probe)]
    return request(path, *didit.multipart(fields.items(), files), key=key)


def search(probe=None, **fields):
    """A face search."""
    return asked(SEARCH, probe, **fields)


def narrow(probe=None, **fields):
    """A face search among those on the block list and the approved."""
    return search(probe, search_type="blocklisted_or_approved", **fields)


def age(probe=None, **fields):
    """An age estimation."""
    return asked(AGE, probe, **fields)


def blocked(number, verb="add", flag="blocklist_face", *, key="mock-live-key", **more):
    """A step that puts the face of a session on the block list."""
    return lambda engine: engine.handle(
        sent(
            f"{BLOCKLIST}{verb}/",
            {"session_id": nth(engine, number), flag: True, **more},
            method="POST",
            key=key,
        )
    )


def unblocked(number, **more):
    """A step that takes it off again."""
    return blocked(number, "remove", "unblock_face", **more)


def list_path(engine, which="block", tail="entries/"):
    """The path of one of the two lists."""
    return f"/v3/lists/{engine.world.records.list_id('mock', which)}/{tail}"


def listed(which="block", **more):
    """A step that reads the entries of a list."""
    return lambda engine: engine.handle(sent(list_path(engine, which), **more))


def uploaded(image, which="block", **more):
    """A step that puts a picture on a list; text is sent as it is."""
    text = base64.b64encode(image).decode() if isinstance(image, bytes) else image
    key = more.pop("key", "mock-live-key")
    return lambda engine: engine.handle(
        sent(
            list_path(engine, which, "entries/face-upload/"),
            {"image": text, **more},
            method="POST",
            key=key,
        )
    )


def enrolled(**face):
    """A request that enrols a face by hand."""
    return control("faces", face)


P1, P2 = picture(person="p1"), picture(person="p2")

SCENARIOS = {
    "faces: enrolment": (
        match(P1),
        search(P1),
        liveness(P1, save_api_request="false"),
        search(P1),
        liveness(P1, key=SANDBOX),
        search(P1),
        liveness(P1),
        search(P1),
        liveness(P1),
        liveness(P2, save_api_request="false"),
        age(picture(person="p3")),
        search(picture(person="p3")),
        search(picture(person="p4")),
        search(picture(person="p4")),
        control("faces"),
    ),
    "faces: screening": (
        liveness(P1, vendor_data="a"),
        liveness(P1, vendor_data="a"),
        liveness(P1, vendor_data="b"),
        search(P1, vendor_data="a"),
        match(P1),
        put_into(1, "Declined"),
        put_into(2, "Declined"),
        put_into(3, "Declined"),
        liveness(P1, save_api_request="false"),
        narrow(P1),
        blocked(2),
        put_into(1, "Approved"),
        put_into(2, "Approved"),
        narrow(P1),
        search(P1),
        liveness(P1),
        match(P1),
        delete(2),
        delete(1),
        search(P1),
        liveness(P1),
        blocked(3),
        put_into(3, "Approved"),
        delete(4),
        delete(6),
        delete(7),
        delete(8),
        delete(9),
        liveness(P1),
    ),
    "faces: allowed": (
        enrolled(person="p1", listing="allow", full_name="A. Person"),
        search(P1),
        search(P1, save_api_request="false"),
        liveness(P1),
        liveness(P1, save_api_request="false"),
    ),
    "faces: blocked": (
        enrolled(person="p1", listing="block"),
        search(P1, save_api_request="false"),
    ),
    "faces: searches": (
        *(liveness(P1, vendor_data=str(number)) for number in range(7)),
        search(P1),
        search(P1, save_api_request="false"),
        search(P1, search_type="everybody"),
        search(picture(faces=2)),
        search(picture(faces=0)),
        search(b"no picture"),
        search(picture(review=True)),
        search(key=SANDBOX),
        control("sessions"),
        control("ledger"),
    ),
    "faces: ages": (
        age(),
        age(**{MINIMUM: "34.12"}),
        age(**{MINIMUM: "35"}),
        age(**{MINIMUM: "0"}),
        age(**{MINIMUM: "101"}),
        age(picture(age=18)),
        age(picture(age=17.9)),
        age(picture(age=None)),
        age(picture(age=None), **{MINIMUM: "0"}),
        age(picture(score=30)),
        age(picture(score=None)),
        age(picture(score=None), face_liveness_score_decline_threshold="0"),
        age(picture(attack=True)),
        age(picture(faces=0)),
        age(b"no picture"),
        age(key=SANDBOX),
        control("sessions"),
        control("ledger"),
    ),
    "faces: lists": (
        match(),
        liveness(P1),
        blocked(2, flag="blocklist_document"),
        sent(BLOCKLIST),
        blocked(2),
        sent(BLOCKLIST),
        sent(f"{BLOCKLIST}?item_type=document"),
        blocked(1),
        blocked(99),
        sent(f"{BLOCKLIST}add/", {"session_id": "seven"}, method="POST"),
        sent(f"{BLOCKLIST}add/", {}, method="POST"),
        listed(),
        uploaded(P2, comment="met at the gate"),
        listed(),
        search(P2),
        uploaded("?"),
        uploaded(picture(note="x" * 2_100_000)),
        sent("/v3/lists/00000000-0000-4000-8000-00000000abcd/entries/"),
        unblocked(2),
    ),
}
