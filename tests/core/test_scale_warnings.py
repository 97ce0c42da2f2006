"""A threshold that looks like a fraction is warned of where it is written."""

import inspect
import warnings

import anyio
import pytest
from kit.fakes import FakeBackend, picture

import facematch_core as fm

A, B = picture(), picture((1, 2, 3), kind="PNG")


def verifier():
    return fm.FaceVerifier(FakeBackend())


def failover():
    return fm.Failover({"a": verifier()})


async def awaited():
    async with fm.AsyncFaceVerifier(verifier()) as asked:
        await asked.verify_live(A, B, threshold=0.5, liveness_threshold=0.5)


def lines_of(function):
    """The lines of a function."""
    lines, first = inspect.getsourcelines(function)
    return range(first, first + len(lines))


CALLS = {
    "verify": (lambda: verifier().verify(A, B, threshold=0.5), 1),
    "review": (lambda: verifier().verify(A, B, threshold=0.5, review_threshold=0.6), 2),
    "liveness": (lambda: verifier().check_liveness(A, threshold=1), 1),
    "both": (lambda: verifier().verify_live(A, B, threshold=0.5, liveness_threshold=0.5), 2),
    "default": (lambda: fm.FaceVerifier(FakeBackend(), threshold=0.5), 1),
    "failover": (lambda: failover().verify(A, B, threshold={"a": 0.5}), 1),
    "many": (lambda: list(verifier().verify_many([(A, B)] * 3, threshold=0.5)), 1),
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


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_awaiting_line_is_named(backend):
    """And not one of the thread that makes the call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anyio.run(awaited, backend=backend)
    found = [one for one in caught if one.category is fm.ScaleWarning]
    assert [(one.filename, one.lineno in lines_of(awaited)) for one in found] == [
        (__file__, True)
    ] * 2
