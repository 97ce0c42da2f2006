import datetime as dt
import re

import attrs
import numpy as np
import pytest
import scipy
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.comparison.tables import (
    LOST,
    as_decisions,
    as_real,
    crowd,
    exact_ends,
    rates_at,
    system_answers,
    with_columns,
    without_answers,
)

from facematch_comparison.judging.evaluation import evaluate, service_of
from facematch_comparison.judging.sentences import with_sentences
from facematch_comparison.run.records import Price
from facematch_comparison.scores.answers import BILLED, DECISIONS, Grouping
from facematch_comparison.stats.rates import exact_upper
from facematch_comparison.values.model import Costs, Method, Traffic
from facematch_core import Charged, Decision, Environment, InvalidRequest
from facematch_core.models import ThresholdRule

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


def evaluated(answers, **options):
    """The only system of an evaluation."""
    (system,) = evaluate([answers], **options).systems
    return system


def counts(rate):
    return rate.errors, rate.trials


TEN_PAIRS = system_answers([90, 80, 60, 30, LOST], [70, 40, 20, 10, 5])


def test_an_evaluation_states_what_was_evaluated():
    evaluation = evaluate([TEN_PAIRS], required_fmr=0.25, name="hand", digest="d", made_at=NOW)
    assert (evaluation.study.name, evaluation.study.digest) == ("hand", "d")
    assert evaluation.made_at == NOW
    assert len(repr(evaluation)) < 300
    size = evaluation.study.size
    assert (size.pairs, size.mated, size.non_mated, size.subjects) == (10, 5, 5, 15)


def test_a_notebook_shows_the_headline_without_markup_of_names():
    evaluation = attrs.evolve(evaluate([TEN_PAIRS]), headline="<b> is better")
    assert evaluation._repr_html_() == "<p>&lt;b&gt; is better</p>"


def test_every_number_of_the_document_is_in_a_row():
    evaluation = evaluate([crowd("a"), crowd("b", seed=2)], required_fmr=0.1)
    rows = evaluation.to_rows()
    keys = [(row["system"], row["number"], row["case"]) for row in rows]
    assert len(set(keys)) == len(keys)
    row_of = dict(zip(keys, rows, strict=True))
    system = evaluation.systems[1]
    frr = row_of["b", "at_required.frr", None]
    assert (frr["value"], frr["errors"]) == (system.at_required.frr.value, frr["value"] * 100)
    assert frr["high"] == system.at_required.frr.interval.high
    assert row_of["b", "curve.eer", None]["low"] == system.curve.eer.interval.low
    assert row_of["b", "curve.fmr", "3"]["value"] == system.curve.fmr[3]
    assert row_of["a", "at_fmrs.pairs_needed", "1e-06"]["value"] == 5_000_000
    assert (
        row_of[None, "differences.p_value", "a / b"]["value"] == evaluation.differences[0].p_value
    )
    assert row_of[None, "required_fmr", None]["value"] == 0.1

    def count(part):
        """The numbers of a document, except those beside the value of a rate or an estimate."""
        if isinstance(part, dict):
            is_row = "method" in part or "value" in part
            return 1 if is_row else sum(map(count, part.values()))
        if isinstance(part, list):
            return sum(map(count, part))
        return isinstance(part, (int, float))

    assert len(rows) == count(evaluation.to_dict()) - 1  # but for the version of the schema


def test_ten_pairs_of_ten_people_by_hand():
    system = evaluated(TEN_PAIRS, required_fmr=0.25)
    assert (system.kind, system.scale, system.why_not) == ("scores", "fake/v1", None)
    assert system.score_range == (5, 90)
    chosen = system.at_required
    # One of five may pass at 0.25: the lowest whole number above 40.
    assert (chosen.threshold, chosen.rule) == (41, ThresholdRule.AT_LEAST)
    assert chosen.chosen_on == "evaluation"
    assert counts(chosen.fmr) == (1, 5)
    assert counts(chosen.fnmr) == (1, 4)
    assert counts(chosen.frr) == (2, 5)
    assert counts(chosen.far) == (1, 5)
    assert (chosen.frr.interval.low, chosen.frr.interval.high) == exact_ends(2, 5)
    default = system.at_default
    assert (default.threshold, default.chosen_on) == (50, "default")
    assert (default.frr.errors, default.fmr.errors) == (2, 1)


def test_a_system_with_decisions_only_has_one_operating_point():
    evaluation = evaluate([as_decisions(crowd())])
    assert "own decisions" in evaluation.headline
    (system,) = evaluation.systems
    assert (system.kind, system.curve, system.score_range) == ("decisions", None, None)
    assert (system.at_required, system.at_fmrs) == (None, ())
    assert system.why_not
    scored = evaluated(crowd())
    assert system.at_default.frr == scored.at_default.frr


def test_a_system_without_comparisons_or_threshold_has_a_reason():
    system = evaluated(system_answers([LOST, LOST], [LOST]), required_fmr=0.25)
    assert (system.kind, system.at_required, system.curve) == ("scores", None, None)
    assert system.why_not == "It compared no pair."
    assert counts(system.at_default.frr) == (2, 2)
    assert system.at_default.fnmr.value is None


def is_reversed_by_chance(mated, others):
    """The p-value of mated scores that are lower than others; 1 if they are not lower."""
    if not mated or not others:
        return 1.0
    mated_column = np.array(mated)[:, None]
    area = np.mean((mated_column > others) + (mated_column == others) / 2)
    if area >= 0.5:
        return 1.0
    return scipy.stats.mannwhitneyu(mated, others, alternative="less", method="asymptotic").pvalue


SCORES = st.lists(st.none() | st.integers(0, 12), min_size=1, max_size=20)


@given(
    SCORES,
    SCORES,
    st.sampled_from([ThresholdRule.ABOVE, ThresholdRule.AT_LEAST]),
    st.floats(0.01, 0.99),
)
def test_any_scores_but_distances_can_be_evaluated(mated, others, rule, max_fmr):
    answers = system_answers(mated, others, rule=rule)
    mated_scores = [score for score in mated if score is not LOST]
    p_value = is_reversed_by_chance(mated_scores, [score for score in others if score is not LOST])
    if p_value < 0.03:
        with pytest.raises(InvalidRequest, match="distances"):
            evaluate([answers], required_fmr=max_fmr)
        return
    assume(p_value > 0.1)  # Between, ties and continuity decide.
    system = evaluated(answers, required_fmr=max_fmr)
    assert (system.at_required is None) is (system.why_not is not None)
    if system.at_required is not None:
        threshold = system.at_required.threshold
        passed = np.array(mated_scores) >= threshold
        if rule is ThresholdRule.ABOVE:
            passed = np.array(mated_scores) > threshold
        assert system.at_required.frr.errors == len(mated) - passed.sum()
        assert system.at_required.fmr.value <= max_fmr


def reversed_crowd(name):
    """Distances: the less, the more alike."""
    return with_columns(crowd(name), scores=100 - crowd().scores)


@pytest.mark.parametrize(
    "systems",
    [
        pytest.param([], id="none"),
        pytest.param([crowd(), crowd()], id="one name twice"),
        pytest.param([crowd(), crowd("b", people=50)], id="other people"),
        pytest.param(
            [system_answers([1], [2]), system_answers([1, 1], [], "b")], id="other mated pairs"
        ),
        pytest.param([reversed_crowd("b")], id="distances"),
    ],
)
def test_incomparable_systems_are_refused(systems):
    with pytest.raises(InvalidRequest):
        evaluate(systems)


@pytest.mark.parametrize(
    "options",
    [
        {"required_fmr": 0},
        {"required_fmr": np.nan},
        {"confidence": 1},
        {"at_thresholds": {"unknown": 50}},
        {"at_thresholds": {"a": np.nan}},
    ],
    ids=str,
)
def test_impossible_options_are_refused(options):
    with pytest.raises(InvalidRequest):
        evaluate([crowd()], **options)


def test_decisions_cannot_be_judged_at_a_threshold():
    with pytest.raises(InvalidRequest):
        evaluate([as_decisions(crowd())], at_thresholds={"a": 50})


@pytest.mark.parametrize("fixed_thresholds", [{}, {"b": 50}])
def test_reversed_scores_get_no_verdict_and_do_not_stop_other_systems(fixed_thresholds):
    systems = [crowd(), reversed_crowd("b"), crowd("c", seed=3)]
    a, b, c = evaluate(systems, at_thresholds=fixed_thresholds).systems
    assert a.at_required is not None
    assert b.at_required is None
    assert c.at_required is not None
    assert "distances" in b.why_not


def test_scores_that_may_be_reversed_by_chance_get_a_verdict():
    # Five of the twelve comparisons of a mated with another score are the right way around.
    system = evaluated(system_answers([5, 9, 9, 3], [10, 4, 6]), required_fmr=0.4)
    assert system.at_required is not None


def test_headline_compares_systems_with_the_best_unbeaten_one():
    """The lucky one has a lower FRR, because it did not answer hard pairs."""
    good = crowd("good", mean=62)
    hard = np.flatnonzero(good.mated & (good.scores < 66))
    lucky = without_answers(crowd("lucky", mean=65, seed=3), hard)
    evaluation = evaluate([lucky, good, crowd("poor", mean=50, seed=5)], required_fmr=0.01)
    frr_of = {system.name: system.at_required.frr.value for system in evaluation.systems}
    assert frr_of["lucky"] < frr_of["good"]
    assert evaluation.differences[0].better == "good"
    sentence = "good rejects 76 of 1,000 genuine attempts: significantly fewer than lucky"
    assert sentence in evaluation.headline


def test_headline_counts_attempts_rather_than_people_where_people_are_unknown():
    systems = [crowd("good", mean=65), crowd("poor", mean=50, seed=5)]
    by_people = evaluate(systems, required_fmr=0.01).headline
    assert "of 1,000 attempts by 200 genuine people" in by_people
    unnamed = [attrs.evolve(system, people_known=False) for system in systems]
    headline = evaluate(unnamed, required_fmr=0.01).headline
    assert "of 1,000 genuine attempts" in headline
    assert "people" not in headline


@pytest.mark.parametrize("lost", [0, 7])
def test_a_headline_says_if_it_counts_only_pairs_that_both_answered(lost):
    """The table below it has the rates of all pairs that each system answered."""
    first = crowd("alpha")
    second = without_answers(crowd("beta", seed=1), np.flatnonzero(first.mated)[:lost])
    evaluation = evaluate([first, second], **FIXED)
    (difference,) = evaluation.differences
    assert difference.pairs == 1000 - lost
    assert ("both answered" in difference.sentence) is bool(lost)


def test_headline_is_short_and_tells_real_differences_from_others():
    systems = [
        crowd("a", mean=62, seed=1),
        crowd("b", mean=62, seed=2),
        crowd("c", mean=50, seed=3),
    ]
    headline = evaluate(systems).headline
    assert "significantly fewer than c among these 200 people; no significant" in headline
    assert len(headline.split()) <= 30


def test_a_threshold_chosen_on_these_pairs_is_bounded_by_its_rank():
    tied = system_answers([90] * 5, [10] * 10 + [50] * 4)
    fmr = evaluated(tied, required_fmr=0.2).at_required.fmr
    assert counts(fmr) == (0, 14)
    assert fmr.interval.high == exact_upper(2, 14, 0.975)


def test_incomplete_decisions_give_no_default_operating_point():
    answers = system_answers([90] * 5, [10] * 10)
    decisions = answers.decisions.copy()
    decisions[-1] = -1
    assert evaluated(answers).at_default is not None
    assert evaluated(with_columns(answers, decisions=decisions)).at_default is None


ONE_OUTAGE = without_answers(system_answers([90, LOST, 80], [10, LOST]), [0])


def test_service_errors_are_pairs_without_an_answer():
    service = service_of(ONE_OUTAGE)
    assert service.calls == 5
    assert counts(service.answered) == (1, 5)
    assert counts(service.acquisition) == (2, 4)
    assert service.not_answered == {"VendorUnavailable": 1}
    # An outage takes many calls, a bad picture many pairs: no interval would hold.
    assert (service.answered.interval, service.acquisition.interval) == (None, None)


def test_the_time_of_a_call_without_an_answer_does_not_count():
    timed = with_columns(ONE_OUTAGE, elapsed_s=np.array([99.0, 2.0, 2.0, np.nan, np.nan]))
    assert (service_of(timed).latency_s, service_of(timed).timed) == ({"50": 2.0}, 2)
    assert service_of(ONE_OUTAGE).latency_s == {}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=200))
def test_latency_percentiles_are_measured_times(times):
    service = service_of(
        with_columns(system_answers([90] * len(times), []), elapsed_s=np.array(times))
    )
    assert service.timed == len(times)
    known = [percent for percent in (50, 90, 95, 99) if len(times) * (100 - percent) >= 100]
    assert list(service.latency_s) == [str(percent) for percent in known]
    for percent, percentile in service.latency_s.items():
        assert percentile in times
        times_within = sum(time <= percentile for time in times)
        times_below = sum(time < percentile for time in times)
        assert 100 * times_within >= int(percent) * len(times) > 100 * times_below


def test_calls_with_unknown_charge_count_in_the_cost():
    charges = (Charged.YES, Charged.UNKNOWN, Charged.NO)
    billed = np.array([BILLED.index(charged) for charged in charges])
    service = service_of(with_columns(as_real(system_answers([90], [10, 20])), billed=billed))
    assert (service.cost, service.price, service.currency) == (0.1, 0.05, "USD")
    assert service.cost_per_verified == 0.05


def test_money_is_no_binary_fraction():
    answers = with_columns(as_real(system_answers([90, 90, 20], [])), billed=np.full(3, 1))
    service = service_of(attrs.evolve(answers, price=0.1))
    assert (service.cost, service.cost_per_verified) == (0.3, 0.15)


def test_without_a_price_no_cost_is_known():
    service = service_of(system_answers([90], [10]))
    assert service.cost is service.price is service.currency is service.cost_per_verified is None


@pytest.mark.parametrize(
    ("decision", "cost_per_verified"),
    [(Decision.MATCH, 0.05), (Decision.REVIEW, None), (Decision.NO_MATCH, None)],
)
def test_decision_match_counts_as_verified(decision, cost_per_verified):
    answers = with_columns(
        as_real(system_answers([90], [90])),
        decisions=np.full(2, DECISIONS.index(decision), np.int8),
        billed=np.full(2, 1),
    )
    assert service_of(answers).cost_per_verified == cost_per_verified


def caveats_of(*systems, **options):
    """The caveats by code; each code must stand once."""
    caveats = evaluate(systems, **options).caveats
    caveat_by_code = {caveat.code: caveat for caveat in caveats}
    assert len(caveat_by_code) == len(caveats)
    return caveat_by_code


def wrong_in_one_of_twenty(name, seed):
    """Everybody scores 10 with others; with themselves 90 and, one time in twenty, 5."""
    system = as_real(crowd(name, people=400, mated=3, others=60, grouped=True))
    is_unlike = np.random.default_rng(seed).random(len(system)) < 0.05
    mated_scores = np.where(is_unlike, 5.0, 90.0)
    return with_columns(system, scores=np.where(system.mated, mated_scores, 10.0))


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("no_threshold", ["10 non-mated", "0.1 %", "1,000"]),
        ("fnmr_floor", ["10 mated", "1 %", "299"]),
        ("few_people", ["30 people"]),
        ("no_groups", []),
        ("impostors", []),
        ("one_system", []),
        ("unknown_origin", []),
    ],
)
def test_twenty_pairs_get_many_caveats(code, numbers):
    caveat = caveats_of(system_answers([90] * 10, [10] * 10), required_fmr=1e-3)[code]
    for number in numbers:
        assert number in caveat.text


def test_a_large_study_has_few_caveats():
    systems = [wrong_in_one_of_twenty("a", 1), wrong_in_one_of_twenty("b", 2)]
    assert set(caveats_of(*systems, required_fmr=2e-3)) == {"impostors"}


def test_a_count_of_one_is_singular():
    evaluation = evaluate([system_answers([90], [10], name) for name in "ab"], required_fmr=0.5)
    assert "1 non-mated pair is " in evaluation.headline
    texts = [caveat.text for caveat in evaluation.caveats]
    text = " ".join([evaluation.headline, evaluation.limit, *texts])
    assert not re.search(r"\b1 ([a-z-]+ )?(pairs|people|attempts|matches)\b", text)


def test_each_group_has_its_number_of_pairs():
    system = wrong_in_one_of_twenty("a", 1)
    sizes = evaluate([system], required_fmr=0.1).study.groups["number"]
    of_pair = system.groups["number"].within
    assert sizes["even"].pairs == (of_pair == 0).sum()
    assert sizes["odd"].pairs == (of_pair == 1).sum()


def test_groups_of_both_sides_have_cross_group_rates_in_every_form():
    evaluation = evaluate([crowd("a", grouped=True)], required_fmr=0.01)
    (system,) = evaluation.systems
    assert "cross_groups" not in {caveat.code for caveat in evaluation.caveats}
    rows = [row for row in evaluation.to_rows() if row["number"] == "cross_groups.fmr"]
    assert [row["case"] for row in rows] == [
        f"number / {probe} / {reference}"
        for probe in ("even", "odd")
        for reference in ("even", "odd")
    ]
    of_json = evaluation.to_dict()["systems"][0]["cross_groups"]
    for row, cell, written in zip(rows, system.cross_groups, of_json, strict=True):
        assert (row["errors"], row["trials"]) == (cell.fmr.errors, cell.fmr.trials)
        assert row["high"] == cell.fmr.interval.high == written["fmr"]["interval"]["high"]
    assert sum(row["errors"] for row in rows) == system.at_required.fmr.errors


def test_pairs_within_groups_get_a_caveat_that_names_two_columns():
    within = np.repeat([0, 1], 30)
    groups = {"sex": Grouping(labels=("f", "m"), probe=within, reference=within)}
    table = with_columns(system_answers([90] * 20, [10] * 40), groups=groups)
    evaluation = evaluate([table], required_fmr=0.1)
    assert evaluation.systems[0].cross_groups == ()
    (caveat,) = (each for each in evaluation.caveats if each.code == "cross_groups")
    for column in ("probe_group_sex", "reference_group_sex"):
        assert column in caveat.text


@pytest.mark.parametrize("environment", Environment)
def test_answers_of_a_mock_get_a_caveat(environment):
    caveats = caveats_of(attrs.evolve(as_real(system_answers([90], [10])), environment=environment))
    is_mock = environment in (Environment.MOCK, Environment.SANDBOX)
    assert ("not_the_vendor" in caveats) is is_mock
    if is_mock:
        assert caveats["not_the_vendor"].systems == ("a",)
    assert "unknown_origin" not in caveats


@pytest.mark.parametrize(
    ("answers", "required_fmr", "code", "number"),
    [
        pytest.param(
            without_answers(crowd(), np.arange(1200)),
            None,
            "not_answered",
            "1,200 of 5,000",
            id="unanswered pairs",
        ),
        # One of thousands does not make a vendor one that gives decisions only.
        pytest.param(
            with_columns(crowd(), scores=np.where(np.arange(5000) == 3, np.nan, crowd().scores)),
            None,
            "without_score",
            "",
            id="an acquired pair without a score",
        ),
        pytest.param(
            attrs.evolve(crowd(), people_known=False), None, "people_unknown", "", id="no names"
        ),
        # What was asked and not answered shows nothing.
        pytest.param(
            without_answers(system_answers([90] * 300, [10] * 3000), np.arange(600, 3300)),
            5e-3,
            "fmr_floor",
            "300 non-mated",
            id="few answered pairs of strangers",
        ),
    ],
)
def test_each_caveat_appears_with_its_number_only_when_true(answers, required_fmr, code, number):
    caveats = caveats_of(answers, required_fmr=required_fmr)
    assert number in caveats[code].text
    assert "decisions_only" not in caveats
    caveats_without = caveats_of(crowd(), required_fmr=0.01)
    assert code not in caveats_without or number not in caveats_without[code].text


@pytest.mark.parametrize(("pairs", "too_few"), [(299, set()), (298, {"fmr_floor", "fnmr_floor"})])
def test_stated_minimum_of_pairs_is_sufficient(pairs, too_few):
    caveats = caveats_of(system_answers([90] * pairs, [10] * pairs), required_fmr=1e-2)
    assert {"fmr_floor", "fnmr_floor"} & set(caveats) == too_few


def test_one_person_with_most_false_matches_gets_a_caveat():
    quiet = crowd(people=100, others=60)
    is_wolf = ~quiet.mated & ((quiet.probe_subjects == 7) | (quiet.reference_subjects == 7))
    wolf = with_columns(quiet, scores=np.where(is_wolf, 99.0, quiet.scores))
    caveat = caveats_of(wolf, required_fmr=0.02)["concentrated"]
    assert re.search(r"one person is in \d+ % of the \d+ non-mated pairs", caveat.text)
    assert "concentrated" not in caveats_of(quiet, required_fmr=0.02)


def shifted(system, difference):
    return with_columns(system, scores=system.scores + difference)


MARCH = as_real(crowd("march"))
APRIL = attrs.evolve(MARCH, name="april")
FEW_IN_MARCH = as_real(system_answers([90, 80, 85], [10, 20, 30], "march"))
FEW_IN_APRIL = attrs.evolve(FEW_IN_MARCH, name="april")


def test_identical_scores_are_told_from_chance():
    evaluation = evaluate([MARCH, APRIL])
    (difference,) = evaluation.differences
    assert difference.same_scores == difference.both_scored == 5_000
    assert "all 5,000 scores are identical" in evaluation.headline
    assert "All 6 scores are identical." in evaluate([FEW_IN_MARCH, FEW_IN_APRIL]).headline


def test_another_model_of_a_vendor_is_told_from_chance():
    later = shifted(APRIL, 0.01)
    assert "after a change of the model" in evaluate([MARCH, later]).headline
    (difference,) = evaluate([FEW_IN_MARCH, shifted(FEW_IN_APRIL, 0.01)]).differences
    assert "(0 of 6), as after a change of the model." in difference.sentence
    # Of two vendors, nobody expects the same scores.
    other = attrs.evolve(later, backend="other")
    assert "change of the model" not in evaluate([MARCH, other]).headline


@pytest.mark.parametrize(("same", "is_another_model"), [(49, True), (50, False)])
def test_less_than_one_same_score_in_a_hundred_is_another_model(same, is_another_model):
    march = as_real(crowd("march"))
    scores = np.where(np.arange(5000) < same, march.scores, march.scores + 0.01)
    april = attrs.evolve(march, name="april", frame=march.frame.assign(score=scores))
    evaluation = evaluate([march, april])
    assert evaluation.differences[0].same_scores == same
    assert ("after a change of the model" in evaluation.headline) is is_another_model


FIXED = {"required_fmr": 0.01, "made_at": NOW}
EARLIER = crowd(others=25)
LATER = crowd(others=25, seed=7)
UNCHANGED = crowd("b", others=25, seed=3)


@pytest.fixture(scope="module")
def earlier():
    """An evaluation at a chosen threshold, which is fixed for later answers."""
    return evaluate([EARLIER, UNCHANGED], **FIXED)


@pytest.fixture(scope="module")
def threshold(earlier):
    return earlier.systems[0].at_required.threshold


@pytest.fixture(scope="module")
def later(threshold):
    return evaluate([LATER, UNCHANGED], **FIXED, at_thresholds={"a": threshold})


def test_a_fixed_threshold_is_judged_in_place_of_the_chosen_one(earlier, threshold, later):
    fixed, unchanged = later.systems
    point = fixed.at_required
    assert (point.threshold, point.chosen_on) == (threshold, "fixed")
    # The ordinary interval, and not that of an order statistic.
    rates = rates_at(LATER, threshold)
    assert (point.fmr, point.fnmr) == (rates.fmr, rates.fnmr)
    assert (point.far, point.frr) == (rates.far, rates.frr)
    # The false matches at it, for nobody forced it up.
    assert fixed.concentration.pairs == point.fmr.errors
    assert unchanged.at_required == earlier.systems[1].at_required


def test_rates_at_common_fmrs_do_not_depend_on_a_fixed_threshold(later):
    chosen = evaluated(LATER, **FIXED)
    for point_at, expected in zip(later.systems[0].at_fmrs, chosen.at_fmrs, strict=True):
        point = expected.point
        if point is not None:
            point = attrs.evolve(point, frr_at_fmr=None, fnmr_at_fmr=None)
        assert point_at == attrs.evolve(expected, point=point)


def test_the_headline_names_a_fixed_threshold(threshold, later):
    assert f"{threshold:g} (a)" in later.headline
    assert "1 false match in 100, and" in later.headline
    alone = evaluate([LATER], **FIXED, at_thresholds={"a": threshold})
    assert f"the fixed threshold {threshold:g} (a)" in alone.headline
    assert "seen at the threshold" in alone.limit


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_headline_starts_with_systems_above_the_required_fmr(names):
    systems = [crowd(name, seed=seed) for seed, name in enumerate(names)]
    evaluation = evaluate(systems, **FIXED, at_thresholds={"b": 40.0})
    assert evaluation.headline.startswith("b exceeds an FMR of 1 %, so its FRR looks too low. ")


def test_a_system_far_above_the_required_fmr_gets_no_verdict():
    systems = [crowd(name, seed=seed) for seed, name in enumerate("ab")]
    lowest = float(np.nanmin(systems[1].scores))
    (difference,) = evaluate(systems, **FIXED, at_thresholds={"b": lowest}).differences
    assert "no verdict" in difference.sentence
    assert "rejects fewer" not in difference.sentence
    (difference,) = evaluate(systems, **FIXED).differences
    assert "no verdict" not in difference.sentence


@pytest.mark.parametrize(
    ("names", "lead"),
    [("ab", "Neither is shown to be better. At "), ("abc", "No system is shown to be better. At ")],
)
def test_a_headline_without_a_winner_says_so_first(names, lead):
    alike = [crowd(name, seed=seed) for seed, name in enumerate(names)]
    evaluation = evaluate(alike, **FIXED)
    assert not any(difference.is_real for difference in evaluation.differences)
    assert evaluation.headline.startswith(lead)


def test_the_pairs_that_differ_are_named_if_the_best_system_beats_none():
    systems = [crowd("alpha"), crowd("beta", mean=60.0, seed=1), crowd("gamma", mean=76.0, seed=2)]
    evaluation = evaluate(systems, **FIXED)
    differences = []
    for difference in evaluation.differences:
        if "gamma" in (difference.first, difference.second):
            # As if gamma had answered too few pairs.
            difference = attrs.evolve(difference, is_real=False, better=None, sentence="")  # noqa: PLW2901
        differences.append(difference)
    again = with_sentences(
        attrs.evolve(evaluation, differences=tuple(differences)),
        4000,
        is_same_number=True,
        is_default_fmr=False,
        parts={},
    )
    assert "gamma is not shown to be better than another one" in again.headline
    assert "alpha than beta" in again.headline


@pytest.mark.parametrize("rule", [ThresholdRule.ABOVE, ThresholdRule.AT_LEAST])
def test_systems_at_fixed_thresholds_are_compared_at_them(rule):
    systems = [crowd(rule=rule), crowd("b", seed=3, rule=rule)]
    chosen = evaluate(systems, **FIXED)
    a, b = (system.at_required.threshold for system in chosen.systems)
    (free,) = chosen.differences
    (half,) = evaluate(systems, **FIXED, at_thresholds={"a": a}).differences
    (fixed,) = evaluate(systems, **FIXED, at_thresholds={"a": a, "b": b}).differences
    assert fixed.frr.value == half.frr.value == free.frr.value
    assert (fixed.exact, fixed.p_exact) == (free.exact, free.p_exact)
    # Only a threshold that was chosen here moves with whoever was tested.
    assert width(fixed.frr.interval) <= width(half.frr.interval) <= width(free.frr.interval)
    assert width(fixed.frr.interval) <= 1.1 * width(fixed.exact)
    assert "the fixed thresholds" in fixed.sentence
    # It may reject fewer because more others pass.
    assert "is better" not in fixed.sentence + half.sentence


def width(interval):
    return interval.high - interval.low


@pytest.fixture(scope="module")
def chosen_at_one_percent():
    return evaluate([EARLIER], required_fmr=0.01)


def test_the_headline_states_the_threshold_and_its_errors(chosen_at_one_percent):
    point = chosen_at_one_percent.systems[0].at_required
    assert f"(threshold {point.threshold:.10g}" in chosen_at_one_percent.headline
    assert f"{point.frr.errors:,} of {point.frr.trials:,}" in chosen_at_one_percent.headline


def test_limit_states_the_upper_bound_of_the_fmr(chosen_at_one_percent):
    fmr = chosen_at_one_percent.systems[0].at_required.fmr
    limit = chosen_at_one_percent.limit
    assert f"rests on only {fmr.errors} false matches" in limit
    stated_fmr = 1 / int(limit.split("1 in ")[1].strip("."))
    # Never rarer than the upper end, and near it.
    assert fmr.interval.high <= stated_fmr <= 1.1 * fmr.interval.high


@pytest.mark.parametrize(
    ("systems", "options", "text"),
    [
        pytest.param(
            [EARLIER],
            {"required_fmr": 1e-3, "at_thresholds": {"a": 50}},
            " false matches were seen at the threshold;",
            id="a fixed threshold",
        ),
        pytest.param(
            [crowd(), crowd("b")], {"required_fmr": 0.01}, "threshold of a rests", id="two systems"
        ),
        pytest.param(
            [as_decisions(crowd())], {"required_fmr": 1e-3}, "the true FMR may be", id="decisions"
        ),
    ],
)
def test_limit_of(systems, options, text):
    assert text in evaluate(systems, **options).limit


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(
            as_decisions(system_answers([90] * 99 + [1], [10] * 3000)), id="within the required FMR"
        ),
        pytest.param(without_answers(crowd(), slice(None)), id="no answer"),
    ],
)
def test_there_is_no_limit_without_a_doubt(answers):
    assert evaluate([answers], required_fmr=0.01).limit is None


def two_without_errors(strangers):
    return [system_answers([90] * 20, [10] * strangers, name) for name in "ab"]


@pytest.mark.parametrize(
    ("strangers", "fmr"),
    [
        (50_000, 1e-4),
        (49_999, 1e-3),
        (5_000, 1e-3),
        (500, 1e-2),
        (499, 1 / 99),
        (90, 1 / 18),
        (10, 1 / 2),
    ],
)
def test_default_required_fmr_is_one_that_the_pairs_can_compare(strangers, fmr):
    evaluation = evaluate(two_without_errors(strangers))
    assert evaluation.required_fmr == pytest.approx(fmr)
    assert None not in [system.at_required for system in evaluation.systems]
    assert evaluation.differences[0].frr is not None
    # It is no stricter rate than they do bear, which is said beside it.
    (caveat,) = (caveat for caveat in evaluation.caveats if caveat.code == "strictest_rate")
    strictest = f"{strangers:,} non-mated .* than 1 false match in {strangers // 5:,}"
    assert re.search(strictest, caveat.text)
    assert "fewest" not in caveat.text


def test_the_number_of_strangers_is_the_fewest_if_another_system_scored_more():
    evaluation = evaluate([crowd("a"), crowd("b", failures=0.1)])
    (caveat,) = (caveat for caveat in evaluation.caveats if caveat.code == "strictest_rate")
    assert "non-mated pairs, the fewest that a system scored, support" in caveat.text


@pytest.mark.parametrize("strangers", [9, 0])
def test_fewer_than_ten_pairs_of_strangers_have_no_threshold(strangers):
    evaluation = evaluate(two_without_errors(strangers))
    assert evaluation.required_fmr == 1e-2
    assert [system.at_required for system in evaluation.systems] == [None, None]
    assert evaluation.differences[0].frr is None
    assert "strictest_rate" not in {caveat.code for caveat in evaluation.caveats}


@pytest.mark.parametrize("strangers", [500, 499, 90, 10, 9, 0])
def test_a_system_of_decisions_does_not_change_the_default_required_fmr(strangers):
    first, second = two_without_errors(strangers)
    fmr = evaluate([first, second]).required_fmr
    assert evaluate([first, as_decisions(second)]).required_fmr == fmr
    # One who asks for a rate knows what it is.
    assert "strictest_rate" not in caveats_of(first, required_fmr=fmr)


def two_with_900_strangers(required_fmr):
    systems = [system_answers([90] * 100, [10] * 900, name) for name in "ab"]
    return evaluate(systems, required_fmr=required_fmr)


def test_an_fmr_without_a_threshold_names_the_supported_one():
    evaluation = two_with_900_strangers(1e-3)
    assert [system.at_required for system in evaluation.systems] == [None, None]
    assert "1,000" in evaluation.systems[0].why_not
    assert "1 false match in 180" in evaluation.headline


def test_an_fmr_without_a_comparison_names_the_supported_one():
    evaluation = two_with_900_strangers(2e-3)
    assert evaluation.differences[0].frr is None
    assert "2,500" in evaluation.headline
    assert "1 false match in 180" in evaluation.headline
    assert two_with_900_strangers(1 / 180).differences[0].frr is not None
    assert two_with_900_strangers(1 / 179.9).differences[0].frr is not None


FEW_ERRORS = system_answers([5] + [90] * 299, [10] * 1_000, "a")
MANY_ERRORS = system_answers([5] * 90 + [90] * 210, [10] * 1_000, "b")
NO_ERROR = system_answers([90] * 300, [10] * 1_000, "c")


@pytest.mark.parametrize(("required_fmr", "is_compared"), [(0.01, False), (None, True)])
def test_a_system_without_comparison_is_never_best(required_fmr, is_compared):
    few = without_answers(NO_ERROR, np.arange(700, 1_300))
    evaluation = evaluate([FEW_ERRORS, MANY_ERRORS, few], required_fmr=required_fmr)
    assert evaluation.headline.endswith("c is not compared.") is not is_compared
    assert evaluation.differences[0].better == "a"


def test_a_system_with_hardly_an_answer_does_not_change_the_verdict_of_others():
    nearly_none = without_answers(NO_ERROR, np.arange(309, 1_300))
    evaluation = evaluate([FEW_ERRORS, MANY_ERRORS, nearly_none])
    assert evaluation.required_fmr == evaluate([FEW_ERRORS, MANY_ERRORS]).required_fmr
    assert evaluation.differences[0].better == "a"
    assert " 9 non-mated" not in evaluation.headline


def test_headline_names_all_systems_of_which_no_two_can_be_compared():
    """Each answered another third of the mated pairs."""
    systems = []
    for number, name in enumerate("abc"):
        unanswered = [row for row in range(300) if row % 3 != number]
        systems.append(without_answers(attrs.evolve(NO_ERROR, name=name), unanswered))
    evaluation = evaluate(systems, required_fmr=0.01)
    assert not any(difference.frr for difference in evaluation.differences)
    assert "a, b and c" in evaluation.headline
    assert "a and b answered no mated pair in common" in evaluation.headline


UNSURE = crowd(others=60, mean=62, failures=0.05)


@pytest.mark.parametrize("fmr", [1e-2, 1e-3])
def test_intervals_at_an_fmr_include_threshold_uncertainty(fmr):
    system = evaluated(UNSURE, required_fmr=fmr)
    point = system.at_required
    assert point in [point_at.point for point_at in system.at_fmrs if point_at.fmr == fmr]
    for rate, at_fmr in ((point.frr, point.frr_at_fmr), (point.fnmr, point.fnmr_at_fmr)):
        assert (at_fmr.confidence, at_fmr.method) == (0.95, Method.BOOTSTRAP)
        assert at_fmr.low <= rate.interval.low < rate.value < rate.interval.high <= at_fmr.high
        assert width(at_fmr) > width(rate.interval)


@pytest.mark.parametrize("fmr", [1e-2, 1e-3])
def test_a_fixed_threshold_has_no_interval_at_an_fmr(fmr):
    system = evaluated(UNSURE, required_fmr=fmr, at_thresholds={"a": 50.0})
    points = [system.at_required, system.at_default]
    points += [point_at.point for point_at in system.at_fmrs[:2]]
    for point in points:
        assert (point.frr_at_fmr, point.fnmr_at_fmr) == (None, None)


def test_common_fmrs_have_rates_from_five_expected_false_matches_on():
    system = evaluated(UNSURE, required_fmr=1e-2)
    hundred, thousand, ten_thousand, *beyond = system.at_fmrs
    assert (hundred.fmr, thousand.fmr, ten_thousand.fmr) == (1e-2, 1e-3, 1e-4)
    assert [(at.fmr, at.point, at.pairs_needed) for at in beyond] == [
        (1e-5, None, 500_000),
        (1e-6, None, 5_000_000),
    ]
    assert None not in (hundred.point, thousand.point)
    assert (hundred.why_not, thousand.why_not) == (None, None)
    assert ten_thousand.point is None
    assert ten_thousand.why_not
    assert ten_thousand.pairs_needed == 50_000
    few = evaluated(crowd(), required_fmr=1e-3)
    assert few.at_required is not None
    assert few.at_fmrs[1].point is None


COSTS = Costs(false_match=200, false_reject=3, currency="USD")


@pytest.mark.parametrize("currency", ["euros", "eur", "€", "EURO", ""])
def test_a_currency_is_three_capital_letters(currency):
    with pytest.raises(InvalidRequest, match="three capital letters") as of_costs:
        Costs(false_match=200, false_reject=3, currency=currency)
    with pytest.raises(InvalidRequest) as of_price:
        Price(amount="0.05", currency=currency)
    assert repr(currency) in str(of_costs.value)
    assert str(of_price.value) == str(of_costs.value)


@pytest.fixture(scope="module")
def system_with_year():
    traffic = Traffic(calls_per_year=1_000_000, impostors=0.01, costs=COSTS)
    return evaluated(as_real(crowd(failures=0.01)), **FIXED, traffic=traffic)


def test_a_year_multiplies_the_rates_of_the_report(system_with_year):
    year = system_with_year.year
    assert "1,000,000 calls, 1 % of them by impostors" in year.sentence
    frr = system_with_year.at_required.shown("frr")
    false_rejects = year.false_rejects
    assert false_rejects.value == pytest.approx(990_000 * frr.value)
    assert false_rejects.interval.low == pytest.approx(990_000 * frr.interval.low)
    assert false_rejects.interval.high == pytest.approx(990_000 * frr.interval.high)
    far = system_with_year.at_required.far
    assert year.false_matches.value == pytest.approx(10_000 * far.value)
    # The threshold was chosen on these pairs, as for the FMR of the report.
    highest_fmr = system_with_year.at_required.fmr.interval.high
    assert year.false_matches.interval.high >= 10_000 * far.interval.high
    assert year.false_matches.interval.high == pytest.approx(10_000 * highest_fmr, rel=0.05)


def test_the_cost_of_a_year_is_that_of_its_errors_and_its_calls(system_with_year):
    year = system_with_year.year
    matches, rejects = year.false_matches, year.false_rejects
    errors = year.cost_of_errors
    assert errors.value == pytest.approx(200 * matches.value + 3 * rejects.value)
    # A sum of independent errors: narrower than the sum of both ends.
    lowest = 200 * matches.interval.low + 3 * rejects.interval.low
    highest = 200 * matches.interval.high + 3 * rejects.interval.high
    assert lowest < errors.interval.low < errors.value < errors.interval.high < highest
    assert year.cost_of_calls == pytest.approx(50_000)
    assert year.cost.value == pytest.approx(errors.value + 50_000)
    assert year.cost.interval.high == pytest.approx(errors.interval.high + 50_000)


TRAFFIC = Traffic(calls_per_year=1000, impostors=0.5)
WITHOUT_PRICE = crowd("free")
IN_EUROS = attrs.evolve(as_real(crowd("euros", seed=2)), currency="EUR")


def years(*systems, costs=None):
    traffic = attrs.evolve(TRAFFIC, costs=costs)
    return [system.year for system in evaluate(systems, **FIXED, traffic=traffic).systems]


def test_a_year_lacks_costs_and_prices_that_are_unknown():
    without_price, in_euros = years(WITHOUT_PRICE, IN_EUROS)
    assert (without_price.cost_of_errors, without_price.cost_of_calls) == (None, None)
    assert (in_euros.cost_of_errors, in_euros.cost_of_calls) == (None, 50)


def test_dollars_and_euros_have_no_sum():
    without_price, in_euros = years(WITHOUT_PRICE, IN_EUROS, costs=COSTS)
    assert without_price.cost_of_errors
    assert in_euros.cost_of_errors
    assert (without_price.cost, in_euros.cost) == (None, None)


def test_a_year_gets_a_caveat():
    caveats = caveats_of(WITHOUT_PRICE, IN_EUROS, **FIXED, traffic=TRAFFIC)
    assert "year" in caveats


def test_there_is_no_year_without_traffic_or_strangers():
    assert years(system_answers([90] * 40, [])) == [None]
    assert evaluated(WITHOUT_PRICE, **FIXED).year is None


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(calls_per_year=0, impostors=0.1),
        Traffic(calls_per_year=10, impostors=1.5),
        Traffic(calls_per_year=10, impostors=-0.5),
        Traffic(calls_per_year=10, impostors=0.1, costs=attrs.evolve(COSTS, false_match=-1)),
    ],
)
def test_impossible_traffic_is_refused(traffic):
    with pytest.raises(InvalidRequest):
        evaluate([crowd()], traffic=traffic)
