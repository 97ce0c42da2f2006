"""Sessions for event loops, and by name and profile."""

import datetime as dt

import anyio
import pytest
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import GIVES_TOKEN_ONCE, PAYOUT
from core.sessions.vendor import ManySessions
from kit.fakes import Hold, open_always, picture
from kit.sessions import ACCESS, LIVENESS, MATCH, Acme

import facematch_core as fm
from facematch_core.backend.session_types import DeletionState
from facematch_core.testing import ManualClock

FIRST, AGAIN, _ = fm.Use

STATE = fm.SessionState

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def opened(backend, **arguments):
    sessions = fm.Sessions(fm.FaceVerifier(backend, **arguments), compared_with="document")
    return fm.AsyncSessions(sessions, max_concurrency=2)


async def test_async_sessions_have_the_same_methods():
    waiting = {"state": STATE.PENDING, "checks": (), "access": ACCESS}
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
    events = []
    hold = Hold()

    def start(request):
        hold()
        return fm.backend.session_types.SessionReading(session_id="s-1", state=STATE.PENDING)

    async with opened(Acme(start), on_event=events.append) as sessions:
        record = sessions.plan("c-1", purpose="payout")
        async with anyio.create_task_group() as group:
            group.start_soon(sessions.start, record)
            await anyio.to_thread.run_sync(hold.wait_for)
            group.cancel_scope.cancel()
        hold.go_on.set()
    assert [event.kind.value for event in events] == ["started", "sent", "charged"]


PROFILES = """
[profiles.payouts]
backend = "acme"
threshold = 70
budget = { cap = 1, currency = "EUR", price = { session = "0.60" }, store = "memory" }
[profiles.sandbox]
backend = "acme"
require_environment = "sandbox"
[profiles.faces]
backend = "acme"
expects = ["liveness"]
[profiles.documents]
backend = "acme"
compared_with = "document"
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


def test_profile_names_the_checks_of_its_sessions(monkeypatch, tmp_path):
    open_always(monkeypatch, Acme())
    file = tmp_path / "facematch.toml"
    file.write_text(PROFILES)

    def expected(profile, **arguments):
        with fm.open_sessions(profile=profile, config=file, **arguments) as sessions:
            return sessions.expected.checks, sessions.expected.compared_with

    both = (LIVENESS, MATCH)
    assert expected("payouts") == (both, "given")
    assert expected("faces") == ((LIVENESS,), None)
    assert expected("documents") == (both, "document")
    assert expected("documents", compared_with="given") == (both, "given")
    assert expected("faces", expects=["match", "liveness"]) == (both, "given")
    fm.open_verifier(profile="faces", config=file).close()


@pytest.mark.parametrize("key", ['expects = "liveness"', "expects = []", 'compared_with = "x"'])
def test_wrong_checks_in_a_profile_are_refused(monkeypatch, tmp_path, key):
    open_always(monkeypatch, Acme())
    file = tmp_path / "facematch.toml"
    file.write_text(f'[profiles.faces]\nbackend = "acme"\n{key}\n')
    with pytest.raises(fm.ConfigurationError, match=key.split()[0]):
        fm.open_sessions(profile="faces", config=file)


def test_sessions_require_production_by_default(monkeypatch):
    open_always(monkeypatch, Acme(environment=fm.Environment.SANDBOX))
    with fm.open_sessions("acme") as sessions, pytest.raises(fm.EnvironmentMismatch):
        sessions.plan("c-1", purpose="payout")
    sandbox = fm.Environment.SANDBOX
    with fm.open_sessions("acme", require_environment=sandbox) as sessions:
        assert sessions.plan("c-1", purpose="payout").environment is sandbox


async def test_async_store_of_sessions_has_the_same_methods(address):
    vendor = ManySessions()
    clock = ManualClock()
    sessions = fm.Sessions(fm.FaceVerifier(vendor, clock=clock))
    async with fm.AsyncSessionStore(fm.SessionStore(address, sessions)) as store:
        payout = store.of("c-1", purpose="payout", about="payout 8841")
        await payout.begin(reference=picture())
        vendor.finish()
        assert await store.receive(b"|s-1", {"signature": "acme"}) == 1
        assert await store.set_due("c-1") == 1
        assert len(await store.look()) == 1
        assert await payout.why_not(max_age_s=60) == ()
        assert [await payout.use(max_age_s=60) for _ in range(2)] == [FIRST, AGAIN]
        assert (await payout.find()).used_at == clock.now()
        assert await store.cancel("c-1") == 0
        assert [each.is_done_here for each in await store.forget(0)] == [True]
        assert store.store.sessions == {"acme": sessions}
    with pytest.raises(fm.ConfigurationError):
        await payout.find()


async def test_async_begin_gives_the_same_token_and_never_ends_a_session_of_a_lost_one(open_shop):
    shop = open_shop(**GIVES_TOKEN_ONCE)
    async with fm.AsyncSessionStore(shop.store) as store:
        payout = store.of("customer-17", **PAYOUT)
        begun = await payout.begin(reference=picture())
        assert (await payout.begin(reference=picture())).access == begun.access
        shop.forget_token()
        held = await payout.begin(reference=picture())
        assert (held.access, held.record.id) == (None, begun.record.id)
        assert held.begin_again_at == shop.clock.now() + dt.timedelta(hours=1)
    assert shop.vendor.deleted == []


async def test_cancelled_begin_is_finished_and_stored(address):
    hold = Hold()
    vendor = ManySessions()
    vendor.before_start = hold
    sessions = fm.Sessions(fm.FaceVerifier(vendor), expects=["liveness"])
    async with fm.AsyncSessionStore(fm.SessionStore(address, sessions)) as store:
        login = store.of("c-1", purpose="login", about=None)
        async with anyio.create_task_group() as group:
            group.start_soon(login.begin)
            await anyio.to_thread.run_sync(hold.wait_for)
            group.cancel_scope.cancel()
        hold.go_on.set()
        begun = await login.begin()
        assert (begun.access.link is not None, len(vendor.starts)) == (True, 1)


async def test_sessions_of_a_cancelled_look_are_told_by_the_next(address):
    vendor = ManySessions()
    sessions = fm.Sessions(fm.FaceVerifier(vendor), expects=["liveness"])
    async with fm.AsyncSessionStore(fm.SessionStore(address, sessions)) as store:
        await store.of("c-1", purpose="login", about=None).begin()
        vendor.finish()
        await store.set_due("c-1")
        hold = Hold()
        vendor.after_read = hold
        async with anyio.create_task_group() as group:
            group.start_soon(store.look)
            await anyio.to_thread.run_sync(hold.wait_for)
            group.cancel_scope.cancel()
        hold.go_on.set()
        seen = ()
        while not seen:
            seen = await store.look()
        assert [each.result.state for each in seen] == [STATE.DECIDED]


def test_async_store_takes_a_store():
    with pytest.raises(fm.ConfigurationError):
        fm.AsyncSessionStore(fm.Sessions(fm.FaceVerifier(Acme())))
