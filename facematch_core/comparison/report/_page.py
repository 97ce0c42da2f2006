"""An evaluation as one page: no script, no request, every number from its document."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from facematch_core.comparison._json import to_document

from . import _figures, _words
from ._nodes import Node
from ._styles import MATED, NON_MATED, style_of

if TYPE_CHECKING:
    from facematch_core.comparison._document import Evaluation

_TEMPLATES: Final = Path(__file__).parent / "templates"


def report_html(evaluation: Evaluation) -> str:
    """The page, whole: HTML that asks nothing of anybody. The same evaluation, the same page."""
    document = Node(to_document(evaluation))
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    page: str = (
        _templates()
        .get_template("page.html")
        .render(
            it=document,
            drawn=_drawn(evaluation),
            style=Markup(style),  # noqa: S704 - a file of ours
            style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        )
    )
    return page


def _drawn(evaluation: Evaluation) -> dict[str, Any]:
    """The figures: one of all contenders, and two of each that tells scores."""
    from . import _plots  # matplotlib is slow to load
    from ._svg import page_part

    def part(svg: str | None, name: str, title: str, description: str) -> Markup | None:
        if svg is None:
            return None
        # Drawn by us, and the texts are escaped by the writer of the XML.
        return Markup(page_part(svg, name, title, description))  # noqa: S704

    names = [_figures.plain(one.name) for one in evaluation.contenders]
    return {
        "det": part(
            _plots.det(evaluation),
            "det",
            "Genuine people refused against different people let in",
            "A DET plot. One line for each contender that tells scores, one mark for each "
            "threshold that was looked at; the nearer to the lower left corner, the fewer errors. "
            "The bands and the thin crosses are intervals. The numbers are in the tables below.",
        ),
        "histograms": [
            part(
                _plots.histogram(one),
                f"histogram-{place}",
                f"Scores of {name}",
                "How often each score was given, in percent of the pairs: a whole line for pairs "
                "of one person, a dashed one for pairs of two. The numbers are in the table below.",
            )
            for place, (one, name) in enumerate(zip(evaluation.contenders, names, strict=True))
        ],
        "rates": [
            part(
                _plots.rates(one),
                f"rates-{place}",
                f"Rates of {name} against the threshold",
                "With a higher threshold, fewer different people are let in (dashed line) and more "
                "genuine people are refused (whole line). The bands are intervals. The numbers are "
                "in the table of the curve.",
            )
            for place, (one, name) in enumerate(zip(evaluation.contenders, names, strict=True))
        ],
    }


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    for function in (
        _figures.count,
        _figures.counts,
        _figures.interval,
        _figures.moment,
        _figures.one_in,
        _figures.percent,
        _figures.plain,
        _figures.probability,
        _figures.rate,
        _figures.ratio,
        _figures.score,
        _figures.seconds,
        _figures.setting,
    ):
        environment.filters[function.__name__] = function
    environment.globals |= {
        "money": _figures.money,
        "points": _figures.points,
        "width_of": _figures.width_of,
        "words": _words,
        "style_of": style_of,
        "mated_style": MATED,
        "non_mated_style": NON_MATED,
    }
    return environment


def _printed(value: Any) -> Any:
    """What stands for a value that a template prints: texts of the document know their place."""
    return _figures.said(value) if isinstance(value, Node) else value
