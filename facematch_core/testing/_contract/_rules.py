"""The frame of every rule: its fixtures, and the guard that keeps rules as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from facematch_core.testing._double import VendorDouble

from ._bench import Bench

#: The modules whose tests are rules, and the form of a rule's name.
_KIT = __name__.rpartition(".")[0]
_RULE = re.compile(r"test_r\d\d_")


R = TypeVar("R", bound=Callable[..., None])


def pure(rule: R) -> R:
    """Mark a rule that asks the vendor nothing: it runs also where no double is there."""
    rule.asks_nothing = True  # type: ignore[attr-defined]  # a mark of pytest would be refused
    return rule


class Rules:
    """What the themes of the contract have in common."""

    @pytest.fixture
    def double(self) -> Iterator[VendorDouble]:
        """The vendor's double, fresh or prepared anew by each rule. To be overridden."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture `double` that yields a VendorDouble."
        )

    @pytest.fixture
    def bench(self, double: VendorDouble) -> Iterator[Bench]:
        """The double with what the rule opens on it."""
        bench = Bench(double)
        yield bench
        bench.close()

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if cls.__module__.startswith(_KIT):
            return
        for name in dir(cls):
            if _RULE.match(name):
                _guard(cls, name)


def _guard(cls: type[Rules], name: str) -> None:
    """Refuse a class that changes a rule, unless it says that the rule fails, and why.

    As an exception while the class is made, not as a test: a mark on the class cannot skip it.
    """
    kit = [vars(base) for base in cls.__mro__ if base.__module__.startswith(_KIT)]
    rule = next((members[name] for members in kit if name in members), None)
    if rule is None:
        return  # the author's own test
    found = getattr(cls, name)
    marks = [mark for mark in getattr(found, "pytestmark", ()) if mark.name != "parametrize"]
    if found is rule and not marks:
        return
    if found is not rule and any(m.name == "xfail" and m.kwargs.get("reason") for m in marks):
        return
    raise TypeError(
        f"{cls.__name__} changes the rule {name}. A rule may be expected to fail, by an override "
        'with @pytest.mark.xfail(reason="..."), but not be changed or skipped.'
    )
