"""Sessions for event loops, and by name and profile."""

import threading

import anyio
import pytest
from kit.fakes import open_always
from kit.sessions import ACCESS, LIVENESS, MATCH, Acme

import facematch_core as fm
from facematch_core.backend.session_types import DeletionState
from facematch_core.testing import ManualClock

STATE = fm.SessionState
PENDING = {"state": STATE.PENDING, "checks": ()}

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def opened(backend, **arguments):
    sessions = fm.Sessions(fm.FaceVerifier(backend, **arguments), compared_with="document")
    return fm.AsyncSessions(sessions, max_concurrency=2)


async def test_async_sessions_have_the_same_methods():
    waiting = {**PENDING, "access": ACCESS}
    backend = Acme({}, waiting, {}, {})
    async with opened(backend, clock=ManualClock()) as sessions:
        record = sessions.plan("c-1", purpose="payout")
        record = (await sessions.start(record, language="es")).record
        assert (await sessions.read(record, with_access=True)).access == ACCESS
        assert (await sessions.read(record, with_portrait=True)).liveness.is_live
        assert (await sessions.delete(record)).state is DeletionState.DONE
        assert sessions.receive(b"s-1", {"signature": "right"})[0].session_id == "s-1"
    with pytest.raises(fm.ConfigurationError):
        await sessions.read(record)


async def test_cancelled_start_is_finished_and_counted():
    events, sent, go_on = [], anyio.Event(), threading.Event()
    token = anyio.lowlevel.current_token()

    def hold(request):
        anyio.from_thread.run_sync(sent.set, token=token)
        assert go_on.wait(30)
        return fm.backend.session_types.SessionReading(session_id="s-1", state=STATE.PENDING)

    async with opened(Acme(hold), on_event=events.append) as sessions:
        record = sessions.plan("c-1", purpose="payout")
        async with anyio.create_task_group() as group:
            group.start_soon(sessions.start, record)
            await sent.wait()
            group.cancel_scope.cancel()
        go_on.set()
    assert [event.kind.value for event in events] == ["started", "sent", "charged"]


PROFILES = """
[profiles.payouts]
backend = "acme"
threshold = 70
budget = { cap = 1, currency = "EUR", price = { session = "0.60" } }
[profiles.sandbox]
backend = "acme"
require_environment = "sandbox"
[profiles.both]
members = ["payouts"]
"""


def test_profile_opens_sessions_and_budget_counts_starts(monkeypatch, tmp_path):
    open_always(monkeypatch, Acme())
    file = tmp_path / "facematch.toml"
    file.write_text(PROFILES)
    with fm.open_sessions(profile="payouts", config=file, compared_with="document") as sessions:
        record = sessions.plan("c-1", purpose="payout")
        assert (record.threshold, record.profile) == (70, "payouts")
        assert record.expects == (LIVENESS, MATCH)
        sessions.start(record)
        with pytest.raises(fm.BudgetExceeded):
            sessions.start(sessions.plan("c-1", purpose="payout"))
    sandbox = fm.open_sessions(profile="sandbox", config=file)
    with sandbox as sessions, pytest.raises(fm.EnvironmentMismatch):
        sessions.plan("c-1", purpose="payout")
    with pytest.raises(fm.ConfigurationError, match="payouts"):
        fm.open_sessions(profile="both", config=file)
    with pytest.raises(fm.ConfigurationError):
        fm.AsyncSessions(fm.FaceVerifier(Acme()))


def test_sessions_require_production_by_default(monkeypatch):
    backend = open_always(monkeypatch, Acme(environment=fm.Environment.SANDBOX))
    with fm.open_sessions("acme") as sessions, pytest.raises(fm.EnvironmentMismatch):
        sessions.plan("c-1", purpose="payout")
    sandbox = fm.Environment.SANDBOX
    with fm.open_sessions("acme", require_environment=sandbox) as sessions:
        assert sessions.plan("c-1", purpose="payout").environment is sandbox
    backend.session_capabilities = None
    with pytest.raises(fm.Unsupported):
        fm.open_sessions("acme")
