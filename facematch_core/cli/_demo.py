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
from ._cases import KNOWN_LIMIT, MANIFEST, PACKAGED, Case, compared
from ._text import clean, console, counted, print_table

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
    if out is not None:
        _check_target(out)
    with FaceVerifier(planned.open_backend()) as verifier:
        cases = compared(verifier, folder)
    _print(cases, folder)
    if out is not None:
        from ._files import write
        from ._report import page

        write(out, page(cases, [f"{_command()} {words}" for words in NEXT]).encode())
        click.echo(f"The pairs, drawn: {clean(str(out))}")
    click.echo("\nNext:")
    width = max(len(words) for words in NEXT)
    for words, purpose in NEXT.items():
        click.echo(f"  {_command()} {words:{width}}   {purpose}")
    return _exit.OK if all(case.as_expected for case in cases) else _exit.LOOK


def _check_target(out: Path) -> None:
    """A report of ours may be overwritten, as `make demo` does; nothing else."""
    from ._files import check_target
    from ._report import is_report

    check_target("--out", out, force=True)
    if out.exists() and not is_report(out):
        raise click.UsageError(
            f"{out} exists and is no report of facematch: name another file with --out."
        )


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
    print_table(to, header, rows, prose="shows", spare=("ms", "score", "pair"))
    limits = sum(case.remark == KNOWN_LIMIT for case in cases)
    surprises = sum(not case.as_expected for case in cases)
    origin = "that come with facematch" if folder == PACKAGED else f"of {clean(str(folder))}"
    to.out(f"\n{counted(len(cases), 'pair')} {origin}, compared on this machine.")
    if limits:
        be, it = ("is", "it") if limits == 1 else ("are", "them")
        to.out(
            f"{limits} of them {be} shown because the engine gets {it} wrong: close relatives and "
            "chance likenesses can pass."
        )
    if surprises:
        to.out(f"{surprises} did not come out as {MANIFEST} expects.")
