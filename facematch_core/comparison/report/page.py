"""The report: the verdict first, then what stands behind it, in one file without a request.

What is on the page comes from `Evaluation.to_dict` and from nowhere else. Sentences stand in
``templates``; a section without data is not there.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from facematch_core.comparison.model import Evaluation, WrongPair

from . import plots, values
from .gallery import Shown, shown
from .plots import style_of
from .tables import NOT_REAL, ORIGINS, Tables
from .values import Node

_TEMPLATES: Final = Path(__file__).parent / "templates"


def report_html(evaluation: Evaluation, *, gallery: Sequence[WrongPair] | None = None) -> str:
    """An evaluation as one HTML page: no script, no external request, its numbers as in JSON.

    The same evaluation gives the same page, byte for byte.

    Args:
        evaluation: What is printed.
        gallery: Pairs to show with their pictures, which puts faces into the page: it says so.
            None for a page without any picture of a person.

    Raises:
        InvalidImage: a picture of `gallery` cannot be read.
    """
    return _page("page.html", **_content(evaluation, ""), pairs=shown(gallery or ()))


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    gallery: Sequence[WrongPair] | None = None,
) -> None:
    """Write `report_html` to a file, whole or not at all; a file of that name is replaced.

    Raises:
        InvalidImage: a picture of `gallery` cannot be read.
        OSError: the file cannot be written; its folder is not made.
    """
    write_page(report_html(evaluation, gallery=gallery), path)


def fragment(evaluation: Evaluation) -> str:
    """The verdict, the picture and the table as a piece of a page, for a notebook.

    Its styles touch nothing around it, and there is no script in it.
    """
    document = repr(evaluation.to_dict()).encode(errors="surrogatepass")
    ids = f"fm{hashlib.sha256(document).hexdigest()[:8]}-"
    return _template("fragment.html").render(**_content(evaluation, ids), style=_style("style.css"))


def gallery_html(pairs: Sequence[WrongPair], *, title: str = "Wrong pairs") -> str:
    """Pairs that systems got wrong as a page of their own, with their pictures in it.

    Args:
        pairs: As `wrong_pairs` gives them; in this order.
        title: Of the page.

    Raises:
        InvalidImage: a picture cannot be read.
    """
    return _page("gallery.html", title=title, pairs=shown(pairs))


def write_page(page: str, path: str | os.PathLike[str]) -> None:
    """Write a page of this package to a file, whole or not at all.

    Raises:
        OSError: it cannot be written; the folder is not made.
    """
    path = Path(path)
    descriptor, beside = tempfile.mkstemp(dir=path.absolute().parent, prefix=".facematch.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(page.encode())
        # mkstemp allows nobody but the owner; the file gets what a plain `open` would give it.
        os.umask(mask := os.umask(0))
        Path(beside).chmod(0o666 & ~mask)
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()
        raise


# --- The page -----------------------------------------------------------------------------------


def _content(evaluation: Evaluation, ids: str) -> dict[str, Any]:
    """What the templates of an evaluation print."""
    it = Node(evaluation.to_dict())
    tables = Tables(it, ids)
    return {
        "it": it,
        "ids": ids,
        "tables": tables,
        "evaluation": evaluation,
        "picture": plots.det(evaluation, f"{ids}det"),
        "sections": [*_sections(it, tables)],
        "not_real": [one for one in it["systems"] if one["environment"].raw in NOT_REAL],
        "reasons": [one for one in it["systems"] if one["why_not"] and not one["at_required"]],
        "hollow": any(one.at_required and one.at_default for one in evaluation.systems),
    }


def _sections(it: Node, tables: Tables) -> Iterator[tuple[str, str]]:
    """The sections that there are data for: their macro in ``sections.html``, and their title."""
    systems = tables.systems

    def some(key: str) -> bool:
        return any(one[key] for one in systems)

    measured = any(
        one["service"][key] or one["service"][key].raw == 0.0
        for one in systems
        for key in ("latency_s", "not_answered", "price", "cost")
    )
    for is_there, name, title in (
        (it["caveats"], "cannot", "What this comparison cannot show"),
        (it["differences"], "differences", "Is the difference real?"),
        (it["chains"], "chains", "One system after the other"),
        (tables.costs, "costs", "What an attempt costs"),
        (some("groups") or some("group_differences"), "groups", "Groups of people"),
        (some("concentration"), "concentration", "Where false matches come from"),
        (some("at_required") and some("at_default"), "run", "The thresholds of the run"),
        (some("curve"), "thresholds", "Rates at other thresholds"),
        (some("histogram"), "scores", "How scores are spread"),
        (some("likelihood_ratios"), "likelihoods", "Scores as likelihood ratios"),
        (measured, "service", "Availability, time and money"),
        (tables.rates, "rates", "All rates"),
        (systems, "tested", "Who and what was tested"),
        (True, "method", "How this was measured"),
    ):
        if is_there:
            yield name, title


def _page(template: str, *, pairs: list[Shown], **content: Any) -> str:
    style = _style("style.css") + _style("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template(template).render(**content, pairs=pairs, style=style, style_digest=digest)


def _style(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


def _template(name: str) -> jinja2.Template:
    return _templates().get_template(name)


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What is printed without a form is a text of the document.
        finalize=lambda value: values.text(value) if isinstance(value, Node) else value,
    )
    environment.filters |= {
        how.__name__: how
        for how in (
            values.count,
            values.moment,
            values.name,
            values.one_in,
            values.percent,
            values.plain,
            values.score,
            values.setting,
        )
    }
    environment.globals |= {
        "plots": plots,
        "nothing": values.NOTHING,
        "style_of": style_of,
        "origins": ORIGINS,
        "money": values.money,
    }
    return environment
