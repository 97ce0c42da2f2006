"""Bodies that are refused, verdicts, the shapes that they come in, and what a test makes up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import (
    FACEMATCH,
    FACEMATCH_2,
    GIF,
    deepvue_liveness,
    deepvue_match,
    deepvue_request,
    jpeg_scene,
    multipart,
    token_of,
)
from kit.mock_worlds import control_of, handle_with_fault

from facematch_mock_server import Fault


@pytest.fixture(scope="module")
def ask():
    engine = deepvue.new_engine(vendor="deepvue")
    token = token_of(engine)

    def send(make_request, *arguments, **more):
        return engine.handle(make_request(*arguments, token=token, **more))

    return send


@pytest.mark.parametrize(
    ("name", "begins", "first", "second"),
    [
        ("a.jpg", deepvue.JPEG, True, True),
        ("a.png", deepvue.JPEG, True, True),
        ("a.pdf", deepvue.PDF, False, True),
        ("a.jpg", deepvue.PDF, False, True),
        ("a.jpg", GIF, False, False),
        ("a.gif", deepvue.JPEG, False, False),
    ],
)
def test_files_are_known_by_their_names_and_beginnings_and_version_2_takes_pdfs(
    ask, name, begins, first, second
):
    data = begins + deepvue.didit.scene()
    for path, is_taken in ((FACEMATCH, first), (FACEMATCH_2, second)):
        answer = ask(deepvue_match, data, path=path, names=(name, "b.jpg"))
        assert answer.status == (200 if is_taken else 422)


@given(body=st.binary(max_size=80), kind=st.sampled_from(["application/json", None, "x"]))
def test_any_body_is_refused_and_never_by_a_fault_of_the_mock(ask, body, kind):
    for path in (FACEMATCH, deepvue.LIVENESS_CHECK):
        assert ask(deepvue_request, path, body, kind).status in (400, 422)


def test_of_a_part_that_is_sent_twice_the_last_counts(ask):
    good = [("file_a", "a.jpg", deepvue.jpeg_scene()), ("file_b", "b.jpg", deepvue.jpeg_scene())]
    assert (
        ask(deepvue_request, FACEMATCH, *multipart((), [("file_a", "a.gif", GIF), *good])).status
        == 200
    )
    assert (
        ask(deepvue_request, FACEMATCH, *multipart((), [*good, ("file_a", "a.gif", GIF)])).status
        == 422
    )


class Asking:
    """A world of Deepvue's with these switches, and calls to it with a good token."""

    def __init__(self, **switches):
        self.app = deepvue.new_engine(vendor="deepvue", switches=switches)
        self.control = control_of(self.app.world)
        self.token = token_of(self.app)

    def match(self, *pictures, **more):
        return self.app.handle(deepvue_match(*pictures, token=self.token, **more))

    def liveness(self, *pictures, **more):
        return self.app.handle(deepvue_liveness(*pictures, token=self.token, **more))


def test_version_1_has_six_keys_milliseconds_and_an_id_without_dashes():
    body = Asking().match(jpeg_scene(score=87.4)).json()
    names = ["code", "timestamp", "transaction_id", "sub_code", "message", "data"]
    assert list(body) == names
    assert re.fullmatch(r"[0-9a-f]{32}", body.pop("transaction_id"))
    assert body == {
        "code": 200,
        "timestamp": 1782983727104,
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": True, "confidence": 87},
    }


def test_version_2_has_no_time_and_an_id_with_dashes():
    body = Asking().match(jpeg_scene(score=12), path=FACEMATCH_2).json()
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body.pop("transaction_id"))
    assert body == {
        "code": 200,
        "sub_code": "SUCCESS",
        "message": "Face match completed.",
        "data": {"match": False, "confidence": 12},
    }


@pytest.mark.parametrize(
    ("score", "shown"), [(98, (True, 98)), (60, (True, 60)), (59.6, (False, 60))]
)
def test_confidence_is_the_likeness_as_a_whole_number(score, shown):
    data = Asking().match(jpeg_scene(score=score)).json()["data"]
    assert (data["match"], data["confidence"]) == shown


@pytest.mark.parametrize("switch", [{}, {"equal_bytes": 100, "match_from": 100}])
def test_the_same_bytes_match_with_98_unless_a_switch_says_otherwise(switch):
    same = jpeg_scene(score=40)
    data = Asking(**switch).match(same, same).json()["data"]
    assert data == {"match": True, "confidence": switch.get("equal_bytes", 98)}


@pytest.mark.parametrize("no_picture", [jpeg_scene(faces=0), deepvue.JPEG + b"x"])
@pytest.mark.parametrize("operation", ["match", "liveness"])
def test_no_face_is_422_and_free_or_by_a_switch_200_and_charged(no_picture, operation):
    asking = Asking()
    answer = getattr(asking, operation)(no_picture)
    assert answer.status == 422
    assert set(answer.json()) == {"transaction_id", "timestamp", "sub_code", "message"}
    assert answer.json()["message"] == "Face not detected"
    assert asking.control.charges() == ()
    asking = Asking(no_face=200)
    body = getattr(asking, operation)(no_picture).json()
    assert (body["data"], body["sub_code"]) == (None, "FACE_NOT_DETECTED")
    assert len(asking.control.charges()) == 1


@pytest.mark.parametrize(
    ("scene", "shown"),
    [
        ({"score": 50}, (True, None, 50)),
        ({"score": 49.9}, (False, None, 50)),
        ({"score": None}, (False, None, None)),
        ({"score": 97, "attack": True}, (False, None, 97)),
    ],
)
@pytest.mark.parametrize("data_uri", [False, True])
def test_somebody_is_live_from_50_up_and_never_in_an_attack(scene, shown, data_uri):
    body = Asking().liveness(jpeg_scene(**scene), data_uri=data_uri).json()
    assert (body["data"]["is_live"], body["data"]["score"]) == shown[:2]
    assert (body["timestamp"], body["message"]) == (None, "Request processed successfully")
    assert re.fullmatch(r"[0-9a-f]{32}", body["transaction_id"])
    numbered = Asking(liveness_score="number").liveness(jpeg_scene(**scene)).json()["data"]
    assert (numbered["is_live"], numbered["score"]) == (shown[0], shown[2])


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Bad Request"),
        (401, "Could not validate credentials"),
        (402, "Payment Required"),
        (403, "Not a valid token"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (429, "Rate limit exceeded. Please retry after some time."),
        (500, "Internal Server Error"),
        (503, "Source Unavailable"),
    ],
)
def test_faults_have_the_vendors_words(status, words):
    fault = Fault(stage="answer", kind="status", status=status)
    answer = handle_with_fault(Asking().app, fault, deepvue_match())
    assert (answer.status, answer.json()) == (status, {"detail": words})
