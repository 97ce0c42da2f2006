"""The file of calls to label: blind, in random order, and read only as it was written."""

import csv
import io

import numpy as np
import pytest
from kit.comparison.logs import simulate_month

import facematch_core as fm
from facematch_comparison.production.calls import Selection
from facematch_comparison.production.labels.review import draw_calls, read_labels, review_as_csv
from facematch_comparison.production.shadow import find_sides

MATCH = fm.Operation.MATCH


@pytest.fixture(scope="module")
def sides():
    month = simulate_month(np.random.default_rng(7))
    return find_sides(month.table(), Selection())


def rows_of(sides, references=None, *, agreements=0):
    drawn = draw_calls(sides.compared, sides.disagrees, agreements=agreements)
    text = review_as_csv(drawn, sides.question, references)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read(rows):
    return read_labels(list(enumerate(rows, start=2)), "review.csv", MATCH)


def test_file_has_each_disagreement_once_in_random_order(sides):
    rows = rows_of(sides)
    calls = [row["call"] for row in rows]
    disagreements = list(sides.compared["call_id"][sides.disagrees])
    assert sorted(calls) == sorted(disagreements)
    assert calls != disagreements
    assert [row["number"] for row in rows] == [str(n + 1) for n in range(len(rows))]
    assert rows == rows_of(sides)


def test_file_does_not_say_who_accepted_or_what_is_an_agreement(sides):
    """Two rows of any kinds differ in nothing but ids, time and person."""
    rows = rows_of(sides, agreements=50)
    assert len(rows) == int(sides.disagrees.sum()) + 50
    alike = {"same_person", "remark", "written_for"}
    assert set(rows[0]) == alike | {"number", "call", "at", "person"}
    for column in alike:
        assert len({row[column] for row in rows}) == 1


def test_agreements_are_anywhere_in_the_file(sides):
    rows = rows_of(sides, agreements=50)
    agreements = set(sides.compared["call_id"][~sides.disagrees])
    numbers = [number for number, row in enumerate(rows) if row["call"] in agreements]
    assert len(numbers) == 50
    assert np.mean(numbers) == pytest.approx(len(rows) / 2, rel=0.25)


def test_own_references_are_beside_their_digest_and_safe_in_a_spreadsheet(sides):
    person = rows_of(sides)[0]["person"]
    rows = rows_of(sides, {person: "=cmd()"})
    assert {row["caller_ref"] for row in rows if row["person"] == person} == {"'=cmd()"}
    assert {row["caller_ref"] for row in rows if row["person"] != person} == {""}


@pytest.mark.parametrize("label", ["maybe", "2", "match"])
def test_another_label_is_refused_with_its_line(sides, label):
    rows = rows_of(sides)
    rows[0]["same_person"] = "yes"
    rows[1]["same_person"] = label
    with pytest.raises(fm.InvalidRequest, match=f"line 3: same_person is '{label}'"):
        read(rows)


def test_a_gap_is_refused_because_the_rest_is_no_sample(sides):
    rows = rows_of(sides)
    rows[0]["same_person"] = "yes"
    rows[2]["same_person"] = "yes"
    with pytest.raises(fm.InvalidRequest, match="line 3: same_person is empty, but line 4"):
        read(rows)


def test_sorting_the_file_does_not_matter(sides):
    rows = rows_of(sides)
    for row in rows[:20]:
        row["same_person"] = "0"
    expected = read(rows)
    rows.sort(key=lambda row: row["at"])
    assert read(rows) == expected
    assert len(expected.genuine) == 20


def test_joined_files_are_refused(sides):
    rows = rows_of(sides)
    rows[3]["written_for"] = "something else"
    with pytest.raises(fm.InvalidRequest, match="several values"):
        read(rows)


def test_a_changed_file_is_refused(sides):
    rows = [row | {"written_for": "something else"} for row in rows_of(sides)]
    labels = read(rows)
    with pytest.raises(fm.InvalidRequest, match="written_for of the review file was changed"):
        assert labels.until


def test_a_file_without_its_column_is_refused(sides):
    rows = rows_of(sides)
    for row in rows:
        del row["same_person"]
    with pytest.raises(fm.InvalidRequest, match="the column same_person is missing"):
        read(rows)


def test_a_call_that_occurs_twice_is_refused_with_both_lines(sides):
    """Two people's files one below the other: the second labels would silently count."""
    rows = rows_of(sides)
    for row in rows:
        row["same_person"] = "yes"
    again = dict(rows[0]) | {"number": str(len(rows) + 1), "same_person": "no"}
    with pytest.raises(fm.InvalidRequest, match=f"line {len(rows) + 2}: the call of line 2 again"):
        read([*rows, again])
