"""One system over time: shares by period, and what counts as moved."""

import datetime as dt
import json

import attrs
import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.logs import simulate_month, table_of

import facematch_core as fm
from facematch_comparison.production.calls import Selection, digest_of
from facematch_comparison.production.drift import (
    FEWEST_CALLS,
    Change,
    Span,
    fisher_exact,
    measure_drift,
)
from facematch_comparison.production.drift_sentences import (
    describe_change,
    period_rows,
    with_sentences,
)
from facematch_comparison.production.page import drift_html
from facematch_core.call_log import LoggedCall, NotAsked, Side

ALL = Selection()
MATCH = fm.Operation.MATCH
MADE_AT = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def rows_of(seed=7, **options):
    """The answers of one system: 1,200 calls in three weeks and a day."""
    month = simulate_month(np.random.default_rng(seed), calls=1200, **options)
    return [row for row in month.rows(step_s=1600) if row.side is Side.ANSWERED]


def measure(rows, **options):
    drift = measure_drift(table_of(rows), ALL, log="calls.sqlite3", made_at=MADE_AT, **options)
    return with_sentences(drift)


def moved(drift):
    """What moved by more than chance, by the name of the period."""
    changes = set()
    for period in drift.periods:
        for change in period.changes:
            if change.is_real:
                changes.add((period.name, change.of))
    return changes


def test_digest_does_not_depend_on_the_order_of_the_rows():
    rows = [attrs.evolve(row, at=MADE_AT) for row in rows_of()]
    assert digest_of(table_of(rows)) == digest_of(table_of(rows[::-1]))
    assert digest_of(table_of(rows)) != digest_of(table_of(rows[1:]))


@pytest.mark.parametrize("system", [None, "didit"])
def test_calls_that_no_vendor_answered_are_refused(system):
    call = LoggedCall(
        call_id="call-1", side=Side.ANSWERED, at=MADE_AT, operation=MATCH, error="RateLimited"
    )
    with pytest.raises(fm.InvalidRequest):
        measure([call], system=system)


def test_periods_may_be_months():
    drift = measure(rows_of(), span=Span.MONTH)
    assert [period.name for period in drift.periods] == ["2026-10"]
    assert "needs two months" in drift.headline


def test_numbers_of_a_period_are_those_of_plain_counting():
    rows = rows_of()
    week = [row for row in rows if row.at < dt.datetime(2026, 10, 5, tzinfo=dt.UTC)]
    first = measure(rows).periods[0]
    assert (first.calls, first.people) == (len(week), len({row.person for row in week}))
    accepted = sum(row.decision == "match" for row in week)
    assert (first.accepted.count, first.accepted.of) == (accepted, len(week))
    scores = [row.score for row in week]
    for quantile in (0.1, 0.5, 0.9):
        assert first.quantiles[f"{quantile:g}"] == pytest.approx(np.quantile(scores, quantile))
    assert first.half_within_s == 0.5
    assert first.models == {"m1": len(week)}


def test_p_values_of_independent_calls_are_those_of_two_shares():
    periods = measure([attrs.evolve(row, person=None) for row in rows_of()]).periods
    earlier, later = periods[0].accepted, periods[2].accepted
    variance = variance_of_share(earlier) + variance_of_share(later)
    people = earlier.of + later.of
    difference = later.count / later.of - earlier.count / earlier.of
    by_person = scipy.stats.chi2.sf(difference**2 / (variance * people / (people - 1)), 1)
    cells = [[share.count, share.of - share.count] for share in (earlier, later)]
    (change,) = (change for change in periods[2].changes if change.of == "accepted")
    assert change.p_value == pytest.approx(max(by_person, scipy.stats.fisher_exact(cells).pvalue))


def variance_of_share(share):
    rate = share.count / share.of
    return rate * (1 - rate) / share.of


def test_weeks_from_monday_in_utc_that_did_not_change_differ_by_chance():
    drift = measure(rows_of())
    names = [period.name for period in drift.periods]
    assert names == ["2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19"]
    assert sum(period.calls for period in drift.periods) == 1200
    assert moved(drift) == set()
    assert "more than chance" in drift.headline
    # Three questions about each of three weeks.
    assert drift.questions == 9


def test_moved_answers_are_said_to_move_and_not_to_be_worse():
    rows = rows_of()
    for number, row in enumerate(rows):
        if row.at.day >= 12 and number % 5 == 0:
            rows[number] = attrs.evolve(row, decision="no_match", model="m2")
    drift = measure(rows)
    assert moved(drift) == {("2026-10-12", "accepted"), ("2026-10-19", "accepted")}
    assert "The answers of didit moved: in the week of" in drift.headline
    assert all(week in drift.headline for week in ("2026-10-12", "2026-10-19"))
    assert "The name of its model changed: m1 and m2" in drift.headline
    for text in (drift.headline, *drift.caveats[1:]):
        assert "worse" not in text


def test_the_headline_names_every_month_that_moved_and_the_largest_first():
    """In November many calls fail; in December no face is found a little more often."""
    month = simulate_month(np.random.default_rng(7), calls=3000)
    rows = [row for row in month.rows(step_s=2500) if row.side is Side.ANSWERED]
    for number, row in enumerate(rows):
        if row.at.month == 11 and number % 10 < 4:
            rows[number] = attrs.evolve(row, decision=None, score=None, error="RateLimited")
        elif row.at.month == 12 and number % 10 == 4:
            rows[number] = attrs.evolve(row, decision="inconclusive", score=None)
    drift = measure(rows, span=Span.MONTH)
    assert {name for name, _ in moved(drift)} == {"2026-11", "2026-12"}
    large, small = drift.headline.index("2026-11"), drift.headline.index("2026-12")
    assert large < small
    assert drift.headline.index("errors", large) < small


@pytest.mark.parametrize(
    ("first", "now", "text"),
    [
        (0.951, 0.954, "accepted 95.40 % instead of 95.10 %"),
        (0.95, 0.91, "accepted 91.0 % instead of 95.0 %"),
    ],
)
def test_a_change_is_written_with_the_digits_that_show_it(first, now, text):
    assert describe_change(Change(of="accepted", first=first, now=now, p_value=0.0)) == text


def test_more_pictures_without_a_face_and_errors_are_found():
    rows = rows_of()
    for number, row in enumerate(rows):
        if row.at.day >= 12 and number % 8 == 0:
            rows[number] = attrs.evolve(
                row, decision="inconclusive", score=None, warnings="no_face x"
            )
        elif row.at.day >= 19 and number % 8 == 1:
            rows[number] = attrs.evolve(row, decision=None, score=None, error="VendorUnavailable")
    drift = measure(rows)
    assert ("2026-10-12", "inconclusive") in moved(drift)
    assert ("2026-10-19", "errors") in moved(drift)
    last = drift.periods[-1]
    assert last.warnings["no_face"] == last.inconclusive.count
    assert last.error_classes == {"VendorUnavailable": last.errors.count}
    # Weeks without any have a share, too, whose interval says how many there may be.
    assert all(row["Inconclusive"].endswith(")") for row in period_rows(drift))
    assert {row["Inconclusive"] for row in period_rows(measure(rows_of()))} == {""}


def lowest_p_value(rows):
    periods = measure(rows).periods
    return min(change.p_value for period in periods for change in period.changes)


def test_repeated_people_do_not_count_as_more_evidence():
    """The same calls twelve times, by the same people, move nothing that did not move before."""
    rows = rows_of(seed=3, people=40)
    repeated = []
    for row in rows:
        repeated += [attrs.evolve(row, call_id=f"{row.call_id}-{copy}") for copy in range(12)]
    assert lowest_p_value(repeated) == pytest.approx(lowest_p_value(rows), rel=0.5)


@pytest.mark.slow
def test_equal_weeks_are_called_moved_in_less_than_one_study_of_ten():
    drifts = [measure(rows_of(seed=seed, people=150)) for seed in range(40)]
    assert len([drift for drift in drifts if moved(drift)]) <= 6


def is_compared(drift):
    return [bool(period.changes) for period in drift.periods]


def test_few_results_are_shown_and_not_compared():
    rows = [row for number, row in enumerate(rows_of()) if row.at.day < 12 or number % 40 == 0]
    drift = measure(rows)
    assert is_compared(drift) == [False, True, False, False]
    assert drift.periods[2].calls < FEWEST_CALLS
    assert any("shown and not compared" in caveat for caveat in drift.caveats)


def test_later_periods_are_compared_with_the_first_that_has_enough_results():
    rows = [row for number, row in enumerate(rows_of()) if row.at.day >= 5 or number % 40 == 0]
    drift = measure(rows)
    assert is_compared(drift) == [False, False, True, True]
    assert any("with the first comparable week" in caveat for caveat in drift.caveats)


def test_candidates_are_a_system_too_and_dropped_or_unfinished_calls_are_left_out():
    month = simulate_month(np.random.default_rng(7), calls=400)
    rows = month.rows()
    rows[1] = attrs.evolve(rows[1], not_asked=NotAsked.LATE, decision=None, score=None)
    rows[3] = attrs.evolve(rows[3], decision=None, score=None).begun(may_be_charged=True)
    with pytest.raises(fm.InvalidRequest, match=r"--system: didit \(400 calls\), deepvue \(398 "):
        measure(rows)
    drift = measure(rows, system="deepvue")
    assert sum(period.calls for period in drift.periods) == 398


def test_scores_of_several_scales_have_no_quantiles():
    rows = rows_of()
    rows[0] = attrs.evolve(rows[0], scale="another")
    drift = measure(rows)
    assert drift.scale is None
    assert [period.quantiles for period in drift.periods] == [{}] * 4


def test_document_and_page_have_the_same_headline():
    drift = measure(rows_of())
    document = json.loads(json.dumps(drift.to_dict(), allow_nan=False))
    assert (document["kind"], document["span"]) == ("drift", "week")
    page = drift_html(drift)
    assert page == drift_html(drift)
    assert drift.headline in page
    assert "person-" not in page


@given(
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_the_exact_test_is_that_of_scipy(before, after):
    table = [[sum(marks), len(marks) - sum(marks)] for marks in (before, after)]
    p_value = fisher_exact(np.array(before), np.array(after))
    assert p_value == pytest.approx(scipy.stats.fisher_exact(table)[1], rel=1e-9)


def test_the_exact_test_of_long_logs_is_that_of_scipy():
    before = np.arange(40_000) < 3_100
    after = np.arange(90_000) < 7_300
    expected = scipy.stats.fisher_exact([[3_100, 36_900], [7_300, 82_700]])[1]
    assert fisher_exact(before, after) == pytest.approx(expected, rel=1e-8)
