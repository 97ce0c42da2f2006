import pytest

from facematch_local import scores_from_embeddings

np = pytest.importorskip("numpy", reason="the extra `local` is not installed")


def test_score_is_100_times_the_cosine_and_0_below():
    half = np.array([0.5, 3**0.5 / 2])
    scores = scores_from_embeddings(
        np.array([half]), np.array([half, (1, 0), (0, 1), -half, (np.nan, np.nan)])
    )
    assert scores.shape == (1, 5)
    assert scores[0, :4].tolist() == [100, 50, 86.6, 0]
    assert np.isnan(scores[0, 4])
