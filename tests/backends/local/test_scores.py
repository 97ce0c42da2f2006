import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_local import distance_from_score, score_from_distance, scores_from_embeddings

DISTANCES = st.floats(min_value=0, max_value=1e308)


@given(st.floats(0, 10), st.integers(0, 127))
def test_the_score_of_two_embeddings_is_that_of_their_distance(distance, axis):
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
def test_scores_are_those_of_the_table_in_the_documentation(distance, score):
    assert score_from_distance(distance) == pytest.approx(score, abs=0.15)


def test_the_points_that_everything_is_explained_by_are_exact():
    assert (score_from_distance(0), score_from_distance(0.6)) == (100, 50)
    assert distance_from_score(100) == 0
    assert distance_from_score(50) == pytest.approx(0.6)
    assert distance_from_score(0) == math.inf


@given(DISTANCES, DISTANCES)
def test_farther_is_never_more_alike(first, second):
    near, far = sorted((first, second))
    assert 100 >= score_from_distance(near) >= score_from_distance(far) >= 0
    assert round(score_from_distance(far), 2) == score_from_distance(far)


@given(st.integers(min_value=1, max_value=10_000))
def test_a_score_has_a_distance_that_has_this_score(hundredths):
    score = hundredths / 100
    assert score_from_distance(distance_from_score(score)) == score


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (score_from_distance, [-1e-9, -1.0, math.nan]),
        (distance_from_score, [-0.01, 100.01, math.nan]),
    ],
)
def test_what_is_no_distance_has_no_score_and_what_is_no_score_no_distance(function, values):
    for value in values:
        with pytest.raises(ValueError):
            function(value)
