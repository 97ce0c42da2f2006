"""Clear the local variables that an error's traceback keeps, because error trackers send them.

The public methods are decorated, so that no error leaves with a picture or a key in our frames.
"""

from __future__ import annotations

import contextlib
import functools
import traceback
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

from .exceptions import links_of

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")

#: Prefix of our packages and, by convention, of plug-ins.
_OUR_PREFIX = "facematch_"
#: Libraries whose frames may hold a picture or a key that we pass to them.
_LIBRARIES = frozenset(
    {
        "PIL",
        "anyio",
        "attr",
        "base64",
        "botocore",
        "http",
        "psycopg",
        "requests",
        "sqlalchemy",
        "urllib3",
    }
)


def clear_frames_with_pictures(error: BaseException) -> None:
    """Clear the finished frames of our packages and `_LIBRARIES` in an error's chain.

    Error trackers send the local variables of frames, and these hold pictures and keys.
    The caller's frames, such as those of an iterator or a signal handler, keep their variables.
    """
    for link in links_of(error):
        for frame, _line in traceback.walk_tb(link.__traceback__):
            package = frame.f_globals.get("__name__", "").partition(".")[0]
            if package in _LIBRARIES or package.startswith(_OUR_PREFIX):
                with contextlib.suppress(RuntimeError):  # the frame is still running
                    frame.clear()


def clears_frames(function: C) -> C:
    """Decorate a public function: its errors show no local variables of our frames."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        # In a list, so that this frame holds no argument while the function runs.
        pending = [functools.partial(function, *args, **options)]
        del args, options
        try:
            return pending.pop()()
        except BaseException as error:
            clear_frames_with_pictures(error)
            raise

    return cast(C, call)


def methods_clear_frames(cls: type[T]) -> type[T]:
    """Decorate a class: apply `clears_frames` to each public method, `__init__` and `__next__`."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_") and name not in ("__init__", "__next__"):
            continue
        if isinstance(member, classmethod):
            setattr(cls, name, classmethod(clears_frames(member.__func__)))
        elif isinstance(member, FunctionType):
            setattr(cls, name, clears_frames(member))
    return cls
