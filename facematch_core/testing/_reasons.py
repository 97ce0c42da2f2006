"""Why a rule failed, in one line that may be shown to anybody."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

#: Longest reason, in characters.
LONGEST = 300

#: What is put in place of a secret, and of the folder of a path.
SECRET, FOLDER = "***", "..."

#: Folders of people and of the system that are no part of what went wrong.
_PLACES = re.compile(r"/(?:home|Users|root|tmp|private|var)(?:/[^\s'\"<>:,()]+)*/")


class Masked:
    """Texts without secrets and without absolute paths of this machine.

    Args:
        secrets: What may not be shown; very short texts, which stand in any sentence, are left.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({one for one in secrets if len(one) >= 6}, key=len, reverse=True)
        self._folders = _folders()

    def text(self, text: str) -> str:
        """`text` as anybody may see it."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET)
        for folder in self._folders:
            text = text.replace(folder, FOLDER)
        return _PLACES.sub(f"{FOLDER}/", text)


def _folders() -> Sequence[str]:
    """Folders of this machine, the longest first."""
    known = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.cwd()), *sys.path}
    known |= {os.path.realpath(folder) for folder in known}
    deep = {
        folder for folder in known if Path(folder).is_absolute() and len(Path(folder).parts) > 1
    }
    return sorted(deep, key=len, reverse=True)


def in_one_line(caught: pytest.ExceptionInfo[BaseException], masked: Masked) -> str:
    """What a failed rule saw.

    An assertion's own words if it has some, else the assertion with the values that it met.
    """
    text = masked.text(_told(caught)).replace("\n", " ")
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


def _told(caught: pytest.ExceptionInfo[BaseException]) -> str:
    error = caught.value
    text = str(error)
    if isinstance(error, pytest.fail.Exception):
        return text
    if not isinstance(error, AssertionError):
        # Where it was, of what a double raised: its author looks for it.
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + notes
    if not text:
        # pytest met this module too late to rewrite its assertions.
        return str(caught.traceback[-1].statement)
    first, _, _ = text.partition("\n")
    # An assertion without words of its own goes on: what stood where.
    return text.replace("\n +  where", ", where") if first.startswith("assert ") else first
