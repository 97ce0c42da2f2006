"""`facematch demo`: what it is like, without an account."""

from __future__ import annotations

from pathlib import Path

import click

from . import _options


@click.command("demo", short_help="Compare sample photographs on this machine.")
@click.option(
    "--photographs",
    type=_options.FILE,
    metavar="DIR",
    help="A folder with pairs.csv (probe,reference,expected,note); by default ours.",
)
@click.option(
    "--out",
    type=_options.FILE,
    metavar="REPORT.html",
    help="Write one page with the drawn pairs.",
)
@click.option(
    "--copy-photographs",
    type=_options.FILE,
    metavar="FOLDER",
    help="Only copy our four photographs into a folder.",
)
def command(photographs: Path | None, out: Path | None, copy_photographs: Path | None) -> int:
    """Compare sample photographs on this machine: no account, and nothing leaves it.

    Shows what the engine gets right, and what it gets wrong. The exit code is 3 if an answer is not
    the expected one.
    """
    if copy_photographs is not None:
        if photographs is not None or out is not None:
            raise click.UsageError("--copy-photographs stands alone: it compares nothing.")
        from ._copying import copied

        return copied(copy_photographs)
    from ._demo import run

    return run(photographs, out)
