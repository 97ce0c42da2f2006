"""What a backend writes to disk while it is looked at, told by Python's own audit events.

Judged is whatever happens in the thread that looks, and in any other thread what a method of a
backend does. What a double does is its own: in its own threads, and in a method of its own that a
backend's call leads to. What a library of C opens by itself raises no event and is not seen.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from facematch_core.backend import Backend
from facematch_core.testing._double import VendorDouble

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

#: Audit event to the place of the path among its arguments; of "open" the third one tells whether
#: it writes.
_EVENTS = {
    "open": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.mkdir": 0,
    "os.truncate": 0,
    "sqlite3.connect": 0,
}

#: Modules that write what they make of source code.
_COMPILERS = ("importlib._bootstrap", "_frozen_importlib", "_pytest.assertion")


class _Watch:
    """One look: the thread that looks, and what was written meanwhile."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.written: list[str] = []


#: Those under way.
_watches: list[_Watch] = []

_installing = threading.Lock()
_installed: list[bool] = []


@contextlib.contextmanager
def files_written() -> Iterator[list[str]]:
    """Every file that a backend writes meanwhile, with the function that does it."""
    with _installing:
        # For good: a hook cannot be taken away. It does nothing while nobody looks.
        if not _installed:
            sys.addaudithook(_hook)
            _installed.append(True)
    watch = _Watch()
    _watches.append(watch)
    try:
        yield watch.written
    finally:
        _watches.remove(watch)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches or event not in _EVENTS:
        return
    path = arguments[_EVENTS[event]]
    if event == "open" and not (arguments[2] or 0) & _WRITES:
        return
    if not _is_file(path):
        return
    here = threading.get_ident()
    for watch in tuple(_watches):
        if by := _writer(sys._getframe(1), own=watch.thread == here):  # noqa: SLF001 - the public way makes a whole stack of objects
            watch.written.append(f"{os.fsdecode(path)} ({event}, in {by})")


def _is_file(path: object) -> bool:
    """Whether `path` names what could keep something: no descriptor, device, pipe or memory."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return False
    name = os.fsdecode(path)
    if name == os.devnull or ":memory:" in name or "mode=memory" in name:
        return False
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _writer(frame: FrameType | None, *, own: bool) -> str | None:
    """The function that a look is to hear of; None if what writes is nobody to be judged.

    Args:
        frame: Where it is written.
        own: Whether that is the thread that looks.
    """
    named = None
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__")), frame.f_code
        if named is None and module.startswith(_COMPILERS):
            return None
        if named is None and module.partition(".")[0] not in sys.stdlib_module_names:
            named = f"{module}.{code.co_qualname}"
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        # Not isinstance: it asks the object, which may be somebody's proxy.
        if issubclass(type(first), VendorDouble):
            return None
        if issubclass(type(first), Backend):
            return named
        frame = frame.f_back
    return named if own else None
