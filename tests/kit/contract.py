"""The rules of the contract, run in this process, as pytest would run them for a plug-in."""

import enum
import inspect
from contextlib import closing
from itertools import chain

import attrs
import pytest

from facematch_core.testing import BackendContract
from facematch_core.testing.bench import (
    BECAUSE_OF,
    DOES_NOT_APPLY,
    NOT_TESTED,
    Bench,
    describe_failure,
)


class Status(enum.StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_JUDGED = "not judged"
    OPEN = "not tested"
    DOES_NOT_APPLY = "does not apply"


#: How the reason of a skipped rule begins.
SKIPS = {
    NOT_TESTED: Status.OPEN,
    DOES_NOT_APPLY: Status.DOES_NOT_APPLY,
    BECAUSE_OF: Status.NOT_JUDGED,
}


@attrs.frozen
class Case:
    rule: str
    name: str
    status: Status
    reason: str = ""


def rules():
    owners = [vars(base) for base in reversed(BackendContract.__mro__)]
    names = [name for name in chain(*owners) if name.startswith("test_r")]
    return {name.split("_")[1].upper(): getattr(BackendContract, name) for name in names}


def run(make, numbers=None, **fixtures):
    """Run the rules of these numbers, or all; each case with a simulator of its own."""
    contract = type("TestContract", (BackendContract,), {})()
    for number, test in rules().items():
        if numbers is not None and number not in numbers:
            continue
        marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        for value in marks[0].args[1] if marks else [None]:
            how = {marks[0].args[0]: value} if marks else {}
            wanted = inspect.signature(test).parameters
            given = {"capfd": Console(), **fixtures}
            how |= {name: given[name] for name in wanted if name in given}
            name = "" if value is None else str(value)
            yield Case(number, name, *_play(test, contract, make, how))


class Console:
    """Stands in for pytest's `capfd`: nothing was printed."""

    def readouterr(self):
        return "", ""


def _play(test, contract, make, how):
    try:
        with make() as simulator, closing(Bench(simulator)) as bench:
            test(contract, bench, **how)
    except pytest.skip.Exception as skipped:
        start = next(start for start in SKIPS if str(skipped).startswith(start))
        return SKIPS[start], str(skipped).removeprefix(start)
    except pytest.fail.Exception as failure:
        if str(failure).startswith(NOT_TESTED):
            return Status.OPEN, str(failure).removeprefix(NOT_TESTED)
        return Status.FAILED, str(failure)
    except Exception as error:  # noqa: BLE001 - pytest shows it as an error of a fixture
        return Status.FAILED, describe_failure(error)
    return Status.PASSED, ""


def failures(cases):
    """The cases that failed or were not tested, as text: empty if the plug-in conforms."""
    bad = [case for case in cases if case.status in (Status.FAILED, Status.OPEN)]
    return "\n".join(f"{case.rule} {case.name}: {case.reason}" for case in bad)
