"""Functions that the caller passes, and the core calls."""

from __future__ import annotations

import inspect

from facematch_core import errors


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
