"""The demonstration as one page: no script, no external request, pictures inside."""

from __future__ import annotations

import base64
import datetime as dt
import html
import io
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from facematch_core import __version__

from ._cases import KNOWN_LIMIT
from ._drawing import draw
from ._show import warning_words
from ._text import counted
from ._verdicts import limits

if TYPE_CHECKING:
    from PIL import Image

    from ._cases import Case

#: Quality of the embedded JPEGs, 0-100: the photographs are JPEGs already.
QUALITY = 85

#: Said of a pair that the engine is known to get wrong.
LIMIT = "Different people whom this engine takes for one: a known limit, shown and not hidden."

_PAGE = Template((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))


#: How every report begins, whatever it holds.
_BEGINNING = _PAGE.template.partition("$")[0]


def is_report(path: Path) -> bool:
    """Whether a file is such a page, and so may be replaced by a newer one."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING.encode()
    except OSError:
        return False


def page(cases: Sequence[Case], commands: Sequence[str]) -> str:
    """The page for some compared pairs.

    Args:
        cases: At least one.
        commands: What to do next, line by line, as it can be typed.
    """
    wrong = sum(not case.right for case in cases)
    result = cases[0].result
    scale = next((c.result.score.scale for c in cases if c.result.score is not None), "-")
    return _PAGE.substitute(
        pairs=counted(len(cases), "pair"),
        answers=counted(len(cases), "answer"),
        commands=html.escape("\n".join(commands)),
        verdict="all came out right" if wrong == 0 else f"{wrong} came out wrong, and are marked",
        rows="\n".join(_row(number, case) for number, case in enumerate(cases, 1)),
        sections="\n".join(_section(number, case) for number, case in enumerate(cases, 1)),
        made=html.escape(
            f"facematch {__version__}, backend {result.backend}, scale {scale}, "
            f"{limits(result)}, made {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
        ),
    )


def _row(number: int, case: Case) -> str:
    return (
        f'<tr><th scope="row"><a href="#pair-{number}">{number}</a></th>'
        f"<td>{html.escape(case.note)}</td><td>{html.escape(case.truth)}</td>"
        f"<td>{html.escape(case.word)}</td><td>{html.escape(case.score)}</td>"
        f"<td>{case.elapsed_ms:.0f}</td><td>{_remark(case)}</td></tr>"
    )


def _remark(case: Case) -> str:
    kind = "right" if case.right else "wrong"
    sign = "&#10003;" if case.right else "&#10007;"
    return f'<span class="{kind}">{sign}&nbsp;{html.escape(case.remark)}</span>'


def _section(number: int, case: Case) -> str:
    drawn = draw(case.result, case.probe.to_pil(), case.reference.to_pil())
    answer = f"answer: {case.word}, score {case.score}, {limits(case.result)}"
    facts = [
        f"in truth: {case.truth}; {answer}",
        *([LIMIT] if case.remark == KNOWN_LIMIT else []),
        *map(warning_words, case.result.warnings),
    ]
    alternative = (
        f"{case.names[0]} and {case.names[1]} side by side, boxes around the faces. "
        f"{case.word}, score {case.score}."
    )
    return (
        f'<section id="pair-{number}"><h3>{number}. {html.escape(case.note)}</h3>'
        f"<p>{_remark(case)}</p>"
        f'<img src="{_embedded(drawn)}" width="{drawn.width}" height="{drawn.height}" '
        f'alt="{html.escape(alternative)}">'
        f"<ul>{''.join(f'<li>{html.escape(fact)}</li>' for fact in facts)}</ul>"
        f'<p class="files">{html.escape(" and ".join(case.names))}, '
        f"{case.elapsed_ms:.0f} ms</p></section>"
    )


def _embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
