"""`SqlReplayStore`: a memory that several processes share."""

import contextlib
import datetime as dt
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from facematch_core import ConfigurationError
from facematch_didit.webhooks import SqlReplayStore, WebhookRefused

sqlalchemy = pytest.importorskip("sqlalchemy")

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def store(address):
    """A store on that file."""
    with contextlib.closing(SqlReplayStore(address)) as opened:
        yield opened


def rows(store):
    """What the table holds."""
    with store._engine.connect() as connection:
        return connection.execute(sqlalchemy.select(store._table)).all()


def test_a_delivery_is_taken_once(delivery, store, address):
    """Also by another process on the same file."""
    delivery.verify(seen=store)
    other = SqlReplayStore(address)
    for seen in (store, other):
        with pytest.raises(WebhookRefused, match="came before"):
            delivery.verify(seen=seen)
    other.close()


@pytest.mark.parametrize("year", [1970, 2020, 2090])
def test_keys_expire(store, year):
    """At their last moment they are remembered, a moment later not, and then they are deleted."""
    now = dt.datetime(year, 3, 1, tzinfo=dt.UTC)
    assert store.first_seen("a", now + HOUR, now)
    assert store.first_seen("b", now + 2 * HOUR, now)
    now += HOUR
    assert not store.first_seen("a", now + HOUR, now)
    now += dt.timedelta(milliseconds=1)
    assert store.first_seen("a", now + HOUR, now)
    now += 3 * HOUR
    assert store.first_seen("c", now + HOUR, now)
    assert [key for key, _ in rows(store)] == ["c"]


def test_forgotten_keys_are_new(delivery, store):
    """After a failure of the handler's own."""
    event = delivery.verify(seen=store)
    event.forget(store)
    assert rows(store) == []
    assert delivery.verify(seen=store) == event


def test_within_the_transaction_of_the_handler(delivery, store):
    """What the handler wrote and what was remembered stand or fall together."""
    engine = store._engine
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE effects (session TEXT)"))

    def handle(fails):
        with engine.begin() as connection:
            event = delivery.verify(seen=store.within(connection))
            connection.execute(sqlalchemy.text("INSERT INTO effects VALUES ('x')"))
            if fails:
                raise OSError("the machine breaks down")
            return event

    with pytest.raises(OSError, match="breaks down"):
        handle(fails=True)
    assert rows(store) == []
    assert handle(fails=False)
    with pytest.raises(WebhookRefused, match="came before"):
        handle(fails=False)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT count(*) FROM effects")).scalar() == 1


def test_of_many_threads_one_is_first(delivery, store):
    """One statement both asks and remembers."""
    now, until = delivery.now, delivery.now + HOUR
    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            key = str(number)
            firsts = pool.map(lambda _, key=key: store.first_seen(key, until, now), range(8))
            assert sum(firsts) == 1


def test_many_processes(address):
    """They start at once, make the table at once, and agree on who was first."""
    code = (
        "import sys, datetime as dt; from facematch_didit.webhooks import SqlReplayStore;"
        "store = SqlReplayStore(sys.argv[1]); now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC);"
        "until = now + dt.timedelta(hours=1);"
        "print(sum(store.first_seen(str(n), until, now) for n in range(50)))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert sum(int(process.communicate(timeout=60)[0]) for process in started) == 50


def test_nothing_of_a_delivery_is_kept(delivery, store):
    """Digests and times; no id, no status, no picture's address."""
    delivery.verify(seen=store)
    for key, until in rows(store):
        assert len(key) == 64
        assert set(key) <= set("0123456789abcdef")
        assert until > delivery.sent


def test_the_statement_for_postgresql(store):
    """The same words there: one statement that writes, renews or does nothing."""
    from sqlalchemy.dialects import postgresql

    there = store.within(None)
    there._engine = SimpleNamespace(dialect=postgresql.dialect())
    statement = there._remember("k", 1.0, 2.0)
    text = " ".join(str(statement.compile(dialect=postgresql.dialect())).split())
    assert "ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE" in text


def test_the_rows_of_an_insert_are_counted(delivery, store):
    """Asked for: PostgreSQL's drivers do not tell otherwise, and every delivery would be old."""
    asked = []

    @sqlalchemy.event.listens_for(store._engine, "before_cursor_execute")
    def note(*event):
        _connection, _cursor, statement, _parameters, context, _many = event
        if statement.startswith("INSERT"):
            asked.append(context.execution_options.get("preserve_rowcount"))

    assert store.first_seen("a", delivery.now + HOUR, delivery.now)
    assert asked == [True]


def test_other_databases_are_refused():
    """Their INSERT cannot tell in one statement whether a row was there."""
    engine = SimpleNamespace(dialect=SimpleNamespace(name="mysql"))
    with pytest.raises(ConfigurationError, match="SQLite and PostgreSQL, not mysql"):
        SqlReplayStore(engine)


@pytest.mark.parametrize(
    "address", ["", "nonsense", "postgresql+nodriver://u:canary@h/d", "sqlite://"]
)
def test_addresses_that_cannot_be_used(address):
    """One sentence that holds no password."""
    with pytest.raises(ConfigurationError, match="cannot be used") as error:
        SqlReplayStore(address)
    assert "canary" not in str(error.value)
    assert error.value.__context__ is None


def test_without_sqlalchemy(monkeypatch):
    """The one line that installs it."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigurationError, match=r'pip install "facematch-core\[store\]"'):
        SqlReplayStore("sqlite:///seen.sqlite3")
