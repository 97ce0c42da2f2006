"""For mkdocs: a quiet build that still counts warnings, and a search without maintainers' pages.

mkdocs would count no warning that it does not print, and `--strict --quiet` would never fail.
"""

from __future__ import annotations

import logging
from typing import Any

#: Folders whose pages, generated ones too, are for those who maintain the project.
OF_MAINTAINERS = ("evidence/", "maintain/")


def on_config(_config: Any) -> None:
    """Let warnings through; they are printed, and `--strict` counts them."""
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))


def on_page_markdown(_markdown: str, page: Any, **_: Any) -> None:
    """Keep maintainers' pages out of the search."""
    if page.file.src_uri.startswith(OF_MAINTAINERS):
        page.meta["search"] = {"exclude": True}
