"""End every test that hangs, and every run.

A test fails with its stack after two thirds of `faulthandler_timeout`, and the next one runs. A
call that never returns to Python is ended with the process after the whole of it, by pytest.
"""

import faulthandler
import signal
import sys

import pytest

# What runs in the background of a script ignores Ctrl-C, and so would every process of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    # For releases of pytest before 9, which do not know it: they print the stacks, and wait on.
    parser.addini("faulthandler_exit_on_timeout", "end a run that hangs", type="bool")


def _limit_s(config):
    return float(config.getini("faulthandler_timeout"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A limit for a test with its fixtures; Windows has only the end of the process."""
    if not hasattr(signal, "setitimer"):
        return (yield)
    limit_s = _limit_s(item.config) * 2 / 3

    def fail(*_):
        pytest.fail(f"The test was interrupted after {limit_s:g} s.")

    handler = signal.signal(signal.SIGALRM, fail)
    # Again and again: what clears up may wait as well, and Hypothesis tries what failed once more.
    signal.setitimer(signal.ITIMER_REAL, limit_s, limit_s / 4)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def pytest_enter_pdb():
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """A thread that a test has not ended does not keep the process either."""
    if limit_s := _limit_s(config):
        faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__)
