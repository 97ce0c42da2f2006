"""For mkdocs: a quiet build that still counts warnings, and a search without maintainers' pages.

mkdocs would count no warning that it does not print, and `--strict --quiet` would never fail.
"""

from __future__ import annotations

import logging
from typing import Any

#: Folders whose pages, generated ones too, are for those who maintain the project.
OF_MAINTAINERS = ("evidence/", "maintain/")


#: How much the search values a page: how things are done before what they are called.
WEIGHTS = {
    "apps/": 4,
    "choose/": 4,
    "explanation/": 3,
    "extend/": 3,
    "vendors/": 3,
    "reference/": 0.05,
    "reference/cli.md": 1,
    "reference/configuration.md": 1,
    "reference/exit-codes.md": 1,
    "reference/glossary.md": 1,
}

#: Words that people look for, and the page that answers where no title has the word.
WORDS = {
    "apps/answer-a-web-form.md": ["selfie"],
    "apps/let-the-vendor-look.md": ["hosted sessions", "portrait"],
    "apps/limit-spending.md": ["budgets", "prices", "costs", "currency"],
    "apps/observe.md": ["logging"],
    "apps/survive-outages.md": ["failover", "retry"],
    "apps/test-offline.md": ["pytest", "sandbox"],
    "apps/tutorial.md": ["asyncio", "installation", "trio"],
    "choose/embed-many-pictures.md": ["embeddings"],
    "choose/judge-a-score-file.md": ["CSV"],
    "choose/tutorial.md": ["calibrate", "calibration", "thresholds"],
    "explanation/comparison.md": [
        "false positives",
        "confidence intervals",
        "DET",
        "EER",
        "ISO 19795",
        "ROC",
    ],
    "explanation/pictures.md": ["HEIC", "EXIF"],
    "explanation/privacy.md": ["GDPR", "BIPA", "consent", "mask", "redact", "retention"],
    "explanation/scores.md": ["siblings", "twins"],
    "extend/tutorial.md": ["plug-ins"],
    "extend/use-the-mock.md": ["Java", "node", "curl"],
}


def on_config(_config: Any) -> None:
    """Let warnings through; they are printed, and `--strict` counts them."""
    logger = logging.getLogger("mkdocs")
    logger.setLevel(min(logger.level, logging.WARNING))


def on_page_markdown(_markdown: str, page: Any, **_: Any) -> None:
    """Keep maintainers' pages out of the search, and weigh the others."""
    path = page.file.src_uri
    if path.startswith(OF_MAINTAINERS):
        page.meta["search"] = {"exclude": True}
        return
    folder = path.partition("/")[0] + "/"
    page.meta["search"] = {"boost": WEIGHTS.get(path, WEIGHTS.get(folder, 1))}
    page.meta["tags"] = WORDS.get(path, [])
