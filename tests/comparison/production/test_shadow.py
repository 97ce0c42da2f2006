"""The comparison of a log's two sides, recomputed by plain numpy and by counting."""

import csv
import datetime as dt
import io
import json
import math

import attrs
import numpy as np
import pytest
from kit.comparison.logs import START, simulate_month
from scipy import stats

import facematch_core as fm
from facematch_comparison.production.calls import Selection, table_of
from facematch_comparison.production.page import shadow_html
from facematch_comparison.production.review import draw_calls, read_labels, review_as_csv
from facematch_comparison.production.sentences import with_sentences
from facematch_comparison.production.shadow import Costs, compare_sides, find_sides
from facematch_core.call_log import NotAsked, Side

MATCH = fm.Operation.MATCH
ALL = Selection()


@pytest.fixture(scope="module")
def month():
    return simulate_month(np.random.default_rng(7))


def labels_of(sides, truth, *, agreements=0, labelled=None, changes=None, seed=0):
    """The labels of a review file that a person filled in from the top, by the truth."""
    drawn = draw_calls(sides.compared, sides.disagrees, agreements=agreements, seed=seed)
    rows = list(csv.DictReader(io.StringIO(review_as_csv(drawn, sides.question, None))))
    for number, row in enumerate(rows):
        if labelled is None or number < labelled:
            row["same_person"] = "yes" if truth[row["call"]] else "No"
    for number, word in (changes or {}).items():
        rows[number]["same_person"] = word
    return read_labels([(line, row) for line, row in enumerate(rows, 2)], "review.csv", MATCH)


def compare(sides, labels=None, **options):
    made_at = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    return with_sentences(
        compare_sides(sides, ALL, log="calls.sqlite3", made_at=made_at, labels=labels, **options)
    )


def saved_by_hand(month, kind, confidence=0.95):
    """Value and interval of net errors per 1,000 calls: by sums of people, one call at a time."""
    is_kind = {
        "error": np.ones(len(month.genuine), bool),
        "false_match": ~month.genuine,
        "false_reject": month.genuine,
    }[kind]
    difference = (month.wrong[0].astype(int) - month.wrong[1].astype(int)) * is_kind
    count = len(difference) + 2
    middle = difference.sum() / count
    by_person = {}
    for person, value in zip(month.persons, difference, strict=True):
        by_person[person] = by_person.get(person, 0.0) + value - middle
    squares = [value**2 for value in by_person.values()]
    squares += [(1 - middle) ** 2, (1 + middle) ** 2]
    people = len(squares)
    error = math.sqrt(math.fsum(squares) * people / (people - 1)) / count
    half = error * stats.t.ppf((1 + confidence) / 2, people - 1)
    value = 1000 * difference.sum() / len(difference)
    return value, 1000 * (middle - half), 1000 * (middle + half)


def test_numbers_are_those_of_plain_counting(month):
    sides = find_sides(month.table(), ALL)
    costs = Costs(false_match=50, false_reject=2, currency="EUR")
    prices = {"didit": 0.05, "deepvue": 0.03}
    found = compare(sides, labels_of(sides, month.truth), costs=costs, prices=prices)
    first, second = month.accepts
    assert found.compared == found.drawn == 1000
    assert found.people == len(set(month.persons))
    assert found.agreement.count == int((first == second).sum())
    assert found.only_answered_accepts == int((first & ~second).sum())
    assert found.only_candidate_accepts == int((second & ~first).sum())
    assert found.decisions["match"]["no_match"] == int((first & ~second).sum())
    by_hand = {}
    for kind in ("error", "false_match", "false_reject"):
        net = found.net_of(kind)
        by_hand[kind] = saved_by_hand(month, kind)
        ends = net.saved.interval
        assert (net.saved.value, ends.low, ends.high) == pytest.approx(by_hand[kind])
    alone = [int(((month.wrong[k]) & ~month.wrong[1 - k]).sum()) for k in (0, 1)]
    assert found.net_of("error").only_answered == alone[0]
    assert found.net_of("error").only_candidate == alone[1]
    exact = stats.binomtest(alone[0], sum(alone)).pvalue
    assert found.net_of("error").p_value >= exact * (1 - 1e-9)
    matches, rejects = by_hand["false_match"], by_hand["false_reject"]
    value = 50 * matches[0] + 2 * rejects[0]
    below = math.hypot(50 * (matches[0] - matches[1]), 2 * (rejects[0] - rejects[1]))
    above = math.hypot(50 * (matches[2] - matches[0]), 2 * (rejects[2] - rejects[0]))
    money = found.money
    assert money.saved_errors.value == pytest.approx(value)
    assert money.saved_prices == pytest.approx(20)
    ends = money.saved.interval
    assert (ends.low, ends.high) == pytest.approx((value - below + 20, value + above + 20))
    assert found.answered.cost == pytest.approx(50)


def test_labels_of_disagreements_alone_give_what_all_labels_give(month):
    """Where both agree, their errors cancel: the truth about agreements changes nothing."""
    sides = find_sides(month.table(), ALL)
    truth = dict(month.truth)
    for call_id, disagrees in zip(sides.compared["call_id"], sides.disagrees, strict=True):
        if not disagrees:
            truth[call_id] = not truth[call_id]
    assert (
        compare(sides, labels_of(sides, truth)).net
        == compare(sides, labels_of(sides, month.truth)).net
    )


def test_labels_from_the_top_are_scaled_up_as_a_sample():
    month = simulate_month(np.random.default_rng(3), calls=4000, people=2500)
    sides = find_sides(month.table(), ALL)
    count = int(sides.disagrees.sum())
    truth = saved_by_hand(month, "error")[0]
    whole = compare(sides, labels_of(sides, month.truth)).net_of("error").saved
    assert whole.value == pytest.approx(truth)
    partial = compare(sides, labels_of(sides, month.truth, labelled=count // 3))
    saved = partial.net_of("error").saved
    assert saved.interval.low < truth < saved.interval.high
    wider = (saved.interval.high - saved.interval.low) / (whole.interval.high - whole.interval.low)
    assert 1.4 < wider < 2.2  # the square root of three
    assert not partial.reviewed.is_complete
    assert any("random sample" in caveat for caveat in partial.caveats)


def test_both_wrong_is_counted_among_labelled_agreements(month):
    sides = find_sides(month.table(), ALL)
    found = compare(sides, labels_of(sides, month.truth, agreements=400)).reviewed
    assert found.both_wrong.of == 400
    everything = compare(sides, labels_of(sides, month.truth, agreements=10_000)).reviewed
    assert everything.both_wrong.count == int((month.wrong[0] & month.wrong[1]).sum())
    assert everything.disagreements == everything.labelled == int(sides.disagrees.sum())


def test_unclear_calls_count_as_unlabelled(month):
    sides = find_sides(month.table(), ALL)
    found = compare(sides, labels_of(sides, month.truth, changes={0: "?", 1: "unclear"}))
    assert found.reviewed.unclear == 2
    assert found.reviewed.labelled == found.reviewed.disagreements - 2
    assert found.reviewed.is_complete


def test_review_counts_as_reject_unless_it_is_asked_for(month):
    rows = month.rows()
    rows[0] = attrs.evolve(rows[0], decision="review")
    rows[1] = attrs.evolve(rows[1], decision="match")
    table = table_of(rows)
    strict = find_sides(table, ALL)
    mild = find_sides(table, ALL, review_is_accepted=True)
    assert (strict.disagrees[0], mild.disagrees[0]) == (True, False)
    labels = labels_of(strict, month.truth)
    with pytest.raises(fm.InvalidRequest, match="another question"):
        compare(mild, labels)


def test_errors_and_drops_of_one_side_are_no_disagreement(month):
    rows = month.rows()
    lost = {"decision": None, "score": None}
    rows[0] = attrs.evolve(rows[0], error="OutcomeUnknown", charged=fm.Charged.UNKNOWN, **lost)
    del rows[1]  # a call without an answer is not shadowed
    rows[2] = attrs.evolve(rows[2], error="RateLimited", **lost)
    rows[4] = attrs.evolve(rows[4], not_asked=NotAsked.QUEUE_FULL, charged=fm.Charged.NO, **lost)
    found = compare(find_sides(table_of(rows), ALL))
    assert (found.answered.calls, found.drawn, found.compared) == (1000, 999, 997)
    assert found.answered.errors == {"OutcomeUnknown": 1}
    assert found.candidate.errors == {"RateLimited": 1}
    assert found.candidate.not_asked == {"queue_full": 1}
    assert found.candidate.charged == {"yes": 998}
    assert any("2 of 999 drawn calls" in caveat for caveat in found.caveats)


def test_later_and_forgotten_calls_do_not_count(month):
    rows = month.rows()
    early = find_sides(table_of(rows[:1000]), ALL)
    labels = labels_of(early, month.truth)
    expected = compare(early, labels)
    whole = compare(find_sides(table_of(rows), ALL), labels)
    assert whole.net == expected.net
    assert whole.reviewed.later == 500
    gone = next(iter(labels.listed))
    kept = [row for row in rows[:1000] if row.call_id != gone]
    assert compare(find_sides(table_of(kept), ALL), labels).reviewed.gone == 1


def test_calls_of_a_review_outside_since_are_not_said_to_have_left_the_log(month):
    table = month.table()
    labels = labels_of(find_sides(table, ALL), month.truth)
    late = Selection(since=START + dt.timedelta(seconds=500 * 500))
    found = compare(find_sides(table, late), labels)
    assert found.reviewed.gone
    (text,) = [caveat for caveat in found.caveats if "of the review are not among" in caveat]
    assert "outside --since and --until" in text


def test_calls_of_a_time_or_an_operation_are_selected(month):
    table = month.table()
    late = Selection(since=START + dt.timedelta(seconds=500 * 900))
    assert len(find_sides(table, late).compared) == 100
    early = Selection(until=START + dt.timedelta(seconds=500 * 900))
    assert len(find_sides(table, early).compared) == 900
    with pytest.raises(fm.InvalidRequest, match="no liveness call"):
        find_sides(table, Selection(operation=fm.Operation.LIVENESS))
    live = month.table(operation=fm.Operation.LIVENESS, decision="live")
    found = compare(find_sides(live, Selection(operation=fm.Operation.LIVENESS)))
    assert found.decisions["live"]["live"] == 1000
    assert "They never disagreed" in found.headline


def test_several_systems_must_be_named(month):
    others = simulate_month(np.random.default_rng(8), calls=100)
    moved = [
        attrs.evolve(row, call_id=f"x{row.call_id}")
        for row in others.rows(systems=("azure", "onfido"))
    ]
    table = table_of(month.rows() + moved)
    with pytest.raises(fm.InvalidRequest, match=r"--candidate: deepvue \(1,000 .*onfido \(100 "):
        find_sides(table, ALL)
    with pytest.raises(fm.InvalidRequest, match="no system 'nobody'"):
        find_sides(table, ALL, candidate="nobody")
    assert len(find_sides(table, ALL, candidate="onfido").compared) == 100
    for side, says in ((Side.ANSWERED, "no shadowed call"), (Side.SHADOW, "rows were lost")):
        one_sided = table_of([row for row in month.rows() if row.side is side])
        with pytest.raises(fm.InvalidRequest, match=says):
            find_sides(one_sided, ALL)


def test_calls_without_a_person_count_as_different_people(month):
    table = month.table(person=None)
    found = compare(find_sides(table, ALL))
    assert (found.people, found.without_person) == (1000, 1000)
    assert any("no caller_ref" in caveat for caveat in found.caveats)


@pytest.mark.parametrize(
    ("rates", "costs", "says"),
    [
        ({"frr": (0.10, 0.02)}, None, "deepvue makes fewer false rejects, and the difference is"),
        ({"frr": (0.02, 0.10)}, None, "didit makes fewer false rejects"),
        ({}, None, "may be due to chance"),
        ({"frr": (0.10, 0.02), "fmr": (0.02, 0.4), "impostors": 0.2}, None, "each make"),
        ({"frr": (0.10, 0.02), "fmr": (0.02, 0.4), "impostors": 0.2}, (1000, 1), "didit costs"),
        ({"frr": (0.10, 0.02), "fmr": (0.02, 0.4), "impostors": 0.2}, (0, 5), "deepvue costs"),
    ],
)
def test_verdict_names_who_is_better_or_says_chance(rates, costs, says):
    month = simulate_month(np.random.default_rng(5), calls=1500, people=1000, **rates)
    sides = find_sides(month.table(), ALL)
    given = None
    if costs is not None:
        given = Costs(false_match=costs[0], false_reject=costs[1], currency="EUR")
    assert says in compare(sides, labels_of(sides, month.truth), costs=given).headline


def wrong_calls(month, *, only_answered, only_candidate):
    """The month without errors, but for so many genuine and so many impostors' calls of a side."""
    accepts = [month.genuine.copy(), month.genuine.copy()]
    genuine = iter(np.flatnonzero(month.genuine))
    impostors = iter(np.flatnonzero(~month.genuine))
    for side, count in enumerate((only_answered, only_candidate)):
        for _ in range(count):
            accepts[side][next(genuine)] = False
            accepts[side][next(impostors)] = True
    return attrs.evolve(month, accepts=tuple(accepts))


@pytest.mark.parametrize(("wrong", "winner"), [((8, 1), "deepvue"), ((1, 8), "didit")])
def test_verdict_of_both_kinds_together_agrees_with_the_table(wrong, winner):
    month = wrong_calls(
        simulate_month(np.random.default_rng(5), impostors=0.2, people=100_000),
        only_answered=wrong[0],
        only_candidate=wrong[1],
    )
    sides = find_sides(month.table(), ALL)
    found = compare(sides, labels_of(sides, month.truth))
    is_real = {net.kind: net.is_real for net in found.net}
    assert is_real == {"error": True, "false_reject": False, "false_match": False}
    assert f"{winner} makes fewer errors in all" in found.headline
    few = compare(sides, labels_of(sides, month.truth, labelled=2))
    assert "makes fewer errors may be due to chance" in few.headline


def test_document_and_page_have_the_same_verdict_and_no_person(month):
    sides = find_sides(month.table(environment=fm.Environment.MOCK), ALL)
    found = compare(sides, labels_of(sides, month.truth), review_file="review.csv")
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (document["schema"], document["kind"]) == (0, "shadow comparison")
    page = shadow_html(found)
    assert page == shadow_html(found)
    assert found.headline in page.replace("&#39;", "'")
    assert "Practice only." in page
    costs = Costs(false_match=50, false_reject=2, currency="EUR")
    money_page = shadow_html(compare(sides, labels_of(sides, month.truth), costs=costs))
    assert "Money that deepvue saves per 1,000 calls, with a 95 % interval" in money_page
    assert "<script" not in page
    for text in (page, json.dumps(document)):
        assert "person-" not in text


def test_names_from_the_log_are_escaped_in_the_page(month):
    name = "<b>x\u202e"
    page = shadow_html(compare(find_sides(month.table(systems=(name, "deepvue")), ALL)))
    assert "<b>x" not in page
    assert "\u202e" not in page


def test_a_price_of_another_system_is_refused(month):
    sides = find_sides(month.table(), ALL)
    with pytest.raises(fm.InvalidRequest, match="neither of didit and deepvue"):
        compare(sides, prices={"azure": 0.1})
