"""Ctrl-C, and what a signal handler raises, in the middle of a step in a file."""

import contextlib
import gc
import signal
import sqlite3
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy
from kit.attempts import BUDGET_KEY, NOW, UNIT, entry, sums

from facematch_core import Charged, StoreUnavailable
from facematch_core.store import sql as module

CAP = Decimal(100)

STEPS = {
    "reserve": lambda store, _open: store.reserve(entry(), CAP),
    "finalize": lambda store, reservation: store.finalize(reservation, Charged.YES, at=NOW),
    "budget": lambda store, _open: store.budget(BUDGET_KEY),
    "open": lambda store, _open: store.open_reservations(),
}


@pytest.fixture
def is_free(tmp_path):
    """Whether somebody else may write, although nobody has collected what is lost."""

    def check():
        file = sqlite3.connect(tmp_path / "attempts.sqlite3", timeout=0, isolation_level=None)
        with contextlib.closing(file):
            file.execute("BEGIN IMMEDIATE")
            file.execute("ROLLBACK")

    return check


def interrupt_at(number):
    """A function that raises Ctrl-C when it is called for the nth time."""
    calls = iter(range(number))

    def reach(*_args):
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return reach


def interrupt_statement(number):
    event = (sqlalchemy.Engine, "before_cursor_execute", interrupt_at(number))
    sqlalchemy.event.listen(*event)
    return lambda: sqlalchemy.event.remove(*event)


RELEASE = {
    (module.__file__, number)
    for number, line in enumerate(Path(module.__file__).read_text().splitlines(), 1)
    if "self.turn.release()" in line or "try:  # noqa" in line
}


def interrupt_line_of(path):
    """Ctrl-C before the nth line of the modules whose files begin so."""

    def interrupt(number):
        reach = interrupt_at(number)

        def trace(frame, event, _value):
            file = frame.f_code.co_filename
            if file.startswith(path):
                # A signal is heard after a call, so not between a block and the release behind it.
                if event == "line" and (file, frame.f_lineno) not in RELEASE:
                    reach()
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        return lambda: sys.settrace(before)

    return interrupt


INTERRUPTIONS = {
    "statement": (interrupt_statement, 3),
    "line": (interrupt_line_of(module.__file__), 30),
    "line of the pool": (interrupt_line_of(str(Path(sqlalchemy.pool.__file__).parent)), 30),
}


@pytest.fixture
def _no_finalisers(caplog):
    """What is raised in one reaches nobody."""
    gc.collect()
    gc.disable()
    yield
    # What SQLAlchemy logged holds frames, and those hold connections, which go back to their pool
    # when they are collected: it is collected after them.
    caplog.get_records("call").clear()
    gc.collect()
    gc.collect()
    gc.enable()


# A connection that was lost between two lines is closed with the frames that hold it; from Python
# 3.13 on sqlite3 warns of that.
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.usefixtures("_no_finalisers")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name in STEPS for kind in ("statement", "line")),
        ("reserve", "line of the pool"),  # every step takes its connection alike
    ],
)
def test_ctrl_c_comes_out_of_every_place_and_the_file_is_free(sql, is_free, name, kind):
    reservation, interruptions, (interrupt, places) = entry(), [], INTERRUPTIONS[kind]
    sql.reserve(reservation, CAP)
    while True:
        stop = interrupt(len(interruptions))
        try:
            STEPS[name](sql, reservation)
            break
        except KeyboardInterrupt as error:
            interruptions.append(error)  # and with it whatever its frames hold
        finally:
            stop()
        is_free()
        assert sum(sums(sql)) >= 1
    assert len(interruptions) >= places


class Alarm(Exception):
    pass


def ring(_number, _frame):
    raise Alarm


@pytest.mark.parametrize("raised", [Alarm, KeyboardInterrupt])
@pytest.mark.parametrize("name", STEPS)
def test_what_a_signal_handler_raises_reaches_its_program(sql, is_free, name, raised):
    handler = ring if raised is Alarm else signal.default_int_handler
    before = signal.signal(signal.SIGUSR1, handler)
    event = (
        *(sqlalchemy.Engine, "before_cursor_execute"),
        lambda *_args: signal.raise_signal(signal.SIGUSR1),
    )
    sqlalchemy.event.listen(*event)
    try:
        with pytest.raises(raised):
            STEPS[name](sql, entry())
    finally:
        sqlalchemy.event.remove(*event)
        signal.signal(signal.SIGUSR1, before)
    is_free()
    assert sql.reserve(entry(), UNIT) is None


def test_a_step_in_the_middle_of_another_one_is_refused_at_once(sql):
    """A finaliser that the garbage collector runs there, say."""
    refusals, events = [], []

    def ask(*_args):
        if not events:
            events.append(1)
            with pytest.raises(StoreUnavailable) as caught:
                sql.reserve(entry(), CAP)
            refusals.append(caught.value)
            with pytest.raises(StoreUnavailable):
                sql.finalize(reservation, Charged.YES, at=NOW)

    reservation = entry()
    sql.reserve(reservation, CAP)
    event = (sqlalchemy.Engine, "before_cursor_execute", ask)
    sqlalchemy.event.listen(*event)
    began = time.monotonic()
    try:
        assert sql.reserve(entry(), CAP) is None
    finally:
        sqlalchemy.event.remove(*event)
    assert len(refusals) == 1
    assert time.monotonic() - began < 20
    assert sums(sql) == (1, 1, 0)
