"""`facematch compare draw`: draw pairs from a folder of people's photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facematch_core.cli.files import check_target, make_folder
from facematch_core.cli.options import FILE, file_option
from facematch_core.cli.text import Exit, say

from . import common


@click.command("draw")
@click.argument("folder", type=FILE)
@file_option("--out", "The file to write.", required=True)
@common.text_option(
    "--mated", "N", "Mated pairs to draw.", type=int, show_default="all possible pairs"
)
@common.text_option(
    "--non-mated", "N", "Non-mated pairs to draw.", type=int, show_default="as many as mated"
)
@file_option(
    "--groups",
    "Groups of people: a column `person`, and a column for each kind of group.",
    to="groups_file",
    metavar="CSV",
)
@common.text_option("--within", "COLUMN", "Draw non-mated pairs within groups of this column.")
@common.flag("--split", "Draw within each half of the people, for `compare report --split`.")
@common.seed
@common.flag("--force", "Overwrite existing files.")
def draw(*, folder: Path, out: Path, groups_file: Path | None, **options: Any) -> int:
    """Draw pairs from the photographs in FOLDER, which has one folder for each person.

    \b
    facematch compare draw people/ --out pairs.csv --mated 600 --non-mated 6000
    facematch compare draw people/ --out pairs.csv --groups groups.csv \\
      --within sex

    No pair is drawn twice, and every person is drawn before anyone is drawn again. The same seed
    draws the same pairs. People of one group look more alike than random people: --within draws
    these harder pairs.
    """
    if options["within"] is not None and groups_file is None:
        raise click.UsageError("--within requires --groups.")
    check_target("--out", out, force=options.pop("force"))
    from facematch_comparison.study import draw_pairs, photographs, read_groups, write_pairs_csv
    from facematch_comparison.values.numbers import counted

    people = photographs(folder)
    groups = read_groups(groups_file, people) if groups_file is not None else {}
    study = draw_pairs(people, groups=groups, name=out.stem, **options)
    make_folder(out)
    write_pairs_csv(out, study)
    mated = int(study.mated.sum())
    say(
        f"{mated:,} mated and {len(study.pairs) - mated:,} non-mated pairs of "
        f"{counted(len(study.subjects), 'person', 'people')}, {len(study.pictures):,} photographs: "
        f"written to {out}"
    )
    return Exit.OK
