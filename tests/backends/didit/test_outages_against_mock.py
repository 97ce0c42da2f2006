"""What the pages promise of an outage, with the numbers that they recommend, 60 times as fast."""

import time

import pytest
from kit.deaf import deaf_host

import facematch_core as fm
from facematch_core.resilience import BreakerState, CircuitBreaker
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer, make_card

PROBE, REFERENCE = make_card("p1"), make_card("p1", quality=60)
MINUTE = 1.0
DEADLINE_S = MINUTE / 3


def breaker():
    """One with the defaults."""
    usual = CircuitBreaker()
    seconds = ("within_s", "slow_s", "open_s", "longest_open_s")
    return CircuitBreaker(**{name: getattr(usual, name) * MINUTE / 60 for name in seconds})


def asks(verifier, deadline_s, times):
    """The errors of so many calls, one after the other."""
    errors = []
    for _ in range(times):
        with pytest.raises(fm.VendorError) as caught:
            verifier.verify(PROBE, REFERENCE, deadline_s=deadline_s)
        errors.append(type(caught.value))
    return errors


@pytest.mark.parametrize("deadline_s", [DEADLINE_S, None])
def test_a_vendor_that_never_answers(deadline_s):
    """Five calls are perhaps paid for, whoever ends them: the deadline of 20 s, or the time-out of
    60 s. Then none is sent until the vendor is tried again.
    """
    gate = breaker()
    with MockServer(vendor="didit") as mock:
        hangs = Fault(
            stage="after_upload", kind="delay", seconds=3 * MINUTE, executed=True, times=5
        )
        mock.control.add_fault(hangs)
        backend = DiditBackend(api_key=mock.live_key, base_url=mock.url, read_timeout_s=MINUTE)
        with fm.FaceVerifier(backend, policies=[gate]) as verifier:
            lost = fm.OutcomeUnknown if deadline_s is None else fm.DeadlineExceeded
            assert asks(verifier, deadline_s, 8) == [lost] * 5 + [fm.BreakerOpen] * 3
            assert len(mock.control.charges()) <= 5
            time.sleep(gate.open_s)
            assert verifier.verify(PROBE, REFERENCE).is_match
            assert gate.state is BreakerState.CLOSED


def test_a_host_that_takes_no_connections():
    """However impatient its callers: after ten of them the next vendor is asked at once."""
    gate = CircuitBreaker()
    with MockServer(vendor="didit") as mock, deaf_host() as (host, port):
        members = {
            "shop": fm.FaceVerifier(
                DiditBackend(api_key=mock.live_key, base_url=f"http://{host}:{port}"),
                policies=[gate],
            ),
            "backup": fm.FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url)),
        }
        with fm.Failover(members) as failover:
            assert asks(members["shop"], 0.1, 10) == [fm.VendorUnavailable] * 10
            assert gate.state is BreakerState.OPEN
            result = failover.verify(PROBE, REFERENCE, deadline_s=5)
            assert result.route.answered_by == "backup"
            assert [member.reason for member in result.route.skipped] == ["BreakerOpen"]
