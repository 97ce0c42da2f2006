"""Decisions, uses, erasures and readings at the same time, and processes that are killed.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from core.store.reviewed import *  # noqa: F403 - its fixtures
from core.store.reviewed import DOCUMENT, FIRST, PAYOUT, SELFIE, STAFF, decide
from kit.fakes import FakeBackend, liveness_result, match_result, together

import facematch_core as fm

pytestmark = pytest.mark.slow

CLOCK = fm.base.deadline.SystemClock()
#: Matters that are paid while processes are killed: more than they pay in that time.
MATTERS = 60


class Unsure(FakeBackend):
    """A vendor that is unsure about every match."""

    def match(self, request):
        self._next_of_script(request)
        return match_result(fm.Decision.REVIEW, score=fm.Score(60, "fake/v1"))

    def check_liveness(self, request):
        self._next_of_script(request)
        return liveness_result(score=fm.Score(60, "fake/v1"))


@pytest.fixture
def matters(open_desk):
    """Open a desk whose matters all wait for a person; return a function of a matter's number."""
    desk = open_desk(backend=Unsure(), clock=CLOCK, attempts=10_000)

    def matter(number):
        case = desk.store.of("customer-17", purpose="payout", about=f"payout {number}")
        if case.find() is None:
            case.verify_live(SELFIE, DOCUMENT)
        return case

    matter.desk = desk
    return matter


def outcome_of(step, *arguments, **request):
    """Return what a step returned, or the name of the error's class."""
    try:
        return step(*arguments, **request)
    except fm.FaceMatchError as error:
        return type(error).__name__


@pytest.mark.parametrize("number", range(6))
def test_of_64_decisions_at_once_one_stands(matters, number):
    case = matters(number)
    evidence = case.find().evidence
    numbers = itertools.count()

    def one():
        staff = next(numbers)
        request = {"accept": staff % 2 == 0, "by": f"staff-{staff}", "reason": "seen"}
        return outcome_of(case.decide, evidence=evidence, **request)

    outcomes = together(64, one)
    stored = [each for each in outcomes if isinstance(each, fm.store.decisions.ReviewDecision)]
    assert tuple(stored) == case.find().decisions
    assert sorted({str(each) for each in outcomes if each not in stored}) == ["VerdictChanged"]
    assert len(stored) == 1


def test_one_request_64_times_at_once_is_one_decision(matters):
    case = matters(0)
    request = {"evidence": case.find().evidence, "accept": True, **STAFF}
    outcomes = together(64, lambda: outcome_of(case.decide, **request))
    assert case.find().decisions == (outcomes[0],)
    assert all(each == outcomes[0] for each in outcomes)


def test_use_or_taking_back_and_never_both(matters):
    for number in range(40):
        case = matters(number)
        decide(case)
        evidence = case.find().evidence
        taking_back = {"evidence": evidence, "accept": False, "by": "staff-8", "reason": "a print"}
        with ThreadPoolExecutor(9) as pool:
            before = [pool.submit(case.use) for _ in range(4)]
            refusal = pool.submit(outcome_of, case.decide, **taking_back)
            uses = [*before, *[pool.submit(case.use) for _ in range(4)]]
        is_refused = refusal.result() != "VerdictChanged"
        assert [each.result() for each in uses].count(FIRST) == (not is_refused)
        assert (case.find().used_at is None) is is_refused


def test_erasure_leaves_no_decision(matters):
    store = matters.desk.store
    for number in range(10):
        case = matters(number)
        request = {"evidence": case.find().evidence, "accept": True, **STAFF}
        with ThreadPoolExecutor(2) as pool:
            erased = pool.submit(store.erase, "customer-17")
            decided = pool.submit(outcome_of, case.decide, **request)
        erased.result()
        if isinstance(decided.result(), str):
            assert decided.result() == "VerdictChanged"
        assert (case.find(), matters.desk.rows()) == (None, [])


def test_120_decisions_while_three_workers_read(open_reviewed):
    sessions = open_reviewed("sessions", clock=CLOCK)
    customers = [f"customer-{number}" for number in range(12)]
    for customer in customers:
        sessions.review(customer)
    is_over = threading.Event()
    read = []

    def work():
        while not is_over.is_set():
            with contextlib.suppress(fm.StoreUnavailable):
                for customer in customers:
                    sessions.store.receive(*_hint(sessions, customer))
                read.extend(sessions.store.look())

    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        try:
            for turn in range(10):
                for customer in customers:
                    decide(sessions.case(customer), accept=turn % 2 == 1)
        finally:
            is_over.set()
    assert all(worker.exception() is None for worker in workers)
    assert len(read) > 12
    for customer in customers:
        case = sessions.case(customer)
        assert [each.accept for each in case.find().decisions] == [False, True] * 5
        assert sessions.use(case) is FIRST


def _hint(sessions, customer):
    record = sessions.case(customer).find().record
    return f"|{record.session_id}".encode(), {"signature": "acme"}


def pay(address, seed):
    """Decide, use and pay, each time in a transaction of an application, until it is killed."""
    randomness = random.Random(seed)
    waiting = {"timeout": 60} if address.startswith("sqlite") else {}
    engine = sa.create_engine(address, connect_args=waiting)
    verifier = fm.FaceVerifier(Unsure(), clock=CLOCK)
    store = fm.CheckStore(address, verifier, attempts=10_000)
    while True:
        about = f"payout {randomness.randrange(MATTERS)}"
        case = store.of("customer-17", purpose="payout", about=about)
        try:
            evidence = case.find().evidence
            with engine.begin() as connection:
                if evidence is not None and randomness.random() < 0.5:
                    accept = randomness.random() < 0.4
                    request = {"by": f"staff-{seed}", "reason": "seen", "connection": connection}
                    case.decide(evidence=evidence, accept=accept, **request)
                if randomness.random() < 0.1 and case.use(connection=connection):
                    time.sleep(randomness.random() * 0.01)  # killed in the middle, perhaps
                    payout = sa.text("INSERT INTO payouts VALUES (:about)")
                    connection.execute(payout, {"about": about})
        except (fm.FaceMatchError, sa.exc.DBAPIError):
            pass


def begin_paying(address, seed):
    child = os.fork()
    if child == 0:
        # Whatever happens, it must not go on as a second pytest.
        try:
            pay(address, seed)
        finally:
            os._exit(1)
    return child


def end(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_payouts_uses_and_last_decisions_agree_after_40_kills(matters, address):
    for number in range(MATTERS):
        matters(number)
    sent = len(matters.desk.backend.calls)
    matters.desk.stack.close()
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE payouts (about VARCHAR(40))"))
    engine.dispose()
    randomness = random.Random(7)
    seeds = itertools.count()
    children = [begin_paying(address, next(seeds)) for _ in range(4)]
    try:
        for _ in range(40):
            time.sleep(randomness.random() * 0.6)  # so long they work
            number = randomness.randrange(4)
            end(children[number])
            children[number] = begin_paying(address, next(seeds))
    finally:
        for child in children:
            end(child)
    backend = Unsure()
    with engine.connect() as connection:
        paid = [row.about for row in connection.execute(sa.text("SELECT about FROM payouts"))]
    engine.dispose()
    assert len(paid) == len(set(paid))
    decided = 0
    with fm.CheckStore(address, fm.FaceVerifier(backend, clock=CLOCK)) as store:
        for number in range(MATTERS):
            about = f"payout {number}"
            found = store.of("customer-17", purpose="payout", about=about).find()
            is_used = found.used_at is not None
            assert (about in paid) is is_used, about
            assert not is_used or found.decisions[-1].accept, about
            decided += len(found.decisions)
    assert (len(backend.calls), sent) == (0, 2 * MATTERS)
    assert decided > MATTERS
    assert PAYOUT["about"] not in paid
    print(f"40 kills, {len(paid)} of {MATTERS} paid, {decided} decisions")  # noqa: T201
