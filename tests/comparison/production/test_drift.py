"""One system over time: shares and quantiles by period, and what counts as moved."""

import datetime as dt
import json

import attrs
import numpy as np
import pytest
from kit.comparison.logs import simulate_month
from scipy import stats

import facematch_core as fm
from facematch_comparison.production.calls import Selection, table_of
from facematch_comparison.production.drift import FEWEST_CALLS, Change, Span, measure_drift
from facematch_comparison.production.drift_sentences import describe_change, with_sentences
from facematch_comparison.production.page import drift_html
from facematch_core.call_log import NotAsked, Side

ALL = Selection()
MADE_AT = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def rows_of(seed=7, **options):
    """The answers of one system: 1,200 calls in three weeks and a day."""
    month = simulate_month(np.random.default_rng(seed), calls=1200, **options)
    return [row for row in month.rows(step_s=1600) if row.side is Side.ANSWERED]


def measure(rows, **options):
    found = measure_drift(table_of(rows), ALL, log="calls.sqlite3", made_at=MADE_AT, **options)
    return with_sentences(found)


def moved(drift):
    return {
        (period.name, change.of) for period in drift.periods for change in period.changes
        if change.is_real
    }  # fmt: skip


def test_periods_are_weeks_from_monday_or_months_in_utc():
    rows = rows_of()
    weeks = measure(rows)
    assert [period.name for period in weeks.periods] == [
        "2026-09-28",
        "2026-10-05",
        "2026-10-12",
        "2026-10-19",
    ]
    assert sum(period.calls for period in weeks.periods) == 1200
    months = measure(rows, span=Span.MONTH)
    assert [period.name for period in months.periods] == ["2026-10"]
    assert "needs two months" in months.headline


def test_numbers_of_a_period_are_those_of_plain_counting():
    rows = rows_of()
    week = [row for row in rows if row.at < dt.datetime(2026, 10, 5, tzinfo=dt.UTC)]
    (first, *_) = measure(rows).periods
    assert (first.calls, first.people) == (len(week), len({row.person for row in week}))
    accepted = sum(row.decision == "match" for row in week)
    assert (first.accepted.count, first.accepted.of) == (accepted, len(week))
    scores = [row.score for row in week]
    for quantile in (0.1, 0.5, 0.9):
        found = first.quantiles[f"{quantile:g}"]
        assert found.value == pytest.approx(np.quantile(scores, quantile))
        assert found.interval.low < found.value < found.interval.high
    assert first.half_within_s == 0.5
    assert first.models == {"m1": len(week)}


def test_p_values_of_independent_calls_are_those_of_two_shares():
    rows = [attrs.evolve(row, person=None) for row in rows_of()]
    found = measure(rows)
    first, last = found.periods[0], found.periods[2]
    counts = [(each.accepted.count, each.accepted.of) for each in (first, last)]
    shares = [count / of for count, of in counts]
    variance = sum(share * (1 - share) / of for share, (_, of) in zip(shares, counts, strict=True))
    people = sum(of for _, of in counts)
    by_person = stats.chi2.sf((shares[1] - shares[0]) ** 2 / (variance * people / (people - 1)), 1)
    exact = stats.fisher_exact([[count, of - count] for count, of in counts])[1]
    (change,) = (change for change in last.changes if change.of == "accepted")
    assert change.p_value == pytest.approx(max(by_person, exact))


def test_what_did_not_change_is_chance():
    drift = measure(rows_of())
    assert moved(drift) == set()
    assert "more than chance" in drift.headline
    # Six questions about each of three weeks.
    assert drift.questions == 18


def test_moved_scores_are_said_to_move_and_not_to_be_worse():
    rows = rows_of()
    changed = [
        attrs.evolve(row, score=row.score * 0.8, model="m2") if row.at.day >= 12 else row
        for row in rows
    ]
    drift = measure(changed)
    assert {("2026-10-12", "scores"), ("2026-10-19", "scores")} <= moved(drift)
    assert "The answers of didit moved: in the week of 2026-10-19" in drift.headline
    assert "The name of its model changed: m1 and m2" in drift.headline
    for text in (drift.headline, *drift.caveats[1:]):
        assert "worse" not in text
    assert not any(of == "accepted" for _, of in moved(drift))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change(of="accepted", first=0.951, now=0.954, p_value=0.0), "95.40 % instead of 95.10 %"),
        (Change(of="accepted", first=0.95, now=0.91, p_value=0.0), "91.0 % instead of 95.0 %"),
        (
            Change(of="scores", quantile=0.5, first=71.42, now=71.31, p_value=0.0),
            "median score 71.31 instead of 71.42",
        ),
    ],
)
def test_a_change_is_written_with_the_digits_that_show_it(change, says):
    assert describe_change(change).endswith(says)


def test_more_pictures_without_a_face_and_errors_are_found():
    def changed(number, row):
        if row.at.day >= 12 and number % 8 == 0:
            return attrs.evolve(row, decision="inconclusive", score=None, warnings="no_face x")
        if row.at.day >= 19 and number % 8 == 1:
            return attrs.evolve(row, decision=None, score=None, error="VendorUnavailable")
        return row

    drift = measure([changed(number, row) for number, row in enumerate(rows_of())])
    assert ("2026-10-12", "inconclusive") in moved(drift)
    assert ("2026-10-19", "errors") in moved(drift)
    last = drift.periods[-1]
    assert last.warnings["no_face"] == last.inconclusive.count
    assert last.error_classes == {"VendorUnavailable": last.errors.count}


def test_repeated_people_do_not_count_as_more_evidence():
    """The same calls twelve times, by the same people, move nothing that did not move before."""
    rows = rows_of(seed=3, people=40)
    again = [
        attrs.evolve(row, call_id=f"{row.call_id}-{copy}") for row in rows for copy in range(12)
    ]
    p_values = []
    for each in (rows, again):
        p_values.append([c.p_value for p in measure(each).periods for c in p.changes])
    assert min(p_values[1]) == pytest.approx(min(p_values[0]), rel=0.5)


@pytest.mark.slow
def test_equal_weeks_are_called_moved_in_less_than_one_study_of_ten():
    wrong = sum(bool(moved(measure(rows_of(seed=seed, people=150)))) for seed in range(40))
    assert wrong <= 6


def test_few_results_are_shown_and_not_compared():
    rows = rows_of()
    few = [row for number, row in enumerate(rows) if row.at.day < 12 or number % 40 == 0]
    drift = measure(few)
    assert [bool(period.changes) for period in drift.periods] == [False, True, False, False]
    assert drift.periods[2].calls < FEWEST_CALLS
    assert any("shown and not compared" in caveat for caveat in drift.caveats)
    # What begins with few results is compared with the first period that has enough.
    late = measure([row for number, row in enumerate(rows) if row.at.day >= 5 or number % 40 == 0])
    assert [bool(period.changes) for period in late.periods] == [False, False, True, True]
    assert any("with the first comparable week" in caveat for caveat in late.caveats)


def test_few_scores_are_not_compared_and_the_page_says_so():
    rows = []
    for number, row in enumerate(rows_of()):
        is_scored = not 5 <= row.at.day < 12 or row.at.month > 10 or number % 40 == 0
        rows.append(row if is_scored else attrs.evolve(row, score=None))
    drift = measure(rows)
    assert drift.periods[1].is_comparable
    kinds = [{change.of for change in period.changes} for period in drift.periods[1:3]]
    assert ["scores" in of_period for of_period in kinds] == [False, True]
    (caveat,) = [text for text in drift.caveats if "fewer than 30 scores" in text]
    assert "2026-10-05" in caveat
    assert "2026-10-12" not in caveat
    assert not any("scores" in text for text in measure(rows_of()).caveats if "fewer" in text)


def test_candidates_are_a_system_too_and_dropped_calls_are_left_out():
    month = simulate_month(np.random.default_rng(7), calls=400)
    rows = month.rows()
    rows[1] = attrs.evolve(rows[1], not_asked=NotAsked.LATE, decision=None, score=None)
    with pytest.raises(fm.InvalidRequest, match=r"--system: didit \(400 calls\), deepvue \(399 "):
        measure(rows)
    drift = measure(rows, system="deepvue")
    assert sum(period.calls for period in drift.periods) == 399


def test_scores_of_several_scales_are_not_compared():
    rows = rows_of()
    rows[0] = attrs.evolve(rows[0], scale="another")
    drift = measure(rows)
    assert drift.scale is None
    assert drift.periods[0].quantiles == {}
    assert {change.of for change in drift.periods[1].changes} == {
        *("accepted", "inconclusive", "errors")
    }


def test_document_and_page_have_the_same_headline():
    drift = measure(rows_of())
    document = json.loads(json.dumps(drift.to_dict(), allow_nan=False))
    assert (document["kind"], document["span"]) == ("drift", "week")
    page = drift_html(drift)
    assert page == drift_html(drift)
    assert drift.headline in page
    assert "person-" not in page
