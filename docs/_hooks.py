"""For mkdocs: a quiet build that still counts warnings, and evidence last in the search.

mkdocs would count no warning that it does not print, and `--strict --quiet` would never fail.
"""

from __future__ import annotations

import logging
from typing import Any


def on_config(_config: Any) -> None:
    """Let warnings through; they are printed, and `--strict` counts them."""
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))


def on_page_markdown(_markdown: str, page: Any, **_: Any) -> None:
    """Rank generated evidence below every page that was written for a reader."""
    if page.file.src_uri.startswith("evidence/"):
        page.meta["search"] = {"boost": 0.1}
