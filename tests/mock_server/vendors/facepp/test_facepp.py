"""What the mock answers as Face++."""

import base64
import io
from decimal import Decimal

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_didit import control_of, handle_with_fault, scene
from kit.mock_facepp import API_KEY, KEYS, SECRET, compare_request, request_of_type
from PIL import Image as Pillow

from facematch_mock_server import Fault, MockServer, make_card
from facematch_mock_server.recognition.recognizer import Recognizer

MEGABYTE = 1024 * 1024
P1, P1_AGAIN = make_card("p1"), make_card("p1", quality=60)


@pytest.fixture
def engine():
    return didit.new_engine(vendor="facepp", switches={"price": "0.01"})


@pytest.fixture
def reading_engine():
    """A mock that looks at the bytes of the pictures."""
    return didit.new_engine(Recognizer(), vendor="facepp")


def refusal_of(answer):
    return answer.status, answer.json()["error_message"]


def picture(kind="PNG", size=(200, 200)):
    file = io.BytesIO()
    Pillow.new("RGB", size, "gray").save(file, kind)
    return file.getvalue()


def test_answer_has_the_documented_fields_and_exactly_those(engine):
    body = engine.handle(compare_request(scene(score=96.45678))).json()
    assert set(body) == {
        "request_id",
        "time_used",
        "confidence",
        "thresholds",
        "image_id1",
        "image_id2",
        "faces1",
        "faces2",
    }
    assert body["confidence"] == 96.457
    assert set(body["thresholds"]) == {"1e-3", "1e-4", "1e-5"}
    (face,) = body["faces1"]
    assert set(face) == {"face_token", "face_rectangle"}
    assert face["face_rectangle"] == {"left": 212, "top": 148, "width": 392, "height": 542}


def test_all_faces_are_listed_and_the_first_is_the_largest(engine):
    faces = engine.handle(compare_request(scene(faces=3))).json()["faces1"]
    areas = [face["face_rectangle"]["width"] * face["face_rectangle"]["height"] for face in faces]
    assert len(areas) == 3
    assert areas[0] == max(areas)


@pytest.mark.parametrize("faces", [(0, 1), (1, 0), (0, 0)])
def test_picture_without_a_face_has_an_empty_list_and_is_not_charged(engine, faces):
    answer = engine.handle(compare_request(*(scene(faces=number) for number in faces)))
    body = answer.json()
    assert answer.status == 200
    assert (len(body["faces1"]), len(body["faces2"])) == faces
    assert not {"confidence", "thresholds"} & set(body)
    assert control_of(engine).charges() == ()


def test_each_answer_with_a_confidence_is_one_charge(engine):
    answers = [engine.handle(compare_request()) for _ in range(2)]
    charges = control_of(engine).charges()
    assert [charge.amount for charge in charges] == [Decimal("0.01")] * 2
    ids = [answer.json()["request_id"] for answer in answers]
    assert len(set(ids)) == 2


def test_picture_in_base64_gets_the_answer_of_a_file(engine):
    text = base64.b64encode(scene(score=41)).decode()
    answer = engine.handle(compare_request(False, image_base64_1=text))
    assert answer.json()["confidence"] == 41


def test_file_takes_precedence_over_base64(engine):
    text = base64.b64encode(scene(score=41)).decode()
    answer = engine.handle(compare_request(scene(score=90), image_base64_1=text))
    assert answer.json()["confidence"] == 90


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        (request_of_type("text/plain"), 400, "MISSING_ARGUMENTS: api_key"),
        (compare_request(keys={}), 400, "MISSING_ARGUMENTS: api_key"),
        (compare_request(keys={"api_key": API_KEY}), 400, "MISSING_ARGUMENTS: api_secret"),
        (compare_request(keys={**KEYS, "api_secret": "wrong"}), 401, "AUTHENTICATION_ERROR"),
        (compare_request(keys={"api_key": "a", "api_secret": SECRET}), 401, "AUTHENTICATION_ERROR"),
        (compare_request(False), 400, "MISSING_ARGUMENTS: image_file1"),
        (compare_request(image_file2=False), 400, "MISSING_ARGUMENTS: image_file2"),
        (compare_request(b"x"), 400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_file1"),
        (
            compare_request(False, image_base64_1="data:,"),
            *(400, "IMAGE_ERROR_UNSUPPORTED_FORMAT:image_base64_1"),
        ),
        (compare_request(path="/facepp/v3/detect"), 404, "API_NOT_FOUND"),
    ],
)
def test_refusal_has_the_documented_status_and_text(engine, sent, status, message):
    assert refusal_of(engine.handle(sent)) == (status, message)
    assert control_of(engine).charges() == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (picture(size=(47, 200)), "INVALID_IMAGE_SIZE"),
        (picture(size=(48, 48)), None),
        (picture(size=(4096, 48)), None),
        (picture(size=(4097, 48)), "INVALID_IMAGE_SIZE"),
        (picture("JPEG"), None),
        (picture("WEBP"), "IMAGE_ERROR_UNSUPPORTED_FORMAT"),
        (picture("BMP"), "IMAGE_ERROR_UNSUPPORTED_FORMAT"),
        (b"x" * (2 * MEGABYTE), "IMAGE_ERROR_UNSUPPORTED_FORMAT"),
        (b"x" * (2 * MEGABYTE + 1), "IMAGE_FILE_TOO_LARGE"),
    ],
    ids=lambda value: str(value)[-40:] if isinstance(value, str | None) else len(value),
)
def test_limits_of_a_picture_are_the_documented_ones(reading_engine, content, message):
    answer = reading_engine.handle(compare_request(P1, content))
    if message is None:
        assert answer.status == 200
    else:
        assert refusal_of(answer) == (400, f"{message}:image_file2")


def test_limit_of_2_mb_holds_for_each_picture_or_for_both_together():
    half = scene().ljust(3 * MEGABYTE // 2)
    each = didit.new_engine(vendor="facepp").handle(compare_request(half, half))
    together = didit.new_engine(vendor="facepp", switches={"limit": "together"})
    assert each.status == 200
    answer = together.handle(compare_request(half, half))
    assert (answer.status, answer.body) == (413, b"Request Entity Too Large")
    assert answer.header("content-type") == "text/plain"


def test_calls_above_the_plan_and_without_credit_are_403(engine):
    control = control_of(engine)
    control.set_limit("second", 1)
    answers = [engine.handle(compare_request()) for _ in range(2)]
    assert answers[0].status == 200
    assert refusal_of(answers[1]) == (403, "CONCURRENCY_LIMIT_EXCEEDED")
    control.set_limit("second", None)
    control.set_balance(0)
    answer = engine.handle(compare_request())
    assert refusal_of(answer) == (403, "AUTHORIZATION_ERROR:Insufficient Account Balance")
    assert len(control.charges()) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "BAD_ARGUMENTS:return_landmark"),
        (401, "AUTHENTICATION_ERROR"),
        (403, "AUTHORIZATION_ERROR:Denied by Admin"),
        (500, "INTERNAL_ERROR"),
    ],
)
def test_fault_has_the_vendors_own_error(engine, status, message):
    fault = Fault(stage="answer", kind="status", status=status)
    assert refusal_of(handle_with_fault(engine, fault, compare_request())) == (status, message)


def test_keys_are_not_in_the_journal(engine):
    engine.handle(compare_request())
    entry = engine.account.journal.entries[-1].to_dict()
    assert SECRET not in str(entry)


@pytest.mark.parametrize("field", ["image_file1", "image_base64_1"])
def test_plain_http_client_gets_a_documented_answer(field):
    """The vendor has no client on PyPI; its pages show forms like these."""
    with MockServer(vendor="facepp") as mock:
        fields = {"api_key": mock.client_id, "api_secret": mock.live_key}
        files = {"image_file2": ("b.png", P1_AGAIN)}
        if field == "image_file1":
            files[field] = ("a.png", P1)
        else:
            fields[field] = base64.b64encode(P1).decode()
        url = f"{mock.url}/facepp/v3/compare"
        body = requests.post(url, data=fields, files=files, timeout=10).json()
    assert body["confidence"] > body["thresholds"]["1e-5"]
