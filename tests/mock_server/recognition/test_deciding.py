"""What is seen in a picture: what a test sets, else by its card, else by its bytes."""

import hashlib
import io

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

from facematch_core import Image
from facematch_mock_server.recognition import facts as facts_module
from facematch_mock_server.recognition.cards import pair_score
from facematch_mock_server.recognition.outcomes import SeenPicture
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.recognition.sheet import make_card

P1, P2 = make_card("p1"), make_card("p2")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


def test_same_bytes_are_the_same_person(match):
    outcome = match(A, bytes(A))
    assert (outcome.score, outcome.by, outcome.review) == (100.0, "bytes", False)


def test_different_bytes_are_two_persons_with_a_score_of_the_pair(match):
    outcome = match(A, B)
    assert 2 <= outcome.score <= 20
    assert match(B, A).score == outcome.score == Recognizer().match(A, B, rotate=False).score


def test_each_picture_has_one_likely_face_of_its_digest(match):
    outcome = match(A, B)
    for shown in (outcome.probe, outcome.reference):
        (face,) = shown.faces
        left, top, right, bottom = face.box
        assert 0 <= left < right <= 100
        assert 0 <= top < bottom <= 120
        assert 0 < face.confidence < 1
        assert 20 <= face.age <= 60
        assert face.gender in ("female", "male")
    assert outcome.probe.faces != outcome.reference.faces
    assert match(A, B) == outcome


@pytest.mark.parametrize("size", [(63, 640), (640, 63)])
def test_below_64_pixels_on_a_side_there_is_nobody(match, liveness, size):
    small = picture(size=size).data
    assert match(small, small).score is None
    assert match(small, small).probe == SeenPicture()
    outcome = liveness(small)
    assert (outcome.score, outcome.quality, outcome.luminance, outcome.probe.faces) == (
        *[None] * 3,
        (),
    )
    assert match(picture(size=(64, 64)).data, A).score is not None


@pytest.mark.parametrize("data", [b"", b"no picture", A[:60]])
def test_what_does_not_decode_has_neither_faces_nor_a_score(match, liveness, data):
    outcome = match(A, data)
    assert outcome.reference == SeenPicture(decodes=False)
    assert outcome.score is None
    assert len(outcome.probe.faces) == 1
    assert not liveness(data).probe.decodes


@given(st.integers(0, 4000), st.integers(0, 4000))
def test_a_score_of_persons_is_fixed_by_the_pair_either_way_round(person, other):
    score = pair_score(f"p{person}", f"p{other}")
    assert score == pair_score(f"p{other}", f"p{person}")
    assert (90 <= score <= 99) if person == other else (2 <= score <= 20)


def test_two_persons_and_a_card_and_a_photograph_score_2_to_20(match):
    for pair in ((P1, P2), (P1, A), (A, P1)):
        outcome = match(*pair)
        assert 2 <= outcome.score <= 20
        assert outcome.by == "card"
    assert match(P1, A).score == match(A, P1).score


def test_an_exact_score_of_the_probe_goes_before_that_of_the_reference(match):
    thirty, zero = make_card(score=30.01), make_card(score=0)
    assert match(thirty, P2).score == match(P2, thirty).score == 30.01
    assert match(zero, thirty).score == 0
    assert match(thirty, zero).score == 30.01
    assert match(thirty, A).score == 30.01


def test_an_exact_score_does_not_replace_a_face(match):
    nobody = make_card(faces=0, score=99)
    outcome = match(nobody, P1)
    assert outcome.score is None
    assert outcome.probe == SeenPicture()
    assert match(P1, nobody).score is None


@pytest.mark.parametrize(("turned", "angle"), [(90, 270), (180, 180), (270, 90)])
def test_turned_cards_show_nobody_unless_turns_are_tried(deciding, turned, angle):
    data = make_card(turned=turned)
    assert deciding.match(data, P1, rotate=False).probe.faces == ()
    assert deciding.match(data, P1, rotate=False).score is None
    outcome = deciding.match(data, P1, rotate=True)
    assert (outcome.probe.angle, outcome.reference.angle) == (angle, 0)
    assert outcome.score >= 90
    upright = deciding.match(P1, P1, rotate=True).probe.faces[0].box
    assert outcome.probe.faces[0].box == upright
    assert deciding.liveness(data, rotate=False).score is None
    assert deciding.liveness(data, rotate=True).probe.angle == angle
    assert deciding.liveness(make_card(faces=0, turned=90), rotate=True).probe == SeenPicture()


def test_faces_are_as_many_as_the_card_says_the_largest_first_and_within_it(match):
    for count in range(5):
        faces = match(make_card(faces=count, size=(240, 320)), P1).probe.faces
        areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in faces]
        assert len(faces) == count
        assert areas == sorted(areas, reverse=True)
        assert all(f.box[0] >= 0 and f.box[2] <= 240 and f.box[3] <= 320 for f in faces)


def test_either_card_asks_for_a_review(match):
    data = make_card(review=True)
    assert match(data, P1).review
    assert match(P1, data).review
    assert not match(P1, P1).review


def test_a_liveness_check_sees_all_that_the_card_says(liveness):
    outcome = liveness(make_card(liveness=30, attack=True, quality=1, luminance=2))
    assert (outcome.score, outcome.attack, outcome.quality, outcome.luminance) == (
        30.0,
        True,
        1.0,
        2.0,
    )
    assert outcome.by == "card"
    nothing = liveness(make_card(liveness=None))
    assert nothing.score is None
    assert len(nothing.probe.faces) == 1


def test_without_a_face_there_is_no_liveness_and_no_attack(liveness):
    outcome = liveness(make_card(faces=0, attack=True))
    assert (outcome.score, outcome.quality, outcome.luminance, outcome.attack) == (
        *[None] * 3,
        False,
    )
    assert outcome.by == "card"


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_a_picture_is_read_once_by_its_digest(deciding, monkeypatch):
    read = []
    monkeypatch.setattr(facts_module, "read_card", read.append)
    for _ in range(3):
        deciding.match(A, B, rotate=False)
        deciding.liveness(A, rotate=True, digest=digest_of(A))
        deciding.match(A, B, rotate=False, digests=(digest_of(A), digest_of(B)))
    assert read == [A, B]


def test_an_outcome_is_for_so_many_calls_or_until_it_is_cleared(deciding, match):
    deciding.set_outcome("match", score=1, times=2)
    deciding.set_outcome("match", score=2, times=None)
    assert [match(A, B).score for _ in range(4)] == [1, 1, 2, 2]
    deciding.waiting.clear()
    assert match(A, B).by == "bytes"
    assert match(P1, P1).by == "card"
    assert deciding.waiting.all == ()


def test_kinds_do_not_mix(deciding, match, liveness):
    deciding.set_outcome("liveness", score=5)
    assert match(A, A).by == "bytes"
    assert liveness(A).score == 5


AIMS = {
    "both": (True, True),
    "field": (True, False),
    "picture": (False, True),
    "any": (False, False),
}


@given(
    names=st.lists(st.sampled_from([*AIMS]), max_size=8),
    calls=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8),
)
def test_the_nearest_aim_goes_first_then_the_first_set(names, calls):
    """Field and picture, field, picture, any."""
    recognizer, waiting = Recognizer(), []
    for score, name in enumerate(names):
        by_field, by_picture = AIMS[name]
        field = {"a": "1"} if by_field else None
        aimed = digest_of(A).upper() if by_picture else None
        recognizer.waiting.add(
            recognizer.make_outcome("match", score=score, field=field, digest=aimed)
        )
        waiting.append((by_field, by_picture, score))
    for number, (has_field, has_picture) in enumerate(calls):
        pair = ((A, B) if number % 2 else (B, A)) if has_picture else (B, B)
        fields = {"a": "1", "b": "2"} if has_field else {"a": "2"}
        seen = recognizer.match(*pair, rotate=False, fields=lambda sent=fields: sent)
        fitting = [
            aim for aim in waiting if (has_field, has_picture) >= aim[:2] and has_picture >= aim[1]
        ]
        if not fitting:
            assert seen.by == "bytes"
            continue
        first = max(fitting, key=lambda aim: (*aim[:2], -aim[2]))
        waiting.remove(first)
        assert (seen.by, seen.score) == ("control", first[2])


def test_fields_are_read_only_for_an_outcome_that_asks_for_them(deciding):
    deciding.set_outcome("match", score=3)
    assert deciding.match(A, B, rotate=False, fields=None).score == 3


def test_a_picture_is_known_with_its_metadata_and_without(deciding, match):
    exif = PIL.Image.Exif()
    exif[0x010F] = "maker"
    file = io.BytesIO()
    PIL.Image.new("RGB", (80, 80)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    sent = Image.from_bytes(data).prepared().data
    assert data != sent
    deciding.set_outcome("match", score=33, times=None, picture=data)
    assert match(data, B).score == match(B, sent).score == 33
    assert match(B, B).score == 100


def test_a_score_brings_the_faces_it_needs_whatever_the_pictures_show(deciding, match, liveness):
    deciding.set_outcome("match", score=88)
    outcome = match(picture(size=(1, 1)).data, make_card(turned=90, faces=2))
    assert outcome.score == 88
    assert (len(outcome.probe.faces), len(outcome.reference.faces)) == (1, 1)
    deciding.set_outcome("liveness", score=50, picture=b"no picture")
    outcome = liveness(b"no picture")
    assert (outcome.score, outcome.probe.decodes, len(outcome.probe.faces)) == (50, True, 1)


def test_no_score_takes_the_face_of_the_picture_it_is_for_else_of_the_reference(deciding, match):
    deciding.set_outcome("match", score=None)
    outcome = match(A, B)
    assert outcome.score is None
    assert (len(outcome.probe.faces), len(outcome.reference.faces)) == (1, 0)
    deciding.set_outcome("match", score=None, digest=digest_of(A))
    outcome = match(A, B)
    assert (len(outcome.probe.faces), len(outcome.reference.faces)) == (0, 1)


def test_what_is_not_set_is_as_it_would_be(deciding, match, liveness):
    deciding.set_outcome("match", review=True)
    outcome = match(P1, P2)
    assert outcome.review
    assert 2 <= outcome.score <= 20
    deciding.set_outcome("liveness", attack=True)
    live = liveness(P1)
    assert (live.score, live.attack, live.quality, live.by) == (97, True, 85, "control")


@pytest.mark.parametrize(
    "outcome", [{"blocklist": "possible", "duplicate": "certain"}, {"attack": True}]
)
def test_what_only_a_face_can_have_brings_one_with_the_rest_of_its_numbers(
    deciding, liveness, outcome
):
    deciding.set_outcome("liveness", **outcome)
    seen = liveness(picture(size=(1, 1)).data)
    assert {name: getattr(seen, name) for name in outcome} == outcome
    assert len(seen.probe.faces) == 1
    assert None not in (seen.score, seen.quality, seen.luminance)
    assert (liveness(A).blocklist, liveness(A).duplicate) == (None, None)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("other", {}),
        *(("match", {name: 1}) for name in ("faces", "quality", "luminance", "review")),
        *(("match", {"score": score}) for score in (-1, 100.1, float("nan"), True)),
        *(("match", {"times": times}) for times in (0, True)),
        *(("match", {"digest": digest}) for digest in ("abc", "z" * 64)),
        *(("match", {"field": field}) for field in ({}, "a=1", {"a": 1}, {1: "a"}, [("a", "1")])),
        *(("match", fields) for fields in ({"attack": True}, {"duplicate": "certain"})),
        ("match", {"digest": "0" * 64, "picture": b""}),
        *(("liveness", {"faces": faces}) for faces in (-1, 11)),
        *(
            ("liveness", {"faces": 0, **fields})
            for fields in ({"score": 50}, {"blocklist": "certain"})
        ),
        *(("liveness", {"review": True}), ("liveness", {"quality": 101})),
        *(("liveness", {"blocklist": True}), ("liveness", {"duplicate": "sure"})),
    ],
    ids=str,
)
def test_wrong_values_are_refused(deciding, kind, wrong):
    with pytest.raises(ValueError):
        deciding.set_outcome(kind, **wrong)
    assert deciding.waiting.all == ()
