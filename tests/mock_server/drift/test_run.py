"""How a target is asked: once, in order, stopped at the first bad sign, and cleaned up after."""

from decimal import Decimal

import pytest
from drift_targets import CHAINS, SCRIPT, STEPS, Target, answer, player

from facematch_core import OutcomeUnknown, VendorUnavailable


def at(name, change):
    """What gives another answer to one step."""
    return lambda step, real: change(real) if step.name == name else real()


def test_every_step_is_asked_once_and_in_order():
    """Of a vendor that answers, and the account is as before."""
    target = Target()
    run = player(target).play(SCRIPT.chains)
    assert run.stopped is None
    assert [heard.step.name for one in run.played for heard in one.heard] == list(STEPS)
    assert [step.name for step in target.sent] == list(STEPS)
    assert target.mock.control.sessions() == ()
    assert target.deleted == []


def test_the_first_request_is_free_and_shows_the_key():
    """Whoever has a wrong key or none pays nothing to learn it."""
    first = SCRIPT.chains[0].steps[0]
    assert (first.key, first.method, first.pays) == ("own", "GET", None)


def test_costs_are_those_of_the_books():
    """What is counted by the list is what the mock has charged; a sandbox costs nothing."""
    target = Target()
    run = player(target).play(SCRIPT.chains)
    charged = [charge.amount for charge in target.mock.control.charges()]
    assert run.amount == sum(charged, Decimal(0)) > 1
    assert sum(run.paid.values()) == len(charged)
    assert run.unknown == 0
    assert player(Target(), is_paid=False).play([CHAINS["match"]]).amount == 0


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_ends_it(status):
    """At the first own request that is refused for key or credit; nothing more is sent."""
    target = Target(instead=at("match, not kept", lambda _real: answer(status)))
    run = player(target).play([CHAINS["match"], CHAINS["liveness"]])
    assert f"the answer was {status}" in run.stopped
    # That answer says something of the account, and nothing of the documents.
    heard = [[heard.step.name for heard in one.heard] for one in run.played]
    assert (len(target.sent), heard, run.paid) == (2, [["balance before a match"]], {})


def test_refusals_of_other_keys_end_nothing():
    """A wrong key is shown on purpose."""
    run = player(Target()).play([CHAINS["keys"]])
    assert run.stopped is None
    assert len(run.played[0].heard) == len(CHAINS["keys"].steps)


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (OutcomeUnknown("The line is dead.", backend="didit"), 1),
        (VendorUnavailable("The line is dead.", backend="didit"), 0),
    ],
)
def test_no_answer_ends_it(error, unknown):
    """What was answered before counts; a paid call that may have been made is told."""

    def lost(_real):
        raise error

    target = Target(instead=at("match, not kept", lost))
    run = player(target).play([CHAINS["match"], CHAINS["liveness"]])
    assert "“match, not kept”: The line is dead." in run.stopped
    assert (run.unknown, len(target.sent)) == (unknown, 2)


@pytest.mark.parametrize(("wanted", "waited"), [("7", 7), (None, 60), ("3600", 60)])
def test_a_throttled_request_is_sent_again(wanted, waited):
    """It was not carried out; we wait as long as it says, not above a minute, not for ever."""
    headers = {} if wanted is None else {"Retry-After": wanted}
    struck, waits = [], []

    def throttled(real):
        struck.append(1)
        return answer(429, b"", **headers) if len(struck) < 3 else real()

    target = Target(instead=at("match, not kept", throttled))
    run = player(target, sleep=waits.append).play([CHAINS["match"]])
    assert waits == [waited, waited]
    assert run.stopped is None
    assert run.paid["match"] == 5
    target = Target(instead=at("match, not kept", lambda _real: answer(429, b"", **headers)))
    waits.clear()
    run = player(target, sleep=waits.append).play([CHAINS["match"]])
    assert waits == [waited] * 5
    assert run.played[0].heard[1].status == 429


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500, 502, 503])
def test_a_paid_call_with_an_answer_is_never_sent_again(status):
    """Whatever the answer, but for 429, it is one."""
    target = Target(instead=at("match, not kept", lambda _real: answer(status)))
    player(target).play([CHAINS["match"]])
    assert [step.name for step in target.sent].count("match, not kept") == 1


def test_what_was_kept_is_deleted_after_an_early_end():
    """Also when somebody presses Ctrl-C."""

    def stop(_real):
        raise KeyboardInterrupt

    target = Target(instead=at("list", stop))
    with pytest.raises(KeyboardInterrupt):
        player(target).play([CHAINS["kept"]])
    assert len(target.deleted) == 4
    assert target.mock.control.sessions() == ()


def test_what_cannot_be_deleted_is_told():
    """How many sessions are left, never which."""

    def refused(step, real):
        return answer(500) if step.method == "DELETE" else real()

    assert player(Target(instead=refused)).play([CHAINS["kept"]]).kept == 4


def test_what_is_kept_against_our_will_is_deleted():
    """If a call that was not to be kept has a record, all of them may have."""
    target = Target(instead=at(SCRIPT.unsaved, lambda _real: answer(200)))
    player(target).play([CHAINS["match"]])
    assert STEPS[SCRIPT.unsaved].method == "GET"
    assert len(target.deleted) == sum(one.pays is not None for one in CHAINS["match"].steps)


def test_what_should_have_been_refused_is_deleted():
    """Nobody asked such a call not to be kept."""
    accepted = answer(200, b'{"request_id":"0c9a1f70"}')
    target = Target(instead=at("no ending", lambda _real: accepted))
    run = player(target).play([CHAINS["files"]])
    assert target.deleted == ["/v3/session/0c9a1f70/delete/"]
    assert run.paid == {"match": 1}


def test_a_step_without_its_value_is_left_out():
    """An answer that does not tell its id spares what needs it."""
    body = b'{"face_match":{"status":"?","warnings":[]}}'
    target = Target(instead=at("match, kept", lambda _real: answer(200, body)))
    run = player(target).play([CHAINS["kept"]])
    assert {"decision of a match", "match at the score, kept"} <= set(run.played[0].left_out)
    assert "decision of a check" in [heard.step.name for heard in run.played[0].heard]


def test_progress_is_told():
    """How many were asked, and the next one."""
    seen = []
    player(Target(), progress=lambda *one: seen.append(one)).play([CHAINS["files"]])
    assert seen[:2] == [(0, "match without anything"), (1, "text for a picture")]
