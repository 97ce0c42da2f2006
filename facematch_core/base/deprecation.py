"""Warn of an old call at the line of the program that makes it."""

from __future__ import annotations

import inspect
import warnings

_PACKAGE = __name__.partition(".")[0]


def warn_of_old_call(message: str) -> None:
    """Warn that a call is deprecated, at the nearest line outside this package.

    Decorators of ours lie between the call and this function, so that the number of frames differs.
    """
    frame = inspect.currentframe()
    level = 1
    while frame is not None and _package_of(frame.f_globals) == _PACKAGE:
        frame = frame.f_back
        level += 1
    # In `warn`, level 1 is this function, where the search began.
    warnings.warn(message, DeprecationWarning, stacklevel=level)


def _package_of(module: dict[str, object]) -> str:
    return str(module.get("__name__", "")).partition(".")[0]
