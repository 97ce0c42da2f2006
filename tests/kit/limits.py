"""End every test that hangs, and every run.

A test fails with its stack after `test_limit_s`, and the next one runs. A call that never returns
to Python is ended with the process after half as long again.
"""

import faulthandler
import signal
import sys
import time

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

# What runs in the background of a script ignores Ctrl-C, and so would every process of a test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: A watch that is younger is kept for the next test. pytest's own `faulthandler_timeout` makes a
#: thread for each test and waits for its end, which takes a tenth of the time of thousands.
KEPT_FOR_S = 5
#: When the watch of this process began.
WATCHED_SINCE = pytest.StashKey[float]()


def pytest_addoption(parser):
    parser.addini("test_limit_s", "seconds after which a test fails", default="1200")


def _limit_s(config):
    return float(config.getini("test_limit_s"))


def _watch(config, file):
    """End the process, with the stacks of its threads, unless it is watched anew until then."""
    faulthandler.dump_traceback_later(_limit_s(config) * 1.5 + KEPT_FOR_S, exit=True, file=file)
    config.stash[WATCHED_SINCE] = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A limit for a test with its fixtures; Windows has only the end of the process."""
    if time.monotonic() - item.config.stash.get(WATCHED_SINCE, -KEPT_FOR_S) >= KEPT_FOR_S:
        _watch(item.config, item.config.stash[fault_handler_stderr_fd_key])
    if not hasattr(signal, "setitimer"):
        return (yield)
    limit_s = _limit_s(item.config)

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
    _watch(config, sys.__stderr__)
