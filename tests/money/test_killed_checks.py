"""A process is killed at each step of a check: nobody pays for it a second time."""

import datetime as dt
import signal

import pytest
from kit import warm
from kit.cards import CARDS

import facematch_core as fm
from facematch_core.testing import ManualClock
from facematch_didit import DiditBackend
from facematch_mock_server import MockServer

#: A click that ends at a step: before a statement that matches, or after the vendor's answer.
CLIENT = r"""
import os, re, signal, sys
import sqlalchemy
from kit.cards import CARDS
import facematch_core as fm
from facematch_didit import DiditBackend

url, key, address, method, step = sys.argv[1:]

def reach(reached):
    if reached == step:
        os.kill(os.getpid(), signal.SIGKILL)

@sqlalchemy.event.listens_for(sqlalchemy.Engine, "before_cursor_execute")
def note(connection, cursor, statement, *_):
    if statement.startswith("INSERT INTO facematch_checks"):
        reach("insert")
    changes = {"call": r"SET call=[^,]* WHERE", "liveness": r"\bliveness=", "result": r"\bresult="}
    for column, pattern in changes.items():
        if statement.startswith("UPDATE") and re.search(pattern, statement):
            reach(f"{column} of {backend.last}")

class Backend(DiditBackend):
    last = "nothing"

    def match(self, request):
        result = super().match(request)
        reach("match paid")
        type(self).last = "match"
        return result

    def check_liveness(self, request):
        result = super().check_liveness(request)
        reach("liveness paid")
        type(self).last = "liveness"
        return result

backend = Backend(api_key=key, base_url=url, environment="mock")
verifier = fm.FaceVerifier(backend, on_event=lambda event: reach(event.kind.value))
with fm.CheckStore(address, verifier, needs_liveness=False) as store:
    case = store.of("customer-17", purpose="payout", about="payout 8841")
    pictures = (CARDS["p1"], CARDS["p1-again"])
    getattr(case, method)(*pictures, retention=fm.Retention.KEEP)
    reach("end")
"""

#: By method and step: charges when the process dies, after two clicks, and whether it is unknown.
STEPS = {
    ("verify", "insert"): (0, 1, False),
    ("verify", "call of nothing"): (0, 1, False),
    ("verify", "started"): (0, 0, True),
    ("verify", "match paid"): (1, 1, True),
    ("verify", "result of match"): (1, 1, True),
    ("verify", "end"): (1, 1, False),
    ("verify_live", "liveness paid"): (1, 1, True),
    ("verify_live", "liveness of liveness"): (1, 1, True),
    ("verify_live", "call of liveness"): (1, 2, False),
    ("verify_live", "match paid"): (2, 2, True),
    ("verify_live", "result of match"): (2, 2, True),
}


@pytest.fixture
def mock():
    with MockServer(seed=11) as server:
        yield server


@pytest.mark.parametrize(("method", "step"), STEPS, ids=lambda text: text.replace(" ", "-"))
def test_killed_check_is_never_paid_a_second_time(mock, address, method, step):
    at_death, after_clicks, is_unknown = STEPS[method, step]
    done = warm.run(CLIENT, mock.url, mock.live_key, address, method, step)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(mock.control.charges()) == at_death

    # Later than the lease of the dead process.
    clock = ManualClock(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=13))
    backend = DiditBackend(api_key=mock.live_key, base_url=mock.url, environment="mock")
    verifier = fm.FaceVerifier(backend, clock=clock)
    with fm.CheckStore(address, verifier, needs_liveness=False) as store:
        case = store.of("customer-17", purpose="payout", about="payout 8841")

        def click():
            pictures = (CARDS["p1"], CARDS["p1-again"])
            return getattr(case, method)(*pictures, retention=fm.Retention.KEEP)

        for _ in range(2):
            if is_unknown:
                with pytest.raises(fm.OutcomeUnknown):
                    click()
            else:
                click()
        assert len(mock.control.charges()) == after_clicks
        assert len(store.unknown()) == is_unknown
        if not is_unknown:
            assert case.use()
            return
        assert not case.use()
        (search,) = store.reconcile()
        if at_death == 0:
            assert search.outcome is fm.Reconciled.NOT_YET
            assert case.give_up()
        else:
            assert search.outcome is fm.Reconciled.FOUND
        click()
        # What was paid is not paid again: only what was missing.
        assert len(mock.control.charges()) == (2 if method == "verify_live" else 1)
        assert case.use()
