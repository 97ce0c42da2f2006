"""Check arguments: texts, functions that the core calls, and values of attrs fields."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import attrs

from facematch_core import errors


def check_text(name: str, text: object) -> None:
    """Raise if `text` is not a string, is empty, or cannot be encoded as UTF-8.

    For the number or the UUID by which an ORM knows a customer, the message says `str(...)`. For
    None it does not, because all customers would become one, named None.
    """
    if type(text).__name__ in ("int", "UUID"):
        raise errors.InvalidRequest(
            f"{name} must be a string: pass str(...) of this {type(text).__name__}."
        )
    try:
        if isinstance(text, str) and text and text.encode():
            return
    except UnicodeEncodeError:
        pass
    raise errors.InvalidRequest(f"{name} must be a non-empty string that can be encoded as UTF-8.")


def check_case(subject_ref: object, purpose: object, about: object) -> None:
    """Raise `InvalidRequest` unless these name a person and a matter; `about` may be None."""
    check_text("subject_ref", subject_ref)
    check_text("purpose", purpose)
    if about is not None:
        check_text("about", about)


def check_function(name: str, function: object, takes: str) -> None:
    """Raise `ConfigurationError` unless an argument is None or a function that is not async.

    `takes` describes the function's argument, such as ``one event``.
    """
    if function is None:
        return
    if not callable(function):
        raise errors.ConfigurationError(f"{name} must be a function of {takes}.")
    call = type(function).__call__  # of an object with a method `__call__`
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        raise errors.ConfigurationError(
            f"{name} must be a function of {takes} that is not async: nothing would await it."
        )


def must_be(
    requirement: str, is_valid: Callable[[Any], bool]
) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    """Return an attrs validator that raises the error "CLASS: NAME must be `requirement`."."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if not is_valid(value):
            raise errors.ConfigurationError(
                f"{type(instance).__name__}: {attribute.name} must be {requirement}."
            )

    return check


positive_seconds = must_be(
    "a number of seconds above 0",
    lambda value: type(value) in (int, float) and 0 < value < math.inf,
)
