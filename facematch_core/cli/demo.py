"""`facematch demo`: compare sample photographs on this machine, and show right and wrong results.

The report is one HTML page with embedded pictures. It has no scripts and loads nothing.
"""

from __future__ import annotations

import base64
import datetime as dt
import html
import io
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

import click

from facematch_core import __version__

from .files import check_target, form_of, read_csv, refuse_file, write_bytes
from .options import file_option
from .text import Exit, clean, format_number, print_table, quantity, say

if TYPE_CHECKING:
    import PIL.Image

    from facematch_core.images.image import Image
    from facematch_core.models import MatchResult

#: The photographs in this package, which are public domain or CC0.
PACKAGED = Path(__file__).parent / "photographs"

MANIFEST = "pairs.csv"

#: Commands to try next, with descriptions.
NEXT = {
    "verify selfie.jpg id.jpg": "your own selfie.jpg and id.jpg",
    "verify selfie.jpg id.jpg --json": "the same for a program",
    "mock --port 8080": "a mock vendor; its console: http://127.0.0.1:8080/",
    "doctor": "what is set up, what is missing",
}

_SIDES = ("probe", "reference")

KNOWN_LIMIT = "WRONG (known limit)"

#: The truth, its text and the right decision for each value of the column `expected` in pairs.csv.
#: A "limit" is a pair of different people that the engine is known to match.
EXPECTED = {
    "same": ("same", "the same person", "match"),
    "different": ("different", "different people", "no_match"),
    "no face": ("no face", "no face", "inconclusive"),
    "limit": ("different", "different people", "no_match"),
}


@click.command("demo")
@file_option(
    "--photographs",
    "Folder with a pairs.csv (probe,reference,expected,note).",
    show_default="ours",
    metavar="DIR",
)
@file_option("--out", "Write an HTML page that shows the pairs.", metavar="REPORT.html")
def command(photographs: Path | None, out: Path | None) -> int:
    """Compare sample photographs on this machine. Needs no account and sends nothing.

    Shows right and wrong results. The exit code is 3 if a result differs from pairs.csv.
    """
    if out is not None:
        form_of("--out", out, ".html", ".htm")
        check_target("--out", out, force=True)
    folder = photographs or PACKAGED
    cases = _compare(folder)
    print_table(
        ("pair", "shows", "expected", "decision", "score", "ms", "right?"),
        [
            (
                *(str(index), case.row["note"], EXPECTED[case.row["expected"]][0]),
                *(case.word, case.score, f"{case.elapsed_ms:.0f}", case.remark),
            )
            for index, case in enumerate(cases, 1)
        ],
        prose=("shows",),
    )
    origin = "that come with facematch" if folder == PACKAGED else f"of {folder}"
    say()
    say(f"{quantity(len(cases), 'pair')} {origin}, compared on this machine.")
    if limits := sum(case.remark == KNOWN_LIMIT for case in cases):
        alike = "close relatives, and strangers who look alike"
        say(f"Known limits: {limits}. The engine can match {alike}.")
    if surprises := sum(not case.as_expected for case in cases):
        say(f"Unexpected results: {surprises}. They differ from {MANIFEST}.")
    typed = "facematch" if shutil.which("facematch") else clean(sys.argv[0])
    if out is not None:
        page = _page(cases, [f"{typed} {words}" for words in NEXT])
        write_bytes(out, page.encode(), private=True)
        say(f"The pairs as pictures, in your browser: {out}")
    say()
    say("Next:")
    width = max(map(len, NEXT))
    for words, purpose in NEXT.items():
        click.echo(f"  {typed} {words:{width}}   {purpose}")
    return Exit.OK if all(case.as_expected for case in cases) else Exit.LOOK


class Case(NamedTuple):
    """A pair with its result."""

    row: Mapping[str, str]
    pictures: tuple[Image, ...]
    result: MatchResult
    elapsed_ms: float

    @property
    def right(self) -> bool:
        return self.result.decision.value == EXPECTED[self.row["expected"]][2]

    @property
    def as_expected(self) -> bool:
        """Whether pairs.csv expects this result. For a "limit", the wrong decision is expected."""
        return self.remark == KNOWN_LIMIT if self.row["expected"] == "limit" else self.right

    @property
    def remark(self) -> str:
        is_limit = self.row["expected"] == "limit" and self.result.decision.value == "match"
        return "right" if self.right else KNOWN_LIMIT if is_limit else "WRONG (unexpected)"

    @property
    def word(self) -> str:
        """The decision as a word to print."""
        from ._results import VERDICTS

        return VERDICTS[self.result.decision.value].word

    @property
    def score(self) -> str:
        score = self.result.score
        return "-" if score is None else format_number(score.value)


def _compare(folder: Path) -> list[Case]:
    from facematch_core.config.opening import VerifierSetup
    from facematch_core.images.image import Image
    from facematch_core.verifier.verifier import FaceVerifier

    backend = VerifierSetup.of("local", {"cached_pictures": 0}).open_backend()
    with FaceVerifier(backend) as verifier:
        path, words = folder / MANIFEST, ", ".join(EXPECTED)
        rows = read_csv(path, needed=("probe", "reference", "expected", "note"))
        wrong = (row.line for row in rows if row.cells["expected"] not in EXPECTED)
        refuse_file(path, (f"line {line}: expected must be one of {words}" for line in wrong))
        names = {row.cells[side] for row in rows for side in _SIDES}
        pictures = {name: Image.read(folder / name) for name in sorted(names)}
        cases = []
        # Compare the first pair twice, because the first comparison loads the models.
        for row in [rows[0], *rows]:
            pair = tuple(pictures[row.cells[side]] for side in _SIDES)
            started = time.perf_counter()
            result = verifier.verify(*pair)
            cases.append(Case(row.cells, pair, result, 1000 * (time.perf_counter() - started)))
    return cases[1:]


#: Sign and CSS class of each decision. Green and red are reserved for right and wrong.
_SIGNS = {"match": ("=", "match"), "no_match": ("&ne;", "no-match")}


def _page(cases: Sequence[Case], commands: Sequence[str]) -> str:
    from ._results import limits

    result = cases[0].result
    wrong = sum(not case.right for case in cases)
    scale = next((c.result.score.scale for c in cases if c.result.score is not None), "-")
    marked = f'<b class="wrong">{wrong} {"is" if wrong == 1 else "are"} wrong</b> and marked'
    template = (Path(__file__).parent / "report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        pairs=quantity(len(cases), "pair"),
        answers=quantity(len(cases), "answer"),
        commands=html.escape("\n".join(commands)),
        verdict="all are right" if wrong == 0 else f"{len(cases) - wrong} are right, {marked}",
        limits=html.escape(limits(result)),
        tiles="\n".join(map(_tile, cases)),
        made=html.escape(
            f"facematch {__version__}, backend {result.backend}, scale {scale}, "
            f"{limits(result)}, made {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
        ),
    )


def _tile(case: Case) -> str:
    """Return the HTML of a tile: both faces, the verdict, and whether it is right."""
    from ._drawing import portrait

    portraits = ""
    for side, picture in zip(_SIDES, case.pictures, strict=True):
        faces = getattr(case.result, f"{side}_faces")
        many = len(faces or ())
        shows = f"{many} faces, the largest in a yellow box" if many > 1 else "the face"
        shows = "no face found" if faces == () else shows
        drawn = portrait(picture.to_pil(), faces, (240, 312))
        portraits += _embed(drawn, f"{case.row[side]}: {shows}")
    note, truth = html.escape(case.row["note"]), EXPECTED[case.row["expected"]][1]
    reason = "known limit" if case.remark == KNOWN_LIMIT else "unexpected"
    remark = (
        f'<span class="right">&#10003;&nbsp;right</span>: {note}'
        if case.right
        else f'<span class="wrong">&#10007;&nbsp;WRONG: {truth}</span><br>{reason}: {note}'
    )
    return (
        f'<li class="{"" if case.right else "is-wrong"}">'
        f'<span class="faces">{portraits}</span>{_verdict(case)}'
        f'<span class="remark">{remark}</span></li>'
    )


def _verdict(case: Case) -> str:
    """Return the HTML of a verdict: a score bar with the threshold, the decision and the score."""
    sign, kind = _SIGNS.get(case.result.decision.value, ("?", "unsure"))
    score, threshold, bar = case.result.score, case.result.threshold, ""
    if score is not None:
        bar = f'<i style="width:{score.value:.1f}%"></i>'
        if threshold is not None and threshold.value is not None:
            bar += f'<b style="left:{threshold.value:.1f}%"></b>'
    return (
        f'<span class="bar {kind}">{bar}</span>'
        f'<span class="says"><span class="chip {kind}">{sign}&nbsp;{case.word}</span>'
        f'<span class="score">{"" if score is None else case.score}</span></span>'
    )


def _embed(drawn: PIL.Image.Image, shows: str) -> str:
    jpeg = io.BytesIO()
    drawn.save(jpeg, "JPEG", quality=85, optimize=True)
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"
    size = f'width="{drawn.width}" height="{drawn.height}"'
    return f'<img src="{source}" {size} alt="{html.escape(shows)}">'
