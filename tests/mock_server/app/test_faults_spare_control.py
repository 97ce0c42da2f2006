"""Faults and the control API."""

import pytest

from facematch_mock_server.faults import Fault, Faults, Kind, Stage
from facematch_mock_server.messages import Head


@pytest.mark.parametrize("path", ["/__mock__/clock/advance", "/__mock__/faults"])
def test_a_fault_without_a_path_spares_the_control_api(path):
    """Whoever sets a fault must be able to move the clock, and to take the fault back."""
    faults = Faults()
    faults.add(Fault(stage=Stage.MID_BODY, kind=Kind.RESET))
    assert faults.for_request(Head(method="POST", target=path)) is None
    assert faults.for_request(Head(method="POST", target="/v3/face-match/")) is not None


def test_a_fault_may_be_aimed_at_the_control_api():
    """Whoever names it means it."""
    faults = Faults()
    faults.add(Fault(stage=Stage.MID_BODY, kind=Kind.RESET, path="/__mock__/clock"))
    assert faults.for_request(Head(method="GET", target="/__mock__/clock")) is not None
