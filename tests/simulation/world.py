"""Two processes of one application, one database, one clock, and the mocks of three vendors.

Everything happens in one thread. `World.at_point` is called where a process may die or be
interrupted: around each request and transaction, before each statement, before and after each
commit. A dead process does nothing more: none of its `finally` writes.
"""

import contextlib
import datetime as dt
import random
import secrets
from unittest import mock

import attrs
import sqlalchemy as sa
from kit import canaries
from kit.front import MockAdapter
from kit.mock_webhooks import HOOK, carry
from kit.money.lines import START, MockLine, WorldClock
from kit.money.sessions import BACKENDS, WEBHOOK_SECRETS, open_sessions, prepare_account

import facematch_core as fm
from facematch_core.cli.budget import expire_and_list_open_calls, resolve_found
from facematch_core.resilience import Budget, Retry
from facematch_core.store import SqlStore, database, leases
from facematch_core.store.table import StoreTable
from facematch_facepp import FaceppBackend
from facematch_mock_server import MockServer
from facematch_mock_server.world.clock import VirtualClock

#: The vendor of uploaded pictures, which keeps them and can be searched.
UPLOADS_AT = "didit"
#: The vendor that compares them while the other cannot be reached, and keeps none.
SECOND = "facepp"
#: Whom each customer claims to be.
ADA = fm.Person(name="Ada Byron", date_of_birth=dt.date(1980, 1, 1))
#: The vendors whose sessions read no document.
WITHOUT_DOCUMENT = ("azure", "rekognition")
#: The status of a session that a vendor's staff declines; the other vendors have none.
DECLINED = {
    **dict.fromkeys(("onfido", "persona", "veriff"), "declined"),
    "didit": "Declined",
    "sumsub": "completed RED FINAL",
}
#: Longer than a life.
YEAR_S = 366 * 86_400


class Died(BaseException):
    """A process is dead: no code of the application catches it."""


@attrs.define
class HostClock:
    """The clock of a machine, which is wrong by some seconds."""

    clock: WorldClock
    ahead_s: int

    def now(self):
        return self.clock.now() + dt.timedelta(seconds=self.ahead_s)

    def monotonic(self):
        return self.clock.monotonic()

    def sleep(self, seconds):
        self.clock.sleep(seconds)


class World:
    """What both processes share. A context manager; `at_point` is set by who lives in it.

    Attributes:
        vendor: The vendor of hosted sessions.
        address: The URL of the database.
        at_point: Called with what comes next, and ``may_swap``: whether no transaction is open in
            the database.
        after: Called with "commit" or "request" after each commit of a store, and each request;
            with "connection" before each request.
        uploads, second, sessions: The controls of the mocks.
        letters: The webhooks that came so far, with the signatures of their time.
    """

    def __init__(self, vendor, address):
        self.vendor = vendor
        self.address = address
        self.at_point = lambda _next, *, may_swap: None
        self.after = lambda done: None
        self.letters = []
        virtual = VirtualClock(START)
        vendors = dict.fromkeys([UPLOADS_AT, vendor])
        self._server = MockServer(vendor=[*vendors, SECOND], clock=virtual, seed=1)
        self.clock = WorldClock(virtual)
        self.line = MockLine(MockAdapter(self._server.app, sleep=virtual.advance))
        self.line.at = self._at_wire
        self.uploads, self.second, self.sessions = (
            self._server.of(each).control for each in (UPLOADS_AT, SECOND, vendor)
        )
        self.second.add_key(key=canaries.CLIENT_SECRET, client=canaries.CLIENT_ID)
        for each in vendors:
            prepare_account(self._server.of(each).control, each)
        if vendor in WEBHOOK_SECRETS:
            self.sessions.webhooks.add(HOOK, secret=WEBHOOK_SECRETS[vendor])
            # No thread sends them: `collect_letters` takes them.
            self.sessions.world.outbox.send = None
        self._luck = random.Random("ids")

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self._server.stop)
            self._watch_database(stack)
            patch = mock.patch.object
            # The same ids, and the same order of what is due, in each life of a plan.
            stack.enter_context(patch(secrets, "randbelow", self._luck.randrange))
            hexadecimal = lambda size: self._luck.randbytes(size).hex()  # noqa: E731
            stack.enter_context(patch(secrets, "token_hex", hexadecimal))
            # The clock of the database's server, which all machines share.
            now = lambda _: self.clock.now().timestamp()  # noqa: E731
            stack.enter_context(patch(StoreTable, "now", now))
            # A lease is renewed by a thread, which would live by the machine's own time.
            stack.enter_context(patch(leases, "_RENEWAL_S", YEAR_S))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _watch_database(self, stack):
        run = database.Database.run

        def run_after_others(store, *arguments, **options):
            self.at_point("a transaction", may_swap=True)
            return run(store, *arguments, **options)

        stack.enter_context(mock.patch.object(database.Database, "run", run_after_others))
        for kind in (database.SqliteDatabase, database.PostgresDatabase):
            commit = kind._commit  # noqa: SLF001 - there is no event after it

            def commit_between_points(store, connection, commit=commit):
                self.at_point("COMMIT", may_swap=False)
                commit(store, connection)
                self.at_point("the end of COMMIT", may_swap=False)
                self.after("commit")

            stack.enter_context(mock.patch.object(kind, "_commit", commit_between_points))

        def before_statement(_connection, _cursor, statement, *_):
            self.at_point(" ".join(statement.split())[:50], may_swap=False)

        sa.event.listen(sa.Engine, "before_cursor_execute", before_statement)
        stack.callback(sa.event.remove, sa.Engine, "before_cursor_execute", before_statement)

    def _at_wire(self, moment, path):
        if moment == "executed":
            self.after("request")
            self.at_point(f"the answer of {path}", may_swap=True)
        if moment == "before":
            self.at_point(f"the request to {path}", may_swap=True)
            self.after("connection")

    def collect_letters(self):
        """Take the webhooks that are due from the vendor."""
        if self.vendor in WEBHOOK_SECRETS:
            self.letters += [letter for _, letter, _ in carry(self.sessions)]


class Process:
    """One process of the application: its stores and its own connections.

    Attributes:
        is_dead: Whether it died in its current action.
        in_transaction: Whether its own transaction is open.
        undoing: The cases whose use failed, so that it undoes what may have been marked.
        budgets: The store of the spending limit.
    """

    def __init__(self, world, number, ahead_s, limit):
        self.world = world
        self.number = number
        self.limit = limit
        self.clock = HostClock(world.clock, ahead_s)
        self.start()

    def start(self):
        """Open all anew, as after a death."""
        self.is_dead = self.in_transaction = False
        self.undoing = []
        vendor = self.world.vendor
        self.engine = sa.create_engine(self.world.address)
        self._connections = []
        sa.event.listen(self.engine, "connect", lambda opened, _: self._connections.append(opened))
        self.budgets = SqlStore(self.engine)
        second = FaceppBackend(api_key=canaries.CLIENT_ID, api_secret=canaries.CLIENT_SECRET)
        budget = Budget(self.limit, name="uploads", store=self.budgets, clock=self.clock)
        members = [
            fm.FaceVerifier(
                self._with_mock(backend),
                threshold=20,
                review_threshold=60,
                require_environment="mock",
                policies=[budget],
                retry=Retry(times=1, chance=random.Random(1)),
                clock=self.clock,
            )
            for backend in (BACKENDS[UPLOADS_AT](environment="mock"), second)
        ]
        failover = fm.Failover(members, clock=self.clock)
        self.checks = fm.CheckStore(self.engine, failover, attempts=10_000, max_age_s=YEAR_S)
        backend = self._with_mock(BACKENDS[vendor](environment="mock"))
        sessions = open_sessions(vendor, backend, clock=self.clock)
        self.sessions = fm.SessionStore(self.engine, sessions, person=lambda _customer: ADA)

    def die(self):
        """Leave all as it is, but for connections, which a server would close, used or not."""
        self.engine.dispose()
        for connection in self._connections:
            connection.close()

    def close(self):
        self.budgets.close()
        self.checks.close()
        self.sessions.close()
        self.die()

    def search_unknown(self):
        """Search the vendors' records for what the budget does not know, as every night."""
        now = self.clock.now()
        calls = expire_and_list_open_calls([self.budgets], now)
        return [*resolve_found(calls, self.checks.verifier, now)]

    def _with_mock(self, backend):
        backend.client.clock = self.clock
        backend.client.mount("https://", self.world.line)
        return backend

    @contextlib.contextmanager
    def transaction(self):
        """The application's own transaction, around whose commit it may die as well."""
        self.in_transaction = True
        try:
            with self.engine.connect() as connection:
                if connection.dialect.name == "sqlite":
                    # With the write lock from the start, as SQLite's documents advise.
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                self.world.at_point("the application's COMMIT", may_swap=False)
                connection.commit()
                self.world.at_point("the end of the application's COMMIT", may_swap=False)
        finally:
            self.in_transaction = False
