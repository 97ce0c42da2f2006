"""The error tree: builtin bases, defaults of `billed`, copies and pickles."""

import copy
import inspect
import pickle

import attrs
import pytest
from kit import gate_passages
from kit.fakes import liveness_result

from facematch_core import Billing, Charged, Environment, Ids, errors

CLASSES = sorted(
    (
        cls
        for cls in vars(errors).values()
        if inspect.isclass(cls) and issubclass(cls, errors.FaceMatchError)
    ),
    key=lambda cls: cls.__name__,
)

ATTEMPT = attrs.evolve(gate_passages.ATTEMPT, backend="x", kept=True, caller_ref="case 7")
NEEDED = {
    errors.EnvironmentMismatch: {"environment": Environment.MOCK, "billing": Billing(Charged.YES)},
    errors.Unsupported: {"backend": "x", "what": "rotate"},
    errors.RateLimited: {"retry_after_s": 3.5, "billing": Billing(Charged.NO)},
    errors.OutcomeUnknown: {"reconcilable": True, "status_code": 502, "call": ATTEMPT},
    errors.RequestRejected: {"field_errors": {"probe": ["too large"]}, "ids": Ids(vendor="r")},
}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_survives_pickle_and_copy(cls):
    """Errors cross process borders (queues, process pools) with all they say."""
    error = cls("What, which value, what to do.", **NEEDED.get(cls, {}))
    error.liveness = liveness_result()
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert str(again) == str(error) == "What, which value, what to do."
        assert vars(again) == vars(error)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_tree_in_the_docstring_is_complete(cls):
    """Whoever reads the module sees every class."""
    assert cls.__name__ in errors.__doc__


def test_builtin_bases():
    """Code that knows only the builtin exceptions catches ours as well."""
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.BackendUnavailable, LookupError)
    assert issubclass(errors.InvalidImage, ValueError)
    assert issubclass(errors.Unsupported, NotImplementedError)
    assert issubclass(errors.DeadlineExceeded, TimeoutError)


@pytest.mark.parametrize(
    ("cls", "billed", "retryable"),
    [
        (errors.RequestRejected, Charged.NO, False),
        (errors.AuthenticationFailed, Charged.NO, False),
        (errors.InsufficientCredit, Charged.NO, False),
        (errors.RateLimited, Charged.NO, True),
        (errors.VendorUnavailable, Charged.NO, True),
        (errors.OutcomeUnknown, Charged.UNKNOWN, False),
        (errors.DeadlineExceeded, Charged.UNKNOWN, False),
        (errors.UnexpectedResponse, Charged.YES, False),
    ],
)
def test_what_each_kind_says_of_money(cls, billed, retryable):
    """Only what is certainly unpaid is retryable by default."""
    error = cls("x")
    assert (error.billing.charged, error.retryable) == (billed, retryable)
