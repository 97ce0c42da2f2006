"""Real processes, real sockets, one store in a file: four that spend, and one that is killed."""

import datetime as dt
import signal
import threading

import pytest
from kit.money import client

from facematch_core import Environment, FaceVerifier
from facematch_core.cli.budget import open_charges, search
from facematch_core.resilience import Period
from facematch_core.store import BudgetKey, SqlStore
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer

KEY = BudgetKey(
    name=client.NAME, currency=None, environment=Environment.PRODUCTION, period=Period.TOTAL
)
MATCH = "/v3/face-match/"
SLOW = pytest.mark.slow


@pytest.fixture
def mock():
    with MockServer(seed=11, switches={"write_limit": 100_000}) as server:
        yield server


def standing(address):
    store = SqlStore(address)
    state = store.budget(KEY)
    store.close()
    return state


@pytest.mark.parametrize(
    ("processes", "lost"),
    [
        pytest.param(2, True, id="two, some lost"),
        pytest.param(4, False, id="four, all known", marks=SLOW),
        pytest.param(4, True, id="four, some lost", marks=SLOW),
    ],
)
def test_processes_with_one_budget_are_never_charged_beyond_it(mock, address, processes, lost):
    mock.control.add_fault(
        Fault(stage="answer", kind="status", status=429, chance=0.1, times=None, path=MATCH)
    )
    if lost:
        for executed in (False, True):
            often = {"chance": 0.1, "times": None, "path": MATCH}
            gone = Fault(stage="after_upload", kind="reset", executed=executed, **often)
            mock.control.add_fault(gone)
    started = [client.start(mock, address, "spend") for _ in range(processes)]
    try:
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        outputs = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert outputs == ["done\n"] * processes
    state, charges = standing(address), len(mock.control.charges())
    assert (state.reserved, state.spent + state.unknown) == (0, client.CAP)
    assert state.spent <= charges <= client.CAP
    assert bool(state.unknown) is lost
    if not lost:
        assert charges == client.CAP


def killed(mock, address, event):
    """A client that is killed at an event; None: while it waits for its answer."""
    process = client.start(mock, address, "ask", event or "")
    try:
        if event:
            assert process.stdout.readline() == "here\n"
        else:
            for _ in range(3000):
                if mock.control.charges():
                    break
                threading.Event().wait(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("event", "charges", "place", "outcome"),
    [
        pytest.param("Started", 0, None, None, marks=SLOW),
        ("Sent", 0, "reserved", "not_yet"),
        (None, 1, "reserved", "resolved"),
        pytest.param("Answered", 1, "spent", None, marks=SLOW),
    ],
)
def test_what_a_killed_client_set_aside_stays_until_the_records_tell(  # noqa: PLR0917 - fixtures and parameters
    mock, address, event, charges, place, outcome
):
    if event is None:
        late = {"stage": "after_upload", "kind": "delay", "executed": True, "seconds": 3600}
        mock.control.add_fault(Fault(**late, path=MATCH))
    killed(mock, address, event)
    assert len(mock.control.charges()) == charges
    store = SqlStore(address)
    state = store.budget(KEY)
    kept = () if state is None else (state.spent, state.reserved, state.unknown)
    assert kept == {None: (), "reserved": (0, 1, 0), "spent": (1, 0, 0)}[place]
    now = dt.datetime.now(dt.UTC)
    with FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url)) as verifier:
        # Its process is not asked whether it lives: only time says.
        assert search(open_charges({store: 60}, now), verifier, now) == []
        searches = search(open_charges({store: 60}, now + dt.timedelta(seconds=60)), verifier, now)
    assert [each.outcome for each in searches] == ([outcome] if outcome else [])
    assert all(each.charge.call.id and each.reason for each in searches)
    state = store.budget(KEY)
    if state is not None:
        # What the vendor has not is still set aside: a person frees it when it is surely late.
        assert (state.spent, state.reserved) == (charges, 0)
        assert state.unknown == int(outcome == "not_yet")
    store.close()
