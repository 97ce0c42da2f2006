"""Every fault x vendor x setting of the gates: the rules of money hold for each.

``UPDATE_DOCS=1 pytest tests/money/test_faults.py`` writes the page.
"""

import os
import re
from pathlib import Path

import pytest
from kit.money.lines import PAID, World
from kit.money.outcomes import CASES, NOBODY, VERSIONS, Asked, all_outcomes, outcome, struck
from kit.money.page import tables
from kit.money.rules import check_each, check_gates
from kit.money.stories import FAULTS, REFUSED, UNREADABLE, Breakage

from facematch_mock_server.faults import POSSIBLE, Kind, Stage

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "faults-and-money.md"
MARKS = re.compile(r"(<!-- generated: outcomes -->\n).*?(<!-- end -->)", re.DOTALL)


def test_the_table_is_whole():
    """Every kind of fault at every stage where it is possible has its row."""
    found = {(case.stage, case.kind) for case in (*FAULTS, *UNREADABLE)}
    assert found == {(stage, kind) for stage, kinds in POSSIBLE.items() for kind in kinds}
    done = {
        (case.kind, case.more.get("executed")) for case in FAULTS if case.stage == "after_upload"
    }
    assert done == {(kind, way) for kind in POSSIBLE[Stage.AFTER_UPLOAD] for way in (False, True)}


def test_every_fault_and_the_page_of_them():
    """The rules of money hold for each of some thousand calls, and the tables tell them all.

    One test, because one run takes seconds.
    """
    outcomes = all_outcomes()
    check_each(outcomes)
    check_gates(outcomes)
    source = PAGE.read_text()
    assert len(MARKS.findall(source)) == 1
    whole = MARKS.sub(lambda mark: f"{mark[1]}\n{tables(outcomes)}\n\n{mark[2]}", source)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(whole)
    assert whole == PAGE.read_text()


def over_a_socket(vendor, case):
    """The outcome of a plain call over a real connection."""
    # Only who will hear nothing is impatient: any other answer may be late on a busy machine.
    world = World(patience_s=0.5 if "seconds" in case.more else 30)
    try:
        asked = Asked(world, (vendor, *(other for other in PAID if other != vendor)), ())
        asked.log_in(vendor)
        struck(world, case, PAID[vendor][0])
        return asked.once()
    finally:
        world.end()


@pytest.mark.parametrize("vendor", sorted(PAID))
def test_the_same_over_a_socket(vendor):
    """What was seen within the process is what a socket shows: all but the count of requests."""
    version = VERSIONS[vendor][0]
    for case in CASES:
        if case is not NOBODY:
            seen, told = over_a_socket(vendor, case), outcome(vendor, version, "no gate", case)
            if case.stage == "connect" and seen.error == "VendorUnavailable":
                # The end of the connection was there before the first byte could leave.
                told = outcome(vendor, version, "no gate", NOBODY)
            assert (seen.error, seen.billed) == (told.error, told.billed), case
            assert (seen.charges, seen.counted) == (told.charges, told.counted), case


@pytest.mark.parametrize("vendor", sorted(PAID))
@pytest.mark.parametrize("status", REFUSED)
def test_what_no_client_can_know(vendor, status):
    """A vendor that charges for what it says is free: the books differ, and nothing here tells."""
    more = {"status": status, "executed": True}
    case = Breakage(Stage.ANSWER.value, Kind.STATUS.value, more)
    world = World()
    asked = Asked(world, (vendor, *(other for other in PAID if other != vendor)), ("budget",))
    asked.log_in(vendor)
    struck(world, case, PAID[vendor][0])
    one = asked.once()
    world.close()
    if one.error == "MATCH":
        # A new token, and the call was made again: the refused one was charged as well.
        assert (one.charges, one.counted) == ((2, 0), ("spent", ""))
    else:
        assert (one.billed, one.charges, one.counted) == ("NO", (1, 0), ("", ""))
