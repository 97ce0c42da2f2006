"""A threshold that looks like a fraction is warned of where it is written."""

import inspect
import warnings

import pytest
from kit.fakes import FakeBackend, picture

import facematch_core as fm

A, B = picture(), picture((1, 2, 3), kind="PNG")


def verifier():
    return fm.FaceVerifier(FakeBackend())


def failover():
    return fm.Failover({"a": verifier()})


CALLS = {
    "verify": (lambda: verifier().verify(A, B, threshold=0.5), 1),
    "review": (lambda: verifier().verify(A, B, threshold=0.5, review_threshold=0.6), 2),
    "liveness": (lambda: verifier().check_liveness(A, threshold=1), 1),
    "both": (lambda: verifier().verify_live(A, B, threshold=0.5, liveness_threshold=0.5), 2),
    "default": (lambda: fm.FaceVerifier(FakeBackend(), threshold=0.5), 1),
    "failover": (lambda: failover().verify(A, B, threshold={"a": 0.5}), 1),
    "meant": (lambda: verifier().verify(A, B, threshold=fm.Threshold(0.5)), 0),
    "zero": (lambda: verifier().verify(A, B, threshold=0), 0),
    "above": (lambda: verifier().verify(A, B, threshold=1.5), 0),
}


@pytest.mark.parametrize(("call", "times"), CALLS.values(), ids=CALLS)
def test_the_callers_line_is_named(call, times):
    """Each threshold once, also of a call whose picture is prepared anew."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    found = [one for one in caught if one.category is fm.ScaleWarning]
    line = inspect.getsourcelines(call)[1]
    assert [(one.filename, one.lineno) for one in found] == [(__file__, line)] * times
