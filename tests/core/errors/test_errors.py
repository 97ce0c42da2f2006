import copy
import inspect
import pickle

import pytest
from kit.attempts import new_record
from kit.fakes import liveness_result

from facematch_core import Billing, Charged, Environment, Retention, errors
from facematch_core.models import Ids

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.FaceMatchError)
]
ATTEMPT = new_record(backend="x", retention=Retention.KEEP, caller_ref="case 7")
NEEDED = {
    errors.EnvironmentMismatch: {"environment": Environment.MOCK, "billing": Billing(Charged.YES)},
    errors.Unsupported: {"backend": "x", "what": "retention"},
    errors.RateLimited: {"retry_after_s": 3.5, "billing": Billing(Charged.NO)},
    errors.OutcomeUnknown: {"reconcilable": True, "status_code": 502, "call": ATTEMPT},
    errors.RequestRejected: {"field_errors": {"probe": ["too large"]}, "ids": Ids(vendor="r")},
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_survives_pickle_and_copy(cls):
    error = cls("What, which value, what to do.", **NEEDED.get(cls, {}))
    error.liveness = liveness_result()
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is cls
        assert str(copied) == str(error) == "What, which value, what to do."
        assert vars(copied) == vars(error)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_a_bill_and_only_a_vendors_error_may_be_charged(cls):
    error = cls("x", **NEEDED.get(cls, {}))
    assert issubclass(cls, errors.VendorError) or error.billing == Billing(Charged.NO)
    assert error.billing.charged in Charged


@pytest.mark.parametrize(
    ("cls", "billed", "retryable"),
    [
        (errors.RequestRejected, Charged.NO, False),
        (errors.AuthenticationFailed, Charged.NO, False),
        (errors.PermissionDenied, Charged.NO, False),
        (errors.SessionMismatch, Charged.NO, False),
        (errors.SessionNotFound, Charged.NO, False),
        (errors.InsufficientCredit, Charged.NO, False),
        (errors.RateLimited, Charged.NO, True),
        (errors.VendorUnavailable, Charged.NO, True),
        (errors.OutcomeUnknown, Charged.UNKNOWN, False),
        (errors.DeadlineExceeded, Charged.UNKNOWN, False),
        (errors.UnexpectedResponse, Charged.YES, False),
    ],
)
def test_only_errors_without_a_charge_are_retryable_by_default(cls, billed, retryable):
    error = cls("x")
    assert (error.billing.charged, error.retryable) == (billed, retryable)
