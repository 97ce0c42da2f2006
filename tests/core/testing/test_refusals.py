"""R16 with `VendorSimulator.refusals`: each documented refusal must have its error and charge."""

from typing import Any, ClassVar

import attrs
import pytest
from kit.contract import Status, run
from simulators.facepp import DocumentedFacepp, error

import facematch_core as fm
from facematch_core.http import ErrorRow
from facematch_core.testing import Refusal
from facematch_facepp import FaceppBackend

DENIED = Refusal(
    status=403,
    body=error("AUTHORIZATION_ERROR:Denied by Admin"),
    error=fm.PermissionDenied,
    charged=fm.Charged.NO,
)
ROW = ErrorRow(fm.RateLimited, fm.Charged.UNKNOWN, "not documented", "too many", retryable=True)


class RetryableBackend(FaceppBackend):
    """Says that a call may be repeated, although it may have been charged."""

    error_codes: ClassVar[Any] = {**FaceppBackend.error_codes, "CONCURRENCY_LIMIT_EXCEEDED": ROW}


RETRYABLE = Refusal(
    status=403,
    body=error("CONCURRENCY_LIMIT_EXCEEDED"),
    error=fm.RateLimited,
    charged=fm.Charged.UNKNOWN,
)


def judge(*refusals, backend=FaceppBackend):
    """The failure of R16 for REJECTED; empty if it passed."""
    attributes = {"refusals": refusals, "backend_class": backend}
    simulator = type("Simulator", (DocumentedFacepp,), attributes)
    (case,) = (case for case in run(simulator, {"R16"}) if case.name == "rejected")
    assert case.status in (Status.PASSED, Status.FAILED)
    return case.reason


def test_refusal_as_documented_passes():
    assert judge(DENIED) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"error": fm.InsufficientCredit},
        {"error": None},
        {"charged": fm.Charged.UNKNOWN},
        {"body": error("AUTHORIZATION_ERROR:Insufficient Account Balance")},
    ],
    ids=str,
)
def test_refusal_with_another_error_or_charge_fails(change):
    reason = judge(attrs.evolve(DENIED, **change))
    assert "answered 403" in reason


def test_retryable_refusal_that_may_be_charged_fails():
    assert "retryable" in judge(RETRYABLE, backend=RetryableBackend)
