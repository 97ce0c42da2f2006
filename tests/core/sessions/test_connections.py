"""`use` in the caller's own transaction."""

import threading
import time

import pytest
import sqlalchemy as sa
from core.sessions.connections import KINDS, db_api, sqlalchemy_session
from core.sessions.shop import *  # noqa: F403 - its fixtures
from kit.attempts import before_each_statement

import facematch_core as fm

PAY = "INSERT INTO payouts VALUES ('payout 8841')"


@pytest.fixture
def verified(open_shop):
    """A shop whose customer has passed, with a table of its own for payouts."""
    shop = open_shop()
    shop.begin_and_finish()
    engine = sa.create_engine(shop.address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE payouts (about TEXT)"))
    engine.dispose()
    return shop


def paid(shop):
    engine = sa.create_engine(shop.address)
    with engine.connect() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM payouts")).scalar_one()
    engine.dispose()
    return count


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def opened(request, monkeypatch):
    from django import apps, conf

    # Other tests have settings of their own.
    monkeypatch.setattr(apps.apps, "ready", True)
    monkeypatch.setitem(vars(conf.settings), "_wrapped", conf.empty)
    conf.settings.configure()
    return request.param


def test_session_is_used_if_the_caller_commits(verified, opened):
    with opened(verified.address) as (connection, execute):
        assert verified.use(connection=connection)
        execute(PAY)
        connection.commit()
    assert paid(verified) == 1
    assert verified.find().used_at is not None
    with opened(verified.address) as (connection, _):
        assert not verified.use(connection=connection)
    assert verified.of().why_not(max_age_s=3600) == ("the session was used already",)


def test_rollback_leaves_the_session_unused(verified, opened):
    with opened(verified.address) as (connection, execute):
        assert verified.use(connection=connection)
        execute(PAY)
        connection.rollback()
    assert (paid(verified), verified.find().used_at) == (0, None)
    with opened(verified.address) as (connection, execute):
        assert verified.use(connection=connection)
        connection.commit()


def test_use_after_the_callers_own_write_does_not_wait_for_itself(verified, opened):
    began = time.monotonic()
    with opened(verified.address) as (connection, execute):
        execute(PAY)
        assert verified.use(connection=connection)
        connection.commit()
    assert time.monotonic() - began < 10, "a second connection would wait for 30 seconds"
    assert paid(verified) == 1


def test_page_waits_neither_for_its_own_transaction_nor_for_who_waits_for_that(verified, opened):
    waiting = threading.Thread(target=verified.store.set_due, args=["customer-18"])
    has_begun = threading.Event()
    here = threading.current_thread()

    def note(_statement):
        if threading.current_thread() is not here:
            has_begun.set()

    verified.store.look()
    with opened(verified.address) as (connection, execute), before_each_statement(note):
        execute(PAY)
        waiting.start()
        assert has_begun.wait(60)
        assert verified.of().why_not(max_age_s=3600) == ()
        assert verified.find().used_at is None
        connection.commit()
        waiting.join()
    assert paid(verified) == 1


def test_failed_session_is_no_yes_and_its_reading_is_stored(open_shop, opened):
    shop = open_shop()
    shop.begin_and_finish(passes=False)
    with opened(shop.address) as (connection, _):
        assert not shop.use(connection=connection)
        connection.commit()
    assert shop.of().why_not(max_age_s=3600) == ("match is no_match",)


def test_of_eight_uses_at_once_one_pays(verified, opened):
    begun = threading.Barrier(8)
    uses = []

    def pay():
        with opened(verified.address) as (connection, execute):
            begun.wait(60)
            try:
                use = verified.use(connection=connection)
                if use:
                    execute(PAY)
                connection.commit()
                uses.append(use)
            except Exception:  # noqa: BLE001 - SQLite lets one of two writers of one snapshot fail
                connection.rollback()

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert uses.count(fm.Use.FIRST) == 1
    assert set(uses) <= {fm.Use.FIRST, fm.Use.AGAIN}
    assert paid(verified) == 1


def test_webhook_during_the_reading_keeps_the_session_due(verified):
    """The reading that is under way may be older than the event."""
    verified.store.look()
    verified.vendor.finish(passes=False)

    def hear():
        verified.vendor.after_read = lambda: None
        verified.clock.advance(1)
        assert verified.hear(session_id="s-1") == 1

    verified.vendor.after_read = hear
    assert not verified.use()
    assert verified.find().result.match.is_match, "the reading before the event is not stored"
    assert [each.result.match.is_match for each in verified.store.look()] == [False]


def test_vendor_is_read_before_the_first_statement_of_the_caller(verified):
    statements, read_after = [], []
    verified.vendor.after_read = lambda: read_after.append(len(statements))
    engine = sa.create_engine(verified.address)
    sa.event.listen(engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    with engine.begin() as connection:
        assert verified.use(connection=connection)
    engine.dispose()
    assert read_after == [0]
    assert statements[-1].startswith("UPDATE")


def test_of_two_sessions_of_a_matter_that_were_judged_one_is_used(verified):
    table = verified.store._table  # noqa: SLF001 - two requests between judging and marking

    def judge():
        case = verified.of()
        return case._judge(table, max_age_s=3600, document=None, any_settings=False)  # noqa: SLF001

    judged = [judge()]
    verified.store.look()
    verified.begin_and_finish()
    judged.append(judge())
    uses = []
    waiting = threading.Thread(target=lambda: uses.append(judged[1].store(table)))
    engine = sa.create_engine(verified.address)
    with engine.begin() as connection:
        assert judged[0].store(table.on(connection)) is fm.Use.FIRST
        waiting.start()
        assert judged[0].store(table.on(connection)) is fm.Use.AGAIN
    waiting.join(60)
    engine.dispose()
    assert uses == [fm.Use.AGAIN]


class Asynchronous:
    """As SQLAlchemy's AsyncSession and the connections of psycopg, asyncpg and aiosqlite."""

    def cursor(self):
        raise NotImplementedError

    async def close(self):
        raise NotImplementedError


def test_connection_that_cannot_be_used_is_refused_before_anything_is_read(verified):
    engine = sa.create_engine(verified.address)
    for connection in (engine, verified.address, 5, Asynchronous()):
        with pytest.raises(fm.InvalidRequest, match="connection must"):
            verified.use(connection=connection)
    engine.dispose()
    assert verified.vendor.reads == []
    with pytest.raises(fm.InvalidRequest, match=r"await case\.use"):
        verified.use(connection=Asynchronous())


def test_connection_to_another_kind_of_database_is_refused(verified, tmp_path):
    backend = sa.make_url(verified.address).get_backend_name()
    other = "postgresql" if backend == "sqlite" else "sqlite"
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with engine.connect() as connection:
        connection.dialect.name = other
        with pytest.raises(fm.InvalidRequest, match=other):
            verified.use(connection=connection)
    engine.dispose()


def test_connection_left_open_belongs_to_the_caller(verified):
    for opened in (db_api, sqlalchemy_session):
        with opened(verified.address) as (connection, execute):
            verified.use(connection=connection)
            execute("SELECT 1")
            connection.rollback()
