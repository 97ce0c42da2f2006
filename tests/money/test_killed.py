"""A real process is killed in the middle of a call: what it had set aside, and how it is found."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time

import pytest
from kit.attempts import BUDGET_KEY

from facematch_core import FaceVerifier
from facematch_core.cli.budget import expire_and_list_open_calls, resolve_found
from facematch_core.store import SqlStore
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer

#: One call that the vendor is to keep, which stops at an event until somebody writes a line.
CLIENT = """
import sys
from kit.fakes import picture
from facematch_core import FaceVerifier, Retention
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore
from facematch_didit import DiditBackend

address, key, store, stop = sys.argv[1:]

def hold(event):
    if event.kind.name == stop:
        print("here", flush=True)
        sys.stdin.readline()

backend = DiditBackend(api_key=key, base_url=address)
budget = Budget(100, name="shop", store=SqlStore(store))
with FaceVerifier(backend, policies=[budget], on_event=hold) as verifier:
    verifier.verify(picture(), picture((20, 30, 40)), retention=Retention.KEEP)
"""


@pytest.fixture
def mock():
    with MockServer(seed=11) as server:
        yield server


def kill_client(mock, address, event):
    """Kill a client at an event; None: while it waits for its answer."""
    command = [sys.executable, "-W", "error", "-c", CLIENT, mock.url, mock.live_key, address]
    with subprocess.Popen(
        [*command, event or ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            if event:
                assert process.stdout.readline() == "here\n"
            until = time.monotonic() + 240
            while event is None and not mock.control.charges() and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("event", "charges", "place", "outcome"),
    [
        pytest.param("STARTED", 0, None, None, marks=pytest.mark.slow),
        pytest.param("SENT", 0, "reserved", "not_yet", marks=pytest.mark.slow),
        (None, 1, "reserved", "resolved"),
        pytest.param("ANSWERED", 1, "spent", None, marks=pytest.mark.slow),
    ],
)
def test_reservations_of_a_killed_client_remain_until_reconciled(  # noqa: PLR0917 - fixtures and parameters
    mock, address, event, charges, place, outcome
):
    if event is None:
        late = {"stage": "after_upload", "kind": "delay", "executed": True, "seconds": 3600}
        mock.control.add_fault(Fault(**late, path="/v3/face-match/"))
    kill_client(mock, address, event)
    assert len(mock.control.charges()) == charges
    store = SqlStore(address)
    state = store.budget(BUDGET_KEY)
    kept = () if state is None else (state.spent, state.reserved, state.unknown)
    assert kept == {None: (), "reserved": (0, 1, 0), "spent": (1, 0, 0)}[place]
    now = dt.datetime.now(dt.UTC)
    with FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url)) as verifier:
        # Its process is not asked whether it lives: only time says.
        assert [*resolve_found(expire_and_list_open_calls([store], now), verifier, now)] == []
        later = expire_and_list_open_calls([store], now + dt.timedelta(seconds=900))
        looked = [*resolve_found(later, verifier, now)]
    assert [answer.outcome for answer in looked] == ([outcome] if outcome else [])
    assert all(answer.reservation.call.id and answer.reason for answer in looked)
    state = store.budget(BUDGET_KEY)
    if state is not None:
        # What the vendor has not is still set aside: a person frees it when it is surely late.
        assert (state.spent, state.reserved) == (charges, 0)
        assert state.unknown == int(outcome == "not_yet")
    store.close()
