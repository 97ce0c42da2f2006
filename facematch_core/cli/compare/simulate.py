"""`facematch compare simulate`: a file of scores with known error rates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, check_target, number, print_table, say
from facematch_core.comparison._scores_csv import write_scores
from facematch_core.comparison.simulation import (
    SimulatedStudy,
    SimulatedVendor,
    simulate,
    simulate_study,
    truth_of,
)

from ._vendors import groups_of, vendor_of


@click.command("simulate", short_help="Make up scores with known error rates, to try all this.")
@click.option(
    "--vendor",
    "words",
    multiple=True,
    required=True,
    metavar="NAME:KEY=VALUE,...",
    help="A vendor and what is true of it; may be repeated.",
)
@click.option(
    "--people",
    type=click.IntRange(2),
    default=200,
    metavar="N",
    help="How many people; 200 by default.",
)
@click.option(
    "--mated",
    type=click.IntRange(0),
    default=1000,
    metavar="N",
    help="How many mated pairs; 1000 by default.",
)
@click.option(
    "--non-mated",
    type=click.IntRange(0),
    default=10_000,
    metavar="N",
    help="How many non-mated pairs; 10000 by default.",
)
@click.option(
    "--pictures",
    type=click.IntRange(1),
    metavar="N",
    help="Pictures of each person; by default as few as the pairs need.",
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="COLUMN:GROUP=PART,...",
    help="A column of groups, each with its part of the people; may be repeated.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, metavar="N", help="Seed of chance; 0 by default."
)
@click.option("--out", required=True, type=common.FILE, metavar="CSV", help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
def command(
    *,
    words: Iterable[str],
    people: int,
    mated: int,
    non_mated: int,
    pictures: int | None,
    groups: Iterable[str],
    seed: int,
    out: Path,
    force: bool,
) -> int:
    """Make up what vendors answer to a study, with error rates that are known.

    \b
    facematch compare simulate --vendor good:fmr=1e-3,fnmr=0.01 \\
      --vendor poor:fmr=1e-2,fnmr=0.05,fta=0.01 --people 200 --out scores.csv
    facematch compare report --scores scores.csv --out report.html

    \b
    fmr, fnmr        true rates at its threshold; 1e-3 and 0.01 by default
    threshold, rule  50; at_least, above, or vendor
    goats, wolves    what part of the scatter is people's own: 0 to 1, 0 to 0.5
    common           what part of it all vendors share: 0 to 1
    fta, outage      pictures without a face; calls without an answer: 0 to 1
    decimals         of its scores; 2 by default, or none
    decisions_only   true: it tells no score
    latency_s        median, in seconds
    price, currency  of one comparison; USD by default
    COLUMN.GROUP.fmr, COLUMN.GROUP.fnmr   rates of a group of --group
    """
    check_target("--out", out, force=force)
    vendors = [vendor_of(word) for word in words]
    names = [vendor.name for vendor in vendors]
    if len({*names}) < len(names):
        raise click.UsageError("Two vendors have one name: give each its own.")
    study = simulate_study(
        people=people,
        mated=mated,
        non_mated=non_mated,
        pictures=pictures,
        groups=groups_of(groups),
        seed=seed,
    )
    for vendor in vendors:
        if vendor.column is not None and vendor.column not in study.groups:
            raise click.UsageError(
                f"{vendor.name[:60]} has rates of groups of {vendor.column[:60]!r}: add that "
                "column with --group."
            )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_scores(out, [simulate(vendor, study, seed=seed) for vendor in vendors])
    _show(vendors, study)
    say(f"written to {out}")
    return Exit.OK


def _show(vendors: Iterable[SimulatedVendor], study: SimulatedStudy) -> None:
    rows = []
    for vendor in vendors:
        truth = truth_of(vendor, study)
        told = (
            "-" if rate is None else f"{rate:.4g}"
            for rate in (truth.fmr, truth.fnmr, truth.far, truth.frr)
        )
        rows.append((vendor.name, number(vendor.threshold), *told))
    header = ("vendor", "threshold", "true FMR", "true FNMR", "true FAR", "true FRR")
    print_table(header, rows)
