"""From answers to an evaluation: what is judged where, and what counts as what."""

import datetime as dt
import re

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import LOST, answers, changed, crowd, decided, real, unanswered

from facematch_comparison.evaluation import evaluate, size_of
from facematch_comparison.model import Costs, Method
from facematch_comparison.stats import exact_interval, rates_at
from facematch_comparison.study import split_by_subject
from facematch_core import Environment, InvalidRequest, ThresholdRule, __version__

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
WHOLE = {"required_fmr": 0.25}


def test_a_small_case_by_hand():
    """Ten pairs of ten people: every number can be counted."""
    one = answers([90, 80, 60, 30, LOST], [70, 40, 20, 10, 5])
    said = evaluate([one], **WHOLE, name="hand", digest="d", made_at=NOW)
    assert (said.study.name, said.study.digest, said.made_at) == ("hand", "d", NOW)
    assert said.version == __version__
    assert (said.study.whole, said.study.calibration) == (said.study.evaluation, None)
    assert attrs.astuple(said.study.whole) == (10, 5, 5, 15)
    (found,) = said.systems
    at = found.at_required
    # One of five may pass at 0.25: the lowest whole number above 40.
    assert (at.threshold, at.rule, at.chosen_on) == (41, ThresholdRule.AT_LEAST, "evaluation")
    assert (at.fmr.errors, at.fmr.trials) == (1, 5)
    assert (at.fnmr.errors, at.fnmr.trials) == (1, 4)
    assert (at.frr.errors, at.frr.trials) == (2, 5)
    assert (at.far.errors, at.far.trials) == (1, 5)
    assert at.frr.interval == exact_interval(2, 5)
    assert at.calibration_fmr == at.fmr
    default = found.at_default
    assert (default.threshold, default.chosen_on, default.calibration_fmr) == (50, "default", None)
    assert (default.frr.errors, default.fmr.errors) == (2, 1)
    assert (found.kind, found.scale, found.why_not) == ("scores", "fake/v1", None)


def test_thresholds_are_chosen_on_other_people():
    """Development and test share nobody, and the rates are those of the test alone."""
    one = crowd()
    said = evaluate([one], required_fmr=1e-2, seed=4, split=True)
    table = one.table
    development, test = split_by_subject(table.probe_subjects, table.reference_subjects, seed=4)
    assert said.study.calibration == size_of(table.take(development))
    assert said.study.evaluation == size_of(table.take(test))
    at = said.systems[0].at_required
    assert at.chosen_on == "calibration"
    told = rates_at(table.take(test), at.threshold)
    for name in ("fmr", "fnmr", "far", "frr"):
        assert getattr(at, name) == getattr(told, name)
        assert getattr(at, name).interval.confidence == 0.95
    chosen = rates_at(table.take(development), at.threshold).fmr
    assert chosen.value <= 1e-2
    assert at.calibration_fmr == chosen
    # Neither hangs on a threshold: all pairs count.
    whole = evaluate([one], required_fmr=1e-2).systems[0]
    assert (said.systems[0].auc, said.systems[0].d_prime) == (whole.auc, whole.d_prime)


def test_pairs_that_share_people_get_other_intervals():
    """Everybody is in five mated pairs, so the interval is no exact one."""
    at = evaluate([crowd(mean=55)], required_fmr=1e-2).systems[0].at_required
    assert at.frr.interval.method is Method.CLUSTERED
    assert at.frr.interval != exact_interval(at.frr.errors, at.frr.trials)


def test_a_seed_divides_people_otherwise():
    """And the same seed always the same way."""
    said = [evaluate([crowd()], seed=seed, split=True, made_at=NOW) for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0].study.evaluation != said[2].study.evaluation


def test_what_cannot_be_divided_is_not():
    """A part without both kinds of pairs could neither choose nor judge."""
    said = evaluate([answers([90], [10])], required_fmr=0.5, split=True)
    assert said.study.calibration is None
    assert said.systems[0].at_required.chosen_on == "evaluation"


def test_a_vendor_with_decisions_only_is_one_point():
    """No curve, no threshold, and its decisions are judged."""
    found = evaluate([decided(crowd())]).systems[0]
    assert (found.kind, found.curve, found.histogram, found.at_required) == (
        "decisions",
        None,
        None,
        None,
    )
    assert found.why_not == "It gives decisions only, so no threshold can be chosen."
    scored = evaluate([crowd()]).systems[0]
    assert found.at_default.frr == scored.at_default.frr
    assert "its own decisions" in evaluate([decided(crowd())]).headline


def test_a_score_for_matches_only_is_no_score():
    """Not even where, by chance, the part that is judged has them all."""
    one = answers([90, 80, 70, 60], [40, 30, 20, 10], threshold=None)
    scores = one.table.scores.copy()
    scores[-1] = np.nan
    found = evaluate([changed(one, scores=scores)], **WHOLE).systems[0]
    assert (found.kind, found.at_required) == ("decisions", None)


def test_a_rule_that_nobody_knows_allows_no_threshold():
    """Scores or not."""
    one = changed(answers([90, 80], [40, 30]), rule=ThresholdRule.VENDOR)
    found = evaluate([one], **WHOLE).systems[0]
    assert found.kind == "decisions"
    assert found.why_not == "How it compares a score with a threshold is not known."


def test_who_compared_nothing_says_so():
    """Not that it tells decisions only, which nobody knows."""
    one = answers([LOST, LOST], [LOST])
    found = evaluate([one], **WHOLE).systems[0]
    assert (found.kind, found.at_required, found.curve) == ("scores", None, None)
    assert found.why_not == "It compared no pair."
    assert (found.at_default.frr.errors, found.at_default.frr.trials) == (2, 2)
    assert found.at_default.fnmr.value is None


@pytest.mark.parametrize(("part", "told"), [(0, "thresholds are chosen on"), (1, "are judged")])
def test_a_run_that_came_to_one_part_only(part, told):
    """Broken off in the middle, it may have answered nothing of a whole part."""
    one = crowd(people=40)
    parts = split_by_subject(one.table.probe_subjects, one.table.reference_subjects)
    found = evaluate([unanswered(one, parts[part])], split=True).systems[0]
    assert (found.kind, found.at_required) == ("scores", None)
    assert found.why_not == f"It compared no pair of those that {told}."


def test_no_threshold_keeps_to_the_rate():
    """Where two people have the highest score, that is the reason."""
    found = evaluate([answers([90], [95, 20])], required_fmr=0.1).systems[0]
    assert found.at_required is None
    assert found.why_not.startswith("Two different people have the highest score of all pairs (95)")


def test_what_was_not_answered_counts_in_no_rate():
    """It is told of the service instead."""
    one = unanswered(answers([90, 80, 70], [40, 30, 20]), [0, 5])
    found = evaluate([one], **WHOLE).systems[0]
    assert (found.at_required.frr.trials, found.at_required.fmr.trials) == (2, 2)
    assert (found.service.answered.errors, found.service.calls) == (2, 6)


def test_what_answers_tell_is_passed_on():
    """Backend, model, environment and the privacy line."""
    one = attrs.evolve(real(answers([90], [10])), privacy="Nothing left this machine.")
    found = evaluate([one], **WHOLE).systems[0]
    assert (found.backend, found.model, found.privacy) == (
        "fake",
        "m1",
        "Nothing left this machine.",
    )
    assert found.environment is Environment.PRODUCTION


def test_groups_are_counted_and_judged():
    """Pairs of two groups belong to neither."""
    said = evaluate([crowd(grouped=True)], required_fmr=1e-2)
    even, odd = said.study.groups["number"].values()
    assert (even.mated, odd.mated) == (500, 500)
    assert even.non_mated + odd.non_mated < said.study.whole.non_mated
    assert [cell.group for cell in said.systems[0].groups] == ["even", "odd"]


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=20),
    st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=20),
    st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST]),
    st.floats(0.01, 0.99),
)
def test_any_answers_are_judged(mated, others, rule, wanted):
    """Ties, failures, nothing acquired: an evaluation, whose rates are those of counting."""
    one = answers(mated, others, rule=rule)
    both = [(a, b) for a in mated for b in others if None not in (a, b)]
    auc = sum((a > b) + (a == b) / 2 for a, b in both) / len(both) if both else None
    if auc is not None and auc < 0.5:
        with pytest.raises(InvalidRequest, match="distances"):
            evaluate([one], required_fmr=wanted)
        return
    found = evaluate([one], required_fmr=wanted).systems[0]
    assert found.auc == (None if auc is None else pytest.approx(auc))
    assert (found.at_required is None) is (found.why_not is not None)
    if found.at_required is not None:
        at = found.at_required.threshold
        passes = [
            s is not None and (s > at if rule is ThresholdRule.ABOVE else s >= at) for s in mated
        ]
        assert found.at_required.frr.errors == passes.count(False)
        assert found.at_required.fmr.value <= wanted


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (list, "There is no system to judge"),
        (lambda: [crowd(), crowd()], "Two systems are called a"),
        (lambda: [crowd(), crowd("b", people=50)], "a and b were not asked about the same pairs"),
        (
            lambda: [answers([1], [2]), answers([1, 1], [], "b")],
            "a and b were not asked about the same pairs",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(made, told):
    """One sentence."""
    with pytest.raises(InvalidRequest, match=told):
        evaluate(made())


@pytest.mark.parametrize(
    ("given_", "told"),
    [
        ({"required_fmr": 0}, "required FMR must be at least 1e-09"),
        ({"required_fmr": 1}, "and below 1, and is 1"),
        ({"required_fmr": float("nan")}, "required FMR must be at least"),
        ({"confidence": 1}, "confidence must lie between 0.5 and 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(given_, told):
    """Before anything is counted."""
    with pytest.raises(InvalidRequest, match=told):
        evaluate([answers([90], [10])], **given_)


def test_answers_have_one_value_per_pair():
    """A column of another length is refused."""
    one = answers([90], [10])
    with pytest.raises(InvalidRequest, match=r"elapsed_s of a has the shape \(3,\)"):
        attrs.evolve(one, elapsed_s=np.zeros(3))


def test_two_models_that_share_no_pair_are_judged_apart():
    """As after a change of the model in a run: nothing to compare, and still a report."""
    one = answers([90, 80, 60, 30], [70, 40, 20, 10], name="a (model v1)")
    halves = np.arange(8) % 2 == 0
    first, second = unanswered(one, halves), unanswered(one, ~halves)
    second = changed(second, name="a (model v2)")
    found = evaluate([first, second], **WHOLE)
    assert found.differences[0].frr is None
    assert found.headline == "No mated pair was answered by both a (model v1) and a (model v2)."
    assert [one.service.answered.errors for one in found.systems] == [4, 4]


# --- At common false match rates, and other views -----------------------------------------------


def test_rates_at_the_false_match_rates_that_reports_have_in_common():
    """Each as if it were the required one; what cannot be seen in so few pairs has no point."""
    system = crowd(others=25)  # 5,000 non-mated pairs
    found = evaluate([system], required_fmr=0.03).systems[0]
    assert [each.fmr for each in found.at_fmrs] == [1e-2, 1e-3, 1e-4]
    for each in found.at_fmrs[:2]:
        alone = evaluate([system], required_fmr=each.fmr).systems[0].at_required
        assert each.point == alone
        assert each.why_not is None
    assert found.at_fmrs[2].point is None
    assert "10,000" in found.at_fmrs[2].why_not
    assert evaluate([decided(crowd())]).systems[0].at_fmrs == ()


def test_scores_that_run_the_wrong_way_are_no_verdict():
    """Distances: the less, the more alike. Beside a system that is right, too."""
    system = crowd("b")
    turned = changed(system, scores=100 - system.table.scores)
    with pytest.raises(InvalidRequest, match="b score lower") as caught:
        evaluate([crowd(), turned], required_fmr=0.01)
    assert "distances" in str(caught.value)


def test_a_data_frame_of_the_rates():
    """A row for each operating point, with ends of intervals, errors and trials; costs if given."""
    costs = Costs(impostors=0.01, false_match=500, false_reject=2)
    found = evaluate([crowd(others=25), decided(crowd("b", others=25))], costs=costs)
    frame = found.to_frame()
    assert frame[["system", "at"]].apply(tuple, axis=1).tolist() == [
        ("a", "required"),
        ("a", "default"),
        ("a", "fmr 0.01"),
        ("a", "fmr 0.001"),
        ("b", "default"),
    ]
    row, at = frame.iloc[0], found.systems[0].at_required
    assert (row.threshold, row.frr, row.fmr_errors) == (at.threshold, at.frr.value, at.fmr.errors)
    assert (row.fnmr_low, row.far_high) == (at.fnmr.interval.low, at.far.interval.high)
    assert row.cost == found.systems[0].cost.at_required.expected.value
    assert np.isnan(frame.iloc[2].cost)
    assert frame.drop(columns=["system", "at"]).map(np.isreal).all(axis=None)


def test_a_notebook_shows_a_line_and_not_every_number():
    system = crowd()
    found = evaluate([system])
    for value in (system, system.table, found, found.systems[0]):
        assert len(repr(value)) < 300
        assert "a" in repr(value)


# --- What it costs ------------------------------------------------------------------------------

COSTS = Costs(impostors=0.1, false_match=50, false_reject=2, currency="USD")


def test_one_sentence_on_cost():
    """The cheapest system with its interval, and how much more the next costs, with its own."""
    systems = [crowd("a", mean=70), crowd("b", mean=60, seed=3), crowd("c", mean=50, seed=4)]
    found = evaluate(systems[:2], required_fmr=0.01, costs=COSTS)
    first, second = (one.cost.at_required.expected for one in found.systems)
    (apart,) = found.differences
    assert first.value < second.value
    shown = [float(number) for number in re.findall(r"\d+\.\d+", found.on_cost)]
    ends = apart.cost.interval
    numbers = [first.value, first.interval.low, first.interval.high]
    numbers += [-apart.cost.value, -ends.high, -ends.low]
    assert shown == pytest.approx(numbers, abs=0.001)
    assert "with b it costs" in found.on_cost
    assert "USD" in found.on_cost
    assert "not certain" not in found.on_cost
    # The order of the systems changes nothing; of three, the next one is named.
    assert evaluate(systems[1::-1], required_fmr=0.01, costs=COSTS).on_cost == found.on_cost
    assert "with c it" not in evaluate(systems, required_fmr=0.01, costs=COSTS).on_cost


def test_a_difference_in_cost_that_may_be_chance():
    alike = [crowd("a"), crowd("b", seed=1)]
    assert "not certain" in evaluate(alike, required_fmr=0.01, costs=COSTS).on_cost


def test_no_sentence_on_cost_without_costs():
    assert evaluate([crowd()]).on_cost is None
    assert evaluate([answers([], [10])], costs=COSTS).on_cost is None
    assert "more" not in evaluate([crowd()], costs=COSTS).on_cost


# --- The verdict in one sentence ----------------------------------------------------------------


def test_one_system_is_given_with_its_interval():
    """The same ends as in the table."""
    found = evaluate([answers([90] * 300, [10] * 3000)])
    assert found.headline == (
        "At 1 false match in 1,000, a turns away 0 of 300 genuine attempts; the true rate is 0 % "
        "to 1.2 %, with 95 % confidence."
    )
    assert "an FMR of 0.3 %" in evaluate([answers([90], [10])], required_fmr=0.003).headline


def test_several_are_held_against_the_one_that_nobody_beats():
    """Not against one that was only asked what is easy, and loses there, too."""
    good = crowd("good", mean=62)
    hard = np.flatnonzero(good.table.mated & (good.table.scores < 66))
    lucky = unanswered(crowd("lucky", mean=65, seed=3), hard)
    found = evaluate([lucky, good, crowd("poor", mean=50, seed=5)], required_fmr=0.01)
    first, second, _ = found.systems
    assert first.at_required.frr.value < second.at_required.frr.value
    assert found.differences[0].better == "good"
    assert found.headline == (
        "At 1 false match in 100, good turns away 76 of 1,000 genuine attempts: fewer than lucky "
        "and poor, and that is not chance."
    )


def test_a_threshold_chosen_on_these_pairs_is_bounded_by_its_rank():
    """Of equal scores fewer pass than may: the upper end is that of the two that may."""
    tied = answers([90] * 5, [10] * 10 + [50] * 4)
    fmr = evaluate([tied], required_fmr=0.2).systems[0].at_required.fmr
    assert (fmr.errors, fmr.trials) == (0, 14)
    assert fmr.interval.high == pytest.approx(exact_interval(2, 14, 0.95).high)


def test_who_decided_only_some_pairs_has_no_point_of_its_own():
    """The others would count as turned away."""
    one = answers([90] * 5, [10] * 10)
    decisions = one.table.decisions.copy()
    assert evaluate([one]).systems[0].at_default is not None
    decisions[-1] = -1
    assert evaluate([changed(one, decisions=decisions)]).systems[0].at_default is None
