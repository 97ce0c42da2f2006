"""Pillow says at DEBUG what it reads in a picture: not while the picture is a caller's."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_at_work: ContextVar[bool] = ContextVar("facematch_decoding", default=False)

#: The loggers of Pillow's decoders. A filter counts for its own logger alone.
_LOGGERS = ("PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin")


def _is_elsewhere(_: logging.LogRecord) -> bool:
    return not _at_work.get()


@functools.cache
def _filtered() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_elsewhere)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what Pillow logs inside, in this thread or task; what it logs for others stays."""
    _filtered()
    token = _at_work.set(True)
    try:
        yield
    finally:
        _at_work.reset(token)
