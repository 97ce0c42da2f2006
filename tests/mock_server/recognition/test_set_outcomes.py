"""What a test sets goes before everything."""

import hashlib
import io
import threading

import PIL.Image
import pytest
from kit.fakes import picture

from facematch_core import Image
from facematch_mock_server.recognition.sheet import make_card

P1, P2 = make_card("p1"), make_card("p2")
A = picture("teal", (100, 120), "PNG").data
B = picture("maroon", (100, 120), "PNG").data


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def test_next_call_only(deciding, match):
    """By default one call; then the pictures decide again."""
    deciding.set_outcome("match", score=30)
    found = match(P1, P1)
    assert (found.score, found.by) == (30.0, "control")
    assert match(P1, P1).by == "card"
    assert deciding.outcomes == ()


def test_several_calls_and_all_calls(deciding, match):
    """A number of calls, or until it is cleared."""
    deciding.set_outcome("match", score=1, times=2)
    deciding.set_outcome("match", score=2, times=None)
    assert [match(A, B).score for _ in range(4)] == [1, 1, 2, 2]
    deciding.clear()
    assert match(A, B).by == "bytes"


def test_a_look_uses_no_outcome_up(deciding, match):
    """What is seen in one picture is what a comparison sees in it."""
    deciding.set_outcome("match", score=7)
    assert deciding.look(P1, rotate=False) == match(P1, P2).probe
    assert match(P1, P2).by == "card"


def test_kinds_do_not_mix(deciding, match, liveness):
    """A match leaves what is set for liveness alone."""
    deciding.set_outcome("liveness", score=5)
    assert match(A, A).by == "bytes"
    assert liveness(A).score == 5


def test_by_digest(deciding, match):
    """Only calls with that picture, on either side; before those for any picture."""
    deciding.set_outcome("match", score=11, times=None)
    deciding.set_outcome("match", score=22, times=None, digest=digest_of(A).upper())
    assert [match(*pair).score for pair in ((A, B), (B, A), (B, B))] == [22, 22, 11]


def test_by_picture_as_given_or_as_sent(deciding, match):
    """A picture is known with its metadata and without."""
    exif = PIL.Image.Exif()
    exif[0x010F] = "maker"
    file = io.BytesIO()
    PIL.Image.new("RGB", (80, 80)).save(file, "JPEG", exif=exif)
    given = file.getvalue()
    sent = Image.from_bytes(given).prepared().data
    assert given != sent
    deciding.set_outcome("match", score=33, times=None, picture=given)
    assert match(given, B).score == match(B, sent).score == 33
    assert match(B, B).score == 100


def test_by_picture_that_is_none(deciding, liveness):
    """Bytes that are no picture can be aimed at as well; a score makes a face of them."""
    deciding.set_outcome("liveness", score=50, picture=b"no picture")
    found = liveness(b"no picture")
    assert found.score == 50
    assert found.probe.decodes
    assert len(found.probe.faces) == 1


def test_a_score_brings_faces(deciding, match):
    """Whatever the pictures show, a score needs two faces."""
    deciding.set_outcome("match", score=88)
    found = match(picture(size=(1, 1)).data, make_card(turned=90, faces=2))
    assert found.score == 88
    assert (len(found.probe.faces), len(found.reference.faces)) == (1, 1)


def test_no_score_takes_a_face(deciding, match):
    """From the picture it is aimed at, else from the reference."""
    deciding.set_outcome("match", score=None)
    found = match(A, B)
    assert found.score is None
    assert (len(found.probe.faces), len(found.reference.faces)) == (1, 0)
    deciding.set_outcome("match", score=None, digest=digest_of(A))
    found = match(A, B)
    assert (len(found.probe.faces), len(found.reference.faces)) == (0, 1)


def test_the_rest_stays(deciding, match, liveness):
    """What is not set is as it would be."""
    deciding.set_outcome("match", review=True)
    found = match(P1, P2)
    assert found.review
    assert 2 <= found.score <= 20
    deciding.set_outcome("liveness", attack=True)
    live = liveness(P1)
    assert (live.score, live.attack, live.quality, live.by) == (97, True, 85, "control")


def test_liveness_values(deciding, liveness):
    """Each value can be set; a score of None keeps the face."""
    deciding.set_outcome("liveness", score=None, attack=True, quality=1, luminance=2, faces=3)
    found = liveness(A)
    assert (found.score, found.attack, found.quality, found.luminance) == (None, True, 1, 2)
    assert len(found.probe.faces) == 3


def test_a_face_that_is_known_from_elsewhere(deciding, liveness):
    """From a blocklist or another session, surely or perhaps; that needs a face."""
    deciding.set_outcome("liveness", blocklist="possible", duplicate="certain")
    found = liveness(picture(size=(1, 1)).data)
    assert (found.blocklist, found.duplicate) == ("possible", "certain")
    assert len(found.probe.faces) == 1
    assert (liveness(A).blocklist, liveness(A).duplicate) == (None, None)


def test_liveness_without_faces(deciding, liveness):
    """No face: nothing of one."""
    deciding.set_outcome("liveness", faces=0)
    found = liveness(make_card(attack=True))
    assert found.probe.faces == ()
    assert (found.score, found.quality, found.luminance, found.attack) == (*[None] * 3, False)


def test_liveness_brings_a_face(deciding, liveness):
    """What only a face can have brings one, with the rest of its numbers."""
    deciding.set_outcome("liveness", attack=True)
    found = liveness(picture(size=(1, 1)).data)
    assert len(found.probe.faces) == 1
    assert None not in (found.score, found.quality, found.luminance)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("other", {}),
        *(("match", {name: 1}) for name in ("faces", "quality", "luminance")),
        ("match", {"attack": True}),
        *(("match", {"score": score}) for score in (-1, 100.1, float("nan"), True, "30")),
        *(("match", {"times": times}) for times in (0, 1.0, True)),
        *(("match", {"digest": digest}) for digest in ("", "abc", "z" * 64)),
        ("match", {"digest": "0" * 64, "picture": b""}),
        ("match", {"review": 1}),
        ("liveness", {"review": True}),
        ("liveness", {"faces": -1}),
        ("liveness", {"faces": 11}),
        ("liveness", {"faces": 0, "score": 50}),
        ("liveness", {"quality": 101}),
        ("liveness", {"blocklist": True}),
        ("liveness", {"duplicate": "sure"}),
        ("liveness", {"faces": 0, "blocklist": "certain"}),
        ("match", {"duplicate": "certain"}),
    ],
    ids=str,
)
def test_wrong_values_are_refused(deciding, kind, wrong):
    """What cannot happen is refused, and nothing waits."""
    with pytest.raises(ValueError):
        deciding.set_outcome(kind, **wrong)
    assert deciding.outcomes == ()


def test_counted_once_each_across_threads(deciding):
    """A hundred outcomes for a hundred of two hundred calls."""
    deciding.set_outcome("match", score=30, times=100)
    scores = []

    def ask():
        scores.extend(deciding.match(A, B, rotate=False).score for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scores.count(30) == 100
