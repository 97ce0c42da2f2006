"""Net errors of labelled calls: what is significant, what would be, and weights of files."""

import attrs
import numpy as np
import pytest
from scipy.stats import false_discovery_control

from facematch_comparison.production.judged import Judged, simes


def judged_calls(generator, *, calls, reject_rates, impostors=0.0):
    """Calls of different people by two systems that reject so many genuine people."""
    genuine = generator.random(calls) >= impostors
    accepts = [(generator.random(calls) >= rate) & genuine for rate in reject_rates]
    return Judged(
        answered_accepts=accepts[0],
        candidate_accepts=accepts[1],
        is_labelled=np.ones(calls, bool),
        is_genuine=genuine,
        persons=np.arange(calls),
        file_set=np.zeros(calls, int),
    )


def test_no_difference_is_significant_beside_an_interval_with_zero():
    """Of few people McNemar's test may find a difference that the interval does not show."""
    generator = np.random.default_rng(1)
    found = 0
    for _ in range(300):
        judged = attrs.evolve(
            judged_calls(generator, calls=32, reject_rates=(0.3, 0.05)),
            persons=generator.integers(0, 8, 32),
        )
        for net in judged.net(0.95):
            contains_zero = net.saved.interval.low <= 0 <= net.saved.interval.high
            found += contains_zero and net.p_value < 0.05
            assert not (net.is_real and contains_zero)
    assert found


def test_so_many_calls_show_a_difference_in_four_of_five_logs():
    generator = np.random.default_rng(2)
    rates = (0.05, 0.03)
    while True:
        first = judged_calls(generator, calls=1000, reject_rates=rates).net(0.95)[0]
        # As large as the true difference, and not shown.
        if abs(first.saved.value - 20) < 2 and not first.is_real:
            break
    shown = 0
    for _ in range(100):
        judged = judged_calls(generator, calls=1000 + first.more_calls, reject_rates=rates)
        shown += judged.net(0.95)[0].saved.interval.low > 0
    assert 0.68 <= shown / 100 <= 0.92


def test_a_shown_difference_needs_no_more_calls():
    judged = judged_calls(np.random.default_rng(3), calls=4000, reject_rates=(0.1, 0.03))
    any_error = judged.net(0.95)[0]
    assert (any_error.is_real, any_error.more_calls) == (True, None)
    equal = attrs.evolve(judged, candidate_accepts=judged.answered_accepts.copy())
    assert equal.net(0.95)[0].more_calls is None


def test_a_difference_next_to_nothing_has_no_number_of_calls():
    """201 calls only the one accepts, 200 only the other: it takes thousands of such logs."""
    genuine = np.ones(1000, bool)
    first, second = genuine.copy(), genuine.copy()
    first[:201] = False
    second[201:401] = False
    judged = attrs.evolve(
        judged_calls(np.random.default_rng(3), calls=1000, reject_rates=(0, 0)),
        answered_accepts=first,
        candidate_accepts=second,
    )
    any_error = judged.net(0.95)[0]
    assert any_error.saved.value == pytest.approx(1)
    assert (any_error.is_real, any_error.more_calls) == (False, None)


def test_labels_stand_for_the_calls_of_the_same_files():
    """All of the first file is labelled, a tenth of the second, which is about harder calls."""
    generator = np.random.default_rng(4)
    judged = judged_calls(generator, calls=20_000, reject_rates=(0.2, 0.1))
    is_hard = judged.disagrees & judged.candidate_accepts
    is_labelled = judged.disagrees & (~is_hard | (generator.random(20_000) < 0.1))
    partial = attrs.evolve(judged, is_labelled=is_labelled, file_set=is_hard.astype(int))
    expected = judged.net(0.95)[0].saved
    weighted = partial.net(0.95)[0].saved
    assert weighted.value == pytest.approx(expected.value)
    pooled = attrs.evolve(partial, file_set=np.zeros(20_000, int)).net(0.95)[0].saved
    assert pooled.value < 0 < expected.value


def test_files_without_labels_are_stood_for_by_the_others():
    judged = judged_calls(np.random.default_rng(5), calls=4000, reject_rates=(0.2, 0.1))
    in_second = np.arange(4000) % 2 == 1
    partial = attrs.evolve(
        judged, is_labelled=judged.disagrees & ~in_second, file_set=in_second.astype(int)
    )
    assert partial.weights.sum() == pytest.approx(np.count_nonzero(judged.disagrees))


@pytest.mark.parametrize("p_values", [(0.04, 0.03, 1.0), (0.2, 0.5, 0.9), (0.01, 0.04, 0.04)])
def test_the_test_of_all_hypotheses_is_that_of_false_discoveries(p_values):
    """Simes' p-value is the lowest one after the correction of Benjamini and Hochberg."""
    assert simes(p_values) == pytest.approx(min(false_discovery_control(p_values)))


def test_a_difference_of_one_kind_is_tested_once_in_all_kinds_together():
    """One p-value of 0.04 among three is what equal systems show too often."""
    genuine = np.arange(1000) % 2 == 0
    answered, candidate = genuine.copy(), genuine.copy()
    # Of strangers, the candidate lets in 1 in place of 8; customers are rejected by both alike.
    strangers, customers = np.flatnonzero(~genuine), np.flatnonzero(genuine)
    answered[strangers[:8]] = True
    candidate[strangers[-1]] = True
    answered[customers[:12]] = False
    candidate[customers[-12:]] = False
    judged = attrs.evolve(
        judged_calls(np.random.default_rng(6), calls=1000, reject_rates=(0, 0)),
        answered_accepts=answered,
        candidate_accepts=candidate,
        is_genuine=genuine,
    )
    _, _, of_matches = judged.net(0.95)
    assert of_matches.p_value == pytest.approx(0.0390625)
    assert of_matches.p_adjusted == pytest.approx(3 * of_matches.p_value)
    assert not of_matches.is_real
