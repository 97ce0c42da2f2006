import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_local import SCALE, scores_from_embeddings

np = pytest.importorskip("numpy", reason="the extra `local` is not installed")


def test_score_is_100_times_the_cosine_and_0_below():
    half = np.array([0.5, 3**0.5 / 2])
    scores = scores_from_embeddings(
        np.array([half]), np.array([half, (1, 0), (0, 1), -half, (np.nan, np.nan)])
    )
    assert scores.shape == (1, 5)
    assert scores[0, :4].tolist() == [100, 50, 86.6, 0]
    assert np.isnan(scores[0, 4])


@given(st.lists(st.integers(-100, 100), min_size=8, max_size=8).filter(any))
def test_rounding_never_leaves_the_range(numbers):
    embedding = np.array(numbers, np.float32)
    length = np.linalg.norm(embedding.astype(float))
    rows = (embedding / length)[None]
    assert scores_from_embeddings(rows, rows)[0, 0] == pytest.approx(100, abs=0.01)
    assert scores_from_embeddings(rows, -rows)[0, 0] == 0
    assert 0 <= scores_from_embeddings(rows, np.ones((1, 8)))[0, 0] <= 100


def test_the_scale_has_a_name_of_its_own():
    assert SCALE == "local/sface-2021dec"
