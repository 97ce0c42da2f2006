"""The report in words: what is false, what it cost, what is left to do."""

import datetime as dt
from decimal import Decimal

import attrs
import pytest
from drift_targets import CHAINS, SCRIPT, false, judged, missing, played

from facematch_mock_server.drift.command import notice
from facematch_mock_server.drift.judge import Finding, Verdict
from facematch_mock_server.drift.report import Report
from facematch_mock_server.drift.run import Change, Run, claims_of


def report(answers, edition="2026-11", **more):
    """The report of a run."""
    return Report(
        script=SCRIPT,
        edition=edition,
        environment="mock",
        day=dt.date(2026, 11, 20),
        run=Run(played=answers, **more),
        verdict=judged(answers, edition),
    )


def of(claim, *chains):
    """The report in words of a mock of which one claim is false."""
    return report(played(chains=[CHAINS[name] for name in chains], change=false(claim))).to_text()


def test_no_drift():
    """And what was not asked is not said to hold."""
    told = report(played(chains=[CHAINS["match"], CHAINS["files"]]))
    assert "Nothing differs." in told.to_text()
    assert "didit.match.boundary.exclusive" in told.verdict.agreeing
    assert "didit.liveness.boundary.exclusive" in told.untouched
    assert "--all" in told.to_text()
    assert "  didit.webhook.event\n" in told.to_text(every=True)


def test_a_false_claim_with_its_document():
    """What the document says, of which date, when it was read; and what was seen."""
    text = of("didit.match.boundary.exclusive", "match", "keys")
    assert "false: didit.match.boundary.exclusive\n" in text
    assert "says: Only a score strictly above the threshold is Approved. (documented; " in text
    assert "Didit API reference, Face Match, June 2026; read 2026-11-20)" in text
    assert "seen instead: what didit.match.boundary.inclusive says" in text
    assert 'match at the score: body.face_match.status is "Approved", not "Declined"' in text
    assert "False: 1 claim." in text


def test_several_suspects():
    """Claims that no request tells apart stand together; of many only the first are shown."""
    ids = [*claims_of("didit")][:7]
    places = tuple((f"step {number}", "body.x", "null", "a text") for number in range(5))
    for restores, title in ((True, "false, one of these:"), (False, "different, and these claims")):
        finding = Finding(
            suspects=tuple(Change(claim, "", None) for claim in ids),
            restores=restores,
            differences=places,
        )
        verdict = Verdict(
            findings=(finding,), agreeing=frozenset(), touched=frozenset(ids), fits={"2026-11": 5}
        )
        text = attrs.evolve(report([]), verdict=verdict).to_text()
        assert title in text
        assert f"  {ids[4]}\n" in text
        assert f"  {ids[5]}\n" not in text
        assert "and 2 more claims" in text
        assert "seen: step 2: body.x is a text, not null\n  and in 2 more places" in text
        assert ("False: 1 claim." if restores else "no single claim explains: 1.") in text


def test_what_else_there_is_to_know():
    """An early end, calls that may be paid, sessions that are left, requests that were left out."""
    answers = played(chains=[CHAINS["files"]])
    answers[0] = attrs.evolve(answers[0], left_out=("decision of a match",))
    text = report(answers, stopped="at the step x: y", kept=2, unknown=1).to_text()
    assert not missing(
        text,
        "It ended early at the step x: y.",
        "which may have been charged: 1.",
        "could not be deleted: 2.",
        "begins with facematch-drift",
        "Requests that could not be made: decision of a match.",
    )


def test_the_edition_that_fits():
    """Named only if it fits clearly better."""
    july = played("2026-07", [CHAINS["keys"], CHAINS["match"]])
    assert report(july, "2026-03").better_edition == "2026-07"
    assert "The edition 2026-07 fits better" in report(july, "2026-03").to_text()
    assert report(july, "2026-07").better_edition is None


@pytest.mark.parametrize("is_paid", [True, False])
def test_the_notice_says_what_is_sent_and_paid(is_paid):
    """Before anything is; the price is that of the list."""
    text = notice(SCRIPT, [CHAINS["match"]], "HOST", "a key", is_paid=is_paid)
    assert "at HOST, with a key" in text
    assert "comparisons that are not kept" in text
    assert ("at most 5 calls: USD 0.25" if is_paid else "at most 0 calls: USD 0 ") in text
    assert "webhooks" not in text
    assert "webhooks" in notice(SCRIPT, [CHAINS["kept"]], "HOST", "a key", is_paid=is_paid)


def test_costs_are_amounts():
    """As text, with all their places."""
    told = report([], amount=Decimal("0.25"), paid={"match": 5}).to_dict()
    assert told["cost"]["amount"] == "0.25"
    assert told["cost"]["paid_calls"] == {"match": 5}
