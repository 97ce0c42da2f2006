"""A table of sessions: one open session for a case, read when it is due, used once.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import collections
import contextlib
import functools
import logging
import math
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from core.sessions.vendor import ManySessions
from kit.attempts import before_each_statement
from kit.fakes import Hold, picture
from kit.marks import forks_beside_threads, needs_fork
from kit.sessions import LINK, TOKEN

import facematch_core as fm
from facematch_core.resilience import Budget
from facematch_core.sessions import store as stores
from facematch_core.testing import ManualClock

STATE = fm.SessionState
PAYOUT = {"purpose": "payout", "about": "payout 8841"}
ADA = fm.Person(name="Ada Lovelace")
GRACE = fm.Person(name="Grace Hopper")
FINDS = {"finds_by_record": True}
REPEATS = {"start_is_repeatable": True}
MAKES_ANOTHER = {}


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
        engine = sqlalchemy.create_engine(self.address)
        with contextlib.closing(engine.connect()) as connection:
            query = f"SELECT {columns} FROM facematch_sessions ORDER BY number"
            found = [dict(row) for row in connection.execute(sqlalchemy.text(query)).mappings()]
        engine.dispose()
        return found


@pytest.fixture
def open_shop(address):
    with contextlib.ExitStack() as stack:
        yield lambda **arguments: Shop(address, stack, **arguments)


@pytest.fixture
def busy_shop(open_shop, monkeypatch):
    """A shop in real time, where whoever waits for another one's start looks more often."""
    monkeypatch.setattr(stores, "_START_POLL_S", 0.02)
    return open_shop(clock=fm.base.deadline.SystemClock())


@pytest.fixture
def shop(open_shop):
    return open_shop()


def link_of(session):
    return session.access.link.reveal()


def test_begun_session_is_read_when_due_and_used_once(shop):
    session = shop.begin()
    assert link_of(session) == f"{LINK}-s-1"
    assert (session.record.session_id, session.name, session.is_open) == ("s-1", "acme", True)
    assert shop.of().why_not(max_age_s=60)
    shop.vendor.finish()
    shop.clock.advance(5)
    (session,) = shop.store.look()
    assert (session.result.state, session.is_open, session.used_at) == (STATE.DECIDED, False, None)
    assert shop.of().why_not(max_age_s=60) == ()
    assert not shop.use("customer-18")
    assert not shop.use(case={"purpose": "login", "about": None})
    assert not shop.use(max_age_s=1)
    assert [shop.use() for _ in range(3)] == [True, False, False]
    assert shop.find().used_at == shop.clock.now()
    assert "used" in shop.of().why_not(max_age_s=60)[0]


def test_without_a_session_nothing_is_found_or_used(shop):
    assert (shop.find(), shop.use(), shop.store.look()) == (None, False, ())
    assert (shop.store.cancel("customer-17"), shop.store.forget(0)) == (0, 0)


def test_case_shows_nothing_of_the_person_and_is_equal_to_itself_alone(shop):
    case = shop.of()
    assert (case.subject_ref, case.purpose, case.about) == ("customer-17", *PAYOUT.values())
    assert (case == shop.of(), hash(case)) == (True, hash(shop.of()))
    assert case != shop.of(case={**PAYOUT, "about": None})
    assert case != shop.opened().of("customer-17", **PAYOUT)
    assert repr(case) == "VerificationCase(SessionStore(acme))"
    assert repr(fm.AsyncSessionStore(shop.store).of("customer-17", **PAYOUT)).count("17") == 0
    with pytest.raises(TypeError, match="in each process"):
        pickle.dumps(case)


@pytest.mark.parametrize("wrong", [{"purpose": ""}, {"purpose": 8}, {"about": ""}, {"about": 8841}])
def test_case_of_a_wrong_type_is_refused_instead_of_finding_nobody(shop, wrong):
    with pytest.raises(fm.InvalidRequest):
        shop.of(case={**PAYOUT, **wrong})


def test_reasons_without_a_session(shop):
    assert shop.of().why_not(max_age_s=600) == ("no session was begun, or it was cancelled",)
    shop.begin()
    assert shop.of().why_not(max_age_s=600) == ("the session was not read yet",)
    shop.store.cancel("customer-17")
    assert len(shop.of().why_not(max_age_s=600)) == 1
    with pytest.raises(fm.InvalidRequest):
        shop.begin_and_finish()
        shop.use()
        shop.of().why_not(max_age_s=0)


def test_subject_that_is_no_text_is_refused_instead_of_finding_nobody(shop):
    for method in (shop.store.cancel, shop.store.set_due, shop.of):
        with pytest.raises(fm.InvalidRequest):
            method(17)


def test_open_session_is_begun_again_with_the_same_link_and_without_a_request(shop):
    session = shop.begin()
    same_session = shop.begin()
    assert (link_of(same_session), same_session.record.id) == (link_of(session), session.record.id)
    assert (len(shop.vendor.starts), shop.vendor.reads) == (1, [])
    assert shop.begin(case={**PAYOUT, "about": None}).record.id != session.record.id
    assert shop.begin("customer-18").record.id != session.record.id


@pytest.mark.parametrize("can", [{"link_works_once": True}, {"gives": "token"}], ids=str)
def test_link_that_works_once_or_token_is_read_anew_from_the_same_session(open_shop, can):
    shop = open_shop(**can)
    session = shop.begin()
    same_session = shop.begin()
    assert same_session.access == session.access
    assert same_session.record.id == session.record.id
    assert len(shop.vendor.starts) == len(shop.vendor.reads) == 1
    assert shop.rows("link") == [{"link": None}]


def test_token_that_the_vendor_returns_once_is_replaced_by_another_session(open_shop):
    shop = open_shop(gives="token once")
    session = shop.begin()
    other_session = shop.begin()
    assert other_session.access.token.reveal() != session.access.token.reveal()
    assert (shop.vendor.deleted, list(shop.vendor.sessions)) == (["s-1"], ["s-2"])
    shop.vendor.finish()
    assert shop.use()


@pytest.mark.parametrize("gives", ["link", "token", "token once"])
def test_link_is_in_its_column_alone_and_a_token_nowhere(open_shop, gives, caplog):
    caplog.set_level(logging.DEBUG)
    shop = open_shop(gives=gives)
    session = shop.begin()
    others = str([{**row, "link": None} for row in shop.rows()])
    hidden = others, repr(session), repr(shop.find()), repr(shop.events), caplog.text
    assert [text for text in hidden if LINK in text or TOKEN in text] == []
    links = [f"{LINK}-s-1"] if gives == "link" else [None]
    assert [row["link"] for row in shop.rows("link")] == links


def test_link_is_removed_once_the_session_is_no_longer_pending(shop):
    shop.begin()
    shop.clock.advance(5)
    shop.store.look()
    assert shop.rows("link") == [{"link": f"{LINK}-s-1"}]
    shop.vendor.sessions["s-1"].state = STATE.PROCESSING
    shop.clock.advance(30)
    shop.store.look()
    assert shop.rows("link") == [{"link": None}]


def test_link_is_removed_when_it_expires(shop):
    shop.begin()
    shop.clock.advance(3601)
    shop.store.look(at_most=0)
    assert shop.rows("link") == [{"link": None}]


def test_session_without_access_is_started_once_for_each_begin(open_shop):
    shop = open_shop(gives="nothing")
    assert shop.begin().access is None
    assert len(shop.vendor.starts) == 1
    assert shop.begin().access is None
    assert (len(shop.vendor.starts), shop.vendor.deleted) == (2, ["s-1"])


def test_expired_session_is_deleted_before_another_is_started(shop):
    shop.begin()
    shop.clock.advance(2 * 3600)
    shop.store.look()
    assert shop.find().result.state is STATE.EXPIRED
    assert not shop.find().is_open
    session = shop.begin()
    assert (shop.vendor.deleted, session.record.session_id) == (["s-1"], "s-2")
    shop.vendor.finish()
    assert shop.use()


def test_expired_session_that_was_decided_after_all_is_not_repeated(shop):
    shop.begin()
    shop.clock.advance(2 * 3600)
    shop.store.look()
    shop.vendor.finish()
    assert shop.begin().access is None
    assert shop.use(max_age_s=math.inf)
    assert len(shop.vendor.starts) == 1


@pytest.mark.parametrize("state", [STATE.PROCESSING, STATE.UNKNOWN, STATE.DECIDED])
def test_finished_session_gives_no_access_and_starts_no_other(shop, state):
    shop.begin()
    shop.clock.advance(3601)  # the link has expired, so that the vendor is asked
    shop.vendor.sessions["s-1"].state = state
    assert shop.begin().access is None
    assert len(shop.vendor.starts) == 1
    (session,) = shop.store.look()
    assert session.result.state is state


def test_failed_person_may_begin_again(shop):
    shop.begin_and_finish(passes=False)
    shop.store.look()
    assert not shop.use()
    shop.begin_and_finish()
    assert shop.use()
    assert len(shop.vendor.starts) == 2


def test_session_that_the_vendor_deleted_is_replaced(shop):
    shop.begin()
    shop.vendor.sessions.clear()
    shop.clock.advance(5)
    assert (shop.store.look(), shop.use()) == ((), False)
    assert shop.begin().record.session_id == "s-2"


@pytest.mark.parametrize(
    ("can", "count", "reason"),
    [
        (FINDS, (1, 1), "looks for the session first"),
        (REPEATS, (2, 1), "same session; both starts are counted"),
        (MAKES_ANOTHER, (2, 2), "a second session, and both are counted"),
    ],
    ids=["finds", "repeats", "makes another"],
)
def test_next_begin_repeats_a_lost_start_of_the_same_record(open_shop, can, count, reason, caplog):
    starts, sessions = count
    budget = Budget(10, name="sessions")
    shop = open_shop(policies=[budget], **can)
    assert reason in shop.lose_start().message
    record_id = shop.find().record.id
    session = shop.begin()
    assert session.record.id == record_id
    assert reason in session.repeated_start
    assert reason in caplog.text
    assert (len(shop.vendor.starts), len(shop.vendor.sessions)) == (starts, sessions)
    (state,) = budget.store.budgets()
    assert state.spent + state.unknown == starts
    assert link_of(shop.begin()) == link_of(session)
    shop.vendor.finish(session.record.session_id)
    assert [shop.use() for _ in range(2)] == [True, False]


@needs_fork
@forks_beside_threads
def test_forked_processes_start_one_session(busy_shop):
    busy_shop.find()  # the children inherit an open connection
    fork = multiprocessing.get_context("fork")
    starts = fork.SimpleQueue()
    links = fork.SimpleQueue()
    barrier = fork.Barrier(4)
    busy_shop.vendor.before_start = lambda: starts.put(os.getpid())

    def begin():
        barrier.wait(60)
        links.put(link_of(busy_shop.begin()))

    children = [fork.Process(target=begin) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
    assert [child.exitcode for child in children] == [0] * 4
    assert {links.get() for _ in children} == {f"{LINK}-s-1"}
    assert (starts.get() in {child.pid for child in children}, starts.empty()) == (True, True)


@needs_fork
@forks_beside_threads
def test_start_of_a_killed_process_is_repeated_after_twelve_seconds(open_shop):
    shop = open_shop(**FINDS)
    shop.vendor.before_start = lambda: os.kill(os.getpid(), signal.SIGKILL)
    shop.find()
    child = multiprocessing.get_context("fork").Process(target=shop.begin)
    child.start()
    child.join(240)
    assert child.exitcode == -signal.SIGKILL
    shop.vendor.before_start = lambda: None
    with pytest.raises(fm.SessionStarting):
        shop.begin()
    assert sum(shop.clock.slept) == pytest.approx(10, abs=0.5)
    shop.clock.advance(2)
    assert "did not finish" in shop.begin().repeated_start


def test_slow_start_of_a_running_process_is_not_repeated(shop, monkeypatch):
    monkeypatch.setattr(stores, "_RENEWAL_S", 0.01)
    hold = Hold()
    shop.vendor.before_start = hold
    with ThreadPoolExecutor(1) as pool:
        first_click = pool.submit(shop.begin)
        hold.wait_for()
        for _ in range(3):
            shop.clock.advance(stores.START_LEASE_S - 1)
            renewed = shop.clock.now().timestamp() + stores.START_LEASE_S
            while shop.rows("starting_until") != [{"starting_until": renewed}]:
                assert not first_click.done()
        with pytest.raises(fm.SessionStarting):
            shop.begin()
        hold.go_on.set()
        assert link_of(first_click.result(30)) == f"{LINK}-s-1"
    assert len(shop.vendor.starts) == 1


def test_renewal_of_a_lease_is_over_when_the_start_is(shop, monkeypatch):
    monkeypatch.setattr(stores, "_RENEWAL_S", 0.01)
    start, renewal, now = Hold(), Hold(), shop.clock.now

    def hold_renewal():
        if threading.current_thread().name == "facematch-start":
            renewal()
        return now()

    shop.vendor.before_start = start
    monkeypatch.setattr(shop.clock, "now", hold_renewal)
    with ThreadPoolExecutor(1) as pool:
        click = pool.submit(shop.begin)
        start.wait_for()
        renewal.wait_for()
        start.go_on.set()
        assert futures.wait([click], timeout=0.2).not_done
        renewal.go_on.set()
        assert link_of(click.result(30)) == f"{LINK}-s-1"


def test_start_without_a_thread_for_its_lease_is_not_repeated(shop, monkeypatch):
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "facematch-start":
            raise RuntimeError("can't start new thread")
        start(thread)

    def click_again():
        shop.clock.advance(40)
        with pytest.raises(fm.SessionStarting):
            shop.begin()

    shop.vendor.before_start = click_again
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert link_of(shop.begin()) == f"{LINK}-s-1"


def test_interrupted_start_is_repeated_at_once(shop):
    def interrupt():
        raise KeyboardInterrupt

    shop.vendor.before_start = interrupt
    with pytest.raises(KeyboardInterrupt):
        shop.begin()
    shop.vendor.before_start = lambda: None
    assert "did not finish" in shop.begin().repeated_start


def test_second_click_waits_for_the_first_and_gets_its_session(busy_shop):
    started = threading.Event()
    go_on = threading.Event()

    def hold():
        started.set()
        assert go_on.wait(30)

    busy_shop.vendor.before_start = hold
    with ThreadPoolExecutor(2) as pool:
        first_click = pool.submit(busy_shop.begin)
        assert started.wait(30)
        second_click = pool.submit(busy_shop.begin)
        go_on.set()
        assert link_of(first_click.result(30)) == link_of(second_click.result(30))
    assert len(busy_shop.vendor.starts) == 1


@pytest.mark.parametrize(
    "failure",
    [
        fm.RequestRejected("No.", billing=fm.Billing(fm.Charged.NO)),
        fm.VendorUnavailable("Down.", status_code=503, billing=fm.Billing(fm.Charged.NO, "503")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_start_that_certainly_made_no_session_leaves_no_row(shop, failure):
    def refuse():
        raise failure

    shop.vendor.before_start = refuse
    with pytest.raises(type(failure)):
        shop.begin()
    assert shop.rows() == []


def test_free_error_of_a_vendor_that_finds_sessions_keeps_the_row(open_shop):
    shop = open_shop(**FINDS)

    def refuse():
        raise fm.VendorUnavailable("Down.", status_code=503, billing=fm.Billing(fm.Charged.NO, "-"))

    shop.vendor.before_start = refuse
    with pytest.raises(fm.VendorUnavailable):
        shop.begin()
    shop.vendor.before_start = lambda: None
    (row,) = shop.rows("id")
    shop.clock.advance(900)
    session = shop.begin()
    assert (session.record.id, session.record.started_at) == (row["id"], shop.clock.now())


def test_missing_reference_and_exceeded_budget_leave_no_row(open_shop):
    shop = open_shop(policies=[Budget(1, name="sessions")])
    with pytest.raises(fm.InvalidRequest):
        shop.begin(reference=None)
    shop.begin("customer-1")
    with pytest.raises(fm.BudgetExceeded):
        shop.begin("customer-2")
    assert [row["session_id"] for row in shop.rows()] == ["s-1"]


def test_start_that_was_lost_long_ago_is_not_repeated(open_shop):
    shop = open_shop(**FINDS)
    shop.lose_start()
    shop.clock.advance(3700)
    session = shop.begin()
    assert (session.repeated_start, shop.vendor.deleted) == (None, ["s-1"])
    assert session.record.session_id == "s-2"


def test_webhook_sets_its_session_due(shop):
    shop.begin()
    shop.vendor.finish()
    assert shop.store.look() == ()
    for _ in range(2):  # the vendor delivers it again
        assert shop.hear(session_id="s-1") == 1
        assert shop.states_seen() == [STATE.DECIDED]
    assert [shop.use() for _ in range(2)] == [True, False]
    assert shop.hear(session_id="s-1") == 1
    shop.store.look()
    assert not shop.use()


def test_return_of_the_person_sets_the_open_sessions_due(shop):
    for about in ("payout 1", "payout 2"):
        shop.begin(case={"purpose": "payout", "about": about})
    shop.begin("customer-18")
    shop.vendor.finish("s-1")
    assert shop.store.look() == ()
    assert shop.store.set_due("customer-17") == 2
    assert shop.states_seen() == [STATE.DECIDED, STATE.PENDING]
    assert shop.store.set_due("customer-17") == 1


def test_forged_and_foreign_webhooks_change_nothing(shop):
    shop.begin()
    before = shop.rows()
    with pytest.raises(fm.WebhookRefused):
        shop.hear(session_id="s-1", signature="guessed")
    assert shop.hear(session_id="s-9", record_id="7" * 32) == 0
    assert shop.rows() == before


@pytest.mark.parametrize("names_record", [True, False])
def test_webhook_before_the_answer_to_the_start_loses_nothing(shop, names_record):
    def deliver():
        (row,) = shop.rows("id")
        shop.hear(record_id=row["id"] if names_record else "", session_id="s-1")
        shop.store.look()

    shop.vendor.before_start = deliver
    session = shop.begin_and_finish()
    assert [each.record.id for each in shop.store.look()] == [session.record.id]
    assert shop.use()


@pytest.mark.parametrize("passes", [True, False])
def test_verdict_before_the_answer_to_the_start_keeps_the_session(open_shop, passes):
    def decide():
        shop.vendor.finish(passes=passes)
        shop.hear(session_id="", record_id=shop.find().record.id)
        shop.store.look()

    shop = open_shop(**FINDS)
    shop.vendor.after_start = decide
    session = shop.begin()
    assert (session.access, session.is_open, session.result.state) == (None, False, STATE.DECIDED)
    assert (session.record.session_id, shop.vendor.deleted) == ("s-1", [])
    assert shop.use() is passes


def test_webhook_finds_a_session_whose_start_was_lost(open_shop):
    shop = open_shop(**FINDS)
    shop.lose_start()
    shop.vendor.finish()
    shop.hear(record_id=shop.find().record.id)
    (session,) = shop.store.look()
    assert session.record.session_id == "s-1"
    assert shop.use()


def test_without_webhooks_the_verdict_is_read_anyway(shop):
    shop.begin_and_finish()
    assert shop.use()  # even before the worker has looked


def test_verdict_that_is_revised_before_its_use_is_not_used(shop):
    shop.begin_and_finish()
    shop.store.look()
    shop.vendor.finish(passes=False)
    assert not shop.use()


def test_verdict_that_is_revised_after_its_use_is_reported_daily(shop):
    shop.begin_and_finish()
    assert shop.use()
    assert [each.is_revoked for each in shop.store.look()] == [False]
    shop.vendor.finish(passes=False)
    assert shop.store.look() == ()
    for _ in range(2):
        shop.clock.advance(86_401)
        assert [each.is_revoked for each in shop.store.look()] == [True]
    assert not shop.use()


def sell_and_revoke(shop, count):
    """`count` customers are verified and used; the vendor then takes back all verdicts."""
    customers = [f"customer-{number}" for number in range(1, count + 1)]
    for customer in customers:
        shop.begin_and_finish(customer=customer)
        assert shop.use(customer, document=ADA)
    for session_id in shop.vendor.sessions:
        shop.vendor.finish(session_id, passes=False)
    return customers


def revoked(sessions):
    return sorted(session.record.subject_ref for session in sessions if session.is_revoked)


@pytest.fixture
def document_shop(open_shop):
    """A shop whose sessions compare with a document; `shop.persons` may change."""
    shop = open_shop()
    shop.persons = collections.defaultdict(lambda: ADA)
    sessions = shop.sessions(compared_with="document")
    shop.store = shop.opened(sessions, person=lambda subject_ref: shop.persons[subject_ref])
    return shop


def test_deleted_customer_does_not_keep_the_others_from_being_told(document_shop, caplog):
    shop = document_shop
    customers = sell_and_revoke(shop, 5)
    shop.persons = dict.fromkeys(customers, ADA)
    del shop.persons["customer-2"]
    told = revoked(shop.store.look())
    assert told == ["customer-1", "customer-3", "customer-4", "customer-5"]
    assert "KeyError" in caplog.text
    assert "customer-2" not in caplog.text
    assert shop.store.look() == ()
    shop.clock.advance(61)
    shop.persons["customer-2"] = ADA
    assert revoked(shop.store.look()) == ["customer-2"]


@pytest.mark.parametrize("fails_on", [False, True], ids=["once", "for a minute"])
def test_revocations_are_told_after_the_store_was_away_in_a_look(shop, fails_on):
    customers = sell_and_revoke(shop, 5)
    is_away = []

    def fail(_statement):
        if is_away:
            if not fails_on:
                is_away.clear()
            raise fm.StoreUnavailable("away")

    def go_away():
        if len(shop.vendor.reads) == len(customers) + 3:  # `use` has read each
            is_away.append(True)

    shop.vendor.after_read = go_away
    with before_each_statement(fail), pytest.raises(fm.StoreUnavailable):
        shop.store.look()
    if fails_on:
        shop.clock.advance(61)
    assert revoked(shop.store.look()) == customers
    assert shop.store.look() == ()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_revocations_are_told_after_an_interrupted_look(document_shop, interruption):
    shop = document_shop
    customers = sell_and_revoke(shop, 5)

    class Persons:
        def __getitem__(self, subject_ref):
            if subject_ref == "customer-4":
                raise interruption
            return ADA

    shop.persons = Persons()
    with pytest.raises(interruption):
        shop.store.look()
    # Another process would be told as well.
    assert revoked(shop.opened(shop.sessions(compared_with="document")).look()) == customers


@needs_fork
@forks_beside_threads
def test_revocations_are_told_a_minute_after_a_worker_was_killed(shop):
    customers = sell_and_revoke(shop, 3)

    def kill():
        if len(shop.vendor.reads) == len(customers) + 2:
            os.kill(os.getpid(), signal.SIGKILL)

    shop.vendor.after_read = kill
    child = multiprocessing.get_context("fork").Process(target=shop.store.look)
    child.start()
    child.join(240)
    assert child.exitcode == -signal.SIGKILL
    shop.vendor.after_read = lambda: None
    shop.clock.advance(61)
    assert revoked(shop.store.look()) == customers


def test_look_tells_what_it_has_read_after_ten_seconds(shop):
    customers = sell_and_revoke(shop, 5)
    shop.vendor.after_read = lambda: shop.clock.advance(4)
    told = [revoked(shop.store.look()) for _ in range(2)]
    assert [len(customers) for customers in told] == [3, 2]
    assert sorted(told[0] + told[1]) == customers


def test_concurrent_uses_are_one_use(shop):
    shop.begin_and_finish()
    barrier = threading.Barrier(4)
    shop.vendor.after_read = lambda: barrier.wait(30)
    with ThreadPoolExecutor(4) as pool:
        uses = list(pool.map(lambda _: shop.use(), range(4)))
    assert sorted(uses) == [False, False, False, True]


def test_use_during_which_a_webhook_arrives_stores_its_reading(shop):
    shop.begin_and_finish()
    shop.vendor.after_read = lambda: shop.hear(session_id="s-1")
    assert shop.use()
    session = shop.find()
    assert (session.result.state, session.is_open, session.is_revoked) == (
        STATE.DECIDED,
        False,
        False,
    )
    assert shop.rows("link") == [{"link": None}]


def test_two_workers_read_each_session_once(shop):
    for number in range(20):
        shop.begin(f"customer-{number}")
    shop.clock.advance(5)
    workers = [shop.opened() for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        sessions_read = list(pool.map(lambda worker: worker.look(), workers))
    assert sum(map(len, sessions_read)) == len(shop.vendor.reads) == 20


def test_reading_that_outlives_its_lease_replaces_no_newer_one(shop):
    shop.begin_and_finish()

    def another_worker_reads():
        shop.vendor.after_read = lambda: None
        shop.clock.advance(61)
        shop.vendor.finish(passes=False)
        shop.store.look()

    shop.vendor.after_read = another_worker_reads
    assert shop.store.look() == ()
    assert shop.of().why_not(max_age_s=600)


def test_webhook_during_a_reading_has_the_session_read_again(shop):
    shop.begin()
    shop.clock.advance(5)

    def finish():
        shop.vendor.after_read = lambda: None
        shop.vendor.finish()
        shop.hear(session_id="s-1")

    shop.vendor.after_read = finish
    assert shop.states_seen() == [STATE.DECIDED]


def test_outage_while_reading_is_waited_out(shop, caplog):
    shop.begin()
    shop.clock.advance(5)

    def fail():
        raise fm.VendorUnavailable("Down.", billing=fm.Billing(fm.Charged.NO))

    shop.vendor.after_read = fail
    assert shop.store.look() == ()
    assert "VendorUnavailable" in caplog.text
    with pytest.raises(fm.VendorUnavailable):
        shop.use()
    shop.vendor.after_read = lambda: None
    shop.vendor.finish()
    assert shop.store.look() == ()
    shop.clock.advance(61)
    assert len(shop.store.look()) == 1


def test_verdict_of_another_session_is_discarded(shop):
    shop.begin_and_finish()
    assert shop.use()
    shop.store.look()
    shop.vendor.sessions["s-1"].terms = "0" * 64
    shop.hear(session_id="s-1")
    (session,) = shop.store.look()
    assert (session.result, session.is_revoked) == (None, True)
    shop.clock.advance(86_401)
    assert [each.is_revoked for each in shop.store.look()] == [True]
    with pytest.raises(fm.SessionMismatch):
        shop.begin()
        shop.vendor.sessions["s-2"].terms = "0" * 64
        shop.use()


@pytest.mark.parametrize("has_looked", [True, False])
def test_stored_verdict_counts_once_the_vendor_has_forgotten_the_session(open_shop, has_looked):
    shop = open_shop(result_lasts_s=180.0)
    shop.begin_and_finish()
    if has_looked:
        shop.store.look()
    shop.vendor.sessions.clear()
    shop.clock.advance(300)
    assert shop.use(max_age_s=600) is has_looked
    assert not shop.use(max_age_s=600)


def test_document_must_belong_to_the_person(document_shop):
    shop = document_shop
    shop.begin_and_finish()
    (session,) = shop.store.look()
    assert (list(shop.persons), session.result.name_agreement) == (["customer-17"], "agrees")
    shop.persons["customer-17"] = GRACE
    assert not shop.use()
    assert "the name on the document is another" in shop.of().why_not(max_age_s=600)
    assert [shop.use(document=ADA) for _ in range(2)] == [True, False]
    shop.persons["customer-17"] = ADA
    assert [each.is_revoked for each in shop.store.look()] == [False]


def test_document_is_compared_with_no_person_unless_the_store_has_a_function(document_shop):
    shop = document_shop
    shop.begin_and_finish()
    assert shop.use(document=GRACE) is False
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    assert shop.use() is False
    assert any("SessionStore" in reason for reason in shop.of().why_not(max_age_s=600))
    assert shop.use(document=ADA)


def test_person_is_asked_only_about_a_document(open_shop):
    shop = open_shop()
    shop.store = shop.opened(person={}.__getitem__)
    shop.begin_and_finish()
    assert len(shop.store.look()) == 1
    assert shop.use()


def test_function_of_the_caller_must_not_be_async(shop):
    async def person(subject_ref):
        return ADA

    class Choice:
        async def __call__(self, subject_ref):
            return "acme"

    shop.begin_and_finish()
    for function in (Choice(), functools.partial(person)):
        for name in ("choose", "person"):
            with pytest.raises(fm.ConfigurationError, match=f"{name}.*async"):
                fm.SessionStore("sqlite://", shop.sessions(), **{name: function})
    assert shop.states_seen() == [STATE.DECIDED]


class Levels(ManySessions):
    """A vendor whose sessions have a level, a setting of the backend."""

    level = "basic"

    @property
    def session_facts(self):
        return {"level_name": self.level}


def test_approval_under_a_former_level_is_said_and_refused_on_request(open_shop, caplog):
    vendor = Levels(result_lasts_s=180.0)
    shop = open_shop(vendor=vendor)
    for customer in ("customer-17", "customer-18", "customer-19"):
        shop.begin_and_finish(customer=customer)
    shop.store.look()
    assert shop.of().why_not(max_age_s=600) == ()
    vendor.level = "strict"
    reasons = shop.of().why_not(max_age_s=600)
    assert reasons == ("it was planned for another level",)
    assert not shop.use(any_settings=False)
    assert caplog.messages == []
    assert shop.use()
    assert "another level" in caplog.text
    assert shop.use("customer-18", any_settings=True)
    assert [session.is_revoked for session in shop.store.look()] == [False, False]
    vendor.sessions.clear()
    shop.clock.advance(300)
    assert not shop.use("customer-19", any_settings=False), "the vendor has no result any longer"
    assert shop.use("customer-19")


def test_any_document_is_enough_if_the_caller_says_so(open_shop):
    shop = open_shop()
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    shop.begin_and_finish(any_document=True)
    assert shop.use()


def test_arguments_that_a_vendor_does_not_take_are_left_out(open_shop):
    shop = open_shop(takes_return_url=False, takes_language=False)
    shop.store = shop.opened(shop.sessions(expects=["liveness"]))
    shop.begin(return_url="https://shop.example/back", language="es", any_document=True)
    (start,) = shop.vendor.starts
    assert (start.reference, start.return_url, start.language) == (None, None, None)
    shop.vendor.finish()
    assert shop.use(document=ADA)


def two_vendors(shop, *, chosen):
    """Open a store of two vendors; return the second one."""
    second = ManySessions(name="bcme")
    sessions = {"acme": shop.sessions(), "bcme": shop.sessions(second)}
    shop.store = shop.opened(sessions, choose=lambda subject_ref: chosen[subject_ref])
    return second


def test_headers_that_are_read_once_reach_each_vendor(shop):
    two_vendors(shop, chosen={"customer-17": "bcme"})
    shop.begin()
    headers = iter([(b"Signature", b"bcme")])
    assert shop.store.receive(b"|s-1", headers) == 1


def test_session_stays_with_the_vendor_that_was_chosen_for_its_subject(shop):
    chosen = {"customer-17": "acme", "customer-18": "bcme"}
    second = two_vendors(shop, chosen=chosen)
    session = shop.begin()
    assert (session.name, shop.begin("customer-18").name) == ("acme", "bcme")
    chosen["customer-17"] = "bcme"
    assert shop.begin().record.id == session.record.id
    shop.vendor.finish()
    second.finish()
    # Both vendors have a session s-1, and each webhook names its own.
    assert shop.hear(session_id="s-1", signature="bcme") == 1
    assert [each.name for each in shop.store.look()] == ["bcme"]
    assert (shop.use(), shop.use("customer-18")) == (True, True)
    assert shop.begin().name == "bcme"


@pytest.mark.parametrize("close", ["begin", "cancel"])
def test_open_session_of_a_removed_vendor_is_replaced(open_shop, close, caplog):
    shop = open_shop()
    session = shop.begin()
    moved = open_shop(vendor=ManySessions(name="bcme"), clock=shop.clock)
    moved.clock.advance(5)
    assert (moved.store.look(), moved.use()) == ((), False)
    if close == "cancel":
        assert moved.store.cancel("customer-17") == 1
    assert caplog.text.count("not deleted") == (close == "cancel")
    assert moved.begin().record.id != session.record.id
    # Its link may still work, so the log names the session, and what to open the store with.
    (warning,) = caplog.messages
    assert f"{session.record.id} was not deleted at the vendor" in warning
    assert "open_sessions('acme')" in warning
    assert (moved.store.forget(0), shop.vendor.deleted) == (1, [])


def test_store_that_is_opened_with_the_former_vendor_too_deletes_its_sessions(open_shop):
    shop = open_shop()
    shop.begin()
    second = two_vendors(shop, chosen={"customer-17": "bcme"})
    assert shop.begin().name == "acme"
    assert (shop.store.cancel("customer-17"), shop.vendor.deleted) == (1, ["s-1"])
    assert (shop.begin().name, list(second.sessions)) == ("bcme", ["s-1"])


@pytest.mark.parametrize("sessions", [{}, "acme", {"acme": 7}])
def test_store_needs_sessions(address, sessions):
    with pytest.raises(fm.ConfigurationError, match="by name"):
        fm.SessionStore(address, sessions)


def test_several_vendors_need_a_choice_among_them(shop):
    with pytest.raises(fm.ConfigurationError, match="choose"):
        shop.opened({"acme": shop.sessions(), "bcme": shop.sessions(ManySessions(name="bcme"))})
    two_vendors(shop, chosen={"customer-17": "ccme"})
    with pytest.raises(fm.ConfigurationError, match="acme, bcme"):
        shop.begin()


def test_cancelled_sessions_are_deleted_and_never_used(shop):
    shop.begin()
    shop.begin(case={**PAYOUT, "about": "payout 8842"})
    shop.begin("customer-18")
    assert shop.store.cancel("customer-17") == 2
    assert list(shop.vendor.sessions) == ["s-3"]
    assert [row["link"] for row in shop.rows()] == [None, None, f"{LINK}-s-3"]
    assert (shop.use(), shop.find()) == (False, None)


def test_cancelled_session_that_the_vendor_cannot_delete_is_never_used(open_shop, caplog):
    shop = open_shop(can_delete=False)
    shop.begin()
    assert shop.store.cancel("customer-17") == 1
    assert "stays at the vendor" in caplog.text
    shop.vendor.finish()
    assert shop.hear(session_id="s-1") == 1
    shop.store.look()
    assert (shop.use(), shop.find()) == (False, None)
    shop.begin_and_finish()
    assert [shop.use() for _ in range(2)] == [True, False]


def test_session_that_is_cancelled_during_its_use_is_not_used(shop):
    shop.begin_and_finish()
    shop.vendor.after_read = lambda: shop.store.cancel("customer-17")
    assert not shop.use()


def test_lost_start_with_other_settings_is_replaced(open_shop):
    shop = open_shop(**FINDS)
    shop.lose_start()
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    session = shop.begin()
    assert (session.repeated_start, session.record.compared_with) == (None, "document")


def test_cancelling_keeps_what_the_person_has_finished(shop):
    shop.begin()
    shop.vendor.sessions["s-1"].state = STATE.PROCESSING
    shop.clock.advance(5)
    shop.store.look()
    assert shop.store.cancel("customer-17") == 0
    shop.vendor.finish()
    assert shop.use()


@pytest.mark.parametrize(
    ("close", "rows"),
    [
        (lambda store: store.cancel("customer-17"), [{"link": None}]),
        (lambda store: store.forget(0), []),
    ],
)
def test_session_that_is_closed_while_it_starts_is_deleted(shop, close, rows):
    shop.vendor.before_start = lambda: close(shop.store)
    with pytest.raises(fm.SessionNotFound):
        shop.begin()
    assert (shop.vendor.sessions, shop.rows("link")) == ({}, rows)


@pytest.mark.parametrize("can", [FINDS, MAKES_ANOTHER], ids=["finds", "makes another"])
def test_session_of_a_lost_start_is_deleted_or_told_of(open_shop, can, caplog):
    shop = open_shop(**can)
    shop.lose_start()
    assert shop.store.forget(days=0) == 1
    stays = list(shop.vendor.sessions)
    assert (stays, shop.rows()) == ([] if can is FINDS else ["s-1"], [])
    assert ("may stay at the vendor" in caplog.text) is bool(stays)


def test_old_sessions_are_deleted_at_the_vendor_and_then_here(shop, caplog):
    shop.begin("customer-1")
    shop.clock.advance(86_400)
    shop.begin("customer-2")
    assert shop.store.forget(2) == 0
    delete = shop.vendor.delete_session

    def fail(_request):
        raise fm.VendorUnavailable("Down.", billing=fm.Billing(fm.Charged.NO))

    shop.vendor.delete_session = fail
    assert shop.store.forget(0.5) == 0
    assert "not deleted at the vendor: VendorUnavailable" in caplog.text
    shop.vendor.delete_session = delete
    assert shop.store.forget(0.5) == 1
    assert (shop.vendor.deleted, len(shop.rows())) == (["s-1"], 1)
    with pytest.raises(fm.InvalidRequest):
        shop.store.forget(-1)


def test_unreadable_row_does_not_stop_the_others(shop, caplog):
    shop.begin("customer-1")
    shop.begin("customer-2")
    engine = sqlalchemy.create_engine(shop.address)
    with engine.begin() as connection:
        spoil = "UPDATE facematch_sessions SET record = '[' WHERE number = 1"
        connection.execute(sqlalchemy.text(spoil))
    engine.dispose()
    shop.clock.advance(5)
    assert [each.record.subject_ref for each in shop.store.look()] == ["customer-2"]
    shop.clock.advance(5)
    assert shop.store.forget(0) == 1
    assert "cannot be read" in caplog.text


def test_store_of_budgets_and_store_of_sessions_share_a_database(shop, address):
    with contextlib.closing(fm.SqlStore(address)) as budgets:
        shop.begin()
        assert budgets.budgets() == ()


def test_closed_store_closes_its_sessions(shop):
    with shop.store as store:
        store.of("customer-17", **PAYOUT).find()
    with pytest.raises(fm.ConfigurationError):
        shop.begin()
