"""Tell a test card of the mock server by its text, without the mock server."""

from __future__ import annotations

import logging

from ._enums import Environment
from ._images import Image
from .backend import Backend

log = logging.getLogger("facematch")

_PNG = b"\x89PNG\r\n\x1a\n"
_MARK = b"tEXtfacematch-card\0"


def looks_like_card(data: bytes) -> bool:
    """Whether `data` is a test card as it was made; one that was encoded anew is not noticed."""
    return data.startswith(_PNG) and _MARK in data[:512]


def warn_of_cards(images: list[Image], backend: Backend) -> None:
    """Log a warning if a test card is about to be sent to where no mock can answer."""
    if not any(looks_like_card(image.data) for image in images):
        return
    if backend.environment is Environment.LOCAL or Environment.MOCK in backend.environments:
        return
    log.warning(
        "A test card is sent to the real %s, which sees a drawing: is the address that of the "
        "mock server?",
        backend.name,
    )
