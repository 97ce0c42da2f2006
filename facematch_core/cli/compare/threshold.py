"""`facematch compare threshold`: the threshold for a wanted false match rate, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core._basics import nearest
from facematch_core.cli import common
from facematch_core.cli.common import Exit, check_target, clean, number, say, write
from facematch_core.errors import InvalidRequest

from ._sources import Source, answers_from, source_options

if TYPE_CHECKING:
    from facematch_core.calibration import Calibration, CalibrationPoint
from facematch_core.comparison._answers import Answers


def _rates(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[float, ...]:
    read = [common.rate(context, option, typed) for typed in given]
    return tuple(value for value in read if value is not None)


@click.command(
    "threshold", short_help="Write the threshold for a wanted FMR to a file that verifiers read."
)
@source_options
@click.option(
    "--contender",
    metavar="NAME",
    help="Choose the threshold of this one; needed if there are several.",
)
@click.option(
    "--fmr",
    "fmrs",
    multiple=True,
    required=True,
    callback=_rates,
    metavar="RATE",
    help="The highest false match rate, such as 1e-3; may be repeated.",
)
@click.option(
    "--bounded",
    is_flag=True,
    help="Ask more: that the upper bound, too, and not only what was seen, is at most that.",
)
@click.option(
    "--valid-days",
    type=click.IntRange(1, 36500),
    metavar="N",
    help="Until when verifiers take the file; without it, for ever.",
)
@click.option("--out", required=True, type=common.FILE, metavar="FILE", help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
@click.option(
    "--allow-mock",
    is_flag=True,
    help="Take answers of a mock or a sandbox; only a verifier that is set to it takes the file.",
)
@common.as_json
def command(*, out: Path, as_json: bool, **given: Any) -> int:
    """Choose the threshold of a contender for a false match rate, and write it to a file.

    \b
    facematch compare threshold --store study.sqlite3 --contender didit --fmr 1e-3 --out didit.json

    A profile names the file (calibration = "didit.json"); then
    `verifier.verify(..., max_fmr=1e-3)` and `facematch verify --max-fmr 1e-3` mean the same for
    every vendor. It is bound to the backend, the scale and the model that answered. The threshold
    is chosen on all people of the study; how well thresholds so chosen do, `compare report` tells.
    """
    from facematch_core.comparison._calibrating import calibrate

    check_target("--out", out, force=given["force"])
    source = answers_from(given["store"], given["study"], given["scores"])
    calibration = calibrate(
        _chosen(source, given["contender"]),
        given["fmrs"],
        name=source.name,
        digest=source.digest,
        bounded=given["bounded"],
        valid_days=given["valid_days"],
        allow_mock=given["allow_mock"],
    )
    document = json.dumps(calibration.to_dict(), indent=2)
    write(out, f"{document}\n".encode())
    if as_json:
        common.print_json(calibration.to_dict())
    else:
        _show(calibration, out)
    return Exit.OK


def _chosen(source: Source, name: str | None) -> Answers:
    known = [one.table.name for one in source.answers]
    if name is None and len(known) == 1:
        return source.answers[0]
    if name is None:
        raise click.UsageError(f"--contender: name one of {', '.join(map(clean, known))}.")
    for one in source.answers:
        if one.table.name == name:
            return one
    raise InvalidRequest(f"No contender is called {name[:60]!r} here; {nearest(name, known)}")


def _show(calibration: Calibration, out: Path) -> None:
    for point in calibration.points:
        say(_line(calibration, point))
    say(f"written to {out}")


def _line(calibration: Calibration, point: CalibrationPoint) -> str:
    from facematch_core.comparison._rounding import upper

    return (
        f"FMR {point.max_fmr:g}: threshold {number(point.threshold)} ({calibration.scale}); "
        f"{point.errors:,} of {point.trials:,} pairs of different people pass, so the true FMR is "
        f"below {upper(point.upper, point.max_fmr)} with {calibration.confidence:.0%} confidence"
    )
