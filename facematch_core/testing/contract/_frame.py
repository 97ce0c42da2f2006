"""The frame of every rule: its fixtures, its failure in one sentence, and the guard around it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from facematch_core.testing.bench import BECAUSE_OF, Bench
from facematch_core.testing.simulator import VendorSimulator

#: The package whose tests are rules.
_KIT = __name__.rpartition(".")[0]


def rule(*causes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test a rule: its failure is one sentence that names the cause first.

    Args:
        causes: Numbers of the rules that this one builds on. After one of them has failed it is
            skipped: it would repeat the failure in other words.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        number = number_of(test.__name__)

        @functools.wraps(test)
        def judge(self: Rules, bench: Bench, **parameters: Any) -> None:
            failures = type(self).failures
            cause = next((each for each in failures.values() if each in causes), None)
            if cause is None:
                try:
                    return test(self, bench, **parameters)
                except (Exception, SystemExit, pytest.fail.Exception) as error:  # noqa: BLE001 - whatever a plug-in raises
                    reason = bench.reason(error)
                cause = failures.setdefault(reason, number)
                if cause == number:
                    pytest.fail(reason, pytrace=False)
            pytest.skip(f"{BECAUSE_OF}{cause}")

        return judge

    return decorate


def number_of(name: str) -> str:
    """Return the number in the name of a rule: ``R51`` of ``test_r51_good_call_passes``."""
    return name.split("_")[1].upper()


class Rules:
    """The fixtures of a contract, and what has failed of it."""

    #: The rules that have failed, by the reason that each was the first to give.
    failures: ClassVar[dict[str, str]] = {}

    @pytest.fixture
    def simulator(self) -> Iterator[VendorSimulator]:
        """The vendor's simulator, fresh for each rule. To be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture `simulator` that yields a VendorSimulator."
        )

    @pytest.fixture
    def bench(self, simulator: VendorSimulator) -> Iterator[Bench]:
        bench = Bench(simulator)
        yield bench
        bench.close()

    def __init_subclass__(cls, **rest: Any) -> None:
        """Refuse a class that changes a rule, which no mark on the class can skip."""
        super().__init_subclass__(**rest)
        cls.failures = {}
        kit = [vars(base) for base in cls.__mro__ if base.__module__.startswith(_KIT)]
        for name in (name for name in dir(cls) if name.startswith("test_r")):
            original = next((members[name] for members in kit if name in members), None)
            test = getattr(cls, name)
            marks = [m for m in getattr(test, "pytestmark", ()) if m.name != "parametrize"]
            expected = any(m.name == "xfail" and m.kwargs.get("reason") for m in marks)
            # Without an original it is the author's own test.
            is_changed = original is not None and (test is not original or marks)
            if is_changed and (test is original or not expected):
                raise TypeError(
                    f"{cls.__name__} changes the rule {name}. A rule may be expected to fail, by "
                    'an override with @pytest.mark.xfail(reason="..."), but not be changed or '
                    "skipped."
                )
