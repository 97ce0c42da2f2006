"""Tokens that backends share, and what a login means that never came to an answer."""

import os
import signal
import weakref
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from facematch_core import Charged, Secret
from facematch_core.errors import DeadlineExceeded, OutcomeUnknown, VendorUnavailable
from facematch_deepvue import _errors, _tokens

KEY = ("https://production.deepvue.tech", Secret("client-1"), Secret("secret-1"))


def test_two_that_open_at_once_share_a_token(monkeypatch):
    """The second waits until the first has put down what it found missing."""
    others = []

    class Slow(weakref.WeakValueDictionary):
        def get(self, key, default=None):
            found = super().get(key, default)
            if not others:
                others.append(pool.submit(_tokens.tokens_of, *KEY))
                wait(others, timeout=0.2)
            return found

    monkeypatch.setattr(_tokens, "_SHARED", Slow())
    with ThreadPoolExecutor(1) as pool:
        first = _tokens.tokens_of(*KEY)
        assert others[0].result(timeout=30) is first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_while_a_backend_is_opened():
    """The child has a lock of its own, which nobody holds."""
    with _tokens._TURN.lock:
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(20)  # ends the child if it waits for a thread of its parent
                _tokens.tokens_of(*KEY)
                os._exit(0)
            finally:
                os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "late", [DeadlineExceeded("late"), VendorUnavailable("x", retryable=False)]
)
def test_a_deadline_that_runs_out_in_a_login_is_no_outage(late):
    """Before its first byte or after it: not to be repeated, and nothing for a breaker."""
    error = _errors.unanswered(late)
    assert (type(error), error.billing.charged) == (VendorUnavailable, Charged.NO)
    assert not error.retryable


@pytest.mark.parametrize("gone", [OutcomeUnknown("reset"), VendorUnavailable("no way")])
def test_a_login_that_does_not_come_through_is_an_outage(gone):
    """Nothing of the face call has left, so it may be repeated by whoever has set retries."""
    error = _errors.unanswered(gone)
    assert (type(error), error.billing.charged) == (VendorUnavailable, Charged.NO)
    assert error.retryable
