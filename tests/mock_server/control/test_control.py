"""The verbs as a Python object."""

import datetime as dt
import inspect
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import match
from kit.mock_worlds import app_of, control_of, world_of

from facematch_mock_server.control import Control
from facematch_mock_server.faults import Fault
from facematch_mock_server.recognition.outcomes import SetOutcome
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.recognition.sheet import make_card

P1 = make_card("p1")


@pytest.fixture
def engine():
    """An engine whose world takes outcomes."""
    return app_of(world_of(PictureRecognizer(), clock=didit.VirtualClock(didit.START)))


@pytest.fixture
def steer(engine):
    """Its control."""
    return control_of(engine.world)


def test_outcomes(engine, steer):
    """An outcome for the next call, and none that does not fit."""
    steer.set_outcome("match", score=12)
    assert len(steer.outcomes()) == 1
    assert engine.handle(match()).json()["face_match"]["score"] == 12.0
    steer.set_outcome("liveness", attack=True)
    steer.clear_outcomes()
    assert steer.outcomes() == ()
    with pytest.raises(ValueError, match="between 0 and 100"):
        steer.set_outcome("match", score=101)


def test_outcomes_take_what_an_outcome_has():
    """The same names, defaults and annotations, so that an editor can show them."""
    ours, fields = (
        {
            name: (one.default, one.annotation)
            for name, one in inspect.signature(of).parameters.items()
        }
        for of in (Control.set_outcome, SetOutcome)
    )
    del fields["digests"], ours["self"], ours["digest"], ours["picture"]
    assert ours == fields


def test_a_review_that_nobody_would_see_is_refused(engine, steer):
    """Those editions that have it are named; no outcome waits, and False is no review."""
    nobody = {
        "liveness": "^review is an outcome of a match, not of a liveness check$",
        "match": "2026-07 has no .* for a match; .*: 2026-03; or set the switch in_review$",
    }
    for operation, words in nobody.items():
        with pytest.raises(ValueError, match=words):
            steer.set_outcome(operation, review=True)
        assert steer.outcomes() == ()
        steer.set_outcome(operation, review=False)
        steer.clear_outcomes()


def test_a_review_where_the_edition_can_say_so(engine, steer):
    """It is answered In Review."""
    steer.reset(switches={"in_review": True})
    steer.set_outcome("match", review=True)
    assert engine.handle(match(P1, P1)).json()["face_match"]["status"] == "In Review"


def test_a_card_with_a_review_is_always_answered(engine):
    """Where the vendor cannot say so, the score decides as ever."""
    card = make_card("p1", review=True)
    assert card != P1
    assert engine.handle(match(card, card)).json()["face_match"]["status"] == "Approved"


def test_limits_are_changed_together_or_not_at_all(steer):
    """A wrong one after a good one leaves the good one alone."""
    before = steer.limits()
    for wrong in ({"write": 1, "get": -1}, {"get": 1, "push": 1}):
        with pytest.raises(ValueError, match="limit"):
            steer.set_limits(wrong)
        assert steer.limits() == before
    steer.set_limits({"get": None, "write": 2})
    assert steer.limits() == {**before, "write": 2, "get": None}


def test_a_decider_without_outcomes():
    """It takes none, and has none to clear."""
    steer = control_of(didit.new_world())
    with pytest.raises(ValueError, match="takes no outcomes"):
        steer.set_outcome("match", score=12)
    steer.clear_outcomes()
    assert steer.outcomes() == ()


def test_money_keys_and_limits(engine, steer):
    """What is set holds from the next call on."""
    steer.set_balance("0.05")
    key = steer.add_key("live", expires=dt.date(2026, 7, 2))
    assert engine.handle(match(key=key)).status == 200
    assert (steer.balance(), len(steer.charges())) == (Decimal(0), 1)
    assert steer.charges()[0].amount == Decimal("0.05")
    assert engine.handle(match(key=key)).status == 403
    assert key not in repr(steer.keys())
    steer.revoke_key(key)
    with pytest.raises(LookupError, match="no such key"):
        steer.revoke_key("other-key")
    steer.set_limit("write", 0)
    assert steer.limits()["write"] == 0
    assert engine.handle(match()).status == 429


def test_faults_and_clock(steer):
    """Added, listed, cleared; read, moved."""
    fault = Fault(stage="answer", kind="html")
    steer.add_fault(fault)
    assert steer.faults() == (fault,)
    steer.clear_faults()
    assert steer.faults() == ()
    assert steer.advance(60) == steer.now() == didit.START + dt.timedelta(seconds=60)


def test_journal_sessions_and_claims(engine, steer):
    """What happened, what was kept, and what it rests on."""
    engine.handle(match())
    assert (len(steer.journal()), len(steer.sessions.all())) == (1, 1)
    steer.clear_journal()
    assert steer.journal() == ()
    ids = {claim.id for claim in steer.claims()}
    assert "didit.match.boundary.exclusive" in ids
    assert "didit.match.boundary.inclusive" not in ids
    assert steer.explain("didit.score.compared").startswith("didit.score.compared")


def test_the_journal_is_narrowed_down(engine, steer):
    """The same filters as over HTTP; a number that is none is refused."""
    for case in ("case-1", "case-2", "case-3"):
        engine.handle(match(vendor_data=case))
    second = steer.journal(fields={"vendor_data": "case-2"})
    assert [entry.number for entry in second] == [2]
    assert [entry.number for entry in steer.journal(limit=2)] == [2, 3]
    assert steer.journal(limit=0) == steer.journal(since=3) == steer.journal(status=503) == ()
    assert steer.count(path="/v3/", status=200) == steer.count() == 3
    assert steer.count(path="/v3/", since=1, person="nobody") == 0
    for wrong in ({"since": -1}, {"status": "200"}, {"limit": True}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number"):
            steer.journal(**wrong)


def test_a_reset_keeps_what_was_chosen(engine, steer):
    """Keys, credit and ids begin again; edition, switches and time stay."""
    steer.reset(edition="2026-03", switches={"start_credit": "7"})
    first = engine.handle(match()).status
    steer.add_key(key="another-key")
    steer.advance(5)
    steer.reset()
    assert first == 200
    assert (steer.balance(), steer.behaviours()["edition"]) == (Decimal(7), "2026-03")
    assert len(steer.keys()) == 2
    assert steer.now() == didit.START + dt.timedelta(seconds=5)
