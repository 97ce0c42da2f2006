"""How a target is asked: once, in order, stopped at the first bad sign, and cleaned up after."""

from decimal import Decimal

import pytest
from drift_targets import CHAINS, SCRIPT, STEPS, Target, played, player, proof

from facematch_mock_server.drift._playing import Unanswered
from facematch_mock_server.drift._script import Shown
from facematch_mock_server.drift._talking import Answer


@pytest.fixture
def model():
    """Of the newest edition."""
    return proof("2026-11").model


def is_for(name, asked):
    """Whether a request is that of a step, whatever its ids are."""
    step = STEPS[name]
    verb = step.path.rstrip("/").rpartition("/")[2]
    same = (asked.method, asked.files, asked.key) == (step.method, step.files, step.key)
    return same and asked.path.rstrip("/").endswith(verb)


def at(name, change):
    """What makes another answer of that to one step and those like it."""
    return lambda asked, answer: change(answer) if is_for(name, asked) else answer


def with_status(status, body=b'{"detail":"x"}', **headers):
    """Another answer instead."""
    return lambda _answer: Answer(status=status, headers=headers, body=body)


def test_every_step_is_asked_once_and_in_order(model):
    """Of a vendor that answers, and the account is as before."""
    target = Target(model)
    run = player(target, model=model).play(SCRIPT.chains)
    assert run.stopped is None
    assert [name for one in run.played for name in one.seen] == list(STEPS)
    assert len(target.sent) == len(STEPS)
    assert target.engine.world.sessions.all() == ()
    assert target.deleted == []


def test_the_first_request_is_free_and_shows_the_key():
    """Whoever has a wrong key or none pays nothing to learn it."""
    first = SCRIPT.chains[0].steps[0]
    assert first.key is Shown.OWN
    assert first.method == "GET"


def test_costs_are_those_of_the_books(model):
    """What is counted by the list is what the mock has charged."""
    target = Target(model)
    run = player(target, model=model).play(SCRIPT.chains)
    charged = [charge.amount for charge in target.engine.world.ledgers.entries()]
    assert run.costs.amount == sum(charged, Decimal(0)) > 1
    assert sum(run.costs.calls.values()) == len(charged)
    assert run.costs.unknown == 0


def test_a_sandbox_costs_nothing(model):
    """No price, no costs."""
    assert player(Target(model)).play([CHAINS["match"]]).costs.amount == 0


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_ends_it(model, status):
    """At the first own request that is refused for key or credit; nothing more is sent."""
    target = Target(model, change=at("match, not kept", with_status(status)))
    run = player(target, model=model).play([CHAINS["match"], CHAINS["liveness"]])
    assert f"the answer was {status}" in run.stopped
    assert len(target.sent) == 2
    # That answer says something of the account, and nothing of the documents.
    assert [list(one.seen) for one in run.played] == [["balance before a match"]]
    assert run.costs.calls == {}


def test_refusals_of_other_keys_end_nothing(model):
    """A wrong key is shown on purpose."""
    run = player(Target(model)).play([CHAINS["keys"]])
    assert run.stopped is None
    assert len(run.played[0].seen) == len(CHAINS["keys"].steps)


@pytest.mark.parametrize("may_be_paid", [True, False])
def test_no_answer_ends_it(model, may_be_paid):
    """What was answered before counts; a paid call that may have been made is told."""

    def lost(_answer):
        raise Unanswered("the line is dead", may_be_paid=may_be_paid)

    target = Target(model, change=at("match, not kept", lost))
    run = player(target, model=model).play([CHAINS["match"], CHAINS["liveness"]])
    assert "the line is dead" in run.stopped
    assert "match, not kept" in run.stopped
    assert run.costs.unknown == may_be_paid
    assert len(target.sent) == 2


def test_a_throttled_request_is_sent_again(model):
    """It was not carried out; we wait as long as the answer says, and not longer than a minute."""
    throttled, waited = [429, 429], []

    def instead(asked):
        struck = throttled and is_for("match, not kept", asked)
        return Answer(status=throttled.pop()) if struck else None

    target = Target(model, instead=instead)
    target.waits = 7.0
    run = player(target, model=model, sleep=waited.append).play([CHAINS["match"]])
    assert run.stopped is None
    assert waited == [7.0, 7.0]
    assert run.costs.calls["match"] == 5
    plain = player(Target(model), model=model).play([CHAINS["match"]])
    assert run.played[0].seen == plain.played[0].seen


@pytest.mark.parametrize(("wanted", "waited"), [(None, 60.0), (3600.0, 60.0)])
def test_patience_has_an_end(model, wanted, waited):
    """After some times the 429 is what was answered."""
    target, waits = Target(model, change=at("match, not kept", with_status(429, b""))), []
    target.waits = wanted
    run = player(target, model=model, sleep=waits.append).play([CHAINS["match"]])
    assert waits == [waited] * 5
    assert run.played[0].seen["match, not kept"]["status"] == "429"


def test_a_paid_call_with_an_answer_is_never_sent_again(model):
    """Whatever the answer, but for 429, it is one."""
    for status in (200, 400, 404, 409, 500, 502, 503):
        target = Target(model, change=at("match, not kept", with_status(status)))
        player(target, model=model).play([CHAINS["match"]])
        step = STEPS["match, not kept"]
        sent = [
            asked
            for asked in target.sent
            if asked.files == step.files and asked.fields == step.fields
        ]
        assert len(sent) == 1


def test_what_was_kept_is_deleted_after_an_early_end(model):
    """Also when somebody presses Ctrl-C."""

    def stop(_answer):
        raise KeyboardInterrupt

    target = Target(model, change=at("list", stop))
    with pytest.raises(KeyboardInterrupt):
        player(target, model=model).play([CHAINS["kept"]])
    ids = {session.id for session in target.engine.world.sessions.all()}
    assert len(ids) == 4
    assert {path.split("/")[3] for path in target.deleted} == ids


def test_what_cannot_be_deleted_is_told(model):
    """How many sessions are left, never which."""
    target = Target(model, change=at("deletion of a check", with_status(500)))
    target.delete = lambda _path: False
    assert player(target, model=model).play([CHAINS["kept"]]).kept == 4


def test_what_is_kept_against_our_will_is_deleted(model):
    """If a call that was not to be kept has a record, all of them may have."""
    change = at("decision of a match that was not kept", with_status(200))
    target = Target(model, change=change)
    player(target, model=model).play([CHAINS["match"]])
    assert STEPS[SCRIPT.unsaved].method == "GET"
    assert len(target.deleted) == sum(one.pays is not None for one in CHAINS["match"].steps)


def test_a_step_without_its_value_is_left_out(model):
    """An answer that does not tell its id spares what needs it."""
    change = at("match, kept", with_status(200, b'{"face_match":{"status":"?","warnings":[]}}'))
    run = played(model, chains=[CHAINS["kept"]], change=change)
    assert "decision of a match" in run.played[0].left_out
    assert "match at the score, kept" in run.played[0].left_out
    assert "decision of a check" in run.played[0].seen
