"""Verdicts, the shapes that they come in, and what a test makes up."""

import json
import re

import pytest
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import MATCH_2, liveness, match, picture, token_of
from kit.mock_worlds import app_of, control_of, struck_by, world_of

from facematch_mock_server import UNSET, Fault, card_sheet
from facematch_mock_server.recognition.recognizer import PictureRecognizer


class Asking:
    """A world of Deepvue's with these switches, and calls to it with a good token."""

    def __init__(self, **switches):
        self.app = deepvue.new_engine(vendor="deepvue", switches=switches)
        self.control = control_of(self.app.world)
        self.token = token_of(self.app)

    def match(self, *pictures, **more):
        return self.app.handle(match(*pictures, token=self.token, **more))

    def liveness(self, *pictures, **more):
        return self.app.handle(liveness(*pictures, token=self.token, **more))


def test_version_1():
    """All six keys, the time in milliseconds, an id without dashes."""
    body = Asking().match(picture(score=87.4)).json()
    assert list(body) == [
        *("code", "timestamp", "transaction_id", "sub_code"),
        *("message", "data"),
    ]
    assert re.fullmatch(r"[0-9a-f]{32}", body.pop("transaction_id"))
    assert body == {
        "code": 200,
        "timestamp": 1782983727104,
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": True, "confidence": 87},
    }


def test_the_sample_of_version_1():
    """As it is printed: code and confidence are null, of a mismatch, too."""
    asking = Asking(code="null", confidence_as="null")
    body = asking.match(picture(score=87.4)).json()
    assert (body["code"], body["data"]) == (None, {"match": True, "confidence": None})
    assert {body["sub_code"], body["message"]} == {"SUCCESS", "Face match completed."}
    answer = asking.match(picture(score=3))
    assert (answer.status, answer.json()["code"]) == (200, None)
    assert answer.json()["data"] == {"match": False, "confidence": None}


def test_version_2():
    """No time, and an id with dashes."""
    body = Asking().match(picture(score=12), path=MATCH_2).json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body.pop("transaction_id"))
    assert body == {
        "code": 200,
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": False, "confidence": 12},
    }


@pytest.mark.parametrize(
    ("meaning", "score", "told"),
    [
        ("similarity", 98, (True, 98)),
        ("similarity", 60, (True, 60)),
        ("similarity", 59.6, (False, 60)),
        ("similarity", 12, (False, 12)),
        ("decision", 98, (True, 98)),
        ("decision", 3, (False, 97)),
        ("null", 98, (True, None)),
        ("null", 12, (False, None)),
    ],
)
def test_what_confidence_means(meaning, score, told):
    """The likeness, how sure the verdict is, or nothing."""
    data = Asking(confidence_as=meaning).match(picture(score=score)).json()["data"]
    assert (data["match"], data["confidence"]) == told


@pytest.mark.parametrize("switch", [{}, {"equal_bytes": 100, "match_from": 100}])
def test_the_same_bytes(switch):
    """Match with 98, unless it is set to something else."""
    same = picture(score=40)
    data = Asking(**switch).match(same, same).json()["data"]
    assert data == {"match": True, "confidence": switch.get("equal_bytes", 98)}


def test_real_bytes_and_cards():
    """The decider of every vendor: cards by their persons, other bytes by themselves."""
    engine = app_of(world_of(PictureRecognizer(), vendor="deepvue"))
    token = token_of(engine)
    cards = card_sheet()
    for one, other, expected in (
        (cards["p1"].data, cards["p1-again"].data, True),
        (cards["p1"].data, cards["p2"].data, False),
        (cards["p1"].data, cards["p1"].data, True),
    ):
        sent = match(one, other, names=("a.png", "b.png"), token=token)
        assert engine.handle(sent).json()["data"]["match"] is expected


@pytest.mark.parametrize("no_picture", [picture(faces=0), deepvue.JPEG + b"x"])
@pytest.mark.parametrize("made", ["match", "liveness"])
def test_no_face(no_picture, made):
    """422 in an envelope; with the switch 200 with another sub_code, which is charged."""
    asking = Asking()
    answer = getattr(asking, made)(no_picture)
    assert answer.status == 422
    assert set(answer.json()) == {"transaction_id", "timestamp", "sub_code", "message"}
    assert answer.json()["message"] == "Face not detected"
    assert asking.control.charges() == ()
    asking = Asking(no_face=200)
    body = getattr(asking, made)(no_picture).json()
    assert (body["data"], body["sub_code"]) == (None, "FACE_NOT_DETECTED")
    assert len(asking.control.charges()) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"score": 50}, (True, None, 50)),
        ({"score": 49.9}, (False, None, 50)),
        ({"score": 12}, (False, None, 12)),
        ({"score": None}, (False, None, None)),
        ({"score": 97, "attack": True}, (False, None, 97)),
    ],
)
@pytest.mark.parametrize("data_uri", [False, True])
def test_liveness(said, told, data_uri):
    """is_live from 50 up, never for an attack; the score is null, or a whole number."""
    body = Asking().liveness(picture(**said), data_uri=data_uri).json()
    assert (body["data"]["is_live"], body["data"]["score"]) == told[:2]
    assert (body["timestamp"], body["message"]) == (None, "Request processed successfully")
    assert re.fullmatch(r"[0-9a-f]{32}", body["transaction_id"])
    numbered = Asking(liveness_score="number").liveness(picture(**said)).json()["data"]
    assert (numbered["is_live"], numbered["score"]) == (told[0], told[2])


SCENARIOS = [
    {"data": {"match": True, "confidence": None}},
    {"code": None},
    *({"data": {"match": True, "confidence": one}} for one in (0.98, 1, "98", 101, -1, True)),
    {"data": {"confidence": 98}},
    {"data": {"match": "true", "confidence": 98}},
    {"data": None},
    {"data": {}},
    {"sub_code": "NO_RECORDS_FOUND"},
    {"data": {"error_code": "E1", "message": "no"}},
    {"unheard_of": [1], "data": {"match": True, "confidence": 98, "more": {}}},
    {"data": {"is_live": True, "score": 0.97}},
]


@pytest.mark.parametrize("fields", SCENARIOS, ids=json.dumps)
def test_what_a_test_makes_up(fields):
    """Stands in one answer as it is, in Python and over HTTP, and is charged as ever."""
    over_http = deepvue.steer("answers", {"kind": "match", "fields": fields})
    for how in (
        lambda asking: asking.control.answers.set("match", fields),
        lambda asking: asking.app.handle(over_http),
    ):
        asking = Asking()
        plain = asking.match().json()
        how(asking)
        body = asking.match().json()
        assert {name: body[name] for name in fields} == fields
        assert body.keys() >= plain.keys()
        assert asking.match().json()["data"] == plain["data"]
        assert len(asking.control.charges()) == 3


def test_answers_wait_and_are_counted():
    """By kind, for so many calls; one without a field leaves it out; a reset drops them."""
    asking = Asking()
    answers = asking.control.answers
    answers.set("liveness", {"data": {"is_live": True, "score": 3}}, times=None)
    answers.set("match", without=["sub_code", "message"], times=2)
    for _ in range(2):
        assert not {"sub_code", "message"} & set(asking.match().json())
        assert asking.liveness().json()["data"]["score"] == 3
    assert "sub_code" in asking.match().json()
    assert [one.kind for one in answers.all()] == ["liveness"]
    answers.clear()
    assert answers.all() == ()
    answers.set("match", {"data": 1})
    asking.control.reset()
    assert asking.control.answers.all() == ()


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("search", {}, "match or liveness"),
        ("match", {"fields": [1]}, "must be an object"),
        ("match", {"fields": {"data": float("nan")}}, "finite"),
        ("match", {"times": 0}, "from 1"),
        ("match", {"without": "data"}, "list of field names"),
        ("match", {"without": [1]}, "list of field names"),
    ],
)
def test_an_answer_that_cannot_be_made_up(kind, more, words):
    """One sentence says why, and nothing waits."""
    answers = Asking().control.answers
    with pytest.raises(ValueError, match=words):
        answers.set(kind, **more)
    assert answers.all() == ()


def test_outcomes_that_a_test_sets():
    """Work as for every vendor; there is no review here."""
    engine = app_of(world_of(PictureRecognizer(), vendor="deepvue"))
    token, control = token_of(engine), control_of(engine.world)
    card = card_sheet()["p1"].data
    sent = match(card, card, names=("a.png", "b.png"), token=token)
    control.set_outcome("match", score=12)
    assert engine.handle(sent).json()["data"] == {"match": False, "confidence": 12}
    control.set_outcome("match", score=None)
    assert engine.handle(sent).status == 422
    assert control.outcomes() == ()
    with pytest.raises(ValueError, match="no edition has it"):
        control.set_outcome("match", review=True, score=UNSET)


@pytest.mark.parametrize(
    ("shape", "status", "body"),
    [
        ("detail", 400, {"detail": "Bad Request"}),
        ("detail", 401, {"detail": "Could not validate credentials"}),
        ("detail", 402, {"detail": "Payment Required"}),
        ("detail", 403, {"detail": "Not a valid token"}),
        ("detail", 404, {"detail": "Not Found"}),
        ("detail", 429, {"detail": "Rate limit exceeded. Please retry after some time."}),
        ("detail", 500, {"detail": "Internal Server Error"}),
        ("detail", 503, {"detail": "Source Unavailable"}),
        ("envelope", 400, {"message": "Bad Request"}),
        ("envelope", 401, {"detail": "Could not validate credentials"}),
        (
            "envelope",
            500,
            {"timestamp": 1782983727104, "sub_code": "FAILED", "message": "Internal Server Error"},
        ),
        ("envelope", 503, {"timestamp": 1782983727104, "message": "Source Unavailable"}),
    ],
)
def test_faults_in_the_vendors_words(shape, status, body):
    """In each shape that errors come in."""
    asking = Asking(error_shape=shape)
    answer = struck_by(asking.app, Fault(stage="answer", kind="status", status=status), match())
    told = answer.json()
    assert told.pop("transaction_id", None) is None or status in (500, 503)
    assert (answer.status, told) == (status, body)


def test_a_refused_body_in_an_envelope():
    """Its entries are one line of text."""
    asking = Asking(error_shape="envelope")
    body = asking.app.handle(deepvue.request(token=asking.token)).json()
    assert body["message"] == "body.file_a: field required; body.file_b: field required"
