import pytest
from core.resilience.passages import ANSWERED, DOWN, NO_EVIDENCE, UNREACHABLE, failed
from kit.attempts import new_attempt

from facematch_core import Charged
from facematch_core.errors import BreakerOpen, ConfigurationError, VendorUnavailable
from facematch_core.resilience import BreakerState, CircuitBreaker

CLOSED = BreakerState.CLOSED
OPEN = BreakerState.OPEN
HALF_OPEN = BreakerState.HALF_OPEN


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(failures=3, open_s=10.0, clock=clock)


def call(breaker, ending, times=1):
    for _ in range(times):
        breaker.enter(new_attempt())(ending)


def open_breaker(breaker):
    call(breaker, UNREACHABLE, times=breaker.failures)
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", DOWN.values(), ids=DOWN)
def test_consecutive_failures_open_the_breaker(breaker, ending):
    call(breaker, ending, times=2)
    assert breaker.state is CLOSED
    call(breaker, ending)
    assert breaker.state is OPEN


@pytest.mark.parametrize("ending", NO_EVIDENCE.values(), ids=NO_EVIDENCE)
def test_endings_without_evidence_do_not_change_the_breaker(breaker, clock, ending):
    call(breaker, UNREACHABLE, times=2)
    call(breaker, ending, times=9)
    assert breaker.state is CLOSED
    call(breaker, UNREACHABLE)
    assert breaker.state is OPEN
    clock.advance(10.0)
    call(breaker, ending)
    assert breaker.state is HALF_OPEN
    call(breaker, ANSWERED)
    assert breaker.state is CLOSED


def test_open_breaker_error_has_retry_time_and_last_error(breaker, clock):
    reason = "its certificate is invalid: set ca_bundle"
    call(breaker, failed(VendorUnavailable(reason), may_be_sent=False), times=3)
    clock.advance(4.0)
    with pytest.raises(BreakerOpen, match="nothing was sent") as caught:
        breaker.enter(new_attempt())
    assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, True)
    assert caught.value.retry_after_s == 6.0
    assert f"VendorUnavailable: {reason}" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("failures", 0),
        ("failures", 2.0),
        ("open_s", 0),
        ("open_s", float("nan")),
        ("open_s", True),
    ],
)
def test_invalid_settings_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        CircuitBreaker(**{name: value})


def test_half_open_breaker_admits_one_probe(breaker, clock):
    open_breaker(breaker)
    clock.advance(10.0)
    assert breaker.state is HALF_OPEN
    probe = breaker.enter(new_attempt())
    for _ in range(3):
        with pytest.raises(BreakerOpen):
            breaker.enter(new_attempt())
    assert breaker.state is HALF_OPEN
    probe(ANSWERED)
    assert breaker.state is CLOSED


def test_unfinished_probe_is_replaced_after_open_s(breaker, clock):
    open_breaker(breaker)
    clock.advance(10.0)
    leave_lost = breaker.enter(new_attempt())
    clock.advance(10.0)
    leave_replacement = breaker.enter(new_attempt())
    leave_lost(UNREACHABLE)
    leave_replacement(ANSWERED)
    assert breaker.state is CLOSED


def test_reset_closes_the_breaker(breaker):
    open_breaker(breaker)
    breaker.reset()
    call(breaker, UNREACHABLE, times=2)
    assert breaker.state is CLOSED
    call(breaker, UNREACHABLE)
    assert breaker.state is OPEN
