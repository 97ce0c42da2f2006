"""The comparison of a log's two sides, recomputed by plain numpy and by counting."""

import csv
import datetime as dt
import functools
import io
import json
import math

import attrs
import numpy as np
import pytest
import scipy
from kit.comparison.logs import START, simulate_month, table_of

import facematch_core as fm
from facematch_comparison.production.calls import Selection, share_of
from facematch_comparison.production.labels.review import draw_calls, read_labels, review_as_csv
from facematch_comparison.production.labels.reviewers import agree
from facematch_comparison.production.page import shadow_html, side_cells
from facematch_comparison.production.sentences import share, with_sentences
from facematch_comparison.production.shadow import Costs, compare_sides, find_sides
from facematch_core.call_log import NotAsked, Side

MATCH = fm.Operation.MATCH
ALL = Selection()


@pytest.fixture(scope="module")
def month():
    return simulate_month(np.random.default_rng(7))


@pytest.fixture(scope="module")
def sides(month):
    return find_sides(month.table(), ALL)


def labels_of(sides, truth, *, agreements=0, labelled=None, answers=None):
    """The labels of a review file that a person filled in from the top.

    Args:
        truth: Whether a call is genuine, by its id.
        labelled: Number of labelled calls; all by default.
        answers: What the person wrote in place of the truth, by the number of the call from 0.
    """
    drawn = draw_calls(sides.compared, sides.disagrees, agreements=agreements)
    rows = list(csv.DictReader(io.StringIO(review_as_csv(drawn, sides.question, None))))
    for row in rows[:labelled]:
        row["same_person"] = "yes" if truth[row["call"]] else "No"
    for number, answer in (answers or {}).items():
        rows[number]["same_person"] = answer
    return agree([read_labels(list(enumerate(rows, start=2)), "review.csv", MATCH)])


def compare(sides, labels=None, **options):
    made_at = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    return with_sentences(
        compare_sides(sides, ALL, log="calls.sqlite3", made_at=made_at, labels=labels, **options)
    )


@attrs.frozen
class Saved:
    """Net errors per 1,000 calls, and the ends of their interval."""

    value: float
    low: float
    high: float


def saved_by_hand(month, kind):
    """Net errors by sums of people, one call at a time."""
    counted = {
        "error": np.ones(len(month.genuine), bool),
        "false_match": ~month.genuine,
        "false_reject": month.genuine,
    }
    wrong_answered, wrong_candidate = month.wrong
    differences = (wrong_answered.astype(int) - wrong_candidate.astype(int)) * counted[kind]
    count = len(differences) + 2
    middle = differences.sum() / count
    deviation_of_person = {}
    for person, difference in zip(month.persons, differences, strict=True):
        deviation = deviation_of_person.get(person, 0.0)
        deviation_of_person[person] = deviation + difference - middle
    # One call is added in each direction, each of a new person.
    deviations = [*deviation_of_person.values(), 1 - middle, 1 + middle]
    people = len(deviations)
    sum_of_squares = math.fsum(deviation**2 for deviation in deviations)
    standard_error = math.sqrt(sum_of_squares * people / (people - 1)) / count
    half = standard_error * scipy.stats.t.ppf(0.975, people - 1)
    return Saved(
        value=1000 * differences.sum() / len(differences),
        low=1000 * (middle - half),
        high=1000 * (middle + half),
    )


def test_decisions_are_counted(month, sides):
    comparison = compare(sides)
    answered, candidate = month.accepts
    assert comparison.compared == comparison.drawn == 1000
    assert comparison.people == len(set(month.persons))
    assert comparison.agreement.count == (answered == candidate).sum()
    assert comparison.only_answered_accepts == (answered & ~candidate).sum()
    assert comparison.only_candidate_accepts == (candidate & ~answered).sum()
    assert comparison.decisions["match"]["no_match"] == (answered & ~candidate).sum()


@pytest.mark.parametrize("kind", ["error", "false_match", "false_reject"])
def test_net_errors_are_those_of_plain_counting(month, sides, kind):
    saved = compare(sides, labels_of(sides, month.truth)).net_of(kind).saved
    by_hand = saved_by_hand(month, kind)
    numbers = (saved.value, saved.interval.low, saved.interval.high)
    assert numbers == pytest.approx((by_hand.value, by_hand.low, by_hand.high))


def test_the_p_value_is_not_below_that_of_an_exact_test(month, sides):
    net = compare(sides, labels_of(sides, month.truth)).net_of("error")
    wrong_answered, wrong_candidate = month.wrong
    assert net.only_answered == (wrong_answered & ~wrong_candidate).sum()
    assert net.only_candidate == (wrong_candidate & ~wrong_answered).sum()
    disagreements = net.only_answered + net.only_candidate
    exact = scipy.stats.binomtest(net.only_answered, disagreements).pvalue
    assert net.p_value >= exact * (1 - 1e-9)


def test_money_is_that_of_errors_and_prices(month, sides):
    costs = Costs(false_match=50, false_reject=2, currency="EUR")
    prices = {"didit": 0.05, "deepvue": 0.03}
    labels = labels_of(sides, month.truth)
    comparison = compare(sides, labels, costs=costs, prices=prices)
    matches = saved_by_hand(month, "false_match")
    rejects = saved_by_hand(month, "false_reject")
    value = 50 * matches.value + 2 * rejects.value
    below = math.hypot(50 * (matches.value - matches.low), 2 * (rejects.value - rejects.low))
    above = math.hypot(50 * (matches.high - matches.value), 2 * (rejects.high - rejects.value))
    money = comparison.money
    assert money.saved_errors.value == pytest.approx(value)
    assert money.saved_prices == pytest.approx(20)
    ends = money.saved.interval
    assert (ends.low, ends.high) == pytest.approx((value - below + 20, value + above + 20))
    assert comparison.answered.cost == pytest.approx(50)


def test_a_price_is_that_of_a_whole_call_with_all_its_charges(month):
    """The table and the money saved say the same of two vendors, one with 3 charges a call."""
    rows = []
    for row in month.rows(systems=("didit", "azure")):
        is_azure = row.system == "azure"
        rows.append(attrs.evolve(row, charges=3) if is_azure else row)
    sides = find_sides(table_of(rows), ALL)
    comparison = compare(
        sides,
        labels_of(sides, month.truth),
        costs=Costs(false_match=50, false_reject=2, currency="USD"),
        prices={"didit": 0.30, "azure": 0.20},
    )
    calls = comparison.candidate.charged["yes"]
    assert comparison.candidate.cost == pytest.approx(0.20 * calls)
    saved = comparison.money.saved_prices
    assert saved == pytest.approx(1000 * (0.30 - comparison.candidate.cost / calls))
    assert (comparison.answered.charges_per_call, comparison.candidate.charges_per_call) == (1, 3)
    (caveat,) = [text for text in comparison.caveats if "had 3 charges" in text]
    assert "azure" in caveat
    cells = side_cells(comparison.candidate)
    assert (cells["Charges per call"], cells["Price of a call"]) == ("3", "0.20")
    assert side_cells(comparison.answered)["Charges per call"] == ""


def test_labels_of_disagreements_alone_give_what_all_labels_give(month, sides):
    """Where both agree, their errors cancel: the truth about agreements changes nothing."""
    truth = dict(month.truth)
    for call_id in sides.compared["call_id"][~sides.disagrees]:
        truth[call_id] = not truth[call_id]
    comparison = compare(sides, labels_of(sides, truth))
    assert comparison.net == compare(sides, labels_of(sides, month.truth)).net


def test_labels_from_the_top_are_scaled_up_as_a_sample():
    month = simulate_month(np.random.default_rng(3), calls=4000, people=2500)
    sides = find_sides(month.table(), ALL)
    a_third = int(sides.disagrees.sum()) // 3
    whole = compare(sides, labels_of(sides, month.truth)).net_of("error").saved
    comparison = compare(sides, labels_of(sides, month.truth, labelled=a_third))
    sample = comparison.net_of("error").saved
    assert sample.interval.low < whole.value < sample.interval.high
    width = sample.interval.high - sample.interval.low
    width_of_whole = whole.interval.high - whole.interval.low
    assert 1.4 < width / width_of_whole < 2.2  # the square root of three
    assert not comparison.reviewed.is_complete
    assert any("random sample" in caveat for caveat in comparison.caveats)


def test_both_wrong_is_counted_among_labelled_agreements(month, sides):
    some = compare(sides, labels_of(sides, month.truth, agreements=400)).reviewed
    assert some.both_wrong.of == 400
    everything = compare(sides, labels_of(sides, month.truth, agreements=10_000)).reviewed
    wrong_answered, wrong_candidate = month.wrong
    assert everything.both_wrong.count == (wrong_answered & wrong_candidate).sum()
    assert everything.disagreements == everything.labelled == sides.disagrees.sum()


def test_a_share_of_one_in_forty_is_not_two_percent():
    counted = np.arange(40) == 0
    persons = np.arange(40)
    assert share(share_of(counted, persons, 0.95)).startswith("2.5 % (")
    assert share(share_of(counted[:20], persons[:20], 0.95)).startswith("5 % (")


def test_unclear_calls_count_as_unlabelled(month, sides):
    labels = labels_of(sides, month.truth, answers={0: "?", 1: "unclear"})
    reviewed = compare(sides, labels).reviewed
    assert reviewed.unclear == 2
    assert reviewed.labelled == reviewed.disagreements - 2
    assert reviewed.is_complete


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
    lost = functools.partial(attrs.evolve, decision=None, score=None)
    rows[0] = lost(rows[0], error="OutcomeUnknown", charged=fm.Charged.UNKNOWN)
    del rows[1]  # a call without an answer is not shadowed
    rows[2] = lost(rows[2], error="RateLimited")
    rows[4] = lost(rows[4], not_asked=NotAsked.QUEUE_FULL, charged=fm.Charged.NO)
    comparison = compare(find_sides(table_of(rows), ALL))
    assert (comparison.drawn, comparison.compared) == (999, 997)
    answered, candidate = comparison.answered, comparison.candidate
    assert (answered.calls, answered.errors) == (1000, {"OutcomeUnknown": 1})
    assert candidate.errors == {"RateLimited": 1}
    assert candidate.not_asked == {"queue_full": 1}
    assert candidate.charged == {"yes": 998}
    assert any("2 of 999 drawn calls" in caveat for caveat in comparison.caveats)


def test_unfinished_calls_have_no_answer_and_an_unknown_cost(month):
    rows = month.rows()
    for number in (1, 3):  # of the candidate, whose process was killed
        lost = attrs.evolve(rows[number], decision=None, score=None, charges=None)
        rows[number] = lost.begun(may_be_charged=True)
    prices = {"didit": 0.30, "deepvue": 0.20}
    comparison = compare(find_sides(table_of(rows), ALL), prices=prices)
    candidate = comparison.candidate
    assert (comparison.drawn, comparison.compared, candidate.answered) == (1000, 998, 998)
    assert candidate.errors == {"Unfinished": 2}
    assert candidate.charged == {"yes": 998, "unknown": 2}
    assert candidate.cost == pytest.approx(998 * 0.20)
    (caveat,) = [text for text in comparison.caveats if "not known whether" in text]
    assert "2 calls of deepvue" in caveat
    assert "at most 200.00" in caveat


def test_later_and_forgotten_calls_do_not_count(month):
    rows = month.rows()
    early = find_sides(table_of(rows[:1000]), ALL)
    labels = labels_of(early, month.truth)
    whole = compare(find_sides(table_of(rows), ALL), labels)
    assert whole.net == compare(early, labels).net
    assert whole.reviewed.later == 500
    forgotten = next(iter(labels.listed))
    remaining = [row for row in rows[:1000] if row.call_id != forgotten]
    assert compare(find_sides(table_of(remaining), ALL), labels).reviewed.gone == 1


def test_calls_of_a_review_outside_since_are_not_said_to_have_left_the_log(month, sides):
    labels = labels_of(sides, month.truth)
    late = Selection(since=START + dt.timedelta(seconds=500 * 500))
    comparison = compare(find_sides(month.table(), late), labels)
    assert comparison.reviewed.gone
    (caveat,) = [text for text in comparison.caveats if "of the review are not among" in text]
    assert "outside --since and --until" in caveat


#: When 900 of 1,000 calls were made.
AFTER_900 = START + dt.timedelta(seconds=500 * 900)


@pytest.mark.parametrize(
    ("selection", "calls"),
    [(Selection(since=AFTER_900), 100), (Selection(until=AFTER_900), 900)],
    ids=["since", "until"],
)
def test_calls_of_a_time_are_selected(month, selection, calls):
    assert len(find_sides(month.table(), selection).compared) == calls


def test_calls_of_an_operation_are_selected(month):
    liveness = Selection(operation=fm.Operation.LIVENESS)
    with pytest.raises(fm.InvalidRequest, match="no liveness call"):
        find_sides(month.table(), liveness)
    live = month.table(operation=fm.Operation.LIVENESS, decision="live")
    comparison = compare(find_sides(live, liveness))
    assert comparison.decisions["live"]["live"] == 1000
    assert "They never disagreed" in comparison.headline


def test_one_of_several_systems_must_be_named(month):
    other = simulate_month(np.random.default_rng(8), calls=100)
    other_rows = other.rows(systems=("azure", "onfido"))
    other_rows = [attrs.evolve(row, call_id=f"x{row.call_id}") for row in other_rows]
    table = table_of(month.rows() + other_rows)
    with pytest.raises(fm.InvalidRequest, match=r"--candidate: deepvue \(1,000 .*onfido \(100 "):
        find_sides(table, ALL)
    with pytest.raises(fm.InvalidRequest, match="no system 'nobody'"):
        find_sides(table, ALL, candidate="nobody")
    assert len(find_sides(table, ALL, candidate="onfido").compared) == 100


@pytest.mark.parametrize(
    ("side", "message"),
    [(Side.ANSWERED, "no shadowed call"), (Side.SHADOW, "rows were lost")],
)
def test_both_sides_of_a_call_are_needed(month, side, message):
    table = table_of([row for row in month.rows() if row.side is side])
    with pytest.raises(fm.InvalidRequest, match=message):
        find_sides(table, ALL)


def test_calls_without_a_person_count_as_different_people(month):
    comparison = compare(find_sides(month.table(person=None), ALL))
    assert (comparison.people, comparison.without_person) == (1000, 1000)
    assert any("no caller_ref" in caveat for caveat in comparison.caveats)


#: The candidate rejects fewer genuine people and accepts more impostors.
LENIENT_CANDIDATE = {"frr": (0.10, 0.02), "fmr": (0.02, 0.4), "impostors": 0.2}


@pytest.mark.parametrize(
    ("rates", "costs", "verdict"),
    [
        ({"frr": (0.10, 0.02)}, None, "deepvue makes fewer false rejects, and the difference is"),
        ({"frr": (0.02, 0.10)}, None, "didit makes fewer false rejects"),
        ({}, None, "No difference is shown: deepvue may make fewer or more errors than didit."),
        (
            {},
            Costs(false_match=50, false_reject=2, currency="EUR"),
            "No difference in cost is shown: deepvue may cost less or more than didit",
        ),
        (LENIENT_CANDIDATE, None, "each make"),
        (
            LENIENT_CANDIDATE,
            Costs(false_match=1000, false_reject=1, currency="EUR"),
            "didit costs",
        ),
        (LENIENT_CANDIDATE, Costs(false_match=0, false_reject=5, currency="EUR"), "deepvue costs"),
        # It saves less than a euro per 1,000 calls.
        (
            {"frr": (0.2, 0.02)},
            Costs(false_match=0, false_reject=0.001, currency="EUR"),
            "deepvue costs less",
        ),
    ],
)
def test_verdict_names_who_is_better_or_says_chance(rates, costs, verdict):
    month = simulate_month(np.random.default_rng(5), calls=1500, people=1000, **rates)
    sides = find_sides(month.table(), ALL)
    assert verdict in compare(sides, labels_of(sides, month.truth), costs=costs).headline


@pytest.mark.parametrize(
    ("prices", "winner"),
    [({"didit": 0.3, "deepvue": 0.1}, "deepvue"), ({"didit": 0.1, "deepvue": 0.3}, "didit")],
)
def test_verdict_says_that_it_rests_on_the_price_alone(prices, winner):
    month = simulate_month(np.random.default_rng(5))
    sides = find_sides(month.table(), ALL)
    costs = Costs(false_match=5, false_reject=1, currency="EUR")
    labels = labels_of(sides, month.truth)
    comparison = compare(sides, labels, costs=costs, prices=prices)
    ends = comparison.money.saved_errors.interval
    assert ends.low < 0 < ends.high
    assert f"{winner} costs less by its price" in comparison.headline
    assert "Its errors alone are not shown to cost less" in comparison.headline
    without_prices = compare(sides, labels, costs=costs)
    assert "by its price" not in without_prices.headline


def test_verdict_rests_on_errors_that_alone_cost_less():
    month = simulate_month(np.random.default_rng(5), calls=1500, people=1000, frr=(0.2, 0.02))
    sides = find_sides(month.table(), ALL)
    costs = Costs(false_match=5, false_reject=1, currency="EUR")
    labels = labels_of(sides, month.truth)
    prices = {"didit": 0.3, "deepvue": 0.1}
    comparison = compare(sides, labels, costs=costs, prices=prices)
    assert "deepvue costs less, and the difference is significant" in comparison.headline


@pytest.mark.parametrize(
    ("wrong_answered", "wrong_candidate", "winner"), [(7, 1, "deepvue"), (1, 7, "didit")]
)
def test_verdict_of_both_kinds_together_agrees_with_the_table(
    wrong_answered, wrong_candidate, winner
):
    """Each side errs on so many genuine calls and as many of impostors, none on both."""
    month = simulate_month(np.random.default_rng(5), impostors=0.2, people=100_000)
    answered, candidate = month.genuine.copy(), month.genuine.copy()
    for calls in (np.flatnonzero(month.genuine), np.flatnonzero(~month.genuine)):
        answered[calls[:wrong_answered]] ^= True
        candidate[calls[-wrong_candidate:]] ^= True
    month = attrs.evolve(month, accepts=(answered, candidate))
    sides = find_sides(month.table(), ALL)
    comparison = compare(sides, labels_of(sides, month.truth))
    is_real = {net.kind: net.is_real for net in comparison.net}
    assert is_real == {"error": True, "false_reject": False, "false_match": False}
    assert f"{winner} makes fewer errors in all" in comparison.headline
    few_labels = compare(sides, labels_of(sides, month.truth, labelled=2))
    assert "No difference is shown" in few_labels.headline


def test_document_and_page_have_the_same_verdict_and_no_person(month):
    sides = find_sides(month.table(environment=fm.Environment.MOCK), ALL)
    costs = Costs(false_match=50, false_reject=2, currency="EUR")
    labels = labels_of(sides, month.truth)
    comparison = compare(sides, labels, costs=costs)
    document = json.dumps(comparison.to_dict(), allow_nan=False)
    assert json.loads(document)["schema"] == 0
    assert json.loads(document)["kind"] == "shadow comparison"
    page = shadow_html(comparison)
    assert page == shadow_html(comparison)
    assert comparison.headline in page.replace("&#39;", "'")
    assert "Practice only." in page
    assert "Money that deepvue saves per 1,000 calls, with a 95 % interval" in page
    assert "<script" not in page
    assert "person-" not in page
    assert "person-" not in document


def test_names_from_the_log_are_escaped_in_the_page(month):
    name = "<b>x\u202e"
    page = shadow_html(compare(find_sides(month.table(systems=(name, "deepvue")), ALL)))
    assert "<b>x" not in page
    assert "\u202e" not in page


def test_a_price_of_another_system_is_refused(sides):
    with pytest.raises(fm.InvalidRequest, match="neither of didit and deepvue"):
        compare(sides, prices={"azure": 0.1})


def test_refused_pictures_count_as_not_accepted(month):
    rows = month.rows()
    lost = functools.partial(attrs.evolve, decision=None, score=None, charged=fm.Charged.NO)
    rows[1] = lost(rows[1], error="RequestRejected")
    rows[3] = lost(rows[3], error="InvalidImage")
    rows[5] = lost(rows[5], error="RateLimited")
    sides = find_sides(table_of(rows), ALL)
    comparison = compare(sides, labels_of(sides, month.truth))
    assert (comparison.compared, comparison.refused) == (999, 2)
    refused = sum(row["refused"] for row in comparison.decisions.values())
    assert refused == 2
    first_two = sides.candidate_accepts[:2].tolist()
    assert first_two == [False, False]
    assert "refused" in shadow_html(comparison)


def test_refusals_of_a_candidate_that_never_answers_are_no_decisions(month):
    """Its configuration may be wrong."""
    rows = []
    for row in month.rows():
        if row.side is Side.SHADOW:
            rows.append(attrs.evolve(row, decision=None, score=None, error="RequestRejected"))
        else:
            rows.append(row)
    with pytest.raises(fm.InvalidRequest, match="returned no result in 1,000 drawn calls"):
        find_sides(table_of(rows), ALL)


def test_two_reviewers_agreed_labels_count_and_the_third_file_decides(month, sides):
    drawn = draw_calls(sides.compared, sides.disagrees, agreements=0)
    truth = month.truth
    wrong_calls = set(drawn["call_id"][:4])

    def file(name, calls, wrong):
        rows = [
            {
                "number": str(n),
                "call": call,
                "written_for": str(sides.question),
                "same_person": "yes" if truth[call] ^ (call in wrong) else "no",
            }
            for n, call in enumerate(calls, start=1)
        ]
        return read_labels(list(enumerate(rows, start=2)), name, MATCH)

    first = file("a.csv", drawn["call_id"], set())
    second = file("b.csv", drawn["call_id"], wrong_calls)
    both = agree([first, second])
    question, chosen = sides.choose_calls(both)
    assert set(sides.compared["call_id"][chosen]) == wrong_calls
    assert not question.agreements_are_random
    comparison = compare(sides, both)
    assert comparison.reviewed.contradicted == 4
    assert set(comparison.reviewed.contradicted_calls) == wrong_calls
    assert comparison.reviewed.labelled == len(drawn) - 4
    assert comparison.reviewed.reviewers[0].agreement.count == len(drawn) - 4
    third = file("c.csv", drawn["call_id"][:4], set())
    third = attrs.evolve(third, agreements_are_random=False)
    decided = compare(sides, agree([first, second, third]))
    right = compare(sides, agree([first]))
    assert [net.saved.value for net in decided.net] == pytest.approx(
        [net.saved.value for net in right.net]
    )
    assert decided.reviewed.files == ("a.csv", "b.csv", "c.csv")


def test_few_wrong_labels_that_turn_the_verdict_are_in_the_headline():
    month = simulate_month(
        np.random.default_rng(5),
        calls=3000,
        people=2000,
        frr=(0.06, 0.02),
        fmr=(0.0, 0.0),
        impostors=0.01,
    )
    sides = find_sides(month.table(), ALL)
    costs = Costs(false_match=200, false_reject=1, currency="USD")
    comparison = compare(sides, labels_of(sides, month.truth), costs=costs)
    money = comparison.money
    assert money.saved.value > 0
    assert money.wrong_labels.is_turned
    assert not money.is_real
    assert "would turn the sign" in comparison.headline
    assert "significant" not in comparison.headline
