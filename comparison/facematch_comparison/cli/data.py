"""`facematch compare draw`, `embed`, `simulate`, `wrong`, `export`: what goes in and comes out.

Nothing is sent to a vendor by any of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from facematch_core.cli.common import (
    FILE,
    Exit,
    cell,
    check_target,
    counted,
    file_option,
    form_of,
    make_folder,
    name_values,
    number,
    print_json,
    print_table,
    say,
    write,
    write_json,
)
from facematch_core.files import named, replacing

from . import common

if TYPE_CHECKING:
    from facematch_comparison.model import Answers, WrongPair

#: Wrong pairs that are printed; a file has all of them.
LISTED = 20

# --- draw -----------------------------------------------------------------------------------------


@click.command("draw")
@click.argument("folder", type=FILE)
@file_option("--out", "The file to write.", required=True)
@common.count_option("--mated", "Pairs of one person; by default all there are.")
@common.count_option("--non-mated", "Pairs of two people; by default as many as of one person.")
@file_option(
    "--groups",
    "Who belongs to which group: a column `person`, and one for each kind of group.",
    to="groups_file",
    metavar="CSV",
)
@click.option(
    "--within",
    metavar="COLUMN",
    help="Draw pairs of two people within the groups of this column of --groups only.",
)
@click.option(
    "--split",
    is_flag=True,
    help="Draw each pair within one half of the people, so that `compare report --split` loses "
    "none.",
)
@common.seed
@common.force
def draw(*, folder: Path, out: Path, groups_file: Path | None, **given: Any) -> int:
    """Draw pairs of the photographs in FOLDER, which has one folder for each person.

    \b
    facematch compare draw people/ --out pairs.csv --mated 600 --non-mated 6000
    facematch compare draw people/ --out pairs.csv --groups groups.csv \\
      --within sex

    No pair is drawn twice, and everybody is drawn before anybody is drawn again. The same seed
    draws the same pairs. Two people of one group look more alike than two people at random:
    --within draws these harder pairs.
    """
    if given["within"] is not None and groups_file is None:
        raise click.UsageError("--within names a column of --groups: give both.")
    check_target("--out", out, force=given.pop("force"))
    from facematch_comparison.study import draw_pairs, photographs, read_groups
    from facematch_comparison.study.reading import pairs_csv

    people = photographs(folder)
    groups = read_groups(groups_file, people) if groups_file is not None else {}
    study = draw_pairs(people, groups=groups, name=out.stem, **given)
    write(out, pairs_csv(out, study))
    mated = int(study.mated.sum())
    say(
        f"{mated:,} mated and {len(study.pairs) - mated:,} non-mated pairs of "
        f"{len(study.subjects):,} people, {len(study.pictures):,} photographs: written to {out}"
    )
    return Exit.OK


# --- export ---------------------------------------------------------------------------------------


@click.command("export")
@common.source
@common.pairs("names of people and pictures")
@file_option("--out", "The file to write: .parquet or .csv.", required=True)
@common.force
def export(*, out: Path, force: bool, **given: Any) -> int:
    """Write what every system answered to every pair, one line for each, for your own tools.

    \b
    facematch compare export --store study.sqlite3 --out answers.parquet
    facematch compare export --store study.sqlite3 --out answers.csv

    `compare report --scores` reads the file again. It holds no picture. People and pictures are
    numbers in it, unless a file of scores or --pairs names them.
    """
    form_of("--out", out, ".parquet", ".csv")
    check_target("--out", out, force=force)
    from facematch_comparison import writing as files

    source = common.answers_from(given)
    answers, study = source.answers, common.study_of(source, given["pairs"])
    make_folder(out)
    with named(out):
        files.export(answers, out, study)
    rows = sum(len(one.table) for one in answers)
    say(f"{counted(rows, 'answer')} of {counted(len(answers), 'system')}: written to {out}")
    return Exit.OK


# --- wrong ----------------------------------------------------------------------------------------


@click.command("wrong")
@common.source
@common.pairs("names and pictures")
@click.option("--system", metavar="NAME", help="The system; needed if there are several.")
@click.option(
    "--threshold",
    callback=common.score,
    metavar="SCORE",
    help="Judge at this threshold; by default, the system's own decisions.",
)
@common.rate_option(
    "--fmr", "Judge at the threshold for this false match rate, as `compare report` does."
)
@common.count_option(
    "--most", "At most so many of each kind, the worst ones; by default all.", least=1
)
@file_option(
    "--out",
    "Write the list (.csv or .json) or a page (.html); may be repeated.",
    to="outs",
    multiple=True,
)
@click.option(
    "--pictures", is_flag=True, help="Put the pictures into the page: the file then holds faces."
)
@common.force
@common.json_flag
def wrong(*, outs: tuple[Path, ...], as_json: bool, **given: Any) -> int:
    """List the pairs that a system got wrong: false matches first, the worst of each kind first.

    \b
    facematch compare wrong --system didit --fmr 1e-3 --out wrong.csv
    facematch compare wrong --pairs pairs.csv --fmr 1e-3 --out wrong.html \\
      --pictures

    Look at them before you believe any rate: a wrong label in the test set counts as an error too.
    Pairs are numbered from 0, as `compare export` has them.
    """
    common.check_outs(outs, overwrite=given["force"], forms=(".html", ".csv", ".json"))
    if given["threshold"] is not None and given["fmr"] is not None:
        raise click.UsageError("Say --threshold or --fmr, not both.")
    if given["pictures"] and not any(map(common.is_page, outs)):
        raise click.UsageError("--pictures goes with a page: name one with --out FILE.html.")
    source = common.answers_from(given)
    system = source.system(given["system"])
    at = _threshold(system, given)
    study = common.study_of(source, given["pairs"])
    every = common.wrong_pairs(source, system, at, study, most=None, pictures=given["pictures"])
    pairs = every if given["most"] is None else common.worst(every, given["most"])
    for path in outs:
        _write_wrong(path, pairs, system=system.name, pictures=given["pictures"])
    if as_json:
        print_json(_wrong_document(pairs))
        return Exit.OK
    where = "by its own decisions" if at is None else f"at the threshold {number(at)}"
    some = "" if len(pairs) == len(every) else "; here are the worst of each kind"
    say(f"{system.name} {where}: {_counts(every)}{some}")
    if not outs and pairs:
        print_table(_WRONG[1:-1], [_row(one)[1:-1] for one in pairs[:LISTED]])
        if len(pairs) > LISTED:
            say(f"... and {len(pairs) - LISTED:,} more: name a file for all with --out")
    for path in outs:
        say(f"written to {path}")
    if given["pictures"]:
        common.warn_of_faces(outs)
    return Exit.OK


def _threshold(system: Answers, given: Mapping[str, Any]) -> float | None:
    """Where a system is judged; None for its own decisions."""
    if given["fmr"] is None:
        return given["threshold"]  # type: ignore[no-any-return]  # click has read it
    from facematch_comparison.stats.threshold import threshold_for_fmr

    choice = threshold_for_fmr(system.table, given["fmr"])
    if choice.threshold is None:
        raise click.UsageError(f"No threshold for an FMR of {given['fmr']:g}: {choice.why_not}")
    return choice.threshold


#: Columns of a list of wrong pairs: attributes of `WrongPair`.
_WRONG = (
    *("system", "kind", "pair", "probe", "reference"),
    *("probe_subject", "reference_subject", "score", "threshold"),
)


def _row(one: WrongPair) -> list[str]:
    return [_text(getattr(one, name)) for name in _WRONG]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return number(value) if isinstance(value, float) else str(value)


def _counts(pairs: Sequence[WrongPair]) -> str:
    kinds = [one.kind for one in pairs]
    words = {
        "false match": "false matches",
        "false non-match": "false non-matches",
        "failure to acquire": "failures to acquire",
    }
    return ", ".join(
        f"{kinds.count(kind):,} {kind if kinds.count(kind) == 1 else many}"
        for kind, many in words.items()
    )


def _wrong_document(pairs: Sequence[WrongPair]) -> dict[str, Any]:
    return {"schema": 0, "kind": "wrong pairs", "pairs": [attrs.asdict(one) for one in pairs]}


def _write_wrong(path: Path, pairs: Sequence[WrongPair], *, system: str, pictures: bool) -> None:
    form = form_of("--out", path, ".html", ".csv", ".json")
    if form == ".json":
        write_json(path, _wrong_document(pairs))
    elif form == ".csv":
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_WRONG)
        rows.writerows([cell(value) for value in _row(one)] for one in pairs)
        write(path, text.getvalue().encode())
    else:
        from facematch_comparison.report import gallery_html

        shown = pairs if pictures else [attrs.evolve(p, probe=None, reference=None) for p in pairs]
        page = gallery_html(shown, title=f"What {system} got wrong")
        write(path, page.encode(), private=pictures)


# --- embed ----------------------------------------------------------------------------------------


@click.command("embed")
@click.argument("pictures", type=FILE)
@file_option("--out", "The file to write: .parquet.", required=True)
@click.option(
    "--backend",
    default="local",
    show_default=True,
    metavar="NAME",
    shell_complete=common.backend_names,
    help="An engine of your own that computes embeddings. This is never charged.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Address of a Dask cluster, such as tls://host:8786, whose workers compute. They read the "
    "pictures under the same paths.",
)
@common.force
@common.json_flag
def embed(*, pictures: Path, out: Path, as_json: bool, **given: Any) -> int:
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
    check_target("--out", out, force=given["force"])
    import pyarrow.parquet

    from facematch_comparison.run import embed as embed_all
    from facematch_comparison.study import read_study

    paths = pictures if pictures.is_dir() else read_study(pictures).pictures
    table = embed_all(paths, backend=given["backend"], dask=given["dask"])
    make_folder(out)
    # An embedding is biometric data, and this folder may be shared.
    with named(out), replacing(out, private=True) as new:
        pyarrow.parquet.write_table(table, new)
    faces = sum(table.column("face").to_pylist())
    if as_json:
        print_json({"out": str(out), "pictures": len(table), "faces": faces})
    else:
        found = "a face was found in all of them"
        if faces < len(table):
            found = f"no face was found in {len(table) - faces:,} of them"
        say(f"{counted(len(table), 'picture')}, {found}: written to {out}")
    return Exit.OK


# --- simulate -------------------------------------------------------------------------------------


def _described(
    context: click.Context, option: click.Parameter, given: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Read ``NAME:KEY=VALUE,...``, given any number of times."""
    read: dict[str, dict[str, str]] = {}
    for text in given:
        name, _, rest = text.partition(":")
        if not name.strip() or name.strip() in read:
            raise click.BadParameter(f"{text[:60]!r} needs a name of its own.", param=option)
        words = filter(None, map(str.strip, rest.split(",")))
        read[name.strip()] = name_values(context, option, words)
    return read


@click.command("simulate")
@click.option(
    "--vendor",
    "vendors",
    multiple=True,
    required=True,
    callback=_described,
    metavar="NAME:KEY=VALUE,...",
    help="A vendor and what is true of it; may be repeated.",
)
@common.count_option("--people", "How many people; 200 by default.", least=2, default=200)
@common.count_option("--mated", "How many mated pairs; 1000 by default.", default=1000)
@common.count_option("--non-mated", "How many non-mated pairs; 10000 by default.", default=10_000)
@common.count_option(
    "--pictures", "Pictures of each person; by default as few as the pairs need.", least=1
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    callback=_described,
    metavar="COLUMN:GROUP=PART,...",
    help="A column of groups, each with its part of the people; may be repeated.",
)
@common.count_option("--seed", "Seed of chance; 0 by default.", default=0)
@file_option("--out", "The file to write.", required=True, metavar="CSV")
@common.force
def simulate(
    *, vendors: Mapping[str, Mapping[str, str]], out: Path, force: bool, **given: Any
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
    from facematch_comparison import simulate as made
    from facematch_comparison.writing import write_scores

    pairs = made.draw(**given)
    answers = {
        name: made.answer(name, words, pairs, seed=given["seed"]) for name, words in vendors.items()
    }
    make_folder(out)
    with named(out):
        write_scores(out, [one for one, _ in answers.values()])
    header = ("vendor", "threshold", "true FMR", "true FNMR", "true FAR", "true FRR")
    shown = (["-" if one is None else f"{one:.4g}" for one in true] for _, true in answers.values())
    print_table(header, [[name, *cells] for name, cells in zip(answers, shown, strict=True)])
    say(f"written to {out}")
    return Exit.OK
