"""Of several faces in a picture, the largest decides: who holds a card in the hand is no match.

At each vendor, R12 and R14 of the contract show it; here is what is read of answers.
"""

import itertools

import pytest
from kit.fakes import json_reply, match_call
from kit.vendors import open_backend, settings_at
from vendors.regula import answer, face, pair

import facematch_core as fm
from facematch_mock_server import make_card

MATCH = fm.Decision.MATCH
NO_MATCH = fm.Decision.NO_MATCH
REVIEW = fm.Decision.REVIEW
INCONCLUSIVE = fm.Decision.INCONCLUSIVE
MULTIPLE_FACES = fm.WarningCode.MULTIPLE_FACES
SMALLER_FACE_MATCHED = fm.WarningCode.SMALLER_FACE_MATCHED


def codes_of(result):
    return [warning.code for warning in result.warnings]


def test_compreface_gives_no_verdict_about_a_probe_with_two_faces(compreface_server):
    settings = settings_at(compreface_server, "compreface")
    with fm.open_verifier("compreface", **settings) as verifier:
        result = verifier.verify(make_card("p2", faces=2), make_card("p1"))
    assert result.decision is INCONCLUSIVE
    assert result.score is None


# What is read of an answer, whose similarities are in percent


def read_answer(vendor, body):
    return open_backend(vendor).read_reply(match_call(90), json_reply(body))


def rekognition_face(side):
    box = {"Left": 0.1, "Top": 0.1, "Width": side, "Height": side}
    return {"BoundingBox": box, "Confidence": 99.9}


def read_rekognition(larger, smaller):
    """Read the faces of a probe by their similarities; None is a face that matches nobody."""
    matches = []
    unmatched = []
    for side, similarity in ((0.4, larger), (0.06, smaller)):
        if similarity is None:
            unmatched.append(rekognition_face(side))
        else:
            matches.append({"Similarity": similarity, "Face": rekognition_face(side)})
    # AWS sorts by similarity.
    matches.sort(key=lambda match: match["Similarity"], reverse=True)
    body = {
        "SourceImageFace": rekognition_face(0.5),
        "FaceMatches": matches,
        "UnmatchedFaces": unmatched,
    }
    result = read_answer("rekognition", body)
    return result, result.probe_faces


def fraction(percent):
    return None if percent is None else percent / 100


def compreface_face(side):
    box = {"probability": 0.9, "x_min": 9, "y_min": 9, "x_max": 9 + side, "y_max": 9 + side}
    return {"box": box}


def read_compreface(similarity_by_side):
    """Read a reference with faces of these sides."""
    matches = []
    for side, similarity in similarity_by_side:
        matches.append({**compreface_face(side), "similarity": fraction(similarity)})
    body = {"result": [{"source_image_face": compreface_face(50), "face_matches": matches}]}
    return read_answer("compreface", body)


def read_compreface_reference(larger, smaller):
    result = read_compreface([(20, smaller), (90, larger)])
    return result, result.reference_faces


def regula_face(number, side):
    """A face with its index in its picture."""
    return face(number, 60 * number, 0, side, side)


ONE_FACE = [regula_face(0, side=50)]
#: The larger one has the index 1.
TWO_FACES = [regula_face(0, side=20), regula_face(1, side=90)]


def read_regula(probe_faces, reference_faces, pairs):
    return read_answer("regula", answer(probe_faces, reference_faces, *pairs))


def pair_of_faces(probe_face, reference_face, similarity):
    """Regula's result for two faces, given by their indexes."""
    return pair((0, probe_face), (1, reference_face), fraction(similarity))


def read_regula_probe(larger, smaller):
    pairs = [
        pair_of_faces(0, 0, smaller),
        pair_of_faces(1, 0, larger),
        # Two faces of one picture are no pair of ours, however similar they are.
        pair((0, 0), (0, 1), 1.0),
    ]
    result = read_regula(TWO_FACES, ONE_FACE, pairs)
    return result, result.probe_faces


def read_regula_reference(larger, smaller):
    pairs = [
        pair_of_faces(0, 0, smaller),
        pair_of_faces(0, 1, larger),
        pair((1, 0), (1, 1), 1.0),
    ]
    result = read_regula(ONE_FACE, TWO_FACES, pairs)
    return result, result.reference_faces


@pytest.mark.parametrize(
    "read", [read_rekognition, read_compreface_reference, read_regula_probe, read_regula_reference]
)
@pytest.mark.parametrize(
    ("larger", "smaller", "decision", "smaller_matched"),
    [
        pytest.param(99, 2, MATCH, False, id="larger matches"),
        pytest.param(91, 99, MATCH, False, id="both match"),
        pytest.param(90, 99, MATCH, False, id="larger at the threshold"),
        pytest.param(95, None, MATCH, False, id="larger alone is compared"),
        pytest.param(2, 99, REVIEW, True, id="smaller matches"),
        pytest.param(89, 90, REVIEW, True, id="smaller at the threshold"),
        pytest.param(2, 89, NO_MATCH, False, id="smaller below the threshold"),
        pytest.param(2, None, NO_MATCH, False, id="larger alone is compared and differs"),
        pytest.param(None, 99, INCONCLUSIVE, True, id="smaller alone is compared"),
        pytest.param(None, 2, INCONCLUSIVE, False, id="smaller alone is compared and differs"),
        pytest.param(None, None, INCONCLUSIVE, False, id="none is compared"),
    ],
)
def test_score_and_decision_are_the_largest_faces(read, larger, smaller, decision, smaller_matched):
    result, faces = read(larger, smaller)
    assert result.decision is decision
    assert (None if result.score is None else result.score.value) == larger
    expected_codes = [MULTIPLE_FACES]
    if smaller_matched:
        expected_codes.append(SMALLER_FACE_MATCHED)
    assert codes_of(result) == expected_codes
    (compared,) = (face for face in faces if face.compared)
    assert compared.area == max(face.area for face in faces)
    assert compared.similarity == result.score


ANY_ORDER = pytest.mark.parametrize("similarities", [(99, 2), (2, 99)])


@ANY_ORDER
def test_of_faces_of_one_size_the_least_similar_decides(similarities):
    result = read_compreface([(9, similarity) for similarity in similarities])
    assert result.decision is REVIEW
    assert result.score.value == 2


@ANY_ORDER
def test_of_pairs_of_one_size_the_least_similar_decides(similarities):
    faces = [regula_face(0, side=40), regula_face(1, side=40)]
    pairs = [pair_of_faces(number, 0, value) for number, value in enumerate(similarities)]
    result = read_regula(faces, ONE_FACE, pairs)
    assert result.decision is REVIEW
    assert result.score.value == 2


def test_match_of_two_smaller_faces_is_a_review():
    pairs = [
        pair_of_faces(0, 0, 97),
        pair_of_faces(0, 1, 3),
        pair_of_faces(1, 0, 2),
        pair_of_faces(1, 1, 1),
    ]
    result = read_regula(TWO_FACES, TWO_FACES, pairs)
    assert result.decision is REVIEW
    assert result.score.value == 1
    assert SMALLER_FACE_MATCHED in codes_of(result)


def test_answer_without_the_pair_of_the_largest_faces_is_unreadable():
    error = read_regula(TWO_FACES, ONE_FACE, [pair_of_faces(0, 0, 97)])
    assert type(error) is fm.UnexpectedResponse


# Faces whose boxes cannot be read: any of them may be the largest


def rekognition_without_boxes(similarities, lost):
    matches = []
    for place, similarity in enumerate(similarities):
        face = rekognition_face(0.4 / (1 + place))
        if place in lost:
            face["BoundingBox"] = {"x": 1}
        matches.append({"Similarity": similarity, "Face": face})
    source = rekognition_face(0.5)
    body = {"SourceImageFace": source, "FaceMatches": matches, "UnmatchedFaces": []}
    return read_answer("rekognition", body)


def compreface_without_boxes(similarities, lost):
    matches = []
    for place, similarity in enumerate(similarities):
        face = {} if place in lost else compreface_face(90 - 9 * place)
        matches.append({**face, "similarity": fraction(similarity)})
    body = {"source_image_face": compreface_face(50), "face_matches": matches}
    return read_answer("compreface", {"result": [body]})


def regula_without_boxes(similarities, lost):
    faces = []
    for place in range(len(similarities)):
        face_of_probe = regula_face(place, side=90 - 9 * place)
        if place in lost:
            del face_of_probe["roi"]
        faces.append(face_of_probe)
    pairs = [pair_of_faces(number, 0, value) for number, value in enumerate(similarities)]
    return read_regula(faces, ONE_FACE, pairs)


@pytest.mark.parametrize("lost", [(), (0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("similarities", [*itertools.product((99, 5), repeat=2)], ids=str)
@pytest.mark.parametrize(
    "read", [rekognition_without_boxes, compreface_without_boxes, regula_without_boxes]
)
def test_without_a_box_every_face_must_match(read, similarities, lost):
    """The first face is the larger one, if its box can be read."""
    result = read(similarities, lost)
    larger, smaller = similarities
    decision = {(99, 99): MATCH, (5, 5): NO_MATCH}.get(similarities, REVIEW)
    if not lost and larger > smaller:
        decision = MATCH
    assert result.decision is decision
    assert result.score.value == (min(similarities) if lost else larger)
    assert (fm.WarningCode.UNREADABLE_DETAIL in codes_of(result)) is bool(lost)


@pytest.mark.parametrize("similarities", [*itertools.permutations((99, 98, 5))], ids=str)
def test_one_of_three_faces_without_a_box_may_be_the_largest(similarities):
    assert rekognition_without_boxes(similarities, (2,)).decision is REVIEW


def test_boxes_of_one_picture_still_tell_its_largest_face():
    """Of two probes without boxes both must match the larger reference, not the smaller one."""
    probes = [regula_face(0, side=20), regula_face(1, side=90)]
    for face_of_probe in probes:
        del face_of_probe["roi"]
    to_larger = [pair_of_faces(0, 1, 99), pair_of_faces(1, 1, 97)]
    to_smaller = [pair_of_faces(0, 0, 3), pair_of_faces(1, 0, 2)]
    result = read_regula(probes, TWO_FACES, to_larger + to_smaller)
    assert result.decision is MATCH
    assert result.score.value == 97
    error = read_regula(probes, TWO_FACES, to_larger[:1] + to_smaller)
    assert type(error) is fm.UnexpectedResponse


def test_face_without_a_box_and_a_pair_may_be_the_largest():
    probes = [regula_face(0, side=90), regula_face(1, side=20)]
    del probes[1]["roi"]
    error = read_regula(probes, ONE_FACE, [pair_of_faces(0, 0, 99)])
    assert type(error) is fm.UnexpectedResponse


@pytest.mark.parametrize("entry", [None, "odd", 7, [], {}])
@pytest.mark.parametrize("key", ["FaceMatches", "UnmatchedFaces"])
def test_entry_that_is_no_face_is_unreadable_and_not_left_out(key, entry):
    match = {"Similarity": 99, "Face": rekognition_face(0.1)}
    body = {"FaceMatches": [match], "UnmatchedFaces": []}
    body[key] = [*body[key], entry]
    answered = read_answer("rekognition", body)
    if key == "UnmatchedFaces" and entry == {}:
        assert answered.decision is INCONCLUSIVE
    else:
        assert type(answered) is fm.UnexpectedResponse


@pytest.mark.parametrize(
    "box", [(9, 9, 9, 9), (9, 9, 9, 99), (0, 0, 1e308, 1e308), (-1e308, 0, 1e308, 9)]
)
def test_a_face_whose_box_has_no_size_may_be_the_largest(box):
    matches = []
    for similarity, edges in ((0.01, box), (0.99, (9, 9, 50, 50))):
        found = dict(zip(("x_min", "y_min", "x_max", "y_max"), edges, strict=True))
        matches.append({"box": {"probability": 0.9, **found}, "similarity": similarity})
    body = {"result": [{"source_image_face": compreface_face(50), "face_matches": matches}]}
    assert read_answer("compreface", body).decision in (REVIEW, NO_MATCH)


def change_index(key, index):
    def change(body):
        body["detections"][0][key] = index

    return change


def name_both_faces_alike(body):
    body["detections"][0]["faces"][0]["faceIndex"] = 1


def add_a_detection(body):
    body["detections"].append({"imageIndex": 0, "status": 0, "faces": ONE_FACE})


@pytest.mark.parametrize(
    "change", [change_index("imageIndex", False), name_both_faces_alike, add_a_detection]
)
def test_regulas_answer_that_can_be_read_in_two_ways_is_not_read(change):
    pairs = [pair_of_faces(0, 0, 99), pair_of_faces(1, 0, 99)]
    body = answer(TWO_FACES, ONE_FACE, *pairs)
    body["detections"][0]["faces"] = [dict(found) for found in body["detections"][0]["faces"]]
    assert read_answer("regula", body).decision is MATCH
    change(body)
    assert isinstance(read_answer("regula", body), fm.UnexpectedResponse)
