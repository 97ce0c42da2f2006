"""`facematch compare draw`, `embed`, `simulate`, `wrong`, `export`: what goes in and comes out."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.cli.files import (
    check_target,
    csv_cell,
    form_of,
    make_folder,
    write_bytes,
    write_json,
)
from facematch_core.cli.options import FILE, complete_backend, file_option, json_option, parse_pairs
from facematch_core.cli.text import Exit, format_number, print_json, print_table, quantity, say
from facematch_core.files import named, replacing

from . import common

if TYPE_CHECKING:
    from facematch_comparison.answers import Answers
    from facematch_comparison.model import WrongPair

#: Wrong pairs that are printed; a file has all of them.
LISTED = 20


@click.command("draw")
@click.argument("folder", type=FILE)
@file_option("--out", "The file to write.", required=True)
@common.count_option("--mated", "Pairs of one person.", show_default="all there are")
@common.count_option("--non-mated", "Pairs of two people.", show_default="as many as mated")
@file_option(
    "--groups",
    "Groups of people: a column `person`, and one for each kind of group.",
    to="groups_file",
    metavar="CSV",
)
@click.option(
    "--within", metavar="COLUMN", help="Draw non-mated pairs within the groups of this column."
)
@common.flag("--split", "Draw within halves of the people, for `compare report --split`.")
@common.seed
@common.force
def draw(*, folder: Path, out: Path, groups_file: Path | None, **options: Any) -> int:
    """Draw pairs of the photographs in FOLDER, which has one folder for each person.

    \b
    facematch compare draw people/ --out pairs.csv --mated 600 --non-mated 6000
    facematch compare draw people/ --out pairs.csv --groups groups.csv \\
      --within sex

    No pair is drawn twice, and everybody is drawn before anybody is drawn again. The same seed
    draws the same pairs. Two people of one group look more alike than two people at random:
    --within draws these harder pairs.
    """
    if options["within"] is not None and groups_file is None:
        raise click.UsageError("--within names a column of --groups: give both.")
    check_target("--out", out, force=options.pop("force"))
    from facematch_comparison.study import draw_pairs, photographs, read_groups
    from facematch_comparison.study.reading import pairs_csv

    people = photographs(folder)
    groups = read_groups(groups_file, people) if groups_file is not None else {}
    study = draw_pairs(people, groups=groups, name=out.stem, **options)
    write_bytes(out, pairs_csv(out, study))
    mated = int(study.mated.sum())
    say(
        f"{mated:,} mated and {len(study.pairs) - mated:,} non-mated pairs of "
        f"{len(study.subjects):,} people, {len(study.pictures):,} photographs: written to {out}"
    )
    return Exit.OK


@click.command("export", cls=common.SourceCommand)
@common.source
@common.pairs("names of people and pictures")
@file_option("--out", "The file to write: .parquet or .csv.", required=True)
@common.force
def export(*, out: Path, force: bool, **options: Any) -> int:
    """Write what every system answered to every pair, one line for each, for your own tools.

    \b
    facematch compare export --store study.sqlite3 --out answers.parquet
    facematch compare export --store study.sqlite3 --out answers.csv

    `compare report --scores` reads the file again. It holds no picture. People and pictures are
    numbers in it, unless a file of scores or --pairs names them.
    """
    form_of("--out", out, ".parquet", ".csv")
    check_target("--out", out, force=force)
    from facematch_comparison import writing

    source = common.answers_from(options)
    study = common.study_of(source, options["pairs"])
    make_folder(out)
    with named(out):
        writing.export(source.answers, out, study)
    rows = sum(len(answers.table) for answers in source.answers)
    systems = quantity(len(source.answers), "system")
    say(f"{quantity(rows, 'answer')} of {systems}: written to {out}")
    return Exit.OK


@click.command("wrong", cls=common.SourceCommand)
@common.source
@common.pairs("names and pictures")
@click.option("--system", metavar="NAME", help="The system; needed if there are several.")
@click.option(
    "--threshold", type=float, metavar="SCORE", help="Judge at it, and not by its own decisions."
)
@click.option("--fmr", type=common.RATE, help="Judge at the threshold for this false match rate.")
@common.count_option(
    "--most", "How many of each kind, the worst ones.", least=1, show_default="all"
)
@common.out_option("Write the list (.csv or .json) or a page (.html). May be repeated.")
@common.flag("--pictures", "Put the pictures into the page: the file then holds faces.")
@common.force
@json_option
def wrong(*, outs: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """List the pairs that a system got wrong: false matches first, the worst of each kind first.

    \b
    facematch compare wrong --system didit --fmr 1e-3 --out wrong.csv
    facematch compare wrong --pairs pairs.csv --fmr 1e-3 --out wrong.html \\
      --pictures

    Look at them before you believe any rate: a wrong label in the test set counts as an error too.
    Pairs are numbered from 0, as `compare export` has them.
    """
    common.check_outs(outs, overwrite=options["force"], forms=(".html", ".csv", ".json"))
    if options["threshold"] is not None and options["fmr"] is not None:
        raise click.UsageError("Say --threshold or --fmr, not both.")
    if options["threshold"] is not None and not math.isfinite(options["threshold"]):
        raise click.UsageError("--threshold must be a number on the scale of the scores.")
    if options["pictures"] and not any(map(common.is_page, outs)):
        raise click.UsageError("--pictures goes with a page: name one with --out FILE.html.")
    source = common.answers_from(options)
    system = source.system(options["system"])
    threshold, fmr = options["threshold"], options["fmr"]
    threshold = threshold if fmr is None else _threshold(system, fmr)
    study = common.study_of(source, options["pairs"])
    every = common.wrong_pairs(source, system, threshold, study, pictures=options["pictures"])
    pairs = common.worst(every, options["most"])
    for path in outs:
        _write_wrong(path, pairs, system=system.name, pictures=options["pictures"])
    if as_json:
        print_json(_document(pairs))
        return Exit.OK
    where = "by its own decisions"
    where = where if threshold is None else f"at the threshold {format_number(threshold)}"
    kinds = Counter(pair.kind for pair in every)
    counts = ", ".join(
        f"{kinds[kind]:,} {kind if kinds[kind] == 1 else plural}" for kind, plural in _KINDS.items()
    )
    some = "" if len(pairs) == len(every) else "; here are the worst of each kind"
    say(f"{system.name} {where}: {counts}{some}")
    if not outs and pairs:
        print_table(_WRONG[1:-1], [_row(pair)[1:-1] for pair in pairs[:LISTED]])
        if len(pairs) > LISTED:
            say(f"... and {len(pairs) - LISTED:,} more: name a file for all with --out")
    for path in outs:
        say(f"written to {path}")
    if options["pictures"]:
        common.warn_of_faces(outs)
    return Exit.OK


def _threshold(system: Answers, fmr: float) -> float:
    """The threshold for a false match rate, as `compare report` chooses it."""
    from facematch_comparison.evaluation import check_direction
    from facematch_comparison.stats.threshold import threshold_for_fmr

    check_direction(system.table)
    choice = threshold_for_fmr(system.table, fmr)
    if choice.threshold is None:
        raise click.UsageError(f"No threshold for an FMR of {fmr:g}: {choice.why_not}")
    return choice.threshold


#: Columns of a list of wrong pairs: attributes of `WrongPair`.
_WRONG = (
    *("system", "kind", "pair", "probe", "reference"),
    *("probe_subject", "reference_subject", "score", "threshold"),
)

#: Kinds of wrong pairs, and the plural of each.
_KINDS = {
    "false match": "false matches",
    "false non-match": "false non-matches",
    "failure to acquire": "failures to acquire",
}


def _row(pair: WrongPair) -> list[str]:
    values = (getattr(pair, name) for name in _WRONG)
    return [
        format_number(value) if isinstance(value, float) else str("" if value is None else value)
        for value in values
    ]


def _document(pairs: Sequence[WrongPair]) -> dict[str, Any]:
    return {"schema": 0, "kind": "wrong pairs", "pairs": [attrs.asdict(pair) for pair in pairs]}


def _write_wrong(path: Path, pairs: Sequence[WrongPair], *, system: str, pictures: bool) -> None:
    form = form_of("--out", path, ".html", ".csv", ".json")
    if form == ".json":
        write_json(path, _document(pairs))
    elif form == ".csv":
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_WRONG)
        rows.writerows(map(csv_cell, _row(pair)) for pair in pairs)
        write_bytes(path, text.getvalue().encode())
    else:
        from facematch_comparison.report import gallery_html

        shown = pairs if pictures else [attrs.evolve(p, probe=None, reference=None) for p in pairs]
        page = gallery_html(shown, title=f"What {system} got wrong")
        write_bytes(path, page.encode(), private=pictures)


@click.command("embed")
@click.argument("pictures", type=FILE)
@file_option("--out", "The file to write: .parquet.", required=True)
@click.option(
    "--backend",
    default="local",
    metavar="NAME",
    shell_complete=complete_backend,
    help="An engine of your own that computes embeddings. This is never charged.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="A Dask cluster whose workers read the same paths, such as tls://host:8786.",
)
@common.force
@json_option
def embed(*, pictures: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Compute the embedding of every picture in PICTURES, for `compare run --embeddings`.

    \b
    facematch compare embed people/ --out embeddings.parquet
    facematch compare embed pairs.csv --out embeddings.parquet \\
      --dask tls://host:8786
    facematch compare run pairs.csv --backend local \\
      --embeddings embeddings.parquet

    PICTURES is a folder, or a file of pairs. An embedding is biometric data, as the picture is:
    whoever has it can recognise the person.
    """
    form_of("--out", out, ".parquet")
    check_target("--out", out, force=options["force"])
    import pyarrow.parquet

    from facematch_comparison.run import embed as embed_all
    from facematch_comparison.study import read_study

    paths = pictures if pictures.is_dir() else read_study(pictures, note=common.note).pictures
    table = embed_all(paths, backend=options["backend"], dask=options["dask"])
    make_folder(out)
    # An embedding is biometric data, and this folder may be shared.
    with named(out), replacing(out, private=True) as new:
        pyarrow.parquet.write_table(table, new)
    missing = len(table) - sum(table.column("face").to_pylist())
    if as_json:
        print_json({"out": str(out), "pictures": len(table), "faces": len(table) - missing})
    else:
        faces = f"no face was found in {missing:,} of them"
        faces = faces if missing else "a face was found in all of them"
        say(f"{quantity(len(table), 'picture')}, {faces}: written to {out}")
    return Exit.OK


def _parse_details(
    context: click.Context, option: click.Parameter, texts: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Read ``NAME:KEY=VALUE,...``, any number of times."""
    values: dict[str, dict[str, str]] = {}
    for text in texts:
        name, _, rest = text.partition(":")
        if not name.strip() or name.strip() in values:
            raise click.BadParameter(f"{text[:60]!r} needs a name of its own.", param=option)
        words = filter(None, map(str.strip, rest.split(",")))
        values[name.strip()] = parse_pairs(context, option, words)
    return values


@click.command("simulate")
@common.repeated(
    "--vendor",
    "vendors",
    "A vendor and what is true of it.",
    required=True,
    callback=_parse_details,
    metavar="NAME:KEY=VALUE,...",
)
@common.count_option("--people", "How many people.", least=2, default=200)
@common.count_option("--mated", "How many mated pairs.", default=1000)
@common.count_option("--non-mated", "How many non-mated pairs.", default=10_000)
@common.count_option(
    "--pictures", "Pictures of each person.", least=1, show_default="as few as the pairs need"
)
@common.repeated(
    "--group",
    "groups",
    "A column of groups, each with its part of the people.",
    callback=_parse_details,
    metavar="COLUMN:GROUP=PART,...",
)
@common.count_option("--seed", "Seed of chance.", default=0)
@file_option("--out", "The file to write.", required=True, metavar="CSV")
@common.force
def simulate(
    *, vendors: Mapping[str, Mapping[str, str]], out: Path, force: bool, **options: Any
) -> int:
    """Make up what vendors answer to pairs of people, with error rates that are known.

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
    decisions_only   true: it gives no score
    latency_s        median, in seconds
    price, currency  of one comparison; USD by default
    COLUMN.GROUP.fmr, COLUMN.GROUP.fnmr   rates of a group of --group
    """
    check_target("--out", out, force=force)
    from facematch_comparison import simulate as simulation
    from facematch_comparison.writing import write_scores

    pairs, seed = simulation.draw(**options), options["seed"]
    results = [simulation.answer(name, words, pairs, seed=seed) for name, words in vendors.items()]
    make_folder(out)
    with named(out):
        write_scores(out, [answers for answers, _ in results])
    header = ("vendor", "threshold", "true FMR", "true FNMR", "true FAR", "true FRR")
    rows = [
        [answers.name, *("-" if number is None else f"{number:.4g}" for number in truth)]
        for answers, truth in results
    ]
    print_table(header, rows)
    say(f"written to {out}")
    return Exit.OK
