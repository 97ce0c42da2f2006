"""What is seen in a picture: what a test sets, else by its card, else by its bytes."""

import hashlib
import io

import PIL.Image
import pytest
from kit.fakes import picture

from facematch_core import Image
from facematch_mock_server.recognition.outcomes import SeenPicture
from facematch_mock_server.recognition.recognizer import FactsCache, Recognizer
from facematch_mock_server.recognition.sheet import make_card

P1 = make_card("p1")
P2 = make_card("p2")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


@pytest.mark.parametrize("size", [(63, 640), (640, 63)])
def test_picture_under_64_pixels_has_no_face(match, liveness, size):
    small = picture(size=size).data
    compared = match(small, small)
    assert compared.score is None
    assert compared.probe == SeenPicture()
    checked = liveness(small)
    assert checked.score is checked.quality is checked.luminance is None
    assert checked.probe.faces == ()


def test_picture_of_64_pixels_has_a_face(match):
    assert match(picture(size=(64, 64)).data, A).score is not None


@pytest.mark.parametrize("data", [b"", b"no picture", A[:60]])
def test_undecodable_picture_has_no_face_and_no_score(match, liveness, data):
    outcome = match(A, data)
    assert outcome.reference == SeenPicture(decodes=False)
    assert outcome.score is None
    assert len(outcome.probe.faces) == 1
    assert not liveness(data).probe.decodes


def test_damaged_jpeg_is_found_even_if_its_first_row_shows_that_it_is_no_card(liveness):
    whole = picture("navy", (320, 240), "JPEG").data
    truncated = whole[: len(whole) * 3 // 4]
    assert liveness(whole).probe.decodes
    assert liveness(whole + b"\0end").probe.decodes
    assert not liveness(truncated).probe.decodes
    assert not liveness(truncated + whole).probe.decodes
    assert Recognizer().facts.of(whole).size == (320, 240)


def test_score_of_the_probe_card_overrides_the_reference_card(match):
    thirty = make_card(score=30.01)
    zero = make_card(score=0)
    assert match(thirty, P2).score == match(P2, thirty).score == 30.01
    assert match(zero, thirty).score == 0
    assert match(thirty, zero).score == 30.01
    assert match(thirty, A).score == 30.01


def test_outcome_for_a_picture_applies_with_and_without_its_metadata(deciding, match):
    exif = PIL.Image.Exif()
    exif[0x010F] = "maker"
    file = io.BytesIO()
    PIL.Image.new("RGB", (80, 80)).save(file, "JPEG", exif=exif)
    data = file.getvalue()
    sent = Image.from_bytes(data).prepared().data
    assert data != sent
    deciding.set_outcome("match", data, score=33, times=None)
    assert match(data, B).score == match(B, sent).score == 33
    assert match(B, B).score == 100


def test_set_score_of_a_match_implies_one_face_in_any_picture(deciding, match):
    deciding.set_outcome("match", score=88)
    outcome = match(picture(size=(1, 1)).data, make_card(turned=90, faces=2))
    assert outcome.score == 88
    assert len(outcome.probe.faces) == len(outcome.reference.faces) == 1


def test_set_score_of_a_liveness_check_implies_one_face_in_any_picture(deciding, liveness):
    deciding.set_outcome("liveness", b"no picture", score=50)
    outcome = liveness(b"no picture")
    assert (outcome.score, outcome.probe.decodes, len(outcome.probe.faces)) == (50, True, 1)


def test_null_score_removes_the_face_of_its_picture_or_the_reference(deciding, match):
    deciding.set_outcome("match", score=None)
    outcome = match(A, B)
    assert outcome.score is None
    assert (len(outcome.probe.faces), len(outcome.reference.faces)) == (1, 0)
    deciding.set_outcome("match", hashlib.sha256(A).hexdigest(), score=None)
    outcome = match(A, B)
    assert (len(outcome.probe.faces), len(outcome.reference.faces)) == (0, 1)


def test_match_without_a_set_score_has_its_usual_score(deciding, match):
    deciding.set_outcome("match", review=True)
    outcome = match(P1, P2)
    assert outcome.review
    assert 2 <= outcome.score <= 20


def test_liveness_check_without_a_set_score_has_its_usual_values(deciding, liveness):
    deciding.set_outcome("liveness", attack=True)
    outcome = liveness(P1)
    assert outcome.attack
    assert outcome.score == 97
    assert outcome.quality == 85
    assert outcome.score_source == "control"


@pytest.mark.parametrize(
    "outcome", [{"blocklist": "possible", "duplicate": "certain"}, {"attack": True}]
)
def test_set_attack_blocklist_or_duplicate_implies_a_complete_face(deciding, liveness, outcome):
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
        ("match", {"score": float("nan")}),
        ("match", {"field": {1: "a"}}),
        ("match", {"field": [("a", "1")]}),
        ("liveness", {"faces": 0, "score": 50}),
        ("liveness", {"faces": 0, "blocklist": "certain"}),
    ],
    ids=str,
)
def test_invalid_outcome_values_are_rejected(deciding, kind, wrong):
    with pytest.raises(ValueError):
        deciding.set_outcome(kind, **wrong)
    assert deciding.outcome_queue.all == ()


def test_recognizers_of_a_process_share_the_facts_about_pictures():
    card = make_card("shared-facts")
    Recognizer().liveness(card, rotate=False)
    known = Recognizer().card_of(hashlib.sha256(card).hexdigest())
    assert known is not None
    assert known.person == "shared-facts"


def test_oldest_facts_are_dropped_above_the_limit():
    facts = FactsCache(limit=2)
    digest_of_a = facts.of(A).digest
    digest_of_b = facts.of(B).digest
    digest_of_p1 = facts.of(P1).digest
    assert facts.find(digest_of_a) is None
    # B is asked for again, so P1 is the oldest.
    facts.of(B)
    facts.of(P2)
    assert facts.find(digest_of_p1) is None
    assert facts.find(digest_of_b) is not None
