"""Two contenders on the same pairs, each at its own threshold."""

import numpy as np
import pytest
from core.comparison.tables import LOST, answers, changed, crowd, unanswered

from facematch_core.comparison._pairing import Held, paired_of
from facematch_core.comparison.metrics import holm, mcnemar


def pair(first, second, thresholds=(50, 50), confidence=0.95):
    (found,) = paired_of(held([first.table, second.table], thresholds), confidence)
    return found


def held(tables, thresholds, **more):
    """Contenders at thresholds that were given."""
    return [
        Held(table=table, threshold=threshold, **more)
        for table, threshold in zip(tables, thresholds, strict=True)
    ]


def test_a_small_case_by_hand():
    """Refused is who is below the threshold, and who could not be compared."""
    first = answers([90, 80, LOST, 40, 30, 60], [10], "first")
    second = answers([90, 40, 80, 90, 30, LOST], [10], "second")
    found = pair(first, second)
    assert (found.pairs, found.only_first, found.only_second) == (6, 2, 2)
    assert found.difference == 0
    assert found.p_value == found.p_adjusted == 1
    assert not found.is_real
    assert found.sentence == (
        "Of 6 mated pairs, first alone refused 2 and second alone 2: that may be chance."
    )


def test_each_is_held_to_its_own_threshold():
    """Scales do not compare: 60 of one is not 60 of the other."""
    first, second = answers([60, 60], [1], "first"), answers([60, 60], [1], "second")
    found = pair(first, second, (50, 70))
    assert (found.only_first, found.only_second, found.difference) == (0, 2, -1)


def test_a_difference_that_is_real():
    """Twenty pairs against none: what McNemar's test says of them, and in whose favour."""
    first = answers([90] * 100, [10], "first")
    second = answers([20] * 20 + [90] * 80, [10], "second")
    found = pair(first, second)
    refused = np.arange(100) < 20
    test = mcnemar(np.zeros(100, bool), refused, np.arange(100))
    assert 2 * 0.5**20 <= found.p_value == test.p_value < 1e-4
    assert found.is_real
    assert found.interval.low < -0.2 < found.interval.high < 0
    assert found.sentence.endswith("the difference is more than chance, in favour of first.")
    assert pair(second, first).difference == 0.2


def test_pairs_of_few_people_are_no_proof():
    """Twenty pairs of one person who looks unlike are one person, not twenty."""
    first, second = crowd("first", people=60, mean=95), crowd("second", people=60, mean=95)
    rows = np.flatnonzero(second.table.mated)[:10]
    scores = second.table.scores.copy()
    scores[rows] = 1.0
    found = pair(first, changed(second, scores=scores))
    assert found.only_second - found.only_first == 10
    refused = np.zeros(300, bool)
    refused[:10] = True
    # Taken for the pairs of ten people, they would be.
    assert mcnemar(np.zeros(300, bool), refused).p_value < 0.01
    assert not found.is_real
    assert found.interval.high > 0


def test_only_what_both_answered():
    """Who did not answer is not the worse for it."""
    first = answers([20, 90, 90], [10], "first")
    second = unanswered(answers([90, 90, 20], [10], "second"), [2])
    found = pair(first, second)
    assert (found.pairs, found.only_first, found.only_second) == (2, 1, 0)


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ((None, 50), "first cannot be held to the required FMR"),
        ((50, None), "second cannot be held to the required FMR"),
        ((None, None), "first and second cannot be held to the required FMR"),
    ],
)
def test_without_a_threshold_nobody_is_compared(thresholds, told):
    """At another FMR the one that lets more in looks better."""
    found = pair(answers([90], [10], "first"), answers([90], [10], "second"), thresholds)
    assert found.sentence.startswith(told)
    assert (found.difference, found.interval, found.p_value, found.p_adjusted) == (None,) * 4
    assert not found.is_real


def test_no_pair_in_common():
    """The one answered the first half, the other the rest."""
    first = unanswered(answers([90, 90], [10], "first"), [0])
    second = unanswered(answers([90, 90], [10], "second"), [1])
    assert pair(first, second).sentence == ("No mated pair was answered by both first and second.")


def test_several_questions_are_paid_for():
    """Of three, every two are compared; Holm's correction is over those that were tested."""
    scores = {"a": [90] * 60, "b": [20] * 7 + [90] * 53, "c": [90] * 54 + [20] * 6, "d": [90] * 60}
    tables = [answers(given, [10], name).table for name, given in scores.items()]
    found = paired_of(held(tables, [50, 50, 50, None]), 0.95)
    assert [(one.first, one.second) for one in found] == [
        ("a", "b"),
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("b", "d"),
        ("c", "d"),
    ]
    tested = [one for one in found if one.p_value is not None]
    assert [one.p_adjusted for one in tested] == holm([one.p_value for one in tested])
    assert [one.is_real for one in tested] == [one.p_adjusted < 0.05 for one in tested]


def test_one_contender_is_compared_with_nobody():
    """Nor are none."""
    assert paired_of(held([answers([90], [10]).table], [50]), 0.95) == ()
    assert paired_of([], 0.95) == ()


@pytest.mark.parametrize(
    ("beyond", "ending"),
    [
        (
            ("b",),
            "that may be chance; but b lets in more than the required FMR, which flatters it.",
        ),
        (("a", "b"), "; but a and b let in more than the required FMR, which flatters them."),
        (("c",), "that may be chance."),
    ],
)
def test_who_lets_in_more_than_should_be_is_said_to(beyond, ending):
    """Its refusals look better than they are."""
    two = [
        Held(table=answers([90, 20], [10], name).table, threshold=50.0, is_beyond=name in beyond)
        for name in "ab"
    ]
    (found,) = paired_of(two, 0.95)
    assert found.sentence.endswith(ending)


def test_a_threshold_is_an_estimate_too():
    """What its spread explains is no difference between vendors."""
    tables = [answers([90] * 100, [10], "first").table]
    tables.append(answers([20] * 20 + [90] * 80, [10], "second").table)
    (plain,) = paired_of(held(tables, [50, 50]), 0.95)
    (some,) = paired_of(held(tables, [50, 50], spread=0.02), 0.95)
    (much,) = paired_of(held(tables, [50, 50], spread=0.2), 0.95)
    assert plain.is_real
    assert some.is_real
    assert not much.is_real
    assert plain.p_value < some.p_value < 0.05 < much.p_value
    for narrow, wide in ((plain, some), (some, much)):
        assert wide.interval.low < narrow.interval.low < narrow.interval.high < wide.interval.high
    assert (plain.difference, plain.only_second) == (some.difference, some.only_second)


def test_a_threshold_that_rests_on_next_to_nothing_proves_nothing():
    """It says why, and only where there was something to prove."""
    tables = [answers([90] * 100, [10], "first").table]
    tables.append(answers([20] * 20 + [90] * 80, [10], "second").table)
    (found,) = paired_of(held(tables, [50, 50], is_unsure=True), 0.95)
    assert not found.is_real
    assert found.sentence.endswith(
        "that may be chance, for the threshold of first and that of second was chosen with fewer "
        "than 5 false matches, and may lie far off."
    )
    (same,) = paired_of(held([tables[0], tables[0]], [50, 50], is_unsure=True), 0.95)
    assert same.sentence.endswith("that may be chance.")
