"""The mocks beside real answers that others recorded: what differs is listed, with its reason."""

import tomllib
from pathlib import Path

import pytest
from kit.recorded import FOLDER, VENDORS, judge, read_listed

PAGES = Path(__file__).parents[2]
#: No reason explains these: see CONTRIBUTING.md.
NEVER_EXPLAINED = {"answer", "status", "type"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_mock_differs_from_real_answers_in_what_is_listed_alone(vendor):
    found = {difference for _, differences in judge(vendor) for difference in differences}
    listed = read_listed(vendor)
    not_imitated = {each for each in found if each.call in listed.not_imitated}
    assert {each.call for each in not_imitated if each.kind in NEVER_EXPLAINED} == set(
        listed.not_imitated
    )
    known = listed.differs | set(listed.explained)
    assert sorted(found - not_imitated - known) == []
    # What no longer differs is listed no longer.
    assert sorted(known - found) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_explanation_names_a_page_and_no_status_or_verdict(vendor):
    listed = read_listed(vendor)
    assert not listed.differs & set(listed.explained)
    for difference, (why, page) in listed.explained.items():
        assert why
        assert difference.kind not in NEVER_EXPLAINED
        assert "*" not in difference.call + difference.place
        assert (PAGES / page.partition("#")[0]).exists()
