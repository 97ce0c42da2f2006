"""`facematch verify`: is this the same person?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options

#: Options that mean something for a batch alone.
_BATCH = ("out", "workers")


@click.command("verify", short_help="Compare two photographs, or many pairs of them.")
@click.argument("probe", type=click.Path(), callback=_options.picture_file, required=False)
@click.argument("reference", type=click.Path(), callback=_options.picture_file, required=False)
@click.option("--live", is_flag=True, help="First check PROBE for a live face (a second call).")
@click.option(
    "--liveness-threshold",
    callback=_options.percentage,
    metavar="0-100",
    help="With --live: where LIVE begins, on the scale of that score.",
)
@click.option(
    "--max-fmr",
    callback=_options.rate,
    metavar="RATE",
    help="Instead of --threshold: the highest false match rate, such as 1e-3, by the calibration "
    "of the profile.",
)
@_options.where
@_options.call
@_options.picture
@click.option(
    "--pairs",
    type=_options.FILE,
    metavar="CSV",
    help="Compare every pair of a file with the columns probe,reference[,key].",
)
@click.option(
    "--out", type=_options.FILE, metavar="JSONL", help="With --pairs: a line per pair goes here."
)
@click.option("--force", is_flag=True, help="Overwrite the file of --picture or --out.")
@click.option(
    "--workers",
    callback=_options.workers,
    metavar="1-256",
    help="With --pairs: calls at a time; 4 by default.",
)
def command(probe: Path | None, reference: Path | None, **given: Any) -> int:
    """Is it the same person in PROBE (the selfie) and REFERENCE (the document)?

    \b
    facematch verify selfie.jpg id.jpg --threshold 50 --rotate
    facematch verify --pairs pairs.csv --out results.jsonl

    A mismatch is no error: the exit code is 1, as `facematch -h` lists them.
    """
    if given["pairs"] is not None:
        return _batch(probe, given)
    lone = [f"--{name}" for name in _BATCH if given[name]]
    if lone:
        raise click.UsageError(f"{lone[0]} goes with --pairs.")
    if probe is None or reference is None:
        raise click.UsageError("Name two pictures, PROBE and REFERENCE, or --pairs.")
    if given["liveness_threshold"] is not None and not given["live"]:
        raise click.UsageError("--liveness-threshold goes with --live.")
    from ._asking import Asked, ask

    return ask("verify_live" if given["live"] else "verify", [probe, reference], Asked.of(given))


def _batch(probe: Path | None, given: dict[str, Any]) -> int:
    alone = {
        "PROBE and REFERENCE": probe,
        "--live": given["live"],
        "--liveness-threshold": given["liveness_threshold"],
        "--picture": given["picture"],
    }
    for name, value in alone.items():
        if value:
            raise click.UsageError(f"{name} cannot go with --pairs.")
    if given["out"] is None:
        raise click.UsageError("--pairs needs --out: the file for the results.")
    from ._asking import Asked
    from ._batch import run

    return run(Asked.of(given))
