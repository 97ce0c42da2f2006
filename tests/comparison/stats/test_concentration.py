"""Who forced a threshold, and who is in the false matches at one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import table_of

from facematch_comparison.stats import concentration, threshold_for_fmr


@pytest.fixture
def forced():
    """400 mated pairs; 3,000 non-mated ones below 50, but for 37 of person 7, at 90."""
    mated = np.arange(1_000, 1_400)
    others = 2_000 + np.arange(6_000).reshape(2, 3_000)
    others[0, :5] = others[1, 5:37] = 7
    scores = np.full(3_000, 20.0)
    scores[37:77] = 49.99
    scores[:37] = 90
    return table_of(
        np.concatenate([mated, others[0]]),
        np.concatenate([mated, others[1]]),
        np.concatenate([np.full(400, 95.0), scores]),
    )


def test_one_person_can_force_the_threshold(forced):
    """30 may pass, 37 of one person score 90: nobody passes, and the one is named."""
    at = threshold_for_fmr(forced, 0.01).threshold
    assert at == 90.01
    assert concentration(forced, at) is None
    found = concentration(forced, at, max_fmr=0.01, names={7: "p7"})
    assert (found.pairs, found.people, found.worst_person) == (37, 38, 1)
    assert (found.person, found.threshold_without) == ("p7", 50)


def test_pairs_that_score_as_the_last_one_forced_it_too(forced):
    """Of 60 that may pass 37 are above; the 61st scores as forty others do."""
    found = concentration(forced, None, max_fmr=0.02)
    assert (found.pairs, found.people) == (77, 38 + 80)
    assert found.worst_person == 37 / 77
    assert (found.person, found.threshold_without) == (None, 20.01)


def test_without_the_worst_person_there_may_be_no_threshold():
    """All who are left score the highest of all."""
    table = table_of([0, 0, 3, 5], [1, 2, 4, 5], [70, 70, 80, 80])
    found = concentration(table, 80, max_fmr=0.5)
    assert (found.pairs, found.threshold_without) == (3, None)
    assert found.worst_person == 2 / 3
    alone = concentration(table_of([0, 0], [1, 2], [70, 80]), 80, max_fmr=0.5)
    assert (alone.worst_person, alone.threshold_without) == (1, None)
    assert concentration(table_of([5], [5], [80]), None, max_fmr=0.5) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5), st.integers(0, 4)), max_size=25),
    st.integers(-1, 5),
)
def test_who_is_in_false_matches(pairs, threshold):
    """Counted person by person: how many people, and the worst one's share."""
    table = table_of([a for a, _, _ in pairs], [(a + b) % 6 for a, b, _ in pairs],
                     [score for *_, score in pairs])  # fmt: skip
    twos = [{a, (a + b) % 6} for a, b, score in pairs if score >= threshold]
    found = concentration(table, threshold) if pairs else None
    if not twos:
        assert found is None
        return
    people = set().union(*twos)
    assert (found.pairs, found.people) == (len(twos), len(people))
    assert found.worst_person == max(sum(who in two for two in twos) for who in people) / len(twos)
    # Of six people, ten are all.
    assert (found.worst_ten, found.person, found.threshold_without) == (1, None, None)


def test_the_worst_ten_of_many():
    """One person in thirty false matches, eleven in one each with a person of their own."""
    probe = [0] * 30 + list(range(100, 111))
    table = table_of(probe, [*range(1, 31), *range(200, 211)], [90] * 41)
    found = concentration(table, 50)
    assert (found.pairs, found.people, found.worst_person) == (41, 53, 30 / 41)
    # The other nine are in one each, and those of them who come first are all in the thirty.
    assert found.worst_ten == 30 / 41
    assert concentration(table, 90.5) is None
    apart = table_of(np.arange(12), 100 + np.arange(12), [90] * 12)
    assert concentration(apart, 50).worst_ten == 10 / 12
