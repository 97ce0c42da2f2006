"""For mkdocs: `--quiet` silences the steps of a build, but not its warnings.

mkdocs would count no warning that it does not print, and `--strict --quiet` would never fail.
"""

from __future__ import annotations

import logging
from typing import Any


def on_config(_config: Any) -> None:
    """Let warnings through; they are printed, and `--strict` counts them."""
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))
