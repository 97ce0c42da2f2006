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
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import attrs
import click

from facematch_core import __version__

from .files import form_of, read_csv, refuse_file, refuse_unwritable, write_bytes
from .options import file_option
from .text import Exit, clean, format_number, print_table, quantity, say

if TYPE_CHECKING:
    from facematch_core.images.image import Image
    from facematch_core.models import Face, MatchResult

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


@attrs.frozen
class Expectation:
    """What a value of the column `expected` in pairs.csv means.

    Attributes:
        truth: A word for the table.
        truth_text: The same for the report.
        decision: The right decision.
    """

    truth: str
    truth_text: str
    decision: str


DIFFERENT = Expectation("different", "different people", "no_match")

#: The values of the column `expected`.
EXPECTATIONS = {
    "same": Expectation("same", "the same person", "match"),
    "different": DIFFERENT,
    "no face": Expectation("no face", "no face", "inconclusive"),
    # Different people that the engine is known to match.
    "limit": DIFFERENT,
}


@click.command("demo")
@file_option(
    "--photographs",
    "Folder with a pairs.csv (probe,reference,expected,note).",
    show_default="ours",
    metavar="DIR",
)
@file_option("--out", "Write an HTML page that shows the pairs.", metavar="REPORT.html")
@file_option("--copy", "Copy the photographs into a new folder instead.", metavar="NEW_DIR")
def command(photographs: Path | None, out: Path | None, copy: Path | None) -> int:
    """Compare sample photographs on this machine. Needs no account and sends nothing.

    Shows right and wrong results. The exit code is 3 if a result differs from pairs.csv.
    """
    if copy is not None:
        if out is not None:
            raise click.UsageError(
                "--copy compares nothing, so there is no --out: use one of them."
            )
        _copy_photographs(photographs or PACKAGED, copy)
        return Exit.OK
    if out is not None:
        form_of("--out", out, ".html", ".htm")
        refuse_unwritable("--out", out, may_exist=True)
    folder = photographs or PACKAGED
    cases = _compare(folder)
    rows = []
    for number, case in enumerate(cases, 1):
        truth = case.expectation.truth
        elapsed = f"{case.elapsed_ms:.0f}"
        rows.append(
            (str(number), case.note, truth, case.decision, case.score, elapsed, case.remark)
        )
    print_table(
        ("pair", "shows", "expected", "decision", "score", "ms", "right?"), rows, prose=("shows",)
    )
    origin = "that come with facematch" if folder == PACKAGED else f"of {folder}"
    say()
    say(f"{quantity(len(cases), 'pair')} {origin}, compared on this machine.")
    limits = [case for case in cases if case.remark == KNOWN_LIMIT]
    if limits:
        say(
            f"Known limits: {len(limits)}. The engine can match close relatives, and strangers who "
            "look alike."
        )
    surprises = [case for case in cases if not case.as_expected]
    if surprises:
        say(f"Unexpected results: {len(surprises)}. They differ from {MANIFEST}.")
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
    return Exit.LOOK if surprises else Exit.OK


def _copy_photographs(source: Path, folder: Path) -> None:
    """Copy the photographs, with their table and sources, into a new folder."""
    if folder.exists():
        raise click.UsageError(f"--copy: {clean(str(folder))} exists; name a new folder.")
    refuse_unwritable("--copy", folder, may_exist=False)
    shutil.copytree(source, folder)
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    say(f"Copied {quantity(count, 'file')} to {clean(str(folder))}.")


@attrs.frozen
class Case:
    """A pair with its result.

    Attributes:
        expected: The value of the column `expected`.
        note: What the pair shows.
        names: The paths of the probe and of the reference, as in pairs.csv.
        pictures: The probe and the reference.
        result: The result.
        elapsed_ms: Milliseconds that the comparison took.
    """

    expected: str
    note: str
    names: Sequence[str]
    pictures: Sequence[Image]
    result: MatchResult
    elapsed_ms: float

    @property
    def expectation(self) -> Expectation:
        return EXPECTATIONS[self.expected]

    @property
    def is_right(self) -> bool:
        return self.result.decision.value == self.expectation.decision

    @property
    def as_expected(self) -> bool:
        """Whether pairs.csv expects this result. For a "limit", the wrong decision is expected."""
        if self.expected == "limit":
            return self.remark == KNOWN_LIMIT
        return self.is_right

    @property
    def remark(self) -> str:
        if self.is_right:
            return "right"
        if self.expected == "limit" and self.result.decision.value == "match":
            return KNOWN_LIMIT
        return "WRONG (unexpected)"

    @property
    def decision(self) -> str:
        """The decision as a word to print."""
        from ._results import VERDICTS

        return VERDICTS[self.result.decision.value].word

    @property
    def score(self) -> str:
        score = self.result.score
        return "-" if score is None else format_number(score.value)


def _compare(folder: Path) -> list[Case]:
    """Compare the pairs of the folder's pairs.csv on this machine."""
    from facematch_core.config.opening import VerifierSetup
    from facematch_core.images.image import Image
    from facematch_core.verifier.verifier import FaceVerifier

    path = folder / MANIFEST
    backend = VerifierSetup.of("local", {"cached_pictures": 0}).open_backend()
    with FaceVerifier(backend) as verifier:
        rows = read_csv(path, needed=("probe", "reference", "expected", "note"))
        problems = []
        for row in rows:
            if row.cells["expected"] not in EXPECTATIONS:
                words = ", ".join(EXPECTATIONS)
                problems.append(f"line {row.line}: expected must be one of {words}")
        refuse_file(path, problems)
        names = {row.cells[side] for row in rows for side in _SIDES}
        pictures = {name: Image.read(folder / name) for name in sorted(names)}
        cases = []
        # Compare the first pair twice, because the first comparison loads the models.
        for row in [rows[0], *rows]:
            names_of_pair = [row.cells[side] for side in _SIDES]
            pair = [pictures[name] for name in names_of_pair]
            started_s = time.perf_counter()
            result = verifier.verify(*pair)
            elapsed_ms = 1000 * (time.perf_counter() - started_s)
            case = Case(
                expected=row.cells["expected"],
                note=row.cells["note"],
                names=names_of_pair,
                pictures=pair,
                result=result,
                elapsed_ms=elapsed_ms,
            )
            cases.append(case)
    return cases[1:]


#: The sign of each decision. Green and red are reserved for right and wrong.
_SIGNS = {"match": "=", "no_match": "&ne;"}
#: The CSS class of each decision.
_CLASSES = {"match": "match", "no_match": "no-match"}


def _page(cases: Sequence[Case], commands: Sequence[str]) -> str:
    """Return the report, an HTML page."""
    from ._results import limits

    result = cases[0].result
    scores = (case.result.score for case in cases)
    scale = next((score.scale for score in scores if score is not None), "-")
    wrong = sum(not case.is_right for case in cases)
    if wrong == 0:
        verdict = "all are right"
    else:
        marked = "1 is wrong" if wrong == 1 else f"{wrong} are wrong"
        verdict = f'{len(cases) - wrong} are right, <b class="wrong">{marked}</b> and marked'
    made_at = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC"
    made = (
        f"facematch {__version__}, backend {result.backend}, scale {scale}, {limits(result)}, made "
        f"{made_at}"
    )
    template = (Path(__file__).parent / "report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        pairs=quantity(len(cases), "pair"),
        answers=quantity(len(cases), "answer"),
        commands=html.escape("\n".join(commands)),
        verdict=verdict,
        limits=html.escape(limits(result)),
        tiles="\n".join(map(_tile, cases)),
        made=html.escape(made),
    )


def _tile(case: Case) -> str:
    """Return the HTML of a tile: both faces, the verdict, and whether it is right."""
    portraits = ""
    faces_of_pair = (case.result.probe_faces, case.result.reference_faces)
    for name, picture, faces in zip(case.names, case.pictures, faces_of_pair, strict=True):
        portraits += _portrait(name, picture, faces)
    note = html.escape(case.note)
    if case.is_right:
        css_class = ""
        remark = f'<span class="right">&#10003;&nbsp;right</span>: {note}'
    else:
        css_class = "is-wrong"
        reason = "known limit" if case.remark == KNOWN_LIMIT else "unexpected"
        truth = case.expectation.truth_text
        remark = f'<span class="wrong">&#10007;&nbsp;WRONG: {truth}</span><br>{reason}: {note}'
    return (
        f'<li class="{css_class}"><span class="faces">{portraits}</span>{_verdict(case)}'
        f'<span class="remark">{remark}</span></li>'
    )


def _verdict(case: Case) -> str:
    """Return the HTML of a verdict: a score bar with the threshold, the decision and the score."""
    decision = case.result.decision.value
    css_class = _CLASSES.get(decision, "unsure")
    threshold = case.result.threshold
    bar = ""
    score = ""
    if case.result.score is not None:
        score = case.score
        bar = f'<i style="width:{case.result.score.value:.1f}%"></i>'
        if threshold is not None and threshold.value is not None:
            bar += f'<b style="left:{threshold.value:.1f}%"></b>'
    return (
        f'<span class="bar {css_class}">{bar}</span>'
        f'<span class="says"><span class="chip {css_class}">{_SIGNS.get(decision, "?")}&nbsp;'
        f'{case.decision}</span><span class="score">{score}</span></span>'
    )


def _portrait(name: str, picture: Image, faces: Sequence[Face] | None) -> str:
    """Return the HTML of a picture; `faces` is None if the engine reports none of them."""
    from ._drawing import portrait

    alternative = f"{name}: the face"
    if faces is not None and len(faces) == 0:
        alternative = f"{name}: no face found"
    elif faces is not None and len(faces) > 1:
        alternative = f"{name}: {len(faces)} faces, the largest in a yellow box"
    drawn = portrait(picture.to_pil(), faces, (240, 312))
    jpeg = io.BytesIO()
    drawn.save(jpeg, "JPEG", quality=85, optimize=True)
    source = f"data:image/jpeg;base64,{base64.b64encode(jpeg.getvalue()).decode()}"
    size = f'width="{drawn.width}" height="{drawn.height}"'
    return f'<img src="{source}" {size} alt="{html.escape(alternative)}">'
