"""The report: one page that a buyer understands, and the details, in one file without a request."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facematch_core.comparison._document import Evaluation

__all__ = ["report_html", "write_report"]


def report_html(evaluation: Evaluation) -> str:
    """An evaluation as one HTML page: no script, no external request, its numbers as in JSON.

    The same evaluation gives the same page, byte for byte.
    """
    from ._page import report_html as made

    return made(evaluation)


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write `report_html` to a file, whole or not at all; a file of that name is replaced.

    Raises:
        OSError: it cannot be written; the folder is not made.
    """
    page = report_html(evaluation).encode()
    path = Path(path)
    descriptor, beside = tempfile.mkstemp(dir=path.absolute().parent, prefix=".facematch.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(page)
        # mkstemp allows nobody but the owner; the file gets what a plain `open` would give it.
        os.umask(mask := os.umask(0))
        Path(beside).chmod(0o666 & ~mask)
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()
        raise
