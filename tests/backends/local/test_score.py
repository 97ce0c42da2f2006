"""The curve from distances to scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_local._score import distance_from_score, score_from_distance, scores_from_embeddings

DISTANCES = st.floats(min_value=0, max_value=1e308)


@given(st.floats(0, 10), st.integers(0, 127))
def test_the_score_of_two_embeddings_is_that_of_their_distance(distance, axis):
    """To the last decimal that is shown, but for the rounding of the product."""
    np = pytest.importorskip("numpy", reason="the extra `local` is not installed")
    other = np.zeros(128)
    other[axis] = distance
    scores = scores_from_embeddings(np.array([np.zeros(128)]), np.array([other, other * np.nan]))
    assert scores.shape == (1, 2)
    assert scores[0, 0] == pytest.approx(score_from_distance(distance), abs=0.011)
    assert np.isnan(scores[0, 1])


@pytest.mark.parametrize(
    ("distance", "score"),
    [(0, 100), (0.6, 50), (0.508, 70), (0.556, 60), (0.643, 40), (1.2, 0), (math.inf, 0)],
)
def test_known_points(distance, score):
    """The score is 100 at 0, 50 at 0.6, and what the table in the documentation says elsewhere."""
    assert score_from_distance(distance) == pytest.approx(score, abs=0.15)


def test_exact_ends():
    """The two points that everything is explained by are exact."""
    assert score_from_distance(0) == 100
    assert score_from_distance(0.6) == 50
    assert distance_from_score(100) == 0
    assert distance_from_score(50) == pytest.approx(0.6)
    assert distance_from_score(0) == math.inf


@given(DISTANCES, DISTANCES)
def test_farther_is_never_more_alike(one, other):
    """A larger distance has no higher score, and every score is 0-100 with two decimals."""
    near, far = sorted((one, other))
    assert 100 >= score_from_distance(near) >= score_from_distance(far) >= 0
    assert round(score_from_distance(far), 2) == score_from_distance(far)


@given(st.integers(min_value=1, max_value=10_000))
def test_a_score_has_a_distance_that_has_this_score(hundredths):
    """The two functions are each other's inverse, to the two decimals of a score."""
    score = hundredths / 100
    assert score_from_distance(distance_from_score(score)) == score


@pytest.mark.parametrize("distance", [-1e-9, -1.0, math.nan])
def test_no_score_for_what_is_no_distance(distance):
    """A negative distance or NaN is refused, not scored."""
    with pytest.raises(ValueError, match="distance"):
        score_from_distance(distance)


@pytest.mark.parametrize("score", [-0.01, 100.01, math.nan])
def test_no_distance_for_what_is_no_score(score):
    """A score outside of 0-100 or NaN is refused."""
    with pytest.raises(ValueError, match="score"):
        distance_from_score(score)
