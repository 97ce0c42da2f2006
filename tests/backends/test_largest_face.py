"""Of several faces in a picture, the largest decides: who holds a card in the hand is no match."""

import pytest
from kit.fakes import json_reply, match_call
from kit.vendors import AWS_KEYS, PAID, settings_at
from simulators.local import ANOTHER, CARD, HER, join
from simulators.regula import answer, face, pair

import facematch_core as fm
from facematch_compreface import ComprefaceBackend
from facematch_core import open_verifier
from facematch_mock_server import MockServer, card_sheet, make_card
from facematch_regula import RegulaBackend
from facematch_rekognition import RekognitionBackend

MATCH, NO_MATCH, REVIEW = fm.Decision.MATCH, fm.Decision.NO_MATCH, fm.Decision.REVIEW
INCONCLUSIVE = fm.Decision.INCONCLUSIVE
CODES = fm.WarningCode
SHEET = card_sheet()
#: A picture of two faces. The larger one is p1's, or a stranger's.
FIRST_PERSON, STRANGER = make_card("p1", faces=2), make_card("p2", faces=2)


def small(photograph):
    return photograph.resize((photograph.width // 2, photograph.height // 2))


#: For `local`: the picture of two faces, by whether the larger and the smaller one match.
PHOTOGRAPHS = {
    (True, False): join(HER, small(ANOTHER)),
    (False, True): join(ANOTHER, small(HER)),
    (False, False): join(ANOTHER, small(ANOTHER)),
}


@pytest.fixture(scope="module")
def mock():
    with MockServer(vendor=list(PAID)) as running:
        yield running


@pytest.fixture
def verify(mock, at_end):
    """Compare a picture of two faces with a picture of one person at a vendor."""

    def verify(vendor, *, larger_matches, smaller_matches, in_reference=False):
        if vendor == "local":
            pictures = PHOTOGRAPHS[larger_matches, smaller_matches], CARD
            verifier = at_end.enter_context(open_verifier("local"))
        else:
            control = mock.of(vendor).control
            control.clear_outcomes()
            if smaller_matches:
                control.set_outcome("match", smaller_face_score=99.3)
            pictures = FIRST_PERSON if larger_matches else STRANGER, SHEET["p1"].data
            verifier = at_end.enter_context(open_verifier(vendor, **settings_at(mock, vendor)))
        return verifier.verify(*(pictures[::-1] if in_reference else pictures))

    return verify


VENDORS = [*PAID, "local"]
#: CompreFace refuses several faces in the probe, and scores each face of the reference.
HAS_FACES_IN_THE_REFERENCE = {"compreface"}
#: The others return one number, of the largest face.
SCORES_EACH_FACE = {"rekognition", "compreface", "regula"}
REPORTS_NO_FACES = {"baidu", "deepvue", "tencent"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_stranger_who_holds_a_card_in_the_hand_is_no_match(vendor, verify):
    result = verify(vendor, larger_matches=False, smaller_matches=True)
    assert not result.is_match
    assert result.score is None or result.score.value < 50
    if vendor == "compreface":
        assert (result.decision, result.score) == (INCONCLUSIVE, None)


@pytest.mark.parametrize(
    ("larger_matches", "smaller_matches"), [(True, False), (False, True), (False, False)]
)
@pytest.mark.parametrize("vendor", VENDORS)
def test_largest_of_several_faces_decides(vendor, larger_matches, smaller_matches, verify):
    shown = {"larger_matches": larger_matches, "smaller_matches": smaller_matches}
    result = verify(vendor, **shown, in_reference=vendor in HAS_FACES_IN_THE_REFERENCE)
    is_review = smaller_matches and vendor in SCORES_EACH_FACE
    no = REVIEW if is_review else NO_MATCH
    assert result.decision is (MATCH if larger_matches else no)
    codes = {warning.code for warning in result.warnings}
    assert (CODES.SMALLER_FACE_MATCHED in codes) is is_review
    assert CODES.MULTIPLE_FACES in codes or vendor in REPORTS_NO_FACES
    # Without `confidence_meaning`, Deepvue's number of a "no match" is no score.
    if result.score is not None:
        assert (result.score.value > 50) is larger_matches


def at_rekognition(larger, smaller):
    """What is read of a probe whose larger and smaller face have these similarities."""

    def face(side):
        box = {"Left": 0.1, "Top": 0.1, "Width": side, "Height": side}
        return {"BoundingBox": box, "Confidence": 99.9}

    faces = {0.4: larger, 0.06: smaller}
    scored = [{"Similarity": s, "Face": face(side)} for side, s in faces.items() if s is not None]
    body = {
        "SourceImageFace": face(0.5),
        # AWS sorts by similarity.
        "FaceMatches": sorted(scored, key=lambda match: -match["Similarity"]),
        "UnmatchedFaces": [face(side) for side, score in faces.items() if score is None],
    }
    backend = RekognitionBackend(region="eu-west-1", **AWS_KEYS)
    result = backend.read_reply(match_call(90), json_reply(body))
    return result, result.probe_faces


def at_compreface(larger, smaller):
    """What is read of a reference whose larger and smaller face have these similarities."""

    def face(side):
        box = {"probability": 0.9, "x_min": 9, "y_min": 9, "x_max": 9 + side, "y_max": 9 + side}
        return {"box": box}

    matches = [
        {**face(side), "similarity": None if score is None else score / 100}
        for side, score in ((20, smaller), (90, larger))
    ]
    body = {"result": [{"source_image_face": face(50), "face_matches": matches}]}
    result = ComprefaceBackend(api_key="k").read_reply(match_call(90), json_reply(body))
    return result, result.reference_faces


def at_regula(larger, smaller, *, in_reference=False):
    """What is read of a picture whose larger and smaller face have these similarities."""
    two_faces = [face(0, 1, 1, 20, 20), face(1, 60, 60, 90, 90)]
    one_face = [face(0, 5, 5, 50, 50)]
    here, other = int(in_reference), int(not in_reference)
    scored = []
    for number, score in ((0, smaller), (1, larger)):
        similarity = None if score is None else score / 100
        scored.append(pair(*sorted([(here, number), (other, 0)]), similarity))
    # Two faces of one picture are no pair of ours, however similar they are.
    scored.append(pair((here, 0), (here, 1), 1.0))
    pictures = (one_face, two_faces) if in_reference else (two_faces, one_face)
    result = RegulaBackend().read_reply(match_call(90), json_reply(answer(*pictures, *scored)))
    return result, result.reference_faces if in_reference else result.probe_faces


def at_regula_in_the_reference(larger, smaller):
    return at_regula(larger, smaller, in_reference=True)


SMALLER = [CODES.MULTIPLE_FACES, CODES.SMALLER_FACE_MATCHED]


@pytest.mark.parametrize(
    "read", [at_rekognition, at_compreface, at_regula, at_regula_in_the_reference]
)
@pytest.mark.parametrize(
    ("larger", "smaller", "decision", "codes"),
    [
        (99, 2, MATCH, [CODES.MULTIPLE_FACES]),
        (91, 99, MATCH, [CODES.MULTIPLE_FACES]),
        (90, 99, MATCH, [CODES.MULTIPLE_FACES]),
        (95, None, MATCH, [CODES.MULTIPLE_FACES]),
        (2, 99, REVIEW, SMALLER),
        (89, 90, REVIEW, SMALLER),
        (2, 89, NO_MATCH, [CODES.MULTIPLE_FACES]),
        (2, None, NO_MATCH, [CODES.MULTIPLE_FACES]),
        (None, 99, INCONCLUSIVE, SMALLER),
        (None, 2, INCONCLUSIVE, [CODES.MULTIPLE_FACES]),
        (None, None, INCONCLUSIVE, [CODES.MULTIPLE_FACES]),
    ],
)
def test_score_and_decision_are_the_largest_faces(read, larger, smaller, decision, codes):
    result, faces = read(larger, smaller)
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == larger
    assert [warning.code for warning in result.warnings] == codes
    (compared,) = (face for face in faces if face.compared)
    assert compared.area == max(face.area for face in faces)
    assert compared.similarity == result.score


@pytest.mark.parametrize("scores", [(99, 2), (2, 99)])
def test_of_faces_of_one_size_the_least_similar_decides(scores):
    faces = [
        {"box": {"probability": 0.9, "x_min": x, "y_min": 0, "x_max": x + 9, "y_max": 9}}
        | {"similarity": score / 100}
        for x, score in zip((0, 10), scores, strict=True)
    ]
    body = {"result": [{"source_image_face": faces[0], "face_matches": faces}]}
    result = ComprefaceBackend(api_key="k").read_reply(match_call(90), json_reply(body))
    assert (result.decision, result.score.value) == (REVIEW, 2)


@pytest.mark.parametrize("scores", [(99, 2), (2, 99)])
def test_of_pairs_of_one_size_the_least_similar_decides(scores):
    faces = [face(number, number * 50, 0, 40, 40) for number in (0, 1)]
    pairs = [pair((0, number), (1, 0), score / 100) for number, score in enumerate(scores)]
    body = answer(faces, [face(0, 5, 5, 50, 50)], *pairs)
    result = RegulaBackend().read_reply(match_call(90), json_reply(body))
    assert (result.decision, result.score.value) == (REVIEW, 2)


def test_match_of_two_smaller_faces_is_a_review():
    faces = [face(0, 0, 0, 20, 20), face(1, 60, 0, 90, 90)]
    similarities = {(0, 0): 0.97, (0, 1): 0.03, (1, 0): 0.02, (1, 1): 0.01}
    pairs = [pair((0, one), (1, two), value) for (one, two), value in similarities.items()]
    result = RegulaBackend().read_reply(match_call(90), json_reply(answer(faces, faces, *pairs)))
    assert (result.decision, result.score.value) == (REVIEW, 1)
    assert CODES.SMALLER_FACE_MATCHED in {warning.code for warning in result.warnings}


def test_answer_without_the_pair_of_the_largest_faces_is_unreadable():
    faces = [face(0, 0, 0, 20, 20), face(1, 60, 0, 90, 90)]
    body = answer(faces, [face(0, 5, 5, 50, 50)], pair((0, 0), (1, 0), 0.97))
    error = RegulaBackend().read_reply(match_call(90), json_reply(body))
    assert type(error) is fm.UnexpectedResponse
