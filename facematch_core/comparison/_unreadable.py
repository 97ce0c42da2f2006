"""Why a CSV file cannot be read, in a sentence."""

from __future__ import annotations

import csv
from pathlib import Path

from facematch_core.errors import InvalidRequest


def unreadable(path: Path, error: OSError | ValueError | csv.Error) -> InvalidRequest:
    """The error to raise for what came of reading a file."""
    if isinstance(error, OSError):
        why = f"cannot be read: {error.strerror or type(error).__name__}"
    elif isinstance(error, UnicodeDecodeError):
        why = "is not UTF-8 text: save it as CSV in UTF-8"
    else:
        why = f"is no CSV: {error}"
    return InvalidRequest(f"The file {path} {why}.")
