"""Begin sessions of a store: one open session for a case, and one start for each.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import datetime as dt
import logging
import math
import multiprocessing
import os
import signal
import threading
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor

import pytest
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import (
    ADA,
    FINDS,
    GIVES_TOKEN_ONCE,
    MAKES_ANOTHER,
    PAYOUT,
    REPEATS,
    STATE,
    link_of,
    two_vendors,
)
from core.sessions.vendor import ManySessions
from kit.attempts import before_each_statement
from kit.fakes import Hold
from kit.marks import forks_beside_threads, needs_fork
from kit.sessions import LINK, TOKEN

import facematch_core as fm
from facematch_core.backend import session_types as types
from facematch_core.resilience import Budget
from facematch_core.sessions import beginning
from facematch_core.store import leases
from facematch_core.store.table import StoreTable

FIRST, AGAIN, NO = fm.Use


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
    assert shop.rows("link, token") == [NOTHING]


def test_token_that_the_vendor_gives_once_is_given_to_each_click(open_shop):
    shop = open_shop(**GIVES_TOKEN_ONCE)
    session = shop.begin()
    shop.clock.advance(60)
    assert shop.begin().access == session.access
    shop.store = shop.opened()
    assert shop.begin().access == session.access
    assert (len(shop.vendor.starts), shop.vendor.reads) == (1, [])
    shop.vendor.finish("s-1")
    assert shop.use()


#: What a vendor gives, what it can, and what the columns `link` and `token` then have.
NOTHING = {"link": None, "token": None}
KEPT = [
    ({"gives": "link"}, {"link": f"{LINK}-s-1", "token": None}),
    (GIVES_TOKEN_ONCE, {"link": None, "token": f"{TOKEN}-s-1"}),
]
keeps_access = pytest.mark.parametrize(("can", "kept"), KEPT, ids=["link", "token"])


@pytest.mark.parametrize(
    ("can", "kept"), [*KEPT, ({"gives": "token"}, NOTHING), ({"gives": "token once"}, NOTHING)]
)
def test_link_and_a_token_given_once_are_in_their_columns_alone(open_shop, can, kept, caplog):
    caplog.set_level(logging.DEBUG)
    shop = open_shop(**can)
    session = shop.begin()
    others = str([{**row, **NOTHING} for row in shop.rows()])
    (row,) = shop.store._table.find()  # noqa: SLF001 - as a frame of it has the row
    hidden = others, repr(session), repr(shop.find()), repr(shop.events), repr(row), caplog.text
    assert [text for text in hidden if LINK in text or TOKEN in text] == []
    assert shop.rows("link, token") == [kept]


def decide_and_look(shop):
    shop.vendor.finish("s-1")
    shop.store.look()


def see_another_session(shop):
    shop.vendor.sessions["s-1"].terms = "those of somebody else"
    shop.store.look()


def lose_session(shop):
    shop.vendor.sessions.clear()
    shop.store.look()


def expire(shop):
    shop.clock.advance(3601)
    shop.store.look(at_most=0)


def erase_later(shop):
    later = types.Deletion(state=types.DeletionState.REQUESTED)
    shop.vendor.delete_session = lambda request: later
    shop.store.erase("customer-17")


@keeps_access
@pytest.mark.parametrize(
    "end",
    [
        decide_and_look,
        lambda shop: [shop.vendor.finish("s-1"), shop.use()],
        see_another_session,
        lose_session,
        expire,
        erase_later,
        lambda shop: shop.store.cancel("customer-17"),
        lambda shop: shop.store.close_begun_before(shop.clock.now()),
        lambda shop: shop.begin(threshold=99),
    ],
    ids=["look", "use", "mismatch", "404", "expiry", "erase", "cancel", "close", "threshold"],
)
def test_link_and_token_are_removed_when_nobody_needs_them(open_shop, can, kept, end):
    shop = open_shop(**can)
    shop.begin()
    shop.clock.advance(5)
    assert shop.rows("link, token") == [kept]
    end(shop)
    (row, *_) = shop.rows("link, token")
    assert row == NOTHING


@keeps_access
def test_link_and_token_stay_until_the_session_is_no_longer_pending(open_shop, can, kept):
    shop = open_shop(**can)
    shop.begin()
    shop.clock.advance(5)
    shop.store.look()
    assert shop.rows("link, token") == [kept]
    shop.vendor.sessions["s-1"].state = STATE.PROCESSING
    shop.clock.advance(30)
    shop.store.look()
    assert shop.rows("link, token") == [NOTHING]


# A row of a release that stored no token


@pytest.fixture
def earlier_shop(open_shop):
    """A shop whose customer is in a session that an earlier release has begun."""
    shop = open_shop(**GIVES_TOKEN_ONCE)
    shop.begin()
    shop.forget_token()
    return shop


def test_session_whose_token_may_live_is_neither_deleted_nor_replaced(earlier_shop):
    shop = earlier_shop
    ends_at = shop.clock.now() + dt.timedelta(seconds=3600)
    before = shop.rows()
    shop.clock.advance(3599)
    held = shop.begin()
    assert (held.record.session_id, held.access, held.is_open) == ("s-1", None, True)
    assert held.begin_again_at == ends_at
    assert (len(shop.vendor.reads), shop.vendor.deleted, shop.rows()) == (1, [], before)
    shop.vendor.finish("s-1")
    assert shop.use()
    assert len(shop.vendor.starts) == 1


def test_person_who_has_begun_gets_a_quarter_of_an_hour_more(earlier_shop):
    shop = earlier_shop
    ends_at = shop.clock.now() + dt.timedelta(seconds=3600 + 900)
    shop.vendor.sessions["s-1"].has_begun = True
    shop.clock.advance(3601 + 899 - 1)
    assert shop.begin().begin_again_at == ends_at
    assert shop.vendor.deleted == []
    shop.clock.advance(2)
    assert shop.begin().record.session_id == "s-2"
    assert shop.vendor.deleted == ["s-1"]


@pytest.mark.parametrize(
    "end",
    [
        lambda shop: shop.clock.advance(3601),
        lambda shop: shop.vendor.sessions.clear(),
        lambda shop: setattr(shop.vendor.sessions["s-1"], "state", STATE.FAILED),
        lambda shop: setattr(shop.vendor.sessions["s-1"], "state", STATE.EXPIRED),
    ],
    ids=[
        "its token has ended",
        "the vendor does not know it",
        "it has failed",
        "the vendor has ended it",
    ],
)
def test_session_whose_token_nobody_can_use_is_replaced(earlier_shop, end):
    shop = earlier_shop
    end(shop)
    session = shop.begin()
    assert (session.record.session_id, session.begin_again_at) == ("s-2", None)
    assert session.access.token.reveal() == f"{TOKEN}-s-2"
    assert shop.begin().access == session.access


def test_finished_session_without_its_token_waits_for_its_verdict(earlier_shop):
    shop = earlier_shop
    shop.vendor.finish("s-1")
    session = shop.begin()
    assert (session.access, session.begin_again_at) == (None, None)
    assert shop.use()
    assert len(shop.vendor.starts) == 1


def test_stored_token_that_has_ended_is_not_given_out(open_shop):
    shop = open_shop(**GIVES_TOKEN_ONCE)
    shop.begin()
    shop.clock.advance(3601)
    assert shop.begin().access.token.reveal() == f"{TOKEN}-s-2"


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
    assert (shop.store.look(), shop.use()) == ((), NO)
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
    assert [shop.use() for _ in range(2)] == [FIRST, AGAIN]


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
    monkeypatch.setattr(leases, "_RENEWAL_S", 0.01)
    hold = Hold()
    shop.vendor.before_start = hold
    with ThreadPoolExecutor(1) as pool:
        first_click = pool.submit(shop.begin)
        hold.wait_for()
        for _ in range(3):
            shop.clock.advance(beginning.START_LEASE_S - 1)
            renewed = shop.clock.now().timestamp() + beginning.START_LEASE_S
            while shop.rows("starting_until") != [{"starting_until": renewed}]:
                assert not first_click.done()
        with pytest.raises(fm.SessionStarting):
            shop.begin()
        hold.go_on.set()
        assert link_of(first_click.result(30)) == f"{LINK}-s-1"
    assert len(shop.vendor.starts) == 1


def test_renewal_of_a_lease_is_over_when_the_start_is(shop, monkeypatch):
    monkeypatch.setattr(leases, "_RENEWAL_S", 0.01)
    start, renewal, update = Hold(), Hold(), StoreTable.update

    def hold_renewal(*arguments, **changes):
        if threading.current_thread().name == "facematch-lease":
            renewal()
        return update(*arguments, **changes)

    shop.vendor.before_start = start
    monkeypatch.setattr(StoreTable, "update", hold_renewal)
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
        if thread.name == "facematch-lease":
            raise RuntimeError("can't start new thread")
        start(thread)

    def click_again():
        shop.clock.advance(40)
        with pytest.raises(fm.SessionStarting):
            shop.begin()

    shop.vendor.before_start = click_again
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert link_of(shop.begin()) == f"{LINK}-s-1"


@pytest.fixture
def away(shop):
    """A database that is away once the next session is started; clear the list to bring it back."""
    statements_refused = []

    def go_away():
        shop.vendor.after_start = lambda: None
        statements_refused.append(True)

    def refuse(_statement):
        if statements_refused:
            raise fm.StoreUnavailable("away")

    shop.vendor.after_start = go_away
    with before_each_statement(refuse):
        yield statements_refused


def test_started_session_is_stored_once_the_database_is_back(shop, away):
    session = shop.begin()
    assert link_of(session) == f"{LINK}-s-1"
    away.clear()
    shop.clock.advance(60)  # longer than the lease of a start
    assert link_of(shop.begin()) == f"{LINK}-s-1"
    assert len(shop.vendor.starts) == 1
    shop.vendor.finish()
    assert shop.use()


@pytest.mark.parametrize("close", ["cancel", "erase"])
def test_session_that_was_closed_before_it_is_stored_is_deleted(shop, away, close):
    other = shop.opened()
    shop.begin()
    away.clear()
    getattr(other, close)("customer-17")  # its row has no session yet
    assert list(shop.vendor.sessions) == ["s-1"]
    assert not shop.use()
    shop.clock.advance(60)
    assert [each.vendor_id for each in shop.store.forget(0)] == ["s-1"]
    assert shop.vendor.sessions == {}


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
    assert bool(shop.use()) is passes


def test_arguments_that_a_vendor_does_not_take_are_left_out(open_shop):
    shop = open_shop(takes_return_url=False, takes_language=False)
    shop.store = shop.opened(shop.sessions(expects=["liveness"]))
    shop.begin(return_url="https://shop.example/back", language="es", any_document=True)
    (start,) = shop.vendor.starts
    assert (start.reference, start.return_url, start.language) == (None, None, None)
    shop.vendor.finish()
    assert shop.use(document=ADA)


def test_begin_of_a_used_matter_returns_its_session_and_starts_none(shop):
    shop.begin_and_finish()
    assert shop.use() is FIRST
    again = shop.begin()
    assert (again.record.session_id, again.access, again.is_open) == ("s-1", None, False)
    assert again.used_at is not None
    assert [shop.use(), len(shop.vendor.starts)] == [AGAIN, 1]
    shop.store.erase("customer-17")
    assert shop.begin().record.session_id == "s-2"


def test_begin_of_a_purpose_that_recurs_starts_another_session(shop):
    login = {"purpose": "login", "about": None}
    for session_id in ("s-1", "s-2"):
        assert shop.begin_and_finish(case=login).record.session_id == session_id
        assert [shop.use(case=login), shop.use(case=login)] == [FIRST, NO]


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
    assert (shop.use(), shop.use("customer-18")) == (FIRST, FIRST)
    assert shop.begin(case={**PAYOUT, "about": "payout 8842"}).name == "bcme"


@pytest.mark.parametrize("close", ["begin", "cancel"])
def test_open_session_of_a_removed_vendor_is_replaced(open_shop, close, caplog):
    shop = open_shop()
    session = shop.begin()
    moved = open_shop(vendor=ManySessions(name="bcme"), clock=shop.clock)
    moved.clock.advance(5)
    assert (moved.store.look(), moved.use()) == ((), NO)
    if close == "cancel":
        assert moved.store.cancel("customer-17") == 1
    assert caplog.text.count("not deleted") == (close == "cancel")
    assert moved.begin().record.id != session.record.id
    # Its link may still work, so the log names the session, and what to open the store with.
    (warning,) = caplog.messages
    assert f"{session.record.id} was not deleted at the vendor" in warning
    assert "open_sessions('acme')" in warning
    assert sorted(each.is_done_here for each in moved.store.forget(0)) == [False, True]
    assert shop.vendor.deleted == []


def test_several_vendors_need_a_choice_among_them(shop):
    with pytest.raises(fm.ConfigurationError, match="choose"):
        shop.opened({"acme": shop.sessions(), "bcme": shop.sessions(ManySessions(name="bcme"))})
    two_vendors(shop, chosen={"customer-17": "ccme"})
    with pytest.raises(fm.ConfigurationError, match="acme, bcme"):
        shop.begin()


def test_lost_start_with_other_settings_is_replaced(open_shop):
    shop = open_shop(**FINDS)
    shop.lose_start()
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    session = shop.begin()
    assert (session.repeated_start, session.record.compared_with) == (None, "document")


@pytest.mark.parametrize("close", ["cancel", "erase"])
def test_session_that_is_closed_while_it_starts_is_deleted(shop, close):
    shop.vendor.before_start = lambda: getattr(shop.store, close)("customer-17")
    with pytest.raises(fm.SessionNotFound):
        shop.begin()
    # The row stays until the start has ended, so that the session can be deleted.
    assert (shop.vendor.sessions, shop.rows("link")) == ({}, [{"link": None}])


# The terms of a case


def test_link_stays_valid_for_as_long_as_the_application_says(open_shop):
    shop = open_shop()
    link = link_of(shop.begin(valid_for_s=3 * 86_400))
    shop.clock.advance(2 * 86_400)
    assert link_of(shop.begin(valid_for_s=3 * 86_400)) == link
    assert len(shop.vendor.starts) == 1
    shop.clock.advance(2 * 86_400)
    assert link_of(shop.begin()) != link


def test_session_longer_than_the_vendors_limit_is_refused_with_the_limit(open_shop):
    shop = open_shop(longest_valid_s=86_400.0)
    with pytest.raises(fm.InvalidRequest, match="86400"):
        shop.begin(valid_for_s=90_000)
    assert (shop.rows(), shop.vendor.starts) == ([], [])
    assert shop.begin(valid_for_s=86_400).record.valid_for_s == 86_400


@pytest.mark.parametrize(
    ("planned", "asked", "is_replaced"),
    [
        ({"threshold": 70}, {"threshold": 80}, True),
        ({}, {"threshold": 80}, True),
        ({"threshold": 80}, {"threshold": 80}, False),
        ({"threshold": 90}, {"threshold": 80}, False),
        ({"threshold": 80}, {}, False),
        ({"liveness_threshold": 70}, {"liveness_threshold": fm.Threshold(80)}, True),
        ({"threshold": 80}, {"threshold": 80, "review_threshold": 90}, True),
    ],
    ids=str,
)
def test_open_session_planned_below_a_threshold_is_replaced(open_shop, planned, asked, is_replaced):
    shop = open_shop()
    shop.begin(**planned)
    session = shop.begin(**asked)
    assert session.record.session_id == ("s-2" if is_replaced else "s-1")
    assert shop.vendor.deleted == (["s-1"] if is_replaced else [])
    terms = planned | (asked if is_replaced else {})
    for name, value in terms.items():
        assert getattr(session.record, name) == getattr(value, "value", value)


def test_threshold_that_is_no_number_closes_nothing(shop):
    shop.begin(threshold=70)
    with pytest.raises(fm.InvalidRequest):
        shop.begin(threshold="80")
    assert (shop.vendor.deleted, shop.begin().record.session_id) == ([], "s-1")


def test_sessions_begun_before_a_restore_are_never_used(shop):
    shop.begin_and_finish(customer="used")
    assert shop.use("used")
    shop.begin_and_finish(customer="customer-17")
    shop.begin("unfinished")
    restored_at = shop.clock.now()
    shop.clock.advance(60)
    shop.begin_and_finish(customer="later")
    assert shop.store.close_begun_before(restored_at) == 2
    assert shop.store.close_begun_before(restored_at) == 0
    assert [shop.use(name) for name in ("customer-17", "unfinished", "used")] == [NO, NO, AGAIN]
    assert shop.of("customer-17").why_not(max_age_s=3600) == (
        "the session was cancelled or closed",
    )
    assert shop.use("later")
    assert shop.find("used").used_at is not None
    with pytest.raises(fm.InvalidRequest, match="time zone"):
        shop.store.close_begun_before(restored_at.replace(tzinfo=None))
    shop.begin_and_finish(customer="customer-17")
    assert shop.use("customer-17"), "the customer verifies once more"
