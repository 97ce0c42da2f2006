"""`LocalBackend` through `FaceVerifier`: decisions, warnings, cache, matrix, deadline."""

import contextlib
import importlib.util
import itertools
import pickle
import threading
from pathlib import Path

import pytest

import facematch_core as fm
from facematch_core.errors import BackendUnavailable
from facematch_local import SCALE, LocalBackend, score_from_distance

PHOTOS = Path(__file__).parents[3] / "docs" / "photographs"


def photo(name):
    return fm.Image.read(PHOTOS / f"{name}.jpg")


@pytest.fixture(scope="module")
def backend():
    """One engine for the module."""
    opened = LocalBackend()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def verifier(backend):
    """A verifier over it."""
    return fm.FaceVerifier(backend)


SAME = [
    ("Family1-Dad1", "Family1-Dad3"),
    ("Family2-Lady1", "Family2-Lady2"),
    ("Family1-Son1", "Family1-Son2"),
    ("grace-hopper", "grace-hopper-card"),
]
DIFFERENT = [
    ("grace-hopper", "eileen-collins"),
    ("Family1-Dad2", "Family1-Son2"),
    ("Family1-Mom1", "Family2-Man1"),
]


@pytest.mark.parametrize(("probe", "reference"), SAME)
def test_the_same_person(verifier, probe, reference):
    """A match at the default threshold, with everything that the result should tell."""
    result = verifier.verify(photo(probe), photo(reference))
    assert result.is_match
    assert result.score.scale == SCALE
    assert result.score.value == score_from_distance(result.score.raw)
    assert (result.threshold.value, result.threshold.rule, result.threshold.source) == (
        50,
        fm.ThresholdRule.AT_LEAST,
        fm.ThresholdSource.DEFAULT,
    )
    assert (result.billing.charged, result.environment) == (fm.Charged.NO, fm.Environment.LOCAL)
    box = result.probe_faces[0].box
    assert 0 <= box.left < box.right <= box.of_width
    assert 0 <= box.top < box.bottom <= box.of_height


@pytest.mark.parametrize(("probe", "reference"), DIFFERENT)
def test_different_people(verifier, probe, reference):
    """No match, with a score all the same."""
    result = verifier.verify(photo(probe), photo(reference))
    assert result.decision is fm.Decision.NO_MATCH
    assert 0 <= result.score.value < 50


def test_the_known_limit(verifier):
    """Brother and sister match although they are two children: documented, not hidden."""
    result = verifier.verify(photo("Family1-Daughter3"), photo("Family1-Son1"))
    assert result.is_match
    assert verifier.verify(
        photo("Family2-Lady2"), photo("Family2-Man1"), threshold=60
    ).decision is (fm.Decision.NO_MATCH)


def test_the_edge_is_on_the_rounded_score(verifier):
    """What is shown is what is compared: at the score itself it passes."""
    a, b = photo("Family1-Dad1"), photo("Family1-Dad2")
    score = verifier.verify(a, b).score.value
    assert score == round(score, 2)
    assert verifier.verify(a, b, threshold=score).is_match
    assert not verifier.verify(a, b, threshold=score + 0.01).is_match


def test_no_face_is_inconclusive(verifier):
    """Not a mismatch: nothing was compared."""
    result = verifier.verify(photo("no-face-cat"), photo("grace-hopper"))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert (result.score, result.probe_faces) == (None, ())
    assert [w.code for w in result.warnings] == [fm.WarningCode.NO_FACE]
    assert "probe" in result.warnings[0].text
    both = verifier.verify(photo("no-face-cat"), photo("no-face-cat"))
    assert [w.code for w in both.warnings] == [fm.WarningCode.NO_FACE] * 2


def test_several_faces_are_told(verifier):
    """The largest is compared, and the result says so."""
    result = verifier.verify(photo("four-people"), photo("Family1-Dad1"))
    assert len(result.probe_faces) == 4
    widths = [face.box.right - face.box.left for face in result.probe_faces]
    assert widths == sorted(widths, reverse=True)
    assert fm.WarningCode.MULTIPLE_FACES in {w.code for w in result.warnings}


def test_a_picture_in_many_pairs_is_embedded_once():
    """M pictures in all their pairs are M embeddings, also with two threads at work."""
    names = ["Family1-Dad1", "Family1-Dad2", "Family1-Mom1", "Family2-Man1"]
    with contextlib.closing(LocalBackend()) as backend:
        verifier = fm.FaceVerifier(backend)
        pairs = itertools.product([photo(n) for n in names], [photo(n) for n in names])
        outcomes = list(verifier.verify_many(pairs, max_workers=2))
        assert all(o.error is None for o in outcomes)
        assert backend.pictures_computed == len(names)


def test_the_cache_is_bounded():
    """Nothing is remembered with 0, and the last one with 1."""
    a, b = photo("Family1-Dad1"), photo("Family1-Dad2")
    for size, computed in ((0, 4), (1, 4), (2, 2)):
        with contextlib.closing(LocalBackend(cached_pictures=size)) as backend:
            verifier = fm.FaceVerifier(backend)
            verifier.verify(a, b)
            verifier.verify(a, b)
            assert backend.pictures_computed == computed


def test_the_score_matrix_agrees_with_verify(backend, verifier):
    """M + N embeddings and one product give the same rounded scores; NaN without a face."""
    probes = [photo(n) for n in ("Family1-Dad1", "no-face-cat", "Family2-Man1")]
    references = [photo(n) for n in ("Family1-Dad3", "Family2-Man2")]
    matrix = backend.score_matrix(probes, references)
    assert matrix.shape == (3, 2)
    for i, j in itertools.product(range(3), range(2)):
        score = verifier.verify(probes[i], references[j]).score
        if score is None:
            assert matrix[i, j] != matrix[i, j]
        else:
            assert matrix[i, j] == pytest.approx(score.value, abs=0.011)
    assert backend.score_matrix([], references).shape == (0, 2)


def test_embeddings_give_the_scores_of_the_matrix(backend):
    """A row of 128 a picture, NaN without a face; compared later, they score the same."""
    pictures = [photo(name) for name in ("Family1-Dad1", "no-face-cat", "Family1-Dad3")]
    rows = backend.embeddings(pictures)
    assert rows.shape == (3, 128)
    assert [bool((row == row).all()) for row in rows] == [True, False, True]  # noqa: PLR0124 - NaN
    scores, matrix = backend.scores(rows, rows), backend.score_matrix(pictures, pictures)
    assert scores.tobytes() == matrix.tobytes()
    assert backend.embeddings([]).shape == (0, 128)


@pytest.mark.parametrize("workers", [0, -1, True, "2"])
def test_workers_are_counted(backend, workers):
    """From 1 on, for embeddings as for the matrix."""
    with pytest.raises(fm.InvalidRequest, match="max_workers"):
        backend.embeddings([], max_workers=workers)


def test_liveness_is_no_capability(verifier):
    """No made-up value."""
    with pytest.raises(fm.Unsupported):
        verifier.check_liveness(photo("grace-hopper"))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotate_finds_a_turned_face(verifier, degrees):
    """Without it the turned picture has no face; with it the result tells the turn."""
    turned = fm.Image.from_pil(photo("grace-hopper").to_pil().rotate(degrees, expand=True))
    reference = photo("grace-hopper-card")
    assert verifier.verify(turned, reference).decision is fm.Decision.INCONCLUSIVE
    result = verifier.verify(turned, reference, rotate=True)
    assert result.is_match
    assert result.probe_faces[0].rotation == degrees
    assert result.reference_faces[0].rotation == 0


def test_without_the_extra(monkeypatch):
    """One sentence: the line that installs it, its size, and the file that is never loaded."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "dlib" else find(name, *a)
    )
    with pytest.raises(BackendUnavailable) as caught:
        fm.open_verifier("local")
    message = str(caught.value)
    for said in ("dlib-bin", 'pip install "facematch-core[local]"', "180 MB", "commercially"):
        assert said in message


@pytest.mark.parametrize("size", [-1, 1.5, True, "10", 10**7])
def test_odd_settings(size):
    """Refused when opened."""
    with pytest.raises(fm.ConfigurationError, match="cached_pictures"):
        LocalBackend(cached_pictures=size)


def test_embeddings_do_not_leave(backend, verifier):
    """They are biometric data: not in a repr, not in a pickle."""
    verifier.verify(photo("Family1-Dad1"), photo("Family1-Dad2"))
    assert "array" not in repr(backend)
    assert "embedding" not in repr(backend)
    for thing in (backend, backend._cache, backend._engine):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_the_deadline():
    """A call that takes longer than its deadline ends with an error that cost nothing."""
    release = threading.Event()

    class Stuck(LocalBackend):
        def compare(self, call):
            release.wait(20)
            return super().compare(call)

    with contextlib.closing(Stuck()) as backend:
        with pytest.raises(fm.VendorUnavailable) as caught:
            fm.FaceVerifier(backend).verify(
                photo("Family1-Dad1"), photo("Family1-Dad2"), deadline_s=0.05
            )
        assert caught.value.billing.charged is fm.Charged.NO
        release.set()


def test_an_error_in_one_thread_reaches_all_that_wait(backend):
    """And it is not remembered: the next one may succeed."""
    calls = []
    gate = threading.Barrier(2, timeout=10)

    def fail():
        calls.append(1)
        raise OSError("disk")

    def ask(errors):
        gate.wait()
        try:
            backend._cache.get("key", fail)
        except OSError as error:
            errors.append(error)

    errors = []
    threads = [threading.Thread(target=ask, args=(errors,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert calls


def test_closed_and_opened_again():
    """What was remembered is gone after close."""
    backend = LocalBackend()
    fm.FaceVerifier(backend).verify(photo("Family1-Dad1"), photo("Family1-Dad2"))
    backend.close()
    backend.close()
    assert len(backend._cache) == 0
