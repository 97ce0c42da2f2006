"""The mocks beside real answers that others recorded: what differs is listed, with its reason."""

import json
import tomllib
from types import SimpleNamespace

import pytest
from kit.recorded import VENDORS, Shape, compare, judge, listed, read_shapes, read_table

from facematch_mock_server.compared import FILE_IN_CHECKOUT

RECORDED = tomllib.loads(FILE_IN_CHECKOUT.read_text("utf-8"))["recorded"]
EXPLAINED = read_table("explained")
DIFFERS = read_table("differs")
NOT_IMITATED = EXPLAINED.pop("not_imitated")
#: No reason explains these kinds of differences.
NEVER_EXPLAINED = {"answer", "status", "type"}
#: How the names of fields with a verdict end.
VERDICTS = ("decision", "status", "result", "verified", "isidentical", "answer")


@pytest.mark.parametrize("vendor", VENDORS)
def test_mock_differs_from_real_answers_in_what_is_listed_alone(vendor):
    found = {difference for _, differences in judge(vendor) for difference in differences}
    not_imitated = {each for each in found if each[0] in NOT_IMITATED.get(vendor, ())}
    # What a mock learns to imitate, or to say, is listed no longer.
    assert {call for call, *_ in not_imitated} == {*NOT_IMITATED.get(vendor, ())}
    assert found - not_imitated == listed(EXPLAINED, vendor) | listed(DIFFERS, vendor)


@pytest.mark.parametrize("vendor", EXPLAINED)
def test_a_reason_is_given_once_and_for_no_status_and_no_type(vendor):
    assert not listed(EXPLAINED, vendor) & listed(DIFFERS, vendor)
    for _, kind, place in listed(EXPLAINED, vendor):
        assert kind not in NEVER_EXPLAINED
        assert "*" not in place
        assert kind != "word" or not place.lower().endswith(VERDICTS)


@pytest.mark.parametrize("row", RECORDED, ids=str)
def test_pages_count_the_answers_as_the_judge_does(row):
    counts = {"answers": 0, "not_imitated": 0, "now": 0}
    for shape, differences in judge(row["vendor"]):
        count = len(shape.seen) if shape.batch == row["batch"] else 0
        counts["answers"] += count
        if shape.call in NOT_IMITATED.get(row["vendor"], ()):
            counts["not_imitated"] += count
        elif all(kind == "header" for _, kind, _ in differences):
            counts["now"] += count
    assert row == {**row, **counts}


def test_each_vendor_of_which_an_answer_was_found_has_a_row():
    rows = [(row["vendor"], row["batch"]) for row in RECORDED]
    assert rows == sorted({(name, shape.batch) for name in VENDORS for shape in read_shapes(name)})


REAL = 'id:uuid at:time.6Z state:"open"|"to *" score:float.8 note:null tags[]{name:text}'
DOCUMENT = {
    "id": "6c7d1a52-1f0e-4d0b-9a39-7e5f2b8c4d10",
    "at": "2026-01-02T03:04:05.123456Z",
    "state": "to somebody",
    "score": 0.12345678,
    "note": None,
    "tags": [{"name": "a"}, {"name": "b"}],
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"tags": []}, []),
        ({"id": "x"}, ["form id"]),
        ({"at": "2026-01-02T03:04:05Z"}, ["form at"]),
        ({"score": 0.5}, ["decimals score"]),
        ({"score": "0.12345678"}, ["type score"]),
        ({"note": "x"}, ["null note"]),
        ({"tags": None}, ["null tags"]),
        ({"tags": [{"no": 1}]}, ["absent tags[].name", "extra tags[].no"]),
        ({"more": {"x": 1}}, ["extra more"]),
        ({"state": "shut"}, ["word state"]),
    ],
)
def test_judge_finds_each_kind_of_difference(changes, expected):
    shape = Shape(call="a call", seen=["recorded | 2026 | a file"], facts=REAL)
    answer = SimpleNamespace(status=200, document={**DOCUMENT, **changes})
    words = {"state": {'"open"', json.dumps(answer.document["state"])}}
    found = compare(shape, answer, [shape], words)
    assert [f"{kind} {place}" for _, kind, place in found] == expected
