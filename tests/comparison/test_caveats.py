"""What a study cannot show is said, with its numbers; and nothing else is."""

import attrs
import numpy as np
import pytest
from kit.comparison.tables import answers, changed, crowd, decided, real, unanswered

from facematch_comparison.evaluation import evaluate
from facematch_core import Environment, ThresholdRule


def caveats_of(*systems, **asked):
    """Code to caveat; one code is about one set of systems in these tests."""
    caveats = evaluate(systems, **asked).caveats
    found = {caveat.code: caveat for caveat in caveats}
    assert len(found) == len(caveats)
    return found


def wrong_in_one_of_twenty(name, seed):
    """Everybody scores 10 with others; with themselves 90 and, one time in twenty, 5."""
    system = real(crowd(name, people=400, mated=3, others=60, grouped=True))
    table = system.table
    unlike = np.random.default_rng(seed).random(len(table)) < 0.05
    return changed(system, scores=np.where(table.mated, np.where(unlike, 5.0, 90.0), 10.0))


def test_twenty_pairs_show_next_to_nothing():
    """Ten pairs of each kind, all of them right."""
    found = caveats_of(answers([90] * 10, [10] * 10), required_fmr=1e-3)
    for code, numbers in {
        "fmr_floor": ("10 non-mated", "0.1 %", "2,995"),
        "fnmr_floor": ("10 mated", "1 %", "299"),
        "few_people": ("30 people",),
        "few_errors": ("31 %",),
    }.items():
        assert all(number in found[code].text for number in numbers), found[code]
    assert {"no_groups", "impostors", "one_system", "unknown_origin"} < set(found)
    assert [*found][-1] == "impostors"  # what is true of every study comes last


def test_a_large_study_says_little():
    """A threshold is never bounded by the pairs that it was chosen on: nobody needs to hear it."""
    systems = wrong_in_one_of_twenty("a", 1), wrong_in_one_of_twenty("b", 2)
    assert set(caveats_of(*systems, required_fmr=2e-3)) == {"impostors"}


def test_what_several_have_in_common_is_said_once():
    """With their names; another one's number makes another sentence."""
    systems = [answers([90] * 10, [10] * 10, name) for name in "abc"]
    systems[2] = unanswered(systems[2], [19])
    found = evaluate(systems).caveats
    assert {one.systems for one in found if one.code == "fmr_floor"} == {("a", "b"), ("c",)}
    assert all(name in one.text for one in found for name in one.systems if one.code == "fmr_floor")
    (origin,) = (one for one in found if one.code == "unknown_origin")
    assert origin.systems == ("a", "b", "c")
    of_all = [not one.systems for one in found if one.code != "unknown_origin"]
    assert of_all == sorted(of_all)  # what is about some of them comes first


def test_one_of_several_comes_from_nowhere():
    found = caveats_of(real(crowd()), crowd("b"), required_fmr=0.01)
    assert found["unknown_origin"].systems == ("b",)


def test_people_whom_nobody_named():
    """Pictures stand for them, and intervals may be too narrow."""
    one = answers([90] * 10, [10] * 10)
    nameless = attrs.evolve(changed(one, name="b"), people_known=False)
    assert "people_unknown" not in caveats_of(one)
    assert "people_unknown" in {caveat.code for caveat in evaluate([one, nameless]).caveats}
    assert evaluate([nameless]).study.people_known is False


@pytest.mark.parametrize("environment", Environment)
def test_answers_of_a_mock_say_nothing_of_the_vendor(environment):
    """Nor do those of a sandbox."""
    found = caveats_of(attrs.evolve(real(answers([90], [10])), environment=environment))
    is_mock = environment in (Environment.MOCK, Environment.SANDBOX)
    assert ("not_the_vendor" in found) is is_mock
    if is_mock:
        assert found["not_the_vendor"].systems == ("a",)
        assert environment in found["not_the_vendor"].text
    assert "unknown_origin" not in found


def test_decisions_only():
    """Its own point is all there is; its FMR is held against the required one."""
    found = caveats_of(decided(crowd()), required_fmr=1e-3)
    assert "It gives decisions only" in found["decisions_only"].text
    assert found["fmr_not_bounded"].systems == ("a",)
    assert "fmr_not_bounded" not in caveats_of(decided(crowd()), required_fmr=0.5)
    unruled = caveats_of(changed(crowd(), rule=ThresholdRule.VENDOR))
    assert "is not known" in unruled["decisions_only"].text


def test_no_threshold():
    """The reason is given."""
    found = caveats_of(answers([90], [95, 20]), required_fmr=0.1)
    assert "highest score of all pairs (95)" in found["no_threshold"].text


def test_what_was_not_answered():
    """How many pairs, of how many."""
    found = caveats_of(unanswered(crowd(), np.arange(1200)))
    assert "1,200 of 5,000 pairs" in found["not_answered"].text
    assert "not_answered" not in caveats_of(crowd())


def test_the_floor_is_enough():
    """Who judges as many pairs without an error as the plan says has shown the rate."""
    floors = {"fmr_floor", "fnmr_floor"}
    assert not floors & set(caveats_of(answers([90] * 299, [10] * 2995), required_fmr=1e-3))
    assert floors < set(caveats_of(answers([90] * 298, [10] * 2994), required_fmr=1e-3))


def test_the_floor_counts_answers():
    """What was asked and not answered shows nothing (300 answered of 3,000)."""
    asked = unanswered(answers([90] * 300, [10] * 3000), np.arange(600, 3300))
    assert "300 non-mated" in caveats_of(asked)["fmr_floor"].text


@pytest.mark.parametrize(("wrong", "words"), [(1, "one error was"), (2, "only 2 errors were")])
def test_few_errors_are_counted(wrong, words):
    found = caveats_of(answers([90] * 40 + [5] * wrong, [10] * 40), required_fmr=0.01)
    assert words in found["few_errors"].text


@pytest.mark.parametrize("split", [False, True])
def test_a_person_who_causes_most_false_matches(split):
    """Bounds hold less often than they say; and what the threshold would be without that person."""
    quiet = crowd(people=100, others=60)
    table = quiet.table
    is_wolf = ~table.mated & ((table.probe_subjects == 7) | (table.reference_subjects == 7))
    wolf = changed(quiet, scores=np.where(is_wolf, 99.0, table.scores))
    found = caveats_of(wolf, required_fmr=0.02, split=split)["concentrated"]
    assert ("without that person it would be" in found.text) is not split
    assert "concentrated" not in caveats_of(quiet, required_fmr=0.02, split=split)


def test_a_person_who_forces_the_threshold_up():
    """And passes nowhere: 37 of 3,000 pairs at 90, and the threshold jumps from 50 to above it."""
    random = np.random.default_rng(3)
    scores = np.where(np.arange(3000) < 37, 90.0, random.integers(0, 51, 3000))
    system = answers(random.integers(40, 100, 400), scores)
    is_p7 = ~system.table.mated & (system.table.scores == 90)
    probes = np.where(is_p7, 7, system.table.probe_subjects)
    found = evaluate([changed(system, probe_subjects=probes)], required_fmr=0.01)
    few = found.systems[0].concentration
    assert found.systems[0].at_required.threshold == 91
    assert (few.pairs, few.worst_person) == (37, 1)
    assert few.threshold_without <= 51
    (caveat,) = (one for one in found.caveats if one.code == "concentrated")
    assert f"it would be {few.threshold_without:g}" in caveat.text


def test_a_model_that_changed():
    """Two models are two systems."""
    found = caveats_of(attrs.evolve(real(crowd()), other_models={"m2": 40}))
    assert "m2 (40 pairs)" in found["model_changed"].text


def test_pairs_without_a_score():
    """One of thousands does not make a vendor one that gives decisions only."""
    system = crowd()
    scores = system.table.scores.copy()
    scores[3] = np.nan
    found = caveats_of(changed(system, scores=scores))
    assert found["without_score"].systems == ("a",)
    assert "decisions_only" not in found
