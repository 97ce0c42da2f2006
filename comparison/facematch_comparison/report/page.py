"""Render an evaluation as a self-contained HTML page: the verdict first, then its evidence.

The page shows only data of `Evaluation.to_dict`. Its sentences are in ``templates``. Sections
without data are omitted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from facematch_comparison.values.model import Evaluation
from facematch_core.base.files import write_file

from . import plots, tables
from .tables import Node, Tables

_TEMPLATES: Final = Path(__file__).parent / "templates"


def report_html(evaluation: Evaluation) -> str:
    """Return an evaluation as one HTML page without scripts or requests, with the JSON's numbers.

    The same evaluation gives the same page, byte for byte.
    """
    document = Node(evaluation.to_dict())
    shown = Tables(document)
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return _page().render(
        document=document,
        tables=shown,
        evaluation=evaluation,
        sections=[*_sections(document, shown)],
        style=Markup(style),  # noqa: S704 - a file of ours
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def write_report(evaluation: Evaluation, path: str | os.PathLike[str]) -> None:
    """Write `report_html` to a file atomically; replace an existing file.

    Raises:
        OSError: the file cannot be written. A missing folder is not created.
    """
    write_file(path, report_html(evaluation).encode())


def _sections(document: Node, shown: Tables) -> Iterator[tuple[str, str, bool]]:
    """Yield each section with data: macro in ``sections.html``, title, whether it is folded."""

    def some(key: str) -> bool:
        return any(system[key] for system in shown.systems)

    headline = document["headline"].raw
    more = any(two["sentence"].raw != headline for two in document["differences"])
    of_service = ("latency_s", "not_answered", "price", "cost")
    measured = any(system["service"][key] for system in shown.systems for key in of_service)
    # First the sections that a decision needs; then, folded, details for an analyst.
    for is_there, name, title, folded in (
        (document["caveats"], "cannot", "What this comparison cannot show", False),
        (more, "differences", "Is the difference real?", False),
        (some("curve"), "thresholds", "Scores and thresholds", False),
        (shown.at_fmrs, "fmrs", "At other false match rates", False),
        (shown.transactions, "transactions", "If people may try again", False),
        (some("groups"), "groups", "Groups of people", False),
        (measured, "service", "Availability, time and money", False),
        (document["differences"], "paired", "Differences in numbers", True),
        (shown.systems, "tested", "Who and what was tested", True),
        (True, "method", "How this was measured", True),
    ):
        if is_there:
            yield name, title, folded


@functools.cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # A node without a filter is a text of the document.
        finalize=lambda value: tables.text(value) if isinstance(value, Node) else value,
    )
    forms = ("count", "moment", "name", "percent", "plain", "score", "setting", "money", "head")
    environment.filters |= {form: getattr(tables, form) for form in forms}
    environment.globals |= {"plots": plots, "nothing": tables.NOTHING}
    return environment.get_template("page.html")
