"""Tokens that backends share, and what a login means that never came to an answer."""

import os
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from facematch_core import Charged, Secret
from facematch_core.errors import (
    DeadlineExceeded,
    OutcomeUnknown,
    UnexpectedResponse,
    VendorUnavailable,
)
from facematch_deepvue import tokens, wire

KEY = ("https://production.deepvue.tech", Secret("client-1"), Secret("secret-1"))


def test_two_that_open_at_once_share_a_token(monkeypatch):
    """The second waits until the first has put down what it found missing."""
    others = []

    class Slow(weakref.WeakValueDictionary):
        def get(self, key, default=None):
            found = super().get(key, default)
            if not others:
                others.append(pool.submit(tokens.shared_tokens, *KEY))
                wait(others, timeout=0.2)
            return found

    monkeypatch.setattr(tokens, "_SHARED", Slow())
    with ThreadPoolExecutor(1) as pool:
        first = tokens.shared_tokens(*KEY)
        assert others[0].result(timeout=30) is first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_a_backend_is_opened():
    """The fork waits until nobody holds the lock, so that the child finds it free."""
    held, go = threading.Event(), threading.Event()

    def opening():
        with tokens._LOCK:
            held.set()
            go.wait(30)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(opening)
        assert held.wait(30)
        threading.Timer(0.1, go.set).start()
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)  # ends the child if it waits for a thread of its parent
                tokens.shared_tokens(*KEY)
                os._exit(0)
            finally:
                os._exit(2)
    assert go.is_set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "late", [DeadlineExceeded("late"), VendorUnavailable("x", retryable=False)]
)
def test_a_deadline_that_runs_out_in_a_login_is_no_outage(late):
    """Before its first byte or after it: not to be repeated, and nothing for a breaker."""
    error = wire.unanswered(late)
    assert (type(error), error.billing.charged) == (VendorUnavailable, Charged.NO)
    assert not error.retryable


@pytest.mark.parametrize("gone", [OutcomeUnknown("reset"), VendorUnavailable("no way")])
def test_a_login_that_does_not_come_through_is_an_outage(gone):
    """Nothing of the face call has left, so it may be repeated by whoever has set retries."""
    error = wire.unanswered(gone)
    assert (type(error), error.billing.charged) == (VendorUnavailable, Charged.NO)
    assert error.retryable


def test_an_answer_that_cannot_be_read_costs_nothing():
    """No price is documented for a login."""
    error = wire.unanswered(UnexpectedResponse("It answered 200.", status_code=200))
    assert (type(error), error.billing.charged) == (UnexpectedResponse, Charged.NO)
    assert error.status_code == 200
