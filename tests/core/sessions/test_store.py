"""A table of sessions: one open session for a case, read when it is due, used once.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import collections
import contextlib
import datetime as dt
import functools
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import (
    ADA,
    FINDS,
    GRACE,
    MAKES_ANOTHER,
    PAYOUT,
    STATE,
    link_of,
    two_vendors,
)
from core.sessions.vendor import ManySessions
from kit.attempts import before_each_statement, lost_commits
from kit.marks import forks_beside_threads, needs_fork
from kit.sessions import LINK

import facematch_core as fm
from facematch_core.testing.bench import CLOCK_START, ManualClock

FIRST, AGAIN, NO = fm.Use


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
    assert [shop.use() for _ in range(3)] == [FIRST, AGAIN, AGAIN]
    assert shop.find().used_at == shop.clock.now()
    assert "used" in shop.of().why_not(max_age_s=60)[0]


def test_session_is_read_although_the_clock_was_put_back(open_shop):
    clock = ManualClock(start=CLOCK_START + dt.timedelta(hours=1))
    shop = open_shop(clock=clock)
    shop.begin()
    assert shop.states_seen() == []
    shop.vendor.finish()
    # Another process of the shop, after the machine's clock was put back.
    shop.clock = ManualClock(start=CLOCK_START)
    shop.store = shop.opened()
    assert shop.states_seen() == [STATE.DECIDED]
    assert shop.states_seen() == []


def test_without_a_session_nothing_is_found_or_used(shop):
    assert (shop.find(), shop.use(), shop.store.look()) == (None, NO, ())
    assert (shop.store.cancel("customer-17"), shop.store.forget(0)) == (0, ())


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
    assert shop.of().why_not(max_age_s=600) == ("no session was begun",)
    shop.begin()
    assert shop.of().why_not(max_age_s=600) == ("the session was not read yet",)


def test_reasons_tell_cancelled_refused_and_late_apart(shop):
    cases = [{"purpose": "payout", "about": name} for name in ("cancelled", "refused", "late")]
    shop.begin(case=cases[0])
    shop.store.cancel("customer-17")
    for case in cases[1:]:
        shop.begin_and_finish(case=case, passes=case["about"] != "refused")
    shop.states_seen()
    shop.clock.advance(700)
    never = {"purpose": "payout", "about": "never begun"}
    reasons = [shop.of(case=case).why_not(max_age_s=1e4) for case in (*cases, never)]
    assert reasons == [
        ("the session was cancelled or closed",),
        ("match is no_match",),
        (),
        ("no session was begun",),
    ]
    (late,) = shop.of(case=cases[2]).why_not(max_age_s=600)
    assert late.startswith("it was started 7")
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


def test_webhook_sets_its_session_due(shop):
    shop.begin()
    shop.vendor.finish()
    assert shop.store.look() == ()
    for _ in range(2):  # the vendor delivers it again
        assert shop.hear(session_id="s-1") == 1
        assert shop.states_seen() == [STATE.DECIDED]
    assert [shop.use() for _ in range(2)] == [FIRST, AGAIN]
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


@pytest.mark.parametrize("options", [{}, {"revise_for_days": 30}, {"revise_for_days": 2}], ids=str)
def test_used_session_is_read_daily_for_so_many_days_and_then_when_a_webhook_names_it(
    shop, options
):
    days = options.get("revise_for_days", 30)
    shop.store = shop.opened(**options)
    shop.begin_and_finish()
    assert shop.use()
    for _ in range(days):  # at once, and daily
        shop.clock.advance(1)
        assert len(shop.store.look()) == 1
        shop.clock.advance(86_400)
    shop.clock.advance(86_400 * 100)
    assert shop.store.look() == ()
    shop.vendor.finish(passes=False)
    assert shop.hear(session_id="s-1") == 1
    shop.clock.advance(5)
    assert [each.is_revoked for each in shop.store.look()] == [True]
    shop.clock.advance(86_400 * 100)
    assert shop.store.look() == ()


@pytest.mark.parametrize("days", [-1, float("nan"), "30", None, True])
def test_days_of_revision_that_are_no_number_are_refused(shop, days):
    with pytest.raises(fm.ConfigurationError):
        shop.opened(revise_for_days=days)


@pytest.mark.parametrize("at_most", [1, 7, 100])
def test_waiting_customers_are_read_first_and_used_sessions_get_one_reading_in_ten(shop, at_most):
    used = {f"used-{number}" for number in range(3)}
    for customer in used:
        shop.begin_and_finish(customer=customer)
        assert shop.use(customer)
    shop.clock.advance(86_400)
    for number in range(40):
        shop.begin_and_finish(customer=f"waiting-{number}")
    read = []
    while sessions := shop.store.look(at_most=at_most):
        read += [each.record.subject_ref for each in sessions]
    first, second, third = (place for place, customer in enumerate(read) if customer in used)
    assert first < 10
    assert (second - first, third - second) == (10, 10)
    assert len(read) == 43


def test_used_sessions_alone_are_all_read(shop):
    for number in range(25):
        begun = shop.begin(f"used-{number}")
        shop.vendor.finish(begun.record.session_id)
        assert shop.use(f"used-{number}")
    shop.clock.advance(5)
    assert len(shop.store.look()) == 25
    shop.clock.advance(86_405)
    assert len(shop.store.look()) == 25


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
    assert sorted(uses) == [AGAIN, AGAIN, AGAIN, FIRST]


def test_use_whose_commit_may_be_lost_is_never_a_second_yes(shop):
    shop.begin_and_finish()
    with lost_commits(), pytest.raises(fm.StoreUnavailable):
        shop.use()
    assert [shop.use(), shop.use()] == [FIRST, AGAIN], "nobody heard of the first"
    assert shop.begin().record.session_id == "s-1", "a matter is used once"


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
    shop.begin(case={**PAYOUT, "about": None})
    shop.vendor.sessions["s-2"].terms = "0" * 64
    with pytest.raises(fm.SessionMismatch):
        shop.use(case={**PAYOUT, "about": None})


@pytest.mark.parametrize("has_looked", [True, False])
def test_stored_verdict_counts_once_the_vendor_has_forgotten_the_session(open_shop, has_looked):
    shop = open_shop(result_lasts_s=180.0)
    shop.begin_and_finish()
    if has_looked:
        shop.store.look()
    shop.vendor.sessions.clear()
    shop.clock.advance(300)
    assert bool(shop.use(max_age_s=600)) is has_looked
    assert not shop.use(max_age_s=600)


def test_document_must_belong_to_the_person(document_shop):
    shop = document_shop
    shop.begin_and_finish()
    (session,) = shop.store.look()
    assert (list(shop.persons), session.result.name_agreement) == (["customer-17"], "agrees")
    shop.persons["customer-17"] = GRACE
    assert not shop.use()
    assert "the name on the document is another" in shop.of().why_not(max_age_s=600)
    assert [shop.use(document=ADA) for _ in range(2)] == [FIRST, AGAIN]
    shop.persons["customer-17"] = ADA
    assert [each.is_revoked for each in shop.store.look()] == [False]


def test_document_is_compared_with_no_person_unless_the_store_has_a_function(document_shop):
    shop = document_shop
    shop.begin_and_finish()
    assert shop.use(document=GRACE) is NO
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    assert shop.use() is NO
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


def test_approval_under_a_former_level_is_refused_unless_the_caller_allows_it(open_shop):
    vendor = Levels(result_lasts_s=180.0)
    shop = open_shop(vendor=vendor)
    for customer in ("customer-17", "customer-18", "customer-19"):
        shop.begin_and_finish(customer=customer)
    shop.store.look()
    assert shop.of().why_not(max_age_s=600) == ()
    vendor.level = "strict"
    reasons = shop.of().why_not(max_age_s=600)
    assert reasons == ("it was planned for another level",)
    assert not shop.use()
    assert shop.use("customer-18", any_settings=True)
    assert [session.is_revoked for session in shop.store.look()] == [False]
    vendor.sessions.clear()
    shop.clock.advance(300)
    assert not shop.use("customer-19"), "the vendor has no result any longer"
    assert shop.use("customer-19", any_settings=True)


@pytest.mark.parametrize("level_now", ["basic", "strict"])
@pytest.mark.parametrize("is_gone", [False, True])
def test_use_is_true_exactly_if_why_not_has_no_reason(open_shop, level_now, is_gone):
    vendor = Levels(result_lasts_s=180.0)
    shop = open_shop(vendor=vendor)
    questions = {}
    for passes, any_settings in itertools.product((True, False), repeat=2):
        customer = f"customer-{len(questions)}"
        shop.begin_and_finish(customer=customer, passes=passes)
        questions[customer] = passes, any_settings
    shop.store.look()
    vendor.level = level_now
    if is_gone:
        vendor.sessions.clear()
        shop.clock.advance(300)
    for customer, (passes, any_settings) in questions.items():
        reasons = shop.of(customer).why_not(max_age_s=600, any_settings=any_settings)
        is_used = bool(shop.use(customer, max_age_s=600, any_settings=any_settings))
        assert is_used is (not reasons) is (passes and (any_settings or level_now == "basic"))


def test_any_document_is_enough_if_the_caller_says_so(open_shop):
    shop = open_shop()
    shop.store = shop.opened(shop.sessions(compared_with="document"))
    shop.begin_and_finish(any_document=True)
    assert shop.use()


def test_headers_that_are_read_once_reach_each_vendor(shop):
    two_vendors(shop, chosen={"customer-17": "bcme"})
    shop.begin()
    headers = iter([(b"Signature", b"bcme")])
    assert shop.store.receive(b"|s-1", headers) == 1


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


def test_cancelled_sessions_are_deleted_and_never_used(shop):
    shop.begin()
    shop.begin(case={**PAYOUT, "about": "payout 8842"})
    shop.begin("customer-18")
    assert shop.store.cancel("customer-17") == 2
    assert list(shop.vendor.sessions) == ["s-3"]
    assert [row["link"] for row in shop.rows()] == [None, None, f"{LINK}-s-3"]
    assert (shop.use(), shop.find()) == (NO, None)


def test_cancelled_session_that_the_vendor_cannot_delete_is_never_used(open_shop, caplog):
    shop = open_shop(can_delete=False)
    shop.begin()
    assert shop.store.cancel("customer-17") == 1
    assert "stays at the vendor" in caplog.text
    shop.vendor.finish()
    assert shop.hear(session_id="s-1") == 0
    shop.store.look()
    assert (shop.use(), shop.find()) == (NO, None)
    shop.begin_and_finish()
    assert [shop.use() for _ in range(2)] == [FIRST, AGAIN]


def test_session_that_is_cancelled_during_its_use_is_not_used(shop):
    shop.begin_and_finish()
    shop.vendor.after_read = lambda: shop.store.cancel("customer-17")
    assert not shop.use()


def test_cancelling_keeps_what_the_person_has_finished(shop):
    shop.begin()
    shop.vendor.sessions["s-1"].state = STATE.PROCESSING
    shop.clock.advance(5)
    shop.store.look()
    assert shop.store.cancel("customer-17") == 0
    shop.vendor.finish()
    assert shop.use()


@pytest.mark.parametrize("can", [FINDS, MAKES_ANOTHER], ids=["finds", "makes another"])
def test_session_of_a_lost_start_is_deleted_or_told_of(open_shop, can, caplog):
    shop = open_shop(**can)
    shop.lose_start()
    assert done_here(shop.store.forget(days=0)) == [True]
    stays = list(shop.vendor.sessions)
    assert (stays, shop.rows()) == ([] if can is FINDS else ["s-1"], [])
    assert ("may stay at the vendor" in caplog.text) is bool(stays)


def done_here(erased):
    return [each.is_done_here for each in erased]


def test_old_sessions_are_deleted_at_the_vendor_and_then_here(shop, caplog):
    shop.begin("customer-1")
    shop.clock.advance(86_400)
    shop.begin("customer-2")
    assert shop.store.forget(2) == ()
    delete = shop.vendor.delete_session

    def fail(_request):
        raise fm.VendorUnavailable("Down.", billing=fm.Billing(fm.Charged.NO))

    shop.vendor.delete_session = fail
    assert done_here(shop.store.forget(0.5)) == [False]
    assert "not deleted at the vendor: VendorUnavailable" in caplog.text
    shop.vendor.delete_session = delete
    assert done_here(shop.store.forget(0.5)) == [True]
    assert (shop.vendor.deleted, len(shop.rows())) == (["s-1"], 1)
    with pytest.raises(fm.InvalidRequest):
        shop.store.forget(-1)


def test_many_old_sessions_are_forgotten_in_batches_each_once(shop, monkeypatch):
    monkeypatch.setattr("facematch_core.store.table._BATCH", 3)
    for number in range(8):  # all begun at the same moment
        shop.begin(f"customer-{number}")
    shop.clock.advance(1)
    delete = shop.vendor.delete_session

    def fail(request):
        if request.record.subject_ref in ("customer-1", "customer-2", "customer-7"):
            raise fm.VendorUnavailable("Down.", billing=fm.Billing(fm.Charged.NO))
        return delete(request)

    shop.vendor.delete_session = fail
    erased = done_here(shop.store.forget(0))
    assert (len(erased), sum(erased), len(shop.rows())) == (8, 5, 3)
    shop.vendor.delete_session = delete
    assert done_here(shop.store.forget(0)) == [True] * 3


def test_many_unused_sessions_are_closed_in_batches(shop, monkeypatch):
    monkeypatch.setattr("facematch_core.store.table._BATCH", 3)
    for number in range(8):
        shop.begin_and_finish(customer=f"customer-{number}")
    assert shop.use("customer-4")
    shop.clock.advance(5)
    shop.begin("customer-9")
    time = shop.clock.now() - dt.timedelta(seconds=1)
    assert [shop.store.close_begun_before(time) for _ in range(2)] == [7, 0]
    assert shop.find("customer-4").used_at is not None
    assert shop.find("customer-9").is_open
    assert shop.find("customer-0") is None
    with pytest.raises(fm.InvalidRequest):
        shop.store.close_begun_before(dt.datetime(2026, 1, 1))


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
    assert sorted(done_here(shop.store.forget(0))) == [False, True]
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
