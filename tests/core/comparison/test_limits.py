"""What a study cannot show is said, with its numbers; and nothing else is."""

import attrs
import numpy as np
import pytest
from core.comparison.tables import answers, changed, crowd, decided, real, unanswered

from facematch_core import Environment, ThresholdRule
from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison.metrics import exact_upper


def told(made, **asked):
    """Code to text; those of contenders by code and name."""
    limits = evaluate(made, Asked(**asked)).limits
    return {(one.code, one.contender) if one.contender else one.code: one.text for one in limits}


def test_twenty_pairs_say_plainly_what_they_cannot_show():
    """Ten pairs of each kind, all of them right: that is next to nothing."""
    found = told([answers([90] * 10, [10] * 10)], required_fmr=1e-3, split=False)
    assert found["fmr_floor"] == (
        "An FMR of 0.001 cannot be shown: that takes at least 2,995 non-mated comparisons without "
        "one error, and 10 were judged."
    )
    assert found["fnmr_floor"] == (
        "A false rejection rate of 1 % cannot be shown: that takes at least 299 mated comparisons "
        "without one error, and 10 were judged."
    )
    assert found["few_people"].startswith("30 people were judged.")
    assert found["not_divided"].startswith("Thresholds were chosen on the pairs that they are")
    assert found["fmr_not_bounded", "a"].endswith(
        f"the true FMR is shown to be below {100 * exact_upper(0, 10):.2g} %, and no lower "
        "(95 %, one-sided)."
    )
    assert exact_upper(0, 10) == pytest.approx(0.2589, abs=1e-4)
    assert found["few_errors", "a"] == "The FRR of a to a digit: it rests on 0 errors."
    assert {"no_groups", "impostors", "one_contender"} < set(found)
    assert found["unknown_origin", "a"]


def parted(name, seed):
    """Everybody scores 10 with others; with themselves 90 and, one time in twenty, 5."""
    one = real(crowd(name, people=400, mated=3, others=60, grouped=True))
    table = one.table
    unlike = np.random.default_rng(seed).random(len(table)) < 0.05
    return changed(one, scores=np.where(table.mated, np.where(unlike, 5.0, 90.0), 10.0))


def test_a_large_study_says_little():
    """Attackers are never in it; the rest may be."""
    assert set(told([parted("a", 1), parted("b", 2)], required_fmr=2e-3)) == {"impostors"}


@pytest.mark.parametrize("environment", Environment)
def test_answers_of_a_mock_say_nothing_of_the_vendor(environment):
    """Nor do those of a sandbox."""
    one = attrs.evolve(real(answers([90], [10])), environment=environment)
    found = told([one], split=False)
    is_mock = environment in (Environment.MOCK, Environment.SANDBOX)
    assert (("not_the_vendor", "a") in found) is is_mock
    if is_mock:
        assert f"a answered from a {environment}" in found["not_the_vendor", "a"]
    assert ("unknown_origin", "a") not in found


def test_decisions_only():
    """Its own point is all there is, and that is judged as any other is."""
    found = told([decided(crowd())], required_fmr=1e-3)
    assert found["decisions_only", "a"] == (
        "How a does at another threshold. It tells decisions only, so that no threshold can be "
        "chosen."
    )
    assert ("fmr_not_bounded", "a") in found
    rule = changed(crowd(), rule=ThresholdRule.VENDOR)
    assert "is not known" in told([rule])["decisions_only", "a"]


def test_no_threshold():
    """The reason is told."""
    found = told([answers([90], [95, 20])], required_fmr=0.1, split=False)
    assert found["no_threshold", "a"] == (
        "How a does at an FMR of 0.1. Two different people have the highest score of all pairs "
        "(95): no threshold keeps them out and lets anybody in."
    )


def test_what_was_not_answered():
    """How many pairs, of how many."""
    one = unanswered(crowd(), np.arange(1200))
    assert told([one])["not_answered", "a"] == (
        "What a says of 1,200 of 5,000 pairs: they were not answered, and count in no rate."
    )
    assert ("not_answered", "a") not in told([crowd()])


def test_the_floor_is_enough():
    """Who judges as many pairs without an error as the plan says has shown the rate."""
    enough = answers([90] * 299, [10] * 2995)
    found = told([enough], required_fmr=1e-3, split=False)
    assert not {"fmr_floor", "fnmr_floor", ("fmr_not_bounded", "a")} & set(found)
    short = answers([90] * 298, [10] * 2994)
    assert {"fmr_floor", "fnmr_floor", ("fmr_not_bounded", "a")} < set(
        told([short], required_fmr=1e-3, split=False)
    )


@pytest.mark.parametrize(("wrong", "word"), [(1, "1 error."), (2, "2 errors.")])
def test_few_errors_are_counted(wrong, word):
    """In words that fit."""
    one = answers([90] * 40 + [5] * wrong, [10] * 40)
    assert told([one], required_fmr=0.01, split=False)["few_errors", "a"].endswith(word)
