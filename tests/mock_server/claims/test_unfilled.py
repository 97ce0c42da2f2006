"""The documented fields that a mock never fills: a list in its claims, and on its page."""

import re
from pathlib import Path

import pytest

from facematch_mock_server.vendors import vendor_named, vendor_names

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"


def unfilled_by(vendor):
    """Return the names in the vendor's claim `answer.unfilled`; none if it has no such claim."""
    for claim in vendor_named(vendor).claims:
        if claim.key == "answer.unfilled":
            return claim.value
    return ()


def answered_by(vendor):
    """Return the names of all fields in the answers of the vendor's mock."""
    names = set()
    for line in (GOLDEN / f"answers_{vendor}.txt").read_text().splitlines():
        answer, _, _ = line.partition(": ")
        _, _, body = answer.partition(" ")
        names.update(re.findall(r"[\w-]+", body))
    return names


WITH_LIST = [name for name in vendor_names() if unfilled_by(name)]


def test_several_vendors_have_a_list():
    assert {"alibaba", "baidu", "stripe"} <= set(WITH_LIST)


@pytest.mark.parametrize("vendor", WITH_LIST)
def test_field_that_is_never_filled_is_in_no_answer_and_on_the_page(vendor):
    names = unfilled_by(vendor)
    assert set(names) & answered_by(vendor) == set()
    page = (ROOT / f"docs/vendors/{vendor}.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in page] == []
