"""Pictures that say what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture

from facematch_mock_server.recognition.cards import pair_score
from facematch_mock_server.recognition.outcomes import SeenPicture
from facematch_mock_server.recognition.sheet import make_card

P1, P1_AGAIN, P2 = make_card("p1"), make_card("p1", quality=70), make_card("p2")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


def test_same_person(match):
    """Two pictures of one person: 90-99, whichever pictures."""
    found = match(P1, P1_AGAIN)
    assert 90 <= found.score <= 99
    assert found.by == "card"
    assert match(P1, P1).score == match(P1_AGAIN, P1).score == found.score


@given(st.integers(0, 4000), st.integers(0, 4000))
def test_scores_of_persons(one, other):
    """In their range, fixed by the pair, the same either way round."""
    score = pair_score(f"p{one}", f"p{other}")
    assert score == pair_score(f"p{other}", f"p{one}")
    assert (90 <= score <= 99) if one == other else (2 <= score <= 20)


def test_other_person(match):
    """Two persons: 2-20."""
    assert 2 <= match(P1, P2).score <= 20


def test_a_card_and_a_photograph(match):
    """A picture that is no card shows somebody else."""
    found = match(P1, A)
    assert 2 <= found.score <= 20
    assert found.by == "card"
    assert match(A, P1).score == found.score


def test_exact_scores(match):
    """The probe's goes before the reference's; 0 is one."""
    thirty, zero = make_card(score=30.01), make_card(score=0)
    assert match(thirty, P2).score == match(P2, thirty).score == 30.01
    assert match(zero, thirty).score == 0
    assert match(thirty, zero).score == 30.01
    assert match(thirty, A).score == 30.01


def test_no_score_without_faces(match):
    """An exact score does not replace a face."""
    nobody = make_card(faces=0, score=99)
    found = match(nobody, P1)
    assert found.score is None
    assert found.probe == SeenPicture()
    assert match(P1, nobody).score is None


@pytest.mark.parametrize(("turned", "angle"), [(90, 270), (180, 180), (270, 90)])
def test_turned_cards(deciding, turned, angle):
    """They show nobody, unless turns are tried; then the angle makes them upright."""
    data = make_card(turned=turned)
    assert deciding.match(data, P1, rotate=False).probe.faces == ()
    assert deciding.match(data, P1, rotate=False).score is None
    found = deciding.match(data, P1, rotate=True)
    assert (found.probe.angle, found.reference.angle) == (angle, 0)
    assert found.score >= 90
    upright = deciding.match(P1, P1, rotate=True).probe.faces[0].box
    assert found.probe.faces[0].box == upright
    assert deciding.liveness(data, rotate=False).score is None
    assert deciding.liveness(data, rotate=True).probe.angle == angle


def test_no_angle_without_a_face(deciding):
    """Turning what shows nobody helps nobody."""
    data = make_card(faces=0, turned=90)
    assert deciding.liveness(data, rotate=True).probe == SeenPicture()


def test_faces(match):
    """As many as it says, the largest first, where they are drawn, at any size."""
    for count in range(5):
        faces = match(make_card(faces=count, size=(240, 320)), P1).probe.faces
        areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in faces]
        assert len(faces) == count
        assert areas == sorted(areas, reverse=True)
        assert all(f.box[0] >= 0 and f.box[2] <= 240 and f.box[3] <= 320 for f in faces)


def test_age_and_gender(match):
    """Those of the card; else some that the person fixes on all its cards."""
    told = match(make_card(age=12, gender="male", faces=2), P1).probe.faces
    assert (told[0].age, told[0].gender) == (12.0, "male")
    assert told[1].age >= 20
    found = match(P1, P1_AGAIN)
    ages = {f.age for f in (*found.probe.faces, *found.reference.faces)}
    assert len(ages) == 1


def test_review(match):
    """Either card asks for it."""
    data = make_card(review=True)
    assert match(data, P1).review
    assert match(P1, data).review
    assert not match(P1, P1).review


def test_liveness(liveness):
    """What the card says, all of it."""
    found = liveness(make_card(liveness=30, attack=True, quality=1, luminance=2))
    assert (found.score, found.attack, found.quality, found.luminance) == (30.0, True, 1.0, 2.0)
    assert found.by == "card"
    nothing = liveness(make_card(liveness=None))
    assert nothing.score is None
    assert len(nothing.probe.faces) == 1


def test_liveness_without_a_face(liveness):
    """No face: no score, quality, luminance, and no attack."""
    found = liveness(make_card(faces=0, attack=True))
    assert (found.score, found.quality, found.luminance, found.attack) == (*[None] * 3, False)
    assert found.by == "card"


def test_pixels_are_enough(match):
    """Encoded anew by whoever, it still decides."""
    jpeg = make_card("p1", kind="JPEG", size=(160, 213))
    assert match(jpeg, P1).score == match(P1, P1).score
