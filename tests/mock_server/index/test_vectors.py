"""Embeddings: one matrix, one product for a search, and nothing of them outside of memory."""

import copy
import pickle

import hypothesis.strategies as st
import pytest
from hypothesis import given
from mock_didit_faces import face

from facematch_mock_server.recognition.index import FaceIndex, Identity, Listing, Vectors
from facematch_mock_server.state import Memory

np = pytest.importorskip("numpy", reason="the extra `local` is not installed")
MANY = 10_000


class Counted:
    """Scores by the angle of two rows, and how often it was asked."""

    def __init__(self):
        self.products = 0

    def __call__(self, probes, references):
        self.products += 1
        return np.round(100 * probes @ references.T, 2)


def unit(*numbers):
    """A row of length 1."""
    row = np.array(numbers, dtype=float)
    return row / np.linalg.norm(row)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=200))
def test_rows_come_and_go(steps):
    """After any of it the matrix has the row of each id that is there, and no other."""
    vectors, wanted = Vectors(), {}
    for number, (adds, face_id) in enumerate(steps):
        if adds:
            vectors.add(str(face_id), [number, face_id])
            wanted[str(face_id)] = [number, face_id]
        else:
            vectors.remove(str(face_id))
            wanted.pop(str(face_id), None)
    ids, matrix = vectors.all()
    rows = {} if matrix is None else dict(zip(ids, matrix.tolist(), strict=True))
    assert rows == wanted
    assert len(vectors) == len(wanted)


def test_it_grows():
    """Beyond the rows that it begins with."""
    vectors = Vectors()
    for number in range(200):
        vectors.add(str(number), [number])
    assert vectors.all()[1].ravel().tolist() == list(range(200))


@pytest.mark.parametrize("away", [pickle.dumps, copy.copy, copy.deepcopy])
def test_embeddings_are_not_taken_away(away):
    """They are biometric data."""
    with pytest.raises(TypeError, match="biometric"):
        away(Vectors())


def test_an_identity_does_not_show_its_embedding():
    """In no log and no message."""
    assert "embedding" not in repr(Identity("sha256:aa", embedding=unit(1, 2)))


def test_ten_thousand_faces_are_one_product():
    """One matrix product for a search, however many are enrolled; the right ones are found."""
    rows = np.random.default_rng(7).normal(size=(MANY, 128))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    index = FaceIndex(Memory())
    faces = [face(f"sha256:{number}") for number in range(MANY)]
    for one, row in zip(faces, rows, strict=True):
        index.add(one, row)
    scores = Counted()
    probe = Identity("sha256:new", embedding=unit(*(0.95 * rows[4711] + 0.05 * rows[1])))
    found = index.near("mock", probe, 75, scores=scores)
    assert scores.products == 1
    assert [near.face for near in found] == [faces[4711]]
    index.remove(faces[4711].id)
    assert index.near("mock", probe, 75, scores=scores) == []


def test_measured_and_named_faces_side_by_side():
    """A card is compared by name, a picture that was measured by what was measured."""
    index, scores = FaceIndex(Memory()), Counted()
    card, photo, same = face("p1", score=88.0), face("sha256:aa"), face("sha256:bb")
    index.add(card)
    index.add(photo, unit(1, 0))
    index.add(same, unit(0, 1))
    probe = Identity("sha256:bb", embedding=unit(1, 0.01))
    found = index.near("mock", probe, 75, scores=scores)
    assert [(near.face, near.score) for near in found] == [(photo, 100.0), (card, 88.0)]
    # Nobody looked at this probe, so names are all there is.
    found = index.near("mock", Identity("sha256:bb"), 90, scores=scores)
    assert [near.face for near in found] == [same]


def test_what_was_measured_of_a_deleted_session_goes():
    """Unless it is on a list."""
    index, scores = FaceIndex(Memory()), Counted()
    gone, listed = face("sha256:aa", session_id="x"), face("sha256:bb", session_id="x")
    for one in (gone, listed):
        index.add(one, unit(1, 0))
    index.enlist(listed.id, Listing.BLOCK)
    index.forget("x")
    probe = Identity("sha256:new", embedding=unit(1, 0))
    assert [near.face.id for near in index.near("mock", probe, 75, scores=scores)] == [listed.id]
