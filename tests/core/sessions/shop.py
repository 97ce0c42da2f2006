"""A shop with a store of sessions, for tests of `SessionStore`: `import *` brings its fixtures."""

import contextlib

import pytest
import sqlalchemy
from core.sessions.vendor import ManySessions
from kit.fakes import picture

import facematch_core as fm
from facematch_core.sessions import beginning
from facematch_core.testing import ManualClock

STATE = fm.SessionState
PAYOUT = {"purpose": "payout", "about": "payout 8841"}
ADA = fm.Person(name="Ada Lovelace")
GRACE = fm.Person(name="Grace Hopper")
FINDS = {"finds_by_record": True}
REPEATS = {"start_is_repeatable": True}
MAKES_ANOTHER = {}
#: A vendor of whose token only the response to a start says what it is.
GIVES_TOKEN_ONCE = {"gives": "token once", "gives_token_once": True}


class Shop:
    """A store of sessions of one vendor, and what a shop does with it for customer 17."""

    def __init__(self, address, stack, *, clock=None, vendor=None, policies=(), **can):
        self.address = address
        self.stack = stack
        self.clock = clock or ManualClock()
        self.vendor = vendor or ManySessions(**can)
        self.events = []
        self.policies = policies
        self.store = self.opened()

    def sessions(self, vendor=None, **arguments):
        verifier = fm.FaceVerifier(
            vendor or self.vendor,
            require_environment="production",
            clock=self.clock,
            policies=self.policies,
            on_event=self.events.append,
        )
        return fm.Sessions(verifier, **arguments)

    def opened(self, sessions=None, **arguments):
        sessions = sessions or self.sessions()
        store = fm.SessionStore(self.address, sessions, **arguments)
        return self.stack.enter_context(store)

    def of(self, customer="customer-17", *, case=PAYOUT):
        return self.store.of(customer, **case)

    def begin(self, customer="customer-17", *, case=PAYOUT, **options):
        return self.of(customer, case=case).begin(**{"reference": picture(), **options})

    def begin_and_finish(self, *, passes=True, **options):
        """Begin a session; the person finishes it, and it is due five seconds later."""
        session = self.begin(**options)
        self.vendor.finish(passes=passes)
        self.clock.advance(5)
        return session

    def lose_start(self):
        """Begin a session; the vendor makes it, and its answer is lost."""

        def lose():
            self.vendor.after_start = lambda: None
            raise fm.OutcomeUnknown("The answer was lost.")

        self.vendor.after_start = lose
        with pytest.raises(fm.OutcomeUnknown) as caught:
            self.begin()
        return caught.value

    def states_seen(self):
        return [each.result.state for each in self.store.look()]

    def use(self, customer="customer-17", *, case=PAYOUT, **options):
        return self.of(customer, case=case).use(**{"max_age_s": 3600, **options})

    def find(self, customer="customer-17"):
        return self.of(customer).find()

    def hear(self, *, record_id="", session_id="", signature="acme"):
        body = f"{record_id}|{session_id}".encode()
        return self.store.receive(body, {"signature": signature})

    def rows(self, columns="*"):
        rows = self.run(f"SELECT {columns} FROM facematch_sessions ORDER BY number").mappings()
        return [dict(row) for row in rows]

    def forget_token(self):
        """Leave the rows as a release that stored no token has written them."""
        self.run("UPDATE facematch_sessions SET token = NULL")

    def run(self, statement):
        engine = sqlalchemy.create_engine(self.address)
        with engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            frozen = result.freeze()() if result.returns_rows else result
        engine.dispose()
        return frozen


@pytest.fixture
def open_shop(address):
    with contextlib.ExitStack() as stack:
        yield lambda **arguments: Shop(address, stack, **arguments)


@pytest.fixture
def busy_shop(open_shop, monkeypatch):
    """A shop in real time, where whoever waits for another one's start looks more often."""
    monkeypatch.setattr(beginning, "_START_POLL_S", 0.02)
    return open_shop(clock=fm.base.deadline.SystemClock())


@pytest.fixture
def shop(open_shop):
    return open_shop()


def link_of(session):
    return session.access.link.reveal()


def two_vendors(shop, *, chosen):
    """Open a store of two vendors; return the second one."""
    second = ManySessions(name="bcme")
    sessions = {"acme": shop.sessions(), "bcme": shop.sessions(second)}
    shop.store = shop.opened(sessions, choose=lambda subject_ref: chosen[subject_ref])
    return second
