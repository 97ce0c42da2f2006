"""The report in words: what is false, what it cost, what is left to do."""

import datetime as dt
from decimal import Decimal

import attrs
import pytest
from drift_targets import CHAINS, REF, SCRIPT, false, played, proof

from facematch_mock_server.drift._playing import Costs
from facematch_mock_server.drift._reporting import price_of, report_of
from facematch_mock_server.drift._telling import notice, told


def reported(run, edition="2026-11", **more):
    """The report of a run."""
    more = {"sandbox": False, "environment": "mock", "day": dt.date(2026, 11, 20), **more}
    return report_of(SCRIPT, run, edition=edition, ref=REF, **more)


@pytest.fixture
def run():
    """Of an unchanged mock, of a few chains."""
    return played(proof("2026-11").model, chains=[CHAINS["match"], CHAINS["files"]])


def of(turn, chains=("match", "keys", "sizes")):
    """The report of a mock of which one claim is false."""
    model = proof("2026-11").model
    return reported(played(model, frozenset({turn}), [CHAINS[name] for name in chains]))


def test_no_drift_in_one_line(run):
    """And what was not asked is not said to hold."""
    report = reported(run)
    assert "Nothing differs." in told(report, every=False)
    assert "didit.match.boundary.exclusive" in report.checked
    assert "didit.liveness.boundary.exclusive" in report.unseen
    assert "--all" in told(report, every=False)
    assert "  didit.webhook.event\n" in told(report, every=True)


def test_a_false_claim_with_its_document():
    """What the document says, of which date, when it was read; and what was seen."""
    text = told(of(false("didit.match.boundary.exclusive")), every=False)
    assert "false: didit.match.boundary.exclusive\n" in text
    assert "says: Only a score strictly above the threshold is Approved. (documented; " in text
    assert "Didit API reference, Face Match, June 2026; read 2026-11-20)" in text
    assert "seen is what didit.match.boundary.inclusive says" in text
    assert 'match at the score: body.face_match.status is "Approved", not "Declined"' in text
    assert "False: 1 claim." in text


def test_one_of_several():
    """Claims that no request tells apart stand together."""
    text = told(of(false("didit.rate.headers")), every=False)
    assert "false, one of these:\n  didit.rate.headers\n" in text
    assert "  didit.rate.headers_on_success\n" in text
    assert "places more" in text


def test_what_is_documented_comes_first():
    """Our own choices stand behind the vendor's words."""
    model = proof("2026-11").model
    turns = frozenset({false("didit.file.size_limit"), false("didit.match.approved")})
    report = reported(played(model, turns, [CHAINS["sizes"], CHAINS["match"]]))
    kinds = [one[0].claim.origin.known.value for one in report.false]
    assert kinds == ["documented", "ours"]


def test_what_else_there_is_to_know(run):
    """An early end, calls that may be paid, sessions that are left, requests that were left out."""
    run = attrs.evolve(run, stopped="at the step x: y", kept=2, costs=Costs(unknown=1))
    run.played[0] = attrs.evolve(run.played[0], left_out=("decision of a match",))
    text = told(reported(run), every=False)
    assert "It ended early at the step x: y." in text
    assert "which may have been charged: 1." in text
    assert "could not be deleted: 2." in text
    assert "begins with facematch-drift" in text
    assert "Requests that could not be made: decision of a match." in text


def test_the_edition_that_fits():
    """Named only if it fits clearly better."""
    plain = proof("2026-07").plain
    july = attrs.evolve(plain, played=plain.played[:6])
    assert reported(july, "2026-03").better_edition == "2026-07"
    assert reported(july, "2026-07").better_edition is None
    assert reported(july, "2026-07").fits["2026-07"] == 0


def test_the_notice_says_what_is_sent_and_paid():
    """Before anything is; the price is that of the list."""
    model = proof("2026-11").model
    calls, price = price_of(SCRIPT, model, ["match", "files"])
    assert (calls, price) == (5, Decimal("0.25"))
    text = notice(
        SCRIPT, ["match"], calls=calls, price=price, where="HOST", whose="a key", keeps=False
    )
    assert "at HOST, with a key" in text
    assert "comparisons that are not kept" in text
    assert "5 calls are paid: USD 0.25" in text
    assert "webhooks" not in text
