"""What the mock answers in Azure AI Face's place."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_azure as azure
from kit import mock_didit as didit
from kit.mock_azure import compared, detect, ids_of, picture, verify
from kit.mock_worlds import control_of

from facematch_mock_server.vendors.azure.vendor import FaceIds

SIZE = "InvalidImageSize"


@pytest.fixture
def engine():
    """What answers for a world of its own."""
    return didit.new_engine(vendor="azure")


def told(answer):
    """Status, code and message of a refusal; the header says the code as well."""
    error = answer.json()["error"]
    assert answer.header("x-ms-error-code") == error["code"]
    return answer.status, error["code"], error["message"]


def test_a_face_has_an_id_its_model_and_its_place(engine):
    """Left, top, width and height of the box that was seen."""
    query = "recognitionModel=recognition_04&returnRecognitionModel=true"
    (face,) = engine.handle(detect(query=query)).json()
    assert face["faceRectangle"] == {"top": 148, "left": 212, "width": 392, "height": 542}
    assert face["recognitionModel"] == "recognition_04"
    assert len(face["faceId"]) == 36
    assert ids_of(engine) != [face["faceId"]]


def test_landmarks_lie_on_the_face(engine):
    """All 27 of them, in pixels; without being asked for there are none."""
    plain, asked = (
        engine.handle(detect(query=query)).json()[0] for query in ("", "returnFaceLandmarks=true")
    )
    assert "faceLandmarks" not in plain
    box, points = asked["faceRectangle"], asked["faceLandmarks"]
    assert len(points) == 27
    for point in points.values():
        assert 0 < point["x"] - box["left"] < box["width"]
        assert 0 < point["y"] - box["top"] < box["height"]


@pytest.mark.parametrize(
    ("models", "attributes"),
    [
        ("", "headPose,glasses,occlusion,accessories,blur,exposure,noise"),
        ("&recognitionModel=recognition_03", "qualityForRecognition,glasses"),
        (
            "&recognitionModel=recognition_04&detectionModel=detection_03",
            "headPose,blur,mask,qualityForRecognition",
        ),
    ],
)
def test_attributes_are_those_that_were_asked_for(engine, models, attributes):
    """As far as the models have them."""
    (face,) = engine.handle(detect(query=f"returnFaceAttributes={attributes}{models}")).json()
    assert list(face["faceAttributes"]) == attributes.split(",")


@pytest.mark.parametrize("query", azure.REFUSED)
def test_attributes_that_are_refused(engine, query):
    """With the words of Microsoft's page."""
    status, message = azure.REFUSED[query]
    code = {400: "BadArgument", 403: "UnsupportedFeature"}[status]
    assert told(engine.handle(detect(query=query))) == (status, code, message)


@pytest.mark.parametrize(
    ("scheme", "token", "status"),
    [
        ("Bearer", "mock-live-key", 200),
        ("bearer", "mock-live-key", 200),
        ("Bearer", "old", 401),
    ],
)
def test_a_bearer_token_is_not_called_a_key(engine, scheme, token, status):
    """A key of the mock stands for a token of Entra; another one is no subscription key."""
    answer = engine.handle(detect(key=None, authorization=f"{scheme} {token}"))
    assert answer.status == status
    if status == 401:
        assert "Access token is missing, invalid" in answer.json()["message"]


def test_every_answer_has_an_id_of_its_own():
    """A refusal, a path that is not there and a fault, too; a charge has that of its answer."""
    engine = didit.new_engine(vendor="azure")
    requests = (detect(), verify(), detect(key=None), attrs.evolve(detect(), method="PUT"))
    answers = [engine.handle(one) for one in requests]
    answers.append(didit.struck(503, verify())(engine))
    ids = [answer.header("apim-request-id") for answer in answers]
    assert {len(one) for one in ids} == {36}
    assert len(set(ids)) == len(ids)
    assert [charge.request_id for charge in engine.world.ledger.entries] == ids[:1]


def test_without_ids_nothing_is_kept(engine):
    """Then there is no model to tell, either."""
    query = "returnFaceId=False&returnRecognitionModel=true"
    (face,) = engine.handle(detect(query=query)).json()
    assert set(face) == {"faceRectangle"}


@pytest.mark.parametrize(
    ("score", "confidence", "is_identical"),
    [(87.36, 0.8736, True), (50, 0.5, True), (49.9994, 0.49999, False), (57, 0.57, True)],
)
def test_a_score_is_a_confidence(engine, score, confidence, is_identical):
    """Of 0 to 1; from 0.5 on the two are one person."""
    answer = compared(engine, picture(score=score))
    assert answer.json() == {"isIdentical": is_identical, "confidence": confidence}


def test_smaller_faces_are_somebody_else(engine):
    """And each face is itself."""
    largest, smaller = ids_of(engine, picture(faces=2))
    confidences = [
        engine.handle(verify(one, two)).json()["confidence"]
        for one, two in ((largest, smaller), (smaller, smaller), (largest, largest))
    ]
    assert confidences == [0.05, 1.0, 1.0]


def test_no_face_is_an_empty_list(engine):
    """No id is given, and it is a transaction all the same."""
    assert engine.handle(detect(picture(faces=0))).json() == []
    assert [charge.what for charge in engine.world.ledger.entries] == ["DETECT"]


@pytest.mark.parametrize(("passed_s", "is_known"), [(59.9, True), (60, False)])
def test_an_id_lives_as_long_as_was_asked(engine, passed_s, is_known):
    """By the clock of the mock."""
    (one,) = ids_of(engine, query="faceIdTimeToLive=60")
    (two,) = ids_of(engine)
    engine.world.clock.advance(passed_s)
    answer = engine.handle(verify(one, two))
    assert answer.status == (200 if is_known else 404)
    if not is_known:
        assert told(answer) == (404, "FaceNotFound", "Face is not found.")


def test_an_id_is_forgotten_with_its_world(engine):
    """After a reset nobody knows it; and ids are written with either case."""
    (one,) = ids_of(engine)
    assert engine.handle(verify(one.upper(), one)).status == 200
    control_of(engine.world).reset()
    assert engine.handle(verify(one, one)).status == 404


def test_models_do_not_mix(engine):
    """Ids of two recognition models are not compared."""
    answer = compared(engine, query="recognitionModel=recognition_03")
    assert told(answer) == (400, "BadArgument", "'recognitionModel' is incompatible.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("faceIdTimeToLive", one) for one in ("59", "86401", "6e1", "", "-60")),
        ("recognitionModel", "recognition_05"),
        ("detectionModel", ""),
        ("returnFaceId", "1"),
        ("returnRecognitionModel", "yes"),
    ],
)
def test_what_is_wrong_in_the_query_is_named(engine, name, value):
    """One sentence, and no id."""
    answer = engine.handle(detect(query=f"{name}={value}"))
    assert told(answer) == (400, "BadArgument", f"'{name}' is invalid.")


@pytest.mark.parametrize(
    ("size", "code"),
    [(1023, SIZE), (1024, None), (6 << 20, None), ((6 << 20) + 1, SIZE)],
)
def test_files_have_their_sizes(engine, size, code):
    """From 1 KB to 6 MB."""
    answer = engine.handle(detect(picture(size=size)))
    assert answer.header("x-ms-error-code") == code


def test_another_format_is_refused(engine):
    """A WebP is a picture everywhere else."""
    answer = engine.handle(detect(b"RIFF\0\0\0\0WEBP".ljust(2048)))
    assert told(answer) == (400, "InvalidImage", "Decoding error, image format unsupported.")


def test_without_approval_there_are_no_ids():
    """Faces are found all the same."""
    engine = didit.new_engine(vendor="azure", switches={"access": "unapproved"})
    for refused in (detect(), verify()):
        status, code, message = told(engine.handle(refused))
        assert (status, code) == (403, "UnsupportedFeature")
        assert message.endswith("Identification, Verification.")
    assert len(engine.handle(detect(query="returnFaceId=false")).json()) == 1
    assert len(engine.world.ledger.entries) == 1


def test_a_limit_holds_for_a_second(engine):
    """And says when to come back."""
    engine.world.rates.set_limit("resource", 1)
    assert engine.handle(detect()).status == 200
    answer = engine.handle(detect())
    assert told(answer) == (429, "429", "Rate limit is exceeded.")
    assert answer.header("Retry-After") == "1"
    engine.world.clock.advance(1)
    assert engine.handle(detect()).status == 200
    assert len(engine.world.ledger.entries) == 2


def test_older_faces_make_room():
    """The newest 1,000 are kept."""
    kept = FaceIds().known
    for number in range(1001):
        kept.put(str(number), number)
    assert (kept.find("0"), kept.find("1"), len(kept)) == (None, 1, 1000)


ENGINE = didit.new_engine(vendor="azure")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.just(azure.UUID),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["faceId1", "x"]), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 100_000))
def test_any_body_is_refused_in_words(body):
    """However odd: never a 200, never a crash."""
    status, code, _ = told(ENGINE.handle(azure.ask(azure.VERIFY, body, azure.JSON)))
    assert (status, code) in ((400, "BadArgument"), (404, "FaceNotFound"))


@given(
    st.dictionaries(
        st.sampled_from(["faceIdTimeToLive", "returnFaceId", "recognitionModel", "other"]),
        st.text("0123456789aetrus_²٣", max_size=12) | st.just("recognition_02"),
    )
)
def test_any_query_is_answered(query):
    """With faces, or with the name of what is wrong."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = ENGINE.handle(detect(query=text))
    if answer.status == 200:
        assert len(answer.json()) == 1
    else:
        assert told(answer)[2].split("'")[1] in query
