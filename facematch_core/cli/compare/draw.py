"""`facematch compare draw`: pairs of a folder of photographs, as a file."""

from __future__ import annotations

from pathlib import Path

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, check_target, say, write
from facematch_core.comparison.study import draw_pairs, photographs, read_groups
from facematch_core.comparison.study._writing import pairs_csv


@click.command("draw", short_help="Draw pairs from a folder of photographs, one folder per person.")
@click.argument("folder", type=common.FILE)
@click.option("--out", required=True, type=common.FILE, metavar="FILE", help="The file to write.")
@click.option(
    "--mated",
    type=click.IntRange(0),
    metavar="N",
    help="Pairs of one person; by default all there are.",
)
@click.option(
    "--non-mated",
    type=click.IntRange(0),
    metavar="N",
    help="Pairs of two people; by default as many as of one.",
)
@click.option(
    "--groups",
    "groups_file",
    type=common.FILE,
    metavar="CSV",
    help="Who belongs to which group: a column `person`, and one for each kind of group.",
)
@click.option(
    "--within",
    metavar="COLUMN",
    help="Draw pairs of two people within the groups of this column of --groups only.",
)
@click.option(
    "--split",
    is_flag=True,
    help="Draw each pair within one of two halves of the people: the report, which chooses "
    "thresholds on one half and judges them on the other, then loses none.",
)
@click.option(
    "--seed", type=int, default=0, metavar="N", help="Seed of the random draw; 0 by default."
)
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
def command(
    *,
    folder: Path,
    out: Path,
    mated: int | None,
    non_mated: int | None,
    groups_file: Path | None,
    within: str | None,
    split: bool,
    seed: int,
    force: bool,
) -> int:
    """Draw pairs of the photographs in FOLDER, which has one folder for each person.

    \b
    facematch compare draw people/ --out pairs.csv --split --mated 600 --non-mated 6000
    facematch compare draw people/ --out pairs.csv --groups groups.csv --within sex

    No pair comes twice, and everybody comes up before one comes up again. The same seed draws the
    same pairs. Two people of one group are more alike than two of all: --within tells how often
    they are taken for one another. Nothing is sent.
    """
    if within is not None and groups_file is None:
        raise click.UsageError("--within names a column of --groups: give both.")
    check_target("--out", out, force=force)
    people = photographs(folder)
    groups = read_groups(groups_file, people) if groups_file is not None else {}
    study = draw_pairs(
        people,
        mated=mated,
        non_mated=non_mated,
        within=within,
        groups=groups,
        split=split,
        seed=seed,
        name=out.stem,
    )
    write(out, pairs_csv(out, study))
    same = int(study.mated.sum())
    say(
        f"{same:,} mated and {len(study.pairs) - same:,} non-mated pairs of "
        f"{len(study.subjects):,} people, {len(study.pictures):,} photographs: written to {out}"
    )
    return Exit.OK
