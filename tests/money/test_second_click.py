"""A second click, a reload and another process at each vendor of sessions: the person gets on.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import contextlib
import logging

import pytest
import sqlalchemy
from kit.money.sessions import BACKENDS, SessionWorld

import facematch_core as fm

PAYOUT = {"purpose": "payout", "about": "payout 8841"}


class Tabs:
    """A customer's tabs at a vendor: of one process, or each of its own, over one database."""

    def __init__(self, vendor, address, stack):
        self.address = address
        self.stack = stack
        self.world = SessionWorld(vendor, ("budget",))
        stack.callback(self.world.close)
        self.first = self.opened()

    @property
    def can(self):
        return self.world.sessions.capabilities

    def opened(self):
        """Open a store as another process does: with sessions and a backend of its own."""
        store = fm.SessionStore(self.address, self.world.opened())
        self.stack.callback(store.close)
        return store

    def begin(self, store=None):
        is_document = self.world.sessions.expected.compared_with is fm.ComparedWith.DOCUMENT
        case = (store or self.first).of("customer-17", **PAYOUT)
        return case.begin(any_document=is_document)

    def run(self, statement):
        engine = sqlalchemy.create_engine(self.address)
        with engine.begin() as connection:
            rows = connection.execute(sqlalchemy.text(statement))
            found = [dict(row) for row in rows.mappings()] if rows.returns_rows else []
        engine.dispose()
        return found

    def forget_token(self):
        """Leave the row as a release that stored no token has written it."""
        self.run("UPDATE facematch_sessions SET token = NULL")

    def finish(self, session):
        is_document = session.record.compared_with is fm.ComparedWith.DOCUMENT
        document = {"document": "p1"} if is_document else {}
        self.world.control.sessions.finish(session.record.session_id, card="p1", **document)

    def use(self):
        return self.first.of("customer-17", **PAYOUT).use(max_age_s=3600)

    def started(self):
        """Return how many sessions the vendor has had, and what is counted of them."""
        numbers = [session.number for session in self.world.control.sessions.all()]
        return max(numbers), self.world.counted()


@pytest.fixture
def open_tabs(address):
    with contextlib.ExitStack() as stack:
        yield lambda vendor: Tabs(vendor, address, stack)


@pytest.fixture
def azure(open_tabs):
    return open_tabs("azure")


@pytest.mark.parametrize("vendor", BACKENDS)
def test_each_click_is_in_the_same_session_whose_first_tab_passes(open_tabs, vendor):
    tabs = open_tabs(vendor)
    begun = tabs.begin()
    for store in (tabs.first, tabs.opened(), tabs.opened()):
        again = tabs.begin(store)
        assert again.record.id == begun.record.id
        # Where the link works once, each read makes another one.
        assert (again.access.link == begun.access.link) is not tabs.can.link_works_once
        assert again.access.page == begun.access.page
        if tabs.can.gives_token_once:
            assert again.access.token == begun.access.token
    tabs.finish(begun)
    assert tabs.use() is fm.Use.FIRST
    assert tabs.started() == (1, "spent")


@pytest.mark.parametrize("vendor", BACKENDS)
def test_token_is_stored_where_no_read_gives_it_again(open_tabs, vendor):
    tabs = open_tabs(vendor)
    begun = tabs.begin()
    read = tabs.world.sessions.read(begun.record, with_access=True)
    is_given_again = read.access is not None and read.access.token is not None
    is_lost = begun.access.token is not None and not is_given_again
    # Persona's component needs a token only once its inquiry has begun; then each read has one.
    assert tabs.can.gives_token_once is (is_lost and vendor != "persona")
    (row,) = tabs.run("SELECT token FROM facematch_sessions")
    assert (row["token"] is not None) is tabs.can.gives_token_once
    tabs.finish(begun)
    assert tabs.use() is fm.Use.FIRST
    assert tabs.run("SELECT link, token FROM facematch_sessions") == [{"link": None, "token": None}]


def test_component_gets_the_same_access_at_each_click(azure, caplog):
    caplog.set_level(logging.DEBUG)
    begun = azure.begin()
    again = azure.begin(azure.opened())
    assert again.access == begun.access
    assert again.access.page["endpoint"].startswith("https://")
    token = again.access.token.reveal()
    assert token not in f"{again!r} {azure.first.of('customer-17', **PAYOUT).find()!r}"
    assert token not in f"{caplog.text} {azure.world.events!r}"


def test_session_alone_gives_the_token_once_and_says_to_keep_it(azure):
    sessions = azure.world.sessions
    started = sessions.start(sessions.plan("customer-17", purpose="payout"))
    assert started.access.token is not None
    assert sessions.read(started.record, with_access=True).access is None
    with pytest.raises(fm.InvalidRequest, match="no token: keep that of start"):
        sessions.start(started.record)


def test_tab_of_an_earlier_release_passes_after_a_click_in_this_one(azure):
    begun = azure.begin()
    azure.forget_token()
    azure.world.clock.sleep(60)
    held = azure.begin(azure.opened())
    assert (held.access, held.is_open, held.record.id) == (None, True, begun.record.id)
    assert held.begin_again_at == begun.record.expires_at
    azure.finish(begun)
    assert azure.use() is fm.Use.FIRST
    assert azure.started() == (1, "spent")


def test_session_without_its_token_is_replaced_once_the_token_has_ended(azure):
    begun = azure.begin()
    azure.forget_token()
    azure.world.clock.sleep(3601)
    again = azure.begin()
    assert (again.access.token is None, again.begin_again_at) == (False, None)
    (session,) = azure.world.control.sessions.all()
    assert session.id == again.record.session_id != begun.record.session_id


def test_session_without_its_token_is_replaced_if_the_vendor_does_not_know_it(azure):
    begun = azure.begin()
    azure.forget_token()
    azure.world.sessions.delete(begun.record)
    again = azure.begin()
    assert again.record.session_id != begun.record.session_id
    assert again.access.token is not None


def test_failed_attempt_keeps_a_session_open_and_a_failed_session_does_not(azure):
    begun = azure.begin()
    azure.forget_token()
    for tries_left in (2, 1, 0):
        azure.world.control.sessions.fail_attempt(begun.record.session_id)
        again = azure.begin()
        assert (again.record.id == begun.record.id) is (tries_left > 0)
        assert (again.access is None) is (tries_left > 0)
