"""What a study cannot show is said, with its numbers; and nothing else is."""

import attrs
import numpy as np
import pytest
from kit.comparison.tables import answers, changed, crowd, decided, real, unanswered

from facematch_comparison.evaluation import evaluate
from facematch_core import Environment, ThresholdRule


def told(made, **asked):
    """Code to text; those of systems by code and name."""
    caveats = evaluate(made, **asked).caveats
    return {(one.code, one.system) if one.system else one.code: one.text for one in caveats}


def test_twenty_pairs_say_plainly_what_they_cannot_show():
    """Ten pairs of each kind, all of them right: that is next to nothing."""
    found = told([answers([90] * 10, [10] * 10)], required_fmr=1e-3)
    assert found["fmr_floor", "a"] == (
        "10 non-mated pairs are too few to show that a stays below an FMR of 0.1 %: it takes 2,995 "
        "without an error."
    )
    assert found["fnmr_floor"] == (
        "10 mated pairs are too few to show an FRR below 1 %: it takes 299 without an error."
    )
    assert found["few_people"].startswith("30 people were judged.")
    assert found["few_errors", "a"] == (
        "An exact FRR for a: it made no errors, so only the upper end (31 %) means anything."
    )
    assert {"no_groups", "impostors", "one_system"} < set(found)
    assert found["unknown_origin", "a"]


def parted(name, seed):
    """Everybody scores 10 with others; with themselves 90 and, one time in twenty, 5."""
    one = real(crowd(name, people=400, mated=3, others=60, grouped=True))
    table = one.table
    unlike = np.random.default_rng(seed).random(len(table)) < 0.05
    return changed(one, scores=np.where(table.mated, np.where(unlike, 5.0, 90.0), 10.0))


def test_a_large_study_says_little():
    """Attackers are never in it; the rest may be."""
    bounds = {("fmr_not_bounded", "a"), ("fmr_not_bounded", "b")}
    made = [parted("a", 1), parted("b", 2)]
    assert set(told(made, required_fmr=2e-3)) == {"impostors"} | bounds


def test_people_whom_nobody_named():
    """Pictures stand for them, and intervals may be too narrow."""
    one = answers([90] * 10, [10] * 10)
    assert "people_unknown" not in told([one])
    found = told([one, attrs.evolve(changed(one, name="b"), people_known=False)])
    assert found["people_unknown"].startswith("The file does not name people, so we guessed who")
    assert evaluate([attrs.evolve(one, people_known=False)]).study.people_known is False


@pytest.mark.parametrize("environment", Environment)
def test_answers_of_a_mock_say_nothing_of_the_vendor(environment):
    """Nor do those of a sandbox."""
    one = attrs.evolve(real(answers([90], [10])), environment=environment)
    found = told([one])
    is_mock = environment in (Environment.MOCK, Environment.SANDBOX)
    assert (("not_the_vendor", "a") in found) is is_mock
    if is_mock:
        assert f"a answered from a {environment}" in found["not_the_vendor", "a"]
    assert ("unknown_origin", "a") not in found


def test_decisions_only():
    """Its own point is all there is, and that is judged as any other is."""
    found = told([decided(crowd())], required_fmr=1e-3)
    assert found["decisions_only", "a"] == (
        "How a does at another threshold. It gives decisions only, so no threshold can be chosen."
    )
    assert ("fmr_not_bounded", "a") in found
    rule = changed(crowd(), rule=ThresholdRule.VENDOR)
    assert "is not known" in told([rule])["decisions_only", "a"]


def test_no_threshold():
    """The reason is told."""
    found = told([answers([90], [95, 20])], required_fmr=0.1)
    assert found["no_threshold", "a"] == (
        "How a does at an FMR of 10 %. Two different people have the highest score of all pairs "
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
    found = told([enough], required_fmr=1e-3)
    assert not {("fmr_floor", "a"), "fnmr_floor"} & set(found)
    short = answers([90] * 298, [10] * 2994)
    assert {("fmr_floor", "a"), "fnmr_floor"} < set(told([short], required_fmr=1e-3))


@pytest.mark.parametrize(("wrong", "word"), [(1, "one error"), (2, "only 2 errors")])
def test_few_errors_are_counted(wrong, word):
    """In words that fit."""
    one = answers([90] * 40 + [5] * wrong, [10] * 40)
    assert told([one], required_fmr=0.01)["few_errors", "a"].startswith(
        f"An exact FRR for a: it made {word}, so rely on the interval ("
    )


def test_the_floor_counts_answers():
    """What was asked and not answered shows nothing (300 answered of 3,000)."""
    one = unanswered(answers([90] * 300, [10] * 3000), np.arange(600, 3300))
    assert told([one])["fmr_floor", "a"].startswith("300 non-mated pairs are too few")


def test_a_person_who_causes_most_false_matches():
    """Bounds hold less often than they say, so it is said."""
    one = crowd(people=100, others=60)
    table = one.table
    is_wolf = ~table.mated & ((table.probe_subjects == 7) | (table.reference_subjects == 7))
    found = told([changed(one, scores=np.where(is_wolf, 99.0, table.scores))], required_fmr=0.02)
    assert "one person is in 9" in found["concentrated", "a"]
    assert ("concentrated", "a") not in told([one], required_fmr=0.02)


def test_a_model_that_changed():
    """Two models are two systems."""
    one = attrs.evolve(real(crowd()), other_models={"m2": 40})
    assert "m2 (40 pairs)" in told([one])["model_changed", "a"]


def test_pairs_without_a_score():
    """One of thousands does not make a vendor one that gives decisions only."""
    one = crowd()
    scores = one.table.scores.copy()
    scores[3] = np.nan
    found = told([changed(one, scores=scores)])
    assert "1 pairs that it compared without giving a score" in found["without_score", "a"]
    assert ("decisions_only", "a") not in found
