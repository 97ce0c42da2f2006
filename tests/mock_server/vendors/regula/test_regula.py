"""What the mock answers as Regula's web service."""

import json
from decimal import Decimal

import attrs
import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_of, handle_with_fault, scene
from kit.mock_regula import get_request, match_request, request_with

from facematch_mock_server import Fault

P1 = scene(score=93.4567)


@pytest.fixture
def engine():
    return didit.new_engine(vendor="regula", switches={"price": "0.01"})


def pairs_of(body):
    """The similarity of each two faces, a face by its picture and its number in it."""
    similarities = {}
    for result in body["results"]:
        first = result["firstIndex"], result["firstFaceIndex"]
        second = result["secondIndex"], result["secondFaceIndex"]
        similarities[first, second] = result["similarity"]
    return similarities


def area_of(face):
    _, _, width, height = face["roi"]
    return width * height


def test_answer_has_the_documented_fields_and_exactly_those(engine):
    body = engine.handle(match_request(P1)).json()
    assert set(body) == {"code", "detections", "results", "metadata"}
    (result,) = body["results"]
    assert set(result) == {
        "firstIndex",
        "firstFaceIndex",
        "first",
        "secondIndex",
        "secondFaceIndex",
        "second",
        "score",
        "similarity",
    }
    assert result["similarity"] == 0.93457
    assert result["score"] == pytest.approx(1 - 0.93457)
    for index, detection in enumerate(body["detections"]):
        assert (detection["imageIndex"], detection["status"]) == (index, 0)
        (face,) = detection["faces"]
        assert set(face) == {"faceIndex", "roi", "landmarks", "rotationAngle"}
        assert face["roi"] == [212, 148, 392, 542]
        assert len(face["landmarks"]) == 5


def test_indices_and_types_are_those_of_the_request(engine):
    request = json.loads(match_request().body)
    for image, (index, kind) in zip(request["images"], ((7, 1), (4, 3)), strict=True):
        image |= {"index": index, "type": kind}
    body = engine.handle(request_with(request)).json()
    assert [detection["imageIndex"] for detection in body["detections"]] == [7, 4]
    (result,) = body["results"]
    assert (result["firstIndex"], result["first"]) == (7, 1)
    assert (result["secondIndex"], result["second"]) == (4, 3)


def test_every_two_faces_are_a_pair_and_the_smallest_is_listed_first(engine):
    body = engine.handle(match_request(scene(score=93, faces=2))).json()
    smaller, larger = body["detections"][0]["faces"]
    assert area_of(smaller) < area_of(larger)
    assert pairs_of(body) == {
        ((0, 0), (0, 1)): 0.05,
        ((0, 0), (1, 0)): 0.05,
        ((0, 1), (1, 0)): 0.93,
    }


def test_only_one_face_is_found_unless_all_are_asked_for(engine):
    body = engine.handle(match_request(scene(score=93, faces=2), detect_all=False)).json()
    (face,) = body["detections"][0]["faces"]
    assert face["roi"] == [212, 148, 392, 542]
    assert pairs_of(body) == {((0, 0), (1, 0)): 0.93}


@pytest.mark.parametrize(
    ("probe", "reference", "statuses"),
    [
        (scene(faces=0), scene(), [2, 0]),
        (scene(), scene(faces=0), [0, 2]),
        (b"no picture", scene(), [6, 0]),
        (scene(faces=0), b"no picture", [2, 6]),
    ],
)
def test_picture_without_a_face_or_that_is_none_is_told_by_its_status_and_free(
    engine, probe, reference, statuses
):
    answer = engine.handle(match_request(probe, reference))
    body = answer.json()
    assert answer.status == 200
    assert [detection["status"] for detection in body["detections"]] == statuses
    assert body["results"] == []
    assert control_of(engine).charges() == ()


def test_each_answer_with_a_similarity_is_one_charge(engine):
    for _ in range(2):
        engine.handle(match_request())
    assert [charge.amount for charge in control_of(engine).charges()] == [Decimal("0.01")] * 2


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (match_request(reference=False), 200, 224),
        (request_with({"images": []}), 200, 224),
        (request_with({"images": ["a", "b"]}), 200, 224),
        (request_with([1]), 200, 203),
        (attrs.evolve(match_request(), body=b"{"), 200, 203),
        (request_with({"images": [{"data": "data:image/png;base64,AA"}, {}]}), 200, 203),
        (get_request("/api/match"), 404, 202),
    ],
)
def test_refusal_has_its_code(engine, sent, status, code):
    answer = engine.handle(sent)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert control_of(engine).charges() == ()


def test_without_credit_the_licence_is_refused(engine):
    control_of(engine).set_balance(0)
    answer = engine.handle(match_request())
    assert (answer.status, answer.json()) == (403, {"code": 200})


@pytest.mark.parametrize("status", [400, 403, 500])
def test_fault_has_the_mocks_error_for_the_status(engine, status):
    fault = Fault(stage="answer", kind="status", status=status)
    answer = handle_with_fault(engine, fault, match_request())
    assert (answer.status, set(answer.json())) == (status, {"code"})


def test_health_names_the_licence(engine):
    health = engine.handle(get_request("/api/healthz"))
    assert set(health.json()) == {
        "app",
        "licenseId",
        "licenseSerial",
        "licenseValidUntil",
        "version",
    }
    assert engine.handle(get_request("/api/readyz")).status == 200
