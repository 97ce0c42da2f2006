"""The demonstration: pairs with an expectation, told as they came out."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from facematch_core._plan import plan
from facematch_core._verifier import FaceVerifier

from . import _exit
from ._cases import KNOWN_LIMIT, MANIFEST, Case, compared
from ._text import clean, console, print_table

#: The photographs that come with every installation: public domain and CC0.
PACKAGED = Path(__file__).parent / "photographs"

#: What a newcomer wants next: words after the command, and what they are for.
NEXT = {
    "verify selfie.jpg id.jpg --picture drawn.png": "your own two photographs",
    "verify selfie.jpg id.jpg --json": "the same for a program",
    "doctor": "what is set up, what is missing",
}


def run(folder: Path | None, out: Path | None) -> int:
    """Compare, print, and write the page if `out` is given. Returns the exit code."""
    folder = folder or PACKAGED
    planned = plan("local", settings={"cached_pictures": 0})
    if out is not None and out.is_dir():
        raise click.UsageError(f"--out names a folder: name a file, for example {out}/report.html.")
    with FaceVerifier(planned.open_backend()) as verifier:
        cases = compared(verifier, folder)
    _print(cases, folder)
    if out is not None:
        from ._files import write
        from ._report import page

        out.parent.mkdir(parents=True, exist_ok=True)
        write(out, page(cases).encode())
        click.echo(f"The pairs, drawn: {clean(str(out))}")
    click.echo("\nNext:")
    width = max(len(words) for words in NEXT)
    for words, purpose in NEXT.items():
        click.echo(f"  {_command()} {words:{width}}   {purpose}")
    return _exit.OK if all(case.as_expected for case in cases) else _exit.LOOK


def _command() -> str:
    """How this command can be typed: by its name, or by its path if the shell does not find it."""
    return "facematch" if shutil.which("facematch") else clean(sys.argv[0])


def _print(cases: Sequence[Case], folder: Path) -> None:
    to = console()
    header = ("pair", "shows", "expected", "decision", "score", "ms", "right?")
    rows = [
        (
            str(index),
            case.note,
            case.truth,
            case.word,
            case.score,
            f"{case.elapsed_ms:.0f}",
            case.remark,
        )
        for index, case in enumerate(cases, 1)
    ]
    print_table(to, header, rows)
    limits = sum(case.remark == KNOWN_LIMIT for case in cases)
    surprises = sum(not case.as_expected for case in cases)
    origin = "that come with facematch" if folder == PACKAGED else f"of {clean(str(folder))}"
    to.out(f"\n{len(cases)} pairs {origin}, compared on this machine.")
    if limits:
        to.out(
            f"{limits} of them are shown because the engine gets them wrong: close relatives and "
            "chance likenesses can pass."
        )
    if surprises:
        to.out(f"{surprises} did not come out as {MANIFEST} expects.")
