"""The frame of every rule: its fixtures, and the guard that keeps rules as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from facematch_core.testing.bench import Bench
from facematch_core.testing.simulator import VendorSimulator

#: The modules whose tests are rules.
_KIT = __name__.rpartition(".")[0]


class Rules:
    """What the themes of the contract have in common."""

    @pytest.fixture
    def simulator(self) -> Iterator[VendorSimulator]:
        """The vendor's simulator, fresh or set anew by each rule. To be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture `simulator` that yields a VendorSimulator."
        )

    @pytest.fixture
    def bench(self, simulator: VendorSimulator) -> Iterator[Bench]:
        bench = Bench(simulator)
        yield bench
        bench.close()
        # Shown where the rule has failed: the core's error says no more than the place.
        for fault in dict.fromkeys(bench.faults.values()):
            print(fault)  # noqa: T201 - pytest shows it

    def __init_subclass__(cls, **rest: Any) -> None:
        """Refuse a class that changes a rule, which no mark on the class can skip."""
        super().__init_subclass__(**rest)
        kit = [vars(base) for base in cls.__mro__ if base.__module__.startswith(_KIT)]
        for name in (name for name in dir(cls) if name.startswith("test_r")):
            rule = next((members[name] for members in kit if name in members), None)
            test = getattr(cls, name)
            marks = [m for m in getattr(test, "pytestmark", ()) if m.name != "parametrize"]
            expected = any(m.name == "xfail" and m.kwargs.get("reason") for m in marks)
            # Else it is the author's own test, or the rule as it is.
            is_changed = rule is not None and (test is not rule or marks)
            if is_changed and (test is rule or not expected):
                raise TypeError(
                    f"{cls.__name__} changes the rule {name}. A rule may be expected to fail, by "
                    'an override with @pytest.mark.xfail(reason="..."), but not be changed or '
                    "skipped."
                )
