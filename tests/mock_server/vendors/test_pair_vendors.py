"""Charges, credit, limits, faults and the journal, which mocks of `PairVendor` have in common."""

import base64
from decimal import Decimal

import pytest
from kit import mock_baidu as baidu
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit
from kit import mock_facepp as facepp
from kit import mock_regula as regula
from kit import mock_tencent as tencent
from kit.mock_didit import control_of, scene

from facematch_mock_server import Fault

#: Of each vendor, a comparison that is answered with a score.
COMPARISONS = {
    "baidu": baidu.match(),
    "deepvue": deepvue.deepvue_match(),
    "facepp": facepp.compare_request(),
    "regula": regula.match_request(),
    "tencent": tencent.compare_request(),
}
LIVENESS_CHECKS = {"baidu": baidu.faceverify(), "tencent": tencent.liveness_request()}
#: Of the body of a refusal, what a program tells it by.
REASON_IN = {
    "baidu": lambda body: body["error_code"],
    "deepvue": lambda body: body["detail"],
    "facepp": lambda body: body["error_message"],
    "regula": lambda body: body["code"],
    "tencent": lambda body: body["Response"]["Error"]["Code"],
}


@pytest.fixture
def engine(vendor):
    """A mock of the vendor that a test is run for; a call costs 0.01."""
    return didit.new_engine(vendor=vendor, switches={"price": "0.01"})


def assert_refused(engine, request, *, status, reason):
    """Assert that a request is refused for this reason and costs nothing."""
    charged_before = control_of(engine).charges()
    answer = engine.handle(request)
    assert answer.status == status
    assert REASON_IN[engine.world.vendor_name](answer.json()) == reason
    assert control_of(engine).charges() == charged_before


@pytest.mark.parametrize("vendor", ["baidu", "facepp", "regula", "tencent"])
def test_each_answer_with_a_score_is_one_charge(engine, vendor):
    engine.handle(COMPARISONS[vendor])
    engine.handle(LIVENESS_CHECKS.get(vendor, COMPARISONS[vendor]))
    first, second = control_of(engine).charges()
    assert first.amount == second.amount == Decimal("0.01")


@pytest.mark.parametrize(
    ("vendor", "status", "reason"),
    [
        ("baidu", 200, 17),
        ("facepp", 403, "AUTHORIZATION_ERROR:Insufficient Account Balance"),
        ("regula", 403, 200),
        ("tencent", 200, "ResourceUnavailable.InArrears"),
    ],
)
def test_call_without_credit_is_refused(engine, vendor, status, reason):
    control_of(engine).set_balance(0)
    assert_refused(engine, COMPARISONS[vendor], status=status, reason=reason)


@pytest.mark.parametrize(
    ("vendor", "status", "reason"),
    [
        ("deepvue", 400, "Bad Request"),
        ("deepvue", 401, "Could not validate credentials"),
        ("deepvue", 402, "Payment Required"),
        ("deepvue", 403, "Not a valid token"),
        ("deepvue", 404, "Not Found"),
        ("deepvue", 405, "Method Not Allowed"),
        ("deepvue", 429, "Rate limit exceeded. Please retry after some time."),
        ("deepvue", 500, "Internal Server Error"),
        ("deepvue", 503, "Source Unavailable"),
        ("facepp", 400, "BAD_ARGUMENTS:return_landmark"),
        ("facepp", 401, "AUTHENTICATION_ERROR"),
        ("facepp", 403, "AUTHORIZATION_ERROR:Denied by Admin"),
        ("facepp", 500, "INTERNAL_ERROR"),
        ("regula", 400, 203),
        ("regula", 403, 200),
        ("regula", 500, 7),
    ],
)
def test_fault_with_a_status_has_the_vendors_own_words(vendor, status, reason):
    engine = didit.new_engine(vendor=vendor)
    control_of(engine).add_fault(Fault(stage="answer", kind="status", status=status))
    assert_refused(engine, COMPARISONS[vendor], status=status, reason=reason)


ENCODED = base64.b64encode(scene()).decode()


@pytest.mark.parametrize(
    ("vendor", "request_", "secret"),
    [
        ("baidu", baidu.match(), baidu.API_KEY),
        ("facepp", facepp.compare_request(), facepp.SECRET),
        ("facepp", facepp.compare_request(False, image_base64_1=ENCODED), facepp.SECRET),
        ("tencent", tencent.compare_request(), tencent.SECRET_KEY),
    ],
)
def test_journal_shows_neither_keys_nor_pictures(engine, request_, secret):
    engine.handle(request_)
    (entry,) = control_of(engine).journal()
    shown = str(entry.to_dict())
    assert secret not in shown
    assert scene().decode() not in shown
    assert ENCODED not in shown
