"""Who is like whom: quick look-ups find what a look at every face would find."""

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from mock_didit_faces import face

from facematch_mock_server.recognition.cards import pair_score
from facematch_mock_server.recognition.index import FaceIndex, Identity, Listing, likeness
from facematch_mock_server.sqlite import SqliteStore
from facematch_mock_server.state import Memory


def index_of(*faces, **settings):
    """An index with these faces."""
    index = FaceIndex(Memory(), **settings)
    for one in faces:
        index.add(one)
    return index


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p1", "p2", "p3", "sha256:aa", "sha256:bb"]),
            st.none() | st.sampled_from([0.0, 19.0, 50.0, 80.0, 100.0]),
        ),
        max_size=12,
    ),
    st.sampled_from(["p1", "p9", "sha256:aa"]),
    st.none() | st.sampled_from([0.0, 80.0]),
    st.sampled_from([0.0, 10.0, 20.0, 20.1, 75.0, 95.0]),
)
def test_near_finds_what_a_look_at_every_face_finds(faces, name, score, least):
    """Whatever the limit: the same faces, the most alike first, then the older."""
    known = [face(one, score=exact) for one, exact in faces]
    probe = Identity(name, score)
    wanted = [(round(likeness(probe, one), 2), one) for one in known]
    wanted = sorted((pair for pair in wanted if pair[0] >= least), key=lambda pair: -pair[0])
    found = index_of(*known).near("mock", probe, least)
    assert [(near.score, near.face) for near in found] == wanted


def test_likeness_is_that_of_a_comparison():
    """Pairs of names, the same bytes, the probe's exact score before the other's."""
    one, other = Identity("p1"), Identity("p2")
    assert likeness(one, other, "salt") == pair_score("p1", "p2", "salt")
    assert 90 <= likeness(one, one) < 99
    assert likeness(Identity("sha256:aa"), Identity("sha256:aa")) == 100
    assert likeness(Identity("p1", 41.5), Identity("p2", 60.0)) == 41.5
    assert likeness(one, Identity("p2", 60.0)) == 60


def test_owners_do_not_see_each_other():
    """A face is found in the index of whose it is."""
    index = index_of(face(owner="a"), face(owner="b"))
    assert [near.face.owner for near in index.near("a", Identity("p1"), 75)] == ["a"]
    assert index.near("c", Identity("p1"), 0) == []
    assert [one.owner for one in index.all("b")] == ["b"]


def test_another_name_of_a_picture():
    """It is found under both, as the same bytes."""
    index = index_of(face("sha256:aa", also="sha256:bb"))
    assert [near.score for near in index.near("mock", Identity("sha256:bb"), 75)] == [100]
    assert [near.score for near in index.near("mock", Identity("sha256:aa"), 75)] == [100]


def test_the_oldest_goes_first_and_lists_stay():
    """Beyond the limit; what is on a list does not count as old."""
    listed, *others = [face(listing=Listing.BLOCK), *(face() for _ in range(4))]
    index = index_of(listed, *others, limit=3)
    assert index.all() == (listed, *others[-2:])
    every = [face(listing=Listing.ALLOW) for _ in range(3)]
    assert len(index_of(*every, limit=2)) == 3


def test_a_session_is_forgotten():
    """Its faces are marked; those of others are not, and one that is on a list can be unlisted."""
    kept, gone, listed = (face(session_id=one) for one in ("x", "y", "y"))
    index = index_of(kept, gone, listed)
    index.enlist(listed.id, Listing.BLOCK)
    index.forget("y")
    assert [one.deleted for one in index.all()] == [False, True, True]
    assert index.of_session("y")[1].listing is Listing.BLOCK
    index.enlist(listed.id, None)
    assert index.all() == (kept, attrs.evolve(gone, deleted=True))
    assert index.enlist("nobody", Listing.BLOCK) is None
    assert index.remove("nobody") is None
    index.remove(gone.id)
    assert index.of_session("y") == ()


def test_off_the_list_of_a_session_that_is_there():
    """The face stays in the index."""
    one = face(session_id="x")
    index = index_of(one)
    index.enlist(one.id, Listing.ALLOW)
    assert index.enlist(one.id, None) == one
    assert index.find(one.id) == one


def test_after_a_restart(tmp_path):
    """Faces are there again under their names; nothing that was measured was written down."""
    np = pytest.importorskip("numpy", reason="the extra `local` is not installed")
    path = tmp_path / "world.sqlite"
    store = SqliteStore(path)
    one = face("sha256:aa", session_id="x", full_name="A. Person", listing=Listing.BLOCK)
    FaceIndex(store).add(one, np.full(128, 0.123456789))
    store.close()
    again = SqliteStore(path)
    index = FaceIndex(again)
    assert index.all() == (one,)
    probe = Identity("sha256:aa", embedding=np.ones(128))
    found = index.near("mock", probe, 75, scores=lambda *_: pytest.fail("nothing is measured"))
    assert [near.score for near in found] == [100]
    again.close()
    assert b"0.1234" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
