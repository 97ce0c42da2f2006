"""`facematch demo`: what it is like, without an account."""

from __future__ import annotations

from pathlib import Path

import click

from . import _options


@click.command("demo", short_help="Compare sample photographs on this machine.")
@click.option(
    "--photographs",
    type=_options.PICTURE,
    metavar="DIR",
    help="A folder with pairs.csv (probe,reference,expected,note); by default ours.",
)
@click.option(
    "--out",
    type=_options.PICTURE,
    metavar="REPORT.html",
    help="Write one page with the drawn pairs.",
)
def command(photographs: Path | None, out: Path | None) -> int:
    """Compare sample photographs on this machine: no account, and nothing leaves it.

    Shows what the engine gets right, and what it gets wrong. The exit code is 3 if an answer is not
    the expected one.
    """
    from ._demo import run

    return run(photographs, out)
