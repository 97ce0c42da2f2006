"""What wrong labels make of a difference, beside labels that are flipped one by one."""

import attrs
import numpy as np
import pytest

from facematch_comparison.production.judged import PER, Judged
from facematch_comparison.production.labels.sensitivity import find_turn
from facematch_comparison.stats import Paired
from facematch_comparison.values.model import Costs

COSTS = Costs(false_match=50, false_reject=2, currency="USD")
SIDES = ("didit", "deepvue")


def judged_month(generator, *, wrong=0.0, better=0.45, impostors=0.03, calls=5000, people=3200):
    """A month of two systems of which the candidate lets more good customers in, as labelled."""
    persons = generator.integers(0, people, calls)
    genuine = generator.random(calls) > impostors
    common = generator.normal(size=calls)
    accepts = []
    for advantage in (0.0, better):
        own = generator.normal(size=calls)
        middle = np.where(genuine, 2.3 + advantage, -2.4)
        accepts.append(middle + 0.75 * common + 0.67 * own > 0)
    labels = genuine ^ (generator.random(calls) < wrong)
    disagrees = accepts[0] ^ accepts[1]
    return Judged(
        answered_accepts=accepts[0],
        candidate_accepts=accepts[1],
        is_labelled=disagrees,
        is_genuine=labels & disagrees,
        persons=persons,
        file_set=np.where(disagrees, 0, -1),
    )


def money_of(judged):
    return judged.money(COSTS, {}, SIDES, 0.95)


def flipped(judged, generator, share):
    is_wrong = judged.is_labelled & (generator.random(len(judged.persons)) < share)
    return attrs.evolve(judged, is_genuine=judged.is_genuine ^ is_wrong)


def mean_after_flips(judged, share, repeats=400):
    generator = np.random.default_rng(3)
    values = [money_of(flipped(judged, generator, share)).saved.value for _ in range(repeats)]
    return np.mean(values)


def test_right_labels_of_a_better_candidate_turn_where_flipped_ones_do():
    judged = judged_month(np.random.default_rng(2), impostors=0.001)
    money = money_of(judged)
    turns_at = money.wrong_labels.turns_at
    assert money.saved.value > 0
    assert 0 < turns_at < 0.1
    # Within a point on each side.
    assert mean_after_flips(judged, max(0, turns_at - 0.01)) > 0
    assert mean_after_flips(judged, turns_at + 0.01) < 0


def test_wrong_labels_that_made_a_candidate_worse_turn_at_the_share_that_made_it_so():
    """The truth saves nothing; the labels, of which 8 % are wrong, say that it costs money."""
    generator = np.random.default_rng(4)
    truth = judged_month(generator, impostors=0.2)
    rejects = truth.differences("false_reject").saved(PER, 0.95).value
    matches = truth.differences("false_match").saved(PER, 0.95).value
    assert rejects > 0 > matches
    costs = Costs(false_match=rejects, false_reject=-matches, currency="USD")
    assert truth.money(costs, {}, SIDES, 0.95).saved.value == pytest.approx(0, abs=1e-9)
    labelled = [flipped(truth, generator, 0.08) for _ in range(400)]
    saved = np.mean([each.money(costs, {}, SIDES, 0.95).saved.value for each in labelled])
    both = costs.false_match * truth.differences("false_match").both_labels(PER)
    both += costs.false_reject * truth.differences("false_reject").both_labels(PER)
    assert saved < 0
    assert find_turn(saved, both).turns_at == pytest.approx(0.08, abs=0.01)


def test_the_corrected_difference_is_the_true_one_on_average():
    generator = np.random.default_rng(6)
    truths = []
    corrected = []
    for seed in range(60):
        truth = judged_month(np.random.default_rng(seed))
        truths.append(money_of(truth).saved.value)
        labelled = flipped(truth, generator, 0.05)
        value = 0.0
        for kind, cost in (("false_match", 50), ("false_reject", 2)):
            differences = labelled.differences(kind)
            value += cost * differences.saved(PER, 0.95, wrong_share=0.05).value
        corrected.append(value)
    error = np.std(np.subtract(corrected, truths)) / np.sqrt(60)
    assert abs(np.mean(corrected) - np.mean(truths)) < 3 * error
    assert np.mean(truths) > 0


def test_a_lower_price_counts_whatever_the_labels_are():
    assert find_turn(-10, -100, 20).turns_at == pytest.approx(10 / 80)
    assert find_turn(-10, -100).turns_at == pytest.approx(0.1)
    assert find_turn(0, 0, 20).turns_at is None
    assert find_turn(0, 0).turns_at is None


def test_a_turn_within_one_label_in_twenty_is_said():
    assert find_turn(10, -400).is_turned
    assert not find_turn(10, -50).is_turned
    assert find_turn(10, -400).saved == pytest.approx(0.9 * 10 - 20)


def test_intervals_without_wrong_labels_are_those_of_paired_errors():
    judged = judged_month(np.random.default_rng(8))
    wrong = (
        judged.is_labelled & (judged.answered_accepts != judged.is_genuine),
        judged.is_labelled & (judged.candidate_accepts != judged.is_genuine),
    )
    expected = Paired(*wrong, judged.persons).interval(0.95)
    ends = judged.differences("error").saved(PER, 0.95).interval
    assert (ends.low, ends.high) == pytest.approx((PER * expected.low, PER * expected.high))


@pytest.mark.slow
@pytest.mark.parametrize("impostors", [0.001, 0.1])
@pytest.mark.parametrize("wrong", [0.05, 0.1])
def test_wrong_labels_hardly_ever_make_the_worse_vendor_significantly_better(wrong, impostors):
    """The candidate lets more good customers in and makes as many false matches."""
    generator = np.random.default_rng(77)
    months = 300
    costs_more = 0
    false_matches = 0
    for _ in range(months):
        judged = judged_month(generator, wrong=wrong, impostors=impostors)
        money = money_of(judged)
        costs_more += money.is_real and money.saved.value < 0
        _, _, of_matches = judged.net(0.95)
        false_matches += of_matches.is_real and of_matches.saved.value < 0
    assert costs_more <= 0.025 * months
    assert false_matches <= 0.025 * months


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [0.0, 0.05, 0.1])
def test_equal_vendors_are_hardly_ever_called_different_by_any_kind_of_error(wrong):
    """Three differences are tested, and the headline repeats any of them that is significant."""
    generator = np.random.default_rng(78)
    months = 600
    better = 0
    worse = 0
    for _ in range(months):
        judged = judged_month(generator, wrong=wrong, better=0.0, impostors=0.1)
        signs = {np.sign(net.saved.value) for net in judged.net(0.95) if net.is_real}
        better += 1 in signs
        worse += -1 in signs
    assert 0 < better <= 0.025 * months
    assert 0 < worse <= 0.025 * months
