"""Errors without their frames: reporters write down locals, here secrets and personal data."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def tried(make: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | BaseException:
    """What `make` gives or raises: the latter without a frame, for the caller to raise."""
    try:
        return make(*arguments, **named)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, whose frame holds nothing by then
        return _bare(error)


def _bare(error: BaseException) -> BaseException:
    """`error` without its traceback; nor has what it was raised from, or while, any."""
    known: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]
    return error
